"""What an entered contact has come to, as HTTP, Python and notifications give it.

Here: the form of the answer. Not here: the contact itself (`contact.py`), and how the answer comes
about (`service.py`).
"""

import json
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:  # HTTP alone needs no DuckDB
    from enrichment_pipeline.warehouse.entered_contacts import EntryAnswer

Status = Literal["enriched", "needs_review", "queued", "in_flight", "suppressed"]
"""As in `contact_status`."""
UNDER_WAY: frozenset[str] = frozenset({"queued", "in_flight"})
"""Those of them that are not decided yet."""


class FieldValue(BaseModel):
    """A field's value, where it is from, and how far it is verified."""

    model_config = ConfigDict(frozen=True)

    value: str
    status: Literal["verified", "likely", "unverified"] | None = None
    provider: str | None = Field(None, description="Who gave it; human for a reviewer")
    observed_at: datetime | None = None


_OWN = frozenset({"contact_id", "credits"})
"""What an answer leaves out: whose it is, and what one request for it cost."""


class Enrichment(BaseModel):
    """What a contact has come to so far."""

    model_config = ConfigDict(frozen=True)

    contact_id: str
    status: Status
    reason: str | None = Field(
        None,
        description="As in contact_status; budget where it, or the day's searches, are used up",
    )
    needs_manual_enrichment: bool = False
    fields: dict[str, FieldValue] = Field(default_factory=dict)
    credits: int = Field(0, description="What was bought for it; 0 where the answer was known")
    next_lookup_at: datetime | None = None

    @property
    def is_decided(self) -> bool:
        """Whether it is enriched, for review, or not to be asked about: not under way any more."""
        return self.status not in UNDER_WAY


def enrichment_of(told: "EntryAnswer") -> Enrichment:
    """What the warehouse's tables tell of an entry."""
    return Enrichment.model_validate(
        {
            "contact_id": told.contact_id,
            "status": told.status,
            "reason": told.reason,
            "needs_manual_enrichment": told.needs_manual_enrichment,
            "fields": json.loads(told.fields),
            "next_lookup_at": told.next_lookup_at,
        }
    )


NOTHING_KNOWN = '{"status": "queued"}'
"""The answer of an entry that was recorded a moment ago."""


def as_answer(enrichment: Enrichment) -> str:
    """What a contact has come to, as the ledger keeps it: JSON without its id and the credits."""
    return enrichment.model_dump_json(exclude=set(_OWN))


def from_answer(contact_id: str, answer: str, units_charged: int = 0) -> Enrichment:
    """What an answer says of this contact, for which so much was bought."""
    of_request = {"contact_id": contact_id, "credits": units_charged}
    return Enrichment.model_validate_json(json.dumps({**json.loads(answer), **of_request}))
