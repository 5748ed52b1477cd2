"""A schema in a DuckLake as a sink.

Here: what is DuckLake's own. Its SQL is DuckDB's, so that what has changed is read where it was
found. Not here: what is merged (`table_sink.py`).

Two that merge into one table at once are not kept apart by DuckLake: a sink is filled by one
process at a time (`filling.py`), and belongs to one state folder.
"""

import re

import duckdb

from enrichment_pipeline.attachment import Database, Lake
from enrichment_pipeline.warehouse.connection import first_line
from enrichment_pipeline.warehouse.extensions import load_extension
from enrichment_pipeline.warehouse.sinks.row_changes import CHANGES, PublishedTable
from enrichment_pipeline.warehouse.sinks.table_sink import SINK, Incoming
from enrichment_pipeline.warehouse.statements import literal, quoted

_QUOTED = re.compile(r'"[^"]*"')


class DuckLakeTarget:
    """One schema of a lake."""

    def __init__(self, lake: Lake, schema: str) -> None:
        self._lake = lake
        self.schema = schema

    def attach(self, connection: duckdb.DuckDBPyConnection) -> None:
        load_extension(connection, "ducklake", extra="ducklake")
        catalogue = self._lake.catalogue
        if isinstance(catalogue, Database):
            load_extension(connection, "postgres_scanner", extra="postgres")
            place = f"postgres:{catalogue.address.get_secret_value()}"
        else:
            place = str(catalogue)
        connection.execute(f"attach {literal(f'ducklake:{place}')} as {SINK}")

    def begin(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Nothing is to be done."""

    def execute(self, connection: duckdb.DuckDBPyConnection, statement: str) -> None:
        connection.execute(statement)

    def name_of(self, table: str) -> str:
        return f"{SINK}.{quoted(self.schema)}.{quoted(table)}"

    def count(self, connection: duckdb.DuckDBPyConnection, table: str) -> int:
        query = f"select count(*) from {self.name_of(table)}"
        return connection.execute(query).fetchall()[0][0]

    def describe(self, connection: duckdb.DuckDBPyConnection, table: PublishedTable) -> None:
        name = self.name_of(table.name)
        connection.execute(f"comment on table {name} is {literal(table.comment)}")
        for column in table.columns:
            text = literal(column.comment)
            connection.execute(f"comment on column {name}.{quoted(column.name)} is {text}")

    def index(self, connection: duckdb.DuckDBPyConnection, table: PublishedTable) -> None:
        """A lake has no indexes."""

    def hand_over(self, connection: duckdb.DuckDBPyConnection, table: PublishedTable) -> Incoming:
        return Incoming(CHANGES, lambda: None)

    def told(self, error: duckdb.Error) -> str:
        """What went wrong; what stands in quotes may be the catalogue's address."""
        return _QUOTED.sub('"…"', first_line(error))
