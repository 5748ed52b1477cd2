"""Snowflake, which reads a query itself: what it gives comes as Arrow.

Here: the connection, a query's rows, and how Snowflake's errors are told. Not here: which queries
there are, and what becomes of the rows (`attached_source.py`).
"""

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pyarrow as pa

from enrichment_pipeline.attachment import Database
from enrichment_pipeline.errors import ConfigurationError

if TYPE_CHECKING:  # what it imports is large, and only an extra
    from adbc_driver_manager import dbapi

_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_SELECTS = re.compile(r"[\s(]*(select|with)\b", re.IGNORECASE)
_SAYS_WHICH_NAME = re.compile(r"SQLSTATE: (42|02|08|28)")
"""About names in the statement, and about who may connect: of no other class is it known that it
quotes no value."""
_NO_SUCH_NAME = re.compile(r"SQLSTATE: (42|02)")
_NUMBER = re.compile(r"\[Snowflake\] (\d+)")
_OF_USERS = "table_schema <> 'INFORMATION_SCHEMA'"
_TABLES = (
    f"select table_schema || '.' || table_name from information_schema.tables where {_OF_USERS}"
)


class SnowflakeError(Exception):
    """What Snowflake says is wrong, in a line without a value of a row."""

    is_about_a_name = False
    """Whether the statement names something that there is not."""


class Snowflake:
    """A session; made by `connected`."""

    def __init__(self, connection: "dbapi.Connection", results: ExitStack) -> None:
        self._connection = connection
        self._results = results

    def rows(self, query: str) -> pa.RecordBatchReader:
        """What a query gives, batch by batch, as long as the session lasts.

        Raises SnowflakeError for a query that fails.
        """
        with _told():
            cursor = self._results.enter_context(self._connection.cursor())
            cursor.execute(query)
            return cursor.fetch_record_batch()

    def tables(self) -> list[str]:
        """The tables and views that the account may see in its database, with their schemas."""
        return self.rows(_TABLES).read_all().column(0).to_pylist()


@contextmanager
def connected(source: Database, key: str) -> Iterator[Snowflake]:
    """A session with Snowflake. Raises ConfigurationError where there is none to be had."""
    try:
        from adbc_driver_snowflake import dbapi
    except ModuleNotFoundError:
        raise ConfigurationError(
            "the driver of Snowflake is not installed: install the extra snowflake "
            "(`uv sync --extra snowflake`, or pip with `enrichment-pipeline[snowflake]`)"
        ) from None
    with ExitStack() as closing:
        try:
            with _told():
                connection = dbapi.connect(source.address.get_secret_value(), autocommit=True)
        except SnowflakeError as error:
            raise ConfigurationError(
                f"source {source}: cannot be reached ({error}); see {key} in the policy file"
            ) from None
        closing.enter_context(connection)
        yield Snowflake(connection, closing.enter_context(ExitStack()))


@contextmanager
def _told() -> Iterator[None]:
    """An error of the driver's as a SnowflakeError."""
    from adbc_driver_manager import Error

    try:
        yield
    except Error as error:
        fault = SnowflakeError(fault_of(error))
        fault.is_about_a_name = bool(_NO_SUCH_NAME.search(str(error)))
        raise fault from None


def fault_of(error: Exception) -> str:
    """An error of the driver's in one line; where it may quote a value, only its number."""
    text = str(error)
    if _SAYS_WHICH_NAME.search(text):
        return " ".join(text.partition("\n")[0].split())
    number = _NUMBER.search(text)
    what = f"Snowflake's error {number[1]}" if number else "an error"
    return f"{what} at a value that is not shown"


def is_one_select(query: str) -> bool:
    """Whether a query begins as one that reads; Snowflake itself takes one statement only."""
    return bool(_SELECTS.match(_COMMENT.sub("", query)))
