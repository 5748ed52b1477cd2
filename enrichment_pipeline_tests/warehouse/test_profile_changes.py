"""Profiles that providers say have changed, or not: how old their answers are, and who is asked."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import pytest

from enrichment_pipeline.policy import Policy
from enrichment_pipeline.providers.base import NO_SUCH_RELEASE
from enrichment_pipeline.warehouse import common_profile, profile_changes
from enrichment_pipeline.warehouse.findings import find_expired_answers
from enrichment_pipeline.warehouse.profile_changes import (
    due_changes,
    last_change_revision,
    merge_profile_changes,
    missing_releases,
    read_moved_profiles,
)
from enrichment_pipeline.waterfall import EVERY_IDENTIFIER, Turn
from enrichment_pipeline_tests.support import START
from enrichment_pipeline_tests.warehouse import (
    ADA,
    DAY,
    FIRST,
    VERIFIED,
    World,
    candidate,
    person,
    reading_of,
)
from enrichment_pipeline_tests.warehouse.prepared import prepared

UID = VERIFIED["uid"]
READS_CHANGES = """
-- version: 1
create or replace temp view read_changes as
select reply_id, body ->> '$.uid' as uid, body ->> '$.moved_to' as moved_to from unread_changes;
"""
STOPPED = ("needs_review", "legal_stop")
ENRICHED = ("enriched", None)


@pytest.fixture(autouse=True)
def releases_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each profile is of the release that its headline names."""
    reading = reading_of()
    assert "null as release" in reading.profiles
    dated = reading.profiles.replace("null as release", "told.headLine as release")
    monkeypatch.setattr(
        common_profile, "readings", lambda: (replace(reading, profiles=dated, version=77),)
    )
    monkeypatch.setattr(profile_changes, "change_readers", lambda: {FIRST: READS_CHANGES})


FOUND = {**VERIFIED, "headLine": "33.0"}


@prepared
def found(world: World) -> None:
    """Ada was found, by an answer of the release 33.0."""
    world.load([ADA])
    world.look_up("C1", candidate=FOUND)
    world.derive()


Tell = Callable[..., None]


@pytest.fixture
def tell(found: World) -> Tell:
    """Book a question about changes, and copy it."""
    told: list[str] = []

    def book(
        outcome: str | None,
        *,
        release: str = "33.1",
        at: datetime = START + DAY,
        contact_id: str = "C1",
        uid: str = UID,
        moved_to: str | None = None,
        **changes: Any,
    ) -> None:
        number = f"{len(told) + 1:03}"
        row: dict[str, Any] = {
            "change_id": f"change-{number}",
            "provider": FIRST,
            "release": release,
            "person_key": found.persons()[contact_id],
            "uid": uid,
            "supersedes": told[-1] if told else "",
            "contact_id": contact_id,
            "freshness": "stale",
            "priority": "bulk",
            "run_id": "run-2",
            "state": "answered" if outcome else "open",
            "outcome": outcome,
            "reason": None,
            "reply_id": f"told-{number}" if outcome else None,
            "requested_at": at,
            "answered_at": at if outcome else None,
            "revision": 1000 + len(told),
            **changes,
        }
        told.append(row["change_id"])
        merge_profile_changes(found.connection, [[SimpleNamespace(_mapping=row)]])
        body = json.dumps({"uid": uid, "moved_to": moved_to}).encode()
        read_moved_profiles(found.connection, lambda ids: [(each, body) for each in ids])

    return book


def due(world: World) -> list[tuple[str, str, str]]:
    found = due_changes(world.connection, FIRST)
    return [(each.contact_id, each.uid, each.known_release) for each in found]


def reason(world: World, at: datetime) -> str:
    return world.states(at=at)["C1"]["freshness_reason"]


# --- how old an answer is ------------------------------------------------------------------


def test_what_has_not_changed_is_as_new_as_when_that_was_said(found: World, tell: Tell) -> None:
    tell("unchanged", at=START + 80 * DAY)
    late = START + 169 * DAY
    assert reason(found, late) == "answer_is_recent"
    assert reason(found, late + 2 * DAY) == "answer_is_old"
    found.derive(at=late)
    row = found.only("enrichment.enriched_contacts")
    assert (row["enriched_at"], row["expires_at"]) == (START, START + 170 * DAY)
    assert found.status("C1") == ENRICHED
    assert found.only("enrichment.contact_status")["next_lookup_at"] == START + 170 * DAY


def test_the_check_of_expired_answers_knows_of_it(found: World, tell: Tell) -> None:
    late = START + 100 * DAY
    found.derive(at=START + 80 * DAY)
    assert find_expired_answers(found.connection, Policy().freshness, START + 80 * DAY) == []
    tell("unchanged", at=START + 80 * DAY)
    found.derive(at=late)
    assert find_expired_answers(found.connection, Policy().freshness, late) == []


def test_whose_profile_has_changed_is_due_and_stays_what_they_are(found: World, tell: Tell) -> None:
    tell("changed", at=START + 10 * DAY)
    at = START + 11 * DAY
    assert reason(found, at) == "profile_changed"
    state = found.states(at=at)["C1"]
    assert (state["freshness"], state["is_due"], state["due_at"]) == (
        *("stale", True),
        START + 10 * DAY,
    )
    found.derive(at=at)
    assert found.status("C1") == ENRICHED
    assert found.only("enrichment.enriched_contacts")["expires_at"] == START + 10 * DAY
    # that the next release leaves it alone does not make the answer right
    tell("unchanged", release="33.2", at=START + 40 * DAY)
    assert reason(found, START + 41 * DAY) == "profile_changed"
    # but a new look-up does
    found.look_up("C1", candidate={**FOUND, "headLine": "33.2"}, at=START + 42 * DAY)
    assert reason(found, START + 43 * DAY) == "answer_is_recent"


def test_what_was_told_before_an_answer_is_not_about_it(found: World, tell: Tell) -> None:
    tell("changed", at=START)
    assert reason(found, START + DAY) == "answer_is_recent"
    tell("unchanged", at=START - DAY)
    assert reason(found, START + 91 * DAY) == "answer_is_old"


def test_a_question_that_failed_changes_nothing(found: World, tell: Tell) -> None:
    tell(None)
    tell("retriable", state="released", reason="no_reply", at=START + 80 * DAY)
    assert reason(found, START + 91 * DAY) == "answer_is_old"


# --- who may not be asked about ------------------------------------------------------------


def test_who_has_opted_out_is_asked_about_by_nobody_and_for_review(
    found: World, tell: Tell
) -> None:
    tell("legal_stop", reason="opted_out")
    found.waterfall = (Turn(FIRST, EVERY_IDENTIFIER), Turn("other", EVERY_IDENTIFIER))
    late = START + 200 * DAY
    found.derive(at=late)
    assert found.status("C1") == STOPPED
    row = found.only("enrichment.contact_status")
    assert (row["freshness"], row["freshness_reason"], row["next_lookup_at"]) == (
        *("suppressed", "legal_stop"),
        None,
    )
    assert due(found) == []


def test_it_holds_where_their_contact_is_another_person_by_then(found: World, tell: Tell) -> None:
    tell("legal_stop", reason="deleted", person_key="of before")
    assert reason(found, START + 2 * DAY) == "legal_stop"


# --- who is asked about --------------------------------------------------------------------


def test_an_accepted_profile_is_due_from_the_release_that_its_answer_is_of(found: World) -> None:
    assert due(found) == [("C1", UID, "33.0")]
    [each] = due_changes(found.connection, FIRST)
    assert each.person_key == found.persons()["C1"]
    assert each.last_change_id == ""
    assert len(each.identifiers) > 1
    assert due_changes(found.connection, "other") == []


def test_it_goes_on_from_the_last_release_that_was_told_of(found: World, tell: Tell) -> None:
    tell("unchanged")
    assert due(found) == [("C1", UID, "33.1")]
    assert due_changes(found.connection, FIRST)[0].last_change_id == "change-001"
    tell("changed", release="33.2", at=START + 2 * DAY)
    assert due(found) == [("C1", UID, "33.2")]  # whether they opt out is still to be heard
    tell(None, release="34.0", at=START + 3 * DAY)
    assert due(found) == []  # it is being asked
    found.look_up("C1", candidate={**FOUND, "headLine": "35.0"}, at=START + 4 * DAY)
    found.derive(at=START + 4 * DAY)
    tell("retriable", state="released", at=START + 5 * DAY)
    assert last_change_revision(found.connection) == 1003


def test_a_profile_that_has_become_another_is_asked_about_as_that(found: World, tell: Tell) -> None:
    tell("changed", moved_to="NEW one")
    assert due(found) == [("C1", "NEW one", "33.1")]
    tell("unchanged", release="33.2", uid="NEW one", at=START + 2 * DAY)
    assert due(found) == [("C1", "NEW one", "33.2")]


def test_nobody_is_asked_about_whose_profile_it_is_not_sure_to_be(found: World) -> None:
    strangers = candidate("Somebody Else", uid="other", headLine="33.0")
    undated = {**FOUND, "uid": "undated", "headLine": None}
    found.load([ADA, person("C2"), person("C3"), person("C4")])
    found.look_up("C2", candidate=strangers)
    found.look_up("C3", candidate=undated)
    found.look_up("C4", outcome="no_match")
    found.derive_facts()
    assert due(found) == [("C1", UID, "33.0")]


def test_nobody_is_asked_about_who_may_not_be_or_has_left(found: World) -> None:
    found.load([ADA], eligibility={"where": "contact_id <> 'C1'"})
    assert due(found) == []
    found.load([ADA])
    found.connection.execute("insert into staging.suppressed_contacts values ('C1')")
    assert due(found) == []
    found.connection.execute("delete from staging.suppressed_contacts")
    assert due(found) == [("C1", UID, "33.0")]
    found.load([person("C2")], max_shrink=1)
    assert due(found) == []


def test_a_release_that_is_still_to_come_is_asked_about_once_a_day(
    found: World, tell: Tell
) -> None:
    refused = {"state": "released", "reason": NO_SUCH_RELEASE, "at": START}
    tell("retriable", **refused)
    tell("retriable", **{**refused, "reason": "no_reply"}, release="33.2")

    def missing(at: datetime) -> frozenset[str]:
        return missing_releases(found.connection, FIRST, NO_SUCH_RELEASE, at)

    assert missing(START + DAY / 2) == {"33.1"}
    assert missing(START + DAY) == frozenset()
    assert due(found) == [("C1", UID, "33.0")]


def test_who_became_which_is_read_anew_by_another_version(
    found: World, tell: Tell, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell("changed", moved_to="new")
    newer = READS_CHANGES.replace("version: 1", "version: 2").replace("$.moved_to", "$.none")
    monkeypatch.setattr(profile_changes, "change_readers", lambda: {FIRST: newer})
    read_moved_profiles(found.connection, lambda ids: [(each, b"{}") for each in ids])
    assert due(found) == [("C1", UID, "33.1")]
