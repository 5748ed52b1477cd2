"""Replaying and undoing: what they change, what they keep, and that they tell it first."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from enrichment_pipeline.errors import ConfigurationError
from enrichment_pipeline.policy import Policy
from enrichment_pipeline.warehouse.replay import Change
from enrichment_pipeline_tests.support import START
from enrichment_pipeline_tests.warehouse import ADA, BOB, DAY, FIRST, World, candidate, contents
from enrichment_pipeline_tests.warehouse.prepared import prepared, prepared_after

AT_ACME = {"position": "CTO", "company": "Acme", "website": "acme.com", "current": True}


def answer(email: str, rating: int = 100, **more: object) -> dict[str, object]:
    return candidate(emails=[(email, rating, "work")], jobs=[{**AT_ACME, **more}])


@prepared
def twice(world: World) -> None:
    """Ada, bought by two runs; and Bob, bought by nobody."""
    world.load([ADA, BOB])
    world.look_up("C1", candidate=answer("old@acme.com", industry="Tools"), run_id="run-1")
    world.look_up("C1", candidate=answer("new@acme.com"), at=START + DAY, run_id="run-2")
    world.derive(at=START + DAY)


@prepared_after(twice)
def undone(world: World) -> None:
    """And the later run undone."""
    world.undo("run-2", at=START + DAY)


def told(changes: Iterable[Change]) -> set[tuple[str, str | None, str, int]]:
    return {(each.table, each.field, each.change, each.count) for each in changes}


def enriched(world: World) -> dict[str, object]:
    return world.only("enrichment.enriched_contacts")


def test_a_replay_of_what_is_up_to_date_changes_no_row(twice: World) -> None:
    before = contents(twice.connection)
    assert twice.replay(at=START + DAY) == []
    assert contents(twice.connection) == before


def test_a_replay_applies_the_policy_of_today_to_old_answers(world: World) -> None:
    world.load([{**ADA, "full_name": "Jon Smithson"}])
    world.look_up("C1", candidate={**answer("jon@acme.com"), "fullName": "Jon Smitsson"})
    strict = Policy.model_validate({"identity": {"name_similarity": 0.99}})
    world.derive(policy=strict)
    assert world.status("C1") == ("needs_review", "identity_mismatch")
    changes = told(world.replay())
    assert world.status("C1") == ("enriched", None)
    assert {
        ("contact_status", "reason", "changed", 1),
        ("needs_review", None, "gone", 1),
        ("enriched_contacts", None, "added", 1),
        ("person_facts", "work_email", "added", 1),
        ("person_facts", "outcome_detail", "gone", 1),
    } <= changes


def test_what_is_told_names_contacts_by_their_id_only(twice: World) -> None:
    changes = twice.undo("run-2", at=START + DAY)
    assert {example for each in changes for example in each.examples} == {"C1", "acme.com"}


def test_undo_takes_a_runs_values_back_field_by_field(twice: World) -> None:
    twice.undo("run-1", at=START + DAY)
    row = enriched(twice)
    assert (row["work_email"], row["run_id"]) == ("new@acme.com", "run-2")
    # only the undone run had said so
    assert row["company_industry"] is None
    twice.undo("run-2", at=START + DAY)
    assert twice.status("C1") == ("needs_review", "undone")
    assert twice.rows("enrichment.enriched_contacts") == []
    assert twice.rows("enrichment.company_facts") == []


def test_undoing_the_latest_brings_the_earlier_back(undone: World) -> None:
    row = enriched(undone)
    assert (row["work_email"], row["run_id"], row["enriched_at"]) == (
        "old@acme.com",
        "run-1",
        START,
    )
    assert {row["valid_to"] for row in undone.rows("enrichment.person_facts")} == {None}


def test_undo_keeps_what_was_paid_for_and_buys_nobody_again(twice: World) -> None:
    answers = twice.rows("raw.provider_responses")
    for run_id in ("run-1", "run-2"):
        twice.undo(run_id, at=START + DAY)
    assert twice.rows("raw.provider_responses") == answers
    assert len(twice.rows("raw.lookups")) == 2
    assert twice.states(at=START + 30 * DAY)["C1"]["freshness"] == "fresh"
    assert twice.states(at=START + 92 * DAY)["C1"]["freshness"] == "stale"


def test_undo_keeps_what_people_decided(twice: World) -> None:
    twice.decide("C1", "replace", field="work_email", value="mine@acme.com", at=START + 2 * DAY)
    for run_id in ("run-1", "run-2"):
        twice.undo(run_id, at=START + 2 * DAY)
    row = enriched(twice)
    assert (row["work_email"], row["work_email_status"]) == ("mine@acme.com", "verified")
    assert row["provider"] == "human"
    assert twice.status("C1") == ("enriched", None)


def test_a_humans_value_beats_every_later_answer_and_every_write_rule(twice: World) -> None:
    twice.decide("C1", "replace", field="work_email", value="mine@acme.com", at=START + DAY)
    twice.look_up("C1", candidate=answer("newest@acme.com"), at=START + 5 * DAY)
    twice.derive(at=START + 5 * DAY)
    assert enriched(twice)["work_email"] == "mine@acme.com"
    twice.derive_outcomes(
        at=START + 5 * DAY, policy=Policy.model_validate({"fields": {"work_email": "never"}})
    )
    assert enriched(twice)["work_email"] == "mine@acme.com"


def test_a_replay_honours_undo_and_decisions(twice: World) -> None:
    twice.decide("C1", "replace", field="location", value="Berlin", at=START + DAY)
    twice.undo("run-2", at=START + DAY)
    before = contents(twice.connection)
    assert twice.replay(at=START + DAY) == []
    assert contents(twice.connection) == before


def test_an_answer_of_an_undone_run_that_comes_later_does_not_count(undone: World) -> None:
    undone.look_up("C2", candidate={**VERIFIED_BOB}, at=START + DAY, run_id="run-2")
    undone.derive(at=START + DAY)
    assert undone.status("C2") == ("needs_review", "undone")


VERIFIED_BOB = candidate("Bob Other", emails=[("bob@brio.com", 100, "work")])


def test_undo_is_logged_once(undone: World) -> None:
    assert undone.undo("run-2", at=START + 2 * DAY) == []
    assert undone.only("raw.undone_runs") == {
        "run_id": "run-2",
        "undone_at": START + DAY,
        "undone_by": "eve",
    }


def test_a_run_that_looked_nobody_up_cannot_be_undone(twice: World) -> None:
    before = contents(twice.connection)
    with pytest.raises(ConfigurationError, match="undo: no run run-3"):
        twice.undo("run-3")
    assert contents(twice.connection) == before


def test_identifiers_that_only_an_undone_run_gave_name_nobody(twice: World) -> None:
    def aliases() -> set[str]:
        return {row["alias"] for row in twice.rows("staging.person_aliases", "origin = 'answer'")}

    assert {"email:old@acme.com", "email:new@acme.com"} <= aliases()
    twice.undo("run-1", at=START + DAY)
    assert "email:old@acme.com" not in aliases()
    assert {"email:new@acme.com", f"uid:{FIRST}:" + "f" * 32} <= aliases()


def test_a_contact_whose_name_is_corrected_is_judged_anew(world: World) -> None:
    world.load([{**ADA, "full_name": "Somebody Else"}])
    world.look_up("C1", candidate=answer("ada@acme.com"))
    world.derive()
    assert world.status("C1") == ("needs_review", "identity_mismatch")
    world.load([ADA], at=START + DAY)
    world.derive(at=START + DAY)
    assert world.status("C1") == ("enriched", None)
    world.load([{**ADA, "full_name": "Somebody Else"}], at=START + DAY)
    world.derive(at=START + DAY)
    assert world.rows("enrichment.enriched_contacts") == []


def test_answers_are_read_in_batches_of_any_size(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.load([ADA, {**ADA, "contact_id": "C3"}, BOB])
    world.look_up_each(
        ("C1", {"candidate": answer(f"a{days}@acme.com"), "at": START + days * DAY})
        for days in range(5)
    )
    world.look_up("C2", candidate=VERIFIED_BOB)
    world.derive()
    before = contents(world.connection)
    monkeypatch.setattr("enrichment_pipeline.warehouse.judging.ANSWERS_PER_BATCH", 2)
    assert world.replay() == []
    assert contents(world.connection) == before
