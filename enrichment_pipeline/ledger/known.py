"""Look-ups that others know of: which of them the ledger lacks, and taking these over.

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

from enrichment_pipeline.ledger import budget
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

UnitCost = Callable[[str], int]
"""What a credit of a provider costs, in millionths of the budget's unit."""
JoinAnswers = Callable[[str, Mapping[int, str]], bytes]
"""Puts a provider's answers, by their index, together into a reply as it would have come."""
LOST_ANSWER = "no_answer_by_deadline"
"""The reason of a look-up that was sent, and whose answer is nowhere."""


@dataclass(frozen=True)
class Known:
    """How a look-up stands in the ledger."""

    revision: int
    is_answered: bool


@dataclass(frozen=True)
class KnownLookup:
    """A look-up as the warehouse has it. `answer` is its JSON; None where the answer is lost."""

    lookup_id: str
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
    credits_charged: int
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


def find_known(store: LedgerStore, lookup_ids: Iterable[str]) -> dict[str, Known]:
    """Those of these look-ups that the ledger has."""
    wanted = list(lookup_ids)
    found: dict[str, Known] = {}
    query = select(calls.c.call_id, calls.c.revision, calls.c.state).where(
        is_bound(calls.c.call_id)
    )
    for start in range(0, len(wanted), PAGE_ROWS):
        page = as_json((lookup_id,) for lookup_id in wanted[start : start + PAGE_ROWS])
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
    known: Iterable[KnownLookup],
    *,
    unit_cost: UnitCost,
    join_answers: JoinAnswers,
    newest_revision: int,
) -> int:
    """Write look-ups that the ledger lacks, or has in an older state; how many.

    `known` is sorted by provider, reply and run. Each reply is a transaction: what a kill leaves
    out is still missing, and is found the next time. In the end everything in the ledger has a
    revision beyond `newest_revision`, up to which an earlier state was copied, so that it is
    copied anew.
    """
    with store.write() as transaction:
        transaction.connection.execute(
            update(head).where(head.c.revision < newest_revision).values(revision=newest_revision)
        )
    taken = 0
    for _, group in groupby(known, lambda one: (one.provider, one.reply_id, one.run_id)):
        of_reply = list(group)
        with store.write() as transaction:
            _take_over_reply(transaction, of_reply, unit_cost(of_reply[0].provider), join_answers)
        taken += len(of_reply)
    with store.write() as transaction:
        transaction.connection.execute(update(calls).values(revision=transaction.revision))
    return taken


def _take_over_reply(
    transaction: Transaction,
    known: Sequence[KnownLookup],
    unit_cost: int,
    join_answers: JoinAnswers,
) -> None:
    """Write the look-ups of one reply and run; they are a request of their own."""
    connection = transaction.connection
    there = _states(transaction, known)
    missing = [one for one in known if one.lookup_id not in there]
    request_id = _add_request(transaction, known)
    _keep_reply(transaction, request_id, known, join_answers)
    taken = _taken_places(transaction, missing)
    moves: dict[tuple[str, str], budget.Move] = {}

    def book(one: KnownLookup, day: str, reserved: int) -> None:
        move = budget.Move(reserved * unit_cost, one.credits_charged * unit_cost)
        moves[one.run_id, day] = moves.get((one.run_id, day), budget.Move()) + move

    for one in missing:
        place = (one.person_key, one.supersedes)
        if one.ledger_state != RELEASED and place in taken:
            # the person was bought again meanwhile: it counts, but as superseded, by itself
            place = (one.person_key, one.lookup_id)
        taken.add(place)
        day = one.requested_at.date().isoformat()
        values = {
            **{name: getattr(one, name) for name in _COPIED},
            **_outcome(one, transaction.revision),
            "call_id": one.lookup_id,
            "kind": LOOKUP,
            "question": "person",
            "supersedes": place[1],
            "request_id": request_id,
            "unit_cost": unit_cost,
            "cost_reserved": unit_cost,
            "budget_day": day,
            "reserved_at": one.requested_at,
        }
        connection.execute(insert(calls).values(values))
        book(one, day, int(one.ledger_state == UNCONFIRMED))
    for one in known:
        if one.lookup_id not in there:
            continue
        state, day = there[one.lookup_id]
        if state not in (RESERVED, SENT, UNCONFIRMED):
            continue  # it has ended here as well
        values = _outcome(one, transaction.revision)
        connection.execute(update(calls).where(calls.c.call_id == one.lookup_id).values(values))
        book(one, day, int(one.ledger_state == UNCONFIRMED) - 1)
    budget.book(connection, budget.CREDITS, moves)


_COPIED = (
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


def _outcome(one: KnownLookup, revision: int) -> dict[str, Any]:
    """The columns that hold its result."""
    columns: dict[str, Any]
    if one.ledger_state == UNCONFIRMED:
        columns = {"outcome": "unconfirmed", "reason": LOST_ANSWER, "units_charged": 0}
        answered_at = one.answered_at or one.requested_at
    else:
        columns = {
            "outcome": one.outcome,
            "reason": one.reason,
            "units_charged": one.credits_charged,
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


def _states(transaction: Transaction, known: Sequence[KnownLookup]) -> dict[str, tuple[str, str]]:
    """State and budget day of those that the ledger has."""
    query = select(calls.c.call_id, calls.c.state, calls.c.budget_day).where(
        is_bound(calls.c.call_id)
    )
    rows = {ROWS: as_json((one.lookup_id,) for one in known)}
    return {row[0]: (row[1], row[2]) for row in transaction.connection.execute(query, rows)}


def _taken_places(transaction: Transaction, known: Sequence[KnownLookup]) -> set[tuple[str, str]]:
    """Who stands where among these persons' look-ups: the person, and what it supersedes."""
    if not known:
        return set()
    query = select(calls.c.person_key, calls.c.supersedes).where(
        calls.c.provider == known[0].provider,
        calls.c.kind == LOOKUP,
        calls.c.is_released.is_not(True),
        is_bound(calls.c.person_key),
    )
    rows = {ROWS: as_json((one.person_key,) for one in known)}
    return {(row[0], row[1]) for row in transaction.connection.execute(query, rows)}


def _add_request(transaction: Transaction, known: Sequence[KnownLookup]) -> str:
    request_id = uuid4().hex
    first = min(one.requested_at for one in known)
    transaction.connection.execute(
        insert(requests).values(
            request_id=request_id,
            provider=known[0].provider,
            kind=LOOKUP,
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
    known: Sequence[KnownLookup],
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
    body = join_answers(known[0].provider, by_index)
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
