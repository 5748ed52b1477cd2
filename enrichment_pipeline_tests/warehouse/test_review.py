"""What reviewers decide: how it is checked and kept, what it leads to, and that it holds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enrichment_pipeline.errors import ConfigurationError
from enrichment_pipeline.policy import Policy
from enrichment_pipeline.review.columns import DECISIONS, FIELDS, SheetRow
from enrichment_pipeline.review.decisions import read_rows
from enrichment_pipeline.review.files import fits
from enrichment_pipeline.warehouse import review
from enrichment_pipeline.warehouse.connection import open_warehouse, transaction
from enrichment_pipeline.warehouse.profiles import read_answers
from enrichment_pipeline.warehouse.review import Recorded
from enrichment_pipeline_tests.properties import draws
from enrichment_pipeline_tests.support import START, write_csv
from enrichment_pipeline_tests.warehouse import (
    ADA,
    BOB,
    DAY,
    FIRST,
    Row,
    World,
    candidate,
    contents,
)
from enrichment_pipeline_tests.warehouse.prepared import prepared

UID, OTHER_UID = "a" * 32, "b" * 32
LIKELY = candidate(emails=[("ada@acme.com", 70, "work")], uid=UID)
NAMESAKE = candidate("Zoe Quite-Other", emails=[("zoe@brio.com", 100, "work")], uid=UID)
OTHER = candidate("Kim Somebody", emails=[("kim@brio.com", 100, "work")], uid=OTHER_UID)
GIVEN_EMAIL = {"work_email": "ada.right@acme.com"}


@prepared
def ada(world: World) -> None:
    world.load([ADA])


def queue(world: World, **choice: Any) -> list[dict[str, str]]:
    chosen: dict[str, Any] = {
        "reasons": None,
        "priorities": ("strategic", "target", "standard", "bulk"),
        "limit": None,
        **choice,
    }
    return review.review_queue(world.connection, **chosen)


def import_rows(world: World, *rows: Mapping[str, str], number: int = 0) -> Recorded:
    """Import rows of a file, the given number of hours after START."""
    at = START + number * DAY / 24
    sheet = [
        SheetRow(place, {"contact_id": "C1", "decision": "", **row})
        for place, row in enumerate(rows, start=2)
    ]
    proposals, problems = read_rows(sheet, decided_by="eva", decided_at=at)
    with transaction(world.connection):
        return review.record_file(
            world.connection, world.policy, proposals, problems, provider=FIRST, recorded_at=at
        )


def decide(
    world: World,
    decision: str,
    values: Mapping[str, str] | None = None,
    *,
    number: int = 0,
    **cells: str,
) -> None:
    """Fill in the contact's row of the queue as it is shown now, import it, and derive anew."""
    shown = next((row for row in queue(world) if row["contact_id"] == "C1"), {})
    recorded = import_rows(
        world, {**shown, "decision": decision, **(values or {}), **cells}, number=number
    )
    assert not recorded.problems, recorded.problems
    assert recorded.new
    world.derive()


def enriched(world: World, contact_id: str = "C1") -> Row | None:
    rows = world.rows("enrichment.enriched_contacts", f"contact_id = '{contact_id}'")
    return rows[0] if rows else None


def messages(recorded: Recorded) -> list[tuple[int, str, str]]:
    return [(one.row, one.column, one.message) for one in recorded.problems]


# --- what is shown ---------------------------------------------------------------------


def test_a_row_of_the_queue_says_what_there_is_to_decide_on(ada: World) -> None:
    lookup_id = ada.look_up(
        "C1",
        candidate=candidate(
            "Zoe Other",
            uid=UID,
            emails=[("zoe@brio.com", 100, "work"), ("z@mail.com", 70, "personal")],
            phones=[("+4930901820", 10, "work_phone")],
            jobs=[
                {"position": "CEO", "company": "Old", "current": False},
                {"position": "CTO", "company": "Brio", "current": True},
            ],
        ),
    )
    ada.derive()
    assert queue(ada) == [
        {
            "contact_id": "C1",
            "priority": "bulk",
            "reason": "identity_mismatch",
            "detail": "the profile found bears another name; compare both sides in evidence, then "
            "accept or reject the profile",
            "our_name": "Ada Example",
            "our_company": "Acme",
            "our_email": "ada@acme.example.com",
            "our_linkedin_url": "https://www.linkedin.com/in/ada-example",
            "lookup_id": lookup_id,
            "found_uid": UID,
            "found_name": "Zoe Other",
            "found_title": "CTO",
            "found_company": "Brio",
            "found_location": "",
            "found_link": "https://www.linkedin.com/search/results/people/?keywords=Zoe%20Other%20Brio",
            "found_score": "",
            "found_evidence": "name differs",
            "found_emails": "zoe@brio.com (verified); z@mail.com (likely)",
            "found_phones": "+4930901820 (unverified)",
        }
    ]


def test_the_queue_begins_with_the_highest_priority_and_can_be_cut(world: World) -> None:
    world.load(
        [{**ADA, "account_id": "A2"}, {**BOB, "account_id": "A1"}],
        [{"account_id": "A1", "tier": "strategic"}, {"account_id": "A2", "tier": "bulk"}],
    )
    world.look_up("C1")
    world.look_up("C2", candidate=candidate("Kim Somebody"))
    world.derive()
    assert [row["contact_id"] for row in queue(world)] == ["C2", "C1"]
    assert [row["contact_id"] for row in queue(world, limit=1)] == ["C2"]
    assert [row["contact_id"] for row in queue(world, reasons=["no_match"])] == ["C1"]
    assert [row["contact_id"] for row in queue(world, priorities=["bulk"])] == ["C1"]
    assert review.queue_counts(world.connection) == [
        ("identity_mismatch", 1, 0, 0, 0, 1),
        ("no_match", 0, 0, 0, 1, 1),
    ]


FOUND = [
    # as SignalHire's Search API shows people: no contacts, and jobs without saying which is held
    {
        "uid": "u1",
        "fullName": "Ada\nExample",
        "location": "Basel",
        "experience": [{"company": "Acme AG", "title": "Head of Data"}],
        "score": 0.91,
        "name_score": 1.0,
        "company_score": 0.98,
        "title_score": None,
    },
    {
        "uid": "u2",
        "fullName": "A. Example",
        "experience": [
            {"company": "Old", "title": "Clerk", "current": False},
            {"company": "Brio", "title": "CTO", "current": True},
        ],
        "social": [{"type": "li", "link": "https://www.linkedin.com/in/a-example"}],
        "score": 0.8,
        "name_score": 0.8,
        "company_score": 1.0,
        "title_score": 0.5,
    },
]


@pytest.fixture
def ambiguous(ada: World) -> World:
    """As a search by name leaves them: ranked profiles, none of them looked up."""
    ada.look_up("C1")
    ada.derive()
    show_found(ada, FOUND)
    return ada


def show_found(ada: World, found: Sequence[Mapping[str, object]]) -> None:
    """Have a search found these profiles, and nothing settle which of them it is."""
    evidence = json.dumps(found)
    for table in ("raw.searches", "raw.search_profiles", "enrichment.search_results"):
        ada.connection.execute(f"delete from {table}")
    ada.connection.execute("delete from staging.profiles where call_kind = 'search'")
    ada.connection.execute(
        "insert into raw.searches (search_id, provider, person_key, state, answered_at)"
        " values ('S1', 'signalhire', ?, 'answered', ?)",
        [ada.persons()["C1"], START],
    )
    for position, profile in enumerate(found, start=1):
        ada.connection.execute(
            "insert into raw.search_profiles values ('S1', ?, ?, ?)",
            [position, profile["uid"], json.dumps(profile)],
        )
    read_answers(ada.connection)
    ada.connection.execute(
        "insert into enrichment.search_results (search_id, person_key, candidates, answered_at)"
        " values ('S1', ?, ?, ?)",
        [ada.persons()["C1"], evidence, START],
    )
    ada.connection.execute(
        "update enrichment.needs_review set reason = 'ambiguous_match', candidate = ?", [evidence]
    )


def test_several_profiles_stand_in_lines_side_by_side_and_one_is_picked(ambiguous: World) -> None:
    (row,) = queue(ambiguous)
    assert {name: text.split("\n") for name, text in row.items() if name.startswith("found_")} == {
        "found_uid": ["u1", "u2"],
        "found_name": ["Ada Example", "A. Example"],
        "found_title": ["Head of Data", "CTO"],
        "found_company": ["Acme AG", "Brio"],
        "found_location": ["Basel", ""],
        "found_link": [
            "https://www.linkedin.com/search/results/people/?keywords=Ada%20Example%20Acme%20AG",
            "https://www.linkedin.com/in/a-example",
        ],
        "found_score": ["0.91", "0.80"],
        "found_evidence": ["name 1.00, company 0.98", "name 0.80, company 1.00, title 0.50"],
        "found_emails": ["", ""],
        "found_phones": ["", ""],
    }
    unsaid = import_rows(ambiguous, {**row, "decision": "accept"})
    assert messages(unsaid) == [
        (2, "provider_uid", "accept is about a profile: say which of the profiles found")
    ]
    assert import_rows(ambiguous, {**row, "decision": "accept", "provider_uid": "u2"}).new == 1
    assert ambiguous.only("raw.review_decisions")["provider_uid"] == "u2"


def test_of_a_long_text_the_beginning_is_shown_and_every_profile_keeps_its_line(
    ambiguous: World,
) -> None:
    show_found(ambiguous, [{**each, "fullName": "Ada " * 50_000} for each in FOUND])
    ambiguous.connection.execute("update enrichment.needs_review set detail = repeat('x', 1000000)")
    (row,) = queue(ambiguous)
    assert fits(row)
    assert row["detail"].endswith("x…")
    assert [len(line) for line in row["found_name"].split("\n")] == [380, 380]


# --- what each decision leads to -------------------------------------------------------


def test_an_accepted_profile_counts_though_the_names_differ(ada: World) -> None:
    ada.look_up("C1", candidate=NAMESAKE)
    ada.derive()
    assert ada.status("C1") == ("needs_review", "identity_mismatch")
    assert enriched(ada) is None
    decide(ada, "accept")
    assert ada.status("C1") == ("enriched", None)
    row = enriched(ada)
    assert row
    assert (row["work_email"], row["work_email_status"]) == ("zoe@brio.com", "verified")
    assert (row["full_name"], row["needs_manual_enrichment"]) == ("Zoe Quite-Other", False)


def test_a_likely_address_stays_likely_when_it_is_accepted(ada: World) -> None:
    ada.look_up("C1", candidate=LIKELY)
    ada.derive()
    assert ada.status("C1") == ("needs_review", "no_verified_email")
    decide(ada, "accept")
    assert ada.status("C1") == ("enriched", None)
    row = enriched(ada)
    assert row
    assert (row["work_email"], row["work_email_status"]) == ("ada@acme.com", "likely")


def test_a_rejected_profile_fills_nothing_and_leaves_no_identifier_behind(ada: World) -> None:
    ada.look_up("C1", candidate=LIKELY)
    ada.derive()
    assert enriched(ada)
    assert ada.rows("staging.person_aliases", "alias = 'email:ada@acme.com'")
    decide(ada, "reject")
    assert enriched(ada) is None
    assert ada.facts() == {}
    assert not ada.rows("staging.person_aliases", f"alias in ('email:ada@acme.com', 'uid:{UID}')")
    assert ada.status("C1") == ("needs_review", "rejected_by_reviewer")
    # it waits for its next look-up, as whoever was found does
    assert ada.only("enrichment.contact_status")["next_lookup_at"] == START + 90 * DAY


def test_a_rejected_contact_stays_known_and_leaves_the_file_unless_it_is_asked_for(
    ada: World,
) -> None:
    ada.look_up("C1", candidate=NAMESAKE)
    ada.derive()
    flagged = ada.only("enrichment.needs_review")["first_flagged_at"]
    decide(ada, "reject")
    row = ada.only("enrichment.needs_review")
    assert (row["reason"], row["first_flagged_at"]) == ("rejected_by_reviewer", flagged)
    assert '"uid":"' + UID in row["candidate"]
    assert review.queue_counts(ada.connection) == [("rejected_by_reviewer", 0, 0, 0, 1, 1)]
    assert queue(ada) == []
    assert [each["found_uid"] for each in queue(ada, shows_rejected=True)] == [UID]
    assert len(queue(ada, reasons=["rejected_by_reviewer"])) == 1
    assert len(queue(ada, reasons=["no_match"], shows_rejected=True)) == 1


def test_a_rejected_contact_is_due_when_its_answer_is_old_and_stays_while_it_is_the_same(
    ada: World,
) -> None:
    ada.look_up("C1", candidate=NAMESAKE)
    ada.derive()
    decide(ada, "reject")
    assert not ada.states(at=START + 89 * DAY)["C1"]["is_due"]
    later = START + 91 * DAY
    assert ada.states(at=later)["C1"]["is_due"]
    ada.derive(at=later)
    assert ada.status("C1") == ("needs_review", "rejected_by_reviewer")
    ada.look_up("C1", candidate=NAMESAKE, at=later)
    ada.derive(at=later)
    assert ada.status("C1") == ("needs_review", "rejected_by_reviewer")
    # another profile is a new case
    ada.look_up("C1", candidate=OTHER, at=later + 91 * DAY)
    ada.derive(at=later + 91 * DAY)
    assert ada.status("C1") == ("needs_review", "identity_mismatch")


def test_a_rejected_contact_leaves_when_there_is_something_to_show_or_to_wait_for(
    ada: World,
) -> None:
    ada.look_up("C1", candidate=NAMESAKE)
    ada.derive()
    decide(ada, "reject")
    decide(ada, "retry", number=1)
    assert ada.status("C1") == ("queued", None)
    decide(ada, "replace", GIVEN_EMAIL, number=2)
    ada.look_up("C1", candidate=NAMESAKE, at=START + DAY)
    ada.derive(at=START + DAY)
    assert ada.status("C1") == ("enriched", None)


def test_an_accepted_profile_that_is_not_found_any_more_is_for_review(ada: World) -> None:
    """A profile of a search that a reviewer accepted, and that the provider then does not know."""
    ada.look_up("C1", candidate=NAMESAKE)
    ada.derive()
    ada.decide("C1", "reject", uid=UID)
    ada.decide("C1", "accept", uid=OTHER_UID)
    ada.derive()
    assert ada.status("C1") == ("queued", None)
    assert ada.states()["C1"]["lookup_identity"] == OTHER_UID
    lookup_id = ada.look_up("C1", at=START + DAY)
    ada.connection.execute(
        "update raw.lookups set item = ?, item_kind = 'uid' where lookup_id = ?",
        [OTHER_UID, lookup_id],
    )
    ada.derive(at=START + DAY)
    assert ada.status("C1") == ("needs_review", "no_match")


def test_a_reviewers_values_beat_whatever_a_provider_says_later(ada: World) -> None:
    ada.look_up("C1", candidate=LIKELY)
    ada.derive()
    decide(ada, "replace", GIVEN_EMAIL, direct_phone="+49 30 901820", job_title=" Countess ")
    found = candidate(
        emails=[("ada@acme.com", 100, "work")],
        phones=[("+4930000000", 100, "work_phone")],
        uid=UID,
    )
    ada.look_up("C1", candidate=found, at=START + 91 * DAY)
    ada.derive(at=START + 91 * DAY)
    row = enriched(ada)
    assert row
    assert (row["work_email"], row["work_email_status"]) == ("ada.right@acme.com", "verified")
    assert (row["direct_phone"], row["direct_phone_status"]) == ("+4930901820", "verified")
    assert row["job_title"] == "Countess"
    fact = ada.only("enrichment.person_facts", "provider = 'human' and field = 'work_email'")
    assert (fact["confidence"], fact["valid_from"], fact["valid_to"]) == ("human", START, None)
    # and the provider's own history goes on beside it
    theirs = ada.rows("enrichment.person_facts", "provider <> 'human' and field = 'work_email'")
    assert sorted(fact["valid_to"] is None for fact in theirs) == [False, True]


def test_the_last_value_that_was_given_holds(ada: World) -> None:
    ada.look_up("C1")
    ada.derive()
    decide(ada, "replace", GIVEN_EMAIL)
    decide(ada, "replace", number=1, work_email="ada.better@acme.com")
    row = enriched(ada)
    assert row
    assert row["work_email"] == "ada.better@acme.com"
    spans = ada.rows("enrichment.person_facts", "provider = 'human'")
    assert {fact["value"]: fact["valid_to"] for fact in spans} == {
        "ada.right@acme.com": START + DAY / 24,
        "ada.better@acme.com": None,
    }


def test_values_can_be_given_for_whom_nobody_can_look_up(world: World) -> None:
    world.load([{"contact_id": "C1", "full_name": "Ada Example"}])
    world.derive()
    assert world.status("C1") == ("needs_review", "insufficient_identity")
    decide(world, "replace", GIVEN_EMAIL)
    assert world.status("C1") == ("enriched", None)
    row = enriched(world)
    assert row
    assert (row["provider"], row["lookup_id"], row["enriched_at"]) == ("human", None, START)


def test_a_profile_can_be_accepted_with_one_value_put_right(ada: World) -> None:
    ada.look_up("C1", candidate=LIKELY)
    ada.derive()
    decide(ada, "accept", GIVEN_EMAIL)
    row = enriched(ada)
    assert row
    assert (row["work_email"], row["provider_uid"]) == ("ada.right@acme.com", UID)


def test_never_suppresses_the_person_and_retry_takes_it_back(world: World) -> None:
    world.load([ADA, {**ADA, "contact_id": "C2"}])
    world.look_up("C1")
    world.derive()
    decide(world, "never")
    assert world.status("C1") == world.status("C2") == ("suppressed", None)
    hashed = review.never_identifiers(world.connection)
    assert {one.partition(":")[0] for one in hashed} == {"contact", "email", "linkedin"}
    assert len(hashed) == 3
    decide(world, "retry", number=1)
    assert world.status("C1") == ("queued", None)
    assert review.never_identifiers(world.connection) == set()


def test_never_outlives_a_contact_that_leaves_the_source(ada: World) -> None:
    ada.look_up("C1")
    ada.derive()
    decide(ada, "never")
    before = review.never_identifiers(ada.connection)
    ada.load([BOB])
    ada.derive()
    assert review.never_identifiers(ada.connection) == before != set()


@pytest.mark.parametrize(
    ("state", "outcome"), [("answered", "no_match"), ("unconfirmed", None), ("answered", "refused")]
)
def test_retry_is_due_at_once_until_there_is_another_look_up(
    ada: World, state: str, outcome: str | None
) -> None:
    ada.look_up("C1", state=state, outcome=outcome)
    ada.derive()
    assert ada.status("C1")[0] == "needs_review"
    decide(ada, "retry")
    assert ada.status("C1") == ("queued", None)
    known = ada.states()["C1"]
    assert (known["freshness"], known["freshness_reason"]) == ("retry", "asked_again")
    assert not known["is_put_off"]
    ada.look_up("C1", at=START + DAY)
    ada.derive(at=START + DAY)
    assert ada.status("C1") == ("needs_review", "no_match")
    assert ada.states(at=START + DAY)["C1"]["freshness"] == "fresh"


@pytest.mark.parametrize("state", ["answered", "unconfirmed"])
def test_retry_is_over_with_the_next_look_up_though_the_clock_was_ahead_before_it(
    ada: World, state: str
) -> None:
    ada.look_up("C1", state=state, at=START + 300 * DAY)
    ada.derive(at=START)
    decide(ada, "retry")
    assert ada.states()["C1"]["freshness_reason"] == "asked_again"
    ada.look_up("C1", state=state, at=START)
    assert review.persons_to_free(ada.connection, FIRST) == []
    assert not ada.states()["C1"]["is_due"]


def test_only_whose_look_up_is_open_to_doubt_is_freed(ada: World) -> None:
    lookup_id = ada.look_up("C1", state="unconfirmed")
    ada.derive()
    assert review.persons_to_free(ada.connection, FIRST) == []
    decide(ada, "retry")
    assert review.persons_to_free(ada.connection, FIRST) == [ada.persons()["C1"]]
    ada.settle(lookup_id, state="released", reason="asked_again")
    assert review.persons_to_free(ada.connection, FIRST) == []
    assert ada.states()["C1"]["freshness"] == "retry"
    ada.look_up("C1", state="unconfirmed", at=START + DAY)
    assert review.persons_to_free(ada.connection, FIRST) == []


def test_retry_is_about_the_provider_whose_look_up_was_seen(ada: World) -> None:
    ada.look_up("C1", state="unconfirmed")
    ada.look_up("C1", provider="acme", state="unconfirmed", at=START + DAY)
    ada.derive(at=START + DAY)
    decide(ada, "retry")
    at = START + 2 * DAY
    reasons = [
        ada.states(at=at, provider=name)["C1"]["freshness_reason"] for name in (FIRST, "acme")
    ]
    assert reasons == ["perhaps_billed", "asked_again"]
    freed = [review.persons_to_free(ada.connection, name) for name in (FIRST, "acme")]
    assert freed == [[], [ada.persons()["C1"]]]


def test_retry_makes_up_for_failures_before_it_and_not_for_those_after(ada: World) -> None:
    for hour in range(3):
        ada.look_up(
            "C1",
            state="released",
            reason="timeout_exceeded",
            at=START + hour * DAY / 24,
            run_id=f"run-{hour}",
        )
    later = START + 3 * DAY / 24
    assert ada.states(at=later)["C1"]["is_put_off"]
    decide(ada, "retry")
    assert not ada.states(at=later)["C1"]["is_put_off"]
    ada.look_up("C1", state="released", reason="timeout_exceeded", at=later, run_id="run-4")
    assert ada.states(at=later)["C1"]["is_put_off"]


# --- that it holds ---------------------------------------------------------------------


def test_a_decision_is_taken_back_by_the_next_on_the_same_profile(ada: World) -> None:
    ada.look_up("C1", candidate=NAMESAKE)
    ada.derive()
    shown = queue(ada)[0]
    for number, (word, status) in enumerate(
        [("accept", "enriched"), ("reject", "needs_review"), ("accept", "enriched")]
    ):
        import_rows(ada, {**shown, "decision": word}, number=number)
        ada.derive()
        assert ada.status("C1")[0] == status
        assert (enriched(ada) is not None) == (status == "enriched")


def test_accepting_another_profile_takes_the_first_ones_values_back(ada: World) -> None:
    ada.look_up("C1", candidate=NAMESAKE)
    ada.derive()
    decide(ada, "accept")
    ada.look_up("C1", candidate=OTHER, at=START + 91 * DAY)
    ada.derive(at=START + 91 * DAY)
    decide(ada, "accept", number=1)
    assert ada.facts()["work_email"] == ["kim@brio.com"]
    assert not ada.rows("enrichment.person_facts", "value = 'zoe@brio.com'")


def test_a_decision_on_a_namesake_is_no_decision_on_the_contact_that_it_becomes(ada: World) -> None:
    ada.look_up("C1", candidate=NAMESAKE)
    ada.derive()
    decide(ada, "reject", GIVEN_EMAIL)
    ada.load([{**BOB, "contact_id": "C1"}])
    ada.look_up("C1", candidate={**NAMESAKE, "fullName": "Bob Other"}, at=START + DAY)
    ada.derive(at=START + DAY)
    row = enriched(ada)
    assert row
    assert row["work_email"] == "zoe@brio.com"


@pytest.mark.parametrize("word", ["accept", "replace", "reject"])
def test_another_profile_brings_a_decided_contact_back(ada: World, word: str) -> None:
    ada.look_up("C1", candidate=NAMESAKE)
    ada.derive()
    decide(ada, word, GIVEN_EMAIL if word == "replace" else {})
    assert queue(ada) == []
    ada.look_up("C1", candidate=OTHER, at=START + 91 * DAY)
    ada.derive(at=START + 91 * DAY)
    assert ada.status("C1") == ("needs_review", "identity_mismatch")
    assert queue(ada)[0]["found_uid"] == OTHER_UID


REFRESHES = st.lists(
    st.sampled_from(["same", "nothing", "unconfirmed", "refused", "derive"]), max_size=3
)


@draws(few=2, many=8)
@given(
    word=st.sampled_from(["accept", "replace", "reject", "never"]),
    found=st.sampled_from([NAMESAKE, LIKELY]),
    refreshes=REFRESHES,
)
def test_a_decision_holds_across_refreshes(
    tmp_path: Path, word: str, found: Row, refreshes: list[str]
) -> None:
    """Nothing but another profile brings a decided contact back, or changes what was decided."""
    with open_warehouse(":memory:") as connection:
        connection.execute("set threads = 1")
        world = World(connection, tmp_path / "source")
        world.load([ADA])
        world.look_up("C1", candidate=found)
        world.derive()
        decide(world, word, GIVEN_EMAIL if word == "replace" else {})
        at = START
        for refresh in refreshes:
            at += 91 * DAY
            if refresh == "same":
                world.look_up("C1", candidate=found, at=at)
            elif refresh == "unconfirmed":
                world.look_up("C1", state="unconfirmed", at=at)
            elif refresh != "derive":
                outcome = "refused" if refresh == "refused" else "no_match"
                world.look_up("C1", outcome=outcome, at=at)
            world.derive(at=at)
            waiting = [row["reason"] for row in world.rows("enrichment.needs_review")]
            assert waiting == (["rejected_by_reviewer"] if word == "reject" else [])
            row = enriched(world)
            if word == "reject":
                assert row is None
            if word == "replace":
                assert row is not None
                assert row["work_email"] == GIVEN_EMAIL["work_email"]
            if word == "accept":
                assert row is not None
                assert (row["provider_uid"], row["work_email"]) == (
                    UID,
                    found["contacts"][0]["value"],
                )
            if word == "never":
                assert world.status("C1") == ("suppressed", None)
        before = contents(connection)
        world.derive(at=at)
        assert contents(connection) == before


# --- what is refused -------------------------------------------------------------------


def test_importing_a_file_twice_changes_nothing(ada: World) -> None:
    ada.look_up("C1", candidate=NAMESAKE)
    ada.derive()
    row = {**queue(ada)[0], "decision": "accept", "mobile_phone": "+491713926651"}
    assert import_rows(ada, row) == Recorded(2, 0, ())
    ada.derive()
    before = contents(ada.connection)
    assert import_rows(ada, row, number=1) == Recorded(0, 2, ())
    ada.derive()
    assert contents(ada.connection) == before
    # even when something else has been found since
    ada.look_up("C1", candidate=OTHER, at=START + 91 * DAY)
    assert import_rows(ada, row, number=2) == Recorded(0, 2, ())


def test_rows_without_a_decision_are_passed_over(ada: World) -> None:
    ada.look_up("C1", candidate=NAMESAKE)
    ada.derive()
    assert import_rows(ada, queue(ada)[0]) == Recorded(0, 0, ())


def test_everything_that_is_wrong_is_told_at_once_and_nothing_is_imported(world: World) -> None:
    world.load([ADA, BOB, {"contact_id": "C3", "full_name": "Kim Nobody"}])
    world.look_up("C1", candidate=NAMESAKE)
    world.look_up("C2")
    world.derive()
    recorded = import_rows(
        world,
        {"decision": "never"},
        {"contact_id": "C9", "decision": "never"},
        {"contact_id": "", "decision": "never"},
        {"contact_id": "C2", "decision": "acept", "work_email": "no address"},
        {"contact_id": "C3", "decision": "retry"},
        {"contact_id": "C1", "decision": "retry", "job_title": "CTO"},
        {"contact_id": "C4", "job_title": "CTO"},
        {"contact_id": "C5", "decision": "replace"},
        {"contact_id": "C6", "decision": "replace", "direct_phone": "030 901820"},
        {"contact_id": "C7", "decision": "replace", "company_domain": "gmail.com"},
        {"contact_id": "C8", "decision": "replace", "linkedin_url": "linkedin.com/company/acme"},
    )
    assert messages(recorded) == [
        (3, "contact_id", "is not among the source's contacts"),
        (4, "contact_id", "is empty"),
        (5, "decision", f"is none of {', '.join(DECISIONS)}"),
        (5, "work_email", "is no e-mail address"),
        (6, "decision", "there is nothing to look this contact up by; mend it in the source"),
        (7, "contact_id", "is decided in row 2 already"),
        (7, "decision", "takes no values; use replace for these"),
        (8, "decision", "is empty, but there are values: replace?"),
        (9, "decision", "replace needs a value in some field"),
        (
            10,
            "direct_phone",
            "is no valid phone number with its country code, such as +4930…",
        ),
        (11, "company_domain", "is no company's domain, such as example.com"),
        (
            12,
            "linkedin_url",
            "is no personal profile, such as https://www.linkedin.com/in/name",
        ),
    ]
    assert recorded.new == 0
    assert world.rows("raw.review_decisions") == []


def test_a_decision_on_a_profile_that_is_not_the_one_found_any_more_is_refused(ada: World) -> None:
    ada.look_up("C1", candidate=NAMESAKE)
    ada.derive()
    exported = queue(ada)[0]
    ada.look_up("C1", candidate=OTHER, at=START + 91 * DAY)
    ada.derive(at=START + 91 * DAY)
    for word in ("accept", "reject"):
        assert messages(import_rows(ada, {**exported, "decision": word})) == [
            (2, "lookup_id", "another profile was found since the export; export it anew")
        ]
    assert messages(import_rows(ada, {**exported, "decision": "retry"})) == [
        (2, "lookup_id", "has been looked up again since the export")
    ]
    # what a reviewer knows for sure holds whatever was found; but it was not seen
    assert import_rows(ada, {**exported, "decision": "replace", **GIVEN_EMAIL}).new == 1
    ada.derive(at=START + 91 * DAY)
    assert ada.status("C1") == ("needs_review", "identity_mismatch")


def test_a_profile_that_was_found_before_the_last_one_can_be_accepted(ada: World) -> None:
    ada.look_up("C1", candidate=NAMESAKE)
    ada.look_up("C1", candidate=OTHER, at=START + 91 * DAY)
    ada.derive(at=START + 91 * DAY)
    shown = queue(ada)[0]
    assert shown["found_uid"] == OTHER_UID
    assert import_rows(ada, {**shown, "decision": "accept", "provider_uid": UID}).new == 1
    ada.derive(at=START + 91 * DAY)
    row = enriched(ada)
    assert row
    assert (row["provider_uid"], row["work_email"]) == (UID, "zoe@brio.com")


def test_the_same_profile_found_again_can_still_be_decided_on(ada: World) -> None:
    ada.look_up("C1", candidate=NAMESAKE)
    ada.derive()
    exported = queue(ada)[0]
    ada.look_up("C1", candidate=NAMESAKE, at=START + 91 * DAY)
    ada.derive(at=START + 91 * DAY)
    assert import_rows(ada, {**exported, "decision": "accept"}).new == 1


def test_values_for_whoever_the_contact_was_before_are_refused(ada: World) -> None:
    ada.look_up("C1")
    ada.derive()
    exported = queue(ada)[0]
    ada.load([{**BOB, "contact_id": "C1"}])
    (problem,) = import_rows(ada, {**exported, "decision": "replace", **GIVEN_EMAIL}).problems
    assert (problem.column, "somebody else" in problem.message) == ("lookup_id", True)


def test_a_profile_that_was_never_found_is_refused(ada: World) -> None:
    ada.look_up("C1", candidate=NAMESAKE)
    ada.derive()
    row = {**queue(ada)[0], "decision": "accept", "provider_uid": "c" * 32}
    assert messages(import_rows(ada, row)) == [
        (2, "provider_uid", "is no profile that was found for this contact")
    ]


def test_who_decided_and_when_is_kept(ada: World) -> None:
    ada.look_up("C1")
    ada.derive()
    decide(ada, "replace", GIVEN_EMAIL, decided_by="Kim", note="=asked\nher")
    row = ada.only("raw.review_decisions")
    assert (row["decided_by"], row["decided_at"], row["note"]) == ("Kim", START, "=asked\nher")
    assert (row["source"], row["recorded_at"]) == ("import", START)


def test_every_field_that_can_be_replaced_reaches_its_column(world: World) -> None:
    values = {
        **dict.fromkeys(FIELDS, "New"),
        "work_email": "new@acme.com",
        "personal_email": "new@acme.com",
        "direct_phone": "+4930901820",
        "mobile_phone": "+4930901820",
        "company_domain": "new.example.org",
        "linkedin_url": "https://www.linkedin.com/in/new",
    }
    world.load(
        [
            {**ADA, "contact_id": name, "email": f"{name}@acme.com", "linkedin_url": ""}
            for name in values
        ]
    )
    for name in values:
        world.look_up(name, candidate={**LIKELY, "uid": name})
    world.derive()
    shown = {row["contact_id"]: row for row in queue(world)}
    recorded = import_rows(
        world,
        *({**shown[name], "decision": "replace", name: value} for name, value in values.items()),
    )
    assert not recorded.problems, recorded.problems
    world.derive()
    found = {}
    for name in values:
        row = enriched(world, name)
        assert row
        found[name] = row[name]
    assert found == {**values, "company_domain": "example.org"}


# --- a table that another tool writes to -----------------------------------------------


@dataclass
class Table:
    """A folder with decisions.csv, as another tool leaves it, and what a run takes from it."""

    world: World
    folder: Path

    def takes(
        self, *rows: Mapping[str, object], query: str = "select * from decisions"
    ) -> Recorded:
        defaults = {"contact_id": "C1", "decided_by": "bi", "decided_at": START.isoformat()}
        write_csv(self.folder / "decisions.csv", [{**defaults, **row} for row in rows])
        policy = self.world.policy.model_copy(
            update={"review": Policy.model_validate({"review": {"decisions": query}}).review}
        )
        with transaction(self.world.connection):
            return review.record_table(
                self.world.connection,
                policy,
                self.folder,
                provider=FIRST,
                recorded_at=START + DAY,
            )


@pytest.fixture
def table(ada: World, tmp_path: Path) -> Table:
    ada.look_up("C1", candidate=NAMESAKE)
    ada.derive()
    (tmp_path / "tool").mkdir()
    return Table(ada, tmp_path / "tool")


def test_decisions_of_another_tool_are_taken_once(table: Table) -> None:
    rows: list[Mapping[str, object]] = [
        {"decision": "accept", "provider_uid": UID, "note": "known"},
        {"decision": "replace", "field": "job_title", "value": "CTO"},
    ]
    assert table.takes(*rows) == Recorded(2, 0, ())
    table.world.derive()
    row = enriched(table.world)
    assert row
    assert (row["work_email"], row["job_title"]) == ("zoe@brio.com", "CTO")
    before = contents(table.world.connection)
    assert table.takes(*rows) == Recorded(0, 2, ())
    assert contents(table.world.connection) == before
    # a row that was changed is another decision, and the later one holds
    later = {"decision": "reject", "provider_uid": UID, "decided_at": "2026-03-02T10:00:00"}
    assert table.takes(later, rows[1]) == Recorded(1, 1, ())
    table.world.derive()
    assert table.world.rows("enrichment.person_facts", "value = 'zoe@brio.com'") == []


def test_a_row_that_is_wrong_is_told_and_the_others_are_taken(table: Table) -> None:
    recorded = table.takes(
        {"decision": "accept", "provider_uid": UID},
        {"contact_id": "C9", "decision": "never"},
        {"decision": "replace", "field": "work_emial", "value": "x@y.com"},
        {"decision": "replace", "field": "work_email", "value": "secret"},
        {"decision": "never", "decided_by": ""},
        {"decision": "never", "decided_at": "yesterday"},
        {"decision": "never", "decided_at": "2026-03-09"},
        {"decision": "reject", "field": "job_title", "value": "CTO"},
        {"decision": "replace", "field": "job_title"},
    )
    assert [(one.row, one.contact_id, one.column) for one in recorded.problems] == [
        (2, "C9", "contact_id"),
        (3, "C1", "field"),
        (4, "C1", "work_email"),
        (5, "C1", "decided_by"),
        (6, "C1", "decided_at"),
        (7, "C1", "decided_at"),
        (8, "C1", "field"),
        (9, "C1", "value"),
    ]
    assert recorded.new == 1
    assert table.world.only("raw.review_decisions")["source"] == "table"
    assert "secret" not in "".join(map(str, recorded.problems))


def test_a_later_import_holds_against_a_table_that_stays_as_it_is(table: Table) -> None:
    row = {"decision": "reject", "provider_uid": UID}
    table.takes(row)
    shown = {"found_uid": UID, "decision": "accept"}
    assert import_rows(table.world, shown, number=1).new == 1
    table.takes(row)
    table.world.derive()
    assert table.world.status("C1") == ("enriched", None)


@pytest.mark.parametrize(
    ("query", "complaint"),
    [
        ("select * from nowhere", "Table with name nowhere"),
        ("delete from decisions", "must be one select"),
        ("select decision from decisions", "the required column contact_id is missing"),
    ],
)
def test_a_query_that_cannot_be_run_is_refused(table: Table, query: str, complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint) as refused:
        table.takes({"decision": "never"}, query=query)
    assert "[review] decisions" in str(refused.value)


def test_without_a_query_there_is_nothing_to_read(ada: World) -> None:
    nothing = review.record_table(
        ada.connection, ada.policy, Path("nowhere"), provider=FIRST, recorded_at=START
    )
    assert nothing == Recorded(0, 0, ())
