"""Which searches are due, and what they ask."""

from __future__ import annotations

from enrichment_pipeline.lanes import FRESHNESS, PRIORITIES, LaneBlock
from enrichment_pipeline.policy import Policy
from enrichment_pipeline.warehouse.connection import transaction
from enrichment_pipeline.warehouse.search import DueSearch, due_searches
from enrichment_pipeline.warehouse.worklist import select_worklist
from enrichment_pipeline_tests.support import START
from enrichment_pipeline_tests.warehouse import ADA, BOB, DAY, World, candidate

LANES = LaneBlock(FRESHNESS, PRIORITIES).lanes
SEARCHING = Policy.model_validate({"signalhire": {"search": "on"}})
CY = {"contact_id": "C9", "full_name": "Cy Named", "company_domain": "acme.com"}


def due(world: World) -> list[DueSearch]:
    with transaction(world.connection):
        select_worklist(world.connection, SEARCHING, LANES, as_of=START + 2 * DAY, run_id="run-2")
    return due_searches(world.connection, LANES, "bulk", limit=10)


def asked(world: World) -> list[tuple[str, str]]:
    return [(search.full_name, search.company) for search in due(world)]


def test_a_company_is_asked_for_by_the_contacts_own_words(world: World) -> None:
    world.load([{**CY, "company_name": "The Acme Tools GmbH"}])
    assert asked(world) == [("Cy Named", "Acme Tools")]


def test_a_company_that_answers_have_renamed_is_asked_for_once_by_its_new_name(
    world: World,
) -> None:
    colleagues = [{**ADA, "company_name": ""}, {**BOB, "company_name": "", "company_domain": ""}]
    world.load([*colleagues, CY])
    for days, (contact_id, name, company) in enumerate(
        [("C1", "Ada Example", "Acme Tools Inc"), ("C2", "Bob Other", "Apex Tools Inc")]
    ):
        job = {"position": "CTO", "company": company, "website": "acme.com", "current": True}
        world.look_up(contact_id, at=START + days * DAY, candidate=candidate(name, jobs=[job]))
    world.derive(at=START + DAY)
    assert asked(world) == [("Cy Named", "Apex Tools")]


def test_a_company_written_as_nothing_is_asked_for_by_its_domain(world: World) -> None:
    world.load([{**CY, "company_name": "N/A"}])
    assert asked(world) == [("Cy Named", "acme")]
