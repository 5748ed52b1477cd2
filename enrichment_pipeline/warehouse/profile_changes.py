"""What providers tell of profiles that have changed, in the warehouse.

Each provider that tells says in an SQL file of its folder, `read_changes.sql`, which profiles have
become others. Here: taking over the ledger's questions, and which are due. Not here: asking
(`dispatch/`), and what follows for an answer's age and for who is due
(`sql/schema/create_told_changes.sql`, `sql/planning/derive_contact_states.sql`). Pages bring a
transaction of their own.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any

import duckdb
import pyarrow as pa

from enrichment_pipeline.warehouse.common_profile import version_of
from enrichment_pipeline.warehouse.connection import transaction
from enrichment_pipeline.warehouse.raw_answers import (
    FIELDS_OF_EVERY_CALL,
    ReadBodies,
    reply_pages,
    tables_of,
)
from enrichment_pipeline.warehouse.statements import execute, execute_text, registered

_CHANGES_SCHEMA = pa.schema(
    [
        ("change_id", pa.string()),
        ("release", pa.string()),
        ("person_key", pa.string()),
        ("uid", pa.string()),
        ("reply_id", pa.string()),
        *FIELDS_OF_EVERY_CALL,
    ]
)


@dataclass(frozen=True)
class DueChange:
    """A profile that a release after `known_release` may have changed; `is_entered` as in WorkItem.

    `identifiers` are all that its person is known by, hashed.
    """

    contact_id: str
    person_key: str
    uid: str
    known_release: str
    last_change_id: str
    identifiers: frozenset[str]
    is_entered: bool


@cache
def change_readers() -> dict[str, str]:
    """By provider, the SQL that reads which profiles have become others."""
    folders = files("enrichment_pipeline.providers").iterdir()
    found = {folder.name: folder.joinpath("read_changes.sql") for folder in folders}
    return {
        name: file.read_text(encoding="utf-8")
        for name, file in sorted(found.items())
        if file.is_file()
    }


def last_change_revision(connection: duckdb.DuckDBPyConnection) -> int:
    """The newest ledger revision of which the warehouse has such a question; 0 for none."""
    query = "select coalesce(max(revision), 0) from raw.profile_changes"
    return int(connection.execute(query).fetchall()[0][0])


def merge_profile_changes(
    connection: duckdb.DuckDBPyConnection, pages: Iterable[Sequence[Any]]
) -> None:
    """Merge pages of the ledger's questions, each in a transaction, in order of revision."""
    for page in tables_of(pages, _CHANGES_SCHEMA):
        with registered(connection, "changes_page", page), transaction(connection):
            execute(connection, "merge_profile_changes")


def read_moved_profiles(connection: duckdb.DuckDBPyConnection, bodies: ReadBodies) -> None:
    """Read off the raw replies that are still unread which profiles have become others."""
    for provider, sql in change_readers().items():
        reading = version_of(sql)
        found = execute(connection, "find_unread_changes", provider=provider, reading=reading)
        unread = [reply_id for (reply_id,) in found.fetchall()]
        for page in reply_pages(unread, bodies):
            with registered(connection, "unread_changes", page), transaction(connection):
                execute_text(connection, sql)
                execute(connection, "keep_moved_profiles", reading=reading)


def due_changes(connection: duckdb.DuckDBPyConnection, provider: str) -> list[DueChange]:
    """The profiles that may have changed there, those of the oldest release first."""
    execute(connection, "create_hashed_identifiers")
    rows = execute(connection, "find_due_changes", provider=provider).fetchall()
    return [DueChange(*row[:5], frozenset(row[5] or ()), row[6]) for row in rows]


def missing_releases(
    connection: duckdb.DuckDBPyConnection, provider: str, reason: str, as_of: datetime
) -> frozenset[str]:
    """The releases that it had nothing to tell of within the last day, for this reason."""
    found = execute(
        connection, "find_missing_releases", provider=provider, reason=reason, as_of=as_of
    )
    return frozenset(release for (release,) in found.fetchall())
