"""A run that is killed between sending and settling: no item is charged twice, no answer is lost.

The quick tests break off where a kill would; the long ones kill processes with SIGKILL before and
after each commit. The stand-in, which lives on, keeps the provider's side of the bill.
"""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from enrichment_pipeline.clock import Clock
from enrichment_pipeline.dispatch.asking import AskLookups
from enrichment_pipeline.dispatch.settling import read_kept_replies
from enrichment_pipeline.ledger.admission import Admitted
from enrichment_pipeline.ledger.budget import RunShare
from enrichment_pipeline.ledger.calls import Calls
from enrichment_pipeline.ledger.schema import REPLIED, UNCONFIRMED
from enrichment_pipeline.ledger.store import LedgerStore, open_store
from enrichment_pipeline.providers.base import Reply
from enrichment_pipeline.spill import spill, take_back
from enrichment_pipeline_tests.conformance import (
    Case,
    budgets_of,
    buy,
    rows_of,
    units_by_item,
)
from enrichment_pipeline_tests.dying import exit_codes
from enrichment_pipeline_tests.support import MovingClock

Keep = Callable[[LedgerStore, Calls, str, Reply, Path], None]


def keep_in_the_ledger(
    store: LedgerStore, calls: Calls, request_id: str, reply: Reply, folder: Path
) -> None:
    store.transact(
        lambda transaction: calls.record_reply(
            transaction,
            request_id,
            http_status=reply.http_status,
            body=reply.body,
            credits_left=reply.credits_left,
            units_told=reply.units_told,
        )
    )


def set_aside(
    store: LedgerStore, calls: Calls, request_id: str, reply: Reply, folder: Path
) -> None:
    spill(folder, request_id, reply, datetime.now(UTC))
    assert take_back(folder, store, calls) == 1


@pytest.mark.parametrize("keep", [keep_in_the_ledger, set_aside])
def test_an_answer_that_was_kept_and_not_read_costs_what_the_stand_in_charged(
    case: Case, store: LedgerStore, tmp_path: Path, keep: Keep
):
    calls = case.calls()
    share = RunShare("killed")
    with case.start(tmp_path, 4) as stand_in:
        # not the first, whose cost may be the worst, which is what a forgotten one is taken for
        people = case.persons(range(1, 1 + min(3, case.lookups.max_batch)))
        admitted = store.transact(lambda transaction: calls.admit(transaction, people, share))
        assert isinstance(admitted, Admitted)
        store.transact(lambda transaction: calls.mark_sent(transaction, admitted.request_id))

        async def ask() -> Reply:
            client = case.connect(stand_in.base_url)
            try:
                return await client.lookup([person.item for person in people])
            finally:
                await client.close()

        keep(store, calls, admitted.request_id, asyncio.run(ask()), tmp_path / "spilled")
        read = read_kept_replies(store, calls, AskLookups(case.reader), ["killed"])
        again = buy(store, calls, case.connect(stand_in.base_url), people, run_id="again")
        charged = stand_in.charged()
    assert (read.calls, again.sent) == (len(people), 0)
    assert units_by_item(store, case.facts.name) == charged
    assert {row.state for row in rows_of(store, case.facts.name)} == {REPLIED}


INSTANTS = (
    *("first sending", "first sent"),
    "first answered",
    *("first keeping", "first kept"),
    *("first settling, second sending", "first settled, second sent"),
    "second answered",
    *("second keeping", "second kept"),
    *("second settling", "second settled"),
)
"""At which a run may be killed: before and after each of its commits, and where the answer is
there, but nowhere yet. While its first batch is settled, the second one is admitted."""

PROGRAM = """
import json, sys

from enrichment_pipeline.ledger.store import open_store
from enrichment_pipeline.providers.registry import PROVIDERS
from enrichment_pipeline_tests.conformance import buy
from enrichment_pipeline_tests.conformance.cases import CASES
from enrichment_pipeline_tests.dying import die_around_commits, dying_after, run_in_children

given = json.loads(sys.argv[1])
case = CASES[given["provider"]]
PROVIDERS[case.facts.name] = case.facts


def run(number):
    client = case.connect(given["base_url"])
    client.lookup = dying_after(client.lookup, number)
    die_around_commits(number)
    first = (number - 1) * 2 * given["batch"]
    people = case.persons(range(first, first + 2 * given["batch"]))
    buy(
        open_store(given["url"]), case.calls(), client, people,
        run_id=f"run-{number}", batch_size=given["batch"], concurrency=1,
    )


run_in_children(run, given["runs"])
"""


@pytest.mark.long
@pytest.mark.timeout(120)
def test_runs_that_are_killed_at_every_instant_lose_nothing_and_buy_nothing_twice(
    case: Case, durable_ledger_url: str, tmp_path: Path
):
    batch = min(3, case.lookups.max_batch)
    kills = len(INSTANTS)
    runs = kills + 1
    numbers = range(runs * 2 * batch)
    store = open_store(durable_ledger_url)
    with case.start(tmp_path, len(numbers)) as stand_in:
        given = {
            "provider": case.facts.name,
            "url": durable_ledger_url,
            "base_url": stand_in.base_url,
            "batch": batch,
            "runs": runs,
        }
        ends = exit_codes(PROGRAM, given, timeout=90)
        assert ends == [-signal.SIGKILL] * kills + [0]

        calls = case.calls(clock=MovingClock(Clock().now() + timedelta(hours=1)))
        dead = [f"run-{number}" for number in range(1, runs + 1)]
        kept = read_kept_replies(store, calls, AskLookups(case.reader), dead).calls
        cleared = store.transact(lambda transaction: calls.clear_abandoned(transaction, dead))
        people = case.persons(numbers)
        report = buy(store, calls, case.connect(stand_in.base_url), people, run_id="resumed")
        again = buy(store, calls, case.connect(stand_in.base_url), people, run_id="again")
        charged, times_charged = stand_in.charged(), stand_in.times_charged()

    unconfirmed, never_asked = set[str](), set[str]()
    for number, instant in enumerate(INSTANTS):
        for place, name in enumerate(("first", "second")):
            first = (2 * number + place) * batch
            items = {case.item(n) for n in range(first, first + batch)}
            if any(f"{name} {stage}" in instant for stage in ("sent", "answered", "keeping")):
                unconfirmed |= items
            if f"{name} sent" in instant:
                never_asked |= items

    rows = rows_of(store, case.facts.name)
    final = {row.item: row.state for row in rows}
    asked = {case.item(n) for n in numbers}
    assert final == {item: UNCONFIRMED if item in unconfirmed else REPLIED for item in asked}
    assert times_charged == dict.fromkeys(asked - never_asked, 1)
    in_doubt = Counter({item: n for item, n in charged.items() if item in unconfirmed})
    assert units_by_item(store, case.facts.name) == charged - in_doubt
    worst = case.lookups.worst_units
    assert all(units <= worst for units in in_doubt.values())
    assert kept == 2 * 2 * batch  # killed when kept, and when settling
    assert cleared == len(unconfirmed)  # no call is ever left reserved
    assert report.not_due + report.matched == len(numbers)
    assert (again.sent, again.not_due) == (0, len(numbers))
    price = calls.limits.budget.millionths_per_unit
    reserved = len(unconfirmed) * worst * price
    by_day = [budget for budget in budgets_of(store) if budget.period.startswith("day:")]
    assert sum(budget.reserved for budget in by_day) == reserved
    assert sum(budget.charged for budget in by_day) == price * (charged - in_doubt).total()
    store.close()
