"""Budgets: what is reserved and charged by run, day and month, of each pool.

Here: how much of a pool is left for a priority, and moving amounts from reserved to
charged. Not here: the decision to admit (`admission.py`). Always called inside a writing
transaction, which serialises all processes.

A pool is whatever calls draw on: the money that all providers' credits cost together, or one
API's quota of requests a day. Amounts are whole millionths, so that sums of decimals are exact.
How many credits a run has drawn, whatever each costs, is kept beside what they cost.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import Connection, and_, bindparam, exists, insert, or_, select, update

from enrichment_pipeline.ledger.prepared import Prepared
from enrichment_pipeline.ledger.rows import (
    ROWS,
    as_json,
    bound_rows,
    is_bound,
    number_field,
    text_field,
)
from enrichment_pipeline.ledger.schema import budgets
from enrichment_pipeline.policy import Floors

CREDITS = "credits"
"""The pool of what credits cost, over all providers: what `[budget]` in the policy is about."""
MILLIONTHS = 1_000_000

_POOL = bindparam("of_pool")
_FIND = Prepared(
    select(budgets.c.period, budgets.c.reserved + budgets.c.charged).where(
        or_(
            and_(budgets.c.pool == _POOL, is_bound(budgets.c.period)),
            and_(budgets.c.pool == bindparam("of_quota"), budgets.c.period == bindparam("used_up")),
        )
    )
)
_ADD = Prepared(
    update(budgets)
    .where(budgets.c.pool == _POOL, budgets.c.period == text_field(0))
    .values(
        reserved=budgets.c.reserved + number_field(1),
        charged=budgets.c.charged + number_field(2),
    )
)
_OPEN = Prepared(
    insert(budgets).from_select(
        ["pool", "period", "reserved", "charged"],
        select(_POOL, text_field(0), number_field(1), number_field(2))
        .select_from(bound_rows)
        .where(
            ~exists()
            .where(budgets.c.pool == _POOL, budgets.c.period == text_field(0))
            .correlate(bound_rows)
        ),
    )
)


@dataclass(frozen=True)
class Budget:
    """What one kind of call may draw on a pool.

    `unit_cost`: what a unit (a credit or part of one, a request of a quota) costs, in the pool's
    own unit. `credits_per_unit`: how many credits a unit is, in the pool of these.
    `worst_units`: how many units a call may cost at worst; so many are reserved for it. A
    limit of None is none. `floors`: the share of the day's and the month's limit that each
    priority leaves untouched.
    """

    pool: str
    per_day: Decimal
    floors: Floors
    per_month: Decimal | None = None
    per_run: Decimal | None = None
    unit_cost: Decimal = Decimal(1)
    credits_per_unit: Decimal = Decimal(1)
    worst_units: int = 1

    @property
    def millionths_per_unit(self) -> int:
        return in_millionths(self.unit_cost)

    @property
    def credits_of_unit(self) -> int:
        """How many millionths of a credit a unit is; 0 of what costs none."""
        return in_millionths(self.credits_per_unit) if self.pool == CREDITS else 0

    @property
    def worst_cost(self) -> int:
        """What is reserved for a call, in millionths."""
        return self.worst_units * self.millionths_per_unit

    def reserving(self, calls: int) -> "Move":
        """What it moves to reserve for so many calls; below zero, to give that back."""
        units = calls * self.worst_units
        return Move(
            reserved=units * self.millionths_per_unit, credits_reserved=units * self.credits_of_unit
        )

    def charging(self, units: int) -> "Move":
        """What it moves to charge so many units."""
        return Move(
            charged=units * self.millionths_per_unit, credits_charged=units * self.credits_of_unit
        )


@dataclass(frozen=True)
class RunShare:
    """A run as budgets know it: its id, the runs that it is one more try of, and its cap.

    The earlier tries share its cap. `max_credits` are credits, whatever one costs, and no
    requests of a quota; None: nothing but the policy's `per_run` caps it. What applications enter
    is one run for as long as its process lives, and `per_run` does not cap that.
    """

    run_id: str
    earlier_run_ids: tuple[str, ...] = ()
    max_credits: int | None = None
    is_entry: bool = False


@dataclass(frozen=True)
class Room:
    """How many more calls may be reserved, and which budget is the tightest."""

    calls: int
    period: str


_NO_END_OF_ROOM = Room(2**31, "day")
"""For what costs nothing."""


def in_millionths(amount: Decimal) -> int:
    return int(amount * MILLIONTHS)


def periods(run_id: str, day: str) -> tuple[str, str, str]:
    """The three budgets that a call of this run on this day (YYYY-MM-DD) draws on."""
    return f"run:{run_id}", f"day:{day}", f"month:{day[:7]}"


def credits_of(run_id: str) -> str:
    """The period, of the pool of credits, in which a run's are counted, whatever each costs."""
    return f"credits:{run_id}"


def quota_name(provider: str, kind: str) -> str:
    """The pool that one kind of call to one provider has to itself."""
    return f"{provider}.{kind}"


def room(
    connection: Connection, budget: Budget, quota: str, run: RunShare, day: str, priority: str
) -> Room:
    """How many calls this priority may still reserve: the least over run, day and month.

    A priority may draw the day's and the month's budget down to its floor, the
    run's to nothing. None where the provider says that the day's quota is used up.
    """
    if not budget.worst_cost:
        return _NO_END_OF_ROOM
    # decimal, as the policy says it: 1 - 0.8 is a little less than 0.2 in floating point
    usable_share = 1 - Decimal(str(getattr(budget.floors, priority)))
    of_run, of_day, of_month = periods(run.run_id, day)
    tries = (of_run, *(periods(run_id, day)[0] for run_id in run.earlier_run_ids))
    credits_of_tries = [credits_of(run_id) for run_id in (run.run_id, *run.earlier_run_ids)]
    used_up = _used_up(day)
    values = {
        "of_pool": budget.pool,
        ROWS: as_json((period,) for period in (*tries, *credits_of_tries, of_day, of_month)),
        "of_quota": quota,
        "used_up": used_up,
    }
    found = _FIND.execute(connection, values)
    used: dict[str, int] = {row[0]: row[1] for row in found}
    left = {"day": in_millionths(budget.per_day * usable_share) - used.get(of_day, 0)}
    if budget.per_month is not None:
        left["month"] = in_millionths(budget.per_month * usable_share) - used.get(of_month, 0)
    rooms = [Room(max(0, amount // budget.worst_cost), period) for period, amount in left.items()]
    # before the others, so that of two that are as tight the run's is named
    if budget.per_run is not None and not run.is_entry:
        amount = in_millionths(budget.per_run) - sum(used.get(period, 0) for period in tries)
        rooms.insert(0, Room(max(0, amount // budget.worst_cost), "run"))
    if run.max_credits is not None and budget.pool == CREDITS:
        drawn = sum(used.get(period, 0) for period in credits_of_tries)
        credits = run.max_credits * MILLIONTHS - drawn
        at_worst = budget.worst_units * budget.credits_of_unit
        rooms.insert(0, Room(max(0, credits // at_worst), "run"))
    if used_up in used:
        return Room(0, "day")
    return min(rooms, key=lambda room: room.calls)


@dataclass(frozen=True)
class Move:
    """Millionths to add to (or, below zero, to take from) what is reserved and what is charged.

    `credits_reserved` and `credits_charged`: the same of credits, whatever each costs.
    """

    reserved: int = 0
    charged: int = 0
    credits_reserved: int = 0
    credits_charged: int = 0

    def __add__(self, other: "Move") -> "Move":
        return Move(
            self.reserved + other.reserved,
            self.charged + other.charged,
            self.credits_reserved + other.credits_reserved,
            self.credits_charged + other.credits_charged,
        )


def book(connection: Connection, pool: str, moves: Mapping[tuple[str, str], Move]) -> None:
    """Book amounts, given by (run_id, day), in each of the budgets that they draw on."""
    by_period: dict[str, Move] = {}
    for (run_id, day), move in moves.items():
        amounts = dict.fromkeys(periods(run_id, day), Move(move.reserved, move.charged))
        amounts[credits_of(run_id)] = Move(move.credits_reserved, move.credits_charged)
        for period, amount in amounts.items():
            by_period[period] = by_period.get(period, Move()) + amount
    _add(connection, pool, {period: move for period, move in by_period.items() if move != Move()})


def close_day(connection: Connection, quota: str, day: str) -> None:
    """The provider says that this quota is used up for that day, whatever was counted."""
    _add(connection, quota, {_used_up(day): Move()})


def _used_up(day: str) -> str:
    return f"used_up:{day}"


def _add(connection: Connection, pool: str, by_period: Mapping[str, Move]) -> None:
    rows = [(period, move.reserved, move.charged) for period, move in by_period.items()]
    if not rows:
        return
    values = {"of_pool": pool, ROWS: as_json(rows)}
    if _ADD.execute(connection, values).rowcount < len(rows):
        _OPEN.execute(connection, values)  # the first of a run, a day or a month
