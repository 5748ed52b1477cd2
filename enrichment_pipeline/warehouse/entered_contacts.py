"""What applications entered, in the warehouse: loaded among the source's contacts.

Here: how entries join the source's contacts, whose person each is, which retire in favour of the
source's contact of the same person, and what has become of each. Not here: the entries themselves,
which are handed in (the ledger keeps them), the order of a load (`load.py`), and the rules, which
are the files in `sql/entry/`.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import duckdb
import pyarrow as pa

from enrichment_pipeline.warehouse.derived import move_persons
from enrichment_pipeline.warehouse.statements import execute, registered

ANSWERS_PER_PAGE = 500
_SCHEMA = pa.schema(
    [
        ("contact_id", pa.string()),
        ("version", pa.int32()),
        ("person_key", pa.string()),
        ("contact", pa.string()),
    ]
)


class Entered(Protocol):
    """An entry as it is handed in; `content` is all but its id, as JSON."""

    @property
    def contact_id(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def person_key(self) -> str | None: ...
    @property
    def content(self) -> str: ...


@dataclass(frozen=True)
class EntryAnswer:
    """What an entry of a version has come to; `status` and `reason` as in contact_status.

    `is_to_be_searched`: a search comes next, and a look-up only after it. `fields` are the values
    that are shown, as a JSON object by name, with status, provider and observed_at each.
    """

    contact_id: str
    version: int
    status: str
    reason: str | None
    needs_manual_enrichment: bool
    fields: str
    next_lookup_at: datetime | None
    priority: str
    is_to_be_searched: bool


def read_entry_answers(
    connection: duckdb.DuckDBPyConnection, relation: str
) -> Iterator[list[EntryAnswer]]:
    """What the entries among this table's contacts have come to, in pages by id."""
    found = execute(connection, "read_entry_answers", relation=relation)
    while rows := found.fetchmany(ANSWERS_PER_PAGE):
        yield [EntryAnswer(*row) for row in rows]


def entered_table(pages: Iterable[Sequence[Entered]]) -> pa.Table:
    """Entries as `load_contacts` takes them."""
    batches = [
        pa.RecordBatch.from_pydict(
            {
                "contact_id": [entry.contact_id for entry in page],
                "version": [entry.version for entry in page],
                "person_key": [entry.person_key for entry in page],
                "contact": [entry.content for entry in page],
            },
            schema=_SCHEMA,
        )
        for page in pages
    ]
    return pa.Table.from_batches(batches, schema=_SCHEMA)


def are_any(connection: duckdb.DuckDBPyConnection, entered: pa.Table | None = None) -> bool:
    """Whether contacts were entered, now or as of the last load."""
    if entered is not None and entered.num_rows:
        return True
    return bool(connection.execute("select 1 from staging.entered_contacts limit 1").fetchall())


def add_entries(connection: duckdb.DuckDBPyConnection, entered: pa.Table | None) -> str:
    """Have entries loaded with the source's contacts; the relation that holds all of them."""
    page = _SCHEMA.empty_table() if entered is None else entered
    with registered(connection, "entry_page", page):
        execute(connection, "read_entered_contacts")
    execute(connection, "add_entered_contacts")
    return "contacts_to_load"


def replace_entries(connection: duckdb.DuckDBPyConnection) -> None:
    """Take over which contacts were entered, once they were loaded."""
    execute(connection, "replace_entered_contacts")


def place_entries(connection: duckdb.DuckDBPyConnection, loaded_at: datetime) -> None:
    """Make entries the persons that the point of entry took them for, before labels are given.

    What was bought for them is kept under these keys.
    """
    execute(connection, "find_entry_persons")
    if connection.execute("select 1 from entry_persons limit 1").fetchall():
        move_persons(connection, "persons_joined_by_entries")
        execute(connection, "assign_entry_persons", loaded_at=loaded_at)


def unnoted_persons(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, int, str]]:
    """Entry, version and person where a load took an entry for a person, as none did before."""
    return execute(connection, "find_unnoted_persons").fetchall()


def retire_entries(connection: duckdb.DuckDBPyConnection, loaded_at: datetime) -> int:
    """Retire entries in favour of the source's contacts, or let them come back; how many."""
    return execute(connection, "retire_entries", loaded_at=loaded_at).fetchall()[0][0]


def count_entries(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """How many contacts were entered, and how many of them retired."""
    [(entered, retired)] = execute(connection, "count_entries").fetchall()
    return {"entered": entered, "retired": retired}


def given_rows(connection: duckdb.DuckDBPyConnection) -> pa.Table:
    """What was entered and the source does not have, in the columns of a source's contacts."""
    return execute(connection, "read_given_entries").to_arrow_table()
