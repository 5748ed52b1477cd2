"""Answers that are erased after `retain_days`: what goes, what stays, and that it stays."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from enrichment_pipeline.policy import Policy
from enrichment_pipeline.warehouse import common_profile, profile_changes
from enrichment_pipeline.warehouse.connection import transaction
from enrichment_pipeline.warehouse.retention import erase_expired_answers
from enrichment_pipeline_tests.support import START
from enrichment_pipeline_tests.warehouse import (
    ADA,
    BOB,
    DAY,
    World,
    candidate,
    person,
)
from enrichment_pipeline_tests.warehouse.prepared import prepared

WORK, SECOND, HOME = "ada@acme.com", "ada.example@acme.com", "ada@home.net"
PHONE = "+493090182012"
JOB = {
    "position": "CTO",
    "company": "Acme",
    "website": "acme.com",
    "industry": "Software",
    "current": True,
}
FOUND = candidate(
    emails=[(WORK, 100, "work"), (SECOND, 70, "work"), (HOME, 30, "personal")],
    phones=[(PHONE, 70, "work_phone")],
    jobs=[JOB],
    headLine="Builds things",
    locations=[{"name": "Berlin"}],
)
KEPT: dict[str, Any] = {"retain_days": 30}
LATE = START + 40 * DAY
SHOWN = "enrichment.enriched_contacts"


def keeping(days: int = 30, **sections: Any) -> Policy:
    return Policy.model_validate({"signalhire": {"retain_days": days}, **sections})


@prepared
def found(world: World) -> None:
    """Ada was found, with more than is shown; another was not, and a stranger for a third."""
    world.load([ADA, person("C2"), person("C3")])
    world.look_up("C1", candidate=FOUND)
    world.look_up("C2", outcome="no_match")
    world.look_up("C3", candidate=candidate("Somebody Else", uid="other"))
    world.derive()


def erase(world: World, *, at: datetime = LATE, policy: Policy | None = None) -> int:
    """As a run does at this instant, which has derived the outcomes before."""
    world.policy = policy or keeping()
    world.derive(at=at)
    with transaction(world.connection):
        erased = erase_expired_answers(world.connection, world.policy, at)
    world.derive(at=at)
    return erased


def shown(world: World) -> list[dict[str, Any]]:
    return world.rows(SHOWN)


def everywhere(world: World, value: str) -> list[str]:
    """The columns of stored tables in which a value stands."""
    columns = world.connection.execute(
        "select schema_name || '.' || table_name, column_name from duckdb_columns() "
        "where schema_name in ('staging', 'raw', 'enrichment') and not internal "
        "and table_name in (select table_name from duckdb_tables())"
    ).fetchall()
    return [
        f"{table}.{column}"
        for table, column in columns
        if world.connection.execute(
            f"select 1 from {table} where contains(cast({column} as varchar), ?) limit 1", [value]
        ).fetchall()
    ]


def test_the_raw_answer_goes_and_with_it_whatever_is_not_shown(found: World) -> None:
    for value in (SECOND, "Builds things"):
        assert everywhere(found, value)
    before = shown(found)
    assert erase(found) == 2
    assert everywhere(found, SECOND) == []
    assert everywhere(found, "Builds things") == []
    assert shown(found) == before
    [row] = before
    for value in (WORK, HOME, PHONE, "Berlin", "CTO"):
        assert value in row.values()
    rows = found.rows("raw.provider_responses")
    assert {(row["outcome"], row["answer"], row["is_erased"]) for row in rows} == {
        ("matched", None, True),
        ("no_match", None, None),
    }


def test_what_is_shown_stays_with_where_it_came_from(found: World) -> None:
    erase(found)
    facts = found.facts()
    assert facts["work_email"] == [WORK]
    assert facts["personal_email"] == [HOME]
    assert facts["job_title"] == ["CTO"]
    [row] = found.rows("enrichment.person_facts", f"value = '{WORK}'")
    assert (row["status"], row["confidence"], row["observed_at"]) == ("verified", "100", START)


def test_nothing_is_erased_before_its_time_or_where_it_is_kept_for_ever(found: World) -> None:
    assert erase(found, at=START + 30 * DAY) == 0
    assert erase(found, policy=keeping(0)) == 0
    other = Policy.model_validate({"providers": {"prospeo": KEPT}})
    assert erase(found, policy=other) == 0
    assert everywhere(found, SECOND)


def test_a_replay_loses_nothing_that_is_shown(found: World) -> None:
    erase(found)
    before, statuses = shown(found), found.rows("enrichment.contact_status")
    assert found.replay(at=LATE) == []
    assert shown(found) == before
    assert found.rows("enrichment.contact_status") == statuses
    assert everywhere(found, SECOND) == []


def test_neither_does_another_version_of_how_answers_are_read(
    found: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    erase(found)
    before = shown(found)
    newer = tuple(replace(each, version=99) for each in common_profile.readings())
    monkeypatch.setattr(common_profile, "readings", lambda: newer)
    found.derive(at=LATE)
    assert shown(found) == before


def test_nor_a_contact_that_is_written_again(found: World) -> None:
    erase(found)
    before = shown(found)[0]
    found.load([{**ADA, "job_title": "Boss"}, person("C2"), person("C3")], at=LATE)
    found.derive(at=LATE)
    after = shown(found)[0]
    assert after["work_email"] == before["work_email"] == WORK
    assert after["source_job_title"] == "Boss"


def test_who_is_due_does_not_change_by_it(found: World) -> None:
    found.policy = keeping()
    before = {each: row["freshness_reason"] for each, row in found.states(at=LATE).items()}
    erase(found)
    after = {each: row["freshness_reason"] for each, row in found.states(at=LATE).items()}
    assert after == before
    assert found.states(at=START + 91 * DAY)["C1"]["freshness_reason"] == "answer_is_old"
    assert found.status("C3") == ("needs_review", "identity_mismatch")


def test_a_further_contact_of_the_person_is_looked_up_anew(found: World) -> None:
    erase(found)
    second = {**ADA, "contact_id": "C9"}
    found.load([ADA, person("C2"), person("C3"), second], at=LATE)
    found.derive(at=LATE)
    states = found.states(at=LATE)
    assert (states["C9"]["freshness_reason"], states["C9"]["is_due"]) == ("answer_erased", True)
    assert states["C1"]["freshness_reason"] == "answer_is_recent"
    assert found.status("C9") == ("queued", None)


def test_a_new_answer_takes_the_place_of_what_was_left(found: World) -> None:
    erase(found)
    newer = candidate(emails=[("new@acme.com", 100, "work")], jobs=[JOB])
    found.look_up("C1", candidate=newer, at=LATE, run_id="run-2")
    found.derive(at=LATE)
    assert shown(found)[0]["work_email"] == "new@acme.com"
    erase(found, at=LATE + DAY)
    assert everywhere(found, WORK) != []  # of the first, as long as nothing newer is erased
    erase(found, at=LATE + 31 * DAY)
    row = shown(found)[0]
    assert (row["work_email"], row["personal_email"]) == ("new@acme.com", HOME)


def test_of_two_answers_the_values_that_are_shown_stay_whichever_gave_them(found: World) -> None:
    older_is_better = candidate(
        emails=[("likely@acme.com", 70, "work"), (SECOND, 30, "work")],
        phones=[("+493090182099", 70, "mobile")],
        jobs=[JOB],
    )
    found.look_up("C1", candidate=older_is_better, at=START + 5 * DAY, run_id="run-2")
    found.derive(at=START + 5 * DAY)
    before = shown(found)[0]
    assert before["work_email"] == WORK
    erase(found)
    after = shown(found)[0]
    assert after == before
    assert everywhere(found, "likely@acme.com") == []
    assert found.replay(at=LATE) == []


def test_what_colleagues_are_shown_of_the_company_stays(found: World) -> None:
    found.load([ADA, person("C2"), person("C3"), {**BOB, "company_domain": "acme.com"}])
    found.derive()
    before = found.only("enrichment.contact_status", "contact_id = 'C2'")["company_industry"]
    assert before == "Software"
    erase(found)
    assert found.replay(at=LATE) == []
    row = found.only("enrichment.contact_status", "contact_id = 'C2'")
    assert row["company_industry"] == "Software"


def test_an_undone_run_takes_back_what_was_left_too(found: World) -> None:
    erase(found)
    found.undo("run-1", at=LATE)
    assert shown(found) == []


def test_an_answer_that_the_ledger_has_erased_is_asked_for_again(world: World) -> None:
    """A warehouse that was lost is derived from the ledger, which has the answer no more."""
    world.load([ADA])
    world.look_up("C1", candidate=FOUND, body=b" ")
    world.connection.execute("delete from raw.provider_responses")
    for reply in world._bodies:
        world._bodies[reply] = b""
    world.copy_responses()
    world.derive(at=START + DAY)
    assert world.only("raw.provider_responses")["is_erased"]
    assert world.states(at=START + DAY)["C1"]["freshness_reason"] == "answer_erased"
    assert world.status("C1") == ("queued", None)


def test_what_a_verification_said_of_an_address_stays(found: World) -> None:
    answer = json.dumps({"data": {"status": "valid", "email": SECOND}})
    found.connection.execute(
        "insert into raw.verifications (verification_id, provider, email, outcome, answer, "
        "answered_at, run_id) values ('v1', 'hunter', ?, 'checked', ?, ?, 'run-1')",
        [SECOND, answer, START],
    )
    erase(found, policy=Policy.model_validate({"providers": {"hunter": KEPT}}))
    assert found.only("raw.verifications")["answer"] == ""
    found.connection.execute("update staging.verification_readings set reading = 0")
    found.derive(at=LATE)  # as another version reads it
    assert found.only("staging.verification_readings")["status"] == "verified"


def test_an_opt_out_is_heard_of_after_the_answer_was_erased(found: World) -> None:
    [reading] = [each for each in common_profile.readings() if each.provider == "signalhire"]
    dated = reading.profiles.replace("null as release", "'33.0' as release")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            common_profile, "readings", lambda: (replace(reading, profiles=dated, version=77),)
        )
        found.derive()
        erase(found)
        due = profile_changes.due_changes(found.connection, "signalhire")
    assert [(each.contact_id, each.uid) for each in due] == [("C1", FOUND["uid"])]
