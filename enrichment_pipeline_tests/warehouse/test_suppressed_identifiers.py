"""Whom nobody may be asked for: how an identifier is read, and whom it takes out of the lanes."""

from __future__ import annotations

import hashlib

import pytest

from enrichment_pipeline.errors import ConfigurationError
from enrichment_pipeline.warehouse.attached_source import read_suppressions
from enrichment_pipeline.warehouse.connection import transaction
from enrichment_pipeline.warehouse.statements import execute
from enrichment_pipeline.warehouse.suppressed_identifiers import (
    hash_identifiers,
    replace_suppressions,
)
from enrichment_pipeline_tests.support import START, policy_for
from enrichment_pipeline_tests.warehouse import ADA, BOB, DAY, VERIFIED, World
from enrichment_pipeline_tests.warehouse.prepared import prepared


@prepared
def two(world: World) -> None:
    world.load([ADA, BOB])


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def hashed(world: World, *texts: str | None, phone_region: str = "") -> set[str]:
    return set(hash_identifiers(world.connection, texts, "rows", phone_region=phone_region))


def suppress(world: World, *texts: str) -> None:
    with transaction(world.connection):
        replace_suppressions(world.connection, hashed(world, *texts))


def suppressed(world: World) -> set[str]:
    states = world.states()
    return {each for each, state in states.items() if state["freshness"] == "suppressed"}


@pytest.mark.parametrize(
    ("text", "identifier"),
    [
        (" Ada@ACME.com ", f"email:{sha256('ada@acme.com')}"),
        ("mailto:ada@acme.com", f"email:{sha256('ada@acme.com')}"),
        (sha256("ada@acme.com").upper(), f"email:{sha256('ada@acme.com')}"),
        ("https://de.linkedin.com/in/Ada-Example/?x=1", f"linkedin:{sha256('ada-example')}"),
        ("+49 (30) 901820", f"phone:{sha256('+4930901820')}"),
        ("acme.co.uk", f"domain:{sha256('acme.co.uk')}"),
        ("https://www.acme.com/about", f"domain:{sha256('acme.com')}"),
        ("contact:C-17", f"contact:{sha256('C-17')}"),
    ],
)
def test_an_identifier_counts_in_whatever_form_it_is_written(
    world: World, text: str, identifier: str
) -> None:
    assert hashed(world, text) == {identifier}


def test_a_phone_number_without_country_code_is_read_by_the_policys_region(world: World) -> None:
    assert hashed(world, "030 901820", phone_region="DE") == {f"phone:{sha256('+4930901820')}"}


@pytest.mark.parametrize(
    "text", ["ada@", "linkedin.com/company/acme", "030 901820", "co.uk", "Ada Example", "contact:"]
)
def test_what_cannot_be_read_suppresses_nobody_and_is_named_by_its_place_only(
    world: World, text: str
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        hashed(world, "bob@brio.com", None, " ", text)
    assert str(refused.value).startswith("rows 4: cannot be read, so nothing was suppressed")
    assert "Ada" not in str(refused.value)
    assert "030" not in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        "ada@acme.example.com",
        sha256("ada@acme.example.com"),
        "linkedin.com/in/ada-example",
        "acme.com",
        "sales.acme.com",
        "example.com",
        "contact:C1",
    ],
)
def test_any_identifier_of_a_contact_keeps_it_out_of_the_lanes(two: World, text: str) -> None:
    suppress(two, text)
    assert suppressed(two) == {"C1"}
    state = two.states()["C1"]
    assert state["freshness_reason"] == "suppressed_by_list"
    execute(two.connection, "find_due_persons")
    assert [row["contact_id"] for row in two.rows("due_persons")] == ["C2"]


def test_a_role_address_counts_though_it_is_nobodys_key(world: World) -> None:
    world.load([{**ADA, "email": "info@acme.com"}])
    suppress(world, "info@acme.com")
    assert suppressed(world) == {"C1"}


def test_who_is_suppressed_is_so_as_every_contact_of_the_same_person(world: World) -> None:
    other = {"contact_id": "C3", "linkedin_url": ADA["linkedin_url"]}
    world.load([ADA, other, BOB])
    suppress(world, str(ADA["email"]))
    assert suppressed(world) == {"C1", "C3"}


def test_an_identifier_that_an_answer_gave_counts_as_well(world: World) -> None:
    world.load([ADA])
    world.look_up("C1", candidate=VERIFIED)
    world.derive()
    suppress(world, "ada@acme.com")
    world.derive(at=START + 91 * DAY)
    assert world.status("C1") == ("suppressed", None)


def test_a_contact_without_any_key_can_be_suppressed(world: World) -> None:
    world.load([{"contact_id": "C1", "full_name": "Ada Example", "company_domain": "acme.com"}])
    suppress(world, "acme.com")
    world.derive()
    assert world.status("C1") == ("suppressed", None)


def test_what_was_bought_before_stays_and_nobody_has_to_review_it(world: World) -> None:
    world.load([ADA, BOB])
    world.look_up("C1", candidate=VERIFIED)
    world.look_up("C2", outcome="no_match")
    suppress(world, "contact:C1", "contact:C2")
    world.derive()
    assert {world.status("C1"), world.status("C2")} == {("suppressed", None)}
    assert world.only("enrichment.enriched_contacts")["work_email"] == "ada@acme.com"
    assert world.rows("enrichment.needs_review") == []
    status = world.only("enrichment.contact_status", "contact_id = 'C1'")
    assert status["next_lookup_at"] is None


def test_who_is_asked_for_when_it_is_suppressed_is_in_flight_until_the_answer(world: World) -> None:
    world.load([ADA])
    world.look_up("C1", state="open")
    suppress(world, "contact:C1")
    assert world.states()["C1"]["freshness"] == "in_flight"


def test_a_suppression_that_is_gone_makes_its_people_due_again(world: World) -> None:
    world.load([ADA])
    suppress(world, "acme.com")
    suppress(world)
    assert world.states()["C1"]["freshness"] == "new"


def test_the_sources_list_is_any_query_that_gives_identifiers(world: World) -> None:
    world.load([ADA, BOB])
    query = "select email as identifier from contacts where contact_id = 'C1'"
    source = policy_for(world.folder).source.model_copy(update={"suppressions": query})
    assert read_suppressions(world.connection, source, world.folder) == [ADA["email"]]
    without = source.model_copy(update={"suppressions": None})
    assert read_suppressions(world.connection, without, world.folder) == []


@pytest.mark.parametrize(
    ("query", "complaint"),
    [
        ("select contact_id from contacts", "required column identifier is missing"),
        ("select identifier from nowhere", "[source] suppressions: Catalog Error"),
        ("delete from contacts", "must be one select statement"),
        ("select content as identifier from read_text('/etc/hosts')", "Permission Error"),
    ],
)
def test_a_list_that_cannot_be_read_is_refused(world: World, query: str, complaint: str) -> None:
    world.load([ADA])
    source = policy_for(world.folder).source.model_copy(update={"suppressions": query})
    with pytest.raises(ConfigurationError, match="suppressions") as refused:
        read_suppressions(world.connection, source, world.folder)
    assert complaint in str(refused.value)
