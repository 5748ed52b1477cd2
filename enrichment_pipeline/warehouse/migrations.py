"""Bringing a warehouse of an older version to this one's tables, step by numbered step.

Here: the steps, and making the tables that are declared in `sql/schema/`. Not here: opening the
file (`connection.py`), and the ledger's migrations, which are its own.

A change of a declaration comes with a further step in `MIGRATIONS`, which fills in what the rows
that are there lack; one that does nothing where the declaration is all (`create table if not
exists`, `add column if not exists`, a comment). A test notices where it was forgotten.
"""

from collections.abc import Callable

import duckdb

from enrichment_pipeline.warehouse.common_profile import read_answers
from enrichment_pipeline.warehouse.derived import derive_anew, refresh_contacts
from enrichment_pipeline.warehouse.statements import execute

DECLARATIONS = (
    *("create_tables", "create_checked_judgements", "create_person_facts", "create_told_changes"),
    *("expose_sources", "create_views"),
)
"""The SQL files that make up the schema, in order."""
VERSION_KEY = "tables"
"""In `staging.stamp`: the number of the last step that was made. Before steps had numbers it was a
digest of the declarations, of all versions the same to us."""


def migrate(connection: duckdb.DuckDBPyConnection) -> None:
    """Create what is missing, and make the steps that were not made yet. Call it in a transaction.

    A warehouse that is new has nothing that a step could find lacking.
    """
    version = _made_up_to(connection)
    if version is not None:
        _make_room(connection)
    for name in DECLARATIONS:
        execute(connection, name)
    if version is not None:
        for step in MIGRATIONS[version:]:
            step(connection)
    connection.execute("delete from staging.stamp where key = ?", [VERSION_KEY])
    connection.execute(
        "insert into staging.stamp (key, value) values (?, ?)", [VERSION_KEY, len(MIGRATIONS)]
    )


def is_up_to_date(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether every step was made, or more than this version knows of."""
    version = _made_up_to(connection)
    return version is not None and version >= len(MIGRATIONS)


def _made_up_to(connection: duckdb.DuckDBPyConnection) -> int | None:
    """The number of the last step that was made; None for a file without our tables."""
    try:
        found = connection.execute(
            "select try_cast(value as integer) from staging.stamp where key = ?", [VERSION_KEY]
        ).fetchone()
    except duckdb.CatalogException:  # quicker than to ask first, at each opening
        return None
    return 0 if found is None else found[0] or 0


def _make_room(connection: duckdb.DuckDBPyConnection) -> None:
    """Put aside the table of facts of an earlier version, in whose place there is a view now."""
    if _is_table(connection, "enrichment", "person_facts"):
        connection.execute("alter table enrichment.person_facts rename to stored_facts")


def derive_what_follows(connection: duckdb.DuckDBPyConnection) -> None:
    """Derive, for the rows that are there, what newer versions derive when something comes in."""
    if _is_table(connection, "enrichment", "stored_facts"):
        execute(connection, "judge_from_stored_facts")
    read_answers(connection)
    derive_anew(connection)
    execute(connection, "leave_everybody_dirty")


def rename_restated_contacts(connection: duckdb.DuckDBPyConnection) -> None:
    """What is in `staging.contacts_left_dirty` was in `staging.restated_contacts` before."""
    if _is_table(connection, "staging", "restated_contacts"):
        execute(connection, "take_over_restated_contacts")


def take_entries(_connection: duckdb.DuckDBPyConnection) -> None:
    """The tables of entries are made; the next load fills them."""


def record_changes(_connection: duckdb.DuckDBPyConnection) -> None:
    """The tables of changes are made; the next publication begins with all that it shows."""


def name_providers_of_uids(connection: duckdb.DuckDBPyConnection) -> None:
    """Identifiers that are a profile's id say whose; before, there was one provider."""
    execute(connection, "name_providers_of_uids")
    execute(connection, "create_identities")
    refresh_contacts(connection, "staging.contacts")


def verify_addresses(_connection: duckdb.DuckDBPyConnection) -> None:
    """The tables of verifications and of feedback are made; there is none yet."""


def list_providers(_connection: duckdb.DuckDBPyConnection) -> None:
    """The table of providers and their prices is made; the next run fills it."""


def ask_about_changes(_connection: duckdb.DuckDBPyConnection) -> None:
    """The table of what providers have told of changes is made; nothing has been asked yet."""


def judge_answers_to_names(connection: duckdb.DuckDBPyConnection) -> None:
    """Answers to a question by a name are judged anew: they may be a namesake's.

    The views of bounces, and of what verifications cost, are declared.
    """
    by_name = "select lookup_id from raw.lookups where item_kind = 'name'"
    connection.execute(f"update staging.judgements set basis = '' where lookup_id in ({by_name})")


def keep_watermarks(_connection: duckdb.DuckDBPyConnection) -> None:
    """The table of how far a source was read is made; without a row all of it is read."""


def mark_erased_answers(_connection: duckdb.DuckDBPyConnection) -> None:
    """Answers say whether they were erased; none was yet."""


MIGRATIONS: tuple[Callable[[duckdb.DuckDBPyConnection], None], ...] = (
    derive_what_follows,
    rename_restated_contacts,
    take_entries,
    record_changes,
    name_providers_of_uids,
    verify_addresses,
    list_providers,
    ask_about_changes,
    judge_answers_to_names,
    keep_watermarks,
    mark_erased_answers,
)


def _is_table(connection: duckdb.DuckDBPyConnection, schema: str, name: str) -> bool:
    query = "select 1 from duckdb_tables() where schema_name = ? and table_name = ?"
    return bool(connection.execute(query, [schema, name]).fetchall())
