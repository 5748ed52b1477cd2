"""Addresses that a provider infers from a name and a domain, and gives without a profile.

Here: who they are taken for, and what they are worth. Not here: how the answers read
(`providers/test_hunter.py`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from enrichment_pipeline.providers.hunter.facts import HUNTER
from enrichment_pipeline_tests.warehouse import World, person

PAGE = {"domain": "acme.com", "uri": "https://acme.com/team"}
PROFILE = "https://www.linkedin.com/in/"
ENRICHED = ("enriched", None)
UNVERIFIED = ("needs_review", "no_verified_email")
ANOTHERS = ("needs_review", "identity_mismatch")


class Case(NamedTuple):
    """What the answer says beside the name that was asked for, and what comes of it.

    `known`: what the source has of the contact beside its name and company.
    """

    answer: Mapping[str, Any]
    status: tuple[str, str | None]
    shown: tuple[str, str] | None
    known: Mapping[str, str] = {}


FOUND = {"outcome": "matched", "provider": HUNTER.name, "answer_index": 0}
CASES = {
    "Ada Example": Case({}, ENRICHED, ("ada@acme.com", "verified")),
    "Bob Other": Case({"first_name": "Eve", "last_name": "Fox"}, ANOTHERS, None),
    "Cem Third": Case(
        {"status": "accept_all", "sources": [PAGE]}, UNVERIFIED, ("cem@acme.com", "likely")
    ),
    "Dee Fourth": Case({"status": "accept_all"}, UNVERIFIED, ("dee@acme.com", "unverified")),
    # somebody of that name was there before the one whose address it is
    "Eli Fifth": Case({"email": "eli.fifth2@acme.com"}, ANOTHERS, None),
    "Fay Sixth": Case(
        {"email": "fay.sixth2@acme.com", "position": "Head of IT"},
        ANOTHERS,
        None,
        {"job_title": "Head of Sales"},
    ),
    "Gil Seventh": Case(
        {"email": "gil2@acme.com", "position": "HEAD of IT"},
        ENRICHED,
        ("gil2@acme.com", "verified"),
        {"job_title": "Head of IT"},
    ),
    "Hal Eighth": Case(
        {"email": "hal2@acme.com"},
        ENRICHED,
        ("hal2@acme.com", "verified"),
        {"email": "hal2@acme.com"},
    ),
    "Ida Ninth": Case(
        {"email": "ida2@acme.com", "phone_number": "+12015550123"},
        ENRICHED,
        ("ida2@acme.com", "verified"),
        {"phone": "+1 201 555 0123"},
    ),
    "Joe Tenth": Case(
        {"email": "joe2@acme.com", "linkedin_url": f"{PROFILE}joe-tenth"},
        ENRICHED,
        ("joe2@acme.com", "verified"),
        {"linkedin_url": f"{PROFILE}joe-tenth/"},
    ),
    # another profile than ours tells of another person
    "Kay Eleventh": Case(
        {"linkedin_url": f"{PROFILE}kay-eleventh-1a2b"},
        ANOTHERS,
        None,
        {"linkedin_url": f"{PROFILE}kay-eleventh"},
    ),
    "Lou Twelfth": Case(
        {"linkedin_url": f"{PROFILE}lou-twelfth-1a2b", "position": "Head of IT"},
        ENRICHED,
        ("lou@acme.com", "verified"),
        {"linkedin_url": f"{PROFILE}lou-twelfth", "job_title": "Head of IT"},
    ),
    # a profile alone contradicts nothing, and neither does a longer title
    "Max Thirteenth": Case(
        {"linkedin_url": f"{PROFILE}max-thirteenth", "position": "Sales Director, EMEA"},
        ENRICHED,
        ("max@acme.com", "verified"),
        {"job_title": "Director Sales"},
    ),
    # another title does
    "Ned Fourteenth": Case(
        {"position": "Head of IT"}, ANOTHERS, None, {"job_title": "Head of Sales"}
    ),
    "Ola Last": Case(
        {"position": "Head of IT"},
        ENRICHED,
        ("ola@acme.com", "verified"),
        {"job_title": "Head of Sales", "email": "ola@acme.com"},
    ),
}
"""By the name that was asked for."""


def answered(full_name: str, says: Mapping[str, Any]) -> bytes:
    first_name, _, last_name = full_name.partition(" ")
    data = {
        "first_name": first_name,
        "last_name": last_name,
        "email": f"{first_name.lower()}@acme.com",
        "score": 95,
        "domain": "acme.com",
        "company": "Acme",
        "verification": {"date": "2026-02-01", "status": says.get("status", "valid")},
        "sources": [],
        **says,
    }
    return json.dumps({"data": data}).encode()


def test_what_may_be_a_namesakes_is_for_review_and_a_guess_is_not_verified(world: World) -> None:
    unknown = {"email": "", "linkedin_url": ""}
    world.load(
        {**person(name), "full_name": name, **unknown, **case.known} for name, case in CASES.items()
    )
    told = {**FOUND, "item_kind": "name"}
    world.look_up_each(
        (name, {**told, "body": answered(name, case.answer)}) for name, case in CASES.items()
    )
    world.derive()
    assert {name: world.status(name) for name in CASES} == {
        name: case.status for name, case in CASES.items()
    }
    shown = {
        row["contact_id"]: (row["work_email"], row["work_email_status"])
        for row in world.rows("enrichment.enriched_contacts")
    }
    assert shown == {name: case.shown for name, case in CASES.items() if case.shown}
    review = world.only("enrichment.needs_review", "contact_id = 'Eli Fifth'")
    assert "another person's of that name" in review["detail"]


def test_who_was_asked_for_by_more_than_a_name_has_nothing_to_show_beyond_it(world: World) -> None:
    kinds = ("email", "linkedin", "phone", "name")
    world.load({**person(kind), "full_name": "Ada Example"} for kind in kinds)
    answer = answered("Ada Example", {"email": "ada2@acme.com"})
    world.look_up_each((kind, {**FOUND, "item_kind": kind, "body": answer}) for kind in kinds)
    world.derive()
    assert {kind for kind in kinds if world.status(kind) == ENRICHED} == {*kinds} - {"name"}
