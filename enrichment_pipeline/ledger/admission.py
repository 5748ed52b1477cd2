"""Admission: one transaction that decides what may be sent now, and reserves it.

Here: single flight, suppression, the rate window, the budget and the gate, checked
and written together. Not here: what happens after a reservation (`journal.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import uuid4

from sqlalchemy import BigInteger, Connection, bindparam, false, func, insert, select

from enrichment_pipeline.ledger import budget, gate, suppressions
from enrichment_pipeline.ledger.limits import Limits, furthest
from enrichment_pipeline.ledger.prepared import Prepared
from enrichment_pipeline.ledger.rows import ROWS, as_json, bound_rows, text_field
from enrichment_pipeline.ledger.schema import (
    RESERVED,
    SENT,
    UNCONFIRMED,
    UtcDateTime,
    batches,
    lookups,
)
from enrichment_pipeline.ledger.store import Transaction

PROBE_ITEMS = 1
_BATCH_DIGITS = 28
"""Of a batch's id; its look-ups add four for their position, and so stand together on disk."""

_IN_HAND = (
    select(
        lookups.c.person_key,
        lookups.c.lookup_id,
        lookups.c.supersedes,
        lookups.c.state,
        lookups.c.requested_at,
    )
    .where(
        lookups.c.provider == bindparam("of_provider"),
        lookups.c.request == bindparam("of_request"),
        lookups.c.person_key.in_(select(text_field(0))),
        lookups.c.is_released.is_not(True),
    )
    .order_by(lookups.c.reserved_at)
)
_IN_WINDOW = select(
    func.coalesce(func.sum(batches.c.item_count), 0), func.min(batches.c.slot_free_at)
).where(
    batches.c.provider == bindparam("of_provider"),
    batches.c.slot_free_at > bindparam("at_now"),
    batches.c.slot_free_at <= bindparam("horizon"),
)
_RESERVE_BATCH = Prepared(insert(batches))
_OF_CANDIDATE = (
    "lookup_id",
    "person_key",
    "supersedes",
    "contact_id",
    "item",
    "item_kind",
    "freshness",
)
"""The columns that differ within a batch, in the order of the bound rows."""
_OF_BATCH = (
    bindparam("provider"),
    bindparam("request"),
    bindparam("priority"),
    bindparam("run_id"),
    bindparam("batch_id"),
    bindparam("state"),
    bindparam("credits_reserved"),
    bindparam("budget_day"),
    bindparam("reserved_at", type_=UtcDateTime),
    bindparam("requested_at", type_=UtcDateTime),
    bindparam("revision", type_=BigInteger),
)
_RESERVE_LOOKUPS = Prepared(
    insert(lookups).from_select(
        [*_OF_CANDIDATE, *(value.key for value in _OF_BATCH), "is_released"],
        select(
            *(text_field(position) for position in range(len(_OF_CANDIDATE))), *_OF_BATCH, false()
        ).select_from(bound_rows),
    )
)


@dataclass(frozen=True)
class Candidate:
    """A look-up that is due: whom, by which identifier, and the look-up that it supersedes.

    `supersedes` is the id of the person's last look-up that was not released,
    or "" where there is none. `identifiers` are all that the person is known by, hashed
    as the suppressed ones are.
    """

    person_key: str
    contact_id: str
    item: str
    item_kind: str
    freshness: str
    priority: str
    supersedes: str = ""
    identifiers: frozenset[str] = frozenset()


class ReservedLookup(NamedTuple):
    lookup_id: str
    candidate: Candidate


@dataclass(frozen=True)
class Admitted:
    """A batch that may be sent, once it is marked as sent.

    `left_over` found no room this time; `skipped` are not due any more, since
    somebody has looked them up or suppressed them meanwhile.
    """

    batch_id: str
    lookups: tuple[ReservedLookup, ...]
    left_over: tuple[Candidate, ...]
    skipped: int


@dataclass(frozen=True)
class Wait:
    """No room before `until`: `why` is "rate", "pause" or "probe"."""

    until: datetime
    why: str


@dataclass(frozen=True)
class Exhausted:
    """The budget of this priority is used up: `period` is "run", "day" or "month"."""

    period: str


@dataclass(frozen=True)
class NotDue:
    """None of the candidates is due any more; `skipped` counts them."""

    skipped: int


Decision = Admitted | Wait | Exhausted | NotDue


def admit(
    transaction: Transaction,
    candidates: Sequence[Candidate],
    *,
    provider: str,
    request: str,
    run_id: str,
    limits: Limits,
    max_credits: int | None,
    now: datetime,
    business_now: datetime,
) -> Decision:
    """Reserve as many of the candidates (all of one priority) as every limit allows.

    `max_credits` caps the run below its budget. Writes nothing unless it
    returns Admitted.
    """
    connection = transaction.connection
    priority = candidates[0].priority
    due = _still_due(transaction, candidates, provider, request, limits, business_now)
    skipped = len(candidates) - len(due)
    if not due:
        return NotDue(skipped)

    state = gate.read(connection, provider, now, limits.window)
    if state.closed_until is not None:
        return Wait(state.closed_until, "probe" if state.is_probe else "pause")

    policy = limits.budget
    if max_credits is not None:
        policy = policy.model_copy(update={"per_run": min(policy.per_run, max_credits)})
    day = business_now.date().isoformat()
    credits = budget.room(connection, provider, run_id, day, priority, policy)
    if credits.credits == 0:
        return Exhausted(credits.period)

    slots, free_at = _slots(transaction, provider, limits, state.rate_share, now)
    if slots <= 0:
        return Wait(free_at, "rate")

    room = min(slots, credits.credits, PROBE_ITEMS if state.is_probe else len(due))
    chosen, left_over = due[:room], due[room:]
    batch_id = uuid4().hex[:_BATCH_DIGITS]
    if state.is_probe:
        # the response decides it, also where the answer comes much later
        gate.lease_probe(connection, provider, now + limits.response_deadline)
    _RESERVE_BATCH.execute(
        connection,
        {
            "batch_id": batch_id,
            "provider": provider,
            "run_id": run_id,
            "item_count": len(chosen),
            "reserved_at": now,
            "slot_free_at": now + limits.send_lease + limits.window,
        },
    )
    reserved = tuple(
        ReservedLookup(f"{batch_id}{position:04x}", candidate)
        for position, candidate in enumerate(chosen)
    )
    _RESERVE_LOOKUPS.execute(
        connection,
        {
            "provider": provider,
            "request": request,
            "priority": priority,
            "run_id": run_id,
            "batch_id": batch_id,
            "state": RESERVED,
            "credits_reserved": 1,
            "budget_day": day,
            "reserved_at": now,
            "requested_at": business_now,
            "revision": transaction.revision,
            ROWS: as_json(map(_row, reserved)),
        },
    )
    booked = {(run_id, day): budget.Move(reserved=len(reserved))}
    budget.book(connection, provider, booked)
    return Admitted(batch_id, reserved, tuple(left_over), skipped)


def _row(lookup: ReservedLookup) -> tuple[str, ...]:
    """What `_OF_CANDIDATE` names."""
    of = lookup.candidate
    return (
        lookup.lookup_id,
        of.person_key,
        of.supersedes,
        of.contact_id,
        of.item,
        of.item_kind,
        of.freshness,
    )


def _still_due(
    transaction: Transaction,
    candidates: Sequence[Candidate],
    provider: str,
    request: str,
    limits: Limits,
    business_now: datetime,
) -> list[Candidate]:
    """Those whose last look-up is still the one that they would supersede, and may be asked for.

    The work list was read a while ago; this is what makes a look-up that
    another process has made meanwhile not due any more. The unique index
    guards the same promise. Likewise whom somebody has suppressed meanwhile.
    """
    keys = {candidate.person_key for candidate in candidates}
    rows = transaction.connection.execute(
        _IN_HAND,
        {
            "of_provider": provider,
            "of_request": request,
            ROWS: as_json((key,) for key in keys),
        },
    ).all()
    superseded = {row.supersedes for row in rows}
    last = {row.person_key: row for row in rows if row.lookup_id not in superseded}
    due: dict[str, Candidate] = {}
    for candidate in candidates:
        row = last.get(candidate.person_key)
        if candidate.supersedes != (row.lookup_id if row else ""):
            continue
        if row is not None and row.state in (RESERVED, SENT):
            continue
        is_held = row is not None and row.state == UNCONFIRMED
        if is_held and row.requested_at + limits.unconfirmed_hold > business_now:
            continue
        due.setdefault(candidate.person_key, candidate)
    suppressed = suppressions.suppressed_persons(
        transaction.connection,
        ((person, identifier) for person in due for identifier in due[person].identifiers),
    )
    return [candidate for person, candidate in due.items() if person not in suppressed]


def _slots(
    transaction: Transaction, provider: str, limits: Limits, rate_share: float, now: datetime
) -> tuple[int, datetime]:
    """Items that the rate window still takes, and the earliest instant at which it takes more.

    What is on the wire leaves one window after its response, so not before
    one window from now: an answered request, or that instant, comes first.
    """
    used, free_at = in_window(transaction.connection, provider, limits, now)
    limit = max(1, int(limits.items_per_window * rate_share))
    in_one_window = now + limits.window
    return limit - used, in_one_window if free_at is None else min(free_at, in_one_window)


def in_window(
    connection: Connection, provider: str, limits: Limits, now: datetime
) -> tuple[int, datetime | None]:
    """Items that are in the rate window, and when the first of them leave it."""
    values = {
        "of_provider": provider,
        "at_now": now,
        "horizon": furthest(now, limits.slot_lease),
    }
    used, free_at = connection.execute(_IN_WINDOW, values).one()
    return int(used), free_at
