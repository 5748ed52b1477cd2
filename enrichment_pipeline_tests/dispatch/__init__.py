"""Tests of the dispatcher: a real ledger, the real client, and the sandbox over real HTTP.

Here: candidates, a client that remembers what it had on the wire, and a short way to buy. Not here:
servers that misbehave (`enrichment_pipeline_tests.providers`).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from enrichment_pipeline.clock import Clock
from enrichment_pipeline.dispatch.asking import AskLookups
from enrichment_pipeline.dispatch.dispatcher import Dispatcher
from enrichment_pipeline.dispatch.progress import DispatchReport, Progress
from enrichment_pipeline.dispatch.settling import ReadReplies, read_kept_replies
from enrichment_pipeline.ledger.admission import Candidate
from enrichment_pipeline.ledger.budget import RunShare
from enrichment_pipeline.ledger.schema import calls
from enrichment_pipeline.ledger.store import LedgerStore
from enrichment_pipeline.providers.base import Reply
from enrichment_pipeline.providers.signalhire.client import SignalHireClient
from enrichment_pipeline.sandbox.signalhire.people import People
from enrichment_pipeline_tests.ledger import Ledger, limits_of
from enrichment_pipeline_tests.sandbox import journal_lines
from enrichment_pipeline_tests.sandbox.signalhire import (
    crowd,
)

KEY = "sandbox"
UNKNOWN = 900
"""From this number on, no person is in the directory."""


def directory(size: int = 60) -> People:
    return crowd(size)


def uid(number: int) -> str:
    return f"{number:032x}"


def person(number: int, priority: str = "standard", supersedes: str = "") -> Candidate:
    return Candidate(
        person_key=f"person:{number}",
        contact_id=f"contact-{number}",
        item=f"person-{number}@crowd.example",
        item_kind="email",
        freshness="new",
        priority=priority,
        supersedes=supersedes,
    )


def persons(numbers: Iterable[int], priority: str = "standard") -> list[Candidate]:
    return [person(number, priority) for number in numbers]


def ledger_on(store: LedgerStore, clock: Clock | None = None, **limits: Any) -> Ledger:
    """A ledger on the real clock, whose limits nothing comes near, but for those named."""
    wide = {"items_per_window": 100_000, "window": timedelta(seconds=1)}
    return Ledger(store, "signalhire", limits_of(**wide | limits), clock or Clock())


class Wire(SignalHireClient):
    """The real client, which also remembers what it sent and how much was under way at once."""

    def __init__(self, base_url: str, api_key: str = KEY, **options: Any) -> None:
        super().__init__(base_url, api_key, **options)
        self.batches: list[list[str]] = []
        self.under_way = 0
        self.most_under_way = 0

    async def lookup(self, items: Sequence[str]) -> Reply:
        with self._remember(items):
            return await super().lookup(items)

    async def submit(self, items: Sequence[str], callback_url: str) -> Reply:
        with self._remember(items):
            return await super().submit(items, callback_url)

    @contextmanager
    def _remember(self, items: Sequence[str]) -> Iterator[None]:
        self.batches.append(list(items))
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            yield
        finally:
            self.under_way -= 1


class Told:
    """A progress bar that only remembers."""

    def __init__(self) -> None:
        self.total = 0
        self.done = 0
        self.credits = 0
        self.most_outstanding = 0
        self.searches = (0, 0)
        self.said: list[str] = []

    def add_total(self, calls: int) -> None:
        self.total += calls

    def advance(self, calls: int, credits: int) -> None:
        self.done += calls
        self.credits += credits

    def outstanding(self, calls: int) -> None:
        self.most_outstanding = max(self.most_outstanding, calls)

    def searched(self, done: int, total: int) -> None:
        self.searches = (done, total)

    def say(self, message: str) -> None:
        self.said.append(message)


def dispatcher_of(
    ledger: Ledger,
    wire: SignalHireClient,
    told: Progress | None = None,
    *,
    run_id: str = "run",
    max_credits: int | None = None,
    callback_url: Callable[[str], str] | None = None,
    **options: Any,
) -> Dispatcher:
    """One that makes look-ups."""
    return Dispatcher(
        ledger.store,
        ledger.calls,
        AskLookups(wire, callback_url),
        told or Told(),
        run=RunShare(run_id, max_credits=max_credits),
        **options,
    )


def read_kept(
    ledger: Ledger, wire: SignalHireClient | None = None, dead: Sequence[str] = ()
) -> ReadReplies:
    """Read what was kept and not yet read."""
    reader = wire or SignalHireClient("http://unused.invalid", "key")
    return read_kept_replies(ledger.store, ledger.calls, AskLookups(reader), dead)


def buy(
    ledger: Ledger,
    wire: Wire,
    *pages: Sequence[Candidate],
    told: Told | None = None,
    **options: Any,
) -> DispatchReport:
    """Dispatch these pages, and close the client."""
    settings: dict[str, Any] = {"batch_size": 5, "concurrency": 4, **options}

    async def run() -> DispatchReport:
        try:
            return await dispatcher_of(ledger, wire, told, **settings).run(pages)
        finally:
            await wire.close()

    return asyncio.run(run())


def charges(journal: Path) -> Counter[str]:
    """How often each profile was charged."""
    if not journal.exists():
        return Counter()
    return Counter(line["uid"] for line in journal_lines(journal))


def states_of(store: LedgerStore) -> dict[str, list[str]]:
    """The states of each person's look-ups, in the order of their reservation."""
    found: dict[str, list[str]] = {}
    with store.read() as connection:
        query = sa.select(calls.c.person_key, calls.c.state).order_by(calls.c.reserved_at)
        for person_key, state in connection.execute(query):
            found.setdefault(person_key, []).append(state)
    return found
