"""What every provider that tells of changes must do against its stand-in, kills included.

Not here: what follows for who is due (`warehouse/test_profile_changes.py`), and whole runs
(`test_changing_run.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enrichment_pipeline.dispatch.asking import AskChanges
from enrichment_pipeline.dispatch.dispatcher import Dispatcher
from enrichment_pipeline.dispatch.progress import DispatchReport
from enrichment_pipeline.dispatch.settling import read_kept_replies, settlement_for
from enrichment_pipeline.ledger.admission import Admitted, Candidate
from enrichment_pipeline.ledger.budget import RunShare
from enrichment_pipeline.ledger.calls import Calls
from enrichment_pipeline.ledger.limits import Rate
from enrichment_pipeline.ledger.schema import RELEASED, REPLIED, SENT
from enrichment_pipeline.ledger.store import LedgerStore
from enrichment_pipeline.policy import Policy
from enrichment_pipeline.providers.base import (
    ChangeFeed,
    Failing,
    Halt,
    ItemReading,
    NoReplyError,
    Reading,
    Reply,
    Retriable,
    Unchanged,
)
from enrichment_pipeline.vocabulary import CHANGES
from enrichment_pipeline_tests.conformance import (
    Case,
    FeedCase,
    Rates,
    Telling,
    budgets_of,
    calls_under,
    rows_of,
)
from enrichment_pipeline_tests.conformance.cases import CASES
from enrichment_pipeline_tests.conformance.test_conformance import bodies
from enrichment_pipeline_tests.dispatch import Told
from enrichment_pipeline_tests.properties import draws

TELLING = [case for case in CASES.values() if CHANGES in case.facts.calls]
SHORT: Rates = ((2, 0.2),)
of_each = pytest.mark.parametrize("case", TELLING, ids=str)


def feed_of(case: Case) -> FeedCase:
    assert case.feed is not None
    return case.feed


def question(case: Case, number: int, **changes: Any) -> Candidate:
    feed = feed_of(case)
    told = {"item": feed.uid(number), "item_kind": "uid", "question": feed.release}
    return case.person(number, **told, **changes)


def free_calls(case: Case, rates: Rates = ()) -> Calls:
    """The terms of a stand-in with a short minute, or as they are documented."""
    calls = calls_under(Policy(), case, kind=CHANGES)
    if not rates:
        return calls
    held = tuple(Rate(units, timedelta(seconds=seconds)) for units, seconds in rates)
    limits = replace(calls.limits, rates=held, pause=held[0].window)
    return Calls(calls.provider, CHANGES, limits, calls.clock)


def ask(
    store: LedgerStore,
    calls: Calls,
    case: Case,
    base_url: str,
    asked: Sequence[Candidate],
    *,
    run_id: str = "run",
    batch_size: int = 3,
) -> DispatchReport:
    """Dispatch these questions as a run does."""

    async def run() -> DispatchReport:
        client = case.connect(base_url)
        assert isinstance(client, ChangeFeed)
        dispatcher = Dispatcher(
            store,
            calls,
            AskChanges(client, case.facts.calls[CHANGES].max_batch),
            Told(),
            run=RunShare(run_id),
            batch_size=batch_size,
        )
        try:
            return await dispatcher.run([asked])
        finally:
            await client.close()

    return asyncio.run(run())


def test_what_it_tells_and_what_its_client_does_agree(case: Case) -> None:
    does_tell = isinstance(case.reader, ChangeFeed)
    assert does_tell == (CHANGES in case.facts.calls) == (case.feed is not None)


@of_each
def test_it_is_free_and_its_releases_follow_each_other(case: Case) -> None:
    told, feed = case.facts.calls[CHANGES], feed_of(case)
    assert (told.unit, told.worst_units, told.is_repeat_free) == ("nothing", 0, True)
    assert told.identities == {"uid"}
    assert case.facts.next_release(feed.known) == feed.release
    assert case.facts.next_release("what is this") is None
    limits = free_calls(case).limits
    assert [(each.units, each.window.total_seconds()) for each in limits.rates] == list(told.rates)
    assert limits.budget.worst_cost == 0


@pytest.mark.parametrize(
    ("case", "telling"),
    [
        pytest.param(case, telling, id=f"{case}-{telling}")
        for case in TELLING
        for telling in feed_of(case).tellings
    ],
)
def test_each_answer_means_what_the_stand_in_did(
    case: Case, telling: Telling, tmp_path: Path
) -> None:
    feed = feed_of(case)

    async def ask_once(base_url: str) -> Reading:
        client = case.connect(base_url)
        assert isinstance(client, ChangeFeed)
        try:
            reply = await client.changes([feed.uid(0)], feed.release)
        except NoReplyError as error:
            return Reading((ItemReading(Retriable("no_reply")),), Failing(str(error)))
        finally:
            await client.close()
        return client.read_changes(reply.http_status, reply.body, [feed.uid(0)])

    with case.start(tmp_path, 2, **telling.config) as stand_in:
        reading = asyncio.run(ask_once(stand_in.base_url))
        assert not stand_in.charged()
    [item] = reading.items
    assert (item.outcome, item.units) == (telling.outcome, 0)
    assert type(reading.signal) is (telling.signal or type(None))
    assert settlement_for(item).state in {REPLIED, RELEASED}


@of_each
def test_a_status_that_is_not_documented_says_nothing_of_a_profile(case: Case) -> None:
    feed, client = feed_of(case), case.reader
    assert isinstance(client, ChangeFeed)
    for status in set(range(100, 600)) - feed.documented:
        reading = client.read_changes(status, feed.samples[0], [feed.uid(0), feed.uid(1)])
        assert all(isinstance(item.outcome, Retriable) for item in reading.items), status
        assert isinstance(reading.signal, Failing), status


@of_each
@draws(few=60, many=500)
@given(data=st.data())
def test_whatever_comes_is_read_without_an_exception(case: Case, data: st.DataObject) -> None:
    feed, client = feed_of(case), case.reader
    assert isinstance(client, ChangeFeed)
    body = bodies(data, feed.samples)
    status = data.draw(st.sampled_from(sorted(feed.documented)) | st.integers(100, 599))
    reading = client.read_changes(status, body, [feed.uid(0), feed.uid(1)])
    assert len(reading.items) == 2
    for item in reading.items:
        assert settlement_for(item).state in {REPLIED, RELEASED}
        assert item.units == 0
        assert status == 200 or not isinstance(item.outcome, Unchanged)


@of_each
def test_nothing_is_booked_and_nobody_is_asked_about_twice(
    case: Case, store: LedgerStore, tmp_path: Path
) -> None:
    asked = [question(case, number) for number in range(7)]
    with case.start(tmp_path, 7, release=feed_of(case).release) as stand_in:
        first = ask(store, free_calls(case), case, stand_in.base_url, asked)
        again = ask(store, free_calls(case), case, stand_in.base_url, asked, run_id="again")
        assert not stand_in.charged()
    assert (first.answered, first.units, again.sent, again.not_due) == (7, 0, 0, 7)
    assert {(row.reserved, row.charged) for row in budgets_of(store)} <= {(0, 0)}
    rows = rows_of(store, case.facts.name)
    assert {(row.kind, row.state, row.question) for row in rows} == {
        (CHANGES, REPLIED, feed_of(case).release)
    }


@of_each
def test_it_is_never_refused_within_its_rates(
    case: Case, store: LedgerStore, tmp_path: Path
) -> None:
    with case.start(tmp_path, 12, **feed_of(case).limited(SHORT)) as stand_in:
        calls = free_calls(case, SHORT)
        asked = [question(case, number) for number in range(12)]
        report = ask(store, calls, case, stand_in.base_url, asked, batch_size=2)
    assert (report.answered, report.released) == (12, 0)


@of_each
def test_a_release_that_is_still_to_come_ends_it_and_holds_nobody(
    case: Case, store: LedgerStore, tmp_path: Path
) -> None:
    asked = [question(case, number) for number in range(2)]
    with case.start(tmp_path, 2) as stand_in:
        report = ask(store, free_calls(case), case, stand_in.base_url, asked)
    assert isinstance(report.halted, Halt)
    assert report.released == 2
    with case.start(tmp_path, 2, release=feed_of(case).release) as stand_in:
        assert ask(store, free_calls(case), case, stand_in.base_url, asked).answered == 2


# --- kills ---------------------------------------------------------------------------------


def sent(store: LedgerStore, calls: Calls, asked: Sequence[Candidate]) -> str:
    """The request of a run that is killed after it was committed as sent; its id."""
    share = RunShare("killed")
    admitted = store.transact(lambda to: calls.admit(to, asked, share))
    assert isinstance(admitted, Admitted)
    store.transact(lambda to: calls.mark_sent(to, admitted.request_id))
    return admitted.request_id


@of_each
def test_an_answer_that_was_kept_and_not_read_is_read_by_the_next_run(
    case: Case, store: LedgerStore, tmp_path: Path
) -> None:
    asked, calls = [question(case, number) for number in range(3)], free_calls(case)
    feed = feed_of(case)

    async def reply_to(base_url: str) -> Reply:
        client = case.connect(base_url)
        assert isinstance(client, ChangeFeed)
        try:
            return await client.changes([each.item for each in asked], feed.release)
        finally:
            await client.close()

    with case.start(tmp_path, 3, release=feed.release) as stand_in:
        request_id = sent(store, calls, asked)
        reply = asyncio.run(reply_to(stand_in.base_url))
        store.transact(
            lambda to: calls.record_reply(
                to,
                request_id,
                http_status=reply.http_status,
                body=reply.body,
                credits_left=None,
            )
        )
        reader = case.reader
        assert isinstance(reader, ChangeFeed)
        read = read_kept_replies(store, calls, AskChanges(reader, 3), ["killed"])
        again = ask(store, calls, case, stand_in.base_url, asked, run_id="again")
    assert (read.calls, again.sent) == (3, 0)


@of_each
def test_what_was_never_answered_is_asked_again_by_the_next_run(
    case: Case, store: LedgerStore, tmp_path: Path
) -> None:
    asked, calls = [question(case, number) for number in range(3)], free_calls(case)
    sent(store, calls, asked)
    assert {row.state for row in rows_of(store, case.facts.name)} == {SENT}
    assert store.transact(lambda to: calls.clear_abandoned(to, ["killed"])) == 3
    with case.start(tmp_path, 3, release=feed_of(case).release) as stand_in:
        report = ask(store, calls, case, stand_in.base_url, asked)
    assert (report.answered, report.units) == (3, 0)
    assert {row.reserved for row in budgets_of(store)} <= {0}
