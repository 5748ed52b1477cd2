"""A schema in Postgres as a sink.

Here: what is Postgres' own: the address, its SQL, comments, and how its errors are told. Not here:
what is merged (`table_sink.py`).

Changed rows are copied into a table beside the sink's, and merged there by Postgres: DuckDB's own
MERGE would fetch every key of the target first.
"""

import re
from functools import partial

import duckdb

from enrichment_pipeline.attachment import Database
from enrichment_pipeline.errors import ConfigurationError
from enrichment_pipeline.warehouse.connection import first_line
from enrichment_pipeline.warehouse.extensions import load_extension
from enrichment_pipeline.warehouse.sinks.row_changes import CHANGES, PublishedTable, listed
from enrichment_pipeline.warehouse.sinks.table_sink import SINK, Incoming
from enrichment_pipeline.warehouse.statements import literal, quoted

INCOMING = "incoming_rows"
"""The table of changed rows: made and dropped in one transaction, so that nobody sees it."""
PATIENCE = {
    "connect_timeout": "30",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",  # milliseconds
    "application_name": "enrichment",
}
"""libpq's defaults wait for hours for a server that has gone; an address may say otherwise."""
LOCK_TIMEOUT = "60s"
_SAID_BY_POSTGRES = re.compile(r"ERROR:\s+([^\n]*)")
_VALUE_AT_THE_END = re.compile(r': ".*"$')


class PostgresTarget:
    """One schema of a Postgres database."""

    def __init__(self, database: Database, schema: str) -> None:
        self._database = database
        self.schema = schema

    def attach(self, connection: duckdb.DuckDBPyConnection) -> None:
        load_extension(connection, "postgres_scanner", extra="postgres")
        # Postgres has no NUL in a text: it is left out
        connection.execute("set pg_null_byte_replacement = ''")
        address = literal(_patient(self._database.address.get_secret_value()))
        connection.execute(
            f"attach {address} as {SINK} (type postgres, schema {literal(self.schema)})"
        )

    def begin(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.execute(connection, f"set local lock_timeout = {literal(LOCK_TIMEOUT)}")

    def execute(self, connection: duckdb.DuckDBPyConnection, statement: str) -> None:
        connection.execute(f"call postgres_execute({literal(SINK)}, {literal(statement)})")

    def name_of(self, table: str) -> str:
        return f"{quoted(self.schema)}.{quoted(table)}"

    def count(self, connection: duckdb.DuckDBPyConnection, table: str) -> int:
        counted = literal(f"select count(*) from {self.name_of(table)}")
        query = f"from postgres_query({literal(SINK)}, {counted})"
        return connection.execute(query).fetchall()[0][0]

    def describe(self, connection: duckdb.DuckDBPyConnection, table: PublishedTable) -> None:
        name = self.name_of(table.name)
        comments = [f"comment on table {name} is {literal(table.comment)}"]
        comments += [
            f"comment on column {name}.{quoted(column.name)} is {literal(column.comment)}"
            for column in table.columns
        ]
        self.execute(connection, "; ".join(comments))

    def index(self, connection: duckdb.DuckDBPyConnection, table: PublishedTable) -> None:
        if table.key:  # by hash, since an id may be longer than a tree's entry
            column = quoted(table.key[0])
            self.execute(
                connection, f"create index on {self.name_of(table.name)} using hash ({column})"
            )

    def hand_over(self, connection: duckdb.DuckDBPyConnection, table: PublishedTable) -> Incoming:
        """Copy the changed rows to the server."""
        columns = ", ".join(f"{quoted(column.name)} {column.type}" for column in table.columns)
        name = f"{SINK}.{self.name_of(INCOMING)}"
        connection.execute(f"create table {name} ({columns}, is_gone boolean)")
        rows = f"select {listed(table.names)}, is_gone from {CHANGES}"
        connection.execute(f"insert into {name} by name {rows}")
        return Incoming(self.name_of(INCOMING), partial(connection.execute, f"drop table {name}"))

    def told(self, error: duckdb.Error) -> str:
        """What went wrong, without an address and without a value."""
        said = _SAID_BY_POSTGRES.search(str(error))
        if said is None:
            return first_line(error)
        return _VALUE_AT_THE_END.sub(": …", said[1].strip())


def _patient(address: str) -> str:
    """The address, with bounds to waiting where it names none."""
    import psycopg
    from psycopg.conninfo import conninfo_to_dict, make_conninfo

    try:
        given = {name: str(value) for name, value in conninfo_to_dict(address).items()}
        return make_conninfo(**{**PATIENCE, **given})
    except psycopg.Error:  # it quotes parts of the address
        raise ConfigurationError("its address cannot be understood") from None
