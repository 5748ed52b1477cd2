"""From facts to the tables that people read: best values, what is for review and why, statuses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pytest

from enrichment_pipeline.policy import Policy
from enrichment_pipeline_tests.support import START
from enrichment_pipeline_tests.warehouse import (
    ADA,
    BOB,
    DAY,
    VERIFIED,
    Row,
    World,
    candidate,
    contents,
)
from enrichment_pipeline_tests.warehouse.prepared import prepared, prepared_after

OUTPUTS = ("enriched_contacts", "needs_review", "contact_status")
LIKELY = candidate(emails=[("ada@acme.com", 70, "work")])


@prepared
def ada(world: World) -> None:
    world.load([{**ADA, "account_id": "A1", "job_title": "Engineer"}], [{"account_id": "A1"}])


@prepared_after(ada)
def enriched_ada(world: World) -> None:
    world.look_up("C1", candidate=VERIFIED)
    world.derive()


def person(contact_id: str, **columns: str) -> Row:
    """A contact that is a person of its own."""
    name = contact_id.replace(" ", "-").lower()
    return {
        **ADA,
        "contact_id": contact_id,
        "email": f"{name}@acme.example.com",
        "linkedin_url": f"linkedin.com/in/ada-{name}",
        "account_id": "A1",
        "job_title": "Engineer",
        **columns,
    }


def look_up_all(world: World, lookups: Mapping[str, Row | None], *, at: datetime = START) -> None:
    """A person of each name, and the look-up that belongs to it; each profile is their own."""
    world.load([person(name) for name in lookups], [{"account_id": "A1"}])
    booked = []
    for number, (name, lookup) in enumerate(lookups.items()):
        own = {"at": at, **(lookup or {})}
        if "candidate" in own:
            own["candidate"] = {**own["candidate"], "uid": f"{number:032}"}
        if lookup is not None:
            booked.append((name, own))
    world.look_up_each(booked)


def enriched(world: World, contact_id: str = "C1") -> Row:
    return world.only("enrichment.enriched_contacts", f"contact_id = '{contact_id}'")


def review(world: World, contact_id: str = "C1") -> Row:
    return world.only("enrichment.needs_review", f"contact_id = '{contact_id}'")


def accept(*required: str) -> Policy:
    return Policy.model_validate({"acceptance": {"require": list(required)}})


# --- enriched --------------------------------------------------------------------------


def test_an_accepted_answer_enriches_its_contact(ada: World) -> None:
    answer = candidate(
        "Ada M. Example",
        emails=[("ada@acme.com", 100, "work"), ("ada@home.net", 70, "personal")],
        phones=[("+49 30 901820", 70, "work_phone"), ("+49 1512 3456789", None, "mobile")],
        jobs=[{"position": "CTO", "company": "Acme", "current": True, "website": "acme.com"}],
        social=[{"type": "li", "link": "linkedin.com/in/Ada-Example"}],
        locations=[{"name": "Berlin"}],
    )
    lookup_id = ada.look_up("C1", candidate=answer, at=START + DAY)
    ada.derive(at=START + DAY)
    assert enriched(ada) == {
        "contact_id": "C1",
        "account_id": "A1",
        "person_key": ada.persons()["C1"],
        "full_name": "Ada M. Example",
        "job_title": "CTO",
        "seniority": "c_suite",
        "company_name": "Acme",
        "company_domain": "acme.com",
        "company_website": "acme.com",
        "company_industry": None,
        "company_employee_count": None,
        "work_email": "ada@acme.com",
        "work_email_status": "verified",
        "personal_email": "ada@home.net",
        "personal_email_status": "likely",
        "direct_phone": "+4930901820",
        "direct_phone_status": "likely",
        "mobile_phone": "+4915123456789",
        "mobile_phone_status": "unverified",
        "linkedin_url": "https://www.linkedin.com/in/ada-example",
        "location": "Berlin",
        "provider": "signalhire",
        "provider_uid": "f" * 32,
        "job_changed": False,
        "previous_company_name": None,
        "previous_company_domain": None,
        "previous_job_title": None,
        "source_full_name": "Ada Example",
        "source_job_title": "Engineer",
        "source_company_name": "Acme",
        "source_company_domain": "acme.com",
        "source_email": "ada@acme.example.com",
        "source_phone": None,
        "source_linkedin_url": "https://www.linkedin.com/in/ada-example",
        "enriched_at": START + DAY,
        "expires_at": START + 91 * DAY,
        "lookup_id": lookup_id,
        "run_id": "run-1",
        "needs_manual_enrichment": False,
    }
    assert ada.rows("enrichment.needs_review") == []
    assert ada.only("enrichment.contact_status") == {
        "contact_id": "C1",
        "status": "enriched",
        "freshness": "fresh",
        "freshness_reason": "answer_is_recent",
        "priority": "bulk",
        "reason": None,
        "next_lookup_at": START + 91 * DAY,
        "account_id": "A1",
        "person_key": ada.persons()["C1"],
        "company_domain": "acme.com",
        "company_name": "Acme",
        "company_website": "acme.com",
        "company_industry": None,
        "company_employee_count": None,
    }


def test_what_the_provider_does_not_say_the_source_does(world: World) -> None:
    names = {
        "in one": {"full_name": "Ada Example"},
        "in two": {"full_name": "", "first_name": " Ada ", "last_name": "Example"},
    }
    world.load(person(each, **columns) for each, columns in names.items())
    answers = {each: {**VERIFIED, "fullName": None, "uid": each} for each in names}
    world.look_up_each((each, {"candidate": answer}) for each, answer in answers.items())
    world.derive()
    for each in names:
        row = enriched(world, each)
        assert (row["full_name"], row["job_title"]) == ("Ada Example", "Engineer"), each
        assert (row["company_name"], row["company_domain"]) == ("Acme", "acme.com"), each


def test_the_sources_addresses_never_pass_for_the_providers(world: World) -> None:
    world.load([{**ADA, "phone": "+4930901820"}])
    world.look_up("C1", candidate=candidate())
    world.derive()
    row = enriched(world)
    given = [
        value
        for name, value in row.items()
        if ("email" in name or "phone" in name) and not name.startswith("source_")
    ]
    assert set(given) == {None}


def test_nothing_never_replaces_something(enriched_ada: World) -> None:
    answer = candidate(locations=[{"name": "Paris"}])
    enriched_ada.look_up("C1", candidate=answer, at=START + DAY)
    enriched_ada.derive(at=START + DAY)
    row = enriched(enriched_ada)
    assert (row["work_email"], row["location"]) == ("ada@acme.com", "Paris")
    assert enriched_ada.status("C1") == ("enriched", None)


def test_likely_never_replaces_verified_and_verified_replaces_likely(world: World) -> None:
    """What is shown after each of a contact's answers, a day apart."""
    cases = {
        "likely verified likely": ["first", "second", "second"],
        "verified verified likely": ["first", "second", "second"],
        "likely likely verified": ["first", "second", "third"],
    }
    world.load(person(name) for name in cases)
    for day, word in enumerate(["first", "second", "third"]):
        at = START + day * DAY
        world.look_up_each(
            (name, {"at": at, "candidate": candidate(emails=[(address, rating, "work")], uid=name)})
            for name in cases
            for address in [f"{word}@{name.replace(' ', '-')}.com"]
            for rating in [100 if name.split()[day] == "verified" else 70]
        )
        world.derive(at=at)
        for name, shown in cases.items():
            found = str(enriched(world, name)["work_email"]).partition("@")[0]
            assert found == shown[day], (name, day)


def test_what_is_only_likely_is_called_verified_nowhere(ada: World) -> None:
    ada.look_up("C1", candidate=LIKELY)
    ada.derive()
    for policy in (None, accept("verified_work_email"), accept("verified_phone")):
        ada.derive_outcomes(policy=policy)
        assert enriched(ada)["work_email_status"] == "likely"
        assert ada.status("C1") == ("needs_review", "no_verified_email")
    statuses = {row["status"] for row in ada.rows("enrichment.person_facts")}
    assert statuses == {"likely", None}
    assert "verified" not in {*enriched(ada).values(), *ada.only("raw.lookups").values()}


JOBS: list[tuple[Row, bool]] = [
    ({"company": "Brio", "website": "https://brio.com"}, True),
    ({"company": "Acme Holding", "website": "https://www.acme.com"}, False),
    ({"company": "Brio"}, True),
    ({"company": "ACME Inc."}, False),
    ({"company": None}, False),
]


def test_another_employer_than_the_sources_is_a_job_change(world: World) -> None:
    jobs = {f"C{number}": case for number, case in enumerate(JOBS)}
    answers = {
        name: {**VERIFIED, "experience": [{"current": True, **job}]}
        for name, (job, _) in jobs.items()
    }
    look_up_all(world, {name: {"candidate": answer} for name, answer in answers.items()})
    world.derive()
    for name, (job, has_changed) in jobs.items():
        assert enriched(world, name)["job_changed"] is has_changed, job


def test_all_contacts_of_a_person_are_enriched(world: World) -> None:
    world.load([ADA, {**ADA, "contact_id": "C2", "linkedin_url": ""}, {**BOB, "contact_id": "C3"}])
    world.look_up("C1", candidate=VERIFIED)
    world.derive()
    assert [row["contact_id"] for row in world.rows("enrichment.enriched_contacts")] == ["C1", "C2"]
    assert [world.status(each)[0] for each in ("C1", "C2", "C3")] == [
        *("enriched", "enriched"),
        "queued",
    ]


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


def test_the_policy_says_what_is_good_enough(world: World) -> None:
    answers = {
        "verified": VERIFIED,
        "likely": LIKELY,
        "unrated": UNRATED,
        "personal": PERSONAL,
        "direct": DIRECT,
        "mobile": MOBILE,
        "both": BOTH,
        "empty": EMPTY,
    }
    look_up_all(world, {name: {"candidate": answer} for name, answer in answers.items()})
    world.derive_facts()
    for required, accepted, refused in GOOD_ENOUGH:
        world.derive_outcomes(policy=accept(*required))
        for name in accepted.split():
            assert world.status(name) == ("enriched", None), (required, name)
        for name in refused.split():
            assert world.status(name) == ("needs_review", "no_verified_email"), (required, name)


def test_a_changed_policy_is_replayed_without_a_lookup(ada: World) -> None:
    ada.look_up("C1", candidate=PERSONAL)
    ada.derive(policy=accept("verified_work_email"))
    assert ada.status("C1") == ("needs_review", "no_verified_email")
    assert "what the policy requires (verified_work_email)" in review(ada)["detail"]
    assert enriched(ada)["needs_manual_enrichment"] is True
    ada.derive_outcomes(policy=accept("verified_email"))
    assert ada.status("C1") == ("enriched", None)
    assert enriched(ada)["needs_manual_enrichment"] is False
    assert ada.rows("enrichment.needs_review") == []


# --- for review ------------------------------------------------------------------------


def flag(world: World, lookup: Row) -> Row:
    world.look_up("C1", at=START + DAY, **lookup)
    world.derive(at=START + 2 * DAY)
    return review(world)


REASONS: list[tuple[Row, str]] = [
    ({"outcome": "no_match"}, "no_match"),
    ({"candidate": LIKELY}, "no_verified_email"),
    ({"candidate": candidate("Bob Stranger")}, "identity_mismatch"),
    ({"outcome": "refused"}, "rejected_by_provider"),
    ({"outcome": "legal_stop"}, "legal_stop"),
    ({"state": "unconfirmed"}, "lookup_unconfirmed"),
    ({"outcome": "matched", "body": b"["}, "unreadable_answer"),
]


def test_what_a_person_must_look_at_stands_there_with_its_reason(world: World) -> None:
    look_up_all(world, {reason: lookup for lookup, reason in REASONS}, at=START + DAY)
    world.derive(at=START + 2 * DAY)
    for lookup, reason in REASONS:
        row = review(world, reason)
        assert (row["reason"], row["account_id"], row["priority"]) == (reason, "A1", "bulk")
        assert (row["attempts"], row["last_attempt_at"]) == (1, START + DAY), reason
        assert row["first_flagged_at"] == START + 2 * DAY, reason
        assert row["needs_manual_enrichment"] is True, reason
        assert row["detail"], reason
        assert world.status(reason) == ("needs_review", reason)
        if "candidate" in lookup:
            assert json.loads(row["candidate"]) | {"uid": "f" * 32} == lookup["candidate"]
        else:
            assert row["candidate"] is None, reason


UNUSABLE: list[tuple[dict[str, str], str, str]] = [
    ({}, "insufficient_identity", "no profile URL, e-mail or phone"),
    ({"full_name": "Ada Example"}, "insufficient_identity", "no profile URL"),
    (
        {"full_name": "Ada Example", "company_domain": "acme.com"},
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


def test_who_cannot_be_asked_for_is_for_review(world: World) -> None:
    world.load({"contact_id": f"C{n}", **columns} for n, (columns, *_) in enumerate(UNUSABLE))
    world.derive()
    for n, (columns, reason, words) in enumerate(UNUSABLE):
        row = review(world, f"C{n}")
        assert (row["reason"], row["attempts"], row["last_attempt_at"]) == (reason, 0, None), (
            columns
        )
        assert words in row["detail"]
        status = world.only("enrichment.contact_status", f"contact_id = 'C{n}'")
        assert (status["freshness"], status["next_lookup_at"]) == ("unusable", None)


def test_the_detail_says_what_was_found_instead_of_what_is_required(world: World) -> None:
    answers = {"likely": LIKELY, "direct": DIRECT, "empty": EMPTY}
    look_up_all(world, {name: {"candidate": answer} for name, answer in answers.items()})
    world.derive_facts()
    for required, name, words in (
        ("verified_email", "likely", "work_email ada@acme.com is likely; confirm"),
        ("verified_email", "empty", "nothing of that kind was found"),
        ("verified_phone", "likely", "(verified_phone): nothing of that kind was found"),
        ("verified_mobile_phone", "direct", "nothing of that kind was found"),
    ):
        world.derive_outcomes(policy=accept(required))
        assert words in review(world, name)["detail"], (required, name)


def test_a_row_for_review_says_whom_it_is_about(world: World) -> None:
    contact = {**ADA, "account_id": "A1", "company_name": ""}
    world.load([contact], [{"account_id": "A1", "name": "Acme Tools"}])
    world.look_up("C1")
    world.derive()
    row = review(world)
    assert (row["full_name"], row["company_name"], row["email"]) == (
        "Ada Example",
        "Acme Tools",
        ADA["email"],
    )


def test_what_is_shared_is_told(world: World) -> None:
    shared = {"phone": "+4930901820"}
    world.load(
        {"contact_id": f"C{n}", "full_name": name, **shared}
        for n, name in enumerate(["Ada Example", "Bob Other"], 1)
    )
    world.derive()
    assert review(world)["reason"] == "insufficient_identity"
    assert "shared by contacts with other names" in review(world)["detail"]


@pytest.mark.parametrize(
    ("uid", "expected"),
    [
        ("f" * 32, ("enriched", "stale", None)),
        (None, ("needs_review", "unusable", "insufficient_identity")),
    ],
    ids=["with a profile to ask by", "without"],
)
def test_whose_mailbox_turned_out_to_be_shared_does_not_stay_enriched_unasked(
    ada: World, uid: str | None, expected: tuple[str, str, str | None]
) -> None:
    ada.load([{**ADA, "linkedin_url": "", "company_name": "", "company_domain": ""}])
    ada.look_up("C1", candidate=candidate(emails=[("ada@acme.com", 100, "work")], uid=uid))
    ada.derive()
    other = {"contact_id": "C2", "full_name": "Bob Other", "email": ADA["email"]}
    ada.load([{**ADA, "linkedin_url": "", "company_name": "", "company_domain": ""}, other])
    ada.derive(at=START + 89 * DAY)
    of_ada = "contact_id = 'C1'"
    assert ada.only("enrichment.contact_status", of_ada)["status"] == "enriched"
    ada.derive(at=START + 91 * DAY)
    row = ada.only("enrichment.contact_status", of_ada)
    assert (row["status"], row["freshness"], row["reason"]) == expected


def test_not_found_at_a_refresh_keeps_the_enrichment(enriched_ada: World) -> None:
    before = enriched(enriched_ada)
    enriched_ada.look_up("C1", outcome="no_match", at=START + 90 * DAY)
    enriched_ada.derive(at=START + 90 * DAY)
    assert enriched_ada.status("C1") == ("needs_review", "refresh_no_match")
    assert enriched(enriched_ada) == {**before, "needs_manual_enrichment": True}
    status = enriched_ada.only("enrichment.contact_status")
    assert (status["freshness"], status["next_lookup_at"]) == ("fresh", START + 120 * DAY)


def test_another_person_found_at_a_refresh_keeps_the_enrichment(enriched_ada: World) -> None:
    before = enriched(enriched_ada)
    stranger = candidate("Bob Stranger", emails=[("bob@acme.com", 100, "work")])
    enriched_ada.look_up("C1", candidate=stranger, at=START + 90 * DAY)
    enriched_ada.derive(at=START + 90 * DAY)
    assert enriched_ada.status("C1") == ("needs_review", "identity_mismatch")
    assert enriched(enriched_ada) == {**before, "needs_manual_enrichment": True}


def test_the_instant_of_the_first_flag_is_kept_until_they_are_found_after_all(ada: World) -> None:
    ada.look_up("C1", outcome="no_match", at=START + DAY)
    ada.derive(at=START + 2 * DAY)
    assert review(ada)["first_flagged_at"] == START + 2 * DAY
    ada.look_up("C1", candidate=LIKELY, at=START + 40 * DAY)
    ada.derive(at=START + 40 * DAY)
    row = review(ada)
    assert (row["reason"], row["first_flagged_at"]) == ("no_verified_email", START + 2 * DAY)
    assert (row["attempts"], row["last_attempt_at"]) == (2, START + 40 * DAY)
    ada.look_up("C1", candidate=VERIFIED, at=START + 80 * DAY)
    ada.derive(at=START + 80 * DAY)
    assert ada.rows("enrichment.needs_review") == []
    assert ada.status("C1") == ("enriched", None)


# --- statuses --------------------------------------------------------------------------


def test_the_status_says_how_far_a_contact_is(world: World) -> None:
    cases: dict[str, tuple[Row | None, str, str]] = {
        "never": (None, "queued", "new"),
        "released": ({"state": "released"}, "queued", "retry"),
        "open": ({"state": "open"}, "in_flight", "in_flight"),
        "answered": ({"candidate": VERIFIED}, "enriched", "fresh"),
        "stopped": ({"outcome": "legal_stop"}, "needs_review", "suppressed"),
    }
    look_up_all(world, {name: lookup for name, (lookup, *_) in cases.items()})
    world.derive()
    for name, (_, *expected) in cases.items():
        row = world.only("enrichment.contact_status", f"contact_id = '{name}'")
        assert [row["status"], row["freshness"]] == expected, name


def test_an_enriched_contact_stays_so_while_it_is_stale_and_asked_again(
    enriched_ada: World,
) -> None:
    enriched_ada.derive_outcomes(at=START + 90 * DAY)
    assert enriched_ada.status("C1") == ("enriched", None)
    enriched_ada.look_up("C1", state="open", at=START + 90 * DAY)
    enriched_ada.derive(at=START + 90 * DAY)
    row = enriched_ada.only("enrichment.contact_status")
    assert (row["status"], row["freshness"]) == ("enriched", "in_flight")
    assert enriched(enriched_ada)["work_email"] == "ada@acme.com"


@prepared
def everything(world: World) -> None:
    """Contacts in every state there is, and their answers."""
    names = [
        *("new", "match", "likely", "none", "mismatch", "refused", "stop", "unconfirmed"),
        *("sent", "released", "refreshed", "twin"),
    ]
    rows = [
        {
            "contact_id": name,
            "full_name": "Ada Example",
            "linkedin_url": f"linkedin.com/in/{name.replace('twin', 'match')}",
        }
        for name in names
    ]
    nobody = {"contact_id": "unusable", "full_name": "Ada"}
    world.load([*rows, nobody, {**rows[0], "full_name": "older", "updated_at": "1999-01-01"}])
    lookups: dict[str, Any] = {
        "match": {"candidate": VERIFIED},
        "likely": {"candidate": LIKELY},
        "none": {"outcome": "no_match"},
        "mismatch": {"candidate": candidate("Bob Stranger")},
        "refused": {"outcome": "refused"},
        "stop": {"outcome": "legal_stop"},
        "unconfirmed": {"state": "unconfirmed"},
        "sent": {"state": "open"},
        "released": {"state": "released"},
        "refreshed": {"candidate": VERIFIED},
    }
    world.look_up_each(lookups.items())
    world.derive()
    world.look_up("refreshed", outcome="no_match", at=START + DAY)
    world.derive(at=START + DAY)


def test_every_contact_has_exactly_one_status(everything: World) -> None:
    source = [row["contact_id"] for row in everything.rows("staging.source_contact_ids")]
    statuses = everything.rows("enrichment.contact_status")
    assert [row["contact_id"] for row in statuses] == source
    assert len(source) == 13


def test_the_tables_agree_with_each_other(everything: World) -> None:
    reasons = {
        row["contact_id"]: row["reason"] for row in everything.rows("enrichment.needs_review")
    }
    for status in everything.rows("enrichment.contact_status"):
        contact_id = status["contact_id"]
        assert status["reason"] == reasons.get(contact_id)
        # the status is needs_review for whatever stands in that table
        assert (status["status"] == "needs_review") == (contact_id in reasons)
    for row in everything.rows("enrichment.enriched_contacts"):
        assert row["needs_manual_enrichment"] == (row["contact_id"] in reasons)
    assert set(reasons.values()) == {
        *("no_verified_email", "no_match", "identity_mismatch", "rejected_by_provider"),
        *("legal_stop", "lookup_unconfirmed", "refresh_no_match", "insufficient_identity"),
    }


def test_a_second_run_changes_no_row_in_any_table(everything: World) -> None:
    before = contents(everything.connection)
    everything.copy_lookups()
    everything.copy_responses()
    everything.derive(at=START + DAY)
    assert contents(everything.connection) == before


def test_contacts_that_left_disappear_from_the_outputs(everything: World) -> None:
    stays = {
        "contact_id": "match",
        "full_name": "Ada Example",
        "linkedin_url": "linkedin.com/in/match",
    }
    everything.load([stays])
    everything.derive(at=START + 2 * DAY)
    for table in OUTPUTS:
        assert {row["contact_id"] for row in everything.rows(f"enrichment.{table}")} <= {"match"}
    assert everything.status("match") == ("enriched", None)


def test_who_comes_back_has_what_was_paid_for(enriched_ada: World) -> None:
    with_account = [{**ADA, "account_id": "A1", "job_title": "Engineer"}, BOB]
    enriched_ada.load(with_account)
    enriched_ada.derive()
    before = contents(enriched_ada.connection)
    enriched_ada.load([BOB])
    enriched_ada.derive()
    assert enriched_ada.rows("enrichment.enriched_contacts") == []
    enriched_ada.load(with_account)
    enriched_ada.derive()
    after = contents(enriched_ada.connection)
    for table in OUTPUTS:
        assert after[f"enrichment.{table}"] == before[f"enrichment.{table}"]


def test_a_contact_that_is_another_person_now_has_none_of_the_old_values(
    enriched_ada: World,
) -> None:
    enriched_ada.load([{**BOB, "contact_id": "C1"}], at=START + DAY)
    enriched_ada.derive(at=START + DAY)
    assert enriched_ada.rows("enrichment.enriched_contacts") == []
    assert enriched_ada.status("C1") == ("queued", None)
    enriched_ada.look_up("C1", candidate=candidate("Bob Other"), at=START + DAY)
    enriched_ada.derive(at=START + DAY)
    row = enriched(enriched_ada)
    assert (row["full_name"], row["work_email"]) == ("Bob Other", None)
