"""Running the SQL files of this package.

Here: reading a file, letting DuckDB's own parser cut it into statements, binding to
each the values it names, and rows from Python as a table of theirs. Not here:
transactions (`connection.py`).
"""

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

import duckdb
import pyarrow as pa

from enrichment_pipeline.warehouse import sql

_COMMENT = re.compile(r"^\s*--.*\n", re.MULTILINE)


def execute(
    connection: duckdb.DuckDBPyConnection, name: str, /, **values: object
) -> duckdb.DuckDBPyConnection:
    """Run every statement of the file `<name>.sql` in order; the result is the last one's.

    Values are bound to the parameters of the same name, in whichever statement
    has them. Raises duckdb.Error as it comes.
    """
    return execute_text(connection, text_of(name), **values)


def execute_text(
    connection: duckdb.DuckDBPyConnection, text: str, /, **values: object
) -> duckdb.DuckDBPyConnection:
    """The same with the text of a file."""
    result = connection
    for statement in connection.extract_statements(text):
        bound = {key: values[key] for key in statement.named_parameters}
        result = connection.execute(statement, bound)
    return result


@contextmanager
def registered(
    connection: duckdb.DuckDBPyConnection, name: str, page: pa.Table | pa.RecordBatchReader
) -> Iterator[None]:
    """Rows from Python, as the table `name` for the statements in the body."""
    connection.register(name, page)
    try:
        yield
    finally:
        connection.unregister(name)


def literal(text: str) -> str:
    """A string literal, for the statements in which DuckDB binds no values."""
    return "'" + text.replace("'", "''") + "'"


def quoted(name: str) -> str:
    """A name as SQL takes it, whatever is in it."""
    return '"' + name.replace('"', '""') + '"'


@cache
def digest(*names: str) -> str:
    """A digest of the files `<name>.sql` without comments: whether any has changed what it does."""
    said = (_COMMENT.sub("", text_of(name)) for name in names)
    return hashlib.sha256("".join(said).encode()).hexdigest()


@cache
def text_of(name: str) -> str:
    """What stands in the file `<name>.sql`, in whichever folder of `sql/` it is."""
    return _places()[name].read_text(encoding="utf-8")


@cache
def _places() -> dict[str, Traversable]:
    """Where each file is, by its name without the ending."""
    topics = [each for each in files(sql).iterdir() if each.is_dir()]
    return {
        file.name.removesuffix(".sql"): file
        for topic in topics
        for file in topic.iterdir()
        if file.name.endswith(".sql")
    }
