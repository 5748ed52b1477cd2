"""Answers that come by callback: which requests a run waits for, and what came for them.

Here: reading what the receiver has kept, and the deadline. Not here: keeping it
(`receiver/`), and sending requests (`dispatcher.py`). Another process may read a
callback first; its result is then found in the ledger.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from enrichment_pipeline.dispatch.asking import Asking
from enrichment_pipeline.dispatch.settling import ReadReplies, read_kept_replies
from enrichment_pipeline.ledger.calls import Calls
from enrichment_pipeline.ledger.journal import Settlement
from enrichment_pipeline.ledger.kept import finished_requests
from enrichment_pipeline.ledger.limits import clock_skew_horizon
from enrichment_pipeline.ledger.store import LedgerStore
from enrichment_pipeline.providers.base import Signal

POLL_SECONDS = 0.25
"""How often a run asks the ledger whether callbacks have come."""


@dataclass
class Collected:
    """What came since the last time: of requests that are finished, and of the provider."""

    settlements: list[Settlement] = field(default_factory=list)
    signals: Sequence[Signal] = ()
    unsolicited_answers: int = 0


@dataclass(frozen=True)
class _Awaited:
    calls: int
    deadline: datetime


class AwaitedAnswers:
    """The requests of one run that were submitted and whose answers are still to come."""

    def __init__(self, store: LedgerStore, calls: Calls, asking: Asking) -> None:
        self._store = store
        self._calls = calls
        self._asking = asking
        self._awaited: dict[str, _Awaited] = {}

    def expect(self, request_id: str, calls: int) -> None:
        deadline = self._calls.clock.now() + self._calls.limits.answer_deadline
        self._awaited[request_id] = _Awaited(calls, deadline)

    @property
    def outstanding(self) -> int:
        """Calls of requests that are not answered whole."""
        return sum(awaited.calls for awaited in self._awaited.values())

    @property
    def last_deadline(self) -> datetime | None:
        return max((awaited.deadline for awaited in self._awaited.values()), default=None)

    async def collect(self) -> Collected:
        """Read what has come; what is past its deadline ends as unconfirmed."""
        awaited = dict(self._awaited)
        read, finished = await asyncio.to_thread(self._read, awaited)
        collected = Collected(signals=read.signals, unsolicited_answers=read.unsolicited_answers)
        for request_id, settlements in finished.items():
            collected.settlements += settlements
            del self._awaited[request_id]
        return collected

    def _read(
        self, awaited: Mapping[str, _Awaited]
    ) -> tuple[ReadReplies, dict[str, list[Settlement]]]:
        read = read_kept_replies(self._store, self._calls, self._asking)
        now = self._calls.clock.now()
        latest = clock_skew_horizon(now, self._calls.limits.answer_deadline)
        if not all(now < request.deadline <= latest for request in awaited.values()):
            self._store.transact(self._calls.clear_abandoned)
        return read, finished_requests(self._store, awaited)
