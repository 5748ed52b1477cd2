"""What a notification says, and owing it: in the transaction that decides a contact.

Here: what runs and the point of entry share, without an HTTP client. Not here: sending what is owed
(`notifying.py`), and keeping it (`ledger/notifications.py`).
"""

import json
from collections.abc import Iterable
from datetime import datetime

from enrichment_pipeline.entry.enrichment import Enrichment
from enrichment_pipeline.ledger import notifications
from enrichment_pipeline.ledger.store import Transaction

TYPE = "contact.decided"


def notification_body(enrichment: Enrichment, at: datetime) -> str:
    """What is sent of a contact that was decided then; the ledger keeps it, and it is signed."""
    data = enrichment.model_dump(mode="json")
    return json.dumps({"type": TYPE, "timestamp": at.isoformat(), "data": data})


def owe(
    transaction: Transaction, enrichment: Enrichment, urls: Iterable[str], now: datetime
) -> None:
    """Have these URLs told what a contact was decided to be."""
    body = notification_body(enrichment, now)
    for url in urls:
        notifications.owe(
            transaction, contact_id=enrichment.contact_id, url=url, body=body, now=now
        )
