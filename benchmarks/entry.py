"""The point of entry under load: how long an application waits, and how many it can serve.

Measures, with stand-ins that take 50 and 1,500 ms: in an open loop (posts leave when they are due,
whatever became of those before), people who are bought at 10 a second, as fast as SignalHire
allows, and, once all of these are answered, people who are known at 100 a second; in a closed loop
50 callers, against a bare FastAPI route that commits one row to the same kind of database, in the
same run. `serve`, the stand-in and the route are real processes; the clients are this one, and
speak HTTP over plain sockets: a client that does more takes the processors from what is measured.
"""

from __future__ import annotations

import asyncio
import csv
import json
import os
import secrets
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.common import made_up_word, verdict
from enrichment_pipeline.serving.child import child_server

TOKEN = secrets.token_hex(16)
KNOWN, KNOWN_PER_SECOND, KNOWN_SECONDS = 200, 100, 15
BOUGHT_PER_SECOND, BOUGHT_SECONDS = 10, 20
CALLERS, CLOSED_LOOP_SECONDS = 50, 10
PROVIDER_SECONDS = (0.05, 1.5)
WAIT = 10


@dataclass(frozen=True)
class Answers:
    """What posts were answered, and how long each took, in seconds."""

    statuses: Counter[str]
    seconds: Sequence[float]

    def p(self, percent: int) -> float:
        return statistics.quantiles(self.seconds, n=100, method="inclusive")[percent - 1]


def main() -> bool:
    results = [open_loop(seconds) for seconds in PROVIDER_SECONDS]
    return all([*results, closed_loop()])


def open_loop(provider_seconds: float) -> bool:
    """People who are bought, and then people who are known, each post at its time."""
    with stage(provider_seconds, BOUGHT_PER_SECOND * BOUGHT_SECONDS) as (url, people):
        bought, known = asyncio.run(_open_loops(url, people))
    _show(f"provider {provider_seconds * 1000:.0f} ms: bought at {BOUGHT_PER_SECOND}/s", bought)
    _show(f"provider {provider_seconds * 1000:.0f} ms: known at {KNOWN_PER_SECOND}/s", known)
    return all(
        [
            verdict("bought, p99, s", bought.p(99), "<=", provider_seconds + 0.5),
            verdict("known, p99, s", known.p(99), "<=", 0.05),
        ]
    )


def closed_loop() -> bool:
    """Fifty callers who post a known person again and again, against a bare route."""
    with stage(PROVIDER_SECONDS[0], KNOWN) as (url, people):
        asyncio.run(_fill(url, people))
        ours = asyncio.run(_in_closed_loop(f"{url}/v1/contacts", people))
    with (
        tempfile.TemporaryDirectory(prefix="enrichment-bench-") as folder,
        _bare_route(folder) as bare,
    ):
        theirs = asyncio.run(_in_closed_loop(bare, people))
    print(
        f"  closed loop, {CALLERS} callers: {ours:.0f} known people a second; "
        f"a bare route that commits a row {theirs:.0f}"
    )
    return verdict("of the bare route", ours / theirs, ">=", 0.5)


def _show(what: str, answers: Answers) -> None:
    print(
        f"  {what}: {len(answers.seconds)} posts, median {answers.p(50):.3f} s, "
        f"p90 {answers.p(90):.3f} s, p99 {answers.p(99):.3f} s; {dict(answers.statuses)}"
    )


@contextmanager
def stage(provider_seconds: float, number: int) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """`serve` over a stand-in that takes so long, and so many people that it knows."""
    people = [
        {
            "full_name": f"{made_up_word(n)} {made_up_word(n + 7)}son",
            "email": f"{made_up_word(n)}.{n}@company{n % 50}.example.com".lower(),
        }
        for n in range(number)
    ]
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="enrichment-bench-")))
        directory = home / "people.csv"
        with directory.open("w", newline="") as file:
            writer = csv.DictWriter(file, ["full_name", "work_email"])
            writer.writeheader()
            writer.writerows(
                {"full_name": each["full_name"], "work_email": each["email"]} for each in people
            )
        options = ["--people", str(directory), "--latency-ms", str(round(provider_seconds * 1000))]
        options += ["--items-per-window", "100000", "--window-seconds", "1"]
        provider = stack.enter_context(child_server("sandbox", options, dict(os.environ)))
        policy = home / "enrichment.toml"
        policy.write_text(
            "[signalhire]\nitems_per_window = 600\nwindow_seconds = 60\n"
            "[entry]\nrequests_per_second = 10000\nrequests_at_once = 10000\n"
        )
        environment = os.environ | {
            "ENRICHMENT_HOME": str(home / "state"),
            "ENRICHMENT_CONFIG": str(policy),
            "ENRICHMENT_API_TOKENS": TOKEN,
            "SIGNALHIRE_BASE_URL": provider,
        }
        serve = child_server("serve", ["--metrics-port", "0"], environment)
        yield stack.enter_context(serve), people


async def _open_loops(url: str, people: list[dict[str, str]]) -> tuple[Answers, Answers]:
    client = _Client(f"{url}/v1/contacts")
    bought = await _in_open_loop(lambda n: client.post(people[n]), BOUGHT_PER_SECOND, len(people))
    await _settle(client, people)
    known = await _in_open_loop(
        lambda n: client.post(people[n % len(people)]),
        KNOWN_PER_SECOND,
        KNOWN_PER_SECOND * KNOWN_SECONDS,
    )
    return bought, known


async def _in_open_loop(
    post: Callable[[int], Awaitable[str]], per_second: int, number: int
) -> Answers:
    """Each post at its time. What it takes counts from then on, also where it left too late."""

    async def one(n: int) -> tuple[str, float]:
        due_at = began_at + n / per_second
        await asyncio.sleep(max(0.0, due_at - loop.time()))
        status = await post(n)
        return status, loop.time() - due_at

    loop = asyncio.get_running_loop()
    began_at = loop.time()
    came = await asyncio.gather(*map(one, range(number)))
    return Answers(Counter(status for status, _ in came), [seconds for _, seconds in came])


async def _settle(client: _Client, people: list[dict[str, str]]) -> None:
    """Post these people until each is decided."""
    left = people
    while left:
        came = await asyncio.gather(*map(client.post, left))
        left = [person for person, told in zip(left, came, strict=True) if told[:3] != "200"]


async def _fill(url: str, people: list[dict[str, str]]) -> None:
    await _settle(_Client(f"{url}/v1/contacts"), people)


async def _in_closed_loop(url: str, people: list[dict[str, str]]) -> float:
    """Posts a second."""
    done = 0
    client = _Client(url)

    async def call(caller: int) -> None:
        nonlocal done
        n = caller
        while time.perf_counter() < ends_at:
            await client.post(people[n % len(people)])
            n, done = n + CALLERS, done + 1

    ends_at = time.perf_counter() + CLOSED_LOOP_SECONDS
    await asyncio.gather(*map(call, range(CALLERS)))
    return done / CLOSED_LOOP_SECONDS


class _Client:
    """Posts to one URL, over as many connections as there are posts under way."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._place = parts.hostname, parts.port
        self._head = (
            f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
            f"Authorization: Bearer {TOKEN}\r\nPrefer: wait={WAIT}\r\n"
            "Content-Type: application/json\r\nContent-Length: "
        )
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def post(self, person: dict[str, str]) -> str:
        """The status of the answer, and the contact's."""
        reader, writer = (
            self._idle.pop() if self._idle else await asyncio.open_connection(*self._place)
        )
        body = json.dumps(person)
        writer.write(f"{self._head}{len(body)}\r\n\r\n{body}".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        [length] = [
            int(line.partition(b":")[2])
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"content-length:")
        ]
        answer = json.loads(await reader.readexactly(length))
        if b"connection: close" in head.lower():
            writer.close()
        else:
            self._idle.append((reader, writer))
        return f"{head[9:12].decode()} {answer.get('status', '?')}"


@contextmanager
def _bare_route(folder: str) -> Iterator[str]:
    """A FastAPI route that commits what is posted as a row, in SQLite set up as the ledger is."""
    import subprocess

    child = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.bare_route", folder], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    try:
        yield child.stdout.readline().strip()
    finally:
        child.terminate()
        child.wait()
