"""Ten thousand items without a limit, against a bare httpx loop and against dlt.

Measures: what the ledger's commits cost. The bare loop posts the same batches at
the same concurrency and keeps nothing; dlt is what a data engineer would write
instead. The least loop tells how much of the bare one anybody can have who commits
each look-up before it is sent and each reply before it is read: that and nothing else.
Every contender talks to the same server, in turns: one that answers at once, and
(for illustration) one that takes as long as a fast provider would.
"""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib import import_module
from uuid import uuid4

import httpx

from benchmarks.common import Stage, candidates, email, look_up, now, stage, verdict
from enrichment_pipeline.dispatch.dispatcher import CONCURRENT_REQUESTS
from enrichment_pipeline.hashed_identifiers import hashed
from enrichment_pipeline.ledger.store import open_store
from enrichment_pipeline.providers.registry import FIRST
from enrichment_pipeline.run import Run
from enrichment_pipeline.steps.prepare import open_state
from enrichment_pipeline.stores import Stores

BATCH = 100
ROUNDS = 5
PROVIDER_LATENCY_MS = 100


def main(items: int = 10_000, rounds: int = ROUNDS) -> bool:
    rate = measure(items, rounds)
    holds = verdict("ours to a bare httpx loop", rate["ours"] / rate["bare"], ">=", 0.6)
    print(
        f"  the least that commits to a bare httpx loop: {rate['least'] / rate['bare']:.3f}; "
        f"ours to the least: {rate['ours'] / rate['least']:.3f}"
    )
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
    contenders = {"bare": bare_loop, "least": least_loop, "ours": ours, "dlt": with_dlt}
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

    async def post_all() -> None:
        gate = asyncio.Semaphore(CONCURRENT_REQUESTS)
        async with http_client(here) as client:

            async def post(batch: list[str]) -> None:
                async with gate:
                    await answer_to(client, batch)

            await asyncio.gather(*map(post, batches_of(items)))

    return timed(lambda: asyncio.run(post_all()))


def least_loop(here: Stage, items: int) -> float:
    """The bare loop with three commits a batch: before it is sent, of its body, of its end.

    A row an item under a unique key, in SQLite as the ledger has it; no budget, rate, fence,
    priority or history. What concurrent requests have to write at a time is one commit.
    """
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(1) as pool:
        ledger = sqlite3.connect(
            f"{folder}/ledger.sqlite", isolation_level=None, check_same_thread=False
        )
        ledger.executescript(
            "pragma journal_mode = wal; pragma synchronous = full;"
            "create table lookups (id integer primary key, batch integer, item text unique, "
            "state text); create index lookups_batch on lookups (batch);"
            "create table replies (batch integer primary key, body blob);"
        )

        async def post_all() -> None:
            gate = asyncio.Semaphore(CONCURRENT_REQUESTS)
            loop = asyncio.get_running_loop()
            waiting: list[tuple[str, list[tuple], asyncio.Future[None]]] = []

            def write(works: list[tuple[str, list[tuple], asyncio.Future[None]]]) -> None:
                ledger.execute("begin immediate")
                for statement, rows, _ in works:
                    ledger.executemany(statement, rows)
                ledger.execute("commit")

            async def write_what_waits() -> None:
                works = waiting.copy()
                waiting.clear()
                await loop.run_in_executor(pool, write, works)
                for _, _, done in works:
                    done.set_result(None)

            async def committed(statement: str, rows: list[tuple]) -> None:
                waiting.append((statement, rows, loop.create_future()))
                done = waiting[-1][2]
                async with turn:
                    if not done.done():
                        await write_what_waits()

            turn = asyncio.Lock()
            async with http_client(here) as client:

                async def post(number: int, batch: list[str]) -> None:
                    async with gate:
                        await committed(
                            "insert into lookups (batch, item, state) values (?, ?, 'sent')",
                            [(number, item) for item in batch],
                        )
                        body = await answer_to(client, batch)
                        await committed("insert into replies values (?, ?)", [(number, body)])
                    json.loads(body)
                    await committed(
                        "update lookups set state = 'replied' where batch = ? and state = 'sent'",
                        [(number,)],
                    )

                await asyncio.gather(*(post(*each) for each in enumerate(batches_of(items))))

        try:
            return timed(lambda: asyncio.run(post_all()))
        finally:
            ledger.close()


def ours(here: Stage, items: int) -> float:
    """Through the dispatcher and the ledger, from the work list's candidates to settled answers."""
    stores = Stores(here.settings)
    open_state(stores)
    run = Run(run_id=uuid4().hex, as_of=now())
    # a person is not bought twice: each round asks for people of its own by the same e-mails
    people = [
        replace(
            candidate,
            person_key=f"{run.run_id[:8]}-{candidate.person_key[8:]}",
            known_by=frozenset({hashed("email", f"{run.run_id}-{candidate.item}")}),
        )
        for candidate in candidates(range(items))
    ]

    store = open_store(here.settings.ledger_url.get_secret_value())

    async def buy() -> int:
        return (await look_up(here.settings, store, run, people, BATCH)).matched

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
    account = here.settings.accounts[FIRST]
    headers = {"apikey": account.api_key.get_secret_value()}
    url = f"{account.base_url}/candidate/search"

    @dlt.resource(name="batches")
    def batches() -> Iterator[list[str]]:
        yield from batches_of(items)

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


def batches_of(items: int) -> Iterator[list[str]]:
    for start in range(0, items, BATCH):
        yield [email(n) for n in range(start, min(start + BATCH, items))]


def http_client(here: Stage) -> httpx.AsyncClient:
    account = here.settings.accounts[FIRST]
    headers = {"apikey": account.api_key.get_secret_value()}
    return httpx.AsyncClient(base_url=f"{account.base_url}/", headers=headers, timeout=60)


async def answer_to(client: httpx.AsyncClient, batch: list[str]) -> bytes:
    body = {"items": batch, "withoutWaterfall": True}
    return (await client.post("candidate/search", json=body)).raise_for_status().content


def timed(action: Callable[[], object]) -> float:
    began_at = time.perf_counter()
    action()
    return time.perf_counter() - began_at
