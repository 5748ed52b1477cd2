"""Every call about one person, of whatever kind and provider, for explaining.

Here: that question. Not here: sums over many calls (`questions.py`), and who a person is
(`identifiers.py`, the warehouse).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Row, select

from enrichment_pipeline.ledger.budget import MILLIONTHS
from enrichment_pipeline.ledger.schema import RELEASED_OR_NOT, calls
from enrichment_pipeline.ledger.store import LedgerStore
from enrichment_pipeline.vocabulary import RESERVED, SENT, UNCONFIRMED

_UNSETTLED = (RESERVED, SENT, UNCONFIRMED)
_COLUMNS = (
    calls.c.call_id,
    calls.c.kind,
    calls.c.provider,
    calls.c.item_kind,
    calls.c.freshness,
    calls.c.priority,
    calls.c.run_id,
    calls.c.state,
    calls.c.outcome,
    calls.c.reason,
    calls.c.units_charged,
    calls.c.unit_cost,
    calls.c.cost_reserved,
    calls.c.requested_at,
    calls.c.answered_at,
)


@dataclass(frozen=True)
class PastCall:
    """A call, how it ended, and what it cost: units, and the amount in the unit of the budget.

    `may_cost` is what is still reserved for it, since it may have been billed. `item_kind` is by
    what was asked; what itself is a person's data.
    """

    call_id: str
    kind: str
    provider: str
    item_kind: str
    freshness: str
    priority: str
    run_id: str
    state: str
    outcome: str | None
    reason: str | None
    units_charged: int
    cost: Decimal
    may_cost: Decimal
    requested_at: datetime
    answered_at: datetime | None


def calls_about(
    store: LedgerStore, *, keys: Collection[str], call_ids: Collection[str]
) -> list[PastCall]:
    """The calls with these ids, and those under these keys of persons or addresses, in order."""
    by_key = [
        select(*_COLUMNS).where(calls.c.person_key.in_(keys), is_or_not)
        for is_or_not in RELEASED_OR_NOT
    ]
    by_id = select(*_COLUMNS).where(calls.c.call_id.in_(call_ids))
    rows: Sequence[Row] = [row for query in (*by_key, by_id) for row in store.read_all(query)]
    found = {row.call_id: _past_call(row) for row in rows}
    return sorted(found.values(), key=lambda each: (each.requested_at, each.call_id))


def _past_call(row: Row) -> PastCall:
    *told, units_charged, unit_cost, cost_reserved, requested_at, answered_at = row
    return PastCall(
        *told,
        units_charged=units_charged,
        cost=Decimal(units_charged * unit_cost) / MILLIONTHS,
        may_cost=Decimal(cost_reserved) / MILLIONTHS if row.state in _UNSETTLED else Decimal(0),
        requested_at=requested_at,
        answered_at=answered_at,
    )
