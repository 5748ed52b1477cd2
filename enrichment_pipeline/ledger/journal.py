"""The journal of a batch after its reservation: sent, answered, settled or given back.

Here: every change of a look-up's state, each with its fence. Not here: the
decision to admit (`admission.py`), and the meaning of an answer (`providers/`).
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
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

from enrichment_pipeline.ledger import budget
from enrichment_pipeline.ledger.limits import (
    BYTES_PER_BATCH,
    BYTES_PER_ITEM,
    CALLBACKS_PER_BATCH,
    CALLBACKS_PER_ITEM,
    Limits,
    furthest,
)
from enrichment_pipeline.ledger.prepared import Prepared
from enrichment_pipeline.ledger.rows import ROWS, as_json, integer_field, text_field
from enrichment_pipeline.ledger.schema import (
    ALLOWED_FROM,
    APPLIED,
    MATCHED,
    RELEASED,
    REPLIED,
    RESERVED,
    SENT,
    UNCONFIRMED,
    UtcDateTime,
    batches,
    lookups,
    replies,
    unread_replies,
)
from enrichment_pipeline.ledger.store import Transaction


def _may_become(state: str) -> ColumnElement[bool]:
    return or_(*(lookups.c.state == allowed for allowed in ALLOWED_FROM[state]))


_OF_BATCH = bindparam("of_batch")
_SEND_BATCH = Prepared(
    update(batches)
    .where(batches.c.batch_id == _OF_BATCH, batches.c.reserved_at > bindparam("leased_after"))
    .values(
        sent_at=bindparam("sent_at"),
        deadline_at=bindparam("deadline_at"),
        slot_free_at=bindparam("slot_free_at"),
        awaits_callback=bindparam("awaits_callback"),
    )
    .returning(batches.c.item_count)
)
_SEND_LOOKUPS = Prepared(
    update(lookups).where(lookups.c.batch_id == _OF_BATCH, _may_become(SENT)).values(state=SENT)
)
_FIND_REPLY = Prepared(
    select(replies.c.reply_id).where(
        replies.c.batch_id == _OF_BATCH, replies.c.body_sha256 == bindparam("digest")
    )
)
_KEPT_SO_FAR = Prepared(
    select(func.count(), func.coalesce(func.sum(func.length(replies.c.body)), 0)).where(
        replies.c.batch_id == _OF_BATCH
    )
)
_KEEP_REPLY = Prepared(insert(replies))
_QUEUE_REPLY = Prepared(insert(unread_replies))
_RESPONDED = Prepared(
    update(batches)
    .where(batches.c.batch_id == _OF_BATCH)
    .values(
        responded_at=bindparam("responded_at"),
        slot_free_at=bindparam("slot_free_at"),
        credits_left=bindparam("credits_left"),
        request_ref=bindparam("request_ref"),
    )
)
_NOTE_ERROR = (
    update(batches).where(batches.c.batch_id == _OF_BATCH).values(error=bindparam("error"))
)
_READ_REPLY = Prepared(
    delete(unread_replies).where(unread_replies.c.reply_id == bindparam("of_reply"))
)
_SETTLE = {
    state: Prepared(
        update(lookups)
        .where(lookups.c.lookup_id == text_field(0), _may_become(state))
        .values(
            state=state,
            outcome=bindparam("new_outcome"),
            reason=bindparam("new_reason"),
            answer_index=integer_field(1),
            credits_charged=bindparam("charged"),
            reply_id=bindparam("of_reply"),
            answered_at=bindparam("at", type_=UtcDateTime),
            revision=bindparam("new_revision", type_=BigInteger),
            **({"is_released": true()} if state == RELEASED else {}),
        )
    )
    for state in ALLOWED_FROM
}
"""For those of a batch that came to the same, which most of it does."""
_BY_BUDGET = Prepared(
    # not by `returning`: between two rows the driver lets another thread have the interpreter
    select(lookups.c.run_id, lookups.c.budget_day, func.count())
    .where(lookups.c.lookup_id.in_(select(text_field(0))))
    .group_by(lookups.c.run_id, lookups.c.budget_day)
)


def _superseding() -> Insert:
    """A look-up that was answered with success after `failed_id` had failed."""
    failed = lookups.alias("failed")
    other = lookups.alias("other")
    supersedes = case((failed.c.state == RELEASED, failed.c.supersedes), else_=failed.c.lookup_id)
    is_taken = exists().where(
        other.c.provider == failed.c.provider,
        other.c.request == failed.c.request,
        other.c.person_key == failed.c.person_key,
        other.c.supersedes == supersedes,
        other.c.is_released.is_not(True),
    )
    values: dict[str, ColumnElement[object]] = {
        column.name: failed.c[column.name]
        for column in lookups.c
        if column.name not in {"reason", "credits_reserved"}
    } | {
        "lookup_id": bindparam("lookup_id"),
        "supersedes": supersedes,
        "state": literal(REPLIED),
        "outcome": bindparam("outcome"),
        "reply_id": bindparam("of_reply"),
        "answer_index": bindparam("answer_index", type_=Integer),
        "credits_reserved": literal(0),
        "credits_charged": bindparam("credits_charged", type_=Integer),
        "answered_at": bindparam("at", type_=UtcDateTime),
        "revision": bindparam("new_revision", type_=BigInteger),
        "is_released": literal(False),
    }
    failure = or_(
        failed.c.state == RELEASED,
        failed.c.state.in_((REPLIED, APPLIED)) & (failed.c.outcome != MATCHED),
    )
    return (
        insert(lookups)
        .from_select(
            list(values),
            select(*values.values()).where(
                failed.c.lookup_id == bindparam("failed_id"), failure, ~is_taken
            ),
        )
        .returning(lookups.c.run_id, lookups.c.budget_day)
    )


_SUPERSEDE = _superseding()


class FenceError(Exception):
    """The look-ups are not in a state from which this step is allowed; nothing was changed."""


class Settlement(NamedTuple):
    """What one look-up came to.

    `state` is `replied`, `released` or `unconfirmed`; `outcome` the provider
    layer's name for it; `reason` a code, never text from outside;
    `answer_index` the position of its answer in the reply.
    """

    state: str
    outcome: str
    reason: str | None = None
    credits_charged: int = 0
    answer_index: int | None = None


def mark_sent(
    transaction: Transaction,
    batch_id: str,
    limits: Limits,
    now: datetime,
    *,
    awaits_callback: bool = False,
) -> None:
    """Commit that the request is about to go out. Raises FenceError if it must not.

    After this commit the batch may have been billed. A reservation whose lease
    ran out may have been released by somebody else, and its place in the rate
    window be taken: it is refused here.
    """
    connection = transaction.connection
    item_count = _SEND_BATCH.execute(
        connection,
        {
            "of_batch": batch_id,
            "leased_after": now - limits.send_lease,
            "sent_at": now,
            "deadline_at": now + limits.answer_deadline,
            "slot_free_at": now + limits.response_deadline + limits.window,
            "awaits_callback": awaits_callback,
        },
    ).scalar_one_or_none()
    if item_count is None:
        raise FenceError(f"batch {batch_id}: its lease ran out before it was sent")
    moved = _SEND_LOOKUPS.execute(connection, {"of_batch": batch_id}).rowcount
    if moved != item_count:
        raise FenceError(f"batch {batch_id}: {moved} of {item_count} look-ups were still reserved")


def keep_reply(
    transaction: Transaction,
    provider: str,
    batch_id: str,
    *,
    http_status: int,
    body: bytes,
    now: datetime,
    business_now: datetime,
) -> str:
    """Keep the raw reply, before anything reads it; its id. The same bytes are kept once."""
    connection = transaction.connection
    digest = hashlib.sha256(body).hexdigest()
    known = _find_reply(transaction, batch_id, digest)
    if known is not None:
        return known
    reply_id = uuid4().hex
    _KEEP_REPLY.execute(
        connection,
        {
            "reply_id": reply_id,
            "batch_id": batch_id,
            "received_at": now,
            "answered_at": business_now,
            "http_status": http_status,
            "body": body,
            "body_sha256": digest,
        },
    )
    _QUEUE_REPLY.execute(
        connection, {"reply_id": reply_id, "provider": provider, "received_at": now}
    )
    return reply_id


def has_room_for(transaction: Transaction, batch_id: str, item_count: int, body: bytes) -> bool:
    """Whether a batch of so many items may have this callback, too. A repeat always has room."""
    if _find_reply(transaction, batch_id, hashlib.sha256(body).hexdigest()) is not None:
        return True
    callbacks, size = _KEPT_SO_FAR.execute(transaction.connection, {"of_batch": batch_id}).one()
    return (
        callbacks < CALLBACKS_PER_BATCH + item_count * CALLBACKS_PER_ITEM
        and size + len(body) <= BYTES_PER_BATCH + item_count * BYTES_PER_ITEM
    )


def _find_reply(transaction: Transaction, batch_id: str, digest: str) -> str | None:
    return _FIND_REPLY.execute(
        transaction.connection, {"of_batch": batch_id, "digest": digest}
    ).scalar_one_or_none()


def note_response(
    transaction: Transaction,
    batch_id: str,
    *,
    credits_left: int | None,
    window: timedelta,
    now: datetime,
    request_ref: str | None = None,
) -> None:
    """The request was responded to: its items leave the rate window one window from now.

    `request_ref` is the provider's own name for a request whose answer is still to come.
    """
    _RESPONDED.execute(
        transaction.connection,
        {
            "of_batch": batch_id,
            "responded_at": now,
            "slot_free_at": now + window,
            "credits_left": credits_left,
            "request_ref": request_ref,
        },
    )


def settle(
    transaction: Transaction,
    provider: str,
    settlements: Mapping[str, Settlement],
    *,
    reply_id: str | None,
    answered_at: datetime,
) -> None:
    """Write what each look-up (by id) came to, and move its credits. All or FenceError."""
    connection = transaction.connection
    came_to: dict[tuple[str, str, str | None, int], list[tuple[str, int | None]]] = {}
    for lookup_id, of in settlements.items():
        what = (of.state, of.outcome, of.reason, of.credits_charged)
        came_to.setdefault(what, []).append((lookup_id, of.answer_index))
    moves: dict[tuple[str, str], budget.Move] = {}
    for (state, outcome, reason, charged), rows in came_to.items():
        values = {
            "new_outcome": outcome,
            "new_reason": reason,
            "charged": charged,
            "of_reply": reply_id,
            "at": answered_at,
            "new_revision": transaction.revision,
            ROWS: as_json(rows),
        }
        moved = _SETTLE[state].execute(connection, values).rowcount
        if moved != len(rows):
            raise FenceError(f"{len(rows) - moved} look-ups were settled already")
        if state == UNCONFIRMED:
            continue  # may have been billed: its credit stays reserved
        for run_id, day, count in _BY_BUDGET.execute(connection, {ROWS: values[ROWS]}):
            move = budget.Move(-count, count * charged)
            moves[run_id, day] = moves.get((run_id, day), budget.Move()) + move
    budget.book(connection, provider, moves)


def mark_read(transaction: Transaction, reply_id: str) -> None:
    """Nothing more is to be learnt from this reply."""
    _READ_REPLY.execute(transaction.connection, {"of_reply": reply_id})


def supersede_failure(
    transaction: Transaction,
    provider: str,
    lookup_id: str,
    success: Settlement,
    *,
    reply_id: str,
    answered_at: datetime,
) -> None:
    """Write a success that came after the same look-up had failed.

    It becomes a look-up of its own in the place after the failed one, or in the place
    of one that was released. Where somebody else has been there since, it stays raw.
    """
    connection = transaction.connection
    booked = connection.execute(
        _SUPERSEDE,
        {
            "failed_id": lookup_id,
            "lookup_id": uuid4().hex,
            "outcome": success.outcome,
            "of_reply": reply_id,
            "answer_index": success.answer_index,
            "credits_charged": success.credits_charged,
            "at": answered_at,
            "new_revision": transaction.revision,
        },
    ).one_or_none()
    if booked is not None:
        move = budget.Move(charged=success.credits_charged)
        budget.book(connection, provider, {(booked.run_id, booked.budget_day): move})


def note_unsent(transaction: Transaction, batch_id: str, error: str, now: datetime) -> None:
    """The request never left: its items leave the rate window at once."""
    transaction.connection.execute(
        update(batches).where(batches.c.batch_id == batch_id).values(error=error, slot_free_at=now)
    )


def note_error(transaction: Transaction, batch_id: str, error: str) -> None:
    """Keep the code of what went wrong with a batch (never text from outside)."""
    transaction.connection.execute(_NOTE_ERROR, {"of_batch": batch_id, "error": error})


def mark_applied(transaction: Transaction, lookup_ids: Sequence[str]) -> int:
    """The answers stand in the warehouse's tables. No new revision: nothing new is to be read."""
    return transaction.connection.execute(
        update(lookups)
        .where(lookups.c.lookup_id.in_(lookup_ids), _may_become(APPLIED))
        .values(state=APPLIED)
    ).rowcount


def abandoned(
    transaction: Transaction,
    provider: str,
    dead_run_ids: Sequence[str],
    limits: Limits,
    now: datetime,
) -> dict[str, Settlement]:
    """What nobody will bring to an end: settlements for it, by look-up id.

    A reservation that was not sent is released once its run is dead or its
    lease is over; the dispatcher leaves none, since it commits both steps as one.
    What was sent, has no reply that is still to be read and is
    past its deadline may have been billed: unconfirmed. So is what was sent in the
    future, by a clock that was ahead: when its deadline passes, nobody can tell.
    """
    connection = transaction.connection
    unsent = connection.execute(
        select(lookups.c.lookup_id).where(
            lookups.c.provider == provider,
            lookups.c.answered_at.is_(None),
            lookups.c.state == RESERVED,
            or_(
                lookups.c.run_id.in_(dead_run_ids),
                lookups.c.reserved_at <= now - limits.send_lease,
                lookups.c.reserved_at > furthest(now),
            ),
        )
    ).scalars()
    settlements = {
        lookup_id: Settlement(RELEASED, "retriable", "never_sent") for lookup_id in unsent
    }
    has_unread_reply = exists().where(
        replies.c.batch_id == lookups.c.batch_id, replies.c.reply_id == unread_replies.c.reply_id
    )
    unanswered = connection.execute(
        select(lookups.c.lookup_id)
        .join(batches, batches.c.batch_id == lookups.c.batch_id)
        .where(
            lookups.c.provider == provider,
            lookups.c.answered_at.is_(None),
            lookups.c.state == SENT,
            or_(batches.c.deadline_at <= now, batches.c.sent_at > furthest(now)),
            ~has_unread_reply,
        )
    ).scalars()
    for lookup_id in unanswered:
        settlements[lookup_id] = Settlement(UNCONFIRMED, "unconfirmed", "no_answer_by_deadline")
    return settlements


def free_unsent_slots(transaction: Transaction, provider: str, now: datetime) -> None:
    """Batches none of whose look-ups were sent leave the rate window."""
    still_open = exists().where(
        and_(lookups.c.batch_id == batches.c.batch_id, lookups.c.state != RELEASED)
    )
    transaction.connection.execute(
        update(batches)
        .where(
            batches.c.provider == provider,
            batches.c.sent_at.is_(None),
            batches.c.slot_free_at > now,
            ~still_open,
        )
        .values(slot_free_at=now)
    )
