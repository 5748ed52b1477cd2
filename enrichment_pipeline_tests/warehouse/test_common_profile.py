"""The common profile and the facts that are shown of it: what is read, when, by whose file.

Here: `staging.profiles`, and that `person_facts` is a view with the rows that used to be stored.
Not here: what an answer means (`test_facts.py`).
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from enrichment_pipeline.providers.base import Retriable
from enrichment_pipeline.providers.registry import PROVIDERS
from enrichment_pipeline.providers.signalhire.faults import FAULTS
from enrichment_pipeline.warehouse import common_profile
from enrichment_pipeline.warehouse.connection import open_warehouse, transaction
from enrichment_pipeline_tests.support import START
from enrichment_pipeline_tests.warehouse import (
    ADA,
    BOB,
    DAY,
    VERIFIED,
    Row,
    World,
    candidate,
    reading_of,
)

SIGNALHIRE = reading_of()


def read_by(monkeypatch: pytest.MonkeyPatch, *readings: common_profile.Reading) -> None:
    monkeypatch.setattr(common_profile, "readings", lambda: readings)


def points(world: World) -> list[tuple[object, ...]]:
    given = world.only("staging.profiles")["contact_points"]
    return [(each["field"], each["value"], each["status"], each["rating"]) for each in given]


def test_an_answer_is_read_when_it_comes(world: World) -> None:
    world.load([ADA])
    told = candidate(
        emails=[
            ("Ada@ACME.com", "100", "work"),
            ("a@b.com", 70.0, None),
            ("x@y.com", True, "Work"),
        ],
        phones=[("+1 555", None, "mobile"), ("+1 556", 100, "work_phone")],
        jobs=[{"company": "Acme", "position": "CTO", "staffCount": 7, "companySize": "1-10"}],
    )
    lookup_id = world.look_up("C1", candidate=told)
    row = world.only("staging.profiles")
    assert (row["call_id"], row["call_kind"], row["provider"]) == (
        lookup_id,
        "lookup",
        "signalhire",
    )
    assert (row["full_name"], row["uid"], row["unreadable_part"]) == (
        "Ada Example",
        "f" * 32,
        None,
    )
    # values and ratings are as given: nothing but the provider's highest rating is verified
    assert points(world) == [
        ("work_email", "Ada@ACME.com", "verified", "100"),
        ("personal_email", "a@b.com", "likely", "70.0"),
        ("work_email", "x@y.com", "unverified", "true"),
        ("mobile_phone", "+1 555", "unverified", None),
        ("direct_phone", "+1 556", "verified", "100"),
    ]
    (job,) = row["positions"]
    assert (job["title"], job["company_employee_count"], job["is_current"]) == ("CTO", "7", None)


def test_where_a_profile_stands_in_the_raw_answer_is_told(world: World) -> None:
    world.load([ADA])
    world.look_up("C1", candidate=VERIFIED)
    ((found,),) = world.connection.execute(
        "select json_extract(response.answer, profile.path) from raw.provider_responses as response"
        " join staging.profiles as profile on profile.call_id = response.lookup_id"
    ).fetchall()
    assert json.loads(found) == VERIFIED


def test_an_answer_that_tells_of_nobody_has_no_profile(world: World) -> None:
    world.load([ADA])
    world.look_up("C1", outcome="no_match")
    assert world.rows("staging.profiles") == []
    world.derive()
    assert world.status("C1") == ("needs_review", "no_match")


def test_another_version_of_a_reading_has_the_raw_answers_read_and_judged_anew(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.load([ADA])
    world.look_up("C1", candidate=VERIFIED)
    world.derive()
    read_before = world.rows("staging.profiles")
    changed = SIGNALHIRE.profiles.replace("told.fullName as full_name", "'A. Example' as full_name")
    read_by(monkeypatch, replace(SIGNALHIRE, version=2, profiles=changed))
    world.derive(at=START + DAY)
    assert world.facts()["full_name"] == ["A. Example"]
    read_by(monkeypatch, SIGNALHIRE)
    world.derive(at=START + DAY)
    assert world.facts()["full_name"] == ["Ada Example"]
    assert world.rows("staging.profiles") == read_before


def test_what_was_read_is_not_read_again_but_by_a_replay(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.load([ADA])
    world.look_up("C1", candidate=VERIFIED)
    world.derive()
    changed = SIGNALHIRE.profiles.replace("told.fullName as full_name", "'A. Example' as full_name")
    read_by(monkeypatch, replace(SIGNALHIRE, profiles=changed))
    world.derive(at=START + DAY)
    assert world.facts()["full_name"] == ["Ada Example"]
    world.replay(at=START + DAY)
    assert world.facts()["full_name"] == ["A. Example"]


CUT_BY_ACME = """
create or replace temp view cut_answers as
select reply_id, 1 as answer_index, json_extract(body, '$.found') as answer from uncut_replies
"""
READ_BY_ACME = """
create or replace temp view read_profiles as
select
    call_id, call_kind, position, answered_at, '$' as path, null as unreadable_part,
    answer ->> '$.id' as uid, answer ->> '$.person' as full_name, null as headline,
    null as location, null as profile_urls,
    [{
        'kind': 'email', 'field': 'work_email', 'value': answer ->> '$.mail', 'status': 'verified',
        'rating': 'A+', 'given_type': null, 'given_sub_type': null
    }] as contact_points,
    null as positions, null as release
from unread_answers
"""


def test_each_providers_answers_are_cut_and_read_by_its_own_files(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme = common_profile.Reading("acme", 1, (), CUT_BY_ACME, READ_BY_ACME, None)
    read_by(monkeypatch, SIGNALHIRE, acme)
    world.load([ADA])
    world.look_up("C1", candidate=VERIFIED)
    found = {"id": "u-1", "person": "Ada M. Example", "mail": "ada.m@acme.com"}
    body = json.dumps({"found": found}).encode()
    world.look_up("C1", outcome="matched", body=body, provider="acme", at=START + DAY)
    world.derive(at=START + DAY)
    facts = {
        (row["provider"], row["value"], row["status"], row["confidence"])
        for row in world.rows("enrichment.person_facts", "field = 'work_email'")
    }
    assert facts == {
        ("signalhire", "ada@acme.com", "verified", "100"),
        ("acme", "ada.m@acme.com", "verified", "A+"),
    }
    assert set(world.facts()["full_name"]) == {"Ada M. Example", "Ada Example"}


STORED_FACTS = """
create temp table facts as select * from enrichment.person_facts;
drop view enrichment.person_facts;
create table enrichment.person_facts as select * from facts;
create table staging.read_answers as select contact_id, lookup_id, basis from staging.judgements;
drop table staging.judgements;
drop table staging.profiles;
update staging.stamp set value = 'older' where key = 'tables';
"""
"""Makes of a warehouse one of the version that stored a row for each value."""


def test_facts_that_an_older_version_stored_are_put_together_and_nothing_is_judged_again(
    tmp_path: Path,
) -> None:
    path = str(tmp_path / "older.duckdb")
    bought_by_two = {**ADA, "contact_id": "C3", "full_name": "Somebody Else"}
    with open_warehouse(path) as connection:
        older = World(connection, tmp_path / "source")
        older.load([ADA, BOB, bought_by_two])
        job = {"company": "Acme", "position": "CTO", "website": "acme.com", "current": True}
        told = candidate(
            emails=[("ada@acme.com", 100, "work"), ("a@acme.com", 70, "work")],
            phones=[("+41791234567", 70, "mobile")],
            jobs=[job],
        )
        older.look_up("C1", candidate=told)
        older.look_up("C1", candidate=candidate(jobs=[job]), at=START + DAY, run_id="run-2")
        older.look_up("C2", outcome="no_match")
        older.decide("C1", "accept", uid="f" * 32)
        older.decide("C1", "replace", field="work_email", value="mine@acme.com")
        older.derive(at=START + DAY)
        facts = older.rows("enrichment.person_facts")
        assert {row["provider"] for row in facts} == {"signalhire", "human"}
        assert {row["confidence"] for row in facts if row["field"] == "lookup_outcome"} == {
            None,
            "human",
        }
        assert any(row["valid_to"] for row in facts)
        judgements = older.rows("staging.judgements")
        connection.execute(STORED_FACTS)
    with open_warehouse(path) as connection:
        newer = World(connection, tmp_path / "source")
        assert newer.rows("enrichment.person_facts") == facts
        assert by_place(newer.rows("staging.judgements")) == by_place(judgements)
        newer.derive(at=START + DAY)
        assert connection.execute("select count(*) from pending_answers").fetchall() == [(0,)]
        assert newer.rows("enrichment.person_facts") == facts


def by_place(judgements: list[Row]) -> list[Row]:
    """The same with the points in order, which has no meaning where they are stored."""
    return [
        {
            **row,
            "points": row["points"]
            and sorted(row["points"], key=lambda each: (each["field"], each["position"])),
        }
        for row in judgements
    ]


def test_an_answer_that_nothing_reads_is_for_review_until_something_does(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.load([ADA])
    nothing = SIGNALHIRE.profiles.replace("from told_profiles;", "from told_profiles where false;")
    read_by(monkeypatch, replace(SIGNALHIRE, profiles=nothing))
    world.look_up("C1", candidate=VERIFIED)
    world.derive()
    assert world.status("C1") == ("needs_review", "unreadable_answer")
    read_by(monkeypatch, SIGNALHIRE)
    world.derive(at=START + DAY)
    assert world.status("C1") == ("enriched", None)


def test_signalhires_sql_names_the_reasons_that_are_about_an_item_itself() -> None:
    """Those that say nothing of the provider as a whole: the table of faults gives no signal."""
    item_reasons = {
        fault.outcome.reason
        for fault in FAULTS.values()
        if isinstance(fault.outcome, Retriable) and fault.signal is None
    }
    assert set(SIGNALHIRE.failed_by_item) == item_reasons


def test_a_reason_is_about_an_item_only_for_the_provider_that_says_so(world: World) -> None:
    found = world.connection.execute(
        "select failed_by_item(provider, reason) from (values"
        " ('signalhire', 'timeout_exceeded'), ('acme', 'timeout_exceeded'),"
        " ('signalhire', 'wrong_key'), ('signalhire', null)) as asked (provider, reason)"
    ).fetchall()
    assert found == [(True,), (False,), (False,), (False,)]


def test_every_provider_says_how_its_answers_are_read() -> None:
    assert {reading.provider for reading in common_profile.readings()} == set(PROVIDERS)


def test_a_file_of_an_older_version_has_its_answers_read_when_it_is_opened(
    world: World, tmp_path: Path
) -> None:
    path = str(tmp_path / "older.duckdb")
    with open_warehouse(path) as connection:
        older = World(connection, tmp_path / "older")
        older.load([ADA])
        older.look_up("C1", candidate=VERIFIED)
        older.derive()
        facts = older.rows("enrichment.person_facts")
        connection.execute("drop table staging.profiles")
        connection.execute("update staging.stamp set value = 'older' where key = 'tables'")
    with open_warehouse(path) as connection:
        newer = World(connection, tmp_path / "older")
        assert newer.only("staging.profiles")["full_name"] == "Ada Example"
        with transaction(connection):
            common_profile.read_answers(connection)
        newer.derive(at=START + DAY)
        assert newer.rows("enrichment.person_facts") == facts
