"""Who may be asked about: a query or a condition, and what becomes of everybody else."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext

import pytest

from enrichment_pipeline.errors import ConfigurationError
from enrichment_pipeline.lanes import FRESHNESS, PRIORITIES, LaneBlock
from enrichment_pipeline.policy import Policy
from enrichment_pipeline.warehouse.connection import transaction
from enrichment_pipeline.warehouse.searches import due_searches
from enrichment_pipeline.warehouse.worklist import select_worklist, worklist_pages
from enrichment_pipeline_tests.support import START
from enrichment_pipeline_tests.warehouse import ADA, BOB, DAY, FIRST, VERIFIED, World, alone

LANES = LaneBlock(FRESHNESS, PRIORITIES).lanes
SEARCHING = Policy.model_validate({"signalhire": {"search": "on"}})
CY = {"contact_id": "C3", "account_id": "A1", "full_name": "Cy Named"}
CONTACTS = [{**ADA, "country": "DE"}, {**BOB, "country": "FR", "account_id": "A1"}, CY]
ACCOUNTS = [{"account_id": "A1", "name": "Brio", "region": "EMEA"}]
NOT_IN_GERMANY = {"where": "country <> 'DE'"}
EVERYBODY = {"where": "true"}


def allowed(world: World, **eligibility: str) -> set[str]:
    """The contacts that may be asked about, by this section of the policy."""
    world.load(CONTACTS, ACCOUNTS, eligibility=eligibility)
    states = world.states(policy=SEARCHING)
    return {each for each, state in states.items() if state["freshness_reason"] != "not_eligible"}


def test_a_query_or_a_condition_says_who_may_be_asked_about(world: World) -> None:
    cases: list[tuple[dict[str, str], set[str]]] = [
        ({}, {"C1", "C2", "C3"}),
        ({"contacts": "select contact_id from contacts where country = 'FR'"}, {"C2"}),
        ({"contacts": "select contact_id from contacts where false;"}, set()),
        ({"contacts": "select 'C1' as contact_id union all select null"}, {"C1"}),
        (NOT_IN_GERMANY, {"C2"}),  # of Cy it is not known
        ({"where": "contact.country is null or country = 'DE' -- for now"}, {"C1", "C3"}),
        ({"where": "region = 'EMEA'"}, {"C2", "C3"}),
        ({"where": "account.name = 'Brio' and contact.full_name like 'Cy%'"}, {"C3"}),
        ({"where": "contact_id in (select contact_id from contacts limit 0)"}, set()),
    ]
    for eligibility, expected in cases:
        assert allowed(world, **eligibility) == expected, eligibility


def test_a_repeated_id_may_be_asked_about_where_each_of_its_rows_passes(world: World) -> None:
    rows = [{**ADA, "country": "DE"}, {**ADA, "country": "FR"}, {**BOB, "country": "FR"}]
    world.load(rows, eligibility=NOT_IN_GERMANY)
    assert [row["contact_id"] for row in world.rows("staging.ineligible_contacts")] == ["C1"]


def test_a_source_without_accounts_or_their_ids_can_have_a_condition(world: World) -> None:
    world.load([{"contact_id": "C1", "country": "FR"}], eligibility=NOT_IN_GERMANY)
    assert world.rows("staging.ineligible_contacts") == []


def test_a_mistake_is_told_in_a_line_that_holds_no_value_and_loads_nothing(world: World) -> None:
    cases = [
        ({"where": "land <> 'DE'"}, "[eligibility] where: Binder Error"),
        ({"where": "country <>"}, "[eligibility] where: Parser Error"),
        ({"where": "country::int > 0"}, "[eligibility] where: Conversion Error at a value"),
        ({"where": "true; drop table contacts"}, "[eligibility] where: Parser Error"),
        ({"contacts": "select email from contacts"}, "[eligibility] contacts: the required column"),
        ({"contacts": "select contact_id from nowhere"}, "[eligibility] contacts: Catalog Error"),
        ({"contacts": "delete from contacts"}, "[eligibility] contacts: must be one select"),
    ]
    for eligibility, complaint in cases:
        with pytest.raises(ConfigurationError) as refused:
            world.load(CONTACTS, ACCOUNTS, eligibility=eligibility)
        assert str(refused.value).startswith(complaint), eligibility
        assert "\n" not in str(refused.value), eligibility
        assert "'FR'" not in str(refused.value), eligibility
        assert world.rows("staging.contacts") == [], eligibility


def test_who_does_not_pass_is_suppressed_and_comes_in_when_it_passes(world: World) -> None:
    world.load(CONTACTS, ACCOUNTS, eligibility=NOT_IN_GERMANY)
    world.derive(policy=SEARCHING)
    assert world.status("C1") == world.status("C3") == ("suppressed", "not_eligible")
    assert world.status("C2") == ("queued", None)
    row = world.only("enrichment.contact_status", "contact_id = 'C1'")
    assert (row["freshness"], row["next_lookup_at"]) == ("suppressed", None)
    moved = [{**row, "country": "FR"} for row in CONTACTS]
    world.load(moved, ACCOUNTS, at=START + DAY, eligibility=NOT_IN_GERMANY)
    world.derive(at=START + DAY, policy=SEARCHING)
    assert world.status("C1") == world.status("C3") == ("queued", None)


def test_nothing_makes_a_contact_due_that_may_not_be_asked_about(world: World) -> None:
    """Neither an age, nor a failed look-up, nor a reviewer's word."""
    world.load([ADA])
    world.look_up("C1", candidate=VERIFIED)
    world.look_up("C1", state="released", reason="timeout_exceeded", at=START + DAY)
    world.decide("C1", "retry", at=START + 2 * DAY)
    world.load([ADA], at=START + 200 * DAY, eligibility={"where": "false"})
    state = world.states(at=START + 200 * DAY)["C1"]
    assert (state["freshness_reason"], state["is_due"]) == ("not_eligible", False)


def test_what_was_bought_before_stays_and_nothing_of_it_is_for_review(world: World) -> None:
    world.load([ADA, BOB])
    world.look_up("C1", candidate=VERIFIED)
    world.look_up("C2")
    world.derive()
    assert world.status("C2") == ("needs_review", "no_match")
    world.load([ADA, BOB], at=START + DAY, eligibility={"where": "false"})
    world.derive(at=START + DAY)
    assert world.status("C1") == world.status("C2") == ("suppressed", "not_eligible")
    assert world.only("enrichment.enriched_contacts")["work_email"] == "ada@acme.com"
    assert world.rows("enrichment.needs_review") == []


def select(world: World) -> None:
    with transaction(world.connection):
        select_worklist(
            world.connection, SEARCHING, LANES, waterfall=alone(), as_of=START + DAY, run_id="run-1"
        )


def bought(world: World) -> set[str]:
    """The contacts for which the work list, as it stands, is sent to the ledger."""
    pages = list(worklist_pages(lambda: nullcontext(world.connection), LANES, FIRST))
    world.connection.execute("set memory_limit = '1GB'")  # a page has a connection of its own
    return {item.contact_id for page in pages for item in page}


def searched(world: World) -> set[str]:
    return {
        each.contact_id
        for priority in PRIORITIES
        for each in due_searches(world.connection, LANES, priority, limit=10)
    }


def test_a_work_list_that_was_selected_before_holds_no_longer_for_who_does_not_pass_now(
    world: World,
) -> None:
    world.load(CONTACTS, ACCOUNTS, eligibility=EVERYBODY)
    select(world)
    assert bought(world) == {"C1", "C2"}
    assert searched(world) == {"C3"}
    # another run loads the source meanwhile
    world.load(CONTACTS, ACCOUNTS, at=START + DAY, eligibility=NOT_IN_GERMANY)
    assert bought(world) == {"C2"}
    assert searched(world) == set()


def test_a_person_is_asked_about_for_those_of_its_contacts_that_pass(world: World) -> None:
    twin: Mapping[str, str] = {**ADA, "contact_id": "C2"}
    for passes in ({"C1"}, {"C2"}, {"C1", "C2"}):
        ids = ", ".join(f"'{each}'" for each in sorted(passes))
        world.load([ADA, twin], eligibility={"where": f"contact_id in ({ids})"})
        select(world)
        assert bought(world) == {min(passes)}, passes
