"""What applications entered, among the source's contacts: loading, who is who, retiring."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from enrichment_pipeline.errors import PipelineError
from enrichment_pipeline.policy import EligibilityPolicy
from enrichment_pipeline.warehouse.entered_contacts import (
    EntryAnswer,
    entered_table,
    read_entry_answers,
)
from enrichment_pipeline.warehouse.findings import (
    count_disagreeing_flags,
    find_expired_answers,
    find_repeated_ids,
    find_unaccounted_contacts,
    find_unproven_values,
)
from enrichment_pipeline.warehouse.load import load_contacts
from enrichment_pipeline_tests.support import START, policy_for, write_csv
from enrichment_pipeline_tests.warehouse import ADA, BOB, DAY, VERIFIED, Row, World
from enrichment_pipeline_tests.warehouse.prepared import prepared, prepared_after

FORM = {"contact_id": "E1", "full_name": "Ada Example", "email": "ada@acme.example.com"}
"""Ada, as a form gives her: without the profile that the source has."""
KEY = hashlib.sha256(b"email:ada@acme.example.com").hexdigest()[:32]
"""Her person by the address alone, which is all that the point of entry knows."""


def answers(world: World) -> dict[str, EntryAnswer]:
    pages = read_entry_answers(world.connection, "staging.entered_contacts")
    return {answer.contact_id: answer for page in pages for answer in page}


def present(world: World) -> list[str]:
    return [row["contact_id"] for row in world.rows("staging.contacts", "left_at is null")]


def problems(world: World) -> list[Any]:
    """What the checks of the tables find."""
    connection = world.connection
    return [
        *find_unaccounted_contacts(connection),
        *find_unproven_values(connection),
        *find_expired_answers(connection, world.policy.freshness, START),
        *["flag"] * count_disagreeing_flags(connection),
    ]


def statuses(world: World) -> dict[str, tuple[str, str | None]]:
    return {
        row["contact_id"]: (row["status"], row["reason"])
        for row in world.rows("enrichment.contact_status")
    }


@prepared
def entered(world: World) -> None:
    """Bob from the source, and Ada from a form."""
    world.enter(FORM)
    world.load([BOB])


@prepared_after(entered)
def met(world: World) -> None:
    """The source has Ada as well now, under an id of its own; both were looked up."""
    world.look_up("E1", candidate=VERIFIED)
    world.load([ADA, BOB], at=START + DAY)
    world.derive()


def test_what_was_entered_is_loaded_like_a_second_source(entered: World) -> None:
    (row,) = entered.rows("staging.contacts", "contact_id = 'E1'")
    assert (row["full_name"], row["email"], row["left_at"]) == (
        "Ada Example",
        "ada@acme.example.com",
        None,
    )
    assert entered.rows("staging.entered_contacts") == [
        {"contact_id": "E1", "version": 1, "person_key": None, "is_in_source": False}
    ]
    assert entered.persons()["E1"] == KEY
    assert find_repeated_ids(entered.connection) == []
    entered.derive()
    assert statuses(entered) == {"C2": ("queued", None), "E1": ("queued", None)}
    assert problems(entered) == []
    # and again, when nothing has changed
    counts = entered.load([BOB])
    assert (counts.present, counts.changed, counts.entered, counts.retired) == (2, 0, 1, 0)


def test_what_was_changed_or_taken_back_is_so_after_the_next_load(entered: World) -> None:
    entered.enter({**FORM, "job_title": "Engineer"})
    assert entered.load([BOB]).changed == 1
    assert entered.only("staging.contacts", "contact_id = 'E1'")["job_title"] == "Engineer"
    assert entered.only("staging.entered_contacts")["version"] == 2
    entered.take_back("E1")
    counts = entered.load([BOB])
    assert (counts.left, counts.entered, present(entered)) == (1, 0, ["C2"])
    entered.derive()
    assert list(statuses(entered)) == ["C2"]
    assert problems(entered) == []
    assert entered.rows("staging.entered_contacts") == []


def test_the_sources_row_counts_where_it_has_the_same_id(entered: World) -> None:
    entered.load([BOB, {**ADA, "contact_id": "E1"}])
    (row,) = entered.rows("staging.contacts", "contact_id = 'E1'")
    assert row["linkedin_url"] == ADA["linkedin_url"]
    assert entered.only("staging.entered_contacts")["is_in_source"]
    assert entered.rows("staging.retired_entries") == []
    assert find_repeated_ids(entered.connection) == []


def test_entries_do_not_count_in_what_the_source_has_lost(world: World) -> None:
    many = [{"contact_id": f"C{number}"} for number in range(40)]
    for number in range(200):
        world.enter({"contact_id": f"E{number}"})
    # half of what is in the source was entered as well: still the source's
    for row in many[:20]:
        world.enter(row)
    world.load(many)
    with pytest.raises(PipelineError, match="gives no contacts at all"):
        world.load([])
    with pytest.raises(PipelineError, match="has lost 20 of the 40 contacts"):
        world.load(many[20:])
    for number in range(200):
        world.take_back(f"E{number}")
    assert world.load(many).left == 200


def test_an_answer_is_found_under_the_key_that_it_was_bought_under(world: World) -> None:
    world.enter(FORM, person_key=KEY)
    world.enter({**FORM, "contact_id": "E2", "linkedin_url": ADA["linkedin_url"]})
    world.look_up("E1", candidate=VERIFIED, person_key=KEY)
    world.load([BOB])
    world.derive()
    assert world.persons()["E1"] == world.persons()["E2"] == KEY
    assert {row["contact_id"] for row in world.rows("enrichment.enriched_contacts")} == {"E1", "E2"}
    assert answers(world)["E1"].status == "enriched"


def test_the_source_s_contact_with_an_address_that_was_bought_is_that_person(world: World) -> None:
    world.enter(FORM, person_key=KEY)
    world.look_up("E1", candidate=VERIFIED, person_key=KEY)
    world.load([ADA, BOB])
    world.derive()
    assert world.persons()["C1"] == KEY
    assert statuses(world)["C1"] == ("enriched", None)
    assert statuses(world)["E1"] == ("enriched", "entered_as")


def test_who_was_never_looked_up_becomes_the_person_for_whom_an_entry_was_bought(
    world: World,
) -> None:
    world.load([ADA, BOB])
    before = world.persons()["C1"]
    # the point of entry did not know of the source's contact yet
    world.enter(FORM, person_key=KEY)
    world.look_up("E1", candidate=VERIFIED, person_key=KEY)
    world.load([ADA, BOB], at=START + DAY)
    assert before != KEY
    assert world.persons()["C1"] == world.persons()["E1"] == KEY
    world.derive()
    assert statuses(world)["C1"] == ("enriched", None)
    assert problems(world) == []


def test_what_is_bought_for_an_entry_that_has_retired_is_the_sources_contacts(world: World) -> None:
    world.load([ADA, BOB])
    world.enter(FORM)
    world.load([ADA, BOB])
    assert present(world) == ["C1", "C2"]
    # the point of entry went by what it had known before
    world.enter(FORM, person_key=KEY)
    world.load([ADA, BOB])
    world.look_up("E1", candidate=VERIFIED, person_key=KEY)
    world.load([ADA, BOB], at=START + DAY)
    assert present(world) == ["C1", "C2"]
    assert world.persons()["C1"] == KEY
    world.derive()
    assert statuses(world)["C1"] == ("enriched", None)
    assert problems(world) == []


def test_an_entry_is_found_by_its_key_under_the_source_s_row_of_the_same_id(world: World) -> None:
    world.enter(FORM, person_key=KEY)
    world.look_up("E1", candidate=VERIFIED, person_key=KEY)
    stranger = {**BOB, "contact_id": "E2"}
    world.enter({**FORM, "contact_id": "E2", "email": "eve@acme.example.com"}, person_key="b" * 32)
    world.load([{**ADA, "contact_id": "E1"}, stranger])
    assert world.persons()["E1"] == KEY
    # who has nothing in common with what was entered under that id is not that person
    assert world.persons()["E2"] != "b" * 32


def test_an_entry_retires_in_favour_of_the_source_s_contact_of_the_same_person(met: World) -> None:
    assert present(met) == ["C1", "C2"]
    assert met.rows("staging.retired_entries") == [{"contact_id": "E1", "entered_as": "C1"}]
    assert [row["contact_id"] for row in met.rows("enrichment.enriched_contacts")] == ["C1"]
    ours, theirs = (
        met.only("enrichment.contact_status", f"contact_id = '{each}'") for each in ("E1", "C1")
    )
    assert ours == {
        **theirs,
        "contact_id": "E1",
        "reason": "entered_as",
        "next_lookup_at": None,
    }
    assert (theirs["status"], theirs["reason"]) == ("enriched", None)
    assert problems(met) == []
    [covered] = met.rows("enrichment.coverage_by_account")
    assert (covered["contacts"], covered["enriched"], covered["with_answer"]) == (2, 1, 1)
    # nothing of it is left to plan with, or to be known by
    assert "E1" not in met.states(at=START + DAY)
    assert met.rows("staging.contact_parts", "contact_id = 'E1'") == []
    assert met.rows("staging.contact_identities", "contact_id = 'C1'")[0]["contact_count"] == 1
    # loading again changes nothing
    counts = met.load([ADA, BOB], at=START + 2 * DAY)
    assert (counts.present, counts.changed, counts.left, counts.retired) == (2, 0, 0, 1)
    met.derive()
    assert problems(met) == []


def test_a_retired_entry_has_the_answer_of_the_contact_that_it_retired_for(met: World) -> None:
    answer = answers(met)["E1"]
    assert (answer.version, answer.status, answer.reason) == (1, "enriched", "entered_as")
    shown = met.only("enrichment.contact_status", "contact_id = 'C1'")
    assert answer.next_lookup_at == shown["next_lookup_at"]
    assert json.loads(answer.fields)["work_email"]["value"] == "ada@acme.com"


def test_a_retired_entry_comes_back_when_the_source_has_lost_the_contact(met: World) -> None:
    met.load([BOB], at=START + 2 * DAY)
    met.derive()
    assert present(met) == ["C2", "E1"]
    assert met.rows("staging.retired_entries") == []
    # as the person that was paid for
    assert statuses(met) == {"C2": ("queued", None), "E1": ("enriched", None)}
    assert problems(met) == []


def test_of_several_contacts_the_first_is_taken_and_stays(met: World) -> None:
    met.load([ADA, {**ADA, "contact_id": "B1"}, BOB], at=START + 2 * DAY)
    assert met.only("staging.retired_entries")["entered_as"] == "C1"
    met.load([{**ADA, "contact_id": "C9"}, {**ADA, "contact_id": "B1"}], at=START + 3 * DAY)
    assert met.only("staging.retired_entries")["entered_as"] == "B1"


def test_a_retired_entry_is_itself_again_when_one_of_them_is_somebody_else(met: World) -> None:
    eve = {**BOB, "contact_id": "C1", "email": "eve@brio.com", "full_name": "Eve Third"}
    met.load([eve, BOB], at=START + 2 * DAY)
    met.derive()
    assert present(met) == ["C1", "C2", "E1"]
    met.load([ADA, BOB], at=START + 3 * DAY)
    assert present(met) == ["C1", "C2"]
    met.enter({**FORM, "full_name": "Uma Fourth", "email": "uma@acme.example.com"})
    met.load([ADA, BOB], at=START + 4 * DAY)
    met.derive()
    assert present(met) == ["C1", "C2", "E1"]
    assert problems(met) == []


def test_an_entry_without_a_known_account_has_the_priority_that_the_policy_names(
    entered: World,
) -> None:
    entered.enter({**FORM, "contact_id": "E2", "email": "uma@acme.example.com", "account_id": "A1"})
    entered.enter({**FORM, "contact_id": "E3", "email": "ida@acme.example.com", "account_id": "A9"})
    entered.load([BOB], [{"account_id": "A1", "tier": "strategic"}])
    states = entered.states()
    found = {each: (row["priority"], row["priority_rank"]) for each, row in states.items()}
    assert found == {
        "C2": ("bulk", 3),
        "E1": ("standard", 2),
        "E2": ("strategic", 0),
        "E3": ("standard", 2),
    }
    assert states["E1"]["priority_score"] == -1
    target = entered.policy.model_copy(
        update={"entry": entered.policy.entry.model_copy(update={"priority": "target"})}
    )
    assert entered.states(policy=target)["E1"]["priority"] == "target"


def test_who_may_be_asked_about_holds_for_entries(entered: World) -> None:
    def ineligible(**eligibility: str) -> list[str]:
        entered.load([{**BOB, "country": "NO"}], eligibility=eligibility)
        return [row["contact_id"] for row in entered.rows("staging.ineligible_contacts")]

    assert ineligible(where="email like '%@brio.com'") == ["E1"]
    assert ineligible(where="email like '%@acme.example.com'") == ["C2"]
    # a column that only the source has
    assert ineligible(where="country is distinct from 'DE'") == []
    assert ineligible(where="country <> 'DE'") == ["E1"]
    # no query of the source lists what was entered
    assert ineligible(contacts="select contact_id from contacts") == ["E1"]


def test_a_condition_means_the_same_for_entries_whatever_types_the_source_has(world: World) -> None:
    write_csv(world.folder / "contacts.csv", [{"contact_id": "C1", "updated_at": "2026-02-01"}])
    source = policy_for(world.folder).source.model_copy(
        update={
            "contacts": "select contact_id, cast(updated_at as timestamp) as updated_at "
            "from contacts"
        }
    )
    for contact_id, updated_at in {"E1": "2026-02-01", "E2": "2025-12-31", "E3": "soon"}.items():
        world.enter({"contact_id": contact_id, "updated_at": updated_at})
    load_contacts(
        world.connection,
        source,
        world.folder,
        phone_region="",
        loaded_at=START,
        eligibility=EligibilityPolicy(where="updated_at >= timestamp '2026-01-01'"),
        entered=entered_table([[*world.entries.values()]]),
    )
    found = [row["contact_id"] for row in world.rows("staging.ineligible_contacts")]
    assert found == ["E2", "E3"]


def test_values_are_told_with_where_each_is_from(met: World) -> None:
    met.decide("C1", "replace", field="job_title", value="Chief", at=START)
    met.derive()
    fields: dict[str, Row] = json.loads(answers(met)["E1"].fields)
    assert fields["work_email"] == {
        "value": "ada@acme.com",
        "status": "verified",
        "provider": "signalhire",
        "observed_at": "2026-03-02T09:00:00.000000Z",
    }
    assert fields["job_title"]["provider"] == "human"
    # the source's own values are no provider's
    assert fields["company_name"] == {
        "value": "Acme",
        "status": None,
        "provider": None,
        "observed_at": None,
    }
    assert "mobile_phone" not in fields
