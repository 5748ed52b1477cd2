"""What the point of entry knows of contacts: a snapshot of its own, replaced whole or not at all.

Here: writing `known/` after a run, and finding the newest. Not here: what is read from it
(`sql/entry/`), and what people read (`publish.py`). The working file is open to one process at a
time; this one is open to any number, and each table lies in the order in which it is searched.
"""

import os
from datetime import datetime
from pathlib import Path
from uuid import uuid4

import duckdb

from enrichment_pipeline.disk import flush
from enrichment_pipeline.warehouse.raw_answers import last_revision
from enrichment_pipeline.warehouse.statements import execute, literal

KNOWN_TABLES: dict[str, str] = {
    "staging.accounts": "account_id",
    "staging.contacts": "contact_id",
    "staging.contact_parts": "contact_id",
    "staging.contact_persons": "person_key",
    "staging.entered_contacts": "contact_id",
    "staging.person_aliases": "alias",
    "raw.review_decisions": "contact_id",
    "raw.undone_runs": "run_id",
    "enrichment.company_facts": "company_domain",
    "staging.checked_addresses": "email",
}
"""What is copied, and in which order of rows."""
_SCHEMAS = ("staging", "raw", "enrichment")
KEPT_SNAPSHOTS = 2
"""The newest, and the one that a process may just be opening."""


def write_known(connection: duckdb.DuckDBPyConnection, folder: Path, *, made_at: datetime) -> None:
    """Write a snapshot of the contacts and of who is who; the newest from then on."""
    folder.mkdir(parents=True, exist_ok=True)
    for draft in folder.glob(".draft-*"):  # of a run that was killed: there is one writer at a time
        draft.unlink()
    name = f"{made_at:%Y%m%dT%H%M%S%fZ}-{uuid4().hex[:8]}.duckdb"
    draft = folder / f".draft-{name}"
    execute(connection, "create_identities")
    connection.execute(f"attach {literal(str(draft))} as known_draft")
    try:
        for schema in _SCHEMAS:
            connection.execute(f"create schema known_draft.{schema}")
        for table, order in KNOWN_TABLES.items():
            rows = f"select * from {table} order by {order}"
            connection.execute(f"create table known_draft.{table} as {rows}")
        execute(connection, "copy_identities", revision=last_revision(connection))
        execute(connection, "copy_stopped_verifications")
        execute(connection, "copy_erased_judgements")
        connection.execute("checkpoint known_draft")  # all of it is in the one file then
    finally:
        connection.execute("detach known_draft")
    flush(draft)
    draft.rename(folder / name)
    flush(folder)
    for old in _snapshots(folder)[:-KEPT_SNAPSHOTS]:
        old.unlink()


def newest_known(folder: Path) -> Path | None:
    """The newest snapshot; None before the first."""
    return next(reversed(_snapshots(folder)), None)


def _snapshots(folder: Path) -> list[Path]:
    """The oldest first."""
    return sorted(folder.glob("[!.]*.duckdb"), key=os.path.getmtime)


def attach_known(connection: duckdb.DuckDBPyConnection, path: Path | None) -> int:
    """Have a snapshot at hand as `known`, or an empty one; the ledger's revision that it is of.

    `connection` has the warehouse's tables.
    """
    connection.execute("detach database if exists known")
    if path is not None:
        connection.execute(f"attach {literal(str(path))} as known (read_only)")
        [(revision,)] = connection.execute("select revision from known.staging.as_of").fetchall()
        return revision
    connection.execute("attach ':memory:' as known")
    for schema in _SCHEMAS:
        connection.execute(f"create schema known.{schema}")
    for table in KNOWN_TABLES:
        connection.execute(f"create table known.{table} as select * from {table} limit 0")
    connection.execute("create table known.staging.identities (alias varchar, contact_id varchar)")
    connection.execute("create table known.raw.verifications as from raw.verifications limit 0")
    connection.execute("create table known.staging.judgements as from staging.judgements limit 0")
    return 0


def knows_checks(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether the attached snapshot knows of addresses that were checked."""
    if not _has_table(connection, "checked_addresses"):
        return False
    return execute(connection, "find_known_checks").fetchall() == [(True,)]


def knows_erased_answers(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether the attached snapshot knows what is left of answers that were erased."""
    if not _has_table(connection, "judgements"):
        return False
    return bool(connection.execute("select 1 from known.staging.judgements limit 1").fetchall())


def _has_table(connection: duckdb.DuckDBPyConnection, name: str) -> bool:
    """One of an older version may have none."""
    query = "select 1 from duckdb_tables() where database_name = 'known' and table_name = ?"
    return bool(connection.execute(query, [name]).fetchall())
