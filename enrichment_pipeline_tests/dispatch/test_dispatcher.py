"""Dispatch: who goes first, what each fault does to the run, and what may run beside it."""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from enrichment_pipeline.clock import Clock
from enrichment_pipeline.dispatch import dispatcher as dispatcher_module
from enrichment_pipeline.lanes import PRIORITIES
from enrichment_pipeline.ledger import gate
from enrichment_pipeline.ledger.admission import Admitted, Candidate, Wait
from enrichment_pipeline.ledger.schema import (
    RELEASED,
    REPLIED,
    SENT,
    UNCONFIRMED,
    calls,
    replies,
    requests,
)
from enrichment_pipeline.ledger.store import LedgerStore, open_store
from enrichment_pipeline.providers.base import Halt, Reading, Reply
from enrichment_pipeline_tests.dispatch import (
    UNKNOWN,
    Told,
    Wire,
    buy,
    charges,
    directory,
    dispatcher_of,
    ledger_on,
    person,
    persons,
    read_kept,
    states_of,
    uid,
)
from enrichment_pipeline_tests.ledger import (
    GIVEN_BACK,
    Ledger,
    answer_body,
    booked_budgets,
    limits_of,
    recomputed_budgets,
    waiting,
)
from enrichment_pipeline_tests.providers import (
    answers,
    free_port,
    hangs_up_after_reading,
    never_answers,
    server_that,
)
from enrichment_pipeline_tests.sandbox import journal_lines
from enrichment_pipeline_tests.support import MovingClock, RunningSandbox, running_sandbox


def column(store: LedgerStore, of: sa.Column) -> list:
    with store.read() as connection:
        return list(connection.execute(sa.select(of)).scalars())


# --- the plain way -----------------------------------------------------------------------


def test_each_person_is_looked_up_once_and_the_report_counts_the_outcomes(
    store: LedgerStore, sandbox: RunningSandbox
):
    told = Told()
    report = buy(
        ledger_on(store),
        Wire(sandbox.base_url),
        persons(range(12)),
        persons(range(UNKNOWN, UNKNOWN + 3)),
        told=told,
    )
    assert (report.offered, report.sent, report.matched, report.no_match) == (15, 15, 12, 3)
    assert (report.units, report.released, report.unconfirmed, report.halted) == (12, 0, 0, None)
    assert (told.total, told.done, told.credits, told.said) == (15, 15, 12, [])
    assert charges(sandbox.journal) == Counter(uid(number) for number in range(12))
    assert set(column(store, calls.c.state)) == {REPLIED}
    assert booked_budgets(store) == recomputed_budgets(store)


def test_the_balance_that_comes_with_each_answer_is_kept(store: LedgerStore, tmp_path: Path):
    with running_sandbox(directory(), tmp_path / "journal", credits=50) as sandbox:
        buy(ledger_on(store), Wire(sandbox.base_url), persons(range(10)), concurrency=1)
    assert sorted(column(store, requests.c.credits_left)) == [40, 45]


def test_an_unsolicited_answer_is_kept_and_not_applied(store: LedgerStore):
    body = answer_body(("person-1@crowd.example", "success"), ("stranger@x.example", "success"))
    with server_that(answers(200, body)) as server:
        report = buy(ledger_on(store), Wire(server.base_url), persons([1, 2]))
    assert (report.unsolicited_answers, report.matched, report.unconfirmed) == (1, 1, 1)
    assert column(store, replies.c.body) == [body]


# --- order, sizes, pages -----------------------------------------------------------------


@pytest.mark.parametrize("concurrency", [1, 8])
def test_higher_priorities_go_first_and_no_batch_mixes_two(
    store: LedgerStore, sandbox: RunningSandbox, concurrency: int
):
    page = [person(number, PRIORITIES[number % 4]) for number in range(40)]
    random.Random(3).shuffle(page)
    wire = Wire(sandbox.base_url)
    buy(ledger_on(store), wire, page, batch_size=4, concurrency=concurrency)

    def rank(item: str) -> int:
        return int(item.partition("@")[0].removeprefix("person-")) % 4

    assert all(len({rank(item) for item in batch}) == 1 for batch in wire.batches)
    assert all(len(batch) <= 4 for batch in wire.batches)
    by_request: dict[int, set[int]] = {}
    for line in journal_lines(sandbox.journal):
        by_request.setdefault(line["request"], set()).add(rank(line["item"]))
    assert all(len(ranks) == 1 for ranks in by_request.values())
    if concurrency == 1:
        in_order = [ranks.pop() for _, ranks in sorted(by_request.items())]
        assert in_order == sorted(in_order)
    else:
        assert wire.most_under_way > 1
    in_order = [rank(batch[0]) for batch in wire.batches]
    assert in_order == sorted(in_order)


def test_within_a_priority_the_order_of_the_work_list_is_kept(
    store: LedgerStore, sandbox: RunningSandbox
):
    numbers = random.Random(4).sample(range(60), 20)
    wire = Wire(sandbox.base_url)
    buy(ledger_on(store), wire, persons(numbers), concurrency=1)
    sent = [item for batch in wire.batches for item in batch]
    assert sent == [f"person-{number}@crowd.example" for number in numbers]


def test_no_batch_is_larger_than_the_provider_takes(store: LedgerStore, tmp_path: Path):
    with running_sandbox(directory(250), tmp_path / "journal") as sandbox:
        wire = Wire(sandbox.base_url)
        report = buy(ledger_on(store), wire, persons(range(250)), batch_size=500)
    assert sorted(len(batch) for batch in wire.batches) == [50, 100, 100]
    assert report.matched == 250


def test_no_more_requests_are_under_way_than_allowed(store: LedgerStore, tmp_path: Path):
    with running_sandbox(directory(), tmp_path / "journal", latency_ms=20) as sandbox:
        wire = Wire(sandbox.base_url)
        buy(ledger_on(store), wire, persons(range(40)), batch_size=4, concurrency=3)
    assert wire.most_under_way == 3


def test_the_next_page_is_drawn_only_when_nothing_is_on_the_wire(
    store: LedgerStore, sandbox: RunningSandbox
):
    wire = Wire(sandbox.base_url)
    under_way_at_draw = []
    dispatcher = dispatcher_of(
        ledger_on(store), wire, Told(), run_id="run", batch_size=3, concurrency=8
    )

    def pages() -> Iterator[Sequence[Candidate]]:
        for start in (0, 20, 40):
            under_way_at_draw.append(wire.under_way)
            yield persons(range(start, start + 20))
        under_way_at_draw.append(wire.under_way)

    async def run() -> None:
        await dispatcher.run(pages())
        await wire.close()

    asyncio.run(run())
    assert under_way_at_draw == [0, 0, 0, 0]
    assert charges(sandbox.journal).total() == 60


def test_a_person_who_stands_twice_on_a_page_is_bought_once(
    store: LedgerStore, sandbox: RunningSandbox
):
    same = replace(person(1), contact_id="another contact of hers")
    report = buy(ledger_on(store), Wire(sandbox.base_url), [person(1), same, person(2)])
    assert (report.matched, report.not_due) == (2, 1)
    assert charges(sandbox.journal) == Counter([uid(1), uid(2)])


@pytest.mark.parametrize("window_kind", ["sliding", "fixed"])
def test_the_rate_limit_is_kept_without_a_single_429(
    store: LedgerStore, tmp_path: Path, window_kind: str
):
    limit = {"items_per_window": 10, "window_seconds": 0.4}
    with running_sandbox(
        directory(), tmp_path / "journal", window_kind=window_kind, **limit
    ) as sandbox:
        ledger = ledger_on(store, items_per_window=10, window=timedelta(seconds=0.4))
        told = Told()
        report = buy(ledger, Wire(sandbox.base_url), persons(range(25)), batch_size=4, told=told)
    assert (report.matched, report.released, told.said) == (25, 0, [])
    assert set(column(store, replies.c.http_status)) == {200}


# --- budgets -----------------------------------------------------------------------------


def test_a_cap_is_spent_to_the_last_credit_also_where_most_are_misses(
    store: LedgerStore, sandbox: RunningSandbox
):
    """What is reserved for a miss comes back, and is spent on the next."""
    unknown = persons(range(UNKNOWN, UNKNOWN + 20))
    report = buy(
        ledger_on(store), Wire(sandbox.base_url), unknown + persons(range(20)), max_credits=7
    )
    assert (report.no_match, report.matched, report.units) == (20, 7, 7)
    assert report.exhausted == {"standard": "run"}
    assert charges(sandbox.journal).total() == 7


def test_a_lane_whose_budget_is_used_up_holds_no_other_back(
    store: LedgerStore, sandbox: RunningSandbox
):
    floors = {"bulk": 0.0, "standard": 1.0, "target": 0, "strategic": 0}
    told = Told()
    report = buy(
        ledger_on(store, per_day=100, floors=floors),
        Wire(sandbox.base_url),
        persons(range(10)) + persons(range(10, 20), "bulk"),
        told=told,
    )
    assert (report.matched, report.exhausted) == (10, {"standard": "day"})
    assert set(charges(sandbox.journal)) == {uid(number) for number in range(10, 20)}
    assert told.said == ["the day's budget for standard is used up"]


# --- a provider that asks to slow down ---------------------------------------------------


def test_after_a_429_the_run_pauses_and_then_buys_the_rest(store: LedgerStore, tmp_path: Path):
    """Also what the last requests came back with, when nothing else was waiting any more."""
    with running_sandbox(
        directory(), tmp_path / "journal", items_per_window=5, window_seconds=0.3
    ) as sandbox:
        ledger = ledger_on(store, window=timedelta(seconds=0.3))
        told = Told()
        report = buy(ledger, Wire(sandbox.base_url), persons(range(10)), concurrency=2, told=told)
    assert (report.matched, report.halted) == (10, None)
    assert charges(tmp_path / "journal") == Counter(uid(number) for number in range(10))
    assert set(column(store, replies.c.http_status)) == {200, 429}
    assert "the provider asks to slow down; pausing" in told.said
    assert (told.total, told.done) == (10, 10)
    assert {state for states in states_of(store).values() for state in states[-1:]} == {REPLIED}


def test_who_is_refused_again_and_again_is_left_for_another_run(
    store: LedgerStore, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(gate, "LONGEST_PAUSE", timedelta(milliseconds=10))
    with server_that(answers(429, b"{}", "retry-after: 0")) as server:
        report = buy(ledger_on(store), Wire(server.base_url), persons([1]))
    assert server.connections == 3
    assert (report.released, report.halted) == (3, None)
    assert states_of(store) == {"person:1": [RELEASED] * 3}


def test_a_pause_that_is_too_long_ends_the_run_and_leaves_the_rest_due(
    store: LedgerStore, sandbox: RunningSandbox
):
    ledger = ledger_on(store)
    ledger.pause(timedelta(minutes=14))
    report = buy(ledger, Wire(sandbox.base_url), persons([1]))
    assert isinstance(report.halted, Halt)
    assert report.halted.reason == "paused"
    assert (report.sent, states_of(store)) == (0, {})


def test_a_429_pauses_all_processes_also_where_another_one_has_settled_its_batch(
    store: LedgerStore,
):
    ledger = ledger_on(store)

    class Overtaken(Wire):
        async def lookup(self, items: Sequence[str]) -> Reply:
            sent = column(store, calls.c.call_id)
            ledger.settle(dict.fromkeys(sent, GIVEN_BACK))
            return Reply(429, b"{}", retry_after=timedelta(minutes=14))

    report = buy(ledger, Overtaken("http://unused.invalid"), persons([1, 2]))
    assert (report.sent, states_of(store)) == (0, {"person:1": [RELEASED], "person:2": [RELEASED]})
    assert waiting(ledger.admit(persons([3]), "next")).why == "pause"
    assert column(store, requests.c.error) == ["rate_limited"]


# --- a provider that stops us ------------------------------------------------------------


def test_an_account_without_credits_stops_the_run_and_a_later_one_goes_on(
    store: LedgerStore, tmp_path: Path
):
    people = persons(range(20))
    with running_sandbox(directory(), tmp_path / "journal", credits=0) as sandbox:
        report = buy(ledger_on(store), Wire(sandbox.base_url), people, concurrency=1)
    assert report.halted is not None
    assert (report.halted.reason, report.sent, report.released) == ("out_of_credits", 5, 5)
    assert set(column(store, calls.c.outcome)) == {"out_of_credits"}
    with running_sandbox(directory(), tmp_path / "journal", credits=100) as sandbox:
        report = buy(ledger_on(store), Wire(sandbox.base_url), people, run_id="later")
    assert (report.matched, report.not_due) == (20, 0)
    assert set(charges(tmp_path / "journal").values()) == {1}


def test_credits_that_end_in_the_middle_of_a_batch_keep_what_was_answered(
    store: LedgerStore, tmp_path: Path
):
    with running_sandbox(directory(), tmp_path / "journal", credits=8) as sandbox:
        report = buy(ledger_on(store), Wire(sandbox.base_url), persons(range(20)), concurrency=1)
    assert (report.matched, report.released, report.units) == (8, 2, 8)
    assert report.halted is not None
    assert report.halted.reason == "out_of_credits"
    final = states_of(store)
    assert [final[f"person:{n}"] for n in range(10)] == [[REPLIED]] * 8 + [[RELEASED]] * 2
    assert len(final) == 10
    assert booked_budgets(store)["run:run"] == (0, 8)


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (401, "wrong_key"),
        (402, "out_of_credits"),
        (403, "not_allowed"),
        (404, "no_such_endpoint"),
    ],
)
def test_a_refusal_of_the_whole_request_stops_at_once_and_releases_what_was_reserved(
    store: LedgerStore, status: int, reason: str
):
    told = Told()
    with server_that(answers(status, b'{"error": "as it came"}')) as server:
        report = buy(
            ledger_on(store), Wire(server.base_url), persons(range(15)), concurrency=1, told=told
        )
        assert server.connections == 1
    assert report.halted is not None
    assert report.halted.reason == reason
    assert told.said == [report.halted.message]
    assert set(column(store, calls.c.state)) == {RELEASED}
    assert column(store, replies.c.body) == [b'{"error": "as it came"}']
    assert column(store, requests.c.error) == [reason]
    assert booked_budgets(store) == {}


@pytest.mark.parametrize("fault", ["wrong key", "disabled", "wrong path"])
def test_the_sandboxs_own_refusals_stop_the_run(store: LedgerStore, tmp_path: Path, fault: str):
    with running_sandbox(
        directory(), tmp_path / "journal", account_disabled=fault == "disabled"
    ) as sandbox:
        base_url = sandbox.base_url + ("/wrong" if fault == "wrong path" else "")
        wire = Wire(base_url, "no-such-key" if fault == "wrong key" else "sandbox")
        report = buy(ledger_on(store), wire, persons(range(9)))
    expected = {
        "wrong key": "wrong_key",
        "disabled": "not_allowed",
        "wrong path": "no_such_endpoint",
    }
    assert report.halted is not None
    assert report.halted.reason == expected[fault]
    assert set(column(store, calls.c.state)) == {RELEASED}
    assert charges(tmp_path / "journal") == Counter()


def test_no_page_is_drawn_after_the_run_was_stopped(store: LedgerStore):
    with server_that(answers(401)) as server:
        report = buy(ledger_on(store), Wire(server.base_url), persons([1]), persons([2]))
    assert report.offered == 1
    assert list(states_of(store)) == ["person:1"]


@pytest.mark.parametrize("answer", [answers(401), answers(429, b"", "retry-after: 1")])
def test_a_probe_that_is_answered_at_all_gives_its_lease_back(
    store: LedgerStore, monkeypatch: pytest.MonkeyPatch, answer
):
    """A lease without a holder would keep all processes waiting for the whole answer deadline."""
    monkeypatch.setattr(gate, "FIRST_COOL_DOWN", timedelta(0))
    monkeypatch.setattr(gate, "LONGEST_PAUSE", timedelta(milliseconds=1))
    ledger = ledger_on(store)
    for _ in range(gate.FAILURES_THAT_OPEN):
        ledger.count_failure()
    with server_that(answer) as server:
        buy(ledger, Wire(server.base_url), persons([1]))
    later = MovingClock(Clock().now() + timedelta(seconds=5))
    limits = limits_of(items_per_window=1000)
    decision = Ledger(store, "signalhire", limits, later).admit(persons([2, 3, 4]), "next")
    assert isinstance(decision, Admitted), decision


# --- transport ---------------------------------------------------------------------------


def test_what_was_not_sent_is_tried_again_and_then_released(
    store: LedgerStore, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(gate, "FIRST_COOL_DOWN", timedelta(milliseconds=10))
    wire = Wire(f"http://127.0.0.1:{free_port()}/api/v1")
    told = Told()
    report = buy(ledger_on(store), wire, persons([1, 2]), concurrency=1, told=told)
    assert states_of(store) == {"person:1": [RELEASED] * 3, "person:2": [RELEASED] * 3}
    assert (report.released, report.unconfirmed, report.matched) == (6, 0, 0)
    assert ledger_on(store).rate_window()[0] == 0
    assert set(column(store, requests.c.error)) == {"ConnectError"}
    assert booked_budgets(store) == {}
    assert told.done == told.total == 2


def test_what_was_not_sent_at_first_is_bought_once_the_provider_is_back(
    store: LedgerStore, sandbox: RunningSandbox
):
    class Reconnecting(Wire):
        async def lookup(self, items: Sequence[str]) -> Reply:
            if len(self.batches) == 1:
                self._http.base_url = sandbox.base_url + "/"
            return await super().lookup(items)

    report = buy(
        ledger_on(store), Reconnecting(f"http://127.0.0.1:{free_port()}/api/v1"), persons([1, 2])
    )
    assert (report.released, report.matched) == (2, 2)
    assert charges(sandbox.journal) == Counter([uid(1), uid(2)])
    assert states_of(store) == {"person:1": [RELEASED, REPLIED], "person:2": [RELEASED, REPLIED]}


@pytest.mark.parametrize("behaviour", [hangs_up_after_reading, never_answers])
def test_what_was_sent_and_not_answered_is_unconfirmed_and_not_asked_again(
    store: LedgerStore, sandbox: RunningSandbox, behaviour
):
    with server_that(behaviour) as server:
        wire = Wire(server.base_url, answer_seconds=0.4)
        report = buy(ledger_on(store), wire, persons([1, 2]))
        assert server.connections == 1
    assert (report.unconfirmed, report.units) == (2, 0)
    assert states_of(store) == {"person:1": [UNCONFIRMED], "person:2": [UNCONFIRMED]}
    assert booked_budgets(store)["run:run"] == (2, 0)
    later = buy(ledger_on(store), Wire(sandbox.base_url), persons([1, 2]), run_id="later")
    assert (later.not_due, later.sent) == (2, 0)
    assert charges(sandbox.journal) == Counter()


@pytest.mark.parametrize(
    "answer",
    [
        answers(200, b""),
        answers(200, b'[{"item": "person-1@crowd.example", "stat'),
        answers(200, b"{}"),
        answers(201, b'{"requestId": 1}'),
        answers(204),
        answers(500, b"oops"),
        answers(502, b"<html>"),
        answers(503, b"", "retry-after: 5"),
        answers(504),
    ],
)
def test_an_answer_that_is_none_is_kept_and_may_have_been_charged(store: LedgerStore, answer):
    with server_that(answer) as server:
        report = buy(ledger_on(store), Wire(server.base_url), persons([1, 2]))
        assert server.connections == 1
    assert (report.unconfirmed, report.halted) == (2, None)
    assert set(column(store, calls.c.state)) == {UNCONFIRMED}
    assert len(column(store, replies.c.body)) == 1
    assert set(column(store, calls.c.reply_id)) == set(column(store, replies.c.reply_id))


@pytest.mark.parametrize("is_called", [False, True], ids=["at once", "by callback"])
def test_a_reply_is_kept_before_anything_reads_it(store: LedgerStore, is_called: bool):
    """Where reading it fails, the next run reads it; it may have been paid for."""

    class Unreadable(Wire):
        async def lookup(self, items: Sequence[str]) -> Reply:
            return Reply(200, b"as it came")

        async def submit(self, items: Sequence[str], callback_url: str) -> Reply:
            return Reply(422, b"as it came")

        def read(
            self, http_status: int, body: bytes, items: Sequence[str], units_told: int | None = None
        ) -> Reading:
            raise RuntimeError

    with pytest.raises(RuntimeError):
        buy(
            ledger_on(store),
            Unreadable("http://unused.invalid"),
            persons([1]),
            callback_url=str if is_called else None,
        )
    [unread] = ledger_on(store).unread_replies()
    assert unread.bodies == ((422 if is_called else 200, b"as it came"),)
    assert states_of(store) == {"person:1": [SENT]}


@pytest.mark.parametrize("status", ["duplicate_query", "timeout_exceeded"])
def test_a_passing_refusal_of_an_item_is_left_for_another_run(store: LedgerStore, status: str):
    body = answer_body(("person-1@crowd.example", status), ("person-2@crowd.example", "success"))
    with server_that(answers(200, body)) as server:
        report = buy(ledger_on(store), Wire(server.base_url), persons([1, 2]))
        assert server.connections == 1
    assert (report.released, report.matched, report.units) == (1, 1, 1)
    assert states_of(store) == {"person:1": [RELEASED], "person:2": [REPLIED]}


def test_failures_in_a_row_open_the_breaker_for_all(
    store: LedgerStore, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(gate, "FIRST_COOL_DOWN", timedelta(minutes=12))
    with server_that(hangs_up_after_reading) as server:
        report = buy(ledger_on(store), Wire(server.base_url), persons(range(40)), concurrency=1)
        assert server.connections == gate.FAILURES_THAT_OPEN
    assert report.halted is not None
    assert report.halted.reason == "paused"
    assert report.unconfirmed == 5 * gate.FAILURES_THAT_OPEN
    assert waiting(ledger_on(store).admit(persons([50]), "another run")).why == "probe"


# --- stopping, errors, neighbours --------------------------------------------------------


def test_stopping_lets_what_is_on_the_wire_finish(store: LedgerStore, tmp_path: Path):
    with running_sandbox(directory(), tmp_path / "journal", latency_ms=100) as sandbox:

        class Stopping(Wire):
            async def lookup(self, items: Sequence[str]) -> Reply:
                dispatcher.stop()
                return await super().lookup(items)

        wire = Stopping(sandbox.base_url)
        dispatcher = dispatcher_of(
            ledger_on(store), wire, Told(), run_id="run", batch_size=5, concurrency=2
        )

        async def run() -> None:
            await dispatcher.run([persons(range(40)), persons(range(40, 60))])
            await wire.close()

        asyncio.run(run())
    assert dispatcher.report.offered == 40
    assert len(wire.batches) in (1, 2)
    bought = 5 * len(wire.batches)
    assert dispatcher.report.matched == charges(tmp_path / "journal").total() == bought
    assert column(store, calls.c.state) == [REPLIED] * bought


def test_a_run_that_waits_for_the_rate_window_can_be_stopped(
    store: LedgerStore, sandbox: RunningSandbox
):
    ledger = ledger_on(store, items_per_window=5, window=timedelta(hours=1))

    class Stopping(Told):
        def advance(self, calls: int, credits: int) -> None:
            super().advance(calls, credits)
            asyncio.get_running_loop().call_later(0.1, dispatcher.stop)

    wire = Wire(sandbox.base_url)
    dispatcher = dispatcher_of(ledger, wire, Stopping(), run_id="run", batch_size=5)

    async def run() -> None:
        await asyncio.wait_for(dispatcher.run([persons(range(20))]), 20)
        await wire.close()

    asyncio.run(run())
    assert dispatcher.report.matched == 5


def test_a_wait_for_the_rate_window_is_no_pause_however_long_it_is(
    store: LedgerStore, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(dispatcher_module, "LONGEST_WAIT", timedelta(milliseconds=1))
    ledger = ledger_on(store, items_per_window=5, window=timedelta(milliseconds=200))
    report = buy(ledger, Wire(sandbox.base_url), persons(range(10)))
    assert (report.matched, report.halted) == (10, None)


def test_a_limit_of_the_day_that_is_used_up_ends_the_run_at_once(
    store: LedgerStore, sandbox: RunningSandbox
):
    ledger = ledger_on(store, items_per_window=5, window=timedelta(days=1))
    told = Told()
    report = buy(ledger, Wire(sandbox.base_url), persons(range(20)), batch_size=5, told=told)
    assert report.matched == 5
    assert report.halted is not None
    assert report.halted.reason == "rate_used_up"
    assert told.said == [report.halted.message]
    assert "takes no more until" in report.halted.message


def test_a_429_does_not_narrow_a_limit_of_the_day(store: LedgerStore, sandbox: RunningSandbox):
    ledger = ledger_on(store, items_per_window=20, window=timedelta(days=1))
    buy(ledger, Wire(sandbox.base_url), persons(range(10)), batch_size=5)
    store.transact(lambda transaction: ledger.calls.gate.pause(transaction, timedelta(seconds=1)))
    report = buy(
        ledger, Wire(sandbox.base_url), persons(range(10, 20)), batch_size=5, run_id="next"
    )
    assert (report.matched, report.halted) == (10, None)


def test_a_purchase_blocker_ends_the_run_and_lets_what_is_on_the_wire_finish(
    store: LedgerStore, sandbox: RunningSandbox
):
    answers = iter([None, None, *[Halt("disk_full", "no room")] * 100])
    told = Told()
    report = buy(
        ledger_on(store),
        Wire(sandbox.base_url),
        persons(range(40)),
        concurrency=1,
        purchase_blocker=lambda: next(answers),
        told=told,
    )
    assert (report.matched, report.released, report.halted) == (10, 0, Halt("disk_full", "no room"))
    assert told.said == ["no room"]
    assert charges(sandbox.journal).total() == 10


class Killed(BaseException):
    pass


@pytest.mark.parametrize("error", [RuntimeError, Killed])
def test_an_error_in_one_request_lets_the_others_finish(
    store: LedgerStore, tmp_path: Path, error: type[BaseException]
):
    class Failing(Wire):
        async def lookup(self, items: Sequence[str]) -> Reply:
            if "person-7@crowd.example" in items:
                raise error
            return await super().lookup(items)

    with (
        running_sandbox(directory(), tmp_path / "journal", latency_ms=60) as sandbox,
        pytest.raises(error),
    ):
        buy(ledger_on(store), Failing(sandbox.base_url), persons(range(15)), concurrency=3)
    found = states_of(store)
    assert {f"person:{n}" for n in range(5, 10)} == {p for p in found if found[p] == [SENT]}
    assert {f"person:{n}" for n in (*range(5), *range(10, 15))} == {
        p for p in found if found[p] == [REPLIED]
    }
    assert charges(tmp_path / "journal").total() == 10


def test_what_another_process_bought_meanwhile_is_not_bought_again(
    store: LedgerStore, sandbox: RunningSandbox
):
    """Between the pages of this run, by another run, of the same work list."""
    ours = Wire(sandbox.base_url)
    dispatcher = dispatcher_of(ledger_on(store), ours, batch_size=5)

    def pages() -> Iterator[Sequence[Candidate]]:
        yield persons(range(5))
        with ThreadPoolExecutor(1) as another_process:
            theirs = another_process.submit(
                buy, ledger_on(store), Wire(sandbox.base_url), persons(range(10)), run_id="theirs"
            ).result()
            assert (theirs.matched, theirs.not_due) == (5, 5)
        yield persons(range(5, 15))

    async def run() -> None:
        await dispatcher.run(pages())
        await ours.close()

    asyncio.run(run())
    assert (dispatcher.report.matched, dispatcher.report.not_due) == (10, 5)
    assert charges(sandbox.journal) == Counter(uid(number) for number in range(15))


def test_two_runs_over_the_same_people_at_once_buy_each_of_them_once(
    ledger_url: str, sandbox: RunningSandbox
):
    stores = [open_store(ledger_url) for _ in range(2)]

    def run(number: int) -> int:
        people = persons(random.Random(number).sample(range(60), 60))
        wire = Wire(sandbox.base_url)
        return buy(ledger_on(stores[number]), wire, people, run_id=f"run-{number}").matched

    with ThreadPoolExecutor(2) as pool:
        assert sum(pool.map(run, range(2))) == 60
    assert charges(sandbox.journal) == Counter(uid(number) for number in range(60))
    assert booked_budgets(stores[0]) == recomputed_budgets(stores[0])
    for store in stores:
        store.close()


def test_a_reservation_that_was_slept_over_is_made_anew(
    store: LedgerStore, sandbox: RunningSandbox
):
    """The machine was suspended between reserving and marking as sent, which is one transaction."""
    clock = MovingClock(Clock().now())

    naps = iter([timedelta(minutes=5)])

    class Sleepy(Ledger):
        def mark_sent(self, request_id: str, *, awaits_callback: bool = False) -> None:
            for nap in naps:
                clock.advance(minutes=nap / timedelta(minutes=1))
            super().mark_sent(request_id, awaits_callback=awaits_callback)

    ledger = Sleepy(store, "signalhire", limits_of(), clock)
    report = buy(ledger, Wire(sandbox.base_url), persons([1, 2]))
    assert (report.matched, report.not_due) == (2, 0)
    assert states_of(store) == {"person:1": [REPLIED], "person:2": [REPLIED]}
    assert booked_budgets(store) == recomputed_budgets(store)
    assert charges(sandbox.journal) == Counter([uid(1), uid(2)])


# --- replies that a killed run kept ------------------------------------------------------


def keep_reply(store: LedgerStore, clock: MovingClock, body: bytes, http_status: int = 200) -> str:
    """A run that is killed between keeping its reply and settling it; the reply's id."""
    ledger = ledger_on(store, clock)
    decision = ledger.admit(persons([1, 2]), "dead")
    assert isinstance(decision, Admitted)
    ledger.mark_sent(decision.request_id)
    return ledger.record_reply(
        decision.request_id, http_status=http_status, body=body, credits_left=None
    )


@pytest.mark.parametrize(
    ("http_status", "body", "expected"),
    [
        (
            200,
            answer_body(
                ("person-1@crowd.example", "success"), ("person-2@crowd.example", "failed")
            ),
            [REPLIED, REPLIED],
        ),
        (200, answer_body(("person-2@crowd.example", "success")), [UNCONFIRMED, REPLIED]),
        (200, b"malform", [UNCONFIRMED, UNCONFIRMED]),
        (500, b"", [UNCONFIRMED, UNCONFIRMED]),
        (429, b"{}", [RELEASED, RELEASED]),
        (402, b"{}", [RELEASED, RELEASED]),
    ],
)
@pytest.mark.parametrize("is_late", [False, True], ids=["soon", "past its deadline"])
def test_a_kept_reply_is_settled_by_the_next_run_whatever_it_says(
    store: LedgerStore, http_status: int, body: bytes, expected: list[str], is_late: bool
):
    clock = MovingClock()
    keep_reply(store, clock, body, http_status)
    ledger = ledger_on(store, clock)
    clock.advance(hours=is_late)
    reader = Wire("http://unused.invalid")
    read_kept(ledger, reader, ["dead"])
    ledger.clear_abandoned(["dead"])
    assert states_of(store) == {"person:1": expected[:1], "person:2": expected[1:]}
    assert read_kept(ledger, reader, ["dead"]).calls == 0
    assert booked_budgets(store) == recomputed_budgets(store)


def test_a_kept_reply_that_its_living_run_settles_first_is_left_to_it(store: LedgerStore):
    clock = MovingClock()
    body = answer_body(("person-1@crowd.example", "success"), ("person-2@crowd.example", "failed"))
    reply_id = keep_reply(store, clock, body)
    ledger = ledger_on(store, clock)

    class Overtaken(Wire):
        """While the one reads, the other settles."""

        def read(
            self, http_status: int, body: bytes, items: Sequence[str], units_told: int | None = None
        ):
            if not column(store, calls.c.reply_id)[0]:
                other = Wire("http://unused.invalid")
                assert read_kept(ledger, other, ["dead"]).calls == 2
            return super().read(http_status, body, items)

    assert read_kept(ledger, Overtaken("http://unused.invalid"), ["dead"]).calls == 0
    assert states_of(store) == {"person:1": [REPLIED], "person:2": [REPLIED]}
    assert set(column(store, calls.c.reply_id)) == {reply_id}


def test_a_reply_that_its_run_may_be_about_to_settle_is_left_to_it(store: LedgerStore):
    """The process that settles it counts it, and asks again for what was refused for now."""
    clock = MovingClock()
    keep_reply(store, clock, b"{}", http_status=429)
    ledger, reader = ledger_on(store, clock), Wire("http://unused.invalid")
    clock.advance(seconds=59)
    assert read_kept(ledger, reader, ["another"]).calls == 0
    assert ledger.clear_abandoned(["another"]) == 0
    clock.advance(seconds=1)
    assert read_kept(ledger, reader, ["another"]).calls == 2
    assert states_of(store) == {"person:1": [RELEASED], "person:2": [RELEASED]}


# --- nothing of it is shown ---------------------------------------------------------------


def test_neither_key_nor_person_stands_in_what_a_faulty_run_says(
    store: LedgerStore, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(gate, "FIRST_COOL_DOWN", timedelta(milliseconds=10))
    caplog.set_level(logging.DEBUG)
    key = "k3y-never-to-be-shown"
    told = Told()
    faults = [
        hangs_up_after_reading,
        answers(429, json.dumps({"error": "person-1@crowd.example", "key": key}).encode()),
        answers(500, b"person-1@crowd.example"),
        answers(200, b"[person-1@crowd.example"),
        answers(422, json.dumps({"error": f"{key} person-1@crowd.example"}).encode()),
    ]
    with server_that(*faults) as server:
        report = buy(
            ledger_on(store, window=timedelta(milliseconds=10)),
            Wire(server.base_url, key),
            persons(range(30)),
            concurrency=1,
            told=told,
        )
    said = "\n".join(told.said) + caplog.text + repr(report)
    codes = column(store, requests.c.error) + column(store, calls.c.reason)
    said += " ".join(code for code in codes if code)
    assert "slow down" in said
    assert "wrong_parameters" in said
    assert key not in said
    assert "crowd.example" not in said
    assert not isinstance(ledger_on(store).admit(persons([59]), "next"), Wait)
