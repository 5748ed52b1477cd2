"""A run that is killed with SIGKILL before and after each of its commits, and the one after it.

The killed runs are processes of their own, over one ledger and one sandbox, whose journal is the
provider's side of the bill.
"""

from __future__ import annotations

import signal
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from enrichment_pipeline.clock import Clock
from enrichment_pipeline.ledger.schema import REPLIED, RESERVED, SENT, UNCONFIRMED, calls
from enrichment_pipeline.ledger.store import open_store
from enrichment_pipeline_tests.dispatch import (
    KEY,
    Wire,
    buy,
    charges,
    directory,
    ledger_on,
    persons,
    read_kept,
    states_of,
    uid,
)
from enrichment_pipeline_tests.dying import exit_codes
from enrichment_pipeline_tests.ledger import booked_budgets, recomputed_budgets
from enrichment_pipeline_tests.support import MovingClock, running_sandbox

BATCH = 3
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
import asyncio, json, sys

from enrichment_pipeline.ledger import group
from enrichment_pipeline.ledger.store import open_store
from enrichment_pipeline_tests.dispatch import Told, Wire, dispatcher_of, ledger_on, persons
from enrichment_pipeline_tests.dying import pass_instant, run_in_children

given = json.loads(sys.argv[1])


def run(number):
    commit, lookup = group._commit, Wire.lookup

    def mortal_commit(*arguments):
        pass_instant(number)
        results = commit(*arguments)
        pass_instant(number)
        return results

    async def mortal_lookup(*arguments):
        reply = await lookup(*arguments)
        pass_instant(number)
        return reply

    group._commit, Wire.lookup = mortal_commit, mortal_lookup
    first = (number - 1) * 2 * given["batch"]
    people = persons(range(first, first + 2 * given["batch"]))

    async def dispatch():
        wire = Wire(given["base_url"])
        dispatcher = dispatcher_of(
            ledger_on(open_store(given["url"])), wire,
            run_id=f"run-{number}", batch_size=given["batch"], concurrency=1,
        )
        await dispatcher.run([people])
        await wire.close()

    asyncio.run(dispatch())


run_in_children(run, given["runs"])
"""


def kill_runs(url: str, base_url: str, runs: int) -> list[int]:
    """Exit codes of as many runs: the n-th is killed at its n-th instant, if it has so many."""
    given = {"url": url, "base_url": base_url, "batch": BATCH, "runs": runs}
    return exit_codes(PROGRAM, given, timeout=90)


@pytest.mark.long
@pytest.mark.timeout(120)
def test_runs_that_are_killed_at_every_instant_lose_nothing_and_buy_nothing_twice(
    durable_ledger_url: str, tmp_path: Path
):
    kills = len(INSTANTS)
    runs = kills + 1
    everybody = range(runs * 2 * BATCH)
    store = open_store(durable_ledger_url)
    with running_sandbox(directory(len(everybody)), tmp_path / "journal") as sandbox:
        ends = kill_runs(durable_ledger_url, sandbox.base_url, runs)
        assert ends == [-signal.SIGKILL] * kills + [0]

        clock = MovingClock(Clock().now() + timedelta(hours=1))
        ledger = ledger_on(store, clock)
        kept = read_kept(ledger, Wire("http://unused.invalid")).calls
        cleared = ledger.clear_abandoned([f"run-{number}" for number in range(1, runs + 1)])
        report = buy(ledger, Wire(sandbox.base_url), persons(everybody), run_id="resumed")
        again = buy(ledger, Wire(sandbox.base_url), persons(everybody), run_id="again")

    unconfirmed: set[int] = set()
    never_asked: set[int] = set()
    for number, instant in enumerate(INSTANTS):
        for batch, name in enumerate(("first", "second")):
            people = range((2 * number + batch) * BATCH, (2 * number + batch + 1) * BATCH)
            if any(f"{name} {stage}" in instant for stage in ("sent", "answered", "keeping")):
                unconfirmed.update(people)
            if f"{name} sent" in instant:
                never_asked.update(people)

    final = {person: states[-1] for person, states in states_of(store).items()}
    assert final == {f"person:{n}": UNCONFIRMED if n in unconfirmed else REPLIED for n in everybody}
    assert charges(tmp_path / "journal") == Counter(
        uid(n) for n in everybody if n not in never_asked
    )
    assert kept == 2 * 2 * BATCH  # killed when kept, and when settling
    assert cleared == len(unconfirmed)  # nobody is ever left reserved
    assert report.not_due + report.matched == len(everybody)
    assert (again.sent, again.not_due) == (0, len(everybody))
    assert booked_budgets(store) == recomputed_budgets(store)
    with store.read() as connection:
        states = set(connection.execute(sa.select(calls.c.state)).scalars())
    assert not states & {RESERVED, SENT}
    store.close()


def test_the_sandboxs_key_is_the_one_that_these_tests_use(tmp_path: Path):
    with running_sandbox(directory(1), tmp_path / "journal") as sandbox:
        store = open_store(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
        assert buy(ledger_on(store), Wire(sandbox.base_url, KEY), persons([0])).matched == 1
        store.close()
