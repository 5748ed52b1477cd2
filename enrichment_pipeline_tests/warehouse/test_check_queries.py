"""The checks' queries: each finds what is wrong, and finds nothing where nothing is."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from enrichment_pipeline.warehouse import common_profile, findings
from enrichment_pipeline.warehouse.statements import execute
from enrichment_pipeline_tests.support import START
from enrichment_pipeline_tests.warehouse import (
    ADA,
    BOB,
    DAY,
    VERIFIED,
    World,
    candidate,
    reading_of,
)
from enrichment_pipeline_tests.warehouse.prepared import prepared


def unproven(world: World) -> list[tuple[str, str]]:
    return findings.find_unproven_values(world.connection)


def expired(world: World, as_of: datetime) -> list[tuple[str, str]]:
    return execute(
        world.connection,
        "find_expired_answers",
        as_of=as_of,
        max_age_days=90,
        no_match_days=30,
    ).fetchall()


def compared(world: World, earlier_runs: int = 5) -> dict[str, tuple]:
    rows = execute(world.connection, "compare_runs", earlier_runs=earlier_runs).fetchall()
    return {measure: tuple(rest) for measure, *rest in rows}


def book(world: World, run_id: str, freshness: str, matched: int, tried: int, day: int) -> None:
    """So many answers of a run, as the ledger's copy has them."""
    world.connection.execute(
        "insert into raw.lookups (lookup_id, provider, person_key, supersedes, freshness, run_id,"
        " state, outcome, credits_charged, requested_at, answered_at, revision)"
        " select concat($run_id, $freshness, n), 'signalhire', concat($run_id, $freshness, n), '',"
        " $freshness, $run_id, 'answered', if(n <= $matched, 'matched', 'no_match'), 0, $at, $at, 1"
        " from range(1, $tried + 1) as numbers (n)",
        {
            "run_id": run_id,
            "freshness": freshness,
            "matched": matched,
            "tried": tried,
            "at": START + day * DAY,
        },
    )


@prepared
def ada(world: World) -> None:
    world.load([ADA])
    profile = candidate(
        emails=[("ada@acme.com", 100, "work"), ("ada@home.net", 70, "personal")],
        phones=[("+41791234567", 70, "mobile"), ("+493012345", 100, "work_phone")],
    )
    world.look_up("C1", candidate=profile)
    world.derive()


def test_on_an_empty_warehouse_nothing_is_found(world: World) -> None:
    assert unproven(world) == []
    assert expired(world, START) == []
    assert compared(world) == {}
    assert execute(world.connection, "find_unread_reviews", flagged_before=START).fetchall() == []


# --- verified ---------------------------------------------------------------------------------


def test_values_that_were_rated_verified_are_proven(ada: World) -> None:
    best = ada.only("enrichment.enriched_contacts")
    assert (best["work_email_status"], best["direct_phone_status"]) == ("verified", "verified")
    assert unproven(ada) == []


@pytest.mark.parametrize("field", ["personal_email", "mobile_phone"])
def test_a_likely_value_in_a_verified_column_is_found(ada: World, field: str) -> None:
    ada.connection.execute(f"update enrichment.enriched_contacts set {field}_status = 'verified'")
    assert unproven(ada) == [("C1", field)]


def test_a_value_that_nobody_gave_is_found(ada: World) -> None:
    ada.connection.execute("update enrichment.enriched_contacts set work_email = 'ada@gues.sed'")
    assert unproven(ada) == [("C1", "work_email")]
    ada.connection.execute("update enrichment.enriched_contacts set work_email = null")
    assert unproven(ada) == [("C1", "work_email")]


def test_what_was_verified_before_it_was_rated_down_is_found(ada: World) -> None:
    ada.look_up("C1", candidate=candidate(emails=[("ada@acme.com", 70, "work")]), at=START + DAY)
    ada.derive(at=START + DAY)
    assert ada.only("enrichment.enriched_contacts")["work_email_status"] == "likely"
    assert unproven(ada) == []
    ada.connection.execute("update enrichment.enriched_contacts set work_email_status = 'verified'")
    assert unproven(ada) == [("C1", "work_email")]


def test_a_rating_that_was_mapped_wrongly_is_found_in_facts_and_table(ada: World) -> None:
    # as if the mapping took 70 for verified: the table follows the facts, and both are wrong
    points = ada.only("staging.judgements")["points"]
    for point in points:
        if point["field"] == "personal_email":
            point["status"] = "verified"
    ada.connection.execute("update staging.judgements set points = ?", [points])
    assert unproven(ada) == [("C1", "personal_email")]


def test_what_another_person_was_given_proves_nothing(ada: World) -> None:
    ada.connection.execute("update staging.judgements set person_key = 'somebody-else'")
    assert unproven(ada) == [("C1", "direct_phone"), ("C1", "work_email")]


SECOND = replace(reading_of(), provider="acme", verified=("VALID", "99"))


@pytest.mark.parametrize(
    ("rating", "is_proof"), [("VALID", True), ("99.0", True), (100, False), (None, False)]
)
def test_only_what_a_provider_itself_calls_verified_is_proof(
    ada: World, monkeypatch: pytest.MonkeyPatch, rating: object, is_proof: bool
) -> None:
    monkeypatch.setattr(findings, "readings", lambda: (SECOND,))
    ada.connection.execute("update staging.judgements set provider = 'acme'")
    points = ada.only("staging.judgements")["points"]
    for point in points:
        if point["status"] == "verified":
            point["confidence"] = rating and str(rating)
    ada.connection.execute("update staging.judgements set points = ?", [points])
    assert unproven(ada) == ([] if is_proof else [("C1", "direct_phone"), ("C1", "work_email")])


def test_what_one_provider_proves_another_does_not_disprove(
    ada: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = (*common_profile.readings(), SECOND)
    monkeypatch.setattr(common_profile, "readings", lambda: both)
    monkeypatch.setattr(findings, "readings", lambda: both)
    rated_lower = candidate(emails=[("ada@acme.com", 70, "work")])
    ada.look_up("C1", candidate=rated_lower, provider="acme", at=START + DAY)
    ada.derive(at=START + DAY)
    assert ada.only("enrichment.enriched_contacts")["work_email_status"] == "verified"
    assert unproven(ada) == []


def test_a_persons_word_is_proof(ada: World) -> None:
    ada.decide("C1", "replace", field="mobile_phone", value="+41791234567")
    ada.derive()
    assert ada.only("enrichment.enriched_contacts")["mobile_phone_status"] == "verified"
    assert unproven(ada) == []


# --- ages -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("outcome", "days"), [("matched", 90), ("no_match", 30)])
def test_an_answer_that_is_too_old_and_shown_as_fresh_is_found(
    world: World, outcome: str, days: int
) -> None:
    world.load([ADA, BOB])
    world.look_up("C1", candidate=VERIFIED if outcome == "matched" else None)
    world.derive()
    too_old = START + days * DAY
    problems = {"fresh", "not_expired"} if outcome == "matched" else {"fresh"}
    assert expired(world, too_old - timedelta(seconds=1)) == []
    # the tables say what held at START: by now the answer is too old
    if outcome == "matched":
        world.connection.execute(
            "update enrichment.enriched_contacts set expires_at = expires_at + interval 1 day"
        )
    assert {shown for _, shown in expired(world, too_old)} == problems
    world.derive(at=too_old)
    assert expired(world, too_old) == []


def test_a_date_of_expiry_is_measured_by_the_facts(ada: World) -> None:
    ada.connection.execute(
        "update enrichment.enriched_contacts set enriched_at = enriched_at + interval 60 days,"
        " expires_at = expires_at + interval 60 days"
    )
    ada.connection.execute(
        "update enrichment.contact_status"
        " set freshness = 'stale', freshness_reason = 'answer_is_old'"
    )
    assert expired(ada, START + 89 * DAY) == []
    assert expired(ada, START + 90 * DAY) == [("C1", "not_expired")]


def test_who_was_found_long_ago_and_missed_by_a_search_just_now_is_not_too_old(
    world: World,
) -> None:
    world.load([ADA])
    world.look_up("C1", candidate=VERIFIED)
    world.derive()
    world.connection.execute(
        "update enrichment.contact_status set freshness_reason = 'miss_is_recent';"
        " delete from enrichment.enriched_contacts"
    )
    later = START + 91 * DAY
    assert expired(world, later) == [("C1", "fresh")]
    world.connection.execute(
        "insert into raw.searches (search_id, person_key, state, outcome, answered_at)"
        " values ('S1', ?, 'answered', 'nothing', ?)",
        [world.persons()["C1"], later - DAY],
    )
    assert expired(world, later) == []


def test_who_is_refused_for_good_is_never_too_old(world: World) -> None:
    world.load([ADA])
    world.look_up("C1", outcome="refused")
    world.derive(at=START + 200 * DAY)
    assert world.only("enrichment.contact_status")["freshness"] == "fresh"
    assert expired(world, START + 200 * DAY) == []


# --- against the runs before ------------------------------------------------------------------


def test_the_first_run_has_none_to_compare_with(world: World) -> None:
    book(world, "first", "new", matched=7, tried=10, day=0)
    run_id, share, answers, hits, expected = compared(world)["match_rate"]
    assert (run_id, share, answers, hits, expected) == ("first", 0.7, 0, 0, 0)


def test_a_run_is_measured_by_what_look_ups_of_its_kind_came_to(world: World) -> None:
    book(world, "first", "new", matched=60, tried=100, day=0)
    book(world, "second", "stale", matched=95, tried=100, day=1)
    book(world, "last", "new", matched=6, tried=10, day=2)
    book(world, "last", "retry", matched=0, tried=50, day=2)
    run_id, share, answers, hits, expected = compared(world)["match_rate"]
    # of `retry` there is nothing to compare with
    assert (run_id, share) == ("last", 0.1)
    assert (answers, hits, expected) == (10, 6, pytest.approx(6))


def test_only_so_many_runs_before_it_count(world: World) -> None:
    book(world, "old", "new", matched=100, tried=100, day=0)
    book(world, "middle", "new", matched=50, tried=100, day=1)
    book(world, "last", "new", matched=10, tried=10, day=2)
    assert compared(world, earlier_runs=1)["match_rate"][-1] == pytest.approx(5)
    assert compared(world, earlier_runs=2)["match_rate"][-1] == pytest.approx(7.5)


def test_the_verified_share_is_of_those_who_were_found(world: World) -> None:
    world.load([ADA, BOB, {"contact_id": "C3", "email": "c@acme.com"}])
    world.look_up("C1", candidate=VERIFIED, run_id="first")
    likely = candidate("Bob Other", emails=[("bob@brio.com", 70, "work")])
    world.look_up("C2", candidate=likely, run_id="last", at=START + DAY)
    world.look_up("C3", outcome="no_match", run_id="last", at=START + DAY)
    world.derive(at=START + DAY)
    found = compared(world)
    assert found["verified_share"] == ("last", 0.0, 1, 0, pytest.approx(1))
    assert found["match_rate"] == ("last", 0.5, 2, 1, pytest.approx(2))


# --- reviews ----------------------------------------------------------------------------------


def test_reviews_that_have_waited_are_named_the_most_important_first(world: World) -> None:
    accounts = [{"account_id": "A1", "tier": "strategic"}, {"account_id": "A2", "tier": "bulk"}]
    first = {"contact_id": "C1", "account_id": "A2"}
    world.load([first], accounts)
    world.derive(at=START)
    world.load([first, {"contact_id": "C2", "account_id": "A1"}], accounts)
    world.derive(at=START + DAY)

    def named(before: datetime) -> list[str]:
        query = execute(world.connection, "find_unread_reviews", flagged_before=before)
        return [row[0] for row in query.fetchall()]

    assert named(START - DAY) == []
    assert named(START) == ["C1"]
    assert named(START + DAY) == ["C2", "C1"]


def test_a_contact_whose_profile_was_rejected_waits_for_nobody(world: World) -> None:
    world.load([ADA])
    world.look_up("C1", candidate=candidate("Zoe Other", uid="u1"))
    world.decide("C1", "reject", uid="u1")
    world.derive()
    assert world.only("enrichment.needs_review")["reason"] == "rejected_by_reviewer"
    assert execute(world.connection, "find_unread_reviews", flagged_before=START).fetchall() == []
