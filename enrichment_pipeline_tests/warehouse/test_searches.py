"""Which searches are due, and what they ask."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from enrichment_pipeline.hashed_identifiers import hashed
from enrichment_pipeline.lanes import FRESHNESS, PRIORITIES, LaneBlock
from enrichment_pipeline.policy import Policy
from enrichment_pipeline.warehouse import searches
from enrichment_pipeline.warehouse.connection import transaction
from enrichment_pipeline.warehouse.searches import (
    DueSearch,
    due_searches,
    join_found_persons,
    score_searches,
)
from enrichment_pipeline.warehouse.worklist import BEFORE_THE_FIRST, read_page, select_worklist
from enrichment_pipeline_tests.support import START
from enrichment_pipeline_tests.warehouse import (
    ADA,
    BOB,
    DAY,
    FIRST,
    World,
    alone,
    candidate,
    reading_of,
)

LANES = LaneBlock(FRESHNESS, PRIORITIES).lanes
SEARCHING = Policy.model_validate({"signalhire": {"search": "on"}})
CY = {"contact_id": "C9", "full_name": "Cy Named", "company_domain": "acme.com"}


CY_KEY = "name:cy"


def searched(
    world: World,
    *profiles: dict[str, object],
    kind: str = "current_past",
    person_key: str = CY_KEY,
    state: str = "answered",
    reason: str | None = None,
) -> None:
    """A search for Cy at Acme that gave these profiles, scored."""
    world.load([{**CY, "company_name": "Acme"}])
    outcome = None if state == "released" else "found" if profiles else "nothing"
    world.connection.execute(
        "insert into raw.searches"
        " (search_id, provider, query_kind, person_key, contact_id, full_name, state, outcome,"
        "  reason, is_complete, requested_at, answered_at, run_id, supersedes, revision)"
        " values ('S1', ?, ?, ?, 'C9', 'Cy Named', ?, ?, ?, true, ?, ?, 'run', '', 1)",
        [FIRST, kind, person_key, state, outcome, reason, START, START],
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


def test_only_a_provider_that_is_searched_has_searches_scored_anew(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    searched(world, profile("present", is_current=True))
    world.connection.execute("update enrichment.search_results set candidates = '[]'")
    another = replace(reading_of(), provider="another")
    for added, scored in ((replace(another, pages=None), 0), (another, 1)):
        both = (reading_of(), added)
        monkeypatch.setattr(searches, "readings", lambda both=both: both)
        with transaction(world.connection):
            score_searches(world.connection, SEARCHING.search)
        assert len(scores(world)) == scored


def test_of_two_equal_profiles_the_one_who_works_there_now_comes_first(world: World) -> None:
    searched(world, profile("former", is_current=False), profile("present", is_current=True))
    assert list(scores(world).items()) == [("present", 1.0), ("former", 0.95)]


@pytest.mark.parametrize(("kind", "score"), [("current", 1.0), ("current_past", 0.95)])
def test_where_a_profile_does_not_say_since_when_the_question_tells(
    world: World, kind: str, score: float
) -> None:
    searched(world, profile("unsaid", is_current=None), kind=kind)
    assert scores(world) == {"unsaid": score}


def due(world: World, days: int = 2) -> list[DueSearch]:
    as_of = START + days * DAY
    with transaction(world.connection):
        select_worklist(
            world.connection, SEARCHING, LANES, waterfall=alone(), as_of=as_of, run_id="run-2"
        )
    return due_searches(world.connection, LANES, "bulk", limit=10)


def searched_for(world: World, *profiles: dict[str, object], **search: str) -> None:
    """The same for the person that Cy is in this world."""
    world.load([{**CY, "company_name": "Acme"}])
    searched(world, *profiles, person_key=world.persons()["C9"], **search)


def test_a_miss_is_searched_for_again_when_it_is_a_month_old(world: World) -> None:
    searched_for(world)
    assert [len(due(world, days)) for days in (29, 31)] == [0, 1]


def test_whom_nobody_of_that_company_is_is_searched_for_among_its_former_people(
    world: World,
) -> None:
    searched_for(world, kind="current")
    assert [search.search_kind for search in due(world, days=0)] == ["current_past"]


def test_a_search_that_was_not_allowed_is_tried_again_and_its_contact_says_why(
    world: World,
) -> None:
    searched_for(world, state="released", reason="not_allowed")
    assert [search.search_kind for search in due(world)] == ["current"]
    world.derive(policy=SEARCHING)
    review = world.only("enrichment.needs_review")
    assert (review["contact_id"], review["reason"]) == ("C9", "insufficient_identity")
    assert "signalhire does not let this account search" in review["detail"]


@pytest.mark.parametrize(("decision", "items"), [("reject", []), ("accept", ["b" * 32])])
def test_of_two_who_are_alike_only_the_one_that_a_reviewer_accepts_is_looked_up(
    world: World, decision: str, items: list[str]
) -> None:
    searched_for(world, profile("a" * 32, is_current=True), profile("b" * 32, is_current=True))
    world.decide("C9", decision, uid="b" * 32)
    assert due(world) == []
    assert [row["lookup_identity"] for row in world.rows("enrichment.worklist")] == items


def test_a_search_holds_for_another_contact_of_the_person_where_its_own_has_left(
    world: World,
) -> None:
    other = {**CY, "contact_id": "C10", "company_name": "Acme"}
    world.load([other])
    cy = world.persons()["C10"]
    searched(world, profile("a" * 32, is_current=True), person_key=cy)
    world.connection.execute("delete from enrichment.search_results")
    world.load([other])  # without the contact that was searched for
    with transaction(world.connection):
        score_searches(world.connection, SEARCHING.search)
    result = world.only("enrichment.search_results")
    assert (result["contact_id"], result["uid"]) == ("C10", "a" * 32)


def test_whom_a_search_of_before_has_found_to_be_a_known_person_is_not_looked_up(
    world: World,
) -> None:
    """The point of entry may have searched, or a run that was killed before it went by that."""
    searched_for(world, profile("a" * 32, is_current=True))
    alias = f"uid:{FIRST}:" + "a" * 32
    world.connection.execute(
        "insert into staging.person_aliases values (?, 'known', 'answer', ?)", [alias, START]
    )
    with transaction(world.connection):
        join_found_persons(world.connection)
    assert world.persons()["C9"] == "known"


def test_the_profile_that_a_search_has_found_tells_the_person_in_other_calls(world: World) -> None:
    searched_for(world, profile("a" * 32, is_current=True))
    assert due(world) == []
    page, _ = read_page(world.connection, LANES, FIRST, BEFORE_THE_FIRST, 10)
    [item] = page
    assert item.lookup_identity == "a" * 32
    assert hashed("uid", "a" * 32) in item.known_by


def test_a_search_for_what_was_entered_says_that_it_may_be_taken_back(world: World) -> None:
    world.enter({"contact_id": "form", "full_name": "Dee Named", "company_name": "Acme"})
    world.load([{**CY, "company_name": "Acme"}])
    with transaction(world.connection):
        select_worklist(
            world.connection, SEARCHING, LANES, waterfall=alone(), as_of=START, run_id="run-2"
        )
    listed = {
        each.contact_id: each.is_entered
        for priority in PRIORITIES
        for each in due_searches(world.connection, LANES, priority, limit=10)
    }
    assert listed == {"C9": False, "form": True}


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


def test_another_provider_is_never_asked_by_the_id_of_a_profile_that_was_found_here(
    world: World,
) -> None:
    searched_for(world, profile("present", is_current=True))
    asked_by = {
        name: world.states(policy=SEARCHING, provider=name)["C9"] for name in (FIRST, "acme")
    }
    assert asked_by[FIRST]["lookup_identity"] == "present"
    assert asked_by["acme"]["lookup_identity"] is None
    assert asked_by["acme"]["freshness_reason"] == "no_identity"
    # nor by one that an answer has given
    world.look_up("C9", candidate=candidate("Cy Named", uid="present"))
    world.derive(policy=SEARCHING)
    late = START + 100 * DAY
    asked_by = {
        name: world.states(at=late, policy=SEARCHING, provider=name)["C9"]
        for name in (FIRST, "acme")
    }
    assert asked_by[FIRST]["lookup_identity"] == "present"
    assert asked_by["acme"]["lookup_identity"] is None
