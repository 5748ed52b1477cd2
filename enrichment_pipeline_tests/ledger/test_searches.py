"""Searches: quota with floors, calls at once, single flight, and what a kill leaves behind."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from enrichment_pipeline.clock import Clock
from enrichment_pipeline.ledger.admission import Exhausted, NotDue, Wait
from enrichment_pipeline.ledger.journal import FenceError
from enrichment_pipeline.ledger.schema import ANSWERED, RELEASED, search_calls, searches
from enrichment_pipeline.ledger.search_journal import (
    QUOTA_USED_UP,
    AdmittedCall,
    SearchCandidate,
    SearchLimits,
    SearchSettlement,
)
from enrichment_pipeline.ledger.search_ledger import SearchLedger
from enrichment_pipeline.ledger.store import LedgerStore
from enrichment_pipeline.policy import Floors
from enrichment_pipeline_tests.ledger import OTHERS
from enrichment_pipeline_tests.support import MovingClock

FOUND = SearchSettlement(ANSWERED, "found", is_complete=True)
GIVEN_BACK = SearchSettlement(RELEASED, "retriable", "rate_limited")
DEADLINE = timedelta(seconds=20)


def limits_of(**changes: Any) -> SearchLimits:
    values: dict[str, Any] = {
        "per_day": 100,
        "at_once": 3,
        "answer_deadline": DEADLINE,
        "pause": timedelta(seconds=5),
        "floors": Floors(),
        **changes,
    }
    return SearchLimits(**values)


def candidate(name: str, priority: str = "strategic", supersedes: str = "") -> SearchCandidate:
    return SearchCandidate(
        person_key=f"person:{name}",
        contact_id=f"contact-{name}",
        query_kind="current",
        full_name=f"{name} Example",
        company="Acme",
        freshness="new",
        priority=priority,
        supersedes=supersedes,
    )


@pytest.fixture
def ledger(store: LedgerStore, clock: MovingClock) -> SearchLedger:
    return SearchLedger(store, "signalhire", limits_of(), clock)


def admitted(decision: object) -> AdmittedCall:
    assert isinstance(decision, AdmittedCall), decision
    return decision


def ask(
    ledger: SearchLedger, of: SearchCandidate, settlement: SearchSettlement = FOUND
) -> AdmittedCall:
    """From the admission to the settled answer, in an instant."""
    call = admitted(ledger.admit(of, "run"))
    ledger.keep_answer(call.call_id, http_status=200, body=b"{}")
    ledger.settle(call.search_id, settlement)
    return call


def test_each_priority_leaves_its_floor_of_the_days_calls(
    store: LedgerStore, clock: MovingClock
) -> None:
    ledger = SearchLedger(store, "signalhire", limits_of(per_day=10), clock)
    for number in range(5):
        ask(ledger, candidate(f"b{number}", "bulk"))
    assert ledger.admit(candidate("b5", "bulk"), "run") == Exhausted("day")
    for number in range(2):
        ask(ledger, candidate(f"s{number}", "standard"))
    assert ledger.admit(candidate("s2", "standard"), "run") == Exhausted("day")
    for number in range(3):
        ask(ledger, candidate(f"x{number}", "strategic"))
    assert ledger.admit(candidate("x3", "strategic"), "run") == Exhausted("day")
    assert ledger.used_today() == 10
    clock.advance(days=1)
    ask(ledger, candidate("b5", "bulk"))
    assert ledger.used_today() == 1


def test_no_more_than_three_calls_are_under_way_until_a_deadline_has_passed(
    ledger: SearchLedger, clock: MovingClock
) -> None:
    calls = [admitted(ledger.admit(candidate(f"p{number}"), "run")) for number in range(3)]
    decision = ledger.admit(candidate("p3"), "run")
    assert decision == Wait(clock.now() + DEADLINE, "at_once")
    ledger.keep_answer(calls[0].call_id, http_status=200, body=b"{}")
    admitted(ledger.admit(candidate("p3"), "run"))
    assert isinstance(ledger.admit(candidate("p4"), "run"), Wait)
    clock.advance(seconds=20)
    admitted(ledger.admit(candidate("p4"), "run"))


def test_a_call_that_never_left_frees_its_place_and_its_share_of_the_quota(
    ledger: SearchLedger,
) -> None:
    call = admitted(ledger.admit(candidate("ada"), "run"))
    assert ledger.used_today() == 1
    ledger.note_unanswered(call.call_id, "ConnectError", has_left=False)
    assert ledger.used_today() == 0
    left = admitted(ledger.admit(candidate("bob"), "run"))
    ledger.note_unanswered(left.call_id, "ReadTimeout", has_left=True)
    assert ledger.used_today() == 1


def test_nobody_is_searched_twice_for_the_same_reason(ledger: SearchLedger) -> None:
    first = ask(ledger, candidate("ada"))
    assert ledger.admit(candidate("ada"), "run") == NotDue(1)
    second = admitted(ledger.admit(candidate("ada", supersedes=first.search_id), "run"))
    assert ledger.admit(candidate("ada", supersedes=first.search_id), "run") == NotDue(1)
    ledger.settle(second.search_id, GIVEN_BACK)
    admitted(ledger.admit(candidate("ada", supersedes=first.search_id), "run"))


def test_the_database_itself_refuses_a_second_search(
    ledger: SearchLedger, store: LedgerStore
) -> None:
    ask(ledger, candidate("ada"))
    with store.read() as connection:
        row = connection.execute(sa.select(searches)).one()
    twin = dict(row._mapping) | {"search_id": "other"}
    with pytest.raises(IntegrityError), store.write() as transaction:
        transaction.connection.execute(sa.insert(searches).values(twin))


def test_what_is_settled_stays_so(ledger: SearchLedger) -> None:
    call = ask(ledger, candidate("ada"))
    with pytest.raises(FenceError):
        ledger.settle(call.search_id, GIVEN_BACK)
    with pytest.raises(FenceError):
        ledger.admit_page(call.search_id, 0, 2)


def test_when_the_provider_says_that_the_quota_is_used_up_nobody_asks_again_that_day(
    ledger: SearchLedger, store: LedgerStore, clock: MovingClock
) -> None:
    call = admitted(ledger.admit(candidate("ada"), "run"))
    ledger.keep_answer(call.call_id, http_status=402, body=b"{}")
    ledger.note_refusal(call.call_id, QUOTA_USED_UP, is_counted=False)
    assert ledger.used_today() == 0
    ledger.settle(call.search_id, SearchSettlement(RELEASED, "retriable", QUOTA_USED_UP))
    assert ledger.admit(candidate("bob"), "other") == Exhausted("day")
    for other in OTHERS:
        admitted(SearchLedger(store, other, limits_of(), clock).admit(candidate("bob"), "other"))
    clock.advance(days=1)
    admitted(ledger.admit(candidate("ada"), "other"))


def test_a_pause_holds_searches_and_no_look_ups(
    ledger: SearchLedger, store: LedgerStore, clock: MovingClock
) -> None:
    ledger.pause(None)
    assert ledger.admit(candidate("ada"), "run") == Wait(
        clock.now() + timedelta(seconds=5), "pause"
    )
    clock.advance(seconds=5)
    admitted(ledger.admit(candidate("ada"), "run"))


def test_pages_of_one_search_are_kept_in_order_and_only_of_the_last_start(
    ledger: SearchLedger,
) -> None:
    call = admitted(ledger.admit(candidate("ada"), "run"))
    ledger.keep_answer(call.call_id, http_status=200, body=b"lost")
    gone = admitted(ledger.admit_page(call.search_id, 0, 2))
    ledger.keep_answer(gone.call_id, http_status=404, body=b"{}")
    for page in (1, 2):
        again = admitted(ledger.admit_page(call.search_id, 1, page))
        ledger.keep_answer(again.call_id, http_status=200, body=b"page %d" % page)
    ledger.settle(call.search_id, FOUND)
    assert ledger.answer_bodies([call.search_id]) == [
        (call.search_id, 1, b"page 1"),
        (call.search_id, 2, b"page 2"),
    ]


def test_what_a_killed_run_left_behind_is_found_with_what_was_answered(
    ledger: SearchLedger,
) -> None:
    answered = admitted(ledger.admit(candidate("ada"), "dead"))
    ledger.keep_answer(answered.call_id, http_status=200, body=b"{}")
    unanswered = admitted(ledger.admit(candidate("bob"), "dead"))
    admitted(ledger.admit(candidate("eve"), "alive"))
    assert ledger.abandoned() == []
    found = {each.search_id: each for each in ledger.abandoned(["dead"])}
    assert found.keys() == {answered.search_id, unanswered.search_id}
    assert found[answered.search_id].answers == ((200, b"{}"),)
    assert not found[answered.search_id].is_unanswered
    assert found[unanswered.search_id].is_unanswered


def test_a_search_whose_run_may_wait_for_a_further_page_is_left_to_it(
    ledger: SearchLedger, clock: MovingClock
) -> None:
    """A pause, or a lack of places, lasts longer than a call may take."""
    call = admitted(ledger.admit(candidate("ada"), "on another machine"))
    ledger.keep_answer(call.call_id, http_status=200, body=b"{}")
    clock.advance(minutes=15)
    assert ledger.abandoned() == []
    clock.advance(minutes=16)
    assert [each.search_id for each in ledger.abandoned()] == [call.search_id]


def test_changed_searches_come_in_the_order_of_their_changes(ledger: SearchLedger) -> None:
    first = admitted(ledger.admit(candidate("ada"), "run"))
    second = ask(ledger, candidate("bob"))
    ledger.settle(first.search_id, FOUND)
    [page] = ledger.changed_searches(0)
    assert [row.search_id for row in page] == [second.search_id, first.search_id]
    [page] = ledger.changed_searches(page[-1].revision)
    assert [row.search_id for row in page] == [first.search_id]


def test_many_at_once_stay_inside_quota_and_three_calls(store: LedgerStore) -> None:
    limits = limits_of(per_day=20)
    under_way: Counter[str] = Counter()
    most = 0
    lock = threading.Lock()

    def work(thread: int) -> None:
        nonlocal most
        ledger = SearchLedger(store, "signalhire", limits, Clock())
        for number in range(12):
            decision = ledger.admit(candidate(f"{number % 6}-{thread % 3}-{number}"), "run")
            if not isinstance(decision, AdmittedCall):
                continue
            with lock:
                under_way["now"] += 1
                most = max(most, under_way["now"])
            with lock:
                under_way["now"] -= 1
            ledger.keep_answer(decision.call_id, http_status=200, body=b"{}")
            ledger.settle(decision.search_id, FOUND)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with store.read() as connection:
        calls = connection.execute(sa.select(sa.func.count()).select_from(search_calls))
        persons = connection.execute(sa.select(searches.c.person_key)).scalars().all()
        assert calls.scalar_one() <= 20
    assert most <= 3
    assert len(persons) == len(set(persons))
