"""Budgets: credits reserved and charged by run, day and month.

Here: how much of each is left for a priority, and moving credits from
reserved to charged. Not here: the decision to admit (`admission.py`). Always
called inside a writing transaction, which serialises all processes.
"""

from collections import Counter
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import Connection, insert, select, update

from enrichment_pipeline.ledger.schema import budgets
from enrichment_pipeline.policy import BudgetPolicy


@dataclass(frozen=True)
class Room:
    """How many credits may still be reserved, and which budget is the tightest."""

    credits: int
    period: str


def periods(run_id: str, day: str) -> tuple[str, str, str]:
    """The three budgets that a look-up of this run on this day (YYYY-MM-DD) draws on."""
    return f"run:{run_id}", f"day:{day}", f"month:{day[:7]}"


def room(
    connection: Connection,
    provider: str,
    run_id: str,
    day: str,
    priority: str,
    policy: BudgetPolicy,
) -> Room:
    """What this priority may still reserve: the least over run, day and month.

    A priority may draw the day's and the month's budget down to its floor, the
    run's to nothing.
    """
    # decimal, as the policy says it: 1 - 0.8 is a little less than 0.2 in floating point
    usable_share = 1 - Decimal(str(getattr(policy.floors, priority)))
    run, day_period, month = periods(run_id, day)
    usable = {
        run: policy.per_run,
        day_period: int(policy.per_day * usable_share),
        month: int(policy.per_month * usable_share),
    }
    used = {
        row.period: row.credits_reserved + row.credits_charged
        for row in connection.execute(
            select(budgets).where(budgets.c.provider == provider, budgets.c.period.in_(usable))
        )
    }
    left = {period: limit - used.get(period, 0) for period, limit in usable.items()}
    tightest = min(left, key=lambda period: left[period])
    return Room(max(0, left[tightest]), tightest.partition(":")[0])


def move(
    connection: Connection, provider: str, deltas: Counter[tuple[str, str]], *, to: str
) -> None:
    """Book credits: `deltas` counts credits by (run_id, day).

    `to` is "reserved" (at admission), "released" (reserved ones come back) or
    "charged" (reserved ones turn out to be spent).
    """
    reserved_sign, charged_sign = {"reserved": (1, 0), "released": (-1, 0), "charged": (-1, 1)}[to]
    by_period: Counter[str] = Counter()
    for (run_id, day), amount in deltas.items():
        for period in periods(run_id, day):
            by_period[period] += amount
    for period, amount in by_period.items():
        changed = connection.execute(
            update(budgets)
            .where(budgets.c.provider == provider, budgets.c.period == period)
            .values(
                credits_reserved=budgets.c.credits_reserved + reserved_sign * amount,
                credits_charged=budgets.c.credits_charged + charged_sign * amount,
            )
        )
        if changed.rowcount == 0:
            connection.execute(
                insert(budgets).values(
                    provider=provider,
                    period=period,
                    credits_reserved=reserved_sign * amount,
                    credits_charged=charged_sign * amount,
                )
            )
