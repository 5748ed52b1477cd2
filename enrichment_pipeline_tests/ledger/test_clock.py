"""A clock that was ahead, and comes back: it may cost a 429, and nothing else."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from enrichment_pipeline.dispatch.asking import AskLookups
from enrichment_pipeline.dispatch.callback_reader import AwaitedAnswers
from enrichment_pipeline.ledger.admission import Wait
from enrichment_pipeline.ledger.gate import FAILURES_THAT_OPEN, FIRST_COOL_DOWN, LONGEST_PAUSE
from enrichment_pipeline.ledger.limits import CLOCK_TOLERANCE
from enrichment_pipeline.ledger.schema import RELEASED, RESERVED, SENT, UNCONFIRMED
from enrichment_pipeline.ledger.store import LedgerStore
from enrichment_pipeline.providers.signalhire.client import SignalHireClient
from enrichment_pipeline_tests.ledger import (
    ANSWER_DEADLINE,
    NOT_ANSWERED,
    WINDOW,
    Ledger,
    candidate,
    crowd,
    reply,
    reserve,
    room_for,
    send,
    waiting,
)
from enrichment_pipeline_tests.ledger.conftest import LedgerOf
from enrichment_pipeline_tests.ledger.test_searches import admit as admit_search
from enrichment_pipeline_tests.ledger.test_searches import candidate as search_for
from enrichment_pipeline_tests.ledger.test_searches import ledger_of as search_ledger_of
from enrichment_pipeline_tests.support import MovingClock

FAR = [timedelta(hours=1), timedelta(days=365)]
PEOPLE = crowd(10, prefix="q")


@pytest.fixture(params=FAR, ids=["an hour", "a year"])
def ahead(request: pytest.FixtureRequest, clock: MovingClock) -> timedelta:
    """How far the clock is ahead; `come_back` sets it right."""
    clock.advance(seconds=request.param.total_seconds())
    return request.param


def come_back(clock: MovingClock, ahead: timedelta) -> None:
    clock.advance(seconds=-ahead.total_seconds())


def open_breaker(ledger: Ledger) -> None:
    for _ in range(FAILURES_THAT_OPEN):
        ledger.count_failure()


@pytest.mark.parametrize("is_answered", [False, True], ids=["on the wire", "answered"])
def test_what_was_sent_then_takes_no_place_now(
    ledger: Ledger, clock: MovingClock, ahead: timedelta, is_answered: bool
):
    batch = send(ledger, *crowd(10))
    if is_answered:
        reply(ledger, batch)
    come_back(clock, ahead)
    assert ledger.rate_window() == (0, 10)
    assert room_for(ledger, PEOPLE) == 10


def test_what_was_sent_then_ends_unconfirmed_and_its_answer_is_taken_all_the_same(
    ledger: Ledger, clock: MovingClock, ahead: timedelta
):
    batch = send(ledger, *crowd(2))
    come_back(clock, ahead)
    assert ledger.clear_abandoned() == 2
    assert ledger.count_by_state() == {UNCONFIRMED: 2}
    ledger.settle(
        {batch.calls[0].call_id: NOT_ANSWERED._replace(state=RELEASED)},
        reply_id=reply(ledger, batch),
    )
    assert ledger.count_by_state() == {UNCONFIRMED: 1, RELEASED: 1}


def test_what_was_reserved_then_is_released(ledger: Ledger, clock: MovingClock, ahead: timedelta):
    reserve(ledger, *crowd(2))
    assert ledger.count_by_state() == {RESERVED: 2}
    come_back(clock, ahead)
    assert ledger.clear_abandoned() == 2
    assert ledger.count_by_state() == {RELEASED: 2}


def test_a_pause_of_then_is_over_and_one_of_now_counts(
    ledger: Ledger, clock: MovingClock, ahead: timedelta
):
    ledger.pause(LONGEST_PAUSE)
    come_back(clock, ahead)
    assert room_for(ledger, PEOPLE) == 10
    ledger.pause(WINDOW)
    decision = waiting(ledger.admit(PEOPLE, "run"))
    assert (decision.why, decision.until) == ("pause", clock.now() + WINDOW)
    clock.advance(seconds=WINDOW.total_seconds())
    assert room_for(ledger, PEOPLE) == 5


def test_a_breaker_that_opened_then_lets_a_probe_through_and_goes_on_counting(
    ledger: Ledger, clock: MovingClock, ahead: timedelta
):
    open_breaker(ledger)
    come_back(clock, ahead)
    assert len(reserve(ledger, *crowd(5)).calls) == 1
    ledger.count_failure()
    assert waiting(ledger.admit(PEOPLE, "run")).until == clock.now() + 2 * FIRST_COOL_DOWN


def test_a_probe_of_then_holds_no_request_back(
    ledger: Ledger, clock: MovingClock, ahead: timedelta
):
    open_breaker(ledger)
    clock.advance(seconds=FIRST_COOL_DOWN.total_seconds())
    reserve(ledger, candidate("killed"))
    come_back(clock, ahead)
    assert len(reserve(ledger, *PEOPLE).calls) == 1


def test_searches_of_then_hold_no_place_and_end(
    store: LedgerStore, clock: MovingClock, ahead: timedelta
):
    ledger = search_ledger_of(store, clock, at_once=1)
    admit_search(ledger, search_for("ada"))
    come_back(clock, ahead)
    assert ledger.clear_abandoned() == 1
    assert ledger.count_by_state() == {RELEASED: 1}
    admit_search(ledger, search_for("bob"))
    assert isinstance(ledger.admit([search_for("eve")], "run"), Wait)


def test_a_reply_of_then_waits_for_a_reader_like_any_other(
    ledger: Ledger, clock: MovingClock, ahead: timedelta
):
    reply(ledger, send(ledger, candidate("ada")))
    [kept] = ledger.unread_replies()
    assert ledger.is_left_to_its_run(kept, [])
    come_back(clock, ahead)
    assert ledger.count_unread(received_before=clock.now()) == 1
    assert not ledger.is_left_to_its_run(kept, [])


def test_a_run_does_not_wait_for_callbacks_until_a_deadline_of_then(
    ledger_of: LedgerOf, clock: MovingClock, ahead: timedelta
):
    ledger = ledger_of(answer_deadline=timedelta(minutes=30))
    batch = reserve(ledger, *crowd(2))
    ledger.mark_sent(batch.request_id, awaits_callback=True)
    asking = AskLookups(SignalHireClient("http://unused.invalid", "key"))
    awaited = AwaitedAnswers(ledger.store, ledger.calls, asking)
    awaited.expect(batch.request_id, 2)
    come_back(clock, ahead)
    collected = asyncio.run(awaited.collect())
    assert [settlement.state for settlement in collected.settlements] == [UNCONFIRMED] * 2
    assert awaited.outstanding == 0


def test_a_clock_that_is_a_little_ahead_is_believed(ledger: Ledger, clock: MovingClock):
    """As another machine's may be: its slots, deadlines and pauses bind us too."""
    clock.advance(seconds=CLOCK_TOLERANCE.total_seconds())
    send(ledger, *crowd(10))
    ledger.pause(LONGEST_PAUSE)
    come_back(clock, CLOCK_TOLERANCE)
    assert ledger.rate_window() == (10, 10)
    assert ledger.clear_abandoned() == 0
    assert ledger.count_by_state() == {SENT: 10}
    assert waiting(ledger.admit(PEOPLE, "run")).why == "pause"
    clock.advance(seconds=(CLOCK_TOLERANCE + ANSWER_DEADLINE).total_seconds())
    assert ledger.clear_abandoned() == 10
