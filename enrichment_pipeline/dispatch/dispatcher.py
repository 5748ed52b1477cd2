"""Requests on the wire: admitted, committed as sent, answered, settled.

Here: when the next batch is offered, and what a run does about each kind of
failure. Not here: the order of those who wait (`backlog.py`), and what an outcome
becomes (`settling.py`).
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial

from enrichment_pipeline.clock import Clock
from enrichment_pipeline.dispatch.backlog import Backlog
from enrichment_pipeline.dispatch.blame import Blame
from enrichment_pipeline.dispatch.callbacks import POLL_SECONDS, AwaitedAnswers
from enrichment_pipeline.dispatch.keeping import (
    SetAside,
    Sleep,
    keep_reply,
    write_patiently,
)
from enrichment_pipeline.dispatch.report import DispatchReport, Progress, obey
from enrichment_pipeline.dispatch.settling import settlement_for
from enrichment_pipeline.ledger.admission import (
    Admitted,
    Candidate,
    Decision,
    Exhausted,
    NotDue,
    Wait,
)
from enrichment_pipeline.ledger.group import GroupCommit
from enrichment_pipeline.ledger.journal import FenceError, Settlement
from enrichment_pipeline.ledger.ledger import Ledger
from enrichment_pipeline.ledger.schema import RELEASED
from enrichment_pipeline.providers.base import (
    NO_REPLY,
    NOT_SENT,
    Failing,
    Halt,
    ItemReading,
    NoReplyError,
    NotSentError,
    Outcome,
    Provider,
    Reading,
    Rejected,
    Reply,
    Signal,
    SlowDown,
)

CONCURRENT_REQUESTS = 8
LONGEST_WAIT = timedelta(minutes=10)
"""A gate that stays closed for longer ends the run; what is left stays queued."""
MAX_ATTEMPTS = 3
"""How often a run offers a look-up again that was refused unbilled for a passing reason."""

_log = logging.getLogger(__name__)


class Dispatcher:
    """Buys a work list. One per run; `stop()` may be called from another thread.

    With `callback_url`, which gives the URL for a batch's answer, requests are only
    submitted: the run ends when all answers have come or their deadline has passed.
    `set_aside` takes replies that the ledger cannot; `sleep` waits before they are tried again.
    `hindrance`, asked before each offer, tells why nothing more may be bought for now.
    """

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
        callback_url: Callable[[str], str] | None = None,
        set_aside: SetAside | None = None,
        sleep: Sleep = asyncio.sleep,
        hindrance: Callable[[], Halt | None] = lambda: None,
    ) -> None:
        writer = GroupCommit(ledger)
        self._provider = provider
        self._clock = clock
        self._progress = progress
        self._run_id = run_id
        self._batch_size = min(batch_size, provider.max_batch)
        self._max_credits = max_credits
        self._concurrency = concurrency
        self._backlog = Backlog()
        self._blame = Blame()
        self._attempts: Counter[str] = Counter()
        self._flights: set[asyncio.Task[None]] = set()
        self._settling: set[asyncio.Task[None]] = set()
        self._callback_url = callback_url
        self._hindrance = hindrance
        self._write = partial(write_patiently, writer, sleep=sleep)
        self._keep = partial(keep_reply, writer, set_aside=set_aside, sleep=sleep)
        self._awaited = AwaitedAnswers(ledger, provider, clock)
        self._collect_at = 0.0
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
        if not self._is_done:
            self._obey(self._blame.verdict)
        await self._wait_for_answers()
        return self.report

    @property
    def _is_done(self) -> bool:
        return self._stopping or self.report.halted is not None

    @property
    def _under_way(self) -> set[asyncio.Task[None]]:
        """Requests on the wire, and those whose reply is kept and being settled."""
        return self._flights | self._settling

    async def _work_off(self) -> None:
        try:
            # a request under way may bring some back: refused for now, or never sent
            while (self._backlog or self._under_way) and not self._is_done:
                if not self._backlog or len(self._flights) >= self._concurrency:
                    await self._wait(None)
                    continue
                await self._offer()
        finally:
            while unfinished := {task for task in self._under_way if not task.done()}:
                await asyncio.wait(unfinished)
            for task in self._under_way:
                task.exception()  # taken note of, or asyncio prints each with its traceback
        self._land(self._under_way)
        self._backlog.clear()

    async def _wait_for_answers(self) -> None:
        """Until all callbacks have come, or their deadline has passed, or we are told to stop."""
        if self._awaited.outstanding and self._awaited.last_deadline is not None:
            self._progress.say(
                f"{self._awaited.outstanding} look-ups are submitted; "
                f"their answers may come until {self._awaited.last_deadline:%H:%M:%S} UTC"
            )
        while self._awaited.outstanding and not self._stopping:
            await self._collect_now_and_then()
            await asyncio.sleep(POLL_SECONDS if self._awaited.outstanding else 0)

    async def _collect_now_and_then(self) -> None:
        """Take note of what came by callback, where that was not done a moment ago."""
        now = asyncio.get_running_loop().time()
        if now < self._collect_at:
            return
        self._collect_at = now + POLL_SECONDS
        collected = await self._awaited.collect()
        self.report.unasked += collected.unasked
        for settlement in collected.settlements:
            self.report.count(settlement)
        self._progress.advance(
            len(collected.settlements),
            sum(settlement.credits_charged for settlement in collected.settlements),
        )
        self._progress.outstanding(self._awaited.outstanding)
        for signal in collected.signals:
            self._obey(signal)

    async def _offer(self) -> None:
        """Offer as many batches as may still be under way at once, in order, in one transaction.

        What is admitted goes out at once, so the same transaction marks it as sent.
        """
        self._obey(self._hindrance())
        if self._is_done:
            return
        offers: list[list[Candidate]] = []
        while self._backlog and len(self._flights) + len(offers) < self._concurrency:
            offers.append(self._backlog.take(self._batch_size))
        admit = partial(
            _admit_in_turn,
            admitted_before=[],
            offers=offers,
            run_id=self._run_id,
            max_credits=self._max_credits,
            awaits_callback=self._is_called,
        )
        try:
            decisions = await self._write(admit)
        except FenceError:
            # a machine that was suspended in the middle of it: nothing was written
            decisions = []
        for not_decided in offers[len(decisions) :]:
            self._backlog.add(not_decided)
        for candidates, decision in zip(offers, decisions, strict=False):
            await self._act_on(decision, candidates)

    async def _act_on(self, decision: Decision, candidates: list[Candidate]) -> None:
        priority = candidates[0].priority
        match decision:
            case Admitted() as admitted:
                self._backlog.add(admitted.left_over)
                self._skip(admitted.skipped)
                self._flights.add(asyncio.create_task(self._fly(admitted)))
            case NotDue(skipped):
                self._skip(skipped)
            case Exhausted() if self._under_way or self._awaited.outstanding:
                # what is under way may turn out to cost nothing, and give its credits back
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
        """Until a request is answered, or the pause is over; a while, where neither can be."""
        seconds = None if pause is None else max(0.0, pause.total_seconds())
        if self._awaited.outstanding:
            await self._collect_now_and_then()
            seconds = POLL_SECONDS if seconds is None else min(seconds, POLL_SECONDS)
        if not self._under_way:
            await asyncio.sleep(min(seconds or 0.0, 1.0))
            return
        done, _ = await asyncio.wait(
            self._under_way, timeout=seconds, return_when=asyncio.FIRST_COMPLETED
        )
        self._land(done)

    def _land(self, done: set[asyncio.Task[None]]) -> None:
        """Forget what is over; an error in it ends the dispatch."""
        self._flights -= done
        self._settling -= done
        errors = [error for task in done if (error := task.exception()) is not None]
        if errors:
            raise errors[0]

    async def _fly(self, admitted: Admitted) -> None:
        """One request, which is committed as sent; its reply is kept before it is read."""
        batch_id = admitted.batch_id
        items = [lookup.candidate.item for lookup in admitted.lookups]
        try:
            reply = await self._send(batch_id, items)
        except NotSentError as error:
            code = str(error)
            await self._settle(
                admitted,
                _nothing_read(admitted, NOT_SENT, code),
                note=lambda ledger: ledger.note_unsent(batch_id, code),
            )
            return
        except NoReplyError as error:
            if self._is_called:
                await self._await_answer(admitted, Failing(str(error)))
            else:
                await self._settle(admitted, _nothing_read(admitted, NO_REPLY, str(error)))
            return
        await self._take(admitted, items, reply)

    @property
    def _is_called(self) -> bool:
        """Whether answers come by callback."""
        return self._callback_url is not None

    async def _send(self, batch_id: str, items: Sequence[str]) -> Reply:
        if self._callback_url is None:
            return await self._provider.lookup(items)
        return await self._provider.submit(items, self._callback_url(batch_id))

    async def _take(self, admitted: Admitted, items: Sequence[str], reply: Reply) -> None:
        """The response came: with the answer, with a refusal, or with the promise of a callback."""
        received_at = self._clock.now()
        if self._is_called:
            accepted = self._provider.read_submission(reply.http_status, reply.body)
            if accepted is not None:
                if accepted.signal is None:
                    self._blame.note_answer()
                request_ref = accepted.request_ref
                await self._await_answer(
                    admitted,
                    accepted.signal,
                    note=lambda ledger: ledger.note_accepted(
                        admitted.batch_id,
                        request_ref=request_ref,
                        credits_left=reply.credits_left,
                    ),
                )
                return
        reply_id = await self._keep(admitted.batch_id, reply, received_at=received_at)
        reading = self._provider.read(reply.http_status, reply.body, items)
        if any(item.answer_index is not None for item in reading.items):
            self._blame.note_answer()
        elif isinstance(reading.signal, Rejected) and len(items) == 1:
            reading = self._blame.judge(reading, reading.signal)
        # its place on the wire is free: the next request is admitted in the same transaction
        settle = self._settle(admitted, reading, reply_id, reply.retry_after)
        self._settling.add(asyncio.create_task(settle))

    async def _await_answer(
        self,
        admitted: Admitted,
        signal: Signal | None,
        note: Callable[[Ledger], None] = lambda _ledger: None,
    ) -> None:
        """The request was taken, or may have been: its callback will tell, or its deadline."""

        def note_all(ledger: Ledger) -> None:
            note(ledger)
            note_signal(ledger, admitted.batch_id, signal, None)

        await self._write(note_all)
        self.report.sent += len(admitted.lookups)
        self._awaited.expect(admitted.batch_id, len(admitted.lookups))
        self._backlog.add(self._blame.let_go(), at_most=1)
        self._obey(signal)

    async def _settle(
        self,
        admitted: Admitted,
        reading: Reading,
        reply_id: str | None = None,
        retry_after: timedelta | None = None,
        note: Callable[[Ledger], None] = lambda _ledger: None,
    ) -> None:
        """What was read goes into the ledger, with what it says of the provider as a whole."""
        self._obey(reading.signal)  # nothing more is admitted where it is to halt
        settlements = {
            lookup.lookup_id: settlement_for(item)
            for lookup, item in zip(admitted.lookups, reading.items, strict=True)
        }

        def note_all(ledger: Ledger) -> None:
            note(ledger)
            note_signal(ledger, admitted.batch_id, reading.signal, retry_after)

        def settle_and_note(ledger: Ledger) -> None:
            ledger.settle(settlements, reply_id=reply_id)
            note_all(ledger)

        try:
            await self._write(settle_and_note)
        except FenceError:
            # Settled meanwhile, past its deadline, by another process; a kept reply is read
            # again at the start of the next run.
            _log.warning("batch %s had been settled by another process", admitted.batch_id)
            await self._write(note_all)
        else:
            self._count(admitted, reading, settlements)

    def _count(
        self, admitted: Admitted, reading: Reading, settlements: dict[str, Settlement]
    ) -> None:
        self.report.unasked += reading.unasked
        self.report.sent += len(settlements)
        for settlement in settlements.values():
            self.report.count(settlement)
        released = [
            (lookup.candidate, settlements[lookup.lookup_id])
            for lookup in admitted.lookups
            if settlements[lookup.lookup_id].state == RELEASED
        ]
        if isinstance(reading.signal, Rejected):
            retried = self._narrow_down([candidate for candidate, _ in released], reading.signal)
        else:
            again = [
                each for each, came_to in released if self._is_worth_another_try(each, came_to)
            ]
            self._backlog.add(again)
            retried = len(again)
        self._backlog.add(self._blame.let_go(), at_most=1)
        charged = sum(settlement.credits_charged for settlement in settlements.values())
        self._progress.advance(len(settlements) - retried, charged)

    def _narrow_down(self, refused: Sequence[Candidate], rejected: Rejected) -> int:
        """Ask again for those of a refused batch, in halves; how many."""
        if len(refused) == 1:
            self._blame.hold(refused[0], rejected)
        else:
            self._backlog.add(refused, at_most=(len(refused) + 1) // 2)
        return len(refused)

    def _is_worth_another_try(self, candidate: Candidate, settlement: Settlement) -> bool:
        if settlement.reason not in {"rate_limited", "not_sent"}:
            return False
        self._attempts[candidate.person_key] += 1
        return self._attempts[candidate.person_key] < MAX_ATTEMPTS

    def _obey(self, signal: Signal | None) -> None:
        obey(signal, self.report, self._progress, who="the provider", what="a request")

    def _skip(self, lookups: int) -> None:
        if lookups:
            self.report.not_due += lookups
            self._progress.advance(lookups, 0)


def _admit_in_turn(
    ledger: Ledger,
    admitted_before: list[str],
    offers: Sequence[Sequence[Candidate]],
    run_id: str,
    max_credits: int | None,
    *,
    awaits_callback: bool,
) -> list[Decision]:
    """A decision for each offer, up to the first for which there is no room.

    What is admitted is marked as sent. FenceError if it took longer than its lease.
    `admitted_before` are the batches of earlier tries: their commit may have been made though its
    connection died, and they are released, since they did not go out.
    """
    ledger.release_unsent(admitted_before)
    decisions: list[Decision] = []
    for candidates in offers:
        decision = ledger.admit(candidates, run_id, max_credits)
        decisions.append(decision)
        if isinstance(decision, Admitted):
            admitted_before.append(decision.batch_id)
            ledger.mark_sent(decision.batch_id, awaits_callback=awaits_callback)
        if isinstance(decision, Wait | Exhausted):
            break
    return decisions


def note_signal(
    ledger: Ledger, batch_id: str, signal: Signal | None, retry_after: timedelta | None
) -> None:
    """What a reply, or none, says of the provider as a whole: to the breaker and the gate."""
    match signal:
        case Failing(reason):
            ledger.note_error(batch_id, reason)
            ledger.count_failure()
            return
        case Halt(reason):
            ledger.note_error(batch_id, reason)
        case SlowDown():
            ledger.note_error(batch_id, "rate_limited")
            ledger.pause(retry_after)
        case None:
            pass
    ledger.count_success()


def _nothing_read(admitted: Admitted, outcome: Outcome, code: str) -> Reading:
    return Reading((ItemReading(outcome),) * len(admitted.lookups), Failing(code))
