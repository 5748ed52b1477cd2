"""What the ledger tells of itself: sums by run and lane, states, budgets, balances.

Here: questions that people, Dagster and checks ask; and the provider's balance, which is kept
beside the ledger's own sums. Not here: steps of a call's life (`calls.py`), and what the
warehouse copies (`kept.py`).
"""

import math
from collections.abc import Collection, Mapping
from dataclasses import astuple, dataclass
from datetime import datetime
from decimal import Decimal
from operator import add
from uuid import uuid4

from sqlalchemy import ColumnElement, Connection, case, func, insert, select

from enrichment_pipeline.ledger import budget, rates
from enrichment_pipeline.ledger.budget import MILLIONTHS, RunShare
from enrichment_pipeline.ledger.calls import Calls
from enrichment_pipeline.ledger.schema import (
    APPLIED,
    RELEASED,
    REPLIED,
    RESERVED,
    SENT,
    UNCONFIRMED,
    balances,
    budgets,
    calls,
    requests,
)
from enrichment_pipeline.ledger.store import LedgerStore, Transaction
from enrichment_pipeline.vocabulary import CHECKED, FOUND, MATCHED, NO_MATCH


@dataclass(frozen=True)
class Totals:
    """The results so far of a run's calls of a kind, or of those of a lane.

    `units_charged` are credits, or requests of a quota; `units_reserved` may still be charged.
    """

    calls: int = 0
    matched: int = 0
    found: int = 0
    checked: int = 0
    no_match: int = 0
    refused: int = 0
    released: int = 0
    unconfirmed: int = 0
    units_charged: int = 0
    units_reserved: int = 0

    def plus(self, other: "Totals") -> "Totals":
        """With the calls of another kind, or to another provider."""
        return Totals(*map(add, astuple(self), astuple(other)))


def _count_where(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)


_NAMED = (MATCHED, FOUND, CHECKED, NO_MATCH)
_TOTALS = (
    func.count(),
    *(_count_where(calls.c.outcome == outcome) for outcome in _NAMED),
    _count_where(calls.c.state.in_((REPLIED, APPLIED)) & calls.c.outcome.not_in(_NAMED)),
    _count_where(calls.c.state == RELEASED),
    _count_where(calls.c.state == UNCONFIRMED),
    func.coalesce(func.sum(calls.c.units_charged), 0),
    _count_where(calls.c.state.in_((RESERVED, SENT, UNCONFIRMED))),
)
"""The fields of Totals, in their order."""


@dataclass(frozen=True)
class BalanceGap:
    """How far ledger and provider part since an earlier observation.

    `provider_spent` is the fall of the provider's balance, `ledger_charged`
    what the ledger knows of. `unconfirmed` is by how many look-ups without an
    answer there are more now (charged by the provider alone, perhaps) or, below
    zero, fewer (charged by the provider before, perhaps): they may explain as
    many credits of the difference.
    """

    provider_spent: int
    ledger_charged: int
    unconfirmed: int
    rounded: int = 0
    """By how many credits the two may be off: balances are whole, a call may cost part of one."""

    @property
    def unexplained(self) -> int:
        """Credits that the ledger cannot explain; negative where it booked more."""
        gap = self.provider_spent - self.ledger_charged
        gap -= min(max(gap, -self.rounded), self.rounded)
        return gap - min(max(gap, min(self.unconfirmed, 0)), max(self.unconfirmed, 0))


class Questions:
    """What a ledger tells of one kind of call to one provider. Changes nothing.

    `credits_per_unit`: the kinds of call to it that draw on its balance, and how many credits one
    unit of each is; this kind alone, a credit a unit, where nothing is said.
    """

    def __init__(
        self, store: LedgerStore, of: Calls, credits_per_unit: Mapping[str, Decimal] | None = None
    ) -> None:
        self._store = store
        self._of = of
        self._credits_per_unit = credits_per_unit or {of.kind: Decimal(1)}

    def run_totals(self, run_id: str) -> Totals:
        """The results of a run's calls."""
        [row] = self._store.read_all(select(*_TOTALS).where(self._of_run(run_id)))
        return Totals(*map(int, row))

    def lane_totals(self, run_id: str) -> dict[tuple[str, str], Totals]:
        """The same by freshness and priority, for lanes in which there is anything."""
        lane = (calls.c.freshness, calls.c.priority)
        query = select(*lane, *_TOTALS).where(self._of_run(run_id)).group_by(*lane)
        rows = self._store.read_all(query)
        return {(row[0], row[1]): Totals(*map(int, row[2:])) for row in rows}

    def count_by_state(self) -> dict[str, int]:
        query = (
            select(calls.c.state, func.count().label("calls"))
            .where(self._is_of_kind)
            .group_by(calls.c.state)
        )
        return {row.state: row.calls for row in self._store.read_all(query)}

    def budget_used(self, period: str) -> tuple[Decimal, Decimal]:
        """What is reserved and charged in a period such as `day:2026-11-23`."""
        rows = self._store.read_all(
            select(budgets.c.reserved, budgets.c.charged).where(
                budgets.c.pool == self._of.limits.budget.pool, budgets.c.period == period
            )
        )
        return _amounts(*rows[0]) if rows else _amounts(0, 0)

    def used_today(self) -> Decimal:
        """What is reserved and charged of today's budget."""
        today = self._of.clock.business_now().date().isoformat()
        return sum(self.budget_used(f"day:{today}"), Decimal(0))

    def is_used_up(self, priority: str) -> bool:
        """Whether today's or the month's budget lets this priority buy nothing more."""
        of = self._of
        quota = budget.quota_name(of.provider, of.kind)
        today = of.clock.business_now().date().isoformat()
        share = RunShare("", is_entry=True)
        with self._store.read() as connection:
            return (
                budget.room(connection, of.limits.budget, quota, share, today, priority).calls == 0
            )

    def rate_windows(self) -> list[tuple[int, int, float]]:
        """For each rate: units in its window now, the limit, and its seconds."""
        of, now = self._of, self._of.clock.now()
        with self._store.read() as connection:
            return [
                (
                    rates.in_window(connection, of.provider, of.kind, of.limits, rate, now)[0],
                    rate.units,
                    rate.window.total_seconds(),
                )
                for rate in of.limits.rates
            ]

    # --- the provider's balance --------------------------------------------------------

    def observe_balance(self, run_id: str, credits_left: int) -> None:
        """Keep the provider's balance beside the ledger's own sums, as they are now."""

        def observe(transaction: Transaction) -> None:
            charged, unconfirmed = self._sums(transaction.connection)
            transaction.connection.execute(
                insert(balances).values(
                    balance_id=uuid4().hex,
                    provider=self._of.provider,
                    run_id=run_id,
                    observed_at=self._of.clock.now(),
                    credits_left=credits_left,
                    ledger_charged=charged,
                    ledger_unconfirmed=unconfirmed,
                )
            )

        self._store.transact(observe)

    def last_balance(self) -> tuple[datetime, int] | None:
        """When the provider's balance was last seen, and what it was."""
        rows = self._store.read_all(
            select(balances.c.observed_at, balances.c.credits_left)
            .where(balances.c.provider == self._of.provider)
            .order_by(balances.c.observed_at.desc())
            .limit(1)
        )
        return (rows[0].observed_at, rows[0].credits_left) if rows else None

    def balance_gap(self, credits_left: int | None = None) -> BalanceGap | None:
        """The latest observation against the one before it; None with fewer than two.

        With `credits_left`, the balance as it was seen just now, that and today's sums are the
        latest.
        """
        newest_first = (
            select(
                balances.c.credits_left, balances.c.ledger_charged, balances.c.ledger_unconfirmed
            )
            .where(balances.c.provider == self._of.provider)
            .order_by(balances.c.observed_at.desc())
        )
        with self._store.read() as connection:
            seen = connection.execute(newest_first.limit(2)).all()
            if credits_left is not None:
                seen = [(credits_left, *self._sums(connection)), *seen[:1]]
        if len(seen) < 2:
            return None
        new, old = seen
        return BalanceGap(
            provider_spent=old[0] - new[0],
            ledger_charged=new[1] - old[1],
            unconfirmed=new[2] - old[2],
            rounded=int(any(each % 1 for each in self._credits_per_unit.values())),
        )

    def _sums(self, connection: Connection) -> tuple[int, int]:
        """Credits charged so far, and calls that may have been billed without an answer."""
        charged = func.coalesce(func.sum(calls.c.units_charged), 0)
        unconfirmed = _count_where(calls.c.state.in_((SENT, UNCONFIRMED)))
        drawing = calls.c.kind.in_(self._credits_per_unit)
        query = (
            select(calls.c.kind, charged, unconfirmed)
            .where(calls.c.provider == self._of.provider, drawing)
            .group_by(calls.c.kind)
        )
        rows = connection.execute(query).all()
        credits_charged = sum(int(row[1]) * self._credits_per_unit[row[0]] for row in rows)
        # a balance is told in whole credits: what was drawn of one that is not used up counts
        return math.ceil(credits_charged), sum(int(row[2]) for row in rows)

    @property
    def _is_of_kind(self) -> ColumnElement[bool]:
        return (calls.c.provider == self._of.provider) & (calls.c.kind == self._of.kind)

    def _of_run(self, run_id: str) -> ColumnElement[bool]:
        its_requests = select(requests.c.request_id).where(
            requests.c.provider == self._of.provider,
            requests.c.kind == self._of.kind,
            requests.c.run_id == run_id,
        )
        return calls.c.request_id.in_(its_requests)


@dataclass(frozen=True)
class RunCalls:
    """A run's calls of a kind at a provider, and what they cost in the unit of the budget."""

    run_id: str
    kind: str
    provider: str
    totals: Totals
    cost: Decimal


def calls_of_runs(store: LedgerStore, run_ids: Collection[str]) -> list[RunCalls]:
    """What each of these runs has called, kind by kind and provider by provider."""
    whose = (requests.c.run_id, calls.c.kind, calls.c.provider)
    cost = func.coalesce(func.sum(calls.c.units_charged * calls.c.unit_cost), 0)
    query = (
        select(*whose, cost, *_TOTALS)
        .join(requests, requests.c.request_id == calls.c.request_id)
        .where(requests.c.run_id.in_(run_ids))
        .group_by(*whose)
    )
    return [
        RunCalls(*row[:3], Totals(*map(int, row[4:])), Decimal(int(row[3])) / MILLIONTHS)
        for row in store.read_all(query)
    ]


def _amounts(reserved: int, charged: int) -> tuple[Decimal, Decimal]:
    return Decimal(reserved) / MILLIONTHS, Decimal(charged) / MILLIONTHS
