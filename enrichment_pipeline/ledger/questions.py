"""What the ledger tells of itself: sums by run and lane, states, budgets, balances.

Here: questions that people, Dagster and checks ask; and the provider's balance, which is kept
beside the ledger's own sums. Not here: steps of a call's life (`calls.py`), and what the
warehouse copies (`kept.py`).
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import uuid4

from sqlalchemy import ColumnElement, case, func, insert, select

from enrichment_pipeline.ledger import rates
from enrichment_pipeline.ledger.budget import MILLIONTHS
from enrichment_pipeline.ledger.calls import Calls
from enrichment_pipeline.ledger.schema import (
    APPLIED,
    FOUND,
    MATCHED,
    NO_MATCH,
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
from enrichment_pipeline.ledger.store import LedgerStore


@dataclass(frozen=True)
class Totals:
    """What a run's calls of a kind, or those of a lane, have come to so far.

    `units_charged` are credits, or requests of a quota; `units_reserved` may still be charged.
    """

    calls: int = 0
    matched: int = 0
    found: int = 0
    no_match: int = 0
    refused: int = 0
    released: int = 0
    unconfirmed: int = 0
    units_charged: int = 0
    units_reserved: int = 0


def _count_where(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)


_TOTALS = (
    func.count(),
    *(_count_where(calls.c.outcome == outcome) for outcome in (MATCHED, FOUND, NO_MATCH)),
    _count_where(
        calls.c.state.in_((REPLIED, APPLIED)) & calls.c.outcome.not_in((MATCHED, FOUND, NO_MATCH))
    ),
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

    @property
    def unexplained(self) -> int:
        """Credits that the ledger cannot explain; negative where it booked more."""
        gap = self.provider_spent - self.ledger_charged
        return gap - min(max(gap, min(self.unconfirmed, 0)), max(self.unconfirmed, 0))


class Questions:
    """What a ledger tells of one kind of call to one provider. Changes nothing."""

    def __init__(self, store: LedgerStore, of: Calls) -> None:
        self._store = store
        self._of = of

    def run_totals(self, run_id: str) -> Totals:
        """What a run's calls have come to."""
        with self._store.read() as connection:
            row = connection.execute(select(*_TOTALS).where(self._of_run(run_id))).one()
        return Totals(*map(int, row))

    def lane_totals(self, run_id: str) -> dict[tuple[str, str], Totals]:
        """The same by freshness and priority, for lanes in which there is anything."""
        lane = (calls.c.freshness, calls.c.priority)
        query = select(*lane, *_TOTALS).where(self._of_run(run_id)).group_by(*lane)
        with self._store.read() as connection:
            rows = connection.execute(query).all()
        return {(row[0], row[1]): Totals(*map(int, row[2:])) for row in rows}

    def count_by_state(self) -> dict[str, int]:
        with self._store.read() as connection:
            query = (
                select(calls.c.state, func.count().label("calls"))
                .where(self._is_of_kind)
                .group_by(calls.c.state)
            )
            return {row.state: row.calls for row in connection.execute(query)}

    def budget_used(self, period: str) -> tuple[Decimal, Decimal]:
        """What is reserved and charged in a period such as `day:2026-11-23`."""
        with self._store.read() as connection:
            row = connection.execute(
                select(budgets.c.reserved, budgets.c.charged).where(
                    budgets.c.pool == self._of.limits.budget.pool, budgets.c.period == period
                )
            ).one_or_none()
        return _amounts(row.reserved, row.charged) if row else _amounts(0, 0)

    def used_today(self) -> Decimal:
        """What is reserved and charged of today's budget."""
        today = self._of.clock.business_now().date().isoformat()
        return sum(self.budget_used(f"day:{today}"), Decimal(0))

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
        charged = func.coalesce(func.sum(calls.c.units_charged), 0)
        unconfirmed = _count_where(calls.c.state.in_((SENT, UNCONFIRMED)))
        with self._store.write() as transaction:
            sums = transaction.connection.execute(
                select(charged, unconfirmed).where(self._is_of_kind)
            ).one()
            transaction.connection.execute(
                insert(balances).values(
                    balance_id=uuid4().hex,
                    provider=self._of.provider,
                    run_id=run_id,
                    observed_at=self._of.clock.now(),
                    credits_left=credits_left,
                    ledger_charged=int(sums[0]),
                    ledger_unconfirmed=int(sums[1]),
                )
            )

    def last_balance(self) -> tuple[datetime, int] | None:
        """When the provider's balance was last seen, and what it was."""
        with self._store.read() as connection:
            row = connection.execute(
                select(balances)
                .where(balances.c.provider == self._of.provider)
                .order_by(balances.c.observed_at.desc())
                .limit(1)
            ).one_or_none()
        return (row.observed_at, row.credits_left) if row else None

    def balance_gap(self) -> BalanceGap | None:
        """The latest observation against the one before it; None with fewer than two."""
        with self._store.read() as connection:
            rows = connection.execute(
                select(balances)
                .where(balances.c.provider == self._of.provider)
                .order_by(balances.c.observed_at.desc())
                .limit(2)
            ).all()
        if len(rows) < 2:
            return None
        new, old = rows
        return BalanceGap(
            provider_spent=old.credits_left - new.credits_left,
            ledger_charged=new.ledger_charged - old.ledger_charged,
            unconfirmed=new.ledger_unconfirmed - old.ledger_unconfirmed,
        )

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


def _amounts(reserved: int, charged: int) -> tuple[Decimal, Decimal]:
    return Decimal(reserved) / MILLIONTHS, Decimal(charged) / MILLIONTHS
