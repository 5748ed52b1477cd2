"""Notifications that are still to be delivered, each a row until it is.

Here: owing one, taking those that are due, and what became of each. Not here: where one may go, and
sending it (`entry/`).

Taking moves the next try past the time that sending may last, in the transaction that takes. So no
two processes send the same one at once, and those of a process that was killed come due again.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit
from uuid import uuid4

from sqlalchemy import ColumnElement, and_, delete, exists, func, insert, select, update

from enrichment_pipeline.ledger.schema import notifications
from enrichment_pipeline.ledger.store import LedgerStore, Transaction

LOOK_AT = 100
"""How many of those that are due are looked at for some that may be sent now."""


@dataclass(frozen=True)
class Owed:
    """A notification that is to be sent now, for the `tries`-th time."""

    id: str
    contact_id: str
    url: str
    host: str
    body: str
    owed_since: datetime
    tries: int


def owe(transaction: Transaction, *, contact_id: str, url: str, body: str, now: datetime) -> str:
    """Have the body sent to the URL, which was checked; the notification's id."""
    notification_id = f"msg_{uuid4().hex}"
    transaction.connection.execute(
        insert(notifications).values(
            notification_id=notification_id,
            contact_id=contact_id,
            url=url,
            host=urlsplit(url).hostname or "",
            body=body,
            owed_since=now,
            next_try_at=now,
        )
    )
    return notification_id


def is_due(store: LedgerStore, now: datetime, *, except_hosts: Collection[str] = ()) -> bool:
    """Whether there is something to take."""
    with store.read() as connection:
        return bool(connection.scalar(select(exists().where(_due(now, except_hosts)))))


def take_due(
    transaction: Transaction,
    now: datetime,
    limit: int,
    lease: timedelta,
    *,
    per_host: int,
    under_way: Mapping[str, int],
) -> list[Owed]:
    """Up to `limit` that are due, longest due first; they come due again when the lease is over.

    No host gets more than `per_host` at once, those included that are `under_way` to it.
    """
    by_host = Counter(under_way)
    full = [host for host, count in by_host.items() if count >= per_host]
    query = (
        select(
            notifications.c.notification_id,
            notifications.c.contact_id,
            notifications.c.url,
            notifications.c.host,
            notifications.c.body,
            notifications.c.owed_since,
            notifications.c.tries + 1,
        )
        .where(_due(now, full))
        .order_by(notifications.c.next_try_at, notifications.c.notification_id)
        .limit(LOOK_AT)
    )
    taken: list[Owed] = []
    for owed in (Owed(*row) for row in transaction.connection.execute(query)):
        if len(taken) < limit and by_host[owed.host] < per_host:
            by_host[owed.host] += 1
            taken.append(owed)
    transaction.connection.execute(
        update(notifications)
        .where(notifications.c.notification_id.in_([owed.id for owed in taken]))
        .values(next_try_at=now + lease, tries=notifications.c.tries + 1)
    )
    return taken


def retry_at(transaction: Transaction, notification_id: str, next_try_at: datetime) -> None:
    """Have it sent again, but not before that time."""
    transaction.connection.execute(
        update(notifications)
        .where(notifications.c.notification_id == notification_id)
        .values(next_try_at=next_try_at)
    )


def remove(transaction: Transaction, notification_id: str) -> None:
    """It is delivered, or given up."""
    transaction.connection.execute(
        delete(notifications).where(notifications.c.notification_id == notification_id)
    )


def count_owed(store: LedgerStore) -> int:
    with store.read() as connection:
        return connection.scalar(select(func.count()).select_from(notifications)) or 0


def _due(now: datetime, except_hosts: Collection[str]) -> ColumnElement[bool]:
    return and_(notifications.c.next_try_at <= now, notifications.c.host.not_in(list(except_hosts)))
