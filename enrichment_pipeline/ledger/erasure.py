"""Erasing raw replies that the policy does not let us keep any longer.

Here: the bodies. What a call was about, how it ended and what it cost stay, or it would be paid
for again. Not here: when a reply is too old, and what was read from it (`warehouse/retention.py`).
"""

from datetime import datetime

from sqlalchemy import exists, func, select, update

from enrichment_pipeline.ledger.schema import calls, replies, requests, unread_replies
from enrichment_pipeline.ledger.store import LedgerStore, Transaction

ERASED = b""
"""In place of a body."""


def erase_bodies(store: LedgerStore, provider: str, before: datetime, *, copied_up_to: int) -> int:
    """Erase the bodies of a provider's replies from before that instant; how many.

    Only of those that were read, and whose calls' results stand in the warehouse: up to that
    revision they do.
    """
    of_provider = select(requests.c.request_id).where(requests.c.provider == provider)
    is_unread = exists().where(unread_replies.c.reply_id == replies.c.reply_id)
    is_news = exists().where(
        calls.c.request_id == replies.c.request_id, calls.c.revision > copied_up_to
    )
    statement = (
        update(replies)
        .where(
            replies.c.request_id.in_(of_provider),
            replies.c.answered_at < before,
            func.length(replies.c.body) > 0,
            ~is_unread,
            ~is_news,
        )
        .values(body=ERASED)
    )

    def erase(transaction: Transaction) -> int:
        return transaction.connection.execute(statement).rowcount

    return store.transact(erase)
