"""The work list: selecting what is due in a run's lanes, and reading it page by page.

Here: the table `enrichment.worklist`. Not here: buying what stands in it
(`dispatch/`).
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

import duckdb

from enrichment_pipeline.lanes import Lane
from enrichment_pipeline.policy import Policy
from enrichment_pipeline.warehouse.statements import execute
from enrichment_pipeline.warehouse.states import derive_contact_states
from enrichment_pipeline.waterfall import Turn, Waterfall

PAGE_ROWS = 10_000
PAGE_MEMORY = "72MB"
"""What DuckDB may use to read a page of any list; a single thread gets by with 64 MB."""


@dataclass(frozen=True)
class WorkItem:
    """One person to look up; `identifiers` are all that it is known by, hashed.

    `known_by` are those of them that are this person's alone; look-ups up to `ledger_revision` had
    been taken into account when it was listed. `is_entered`: the source does not have the contact.
    """

    contact_id: str
    person_key: str
    freshness: str
    priority: str
    lookup_identity: str
    identity_kind: str
    supersedes: str
    identifiers: frozenset[str]
    known_by: frozenset[str]
    ledger_revision: int
    is_entered: bool


@dataclass(frozen=True)
class LaneWork:
    """What is due in one lane: contacts, and the look-ups that they come down to, at most.

    `searches` of these persons have to be searched for first.
    """

    lane: Lane
    contacts: int
    lookups: int
    searches: int = 0


@dataclass(frozen=True)
class CacheHits:
    """Look-ups that are not bought since the answer is known, or on its way.

    `person`: contact rows beyond the first of one human being. `miss`: persons that the
    provider did not know lately.
    """

    person: int
    miss: int


@dataclass(frozen=True)
class DueWork:
    """What is due lane by lane, at all and at each provider, and what need not be bought."""

    lanes: list[LaneWork]
    cache_hits: CacheHits
    lanes_at: Mapping[str, list[LaneWork]]

    @property
    def contacts(self) -> int:
        return sum(lane.contacts for lane in self.lanes)

    @property
    def lookups(self) -> int:
        return sum(lane.lookups for lane in self.lanes)

    @property
    def searches(self) -> int:
        return sum(lane.searches for lane in self.lanes)

    @property
    def lookups_at(self) -> dict[str, Counter[str]]:
        """By provider and priority."""
        counts = {provider: Counter[str]() for provider in self.lanes_at}
        for provider, lanes in self.lanes_at.items():
            for each in lanes:
                counts[provider][each.lane.priority] += each.lookups
        return counts


@dataclass(frozen=True)
class Narrowing:
    """What of the due work is listed: of these contacts' persons, and at most so many look-ups.

    None: of all, and all.
    """

    contacts: tuple[str, ...] | None = None
    lookups: int | None = None

    def less(self, lookups: int) -> "Narrowing":
        """What is left of it once so many are made."""
        return self if self.lookups is None else replace(self, lookups=self.lookups - lookups)


WIDE = Narrowing()


class OpensWarehouse(Protocol):
    """Something that opens the warehouse for a moment."""

    def __call__(self) -> AbstractContextManager[duckdb.DuckDBPyConnection]: ...


def select_worklist(
    connection: duckdb.DuckDBPyConnection,
    policy: Policy,
    lanes: Sequence[Lane],
    *,
    waterfall: Waterfall,
    as_of: datetime,
    run_id: str,
    narrowing: Narrowing = WIDE,
) -> DueWork:
    """Replace the rows of these lanes by what is due at each provider; what each lane holds now."""
    hits = CacheHits(0, 0)
    due: dict[str, list[LaneWork]] = {}
    for turn in waterfall:
        due[turn.provider] = select_turn(
            *(connection, policy, lanes, waterfall, turn),
            as_of=as_of,
            run_id=run_id,
            narrowing=narrowing,
        )
        narrowing = narrowing.less(sum(each.lookups for each in due[turn.provider]))
        if turn == waterfall[0]:
            hits = _cache_hits(connection, lanes)
    return DueWork(
        [_added(lane, due.values()) for lane in lanes],
        hits,
        due,
    )


def select_turn(
    connection: duckdb.DuckDBPyConnection,
    policy: Policy,
    lanes: Sequence[Lane],
    waterfall: Waterfall,
    turn: Turn,
    *,
    as_of: datetime,
    run_id: str,
    passed_over: Collection[str] = (),
    narrowing: Narrowing = WIDE,
) -> list[LaneWork]:
    """The same at the one whose turn it is, those in `passed_over` not being waited for."""
    derive_contact_states(connection, policy, waterfall, as_of, turn=turn, passed_over=passed_over)
    list_due(connection, lanes, waterfall, turn, run_id=run_id)
    _narrow(connection, lanes, turn.provider, narrowing)
    counted = execute(
        connection, "count_worklist", lanes=_keys(lanes), provider=turn.provider
    ).fetchall()
    if connection.execute("select 1 from looked_up_items limit 1").fetchall():
        execute(connection, "restore_looked_up")
    return [LaneWork(Lane(f, p), *counts) for f, p, *counts in counted]


def list_due(
    connection: duckdb.DuckDBPyConnection,
    lanes: Sequence[Lane],
    waterfall: Waterfall,
    turn: Turn,
    *,
    run_id: str,
) -> None:
    """Replace this provider's rows of these lanes, by its states as they were derived."""
    execute(connection, "find_due_persons")
    execute(
        connection,
        "replace_worklist",
        lanes=_keys(lanes),
        provider=turn.provider,
        asked=[each.provider for each in waterfall],
        run_id=run_id,
    )


def _narrow(
    connection: duckdb.DuckDBPyConnection,
    lanes: Sequence[Lane],
    provider: str,
    narrowing: Narrowing,
) -> None:
    """Take off this provider's rows of these lanes what a careful run leaves alone."""
    of = {"lanes": _keys(lanes), "provider": provider}
    if narrowing.contacts is not None:
        execute(connection, "keep_chosen_work", **of, contacts=list(narrowing.contacts))
    if narrowing.lookups is not None:
        execute(connection, "keep_first_work", **of, lookups=max(0, narrowing.lookups))


def _added(lane: Lane, due: Iterable[Sequence[LaneWork]]) -> LaneWork:
    """What is due in a lane at all providers."""
    of_lane = [each for work in due for each in work if each.lane == lane]
    return LaneWork(
        lane,
        contacts=sum(each.contacts for each in of_lane),
        lookups=sum(each.lookups for each in of_lane),
        searches=sum(each.searches for each in of_lane),
    )


def _cache_hits(connection: duckdb.DuckDBPyConnection, lanes: Sequence[Lane]) -> CacheHits:
    priorities = sorted({lane.priority for lane in lanes})
    [(person, miss)] = execute(connection, "count_cache_hits", priorities=priorities).fetchall()
    searched = "select 1 from person_searches where freshness_reason = 'miss_is_recent' limit 1"
    if connection.execute(searched).fetchall():
        counted = execute(connection, "count_search_misses", priorities=priorities).fetchall()
        miss += counted[0][0]
    return CacheHits(person, miss)


def worklist_pages(
    open_warehouse: OpensWarehouse,
    lanes: Sequence[Lane],
    provider: str,
    page_rows: int = PAGE_ROWS,
) -> Iterator[list[WorkItem]]:
    """The lanes' work there in buying order, page by page; the warehouse is closed in between."""
    place = BEFORE_THE_FIRST
    while True:
        with open_warehouse() as connection:
            connection.execute(f"set threads = 1; set memory_limit = '{PAGE_MEMORY}'")
            page, place = read_page(connection, lanes, provider, place, page_rows)
        if page:
            yield page
        if len(page) < page_rows:
            return


Place = Mapping[str, object]
"""Where a page of the work list ends: what its last item is ordered by."""
BEFORE_THE_FIRST: Place = {
    "after_rank": -1,
    "after_account": False,
    "after_waiting": "epoch",
    "after_score": 0.0,
    "after_person": "",
}


def read_page(
    connection: duckdb.DuckDBPyConnection,
    lanes: Sequence[Lane],
    provider: str,
    after: Place,
    page_rows: int,
) -> tuple[list[WorkItem], Place]:
    """The lanes' next work at this provider in buying order, and where it ends."""
    execute(connection, "create_hashed_identifiers")
    rows = execute(
        connection,
        "read_worklist_page",
        lanes=_keys(lanes),
        provider=provider,
        limit=page_rows,
        **after,
    ).fetchall()
    page = [
        WorkItem(*row[:7], frozenset(row[7] or ()), frozenset(row[8] or ()), row[9], row[14])
        for row in rows
    ]
    if rows:
        rank, has_no_account, waiting, score = rows[-1][10:14]
        after = {
            "after_rank": rank,
            "after_account": has_no_account,
            "after_waiting": waiting,
            "after_score": score,
            "after_person": rows[-1][1],
        }
    return page, after


def _keys(lanes: Sequence[Lane]) -> list[str]:
    return [lane.key for lane in lanes]
