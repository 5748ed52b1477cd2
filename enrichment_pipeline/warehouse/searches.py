"""Searches in the warehouse: which are due, what they gave, and which profile is the person.

Here: the order of the steps. Not here: asking (`dispatch/`), and the rules, which
are the files in `sql/`. Call what writes in a transaction; pages bring one of their own.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb
import pyarrow as pa

from enrichment_pipeline.lanes import PRIORITIES, Lane
from enrichment_pipeline.policy import Policy, SearchPolicy
from enrichment_pipeline.warehouse.common_profile import (
    insert_found_profiles,
    read_answers,
    readings,
)
from enrichment_pipeline.warehouse.connection import transaction
from enrichment_pipeline.warehouse.derived import move_persons
from enrichment_pipeline.warehouse.normalise import (
    learn_company_names,
    learn_hosts,
    learn_latin_names,
)
from enrichment_pipeline.warehouse.raw_answers import (
    FIELDS_OF_EVERY_CALL,
    as_json_text,
    tables_of,
)
from enrichment_pipeline.warehouse.statements import digest, execute, registered
from enrichment_pipeline.warehouse.states import derive_search_states

SEARCHES_PER_PAGE = 500
CANDIDATES_SHOWN = 10
"""Profiles that a reviewer is shown of one search, the best first."""

_RULES = ("find_unscored_searches", "score_profiles", "merge_search_results")
_SEARCH_SCHEMA = pa.schema(
    [
        ("search_id", pa.string()),
        ("query_kind", pa.string()),
        ("person_key", pa.string()),
        ("full_name", pa.string()),
        ("company", pa.string()),
        ("is_complete", pa.bool_()),
        *FIELDS_OF_EVERY_CALL,
    ]
)


@dataclass(frozen=True)
class DueSearch:
    """A search that is due: the person, and what is asked; `is_entered` as in WorkItem."""

    person_key: str
    contact_id: str
    search_kind: str
    full_name: str
    company: str
    freshness: str
    priority: str
    last_search_id: str
    identifiers: frozenset[str]
    is_entered: bool


def last_search_revision(connection: duckdb.DuckDBPyConnection) -> int:
    """The newest ledger revision of which the warehouse has a search; 0 for none."""
    row = connection.execute("select coalesce(max(revision), 0) from raw.searches").fetchall()[0]
    return int(row[0])


def priorities_to_search(connection: duckdb.DuckDBPyConnection, lanes: Sequence[Lane]) -> list[str]:
    """The priorities in which searches are due in these lanes, the highest first."""
    keys = [lane.key for lane in lanes]
    found = execute(connection, "list_priorities_to_search", lanes=keys).fetchall()
    waiting = {priority for (priority,) in found}
    return [priority for priority in PRIORITIES if priority in waiting]


def due_searches(
    connection: duckdb.DuckDBPyConnection, lanes: Sequence[Lane], priority: str, limit: int
) -> list[DueSearch]:
    """The searches that are due in these lanes and this priority, in the work list's order."""
    execute(connection, "create_hashed_identifiers")
    rows = execute(
        connection,
        "read_searches",
        lanes=[lane.key for lane in lanes],
        priority=priority,
        limit=limit,
    ).fetchall()
    return [DueSearch(*row[:8], frozenset(row[8] or ()), row[9]) for row in rows]


def merge_searches(connection: duckdb.DuckDBPyConnection, pages: Iterable[Sequence[Any]]) -> None:
    """Merge pages of the ledger's searches, each in a transaction, in order of revision."""
    for page in tables_of(pages, _SEARCH_SCHEMA):
        with registered(connection, "search_page", page), transaction(connection):
            execute(connection, "merge_searches")


ReadPages = Callable[[Sequence[str]], Sequence[tuple[str, int, bytes]]]
"""Gives the raw answers (search, page, body) to these searches."""


def insert_missing_profiles(connection: duckdb.DuckDBPyConnection, read_pages: ReadPages) -> None:
    """Take over the profiles of searches that gave some, and whose profiles are not here yet."""
    rows = [search_id for (search_id,) in execute(connection, "find_missing_profiles").fetchall()]
    for start in range(0, len(rows), SEARCHES_PER_PAGE):
        insert_profiles(connection, read_pages(rows[start : start + SEARCHES_PER_PAGE]))


def insert_profiles(
    connection: duckdb.DuckDBPyConnection, bodies: Sequence[tuple[str, int, bytes]]
) -> None:
    """Cut raw answers (search, page, body) into the profiles that they hold."""
    page = pa.table(
        {
            "search_id": pa.array([search_id for search_id, _, _ in bodies], pa.string()),
            "page": pa.array([page for _, page, _ in bodies], pa.int32()),
            "body": pa.array([as_json_text(body) for _, _, body in bodies], pa.string()),
        }
    )
    with transaction(connection):
        insert_found_profiles(connection, page)


def score_searches(connection: duckdb.DuckDBPyConnection, policy: SearchPolicy) -> None:
    """Bring `enrichment.search_results` to what the policy says now.

    What was scored by the same rules and values stays; a changed policy is applied
    to what was answered, and nothing is asked again.
    """
    read_answers(connection)
    execute(connection, "find_unscored_searches", rules=_rules_digest(policy))
    if not connection.execute("select 1 from searched_contacts limit 1").fetchall():
        return
    learn_company_names(connection, "find_new_search_companies")
    learn_hosts(connection, "find_new_search_hosts")
    learn_latin_names(connection, "find_new_search_names")
    execute(
        connection,
        "score_profiles",
        company_similarity=policy.company_similarity,
        same_domain=policy.same_domain,
    )
    execute(
        connection,
        "merge_search_results",
        min_score=policy.min_score,
        min_lead=policy.min_lead,
        shown=CANDIDATES_SHOWN,
    )


def join_found_persons(connection: duckdb.DuckDBPyConnection) -> None:
    """Persons whose searches found the same profile, or a known person's, are one from then on."""
    execute(connection, "select_current_decisions")
    execute(connection, "join_found_persons")
    move_persons(connection, "persons_joined_by_searches")


def resolve_worklist(
    connection: duckdb.DuckDBPyConnection,
    policy: Policy,
    lanes: Sequence[Lane],
    *,
    provider: str,
    as_of: datetime,
) -> None:
    """Score what was answered, and give those who were found their profile's UID to look up."""
    score_searches(connection, policy.search)
    join_found_persons(connection)
    derive_search_states(connection, policy, provider, as_of)
    execute(connection, "resolve_worklist", lanes=[lane.key for lane in lanes])


def _rules_digest(policy: SearchPolicy) -> str:
    searched = [reading for reading in readings() if reading.pages is not None]
    read_by = [f"{reading.provider} {reading.version}" for reading in searched]
    rules = [policy.model_dump_json(), *map(digest, _RULES), *read_by]
    return hashlib.sha256("\n".join(rules).encode()).hexdigest()
