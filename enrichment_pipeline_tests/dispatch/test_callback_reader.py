"""Answers by callback: submitted, received, settled; in parts, twice, late, or never.

The sandbox posts to a real receiver over the same ledger.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from enrichment_pipeline.dispatch.progress import DispatchReport
from enrichment_pipeline.ledger.admission import Candidate
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
from enrichment_pipeline.providers.base import Halt, Reply
from enrichment_pipeline.providers.signalhire.client import SignalHireClient
from enrichment_pipeline.receiver.callback_limits import ReceiverLimits
from enrichment_pipeline_tests.dispatch import (
    UNKNOWN,
    Told,
    Wire,
    buy,
    charges,
    directory,
    dispatcher_of,
    ledger_on,
    persons,
    read_kept,
    states_of,
    uid,
)
from enrichment_pipeline_tests.ledger import (
    Ledger,
    admitted,
    answer_body,
    booked_budgets,
    recomputed_budgets,
)
from enrichment_pipeline_tests.receiver import running_receiver
from enrichment_pipeline_tests.support import RunningSandbox, running_sandbox

FAR = timedelta(seconds=100)
"""A deadline that no test comes near: where the processor or the disk is busy with other things, a
test takes a minute. With the receiver's own limits it refuses callbacks then, and what was refused
four times the sandbox throws away."""
PATIENT = ReceiverLimits(head_seconds=60, body_seconds=60, keep_seconds=60)
NEAR = timedelta(seconds=1.5)
"""A deadline that passes within a test."""


@dataclass
class World:
    """A ledger that waits for callbacks, a receiver over it, and a sandbox that posts to it."""

    ledger: Ledger
    sandbox: RunningSandbox
    url: Any

    def buy(self, *pages: Sequence[Candidate], **options: Any) -> DispatchReport:
        return buy(
            self.ledger, Wire(self.sandbox.base_url), *pages, callback_url=self.url, **options
        )


@contextmanager
def world(
    store: LedgerStore,
    folder: Path,
    *,
    deadline: timedelta = FAR,
    limits: Any = None,
    **sandbox: Any,
) -> Iterator[World]:
    sandbox.setdefault("callback_timeout_seconds", 60)
    ledger = ledger_on(store, answer_deadline=deadline, **limits or {})
    with (
        running_receiver(ledger, limits=PATIENT) as receiver,
        running_sandbox(directory(), folder / "journal", **sandbox) as running,
    ):
        yield World(ledger, running, partial(receiver.callbacks.url, ledger.provider))


def states(store: LedgerStore) -> Counter[str]:
    with store.read() as connection:
        return Counter(connection.execute(sa.select(calls.c.state)).scalars())


def count(store: LedgerStore, column: sa.Column) -> int:
    with store.read() as connection:
        return connection.execute(sa.select(sa.func.count(column))).scalar_one()


def test_each_item_is_submitted_once_and_the_report_counts_the_answers(
    store: LedgerStore, tmp_path: Path
):
    told = Told()
    with world(store, tmp_path, callback_delay_min_ms=5, callback_delay_max_ms=300) as here:
        report = here.buy(persons(range(12)), persons(range(UNKNOWN, UNKNOWN + 3)), told=told)
    assert (report.offered, report.sent, report.matched, report.no_match) == (15, 15, 12, 3)
    assert (report.units, report.released, report.unconfirmed, report.halted) == (12, 0, 0, None)
    assert (told.total, told.done, told.credits) == (15, 15, 12)
    assert charges(here.sandbox.journal) == Counter(uid(number) for number in range(12))
    assert states(store) == {REPLIED: 15}
    assert booked_budgets(store) == recomputed_budgets(store)


def test_the_run_shows_how_much_is_outstanding_and_until_when(store: LedgerStore, tmp_path: Path):
    told = Told()
    with world(store, tmp_path, callback_delay_min_ms=600) as here:
        here.buy(persons(range(10)), told=told)
    assert told.most_outstanding == 10
    assert any("10 look-ups are submitted; their answers may come until" in s for s in told.said)


def test_a_slot_comes_back_after_the_response_and_not_after_the_answer(
    store: LedgerStore, tmp_path: Path
):
    """Answers take longer than the window, and are not waited for before the next request."""
    limits = {"items_per_window": 5, "window": timedelta(milliseconds=200)}
    with world(
        store,
        tmp_path,
        limits=limits,
        items_per_window=5,
        window_seconds=0.2,
        callback_delay_min_ms=1500,
    ) as here:
        began_at = time.monotonic()
        report = here.buy(persons(range(20)))
        elapsed = time.monotonic() - began_at
    assert (report.matched, report.released) == (20, 0)
    with store.read() as connection:
        sent_at = list(connection.execute(sa.select(requests.c.sent_at)).scalars())
    assert max(sent_at) - min(sent_at) < timedelta(seconds=1.5) < timedelta(seconds=elapsed)


@pytest.mark.parametrize(
    "sandbox",
    [
        {"faults": {"late": 1.0}, "late_seconds": 0.5},
        {"faults": {"repeated": 1.0}},
        {"faults": {"split": 1.0}},
        {"faults": {"reordered": 1.0}},
        {"callback_parts": 3, "item_order": "shuffled", "echo_normalised": True},
        {"latency_ms": 400},  # the callback overtakes its 201
    ],
    ids=["late", "repeated", "split", "reordered", "parts in another form", "before its 201"],
)
def test_however_the_answers_come_each_is_applied_once(
    store: LedgerStore, tmp_path: Path, sandbox: dict[str, Any]
):
    with world(store, tmp_path, **sandbox) as here:
        report = here.buy(persons([*range(12), UNKNOWN]))
    assert (report.matched, report.no_match, report.units) == (12, 1, 12)
    assert states(store) == {REPLIED: 13}
    assert charges(here.sandbox.journal) == Counter(uid(number) for number in range(12))
    assert booked_budgets(store) == recomputed_budgets(store)


def test_what_never_comes_is_unconfirmed_at_its_deadline_and_not_asked_again(
    store: LedgerStore, tmp_path: Path
):
    with world(store, tmp_path, deadline=NEAR, faults={"lost": 1.0}) as here:
        report = here.buy(persons(range(5)))
        again = here.buy(persons(range(5)), run_id="again")
    assert (report.unconfirmed, report.units) == (5, 0)
    assert (again.sent, again.not_due) == (0, 5)
    assert states(store) == {UNCONFIRMED: 5}
    assert charges(here.sandbox.journal) == Counter(uid(number) for number in range(5))
    assert booked_budgets(store) == recomputed_budgets(store)


def test_an_answer_after_the_deadline_is_settled_without_a_second_purchase(
    store: LedgerStore, tmp_path: Path
):
    near = timedelta(seconds=0.3)
    with world(store, tmp_path, deadline=near, faults={"lost": 1.0}) as here:
        report = here.buy(persons(range(5)))
        assert report.unconfirmed == 5
        answer_at_last(here.ledger)
    assert states(store) == {REPLIED: 5}
    assert charges(here.sandbox.journal) == Counter(uid(number) for number in range(5))
    assert booked_budgets(store) == recomputed_budgets(store)


@pytest.mark.parametrize("fault", ["torn", "error_500"])
def test_a_response_that_never_came_leaves_the_answer_time_to_come(
    store: LedgerStore, tmp_path: Path, fault: str, monkeypatch: pytest.MonkeyPatch
):
    """Some of them were processed before the connection broke, and their callback comes."""
    monkeypatch.setattr("enrichment_pipeline.ledger.gate.FAILURES_THAT_OPEN", 1000)
    with world(store, tmp_path, deadline=NEAR, faults={fault: 1.0}) as here:
        report = here.buy(persons(range(40)), batch_size=2)
    bought = {uid(number) for number in range(40)} & set(charges(here.sandbox.journal))
    assert 0 < report.matched <= len(bought) < 40
    assert report.matched + report.unconfirmed == 40
    assert states(store) == {REPLIED: report.matched, UNCONFIRMED: report.unconfirmed}
    assert set(charges(here.sandbox.journal).values()) == {1}
    assert booked_budgets(store) == recomputed_budgets(store)


@pytest.mark.parametrize("fault", ["duplicate_query", "timeout_exceeded"])
def test_a_passing_refusal_by_callback_frees_the_person_for_another_run(
    store: LedgerStore, tmp_path: Path, fault: str
):
    with world(store, tmp_path, faults={fault: 0.5}) as here:
        report = here.buy(persons(range(20)))
        again = here.buy(persons(range(20)), run_id="again")
    assert 0 < report.released < 20
    assert (again.sent, again.not_due) == (report.released, 20 - report.released)
    assert set(charges(here.sandbox.journal).values()) == {1}
    assert booked_budgets(store) == recomputed_budgets(store)


def test_credits_that_run_out_in_the_middle_of_a_batch_stop_the_run(
    store: LedgerStore, tmp_path: Path
):
    with world(store, tmp_path, credits=7, callback_delay_min_ms=50) as here:
        report = here.buy(persons(range(30)), batch_size=5, concurrency=1)
    assert (report.matched, report.units) == (7, 7)
    assert isinstance(report.halted, Halt)
    assert report.halted.reason == "out_of_credits"
    assert states(store) == {REPLIED: 7, RELEASED: states(store)[RELEASED]}
    assert booked_budgets(store) == recomputed_budgets(store)


def test_a_refused_submission_is_released_at_once_and_no_callback_is_awaited(
    store: LedgerStore, tmp_path: Path
):
    with world(store, tmp_path, account_disabled=True) as here:
        report = here.buy(persons(range(5)))
    assert isinstance(report.halted, Halt)
    assert (report.released, report.sent) == (5, 5)
    assert states(store) == {RELEASED: 5}


def test_a_429_pauses_and_the_rest_is_submitted_later(store: LedgerStore, tmp_path: Path):
    limits = {"items_per_window": 100_000, "window": timedelta(milliseconds=300)}
    with world(store, tmp_path, limits=limits, faults={"slow_down": 0.3}, seed=3) as here:
        report = here.buy(persons(range(30)))
    assert report.matched == 30
    assert report.released > 0
    assert set(charges(here.sandbox.journal).values()) == {1}


def test_a_cap_is_spent_to_the_last_credit_since_misses_come_back(
    store: LedgerStore, tmp_path: Path
):
    people = persons([*range(UNKNOWN, UNKNOWN + 20), *range(10)])
    with world(store, tmp_path, callback_delay_min_ms=30) as here:
        report = here.buy(people, max_credits=6)
    assert (report.matched, report.no_match, report.units) == (6, 20, 6)
    assert report.exhausted == {"standard": "run"}


def test_what_another_process_reads_first_is_reported_all_the_same(
    store: LedgerStore, tmp_path: Path
):
    over = threading.Event()

    def read_all_the_time(ledger: Ledger) -> None:
        reader = SignalHireClient("http://unused.invalid", "key")
        while not over.is_set():
            read_kept(ledger, reader)

    with world(store, tmp_path, callback_delay_min_ms=20) as here:
        other = threading.Thread(target=read_all_the_time, args=(here.ledger,))
        other.start()
        try:
            report = here.buy(persons(range(20)))
        finally:
            over.set()
            other.join(10)
    assert (report.matched, report.units) == (20, 20)
    assert booked_budgets(store) == recomputed_budgets(store)


def test_what_another_process_has_applied_already_is_reported_all_the_same(store: LedgerStore):
    """The first part of a result is in the tables before the second one comes."""
    ledger = ledger_on(store, answer_deadline=FAR)
    first, second = (answer_body((f"person-{n}@crowd.example", "success")) for n in (1, 2))

    class InParts(Wire):
        async def submit(self, items: Sequence[str], callback_url: str) -> Reply:
            ledger.keep_callback(callback_url, first)
            read_kept(ledger, self)
            assert ledger.mark_applied() == 1
            ledger.keep_callback(callback_url, second)
            return Reply(201, b'{"requestId": 1}')

    wire = InParts("http://unused.invalid")
    report = buy(ledger, wire, persons([1, 2]), callback_url=lambda request_id: request_id)
    assert (report.sent, report.matched, report.units) == (2, 2, 2)
    assert states(store) == {APPLIED: 1, REPLIED: 1}


def test_a_run_that_is_stopped_leaves_what_is_outstanding_to_others(
    store: LedgerStore, tmp_path: Path
):
    with world(store, tmp_path, faults={"lost": 1.0}) as here:
        wire = Wire(here.sandbox.base_url)
        dispatcher = dispatcher_of(
            here.ledger,
            wire,
            Told(),
            run_id="run",
            batch_size=5,
            callback_url=here.url,
        )

        async def run() -> DispatchReport:
            task = asyncio.create_task(dispatcher.run([persons(range(5))]))
            await asyncio.to_thread(wait_until, lambda: states(store)[SENT] == 5)
            dispatcher.stop()
            try:
                return await asyncio.wait_for(task, 2.0)
            finally:
                await wire.close()

        report = asyncio.run(run())
        assert (report.sent, report.matched, states(store)) == (5, 0, {SENT: 5})
        answer_at_last(here.ledger)
    assert states(store) == {REPLIED: 5}


def test_a_callback_that_is_no_answer_is_kept_and_changes_nothing(
    store: LedgerStore, tmp_path: Path
):
    with world(store, tmp_path, deadline=NEAR, faults={"lost": 1.0}) as here:
        batch = admitted(here.ledger.admit(persons([1]), "run"))
        here.ledger.mark_sent(batch.request_id, awaits_callback=True)
        for body in (answer_body(("stranger@x.example", "success")), b"?"):
            assert here.ledger.keep_callback(batch.request_id, body) is Receipt.KEPT
        read = read_kept(here.ledger, SignalHireClient("http://unused.invalid", "key"))
    assert (read.calls, read.unsolicited_answers) == (0, 1)
    assert (states_of(store), count(store, replies.c.reply_id)) == ({"person:1": [SENT]}, 2)
    assert list(here.ledger.unread_replies()) == []


def test_late_successes_are_counted_with_what_is_settled_at_first(store: LedgerStore):
    ledger = ledger_on(store, answer_deadline=FAR)
    batch = admitted(ledger.admit(persons([1, 2, 3]), "run"))
    ledger.mark_sent(batch.request_id, awaits_callback=True)
    items = [f"person-{n}@crowd.example" for n in (1, 2, 3)]
    ledger.keep_callback(batch.request_id, answer_body((items[0], "failed")))
    assert read_kept(ledger).calls == 1
    ledger.keep_callback(batch.request_id, answer_body(*((item, "success") for item in items)))
    assert read_kept(ledger).calls == 3


def answer_at_last(ledger: Ledger) -> None:
    """Keep and read the answers to all items that are asked for and were not answered."""
    with ledger.store.read() as connection:
        asked = connection.execute(sa.select(calls.c.request_id, calls.c.item)).all()
    for request_id, item in asked:
        kept = ledger.keep_callback(request_id, answer_body((item, "success")))
        assert kept is Receipt.KEPT
    assert read_kept(ledger, SignalHireClient("http://unused.invalid", "key")).calls == len(asked)


def wait_until(is_so: Any) -> None:
    deadline = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < deadline, "it never became so"
        time.sleep(0.02)
