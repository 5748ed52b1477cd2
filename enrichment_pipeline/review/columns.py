"""The words and columns of a review: the same in files and in a table of decisions.

Here: names, in the order in which a file has them, and a row of cells under them. Not here:
how a file is written (`files.py`), and which decisions are allowed (`decisions.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass

DECISION_MEANINGS: Mapping[str, str] = {
    "accept": "this profile is the contact: its answers count, now and in later refreshes",
    "replace": "these values instead: what you fill in on the right beats every provider",
    "reject": "it is somebody else: this profile fills nothing, now and later",
    "never": "never look this person up again",
    "retry": "look this contact up again in the next run",
}
DECISIONS: tuple[str, ...] = tuple(DECISION_MEANINGS)

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

SHOWN_MEANINGS: Mapping[str, str] = {
    "contact_id": "the source's id",
    "priority": "strategic, target, standard or bulk",
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
    "found_emails": "with the provider's rating: verified, likely or unverified",
    "found_phones": "with the provider's rating: verified, likely or unverified",
}
"""What there is to decide on. Where several profiles were found, each has a line in the cells."""

SHOWN: tuple[str, ...] = tuple(SHOWN_MEANINGS)

GIVEN_MEANINGS: Mapping[str, str] = {
    "decision": f"one of {', '.join(DECISIONS)}; a row without one waits on",
    "provider_uid": "which profile accept or reject is about, where several were found",
    **dict.fromkeys(FIELDS, "fill in to replace the value that is shown"),
    "decided_by": "who decided; where empty, whoever imports the file",
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
