"""The receiver under load: 300 callbacks of 100 answers at once, and a thousand that trickle.

Measures: how long the provider waits for its 200 (it waits 10 s), whether every body is
in the ledger, when those who trickle are closed, and the receiver's resident set
meanwhile. The receiver is the real process; its clients are this one.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import socket
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

import sqlalchemy as sa
from pydantic import SecretStr

from benchmarks.common import candidates, verdict, wide_limits
from enrichment_pipeline.callback_urls import CallbackKeys, Callbacks
from enrichment_pipeline.clock import Clock
from enrichment_pipeline.ledger.admission import Admitted
from enrichment_pipeline.ledger.budget import RunShare
from enrichment_pipeline.ledger.calls import Calls
from enrichment_pipeline.ledger.schema import replies
from enrichment_pipeline.ledger.store import LedgerStore, open_store
from enrichment_pipeline.serving.child import child_server
from enrichment_pipeline.vocabulary import LOOKUP

PROVIDER = "signalhire"
SECRET = "of the benchmark"  # noqa: S105 - nobody else's
ITEMS = 100
CALLBACK_DEADLINE = timedelta(minutes=60)
PROVIDER_WAITS_SECONDS = 10.0
HEAD_SECONDS = 5.0
TRICKLE_SECONDS = 0.2
MEGABYTE = 1024 * 1024


@dataclass(frozen=True)
class Callback:
    """What is posted for one batch."""

    batch_id: str
    url: str
    body: bytes


@dataclass(frozen=True)
class Stage:
    """A receiver that runs, and batches that wait for their callbacks."""

    store: LedgerStore
    url: str
    callbacks: Sequence[Callback]
    metrics_url: str

    def kept(self) -> dict[str, bytes]:
        with self.store.read() as connection:
            rows = connection.execute(sa.select(replies.c.request_id, replies.c.body)).all()
        return {request_id: bytes(body) for request_id, body in rows}

    def resident(self) -> float:
        """The receiver's resident set now, in MB, as its own metrics tell it."""
        with urlopen(self.metrics_url, timeout=30) as response:  # noqa: S310 - our own
            for line in response.read().decode().splitlines():
                if line.startswith("process_resident_memory_bytes "):
                    return float(line.split()[1]) / MEGABYTE
        raise AssertionError("the metrics tell no resident set")


@dataclass(frozen=True)
class Posted:
    """What came of posting: statuses (None: no answer), and how long each took, in seconds."""

    statuses: Sequence[int | None]
    seconds: Sequence[float]

    @property
    def acknowledged(self) -> int:
        return self.statuses.count(200)


def main(callbacks: int = 300, tricklers: int = 1_000) -> bool:
    return all([burst(callbacks), trickle(tricklers)])


def burst(number: int) -> bool:
    """All callbacks at once."""
    with stage(number) as here:
        posted = asyncio.run(_post_at_once(here.callbacks))
        is_all_kept = here.kept() == {one.batch_id: one.body for one in here.callbacks}
    size = statistics.mean(len(one.body) for one in here.callbacks) / 1024
    worst = max(posted.seconds)
    print(
        f"  {number} callbacks of {ITEMS} answers ({size:.0f} KB each) at once: "
        f"{posted.acknowledged} acknowledged, median {statistics.median(posted.seconds):.2f} s, "
        f"worst {worst:.2f} s; {'every' if is_all_kept else 'NOT every'} body in the ledger"
    )
    holds = verdict("worst, s", worst, "<=", PROVIDER_WAITS_SECONDS)
    return holds and is_all_kept and posted.acknowledged == number


def trickle(number: int, good: int = 100) -> bool:
    """Connections that send a byte at a time, half in the head, and good callbacks meanwhile."""
    with stage(good + 1) as here:
        before = here.resident()
        outcome = asyncio.run(_trickle(here, number))
        is_all_kept = here.kept() == {one.batch_id: one.body for one in here.callbacks[1:]}
    in_head, in_body, posted, peak = outcome
    worst = max(posted.seconds)
    for where, seconds in (("head", in_head), ("body", in_body)):
        print(
            f"  {len(seconds)} trickle in the {where}: "
            f"closed after {min(seconds):.1f} to {max(seconds):.1f} s"
        )
    print(
        f"  {posted.acknowledged} of {good} good callbacks acknowledged meanwhile, median "
        f"{statistics.median(posted.seconds):.2f} s, worst {worst:.2f} s; "
        f"{'every' if is_all_kept else 'NOT every'} one in the ledger; "
        f"resident set {before:.0f} MB before, {peak:.0f} MB at its peak"
    )
    results = [
        verdict("worst of the good ones, s", worst, "<=", PROVIDER_WAITS_SECONDS),
        verdict("last trickler closed, s", max(*in_head, *in_body), "<=", 2 * HEAD_SECONDS + 5),
        verdict("resident set, added MB", peak - before, "<=", 200),
    ]
    return all(results) and is_all_kept and posted.acknowledged == good


@contextmanager
def stage(number: int) -> Iterator[Stage]:
    """A fresh ledger with as many submitted batches, and the real receiver over it."""
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="enrichment-bench-")))
        ledger_url = f"sqlite:///{home / 'ledger.sqlite'}"
        store = open_store(ledger_url)
        stack.callback(store.close)
        calls = Calls(PROVIDER, LOOKUP, wide_limits(CALLBACK_DEADLINE), Clock())
        batches = _submit(store, calls, number)
        port = _free_port()
        environment = os.environ | {
            "ENRICHMENT_HOME": str(home),
            "ENRICHMENT_LEDGER_URL": ledger_url,
            "ENRICHMENT_CALLBACK_SECRET": SECRET,
        }
        options = ["--metrics-port", str(port)]
        url = stack.enter_context(child_server("receiver", options, environment))
        urls = Callbacks(url, CallbackKeys((SecretStr(SECRET),)))
        callbacks = [
            Callback(batch.request_id, urls.url(PROVIDER, batch.request_id), _body(batch))
            for batch in batches
        ]
        yield Stage(store, url, callbacks, f"http://127.0.0.1:{port}/metrics")


def _submit(store: LedgerStore, calls: Calls, number: int) -> list[Admitted]:
    batches = []
    for n in range(number):
        people = candidates(range(n * ITEMS, (n + 1) * ITEMS))
        with store.write() as transaction:
            batch = calls.admit(transaction, people, RunShare("bench"))
            assert isinstance(batch, Admitted)
            calls.mark_sent(transaction, batch.request_id, awaits_callback=True)
            calls.note_accepted(
                transaction, batch.request_id, request_ref=str(n), credits_left=None
            )
        batches.append(batch)
    return batches


def _body(batch: Admitted) -> bytes:
    """A hundred profiles of 2 KB, as the provider sends them."""
    return json.dumps(
        [
            {
                "item": lookup.candidate.item,
                "status": "success",
                "candidate": _profile(lookup.candidate.item),
            }
            for lookup in batch.calls
        ]
    ).encode()


def _profile(email: str) -> dict[str, object]:
    job = {
        "position": "Engineer",
        "company": "Company",
        "current": True,
        "started": "2020-01-01T00:00:00+00:00",
        "summary": "Builds things that last. " * 12,
        "website": "https://company.example",
    }
    return {
        "uid": "0" * 32,
        "fullName": "Person Example",
        "headLine": "Builds things that last. " * 4,
        "locations": [{"name": "Berlin, Germany"}],
        "skills": [f"skill {n}" for n in range(20)],
        "contacts": [
            {"type": "email", "value": email, "rating": 100, "subType": "work"},
            {"type": "phone", "value": "+49 30 1234567", "rating": 70, "subType": "mobile"},
        ],
        "social": [{"type": "li", "link": "https://linkedin.com/in/person", "rating": 100}],
        "experience": [job, job, job],
    }


async def _post_at_once(callbacks: Sequence[Callback]) -> Posted:
    """Each on a connection of its own; a plain client, so that the server is what is measured."""
    came = await asyncio.gather(*map(_post, callbacks))
    return Posted([status for status, _ in came], [seconds for _, seconds in came])


async def _post(callback: Callback) -> tuple[int | None, float]:
    began_at = time.perf_counter()
    reader, writer = await _connect(callback.url)
    writer.write(_head(callback.url, len(callback.body)) + callback.body)
    status_line = (await reader.readline()).split()
    seconds = time.perf_counter() - began_at
    writer.close()
    return (int(status_line[1]) if len(status_line) > 1 else None), seconds


async def _trickle(here: Stage, number: int) -> tuple[list[float], list[float], Posted, float]:
    victim, *good = here.callbacks
    # far more of it than is ever sent
    head = _head(victim.url, len(victim.body))
    slow_head = head[:20] + b"x" * 1_000
    peak, are_over = 0.0, asyncio.Event()

    async def watch() -> None:
        nonlocal peak
        while not are_over.is_set():
            peak = max(peak, await asyncio.to_thread(here.resident))
            await asyncio.sleep(0.1)

    async def spread_out() -> Posted:
        """The good ones, one after another, for as long as there are tricklers."""
        came = []
        for one in good:
            came.append(await _post(one))
            await asyncio.sleep(HEAD_SECONDS / len(good))
        return Posted([status for status, _ in came], [seconds for _, seconds in came])

    watching = asyncio.create_task(watch())
    half = number // 2
    tricklers: list[Awaitable[float]] = [
        _trickle_one(victim.url, b"", slow_head) for _ in range(half)
    ] + [_trickle_one(victim.url, head, victim.body) for _ in range(number - half)]
    closed, posted = await asyncio.gather(asyncio.gather(*tricklers), _later(spread_out))
    are_over.set()
    await watching
    return closed[:half], closed[half:], posted, peak


async def _later(post: Callable[[], Awaitable[Posted]]) -> Posted:
    await asyncio.sleep(0.5)  # until the tricklers are connected
    return await post()


async def _trickle_one(url: str, first: bytes, then: bytes) -> float:
    """Send a byte at a time until the server closes; how long it put up with that, in seconds."""
    reader, writer = await _connect(url)
    began_at = time.perf_counter()
    closed = asyncio.create_task(_read_to_end(reader))
    writer.write(first)
    for n in range(len(then)):
        done, _ = await asyncio.wait([closed], timeout=TRICKLE_SECONDS)
        if done:
            break
        writer.write(then[n : n + 1])
    await closed
    seconds = time.perf_counter() - began_at
    writer.close()
    return seconds


async def _read_to_end(reader: asyncio.StreamReader) -> None:
    with suppress(ConnectionError):  # reset, since we were still sending
        await reader.read()


async def _connect(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    parts = urlsplit(url)
    return await asyncio.open_connection(parts.hostname, parts.port)


def _head(url: str, length: int) -> bytes:
    return (
        f"POST {urlsplit(url).path} HTTP/1.1\r\nhost: receiver\r\n"
        f"content-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    ).encode()


def _free_port() -> int:
    """One that the system gives to nobody who asks for any, so that it stays free until used."""
    while True:
        port = random.randrange(10_000, 32_768)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
