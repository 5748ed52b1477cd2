"""Calls for entries: the run of a process that takes entries, for as long as it lives.

Here: a dispatch of its own for each few entries that are due together, and the places in the rates
and on the wire that entries wait for. Not here: whether a call may be made (`ledger/`), and when
(`service.py`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from uuid import uuid4

from enrichment_pipeline.clock import Clock
from enrichment_pipeline.dispatch.asking import Asking
from enrichment_pipeline.dispatch.bad_items import BadItemDetector
from enrichment_pipeline.dispatch.connecting import asking_of, connect_provider
from enrichment_pipeline.dispatch.dispatcher import Dispatcher
from enrichment_pipeline.dispatch.settling import read_kept_replies
from enrichment_pipeline.ledger import entries
from enrichment_pipeline.ledger.admission import Candidate, Decision, Wait
from enrichment_pipeline.ledger.budget import RunShare
from enrichment_pipeline.ledger.calls import Calls
from enrichment_pipeline.ledger.gate import gate_name
from enrichment_pipeline.ledger.group import GroupCommit
from enrichment_pipeline.ledger.store import LedgerStore, Transaction
from enrichment_pipeline.providers.base import Halt
from enrichment_pipeline.providers.registry import PROVIDERS
from enrichment_pipeline.settings import Settings
from enrichment_pipeline.spill import lack_of_space, spill
from enrichment_pipeline.terms import calls_of

PLACE_LEASE = timedelta(seconds=3)
"""For how long runs leave room to entries that wait: they ask again at least each second."""


@dataclass(frozen=True)
class Bought:
    """Why some of the calls were not made: the budget that is used up, by priority, or a halt."""

    exhausted: Mapping[str, str]
    halted: Halt | None


OnWaitOfKind = Callable[[str, Sequence[Candidate], datetime, str], None]
"""Told of which kind there is no room for which calls, until when, and why."""


class _Kind:
    """One kind of call, and how it is made for entries."""

    def __init__(self, asking: Asking, calls: Calls) -> None:
        self.asking = asking
        self.calls = calls
        self.is_answered = False


class Buyer:
    """Makes calls of each kind for entries. One per process; close it in the end."""

    def __init__(
        self,
        settings: Settings,
        store: LedgerStore,
        writer: GroupCommit,
        clock: Clock,
        *,
        run_id: str,
        on_wait: OnWaitOfKind,
    ) -> None:
        self._settings = settings
        self._store = store
        self._writer = writer
        self._run = RunShare(run_id, is_entry=True)
        self._on_wait = on_wait
        asked = settings.asked_provider
        self._provider = connect_provider(settings, asked)
        self._kinds = {
            kind: _Kind(
                asking_of(settings, kind, self._provider), calls_of(settings, asked, kind, clock)
            )
            for kind in PROVIDERS[asked].calls
        }
        self._dispatchers: set[Dispatcher] = set()
        self._is_stopping = False
        limits = settings.limits(asked)
        self._batch_size = min(limits.items_per_request, *(r.units for r in limits.every_rate))

    @property
    def kinds(self) -> Sequence[str]:
        return tuple(self._kinds)

    def batch_size(self, kind: str) -> int:
        """How many calls go together."""
        return min(self._batch_size, self._kinds[kind].asking.max_batch)

    def at_once(self, kind: str) -> int | None:
        """How many calls of this kind may be on the wire; None for any number."""
        return self._kinds[kind].calls.limits.at_once

    async def buy(self, kind: str, candidates: Sequence[Candidate]) -> Bought:
        """Make these calls, all of one priority; done when they are answered, or submitted."""
        of = self._kinds[kind]
        dispatcher = Dispatcher(
            self._store,
            _EntryCalls(of.calls),
            of.asking,
            _Silent(),
            run=self._run,
            batch_size=self.batch_size(kind),
            set_aside=partial(spill, self._settings.spilled_dir),
            purchase_blocker=partial(lack_of_space, self._settings.home),
            on_wait=partial(self._on_wait, kind),
            writer=self._writer,
            awaits_callbacks=False,
            bad_items=BadItemDetector(is_answered=of.is_answered),
        )
        if self._is_stopping:
            dispatcher.stop()
        self._dispatchers.add(dispatcher)
        try:
            report = await dispatcher.run([candidates])
        finally:
            self._dispatchers.discard(dispatcher)
            of.is_answered |= dispatcher.is_answered
        return Bought(report.exhausted, report.halted)

    def stop(self) -> None:
        """Send nothing more; what is on the wire is still answered and kept."""
        self._is_stopping = True
        for dispatcher in self._dispatchers:
            dispatcher.stop()

    @property
    def is_called(self) -> bool:
        """Whether any answers come by callback."""
        return any(of.asking.is_called for of in self._kinds.values())

    def read_callbacks(self) -> None:
        """Read callbacks that were kept, and not yet read."""
        for of in self._kinds.values():
            if of.asking.is_called:
                read_kept_replies(self._store, of.calls, of.asking)

    def end_what_was_left(self, dead_run_ids: Sequence[str] = ()) -> None:
        """Read what killed processes had received, and end what is past its deadline."""
        for of in self._kinds.values():
            read_kept_replies(self._store, of.calls, of.asking, dead_run_ids)
            self._store.transact(partial(of.calls.clear_abandoned, dead_run_ids=dead_run_ids))

    async def close(self) -> None:
        await self._provider.close()


class _EntryCalls(Calls):
    """Calls that, where there is no room for them, have runs leave them some."""

    def __init__(self, calls: Calls) -> None:
        super().__init__(calls.provider, calls.kind, calls.limits, calls.clock)
        self._place = uuid4().hex

    def admit(
        self, transaction: Transaction, candidates: Sequence[Candidate], run: RunShare
    ) -> Decision:
        decision = super().admit(transaction, candidates, run)
        gate = gate_name(self.provider, self.kind)
        place = (transaction, self._place, gate, candidates[0].priority)
        if isinstance(decision, Wait) and decision.why in {"rate", "at_once"}:
            until = self.clock.now() + PLACE_LEASE
            entries.ask_for_place(*place, units=len(candidates), until=until)
        else:
            entries.give_back_place(*place)
        return decision


class _Silent:
    """A progress that is not shown: each entry has an answer of its own."""

    def add_total(self, calls: int) -> None: ...
    def advance(self, calls: int, credits: int) -> None: ...
    def outstanding(self, calls: int) -> None: ...
    def searched(self, done: int, total: int) -> None: ...
    def say(self, message: str) -> None: ...
