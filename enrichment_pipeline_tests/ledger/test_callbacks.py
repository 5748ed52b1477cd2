"""Callbacks in the ledger: kept for what was sent, read in parts, corrected by a success."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from enrichment_pipeline.dispatch.asking import AskLookups
from enrichment_pipeline.dispatch.settling import read_kept_replies
from enrichment_pipeline.ledger.admission import Admitted, NotDue
from enrichment_pipeline.ledger.calls import Receipt
from enrichment_pipeline.ledger.schema import (
    APPLIED,
    RELEASED,
    REPLIED,
    SENT,
    UNCONFIRMED,
    calls,
    replies,
    requests,
)
from enrichment_pipeline.ledger.store import LedgerStore
from enrichment_pipeline.providers.signalhire.client import SignalHireClient
from enrichment_pipeline.vocabulary import SEARCH
from enrichment_pipeline_tests.ledger import (
    ANSWER_DEADLINE,
    MATCHED,
    OTHERS,
    WINDOW,
    Ledger,
    answer_body,
    booked_budgets,
    candidate,
    count_rows,
    ids,
    recomputed_budgets,
    reserve,
    waiting,
)
from enrichment_pipeline_tests.ledger.conftest import LedgerOf
from enrichment_pipeline_tests.support import MovingClock

CALLBACK_DEADLINE = timedelta(minutes=30)
READER = AskLookups(SignalHireClient("http://unused.invalid", "key"))


@pytest.fixture
def ledger(ledger_of: LedgerOf) -> Ledger:
    return ledger_of(answer_deadline=CALLBACK_DEADLINE)


def submit(ledger: Ledger, *names: str, run_id: str = "run") -> Admitted:
    batch = reserve(ledger, *map(candidate, names), run_id=run_id)
    ledger.mark_sent(batch.request_id, awaits_callback=True)
    return batch


def item(name: str) -> str:
    return candidate(name).item


def post(ledger: Ledger, batch: Admitted, **answers: str) -> None:
    """A callback with these statuses by name comes, and is read."""
    body = answer_body(*((item(name), status) for name, status in answers.items()))
    assert ledger.keep_callback(batch.request_id, body) is Receipt.KEPT
    read_kept_replies(ledger.store, ledger.calls, READER)


def rows_of(store: LedgerStore, name: str) -> list[sa.Row]:
    """A person's look-ups, in the order of their place."""
    with store.read() as connection:
        query = sa.select(calls).where(calls.c.item == item(name)).order_by(calls.c.revision)
        return list(connection.execute(query))


def states_of(store: LedgerStore, name: str) -> list[tuple[str, str | None]]:
    return [(row.state, row.outcome) for row in rows_of(store, name)]


# --- keeping -----------------------------------------------------------------------------


def test_only_a_batch_that_was_submitted_has_callbacks(
    ledger: Ledger, ledger_of: LedgerOf, store: LedgerStore
):
    synchronous = reserve(ledger, candidate("ada"))
    assert ledger.keep_callback(synchronous.request_id, b"[]") is Receipt.NO_SUCH_BATCH
    ledger.mark_sent(synchronous.request_id)
    assert ledger.keep_callback(synchronous.request_id, b"[]") is Receipt.NO_SUCH_BATCH
    assert ledger.keep_callback("no such batch", b"[]") is Receipt.NO_SUCH_BATCH
    submitted = submit(ledger, "bob")
    for other in OTHERS:
        receipt = ledger_of(other).keep_callback(submitted.request_id, b"[]")
        assert receipt is Receipt.NO_SUCH_BATCH
    assert count_rows(store, replies) == 0
    assert ledger.keep_callback(submitted.request_id, b"[]") is Receipt.KEPT
    assert count_rows(store, replies) == 1


@pytest.mark.parametrize("kind", ["a kind before it in the alphabet", SEARCH])
def test_a_batch_of_look_ups_has_no_callback_of_another_kind(
    ledger: Ledger, store: LedgerStore, clock: MovingClock, kind: str
):
    batch = submit(ledger, "ada")
    other = Ledger(store, ledger.provider, ledger.limits, clock, kind=kind)
    assert other.keep_callback(batch.request_id, b"[]") is Receipt.NO_SUCH_BATCH
    assert count_rows(store, replies) == 0


def test_the_same_callback_twice_is_kept_and_applied_once(ledger: Ledger, store: LedgerStore):
    batch = submit(ledger, "ada")
    for _ in range(2):
        post(ledger, batch, ada="success")
    assert count_rows(store, replies) == 1
    assert states_of(store, "ada") == [(REPLIED, "matched")]
    assert booked_budgets(store) == recomputed_budgets(store)


def test_a_callback_may_come_before_the_response(ledger: Ledger, store: LedgerStore):
    batch = submit(ledger, "ada")
    post(ledger, batch, ada="success")
    ledger.note_accepted(batch.request_id, request_ref="17", credits_left=9)
    with store.read() as connection:
        [row] = connection.execute(sa.select(requests)).all()
    assert (row.request_ref, row.credits_left) == ("17", 9)
    assert states_of(store, "ada") == [(REPLIED, "matched")]


# --- the rate window and the deadline ----------------------------------------------------


def test_a_slot_comes_back_one_window_after_the_response(ledger_of: LedgerOf, clock: MovingClock):
    ledger = ledger_of(answer_deadline=CALLBACK_DEADLINE, items_per_window=1)
    batch = submit(ledger, "ada")
    clock.advance(seconds=3)
    ledger.note_accepted(batch.request_id, request_ref=None, credits_left=None)
    assert waiting(ledger.admit([candidate("bob")], "run")).until == clock.now() + WINDOW
    clock.advance(seconds=WINDOW.total_seconds())
    reserve(ledger, candidate("bob"))


def test_where_no_response_came_its_deadline_counts_and_not_the_answers(
    ledger_of: LedgerOf, clock: MovingClock
):
    ledger = ledger_of(answer_deadline=CALLBACK_DEADLINE, items_per_window=1)
    submit(ledger, "ada")
    clock.advance(seconds=(ANSWER_DEADLINE + WINDOW).total_seconds())
    reserve(ledger, candidate("bob"))


def test_what_was_answered_in_part_ends_unconfirmed_for_the_rest(
    ledger: Ledger, store: LedgerStore, clock: MovingClock
):
    batch = submit(ledger, "ada", "bob")
    post(ledger, batch, ada="success")
    assert states_of(store, "bob") == [(SENT, None)]
    clock.advance(seconds=CALLBACK_DEADLINE.total_seconds() - 1)
    assert ledger.clear_abandoned() == 0
    clock.advance(seconds=1)
    assert ledger.clear_abandoned() == 1
    assert states_of(store, "bob") == [(UNCONFIRMED, "unconfirmed")]
    post(ledger, batch, bob="failed")
    assert states_of(store, "bob") == [(REPLIED, "no_match")]
    assert booked_budgets(store) == recomputed_budgets(store)


def test_an_unread_callback_is_not_past_its_deadline(
    ledger: Ledger, store: LedgerStore, clock: MovingClock
):
    batch = submit(ledger, "ada")
    clock.advance(days=1)
    ledger.keep_callback(batch.request_id, answer_body((item("ada"), "success")))
    assert ledger.clear_abandoned() == 0
    assert ledger.count_unread(received_before=clock.now()) == 0
    clock.advance(seconds=1)
    assert ledger.count_unread(received_before=clock.now()) == 1
    read_kept_replies(ledger.store, ledger.calls, READER)
    assert ledger.count_unread(received_before=clock.now()) == 0
    assert states_of(store, "ada") == [(REPLIED, "matched")]


# --- a later success ---------------------------------------------------------------------


@pytest.mark.parametrize("failure", ["failed", "timeout_exceeded"])
def test_a_later_success_supersedes_an_earlier_failure(
    ledger: Ledger, store: LedgerStore, failure: str
):
    batch = submit(ledger, "ada", "bob")
    post(ledger, batch, ada=failure, bob="success")
    post(ledger, batch, ada="success")
    failed, succeeded = rows_of(store, "ada")
    assert (succeeded.state, succeeded.outcome, succeeded.units_charged) == (
        REPLIED,
        "matched",
        1,
    )
    assert succeeded.supersedes == ("" if failed.state == RELEASED else failed.call_id)
    assert (succeeded.request_id, succeeded.run_id) == (failed.request_id, failed.run_id)
    assert succeeded.revision > failed.revision
    assert booked_budgets(store) == recomputed_budgets(store)
    # and no person is bought again
    assert isinstance(ledger.admit([candidate("ada")], "again"), NotDue)


def test_a_success_after_a_failure_that_stands_in_the_tables_already_takes_the_next_place(
    ledger: Ledger, store: LedgerStore
):
    batch = submit(ledger, "ada")
    post(ledger, batch, ada="failed")
    assert ledger.mark_applied() == 1
    post(ledger, batch, ada="success")
    failed, succeeded = rows_of(store, "ada")
    assert (failed.state, succeeded.state, succeeded.outcome) == (APPLIED, REPLIED, "matched")
    assert succeeded.supersedes == failed.call_id


def test_nothing_that_comes_later_takes_a_success_back(ledger: Ledger, store: LedgerStore):
    batch = submit(ledger, "ada")
    post(ledger, batch, ada="success")
    for status in ("failed", "credits_are_over", "something new"):
        post(ledger, batch, ada=status)
    assert states_of(store, "ada") == [(REPLIED, "matched")]


def test_what_had_not_failed_has_no_later_success(ledger: Ledger, store: LedgerStore):
    batch = submit(ledger, "ada", "bob")
    post(ledger, batch, ada="success")
    ledger.keep_callback(batch.request_id, answer_body((item("bob"), "success")))
    [unread] = ledger.unread_replies()
    later = dict.fromkeys(ids(batch), MATCHED)
    ledger.settle({}, reply_id=unread.reply_id, later_successes=later)
    assert states_of(store, "ada") == [(REPLIED, "matched")]
    assert states_of(store, "bob") == [(SENT, None)]
    assert booked_budgets(store) == recomputed_budgets(store)


def test_two_later_successes_are_one(ledger: Ledger, store: LedgerStore):
    batch = submit(ledger, "ada", "bob")
    post(ledger, batch, ada="failed")
    post(ledger, batch, ada="success")
    post(ledger, batch, ada="success", bob="failed")
    assert states_of(store, "ada") == [(REPLIED, "no_match"), (REPLIED, "matched")]
    assert booked_budgets(store) == recomputed_budgets(store)


def test_a_success_that_comes_after_the_person_was_bought_again_stays_raw(
    ledger: Ledger, store: LedgerStore
):
    first = submit(ledger, "ada")
    post(ledger, first, ada="timeout_exceeded")
    second = submit(ledger, "ada", run_id="another run")
    post(ledger, first, ada="success")
    assert states_of(store, "ada") == [(RELEASED, "retriable"), (SENT, None)]
    post(ledger, second, ada="success")
    assert [state for state, _ in states_of(store, "ada")] == [RELEASED, REPLIED]
    assert count_rows(store, replies) == 3
    assert list(ledger.unread_replies()) == []
    assert booked_budgets(store) == recomputed_budgets(store)


# --- finished batches --------------------------------------------------------------------


def test_a_batch_is_finished_when_none_of_its_look_ups_is_open(ledger: Ledger):
    whole, part = submit(ledger, "ada"), submit(ledger, "bob", "eve")
    both = [whole.request_id, part.request_id]
    assert ledger.finished_requests(both) == {}
    post(ledger, whole, ada="success")
    post(ledger, part, bob="failed")
    finished = ledger.finished_requests(both)
    assert {batch: [s.outcome for s in came] for batch, came in finished.items()} == {
        whole.request_id: ["matched"]
    }
    post(ledger, part, eve="timeout_exceeded")
    assert len(ledger.finished_requests(both)[part.request_id]) == len(ids(part))
