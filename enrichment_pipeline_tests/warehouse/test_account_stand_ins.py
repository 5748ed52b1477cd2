"""An account's name and domain stand in where its contacts have none of their own."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from enrichment_pipeline.policy import Policy
from enrichment_pipeline_tests.support import START
from enrichment_pipeline_tests.warehouse import DAY, World, candidate
from enrichment_pipeline_tests.warehouse.test_searches import asked

SEARCHING = Policy.model_validate({"signalhire": {"search": "on"}})
NAMED = {"contact_id": "C1", "account_id": "A1", "full_name": "Ada Example"}
ACME = {"account_id": "A1", "name": "Acme Tools GmbH", "domain": "acme.com"}
AT_ACME = [{"position": "CTO", "company": "Acme Tools", "website": "acme.com", "current": True}]
AT_BRIO = [{"position": "CTO", "company": "Brio", "website": "brio.com", "current": True}]
FOUND = candidate(jobs=AT_ACME, emails=[("ada@acme.com", 100, "work")])


@pytest.mark.parametrize(
    ("account", "company"),
    [
        (ACME, "Acme Tools"),
        ({"account_id": "A1", "name": "Acme Tools GmbH"}, "Acme Tools"),
        ({"account_id": "A1", "domain": "https://www.Acme-Tools.com/"}, "acme tools"),
    ],
)
def test_a_name_and_an_account_are_searched_for(
    world: World, account: Mapping[str, str], company: str
) -> None:
    world.load([NAMED], [account])
    assert asked(world) == [("Ada Example", company)]


def test_an_account_that_comes_later_than_its_contact_stands_in_from_then_on(world: World) -> None:
    world.load([NAMED], [{"account_id": "A2", "name": "Brio"}])
    world.derive(policy=SEARCHING)
    assert world.status("C1") == ("needs_review", "insufficient_identity")
    world.load([NAMED], [{"account_id": "A2", "name": "Brio"}, ACME], at=START + DAY)
    assert asked(world) == [("Ada Example", "Acme Tools")]
    world.derive(at=START + DAY, policy=SEARCHING)
    assert world.status("C1") == ("queued", None)
    row = world.only("enrichment.contact_status")
    assert (row["company_name"], row["company_domain"]) == ("Acme Tools GmbH", "acme.com")


def test_only_contacts_whose_stand_in_changes_are_derived_anew(world: World) -> None:
    own = {"contact_id": "C2", "account_id": "A1", "full_name": "Bob Other"}
    own |= {"company_name": "Acme", "company_domain": "acme.com"}
    elsewhere = {"contact_id": "C3", "account_id": "A2", "full_name": "Cy Else"}
    accounts = [ACME, {"account_id": "A2", "name": "Brio", "annual_revenue": "1"}]
    world.load([NAMED, own, elsewhere], accounts)
    accounts = [
        {**ACME, "name": "Acme Machines"},
        {"account_id": "A2", "name": "Brio", "annual_revenue": "2"},
    ]
    world.load([NAMED, own, elsewhere], accounts, at=START + DAY)
    assert [row["contact_id"] for row in world.rows("changed_parts")] == ["C1"]
    world.load([NAMED, own, elsewhere], accounts, at=START + 2 * DAY)
    assert world.rows("changed_parts") == []


def test_a_contacts_own_company_goes_before_its_accounts(world: World) -> None:
    own = {**NAMED, "company_name": "Brio AG", "company_domain": "brio.com"}
    world.load([own], [ACME])
    assert asked(world) == [("Ada Example", "Brio")]
    world.derive()
    row = world.only("enrichment.contact_status")
    assert (row["company_name"], row["company_domain"]) == ("Brio AG", "brio.com")


def test_a_mail_providers_domain_of_an_account_is_nobodys_company(world: World) -> None:
    world.load([NAMED], [{"account_id": "A1", "domain": "gmail.com"}])
    assert asked(world) == []


@pytest.mark.parametrize(
    ("jobs", "expected"),
    [
        (AT_ACME, ("enriched", None)),
        (AT_BRIO, ("needs_review", "identity_mismatch")),
    ],
)
def test_the_identity_check_compares_with_the_accounts_company(
    world: World, jobs: list[Mapping[str, object]], expected: tuple[str, str | None]
) -> None:
    world.load([{**NAMED, "email": "ada@gmail.com"}], [ACME])
    emails = [("ada@home.example.net", 100, "work")]
    world.look_up("C1", candidate=candidate(jobs=jobs, emails=emails))
    world.derive()
    assert world.status("C1") == expected


def test_an_answer_is_judged_anew_when_another_account_stands_in(world: World) -> None:
    person = {**NAMED, "email": "ada@gmail.com"}
    world.load([person], [{**ACME, "name": "Brio", "domain": "brio.com"}])
    world.look_up("C1", candidate=FOUND)
    world.derive()
    assert world.status("C1") == ("needs_review", "identity_mismatch")
    evidence = world.only("enrichment.needs_review")["evidence"]
    assert '"company_name":"Brio","company_domain":"brio.com"' in evidence
    world.load([person], [ACME], at=START + DAY)
    world.derive(at=START + DAY)
    assert world.status("C1") == ("enriched", None)
    row = world.only("enrichment.enriched_contacts")
    assert (row["source_company_name"], row["source_company_domain"]) == (None, None)


def test_company_facts_of_a_colleague_fill_the_fields_of_whom_the_account_places_there(
    world: World,
) -> None:
    job = {**AT_ACME[0], "industry": "Tools"}
    colleague = {"contact_id": "C2", "full_name": "Bob Other", "email": "bob@acme.com"}
    world.load([NAMED, colleague], [ACME])
    world.look_up("C2", candidate=candidate("Bob Other", jobs=[job]))
    world.derive()
    row = world.only("enrichment.contact_status", "contact_id = 'C1'")
    assert (row["company_domain"], row["company_industry"]) == ("acme.com", "Tools")


def test_an_account_that_gets_a_domain_makes_nobody_of_its_company_somebody_else(
    world: World,
) -> None:
    """Else whoever was searched for by name and company would be searched for and judged anew."""
    named = {**NAMED, "company_name": "Acme Tools"}
    world.load([named], [{"account_id": "A1", "name": "Acme Tools"}])
    before = world.persons()
    world.load([named], [ACME], at=START + DAY)
    assert world.persons() == before
    assert not world.only("staging.contact_persons")["has_changed"]


def test_an_account_that_leaves_takes_its_name_along(world: World) -> None:
    world.load([NAMED], [ACME])
    assert len(asked(world)) == 1
    world.load([NAMED], [], at=START + DAY)
    assert asked(world) == []
