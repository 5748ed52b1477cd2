"""Requests on the wire: admitted, committed as sent, answered, settled.

Here: when the next request is offered, and what a run does about each kind of
failure. Not here: the order of those who wait (`backlog.py`), what a kind of call asks and
reads (`asking.py`), and what an outcome becomes (`settling.py`).
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from enrichment_pipeline.dispatch.asking import Asking, Kept
from enrichment_pipeline.dispatch.backlog import Backlog
from enrichment_pipeline.dispatch.bad_items import BadItemDetector
from enrichment_pipeline.dispatch.callback_reader import POLL_SECONDS, AwaitedAnswers
from enrichment_pipeline.dispatch.keeping import (
    SetAside,
    Sleep,
    keep_reply,
    write_patiently,
)
from enrichment_pipeline.dispatch.progress import DispatchReport, Progress, obey
from enrichment_pipeline.dispatch.settling import identifiers_of, settlement_for
from enrichment_pipeline.ledger.admission import (
    Admitted,
    Candidate,
    Decision,
    Exhausted,
    NotDue,
    Page,
    Wait,
)
from enrichment_pipeline.ledger.budget import RunShare
from enrichment_pipeline.ledger.calls import Calls
from enrichment_pipeline.ledger.group import GroupCommit
from enrichment_pipeline.ledger.journal import FenceError, Settlement
from enrichment_pipeline.ledger.rates import LONGEST_PACE
from enrichment_pipeline.ledger.schema import RELEASED, UNCONFIRMED
from enrichment_pipeline.ledger.store import LedgerStore, Transaction
from enrichment_pipeline.providers.base import (
    Failing,
    Further,
    Halt,
    ItemReading,
    NoReplyError,
    NotSentError,
    Reading,
    Rejected,
    Reply,
    Retriable,
    Signal,
    SlowDown,
    UsedUp,
)

CONCURRENT_REQUESTS = 8
LONGEST_NAP = timedelta(seconds=0.1)
"""Another process' request may be answered at any moment, and its place be free."""
LONGEST_WAIT = timedelta(minutes=10)
"""A gate that stays closed for longer ends the run; what is left stays queued."""
MAX_ATTEMPTS = 3
"""How often a run offers a call again that was refused unbilled for a passing reason."""

_log = logging.getLogger(__name__)


OnWait = Callable[[Sequence[Candidate], datetime, str], None]


class _Flight:
    """An admitted request on its way, and the further ones that its call takes."""

    def __init__(self, admitted: Admitted) -> None:
        self.admitted = admitted
        self.request_id = admitted.request_id
        self.asked = [call.candidate for call in admitted.calls]
        self.further: Further | None = None
        self.series = 0
        self.kept: list[Kept] = []
        self.is_under_way = True

    def turn_to(self, page: Page, further: Further) -> None:
        """Ask for a further page; where it is of a new series, those before it do not count."""
        if page.series != self.series:
            self.kept.clear()
        self.request_id, self.series, self.further = page.request_id, page.series, further
        self.is_under_way = True


class Dispatcher:
    """Makes the calls of a work list, all of one kind. One per run.

    Where answers come by callback, requests are only submitted: the run ends when all answers
    have come or their deadline has passed.
    `set_aside` takes replies that the ledger cannot; `sleep` waits before they are tried again.
    `purchase_blocker`, asked before each offer, tells why nothing more may be bought for now.
    `on_wait` is told which candidates there is no room for, until when, and why. `writer` gathers
    commits with others of this event loop. Without `awaits_callbacks` the run ends once all is
    submitted. `bad_items` knows whether earlier requests were answered.
    """

    def __init__(
        self,
        store: LedgerStore,
        calls: Calls,
        asking: Asking,
        progress: Progress,
        *,
        run: RunShare,
        batch_size: int,
        concurrency: int = CONCURRENT_REQUESTS,
        set_aside: SetAside | None = None,
        sleep: Sleep = asyncio.sleep,
        purchase_blocker: Callable[[], Halt | None] = lambda: None,
        on_wait: OnWait = lambda _candidates, _until, _why: None,
        writer: GroupCommit | None = None,
        awaits_callbacks: bool = True,
        bad_items: BadItemDetector | None = None,
    ) -> None:
        writer = writer or GroupCommit(store)
        self._write = partial(write_patiently, writer, sleep=sleep)
        self._calls = calls
        self._asking = asking
        self._clock = calls.clock
        self._progress = progress
        self._run = run
        self._batch_size = min(batch_size, asking.max_batch)
        self._concurrency = min(concurrency, calls.limits.at_once or concurrency)
        self._backlog = Backlog()
        self._bad_items = bad_items or BadItemDetector()
        self._attempts: Counter[str] = Counter()
        self._repeated: set[str] = set()
        self._flights: set[asyncio.Task[None]] = set()
        self._settling: set[asyncio.Task[None]] = set()
        self._purchase_blocker = purchase_blocker
        self._on_wait = on_wait
        self._awaits_callbacks = awaits_callbacks
        self._keep = partial(keep_reply, writer, calls, set_aside=set_aside, sleep=sleep)
        self._awaited = AwaitedAnswers(store, calls, asking)
        self._collect_at = 0.0
        self._stopping = False
        self.report = DispatchReport()

    def stop(self) -> None:
        """Admit nothing more; what is on the wire is still answered and kept.

        May be called from another thread.
        """
        self._stopping = True

    async def run(self, pages: Iterable[Sequence[Candidate]]) -> DispatchReport:
        """Work off page after page. The next page is only drawn when nothing is on the wire.

        May be called again, with more.
        """
        for page in pages:
            if self.is_over:
                break
            self.report.offered += len(page)
            self._progress.add_total(len(page))
            self._backlog.add(page)
            await self._work_off()
        if not self.is_over:
            self._obey(self._bad_items.conclusion)
        if self._awaits_callbacks:
            await self._wait_for_answers()
        return self.report

    @property
    def is_answered(self) -> bool:
        """Whether any request was answered: there is nothing wrong with how we ask."""
        return self._bad_items.is_answered

    @property
    def is_over(self) -> bool:
        """Whether nothing more will be asked in this run."""
        return self._stopping or self.report.halted is not None

    @property
    def _under_way(self) -> set[asyncio.Task[None]]:
        """Requests on the wire, and those whose reply is kept and being settled."""
        return self._flights | self._settling

    async def _work_off(self) -> None:
        try:
            # a request under way may bring some back: refused for now, or never sent
            while (self._backlog or self._under_way) and not self.is_over:
                if not self._backlog or len(self._flights) >= self._concurrency:
                    await self._wait(None)
                    continue
                await self._offer()
        finally:
            while unfinished := {task for task in self._under_way if not task.done()}:
                await asyncio.wait(unfinished)
            for task in self._under_way:
                task.exception()  # taken note of, or asyncio prints each with its traceback
        self._reap(self._under_way)
        self._backlog.clear()

    async def _wait_for_answers(self) -> None:
        """Until all callbacks have arrived, their deadline has passed, or we must stop."""
        if self._awaited.outstanding and self._awaited.last_deadline is not None:
            self._progress.say(
                f"{self._awaited.outstanding} look-ups are submitted; "
                f"their answers may come until {self._awaited.last_deadline:%H:%M:%S} UTC"
            )
        while self._awaited.outstanding and not self._stopping:
            await self._collect_now_and_then()
            await asyncio.sleep(POLL_SECONDS if self._awaited.outstanding else 0)

    async def _collect_now_and_then(self) -> None:
        """Take note of what arrived by callback, where that was not done a moment ago."""
        now = asyncio.get_running_loop().time()
        if now < self._collect_at:
            return
        self._collect_at = now + POLL_SECONDS
        collected = await self._awaited.collect()
        self.report.unsolicited_answers += collected.unsolicited_answers
        for settlement in collected.settlements:
            self.report.count(settlement)
        self._progress.advance(
            len(collected.settlements),
            sum(settlement.units_charged for settlement in collected.settlements),
        )
        self._progress.outstanding(self._awaited.outstanding)
        for signal in collected.signals:
            self._obey(signal)

    async def _offer(self) -> None:
        """Offer as many batches as may still be under way at once, in order, in one transaction.

        What is admitted goes out at once, so the same transaction marks it as sent.
        """
        self._obey(self._purchase_blocker())
        if self.is_over:
            return
        offers: list[list[Candidate]] = []
        while self._backlog and len(self._flights) + len(offers) < self._concurrency:
            offers.append(self._backlog.take(self._batch_size))
        admit = partial(self._admit_in_turn, admitted_before=[], offers=offers)
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
                self._flights.add(asyncio.create_task(self._send_batch(admitted)))
            case NotDue(skipped):
                self._skip(skipped)
            case Exhausted() if self._under_way or self._awaited.outstanding:
                # what is under way may turn out to cost nothing, and give its credits back
                self._backlog.add(candidates)
                await self._wait(None)
            case Exhausted(period):
                self._note_exhausted(priority, period)
                self._backlog.drop(priority)
            case Wait(until, why):
                self._backlog.add(candidates)
                self._on_wait(candidates, until, why)
                pause = self._pause(until, why)
                if not self.is_over:
                    await self._wait(pause)

    def _note_exhausted(self, priority: str, period: str) -> None:
        if priority not in self.report.exhausted:
            self.report.exhausted[priority] = period
            self._progress.say(self._asking.used_up(period, priority))

    def _pause(self, until: datetime, why: str) -> timedelta:
        """How long to wait for room; a gate that stays closed for too long ends the run."""
        pause = max(until - self._clock.now(), timedelta(0))
        if why == "at_once":
            return min(pause, LONGEST_NAP)
        if why != "rate" and pause > LONGEST_WAIT:
            self._obey(Halt("paused", f"{self._asking.who} asks for a pause until {until:%H:%M}"))
            return timedelta(0)
        if why == "rate" and pause > LONGEST_PACE:
            self._obey(
                Halt(
                    "rate_used_up",
                    f"{self._asking.who} takes no more until {until:%Y-%m-%d %H:%M} UTC: a limit "
                    "of its own is used up",
                )
            )
            return timedelta(0)
        return pause

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
        self._reap(done)

    def _reap(self, done: set[asyncio.Task[None]]) -> None:
        """Forget what is over; an error in it ends the dispatch."""
        self._flights -= done
        self._settling -= done
        errors = [error for task in done if (error := task.exception()) is not None]
        if errors:
            raise errors[0]

    async def _send_batch(self, admitted: Admitted) -> None:
        """A request that is committed as sent, and those that its call takes after it."""
        flight = _Flight(admitted)
        while flight.is_under_way:
            await self._ask(flight)

    async def _ask(self, flight: _Flight) -> None:
        """One request; its reply is kept before it is read."""
        flight.is_under_way = False
        request_id = flight.request_id
        try:
            reply = await self._asking.send(request_id, flight.asked, flight.further)
        except NotSentError as error:
            code = str(error)
            await self._settle(
                flight,
                _nothing_read(flight, self._asking.read_unsent(flight.kept), code),
                note=lambda transaction: self._calls.note_unsent(transaction, request_id, code),
            )
        except NoReplyError as error:
            code = str(error)
            if self._asking.is_called:
                await self._await_answer(flight, Failing(code))
            else:
                await self._settle(flight, _nothing_read(flight, self._asking.no_reply, code))
        else:
            await self._handle_reply(flight, reply)

    async def _handle_reply(self, flight: _Flight, reply: Reply) -> None:
        """The response is here: an answer, a refusal, or the promise of a callback."""
        received_at = self._clock.now()
        if self._asking.is_called:
            accepted = self._asking.read_submission(reply)
            if accepted is not None:
                if accepted.signal is None:
                    self._bad_items.note_answer()
                request_ref = accepted.request_ref
                await self._await_answer(
                    flight,
                    accepted.signal,
                    note=lambda transaction: self._calls.note_accepted(
                        transaction,
                        flight.request_id,
                        request_ref=request_ref,
                        credits_left=reply.credits_left,
                    ),
                )
                return
        reply_id = await self._keep(flight.request_id, reply, received_at=received_at)
        flight.kept.append((reply.http_status, reply.body))
        items = [each.item for each in flight.asked]
        reading = self._asking.read(flight.kept, items, flight.series, reply.units_told)
        if reading.further is not None:
            why_not = await self._turn_page(flight, reading.further, reply_id)
            if why_not is None:
                return
            reading = _interrupted(reading, why_not)
        elif any(item.answer_index is not None for item in reading.items):
            self._bad_items.note_answer()
        elif isinstance(reading.signal, Rejected) and len(items) == 1:
            reading = self._bad_items.classify(reading, reading.signal)
        # its place on the wire is free: the next request is admitted in the same transaction
        settle = self._settle(flight, reading, reply_id, reply.retry_after)
        self._settling.add(asyncio.create_task(settle))

    async def _turn_page(self, flight: _Flight, further: Further, reply_id: str) -> str | None:
        """Go on with the next page of a call, once there is room for it; else why there is none."""
        [call] = flight.admitted.calls

        def admit(transaction: Transaction) -> Page | Wait | Exhausted:
            page = self._calls.admit_page(
                transaction,
                call.call_id,
                self._run,
                series=further.series,
                number=further.number,
                units_charged=further.units,
                reply_id=reply_id,
            )
            if isinstance(page, Page):
                self._calls.gate.count_success(transaction)
            return page

        while not self.is_over:
            try:
                decision = await self._write(admit)
            except FenceError:
                break  # settled meanwhile; settling it again finds that out
            match decision:
                case Page():
                    flight.turn_to(decision, further)
                    return None
                case Exhausted(period):
                    self._note_exhausted(call.candidate.priority, period)
                    return "no_room_for_its_pages"
                case Wait(until, why):
                    pause = self._pause(until, why)
                    await asyncio.sleep(min(pause, LONGEST_NAP).total_seconds())
        return "interrupted"

    async def _await_answer(
        self,
        flight: _Flight,
        signal: Signal | None,
        note: Callable[[Transaction], None] = lambda _transaction: None,
    ) -> None:
        """The request was taken, or may have been: its callback will tell, or its deadline."""

        def note_all(transaction: Transaction) -> None:
            note(transaction)
            self._note_signal(transaction, flight.request_id, signal, None)

        await self._write(note_all)
        calls = len(flight.admitted.calls)
        self.report.sent += calls
        self._awaited.expect(flight.request_id, calls)
        self._backlog.add(self._bad_items.retry_deferred(), at_most=1)
        self._obey(signal)

    async def _settle(
        self,
        flight: _Flight,
        reading: Reading,
        reply_id: str | None = None,
        retry_after: timedelta | None = None,
        note: Callable[[Transaction], None] = lambda _transaction: None,
    ) -> None:
        """What was read goes into the ledger, with what it says of the provider as a whole."""
        self._obey(reading.signal)  # nothing more is admitted where it is to halt
        readings = {
            call.call_id: item
            for call, item in zip(flight.admitted.calls, reading.items, strict=True)
        }
        settlements = {call_id: settlement_for(item) for call_id, item in readings.items()}
        known_by = identifiers_of(readings)

        def note_all(transaction: Transaction) -> None:
            note(transaction)
            self._note_signal(transaction, flight.request_id, reading.signal, retry_after)

        def settle_and_note(transaction: Transaction) -> None:
            self._calls.settle(transaction, settlements, reply_id=reply_id, known_by=known_by)
            note_all(transaction)

        try:
            await self._write(settle_and_note)
        except FenceError:
            # Settled meanwhile, past its deadline, by another process; a kept reply is read
            # again at the start of the next run.
            _log.warning("request %s had been settled by another process", flight.request_id)
            await self._write(note_all)
        else:
            self._count(flight.admitted, reading, settlements)

    def _count(
        self, admitted: Admitted, reading: Reading, settlements: dict[str, Settlement]
    ) -> None:
        self.report.unsolicited_answers += reading.unsolicited_answers
        self.report.sent += len(settlements)
        for settlement in settlements.values():
            self.report.count(settlement)
        released = [
            (call.candidate, settlements[call.call_id])
            for call in admitted.calls
            if settlements[call.call_id].state == RELEASED
        ]
        if isinstance(reading.signal, Rejected):
            retried = self._narrow_down([candidate for candidate, _ in released], reading.signal)
        else:
            again = [of for of, end in released if self._is_worth_another_try(of, end)]
            self._backlog.add(again)
            retried = len(again)
        self._backlog.add(self._bad_items.retry_deferred(), at_most=1)
        repeats = self._repeats(admitted, settlements)
        self._backlog.add(repeats)
        charged = sum(settlement.units_charged for settlement in settlements.values())
        self._progress.advance(len(settlements) - retried - len(repeats), charged)

    def _repeats(self, admitted: Admitted, settlements: dict[str, Settlement]) -> list[Candidate]:
        """Calls that were not answered, to be made once more where that is free."""
        repeats: list[Candidate] = []
        if not self._calls.limits.is_repeat_free:
            return repeats
        for call in admitted.calls:
            candidate = call.candidate
            is_repeat = candidate.supersedes in self._repeated
            self._repeated.discard(candidate.supersedes)
            if settlements[call.call_id].state == UNCONFIRMED and not is_repeat:
                self._repeated.add(call.call_id)
                repeats.append(replace(candidate, supersedes=call.call_id))
        return repeats

    def _narrow_down(self, refused: Sequence[Candidate], rejected: Rejected) -> int:
        """Ask again for those of a refused request, in halves; how many."""
        if len(refused) == 1:
            self._bad_items.defer(refused[0], rejected)
        else:
            self._backlog.add(refused, at_most=(len(refused) + 1) // 2)
        return len(refused)

    def _is_worth_another_try(self, candidate: Candidate, settlement: Settlement) -> bool:
        if settlement.reason not in {"rate_limited", "not_sent"}:
            return False
        self._attempts[candidate.person_key] += 1
        return self._attempts[candidate.person_key] < MAX_ATTEMPTS

    def _obey(self, signal: Signal | None) -> None:
        obey(signal, self.report, self._progress, who=self._asking.who, what=self._asking.what)

    def _skip(self, calls: int) -> None:
        if calls:
            self.report.not_due += calls
            self._progress.advance(calls, 0)

    def _admit_in_turn(
        self,
        transaction: Transaction,
        admitted_before: list[str],
        offers: Sequence[Sequence[Candidate]],
    ) -> list[Decision]:
        """A decision for each offer, up to the first for which there is no room.

        What is admitted is marked as sent. FenceError if it took longer than its lease.
        `admitted_before` are the requests of earlier tries: their commit may have been made though
        its connection died, and they are released, since they did not go out.
        """
        self._calls.release_unsent(transaction, admitted_before)
        decisions: list[Decision] = []
        for candidates in offers:
            decision = self._calls.admit(transaction, candidates, self._run)
            decisions.append(decision)
            if isinstance(decision, Admitted):
                admitted_before.append(decision.request_id)
                self._calls.mark_sent(
                    transaction, decision.request_id, awaits_callback=self._asking.is_called
                )
            if isinstance(decision, Wait | Exhausted):
                break
        return decisions

    def _note_signal(
        self,
        transaction: Transaction,
        request_id: str,
        signal: Signal | None,
        retry_after: timedelta | None,
    ) -> None:
        """What a reply, or none, says of the provider as a whole: to the breaker and the gate."""
        match signal:
            case Failing(reason):
                self._calls.note_error(transaction, request_id, reason)
                self._calls.gate.count_failure(transaction)
                return
            case Halt(reason):
                self._calls.note_error(transaction, request_id, reason)
                if isinstance(signal, UsedUp):
                    self._calls.note_used_up(transaction)
            case SlowDown():
                self._calls.note_error(transaction, request_id, "rate_limited")
                self._calls.gate.pause(transaction, retry_after)
            case None:
                pass
        self._calls.gate.count_success(transaction)


def _interrupted(reading: Reading, why: str) -> Reading:
    """The reading of a call whose further pages cannot be asked for."""
    [item] = reading.items
    return replace(reading, items=(item._replace(outcome=Retriable(why)),))


def _nothing_read(flight: _Flight, reading: ItemReading, code: str) -> Reading:
    return Reading((reading,) * len(flight.asked), Failing(code))
