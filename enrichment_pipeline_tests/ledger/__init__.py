"""Tests of the ledger, on SQLite and on Postgres, and the few helpers that they share.

Here: limits and candidates as a test wants them, and short ways through a look-up's life. Not here:
fixtures (`conftest.py`).
"""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from enrichment_pipeline.ledger.admission import Admitted, Candidate, Decision, Wait
from enrichment_pipeline.ledger.budget import periods
from enrichment_pipeline.ledger.journal import Settlement
from enrichment_pipeline.ledger.ledger import Ledger
from enrichment_pipeline.ledger.limits import Limits
from enrichment_pipeline.ledger.schema import (
    APPLIED,
    RELEASED,
    REPLIED,
    RESERVED,
    SENT,
    UNCONFIRMED,
    budgets,
    lookups,
)
from enrichment_pipeline.ledger.store import LedgerStore
from enrichment_pipeline.policy import BudgetPolicy

WINDOW = timedelta(seconds=60)
SEND_LEASE = timedelta(seconds=30)
ANSWER_DEADLINE = timedelta(seconds=75)
UNCONFIRMED_HOLD = timedelta(days=30)
TICK = timedelta(microseconds=1)

OTHERS = ("another", "yet another")
"""Providers before ours in the alphabet and after it: only equality leaves both out."""

STATES = (RESERVED, SENT, REPLIED, APPLIED, RELEASED, UNCONFIRMED)

MATCHED = Settlement(REPLIED, "matched", None, credits_charged=1, answer_index=0)
MISSED = Settlement(REPLIED, "no_match", None, answer_index=0)
GIVEN_BACK = Settlement(RELEASED, "retriable", "rate_limited")
NEVER_SENT = Settlement(RELEASED, "retriable", "not_sent")
NOT_ANSWERED = Settlement(UNCONFIRMED, "unconfirmed", "no_reply")


def limits_of(**changes: Any) -> Limits:
    """Ten items a minute, and budgets that nothing comes near, but for what is named.

    A budget is named as in the policy: `per_run`, `per_day`, `per_month`, `floors`.
    """
    of_budget = {name: changes.pop(name) for name in tuple(changes) if name in _BUDGET_KEYS}
    values: dict[str, Any] = {
        "items_per_window": 10,
        "window": WINDOW,
        "send_lease": SEND_LEASE,
        "response_deadline": ANSWER_DEADLINE,
        "answer_deadline": ANSWER_DEADLINE,
        "unconfirmed_hold": UNCONFIRMED_HOLD,
        "budget": BudgetPolicy.model_validate(of_budget),
        **changes,
    }
    return Limits(**values)


_BUDGET_KEYS = frozenset({"per_run", "per_day", "per_month", "floors"})


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
    return [lookup.lookup_id for lookup in batch.lookups]


def reserve(ledger: Ledger, *candidates: Candidate, run_id: str = "run") -> Admitted:
    return admitted(ledger.admit(candidates, run_id))


def send(ledger: Ledger, *candidates: Candidate, run_id: str = "run") -> Admitted:
    batch = reserve(ledger, *candidates, run_id=run_id)
    ledger.mark_sent(batch.batch_id)
    return batch


def reply(ledger: Ledger, batch: Admitted, body: bytes = b"[]") -> str:
    return ledger.record_reply(batch.batch_id, http_status=200, body=body, credits_left=None)


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
    ledger.note_unsent(batch.batch_id, "ConnectError")
    settle_all(ledger, batch, NEVER_SENT)


def room_for(ledger: Ledger, offered: list[Candidate], run_id: str = "run") -> int:
    """How many of these would be admitted now; takes nothing."""
    decision = ledger.admit(offered, run_id)
    if not isinstance(decision, Admitted):
        return 0
    ledger.mark_sent(decision.batch_id)
    give_back_unsent(ledger, decision)
    return len(decision.lookups)


def bring_to(ledger: Ledger, state: str, name: str = "ada") -> Admitted:
    """A batch of one look-up, brought to a state in the way in which it really gets there."""
    batch = reserve(ledger, candidate(name))
    if state in (SENT, REPLIED, APPLIED, UNCONFIRMED):
        ledger.mark_sent(batch.batch_id)
    if state in (REPLIED, APPLIED):
        settle_all(ledger, batch, MATCHED, reply(ledger, batch))
    if state == APPLIED:
        ledger.mark_applied(ids(batch))
    if state == UNCONFIRMED:
        settle_all(ledger, batch, NOT_ANSWERED)
    if state == RELEASED:
        give_back_unsent(ledger, batch)
    return batch


def states(store: LedgerStore) -> dict[str, str]:
    """State by look-up id."""
    with store.read() as connection:
        query = sa.select(lookups.c.lookup_id, lookups.c.state)
        return {row[0]: row[1] for row in connection.execute(query)}


def count_rows(store: LedgerStore, table: sa.Table) -> int:
    with store.read() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


def booked_budgets(store: LedgerStore) -> dict[str, tuple[int, int]]:
    """The budget table: credits reserved and charged by period, where they are not zero."""
    with store.read() as connection:
        rows = connection.execute(
            sa.select(budgets.c.period, budgets.c.credits_reserved, budgets.c.credits_charged)
        ).all()
    return {row[0]: (row[1], row[2]) for row in rows if (row[1], row[2]) != (0, 0)}


def recomputed_budgets(store: LedgerStore) -> dict[str, tuple[int, int]]:
    """What the budget table must say, told from the look-ups alone."""
    reserved: Counter[str] = Counter()
    charged: Counter[str] = Counter()
    with store.read() as connection:
        rows = connection.execute(
            sa.select(
                lookups.c.run_id,
                lookups.c.budget_day,
                lookups.c.state,
                lookups.c.credits_charged,
            )
        ).all()
    for run_id, day, state, credits_charged in rows:
        for period in periods(run_id, day):
            reserved[period] += state in (RESERVED, SENT, UNCONFIRMED)
            charged[period] += credits_charged
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
