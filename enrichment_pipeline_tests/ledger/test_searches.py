"""Searches: quota with floors, calls at once, single flight, and what a kill leaves behind."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from enrichment_pipeline.clock import Clock
from enrichment_pipeline.dispatch.asking import AskSearches
from enrichment_pipeline.dispatch.settling import read_kept_replies
from enrichment_pipeline.ledger import entries, kept
from enrichment_pipeline.ledger.admission import Admitted, Candidate, Exhausted, NotDue, Page, Wait
from enrichment_pipeline.ledger.budget import Budget
from enrichment_pipeline.ledger.journal import FenceError, Settlement
from enrichment_pipeline.ledger.limits import Limits
from enrichment_pipeline.ledger.schema import RELEASED, REPLIED, SENT, calls, requests
from enrichment_pipeline.ledger.store import LedgerStore
from enrichment_pipeline.policy import Floors
from enrichment_pipeline.providers.signalhire.client import SignalHireClient
from enrichment_pipeline.vocabulary import SEARCH
from enrichment_pipeline_tests.ledger import (
    OTHERS,
    SEND_LEASE,
    UNCONFIRMED_HOLD,
    Ledger,
    admitted,
)
from enrichment_pipeline_tests.support import MovingClock

FOUND = Settlement(REPLIED, "found", units_charged=1, is_complete=True)
GIVEN_BACK = Settlement(RELEASED, "retriable", "rate_limited")
DEADLINE = timedelta(seconds=20)
READER = AskSearches(SignalHireClient("http://unused.invalid", "key"), pages=3, page_size=100)


def limits_of(per_day: float = 100, floors: Any = None, **changes: Any) -> Limits:
    values: dict[str, Any] = {
        "rates": (),
        "budget": Budget(
            "signalhire.search", Decimal(per_day), Floors.model_validate(floors or {})
        ),
        "pause": timedelta(seconds=5),
        "send_lease": SEND_LEASE,
        "response_deadline": DEADLINE,
        "answer_deadline": DEADLINE,
        "unconfirmed_hold": UNCONFIRMED_HOLD,
        "at_once": 3,
        "is_repeat_free": True,
        "is_paged": True,
        "settled_within": timedelta(minutes=30),
        **changes,
    }
    return Limits(**values)


def ledger_of(
    store: LedgerStore, clock: Clock, provider: str = "signalhire", **limits: Any
) -> Ledger:
    return Ledger(store, provider, limits_of(**limits), clock, SEARCH)


def candidate(name: str, priority: str = "strategic", supersedes: str = "") -> Candidate:
    return Candidate(
        person_key=f"person:{name}",
        contact_id=f"contact-{name}",
        question="current",
        item=f"{name} Example",
        item_kind="name",
        company="Acme",
        freshness="new",
        priority=priority,
        supersedes=supersedes,
    )


@pytest.fixture
def ledger(store: LedgerStore, clock: MovingClock) -> Ledger:
    return ledger_of(store, clock)


def admit(ledger: Ledger, of: Candidate, run_id: str = "run") -> Admitted:
    """Admitted, and sent."""
    batch = admitted(ledger.admit([of], run_id))
    ledger.mark_sent(batch.request_id)
    return batch


def call_id(of: Admitted) -> str:
    [call] = of.calls
    return call.call_id


def answer(
    ledger: Ledger, request: Admitted | Page, body: bytes = b"{}", http_status: int = 200
) -> str:
    return ledger.record_reply(
        request.request_id, http_status=http_status, body=body, credits_left=None
    )


def ask(ledger: Ledger, of: Candidate, settlement: Settlement = FOUND) -> str:
    """From the admission to the settled answer, in an instant; the call."""
    batch = admit(ledger, of)
    ledger.settle({call_id(batch): settlement}, reply_id=answer(ledger, batch))
    return call_id(batch)


def turn(
    ledger: Ledger, call: str, reply_id: str, series: int = 0, number: int = 2, units: int = 1
) -> Page:
    page = ledger.admit_page(
        call, series=series, number=number, units_charged=units, reply_id=reply_id
    )
    assert isinstance(page, Page)
    return page


def used_today(ledger: Ledger) -> int:
    return int(ledger.questions.used_today())


def test_each_priority_leaves_its_floor_of_the_days_calls(
    store: LedgerStore, clock: MovingClock
) -> None:
    ledger = ledger_of(store, clock, per_day=10)
    for number in range(5):
        ask(ledger, candidate(f"b{number}", "bulk"))
    assert ledger.admit([candidate("b5", "bulk")], "run") == Exhausted("day")
    for number in range(2):
        ask(ledger, candidate(f"s{number}", "standard"))
    assert ledger.admit([candidate("s2", "standard")], "run") == Exhausted("day")
    for number in range(3):
        ask(ledger, candidate(f"x{number}", "strategic"))
    assert ledger.admit([candidate("x3", "strategic")], "run") == Exhausted("day")
    assert used_today(ledger) == 10
    clock.advance(days=1)
    ask(ledger, candidate("b5", "bulk"))
    assert used_today(ledger) == 1


def test_no_more_than_three_are_on_the_wire_until_a_deadline_has_passed(
    ledger: Ledger, clock: MovingClock
) -> None:
    batches = [admit(ledger, candidate(f"p{number}")) for number in range(3)]
    decision = ledger.admit([candidate("p3")], "run")
    assert decision == Wait(clock.now() + DEADLINE, "at_once")
    answer(ledger, batches[0])
    admit(ledger, candidate("p3"))
    assert isinstance(ledger.admit([candidate("p4")], "run"), Wait)
    clock.advance(seconds=20)
    admit(ledger, candidate("p4"))


def test_a_call_that_never_left_frees_its_place_and_its_share_of_the_quota(
    ledger: Ledger,
) -> None:
    batch = admit(ledger, candidate("ada"))
    assert used_today(ledger) == 1
    ledger.note_unsent(batch.request_id, "ConnectError")
    ledger.settle({call_id(batch): Settlement(RELEASED, "retriable", "not_sent")})
    assert used_today(ledger) == 0
    left = admit(ledger, candidate("bob"))
    ledger.settle({call_id(left): Settlement(RELEASED, "retriable", "no_reply", units_charged=1)})
    assert used_today(ledger) == 1


def test_no_person_is_searched_twice_for_the_same_reason(ledger: Ledger) -> None:
    first = ask(ledger, candidate("ada"))
    assert ledger.admit([candidate("ada")], "run") == NotDue(1)
    second = admit(ledger, candidate("ada", supersedes=first))
    assert ledger.admit([candidate("ada", supersedes=first)], "run") == NotDue(1)
    ledger.settle({call_id(second): GIVEN_BACK})
    admit(ledger, candidate("ada", supersedes=first))


def test_a_search_and_a_look_up_of_one_person_are_two_calls(
    ledger: Ledger, store: LedgerStore, clock: MovingClock
) -> None:
    ask(ledger, candidate("ada"))
    lookups = Ledger(store, "signalhire", limits_of(), clock)
    admitted(lookups.admit([candidate("ada")], "run"))


def test_the_database_itself_refuses_a_second_search(ledger: Ledger, store: LedgerStore) -> None:
    ask(ledger, candidate("ada"))
    with store.read() as connection:
        row = connection.execute(sa.select(calls)).one()
    twin = dict(row._mapping) | {"call_id": "other"}
    with pytest.raises(IntegrityError), store.write() as transaction:
        transaction.connection.execute(sa.insert(calls).values(twin))


def test_what_is_settled_stays_so(ledger: Ledger) -> None:
    call = ask(ledger, candidate("ada"))
    with pytest.raises(FenceError):
        ledger.settle({call: GIVEN_BACK})
    with pytest.raises(FenceError):
        turn(ledger, call, "no such reply")


def test_when_the_provider_says_that_the_quota_is_used_up_no_more_is_asked_that_day(
    ledger: Ledger, store: LedgerStore, clock: MovingClock
) -> None:
    batch = admit(ledger, candidate("ada"))
    ledger.note_used_up()
    ledger.note_used_up()
    ledger.settle({call_id(batch): Settlement(RELEASED, "retriable", "quota_used_up")})
    assert used_today(ledger) == 0
    assert ledger.admit([candidate("bob")], "other") == Exhausted("day")
    for other in OTHERS:
        budget = Budget(f"{other}.search", Decimal(100), Floors())
        admit(ledger_of(store, clock, other, budget=budget), candidate("bob"))
    clock.advance(days=1)
    admit(ledger, candidate("ada"))


def test_a_pause_holds_searches_and_no_look_ups(
    ledger: Ledger, store: LedgerStore, clock: MovingClock
) -> None:
    ledger.pause(None)
    paused = Wait(clock.now() + timedelta(seconds=5), "pause")
    assert ledger.admit([candidate("ada")], "run") == paused
    admitted(Ledger(store, "signalhire", limits_of(), clock).admit([candidate("ada")], "run"))
    clock.advance(seconds=5)
    admit(ledger, candidate("ada"))


def test_pages_of_one_search_are_kept_in_order_and_only_of_the_last_start(
    ledger: Ledger, store: LedgerStore
) -> None:
    batch = admit(ledger, candidate("ada"))
    call = call_id(batch)
    gone = turn(ledger, call, answer(ledger, batch, b"lost"))
    reply_id = answer(ledger, gone, http_status=404)
    first = turn(ledger, call, reply_id, series=1, number=1, units=0)
    second = turn(ledger, call, answer(ledger, first, b"page 1"), series=1)
    ledger.settle({call: FOUND}, reply_id=answer(ledger, second, b"page 2"))
    assert kept.page_bodies(store, [call]) == [(call, 1, b"page 1"), (call, 2, b"page 2")]
    assert list(ledger.unread_replies()) == []
    assert used_today(ledger) == 3  # the page that was gone does not count


def test_each_page_draws_on_the_quota_of_its_own_day(ledger: Ledger, clock: MovingClock) -> None:
    batch = admit(ledger, candidate("ada"))
    reply_id = answer(ledger, batch)
    clock.advance(days=1)
    page = turn(ledger, call_id(batch), reply_id)
    assert used_today(ledger) == 1
    ledger.settle({call_id(batch): FOUND}, reply_id=answer(ledger, page))
    assert used_today(ledger) == 1
    clock.advance(days=-1)
    assert used_today(ledger) == 1


def test_what_a_killed_run_left_behind_is_settled_by_what_was_answered(
    ledger: Ledger, store: LedgerStore
) -> None:
    whole = b'{"requestId": 1, "profiles": [{"uid": "a"}]}'
    goes_on = b'{"requestId": 1, "total": 9, "scrollId": "s", "profiles": [{"uid": "a"}]}'
    answered = admit(ledger, candidate("ada"), "dead")
    answer(ledger, answered, whole)
    halfway = admit(ledger, candidate("bob"), "dead")
    answer(ledger, halfway, goes_on)
    admit(ledger, candidate("eve"), "dead")
    for _ in range(2):
        read_kept_replies(store, ledger.calls, READER)
        assert ledger.clear_abandoned() == 0
    assert ledger.count_by_state() == {SENT: 3}
    read_kept_replies(store, ledger.calls, READER, ["dead"])
    assert ledger.clear_abandoned(["dead"]) == 1
    with store.read() as connection:
        rows = connection.execute(sa.select(calls).order_by(calls.c.person_key)).all()
    assert [(row.state, row.outcome, row.reason) for row in rows] == [
        (REPLIED, "found", None),
        (RELEASED, "retriable", "interrupted"),
        (RELEASED, "retriable", "interrupted"),
    ]
    assert used_today(ledger) == 3


def test_a_search_whose_run_may_wait_for_a_further_page_is_left_to_it(
    ledger: Ledger, store: LedgerStore, clock: MovingClock
) -> None:
    """A pause, or a lack of places, lasts longer than a call may take."""
    batch = admit(ledger, candidate("ada"), "on another machine")
    answer(ledger, batch)
    clock.advance(minutes=15)
    assert read_kept_replies(store, ledger.calls, READER).calls == 0
    assert ledger.clear_abandoned() == 0
    clock.advance(minutes=16)
    assert read_kept_replies(store, ledger.calls, READER).calls == 1


def test_changed_searches_come_in_the_order_of_their_changes(
    ledger: Ledger, store: LedgerStore
) -> None:
    first = admit(ledger, candidate("ada"))
    second = ask(ledger, candidate("bob"))
    ledger.settle({call_id(first): FOUND})
    [page] = kept.changed_searches(store, 0)
    assert [row.search_id for row in page] == [second, call_id(first)]
    [page] = kept.changed_searches(store, page[-1].revision)
    assert [row.search_id for row in page] == [call_id(first)]


def test_many_at_once_stay_inside_quota_and_three_calls(store: LedgerStore) -> None:
    under_way: Counter[str] = Counter()
    most = 0
    lock = threading.Lock()

    def work(thread: int) -> None:
        nonlocal most
        ledger = ledger_of(store, Clock(), per_day=20)
        for number in range(12):
            of = candidate(f"{number % 6}-{thread % 3}-{number}")
            decision = ledger.admit([of], "run")
            if not isinstance(decision, Admitted):
                continue
            ledger.mark_sent(decision.request_id)
            with lock:
                under_way["now"] += 1
                most = max(most, under_way["now"])
            with lock:
                under_way["now"] -= 1
            ledger.settle({call_id(decision): FOUND}, reply_id=answer(ledger, decision))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with store.read() as connection:
        made = connection.execute(sa.select(sa.func.count()).select_from(requests))
        persons = connection.execute(sa.select(calls.c.person_key)).scalars().all()
        assert made.scalar_one() <= 20
    assert most <= 3
    assert len(persons) == len(set(persons))


# --- beside the point of entry ----------------------------------------------------------


def test_a_run_leaves_a_place_on_the_wire_to_an_entry_that_waits(
    store: LedgerStore, ledger: Ledger, clock: MovingClock
) -> None:
    for name in ("ada", "bob"):
        admit(ledger, candidate(name))
    until = clock.now() + timedelta(seconds=3)
    place = ("entries", "signalhire.search", "standard")
    store.transact(lambda to: entries.ask_for_place(to, *place, units=1, until=until))
    # whom it does not go before
    assert isinstance(ledger.admit([candidate("cy", "bulk")], "run"), Wait)
    assert isinstance(ledger.admit([candidate("cy", "standard")], "run"), Wait)
    assert isinstance(ledger.admit([candidate("cy", "strategic")], "run"), Admitted)
    store.transact(lambda to: entries.give_back_place(to, *place))
    assert isinstance(ledger.admit([candidate("dora", "standard")], "run"), Admitted)


def test_an_entry_takes_the_place_that_a_run_has_left(
    store: LedgerStore, ledger: Ledger, clock: MovingClock
) -> None:
    until = clock.now() + timedelta(seconds=3)
    place = ("entries", "signalhire.search", "standard")
    store.transact(lambda to: entries.ask_for_place(to, *place, units=3, until=until))
    assert isinstance(ledger.admit([candidate("cy", "bulk")], "run"), Wait)
    of_entry = ledger.admit([candidate("dora", "standard")], "entries", is_entry=True)
    assert isinstance(of_entry, Admitted)


def test_what_was_only_searched_for_was_not_bought(
    store: LedgerStore, ledger: Ledger, clock: MovingClock
) -> None:
    now = clock.now()
    posted = entries.Posted("contact-ada", "{}", "digest")
    store.transact(lambda to: entries.record(to, posted, now=now, due_at=now, answering_until=now))
    store.transact(lambda to: entries.identify(to, "contact-ada", 1, "person:ada", ()))
    ask(ledger, candidate("ada"))
    with store.read() as connection:
        assert entries.credits_for(connection, "contact-ada") == 0
    [search] = kept.searches_about(store, ["person:ada", "person:bob"])
    assert (search.full_name, search.state, search.outcome) == ("ada Example", "answered", "found")
    assert kept.lookups_about(store, ["person:ada"]) == []
    assert kept.persons_changed(store, search.revision - 1) == {"person:ada": search.revision}
    assert store.transact(lambda to: entries.withdraw(to, "contact-ada", now)) is True


def test_no_search_is_made_for_what_was_taken_back(
    store: LedgerStore, ledger: Ledger, clock: MovingClock
) -> None:
    now = clock.now()
    posted = entries.Posted("contact-ada", "{}", "digest")
    store.transact(lambda to: entries.record(to, posted, now=now, due_at=now, answering_until=now))
    store.transact(lambda to: entries.withdraw(to, "contact-ada", now))
    listed = replace(candidate("ada"), is_entered=True)
    assert ledger.admit([listed], "run") == NotDue(1)
