"""Ten thousand items without a limit, against a bare httpx loop and against dlt.

Measures: what the ledger's commits cost. The bare loop posts the same batches at
the same concurrency and keeps nothing; dlt is what a data engineer would write
instead. Every contender talks to the same server, in turns: one that answers at
once, and (for illustration) one that takes as long as a fast provider would.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import import_module
from uuid import uuid4

import httpx

from benchmarks.common import QuietProgress, Stage, candidates, email, now, stage, verdict
from enrichment_pipeline.dispatch.dispatcher import CONCURRENT_REQUESTS, Dispatcher
from enrichment_pipeline.pipeline import Pipeline, Run
from enrichment_pipeline.providers.signalhire.client import SignalHireClient

BATCH = 100
ROUNDS = 5
PROVIDER_LATENCY_MS = 100


def main(items: int = 10_000, rounds: int = ROUNDS) -> bool:
    rate = measure(items, rounds)
    holds = verdict("ours to a bare httpx loop", rate["ours"] / rate["bare"], ">=", 0.6)
    holds = verdict("ours to dlt", rate["ours"] / rate["dlt"], ">=", 3.0) and holds
    rate = measure(items, 1, PROVIDER_LATENCY_MS)
    print(f"  ours to a bare httpx loop, then: {rate['ours'] / rate['bare']:.3f}")
    return holds


def measure(items: int, rounds: int, latency_ms: int = 0) -> dict[str, float]:
    """Items a second by contender, the median of the rounds."""
    policy = {
        "signalhire": {"items_per_window": 100_000, "window_seconds": 0.01},
        "budget": {"per_run": 10**8, "per_day": 10**8, "per_month": 10**8},
    }
    options = [
        *("--items-per-window", "1000000", "--window-seconds", "0.01"),
        *("--latency-ms", str(latency_ms)),
    ]
    contenders = {"bare": bare_loop, "ours": ours, "dlt": with_dlt}
    times: dict[str, list[float]] = {name: [] for name in contenders}
    with stage(items, policy=policy, sandbox=options) as here:
        for _round in range(rounds):
            for name, contender in contenders.items():
                times[name].append(contender(here, items))
    rate = {name: items / statistics.median(each) for name, each in times.items()}
    print(f"  a provider that takes {latency_ms} ms:")
    for name, each in rate.items():
        print(f"    {name}: {each:,.0f} items a second")
    return rate


def bare_loop(here: Stage, items: int) -> float:
    """Post every batch, read the body, keep nothing."""
    batches = [
        [email(n) for n in range(start, min(start + BATCH, items))]
        for start in range(0, items, BATCH)
    ]

    async def post_all() -> None:
        headers = {"apikey": here.settings.api_key.get_secret_value()}
        gate = asyncio.Semaphore(CONCURRENT_REQUESTS)
        async with httpx.AsyncClient(
            base_url=f"{here.settings.base_url}/", headers=headers, timeout=60
        ) as client:

            async def post(batch: list[str]) -> None:
                async with gate:
                    body = {"items": batch, "withoutWaterfall": True}
                    (await client.post("candidate/search", json=body)).raise_for_status()

            await asyncio.gather(*map(post, batches))

    return timed(lambda: asyncio.run(post_all()))


def ours(here: Stage, items: int) -> float:
    """Through the dispatcher and the ledger, from the work list's candidates to settled answers."""
    pipeline = Pipeline(here.settings)
    pipeline.open_state()
    run = Run(run_id=uuid4().hex, as_of=now())
    # a person is not bought twice: each round asks for people of its own by the same e-mails
    people = [
        replace(candidate, person_key=f"{run.run_id[:8]}-{candidate.person_key[8:]}")
        for candidate in candidates(range(items))
    ]

    async def buy() -> int:
        client = SignalHireClient(here.settings.base_url or "", "sandbox")
        try:
            dispatcher = Dispatcher(
                pipeline.ledger(run),
                client,
                run.clock,
                QuietProgress(),
                run_id=run.run_id,
                batch_size=BATCH,
            )
            return (await dispatcher.run([people])).matched
        finally:
            await client.close()

    matched = 0

    def go() -> None:
        nonlocal matched
        matched = asyncio.run(buy())

    elapsed = timed(go)
    if matched != items:
        raise AssertionError(f"{matched} of {items} matched")
    return elapsed


def with_dlt(here: Stage, items: int) -> float:
    """A dlt transformer with dlt's requests helper, loading into DuckDB."""
    os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
    os.environ["RUNTIME__LOG_LEVEL"] = "CRITICAL"
    # by name, since only `make bench` installs them: the type checker must do without
    dlt = import_module("dlt")
    requests = import_module("dlt.sources.helpers.requests")

    session = requests.Client(raise_for_status=True).session
    headers = {"apikey": here.settings.api_key.get_secret_value()}
    url = f"{here.settings.base_url}/candidate/search"

    @dlt.resource(name="batches")
    def batches() -> Iterator[list[str]]:
        for start in range(0, items, BATCH):
            yield [email(n) for n in range(start, min(start + BATCH, items))]

    @dlt.transformer(name="answers", data_from=batches, parallelized=True, max_table_nesting=0)
    def answers(batch: list[str]) -> Iterator[list]:
        body = {"items": batch, "withoutWaterfall": True}
        yield session.post(url, json=body, headers=headers).json()

    with tempfile.TemporaryDirectory() as folder:
        pipeline = dlt.pipeline(
            "bench",
            destination=dlt.destinations.duckdb(f"{folder}/dlt.duckdb"),
            pipelines_dir=folder,
            dataset_name="raw",
        )
        return timed(lambda: pipeline.run(answers))


def timed(action: Callable[[], object]) -> float:
    began_at = time.perf_counter()
    action()
    return time.perf_counter() - began_at
