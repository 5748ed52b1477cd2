"""Entries on their way: recorded, judged with those that came with them, bought, and settled.

Here: the order of these steps for each entry, and who waits for what. Not here: the steps
themselves (`ledger/entries.py`, `judge.py`, `buying.py`), and how callers reach it
(`contact_routes.py`, `enricher.py`).

All that matters is in the ledger's database. What is held here is who waits, and which entries are
still open; a process that was killed finds these there when it is started again.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import product
from pathlib import Path
from typing import TypeVar, cast
from uuid import uuid4

from sqlalchemy.exc import SQLAlchemyError

from enrichment_pipeline.clock import Clock
from enrichment_pipeline.entry.buying import Buyer
from enrichment_pipeline.entry.contact import EnteredContact
from enrichment_pipeline.entry.desk import (
    KeyReusedError,
    NotRecordedError,
    RequestKey,
    StillAnsweringError,
    TakenBack,
)
from enrichment_pipeline.entry.enrichment import NOTHING_KNOWN, Enrichment, as_answer, from_answer
from enrichment_pipeline.entry.entry_metrics import EntryMetrics
from enrichment_pipeline.entry.judge import MOST_AT_ONCE, DueCall, Judge, Verdict
from enrichment_pipeline.entry.notifying import Notifier
from enrichment_pipeline.entry.owing import owe
from enrichment_pipeline.lanes import PRIORITIES
from enrichment_pipeline.ledger import entries, kept, notifications
from enrichment_pipeline.ledger.admission import Candidate
from enrichment_pipeline.ledger.entries import Entry, KeyReused, Posted, Repeated, Settled
from enrichment_pipeline.ledger.group import GroupCommit
from enrichment_pipeline.ledger.outage import LedgerAwayError
from enrichment_pipeline.ledger.store import LedgerStore, Transaction, open_store
from enrichment_pipeline.providers.base import Halt, UsedUp
from enrichment_pipeline.rollback import refuse_rolled_back
from enrichment_pipeline.settings import Settings
from enrichment_pipeline.state import (
    check_stamp,
    dead_runs,
    ensure_state_folder,
    forget_dead_run,
    hold_run_lock,
    release_run_lock,
    stamp_with_ledger,
    stamped_ledger,
)
from enrichment_pipeline.stores import stamped
from enrichment_pipeline.warehouse.known_contacts import newest_known

POLL_SECONDS = 0.2
"""How often it is asked whether something has come about an entry whose answer others await."""
RELOAD_SECONDS = 10.0
"""How often the ledger is asked for entries that are open and not known here."""
FORGET_SECONDS = 3600.0
RECORD_SECONDS = 5.0
"""What cannot be written within this time is refused, since its caller waits."""
RETRY_AFTER_SECONDS = 30.0
"""When it is tried again for an entry that could not be judged, or for which nothing could be
bought; then after twice as long, and so on."""
LONGEST_RETRY_SECONDS = 900.0
ANSWER_GRACE = timedelta(seconds=30)
"""So long after its caller's patience, a request with a key may be answered by another process."""
KEEP_REQUESTS = timedelta(days=1)
PURCHASES_AT_ONCE = 8
SHORT_WAIT = timedelta(seconds=0.25)
"""A shorter wait for room is not told."""
WAITING_FOR = {"rate": "rate_limit", "pause": "provider_paused", "probe": "provider_paused"}
"""Why there is no room for a call, as the answer's reason."""

_log = logging.getLogger(__name__)
R = TypeVar("R")


@dataclass
class _Open:
    """An entry that is not decided yet, and how it stands."""

    entry: Entry
    enrichment: Enrichment
    news: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once it is decided, or known that it will not be soon."""
    person_key: str | None = None
    judged_as_of: int = 0
    """The ledger's revision up to which it was judged, or is being judged."""
    is_being_bought: bool = False
    tried: tuple[str, ...] = ()
    """What the last call for it asked."""
    tries: int = 0
    try_again_at: float = 0.0
    """In the loop's time, which no step of the clock moves."""
    is_judged_alone: bool = False
    """Since a batch with it in it failed."""

    @property
    def has_tried(self) -> bool:
        """Whether it was tried in vain, and is to be tried again later."""
        return self.try_again_at > asyncio.get_running_loop().time()

    def note_try(self, call: DueCall | None = None) -> None:
        """It is tried now; if that is in vain, not again at once."""
        if call is not None and call.asks != self.tried:  # what was tried before has led on
            self.tried, self.tries = call.asks, 0
        self.tries += 1
        self.try_again_at = asyncio.get_running_loop().time() + _distance(self.tries)


@dataclass(frozen=True)
class _Halted:
    """Why the provider is not to be asked, since how many tries, and until when."""

    reason: str
    tries: int
    until: float

    @property
    def is_over(self) -> bool:
        return asyncio.get_running_loop().time() >= self.until


class EntryService:
    """Takes entries; see `Desk`. Start it, and stop it in the end."""

    def __init__(
        self,
        settings: Settings,
        store: LedgerStore,
        clock: Clock,
        metrics: EntryMetrics,
        *,
        run_id: str,
    ) -> None:
        self._settings = settings
        self._store = store
        self._clock = clock
        self._group = GroupCommit(store)
        self._judge = Judge(settings, store, clock)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="judge")
        self._buyer = Buyer(
            settings, store, self._group, clock, run_id=run_id, on_wait=self._note_wait
        )
        self._metrics = metrics
        metrics.queue.set_function(lambda: len(self._to_judge) + len(self._to_judge_again))
        self._notifier = Notifier(store, settings, clock, metrics)
        self._open: dict[str, _Open] = {}
        self._to_judge: dict[str, None] = {}
        self._to_judge_again: dict[str, None] = {}
        self._has_arrived = asyncio.Event()
        self._to_buy: dict[str, DueCall] = {}
        self._purchases: dict[asyncio.Task[None], tuple[str, str]] = {}
        """Each with the kind and the priority of its calls."""
        self._halted: dict[str, _Halted] = {}
        """By kind of call."""
        self._loops: list[asyncio.Task[None]] = []
        self._revision = 0
        self._known: Path | None = None

    async def start(self, dead_run_ids: Sequence[str] = ()) -> None:
        """Go on with what is open, also with what killed processes have left."""
        await asyncio.to_thread(self._buyer.end_what_was_left, dead_run_ids)
        self._revision = await asyncio.to_thread(self._store.revision)
        await self._reload()
        self._loops = [
            asyncio.create_task(_repeat(step))
            for step in (
                self._judge_arrivals,
                self._look_for_news,
                partial(_after, RELOAD_SECONDS, self._reload),
                partial(_after, FORGET_SECONDS, self._forget_requests),
            )
        ]
        self._notifying = asyncio.create_task(self._notifier.run())

    async def stop(self) -> None:
        """What is on the wire is answered and kept; what is open stays so in the ledger."""
        self._to_buy.clear()
        for loop in self._loops:
            loop.cancel()
        self._buyer.stop()
        await asyncio.gather(*self._loops, *self._purchases, return_exceptions=True)
        self._notifier.stop()
        await self._notifying
        await asyncio.to_thread(self._thread.shutdown)
        self._judge.close()
        await self._buyer.close()

    # --- what callers ask for --------------------------------------------------------------

    async def enter(
        self,
        contact: EnteredContact,
        *,
        wait: timedelta,
        notify_url: str | None = None,
        request: RequestKey | None = None,
    ) -> Enrichment:
        """See `Desk.enter`."""
        posted = Posted(contact.id, contact.content, contact.content_sha256, notify_url)
        now = self._clock.now()
        recorded = await self._write(
            partial(
                _record,
                posted=posted,
                request=request,
                now=now,
                due_at=now + timedelta(minutes=self._settings.policy.entry.deadline_minutes),
                answering_until=now + wait + ANSWER_GRACE,
            )
        )
        match recorded:
            case Repeated(answer):
                return Enrichment.model_validate_json(answer)
            case KeyReused():
                raise KeyReusedError
            case Entry(is_decided=True) as known:
                self._notifier.wake()
                return from_answer(known.contact_id, known.answer or NOTHING_KNOWN)
            case Entry() as entry:
                waiting = self._opened(entry)
            case _:
                raise StillAnsweringError
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait.total_seconds()):
                await waiting.news.wait()
        enrichment = waiting.enrichment
        if request is not None:
            with contextlib.suppress(NotRecordedError):  # it is recorded, whatever becomes of this
                await self._write(
                    lambda to: entries.end_request(to, request, enrichment.model_dump_json())
                )
        return enrichment

    async def find(self, contact_id: str) -> Enrichment | None:
        """See `Desk.find`."""
        found = await asyncio.to_thread(self._find, contact_id)
        is_open = found is not None and not found.is_decided and contact_id in self._open
        return self._open[contact_id].enrichment if is_open else found

    def _find(self, contact_id: str) -> Enrichment | None:
        entry = entries.find(self._store, contact_id)
        if entry is None:
            return None
        with self._store.read() as ledger:
            return _as_it_stands(entry, entries.credits_for(ledger, contact_id))

    async def take_back(self, contact_id: str) -> TakenBack:
        """See `Desk.take_back`."""
        is_taken = await self._write(lambda to: entries.withdraw(to, contact_id, self._clock.now()))
        if is_taken is None:
            return TakenBack.NOT_ENTERED
        if not is_taken:
            return TakenBack.ALREADY_BOUGHT
        if (withdrawn := self._open.pop(contact_id, None)) is not None:
            withdrawn.news.set()
        return TakenBack.TAKEN_BACK

    async def ping(self) -> None:
        """See `Desk.ping`: commit nothing, which takes the same lock as recording does."""
        await self._write(lambda _transaction: None)

    async def _write(self, work: Callable[[Transaction], R]) -> R:
        """Raises NotRecordedError; then what waited for the database is not written later either.

        Unless it was being committed when the time was over.
        """
        is_waited_for = True

        def unless_given_up(transaction: Transaction) -> R | None:
            return work(transaction) if is_waited_for else None

        try:
            async with asyncio.timeout(RECORD_SECONDS):
                return cast(R, await self._group.run(unless_given_up))
        except (TimeoutError, SQLAlchemyError) as error:
            _log.error("an entry could not be recorded (%s)", type(error).__name__)
            raise NotRecordedError from None
        finally:
            is_waited_for = False

    # --- judging ---------------------------------------------------------------------------

    def _opened(self, entry: Entry) -> _Open:
        """The entry among those that are open here; it is judged where it is new."""
        known = self._open.get(entry.contact_id)
        if known is not None and known.entry.version == entry.version:
            return known
        is_open = _Open(entry, _as_it_stands(entry), person_key=entry.person_key)
        if known is not None:
            known.news.set()  # who waits for what was entered before gets what it had come to
        self._open[entry.contact_id] = is_open
        self._have_judged([entry.contact_id])
        return is_open

    def _have_judged(self, contact_ids: Iterable[str], *, is_urgent: bool = True) -> None:
        """Have these judged: before those that were tried in vain, where a caller may wait."""
        queue = self._to_judge if is_urgent else self._to_judge_again
        queue.update(dict.fromkeys(contact_ids))
        if queue:
            self._has_arrived.set()

    async def _judge_arrivals(self) -> None:
        """All that have arrived, so many at a time."""
        await self._has_arrived.wait()
        batch = self._next_batch()
        if batch:
            await self._judge_batch(batch)

    def _next_batch(self) -> list[_Open]:
        """Those to judge next; one that made a batch fail comes last, and alone."""
        queued = [
            self._open[each]
            for each in {**self._to_judge, **self._to_judge_again}
            if each in self._open
        ]
        batch = [each for each in queued if not each.is_judged_alone][:MOST_AT_ONCE] or queued[:1]
        left = {each.entry.contact_id for each in queued}
        left -= {each.entry.contact_id for each in batch}
        self._to_judge = {each: None for each in self._to_judge if each in left}
        self._to_judge_again = {each: None for each in self._to_judge_again if each in left}
        if not left:
            self._has_arrived.clear()
        return batch

    async def _judge_batch(self, batch: Sequence[_Open]) -> None:
        """Judge them, and go by that. Where it fails, each half by itself: one of them it may be.

        Where the ledger fails, all are tried again later.
        """
        try:
            revision = await asyncio.to_thread(self._store.revision)
            for is_open in batch:
                is_open.judged_as_of = revision
            verdicts = await asyncio.get_running_loop().run_in_executor(
                self._thread, self._judge.judge, [each.entry for each in batch]
            )
            await self._take(verdicts, revision)
        except Exception as error:  # noqa: BLE001 - whatever it is, the next entry is served
            _log.error("%d entries could not be judged (%s)", len(batch), type(error).__name__)
            is_ledger = isinstance(error, NotRecordedError | LedgerAwayError | SQLAlchemyError)
            if len(batch) > 1 and not is_ledger:
                middle = len(batch) // 2
                await self._judge_batch(batch[:middle])
                await self._judge_batch(batch[middle:])
                return
            for is_open in batch:
                is_open.is_judged_alone = True
                is_open.note_try()
                self._put_off(is_open, "not_judged")
        else:
            for is_open in batch:
                is_open.is_judged_alone = False

    async def _take(self, verdicts: Sequence[Verdict], revision: int) -> None:
        """Keep what the entries have come to, tell who waits, and have bought what is due."""
        current = [each for each in verdicts if self._is_current(each)]
        for verdict in current:
            # before it is written: whatever comes about the person from then on is noticed
            self._open[verdict.entry.contact_id].person_key = verdict.person_key
        decided, changed = await self._write(
            partial(_settle, verdicts=current, revision=revision, now=self._clock.now())
        )
        for verdict in filter(self._is_current, current):
            is_open = self._open[verdict.entry.contact_id]
            is_open.entry = replace(is_open.entry, person_key=verdict.person_key)
            contact_id = verdict.entry.contact_id
            if contact_id in decided:
                self._close(is_open, decided[contact_id])
                self._metrics.credits.inc(decided[contact_id].credits)
                self._notifier.wake()
            elif verdict.person_key in changed:
                self._have_judged([contact_id])
            else:
                self._go_on(is_open, verdict)
        self._buy_what_is_due()

    def _is_current(self, verdict: Verdict) -> bool:
        is_open = self._open.get(verdict.entry.contact_id)
        return is_open is not None and is_open.entry.version == verdict.entry.version

    def _go_on(self, is_open: _Open, verdict: Verdict) -> None:
        """Have it bought where it is due; else another process asks for it, and it waits."""
        reason = is_open.enrichment.reason
        nothing = from_answer(verdict.entry.contact_id, NOTHING_KNOWN)
        is_open.enrichment = verdict.enrichment or nothing
        if verdict.call is None or is_open.is_being_bought:
            return
        if is_open.has_tried and is_open.tried == verdict.call.asks:
            is_open.enrichment = is_open.enrichment.model_copy(update={"reason": reason})
            is_open.news.set()
            return
        is_open.is_being_bought = True
        is_open.note_try(verdict.call)
        is_open.news.clear()
        self._to_buy.setdefault(verdict.call.candidate.person_key, verdict.call)

    def _close(self, is_open: _Open, enrichment: Enrichment) -> None:
        is_open.enrichment = enrichment
        is_open.news.set()
        del self._open[enrichment.contact_id]

    def _put_off(self, is_open: _Open, reason: str) -> None:
        """Tell who waits why it will take longer."""
        update = {"status": "queued", "reason": reason}
        is_open.enrichment = is_open.enrichment.model_copy(update=update)
        is_open.news.set()

    # --- buying ----------------------------------------------------------------------------

    def _buy_what_is_due(self) -> None:
        """So many purchases of a priority at once, the highest first: none waits behind others."""
        for kind, priority in product(self._buyer.kinds, PRIORITIES):
            calls = [
                each.candidate
                for each in self._to_buy.values()
                if (each.kind, each.candidate.priority) == (kind, priority)
            ]
            halted = self._halted.get(kind)
            if halted is not None and not halted.is_over:
                self._take_off({call.person_key for call in calls})
                self._refuse({call.person_key for call in calls}, halted.reason)
                continue
            size = self._buyer.batch_size(kind)
            while calls and self._may_buy(kind, priority):
                chosen, calls = calls[:size], calls[size:]
                self._take_off({call.person_key for call in chosen})
                purchase = asyncio.create_task(self._buy(kind, chosen))
                self._purchases[purchase] = (kind, priority)
                purchase.add_done_callback(self._end_purchase)

    def _take_off(self, person_keys: Collection[str]) -> None:
        for person_key in person_keys:
            del self._to_buy[person_key]

    def _may_buy(self, kind: str, priority: str) -> bool:
        of_kind = [each for each in self._purchases.values() if each[0] == kind]
        if kind in self._halted:  # one request tells whether the provider takes any again
            return not of_kind
        at_once = self._buyer.at_once(kind)
        if at_once is not None:  # more of them would only wait for a place
            return len(of_kind) < at_once
        return of_kind.count((kind, priority)) < PURCHASES_AT_ONCE

    def _end_purchase(self, purchase: asyncio.Task[None]) -> None:
        del self._purchases[purchase]
        self._buy_what_is_due()

    async def _buy(self, kind: str, calls: Sequence[Candidate]) -> None:
        """Make these calls, then have the entries judged by what has come."""
        persons = {call.person_key for call in calls}
        for is_open in self._about(persons):
            update = {"status": "in_flight", "reason": None}
            is_open.enrichment = is_open.enrichment.model_copy(update=update)
        reason, asked = None, frozenset[str]()
        try:
            revision = await asyncio.to_thread(self._store.revision)
            bought = await self._buyer.buy(kind, calls)
            # what is used up for the day, the ledger knows from then on
            halt = None if isinstance(bought.halted, UsedUp) else bought.halted
            self._note_halt(kind, halt)
            if halt is not None:
                reason = halt.reason
            elif bought.exhausted or bought.halted is not None:
                reason = "budget"
            asked = await asyncio.to_thread(self._changed, persons, revision)
        except Exception as error:  # noqa: BLE001 - whatever it is, the next entry is served
            _log.error("%d entries could not be asked for (%s)", len(calls), type(error).__name__)
            reason = "not_asked"
        come = persons if reason is None else asked
        if reason is not None:
            self._refuse(persons - come, reason)
        for is_open in self._about(set(come)):
            is_open.is_being_bought = False
            self._have_judged([is_open.entry.contact_id])

    def _refuse(self, person_keys: Collection[str], reason: str) -> None:
        """Nothing is bought of these persons now."""
        for is_open in self._about(person_keys):
            is_open.is_being_bought = False
            self._put_off(is_open, reason)

    def _note_halt(self, kind: str, halt: Halt | None) -> None:
        """Where no request makes sense for now, hold back the others of the kind for a while."""
        before = self._halted.pop(kind, None)
        if halt is not None:
            tries = 1 if before is None else before.tries + 1
            until = asyncio.get_running_loop().time() + _distance(tries)
            self._halted[kind] = _Halted(halt.reason, tries, until)

    def _changed(self, person_keys: Collection[str], revision: int) -> frozenset[str]:
        with self._store.read() as ledger:
            return entries.persons_changed(ledger, person_keys, revision)

    def _note_wait(self, kind: str, calls: Sequence[Candidate], until: datetime, why: str) -> None:
        """Nothing can be sent for a while: who waits is told at once, and who waits behind it."""
        if why not in WAITING_FOR or until - self._clock.now() <= SHORT_WAIT:
            return
        of_kind = [each.candidate for each in self._to_buy.values() if each.kind == kind]
        behind = [call for call in of_kind if _rank(call) >= _rank(calls[0])]
        update = {"status": "queued", "reason": WAITING_FOR[why]}
        for is_open in self._about({call.person_key for call in [*calls, *behind]}):
            is_open.enrichment = is_open.enrichment.model_copy(update=update)
            is_open.news.set()

    def _about(self, person_keys: Collection[str]) -> list[_Open]:
        return [each for each in self._open.values() if each.person_key in person_keys]

    # --- what others do --------------------------------------------------------------------

    async def _look_for_news(self) -> None:
        """Judge anew the entries whose person has news: by callback, or from a run."""
        await asyncio.sleep(POLL_SECONDS)
        if not self._open:
            return
        revision, changed = await asyncio.to_thread(self._news)
        self._revision = revision
        known = newest_known(self._settings.known_dir)
        is_new, self._known = known != self._known, known
        # only now: who was opened meanwhile may have been judged before this came
        waiting = [each for each in self._open.values() if not each.is_being_bought]
        self._have_judged(
            each.entry.contact_id
            for each in waiting
            if each.person_key is not None and changed.get(each.person_key, 0) > each.judged_as_of
        )
        self._have_judged(
            (
                each.entry.contact_id
                for each in waiting
                if is_new or (each.tries and not each.has_tried)
            ),
            is_urgent=False,
        )

    def _news(self) -> tuple[int, dict[str, int]]:
        """The ledger's revision; the persons with news since the last time, each as of when."""
        if self._buyer.is_called:
            self._buyer.read_callbacks()
        revision = self._store.revision()
        if revision == self._revision:
            return revision, {}
        return revision, kept.persons_changed(self._store, self._revision)

    async def _reload(self) -> None:
        """Open what the ledger has for open, and close what a run has settled meanwhile."""
        if self._open:
            await asyncio.to_thread(self._buyer.end_what_was_left)
        owed = await asyncio.to_thread(notifications.count_owed, self._store)
        self._metrics.notifications_owed.set(owed)
        found = await asyncio.to_thread(entries.undecided, self._store)
        for entry in found:
            known = self._open.get(entry.contact_id)
            if known is None or known.entry.version < entry.version:  # it was read a moment ago
                self._opened(entry)
        still_open = {entry.contact_id for entry in found}
        for is_open in [*self._open.values()]:
            contact_id = is_open.entry.contact_id
            if contact_id in still_open or is_open.is_being_bought:
                continue
            enrichment = await asyncio.to_thread(self._find, contact_id)
            if self._open.get(contact_id) is not is_open:
                continue
            if enrichment is None:
                del self._open[contact_id]
                is_open.news.set()
            elif enrichment.is_decided:
                self._close(is_open, enrichment)

    async def _forget_requests(self) -> None:
        before = self._clock.now() - KEEP_REQUESTS
        await self._write(lambda to: entries.forget_requests(to, before))


def _record(
    transaction: Transaction,
    *,
    posted: Posted,
    request: RequestKey | None,
    now: datetime,
    due_at: datetime,
    answering_until: datetime,
) -> object:
    """Record what was posted; where it is decided already, the request is answered with that."""
    recorded = entries.record(
        transaction,
        posted,
        request=request,
        now=now,
        due_at=due_at,
        answering_until=answering_until,
    )
    if isinstance(recorded, Entry) and recorded.is_decided:
        known = from_answer(recorded.contact_id, recorded.answer or NOTHING_KNOWN)
        if posted.notify_url is not None:
            owe(transaction, known, [posted.notify_url], now)
        if request is not None:
            entries.end_request(transaction, request, known.model_dump_json())
    return recorded


def _settle(
    transaction: Transaction, *, verdicts: Sequence[Verdict], revision: int, now: datetime
) -> tuple[dict[str, Enrichment], frozenset[str]]:
    """Keep verdicts; what is decided by now, and the persons with news since."""
    decided: dict[str, Enrichment] = {}
    persons = {verdict.person_key for verdict in verdicts if verdict.person_key is not None}
    changed = entries.persons_changed(transaction.connection, persons, revision)
    for verdict in verdicts:
        entry = verdict.entry
        if verdict.person_key is not None:
            entries.identify(
                transaction,
                entry.contact_id,
                entry.version,
                verdict.person_key,
                verdict.identifiers,
            )
        if verdict.enrichment is None or verdict.person_key in changed:
            continue  # by now another process may have settled it by what is known now
        settled = Settled(
            entry.contact_id,
            entry.version,
            as_answer(verdict.enrichment),
            is_decided=verdict.enrichment.is_decided,
            good_until=verdict.enrichment.next_lookup_at,
        )
        urls = entries.settle(transaction, settled, as_of_revision=revision, now=now)
        if settled.is_decided:
            credits = entries.credits_for(transaction.connection, entry.contact_id)
            enrichment = verdict.enrichment.model_copy(update={"credits": credits})
            decided[entry.contact_id] = enrichment
            owe(transaction, enrichment, urls, now)
    return decided, changed


def _as_it_stands(entry: Entry, units_charged: int = 0) -> Enrichment:
    """What an entry has come to; nothing while that is found out anew."""
    stands = from_answer(entry.contact_id, entry.answer or NOTHING_KNOWN, units_charged)
    if stands.is_decided and not entry.is_decided:
        return from_answer(entry.contact_id, NOTHING_KNOWN, units_charged)
    return stands


def _distance(tries: int) -> float:
    """How many seconds pass between this try and the next."""
    return min(RETRY_AFTER_SECONDS * 2.0 ** min(tries - 1, 16), LONGEST_RETRY_SECONDS)


def _rank(call: Candidate) -> int:
    return PRIORITIES.index(call.priority)


async def _repeat(step: Callable[[], Coroutine[None, None, None]]) -> None:
    """Do a step again and again; an error in it ends nothing."""
    while True:
        try:
            await step()
        except Exception as error:  # noqa: BLE001 - whatever it is, the next entry is served
            _log.error("%s; going on", type(error).__name__)
            await asyncio.sleep(1.0)


async def _after(seconds: float, step: Callable[[], Coroutine[None, None, None]]) -> None:
    await asyncio.sleep(seconds)
    await step()


@asynccontextmanager
async def open_desk(
    settings: Settings, metrics: EntryMetrics | None = None
) -> AsyncIterator[EntryService]:
    """Take entries under these settings, until the way out.

    Raises ConfigurationError for a state folder that is another source's or provider's, and
    RolledBack for a ledger that is older than what is published.
    """
    ensure_state_folder(settings)
    check_stamp(settings)
    settings.known_dir.mkdir(exist_ok=True)  # from now on each run leaves a snapshot there
    clock = Clock()
    run_id = f"entry-{uuid4().hex}"
    dead = [each for each in dead_runs(settings.home) if each.startswith("entry-")]
    hold_run_lock(settings.home, run_id)
    store = open_store(settings.ledger_url.get_secret_value())
    try:
        of_ledger = stamped(store, settings)
        refuse_rolled_back(store, of_ledger, stamped_ledger(settings), settings.published_dir)
        stamp_with_ledger(settings, of_ledger["ledger"])
        service = EntryService(settings, store, clock, metrics or EntryMetrics(), run_id=run_id)
        await service.start(dead)
        for each in dead:
            forget_dead_run(settings.home, each)
        try:
            yield service
        finally:
            await service.stop()
    finally:
        store.checkpoint()
        store.close()
        release_run_lock(settings.home, run_id)
