"""Searches in the ledger: admission, the raw answers, and what each search came to.

Here: one function per step, each with its fence, called inside a writing transaction.
Not here: how the rest of the pipeline sees them (`search_ledger.py`), and paid calls
(`admission.py`, `journal.py`).

A search costs no credits. What is scarce is the day's quota of calls and the number of
calls at once; both are counted over this ledger's own rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import uuid4

from sqlalchemy import ColumnElement, Connection, Row, exists, func, insert, select, update

from enrichment_pipeline.ledger import gate, suppressions
from enrichment_pipeline.ledger.admission import Exhausted, NotDue, Wait
from enrichment_pipeline.ledger.journal import FenceError
from enrichment_pipeline.ledger.limits import furthest
from enrichment_pipeline.ledger.schema import OPEN, RELEASED, search_calls, searches
from enrichment_pipeline.ledger.store import Transaction
from enrichment_pipeline.policy import Floors

QUOTA_USED_UP = "quota_used_up"
"""The error of a call by which the provider said so: nobody asks again on that day."""
ABANDONED_AFTER = timedelta(minutes=30)
"""A run that is alive may wait for so long before it asks for a further page."""


@dataclass(frozen=True)
class SearchLimits:
    """What every process is held to: calls a day and at once, and how long one may take.

    `floors`: the share of the day's calls that each priority leaves untouched.
    `pause`: how long everybody waits after a 429 that does not say.
    """

    per_day: int
    at_once: int
    answer_deadline: timedelta
    pause: timedelta
    floors: Floors


@dataclass(frozen=True)
class SearchCandidate:
    """A search that is due: for whom, what is asked, and the person's search before it, or "".

    `identifiers` are all that the person is known by, hashed as the suppressed ones are.
    """

    person_key: str
    contact_id: str
    query_kind: str
    full_name: str
    company: str
    freshness: str
    priority: str
    supersedes: str = ""
    identifiers: frozenset[str] = frozenset()


@dataclass(frozen=True)
class AdmittedCall:
    """A call that may be made now: it is committed as sent."""

    search_id: str
    call_id: str


CallDecision = AdmittedCall | Wait | Exhausted


@dataclass(frozen=True)
class SearchSettlement:
    """What a search came to: `state` is `answered` or `released`.

    `outcome` is `found`, `nothing` or `refused`; `reason` a code. `is_complete`: whether
    all profiles that the provider has for it were given.
    """

    state: str
    outcome: str
    reason: str | None = None
    is_complete: bool | None = None


def admit_search(
    transaction: Transaction,
    candidate: SearchCandidate,
    *,
    provider: str,
    run_id: str,
    limits: SearchLimits,
    now: datetime,
    business_now: datetime,
) -> CallDecision | NotDue:
    """Reserve a search, and commit its first call as sent. Writes nothing unless admitted.

    A candidate whose last search is not the one that it would supersede is not due any
    more: another process has asked meanwhile. The unique index guards the same promise.
    Neither is who has been suppressed meanwhile.
    """
    last = _last_search(transaction.connection, provider, candidate.person_key)
    if candidate.supersedes != (last.search_id if last else "") or (last and last.state == OPEN):
        return NotDue(1)
    known_by = [(candidate.person_key, identifier) for identifier in candidate.identifiers]
    if suppressions.suppressed_persons(transaction.connection, known_by):
        return NotDue(1)
    day = business_now.date().isoformat()
    refusal = _no_room(transaction.connection, provider, candidate.priority, limits, day, now)
    if refusal is not None:
        return refusal
    search_id = uuid4().hex
    transaction.connection.execute(
        insert(searches).values(
            search_id=search_id,
            provider=provider,
            query_kind=candidate.query_kind,
            person_key=candidate.person_key,
            supersedes=candidate.supersedes,
            contact_id=candidate.contact_id,
            full_name=candidate.full_name,
            company=candidate.company,
            freshness=candidate.freshness,
            priority=candidate.priority,
            run_id=run_id,
            state=OPEN,
            reserved_at=now,
            requested_at=business_now,
            revision=transaction.revision,
        )
    )
    return _commit_call(transaction, provider, search_id, (0, 1), limits, day, now)


def admit_page(
    transaction: Transaction,
    search_id: str,
    place: tuple[int, int],
    *,
    provider: str,
    limits: SearchLimits,
    now: datetime,
    business_now: datetime,
) -> CallDecision:
    """Commit a further call of an open search as sent; `place` is its series and page.

    Raises FenceError where the search is not open any more.
    """
    row = transaction.connection.execute(
        select(searches.c.priority, searches.c.state).where(searches.c.search_id == search_id)
    ).one()
    if row.state != OPEN:
        raise FenceError(f"search {search_id} was settled already")
    day = business_now.date().isoformat()
    refusal = _no_room(transaction.connection, provider, row.priority, limits, day, now)
    if refusal is not None:
        return refusal
    transaction.connection.execute(
        update(searches).where(searches.c.search_id == search_id).values(series=place[0])
    )
    return _commit_call(transaction, provider, search_id, place, limits, day, now)


def keep_answer(
    transaction: Transaction,
    call_id: str,
    *,
    http_status: int,
    body: bytes,
    now: datetime,
) -> None:
    """Keep the raw answer to a call, before anything reads it; until then the call counts."""
    transaction.connection.execute(
        update(search_calls)
        .where(search_calls.c.call_id == call_id)
        .values(http_status=http_status, body=body, responded_at=now)
    )


def note_refusal(transaction: Transaction, call_id: str, *, error: str, is_counted: bool) -> None:
    """The kept answer was no page: why, and whether the call draws on the day's quota."""
    transaction.connection.execute(
        update(search_calls)
        .where(search_calls.c.call_id == call_id)
        .values(error=error, is_counted=is_counted)
    )


def note_unanswered(
    transaction: Transaction, call_id: str, *, error: str, has_left: bool, now: datetime
) -> None:
    """No answer came. What has left may have counted, and holds its place to the deadline."""
    values: dict[str, object] = {"error": error, "is_counted": has_left}
    if not has_left:
        values["responded_at"] = now
    transaction.connection.execute(
        update(search_calls).where(search_calls.c.call_id == call_id).values(values)
    )


def settle_search(
    transaction: Transaction, search_id: str, settlement: SearchSettlement, answered_at: datetime
) -> None:
    """Write what an open search came to. Raises FenceError where it is not open any more."""
    moved = transaction.connection.execute(
        update(searches)
        .where(searches.c.search_id == search_id, searches.c.state == OPEN)
        .values(
            state=settlement.state,
            outcome=settlement.outcome,
            reason=settlement.reason,
            is_complete=settlement.is_complete,
            answered_at=answered_at,
            revision=transaction.revision,
        )
    ).rowcount
    if moved != 1:
        raise FenceError(f"search {search_id} was settled already")


def abandoned_searches(
    connection: Connection, provider: str, dead_run_ids: Sequence[str], now: datetime
) -> list[str]:
    """Open searches that nobody will bring to an end: of a dead run, or long past every deadline.

    Of a run on another machine nobody here knows whether it is dead.
    """
    may_go_on = exists().where(
        search_calls.c.search_id == searches.c.search_id,
        _may_be_answered(now, grace=ABANDONED_AFTER),
    )
    query = select(searches.c.search_id).where(
        searches.c.provider == provider,
        searches.c.state == OPEN,
        searches.c.run_id.in_(dead_run_ids) | ~may_go_on,
    )
    return list(connection.execute(query).scalars())


def _last_search(connection: Connection, provider: str, person_key: str) -> Row | None:
    """The person's search that nothing supersedes, apart from those that were released."""
    rows = connection.execute(
        select(searches.c.search_id, searches.c.supersedes, searches.c.state)
        .where(
            searches.c.provider == provider,
            searches.c.person_key == person_key,
            searches.c.state != RELEASED,
        )
        .order_by(searches.c.reserved_at)
    ).all()
    superseded = {row.supersedes for row in rows}
    return next((row for row in reversed(rows) if row.search_id not in superseded), None)


def _no_room(
    connection: Connection,
    provider: str,
    priority: str,
    limits: SearchLimits,
    day: str,
    now: datetime,
) -> Wait | Exhausted | None:
    """Why no call may be made now; None where one may."""
    # decimal, as the policy says it: 1 - 0.8 is a little less than 0.2 in floating point
    usable = int(limits.per_day * (1 - Decimal(str(getattr(limits.floors, priority)))))
    if calls_on(connection, provider, day) >= usable or is_used_up(connection, provider, day):
        return Exhausted("day")
    state = gate.read(connection, gate_of(provider), now, limits.pause)
    if state.closed_until is not None:
        return Wait(state.closed_until, "probe" if state.is_probe else "pause")
    under_way = connection.execute(
        select(func.count(), func.min(search_calls.c.deadline_at)).where(
            search_calls.c.provider == provider,
            search_calls.c.responded_at.is_(None),
            _may_be_answered(now),
        )
    ).one()
    if under_way[0] >= limits.at_once:
        return Wait(under_way[1], "at_once")
    if state.is_probe:
        gate.lease_probe(connection, gate_of(provider), now + limits.answer_deadline)
    return None


def _may_be_answered(now: datetime, grace: timedelta = timedelta(0)) -> ColumnElement[bool]:
    """A call before its deadline; of one that was sent in the future, nobody knows that."""
    return (search_calls.c.deadline_at > now - grace) & (search_calls.c.sent_at <= furthest(now))


def gate_of(provider: str) -> str:
    """The gate of a provider's searches: not the one of its look-ups."""
    return f"{provider}.search"


def calls_on(connection: Connection, provider: str, day: str) -> int:
    """Calls of a day (YYYY-MM-DD) that draw on its quota."""
    return connection.execute(
        select(func.count()).where(
            search_calls.c.provider == provider,
            search_calls.c.quota_day == day,
            search_calls.c.is_counted,
        )
    ).scalar_one()


def is_used_up(connection: Connection, provider: str, day: str) -> bool:
    """Whether the provider said on that day that its quota is used up, whatever we counted."""
    said_so = select(search_calls.c.call_id).where(
        search_calls.c.provider == provider,
        search_calls.c.quota_day == day,
        search_calls.c.error == QUOTA_USED_UP,
    )
    return connection.execute(said_so.limit(1)).one_or_none() is not None


def _commit_call(
    transaction: Transaction,
    provider: str,
    search_id: str,
    place: tuple[int, int],
    limits: SearchLimits,
    day: str,
    now: datetime,
) -> AdmittedCall:
    call_id = uuid4().hex
    series, page = place
    transaction.connection.execute(
        insert(search_calls).values(
            call_id=call_id,
            search_id=search_id,
            provider=provider,
            series=series,
            page=page,
            quota_day=day,
            is_counted=True,
            sent_at=now,
            deadline_at=now + limits.answer_deadline,
        )
    )
    return AdmittedCall(search_id, call_id)
