"""What differs between what is published and what a sink has, found on this side of the wire.

Here: a published table's columns as a sink keeps them, and comparing two states of it by key. Not
here: which states (`table_sink.py`), and what a sink does with what differs.

Rows are compared by a hash of 64 bits over all their columns: a changed row passes for unchanged
once in 10^19 changes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import duckdb

from enrichment_pipeline.warehouse.statements import execute, literal, quoted

CHANGES = "row_changes"
"""The temporary table of what differs. Of a row that `is_gone` only the key is told."""
_NESTED = ("STRUCT(", "MAP(", "UNION(")


@dataclass(frozen=True)
class Column:
    """A column of a published table, with its type as a sink keeps it."""

    name: str
    type: str
    comment: str


@dataclass(frozen=True)
class PublishedTable:
    """A table or view of a publication, and the columns that together occur once in it."""

    name: str
    comment: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)


@dataclass(frozen=True)
class Changes:
    """How many rows are to be written, and how many have left.

    `differs`: whether anything does, also where a table without a key has no rows any more.
    """

    merged: int
    deleted: int
    differs: bool

    def plus(self, more: "Changes") -> "Changes":
        return Changes(
            self.merged + more.merged, self.deleted + more.deleted, self.differs or more.differs
        )


def read_tables(
    connection: duckdb.DuckDBPyConnection, database: str, keys: Mapping[str, tuple[str, ...]]
) -> dict[str, PublishedTable]:
    """The tables of an attached publication, by name, those of which `keys` has the key."""
    columns: dict[str, list[Column]] = {}
    comments: dict[str, str] = {}
    for table, name, kind, comment, of_table in execute(
        connection, "describe_published", database=database
    ).fetchall():
        columns.setdefault(table, []).append(Column(name, kept_type(kind), comment))
        comments[table] = of_table
    return {
        table: PublishedTable(table, comments[table], tuple(columns[table]), key)
        for table, key in keys.items()
        if table in columns
    }


def kept_type(kind: str) -> str:
    """The type of a column in a sink: what is nested is JSON, all else stays what it is."""
    return "JSON" if kind.startswith(_NESTED) or kind.endswith("]") else kind


def listed(names: Sequence[str]) -> str:
    return ", ".join(map(quoted, names))


def rows_of(connection: duckdb.DuckDBPyConnection, relation: str, columns: Sequence[Column]) -> str:
    """A query of the relation's rows with these columns, as a sink keeps them.

    A column that it does not have, or has as something else, is null.
    """
    found = connection.sql(f"from {relation}")
    types = dict(zip(found.columns, map(str, found.types), strict=True))
    return f"select {', '.join(_as_kept(column, types) for column in columns)} from {relation}"


def find_changes(
    connection: duckdb.DuckDBPyConnection, table: PublishedTable, published: str, base: str
) -> Changes:
    """Leave in `CHANGES` what makes the rows of the query `base` those of the query `published`.

    For a table without a key that is all of its rows, where any differs, and none of them is gone.
    """
    names = listed(table.names)
    fields = [f"{literal(name)}: {quoted(name)}" for name in table.key]
    key = ", ".join(fields) or f"'row_hash': hash({names})"
    for view, query in (("published_rows", published), ("base_rows", base)):
        rows = f"select {{{key}}} as row_key, {names} from ({query})"
        connection.execute(f"create or replace temp view {view} as {rows}")
    execute(connection, "find_differing_rows")
    execute(connection, "select_row_changes", has_key=bool(table.key))
    return Changes(*execute(connection, "count_row_changes").fetchall()[0])


def is_alike(kind: str, other: str) -> bool:
    """Whether two types are one: what Postgres has as JSON, DuckDB reads as text."""
    return kind == other or {kind, other} == {"JSON", "VARCHAR"}


def _as_kept(column: Column, types: dict[str, str]) -> str:
    name = quoted(column.name)
    kind = types.get(column.name)
    if kind is None:
        return f"cast(null as {column.type}) as {name}"
    if is_alike(kind, column.type):
        return f"cast({name} as {column.type}) as {name}"
    if kept_type(kind) == column.type:
        return f"cast(to_json({name}) as json) as {name}"
    return f"cast(null as {column.type}) as {name}"
