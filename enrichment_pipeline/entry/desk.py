"""What takes entries, as HTTP and Python see it.

Here: the protocol, and what can go wrong. Not here: doing it (`service.py`).
"""

from datetime import timedelta
from enum import Enum, auto
from typing import Protocol

from enrichment_pipeline.entry.contact import EnteredContact
from enrichment_pipeline.entry.enrichment import Enrichment
from enrichment_pipeline.ledger.entries import RequestKey


class TakenBack(Enum):
    """What became of the wish to take an entry back."""

    TAKEN_BACK = auto()
    NOT_ENTERED = auto()
    ALREADY_BOUGHT = auto()


class NotRecordedError(Exception):
    """The contact could not be recorded. Nothing was bought; it may be sent again."""


class KeyReusedError(Exception):
    """The same key came with another body."""


class StillAnsweringError(Exception):
    """A request with the same key is being answered."""


class Desk(Protocol):
    """Takes contacts, and tells what they have come to."""

    async def enter(
        self,
        contact: EnteredContact,
        *,
        wait: timedelta,
        notify_url: str | None = None,
        request: RequestKey | None = None,
    ) -> Enrichment:
        """Record the contact, then what it has come to: decided, or so far when `wait` is over.

        The same request gets the same answer again. Raises NotRecordedError, KeyReusedError and
        StillAnsweringError.
        """
        ...

    async def find(self, contact_id: str) -> Enrichment | None:
        """What an entry has come to by now; None for an id that was never entered."""
        ...

    async def take_back(self, contact_id: str) -> TakenBack:
        """Forget an entry before it is bought."""
        ...

    async def ping(self) -> None:
        """Raise where nothing could be recorded now."""
        ...
