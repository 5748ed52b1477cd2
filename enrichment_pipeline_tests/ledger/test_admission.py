"""Admission: who is due, and that one person is never on two ways at once."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from enrichment_pipeline.ledger.admission import Exhausted, NotDue
from enrichment_pipeline.ledger.schema import (
    RELEASED,
    REPLIED,
    RESERVED,
    SENT,
    UNCONFIRMED,
    calls,
    requests,
)
from enrichment_pipeline.ledger.store import LedgerStore
from enrichment_pipeline_tests.ledger import (
    GIVEN_BACK,
    MATCHED,
    MISSED,
    NOT_ANSWERED,
    OTHERS,
    STATES,
    TICK,
    UNCONFIRMED_HOLD,
    Ledger,
    admitted,
    booked_budgets,
    bring_to,
    buy,
    candidate,
    count_rows,
    crowd,
    ids,
    reply,
    reserve,
    send,
    settle_all,
    states,
    waiting,
)
from enrichment_pipeline_tests.ledger.conftest import LedgerOf
from enrichment_pipeline_tests.support import MovingClock


def test_what_is_admitted_is_reserved_with_all_that_is_known_of_it(
    ledger: Ledger, store: LedgerStore, clock: MovingClock
):
    batch = reserve(ledger, candidate("ada", "target"), run_id="run-7")
    with store.read() as connection:
        row = connection.execute(sa.select(calls)).one()
    assert row.call_id == ids(batch)[0]
    assert (row.state, row.request_id, row.run_id) == (RESERVED, batch.request_id, "run-7")
    assert (row.person_key, row.contact_id) == ("person:ada", "contact-ada")
    assert (row.item, row.item_kind) == ("ada@crowd.example", "email")
    assert (row.freshness, row.priority, row.supersedes) == ("new", "target", "")
    assert (row.cost_reserved, row.unit_cost, row.units_charged) == (10**6, 10**6, 0)
    assert row.reserved_at == row.requested_at == clock.now()
    assert row.budget_day == "2026-03-02"


@pytest.mark.parametrize("state", [state for state in STATES if state != RELEASED])
def test_a_person_whose_look_up_is_not_released_is_not_due_again(ledger: Ledger, state: str):
    bring_to(ledger, state, "ada")
    assert ledger.admit([candidate("ada")], "another run") == NotDue(1)


def test_a_released_look_up_frees_its_person(ledger: Ledger):
    bring_to(ledger, RELEASED, "ada")
    again = reserve(ledger, candidate("ada"))
    assert len(again.calls) == 1


def test_a_person_who_is_offered_twice_is_reserved_once(ledger: Ledger):
    batch = reserve(ledger, candidate("ada"), candidate("bob"), candidate("ada"))
    names = [lookup.candidate.person_key for lookup in batch.calls]
    assert names == ["person:ada", "person:bob"]
    assert batch.skipped == 1


def test_those_still_due_are_admitted_beside_those_who_are_not(ledger: Ledger):
    buy(ledger, candidate("ada"))
    batch = reserve(ledger, candidate("ada"), candidate("bob"))
    assert [lookup.candidate.person_key for lookup in batch.calls] == ["person:bob"]
    assert batch.skipped == 1


def test_only_who_supersedes_the_last_look_up_is_due(ledger: Ledger):
    first = ids(buy(ledger, candidate("ada")))[0]
    assert ledger.admit([candidate("ada", supersedes="")], "run") == NotDue(1)
    assert ledger.admit([candidate("ada", supersedes="unheard-of")], "run") == NotDue(1)
    second = ids(buy(ledger, candidate("ada", supersedes=first)))[0]
    assert ledger.admit([candidate("ada", supersedes=first)], "run") == NotDue(1)
    third = reserve(ledger, candidate("ada", supersedes=second))
    assert len(third.calls) == 1


def test_a_released_successor_leaves_the_one_before_it_the_last(ledger: Ledger):
    first = ids(buy(ledger, candidate("ada")))[0]
    buy(ledger, candidate("ada", supersedes=first), settlement=GIVEN_BACK)
    assert ledger.admit([candidate("ada")], "run") == NotDue(1)
    assert len(reserve(ledger, candidate("ada", supersedes=first)).calls) == 1


@pytest.mark.parametrize("state", [RESERVED, SENT])
def test_a_look_up_under_way_cannot_be_superseded(ledger: Ledger, state: str):
    under_way = ids(bring_to(ledger, state, "ada"))[0]
    assert ledger.admit([candidate("ada", supersedes=under_way)], "run") == NotDue(1)


def test_an_unconfirmed_look_up_holds_its_person_for_the_hold_and_no_longer(
    ledger: Ledger, clock: MovingClock
):
    unconfirmed = ids(bring_to(ledger, UNCONFIRMED, "ada"))[0]
    again = candidate("ada", supersedes=unconfirmed)
    clock.advance(seconds=(UNCONFIRMED_HOLD - TICK).total_seconds())
    assert ledger.admit([again], "run") == NotDue(1)
    clock.advance(seconds=TICK.total_seconds())
    assert len(reserve(ledger, again).calls) == 1


def test_where_a_repeat_is_free_an_unconfirmed_look_up_is_made_once_more(
    ledger_of: LedgerOf, store: LedgerStore, clock: MovingClock
):
    ledger = ledger_of(is_repeat_free=True)
    first = ids(bring_to(ledger, UNCONFIRMED, "ada"))[0]
    repeat = buy(ledger, candidate("ada", supersedes=first), settlement=NOT_ANSWERED)
    second = ids(repeat)[0]
    assert states(store) == {first: UNCONFIRMED, second: UNCONFIRMED}
    # both may have been billed
    assert {reserved for reserved, _ in booked_budgets(store).values()} == {2}
    assert ledger.admit([candidate("ada", supersedes=second)], "run") == NotDue(1)
    assert ledger.admit([candidate("ada", supersedes=first)], "run") == NotDue(1)
    clock.advance(seconds=UNCONFIRMED_HOLD.total_seconds())
    assert len(reserve(ledger, candidate("ada", supersedes=second)).calls) == 1


def test_a_refresh_that_was_not_answered_is_no_repeat_yet(ledger_of: LedgerOf):
    ledger = ledger_of(is_repeat_free=True)
    answered = ids(buy(ledger, candidate("ada")))[0]
    refresh = buy(ledger, candidate("ada", supersedes=answered), settlement=NOT_ANSWERED)
    assert len(reserve(ledger, candidate("ada", supersedes=ids(refresh)[0])).calls) == 1


def test_a_look_up_of_a_dead_run_is_unconfirmed_also_where_a_repeat_is_free(
    ledger_of: LedgerOf, store: LedgerStore, clock: MovingClock
):
    ledger = ledger_of(is_repeat_free=True)
    sent = ids(send(ledger, candidate("ada"), run_id="dead"))[0]
    clock.advance(minutes=10)
    ledger.clear_abandoned(["dead"])
    assert states(store) == {sent: UNCONFIRMED}


def test_a_late_refusal_of_a_superseded_look_up_makes_no_older_one_due_again(
    ledger: Ledger, store: LedgerStore, clock: MovingClock
):
    first = ids(buy(ledger, candidate("ada")))[0]
    torn = send(ledger, candidate("ada", supersedes=first))
    clock.advance(minutes=10)
    ledger.clear_abandoned()
    assert states(store)[ids(torn)[0]] == UNCONFIRMED
    clock.advance(days=31)
    latest = ids(buy(ledger, candidate("ada", supersedes=ids(torn)[0])))[0]
    settle_all(ledger, torn, GIVEN_BACK, reply(ledger, torn))
    assert ledger.admit([candidate("ada", supersedes=first)], "run") == NotDue(1)
    assert len(reserve(ledger, candidate("ada", supersedes=latest)).calls) == 1


def test_look_ups_of_one_provider_are_none_of_anothers(ledger_of: LedgerOf):
    buy(ledger_of("signalhire"), candidate("ada"))
    for other in OTHERS:
        assert len(reserve(ledger_of(other), candidate("ada")).calls) == 1


def test_the_database_itself_refuses_a_second_open_look_up_of_a_person(
    ledger: Ledger, store: LedgerStore
):
    reserve(ledger, candidate("ada"))
    with store.read() as connection:
        row = dict(connection.execute(sa.select(calls)).one()._mapping)
    with store.write() as transaction:
        copy = row | {"call_id": "released-copy", "state": RELEASED, "is_released": True}
        transaction.connection.execute(sa.insert(calls).values(copy))
    with pytest.raises(IntegrityError), store.write() as transaction:
        transaction.connection.execute(
            sa.insert(calls).values(row | {"call_id": "copy", "state": REPLIED})
        )


@pytest.mark.parametrize(("state", "is_released"), [(RELEASED, False), (REPLIED, True)])
def test_the_database_itself_knows_who_is_released_by_the_state_alone(
    ledger: Ledger, store: LedgerStore, state: str, is_released: bool
):
    """The single-flight index goes by `is_released`."""
    reserve(ledger, candidate("ada"))
    with pytest.raises(IntegrityError), store.write() as transaction:
        transaction.connection.execute(
            sa.update(calls).values(state=state, is_released=is_released)
        )


@pytest.mark.parametrize("why", ["not due", "pause", "rate", "budget"])
def test_who_is_not_admitted_leaves_no_trace(
    ledger_of: LedgerOf, store: LedgerStore, clock: MovingClock, why: str
):
    ledger = ledger_of(items_per_window=2, per_run=2 if why == "budget" else 100)
    buy(ledger, *crowd(2))
    if why == "budget":
        clock.advance(minutes=5)
    if why == "pause":
        ledger.pause(None)
    before = count_rows(store, calls), count_rows(store, requests), states(store)
    decision = ledger.admit(crowd(2) if why == "not due" else [candidate("bob")], "run")
    match why:
        case "not due":
            assert decision == NotDue(2)
        case "budget":
            assert decision == Exhausted("run")
        case _:
            assert waiting(decision).why == why
    assert (count_rows(store, calls), count_rows(store, requests), states(store)) == before


def test_a_run_counts_what_it_bought_and_holds(ledger: Ledger, clock: MovingClock):
    batch = send(ledger, *crowd(4, prefix="a"))
    outcomes = [MATCHED, MATCHED, MISSED, GIVEN_BACK]
    ledger.settle(dict(zip(ids(batch), outcomes, strict=True)), reply_id=reply(ledger, batch))
    bring_to(ledger, UNCONFIRMED, "torn")
    reserve(ledger, candidate("waiting"))
    reserve(ledger, candidate("another"), run_id="another run")
    totals = ledger.run_totals("run")
    assert (totals.calls, totals.matched, totals.released, totals.unconfirmed) == (6, 2, 1, 1)
    assert (totals.no_match, totals.refused) == (1, 0)
    assert (totals.units_charged, totals.units_reserved) == (2, 2)
    assert ledger.lane_totals("run") == {("new", "standard"): totals}
    assert ledger.count_by_state() == {"replied": 3, "released": 1, "unconfirmed": 1, "reserved": 2}
    assert admitted(ledger.admit([candidate("new")], "run")).skipped == 0
