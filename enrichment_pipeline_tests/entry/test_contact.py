"""A contact as it is posted: the id that we make for it."""

from __future__ import annotations

import pytest

from enrichment_pipeline.entry.contact import EnteredContact

PHONE = "+49 30 901820"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            {"linkedin_url": "https://www.linkedin.com/in/ada"},
            {"linkedin_url": "linkedin.com/in/ADA/"},
        ),
        ({"email": "Ada@Example.com"}, {"email": "ada@example.com", "full_name": "Ada"}),
        (
            {"phone": PHONE, "full_name": "Ada  Low"},
            {"phone": "+4930901820", "full_name": "ada low"},
        ),
        (
            {"full_name": "Ada Low", "company_name": "X"},
            {"first_name": "ada", "last_name": "low", "company_name": "x "},
        ),
    ],
)
def test_the_same_identity_gets_the_same_id(one: dict[str, str], other: dict[str, str]):
    assert EnteredContact(**one).id == EnteredContact(**other).id


def test_two_who_share_a_switchboard_are_two_contacts():
    one = EnteredContact(full_name="Eusebius Tanglewood", phone=PHONE)
    other = EnteredContact(full_name="Philomena Drinkwater", phone=PHONE)
    assert one.id != other.id


def test_a_given_id_stays():
    assert EnteredContact(contact_id="lead-17", email="ada@example.com").id == "lead-17"
