"""Ids of profiles: what one provider calls a profile may be another person's at the next one."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from enrichment_pipeline.hashed_identifiers import hashed
from enrichment_pipeline.lanes import FRESHNESS, PRIORITIES, LaneBlock
from enrichment_pipeline.policy import Policy
from enrichment_pipeline.warehouse import common_profile
from enrichment_pipeline.warehouse.connection import transaction
from enrichment_pipeline.warehouse.searches import resolve_worklist
from enrichment_pipeline.warehouse.worklist import BEFORE_THE_FIRST, read_page, select_worklist
from enrichment_pipeline_tests.support import START
from enrichment_pipeline_tests.warehouse import (
    ADA,
    BOB,
    DAY,
    FIRST,
    VERIFIED,
    World,
    alone,
    candidate,
    reading_of,
)

OTHER = "other"
"""A second provider; its answers have the first one's shape."""
SAME = "f" * 32
"""The id of a profile of the one's, and of another person's at the other."""
OF_BOB = candidate("Bob Other", emails=[("bob@brio.com", 100, "work")])
LANES = LaneBlock(FRESHNESS, PRIORITIES).lanes
SEARCHING = Policy.model_validate({"signalhire": {"search": "on"}})


@pytest.fixture(autouse=True)
def both_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    reading = reading_of()
    both = (reading, replace(reading, provider=OTHER))
    monkeypatch.setattr(common_profile, "readings", lambda: both)


def owners(world: World) -> dict[str, str]:
    """Whose each id of a profile is, by the contact."""
    contacts = {person: contact for contact, person in world.persons().items()}
    rows = world.rows("staging.person_aliases", "starts_with(alias, 'uid:')")
    return {row["alias"]: contacts[row["person_key"]] for row in rows}


def test_one_id_at_two_providers_is_two_persons(world: World) -> None:
    world.load([ADA, BOB])
    world.look_up("C1", candidate=VERIFIED)
    world.look_up("C2", candidate=OF_BOB, provider=OTHER)
    world.derive()
    assert owners(world) == {f"uid:{FIRST}:{SAME}": "C1", f"uid:{OTHER}:{SAME}": "C2"}
    uids = {row["contact_id"]: row["provider_uids"] for row in world.rows(IDENTITIES)}
    assert uids == {"C1": {FIRST: SAME}, "C2": {OTHER: SAME}}


IDENTITIES = "staging.contact_identities"


def test_a_provider_is_told_of_its_own_ids_only(world: World) -> None:
    world.load([ADA])
    world.look_up("C1", candidate=VERIFIED)
    world.look_up("C1", candidate={**VERIFIED, "uid": "e" * 32}, provider=OTHER)
    world.derive()
    known_by = {}
    for provider in (FIRST, OTHER):
        with transaction(world.connection):
            select_worklist(
                *(world.connection, world.policy, LANES),
                waterfall=alone(provider),
                as_of=START + 100 * DAY,
                run_id="run-2",
            )
        ([item], _) = read_page(world.connection, LANES, provider, BEFORE_THE_FIRST, 10)
        known_by[provider] = {each for each in item.known_by if each.startswith("uid:")}
    assert known_by == {FIRST: {hashed("uid", SAME)}, OTHER: {hashed("uid", "e" * 32)}}


def test_what_is_shown_is_the_id_of_the_provider_that_is_shown(world: World) -> None:
    """A finder's answers bear none: then none is shown."""
    world.load([ADA])
    world.look_up("C1", candidate=VERIFIED)
    world.look_up("C1", candidate={**VERIFIED, "uid": None}, provider=OTHER, at=START + DAY)
    world.derive(at=START + DAY)
    shown = world.only("enrichment.enriched_contacts")
    assert (shown["provider"], shown["provider_uid"]) == (OTHER, None)
    world.look_up("C1", candidate=VERIFIED, at=START + 2 * DAY)
    world.derive(at=START + 2 * DAY)
    shown = world.only("enrichment.enriched_contacts")
    assert (shown["provider"], shown["provider_uid"]) == (FIRST, SAME)


def test_a_reviewer_rejects_the_profile_of_one_provider(world: World) -> None:
    """One that was decided on before decisions named the provider was the first one's."""
    world.load([ADA, {**BOB, "full_name": "Ada Example"}])
    for contact_id, named in {"C1": OTHER, "C2": None}.items():
        world.look_up(contact_id, candidate=VERIFIED)
        world.look_up(contact_id, candidate=VERIFIED, provider=OTHER)
        world.decide(contact_id, "reject", uid=SAME, provider=named)
    world.derive()
    judged = {
        (row["contact_id"], row["provider"]): row["judgement"]
        for row in world.rows("staging.judgements")
    }
    assert judged == {
        ("C1", FIRST): "matched",
        ("C1", OTHER): "rejected",
        ("C2", FIRST): "rejected",
        ("C2", OTHER): "matched",
    }


def searched(world: World, provider: str, contact_id: str) -> None:
    """A search for this contact at this provider that found the profile with the same id."""
    contact = world.only("staging.contacts", f"contact_id = '{contact_id}'")
    name = contact["full_name"]
    search_id = f"{provider} {contact_id}"
    world.connection.execute(
        "insert into raw.searches"
        " (search_id, provider, query_kind, person_key, contact_id, full_name, state, outcome,"
        "  is_complete, requested_at, answered_at, run_id, supersedes, revision)"
        " values (?, ?, 'current', ?, ?, ?, 'answered', 'found', true, ?, ?, 'run-1', '', 1)",
        [search_id, provider, world.persons()[contact_id], contact_id, name, START, START],
    )
    job = {"company": "Acme", "website": "acme.com", "current": True}
    found = {"uid": SAME, "fullName": name, "experience": [job]}
    world.connection.execute(
        "insert into raw.search_profiles values (?, 1, ?, ?)", [search_id, SAME, json.dumps(found)]
    )


def test_what_was_found_by_one_name_at_two_providers_stays_two_persons(world: World) -> None:
    named = {"company_name": "Acme", "company_domain": "acme.com"}
    ada, bob = (
        {**named, "contact_id": each, "full_name": name}
        for each, name in (("C1", "Ada Example"), ("C2", "Bob Other"))
    )
    world.load([ada, bob])
    searched(world, FIRST, "C1")
    searched(world, OTHER, "C2")
    with transaction(world.connection):
        resolve_worklist(world.connection, SEARCHING, LANES, provider=FIRST, as_of=START)
    assert world.people() == {frozenset({"C1"}), frozenset({"C2"})}
    states = world.states(policy=SEARCHING)
    assert {each: states[each]["lookup_identity"] for each in states} == {"C1": SAME, "C2": None}


def test_what_a_search_at_one_provider_found_vouches_for_no_answer_of_another(
    world: World,
) -> None:
    world.load([{**ADA, "linkedin_url": "", "email": ""}])
    searched(world, FIRST, "C1")
    with transaction(world.connection):
        resolve_worklist(world.connection, SEARCHING, LANES, provider=FIRST, as_of=START)
    strangers = candidate("Somebody Else")
    world.look_up("C1", candidate=strangers)
    world.look_up("C1", candidate=strangers, provider=OTHER)
    world.derive(policy=SEARCHING)
    judged = {row["provider"]: row["judgement"] for row in world.rows("staging.judgements")}
    assert judged == {FIRST: "matched", OTHER: "identity_mismatch"}
