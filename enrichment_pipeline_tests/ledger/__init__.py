"""Tests of the ledger, on SQLite and on Postgres, and the few helpers that they share.

Here: limits and candidates as a test wants them, and short ways through a look-up's life. Not here:
fixtures (`conftest.py`).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event

from enrichment_pipeline.clock import Clock
from enrichment_pipeline.ledger import journal, kept
from enrichment_pipeline.ledger.admission import Admitted, Candidate, Decision, Wait
from enrichment_pipeline.ledger.budget import MILLIONTHS, Budget, RunShare, credits_of, periods
from enrichment_pipeline.ledger.calls import Calls, Receipt
from enrichment_pipeline.ledger.journal import Settlement
from enrichment_pipeline.ledger.limits import Limits, Rate
from enrichment_pipeline.ledger.questions import Questions, Totals
from enrichment_pipeline.ledger.schema import (
    APPLIED,
    RELEASED,
    REPLIED,
    RESERVED,
    SENT,
    UNCONFIRMED,
    budgets,
    calls,
)
from enrichment_pipeline.ledger.store import LedgerStore
from enrichment_pipeline.ledger.suppressions import Suppressions
from enrichment_pipeline.policy import Floors
from enrichment_pipeline.stores import Stores
from enrichment_pipeline.vocabulary import LOOKUP

WINDOW = timedelta(seconds=60)
SEND_LEASE = timedelta(seconds=30)
ANSWER_DEADLINE = timedelta(seconds=75)
UNCONFIRMED_HOLD = timedelta(days=30)
TICK = timedelta(microseconds=1)

OTHERS = ("another", "yet another")
"""Providers before ours in the alphabet and after it: only equality leaves both out."""

STATES = (RESERVED, SENT, REPLIED, APPLIED, RELEASED, UNCONFIRMED)

MATCHED = Settlement(REPLIED, "matched", None, units_charged=1, answer_index=0)
MISSED = Settlement(REPLIED, "no_match", None, answer_index=0)
GIVEN_BACK = Settlement(RELEASED, "retriable", "rate_limited")
NEVER_SENT = Settlement(RELEASED, "retriable", "not_sent")
NOT_ANSWERED = Settlement(UNCONFIRMED, "unconfirmed", "no_reply")


def limits_of(**changes: Any) -> Limits:
    """Ten items a minute, and budgets that nothing comes near, but for what is named.

    A budget is named as in the policy: `per_run`, `per_day`, `per_month`, `floors`. One rate is
    named by `items_per_window` and `window`.
    """
    rate = Rate(changes.pop("items_per_window", 10), changes.pop("window", WINDOW))
    of_budget = {name: changes.pop(name) for name in tuple(changes) if name in _BUDGET_KEYS}
    values: dict[str, Any] = {
        "rates": (rate,),
        "budget": budget_of(**of_budget),
        "pause": rate.window,
        "send_lease": SEND_LEASE,
        "response_deadline": ANSWER_DEADLINE,
        "answer_deadline": ANSWER_DEADLINE,
        "unconfirmed_hold": UNCONFIRMED_HOLD,
        **changes,
    }
    return Limits(**values)


def budget_of(
    pool: str = "credits",
    per_run: float = 5000,
    per_day: float = 20_000,
    per_month: float = 300_000,
    floors: Any = None,
    unit_cost: float = 1,
    credits_per_unit: float = 1,
) -> Budget:
    """A budget that nothing comes near, but for what is named."""
    return Budget(
        pool=pool,
        per_run=Decimal(str(per_run)),
        per_day=Decimal(str(per_day)),
        per_month=Decimal(str(per_month)),
        floors=Floors.model_validate(floors or {}),
        unit_cost=Decimal(str(unit_cost)),
        credits_per_unit=Decimal(str(credits_per_unit)),
    )


_BUDGET_KEYS = frozenset(
    {"pool", "per_run", "per_day", "per_month", "floors", "unit_cost", "credits_per_unit"}
)


class Ledger:
    """One kind of call to one provider, with each step in a transaction of its own."""

    def __init__(
        self,
        store: LedgerStore,
        provider: str,
        limits: Limits,
        clock: Clock,
        kind: str = LOOKUP,
    ) -> None:
        self.store = store
        self.calls = Calls(provider, kind, limits, clock)
        self.limits = limits
        self.provider = provider
        self.questions = Questions(store, self.calls)
        self.suppressions = Suppressions(store, clock)

    @classmethod
    def of(cls, stores: Stores, clock: Clock) -> Ledger:
        """The ledger of a state folder."""
        lookups = stores.calls(clock)
        return cls(stores.ledger, lookups.provider, lookups.limits, clock)

    def _do(self, step: Callable[..., Any], *given: Any, **named: Any) -> Any:
        return self.store.transact(lambda transaction: step(transaction, *given, **named))

    def admit(
        self,
        candidates: Sequence[Candidate],
        run_id: str,
        max_credits: int | None = None,
        earlier_run_ids: tuple[str, ...] = (),
        *,
        is_entry: bool = False,
    ) -> Decision:
        share = RunShare(run_id, earlier_run_ids, max_credits, is_entry)
        return self._do(self.calls.admit, candidates, share)

    def admit_page(self, call_id: str, run_id: str = "run", **named: Any) -> Any:
        return self._do(self.calls.admit_page, call_id, RunShare(run_id), **named)

    def mark_sent(self, request_id: str, *, awaits_callback: bool = False) -> None:
        self._do(self.calls.mark_sent, request_id, awaits_callback=awaits_callback)

    def record_reply(self, request_id: str, **named: Any) -> str:
        return self._do(self.calls.record_reply, request_id, **named)

    def note_accepted(self, request_id: str, **named: Any) -> None:
        self._do(self.calls.note_accepted, request_id, **named)

    def keep_callback(self, request_id: str, body: bytes) -> Receipt:
        return self._do(self.calls.keep_callback, request_id, body)

    def settle(self, settlements: Mapping[str, Settlement], **named: Any) -> None:
        self._do(self.calls.settle, settlements, **named)

    def note_unsent(self, request_id: str, error: str) -> None:
        self._do(self.calls.note_unsent, request_id, error)

    def note_error(self, request_id: str, error: str) -> None:
        self._do(self.calls.note_error, request_id, error)

    def note_used_up(self) -> None:
        self._do(self.calls.note_used_up)

    def clear_abandoned(self, dead_run_ids: Sequence[str] = ()) -> int:
        return self._do(self.calls.clear_abandoned, dead_run_ids)

    def release_unconfirmed(self, person_keys: Iterable[str]) -> int:
        return self._do(self.calls.release_unconfirmed, person_keys)

    def pause(self, retry_after: timedelta | None) -> None:
        self._do(self.calls.gate.pause, retry_after)

    def count_failure(self) -> None:
        self._do(self.calls.gate.count_failure)

    def count_success(self) -> None:
        self._do(self.calls.gate.count_success)

    def unread_replies(self) -> Iterator[kept.UnreadReply]:
        return kept.unread(self.store, self.provider, self.calls.kind)

    def is_left_to_its_run(self, reply: kept.UnreadReply, dead: Sequence[str] = ()) -> bool:
        return kept.is_left_to_its_run(self.calls, reply, dead)

    def answered_at(self, reply: kept.UnreadReply) -> datetime:
        return kept.answered_at(self.calls, reply)

    def count_unread(self, received_before: datetime) -> int:
        return kept.count_unread(self.store, self.calls.clock.now(), received_before)

    def finished_requests(self, request_ids: Iterable[str]) -> dict[str, list[Settlement]]:
        return kept.finished_requests(self.store, request_ids)

    def changed_lookups(self, since_revision: int) -> Iterator[Sequence[Any]]:
        return kept.changed_lookups(self.store, since_revision)

    def mark_applied(self, call_ids: Sequence[str] | None = None) -> int:
        """These, or all of which the warehouse could have copied the answer."""
        if call_ids is None:
            return kept.mark_applied(self.store, self.store.revision())
        return self._do(journal.mark_applied, call_ids)

    def reply_bodies(self, reply_ids: Sequence[str]) -> list[tuple[str, bytes]]:
        return kept.reply_bodies(self.store, reply_ids)

    def run_totals(self, run_id: str) -> Totals:
        return self.questions.run_totals(run_id)

    def lane_totals(self, run_id: str) -> dict[tuple[str, str], Totals]:
        return self.questions.lane_totals(run_id)

    def count_by_state(self) -> dict[str, int]:
        return self.questions.count_by_state()

    def budget_used(self, period: str) -> tuple[Decimal, Decimal]:
        return self.questions.budget_used(period)

    def rate_window(self) -> tuple[int, int]:
        """Items in the one rate's window now, and the limit."""
        [(used, limit, _)] = self.questions.rate_windows()
        return used, limit


def candidate(name: str, priority: str = "standard", supersedes: str = "") -> Candidate:
    return Candidate(
        person_key=f"person:{name}",
        contact_id=f"contact-{name}",
        item=f"{name}@crowd.example",
        item_kind="email",
        freshness="new",
        priority=priority,
        supersedes=supersedes,
    )


def crowd(size: int, priority: str = "standard", prefix: str = "p") -> list[Candidate]:
    return [candidate(f"{prefix}{number}", priority) for number in range(size)]


def admitted(decision: Decision) -> Admitted:
    """The decision, which must be to admit."""
    assert isinstance(decision, Admitted), decision
    return decision


def waiting(decision: Decision) -> Wait:
    """The decision, which must be to wait."""
    assert isinstance(decision, Wait), decision
    return decision


def ids(batch: Admitted) -> list[str]:
    return [lookup.call_id for lookup in batch.calls]


def reserve(ledger: Ledger, *candidates: Candidate, run_id: str = "run") -> Admitted:
    return admitted(ledger.admit(candidates, run_id))


def send(ledger: Ledger, *candidates: Candidate, run_id: str = "run") -> Admitted:
    batch = reserve(ledger, *candidates, run_id=run_id)
    ledger.mark_sent(batch.request_id)
    return batch


def reply(ledger: Ledger, batch: Admitted, body: bytes = b"[]") -> str:
    return ledger.record_reply(batch.request_id, http_status=200, body=body, credits_left=None)


def settle_all(
    ledger: Ledger, batch: Admitted, settlement: Settlement, reply_id: str | None = None
) -> None:
    ledger.settle(dict.fromkeys(ids(batch), settlement), reply_id=reply_id)


def buy(
    ledger: Ledger, *candidates: Candidate, settlement: Settlement = MATCHED, run_id: str = "run"
) -> Admitted:
    """From the reservation to the settled answer, in an instant."""
    batch = send(ledger, *candidates, run_id=run_id)
    settle_all(ledger, batch, settlement, reply(ledger, batch))
    return batch


def give_back_unsent(ledger: Ledger, batch: Admitted) -> None:
    """As where no connection came about: neither credits nor slots stay taken."""
    ledger.note_unsent(batch.request_id, "ConnectError")
    settle_all(ledger, batch, NEVER_SENT)


def room_for(ledger: Ledger, offered: list[Candidate], run_id: str = "run") -> int:
    """How many of these would be admitted now; takes nothing."""
    decision = ledger.admit(offered, run_id)
    if not isinstance(decision, Admitted):
        return 0
    ledger.mark_sent(decision.request_id)
    give_back_unsent(ledger, decision)
    return len(decision.calls)


def bring_to(ledger: Ledger, state: str, name: str = "ada") -> Admitted:
    """A batch of one look-up, brought to a state in the way in which it really gets there."""
    batch = reserve(ledger, candidate(name))
    if state in (SENT, REPLIED, APPLIED, UNCONFIRMED):
        ledger.mark_sent(batch.request_id)
    if state in (REPLIED, APPLIED):
        settle_all(ledger, batch, MATCHED, reply(ledger, batch))
    if state == APPLIED:
        ledger.mark_applied()
    if state == UNCONFIRMED:
        settle_all(ledger, batch, NOT_ANSWERED)
    if state == RELEASED:
        give_back_unsent(ledger, batch)
    return batch


def states(store: LedgerStore) -> dict[str, str]:
    """State by look-up id."""
    with store.read() as connection:
        query = sa.select(calls.c.call_id, calls.c.state)
        return {row[0]: row[1] for row in connection.execute(query)}


def count_rows(store: LedgerStore, table: sa.Table) -> int:
    with store.read() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


def booked_budgets(store: LedgerStore) -> dict[str, tuple[int, int]]:
    """The budget table: credits reserved and charged by period, where they are not zero."""
    with store.read() as connection:
        rows = connection.execute(
            sa.select(budgets.c.period, budgets.c.reserved, budgets.c.charged)
        ).all()
    return {
        row[0]: (row[1] / MILLIONTHS, row[2] / MILLIONTHS)
        for row in rows
        if (row[1], row[2]) != (0, 0)
    }


def recomputed_budgets(store: LedgerStore) -> dict[str, tuple[int, int]]:
    """What the budget table must say, told from the look-ups alone."""
    reserved: Counter[str] = Counter()
    charged: Counter[str] = Counter()
    with store.read() as connection:
        rows = connection.execute(
            sa.select(
                calls.c.run_id,
                calls.c.budget_day,
                calls.c.state,
                calls.c.units_charged,
            )
        ).all()
    for run_id, day, state, units_charged in rows:
        for period in (*periods(run_id, day), credits_of(run_id)):
            reserved[period] += state in (RESERVED, SENT, UNCONFIRMED)
            charged[period] += units_charged
    return {
        period: (reserved[period], charged[period])
        for period in reserved | charged
        if reserved[period] or charged[period]
    }


def answer_body(*statuses: tuple[str, str]) -> bytes:
    """A body as SignalHire's, for items with their statuses."""
    return json.dumps(
        [
            {"item": item, "status": status} | ({"candidate": {}} if status == "success" else {})
            for item, status in statuses
        ]
    ).encode()


OF_CALLS = {"calls", "call_identifiers"}


@contextmanager
def explained(store: LedgerStore) -> Iterator[list[str]]:
    """How SQLite finds calls and their identifiers in the body's queries, step by step."""
    steps: list[str] = []

    def explain(_connection: object, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.lstrip().upper().startswith("SELECT"):
            plan = cursor.execute(f"explain query plan {statement}", parameters).fetchall()
            steps.extend(row[3] for row in plan if row[3].split()[1] in OF_CALLS)

    event.listen(store._engine, "before_cursor_execute", explain)
    try:
        yield steps
    finally:
        event.remove(store._engine, "before_cursor_execute", explain)
