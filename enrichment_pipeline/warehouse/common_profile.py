"""The common profile: what providers' raw answers read into, and all that is read further on.

Each provider says how in SQL files of its own folder: `cut_answers.sql` cuts a raw reply into the
answers of its look-ups; `read_profiles.sql` reads an answer, or a profile that a search gave, into
a row of `staging.profiles`; `cut_pages.sql`, where it searches, cuts a page of raw answers into
profiles. Here: which files there are, and running them over what has not been read. Not here: what
an answer means (`judging.py`). Call it in a transaction.
"""

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

import duckdb
import pyarrow as pa

from enrichment_pipeline.warehouse.statements import execute, execute_text, registered

_VERSION = re.compile(r"^-- version: (\d+)\b", re.MULTILINE)
_VERIFIED = re.compile(r"^-- verified: (.+)$", re.MULTILINE)
_FAILED_BY_ITEM = re.compile(r"^-- failed by item: (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Reading:
    """How one provider's answers are read: its SQL, and what this says at its head.

    `version`: the number of it. `verified`: the ratings, as given, that are proof of it; none
    where the provider verifies nothing. `failed_by_item`: the reasons of released look-ups that
    are about the item itself, and not about the request, the account or the provider.
    """

    provider: str
    version: int
    verified: tuple[str, ...]
    answers: str
    profiles: str
    pages: str | None
    failed_by_item: tuple[str, ...] = ()


@cache
def readings() -> tuple[Reading, ...]:
    """Every provider's."""
    folders = sorted(files("enrichment_pipeline.providers").iterdir(), key=lambda each: each.name)
    return tuple(
        reading_in(folder) for folder in folders if folder.joinpath("read_profiles.sql").is_file()
    )


def reading_in(folder: Traversable) -> Reading:
    """The provider's whose folder this is."""
    profiles = folder.joinpath("read_profiles.sql").read_text(encoding="utf-8")
    answers = folder.joinpath("cut_answers.sql").read_text(encoding="utf-8")
    pages = folder.joinpath("cut_pages.sql")
    return Reading(
        folder.name,
        version_of(profiles),
        _listed(_VERIFIED, profiles),
        answers,
        profiles,
        pages.read_text(encoding="utf-8") if pages.is_file() else None,
        failures_by_item(profiles),
    )


def insert_cut_answers(
    connection: duckdb.DuckDBPyConnection, reading: Reading, replies: pa.Table
) -> int:
    """Cut a provider's raw replies (reply_id, body) into one response per look-up; how many."""
    with registered(connection, "uncut_replies", replies):
        execute_text(connection, reading.answers)
        return execute(connection, "insert_provider_responses").fetchall()[0][0]


def read_answers(connection: duckdb.DuckDBPyConnection) -> None:
    """Bring `staging.profiles` to the raw answers that there are, and to how they are read now."""
    for reading in readings():
        told = {"provider": reading.provider, "reading": reading.version}
        execute(connection, "find_unread_answers", **told)
        if connection.execute("select 1 from unread_calls limit 1").fetchall():
            execute_text(connection, reading.profiles)
            execute(connection, "insert_profiles", **told)


def insert_found_profiles(connection: duckdb.DuckDBPyConnection, pages: pa.Table) -> None:
    """Cut raw answers to searches (search_id, page, body) into profiles, and read these."""
    with registered(connection, "body_page", pages):
        for reading in readings():
            if reading.pages is not None:
                execute(connection, "select_uncut_pages", provider=reading.provider)
                execute_text(connection, reading.pages)
                execute(connection, "insert_search_profiles")
    read_answers(connection)


def version_of(text: str) -> int:
    """The number that a provider's SQL bears at its head."""
    found = _VERSION.search(text)
    if found is None:
        raise ValueError("a provider's SQL that reads says `-- version: N` at its head")
    return int(found[1])


def failures_by_item(text: str) -> tuple[str, ...]:
    """The reasons of released calls that a provider's SQL says, at its head, are about the item."""
    return _listed(_FAILED_BY_ITEM, text)


def _listed(line: re.Pattern[str], text: str) -> tuple[str, ...]:
    found = line.search(text)
    return tuple(word.strip() for word in found[1].split(",")) if found else ()
