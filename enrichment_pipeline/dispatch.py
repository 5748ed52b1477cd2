"""Dispatch: from the work list through the ledger to the provider and back.

Here: the order in which work is offered to the ledger, requests on the wire,
and what each outcome becomes in the ledger. Not here: whether a call may be
made (`ledger/`), HTTP (`providers/`), and DuckDB: it is closed while a call is
under way.
"""

import asyncio
import heapq
import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Protocol

from enrichment_pipeline.clock import Clock
from enrichment_pipeline.lanes import PRIORITIES
from enrichment_pipeline.ledger.admission import (
    Admitted,
    Candidate,
    Exhausted,
    NotDue,
    Wait,
)
from enrichment_pipeline.ledger.journal import FenceError, Settlement
from enrichment_pipeline.ledger.ledger import Ledger
from enrichment_pipeline.ledger.schema import RELEASED, REPLIED, UNCONFIRMED
from enrichment_pipeline.providers.base import (
    Failing,
    Halt,
    ItemReading,
    LegalStop,
    Matched,
    NoMatch,
    NoReplyError,
    NotSentError,
    OutOfCredits,
    Provider,
    Reading,
    Refused,
    Retriable,
    SlowDown,
    Unconfirmed,
)

CONCURRENT_REQUESTS = 8
LONGEST_WAIT = timedelta(minutes=10)
"""A gate that stays closed for longer ends the run; what is left stays queued."""
MAX_ATTEMPTS = 3
"""How often a run offers a look-up again that was refused unbilled for a passing reason."""

_log = logging.getLogger(__name__)


class Progress(Protocol):
    """Told how far a run is; used by the progress bar and by Dagster's log."""

    def add_total(self, lookups: int) -> None: ...

    def advance(self, lookups: int, credits: int) -> None: ...

    def say(self, message: str) -> None: ...


@dataclass
class DispatchReport:
    """What a dispatch came to. Counts are look-ups; `credits` were charged."""

    offered: int = 0
    sent: int = 0
    matched: int = 0
    no_match: int = 0
    refused: int = 0
    released: int = 0
    unconfirmed: int = 0
    not_due: int = 0
    credits: int = 0
    unasked: int = 0
    exhausted: dict[str, str] = field(default_factory=dict)
    """The budget period that ran out, by priority."""
    halted: Halt | None = None

    def count(self, settlement: Settlement) -> None:
        if settlement.state == REPLIED:
            name = (
                settlement.outcome if settlement.outcome in {"matched", "no_match"} else "refused"
            )
        else:
            name = settlement.state
        setattr(self, name, getattr(self, name) + 1)
        self.credits += settlement.credits_charged


def settlement_for(reading: ItemReading) -> Settlement:
    """What an outcome becomes in the ledger: the table of states, outcome by outcome."""
    index = reading.answer_index
    match reading.outcome:
        case Matched(credits):
            return Settlement(REPLIED, "matched", None, credits, index)
        case NoMatch():
            return Settlement(REPLIED, "no_match", None, 0, index)
        case Refused(reason):
            return Settlement(REPLIED, "refused", reason, 0, index)
        case LegalStop():
            return Settlement(REPLIED, "legal_stop", None, 0, index)
        case OutOfCredits():
            return Settlement(RELEASED, "out_of_credits", "out_of_credits", 0, index)
        case Retriable(reason):
            return Settlement(RELEASED, "retriable", reason, 0, index)
        case Unconfirmed(reason):
            return Settlement(UNCONFIRMED, "unconfirmed", reason, 0, index)


def settle_kept_replies(ledger: Ledger, provider: Provider) -> int:
    """Read replies that a killed run had kept but not yet settled; how many look-ups."""
    settled = 0
    for kept in ledger.unsettled_replies():
        reading = provider.read(kept.http_status, kept.body, list(kept.items.values()))
        settlements = dict(zip(kept.items, map(settlement_for, reading.items), strict=True))
        # an unconfirmed look-up that stays so is no transition
        settlements = {
            lookup_id: settlement
            for lookup_id, settlement in settlements.items()
            if settlement.state != UNCONFIRMED or lookup_id in kept.sent
        }
        if not settlements:
            continue
        try:
            ledger.settle(settlements, reply_id=kept.reply_id, answered_at=kept.answered_at)
        except FenceError:
            continue  # its own run is alive, and has settled it meanwhile
        settled += len(settlements)
    return settled


class Dispatcher:
    """Buys a work list. One per run; `stop()` may be called from another thread."""

    def __init__(
        self,
        ledger: Ledger,
        provider: Provider,
        clock: Clock,
        progress: Progress,
        *,
        run_id: str,
        batch_size: int,
        max_credits: int | None = None,
        concurrency: int = CONCURRENT_REQUESTS,
    ) -> None:
        self._ledger = ledger
        self._provider = provider
        self._clock = clock
        self._progress = progress
        self._run_id = run_id
        self._batch_size = min(batch_size, provider.max_batch)
        self._max_credits = max_credits
        self._concurrency = concurrency
        self._backlog = _Backlog()
        self._attempts: Counter[str] = Counter()
        self._flights: set[asyncio.Task[None]] = set()
        self._stopping = False
        self.report = DispatchReport()

    def stop(self) -> None:
        """Admit nothing more; what is on the wire is still answered and kept."""
        self._stopping = True

    async def run(self, pages: Iterable[Sequence[Candidate]]) -> DispatchReport:
        """Look up page after page. The next page is only drawn when nothing is on the wire."""
        for page in pages:
            if self._is_done:
                break
            self.report.offered += len(page)
            self._progress.add_total(len(page))
            self._backlog.add(page)
            await self._work_off()
        return self.report

    @property
    def _is_done(self) -> bool:
        return self._stopping or self.report.halted is not None

    async def _work_off(self) -> None:
        try:
            # a request on the wire may bring some back: refused for now, or never sent
            while (self._backlog or self._flights) and not self._is_done:
                if not self._backlog or len(self._flights) >= self._concurrency:
                    await self._wait(None)
                    continue
                await self._offer(self._backlog.take(self._batch_size))
        finally:
            if self._flights:
                await asyncio.wait(self._flights)
        self._land(self._flights)
        self._backlog.clear()

    async def _offer(self, candidates: list[Candidate]) -> None:
        priority = candidates[0].priority
        match self._ledger.admit(candidates, self._run_id, self._max_credits):
            case Admitted() as admitted:
                self._backlog.add(admitted.left_over)
                self._skip(admitted.skipped)
                self._flights.add(asyncio.create_task(self._fly(admitted)))
                await asyncio.sleep(0)
            case NotDue(skipped):
                self._skip(skipped)
            case Exhausted() if self._flights:
                # what is on the wire may turn out to cost nothing, and give its credits back
                self._backlog.add(candidates)
                await self._wait(None)
            case Exhausted(period):
                if priority not in self.report.exhausted:
                    self.report.exhausted[priority] = period
                    self._progress.say(f"the {period}'s budget for {priority} is used up")
                self._backlog.drop(priority)
            case Wait(until, why):
                self._backlog.add(candidates)
                await self._wait_for_room(until, why)

    async def _wait_for_room(self, until: datetime, why: str) -> None:
        pause = until - self._clock.now()
        if why != "rate" and pause > LONGEST_WAIT:
            self.report.halted = Halt(
                "paused", f"the provider asks for a pause until {until:%H:%M}"
            )
            return
        await self._wait(pause)

    async def _wait(self, pause: timedelta | None) -> None:
        """Until a request is answered, or the pause is over."""
        seconds = None if pause is None else max(0.0, pause.total_seconds())
        if not self._flights:
            await asyncio.sleep(min(seconds or 0.0, 1.0))
            return
        done, _ = await asyncio.wait(
            self._flights, timeout=seconds, return_when=asyncio.FIRST_COMPLETED
        )
        self._land(done)

    def _land(self, done: Iterable[asyncio.Task[None]]) -> None:
        """Forget requests that are over; an error in one of them ends the dispatch."""
        done = set(done)
        self._flights -= done
        for flight in done:
            flight.result()

    async def _fly(self, admitted: Admitted) -> None:
        """One request: committed as sent before it goes, kept before it is read."""
        items = [lookup.candidate.item for lookup in admitted.lookups]
        try:
            self._ledger.mark_sent(admitted.batch_id)
        except FenceError:
            # Our lease ran out (a suspended machine), and anybody may release the batch.
            self._ledger.clear_abandoned()
            self._backlog.add([lookup.candidate for lookup in admitted.lookups])
            return
        try:
            reply = await self._provider.lookup(items)
        except NotSentError as error:
            self._ledger.note_unsent(admitted.batch_id, str(error))
            self._settle_all(admitted, Retriable("not_sent"))
            self._failed(str(error))
            return
        except NoReplyError as error:
            self._ledger.note_error(admitted.batch_id, str(error))
            self._settle_all(admitted, Unconfirmed("no_reply"))
            self._failed(str(error))
            return
        reply_id = self._ledger.record_reply(
            admitted.batch_id,
            http_status=reply.http_status,
            body=reply.body,
            credits_left=reply.credits_left,
        )
        reading = self._provider.read(reply.http_status, reply.body, items)
        self._settle(admitted, reading, reply_id)
        self._obey(reading, admitted.batch_id, reply.retry_after)

    def _settle_all(self, admitted: Admitted, outcome: Retriable | Unconfirmed) -> None:
        readings = (ItemReading(outcome),) * len(admitted.lookups)
        self._settle(admitted, Reading(readings), reply_id=None)

    def _settle(self, admitted: Admitted, reading: Reading, reply_id: str | None) -> None:
        settlements = {
            lookup.lookup_id: settlement_for(item)
            for lookup, item in zip(admitted.lookups, reading.items, strict=True)
        }
        try:
            self._ledger.settle(settlements, reply_id=reply_id)
        except FenceError:
            # Settled meanwhile, past its deadline, by another process; a kept reply is read
            # again at the start of the next run.
            _log.warning("batch %s had been settled by another process", admitted.batch_id)
            return
        self.report.unasked += reading.unasked
        retried = 0
        for lookup in admitted.lookups:
            settlement = settlements[lookup.lookup_id]
            self.report.sent += 1
            if self._is_worth_another_try(lookup.candidate, settlement):
                self._backlog.add([lookup.candidate])
                retried += 1
            self.report.count(settlement)
        charged = sum(settlement.credits_charged for settlement in settlements.values())
        self._progress.advance(len(settlements) - retried, charged)

    def _is_worth_another_try(self, candidate: Candidate, settlement: Settlement) -> bool:
        if settlement.reason not in {"rate_limited", "not_sent"}:
            return False
        self._attempts[candidate.person_key] += 1
        return self._attempts[candidate.person_key] < MAX_ATTEMPTS

    def _obey(self, reading: Reading, batch_id: str, retry_after: timedelta | None) -> None:
        match reading.signal:
            case Halt() as halt:
                self._ledger.note_error(batch_id, halt.reason)
                self._ledger.count_success()
                if self.report.halted is None:
                    self.report.halted = halt
                    self._progress.say(halt.message)
            case SlowDown():
                self._ledger.note_error(batch_id, "rate_limited")
                self._ledger.count_success()
                self._ledger.pause(retry_after)
                self._progress.say("the provider asks to slow down (429); pausing")
            case Failing(reason):
                self._ledger.note_error(batch_id, reason)
                self._failed(reason)
            case None:
                self._ledger.count_success()

    def _failed(self, code: str) -> None:
        self._ledger.count_failure()
        self._progress.say(f"a request failed ({code})")

    def _skip(self, lookups: int) -> None:
        if lookups:
            self.report.not_due += lookups
            self._progress.advance(lookups, 0)


class _Backlog:
    """What waits to be admitted: highest priority first, within it as it came."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, int, Candidate]] = []
        self._places: dict[str, int] = {}
        self._added = count()  # no two entries compare equal, also where a person comes twice

    def __bool__(self) -> bool:
        return bool(self._heap)

    def add(self, candidates: Iterable[Candidate]) -> None:
        """Who comes back (no room, refused for now) takes the old place again."""
        for candidate in candidates:
            place = self._places.setdefault(candidate.person_key, len(self._places))
            rank = PRIORITIES.index(candidate.priority)
            heapq.heappush(self._heap, (rank, place, next(self._added), candidate))

    def take(self, limit: int) -> list[Candidate]:
        """The next candidates, all of one priority."""
        rank = self._heap[0][0]
        taken: list[Candidate] = []
        while self._heap and self._heap[0][0] == rank and len(taken) < limit:
            taken.append(heapq.heappop(self._heap)[-1])
        return taken

    def drop(self, priority: str) -> None:
        rank = PRIORITIES.index(priority)
        self._heap = [entry for entry in self._heap if entry[0] != rank]
        heapq.heapify(self._heap)

    def clear(self) -> None:
        self._heap.clear()
        self._places.clear()
