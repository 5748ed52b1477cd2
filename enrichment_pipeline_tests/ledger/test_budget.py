"""Budgets: what each priority may still spend of the run's, the day's and the month's."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from enrichment_pipeline.ledger.admission import Exhausted
from enrichment_pipeline.ledger.store import LedgerStore
from enrichment_pipeline_tests.ledger import (
    GIVEN_BACK,
    MATCHED,
    MISSED,
    NOT_ANSWERED,
    Ledger,
    admitted,
    booked_budgets,
    bring_to,
    buy,
    candidate,
    crowd,
    ids,
    recomputed_budgets,
    reply,
    reserve,
    room_for,
    send,
    settle_all,
)
from enrichment_pipeline_tests.ledger.conftest import LedgerOf
from enrichment_pipeline_tests.support import MovingClock

WIDE = 100_000
"""Items a window: in these tests only the budget is tight."""


@pytest.mark.parametrize(
    ("budget", "period"), [("per_run", "run"), ("per_day", "day"), ("per_month", "month")]
)
def test_each_budget_is_spent_to_the_last_credit_and_no_further(
    ledger_of: LedgerOf, budget: str, period: str
):
    ledger = ledger_of(items_per_window=WIDE, **{budget: 7}, floors={"standard": 0})
    batch = reserve(ledger, *crowd(10))
    assert len(batch.calls) == 7
    assert ledger.admit(batch.left_over, "run") == Exhausted(period)


def test_the_tightest_budget_decides(ledger_of: LedgerOf):
    ledger = ledger_of(
        items_per_window=WIDE, per_run=9, per_day=5, per_month=7, floors={"standard": 0}
    )
    batch = reserve(ledger, *crowd(10))
    assert len(batch.calls) == 5
    assert ledger.admit(batch.left_over, "run") == Exhausted("day")


def test_bulk_leaves_the_floor_untouched(ledger_of: LedgerOf):
    floors = {"bulk": 0.5, "standard": 0.3, "target": 0.1, "strategic": 0}
    ledger = ledger_of(items_per_window=WIDE, per_day=20, floors=floors)
    spent = {}
    for priority in ("bulk", "standard", "target", "strategic"):
        batch = reserve(ledger, *crowd(30, priority, prefix=priority))
        spent[priority] = len(batch.calls)
        assert ledger.admit(batch.left_over, "run") == Exhausted("day")
    assert spent == {"bulk": 10, "standard": 4, "target": 4, "strategic": 2}


def test_a_floor_holds_in_the_month_too_but_not_in_the_run(ledger_of: LedgerOf):
    ledger = ledger_of(items_per_window=WIDE, per_run=4, per_month=10, floors={"bulk": 0.5})
    assert len(reserve(ledger, *crowd(9, "bulk"), run_id="one").calls) == 4
    left = reserve(ledger, *crowd(9, "bulk", prefix="q"), run_id="two")
    assert len(left.calls) == 1
    assert ledger.admit(left.left_over, "two") == Exhausted("month")


@pytest.mark.parametrize(
    ("per_day", "floor"),
    [(10, 0.8), (10, 0.9), (10, 0.7), (100, 0.07), (1000, 0.999), (3, 0.5), (7, 0.0), (7, 1.0)],
)
def test_a_floor_is_exact_to_the_credit(ledger_of: LedgerOf, per_day: int, floor: float):
    """1 - 0.8 is 0.19999999999999996 in floating point: the second of two credits was lost."""
    ledger = ledger_of(items_per_window=WIDE, per_day=per_day, floors={"bulk": floor})
    usable = int(per_day * (1 - Decimal(str(floor))))
    assert room_for(ledger, crowd(per_day, "bulk")) == usable


@pytest.mark.parametrize("max_credits", [0, 3, 50])
def test_a_cap_of_the_run_lowers_its_budget_and_never_raises_it(
    ledger_of: LedgerOf, max_credits: int
):
    ledger = ledger_of(items_per_window=WIDE, per_run=8)
    spent = 0
    left = crowd(20)
    for _ in range(3):
        decision = ledger.admit(left, "run", max_credits)
        if isinstance(decision, Exhausted):
            assert decision == Exhausted("run")
            break
        spent += len(admitted(decision).calls)
        left = list(admitted(decision).left_over)
    assert spent == min(max_credits, 8)


@pytest.mark.parametrize(
    ("settlement", "expected"),
    [(MATCHED, (0, 1)), (MISSED, (0, 0)), (GIVEN_BACK, (0, 0)), (NOT_ANSWERED, (1, 0))],
    ids=["matched", "missed", "released", "unconfirmed"],
)
def test_settling_books_what_was_charged_and_gives_the_rest_back(
    ledger: Ledger, settlement, expected: tuple[int, int]
):
    batch = send(ledger, candidate("ada"))
    for period in ("run:run", "day:2026-03-02", "month:2026-03"):
        assert ledger.budget_used(period) == (1, 0)
    settle_all(ledger, batch, settlement)
    for period in ("run:run", "day:2026-03-02", "month:2026-03"):
        assert ledger.budget_used(period) == expected
    assert ledger.budget_used("day:2026-03-03") == (0, 0)


def test_credits_that_came_back_can_be_spent(ledger_of: LedgerOf):
    ledger = ledger_of(items_per_window=WIDE, per_run=5)
    batch = send(ledger, *crowd(5))
    assert ledger.admit([candidate("later")], "run") == Exhausted("run")
    outcomes = [MATCHED, MISSED, MISSED, NOT_ANSWERED, GIVEN_BACK]
    ledger.settle(dict(zip(ids(batch), outcomes, strict=True)), reply_id=reply(ledger, batch))
    assert room_for(ledger, crowd(9, prefix="q")) == 3


def test_a_late_answer_turns_a_credit_held_for_it_into_a_charge(ledger: Ledger):
    batch = bring_to(ledger, "unconfirmed", "ada")
    assert ledger.budget_used("run:run") == (1, 0)
    settle_all(ledger, batch, MATCHED, reply(ledger, batch))
    assert ledger.budget_used("run:run") == (0, 1)


def test_a_credit_is_booked_on_the_day_of_its_reservation(ledger_of: LedgerOf, clock: MovingClock):
    clock.advance(hours=14, minutes=59, seconds=59)
    assert clock.now() == datetime(2026, 3, 2, 23, 59, 59, tzinfo=UTC)
    ledger = ledger_of(items_per_window=WIDE, per_day=4, floors={"standard": 0})
    batch = send(ledger, *crowd(4))
    clock.advance(seconds=2)
    settle_all(ledger, batch, MATCHED, reply(ledger, batch))
    assert ledger.budget_used("day:2026-03-02") == (0, 4)
    assert ledger.budget_used("day:2026-03-03") == (0, 0)
    assert room_for(ledger, crowd(9, prefix="q")) == 4


def test_a_new_month_has_a_budget_of_its_own(ledger_of: LedgerOf, clock: MovingClock):
    ledger = ledger_of(items_per_window=WIDE, per_month=3, floors={"standard": 0})
    buy(ledger, *crowd(3))
    assert ledger.admit([candidate("later")], "run") == Exhausted("month")
    clock.advance(days=30)
    assert room_for(ledger, crowd(9, prefix="q")) == 3


def test_one_budget_counts_what_all_providers_cost_together(ledger_of: LedgerOf):
    tight = {"items_per_window": WIDE, "per_day": 2, "floors": {"standard": 0}}
    cheap = ledger_of("another", **tight, unit_cost=0.28)
    buy(ledger_of("signalhire", **tight), *crowd(1))
    assert room_for(cheap, crowd(5)) == 3
    buy(cheap, *crowd(2, prefix="q"))
    assert cheap.budget_used("day:2026-03-02") == (0, Decimal("1.56"))
    assert room_for(ledger_of("signalhire", **tight), crowd(5)) == 0
    assert room_for(cheap, crowd(5)) == 1


@pytest.mark.parametrize("unit_cost", [0.28, 1, 5])
def test_a_runs_cap_counts_credits_whatever_one_costs(ledger_of: LedgerOf, unit_cost: float):
    ledger = ledger_of(items_per_window=WIDE, unit_cost=unit_cost)
    assert len(admitted(ledger.admit(crowd(9), "run", max_credits=4)).calls) == 4
    assert ledger.admit(crowd(9, prefix="q"), "run", max_credits=4) == Exhausted("run")


def test_a_call_that_is_half_a_credit_takes_half_a_one_of_a_runs_cap(ledger_of: LedgerOf):
    ledger = ledger_of(items_per_window=WIDE, unit_cost=0.5, credits_per_unit=0.5)
    batch = admitted(ledger.admit(crowd(9), "run", max_credits=2))
    assert len(batch.calls) == 4
    ledger.mark_sent(batch.request_id)
    settle_all(ledger, batch, MATCHED)
    assert ledger.admit(crowd(9, prefix="q"), "run", max_credits=2) == Exhausted("run")


def test_a_runs_cap_counts_the_credits_of_all_providers_together(ledger_of: LedgerOf):
    """What was drawn at one price is no other number of credits at another's."""
    cheap = ledger_of("another", items_per_window=WIDE, unit_cost=0.1)
    dear = ledger_of(items_per_window=WIDE, unit_cost=3)
    halves = ledger_of("third", items_per_window=WIDE, unit_cost=0.5, credits_per_unit=0.5)
    for ledger, calls in ((cheap, 2), (dear, 2), (halves, 4)):
        wanted = crowd(calls, prefix=ledger.provider)
        batch = admitted(ledger.admit(wanted, "run", max_credits=6))
        assert len(batch.calls) == calls
        ledger.mark_sent(batch.request_id)
        settle_all(ledger, batch, MATCHED)
    for ledger in (cheap, dear, halves):
        assert ledger.admit(crowd(1, prefix="q"), "run", max_credits=6) == Exhausted("run")


def test_a_miss_gives_its_credit_back_to_a_runs_cap(ledger_of: LedgerOf):
    ledger = ledger_of(items_per_window=WIDE)
    batch = admitted(ledger.admit(crowd(3), "run", max_credits=3))
    ledger.mark_sent(batch.request_id)
    settle_all(ledger, batch, MISSED)
    assert len(admitted(ledger.admit(crowd(9, prefix="q"), "run", max_credits=3)).calls) == 3


def test_a_runs_cap_on_credits_is_none_on_a_quota(ledger_of: LedgerOf):
    ledger = ledger_of(items_per_window=WIDE, pool="signalhire.search")
    assert len(admitted(ledger.admit(crowd(9), "run", max_credits=0)).calls) == 9


def test_pools_are_budgets_of_their_own(ledger_of: LedgerOf):
    tight = {"items_per_window": WIDE, "per_day": 2, "floors": {"standard": 0}}
    buy(ledger_of(**tight), *crowd(2))
    assert room_for(ledger_of("another", **tight, pool="another.search"), crowd(5)) == 2


def test_a_provider_whose_quota_is_used_up_leaves_the_common_pool_to_others(
    ledger_of: LedgerOf, clock: MovingClock
):
    ledger, other = ledger_of(items_per_window=WIDE), ledger_of("another", items_per_window=WIDE)
    ledger.note_used_up()
    assert ledger.admit(crowd(2), "run") == Exhausted("day")
    assert room_for(other, crowd(2)) == 2
    clock.advance(days=1)
    assert room_for(ledger, crowd(2)) == 2


def test_what_was_reserved_at_one_price_is_given_back_at_that_price(ledger_of: LedgerOf):
    wide = {"items_per_window": WIDE}
    batch = reserve(ledger_of(**wide, unit_cost=3), *crowd(2))
    dearer = ledger_of(**wide, unit_cost=5)
    dearer.mark_sent(batch.request_id)
    settle_all(dearer, batch, MATCHED)
    assert dearer.budget_used("day:2026-03-02") == (0, 6)


def test_the_budget_table_says_what_the_look_ups_say(
    ledger: Ledger, store: LedgerStore, clock: MovingClock
):
    for number, settlement in enumerate([MATCHED, MISSED, GIVEN_BACK, NOT_ANSWERED]):
        buy(ledger, candidate(f"p{number}"), settlement=settlement, run_id=f"run-{number % 2}")
        clock.advance(hours=9)
    reserve(ledger, candidate("waiting"))
    booked = booked_budgets(store)
    assert booked == recomputed_budgets(store)
    assert booked["month:2026-03"] == (2, 1)
