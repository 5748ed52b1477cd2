"""Searches on the wire: admitted, answered page by page, kept before they are read, settled.

Here: when the next search is asked, and what a run does about each kind of failure.
Not here: who is searched for (SQL), which profile is the person (SQL), and paid
look-ups (`dispatcher.py`).
"""

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from enrichment_pipeline.clock import Clock
from enrichment_pipeline.dispatch.report import Progress, SearchReport, obey
from enrichment_pipeline.ledger.admission import Exhausted, NotDue, Wait
from enrichment_pipeline.ledger.journal import FenceError
from enrichment_pipeline.ledger.schema import ANSWERED, RELEASED
from enrichment_pipeline.ledger.search_journal import (
    AdmittedCall,
    CallDecision,
    SearchCandidate,
    SearchSettlement,
)
from enrichment_pipeline.ledger.search_ledger import SearchLedger
from enrichment_pipeline.providers.base import (
    Failing,
    Found,
    Halt,
    NoMatch,
    NoReplyError,
    NotSentError,
    PageReading,
    ProfileQuery,
    ProfileSearch,
    Refused,
    Reply,
    Retriable,
    Signal,
    SlowDown,
)

CURRENT, CURRENT_OR_PAST = "current", "current_past"
"""The kinds of query: who works there, and, as the second try, who has ever done so."""
LONGEST_WAIT = timedelta(minutes=10)
"""A gate that stays closed for longer ends the searches of a run; what is left stays queued."""
LONGEST_NAP_SECONDS = 0.1
"""Another process' call may be answered at any moment, and its place be free."""
MAX_ATTEMPTS = 3
"""How often a run asks again what was refused for a passing reason."""

R = TypeVar("R")
_log = logging.getLogger(__name__)


class Searcher:
    """Asks a list of searches, in order. One per run; `stop()` may be called from another thread.

    `pages` and `page_size` bound how many profiles of one search are read.
    """

    def __init__(
        self,
        ledger: SearchLedger,
        provider: ProfileSearch,
        clock: Clock,
        progress: Progress,
        *,
        run_id: str,
        pages: int,
        page_size: int,
    ) -> None:
        self._ledger = ledger
        self._provider = provider
        self._clock = clock
        self._progress = progress
        self._run_id = run_id
        self._pages = pages
        self._page_size = page_size
        self._waiting: deque[SearchCandidate] = deque()
        self._attempts: Counter[str] = Counter()
        self._done = 0
        self._turn = asyncio.Lock()
        self._stopping = False
        self.report = SearchReport()

    def stop(self) -> None:
        """Ask nothing more; what is on the wire is still answered and kept."""
        self._stopping = True

    async def run(self, candidates: Sequence[SearchCandidate]) -> SearchReport:
        """Ask for these, who come in order of priority. May be called again, with more."""
        self.report.offered += len(candidates)
        self._waiting.extend(candidates)
        workers = min(self._ledger.limits.at_once, len(candidates))
        await asyncio.gather(*(self._work() for _ in range(workers)))
        self._waiting.clear()
        return self.report

    @property
    def is_over(self) -> bool:
        """Whether nothing more will be asked in this run."""
        return self._stopping or self.report.is_over

    async def _work(self) -> None:
        while True:
            # one is admitted, or refused, before the next may be: nobody overtakes
            async with self._turn:
                if not self._waiting or self.is_over:
                    return
                candidate = self._waiting.popleft()
                first = await self._admit(candidate)
            if first is not None:
                await self._ask(candidate, first)
            self._done += 1
            self._progress.searched(min(self._done, self.report.offered), self.report.offered)

    async def _admit(self, candidate: SearchCandidate) -> AdmittedCall | None:
        if candidate.priority in self.report.exhausted:
            return None
        return await self._admitted(
            candidate.priority, partial(self._ledger.admit, candidate, self._run_id)
        )

    async def _ask(self, candidate: SearchCandidate, first: AdmittedCall) -> None:
        """One search, from its first call to what it came to."""
        try:
            settlement = await self._read_pages(candidate, first)
            await self._write(partial(self._ledger.settle, first.search_id, settlement))
        except FenceError:
            # Settled meanwhile, long past its deadline, by another process.
            _log.warning("search %s had been settled by another process", first.search_id)
            return
        self._count(settlement)
        if settlement.reason in {"rate_limited", "not_sent"}:
            self._attempts[candidate.person_key] += 1
            if self._attempts[candidate.person_key] < MAX_ATTEMPTS:
                self._done -= 1
                self._waiting.appendleft(candidate)

    async def _read_pages(self, candidate: SearchCandidate, call: AdmittedCall) -> SearchSettlement:
        """Page after page, until all are there, or as many as the policy allows."""
        query = ProfileQuery(
            candidate.full_name,
            candidate.company,
            is_current=candidate.query_kind == CURRENT,
            page_size=self._page_size,
        )
        series, page, seen = 0, 1, 0
        last: PageReading | None = None
        while True:
            reading = await self._call(call, query, last)
            if reading.is_gone:
                if series:
                    return SearchSettlement(ANSWERED, "found", "scroll_gone", is_complete=False)
                series, page, seen, last = 1, 1, 0, None
            elif isinstance(reading.outcome, Found):
                seen += reading.profiles
                is_last = _is_last(reading, seen)
                if is_last or page == self._pages:
                    return SearchSettlement(ANSWERED, "found", is_complete=is_last)
                page, last = page + 1, reading
            elif isinstance(reading.outcome, NoMatch) and seen:
                return SearchSettlement(ANSWERED, "found", is_complete=True)
            else:
                return settlement_of(reading)
            if self.is_over:
                return SearchSettlement(RELEASED, "retriable", "interrupted")
            further = await self._admitted(
                candidate.priority,
                partial(self._ledger.admit_page, call.search_id, series, page),
            )
            if further is None:
                return SearchSettlement(RELEASED, "retriable", "no_room_for_its_pages")
            call = further

    async def _admitted(
        self, priority: str, admit: Callable[[], CallDecision | NotDue]
    ) -> AdmittedCall | None:
        """A call that may be made, once there is room for it; None where there will be none."""
        while True:
            decision = await self._write(admit)
            match decision:
                case AdmittedCall():
                    return decision
                case NotDue(skipped):
                    self.report.not_due += skipped
                    return None
                case Exhausted(period):
                    if priority not in self.report.exhausted:
                        self.report.exhausted[priority] = period
                        self._progress.say(f"the {period}'s searches for {priority} are used up")
                    return None
                case Wait(until, why):
                    await self._wait(until, why)
            if self.is_over:
                return None

    async def _wait(self, until: datetime, why: str) -> None:
        pause = until - self._clock.now()
        if why != "at_once" and pause > LONGEST_WAIT:
            message = f"the Search API asks for a pause until {until:%H:%M}"
            self._obey(Halt("paused", message))
            return
        await asyncio.sleep(min(max(0.0, pause.total_seconds()), LONGEST_NAP_SECONDS))

    async def _call(
        self, call: AdmittedCall, query: ProfileQuery, last: PageReading | None
    ) -> PageReading:
        """One call: its raw answer is kept before it is read."""
        try:
            reply = await self._send(query, last)
        except NotSentError as error:
            await self._note_unanswered(call, str(error), has_left=False)
            return PageReading(Retriable("not_sent"), signal=Failing(str(error)))
        except NoReplyError as error:
            await self._note_unanswered(call, str(error), has_left=True)
            return PageReading(Retriable("no_reply"), signal=Failing(str(error)))
        await self._write(
            partial(
                self._ledger.keep_answer,
                call.call_id,
                http_status=reply.http_status,
                body=reply.body,
            )
        )
        reading = self._provider.read_page(
            reply.http_status, reply.body, is_further=last is not None
        )
        if isinstance(reading.outcome, Refused | Retriable):
            # by `QUOTA_USED_UP` all processes know of a 402
            await self._write(
                partial(
                    self._ledger.note_refusal,
                    call.call_id,
                    reading.outcome.reason,
                    is_counted=reading.is_counted,
                )
            )
        await self._note_signal(reading.signal, reply.retry_after)
        return reading

    async def _send(self, query: ProfileQuery, last: PageReading | None) -> Reply:
        if last is None:
            return await self._provider.search(query)
        return await self._provider.scroll(last.request_ref or "", last.scroll_id or "")

    async def _note_unanswered(self, call: AdmittedCall, code: str, *, has_left: bool) -> None:
        await self._write(
            partial(self._ledger.note_unanswered, call.call_id, code, has_left=has_left)
        )
        await self._note_signal(Failing(code), None)

    async def _note_signal(self, signal: Signal | None, retry_after: timedelta | None) -> None:
        """What an answer, or none, says of the API as a whole: to the breaker and the gate."""
        if isinstance(signal, Failing):
            await self._write(self._ledger.count_failure)
        else:
            if isinstance(signal, SlowDown):
                await self._write(partial(self._ledger.pause, retry_after))
            await self._write(self._ledger.count_success)
        self._obey(signal)

    def _obey(self, signal: Signal | None) -> None:
        obey(signal, self.report, self._progress, who="the Search API", what="a search")

    def _count(self, settlement: SearchSettlement) -> None:
        if settlement.state == RELEASED:
            self.report.released += 1
            return
        self.report.answered += 1
        setattr(self.report, settlement.outcome, getattr(self.report, settlement.outcome) + 1)

    async def _write(self, work: Callable[[], R]) -> R:
        """Run a step of the ledger in a thread: its commit waits for the disk."""
        return await asyncio.to_thread(work)


def settlement_of(reading: PageReading) -> SearchSettlement:
    """What a search comes to by a first page without profiles, or by none: the table of states."""
    match reading.outcome:
        case Found():
            return SearchSettlement(ANSWERED, "found", is_complete=_is_last(reading, 0))
        case NoMatch():
            return SearchSettlement(ANSWERED, "nothing", is_complete=True)
        case Refused(reason):
            return SearchSettlement(ANSWERED, "refused", reason)
        case Retriable(reason):
            return SearchSettlement(RELEASED, "retriable", reason)


def settle_abandoned_searches(
    ledger: SearchLedger, provider: ProfileSearch, dead_run_ids: Sequence[str] = ()
) -> int:
    """Bring to an end what nobody else will: read what was kept, release the rest; how many."""
    abandoned = ledger.abandoned(dead_run_ids)
    for search in abandoned:
        settlement = SearchSettlement(RELEASED, "retriable", "interrupted")
        if search.answers and not search.is_unanswered:
            settlement = _read_kept(provider, search.answers) or settlement
        try:
            ledger.settle(search.search_id, settlement)
        except FenceError:
            continue  # its own run is alive, and has settled it meanwhile
    return len(abandoned)


def _read_kept(
    provider: ProfileSearch, answers: Iterable[tuple[int, bytes]]
) -> SearchSettlement | None:
    """What the kept pages of a search come to; None where further ones were still to be asked."""
    seen = 0
    settlement: SearchSettlement | None = None
    for number, (http_status, body) in enumerate(answers):
        reading = provider.read_page(http_status, body, is_further=number > 0)
        if isinstance(reading.outcome, Found):
            seen += reading.profiles
            is_last = _is_last(reading, seen)
            settlement = SearchSettlement(ANSWERED, "found", is_complete=True) if is_last else None
        elif number == 0:
            settlement = settlement_of(reading)
        else:
            is_last = isinstance(reading.outcome, NoMatch)
            settlement = SearchSettlement(ANSWERED, "found", is_complete=True) if is_last else None
    return settlement


def _is_last(reading: PageReading, seen: int) -> bool:
    """Whether there is nothing after this page, all pages so far holding so many profiles."""
    if reading.scroll_id is None or reading.request_ref is None:
        return True
    return reading.total is not None and seen >= reading.total
