"""Four processes on one ledger, exactly at a provider's rate limit.

Measures: whether all slots are used and none too many, against a provider that
counts a sliding and then a fixed window. The minute is scaled down; the ideal is
the number of full windows × (window + response time), both of this run.
"""

from __future__ import annotations

import asyncio
import multiprocessing
from multiprocessing.synchronize import Barrier

import sqlalchemy as sa

from benchmarks.common import candidates, look_up, now, stage, verdict
from enrichment_pipeline.ledger.schema import requests
from enrichment_pipeline.ledger.store import open_store
from enrichment_pipeline.run import Run
from enrichment_pipeline.settings import Settings
from enrichment_pipeline.steps.prepare import open_state
from enrichment_pipeline.stores import Stores

PROCESSES = 4
ITEMS_PER_WINDOW = 600


def main(windows: int = 12, window_seconds: float = 3.0, latency_ms: int = 40) -> bool:
    results = [measure(kind, windows, window_seconds, latency_ms) for kind in ("sliding", "fixed")]
    return all(results)


def measure(kind: str, windows: int, window_seconds: float, latency_ms: int) -> bool:
    items = windows * ITEMS_PER_WINDOW
    policy = {
        "signalhire": {"items_per_window": ITEMS_PER_WINDOW, "window_seconds": window_seconds},
        "budget": {"per_run": 10**8, "per_day": 10**8, "per_month": 10**8},
    }
    options = [
        *("--items-per-window", str(ITEMS_PER_WINDOW), "--window-seconds", str(window_seconds)),
        *("--window-kind", kind, "--latency-ms", str(latency_ms)),
    ]
    with stage(items, policy=policy, sandbox=options) as here:
        open_state(Stores(here.settings))
        share = items // PROCESSES
        spawn = multiprocessing.get_context("spawn")
        barrier = spawn.Barrier(PROCESSES)
        workers = [
            spawn.Process(
                target=buy, args=(here.settings, range(n * share, (n + 1) * share), barrier)
            )
            for n in range(PROCESSES)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        engine = sa.create_engine(here.settings.ledger_url.get_secret_value())
        with engine.connect() as connection:
            rows = connection.execute(sa.select(requests).order_by(requests.c.sent_at)).all()
        engine.dispose()
        charged = len(here.charges())
    refused = sum(1 for row in rows if row.error == "rate_limited")
    responses = [(row.responded_at - row.sent_at).total_seconds() for row in rows]
    response = sum(responses) / len(responses)
    elapsed = (max(row.responded_at for row in rows) - rows[0].sent_at).total_seconds()
    ideal = (windows - 1) * (window_seconds + response) + response
    print(
        f"  {kind}: {items} items, {len(rows)} requests by {PROCESSES} processes, "
        f"{refused} refused (429), {charged} charged, response {response * 1000:.0f} ms, "
        f"{elapsed:.2f} s, ideal {ideal:.2f} s"
    )
    holds = verdict(f"{kind}: elapsed to ideal", elapsed / ideal, "<=", 1.03)
    return refused == 0 and charged == items and holds


def buy(settings: Settings, numbers: range, barrier: Barrier) -> None:
    """One process: everything that it has, through the ledger that all share."""
    run = Run(run_id=f"worker-{numbers.start}", as_of=now())
    store = open_store(settings.ledger_url.get_secret_value())
    barrier.wait()
    asyncio.run(look_up(settings, store, run, candidates(numbers), batch_size=100))
