"""Searching: over real HTTP against the sandbox, with quota, pages, faults and kills."""

from __future__ import annotations

import asyncio
import json
import signal
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from enrichment_pipeline.clock import Clock
from enrichment_pipeline.dispatch.asking import AskSearches
from enrichment_pipeline.dispatch.dispatcher import Dispatcher
from enrichment_pipeline.dispatch.progress import DispatchReport, SearchProgress
from enrichment_pipeline.dispatch.settling import read_kept_replies
from enrichment_pipeline.ledger.admission import Candidate
from enrichment_pipeline.ledger.budget import RunShare
from enrichment_pipeline.ledger.journal import Settlement
from enrichment_pipeline.ledger.schema import (
    RELEASED,
    REPLIED,
    RESERVED,
    SENT,
    calls,
    replies,
    requests,
)
from enrichment_pipeline.ledger.store import LedgerStore, open_store
from enrichment_pipeline.providers.base import PageReading, ProfileQuery, Reply
from enrichment_pipeline.providers.signalhire.client import SignalHireClient
from enrichment_pipeline.sandbox.signalhire.people import People, Person
from enrichment_pipeline_tests.dispatch import KEY, Told
from enrichment_pipeline_tests.dying import exit_codes
from enrichment_pipeline_tests.ledger.test_searches import ledger_of
from enrichment_pipeline_tests.providers import hangs_up_after_reading, server_that
from enrichment_pipeline_tests.sandbox import journal_lines
from enrichment_pipeline_tests.support import MovingClock, RunningSandbox, running_sandbox

PEOPLE = 80
CROWD = "Common Name"
CROWD_SIZE = 25


def directory() -> People:
    """As many people, each with a name of their own, and a crowd of namesakes; all at Acme."""
    names = [f"Person N{number}" for number in range(PEOPLE)] + [CROWD] * CROWD_SIZE
    return People(
        Person(
            f"{number:032x}",
            {
                "uid": f"{number:032x}",
                "fullName": name,
                "experience": [{"company": "Acme", "position": "Clerk", "current": True}],
            },
            (),
        )
        for number, name in enumerate(names)
    )


def candidate(name: str, priority: str = "standard", kind: str = "current") -> Candidate:
    return Candidate(
        person_key=f"person:{name}",
        contact_id=f"c:{name}",
        question=kind,
        item=name,
        item_kind="name",
        company="Acme",
        freshness="new",
        priority=priority,
    )


def persons(numbers: Sequence[int], priority: str = "standard") -> list[Candidate]:
    return [candidate(f"Person N{number}", priority) for number in numbers]


class Wire(SignalHireClient):
    """The real client, which also remembers what it asked."""

    def __init__(self, base_url: str, api_key: str = KEY) -> None:
        super().__init__(base_url, api_key)
        self.asked: list[str] = []

    async def search(self, query: ProfileQuery) -> Reply:
        self.asked.append(query.full_name)
        return await super().search(query)


def ask(
    store: LedgerStore,
    wire: Wire,
    candidates: Sequence[Candidate],
    *,
    told: Told | None = None,
    clock: Clock | None = None,
    run_id: str = "run",
    pages: int = 3,
    page_size: int = 100,
    **limits: Any,
) -> DispatchReport:
    ledger = ledger_of(store, clock or Clock(), **limits)

    async def run() -> DispatchReport:
        dispatcher = Dispatcher(
            store,
            ledger.calls,
            AskSearches(wire, pages=pages, page_size=page_size),
            SearchProgress(told or Told()),
            run=RunShare(run_id),
            batch_size=1,
        )
        try:
            return await dispatcher.run([candidates])
        finally:
            await wire.close()

    return asyncio.run(run())


def rows(store: LedgerStore) -> list[Any]:
    with store.read() as connection:
        return list(connection.execute(sa.select(calls).order_by(calls.c.reserved_at)))


def asked_pages(store: LedgerStore) -> list[Any]:
    """Each request, with the reply that was kept, or none."""
    query = (
        sa.select(requests, replies.c.http_status, replies.c.body)
        .outerjoin(replies, replies.c.request_id == requests.c.request_id)
        .order_by(requests.c.sent_at)
    )
    with store.read() as connection:
        return list(connection.execute(query))


def used_today(store: LedgerStore) -> int:
    """How many calls draw on the day's quota."""
    return int(ledger_of(store, Clock()).questions.used_today())


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[RunningSandbox]:
    with running_sandbox(
        directory(), tmp_path / "journal", searches=tmp_path / "searches"
    ) as running:
        yield running


def test_each_is_asked_once_and_found_or_not(
    store: LedgerStore, sandbox: RunningSandbox, tmp_path: Path
) -> None:
    told = Told()
    people = [*persons(range(10)), candidate("Nobody Atall")]
    report = ask(store, Wire(sandbox.base_url), people, told=told)
    assert (report.answered, report.found, report.no_match) == (11, 10, 1)
    assert told.searches == (11, 11)
    again = ask(store, Wire(sandbox.base_url), people, run_id="again")
    assert (again.answered, again.not_due) == (0, 11)
    assert len(journal_lines(tmp_path / "searches")) == 11
    assert all(json.loads(call.body)["profiles"] is not None for call in asked_pages(store))


def test_three_are_under_way_at_once_and_the_provider_never_sees_a_fourth(
    store: LedgerStore, tmp_path: Path
) -> None:
    with running_sandbox(directory(), tmp_path / "journal", latency_ms=20) as slow:
        report = ask(store, Wire(slow.base_url), persons(range(12)), at_once=3)
    assert report.answered == 12
    assert {call.http_status for call in asked_pages(store)} == {200}


def test_all_pages_are_read_up_to_the_policys_limit(
    store: LedgerStore, sandbox: RunningSandbox
) -> None:
    report = ask(store, Wire(sandbox.base_url), [candidate(CROWD)], page_size=10)
    assert report.found == 1
    assert [call.page for call in asked_pages(store)] == [1, 2, 3]
    [row] = rows(store)
    assert (row.state, row.outcome, row.is_complete) == (REPLIED, "found", True)


def test_more_profiles_than_the_limit_are_an_incomplete_answer(
    store: LedgerStore, sandbox: RunningSandbox
) -> None:
    ask(store, Wire(sandbox.base_url), [candidate(CROWD)], page_size=10, pages=2)
    [row] = rows(store)
    assert (row.outcome, row.is_complete) == ("found", False)
    assert len(asked_pages(store)) == 2


def test_a_scroll_id_that_is_gone_has_the_search_start_over_once(
    store: LedgerStore, tmp_path: Path
) -> None:
    with running_sandbox(
        directory(), tmp_path / "journal", scroll_id_seconds=0.001, latency_ms=10
    ) as forgetful:
        ask(store, Wire(forgetful.base_url), [candidate(CROWD)], page_size=10)
    [row] = rows(store)
    assert [(call.series, call.page, call.http_status) for call in asked_pages(store)] == [
        (0, 1, 200),
        (0, 2, 404),
        (1, 1, 200),
        (1, 2, 404),
    ]
    assert (row.state, row.reason, row.is_complete) == (REPLIED, "scroll_gone", False)
    assert used_today(store) == 2


def test_without_access_the_run_says_so_once_and_asks_nothing_more(
    store: LedgerStore, tmp_path: Path
) -> None:
    told = Told()
    with running_sandbox(directory(), tmp_path / "journal", search_allowed=False) as closed:
        report = ask(store, Wire(closed.base_url), persons(range(20)), told=told)
    assert report.halted is not None
    assert report.halted.reason == "not_allowed"
    assert len(told.said) == 1
    assert "403" in told.said[0]
    assert len(asked_pages(store)) <= 3
    assert {row.state for row in rows(store)} == {"released"}
    assert used_today(store) == 0


def test_a_quota_that_the_provider_counts_otherwise_stops_all_until_tomorrow(
    store: LedgerStore, tmp_path: Path
) -> None:
    with running_sandbox(directory(), tmp_path / "journal", searches_per_day=5) as stingy:
        report = ask(store, Wire(stingy.base_url), persons(range(20)))
        assert report.answered == 5
        assert report.halted is not None
        wire = Wire(stingy.base_url)
        again = ask(store, wire, persons(range(20)), run_id="again")
    assert wire.asked == []
    assert again.exhausted == {"standard": "day"}


def test_our_own_quota_is_never_overdrawn_and_strategic_ones_come_first(
    store: LedgerStore, sandbox: RunningSandbox, tmp_path: Path
) -> None:
    people = [*persons(range(8), "strategic"), *persons(range(20, 50), "bulk")]
    report = ask(store, Wire(sandbox.base_url), people, per_day=20)
    assert report.answered == 10  # bulk leaves half of the day untouched
    asked = [row.priority for row in rows(store)]
    assert asked == ["strategic"] * 8 + ["bulk"] * 2
    assert report.exhausted == {"bulk": "day"}
    assert len(journal_lines(tmp_path / "searches")) == 10


def test_what_fails_for_a_passing_reason_is_asked_again_and_the_rest_given_back(
    store: LedgerStore, tmp_path: Path
) -> None:
    faults = {"slow_down": 0.3}
    with running_sandbox(directory(), tmp_path / "journal", faults=faults, seed=3) as busy:
        report = ask(
            store, Wire(busy.base_url), persons(range(12)), pause=timedelta(milliseconds=10)
        )
    assert report.answered > 6
    assert (
        report.answered
        + len(
            {row.person_key for row in rows(store)}
            - {row.person_key for row in rows(store) if row.state == REPLIED}
        )
        == 12
    )
    assert 429 in {call.http_status for call in asked_pages(store)}


def test_a_search_that_another_run_has_released_between_two_pages_takes_no_other_along(
    store: LedgerStore, sandbox: RunningSandbox
) -> None:
    ledger = ledger_of(store, Clock())

    class Overtaken(Wire):
        async def scroll(self, request_ref: str, scroll_id: str) -> Reply:
            reply = await super().scroll(request_ref, scroll_id)
            [open_one] = [row for row in rows(store) if row.state == SENT]
            ledger.settle({open_one.call_id: Settlement(RELEASED, "retriable")})
            return reply

    wire = Overtaken(sandbox.base_url)
    report = ask(store, wire, [candidate(CROWD), *persons([1, 2])], page_size=10, at_once=1)
    assert (report.answered, report.found, report.halted) == (2, 2, None)
    assert [row.state for row in rows(store)] == [RELEASED, REPLIED, REPLIED]


def test_a_server_that_is_down_is_tried_three_times_and_draws_on_no_quota(
    store: LedgerStore,
) -> None:
    report = ask(store, Wire("http://127.0.0.1:9/api/v1"), persons([1]))
    assert (report.answered, report.released) == (0, 3)
    assert {row.state for row in rows(store)} == {"released"}
    assert used_today(store) == 0


def test_what_was_sent_and_not_answered_draws_on_the_quota(store: LedgerStore) -> None:
    with server_that(hangs_up_after_reading) as silent:
        report = ask(store, Wire(silent.base_url), persons([1]))
        assert silent.connections == 1
    assert (report.answered, report.released) == (0, 1)
    assert [call.body for call in asked_pages(store)] == [None]
    assert used_today(store) == 1


def test_an_answer_is_kept_before_anything_reads_it(store: LedgerStore) -> None:
    class Unreadable(Wire):
        async def search(self, query: ProfileQuery) -> Reply:
            return Reply(200, b"as it came")

        def read_page(self, http_status: int, body: bytes, *, is_further: bool) -> PageReading:
            raise RuntimeError

    with pytest.raises(RuntimeError):
        ask(store, Unreadable("http://unused.invalid"), persons([1]))
    assert [(call.http_status, call.body) for call in asked_pages(store)] == [(200, b"as it came")]
    assert [row.state for row in rows(store)] == [SENT]


KILLS = 20
PER_RUN = 4
"""A search passes five instants of its own (before and after its commits, and with its answer in
hand): the n-th run is killed at its n-th."""

PROGRAM = """
import json, sys
from datetime import timedelta

from enrichment_pipeline.ledger.store import open_store
from enrichment_pipeline_tests.dispatch.test_searching import Wire, ask, persons
from enrichment_pipeline_tests.dying import die_around_commits, dying_after, run_in_children

given = json.loads(sys.argv[1])


def run(number):
    Wire.search = dying_after(Wire.search, number)
    die_around_commits(number)
    first = (number - 1) * given["per_run"]
    ask(
        open_store(given["url"]), Wire(given["base_url"]),
        persons(range(first, first + given["per_run"])),
        run_id=f"run-{number}", per_day=100_000, at_once=1,
        answer_deadline=timedelta(milliseconds=1),
    )


run_in_children(run, given["kills"])
"""


@pytest.mark.long
@pytest.mark.timeout(180)
def test_kills_at_every_instant_lose_no_answer_and_repeat_none(
    durable_ledger_url: str, tmp_path: Path
) -> None:
    store = open_store(durable_ledger_url)
    with running_sandbox(
        directory(),
        tmp_path / "journal",
        searches=tmp_path / "searches",
        searches_per_day=100_000,
        searches_at_once=1000,
    ) as sandbox:
        given = {
            "url": durable_ledger_url,
            "base_url": sandbox.base_url,
            "kills": KILLS,
            "per_run": PER_RUN,
        }
        assert exit_codes(PROGRAM, given, timeout=150) == [-signal.SIGKILL] * KILLS
        kept = Counter(
            json.loads(page.body)["profiles"][0]["fullName"]
            for page in asked_pages(store)
            if page.body is not None
        )
        dead = [f"run-{number}" for number in range(1, KILLS + 1)]
        clock = MovingClock(Clock().now() + timedelta(hours=1))
        ledger = ledger_of(store, clock)
        reader = AskSearches(Wire("http://unused.invalid"), pages=3, page_size=100)
        read_kept_replies(store, ledger.calls, reader, dead)
        ledger.clear_abandoned(dead)
        wire = Wire(sandbox.base_url)
        report = ask(store, wire, persons(range(PEOPLE)), clock=clock, per_day=100_000)

    assert kept.total() > KILLS
    assert set(kept.values()) == {1}
    assert not set(wire.asked) & set(kept)
    assert report.answered + report.not_due == PEOPLE
    assert Counter(row.person_key for row in rows(store) if row.state == REPLIED) == Counter(
        {f"person:Person N{number}": 1 for number in range(PEOPLE)}
    )
    assert {RESERVED, SENT}.isdisjoint(row.state for row in rows(store))
    store.close()


def test_a_run_that_is_stopped_asks_no_more_and_keeps_what_was_answered(
    store: LedgerStore, sandbox: RunningSandbox
) -> None:
    class Stopping(Wire):
        async def search(self, query: ProfileQuery) -> Reply:
            dispatcher.stop()
            return await super().search(query)

    wire = Stopping(sandbox.base_url)
    dispatcher = Dispatcher(
        store,
        ledger_of(store, Clock(), at_once=1).calls,
        AskSearches(wire, pages=3, page_size=100),
        SearchProgress(Told()),
        run=RunShare("run"),
        batch_size=1,
    )

    async def run() -> DispatchReport:
        report = await dispatcher.run([persons(range(5))])
        await wire.close()
        return report

    report = asyncio.run(run())
    assert (len(wire.asked), report.found, dispatcher.is_over) == (1, 1, True)
    assert [row.state for row in rows(store)] == [REPLIED]
