"""From facts to the tables that people read: best values, what is for review and why, statuses."""

from __future__ import annotations

import json
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
from enrichment_pipeline_tests.warehouse.prepared import prepared

OUTPUTS = ("enriched_contacts", "needs_review", "contact_status")
LIKELY = candidate(emails=[("ada@acme.com", 70, "work")])


@prepared
def ada(world: World) -> None:
    world.load([{**ADA, "account_id": "A1", "job_title": "Engineer"}], [{"account_id": "A1"}])


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


@pytest.mark.parametrize(
    "names", [{"full_name": "Ada Example"}, {"first_name": " Ada ", "last_name": "Example"}]
)
def test_what_the_provider_does_not_say_the_source_does(
    world: World, names: dict[str, str]
) -> None:
    world.load([{**ADA, "full_name": "", "job_title": "Engineer", **names}])
    world.look_up("C1", candidate={**VERIFIED, "fullName": None})
    world.derive()
    row = enriched(world)
    assert (row["full_name"], row["job_title"]) == ("Ada Example", "Engineer")
    assert (row["company_name"], row["company_domain"]) == ("Acme", "acme.com")


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


def test_nothing_never_replaces_something(ada: World) -> None:
    ada.look_up("C1", candidate=VERIFIED)
    ada.derive()
    ada.look_up("C1", candidate=candidate(locations=[{"name": "Paris"}]), at=START + DAY)
    ada.derive(at=START + DAY)
    row = enriched(ada)
    assert (row["work_email"], row["location"]) == ("ada@acme.com", "Paris")
    assert ada.status("C1") == ("enriched", None)


def test_likely_never_replaces_verified_and_verified_replaces_likely(ada: World) -> None:
    for days, (email, rating) in enumerate(
        [("old@acme.com", 70), ("good@acme.com", 100), ("new@acme.com", 70)]
    ):
        ada.look_up(
            "C1", candidate=candidate(emails=[(email, rating, "work")]), at=START + days * DAY
        )
        ada.derive(at=START + days * DAY)
    assert enriched(ada)["work_email"] == "good@acme.com"
    ada.look_up("C1", candidate=candidate(emails=[("x@acme.com", 100, "work")]), at=START + 9 * DAY)
    ada.derive(at=START + 9 * DAY)
    assert enriched(ada)["work_email"] == "x@acme.com"


def test_what_is_only_likely_is_called_verified_nowhere(ada: World) -> None:
    ada.look_up("C1", candidate=LIKELY)
    ada.derive()
    for policy in (None, accept("verified_work_email"), accept("verified_phone")):
        ada.derive(policy=policy)
        assert enriched(ada)["work_email_status"] == "likely"
        assert ada.status("C1") == ("needs_review", "no_verified_email")
    statuses = {row["status"] for row in ada.rows("enrichment.person_facts")}
    assert statuses == {"likely", None}
    assert "verified" not in {*enriched(ada).values(), *ada.only("raw.lookups").values()}


@pytest.mark.parametrize(
    ("job", "has_changed"),
    [
        ({"company": "Brio", "website": "https://brio.com"}, True),
        ({"company": "Acme Holding", "website": "https://www.acme.com"}, False),
        ({"company": "Brio"}, True),
        ({"company": "ACME Inc."}, False),
        ({"company": None}, False),
    ],
)
def test_another_employer_than_the_sources_is_a_job_change(
    ada: World, job: Row, has_changed: bool
) -> None:
    ada.look_up("C1", candidate={**VERIFIED, "experience": [{"current": True, **job}]})
    ada.derive()
    assert enriched(ada)["job_changed"] is has_changed


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


@pytest.mark.parametrize(
    ("required", "accepted", "refused"),
    [
        (["verified_email"], [VERIFIED, PERSONAL, BOTH], [LIKELY, DIRECT, EMPTY]),
        (["verified_work_email"], [VERIFIED, BOTH], [PERSONAL, LIKELY, MOBILE, EMPTY]),
        (["verified_phone"], [DIRECT, MOBILE, BOTH], [VERIFIED, EMPTY]),
        (["verified_email", "verified_phone"], [BOTH], [VERIFIED, MOBILE, PERSONAL, EMPTY]),
        (["likely_email"], [VERIFIED, PERSONAL, LIKELY], [DIRECT, UNRATED, EMPTY]),
        (["any_work_email"], [VERIFIED, LIKELY, UNRATED], [PERSONAL, DIRECT, EMPTY]),
        (["verified_mobile_phone"], [MOBILE, BOTH], [DIRECT, VERIFIED]),
    ],
)
def test_the_policy_says_what_is_good_enough(
    world: World, required: list[str], accepted: list[Row], refused: list[Row]
) -> None:
    answers = [*accepted, *refused]
    world.load(
        {"contact_id": f"C{n}", "linkedin_url": f"linkedin.com/in/ada{n}"}
        for n in range(len(answers))
    )
    for n, answer in enumerate(answers):
        world.look_up(f"C{n}", candidate=answer)
    world.derive(policy=accept(*required))
    found = [world.status(f"C{n}") for n in range(len(answers))]
    assert found == [("enriched", None)] * len(accepted) + [
        ("needs_review", "no_verified_email")
    ] * len(refused)


def test_a_changed_policy_is_replayed_without_a_lookup(ada: World) -> None:
    ada.look_up("C1", candidate=PERSONAL)
    ada.derive(policy=accept("verified_work_email"))
    assert ada.status("C1") == ("needs_review", "no_verified_email")
    assert "what the policy requires (verified_work_email)" in review(ada)["detail"]
    assert enriched(ada)["needs_manual_enrichment"] is True
    ada.derive(policy=accept("verified_email"))
    assert ada.status("C1") == ("enriched", None)
    assert enriched(ada)["needs_manual_enrichment"] is False
    assert ada.rows("enrichment.needs_review") == []


# --- for review ------------------------------------------------------------------------


def flag(world: World, lookup: Row) -> Row:
    world.look_up("C1", at=START + DAY, **lookup)
    world.derive(at=START + 2 * DAY)
    return review(world)


@pytest.mark.parametrize(
    ("lookup", "reason", "has_evidence"),
    [
        ({"outcome": "no_match"}, "no_match", False),
        ({"candidate": LIKELY}, "no_verified_email", True),
        ({"candidate": candidate("Bob Stranger")}, "identity_mismatch", True),
        ({"outcome": "refused"}, "rejected_by_provider", False),
        ({"outcome": "legal_stop"}, "legal_stop", False),
        ({"state": "unconfirmed"}, "lookup_unconfirmed", False),
    ],
)
def test_what_a_person_must_look_at_stands_there_with_its_reason(
    ada: World, lookup: Row, reason: str, has_evidence: bool
) -> None:
    row = flag(ada, lookup)
    assert (row["reason"], row["account_id"], row["priority"]) == (reason, "A1", "bulk")
    assert (row["attempts"], row["last_attempt_at"]) == (1, START + DAY)
    assert (row["first_flagged_at"], row["needs_manual_enrichment"]) == (START + 2 * DAY, True)
    assert row["detail"]
    assert ada.status("C1") == ("needs_review", reason)
    if has_evidence:
        assert json.loads(row["candidate"]) == lookup["candidate"]
    else:
        assert row["candidate"] is None


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


@pytest.mark.parametrize(
    ("required", "found", "words"),
    [
        ("verified_email", LIKELY, "work_email ada@acme.com is likely; confirm"),
        ("verified_phone", LIKELY, "(verified_phone): nothing of that kind was found"),
        ("verified_mobile_phone", DIRECT, "nothing of that kind was found"),
        ("verified_email", EMPTY, "nothing of that kind was found"),
    ],
)
def test_the_detail_says_what_was_found_instead_of_what_is_required(
    ada: World, required: str, found: Row, words: str
) -> None:
    ada.look_up("C1", candidate=found)
    ada.derive(policy=accept(required))
    assert words in review(ada)["detail"]


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


def test_not_found_at_a_refresh_keeps_the_enrichment(ada: World) -> None:
    ada.look_up("C1", candidate=VERIFIED)
    ada.derive()
    before = enriched(ada)
    ada.look_up("C1", outcome="no_match", at=START + 90 * DAY)
    ada.derive(at=START + 90 * DAY)
    assert ada.status("C1") == ("needs_review", "refresh_no_match")
    assert enriched(ada) == {**before, "needs_manual_enrichment": True}
    status = ada.only("enrichment.contact_status")
    assert (status["freshness"], status["next_lookup_at"]) == ("fresh", START + 120 * DAY)


def test_another_person_found_at_a_refresh_keeps_the_enrichment(ada: World) -> None:
    ada.look_up("C1", candidate=VERIFIED)
    ada.derive()
    before = enriched(ada)
    stranger = candidate("Bob Stranger", emails=[("bob@acme.com", 100, "work")])
    ada.look_up("C1", candidate=stranger, at=START + 90 * DAY)
    ada.derive(at=START + 90 * DAY)
    assert ada.status("C1") == ("needs_review", "identity_mismatch")
    assert enriched(ada) == {**before, "needs_manual_enrichment": True}


def test_the_instant_of_the_first_flag_is_kept(ada: World) -> None:
    assert flag(ada, {"outcome": "no_match"})["first_flagged_at"] == START + 2 * DAY
    ada.look_up("C1", candidate=LIKELY, at=START + 40 * DAY)
    ada.derive(at=START + 40 * DAY)
    row = review(ada)
    assert (row["reason"], row["first_flagged_at"]) == ("no_verified_email", START + 2 * DAY)
    assert (row["attempts"], row["last_attempt_at"]) == (2, START + 40 * DAY)


def test_who_is_found_after_all_leaves_the_review(ada: World) -> None:
    flag(ada, {"outcome": "no_match"})
    ada.look_up("C1", candidate=VERIFIED, at=START + 40 * DAY)
    ada.derive(at=START + 40 * DAY)
    assert ada.rows("enrichment.needs_review") == []
    assert ada.status("C1") == ("enriched", None)


def test_an_answer_that_cannot_be_read_is_for_review(ada: World) -> None:
    ada.look_up("C1", outcome="matched", body=b"[")
    ada.derive()
    assert ada.status("C1") == ("needs_review", "unreadable_answer")


# --- statuses --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lookup", "status", "freshness"),
    [
        (None, "queued", "new"),
        ({"state": "released"}, "queued", "retry"),
        ({"state": "open"}, "in_flight", "in_flight"),
        ({"candidate": VERIFIED}, "enriched", "fresh"),
        ({"outcome": "legal_stop"}, "needs_review", "suppressed"),
    ],
)
def test_the_status_says_how_far_a_contact_is(
    ada: World, lookup: Row | None, status: str, freshness: str
) -> None:
    if lookup is not None:
        ada.look_up("C1", **lookup)
    ada.derive()
    row = ada.only("enrichment.contact_status")
    assert (row["status"], row["freshness"]) == (status, freshness)


def test_an_enriched_contact_stays_so_while_it_is_stale_and_asked_again(ada: World) -> None:
    ada.look_up("C1", candidate=VERIFIED)
    ada.derive(at=START + 90 * DAY)
    assert ada.status("C1") == ("enriched", None)
    ada.look_up("C1", state="open", at=START + 90 * DAY)
    ada.derive(at=START + 90 * DAY)
    row = ada.only("enrichment.contact_status")
    assert (row["status"], row["freshness"]) == ("enriched", "in_flight")
    assert enriched(ada)["work_email"] == "ada@acme.com"


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
    for contact_id, lookup in lookups.items():
        world.look_up(contact_id, **lookup)
    world.derive()
    world.look_up("refreshed", outcome="no_match", at=START + DAY)
    world.derive(at=START + DAY)


def test_every_contact_has_exactly_one_status(world: World) -> None:
    everything(world)
    source = [row["contact_id"] for row in world.rows("staging.source_contact_ids")]
    statuses = world.rows("enrichment.contact_status")
    assert [row["contact_id"] for row in statuses] == source
    assert len(source) == 13


def test_the_tables_agree_with_each_other(world: World) -> None:
    everything(world)
    reasons = {row["contact_id"]: row["reason"] for row in world.rows("enrichment.needs_review")}
    for status in world.rows("enrichment.contact_status"):
        contact_id = status["contact_id"]
        assert status["reason"] == reasons.get(contact_id)
        # the status is needs_review for whatever stands in that table
        assert (status["status"] == "needs_review") == (contact_id in reasons)
    for row in world.rows("enrichment.enriched_contacts"):
        assert row["needs_manual_enrichment"] == (row["contact_id"] in reasons)
    assert set(reasons.values()) == {
        *("no_verified_email", "no_match", "identity_mismatch", "rejected_by_provider"),
        *("legal_stop", "lookup_unconfirmed", "refresh_no_match", "insufficient_identity"),
    }


def test_a_second_run_changes_no_row_in_any_table(world: World) -> None:
    everything(world)
    before = contents(world.connection)
    world.copy_lookups()
    world.copy_responses()
    world.derive(at=START + DAY)
    assert contents(world.connection) == before


def test_contacts_that_left_disappear_from_the_outputs(world: World) -> None:
    everything(world)
    stays = {
        "contact_id": "match",
        "full_name": "Ada Example",
        "linkedin_url": "linkedin.com/in/match",
    }
    world.load([stays])
    world.derive(at=START + 2 * DAY)
    for table in OUTPUTS:
        assert {row["contact_id"] for row in world.rows(f"enrichment.{table}")} <= {"match"}
    assert world.status("match") == ("enriched", None)


def test_who_comes_back_has_what_was_paid_for(world: World) -> None:
    world.load([ADA, BOB])
    world.look_up("C1", candidate=VERIFIED)
    world.derive()
    before = contents(world.connection)
    world.load([BOB])
    world.derive()
    assert world.rows("enrichment.enriched_contacts") == []
    world.load([ADA, BOB])
    world.derive()
    after = contents(world.connection)
    for table in OUTPUTS:
        assert after[f"enrichment.{table}"] == before[f"enrichment.{table}"]


def test_a_contact_that_is_another_person_now_has_none_of_the_old_values(world: World) -> None:
    world.load([ADA])
    world.look_up("C1", candidate=VERIFIED)
    world.derive()
    world.load([{**BOB, "contact_id": "C1"}], at=START + DAY)
    world.derive(at=START + DAY)
    assert world.rows("enrichment.enriched_contacts") == []
    assert world.status("C1") == ("queued", None)
    world.look_up("C1", candidate=candidate("Bob Other"), at=START + DAY)
    world.derive(at=START + DAY)
    assert (enriched(world)["full_name"], enriched(world)["work_email"]) == ("Bob Other", None)
