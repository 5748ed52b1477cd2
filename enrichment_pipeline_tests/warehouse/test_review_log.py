"""What reviewers decide: how it is checked and kept, what it leads to, and that it holds."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
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
from enrichment_pipeline.warehouse import review_log
from enrichment_pipeline.warehouse.common_profile import read_answers
from enrichment_pipeline.warehouse.connection import transaction
from enrichment_pipeline.warehouse.review_log import Recorded
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
from enrichment_pipeline_tests.warehouse.prepared import opened, prepared, prepared_after

UID, OTHER_UID = "a" * 32, "b" * 32
LIKELY = candidate(emails=[("ada@acme.com", 70, "work")], uid=UID)
NAMESAKE = candidate("Zoe Quite-Other", emails=[("zoe@brio.com", 100, "work")], uid=UID)
OTHER = candidate("Kim Somebody", emails=[("kim@brio.com", 100, "work")], uid=OTHER_UID)
GIVEN_EMAIL = {"work_email": "ada.right@acme.com"}


def person(contact_id: str) -> Row:
    """A contact that is a person of its own."""
    return {
        **ADA,
        "contact_id": contact_id,
        "email": f"{local_part(contact_id)}@acme.example.com",
        "linkedin_url": f"https://www.linkedin.com/in/ada-{local_part(contact_id)}",
    }


def likely(contact_id: str, rating: int = 70) -> Row:
    """What is found for a contact: a profile of that name, with an address that is only likely."""
    email = (f"{local_part(contact_id)}@acme.com", rating, "work")
    return candidate(emails=[email], uid=uid_of(contact_id))


def namesake(contact_id: str) -> Row:
    """What is found for a contact: a profile of another name."""
    email = (f"{local_part(contact_id)}@brio.com", 100, "work")
    return candidate("Zoe Quite-Other", emails=[email], uid=uid_of(contact_id))


def another(contact_id: str) -> Row:
    """Another profile, found later, of another name too."""
    email = (f"kim.{local_part(contact_id)}@brio.com", 100, "work")
    return candidate("Kim Somebody", emails=[email], uid=uid_of(f"kim {contact_id}"))


def uid_of(contact_id: str) -> str:
    return f"{local_part(contact_id):a<32}"


def local_part(contact_id: str) -> str:
    return contact_id.replace(" ", ".")


REPLACED = {
    **dict.fromkeys(FIELDS, "New"),
    "work_email": "new@acme.com",
    "personal_email": "new@acme.com",
    "direct_phone": "+4930901820",
    "mobile_phone": "+4930901820",
    "company_domain": "new.example.org",
    "linkedin_url": "https://www.linkedin.com/in/new",
}
"""Each field that a reviewer can replace, also the contact for which it is replaced below."""
DECISIONS_TAKEN: dict[str, dict[str, str]] = {
    "accepted namesake": {"decision": "accept"},
    "accepted likely": {"decision": "accept"},
    "accepted with a value": {"decision": "accept", **GIVEN_EMAIL},
    "rejected namesake": {"decision": "reject"},
    "rejected likely": {"decision": "reject"},
    "rejected and not asked again": {"decision": "reject"},
    "rejected with a value": {"decision": "reject", **GIVEN_EMAIL},
    "replaced namesake": {"decision": "replace", **GIVEN_EMAIL},
    "replaced likely": {
        "decision": "replace",
        **GIVEN_EMAIL,
        "direct_phone": "+49 30 901820",
        "job_title": " Countess ",
    },
    "replaced miss": {
        "decision": "replace",
        **GIVEN_EMAIL,
        "decided_by": "Kim",
        "note": "=asked\nher",
    },
    "replaced unusable": {"decision": "replace", **GIVEN_EMAIL},
    "never": {"decision": "never"},
    "retried miss": {"decision": "retry"},
    "retried refused": {"decision": "retry"},
    "retried unconfirmed": {"decision": "retry"},
    "retried miss of a fast clock": {"decision": "retry"},
    "retried unconfirmed of a fast clock": {"decision": "retry"},
    **{field: {"decision": "replace", field: value} for field, value in REPLACED.items()},
}
"""What a reviewer decides; the contacts are named after it."""
AHEAD = START + 300 * DAY
MISSES: dict[str, Row] = {
    "replaced miss": {"outcome": "no_match"},
    "never": {"outcome": "no_match"},
    "retried miss": {"outcome": "no_match"},
    "retried refused": {"outcome": "refused"},
    "retried unconfirmed": {"state": "unconfirmed"},
    "retried miss of a fast clock": {"outcome": "no_match", "at": AHEAD},
    "retried unconfirmed of a fast clock": {"state": "unconfirmed", "at": AHEAD},
}
"""Contacts that nothing was found for."""
PEOPLE = [
    ADA,
    *(person(name) for name in DECISIONS_TAKEN if name != "replaced unusable"),
    {**person("never"), "contact_id": "twin of never"},
    {"contact_id": "replaced unusable", "full_name": "Ada Example"},
]


def found_for(contact_id: str) -> Row | None:
    """What the first look-up of a contact gave."""
    if contact_id in MISSES:
        return MISSES[contact_id]
    if contact_id == "replaced unusable":
        return None
    is_namesake = contact_id.endswith("namesake") or contact_id == "rejected with a value"
    return {"candidate": namesake(contact_id) if is_namesake else likely(contact_id)}


@prepared
def ada(world: World) -> None:
    world.load([ADA])


@prepared
def found(world: World) -> None:
    """Everybody was looked up; C1, whose profile is a namesake's, is never decided on."""
    world.load(PEOPLE)
    lookups = {name: found_for(name) for name in DECISIONS_TAKEN}
    world.look_up_each(
        [
            ("C1", {"candidate": NAMESAKE}),
            *((name, lookup) for name, lookup in lookups.items() if lookup),
        ]
    )
    world.derive()


@prepared_after(found)
def decided(world: World) -> None:
    """And everybody else was decided on."""
    decide_each(world, DECISIONS_TAKEN)


@prepared_after(decided)
def refreshed(world: World) -> None:
    """Years later: the one who was replaced was found again, three with another profile."""
    at = START + 91 * DAY
    again = likely("replaced likely", 100)
    phone = {"type": "phone", "value": "+4930000000", "rating": 100, "subType": "work_phone"}
    again["contacts"].append(phone)
    answers = {
        "replaced likely": again,
        "rejected likely": likely("rejected likely"),
        **{name: another(name) for name in WITH_ANOTHER},
        "C1": OTHER,
    }
    world.look_up_each((name, {"candidate": each, "at": at}) for name, each in answers.items())
    world.derive(at=at)


WITH_ANOTHER = ("accepted namesake", "rejected namesake", "replaced namesake")


def queue(world: World, **choice: Any) -> list[dict[str, str]]:
    chosen: dict[str, Any] = {
        "reasons": None,
        "priorities": ("strategic", "target", "standard", "bulk"),
        "limit": None,
        **choice,
    }
    return review_log.review_queue(world.connection, **chosen)


def import_rows(world: World, *rows: Mapping[str, str], number: int = 0) -> Recorded:
    """Import rows of a file, the given number of hours after START."""
    at = START + number * DAY / 24
    sheet = [
        SheetRow(place, {"contact_id": "C1", "decision": "", **row})
        for place, row in enumerate(rows, start=2)
    ]
    proposals, problems = read_rows(sheet, decided_by="eva", decided_at=at)
    with transaction(world.connection):
        return review_log.record_file(
            world.connection, world.policy, proposals, problems, provider=FIRST, recorded_at=at
        )


def decide(
    world: World,
    decision: str,
    values: Mapping[str, str] | None = None,
    *,
    contact_id: str = "C1",
    number: int = 0,
    **cells: str,
) -> None:
    """Fill in the contact's row of the queue as it is shown now, import it, and derive anew."""
    row = {"decision": decision, **(values or {}), **cells}
    decide_each(world, {contact_id: row}, number=number)


def decide_each(
    world: World, decisions: Mapping[str, Mapping[str, str]], *, number: int = 0
) -> None:
    """Fill in these contacts' rows likewise, and import them as one file."""
    import_decisions(world, decisions, number=number)
    world.derive()


def import_decisions(
    world: World, decisions: Mapping[str, Mapping[str, str]], *, number: int = 0
) -> None:
    shown = {row["contact_id"]: row for row in queue(world)}
    rows = [
        {"contact_id": each, **shown.get(each, {}), **cells} for each, cells in decisions.items()
    ]
    recorded = import_rows(world, *rows, number=number)
    assert not recorded.problems, recorded.problems
    assert recorded.new


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
    world.look_up_each([("C1", {}), ("C2", {"candidate": candidate("Kim Somebody")})])
    world.derive()
    assert [row["contact_id"] for row in queue(world)] == ["C2", "C1"]
    assert [row["contact_id"] for row in queue(world, limit=1)] == ["C2"]
    assert [row["contact_id"] for row in queue(world, reasons=["no_match"])] == ["C1"]
    assert [row["contact_id"] for row in queue(world, priorities=["bulk"])] == ["C1"]
    assert review_log.queue_counts(world.connection) == [
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


@prepared_after(ada)
def ambiguous(world: World) -> None:
    """As a search by name leaves them: ranked profiles, none of them looked up."""
    world.look_up("C1")
    world.derive()
    show_found(world, FOUND)


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


def test_what_was_found_waits_for_a_decision(found: World) -> None:
    assert found.status("C1") == ("needs_review", "identity_mismatch")
    assert enriched(found) is None
    assert found.status("accepted likely") == ("needs_review", "no_verified_email")
    assert enriched(found, "rejected likely")
    assert found.rows("staging.person_aliases", "alias = 'email:rejected.likely@acme.com'")
    assert found.status("replaced unusable") == ("needs_review", "insufficient_identity")
    for name in DECISIONS_TAKEN:
        assert found.status(name)[0] == "needs_review", name


def test_an_accepted_profile_counts_though_the_names_differ(decided: World) -> None:
    assert decided.status("accepted namesake") == ("enriched", None)
    row = enriched(decided, "accepted namesake")
    assert row
    assert (row["work_email"], row["work_email_status"]) == (
        "accepted.namesake@brio.com",
        "verified",
    )
    assert (row["full_name"], row["needs_manual_enrichment"]) == ("Zoe Quite-Other", False)


def test_a_likely_address_stays_likely_when_it_is_accepted(decided: World) -> None:
    assert decided.status("accepted likely") == ("enriched", None)
    row = enriched(decided, "accepted likely")
    assert row
    assert (row["work_email"], row["work_email_status"]) == ("accepted.likely@acme.com", "likely")


def test_a_rejected_profile_fills_nothing_and_leaves_no_identifier_behind(decided: World) -> None:
    name = "rejected likely"
    assert enriched(decided, name) is None
    assert decided.facts(name) == {}
    identifiers = f"('email:{local_part(name)}@acme.com', 'uid:{uid_of(name)}')"
    assert not decided.rows("staging.person_aliases", f"alias in {identifiers}")
    assert decided.status(name) == ("needs_review", "rejected_by_reviewer")
    # it waits for its next look-up, as whoever was found does
    row = decided.only("enrichment.contact_status", f"contact_id = '{name}'")
    assert row["next_lookup_at"] == START + 90 * DAY


def test_a_rejected_contact_stays_known_and_leaves_the_file_unless_it_is_asked_for(
    found: World,
) -> None:
    flagged = found.only("enrichment.needs_review", "contact_id = 'C1'")["first_flagged_at"]
    import_decisions(found, {"C1": {"decision": "reject"}})
    found.derive(at=START + DAY)
    row = found.only("enrichment.needs_review", "contact_id = 'C1'")
    assert (row["reason"], row["first_flagged_at"]) == ("rejected_by_reviewer", flagged)
    assert '"uid":"' + UID in row["candidate"]
    assert ("rejected_by_reviewer", 0, 0, 0, 1, 1) in review_log.queue_counts(found.connection)

    def found_uids(**choice: Any) -> list[str]:
        return [each["found_uid"] for each in queue(found, **choice)]

    assert UID not in found_uids()
    assert UID in found_uids(shows_rejected=True)
    assert found_uids(reasons=["rejected_by_reviewer"]) == [UID]
    assert UID in found_uids(reasons=["no_match"], shows_rejected=True)


def test_a_rejected_contact_is_due_when_its_answer_is_old(decided: World) -> None:
    for days, is_due in ((89, False), (91, True)):
        states = decided.states(at=START + days * DAY)
        assert states["rejected namesake"]["is_due"] is is_due


def test_a_rejected_contact_stays_so_while_what_is_found_is_the_same(refreshed: World) -> None:
    for name in ("rejected likely", "rejected and not asked again"):
        assert refreshed.status(name) == ("needs_review", "rejected_by_reviewer"), name


def test_a_rejected_contact_leaves_when_there_is_something_to_show_or_to_wait_for(
    decided: World,
) -> None:
    names = ("rejected namesake", "rejected likely")
    decide_each(decided, {name: {"decision": "retry"} for name in names}, number=1)
    for name in names:
        assert decided.status(name) == ("queued", None), name
    name = names[0]
    import_decisions(decided, {name: {"decision": "replace", **GIVEN_EMAIL}}, number=2)
    decided.look_up(name, candidate=namesake(name), at=START + DAY)
    decided.derive(at=START + DAY)
    assert decided.status(name) == ("enriched", None)


def test_an_accepted_profile_that_is_not_found_any_more_is_for_review(found: World) -> None:
    """A profile of a search that a reviewer accepted, and that the provider then does not know."""
    found.decide("C1", "reject", uid=UID)
    found.decide("C1", "accept", uid=OTHER_UID)
    found.derive()
    assert found.status("C1") == ("queued", None)
    assert found.states()["C1"]["lookup_identity"] == OTHER_UID
    lookup_id = found.look_up("C1", at=START + DAY)
    found.connection.execute(
        "update raw.lookups set item = ?, item_kind = 'uid' where lookup_id = ?",
        [OTHER_UID, lookup_id],
    )
    found.derive(at=START + DAY)
    assert found.status("C1") == ("needs_review", "no_match")


def test_a_reviewers_values_beat_whatever_a_provider_says_later(refreshed: World) -> None:
    name = "replaced likely"
    row = enriched(refreshed, name)
    assert row
    assert (row["work_email"], row["work_email_status"]) == ("ada.right@acme.com", "verified")
    assert (row["direct_phone"], row["direct_phone_status"]) == ("+4930901820", "verified")
    assert row["job_title"] == "Countess"
    of_email = f"contact_id = '{name}' and field = 'work_email' and provider"
    fact = refreshed.only("enrichment.person_facts", f"{of_email} = 'human'")
    assert (fact["confidence"], fact["valid_from"], fact["valid_to"]) == ("human", START, None)
    # and the provider's own history goes on beside it
    theirs = refreshed.rows("enrichment.person_facts", f"{of_email} <> 'human'")
    assert sorted(fact["valid_to"] is None for fact in theirs) == [False, True]


def test_the_last_value_that_was_given_holds(decided: World) -> None:
    name = "replaced miss"
    decide(decided, "replace", contact_id=name, number=1, work_email="ada.better@acme.com")
    row = enriched(decided, name)
    assert row
    assert row["work_email"] == "ada.better@acme.com"
    spans = decided.rows("enrichment.person_facts", f"provider = 'human' and contact_id = '{name}'")
    assert {fact["value"]: fact["valid_to"] for fact in spans} == {
        "ada.right@acme.com": START + DAY / 24,
        "ada.better@acme.com": None,
    }


def test_values_can_be_given_for_whom_nobody_can_look_up(decided: World) -> None:
    assert decided.status("replaced unusable") == ("enriched", None)
    row = enriched(decided, "replaced unusable")
    assert row
    assert (row["provider"], row["lookup_id"], row["enriched_at"]) == ("human", None, START)


def test_a_profile_can_be_accepted_with_one_value_put_right(decided: World) -> None:
    name = "accepted with a value"
    row = enriched(decided, name)
    assert row
    assert (row["work_email"], row["provider_uid"]) == ("ada.right@acme.com", uid_of(name))


def test_never_suppresses_the_person_and_retry_takes_it_back(decided: World) -> None:
    assert decided.status("never") == decided.status("twin of never") == ("suppressed", None)
    hashed = review_log.never_identifiers(decided.connection)
    assert {one.partition(":")[0] for one in hashed} == {"contact", "email", "linkedin"}
    assert len(hashed) == 3
    decide(decided, "retry", contact_id="never", number=1)
    assert decided.status("never") == ("queued", None)
    assert review_log.never_identifiers(decided.connection) == set()


def test_never_outlives_a_contact_that_leaves_the_source(decided: World) -> None:
    before = review_log.never_identifiers(decided.connection)
    decided.load(row for row in PEOPLE if "never" not in row["contact_id"])
    decided.derive()
    assert review_log.never_identifiers(decided.connection) == before != set()


def test_retry_is_due_at_once_until_there_is_another_look_up(decided: World) -> None:
    names = ("retried miss", "retried refused", "retried unconfirmed")
    states = decided.states()
    for name in names:
        assert decided.status(name) == ("queued", None), name
        known = states[name]
        assert (known["freshness"], known["freshness_reason"]) == ("retry", "asked_again"), name
        assert not known["is_backing_off"], name
    decided.look_up_each((name, {"at": START + DAY}) for name in names)
    decided.derive(at=START + DAY)
    states = decided.states(at=START + DAY)
    for name in names:
        assert decided.status(name) == ("needs_review", "no_match"), name
        assert states[name]["freshness"] == "fresh", name


def test_retry_is_over_with_the_next_look_up_though_the_clock_was_ahead_before_it(
    decided: World,
) -> None:
    cases = {
        "retried miss of a fast clock": "answered",
        "retried unconfirmed of a fast clock": "unconfirmed",
    }
    states = decided.states()
    for name in cases:
        assert states[name]["freshness_reason"] == "asked_again", name
    decided.look_up_each((name, {"state": state}) for name, state in cases.items())
    freed = review_log.persons_to_free(decided.connection, FIRST)
    states, persons = decided.states(), decided.persons()
    for name in cases:
        assert persons[name] not in freed, name
        assert not states[name]["is_due"], name


def test_only_whose_look_up_is_open_to_doubt_is_freed(ada: World) -> None:
    lookup_id = ada.look_up("C1", state="unconfirmed")
    ada.derive()
    assert review_log.persons_to_free(ada.connection, FIRST) == []
    import_decisions(ada, {"C1": {"decision": "retry"}})
    assert review_log.persons_to_free(ada.connection, FIRST) == [ada.persons()["C1"]]
    ada.settle(lookup_id, state="released", reason="asked_again")
    assert review_log.persons_to_free(ada.connection, FIRST) == []
    assert ada.states()["C1"]["freshness"] == "retry"
    ada.look_up("C1", state="unconfirmed", at=START + DAY)
    assert review_log.persons_to_free(ada.connection, FIRST) == []


def test_retry_is_about_the_provider_whose_look_up_was_seen(ada: World) -> None:
    ada.look_up("C1", state="unconfirmed")
    ada.look_up("C1", provider="acme", state="unconfirmed", at=START + DAY)
    ada.derive(at=START + DAY)
    import_decisions(ada, {"C1": {"decision": "retry"}})
    at = START + 2 * DAY
    reasons = [
        ada.states(at=at, provider=name)["C1"]["freshness_reason"] for name in (FIRST, "acme")
    ]
    assert reasons == ["perhaps_billed", "asked_again"]
    freed = [review_log.persons_to_free(ada.connection, name) for name in (FIRST, "acme")]
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
    assert ada.states(at=later)["C1"]["is_backing_off"]
    import_decisions(ada, {"C1": {"decision": "retry"}})
    assert not ada.states(at=later)["C1"]["is_backing_off"]
    ada.look_up("C1", state="released", reason="timeout_exceeded", at=later, run_id="run-4")
    assert ada.states(at=later)["C1"]["is_backing_off"]


# --- that it holds ---------------------------------------------------------------------


def test_a_decision_is_taken_back_by_the_next_on_the_same_profile(decided: World) -> None:
    words = {"accept": "enriched", "reject": "needs_review"}
    cases = {"accepted namesake": ["reject", "accept"], "rejected namesake": ["accept", "reject"]}
    for number in range(2):
        rows = [
            {"contact_id": name, "found_uid": uid_of(name), "decision": case[number]}
            for name, case in cases.items()
        ]
        assert import_rows(decided, *rows, number=number + 1) == Recorded(2, 0, ())
        decided.derive()
        for name, case in cases.items():
            status = words[case[number]]
            assert decided.status(name)[0] == status, (name, number)
            assert (enriched(decided, name) is not None) == (status == "enriched"), (name, number)


def test_accepting_another_profile_takes_the_first_ones_values_back(refreshed: World) -> None:
    name = "accepted namesake"
    assert refreshed.facts(name)["work_email"] == ["accepted.namesake@brio.com"]
    decide(refreshed, "accept", contact_id=name, number=1)
    assert refreshed.facts(name)["work_email"] == ["kim.accepted.namesake@brio.com"]
    assert not refreshed.rows("enrichment.person_facts", "value = 'accepted.namesake@brio.com'")


def test_a_decision_on_a_namesake_is_no_decision_on_the_contact_that_it_becomes(
    decided: World,
) -> None:
    name = "rejected with a value"
    decided.load(
        [*(row for row in PEOPLE if row["contact_id"] != name), {**BOB, "contact_id": name}]
    )
    decided.look_up(name, candidate={**namesake(name), "fullName": "Bob Other"}, at=START + DAY)
    decided.derive(at=START + DAY)
    row = enriched(decided, name)
    assert row
    assert row["work_email"] == "rejected.with.a.value@brio.com"


def test_who_was_decided_on_leaves_the_queue(decided: World) -> None:
    assert {row["contact_id"] for row in queue(decided)} == {"C1"}


def test_another_profile_brings_a_decided_contact_back(refreshed: World) -> None:
    shown = {row["contact_id"]: row["found_uid"] for row in queue(refreshed)}
    for name in WITH_ANOTHER:
        assert refreshed.status(name) == ("needs_review", "identity_mismatch"), name
        assert shown[name] == uid_of(f"kim {name}")


WORDS = ("accept", "replace", "reject", "never")
REFRESHES = st.sampled_from(["same", "nothing", "unconfirmed", "refused", "derive"])
CASES = st.lists(
    st.tuples(st.sampled_from([namesake, likely]), st.lists(REFRESHES, min_size=3, max_size=3)),
    min_size=4,
    max_size=4,
)


@draws(few=1, many=3)
@given(each_words_cases=st.lists(CASES, min_size=2, max_size=2))
def test_a_decision_holds_across_refreshes(
    each_words_cases: list[list[tuple[Callable[[str], Row], list[str]]]],
) -> None:
    """Nothing but another profile brings a decided contact back, or changes what was decided."""
    cases = {
        f"{word} {number}": (word, found(f"{word} {number}"), refreshes)
        for number, cases in enumerate(each_words_cases)
        for word, (found, refreshes) in zip(WORDS, cases, strict=True)
    }
    with tempfile.TemporaryDirectory() as folder, opened() as connection:
        world = World(connection, Path(folder) / "source")
        world.load(person(name) for name in cases)
        world.look_up_each((name, {"candidate": found}) for name, (_, found, _) in cases.items())
        world.derive()
        decide_each(
            world,
            {
                name: {"decision": word, **(GIVEN_EMAIL if word == "replace" else {})}
                for name, (word, _, _) in cases.items()
            },
        )
        for step in range(3):
            at = START + (step + 1) * 91 * DAY
            lookups: dict[str, Row] = {
                "same": {},
                "nothing": {"outcome": "no_match"},
                "refused": {"outcome": "refused"},
                "unconfirmed": {"state": "unconfirmed"},
            }
            world.look_up_each(
                (name, {"at": at, "candidate": found if what == "same" else None, **lookups[what]})
                for name, (_, found, refreshes) in cases.items()
                if (what := refreshes[step]) in lookups
            )
            world.derive(at=at)
            for name, (word, found, refreshes) in cases.items():
                _assert_that_it_holds(world, name, word, found, refreshes[: step + 1])
        before = contents(connection)
        world.derive(at=at)
        assert contents(connection) == before


def _assert_that_it_holds(
    world: World, name: str, word: str, found: Row, refreshes: list[str]
) -> None:
    case = (name, found["fullName"], refreshes)
    waiting = [
        row["reason"] for row in world.rows("enrichment.needs_review", f"contact_id = '{name}'")
    ]
    assert waiting == (["rejected_by_reviewer"] if word == "reject" else []), case
    row = enriched(world, name)
    if word == "reject":
        assert row is None, case
    if word == "replace":
        assert row is not None, case
        assert row["work_email"] == GIVEN_EMAIL["work_email"], case
    if word == "accept":
        assert row is not None, case
        address = found["contacts"][0]["value"]
        assert (row["provider_uid"], row["work_email"]) == (uid_of(name), address), case
    if word == "never":
        assert world.status(name) == ("suppressed", None), case


# --- what is refused -------------------------------------------------------------------


def test_importing_a_file_twice_changes_nothing(found: World) -> None:
    shown = {row["contact_id"]: row for row in queue(found)}["C1"]
    row = {**shown, "decision": "accept", "mobile_phone": "+491713926651"}
    assert import_rows(found, row) == Recorded(2, 0, ())
    found.derive()
    before = contents(found.connection)
    assert import_rows(found, row, number=1) == Recorded(0, 2, ())
    found.derive()
    assert contents(found.connection) == before
    # even when something else has been found since
    found.look_up("C1", candidate=OTHER, at=START + 91 * DAY)
    assert import_rows(found, row, number=2) == Recorded(0, 2, ())


def test_rows_without_a_decision_are_passed_over(found: World) -> None:
    assert import_rows(found, *queue(found)) == Recorded(0, 0, ())


def test_everything_that_is_wrong_is_told_at_once_and_nothing_is_imported(found: World) -> None:
    recorded = import_rows(
        found,
        {"decision": "never"},
        {"contact_id": "C9", "decision": "never"},
        {"contact_id": "", "decision": "never"},
        {"contact_id": "retried miss", "decision": "acept", "work_email": "no address"},
        {"contact_id": "replaced unusable", "decision": "retry"},
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
    assert found.rows("raw.review_decisions") == []


def test_what_an_export_says_of_a_profile_holds_while_that_is_the_one_found(
    found: World,
) -> None:
    shown = {row["contact_id"]: row for row in queue(found)}
    again, exported = "rejected namesake", shown["C1"]
    at = START + 91 * DAY
    found.look_up_each(
        [("C1", {"candidate": OTHER, "at": at}), (again, {"candidate": namesake(again), "at": at})]
    )
    found.derive(at=at)
    for word in ("accept", "reject"):
        assert messages(import_rows(found, {**exported, "decision": word})) == [
            (2, "lookup_id", "another profile was found since the export; export it anew")
        ]
    assert messages(import_rows(found, {**exported, "decision": "retry"})) == [
        (2, "lookup_id", "has been looked up again since the export")
    ]
    # the same profile, found again, can still be decided on
    assert import_rows(found, {**shown[again], "decision": "accept"}).new == 1
    # what a reviewer knows for sure holds whatever was found; but it was not seen
    assert import_rows(found, {**exported, "decision": "replace", **GIVEN_EMAIL}).new == 1
    found.derive(at=at)
    assert found.status("C1") == ("needs_review", "identity_mismatch")


def test_a_profile_that_was_found_before_the_last_one_can_be_accepted(refreshed: World) -> None:
    shown = {row["contact_id"]: row for row in queue(refreshed)}["C1"]
    assert shown["found_uid"] == OTHER_UID
    assert import_rows(refreshed, {**shown, "decision": "accept", "provider_uid": UID}).new == 1
    refreshed.derive(at=START + 91 * DAY)
    row = enriched(refreshed)
    assert row
    assert (row["provider_uid"], row["work_email"]) == (UID, "zoe@brio.com")


def test_values_for_whoever_the_contact_was_before_are_refused(found: World) -> None:
    exported = {row["contact_id"]: row for row in queue(found)}["C1"]
    found.load([*PEOPLE[1:], {**BOB, "contact_id": "C1"}])
    (problem,) = import_rows(found, {**exported, "decision": "replace", **GIVEN_EMAIL}).problems
    assert (problem.column, "another person" in problem.message) == ("lookup_id", True)


def test_a_profile_that_was_never_found_is_refused(found: World) -> None:
    shown = {row["contact_id"]: row for row in queue(found)}["C1"]
    assert messages(
        import_rows(found, {**shown, "decision": "accept", "provider_uid": "c" * 32})
    ) == [(2, "provider_uid", "is no profile that was found for this contact")]


def test_who_decided_and_when_is_kept(decided: World) -> None:
    row = decided.only("raw.review_decisions", "contact_id = 'replaced miss'")
    assert (row["decided_by"], row["decided_at"], row["note"]) == ("Kim", START, "=asked\nher")
    assert (row["source"], row["recorded_at"]) == ("import", START)


def test_every_field_that_can_be_replaced_reaches_its_column(decided: World) -> None:
    shown = {row["contact_id"]: row for row in decided.rows("enrichment.enriched_contacts")}
    found = {field: shown[field][field] for field in REPLACED}
    assert found == {**REPLACED, "company_domain": "example.org"}


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
            return review_log.record_table(
                self.world.connection,
                policy,
                self.folder,
                provider=FIRST,
                recorded_at=START + DAY,
            )


@pytest.fixture
def table(found: World, tmp_path: Path) -> Table:
    (tmp_path / "tool").mkdir()
    return Table(found, tmp_path / "tool")


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


def test_a_query_that_cannot_be_run_is_refused(table: Table) -> None:
    for query, complaint in (
        ("select * from nowhere", "Table with name nowhere"),
        ("delete from decisions", "must be one select"),
        ("select decision from decisions", "the required column contact_id is missing"),
    ):
        with pytest.raises(ConfigurationError, match=complaint) as refused:
            table.takes({"decision": "never"}, query=query)
        assert "[review] decisions" in str(refused.value), query


def test_without_a_query_there_is_nothing_to_read(ada: World) -> None:
    nothing = review_log.record_table(
        ada.connection, ada.policy, Path("nowhere"), provider=FIRST, recorded_at=START
    )
    assert nothing == Recorded(0, 0, ())
