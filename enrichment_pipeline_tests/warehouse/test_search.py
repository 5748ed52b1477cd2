"""Which searches are due, and what they ask."""

from __future__ import annotations

import json

import pytest

from enrichment_pipeline.lanes import FRESHNESS, PRIORITIES, LaneBlock
from enrichment_pipeline.policy import Policy
from enrichment_pipeline.warehouse.connection import transaction
from enrichment_pipeline.warehouse.search import DueSearch, due_searches, score_searches
from enrichment_pipeline.warehouse.worklist import select_worklist
from enrichment_pipeline_tests.support import START
from enrichment_pipeline_tests.warehouse import ADA, BOB, DAY, World, candidate

LANES = LaneBlock(FRESHNESS, PRIORITIES).lanes
SEARCHING = Policy.model_validate({"signalhire": {"search": "on"}})
CY = {"contact_id": "C9", "full_name": "Cy Named", "company_domain": "acme.com"}


CY_KEY = "name:cy"


def searched(world: World, *profiles: dict[str, object], kind: str = "current_past") -> None:
    """A search for Cy at Acme that gave these profiles, scored."""
    world.load([{**CY, "company_name": "Acme"}])
    world.connection.execute(
        "insert into raw.searches"
        " (search_id, query_kind, person_key, contact_id, full_name, state, outcome, is_complete,"
        "  answered_at, run_id, revision)"
        " values ('S1', ?, ?, 'C9', 'Cy Named', 'answered', 'found', true, ?, 'run', 1)",
        [kind, CY_KEY, START],
    )
    for position, profile in enumerate(profiles, start=1):
        world.connection.execute(
            "insert into raw.search_profiles values ('S1', ?, ?, ?)",
            [position, profile["uid"], json.dumps(profile)],
        )
    with transaction(world.connection):
        score_searches(world.connection, SEARCHING.search)


def profile(uid: str, *, is_current: bool | None) -> dict[str, object]:
    job = {"company": "Acme", "website": "acme.com", "current": is_current}
    return {"uid": uid, "fullName": "Cy Named", "experience": [job]}


def scores(world: World) -> dict[str, float]:
    candidates = json.loads(world.only("enrichment.search_results")["candidates"])
    return {each["uid"]: each["score"] for each in candidates}


def test_of_two_equal_profiles_the_one_who_works_there_now_comes_first(world: World) -> None:
    searched(world, profile("former", is_current=False), profile("present", is_current=True))
    assert list(scores(world).items()) == [("present", 1.0), ("former", 0.95)]


@pytest.mark.parametrize(("kind", "score"), [("current", 1.0), ("current_past", 0.95)])
def test_where_a_profile_does_not_say_since_when_the_question_tells(
    world: World, kind: str, score: float
) -> None:
    searched(world, profile("unsaid", is_current=None), kind=kind)
    assert scores(world) == {"unsaid": score}


def due(world: World) -> list[DueSearch]:
    with transaction(world.connection):
        select_worklist(world.connection, SEARCHING, LANES, as_of=START + 2 * DAY, run_id="run-2")
    return due_searches(world.connection, LANES, "bulk", limit=10)


def asked(world: World) -> list[tuple[str, str]]:
    return [(search.full_name, search.company) for search in due(world)]


def test_a_company_is_asked_for_by_the_contacts_own_words(world: World) -> None:
    world.load([{**CY, "company_name": "The Acme Tools GmbH"}])
    assert asked(world) == [("Cy Named", "Acme Tools")]


def test_a_nul_byte_in_a_name_or_a_company_is_not_asked_for(world: World) -> None:
    """A Postgres ledger could not hold the search, nor any that is admitted with it."""
    world.load([{**CY, "full_name": "Cy\0 Named", "company_name": "Acme\0 Tools"}])
    assert asked(world) == [("Cy Named", "Acme  Tools")]


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
