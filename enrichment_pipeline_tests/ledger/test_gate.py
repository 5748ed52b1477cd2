"""The gate: pauses that all processes keep, and the breaker with its single probe."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from enrichment_pipeline.ledger.gate import (
    FAILURES_THAT_OPEN,
    FIRST_COOL_DOWN,
    LONGEST_PAUSE,
    gate_name,
)
from enrichment_pipeline.ledger.store import open_store
from enrichment_pipeline.vocabulary import LOOKUP, SEARCH
from enrichment_pipeline_tests.ledger import (
    ANSWER_DEADLINE,
    OTHERS,
    TICK,
    WINDOW,
    Ledger,
    candidate,
    crowd,
    limits_of,
    reply,
    reserve,
    room_for,
    waiting,
)
from enrichment_pipeline_tests.ledger.conftest import LedgerOf
from enrichment_pipeline_tests.support import MovingClock

ONE_PERSON = [candidate("ada")]


@pytest.fixture
def another_process(ledger_url: str, clock: MovingClock) -> Iterator[Ledger]:
    """The same ledger through connections of its own, as another process has them."""
    store = open_store(ledger_url)
    yield Ledger(store, "signalhire", limits_of(), clock)
    store.close()


def pass_time(clock: MovingClock, time: timedelta) -> None:
    clock.advance(seconds=time.total_seconds())


def closed_for(ledger: Ledger, clock: MovingClock) -> timedelta:
    return waiting(ledger.admit(ONE_PERSON, "run")).until - clock.now()


def open_breaker(ledger: Ledger) -> None:
    for _ in range(FAILURES_THAT_OPEN):
        ledger.count_failure()


# --- pauses ------------------------------------------------------------------------------


def test_a_pause_closes_the_gate_for_every_process_until_its_very_end(
    ledger: Ledger, another_process: Ledger, clock: MovingClock
):
    ledger.pause(timedelta(seconds=40))
    decision = waiting(another_process.admit(ONE_PERSON, "run"))
    assert (decision.why, decision.until) == ("pause", clock.now() + timedelta(seconds=40))
    pass_time(clock, timedelta(seconds=40) - TICK)
    assert waiting(another_process.admit(ONE_PERSON, "run")).why == "pause"
    pass_time(clock, TICK)
    assert room_for(another_process, ONE_PERSON) == 1


@pytest.mark.parametrize("retry_after", [None, timedelta(0)], ids=["none", "past"])
def test_a_pause_of_unknown_length_lasts_one_window(
    ledger: Ledger, clock: MovingClock, retry_after: timedelta | None
):
    ledger.pause(retry_after)
    assert closed_for(ledger, clock) == WINDOW


def test_a_pause_is_never_shortened(ledger: Ledger, another_process: Ledger, clock: MovingClock):
    ledger.pause(timedelta(minutes=5))
    another_process.pause(timedelta(seconds=10))
    assert closed_for(ledger, clock) == timedelta(minutes=5)
    another_process.pause(timedelta(minutes=6))
    assert closed_for(ledger, clock) == timedelta(minutes=6)


@pytest.mark.parametrize("absurd", [timedelta(days=1), timedelta(days=400_000)])
def test_a_pause_is_capped(ledger: Ledger, clock: MovingClock, absurd: timedelta):
    ledger.pause(absurd)
    assert closed_for(ledger, clock) == LONGEST_PAUSE


def test_one_provider_paused_holds_no_other_back(ledger_of: LedgerOf):
    ledger_of("signalhire").pause(WINDOW)
    for other in OTHERS:
        assert room_for(ledger_of(other), ONE_PERSON) == 1


# --- the breaker -------------------------------------------------------------------------


def test_a_pause_that_an_earlier_version_has_written_still_holds():
    # by these names; a pause may last a day, and a new version comes while it holds
    assert gate_name("signalhire", LOOKUP) == "signalhire"
    assert gate_name("signalhire", SEARCH) == "signalhire.search"


def test_the_breaker_opens_after_failures_in_a_row(ledger: Ledger, clock: MovingClock):
    for _ in range(FAILURES_THAT_OPEN - 1):
        ledger.count_failure()
        assert room_for(ledger, ONE_PERSON) == 1
    ledger.count_failure()
    assert closed_for(ledger, clock) == FIRST_COOL_DOWN


def test_failures_with_an_answer_between_them_do_not_open_it(ledger: Ledger):
    for _ in range(3 * FAILURES_THAT_OPEN):
        ledger.count_failure()
        ledger.count_success()
    assert room_for(ledger, ONE_PERSON) == 1


def test_failures_of_requests_that_were_on_the_wire_together_are_one_outage(
    ledger: Ledger, clock: MovingClock
):
    """Eight requests torn by one loss of the network would mean a pause of eight minutes."""
    for _ in range(8):
        ledger.count_failure()
    assert closed_for(ledger, clock) == FIRST_COOL_DOWN


def test_an_open_breaker_lets_one_probe_of_one_item_through(
    ledger: Ledger, another_process: Ledger, clock: MovingClock
):
    open_breaker(ledger)
    pass_time(clock, FIRST_COOL_DOWN)
    probe = reserve(ledger, *crowd(5))
    assert len(probe.calls) == 1
    assert list(probe.left_over) == crowd(5)[1:]
    decision = waiting(another_process.admit(ONE_PERSON, "run"))
    assert (decision.why, decision.until) == ("probe", clock.now() + ANSWER_DEADLINE)


def test_a_probe_that_is_answered_closes_the_breaker(
    ledger: Ledger, another_process: Ledger, clock: MovingClock
):
    open_breaker(ledger)
    pass_time(clock, FIRST_COOL_DOWN)
    probe = reserve(ledger, *crowd(5))
    ledger.mark_sent(probe.request_id)
    reply(ledger, probe)
    ledger.count_success()
    assert room_for(another_process, crowd(5, prefix="q")) == 5
    for _ in range(FAILURES_THAT_OPEN - 1):
        ledger.count_failure()
    assert room_for(another_process, crowd(5, prefix="q")) == 5


def test_each_failed_probe_doubles_the_cool_down_up_to_the_longest_pause(
    ledger: Ledger, clock: MovingClock
):
    open_breaker(ledger)
    cool_downs = []
    for number in range(9):
        cool_downs.append(closed_for(ledger, clock))
        pass_time(clock, cool_downs[-1])
        reserve(ledger, candidate(f"probe-{number}"))
        ledger.count_failure()
    seconds = [cool_down.total_seconds() for cool_down in cool_downs]
    assert seconds == [15, 30, 60, 120, 240, 480, 900, 900, 900]


def test_what_fails_late_lengthens_no_cool_down_after_a_failed_probe_either(
    ledger: Ledger, clock: MovingClock
):
    open_breaker(ledger)
    pass_time(clock, FIRST_COOL_DOWN)
    reserve(ledger, candidate("probe"))
    for _ in range(3):  # the probe, and two that were on the wire
        ledger.count_failure()
    assert closed_for(ledger, clock) == 2 * FIRST_COOL_DOWN


def test_the_lease_of_a_dead_prober_runs_out(
    ledger: Ledger, another_process: Ledger, clock: MovingClock
):
    open_breaker(ledger)
    pass_time(clock, FIRST_COOL_DOWN)
    reserve(ledger, candidate("killed"))
    pass_time(clock, ANSWER_DEADLINE - TICK)
    assert waiting(another_process.admit(ONE_PERSON, "run")).why == "probe"
    pass_time(clock, TICK)
    assert len(reserve(another_process, *crowd(5)).calls) == 1
    assert waiting(ledger.admit(ONE_PERSON, "run")).why == "probe"


def test_a_dead_prober_holds_others_back_no_longer_where_answers_come_by_callback(
    ledger_of: LedgerOf, clock: MovingClock
):
    """The response tells whether the provider is back; its answer may take half an hour."""
    ledger = ledger_of(answer_deadline=timedelta(minutes=30))
    open_breaker(ledger)
    pass_time(clock, FIRST_COOL_DOWN)
    killed = reserve(ledger, candidate("killed"))
    ledger.mark_sent(killed.request_id, awaits_callback=True)
    assert closed_for(ledger, clock) == ANSWER_DEADLINE
    pass_time(clock, ANSWER_DEADLINE)
    assert len(reserve(ledger, *crowd(5)).calls) == 1


def test_a_failed_probe_frees_its_lease_after_the_cool_down(ledger: Ledger, clock: MovingClock):
    open_breaker(ledger)
    pass_time(clock, FIRST_COOL_DOWN)
    reserve(ledger, candidate("probe"))
    ledger.count_failure()
    assert closed_for(ledger, clock) == 2 * FIRST_COOL_DOWN
