"""Where callbacks are kept: the ledger, many at a time.

Here: nothing but the way there. Not here: what the ledger does with them
(`ledger/calls.py`).
"""

from enrichment_pipeline.ledger.calls import Calls, Receipt
from enrichment_pipeline.ledger.group import GroupCommit
from enrichment_pipeline.ledger.store import LedgerStore


class LedgerInbox:
    """One provider's calls as the app's `Inbox`. Callbacks that come at once share a commit."""

    def __init__(self, store: LedgerStore, calls: Calls) -> None:
        self.provider = calls.provider
        self._calls = calls
        self._group = GroupCommit(store)

    async def keep(self, batch_id: str, body: bytes) -> Receipt:
        return await self._group.run(
            lambda transaction: self._calls.keep_callback(transaction, batch_id, body)
        )

    async def ping(self) -> None:
        """Commit nothing, which takes the same lock as keeping does."""
        await self._group.run(lambda _transaction: None)
