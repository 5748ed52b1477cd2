"""Calls that others know of: which of them the ledger lacks, and taking these over.

Here: comparing by id and revision, and writing what is missing. Not here: who knows them
(the warehouse, what is published), and when they are taken over (`rollback.py`, `backup.py`).
What was paid for must be in the ledger, or it would be paid for again.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any
from uuid import uuid4

from sqlalchemy import func, insert, select, update

from enrichment_pipeline.ledger.budget import Budget, Move, book
from enrichment_pipeline.ledger.rows import ROWS, as_json, is_bound
from enrichment_pipeline.ledger.schema import (
    APPLIED,
    RELEASED,
    REPLIED,
    RESERVED,
    SENT,
    UNCONFIRMED,
    calls,
    head,
    replies,
    requests,
)
from enrichment_pipeline.ledger.store import PAGE_ROWS, LedgerStore, Transaction
from enrichment_pipeline.vocabulary import LOOKUP

BudgetOf = Callable[[str, str], Budget]
"""What a kind of call to a provider draws on."""
JoinAnswers = Callable[[str, str, Mapping[int, str]], bytes]
"""Puts answers to a kind of call to a provider, by their index, together into a reply as it would
have come."""
LOST_ANSWER = "no_answer_by_deadline"
"""The reason of a call that was sent, and whose answer is nowhere."""


@dataclass(frozen=True)
class Known:
    """How a call stands in the ledger."""

    revision: int
    is_answered: bool


@dataclass(frozen=True)
class KnownCall:
    """A call as the warehouse has it. `answer` is its JSON; None where the answer is lost."""

    call_id: str
    kind: str
    question: str
    provider: str
    person_key: str
    supersedes: str
    contact_id: str
    item: str
    item_kind: str
    freshness: str
    priority: str
    run_id: str
    state: str
    outcome: str | None
    reason: str | None
    reply_id: str | None
    answer_index: int | None
    credits_charged: float
    requested_at: datetime
    answered_at: datetime | None
    has_answer: bool
    answer: str | None

    @property
    def ledger_state(self) -> str:
        """`answered` is `replied` until it stands in the tables; an open one was perhaps billed."""
        if self.state == RELEASED:
            return RELEASED
        return REPLIED if self.has_answer else UNCONFIRMED


def find_known(store: LedgerStore, call_ids: Iterable[str]) -> dict[str, Known]:
    """Those of these calls that the ledger has."""
    wanted = list(call_ids)
    found: dict[str, Known] = {}
    query = select(calls.c.call_id, calls.c.revision, calls.c.state).where(
        is_bound(calls.c.call_id)
    )
    for start in range(0, len(wanted), PAGE_ROWS):
        page = as_json((call_id,) for call_id in wanted[start : start + PAGE_ROWS])
        with store.read() as connection:
            for row in connection.execute(query, {ROWS: page}):
                found[row[0]] = Known(row[1], row[2] in (REPLIED, APPLIED))
    return found


def has_lookups(store: LedgerStore) -> bool:
    """Whether anything was ever looked up or searched for."""
    with store.read() as connection:
        return connection.execute(select(calls.c.call_id).limit(1)).first() is not None


def count_lookups(store: LedgerStore) -> int:
    """How many look-ups the ledger holds."""
    with store.read() as connection:
        query = select(func.count()).where(calls.c.kind == LOOKUP)
        return connection.execute(query).scalar_one()


def is_ahead_of_tables(store: LedgerStore, revision: int) -> bool:
    """Whether tables that are up to date as of this revision once held answers of a later one."""
    query = select(calls.c.call_id).where(
        calls.c.kind == LOOKUP, calls.c.revision > revision, calls.c.state == APPLIED
    )
    with store.read() as connection:
        return connection.execute(query.limit(1)).first() is not None


def take_over(
    store: LedgerStore,
    known: Iterable[KnownCall],
    *,
    budget_of: BudgetOf,
    join_answers: JoinAnswers,
    newest_revision: int,
) -> None:
    """Write calls that the ledger lacks, or has in an older state.

    `known` is sorted by kind, provider, reply and run. Each reply is a transaction: what a kill
    leaves out is still missing, and is found the next time. In the end everything in the ledger has
    a revision beyond `newest_revision`, up to which an earlier state was copied, so that it is
    copied anew.
    """
    with store.write() as transaction:
        transaction.connection.execute(
            update(head).where(head.c.revision < newest_revision).values(revision=newest_revision)
        )
    for _, group in groupby(known, lambda one: (one.kind, one.provider, one.reply_id, one.run_id)):
        of_reply = list(group)
        budget = budget_of(of_reply[0].provider, of_reply[0].kind)
        with store.write() as transaction:
            _take_over_reply(transaction, of_reply, budget, join_answers)
    with store.write() as transaction:
        transaction.connection.execute(update(calls).values(revision=transaction.revision))


def _take_over_reply(
    transaction: Transaction,
    known: Sequence[KnownCall],
    budget: Budget,
    join_answers: JoinAnswers,
) -> None:
    """Write the calls of one reply and run; they are a request of their own."""
    connection = transaction.connection
    there = _states(transaction, known)
    missing = [one for one in known if one.call_id not in there]
    request_id = _add_request(transaction, known)
    _keep_reply(transaction, request_id, known, join_answers)
    taken = _taken_places(transaction, missing)
    moves: dict[tuple[str, str], Move] = {}

    def move(one: KnownCall, day: str, reserved: int) -> None:
        moved = budget.reserving(reserved) + budget.charging(_units(one, budget))
        moves[one.run_id, day] = moves.get((one.run_id, day), Move()) + moved

    for one in missing:
        place = (one.person_key, one.supersedes)
        if one.ledger_state != RELEASED and place in taken:
            # the person was bought again meanwhile: it counts, but as superseded, by itself
            place = (one.person_key, one.call_id)
        taken.add(place)
        day = one.requested_at.date().isoformat()
        values = {
            **{name: getattr(one, name) for name in _COPIED},
            **_outcome(one, budget, transaction.revision),
            "supersedes": place[1],
            "request_id": request_id,
            "unit_cost": budget.millionths_per_unit,
            "cost_reserved": budget.worst_cost,
            "budget_day": day,
            "reserved_at": one.requested_at,
        }
        connection.execute(insert(calls).values(values))
        move(one, day, int(one.ledger_state == UNCONFIRMED))
    for one in known:
        if one.call_id not in there:
            continue
        state, day = there[one.call_id]
        if state not in (RESERVED, SENT, UNCONFIRMED):
            continue  # it has ended here as well
        values = _outcome(one, budget, transaction.revision)
        connection.execute(update(calls).where(calls.c.call_id == one.call_id).values(values))
        move(one, day, int(one.ledger_state == UNCONFIRMED) - 1)
    book(connection, budget.pool, moves)


_COPIED = (
    "call_id",
    "kind",
    "question",
    "provider",
    "person_key",
    "contact_id",
    "item",
    "item_kind",
    "freshness",
    "priority",
    "run_id",
    "requested_at",
)


def _units(one: KnownCall, budget: Budget) -> int:
    """What it has cost, in units of its kind of call."""
    return round(one.credits_charged / float(budget.credits_per_unit))


def _outcome(one: KnownCall, budget: Budget, revision: int) -> dict[str, Any]:
    """The columns that hold its result."""
    columns: dict[str, Any]
    if one.ledger_state == UNCONFIRMED:
        columns = {"outcome": "unconfirmed", "reason": LOST_ANSWER, "units_charged": 0}
        answered_at = one.answered_at or one.requested_at
    else:
        columns = {
            "outcome": one.outcome,
            "reason": one.reason,
            "units_charged": _units(one, budget),
        }
        answered_at = one.answered_at
    if one.ledger_state == REPLIED:
        columns |= {"reply_id": one.reply_id, "answer_index": one.answer_index}
    return {
        **columns,
        "state": one.ledger_state,
        "answered_at": answered_at,
        "is_released": one.ledger_state == RELEASED,
        "revision": revision,
    }


def _states(transaction: Transaction, known: Sequence[KnownCall]) -> dict[str, tuple[str, str]]:
    """State and budget day of those that the ledger has."""
    query = select(calls.c.call_id, calls.c.state, calls.c.budget_day).where(
        is_bound(calls.c.call_id)
    )
    rows = {ROWS: as_json((one.call_id,) for one in known)}
    return {row[0]: (row[1], row[2]) for row in transaction.connection.execute(query, rows)}


def _taken_places(transaction: Transaction, known: Sequence[KnownCall]) -> set[tuple[str, str]]:
    """Who stands where among these persons' calls: the person, and what it supersedes."""
    if not known:
        return set()
    query = select(calls.c.person_key, calls.c.supersedes).where(
        calls.c.provider == known[0].provider,
        calls.c.kind == known[0].kind,
        calls.c.is_released.is_not(True),
        is_bound(calls.c.person_key),
    )
    rows = {ROWS: as_json((one.person_key,) for one in known)}
    return {(row[0], row[1]) for row in transaction.connection.execute(query, rows)}


def _add_request(transaction: Transaction, known: Sequence[KnownCall]) -> str:
    request_id = uuid4().hex
    first = min(one.requested_at for one in known)
    transaction.connection.execute(
        insert(requests).values(
            request_id=request_id,
            provider=known[0].provider,
            kind=known[0].kind,
            run_id=known[0].run_id,
            item_count=len(known),
            rate_units=len(known),
            reserved_at=first,
            sent_at=first,
            responded_at=first,
            error="taken_over",
        )
    )
    return request_id


def _keep_reply(
    transaction: Transaction,
    request_id: str,
    known: Sequence[KnownCall],
    join_answers: JoinAnswers,
) -> None:
    """Keep their answers as the reply they were cut from, as far as it is known."""
    reply_id = known[0].reply_id
    answered = [one for one in known if one.ledger_state == REPLIED]
    if reply_id is None or not answered:
        return
    connection = transaction.connection
    query = select(replies.c.reply_id).where(replies.c.reply_id == reply_id)
    if connection.execute(query).one_or_none() is not None:
        return
    by_index = {
        one.answer_index: one.answer
        for one in answered
        if one.answer_index is not None and one.answer is not None
    }
    body = join_answers(known[0].provider, known[0].kind, by_index)
    answered_at = max(one.answered_at or one.requested_at for one in answered)
    connection.execute(
        insert(replies).values(
            reply_id=reply_id,
            request_id=request_id,
            received_at=answered_at,
            answered_at=answered_at,
            http_status=200,
            body=body,
            body_sha256=hashlib.sha256(body).hexdigest(),
        )
    )
