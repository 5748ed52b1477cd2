"""Taking over what the ledger knows: look-ups and raw replies, and marking what is in.

Here: pages of ledger rows on their way into `raw`. Not here: the ledger itself
(pages are handed in), and what an answer means (`judging.py`).
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import duckdb
import pyarrow as pa

from enrichment_pipeline.warehouse import common_profile
from enrichment_pipeline.warehouse.connection import transaction
from enrichment_pipeline.warehouse.statements import execute, registered

REPLIES_PER_PAGE = 50
ROWS_PER_PAGE = 1_000

_ESCAPE = re.compile(r"\\u[dD][89abAB]..\\u[dD][c-fC-F]..|(\\u[dD][89a-fA-F]..)|\\.")
"""An escape in JSON: a pair of surrogates, half a pair (the group), or another one."""

ReadBodies = Callable[[Sequence[str]], Iterable[tuple[str, bytes]]]
"""Gives the raw bodies of the replies with these ids, each with its id."""
FIELDS_OF_EVERY_CALL = [
    ("provider", pa.string()),
    ("supersedes", pa.string()),
    ("contact_id", pa.string()),
    ("freshness", pa.string()),
    ("priority", pa.string()),
    ("run_id", pa.string()),
    ("state", pa.string()),
    ("outcome", pa.string()),
    ("reason", pa.string()),
    ("requested_at", pa.timestamp("us", tz="UTC")),
    ("answered_at", pa.timestamp("us", tz="UTC")),
    ("revision", pa.int64()),
]
"""What a page of the ledger's calls has, of whichever kind they are."""
_LOOKUP_SCHEMA = pa.schema(
    [
        ("lookup_id", pa.string()),
        ("person_key", pa.string()),
        ("item", pa.string()),
        ("item_kind", pa.string()),
        ("reply_id", pa.string()),
        ("answer_index", pa.int32()),
        ("credits_charged", pa.int32()),
        *FIELDS_OF_EVERY_CALL,
    ]
)


def last_revision(connection: duckdb.DuckDBPyConnection) -> int:
    """The newest ledger revision of which the warehouse has a row; 0 for none."""
    row = connection.execute("select coalesce(max(revision), 0) from raw.lookups").fetchall()[0]
    return int(row[0])


def newest_lookups(connection: duckdb.DuckDBPyConnection, count: int | None) -> dict[str, int]:
    """The ledger's revision of the look-ups whose rows are the newest, or (None) of all."""
    return dict(execute(connection, "find_newest_lookups", count=count).fetchall())


def known_lookups(
    connection: duckdb.DuckDBPyConnection, lookup_ids: Iterable[str]
) -> Iterator[dict[str, Any]]:
    """Look-ups as they are known here, with their answers, sorted by reply and run."""
    wanted = pa.table({"lookup_id": pa.array(list(lookup_ids), pa.string())})
    with registered(connection, "wanted_lookups", wanted):
        yield from rows_of(execute(connection, "read_known_lookups"))


def rows_of(found: duckdb.DuckDBPyConnection) -> Iterator[dict[str, Any]]:
    """The rows of a result by the names of its columns, some read at a time."""
    names = [column[0] for column in found.description]
    while rows := found.fetchmany(ROWS_PER_PAGE):
        for row in rows:
            yield dict(zip(names, row, strict=True))


def merge_lookups(connection: duckdb.DuckDBPyConnection, pages: Iterable[Sequence[Any]]) -> int:
    """Merge pages of look-ups, each in a transaction; how many rows were new or had changed.

    Pages come in the order of their revisions, so a kill in between leaves a
    copy that is old, but not one with holes. What the look-ups come down to for
    each person is brought up to date at the end.
    """
    changed = 0
    for page in tables_of(pages, _LOOKUP_SCHEMA):
        with registered(connection, "ledger_page", page), transaction(connection):
            changed += execute(connection, "merge_lookups").fetchall()[0][0]
    with transaction(connection):
        execute(connection, "refresh_person_lookups")
    return changed


def insert_responses(
    connection: duckdb.DuckDBPyConnection,
    bodies: ReadBodies,
) -> int:
    """Cut the raw replies that are still missing into one response per look-up; how many.

    At the end they are read into the common profile; where that was cut short, the next
    derivation does it.
    """
    inserted = 0
    for reading in common_profile.readings():
        found = execute(connection, "find_missing_replies", provider=reading.provider)
        missing = [reply_id for (reply_id,) in found.fetchall()]
        for page in reply_pages(missing, bodies):
            with transaction(connection):
                inserted += common_profile.insert_cut_answers(connection, reading, page)
    if inserted:
        with transaction(connection):
            common_profile.read_answers(connection)
    return inserted


def tables_of(pages: Iterable[Sequence[Any]], schema: pa.Schema) -> Iterator[pa.Table]:
    """Pages of the ledger's rows, each as a table."""
    for rows in pages:
        yield pa.Table.from_pylist([dict(row._mapping) for row in rows], schema=schema)


def reply_pages(reply_ids: Sequence[str], bodies: ReadBodies) -> Iterator[pa.Table]:
    """The raw replies (reply_id, body) with these ids, some at a time: a body may be big."""
    for start in range(0, len(reply_ids), REPLIES_PER_PAGE):
        rows = list(bodies(reply_ids[start : start + REPLIES_PER_PAGE]))
        yield pa.table(
            {
                "reply_id": pa.array([reply_id for reply_id, _ in rows], pa.string()),
                "body": pa.array([as_json_text(body) for _, body in rows], pa.string()),
            }
        )


def as_json_text(body: bytes) -> str:
    """A reply as DuckDB's JSON reader takes it, wherever Python's took it.

    That one knows other encodings and byte order marks, and lets half of a
    surrogate pair pass: one in a single profile would cost all answers of its reply.
    """
    text = body.decode(json.detect_encoding(body), "replace")
    return _ESCAPE.sub(lambda escape: r"\ufffd" if escape[1] else escape[0], text)
