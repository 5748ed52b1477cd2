"""Budgets: credits reserved and charged by run, day and month.

Here: how much of each is left for a priority, and moving credits from
reserved to charged. Not here: the decision to admit (`admission.py`). Always
called inside a writing transaction, which serialises all processes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import Connection, bindparam, exists, insert, select, update

from enrichment_pipeline.ledger.prepared import Prepared
from enrichment_pipeline.ledger.rows import ROWS, as_json, bound_rows, integer_field, text_field
from enrichment_pipeline.ledger.schema import budgets
from enrichment_pipeline.policy import BudgetPolicy

_PROVIDER = bindparam("of_provider")
_FIND = Prepared(
    select(budgets.c.period, budgets.c.credits_reserved + budgets.c.credits_charged).where(
        budgets.c.provider == _PROVIDER, budgets.c.period.in_(select(text_field(0)))
    )
)
_ADD = Prepared(
    update(budgets)
    .where(budgets.c.provider == _PROVIDER, budgets.c.period == text_field(0))
    .values(
        credits_reserved=budgets.c.credits_reserved + integer_field(1),
        credits_charged=budgets.c.credits_charged + integer_field(2),
    )
)
_OPEN = Prepared(
    insert(budgets).from_select(
        ["provider", "period", "credits_reserved", "credits_charged"],
        select(_PROVIDER, text_field(0), integer_field(1), integer_field(2))
        .select_from(bound_rows)
        .where(
            ~exists()
            .where(budgets.c.provider == _PROVIDER, budgets.c.period == text_field(0))
            .correlate(bound_rows)
        ),
    )
)


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
    found = _FIND.execute(
        connection, {"of_provider": provider, ROWS: as_json((period,) for period in usable)}
    )
    used: dict[str, int] = {row[0]: row[1] for row in found}
    left = {period: limit - used.get(period, 0) for period, limit in usable.items()}
    tightest = min(left, key=lambda period: left[period])
    return Room(max(0, left[tightest]), tightest.partition(":")[0])


@dataclass(frozen=True)
class Move:
    """Credits that come to (or, below zero, leave) what is reserved and what is charged."""

    reserved: int = 0
    charged: int = 0

    def __add__(self, other: "Move") -> "Move":
        return Move(self.reserved + other.reserved, self.charged + other.charged)


def book(connection: Connection, provider: str, moves: Mapping[tuple[str, str], Move]) -> None:
    """Book credits, given by (run_id, day), in each of the budgets that they draw on."""
    by_period: dict[str, Move] = {}
    for (run_id, day), move in moves.items():
        for period in periods(run_id, day):
            by_period[period] = by_period.get(period, Move()) + move
    rows = [
        (period, move.reserved, move.charged)
        for period, move in by_period.items()
        if move != Move()
    ]
    if not rows:
        return
    values = {"of_provider": provider, ROWS: as_json(rows)}
    if _ADD.execute(connection, values).rowcount < len(rows):
        _OPEN.execute(connection, values)  # the first credits of a run, a day or a month
