"""Bringing a sink's tables to what is published, in one transaction with the sink's own state.

Here: what a sink has, by its own word; refusing a target that is not ours; making and widening its
tables; merging what has changed. Not here: what differs between kinds of databases
(`postgres_target.py`), and when a sink is filled (`filling.py`).

The state names the publication that the sink has. Its file is still here as a rule: publications
are never written to, and those that sinks have are kept. Then the changes are the difference of two
local files, and only they cross the wire. Where it is gone (the state folder was restored, or is
a copy), what the sink has is read from the sink. Afterwards the rows are counted there: where
somebody else has deleted or doubled some, the table is compared whole as well.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import duckdb

from enrichment_pipeline.errors import ConfigurationError
from enrichment_pipeline.warehouse.connection import transaction
from enrichment_pipeline.warehouse.sinks.publications import (
    PUBLISHED,
    Publication,
    attach_publications,
)
from enrichment_pipeline.warehouse.sinks.row_changes import (
    Changes,
    PublishedTable,
    find_changes,
    is_alike,
    listed,
    read_tables,
    rows_of,
)
from enrichment_pipeline.warehouse.statements import execute, quoted

SINK = "sink"
"""The catalogue that the sink is attached as."""
STATES = "sink_states"


@dataclass(frozen=True)
class Incoming:
    """Changed rows where the target's own SQL reads them, and how they are put away."""

    name: str
    drop: Callable[[], object]


class Target(Protocol):
    """A schema in a database of some kind, attached as `SINK`."""

    schema: str

    def attach(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Raises duckdb.Error where it cannot be reached."""
        ...

    def begin(self, connection: duckdb.DuckDBPyConnection) -> None:
        """At the beginning of the transaction."""
        ...

    def execute(self, connection: duckdb.DuckDBPyConnection, statement: str) -> None:
        """Run a statement of the target's own SQL."""
        ...

    def name_of(self, table: str) -> str:
        """A table, as the target's own SQL names it."""
        ...

    def count(self, connection: duckdb.DuckDBPyConnection, table: str) -> int:
        """Its rows, counted there."""
        ...

    def describe(self, connection: duckdb.DuckDBPyConnection, table: PublishedTable) -> None:
        """Comment the table and its columns."""
        ...

    def index(self, connection: duckdb.DuckDBPyConnection, table: PublishedTable) -> None:
        """Have rows found by their key, where the target has indexes."""
        ...

    def hand_over(self, connection: duckdb.DuckDBPyConnection, table: PublishedTable) -> Incoming:
        """Give the target the changed rows."""
        ...

    def told(self, error: duckdb.Error) -> str:
        """What went wrong, without an address and without a value."""
        ...


@dataclass(frozen=True)
class Kept:
    """What the sink's own state says of a table."""

    ledger: str
    publication: str
    description: str


@dataclass
class Filled:
    """What went to a sink, by table; tables in which nothing had changed are left out."""

    tables: dict[str, Changes] = field(default_factory=dict)


def fill_tables(
    connection: duckdb.DuckDBPyConnection,
    target: Target,
    tables: Mapping[str, tuple[str, ...]],
    publication: Publication,
) -> Filled:
    """Make these tables of the target what is published; all of them, or none.

    `tables` are names with their keys. Raises ConfigurationError for a target that is not ours or
    not as we left it, and duckdb.Error where the target or the way to it fails.
    """
    attach_publications(connection, publication, ())
    published = read_tables(connection, PUBLISHED, tables)
    with transaction(connection):
        target.begin(connection)
        kept = _open_schema(connection, target)
        for name in published:
            _refuse_strange(connection, target, published[name], kept.get(name), publication)
        had = {state.publication for state in kept.values()}
        here = attach_publications(connection, publication, had)
        filled = Filled()
        for table in published.values():
            state = kept.get(table.name)
            changes = _fill(connection, target, table, state, here)
            if changes.differs:
                filled.tables[table.name] = changes
            execute(
                connection,
                "replace_sink_state",
                table_name=table.name,
                ledger=publication.ledger,
                publication=publication.name,
                run_id=publication.run_id,
                published_at=publication.published_at,
                description=_description(table),
            )
    return filled


def _open_schema(connection: duckdb.DuckDBPyConnection, target: Target) -> dict[str, Kept]:
    """Make the schema and the table of states where they are missing; what the sink has."""
    schema = quoted(target.schema)
    query = "select 1 from duckdb_schemas() where database_name = ? and schema_name = ?"
    if not connection.execute(query, [SINK, target.schema]).fetchall():
        connection.execute(f"create schema {SINK}.{schema}")
    connection.execute(f"use {SINK}.{schema}")
    if not _columns(connection, target, STATES):
        execute(connection, "create_sink_states")
    rows = execute(connection, "read_sink_states").fetchall()
    return {name: Kept(*state) for name, *state in rows}


def _columns(connection: duckdb.DuckDBPyConnection, target: Target, table: str) -> dict[str, str]:
    """The columns of what has this name in the sink, with their types; empty where nothing has."""
    found = execute(
        connection, "describe_sink_table", database=SINK, schema=target.schema, name=table
    )
    return dict(found.fetchall())


def _refuse_strange(
    connection: duckdb.DuckDBPyConnection,
    target: Target,
    table: PublishedTable,
    kept: Kept | None,
    publication: Publication,
) -> None:
    """Raise ConfigurationError for a table that we did not make, or that was changed since."""
    name = f"{target.schema}.{table.name}"
    if kept is not None and kept.ledger != publication.ledger:
        raise ConfigurationError(
            f"schema {target.schema} is filled from another state folder; name another schema for "
            f"this one, or, where that one is given up, drop its tables, {STATES} with them"
        )
    there = _columns(connection, target, table.name)
    if there and kept is None:
        raise ConfigurationError(
            f"{name} is there already, and was not made by this pipeline; rename it, or name "
            "another schema for this sink"
        )
    ours = {column.name: column.type for column in table.columns}
    for column, kind in there.items():
        if column not in ours:
            raise ConfigurationError(
                f"{name} has a column {column} that is not ours; drop the column, or the table: "
                "the next run makes it anew"
            )
        if not is_alike(kind, ours[column]):
            raise ConfigurationError(
                f"{name}: its column {column} is of the type {kind}, not {ours[column]}; drop the "
                "table, and the next run makes it anew"
            )


def _fill(
    connection: duckdb.DuckDBPyConnection,
    target: Target,
    table: PublishedTable,
    kept: Kept | None,
    publications: Mapping[str, str],
) -> Changes:
    """Bring one table up to date; `publications` are the catalogues of those that are here."""
    there = _in_sink(target, table)
    published = rows_of(connection, _in(PUBLISHED, table), table.columns)
    rows = connection.execute(f"select count(*) from ({published})").fetchall()[0][0]
    columns = _columns(connection, target, table.name)
    if not columns or kept is None:
        _make(connection, target, table)
        connection.execute(f"insert into {there} by name {published}")
        return Changes(rows, 0, differs=rows > 0)
    _widen(connection, target, table, columns, kept)
    changes = Changes(0, 0, differs=False)
    base = publications.get(kept.publication)
    if base is not None:
        before = rows_of(connection, _in(base, table), table.columns)
        changes = find_changes(connection, table, published, before)
        _apply(connection, target, table, changes, trusts_keys=True)
        if target.count(connection, table.name) == rows:
            return changes
    has = rows_of(connection, there, table.columns)
    further = find_changes(connection, table, published, has)
    _apply(connection, target, table, further, trusts_keys=False)
    return changes.plus(further)


def _in(publication: str, table: PublishedTable) -> str:
    return f"{publication}.enrichment.{quoted(table.name)}"


def _in_sink(target: Target, table: PublishedTable) -> str:
    return f"{SINK}.{quoted(target.schema)}.{quoted(table.name)}"


def _make(connection: duckdb.DuckDBPyConnection, target: Target, table: PublishedTable) -> None:
    columns = ", ".join(f"{quoted(column.name)} {column.type}" for column in table.columns)
    connection.execute(f"create table {_in_sink(target, table)} ({columns})")
    target.index(connection, table)
    target.describe(connection, table)


def _widen(
    connection: duckdb.DuckDBPyConnection,
    target: Target,
    table: PublishedTable,
    there: Mapping[str, str],
    kept: Kept,
) -> None:
    """Add the columns that a newer version of ours has, and say anew what each means."""
    for column in table.columns:
        if column.name not in there:
            connection.execute(
                f"alter table {_in_sink(target, table)} "
                f"add column {quoted(column.name)} {column.type}"
            )
    if kept.description != _description(table):
        target.describe(connection, table)


def _description(table: PublishedTable) -> str:
    """A digest of columns, types and comments: another one, and the sink's are told anew."""
    return hashlib.sha256(repr(table).encode()).hexdigest()


def _apply(
    connection: duckdb.DuckDBPyConnection,
    target: Target,
    table: PublishedTable,
    changes: Changes,
    *,
    trusts_keys: bool,
) -> None:
    """Write what was found to differ into the sink.

    Unless `trusts_keys`, a key may stand there twice: then what is there under it goes first.
    """
    if not changes.differs:
        return
    name, incoming = target.name_of(table.name), target.hand_over(connection, table)
    if not table.key:
        target.execute(connection, f"delete from {name}")
    elif changes.deleted or not trusts_keys:
        which = "where is_gone" if trusts_keys else ""
        gone = f"(select {listed(table.key)} from {incoming.name} {which}) as gone"
        same = _equal("target", "gone", table.key)
        target.execute(connection, f"delete from {name} as target using {gone} where {same}")
    if changes.merged:
        target.execute(connection, _merge(table, name, incoming.name))
    incoming.drop()


def _merge(table: PublishedTable, name: str, incoming: str) -> str:
    """One text for Postgres and for DuckDB."""
    names = listed(table.names)
    rows = f"select {names} from {incoming} where not is_gone"
    if not table.key:
        return f"insert into {name} ({names}) {rows}"
    same = _equal("target", "incoming", table.key)
    others = [quoted(each) for each in table.names if each not in table.key]
    updates = ", ".join(f"{each} = incoming.{each}" for each in others)
    values = ", ".join(f"incoming.{quoted(each)}" for each in table.names)
    parts = [f"merge into {name} as target using ({rows}) as incoming on {same}"]
    if updates:
        parts.append(f"when matched then update set {updates}")
    parts.append(f"when not matched then insert ({names}) values ({values})")
    return " ".join(parts)


def _equal(one: str, other: str, key: Sequence[str]) -> str:
    return " and ".join(f"{one}.{quoted(each)} = {other}.{quoted(each)}" for each in key)
