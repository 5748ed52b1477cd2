"""Where callbacks are kept: the ledger, many at a time.

Here: nothing but the way there. Not here: what the ledger does with them
(`ledger/ledger.py`).
"""

from enrichment_pipeline.ledger.group import GroupCommit
from enrichment_pipeline.ledger.ledger import Ledger, Receipt


class LedgerInbox:
    """One provider's ledger as the app's `Inbox`. Callbacks that come at once share a commit."""

    def __init__(self, ledger: Ledger) -> None:
        self.provider = ledger.provider
        self._group = GroupCommit(ledger)

    async def keep(self, batch_id: str, body: bytes) -> Receipt:
        return await self._group.run(lambda ledger: ledger.keep_callback(batch_id, body))

    async def ping(self) -> None:
        """Commit nothing, which takes the same lock as keeping does."""
        await self._group.run(lambda _ledger: None)
