"""The journal of a batch after its reservation: sent, answered, settled or given back.

Here: every change of a look-up's state, each with its fence. Not here: the
decision to admit (`admission.py`), and the meaning of an answer (`providers/`).
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

from sqlalchemy import ColumnElement, and_, bindparam, exists, insert, or_, select, update

from enrichment_pipeline.ledger import budget
from enrichment_pipeline.ledger.limits import Limits
from enrichment_pipeline.ledger.schema import (
    ALLOWED_FROM,
    APPLIED,
    RELEASED,
    RESERVED,
    SENT,
    UNCONFIRMED,
    batches,
    lookups,
    replies,
)
from enrichment_pipeline.ledger.store import Transaction


class FenceError(Exception):
    """The look-ups are not in a state from which this step is allowed; nothing was changed."""


@dataclass(frozen=True)
class Settlement:
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


def mark_sent(transaction: Transaction, batch_id: str, limits: Limits, now: datetime) -> None:
    """Commit that the request is about to go out. Raises FenceError if it must not.

    After this commit the batch may have been billed. A reservation whose lease
    ran out may have been released by somebody else, and its place in the rate
    window be taken: it is refused here.
    """
    connection = transaction.connection
    batch = connection.execute(
        select(batches.c.item_count, batches.c.reserved_at).where(batches.c.batch_id == batch_id)
    ).one()
    if batch.reserved_at + limits.send_lease <= now:
        raise FenceError(f"batch {batch_id}: its lease ran out before it was sent")
    moved = connection.execute(
        update(lookups)
        .where(lookups.c.batch_id == batch_id, _may_become(SENT))
        .values(state=SENT, revision=transaction.revision)
    ).rowcount
    if moved != batch.item_count:
        raise FenceError(
            f"batch {batch_id}: {moved} of {batch.item_count} look-ups were still reserved"
        )
    deadline = now + limits.answer_deadline
    connection.execute(
        update(batches)
        .where(batches.c.batch_id == batch_id)
        .values(sent_at=now, deadline_at=deadline, slot_free_at=deadline + limits.window)
    )


def record_reply(
    transaction: Transaction,
    batch_id: str,
    *,
    http_status: int,
    body: bytes,
    credits_left: int | None,
    window: timedelta,
    now: datetime,
    business_now: datetime,
) -> str:
    """Keep the raw reply, before anything reads it; its id. The same bytes are kept once."""
    connection = transaction.connection
    digest = hashlib.sha256(body).hexdigest()
    known = connection.execute(
        select(replies.c.reply_id).where(
            replies.c.batch_id == batch_id, replies.c.body_sha256 == digest
        )
    ).scalar_one_or_none()
    if known is not None:
        return known
    reply_id = uuid4().hex
    connection.execute(
        insert(replies).values(
            reply_id=reply_id,
            batch_id=batch_id,
            received_at=now,
            answered_at=business_now,
            http_status=http_status,
            body=body,
            body_sha256=digest,
        )
    )
    connection.execute(
        update(batches)
        .where(batches.c.batch_id == batch_id)
        .values(responded_at=now, slot_free_at=now + window, credits_left=credits_left)
    )
    return reply_id


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
    by_state: dict[str, list[dict[str, object]]] = {}
    for lookup_id, settlement in settlements.items():
        by_state.setdefault(settlement.state, []).append(
            {
                "_lookup_id": lookup_id,
                "_outcome": settlement.outcome,
                "_reason": settlement.reason,
                "_answer_index": settlement.answer_index,
                "_credits_charged": settlement.credits_charged,
            }
        )
    for state, rows in by_state.items():
        connection.execute(
            update(lookups)
            .where(lookups.c.lookup_id == bindparam("_lookup_id"), _may_become(state))
            .values(
                state=state,
                outcome=bindparam("_outcome"),
                reason=bindparam("_reason"),
                answer_index=bindparam("_answer_index"),
                credits_charged=bindparam("_credits_charged"),
                reply_id=reply_id,
                answered_at=answered_at,
                revision=transaction.revision,
            ),
            rows,
        )
    moved = connection.execute(
        select(lookups.c.lookup_id, lookups.c.run_id, lookups.c.budget_day).where(
            lookups.c.lookup_id.in_(settlements), lookups.c.revision == transaction.revision
        )
    ).all()
    if len(moved) != len(settlements):
        raise FenceError(f"{len(settlements) - len(moved)} look-ups were settled already")
    given_back: Counter[tuple[str, str]] = Counter()
    charged: Counter[tuple[str, str]] = Counter()
    for row in moved:
        settlement = settlements[row.lookup_id]
        if settlement.state == UNCONFIRMED:
            continue  # may have been billed: its credit stays reserved
        if settlement.credits_charged:
            charged[row.run_id, row.budget_day] += settlement.credits_charged
        else:
            given_back[row.run_id, row.budget_day] += 1
    if given_back:
        budget.move(connection, provider, given_back, to="released")
    if charged:
        budget.move(connection, provider, charged, to="charged")


def note_unsent(transaction: Transaction, batch_id: str, error: str, now: datetime) -> None:
    """The request never left: its items leave the rate window at once."""
    transaction.connection.execute(
        update(batches).where(batches.c.batch_id == batch_id).values(error=error, slot_free_at=now)
    )


def note_error(transaction: Transaction, batch_id: str, error: str) -> None:
    """Keep the code of what went wrong with a batch (never text from outside)."""
    transaction.connection.execute(
        update(batches).where(batches.c.batch_id == batch_id).values(error=error)
    )


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
    lease is over. What was sent, has no reply and is past its deadline may
    have been billed: unconfirmed.
    """
    connection = transaction.connection
    unsent = connection.execute(
        select(lookups.c.lookup_id).where(
            lookups.c.provider == provider,
            lookups.c.state == RESERVED,
            or_(
                lookups.c.run_id.in_(dead_run_ids),
                lookups.c.reserved_at <= now - limits.send_lease,
            ),
        )
    ).scalars()
    settlements = {
        lookup_id: Settlement(RELEASED, "retriable", "never_sent") for lookup_id in unsent
    }
    has_reply = exists().where(replies.c.batch_id == lookups.c.batch_id)
    unanswered = connection.execute(
        select(lookups.c.lookup_id)
        .join(batches, batches.c.batch_id == lookups.c.batch_id)
        .where(
            lookups.c.provider == provider,
            lookups.c.state == SENT,
            batches.c.deadline_at <= now,
            ~has_reply,
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


def _may_become(state: str) -> ColumnElement[bool]:
    # spelled out, since `in` cannot be bound once for many rows
    return or_(*(lookups.c.state == allowed for allowed in ALLOWED_FROM[state]))
