"""The words and columns of a review: the same in files and in a table of decisions.

Here: names, in the order in which a file has them, and a row of cells under them. Not here:
how a file is written (`files.py`), and which decisions are allowed (`decisions.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass

DECISIONS: tuple[str, ...] = ("accept", "replace", "reject", "never", "retry")
"""This profile is the contact; these values instead; it is somebody else; never ask again; ask
again at once."""

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

SHOWN: tuple[str, ...] = (
    "contact_id",
    "priority",
    "reason",
    "detail",
    "our_name",
    "our_title",
    "our_company",
    "our_email",
    "our_phone",
    "our_linkedin_url",
    "found_uid",
    "found_name",
    "found_title",
    "found_company",
    "found_emails",
    "found_phones",
)
"""What there is to decide on."""

GIVEN: tuple[str, ...] = ("decision", "provider_uid", *FIELDS, "decided_by", "note")
"""What the reviewer fills in."""

COLUMNS: tuple[str, ...] = (*SHOWN, *GIVEN, "lookup_id")
"""A file's columns. The last says which answer the reviewer was shown."""

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
