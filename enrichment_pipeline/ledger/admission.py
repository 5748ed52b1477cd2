"""Admission: one transaction that decides what may be sent now, and reserves it.

Here: single flight, suppression, the rates, the budget and the gate, checked and written
together, for every kind of call. Not here: what happens after a reservation (`journal.py`).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import uuid4

from sqlalchemy import BigInteger, Connection, Row, bindparam, false, insert, select, update

from enrichment_pipeline.lanes import PRIORITIES
from enrichment_pipeline.ledger import budget, entries, gate, identifiers, rates, suppressions
from enrichment_pipeline.ledger.budget import RunShare
from enrichment_pipeline.ledger.journal import FenceError
from enrichment_pipeline.ledger.limits import Limits
from enrichment_pipeline.ledger.prepared import Prepared
from enrichment_pipeline.ledger.rows import ROWS, as_json, bound_rows, is_bound, text_field
from enrichment_pipeline.ledger.schema import (
    RESERVED,
    SENT,
    UNCONFIRMED,
    UtcDateTime,
    calls,
    requests,
)
from enrichment_pipeline.ledger.store import Transaction

PROBE_CALLS = 1
LOOK_AGAIN = timedelta(seconds=1)
"""How soon a run asks again whether entries have left it room."""
_REQUEST_DIGITS = 28
"""Of a request's id; its calls add four for their position, and so stand together on disk."""

_IN_HAND = (
    select(
        calls.c.provider,
        calls.c.kind,
        calls.c.person_key,
        calls.c.call_id,
        calls.c.supersedes,
        calls.c.state,
        calls.c.requested_at,
    )
    .where(is_bound(calls.c.person_key), calls.c.is_released.is_not(True))
    .order_by(calls.c.reserved_at)
)
"""Of bound persons: their calls. By person alone: a condition on provider and kind, which most
calls share, leads Postgres to another index.
"""
_RESERVE_REQUEST = Prepared(insert(requests))
_OF_CANDIDATE = (
    "call_id",
    "person_key",
    "supersedes",
    "contact_id",
    "question",
    "item",
    "item_kind",
    "company",
    "freshness",
)
"""The columns that differ within a request, in the order of the bound rows."""
_OF_REQUEST = (
    bindparam("provider"),
    bindparam("kind"),
    bindparam("priority"),
    bindparam("run_id"),
    bindparam("request_id"),
    bindparam("state"),
    bindparam("unit_cost", type_=BigInteger),
    bindparam("cost_reserved", type_=BigInteger),
    bindparam("budget_day"),
    bindparam("reserved_at", type_=UtcDateTime),
    bindparam("requested_at", type_=UtcDateTime),
    bindparam("revision", type_=BigInteger),
)
_RESERVE_CALLS = Prepared(
    insert(calls).from_select(
        [*_OF_CANDIDATE, *(value.key for value in _OF_REQUEST), "is_released"],
        select(
            *(text_field(position) for position in range(len(_OF_CANDIDATE))), *_OF_REQUEST, false()
        ).select_from(bound_rows),
    )
)


@dataclass(frozen=True)
class Terms:
    """Which kind of call to which provider, and the limits that hold for it."""

    provider: str
    kind: str
    limits: Limits


@dataclass(frozen=True)
class Candidate:
    """A call that is due: the person, what is asked, and the call that it supersedes.

    `item` is the identifier, or the name, that is asked by, with `company` where it takes one;
    `question` which of the kind's questions it is. `supersedes` is the id of the person's last
    call of the kind that was not released, or "" where there is none. `identifiers` are all that
    the person is known by, hashed as the suppressed ones are; `known_by` those of them that are
    this person's alone. Of calls up to `seen_revision` the asker knows whose they are.
    `is_entered`: the contact is there only since an application entered it, which may take it back.
    """

    person_key: str
    contact_id: str
    item: str
    item_kind: str
    freshness: str
    priority: str
    supersedes: str = ""
    identifiers: frozenset[str] = frozenset()
    company: str | None = None
    question: str = "person"
    known_by: frozenset[str] = frozenset()
    seen_revision: int = 0
    is_entered: bool = False


class ReservedCall(NamedTuple):
    call_id: str
    candidate: Candidate


@dataclass(frozen=True)
class Known:
    """A candidate that another call asks about, or has asked about a moment ago."""

    candidate: Candidate
    call_id: str


@dataclass(frozen=True)
class Admitted:
    """A request that may be sent, once it is marked as sent.

    `left_over` found no room this time; `skipped` are not due any more, since they were asked
    about or suppressed meanwhile. `known` are those of the skipped that a call under another key
    tells about.
    """

    request_id: str
    calls: tuple[ReservedCall, ...]
    left_over: tuple[Candidate, ...]
    skipped: int
    known: tuple[Known, ...] = ()


@dataclass(frozen=True)
class Page:
    """A further request of a call, committed as sent: the next page, or the first one anew."""

    request_id: str
    series: int
    number: int


@dataclass(frozen=True)
class Wait:
    """No room before `until`: `why` is "rate", "at_once", "pause" or "probe"."""

    until: datetime
    why: str


@dataclass(frozen=True)
class Exhausted:
    """The budget of this priority is used up: `period` is "run", "day" or "month"."""

    period: str


@dataclass(frozen=True)
class NotDue:
    """None of the candidates is due any more; `skipped` counts them, `known` as in Admitted."""

    skipped: int
    known: tuple[Known, ...] = ()


Decision = Admitted | Wait | Exhausted | NotDue


def admit(
    transaction: Transaction,
    candidates: Sequence[Candidate],
    *,
    terms: Terms,
    run: RunShare,
    now: datetime,
    business_now: datetime,
) -> Decision:
    """Reserve as many of the candidates (all of one priority) as every limit allows.

    Writes nothing unless it returns Admitted.
    """
    connection = transaction.connection
    limits = terms.limits
    due, known = _still_due(connection, candidates, terms, business_now)
    skipped = len(candidates) - len(due)
    if not due:
        return NotDue(skipped, known)
    day = business_now.date().isoformat()
    room = _room(connection, terms, run, candidates[0].priority, day, now)
    if not isinstance(room, int):
        return room

    chosen, left_over = due[:room], due[room:]
    request_id = uuid4().hex[:_REQUEST_DIGITS]
    reserved = tuple(
        ReservedCall(f"{request_id}{position:04x}", candidate)
        for position, candidate in enumerate(chosen)
    )
    _RESERVE_REQUEST.execute(
        connection,
        {
            "request_id": request_id,
            "provider": terms.provider,
            "kind": terms.kind,
            "run_id": run.run_id,
            "item_count": len(chosen),
            "rate_units": 1 if limits.counts_requests else len(chosen),
            "call_id": reserved[0].call_id if limits.is_paged else None,
            "series": 0,
            "page": 1,
            "reserved_at": now,
            "counts_from": now + limits.send_lease,
        },
    )
    _RESERVE_CALLS.execute(
        connection,
        {
            "provider": terms.provider,
            "kind": terms.kind,
            "priority": candidates[0].priority,
            "run_id": run.run_id,
            "request_id": request_id,
            "state": RESERVED,
            "unit_cost": limits.budget.millionths_per_unit,
            "cost_reserved": limits.budget.worst_cost,
            "budget_day": day,
            "reserved_at": now,
            "requested_at": business_now,
            "revision": transaction.revision,
            ROWS: as_json(map(_row, reserved)),
        },
    )
    identifiers.note(
        connection,
        ((identifier, call_id) for call_id, of in reserved for identifier in of.known_by),
    )
    booked = {(run.run_id, day): limits.budget.reserving(len(reserved))}
    budget.book(connection, limits.budget.pool, booked)
    return Admitted(request_id, reserved, tuple(left_over), skipped, known)


def admit_page(
    transaction: Transaction,
    call_id: str,
    *,
    series: int,
    number: int,
    terms: Terms,
    run: RunShare,
    units_charged: int,
    now: datetime,
    business_now: datetime,
) -> Page | Wait | Exhausted:
    """Commit a further request of a call as sent; the one before it is read, and charged.

    Raises FenceError where the call is not under way any more. Writes nothing unless it
    returns a Page.
    """
    connection = transaction.connection
    limits = terms.limits
    of = connection.execute(
        select(calls.c.priority, calls.c.state, calls.c.budget_day, calls.c.run_id).where(
            calls.c.call_id == call_id
        )
    ).one()
    if of.state != SENT:
        raise FenceError(f"call {call_id} was settled already")
    day = business_now.date().isoformat()
    room = _room(connection, terms, run, of.priority, day, now)
    if not isinstance(room, int):
        return room
    request_id = uuid4().hex
    connection.execute(
        insert(requests).values(
            request_id=request_id,
            provider=terms.provider,
            kind=terms.kind,
            run_id=of.run_id,
            item_count=1,
            rate_units=1,
            call_id=call_id,
            series=series,
            page=number,
            reserved_at=now,
            sent_at=now,
            deadline_at=now + limits.answer_deadline,
            counts_from=now + limits.response_deadline,
        )
    )
    connection.execute(
        update(calls)
        .where(calls.c.call_id == call_id)
        .values(
            request_id=request_id,
            units_charged=calls.c.units_charged + units_charged,
            cost_reserved=limits.budget.worst_cost,
            budget_day=day,
        )
    )
    pool = limits.budget.pool
    ended = limits.budget.reserving(-1) + limits.budget.charging(units_charged)
    budget.book(connection, pool, {(of.run_id, of.budget_day): ended})
    budget.book(connection, pool, {(of.run_id, day): limits.budget.reserving(1)})
    return Page(request_id, series, number)


def _room(
    connection: Connection,
    terms: Terms,
    run: RunShare,
    priority: str,
    day: str,
    now: datetime,
) -> int | Wait | Exhausted:
    """How many calls may be made now in one request; else until when none may, or why none will."""
    limits = terms.limits
    gate_name = gate.gate_name(terms.provider, terms.kind)
    state = gate.read(connection, gate_name, now, limits.pause)
    if state.closed_until is not None:
        return Wait(state.closed_until, "probe" if state.is_probe else "pause")
    quota = budget.quota_name(terms.provider, terms.kind)
    affordable = budget.room(connection, limits.budget, quota, run, day, priority)
    if affordable.calls == 0:
        return Exhausted(affordable.period)
    if limits.at_once is not None:
        count, deadline = rates.on_the_wire(connection, terms.provider, terms.kind, now)
        if count >= limits.at_once:
            return Wait(deadline or now, "at_once")
        if count + _waited_for(connection, gate_name, run, priority, now) >= limits.at_once:
            return Wait(now + LOOK_AGAIN, "at_once")
    room = affordable.calls
    units = _free_units(connection, terms, gate_name, run, priority, state.rate_share, now)
    if isinstance(units, Wait):
        return units
    if units is not None and not limits.counts_requests:
        room = min(room, units)
    if state.is_probe:
        # the response decides it, also where the answer comes much later
        gate.lease_probe(connection, gate_name, now + limits.response_deadline)
        return PROBE_CALLS
    return room


def _free_units(
    connection: Connection,
    terms: Terms,
    gate_name: str,
    run: RunShare,
    priority: str,
    rate_share: float,
    now: datetime,
) -> int | Wait | None:
    """How much the rates still take; None where there is no rate."""
    slots = rates.slots(connection, terms.provider, terms.kind, terms.limits, rate_share, now)
    if slots is None:
        return None
    if slots.units <= 0:
        return Wait(slots.free_at, "rate")
    units = slots.units - _waited_for(connection, gate_name, run, priority, now)
    return units if units > 0 else Wait(min(slots.free_at, now + LOOK_AGAIN), "rate")


def _waited_for(
    connection: Connection, gate_name: str, run: RunShare, priority: str, now: datetime
) -> int:
    """What a run has to leave to entries that wait.

    An entry goes before what is as important as it is, or less.
    """
    if run.is_entry:
        return 0
    before = PRIORITIES[: PRIORITIES.index(priority) + 1]
    return entries.units_waited_for(connection, gate_name, before, now)


def _row(call: ReservedCall) -> tuple[str | None, ...]:
    """What `_OF_CANDIDATE` names."""
    of = call.candidate
    return (
        call.call_id,
        of.person_key,
        of.supersedes,
        of.contact_id,
        of.question,
        of.item,
        of.item_kind,
        of.company,
        of.freshness,
    )


def _still_due(
    connection: Connection,
    candidates: Sequence[Candidate],
    terms: Terms,
    business_now: datetime,
) -> tuple[list[Candidate], tuple[Known, ...]]:
    """Those whose last call is still the one that they would supersede, and may be asked for.

    The work list was read a while ago; this is what makes a call that another process has
    made meanwhile, about the same person under whichever key, not due any more. The unique
    index guards the first half of the same promise. Likewise who was suppressed meanwhile, and
    what was entered and taken back.
    """
    keys = {candidate.person_key for candidate in candidates}
    rows = [
        row
        for row in connection.execute(_IN_HAND, {ROWS: as_json((key,) for key in keys)})
        if (row.provider, row.kind) == (terms.provider, terms.kind)
    ]
    superseded = {row.supersedes for row in rows}
    last = {row.person_key: row for row in rows if row.call_id not in superseded}
    due: dict[str, Candidate] = {}
    for candidate in candidates:
        row = last.get(candidate.person_key)
        if candidate.supersedes != (row.call_id if row else ""):
            continue
        if row is not None and row.state in (RESERVED, SENT):
            continue
        if row is not None and _is_held(row, rows, terms.limits, business_now):
            continue
        due.setdefault(candidate.person_key, candidate)
    suppressed = suppressions.suppressed_among(
        connection, {identifier for of in due.values() for identifier in of.identifiers}
    )
    entered = [candidate.contact_id for candidate in due.values() if candidate.is_entered]
    taken_back = entries.withdrawn_among(connection, entered) if entered else frozenset()
    return _without_known(
        connection,
        [
            candidate
            for candidate in due.values()
            if suppressed.isdisjoint(candidate.identifiers)
            and not (candidate.is_entered and candidate.contact_id in taken_back)
        ],
        terms,
        business_now,
    )


def _is_held(row: Row, rows: Sequence[Row], limits: Limits, business_now: datetime) -> bool:
    """Whether a call that was not answered keeps its person from being asked about again.

    For a while it does, since it may have been billed. Where a repeat is free it may be made once
    more; that one holds, whether it is known what it repeated or not.
    """
    if row.state != UNCONFIRMED or row.requested_at + limits.unconfirmed_hold <= business_now:
        return False
    if not limits.is_repeat_free:
        return True
    former = [each.state for each in rows if each.call_id == row.supersedes]
    return bool(row.supersedes) and (UNCONFIRMED in former or not former)


def _without_known(
    connection: Connection, due: Collection[Candidate], terms: Terms, business_now: datetime
) -> tuple[list[Candidate], tuple[Known, ...]]:
    """Those that no call under another key tells about, and the others with that call.

    Two candidates of one request that share an identifier are one person as well: the first
    of them is asked about.
    """
    told = identifiers.telling_calls(
        connection,
        terms.provider,
        terms.kind,
        {candidate.person_key: candidate.known_by for candidate in due},
        {candidate.person_key: candidate.seen_revision for candidate in due},
        held_since=business_now - terms.limits.unconfirmed_hold,
    )
    chosen: list[Candidate] = []
    known: list[Known] = []
    taken: set[str] = set()
    for candidate in due:
        call_id = told.get(candidate.person_key)
        if call_id is not None:
            known.append(Known(candidate, call_id))
        elif taken.isdisjoint(candidate.known_by):
            taken |= candidate.known_by
            chosen.append(candidate)
    return chosen, tuple(known)
