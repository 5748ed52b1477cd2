"""The journal of a call after its reservation: sent, answered, settled or given back.

Here: every change of a call's state, each with its fence, whatever kind of call it is. Not
here: the decision to admit (`admission.py`), and the meaning of an answer (`providers/`).
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import uuid4

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Insert,
    Integer,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    true,
    update,
)

from enrichment_pipeline.ledger.budget import Budget, Move, book
from enrichment_pipeline.ledger.limits import (
    BYTES_PER_BATCH,
    BYTES_PER_ITEM,
    CALLBACKS_PER_BATCH,
    CALLBACKS_PER_ITEM,
    Limits,
    clock_skew_horizon,
)
from enrichment_pipeline.ledger.prepared import Prepared
from enrichment_pipeline.ledger.rows import ROWS, as_json, integer_field, is_bound, text_field
from enrichment_pipeline.ledger.schema import (
    ALLOWED_FROM,
    APPLIED,
    RELEASED,
    REPLIED,
    RESERVED,
    SENT,
    UNCONFIRMED,
    UtcDateTime,
    calls,
    replies,
    requests,
    unread_replies,
)
from enrichment_pipeline.ledger.store import Transaction
from enrichment_pipeline.vocabulary import LOOKUP, MATCHED


def _may_become(state: str) -> ColumnElement[bool]:
    return or_(*(calls.c.state == allowed for allowed in ALLOWED_FROM[state]))


_OF_REQUEST = bindparam("of_request")
_SEND_REQUEST = Prepared(
    update(requests)
    .where(requests.c.request_id == _OF_REQUEST, requests.c.reserved_at > bindparam("leased_after"))
    .values(
        sent_at=bindparam("sent_at"),
        deadline_at=bindparam("deadline_at"),
        counts_from=bindparam("counts_from"),
        awaits_callback=bindparam("awaits_callback"),
    )
    .returning(requests.c.item_count)
)
_SEND_CALLS = Prepared(
    update(calls).where(calls.c.request_id == _OF_REQUEST, _may_become(SENT)).values(state=SENT)
)
_FIND_REPLY = Prepared(
    select(replies.c.reply_id).where(
        replies.c.request_id == _OF_REQUEST, replies.c.body_sha256 == bindparam("digest")
    )
)
_KEPT_SO_FAR = Prepared(
    select(func.count(), func.coalesce(func.sum(func.length(replies.c.body)), 0)).where(
        replies.c.request_id == _OF_REQUEST
    )
)
_KEEP_REPLY = Prepared(insert(replies))
_QUEUE_REPLY = Prepared(insert(unread_replies))
_RESPONDED = Prepared(
    update(requests)
    .where(requests.c.request_id == _OF_REQUEST)
    .values(
        responded_at=bindparam("responded_at"),
        counts_from=bindparam("counts_from"),
        credits_left=bindparam("credits_left"),
        units_told=bindparam("units_told"),
        request_ref=bindparam("request_ref"),
    )
)
_NOTE_ERROR = (
    update(requests).where(requests.c.request_id == _OF_REQUEST).values(error=bindparam("error"))
)
_READ_REPLY = Prepared(
    delete(unread_replies).where(unread_replies.c.reply_id == bindparam("of_reply"))
)
_SETTLE = {
    state: Prepared(
        update(calls)
        .where(calls.c.call_id == text_field(0), _may_become(state))
        .values(
            state=state,
            outcome=bindparam("new_outcome"),
            reason=bindparam("new_reason"),
            answer_index=integer_field(1),
            is_complete=bindparam("complete"),
            units_charged=calls.c.units_charged + bindparam("charged", type_=Integer),
            reply_id=bindparam("of_reply"),
            answered_at=bindparam("at", type_=UtcDateTime),
            revision=bindparam("new_revision", type_=BigInteger),
            **({"is_released": true()} if state == RELEASED else {}),
        )
    )
    for state in ALLOWED_FROM
}
"""For calls of a request with the same result, which most of them have."""
_BY_BUDGET = Prepared(
    # not by `returning`: between two rows the driver lets another thread have the interpreter
    select(
        calls.c.run_id,
        calls.c.budget_day,
        func.count(),
        func.sum(calls.c.cost_reserved),
        func.sum(calls.c.unit_cost),
    )
    .where(is_bound(calls.c.call_id))
    .group_by(calls.c.run_id, calls.c.budget_day)
)


def _superseding() -> Insert:
    """A call that was answered with success after `failed_id` had failed."""
    failed = calls.alias("failed")
    other = calls.alias("other")
    supersedes = case((failed.c.state == RELEASED, failed.c.supersedes), else_=failed.c.call_id)
    is_taken = exists().where(
        other.c.provider == failed.c.provider,
        other.c.kind == failed.c.kind,
        other.c.person_key == failed.c.person_key,
        other.c.supersedes == supersedes,
        other.c.is_released.is_not(True),
    )
    values: dict[str, ColumnElement[object]] = {
        column.name: failed.c[column.name] for column in calls.c if column.name != "reason"
    } | {
        "call_id": bindparam("call_id"),
        "supersedes": supersedes,
        "state": literal(REPLIED),
        "outcome": bindparam("outcome"),
        "reply_id": bindparam("of_reply"),
        "answer_index": bindparam("answer_index", type_=Integer),
        "units_charged": bindparam("units_charged", type_=Integer),
        "cost_reserved": literal(0, type_=BigInteger),
        "answered_at": bindparam("at", type_=UtcDateTime),
        "revision": bindparam("new_revision", type_=BigInteger),
        "is_released": literal(False),
    }
    failure = or_(
        failed.c.state == RELEASED,
        failed.c.state.in_((REPLIED, APPLIED)) & (failed.c.outcome != MATCHED),
    )
    return (
        insert(calls)
        .from_select(
            list(values),
            select(*values.values()).where(
                failed.c.call_id == bindparam("failed_id"), failure, ~is_taken
            ),
        )
        .returning(calls.c.run_id, calls.c.budget_day, calls.c.unit_cost)
    )


_SUPERSEDE = _superseding()


class FenceError(Exception):
    """The calls are not in a state from which this step is allowed; nothing was changed."""


class Settlement(NamedTuple):
    """The result of one call.

    `state` is `replied`, `released` or `unconfirmed`; `outcome` the provider
    layer's name for it; `reason` a code, never text from outside; `units_charged` what it
    has cost, beside what was charged for its earlier pages; `answer_index` the position of
    its answer in the reply. `is_complete`: whether a search gave all that there is.
    """

    state: str
    outcome: str
    reason: str | None = None
    units_charged: int = 0
    answer_index: int | None = None
    is_complete: bool | None = None


def mark_sent(
    transaction: Transaction,
    request_id: str,
    limits: Limits,
    now: datetime,
    *,
    awaits_callback: bool = False,
) -> None:
    """Commit that the request is about to go out. Raises FenceError if it must not.

    After this commit the calls may have been billed. A reservation whose lease
    ran out may have been released by another process, and its place in the rate
    window be taken: it is refused here.
    """
    connection = transaction.connection
    item_count = _SEND_REQUEST.execute(
        connection,
        {
            "of_request": request_id,
            "leased_after": now - limits.send_lease,
            "sent_at": now,
            "deadline_at": now + limits.answer_deadline,
            "counts_from": now + limits.response_deadline,
            "awaits_callback": awaits_callback,
        },
    ).scalar_one_or_none()
    if item_count is None:
        raise FenceError(f"request {request_id}: its lease ran out before it was sent")
    moved = _SEND_CALLS.execute(connection, {"of_request": request_id}).rowcount
    if moved != item_count:
        raise FenceError(f"request {request_id}: {moved} of {item_count} calls were still reserved")


def keep_reply(
    transaction: Transaction,
    provider: str,
    kind: str,
    request_id: str,
    *,
    http_status: int,
    body: bytes,
    is_callback: bool,
    now: datetime,
    business_now: datetime,
) -> str:
    """Keep the raw reply, before anything reads it; its id. The same bytes are kept once."""
    connection = transaction.connection
    digest = hashlib.sha256(body).hexdigest()
    known = _find_reply(transaction, request_id, digest)
    if known is not None:
        return known
    reply_id = uuid4().hex
    _KEEP_REPLY.execute(
        connection,
        {
            "reply_id": reply_id,
            "request_id": request_id,
            "received_at": now,
            "answered_at": business_now,
            "is_callback": is_callback,
            "http_status": http_status,
            "body": body,
            "body_sha256": digest,
        },
    )
    _QUEUE_REPLY.execute(
        connection,
        {"reply_id": reply_id, "provider": provider, "kind": kind, "received_at": now},
    )
    return reply_id


def has_room_for(transaction: Transaction, request_id: str, item_count: int, body: bytes) -> bool:
    """Whether a request of so many items may have this callback, too. A repeat always may."""
    if _find_reply(transaction, request_id, hashlib.sha256(body).hexdigest()) is not None:
        return True
    callbacks, size = _KEPT_SO_FAR.execute(transaction.connection, {"of_request": request_id}).one()
    return (
        callbacks < CALLBACKS_PER_BATCH + item_count * CALLBACKS_PER_ITEM
        and size + len(body) <= BYTES_PER_BATCH + item_count * BYTES_PER_ITEM
    )


def _find_reply(transaction: Transaction, request_id: str, digest: str) -> str | None:
    return _FIND_REPLY.execute(
        transaction.connection, {"of_request": request_id, "digest": digest}
    ).scalar_one_or_none()


def note_response(
    transaction: Transaction,
    request_id: str,
    *,
    credits_left: int | None,
    now: datetime,
    units_told: int | None = None,
    request_ref: str | None = None,
) -> None:
    """The request was responded to: it leaves each rate window one window from now.

    `units_told` is what the response says that the request cost, outside its body.
    `request_ref` is the provider's own name for a request whose answer is still to come.
    """
    _RESPONDED.execute(
        transaction.connection,
        {
            "of_request": request_id,
            "responded_at": now,
            "counts_from": now,
            "credits_left": credits_left,
            "units_told": units_told,
            "request_ref": request_ref,
        },
    )


def settle(
    transaction: Transaction,
    budget: Budget,
    settlements: Mapping[str, Settlement],
    *,
    reply_id: str | None,
    answered_at: datetime,
) -> None:
    """Write the result of each call (by id), and move what it cost. All or FenceError."""
    connection = transaction.connection
    by_result: dict[Settlement, list[tuple[str, int | None]]] = {}
    for call_id, of in settlements.items():
        by_result.setdefault(of._replace(answer_index=None), []).append((call_id, of.answer_index))
    moves: dict[tuple[str, str], Move] = {}
    for of, rows in by_result.items():
        values = {
            "new_outcome": of.outcome,
            "new_reason": of.reason,
            "charged": of.units_charged,
            "complete": of.is_complete,
            "of_reply": reply_id,
            "at": answered_at,
            "new_revision": transaction.revision,
            ROWS: as_json(rows),
        }
        moved = _SETTLE[of.state].execute(connection, values).rowcount
        if moved != len(rows):
            raise FenceError(f"{len(rows) - moved} calls were settled already")
        if of.state == UNCONFIRMED:
            continue  # may have been billed: what it may have cost stays reserved
        for run_id, day, count, reserved, unit_costs in _BY_BUDGET.execute(
            connection, {ROWS: values[ROWS]}
        ):
            move = Move(
                -int(reserved),
                int(unit_costs) * of.units_charged,
                -count * budget.worst_units * budget.credits_of_unit,
                count * of.units_charged * budget.credits_of_unit,
            )
            moves[run_id, day] = moves.get((run_id, day), Move()) + move
    book(connection, budget.pool, moves)


def mark_read(transaction: Transaction, reply_id: str) -> None:
    """Nothing more is to be learnt from this reply."""
    _READ_REPLY.execute(transaction.connection, {"of_reply": reply_id})


def supersede_failure(
    transaction: Transaction,
    budget: Budget,
    call_id: str,
    success: Settlement,
    *,
    reply_id: str,
    answered_at: datetime,
) -> None:
    """Write a success that came after the same call had failed.

    It becomes a call of its own in the place after the failed one, or in the place
    of one that was released. Where that place has been taken since, it stays raw.
    """
    connection = transaction.connection
    booked = connection.execute(
        _SUPERSEDE,
        {
            "failed_id": call_id,
            "call_id": uuid4().hex,
            "outcome": success.outcome,
            "of_reply": reply_id,
            "answer_index": success.answer_index,
            "units_charged": success.units_charged,
            "at": answered_at,
            "new_revision": transaction.revision,
        },
    ).one_or_none()
    if booked is not None:
        units = success.units_charged
        move = Move(
            charged=units * booked.unit_cost, credits_charged=units * budget.credits_of_unit
        )
        book(connection, budget.pool, {(booked.run_id, booked.budget_day): move})


def note_unsent(transaction: Transaction, request_id: str, error: str, now: datetime) -> None:
    """The request never left: it takes no place on the wire nor in any rate window."""
    transaction.connection.execute(
        update(requests)
        .where(requests.c.request_id == request_id)
        .values(error=error, responded_at=now, counts_from=None)
    )


def note_error(transaction: Transaction, request_id: str, error: str) -> None:
    """Keep the code of what went wrong with a request (never text from outside)."""
    transaction.connection.execute(_NOTE_ERROR, {"of_request": request_id, "error": error})


def mark_applied(transaction: Transaction, call_ids: Sequence[str]) -> int:
    """The answers stand in the warehouse's tables. No new revision: nothing new is to be read."""
    return transaction.connection.execute(
        update(calls)
        .where(calls.c.call_id.in_(call_ids), _may_become(APPLIED))
        .values(state=APPLIED)
    ).rowcount


def abandoned(
    transaction: Transaction,
    provider: str,
    kind: str,
    dead_run_ids: Sequence[str],
    limits: Limits,
    now: datetime,
) -> dict[str, Settlement]:
    """Settlements for calls that their own run will not settle, by call id.

    A reservation that was not sent is released once its run is dead or its
    lease is over; the dispatcher leaves none, since it commits both steps as one.
    What was sent, has no reply that is still to be read and is
    past its deadline may have been billed: unconfirmed. So is what was sent in the
    future, by a clock that was ahead: when its deadline passes is unknown. What is no look-up,
    and of which a repeat is free, is released, and counts as charged; a dead run's at once.
    """
    connection = transaction.connection
    of_kind = and_(calls.c.provider == provider, calls.c.kind == kind)
    unsent = connection.execute(
        select(calls.c.call_id).where(
            of_kind,
            calls.c.answered_at.is_(None),
            calls.c.state == RESERVED,
            or_(
                calls.c.run_id.in_(dead_run_ids),
                calls.c.reserved_at <= now - limits.send_lease,
                calls.c.reserved_at > clock_skew_horizon(now),
            ),
        )
    ).scalars()
    settlements = {call_id: Settlement(RELEASED, "retriable", "never_sent") for call_id in unsent}
    has_unread_reply = exists().where(
        replies.c.request_id == calls.c.request_id, replies.c.reply_id == unread_replies.c.reply_id
    )
    is_over = [requests.c.deadline_at <= now, requests.c.sent_at > clock_skew_horizon(now)]
    is_released = limits.is_repeat_free and kind != LOOKUP
    if is_released:
        is_over.append(calls.c.run_id.in_(dead_run_ids))
    unanswered = connection.execute(
        select(calls.c.call_id)
        .join(requests, requests.c.request_id == calls.c.request_id)
        .where(
            of_kind,
            calls.c.answered_at.is_(None),
            calls.c.state == SENT,
            or_(*is_over),
            ~has_unread_reply,
        )
    ).scalars()
    result = (
        Settlement(RELEASED, "retriable", "interrupted", units_charged=limits.budget.worst_units)
        if is_released
        else Settlement(UNCONFIRMED, "unconfirmed", "no_answer_by_deadline")
    )
    return settlements | dict.fromkeys(unanswered, result)


def free_unsent_slots(transaction: Transaction, provider: str, kind: str) -> None:
    """Requests none of whose calls were sent leave the rate windows."""
    still_open = exists().where(
        and_(calls.c.request_id == requests.c.request_id, calls.c.state != RELEASED)
    )
    transaction.connection.execute(
        update(requests)
        .where(
            requests.c.provider == provider,
            requests.c.kind == kind,
            requests.c.sent_at.is_(None),
            requests.c.counts_from.is_not(None),
            ~still_open,
        )
        .values(counts_from=None)
    )
