"""The journal: the fence around every step, the raw replies, and what a kill leaves behind."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import product

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from enrichment_pipeline.ledger import kept
from enrichment_pipeline.ledger import store as store_module
from enrichment_pipeline.ledger.admission import NotDue
from enrichment_pipeline.ledger.journal import FenceError, Settlement
from enrichment_pipeline.ledger.kept import Asked
from enrichment_pipeline.ledger.questions import BalanceGap
from enrichment_pipeline.ledger.schema import (
    APPLIED,
    RELEASED,
    REPLIED,
    RESERVED,
    SENT,
    UNCONFIRMED,
    calls,
    replies,
    requests,
)
from enrichment_pipeline.ledger.store import LedgerStore, open_store
from enrichment_pipeline_tests.ledger import (
    ANSWER_DEADLINE,
    GIVEN_BACK,
    MATCHED,
    MISSED,
    NOT_ANSWERED,
    OTHERS,
    SEND_LEASE,
    STATES,
    TICK,
    Ledger,
    booked_budgets,
    bring_to,
    buy,
    candidate,
    count_rows,
    crowd,
    ids,
    limits_of,
    recomputed_budgets,
    reply,
    reserve,
    room_for,
    send,
    settle_all,
    states,
)
from enrichment_pipeline_tests.ledger.conftest import LedgerOf
from enrichment_pipeline_tests.support import MovingClock

ALLOWED = {
    (RESERVED, SENT),
    (SENT, REPLIED),
    (UNCONFIRMED, REPLIED),
    (REPLIED, APPLIED),
    (RESERVED, RELEASED),
    (SENT, RELEASED),
    (UNCONFIRMED, RELEASED),
    (SENT, UNCONFIRMED),
}
"""Written out, and not read from the schema: a step that is added there has to be added here."""

REACHABLE = tuple(state for state in STATES if state != RESERVED)


@pytest.fixture
def another_process(ledger_url: str) -> Iterator[LedgerStore]:
    """The same ledger through connections of its own."""
    store = open_store(ledger_url)
    yield store
    store.close()


def take_step(ledger: Ledger, request_id: str, lookup_ids: list[str], to: str) -> None:
    """Attempt the step; FenceError where it is refused."""
    if to == SENT:
        ledger.mark_sent(request_id)
    elif to == APPLIED:
        if ledger.mark_applied(lookup_ids) != len(lookup_ids):
            raise FenceError
    else:
        ledger.settle(dict.fromkeys(lookup_ids, Settlement(to, "any")))


# --- the fence ---------------------------------------------------------------------------


@pytest.mark.parametrize(("source", "to"), sorted(product(STATES, REACHABLE)))
def test_a_step_is_taken_exactly_where_it_is_allowed(
    ledger: Ledger, store: LedgerStore, source: str, to: str
):
    batch = bring_to(ledger, source)
    before = booked_budgets(store)
    if (source, to) in ALLOWED:
        take_step(ledger, batch.request_id, ids(batch), to)
        assert states(store) == {ids(batch)[0]: to}
    else:
        with pytest.raises(FenceError):
            take_step(ledger, batch.request_id, ids(batch), to)
        assert states(store) == {ids(batch)[0]: source}
        assert booked_budgets(store) == before
    assert booked_budgets(store) == recomputed_budgets(store)


def test_a_batch_is_settled_as_a_whole_or_not_at_all(ledger: Ledger, store: LedgerStore):
    batch = send(ledger, *crowd(3))
    first, second, third = ids(batch)
    ledger.settle({second: MISSED})
    before = booked_budgets(store)
    with pytest.raises(FenceError):
        ledger.settle({first: MATCHED, second: MATCHED, third: NOT_ANSWERED})
    assert states(store) == {first: SENT, second: REPLIED, third: SENT}
    assert booked_budgets(store) == before


def test_unknown_look_ups_are_refused_together_with_the_others(ledger: Ledger, store: LedgerStore):
    batch = send(ledger, candidate("ada"))
    with pytest.raises(FenceError):
        ledger.settle({ids(batch)[0]: MATCHED, "unheard-of": MATCHED})
    assert states(store) == {ids(batch)[0]: SENT}


def test_a_batch_of_which_anything_was_released_is_not_sent(ledger: Ledger, store: LedgerStore):
    batch = reserve(ledger, *crowd(3))
    ledger.settle({ids(batch)[1]: GIVEN_BACK})
    before = states(store)
    with pytest.raises(FenceError):
        ledger.mark_sent(batch.request_id)
    assert states(store) == before


def test_of_two_who_settle_at_once_one_wins_whole(
    ledger: Ledger, store: LedgerStore, another_process: LedgerStore, clock: MovingClock
):
    other = Ledger(another_process, "signalhire", limits_of(), clock)
    for round_ in range(10):
        batch = send(ledger, *crowd(2, prefix=f"r{round_}-"))
        barrier = threading.Barrier(2)

        def attempt(
            who: Ledger, what: Settlement, batch=batch, barrier=barrier
        ) -> Settlement | None:
            barrier.wait(10)
            try:
                settle_all(who, batch, what)
            except FenceError:
                return None
            return what

        with ThreadPoolExecutor(2) as pool:
            tries = [pool.submit(attempt, ledger, MATCHED), pool.submit(attempt, other, GIVEN_BACK)]
            winners = [winner for one in tries if (winner := one.result(20))]
        assert len(winners) == 1
        assert {states(store)[call_id] for call_id in ids(batch)} == {winners[0].state}
        clock.advance(minutes=5)
    assert booked_budgets(store) == recomputed_budgets(store)


# --- raw replies -------------------------------------------------------------------------

BODIES = {
    "empty": b"",
    "not UTF-8": b"\xff\xfe\x00[\x80",
    "every byte": bytes(range(256)) * 3,
    "large": random.Random(1).randbytes(3_000_000),
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_reply_is_kept_byte_for_byte(ledger: Ledger, body: bytes):
    reply_id = reply(ledger, send(ledger, candidate("ada")), body)
    assert ledger.reply_bodies([reply_id]) == [(reply_id, body)]
    assert [unread.bodies for unread in ledger.unread_replies()] == [((200, body),)]


def test_the_same_reply_is_kept_once_and_another_one_beside_it(ledger: Ledger, store: LedgerStore):
    batch = send(ledger, candidate("ada"))
    first = reply(ledger, batch, b"one")
    assert reply(ledger, batch, b"one") == first
    second = reply(ledger, batch, b"two")
    assert dict(ledger.reply_bodies([first, second])) == {first: b"one", second: b"two"}
    assert count_rows(store, replies) == 2


def test_a_raw_reply_is_committed_before_anything_is_settled(
    ledger: Ledger, another_process: LedgerStore, clock: MovingClock
):
    batch = send(ledger, candidate("ada"))
    clock.advance(seconds=3)
    reply_id = ledger.record_reply(batch.request_id, http_status=200, body=b"[]", credits_left=41)
    with another_process.read() as connection:
        reply_row = connection.execute(sa.select(replies)).one()
        of_batch = connection.execute(sa.select(requests)).one()
    assert (reply_row.reply_id, reply_row.http_status, reply_row.body) == (reply_id, 200, b"[]")
    assert reply_row.received_at == of_batch.responded_at == clock.now()
    assert of_batch.credits_left == 41
    assert states(another_process) == {ids(batch)[0]: SENT}


def test_what_is_sent_was_committed_as_such_before(
    ledger: Ledger, another_process: LedgerStore, clock: MovingClock
):
    batch = reserve(ledger, *crowd(2))
    assert set(states(another_process).values()) == {RESERVED}
    ledger.mark_sent(batch.request_id)
    assert set(states(another_process).values()) == {SENT}
    with another_process.read() as connection:
        row = connection.execute(sa.select(requests)).one()
    assert (row.sent_at, row.deadline_at) == (clock.now(), clock.now() + ANSWER_DEADLINE)


def test_a_reply_to_an_unknown_batch_is_refused(ledger: Ledger, store: LedgerStore):
    with pytest.raises(IntegrityError):
        ledger.record_reply("unheard-of", http_status=200, body=b"", credits_left=None)
    assert count_rows(store, replies) == 0


def test_a_settled_look_up_leads_to_its_answer(ledger: Ledger, store: LedgerStore):
    batch = send(ledger, *crowd(2))
    reply_id = reply(ledger, batch)
    first, second = ids(batch)
    ledger.settle(
        {
            first: Settlement(REPLIED, "matched", None, 1, answer_index=1),
            second: Settlement(REPLIED, "refused", "not_an_item", 0, answer_index=0),
        },
        reply_id=reply_id,
    )
    with store.read() as connection:
        rows = {row.call_id: row for row in connection.execute(sa.select(calls))}
    assert {row.reply_id for row in rows.values()} == {reply_id}
    assert (rows[first].answer_index, rows[first].outcome) == (1, "matched")
    assert (rows[first].units_charged, rows[first].reason) == (1, None)
    assert (rows[second].answer_index, rows[second].outcome) == (0, "refused")
    assert (rows[second].units_charged, rows[second].reason) == (0, "not_an_item")


# --- after a kill ------------------------------------------------------------------------


def test_reservations_of_dead_runs_are_released_and_those_of_living_ones_are_not(
    ledger: Ledger, store: LedgerStore
):
    dead = reserve(ledger, *crowd(2, prefix="dead"), run_id="dead")
    living = reserve(ledger, candidate("living"), run_id="living")
    assert ledger.clear_abandoned(["dead", "unheard-of"]) == 2
    assert {states(store)[call_id] for call_id in ids(dead)} == {RELEASED}
    assert states(store)[ids(living)[0]] == RESERVED
    assert ledger.budget_used("run:dead") == (0, 0)
    assert ledger.clear_abandoned(["dead"]) == 0


def test_a_reservation_is_released_once_its_lease_is_over(
    ledger: Ledger, store: LedgerStore, clock: MovingClock
):
    batch = reserve(ledger, candidate("ada"))
    clock.advance(seconds=(SEND_LEASE - TICK).total_seconds())
    assert ledger.clear_abandoned() == 0
    clock.advance(seconds=TICK.total_seconds())
    assert ledger.clear_abandoned() == 1
    assert states(store) == {ids(batch)[0]: RELEASED}
    with pytest.raises(FenceError):
        ledger.mark_sent(batch.request_id)


def test_what_was_sent_and_not_answered_is_unconfirmed_from_its_deadline_on(
    ledger: Ledger, store: LedgerStore, clock: MovingClock
):
    """Not sooner, although its run is dead: the provider may still be at work on it."""
    batch = send(ledger, candidate("ada"), run_id="dead")
    clock.advance(seconds=(ANSWER_DEADLINE - TICK).total_seconds())
    assert ledger.clear_abandoned(["dead"]) == 0
    clock.advance(seconds=TICK.total_seconds())
    assert ledger.clear_abandoned(["dead"]) == 1
    assert states(store) == {ids(batch)[0]: UNCONFIRMED}
    assert ledger.budget_used("run:dead") == (1, 0)


def test_what_has_an_unread_answer_is_not_abandoned(
    ledger: Ledger, store: LedgerStore, clock: MovingClock
):
    batch = send(ledger, candidate("ada"), run_id="dead")
    reply(ledger, batch)
    clock.advance(days=2)
    assert ledger.clear_abandoned(["dead"]) == 0
    assert states(store) == {ids(batch)[0]: SENT}


def test_the_unread_answer_of_one_batch_keeps_no_other_from_its_deadline(
    ledger: Ledger, clock: MovingClock
):
    waiting_for_more = send(ledger, candidate("ada"), candidate("bob"), run_id="dead")
    read = reply(ledger, waiting_for_more)
    ledger.settle({ids(waiting_for_more)[0]: MATCHED}, reply_id=read)
    for number in range(6):  # their ids come before that one and after it
        reply(ledger, send(ledger, candidate(f"unread-{number}"), run_id="dead"))
    clock.advance(days=1)
    assert ledger.clear_abandoned(["dead"]) == 1


def test_clearing_up_leaves_other_providers_alone(ledger_of: LedgerOf, clock: MovingClock):
    for other in OTHERS:
        reserve(ledger_of(other), candidate("ada"), run_id="dead")
        send(ledger_of(other), candidate("bob"), run_id="dead")
    clock.advance(days=1)
    assert ledger_of("signalhire").clear_abandoned(["dead"]) == 0
    for other in OTHERS:
        assert ledger_of(other).clear_abandoned(["dead"]) == 2


def test_a_kept_reply_that_is_not_settled_is_found_with_its_items(
    ledger: Ledger, clock: MovingClock
):
    batch = send(ledger, candidate("ada"), candidate("bob"))
    clock.advance(seconds=2)
    answered_at = clock.business_now()
    reply_id = reply(ledger, batch, b"answer")
    clock.advance(days=1)
    (unread,) = ledger.unread_replies()
    assert (unread.reply_id, unread.request_id) == (reply_id, batch.request_id)
    assert (unread.bodies, unread.answered_at) == (((200, b"answer"),), answered_at)
    assert set(unread.asked) == {
        Asked(ids(batch)[0], "ada@crowd.example", SENT, None),
        Asked(ids(batch)[1], "bob@crowd.example", SENT, None),
    }
    assert not unread.is_callback


def test_a_reply_is_read_once_it_has_settled_what_it_could(ledger: Ledger):
    batch = send(ledger, candidate("ada"), candidate("bob"))
    reply_id = reply(ledger, batch)
    ledger.settle({ids(batch)[0]: MISSED})
    (unread,) = ledger.unread_replies()
    assert {asked.state for asked in unread.asked} == {SENT, REPLIED}
    ledger.settle({ids(batch)[1]: NOT_ANSWERED}, reply_id=reply_id)
    assert list(ledger.unread_replies()) == []


def test_an_answer_past_its_deadline_is_found_too(ledger: Ledger, clock: MovingClock):
    batch = send(ledger, candidate("ada"))
    clock.advance(hours=1)
    ledger.clear_abandoned()
    reply(ledger, batch, b"late")
    (unread,) = ledger.unread_replies()
    assert unread.bodies == ((200, b"late"),)
    assert [asked.state for asked in unread.asked] == [UNCONFIRMED]
    settle_all(ledger, batch, MATCHED, unread.reply_id)
    assert list(ledger.unread_replies()) == []


# --- what the warehouse copies -----------------------------------------------------------


def read_changes(ledger: Ledger, since: int) -> list:
    return [row for page in ledger.changed_lookups(since) for row in page]


def test_changes_are_paged_by_revision_without_holes_or_repeats(
    ledger_of: LedgerOf, store: LedgerStore, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(store_module, "PAGE_ROWS", 3)
    ledger = ledger_of(items_per_window=1000)
    for size in (1, 3, 7, 4):
        buy(ledger, *crowd(size, prefix=f"batch-of-{size}-"))
    pages = list(ledger.changed_lookups(0))
    rows = [row for page in pages for row in page]
    assert [len(page) for page in pages] == [3, 3, 3, 3, 3]
    assert {row.lookup_id for row in rows} == set(states(store))
    assert len(rows) == 15
    assert [row.revision for row in rows] == sorted(row.revision for row in rows)


def test_only_changes_at_or_after_the_revision_are_read(ledger: Ledger):
    buy(ledger, candidate("ada"))
    known = read_changes(ledger, 0)[-1].revision
    assert [row.contact_id for row in read_changes(ledger, known)] == ["contact-ada"]
    assert read_changes(ledger, known + 1) == []
    buy(ledger, candidate("bob"))
    assert [row.contact_id for row in read_changes(ledger, known + 1)] == ["contact-bob"]


def test_a_reader_sees_replied_and_applied_as_one_state_and_no_change_between_them(
    ledger: Ledger,
):
    batch = buy(ledger, candidate("ada"))
    before = read_changes(ledger, 0)
    assert [row.state for row in before] == ["answered"]
    assert ledger.mark_applied(ids(batch)) == 1
    assert read_changes(ledger, 0) == before


def test_a_reader_who_goes_on_from_the_last_revision_misses_nothing_that_others_write(
    ledger_of: LedgerOf, store: LedgerStore, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(store_module, "PAGE_ROWS", 2)
    ledger = ledger_of(items_per_window=1000)

    def write(writer: int) -> None:
        for number in range(8):
            batch = send(ledger, *crowd(2, prefix=f"w{writer}-{number}-"), run_id=f"w{writer}")
            settle_all(ledger, batch, MATCHED if number % 2 else NOT_ANSWERED)

    copied: dict[str, str] = {}
    newest = 0

    def read() -> None:
        nonlocal newest
        for row in read_changes(ledger, newest):
            copied[row.lookup_id] = row.state
            newest = max(newest, row.revision)

    with ThreadPoolExecutor(3) as pool:
        writers = [pool.submit(write, writer) for writer in range(3)]
        while not all(writer.done() for writer in writers):
            read()
        for writer in writers:
            writer.result()
    read()
    names = {REPLIED: "answered", UNCONFIRMED: UNCONFIRMED}
    assert copied == {call_id: names[state] for call_id, state in states(store).items()}
    assert len(copied) == 48


def test_answers_are_marked_as_applied_once(ledger: Ledger, store: LedgerStore):
    answered = buy(ledger, *crowd(3))
    open_one = send(ledger, candidate("open"))
    [*_, last] = read_changes(ledger, 0)
    assert kept.mark_applied(store, last.revision - 2) == 0
    assert ledger.mark_applied(ids(answered) + ids(open_one)) == 3
    assert ledger.mark_applied(ids(answered)) == 0
    assert states(store)[ids(open_one)[0]] == SENT
    buy(ledger, candidate("later"))
    assert kept.mark_applied(store, last.revision) == 0
    assert kept.mark_applied(store, store.revision()) == 1


# --- the provider's balance --------------------------------------------------------------


def observe(ledger: Ledger, clock: MovingClock, credits_left: int) -> None:
    clock.advance(minutes=5)
    ledger.questions.observe_balance("run", credits_left)


def test_a_balance_that_fell_by_what_the_ledger_charged_leaves_nothing_unexplained(
    ledger: Ledger, clock: MovingClock
):
    assert ledger.questions.last_balance() is None
    observe(ledger, clock, 100)
    assert ledger.questions.balance_gap() is None
    buy(ledger, *crowd(3))
    buy(ledger, candidate("missed"), settlement=MISSED)
    observe(ledger, clock, 97)
    assert ledger.questions.last_balance() == (clock.now(), 97)
    gap = ledger.questions.balance_gap()
    assert gap == BalanceGap(provider_spent=3, ledger_charged=3, unconfirmed=0)
    assert gap.unexplained == 0
    # of three observations the last two count
    observe(ledger, clock, 95)
    assert ledger.questions.balance_gap() == BalanceGap(
        provider_spent=2, ledger_charged=0, unconfirmed=0
    )


def _nothing(_ledger: Ledger) -> None:
    pass


def _buy_one(ledger: Ledger) -> None:
    buy(ledger, candidate("bought"))


def _tear_two(ledger: Ledger) -> None:
    settle_all(ledger, send(ledger, *crowd(2)), NOT_ANSWERED)


@pytest.mark.parametrize(
    ("act", "balance_after", "unexplained"),
    [
        (_nothing, 100, 0),
        (_nothing, 95, 5),
        (_nothing, 150, -50),
        (_buy_one, 95, 4),
        (_buy_one, 100, -1),
        (_tear_two, 100, 0),
        (_tear_two, 99, 0),
        (_tear_two, 98, 0),
        (_tear_two, 95, 3),
    ],
)
def test_what_the_ledger_cannot_explain_is_named(
    ledger: Ledger,
    clock: MovingClock,
    act: Callable[[Ledger], None],
    balance_after: int,
    unexplained: int,
):
    observe(ledger, clock, 100)
    act(ledger)
    observe(ledger, clock, balance_after)
    gap = ledger.questions.balance_gap()
    assert gap is not None
    assert gap.unexplained == unexplained


@pytest.mark.parametrize("was_charged_then", [True, False])
def test_a_late_answer_to_what_was_unconfirmed_before_is_no_gap(
    ledger: Ledger, clock: MovingClock, was_charged_then: bool
):
    torn = bring_to(ledger, UNCONFIRMED, "torn")
    observe(ledger, clock, 99 if was_charged_then else 100)
    settle_all(ledger, torn, MATCHED, reply(ledger, torn))
    observe(ledger, clock, 99)
    gap = ledger.questions.balance_gap()
    assert gap is not None
    assert gap.unexplained == 0


def test_room_is_left_as_it_was_by_every_refused_step(ledger: Ledger):
    batch = bring_to(ledger, REPLIED)
    with pytest.raises(FenceError):
        ledger.mark_sent(batch.request_id)
    assert room_for(ledger, crowd(20)) == 9


# --- at a person's word --------------------------------------------------------------------


def test_an_unconfirmed_look_up_is_freed_at_a_persons_word(ledger: Ledger, store: LedgerStore):
    asked, other = bring_to(ledger, UNCONFIRMED, "ada"), bring_to(ledger, UNCONFIRMED, "bob")
    assert isinstance(ledger.admit([candidate("ada")], "run"), NotDue)
    assert ledger.release_unconfirmed(["person:ada", "person:unknown"]) == 1
    assert ledger.release_unconfirmed(["person:ada"]) == 0
    assert states(store) == {ids(asked)[0]: RELEASED, ids(other)[0]: UNCONFIRMED}
    assert booked_budgets(store) == recomputed_budgets(store)
    reserve(ledger, candidate("ada"))
