"""From facts to the tables that people read: best values, what is for review and why, statuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from enrichment_pipeline.policy import Policy
from enrichment_pipeline_tests.support import START
from enrichment_pipeline_tests.warehouse import (
    BOB,
    DAY,
    VERIFIED,
    Row,
    World,
    candidate,
    contents,
    person,
)
from enrichment_pipeline_tests.warehouse.timeline import OnDay, Timeline

OUTPUTS = ("enriched_contacts", "needs_review", "contact_status")
LIKELY = candidate(emails=[("ada@acme.com", 70, "work")])

people = Timeline()
people.account({"account_id": "A1"})


@pytest.fixture(scope="module")
def on_day() -> Iterator[OnDay]:
    with people.open() as worlds:
        yield worlds


@pytest.fixture
def copy_of_day(tmp_path: Path) -> Iterator[OnDay]:
    with people.copies(tmp_path) as worlds:
        yield worlds


def enriched(world: World, contact_id: str) -> Row:
    return world.only("enrichment.enriched_contacts", f"contact_id = '{contact_id}'")


def review(world: World, contact_id: str) -> Row:
    return world.only("enrichment.needs_review", f"contact_id = '{contact_id}'")


def in_status(world: World, contact_id: str) -> Row:
    return world.only("enrichment.contact_status", f"contact_id = '{contact_id}'")


def rows_of(world: World, contact_id: str) -> dict[str, list[Row]]:
    """What the tables that people read say of a contact."""
    of_contact = f"contact_id = '{contact_id}'"
    return {table: world.rows(f"enrichment.{table}", of_contact) for table in OUTPUTS}


NOWHERE: dict[str, list[Row]] = {table: [] for table in OUTPUTS}


def accept(*required: str) -> Policy:
    return Policy.model_validate({"acceptance": {"require": list(required)}})


# --- enriched --------------------------------------------------------------------------


ACCEPTED = people.person(
    "accepted",
    {
        1: {
            "candidate": candidate(
                "Ada M. Example",
                emails=[("ada@peak.com", 100, "work"), ("ada@home.net", 70, "personal")],
                phones=[
                    ("+49 30 901820", 70, "work_phone"),
                    ("+49 1512 3456789", None, "mobile"),
                ],
                jobs=[
                    {"position": "CTO", "company": "Peak", "current": True, "website": "peak.com"}
                ],
                social=[{"type": "li", "link": "linkedin.com/in/Ada-Accepted"}],
                locations=[{"name": "Berlin"}],
            )
        }
    },
    account_id="A1",
    job_title="Engineer",
    company_name="Peak",
    company_domain="peak.com",
)


def test_an_accepted_answer_enriches_its_contact(on_day: OnDay) -> None:
    world = on_day(1)
    person_key = world.persons()[ACCEPTED]
    lookup_id = world.only("raw.lookups", f"person_key = '{person_key}'")["lookup_id"]
    assert rows_of(world, ACCEPTED) == {
        "enriched_contacts": [
            {
                "contact_id": ACCEPTED,
                "account_id": "A1",
                "person_key": person_key,
                "full_name": "Ada M. Example",
                "job_title": "CTO",
                "seniority": "c_suite",
                "company_name": "Peak",
                "company_domain": "peak.com",
                "company_website": "peak.com",
                "company_industry": None,
                "company_employee_count": None,
                "work_email": "ada@peak.com",
                "work_email_status": "verified",
                "personal_email": "ada@home.net",
                "personal_email_status": "likely",
                "direct_phone": "+4930901820",
                "direct_phone_status": "likely",
                "mobile_phone": "+4915123456789",
                "mobile_phone_status": "unverified",
                "linkedin_url": "https://www.linkedin.com/in/ada-accepted",
                "location": "Berlin",
                "provider": "signalhire",
                "provider_uid": f"uid of {ACCEPTED}",
                "job_changed": False,
                "previous_company_name": None,
                "previous_company_domain": None,
                "previous_job_title": None,
                "agreed_by": None,
                "employer_disputed_by": None,
                "source_full_name": "Ada Example",
                "source_job_title": "Engineer",
                "source_company_name": "Peak",
                "source_company_domain": "peak.com",
                "source_email": "accepted@acme.example.com",
                "source_phone": None,
                "source_linkedin_url": "https://www.linkedin.com/in/ada-accepted",
                "enriched_at": START + DAY,
                "expires_at": START + 91 * DAY,
                "lookup_id": lookup_id,
                "run_id": "run-1",
                "needs_manual_enrichment": False,
            }
        ],
        "needs_review": [],
        "contact_status": [
            {
                "contact_id": ACCEPTED,
                "status": "enriched",
                "freshness": "fresh",
                "freshness_reason": "answer_is_recent",
                "priority": "bulk",
                "reason": None,
                "next_lookup_at": START + 91 * DAY,
                "account_id": "A1",
                "person_key": person_key,
                "company_domain": "peak.com",
                "company_name": "Peak",
                "company_website": "peak.com",
                "company_industry": None,
                "company_employee_count": None,
            }
        ],
    }


NAMELESS = {**VERIFIED, "fullName": None}
NAMED_IN_SOURCE = [
    people.person("named in one", {0: {"candidate": NAMELESS}}, job_title="Engineer"),
    people.person(
        "named in two",
        {0: {"candidate": NAMELESS}},
        full_name="",
        first_name=" Ada ",
        last_name="Example",
        job_title="Engineer",
    ),
]


def test_what_the_provider_does_not_say_the_source_does(on_day: OnDay) -> None:
    for each in NAMED_IN_SOURCE:
        row = enriched(on_day(0), each)
        assert (row["full_name"], row["job_title"]) == ("Ada Example", "Engineer"), each
        assert (row["company_name"], row["company_domain"]) == ("Acme", "acme.com"), each


NO_ADDRESS = people.person(
    "found without an address", {0: {"candidate": candidate()}}, phone="+4930901829"
)


def test_the_sources_addresses_never_pass_for_the_providers(on_day: OnDay) -> None:
    row = enriched(on_day(0), NO_ADDRESS)
    given = [
        value
        for name, value in row.items()
        if ("email" in name or "phone" in name) and not name.startswith("source_")
    ]
    assert set(given) == {None}


THEN_ONLY_A_PLACE = people.person(
    "then only a place",
    {0: {"candidate": VERIFIED}, 1: {"candidate": candidate(locations=[{"name": "Paris"}])}},
)


def test_nothing_never_replaces_something(on_day: OnDay) -> None:
    row = enriched(on_day(1), THEN_ONLY_A_PLACE)
    assert (row["work_email"], row["location"]) == ("ada@acme.com", "Paris")
    assert on_day(1).status(THEN_ONLY_A_PLACE) == ("enriched", None)


RATED_IN_TURN = {
    "likely verified likely": ["first", "second", "second"],
    "verified verified likely": ["first", "second", "second"],
    "likely likely verified": ["first", "second", "third"],
}
"""How each of a contact's answers rates its address, and what is shown after it."""
for case in RATED_IN_TURN:
    addresses = [f"{word}@{case.replace(' ', '-')}.com" for word in ("first", "second", "third")]
    ratings = [100 if word == "verified" else 70 for word in case.split()]
    people.person(
        case,
        {
            day: {"candidate": candidate(emails=[(address, rating, "work")])}
            for day, (address, rating) in enumerate(zip(addresses, ratings, strict=True))
        },
    )


def test_likely_never_replaces_verified_and_verified_replaces_likely(on_day: OnDay) -> None:
    for case, shown in RATED_IN_TURN.items():
        for day, word in enumerate(shown):
            found = str(enriched(on_day(day), case)["work_email"]).partition("@")[0]
            assert found == word, (case, day)


def test_what_is_only_likely_is_called_verified_nowhere(on_day: OnDay) -> None:
    for policies in ([], [accept("verified_work_email")], [accept("verified_phone")]):
        world = on_day(0, *policies)
        assert enriched(world, "likely")["work_email_status"] == "likely"
        assert world.status("likely") == ("needs_review", "no_verified_email")
        facts = world.rows("enrichment.person_facts", "contact_id = 'likely'")
        assert {row["status"] for row in facts} == {"likely", None}
        lookup = world.only("raw.lookups", f"person_key = '{world.persons()['likely']}'")
        assert "verified" not in {*enriched(world, "likely").values(), *lookup.values()}


JOBS: list[tuple[Row, bool]] = [
    ({"company": "Brio", "website": "https://brio.com"}, True),
    ({"company": "Tulip Holding", "website": "https://www.tulip.com"}, False),
    ({"company": "Brio"}, True),
    ({"company": "TULIP Inc."}, False),
    ({"company": None}, False),
]
AT_JOBS = [
    people.person(
        f"at job {number}",
        {
            0: {
                "candidate": candidate(
                    emails=[("ada@tulip.com", 100, "work")], jobs=[{"current": True, **job}]
                )
            }
        },
        company_name="Tulip",
        company_domain="tulip.com",
    )
    for number, (job, _) in enumerate(JOBS)
]


def test_another_employer_than_the_sources_is_a_job_change(on_day: OnDay) -> None:
    for each, (job, has_changed) in zip(AT_JOBS, JOBS, strict=True):
        assert enriched(on_day(0), each)["job_changed"] is has_changed, job


ONE_OF_TWO = people.person("one of two contacts", {0: {"candidate": VERIFIED}})
TWO_OF_TWO = people.source(
    {**person(ONE_OF_TWO), "contact_id": "the other contact", "linkedin_url": ""}
)


def test_all_contacts_of_a_person_are_enriched(on_day: OnDay) -> None:
    world = on_day(0)
    assert world.persons()[ONE_OF_TWO] == world.persons()[TWO_OF_TWO]
    for each in (ONE_OF_TWO, TWO_OF_TWO):
        assert enriched(world, each)["work_email"] == "ada@acme.com"
        assert world.status(each)[0] == "enriched"
    assert world.status("never") == ("queued", None)
    assert not world.rows("enrichment.enriched_contacts", "contact_id = 'never'")


# --- acceptance ------------------------------------------------------------------------

PERSONAL = candidate(emails=[("ada@home.net", 100, "personal")])
DIRECT = candidate(phones=[("+4930901820", 100, "work_phone")])
MOBILE = candidate(phones=[("+4915123456789", 100, "mobile")])
BOTH = candidate(emails=[("ada@acme.com", 100, "work")], phones=[("+4915123456789", 100, "mobile")])
UNRATED = candidate(emails=[("ada@acme.com", None, "work")])
EMPTY = candidate()


GOOD_ENOUGH = [
    (["verified_email"], "verified personal both", "likely direct empty"),
    (["verified_work_email"], "verified both", "personal likely mobile empty"),
    (["verified_phone"], "direct mobile both", "verified empty"),
    (["verified_email", "verified_phone"], "both", "verified mobile personal empty"),
    (["likely_email"], "verified personal likely", "direct unrated empty"),
    (["any_work_email"], "verified likely unrated", "personal direct empty"),
    (["verified_mobile_phone"], "mobile both", "direct verified"),
]


for kind, profile in {
    "verified": VERIFIED,
    "likely": LIKELY,
    "unrated": UNRATED,
    "personal": PERSONAL,
    "direct": DIRECT,
    "mobile": MOBILE,
    "both": BOTH,
    "empty": EMPTY,
}.items():
    people.person(kind, {0: {"candidate": profile}})


def test_the_policy_says_what_is_good_enough(on_day: OnDay) -> None:
    for required, accepted, refused in GOOD_ENOUGH:
        world = on_day(0, accept(*required))
        for name in accepted.split():
            assert world.status(name) == ("enriched", None), (required, name)
        for name in refused.split():
            assert world.status(name) == ("needs_review", "no_verified_email"), (required, name)


def test_a_changed_policy_is_replayed_without_a_lookup(on_day: OnDay) -> None:
    strict, lenient = accept("verified_work_email"), accept("verified_email")
    before, after = on_day(0, strict), on_day(0, strict, lenient)
    assert before.status("personal") == ("needs_review", "no_verified_email")
    assert "what the policy requires (verified_work_email)" in review(before, "personal")["detail"]
    assert enriched(before, "personal")["needs_manual_enrichment"] is True
    assert after.status("personal") == ("enriched", None)
    assert enriched(after, "personal")["needs_manual_enrichment"] is False
    assert rows_of(after, "personal")["needs_review"] == []


# --- for review ------------------------------------------------------------------------


REASONS: list[tuple[Row, str]] = [
    ({"outcome": "no_match"}, "no_match"),
    ({"candidate": LIKELY}, "no_verified_email"),
    ({"candidate": candidate("Bob Stranger")}, "identity_mismatch"),
    ({"outcome": "refused"}, "rejected_by_provider"),
    ({"outcome": "legal_stop"}, "legal_stop"),
    ({"state": "unconfirmed"}, "lookup_unconfirmed"),
    ({"outcome": "matched", "body": b"["}, "unreadable_answer"),
]


for lookup, reason in REASONS:
    people.person(reason, {2: {"at": START + DAY, **lookup}}, account_id="A1")


def test_what_a_person_must_look_at_stands_there_with_its_reason(on_day: OnDay) -> None:
    for lookup, reason in REASONS:
        row = review(on_day(2), reason)
        assert (row["reason"], row["account_id"], row["priority"]) == (reason, "A1", "bulk")
        assert (row["attempts"], row["last_attempt_at"]) == (1, START + DAY), reason
        assert row["first_flagged_at"] == START + 2 * DAY, reason
        assert row["needs_manual_enrichment"] is True, reason
        assert row["detail"], reason
        assert on_day(2).status(reason) == ("needs_review", reason)
        if "candidate" in lookup:
            assert json.loads(row["candidate"]) | {"uid": "f" * 32} == lookup["candidate"]
        else:
            assert row["candidate"] is None, reason


UNUSABLE: list[tuple[dict[str, str], str, str]] = [
    ({}, "insufficient_identity", "no profile URL, e-mail or phone"),
    ({"full_name": "Ada Example"}, "insufficient_identity", "no profile URL"),
    (
        {"full_name": "Una Sable", "company_domain": "sable.com"},
        "insufficient_identity",
        "only a name and a company",
    ),
    ({"email": "N/A", "phone": "-"}, "insufficient_identity", "no profile URL, e-mail or phone"),
    ({"email": "info@acme.com"}, "insufficient_identity", "role address"),
    ({"email": "nonsense"}, "invalid_identity", "email has no @"),
    ({"email": "ada@acme"}, "invalid_identity", "email is no address"),
    ({"email": "c3ab8ff13720e8ad9047dd39466b3c89" * 2}, "invalid_identity", "hash of an address"),
    ({"email": f"{'a' * 300}@acme.com"}, "invalid_identity", "email is no address"),
    ({"linkedin_url": "linkedin.com/company/acme"}, "invalid_identity", "a company's page"),
    (
        {"linkedin_url": "https://www.linkedin.com/sales/lead/ACwAAA,NAME_SEARCH"},
        "invalid_identity",
        "Sales Navigator",
    ),
    ({"linkedin_url": "linkedin.com/in/ada%00example"}, "invalid_identity", "characters"),
    (
        {"linkedin_url": f"linkedin.com/in/{'a' * 1_000_000}"},
        "invalid_identity",
        "1000016 characters",
    ),
    ({"linkedin_url": "ada-example"}, "invalid_identity", "no LinkedIn profile"),
    ({"phone": "12"}, "invalid_identity", "phone is no valid number"),
    (
        {"phone": "12", "email": "ada", "linkedin_url": "linkedin.com/in/"},
        "invalid_identity",
        "names no profile, or holds characters that no profile URL has; email has no @; phone is",
    ),
]


for number, (columns, *_) in enumerate(UNUSABLE):
    people.source({"contact_id": f"unusable {number}", **columns})


def test_who_cannot_be_asked_for_is_for_review(on_day: OnDay) -> None:
    for number, (columns, reason, words) in enumerate(UNUSABLE):
        row = review(on_day(0), f"unusable {number}")
        assert (row["reason"], row["attempts"], row["last_attempt_at"]) == (reason, 0, None), (
            columns
        )
        assert words in row["detail"]
        status = in_status(on_day(0), f"unusable {number}")
        assert (status["freshness"], status["next_lookup_at"]) == ("unusable", None)


def test_the_detail_says_what_was_found_instead_of_what_is_required(on_day: OnDay) -> None:
    for required, name, words in (
        ("verified_email", "likely", "work_email ada@acme.com is likely; confirm"),
        ("verified_email", "empty", "nothing of that kind was found"),
        ("verified_phone", "likely", "(verified_phone): nothing of that kind was found"),
        ("verified_mobile_phone", "direct", "nothing of that kind was found"),
    ):
        detail = review(on_day(0, accept(required)), name)["detail"]
        assert words in detail, (required, name)


people.account({"account_id": "A2", "name": "Acme Tools"})
OF_ACCOUNT = people.person("of an account", {0: {}}, account_id="A2", company_name="")


def test_a_row_for_review_says_whom_it_is_about(on_day: OnDay) -> None:
    row = review(on_day(0), OF_ACCOUNT)
    assert (row["full_name"], row["company_name"], row["email"]) == (
        "Ada Example",
        "Acme Tools",
        "of-an-account@acme.example.com",
    )


SHARING = [
    people.source({"contact_id": f"sharing {name}", "full_name": name, "phone": "+4930901828"})
    for name in ("Ada Example", "Bob Other")
]


def test_what_is_shared_is_told(on_day: OnDay) -> None:
    for each in SHARING:
        row = review(on_day(0), each)
        assert row["reason"] == "insufficient_identity"
        assert "shared by contacts with other names" in row["detail"]


SHARED_LATER = {
    "shared later, found with a profile": ("enriched", "stale", None),
    "shared later, found without": ("needs_review", "unusable", "insufficient_identity"),
}
for number, each in enumerate(SHARED_LATER):
    mailbox = f"ada@shared-{number}.com"
    people.person(
        each,
        {0: {"candidate": VERIFIED if each.endswith("profile") else {**VERIFIED, "uid": None}}},
        email=mailbox,
        linkedin_url="",
        company_name="",
        company_domain="",
    )
    people.source(
        {"contact_id": f"other of {each}", "full_name": "Bob Other", "email": mailbox}, day=89
    )


@pytest.mark.parametrize("contact_id", SHARED_LATER)
def test_whose_mailbox_turned_out_to_be_shared_does_not_stay_enriched_unasked(
    on_day: OnDay, contact_id: str
) -> None:
    assert in_status(on_day(89), contact_id)["status"] == "enriched"
    row = in_status(on_day(91), contact_id)
    assert (row["status"], row["freshness"], row["reason"]) == SHARED_LATER[contact_id]


MISSED_LATER = people.person(
    "missed at a refresh", {0: {"candidate": VERIFIED}, 91: {"outcome": "no_match"}}
)


def test_not_found_at_a_refresh_keeps_the_enrichment(on_day: OnDay) -> None:
    before, after = on_day(0), on_day(91)
    assert after.status(MISSED_LATER) == ("needs_review", "refresh_no_match")
    assert enriched(after, MISSED_LATER) == {
        **enriched(before, MISSED_LATER),
        "needs_manual_enrichment": True,
    }
    status = in_status(after, MISSED_LATER)
    assert (status["freshness"], status["next_lookup_at"]) == ("fresh", START + 121 * DAY)


STRANGER = candidate("Bob Stranger", emails=[("bob@acme.com", 100, "work")])
STRANGER_LATER = people.person(
    "stranger at a refresh", {0: {"candidate": VERIFIED}, 91: {"candidate": STRANGER}}
)


def test_another_person_found_at_a_refresh_keeps_the_enrichment(on_day: OnDay) -> None:
    before, after = on_day(0), on_day(91)
    assert after.status(STRANGER_LATER) == ("needs_review", "identity_mismatch")
    assert enriched(after, STRANGER_LATER) == {
        **enriched(before, STRANGER_LATER),
        "needs_manual_enrichment": True,
    }


FOUND_AFTER_ALL = people.person(
    "found after all",
    {
        2: {"outcome": "no_match", "at": START + DAY},
        89: {"candidate": LIKELY},
        91: {"candidate": VERIFIED},
    },
)


def test_the_instant_of_the_first_flag_is_kept_until_they_are_found_after_all(
    on_day: OnDay,
) -> None:
    assert review(on_day(2), FOUND_AFTER_ALL)["first_flagged_at"] == START + 2 * DAY
    row = review(on_day(89), FOUND_AFTER_ALL)
    assert (row["reason"], row["first_flagged_at"]) == ("no_verified_email", START + 2 * DAY)
    assert (row["attempts"], row["last_attempt_at"]) == (2, START + 89 * DAY)
    assert rows_of(on_day(91), FOUND_AFTER_ALL)["needs_review"] == []
    assert on_day(91).status(FOUND_AFTER_ALL) == ("enriched", None)


# --- statuses --------------------------------------------------------------------------


HOW_FAR: dict[str, tuple[Row | None, str, str]] = {
    "never": (None, "queued", "new"),
    "released": ({"state": "released"}, "queued", "retry"),
    "open": ({"state": "open"}, "in_flight", "in_flight"),
    "answered": ({"candidate": VERIFIED}, "enriched", "fresh"),
    "stopped": ({"outcome": "legal_stop"}, "needs_review", "suppressed"),
}
for each, (made, *_) in HOW_FAR.items():
    people.person(each, None if made is None else {0: made})


def test_the_status_says_how_far_a_contact_is(on_day: OnDay) -> None:
    for each, (_, *expected) in HOW_FAR.items():
        row = in_status(on_day(0), each)
        assert [row["status"], row["freshness"]] == expected, each


ASKED_AGAIN = people.person("asked again", {0: {"candidate": VERIFIED}, 91: {"state": "open"}})


def test_an_enriched_contact_stays_so_while_it_is_stale_and_asked_again(on_day: OnDay) -> None:
    for each, freshness in (("answered", "stale"), (ASKED_AGAIN, "in_flight")):
        row = in_status(on_day(91), each)
        assert (row["status"], row["reason"], row["freshness"]) == ("enriched", None, freshness)
        assert enriched(on_day(91), each)["work_email"] == "ada@acme.com"


people.source({**person("never"), "full_name": "older", "updated_at": "1999-01-01"}, key="older")
DAYS = (0, 1, 2, 89, 91)


def test_every_contact_has_exactly_one_status(on_day: OnDay) -> None:
    for day in DAYS:
        source = [row["contact_id"] for row in on_day(day).rows("staging.source_contact_ids")]
        statuses = on_day(day).rows("enrichment.contact_status")
        assert [row["contact_id"] for row in statuses] == source, day
        assert len(source) > 60, day


def test_the_tables_agree_with_each_other(on_day: OnDay) -> None:
    seen = set()
    for world in map(on_day, DAYS):
        reasons = {
            row["contact_id"]: row["reason"] for row in world.rows("enrichment.needs_review")
        }
        for status in world.rows("enrichment.contact_status"):
            contact_id = status["contact_id"]
            assert status["reason"] == reasons.get(contact_id)
            # the status is needs_review for whatever stands in that table
            assert (status["status"] == "needs_review") == (contact_id in reasons)
        for row in world.rows("enrichment.enriched_contacts"):
            assert row["needs_manual_enrichment"] == (row["contact_id"] in reasons)
        seen |= set(reasons.values())
    assert seen == {
        *("no_verified_email", "no_match", "identity_mismatch", "rejected_by_provider"),
        *("legal_stop", "lookup_unconfirmed", "refresh_no_match", "insufficient_identity"),
        *("invalid_identity", "unreadable_answer"),
    }


def test_a_second_run_changes_no_row_in_any_table(copy_of_day: OnDay) -> None:
    world = copy_of_day(91)
    before = contents(world.connection)
    world.copy_lookups()
    world.copy_responses()
    world.derive(at=START + 91 * DAY)
    assert contents(world.connection) == before


LEAVING: dict[str, Any] = {
    "leaving new": None,
    "leaving found": {"candidate": VERIFIED},
    "leaving likely": {"candidate": LIKELY},
    "leaving missed": {"outcome": "no_match"},
    "leaving stranger": {"candidate": candidate("Bob Stranger")},
    "leaving refused": {"outcome": "refused"},
    "leaving stopped": {"outcome": "legal_stop"},
    "leaving unconfirmed": {"state": "unconfirmed"},
    "leaving open": {"state": "open"},
    "leaving released": {"state": "released"},
}
for each, made in LEAVING.items():
    people.person(each, None if made is None else {0: made})
people.source({"contact_id": "leaving unusable", "full_name": "Ada"})
for each in (*LEAVING, "leaving unusable"):
    people.leave(each, day=2)


def test_contacts_that_left_disappear_from_the_outputs(on_day: OnDay) -> None:
    before, after = on_day(1), on_day(2)
    for each in (*LEAVING, "leaving unusable"):
        assert rows_of(before, each)["contact_status"], each
        assert rows_of(after, each) == NOWHERE, each
    assert after.status("answered") == ("enriched", None)


COMING_BACK = people.person(
    "coming back", {0: {"candidate": VERIFIED}}, account_id="A1", job_title="Engineer"
)
people.leave(COMING_BACK, day=1)
people.source(person(COMING_BACK, account_id="A1", job_title="Engineer"), day=2)


def test_who_comes_back_has_what_was_paid_for(on_day: OnDay) -> None:
    assert rows_of(on_day(0), COMING_BACK)["enriched_contacts"]
    assert rows_of(on_day(1), COMING_BACK) == NOWHERE
    assert rows_of(on_day(2), COMING_BACK) == rows_of(on_day(0), COMING_BACK)


BECOMES_BOB = people.person(
    "becomes bob", {0: {"candidate": VERIFIED}, 2: {"candidate": candidate("Bob Other")}}
)
people.source({**BOB, "contact_id": BECOMES_BOB}, day=1)


def test_a_contact_that_is_another_person_now_has_none_of_the_old_values(on_day: OnDay) -> None:
    assert enriched(on_day(0), BECOMES_BOB)["full_name"] == "Ada Example"
    assert rows_of(on_day(1), BECOMES_BOB)["enriched_contacts"] == []
    assert on_day(1).status(BECOMES_BOB) == ("queued", None)
    row = enriched(on_day(2), BECOMES_BOB)
    assert (row["full_name"], row["work_email"]) == ("Bob Other", None)
