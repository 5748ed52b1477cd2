"""The words and columns of a review: the same in files and in a table of decisions.

Here: names, in the order in which a file has them, and a row of cells under them. Not here:
how a file is written (`files.py`), and which decisions are allowed (`decisions.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from enrichment_pipeline.vocabulary import (
    PRIORITIES,
    REVIEW_DECISIONS,
    VALUE_STATUSES,
    one_of,
    words_of,
)

DECISIONS: tuple[str, ...] = words_of(REVIEW_DECISIONS)

EMAIL_FIELDS: tuple[str, ...] = ("work_email", "personal_email")
PHONE_FIELDS: tuple[str, ...] = ("direct_phone", "mobile_phone")
FIELDS: tuple[str, ...] = (
    *EMAIL_FIELDS,
    *PHONE_FIELDS,
    "full_name",
    "job_title",
    "company_name",
    "company_domain",
    "linkedin_url",
    "location",
)
"""What a reviewer may give instead: a value that is written into it beats every provider's."""

_RATED = f"with the provider's rating: {one_of(words_of(VALUE_STATUSES))}"

SHOWN_MEANINGS: Mapping[str, str] = {
    "contact_id": "the source's id",
    "priority": one_of(PRIORITIES),
    "reason": "why it waits for a person",
    "detail": "more on that",
    "our_name": "as the source has it",
    "our_title": "as the source has it",
    "our_company": "as the source has it",
    "our_email": "as the source has it",
    "our_phone": "as the source has it",
    "our_linkedin_url": "as the source has it",
    "found_uid": "the profile's id at the provider; copy the right one into provider_uid",
    "found_name": "the name on the profile",
    "found_title": "the present job; the first one shown, where a search does not say which it is",
    "found_company": "the present employers; all that are shown, where a search does not say",
    "found_location": "where the person is said to live",
    "found_link": "the profile's address; where the provider gives none, a search for name and "
    "company on LinkedIn",
    "found_score": "how much speaks for a profile that a search found, from 0 to 1",
    "found_evidence": "what that is made of, each from 0 to 1; or what differs from the contact",
    "found_emails": _RATED,
    "found_phones": _RATED,
}
"""What there is to decide on. Where several profiles were found, each has a line in the cells."""

SHOWN: tuple[str, ...] = tuple(SHOWN_MEANINGS)

GIVEN_MEANINGS: Mapping[str, str] = {
    "decision": f"one of {', '.join(DECISIONS)}; a row without one waits on",
    "provider_uid": "which profile accept or reject is about, where several were found",
    **dict.fromkeys(FIELDS, "fill in to replace the value that is shown"),
    "decided_by": "who decided; where empty, the one who imports the file",
    "note": "kept with the decision",
}
"""What the reviewer fills in."""

GIVEN: tuple[str, ...] = tuple(GIVEN_MEANINGS)

COLUMN_MEANINGS: Mapping[str, str] = {
    **SHOWN_MEANINGS,
    **GIVEN_MEANINGS,
    "lookup_id": "which answer you were shown; leave it as it is",
}
"""A file's columns, and what stands in each."""

COLUMNS: tuple[str, ...] = tuple(COLUMN_MEANINGS)

EXACT: tuple[str, ...] = ("contact_id", "found_uid", "lookup_id")
"""What an import needs whole: these are never cut short."""

TABLE_COLUMNS: tuple[str, ...] = (
    "contact_id",
    "decision",
    "lookup_id",
    "provider_uid",
    "field",
    "value",
    "decided_by",
    "decided_at",
    "note",
)
"""A table of decisions has one row for each, and for `replace` one for each field."""


@dataclass(frozen=True)
class SheetRow:
    """A row of a file: its number as a spreadsheet shows it, and its cells by column."""

    number: int
    cells: Mapping[str, str]
