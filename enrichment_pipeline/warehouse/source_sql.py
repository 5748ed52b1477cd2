"""The SQL of the policy file over a source: one select statement that reads nothing else.

Here: naming such a query, which functions it may not call, and how a mistake in it is told: with
what is there in place of what it misses. Not here: what it has to give (`attached_source.py`).
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from enrichment_pipeline.errors import ConfigurationError
from enrichment_pipeline.warehouse.attaching import ALIAS
from enrichment_pipeline.warehouse.connection import first_line
from enrichment_pipeline.warehouse.snowflake import Snowflake, SnowflakeError, is_one_select
from enrichment_pipeline.warehouse.statements import execute, quoted

UNCONFINED = ("postgres_", "sqlite_", "ducklake_")
"""How the names begin of extensions' functions that reach more than what is attached."""
SHOWN_NAMES = 40
"""Of tables or columns that are there: a CRM may have hundreds."""
_NO_TABLE = re.compile(r"Catalog Error: Table with name .* does not exist")
_NO_COLUMN = re.compile(
    r"Binder Error: (Referenced column .* not found|.* does not have a column named)"
)


@dataclass(frozen=True)
class Reading:
    """A DuckDB of its own with a source attached; Snowflake is asked for what its queries give."""

    connection: duckdb.DuckDBPyConnection
    snowflake: Snowflake | None = None

    def execute(self, statement: str) -> duckdb.DuckDBPyConnection:
        """Run a statement of ours, or of a test's, in DuckDB."""
        return self.connection.execute(statement)


def name_query(
    reading: Reading, key: str, query: str, name: str, *, where: str | None = None
) -> None:
    """Make a query of the policy's a view of this name, or those of its rows that `where` names.

    Raises ConfigurationError, naming the policy's `key`, for anything but one select statement over
    what is there.
    """
    if reading.snowflake is not None:
        rows = _ask(reading.snowflake, key, query, where)
        reading.connection.register(name, rows)
        return
    connection = reading.connection
    text = _as_one_select(connection, key, query)
    tree: object = None
    try:
        tree = _tree(connection, text)
        _refuse_unconfined_functions(key, tree)
        if where is not None:
            text = f"select * from ({text}\n) where {where}"
        connection.execute(f"create or replace temp view {name} as {text}")
    except duckdb.Error as error:
        raise mistake(key, error, _what_is_there(connection, error, tree)) from None


def columns_of(reading: Reading, key: str, query: str) -> dict[str, str]:
    """The columns that a query of the policy's gives, each with its type in DuckDB."""
    name_query(reading, key, query, "described_rows", where="false")
    try:
        described = reading.execute("describe described_rows").fetchall()
    except duckdb.Error as error:
        raise mistake(key, error) from None
    return {row[0]: row[1] for row in described}


def has_table(reading: Reading, schema: str, name: str) -> bool:
    """Whether the source has this table or view."""
    if reading.snowflake is not None:
        return f"{schema}.{name}".lower() in map(str.lower, reading.snowflake.tables())
    found = execute(reading.connection, "describe_columns", schema=schema, name=name)
    return bool(found.fetchall())


def _ask(snowflake: Snowflake, key: str, query: str, where: str | None) -> pa.RecordBatchReader:
    text = query.strip().rstrip(";")
    if not is_one_select(text):
        raise _no_select(key)
    if where is not None:
        text = f"select * from ({text}\n) where {where}"
    try:
        return snowflake.rows(text)
    except SnowflakeError as error:
        advice = f"; there are {_some(snowflake.tables())}" if error.is_about_a_name else ""
        raise ConfigurationError(f"{key}: {error}{advice}") from None


def mistake(key: str, error: Exception, advice: str = "") -> ConfigurationError:
    """What is wrong with the SQL of this key, without a value of a row."""
    if "file system operations are disabled" in str(error):
        advice = (
            "; only the attachment and the files in its folder are read (a folder that holds "
            "our own state is not)"
        )
    return ConfigurationError(f"{key}: {first_line(error)}{advice}")


def _as_one_select(reading: duckdb.DuckDBPyConnection, key: str, query: str) -> str:
    try:
        statements = reading.extract_statements(query)
    except duckdb.Error as error:
        raise mistake(key, error) from None
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise _no_select(key)
    return statements[0].query.strip().rstrip(";")


def _no_select(key: str) -> ConfigurationError:
    return ConfigurationError(f"{key}: must be one select statement; the source is only ever read")


def _tree(reading: duckdb.DuckDBPyConnection, text: str) -> object:
    """The statement as DuckDB's parser has it."""
    [(tree,)] = reading.execute("select json_serialize_sql(?)", [text]).fetchall()
    return json.loads(tree)


def _refuse_unconfined_functions(key: str, tree: object) -> None:
    """Refuse what reads past the attachment: extensions' functions, and `query`, which hides them.

    `postgres_…` would ask another server, `sqlite_…` read another file, `ducklake_…` delete some.
    """
    for node in _nodes(tree):
        name = str(node.get("function_name") or "").lower()
        if name == "query" or name.startswith(UNCONFINED):
            raise ConfigurationError(
                f"{key}: the function {name} is not allowed here; the source is attached by "
                "[source] attach, and only ever read"
            )


def _what_is_there(reading: duckdb.DuckDBPyConnection, error: Exception, tree: object) -> str:
    """The source's tables where one is missing, and the columns of those that were named."""
    line = str(error).strip().splitlines()[0]
    if _NO_TABLE.match(line):
        names = [
            name for (name,) in execute(reading, "list_source_tables", source=ALIAS).fetchall()
        ]
        return f"; there are {_some(names)}" if names else "; the source has no tables"
    if not _NO_COLUMN.match(line):
        return ""
    tables = dict.fromkeys(
        ".".join(
            quoted(str(node[part])) for part in ("schema_name", "table_name") if node.get(part)
        )
        for node in _nodes(tree)
        if node.get("type") == "BASE_TABLE"
    )
    given = {table: _columns(reading, table) for table in tables}
    told = (f"{table} has {_some(names)}" for table, names in given.items() if names)
    return "".join(f"; {each}" for each in told).replace('"', "")


def _columns(reading: duckdb.DuckDBPyConnection, table: str) -> list[str]:
    try:
        return [row[0] for row in reading.execute(f"describe {table}").fetchall()]
    except duckdb.Error:  # a name that the query itself gives
        return []


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN_NAMES} more" if len(names) > SHOWN_NAMES else ""
    return ", ".join(names[:SHOWN_NAMES]) + more


def _nodes(tree: object) -> Iterator[dict[str, object]]:
    if isinstance(tree, dict):
        yield tree
        tree = list(tree.values())
    if isinstance(tree, list):
        for each in tree:
            yield from _nodes(each)
