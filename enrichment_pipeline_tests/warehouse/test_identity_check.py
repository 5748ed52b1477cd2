"""Is the person who was found the one who was looked for? Counted, on answers with known truth.

The labelled set holds each kind of answer; the sample, where the truth is known too, how
often each is met.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from enrichment_pipeline.policy import Policy
from enrichment_pipeline_tests.warehouse import FIRST, World, candidate
from enrichment_pipeline_tests.warehouse.labelled_answers import LABELLED, OURS
from enrichment_pipeline_tests.warehouse.prepared import prepared

SAMPLE = Path(__file__).parents[2] / "data" / "sample"


@dataclass
class Quality:
    """How well accepting went: of what was accepted, and of what should have been."""

    accepted_right: int = 0
    accepted_wrong: int = 0
    refused_right: int = 0
    refused_wrong: int = 0

    def count(self, *, is_accepted: bool, is_same: bool) -> None:
        verb = "accepted" if is_accepted else "refused"
        name = f"{verb}_{'right' if is_same else 'wrong'}"
        setattr(self, name, getattr(self, name) + 1)

    @property
    def precision(self) -> float:
        return self.accepted_right / (self.accepted_right + self.accepted_wrong)

    @property
    def recall(self) -> float:
        return self.accepted_right / (self.accepted_right + self.refused_right)

    def __str__(self) -> str:
        return (
            f"precision {self.precision:.4f}, recall {self.recall:.4f} "
            f"({self.accepted_right} right and {self.accepted_wrong} wrong accepted, "
            f"{self.refused_right} right and {self.refused_wrong} wrong kept for review)"
        )


def numbered(n: int, row: Mapping[str, Any]) -> dict[str, Any]:
    return json.loads(json.dumps(row).replace("#", str(n)))


@prepared
def judged(world: World) -> None:
    """All labelled answers in one batch: what breaks one must not touch the others."""
    world.load(
        numbered(n, {"contact_id": "C#", **OURS, **labelled.contact})
        for n, labelled in enumerate(LABELLED)
    )
    world.look_up_each(
        (f"C{n}", {"candidate": numbered(n, labelled.answer)})
        for n, labelled in enumerate(LABELLED)
    )
    world.derive()


def test_each_labelled_answer_ends_where_it_should(judged: World) -> None:
    quality = Quality()
    astray = []
    for n, labelled in enumerate(LABELLED):
        ended = judged.status(f"C{n}")
        if ended != (labelled.status, labelled.reason):
            astray.append((n, labelled.kind, ended))
        if labelled.is_same is not None:
            is_accepted = ended[1] in (None, "no_verified_email")
            quality.count(is_accepted=is_accepted, is_same=labelled.is_same)
    print(f"\nidentity check, labelled set: {quality}")
    assert astray == []
    changed = {row["contact_id"]: row for row in judged.rows("enrichment.enriched_contacts")}
    for n, labelled in enumerate(LABELLED):
        if labelled.status == "enriched":
            assert changed[f"C{n}"]["job_changed"] is labelled.is_job_changed, labelled.kind
    assert (quality.precision, quality.recall) == (1.0, 1.0)


def test_nothing_of_a_refused_answer_fills_a_field(judged: World) -> None:
    for n, labelled in enumerate(LABELLED):
        if labelled.reason in ("identity_mismatch", "unreadable_answer"):
            assert judged.facts(f"C{n}") == {}, labelled.kind


def test_a_mismatch_shows_both_sides(world: World) -> None:
    world.load([numbered(1, {"contact_id": "C1", **OURS})])
    world.look_up("C1", candidate=candidate("Bob Stranger", jobs=[{"company": "Brio"}]))
    world.derive()
    evidence = json.loads(world.only("enrichment.needs_review")["evidence"])
    assert evidence["differs"] == "name"
    assert evidence["ours"]["full_name"] == "Ada Example"
    assert evidence["ours"]["company_name"] == "Acme"
    assert evidence["theirs"]["full_name"] == "Bob Stranger"
    assert evidence["theirs"]["company_names"] == ["Brio"]


@pytest.mark.parametrize(("least", "reason"), [(0.9, None), (0.99, "identity_mismatch")])
def test_how_close_names_must_be_is_policy(world: World, least: float, reason: str | None) -> None:
    world.load([numbered(1, {"contact_id": "C1", **OURS, "full_name": "Jon Smithson"})])
    answer = candidate("Jon Smitsson", emails=[("jon@acme.com", 100, "work")])
    world.look_up("C1", candidate=answer)
    world.derive(policy=Policy.model_validate({"identity": {"name_similarity": least}}))
    assert world.only("enrichment.contact_status")["reason"] == reason


UID = "c" * 32
ZOE = {
    "contact_id": "C1",
    "full_name": "Zoe Searched",
    "email": "desk7@acme.com",
    "company_name": "Acme",
}


def found_by_search(world: World, **answer: Any) -> None:
    """Zoe is searched for, found, and looked up by her profile's id."""
    world.load([ZOE])
    person = world.persons()["C1"]
    world.connection.execute(
        "insert into raw.searches"
        " (search_id, provider, person_key, contact_id, full_name, state, outcome)"
        " values ('S1', ?, ?, 'C1', 'Zoe Searched', 'answered', 'found')",
        [FIRST, person],
    )
    world.connection.execute("insert into raw.search_profiles values ('S1', 1, ?, '{}')", [UID])
    emails = [("zoe@acme.com", 100, "work")]
    lookup_id = world.look_up("C1", candidate=candidate(emails=emails, uid=UID, **answer))
    world.connection.execute(
        "update raw.lookups set item_kind = 'uid', item = ? where lookup_id = ?", [UID, lookup_id]
    )
    world.derive()


def test_who_was_searched_for_and_found_may_be_called_otherwise_there(world: World) -> None:
    found_by_search(world, name="Zoé van Gesucht", jobs=[{"company": "Brio"}])
    assert world.status("C1") == ("enriched", None)


def test_who_was_asked_for_by_the_profiles_id_alone_may_work_elsewhere(world: World) -> None:
    """An id from the source: no search has compared anything."""
    world.load([{**ZOE, "company_domain": "acme.com"}])
    answer = candidate(
        ZOE["full_name"],
        uid=UID,
        jobs=[{"company": "Brio", "website": "brio.com", "current": True}],
        emails=[("zoe@brio.com", 100, "work")],
    )
    lookup_id = world.look_up("C1", candidate=answer)
    world.derive()
    assert world.status("C1") == ("needs_review", "identity_mismatch")
    world.connection.execute(
        "update raw.lookups set item_kind = 'uid', item = ? where lookup_id = ?", [UID, lookup_id]
    )
    world.replay()
    assert world.status("C1") == ("enriched", None)


def test_who_was_asked_for_by_a_profiles_id_may_have_moved_on(world: World) -> None:
    found_by_search(world, name="Zoe Searched", jobs=[{"company": "Brio"}])
    world.load([{**ZOE, "full_name": "Zoe Maria Searched"}])
    world.derive()
    assert world.status("C1") == ("enriched", None)


def test_a_contact_that_is_somebody_else_by_now_gets_nothing_of_whom_a_search_found(
    world: World,
) -> None:
    found_by_search(world, name="Zoe Searched")
    assert world.status("C1") == ("enriched", None)
    world.load([{**ZOE, "full_name": "Yan Other"}])
    world.derive()
    assert world.status("C1") == ("needs_review", "identity_mismatch")
    assert world.facts() == {}
