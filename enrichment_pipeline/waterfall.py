"""The waterfall: which providers are asked, one after the other, and about which contacts.

Here: a provider's turn as the warehouse reads it, which knows no providers. Not here: the order
(`policy.py`), what providers tell of themselves (`providers/`), and whose turn it is
(`warehouse/sql/planning/`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from enrichment_pipeline.vocabulary import PRIORITIES

EVERY_IDENTIFIER = frozenset({"linkedin", "email", "phone"})
"""The kinds of identifier that a contact can have of its own, best first."""


@dataclass(frozen=True)
class Turn:
    """A provider that is asked, by which kinds of identity, and for which priorities."""

    provider: str
    identities: frozenset[str]
    priorities: tuple[str, ...] = PRIORITIES


Waterfall = Sequence[Turn]
"""The turns in their order: each is for the contacts that the ones before have left open."""
