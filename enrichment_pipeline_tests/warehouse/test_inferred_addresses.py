"""Addresses that a provider infers from a name and a domain, and gives without a profile.

Here: who they are taken for, and what they are worth. Not here: how the answers read
(`providers/test_hunter.py`).
"""

from __future__ import annotations

import json

from enrichment_pipeline.providers.hunter.facts import HUNTER
from enrichment_pipeline_tests.warehouse import World, person

PAGE = {"domain": "acme.com", "uri": "https://acme.com/team"}


CASES = {
    "Ada Example": ("Ada Example", "valid", []),
    "Bob Other": ("Eve Fox", "valid", []),
    "Cem Third": ("Cem Third", "accept_all", [PAGE]),
    "Dee Fourth": ("Dee Fourth", "accept_all", []),
}
"""By the name that was asked for: the name that the answer bears, and how sure the address is."""


def answered(full_name: str, status: str, sources: list[dict[str, str]]) -> bytes:
    first_name, _, last_name = full_name.partition(" ")
    data = {
        "first_name": first_name,
        "last_name": last_name,
        "email": f"{first_name.lower()}@acme.com",
        "score": 95,
        "domain": "acme.com",
        "company": "Acme",
        "verification": {"date": "2026-02-01", "status": status},
        "sources": sources,
    }
    return json.dumps({"data": data}).encode()


def test_an_answer_under_another_name_is_refused_and_a_guess_is_not_verified(world: World) -> None:
    unknown = {"email": "", "linkedin_url": ""}
    world.load({**person(name), "full_name": name, **unknown} for name in CASES)
    told = {"outcome": "matched", "provider": HUNTER.name, "answer_index": 0}
    world.look_up_each(
        (name, {**told, "body": answered(*answer)}) for name, answer in CASES.items()
    )
    world.derive()
    assert {name: world.status(name) for name in CASES} == {
        "Ada Example": ("enriched", None),
        "Bob Other": ("needs_review", "identity_mismatch"),
        "Cem Third": ("needs_review", "no_verified_email"),
        "Dee Fourth": ("needs_review", "no_verified_email"),
    }
    shown = {
        row["contact_id"]: (row["work_email"], row["work_email_status"])
        for row in world.rows("enrichment.enriched_contacts")
    }
    assert shown == {
        "Ada Example": ("ada@acme.com", "verified"),
        "Cem Third": ("cem@acme.com", "likely"),
        "Dee Fourth": ("dee@acme.com", "unverified"),
    }
