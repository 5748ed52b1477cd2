"""Answers that come by callback: which batches a run waits for, and what came for them.

Here: reading what the receiver has kept, and the deadline. Not here: keeping it
(`receiver/`), and sending requests (`dispatcher.py`). Another process may read a
callback first; what it came to is then found in the ledger.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from enrichment_pipeline.clock import Clock
from enrichment_pipeline.dispatch.settling import ReadReplies, read_kept_replies
from enrichment_pipeline.ledger.journal import Settlement
from enrichment_pipeline.ledger.ledger import Ledger
from enrichment_pipeline.ledger.limits import furthest
from enrichment_pipeline.providers.base import Provider, Signal

POLL_SECONDS = 0.25
"""How often a run asks the ledger whether callbacks have come."""


@dataclass
class Collected:
    """What came since the last time: of batches that are finished, and of the provider."""

    settlements: list[Settlement] = field(default_factory=list)
    signals: Sequence[Signal] = ()
    unasked: int = 0


@dataclass(frozen=True)
class _Awaited:
    lookups: int
    deadline: datetime


class AwaitedAnswers:
    """The batches of one run that were submitted and whose answers are still to come."""

    def __init__(self, ledger: Ledger, provider: Provider, clock: Clock) -> None:
        self._ledger = ledger
        self._provider = provider
        self._clock = clock
        self._awaited: dict[str, _Awaited] = {}

    def expect(self, batch_id: str, lookups: int) -> None:
        deadline = self._clock.now() + self._ledger.limits.answer_deadline
        self._awaited[batch_id] = _Awaited(lookups, deadline)

    @property
    def outstanding(self) -> int:
        """Look-ups of batches that are not answered whole."""
        return sum(awaited.lookups for awaited in self._awaited.values())

    @property
    def last_deadline(self) -> datetime | None:
        return max((awaited.deadline for awaited in self._awaited.values()), default=None)

    async def collect(self) -> Collected:
        """Read what has come; what is past its deadline ends as unconfirmed."""
        awaited = dict(self._awaited)
        read, finished = await asyncio.to_thread(self._read, awaited)
        collected = Collected(signals=read.signals, unasked=read.unasked)
        for batch_id, settlements in finished.items():
            collected.settlements += settlements
            del self._awaited[batch_id]
        return collected

    def _read(
        self, awaited: Mapping[str, _Awaited]
    ) -> tuple[ReadReplies, dict[str, list[Settlement]]]:
        read = read_kept_replies(self._ledger, self._provider)
        now = self._clock.now()
        latest = furthest(now, self._ledger.limits.answer_deadline)
        if not all(now < batch.deadline <= latest for batch in awaited.values()):
            self._ledger.clear_abandoned()
        return read, self._ledger.finished_batches(awaited)
