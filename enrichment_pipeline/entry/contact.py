"""One contact as it is posted: the columns of the source's contacts, and its id.

Here: what is taken and what is refused. Not here: who the contact is, which the warehouse's SQL
decides (`warehouse/sql/identity/`), and the answer to it (`enrichment.py`).
"""

import hashlib
import json
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from enrichment_pipeline.hashed_identifiers import linkedin_slug, personal_email, phone_number

LONGEST_TEXT = 2_000
"""Of a column. No name, address or URL is longer."""
LONGEST_ID = 200
ID_PREFIX = "entry-"
_ID_DIGITS = 24


def _storable(text: str | None) -> str | None:
    """Refuse what no database keeps as text."""
    if text is not None and ("\x00" in text or any("\ud800" <= sign <= "\udfff" for sign in text)):
        raise ValueError("holds a NUL or half of a surrogate pair, which cannot be kept")
    return text


Text = Annotated[str | None, Field(max_length=LONGEST_TEXT), AfterValidator(_storable)]
Id = Annotated[str | None, Field(min_length=1, max_length=LONGEST_ID), AfterValidator(_storable)]


class EnteredContact(BaseModel):
    """A contact with the columns that a source's contacts have; any of them may be missing."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    contact_id: Id = None
    account_id: Text = None
    first_name: Text = None
    last_name: Text = None
    full_name: Text = None
    email: Text = None
    phone: Text = None
    linkedin_url: Text = None
    company_name: Text = None
    company_domain: Text = None
    job_title: Text = None
    created_at: Text = None
    updated_at: Text = None

    @property
    def id(self) -> str:
        """The id that was given; else one that is the same each time for the same identity."""
        if self.contact_id is not None:
            return self.contact_id
        return f"{ID_PREFIX}{_digest(self._best_identifier())[:_ID_DIGITS]}"

    @property
    def content(self) -> str:
        """All but its id, as JSON: the answer follows from this alone."""
        given = self.model_dump(exclude={"contact_id"}, exclude_none=True)
        return json.dumps(given, ensure_ascii=False, sort_keys=True)

    @property
    def content_sha256(self) -> str:
        return _digest(self.content)

    def _best_identifier(self) -> str:
        """In the order in which a run looks people up: profile, e-mail, phone, name at a company.

        A phone counts with its country code only, and with the name: a switchboard is that of many,
        and the later of them would take the place of the earlier. A contact with none of these is
        told apart by everything that was posted.
        """
        if slug := linkedin_slug(self.linkedin_url or ""):
            return f"linkedin:{slug}"
        if address := personal_email(self.email or ""):
            return f"email:{address}"
        name = _folded(self.full_name or f"{self.first_name or ''} {self.last_name or ''}")
        if number := phone_number(self.phone or ""):
            return f"phone:{number} {name}"
        company = self.company_domain or self.company_name
        if name and company:
            return f"name:{name}@{_folded(company)}"
        return f"content:{self.content}"


def _folded(text: str) -> str:
    return " ".join(text.lower().split())


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
