"""A contact of the tests that kill: the n-th of them, by name and e-mail or company.

Here: what the killed process and the test must agree on. Not here: the people that the stand-in
knows.
"""

from __future__ import annotations

from enrichment_pipeline.entry.contact import EnteredContact


def full_name(n: int) -> str:
    return f"Person {chr(97 + n // 26)}{chr(97 + n % 26)}son"


def email(n: int) -> str:
    return f"p{n}@x-quillforge.com"


COMPANY = "Quillforge"


def contact_of(n: int) -> EnteredContact:
    return EnteredContact(full_name=full_name(n), email=email(n))


def named_contact_of(n: int) -> EnteredContact:
    """The same person, whom only a search can find."""
    return EnteredContact(full_name=full_name(n), company_name=COMPANY)
