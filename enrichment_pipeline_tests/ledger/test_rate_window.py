"""The rate window: when a slot is taken, and at which instant exactly it comes back."""

from __future__ import annotations

from datetime import timedelta

import pytest

from enrichment_pipeline.ledger import gate
from enrichment_pipeline.ledger.admission import Wait
from enrichment_pipeline.ledger.journal import FenceError
from enrichment_pipeline.ledger.limits import Rate
from enrichment_pipeline.ledger.schema import RELEASED, RESERVED
from enrichment_pipeline.ledger.store import LedgerStore
from enrichment_pipeline_tests.ledger import (
    ANSWER_DEADLINE,
    MATCHED,
    MISSED,
    NOT_ANSWERED,
    OTHERS,
    SEND_LEASE,
    TICK,
    WINDOW,
    Ledger,
    buy,
    candidate,
    crowd,
    give_back_unsent,
    ids,
    reply,
    reserve,
    room_for,
    send,
    settle_all,
    states,
    waiting,
)
from enrichment_pipeline_tests.ledger.conftest import LedgerOf
from enrichment_pipeline_tests.support import MovingClock

LATER = candidate("later")


def assert_slots_come_back(ledger: Ledger, clock: MovingClock, after: float) -> None:
    """One microsecond before that many seconds have passed there is no room, and then there is."""
    decision = waiting(ledger.admit([LATER], "run"))
    assert decision.why == "rate"
    # an answer that came now would free a slot in one window: so long it is worth waiting at most
    assert decision.until == clock.now() + min(WINDOW, timedelta(seconds=after))
    clock.advance(seconds=after - TICK.total_seconds())
    assert waiting(ledger.admit([LATER], "run")).why == "rate"
    clock.advance(seconds=TICK.total_seconds())
    assert room_for(ledger, [LATER]) == 1


def test_no_more_items_than_the_limit_are_admitted_within_a_window(ledger: Ledger):
    batch = reserve(ledger, *crowd(25))
    assert len(batch.calls) == 10
    assert list(batch.left_over) == crowd(25)[10:]
    assert waiting(ledger.admit(batch.left_over, "run")).why == "rate"
    assert ledger.rate_window() == (10, 10)


def test_a_batch_is_admitted_in_part_where_only_part_of_it_fits(ledger: Ledger):
    buy(ledger, *crowd(7))
    batch = reserve(ledger, *crowd(5, prefix="q"))
    assert len(batch.calls) == 3
    assert list(batch.left_over) == crowd(5, prefix="q")[3:]


def test_a_slot_comes_back_one_window_after_the_response(ledger: Ledger, clock: MovingClock):
    batch = send(ledger, *crowd(10))
    clock.advance(seconds=20)
    reply(ledger, batch)
    assert_slots_come_back(ledger, clock, after=60)


def test_a_slot_does_not_come_back_sooner_because_the_answer_took_long_to_settle(
    ledger: Ledger, clock: MovingClock
):
    batch = send(ledger, *crowd(10))
    reply_id = reply(ledger, batch)
    clock.advance(seconds=59)
    settle_all(ledger, batch, MATCHED, reply_id)
    assert_slots_come_back(ledger, clock, after=1)


def test_slots_of_several_responses_come_back_one_after_the_other(
    ledger: Ledger, clock: MovingClock
):
    buy(ledger, *crowd(4))
    clock.advance(seconds=10)
    buy(ledger, *crowd(6, prefix="q"))
    assert_slots_come_back(ledger, clock, after=50)
    assert room_for(ledger, crowd(10, prefix="r")) == 4
    clock.advance(seconds=10)
    assert room_for(ledger, crowd(10, prefix="r")) == 10


@pytest.mark.parametrize("is_told", [False, True], ids=["unnoticed", "noted as unconfirmed"])
def test_a_slot_without_a_response_comes_back_one_window_after_the_deadline(
    ledger: Ledger, clock: MovingClock, is_told: bool
):
    batch = send(ledger, *crowd(10))
    if is_told:
        settle_all(ledger, batch, NOT_ANSWERED)
    assert_slots_come_back(ledger, clock, after=(ANSWER_DEADLINE + WINDOW).total_seconds())


def test_a_response_past_the_deadline_takes_its_slots_for_one_more_window(
    ledger: Ledger, clock: MovingClock
):
    batch = send(ledger, *crowd(10))
    clock.advance(seconds=(ANSWER_DEADLINE + WINDOW).total_seconds())
    reply(ledger, batch)
    assert_slots_come_back(ledger, clock, after=60)


def test_slots_of_a_request_that_never_left_come_back_at_once(ledger: Ledger):
    give_back_unsent(ledger, send(ledger, *crowd(10)))
    assert room_for(ledger, crowd(10, prefix="q")) == 10


def test_slots_of_a_dead_runs_reservation_come_back_when_it_is_cleared(ledger: Ledger):
    reserve(ledger, *crowd(10), run_id="dead")
    assert ledger.clear_abandoned(["dead"]) == 10
    assert room_for(ledger, crowd(10, prefix="q")) == 10


def test_slots_of_a_reservation_that_is_never_cleared_come_back_all_the_same(
    ledger: Ledger, clock: MovingClock
):
    reserve(ledger, *crowd(10), run_id="dead")
    assert_slots_come_back(ledger, clock, after=(SEND_LEASE + WINDOW).total_seconds())


def test_a_reservation_whose_lease_ran_out_is_not_sent_any_more(
    ledger: Ledger, store: LedgerStore, clock: MovingClock
):
    """As on a machine that was suspended: its slots may have been given to others since."""
    slept_over = reserve(ledger, *crowd(10))
    clock.advance(seconds=(SEND_LEASE + WINDOW).total_seconds())
    send(ledger, *crowd(10, prefix="q"))
    with pytest.raises(FenceError):
        ledger.mark_sent(slept_over.request_id)
    assert {states(store)[call_id] for call_id in ids(slept_over)} == {RESERVED}
    ledger.clear_abandoned()
    assert {states(store)[call_id] for call_id in ids(slept_over)} == {RELEASED}


def test_a_reservation_is_sent_up_to_the_end_of_its_lease(ledger: Ledger, clock: MovingClock):
    batch = reserve(ledger, candidate("ada"))
    clock.advance(seconds=(SEND_LEASE - TICK).total_seconds())
    ledger.mark_sent(batch.request_id)


def test_the_window_is_shared_by_runs_and_priorities_but_not_by_providers(ledger_of: LedgerOf):
    ledger = ledger_of()
    buy(ledger, *crowd(6, "bulk"), run_id="one")
    buy(ledger, *crowd(4, "strategic", prefix="q"), run_id="two")
    assert waiting(ledger.admit([LATER], "three")).why == "rate"
    for other in OTHERS:
        assert room_for(ledger_of(other), [LATER]) == 1


def test_after_a_429_the_rate_is_halved_and_comes_back_step_by_step(
    ledger_of: LedgerOf, clock: MovingClock
):
    ledger = ledger_of(items_per_window=8)
    ledger.pause(WINDOW)
    clock.advance(seconds=WINDOW.total_seconds())
    rates = []
    for _ in range(6):
        rates.append(room_for(ledger, crowd(8)))
        clock.advance(seconds=WINDOW.total_seconds())
    assert rates == [4, 5, 6, 7, 8, 8]


def test_another_429_halves_what_had_come_back(ledger_of: LedgerOf, clock: MovingClock):
    ledger = ledger_of(items_per_window=16)
    ledger.pause(WINDOW)
    clock.advance(seconds=3 * WINDOW.total_seconds())
    assert room_for(ledger, crowd(16)) == 12
    ledger.pause(WINDOW)
    clock.advance(seconds=WINDOW.total_seconds())
    assert room_for(ledger, crowd(16)) == 6


def test_429s_to_requests_that_were_on_the_wire_together_halve_the_rate_once(
    ledger_of: LedgerOf, clock: MovingClock
):
    ledger = ledger_of(items_per_window=8)
    for _ in range(8):
        ledger.pause(WINDOW)
        clock.advance(seconds=0.1)
    clock.advance(seconds=WINDOW.total_seconds())
    assert room_for(ledger, crowd(8)) == 4


def test_the_rate_does_not_come_back_while_the_pause_lasts(ledger_of: LedgerOf, clock: MovingClock):
    ledger = ledger_of(items_per_window=8)
    ledger.pause(5 * WINDOW)
    ledger.pause(WINDOW)
    clock.advance(seconds=5 * WINDOW.total_seconds())
    assert room_for(ledger, crowd(8)) == 4


def test_a_reduced_rate_still_lets_one_item_through(ledger_of: LedgerOf, clock: MovingClock):
    ledger = ledger_of(items_per_window=1)
    for _ in range(5):
        ledger.pause(WINDOW)
        clock.advance(seconds=WINDOW.total_seconds())
    assert room_for(ledger, crowd(3)) == 1


def test_what_is_in_the_window_counts_against_the_reduced_rate(
    ledger_of: LedgerOf, clock: MovingClock
):
    ledger = ledger_of(items_per_window=8)
    batch = send(ledger, *crowd(3))
    ledger.pause(WINDOW)
    clock.advance(seconds=WINDOW.total_seconds())
    reply(ledger, batch)
    assert room_for(ledger, crowd(8, prefix="q")) == int(8 * gate.RECOVERY_STEP * 4) - 3


# --- several rates at once -------------------------------------------------------------------

BURST, MINUTE = Rate(3, timedelta(seconds=1)), Rate(5, timedelta(seconds=60))


def test_several_rates_hold_at_once(ledger_of: LedgerOf, clock: MovingClock):
    ledger = ledger_of(rates=(BURST, MINUTE))
    batch = send(ledger, *crowd(10))
    assert len(batch.calls) == 3
    settle_all(ledger, batch, MISSED, reply(ledger, batch))
    decision = ledger.admit(batch.left_over, "run")
    assert decision == Wait(clock.now() + BURST.window, "rate")
    clock.advance(seconds=1)
    second = send(ledger, *batch.left_over)
    assert len(second.calls) == 2  # of a minute's five
    settle_all(ledger, second, MISSED, reply(ledger, second))
    clock.advance(seconds=1)
    assert ledger.admit(second.left_over, "run") == Wait(
        clock.now() + MINUTE.window - 2 * BURST.window, "rate"
    )


def test_a_rate_that_counts_requests_takes_a_request_of_many_items_for_one(
    ledger_of: LedgerOf, clock: MovingClock
):
    ledger = ledger_of(rates=(Rate(2, timedelta(seconds=60)),), counts_requests=True)
    for number in range(2):
        assert len(send(ledger, *crowd(8, prefix=f"b{number}-")).calls) == 8
    assert waiting(ledger.admit(crowd(1), "run")).why == "rate"
    assert ledger.rate_window() == (2, 2)
