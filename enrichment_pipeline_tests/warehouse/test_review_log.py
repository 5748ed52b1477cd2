"""What reviewers decide: how it is checked and kept, what it leads to, and that it holds."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
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
    alone,
    candidate,
    contents,
    person,
)
from enrichment_pipeline_tests.warehouse.prepared import opened
from enrichment_pipeline_tests.warehouse.timeline import OnDay, Timeline

UID, OTHER_UID = "a" * 32, "b" * 32
NAMESAKE = candidate("Zoe Quite-Other", emails=[("zoe@brio.com", 100, "work")], uid=UID)
OTHER = candidate("Kim Somebody", emails=[("kim@brio.com", 100, "work")], uid=OTHER_UID)
GIVEN_EMAIL = {"work_email": "ada.right@acme.com"}

people = Timeline()
"""On day 0 they are looked up, on day 1 they are decided on, on days 91 and 182 refreshed."""


@pytest.fixture(scope="module")
def on_day() -> Iterator[OnDay]:
    with people.open() as worlds:
        yield worlds


@pytest.fixture
def copy_of_day(tmp_path: Path) -> Iterator[OnDay]:
    with people.copies(tmp_path) as worlds:
        yield worlds


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
    return f"uid of {contact_id}"


def local_part(contact_id: str) -> str:
    return contact_id.replace(" ", ".")


def found_likely(contact_id: str) -> str:
    """A person whose first look-up gives that; their id."""
    return people.person(contact_id, {0: {"candidate": likely(contact_id)}})


def found_namesake(contact_id: str) -> str:
    return people.person(contact_id, {0: {"candidate": namesake(contact_id)}})


UNDECIDED = people.source(ADA)
people.look_up(UNDECIDED, 0, candidate=NAMESAKE)
people.look_up(UNDECIDED, 91, candidate=OTHER)

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
TO_DECIDE: defaultdict[int, dict[str, Mapping[str, str]]] = defaultdict(dict)
"""What is decided on each day, by contact."""


def decide(contact_id: str, day: int, decision: str, **cells: str) -> None:
    """Have the contact's row of the queue filled in, as it is shown on this day."""
    if day not in TO_DECIDE:
        people.step(day)(partial(import_decisions_of, day))
    TO_DECIDE[day][contact_id] = {"decision": decision, **cells}


def import_decisions_of(day: int, world: World) -> None:
    import_decisions(world, TO_DECIDE[day], at=START + day * DAY)


people.source({"contact_id": "replaced unusable", "full_name": "Ada Example"})
for each, cells in DECISIONS_TAKEN.items():
    if each in MISSES:
        people.person(each, {0: MISSES[each]})
    elif each.endswith("namesake") or each == "rejected with a value":
        found_namesake(each)
    elif each != "replaced unusable":
        found_likely(each)
    decide(each, 1, **cells)
people.source({**person("never"), "contact_id": "twin of never"})
WITH_ANOTHER = ("accepted namesake", "rejected namesake", "replaced namesake")
for each in WITH_ANOTHER:
    people.look_up(each, 91, candidate=another(each))


def queue(world: World, **choice: Any) -> list[dict[str, str]]:
    chosen: dict[str, Any] = {
        "reasons": None,
        "priorities": ("strategic", "target", "standard", "bulk"),
        "limit": None,
        **choice,
    }
    return review_log.review_queue(world.connection, **chosen)


def import_rows(world: World, *rows: Mapping[str, str], at: datetime = START) -> Recorded:
    """Import rows of a file."""
    sheet = [
        SheetRow(place, {"contact_id": "C1", "decision": "", **row})
        for place, row in enumerate(rows, start=2)
    ]
    proposals, problems = read_rows(sheet, decided_by="eva", decided_at=at)
    with transaction(world.connection):
        return review_log.record_file(
            world.connection, world.policy, proposals, problems, waterfall=alone(), recorded_at=at
        )


def import_decisions(
    world: World, decisions: Mapping[str, Mapping[str, str]], *, at: datetime = START
) -> None:
    """Fill in these contacts' rows of the queue as it is shown now, and import them as one file."""
    shown = in_queue(world)
    rows = [
        {"contact_id": each, **shown.get(each, {}), **cells} for each, cells in decisions.items()
    ]
    recorded = import_rows(world, *rows, at=at)
    assert not recorded.problems, recorded.problems
    assert recorded.new >= len(rows)


def in_queue(world: World) -> dict[str, dict[str, str]]:
    """The rows of the queue, by contact."""
    return {row["contact_id"]: row for row in queue(world)}


def enriched(world: World, contact_id: str) -> Row | None:
    rows = world.rows("enrichment.enriched_contacts", f"contact_id = '{contact_id}'")
    return rows[0] if rows else None


def messages(recorded: Recorded) -> list[tuple[int, str, str]]:
    return [(one.row, one.column, one.message) for one in recorded.problems]


# --- what is shown ---------------------------------------------------------------------


SHOWN = people.person(
    "shown",
    {
        0: {
            "candidate": candidate(
                "Zoe Other",
                emails=[("zoe@brio.org", 100, "work"), ("z@mail.com", 70, "personal")],
                phones=[("+4930901820", 10, "work_phone")],
                jobs=[
                    {"position": "CEO", "company": "Old", "current": False},
                    {"position": "CTO", "company": "Brio", "current": True},
                ],
            )
        }
    },
)


def test_a_row_of_the_queue_says_what_there_is_to_decide_on(on_day: OnDay) -> None:
    world = on_day(0)
    person_key = world.persons()[SHOWN]
    assert in_queue(world)[SHOWN] == {
        "contact_id": SHOWN,
        "priority": "bulk",
        "reason": "identity_mismatch",
        "detail": "the profile found bears another name; compare both sides in evidence, then "
        "accept or reject the profile",
        "our_name": "Ada Example",
        "our_company": "Acme",
        "our_email": "shown@acme.example.com",
        "our_linkedin_url": "https://www.linkedin.com/in/ada-shown",
        "lookup_id": world.only("raw.lookups", f"person_key = '{person_key}'")["lookup_id"],
        "found_uid": uid_of(SHOWN),
        "found_name": "Zoe Other",
        "found_title": "CTO",
        "found_company": "Brio",
        "found_location": "",
        "found_link": "https://www.linkedin.com/search/results/people/?keywords=Zoe%20Other%20Brio",
        "found_score": "",
        "found_evidence": "name differs",
        "found_emails": "zoe@brio.org (verified); z@mail.com (likely)",
        "found_phones": "+4930901820 (unverified)",
    }


people.account({"account_id": "A1", "tier": "strategic"})
FIRST_IN_LINE = people.person(
    "first in line", {0: {"candidate": namesake("first in line")}}, account_id="A1"
)


def test_the_queue_begins_with_the_highest_priority_and_can_be_cut(on_day: OnDay) -> None:
    world = on_day(0)
    reasons = {row["contact_id"]: row["reason"] for row in world.rows("enrichment.needs_review")}

    def ids(**choice: Any) -> list[str]:
        return [row["contact_id"] for row in queue(world, **choice)]

    assert ids()[0] == FIRST_IN_LINE
    assert set(ids()) == set(reasons)
    assert ids(limit=1) == [FIRST_IN_LINE]
    missed = {each for each, reason in reasons.items() if reason == "no_match"}
    assert {"retried miss", "never"} < set(ids(reasons=["no_match"])) == missed
    assert set(ids(priorities=["bulk"])) == set(reasons) - {FIRST_IN_LINE}
    number = Counter(reasons.values())
    mismatches, misses = number["identity_mismatch"], number["no_match"]
    counts = review_log.queue_counts(world.connection)
    assert ("identity_mismatch", 1, 0, 0, mismatches - 1, mismatches) in counts
    assert ("no_match", 0, 0, 0, misses, misses) in counts
    assert len(counts) == len(number)


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
def ambiguous(copy_of_day: OnDay) -> World:
    """As a search by name leaves them: ranked profiles, none of them looked up."""
    world = copy_of_day(0)
    show_found(world, FOUND)
    return world


def show_found(world: World, found: Sequence[Mapping[str, object]]) -> None:
    """Have a search found these profiles, and nothing settle which of them it is."""
    evidence, connection = json.dumps(found), world.connection
    for table in ("raw.searches", "raw.search_profiles", "enrichment.search_results"):
        connection.execute(f"delete from {table}")
    connection.execute("delete from staging.profiles where call_kind = 'search'")
    person_key = world.persons()[UNDECIDED]
    connection.execute(
        "insert into raw.searches (search_id, provider, person_key, state, answered_at)"
        " values ('S1', 'signalhire', ?, 'answered', ?)",
        [person_key, START],
    )
    for position, profile in enumerate(found, start=1):
        connection.execute(
            "insert into raw.search_profiles values ('S1', ?, ?, ?)",
            [position, profile["uid"], json.dumps(profile)],
        )
    read_answers(connection)
    connection.execute(
        "insert into enrichment.search_results (search_id, person_key, candidates, answered_at)"
        " values ('S1', ?, ?, ?)",
        [person_key, evidence, START],
    )
    connection.execute(
        "update enrichment.needs_review set reason = 'ambiguous_match', candidate = ?"
        " where contact_id = ?",
        [evidence, UNDECIDED],
    )


def test_several_profiles_stand_in_lines_side_by_side_and_one_is_picked(ambiguous: World) -> None:
    row = in_queue(ambiguous)[UNDECIDED]
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
    recorded = ambiguous.only("raw.review_decisions")
    assert (recorded["provider"], recorded["provider_uid"]) == (FIRST, "u2")


def test_of_a_long_text_the_beginning_is_shown_and_every_profile_keeps_its_line(
    ambiguous: World,
) -> None:
    show_found(ambiguous, [{**each, "fullName": "Ada " * 50_000} for each in FOUND])
    ambiguous.connection.execute("update enrichment.needs_review set detail = repeat('x', 1000000)")
    row = in_queue(ambiguous)[UNDECIDED]
    assert fits(row)
    assert row["detail"].endswith("x…")
    assert [len(line) for line in row["found_name"].split("\n")] == [380, 380]


# --- what each decision leads to -------------------------------------------------------


def test_what_was_found_waits_for_a_decision(on_day: OnDay) -> None:
    found = on_day(0)
    assert found.status(UNDECIDED) == ("needs_review", "identity_mismatch")
    assert enriched(found, UNDECIDED) is None
    assert found.status("accepted likely") == ("needs_review", "no_verified_email")
    assert enriched(found, "rejected likely")
    assert found.rows("staging.person_aliases", "alias = 'email:rejected.likely@acme.com'")
    assert found.status("replaced unusable") == ("needs_review", "insufficient_identity")
    for name in DECISIONS_TAKEN:
        assert found.status(name)[0] == "needs_review", name


def test_an_accepted_profile_counts_though_the_names_differ(on_day: OnDay) -> None:
    decided = on_day(1)
    assert decided.status("accepted namesake") == ("enriched", None)
    row = enriched(decided, "accepted namesake")
    assert row
    assert (row["work_email"], row["work_email_status"]) == (
        "accepted.namesake@brio.com",
        "verified",
    )
    assert (row["full_name"], row["needs_manual_enrichment"]) == ("Zoe Quite-Other", False)


def test_a_likely_address_stays_likely_when_it_is_accepted(on_day: OnDay) -> None:
    decided = on_day(1)
    assert decided.status("accepted likely") == ("enriched", None)
    row = enriched(decided, "accepted likely")
    assert row
    assert (row["work_email"], row["work_email_status"]) == ("accepted.likely@acme.com", "likely")


def test_a_rejected_profile_fills_nothing_and_leaves_no_identifier_behind(on_day: OnDay) -> None:
    decided = on_day(1)
    name = "rejected likely"
    assert enriched(decided, name) is None
    assert decided.facts(name) == {}
    identifiers = f"('email:{local_part(name)}@acme.com', 'uid:{FIRST}:{uid_of(name)}')"
    assert not decided.rows("staging.person_aliases", f"alias in {identifiers}")
    assert decided.status(name) == ("needs_review", "rejected_by_reviewer")
    # it waits for its next look-up, as whoever was found does
    row = decided.only("enrichment.contact_status", f"contact_id = '{name}'")
    assert row["next_lookup_at"] == START + 90 * DAY


def test_a_rejected_contact_stays_known_and_leaves_the_file_unless_it_is_asked_for(
    on_day: OnDay,
) -> None:
    before, after, name = on_day(0), on_day(1), "rejected namesake"
    flagged = before.only("enrichment.needs_review", f"contact_id = '{name}'")
    row = after.only("enrichment.needs_review", f"contact_id = '{name}'")
    assert row["reason"] == "rejected_by_reviewer"
    assert row["first_flagged_at"] == flagged["first_flagged_at"] == START
    assert f'"uid":"{uid_of(name)}"' in row["candidate"]
    rejected = after.rows("enrichment.needs_review", "reason = 'rejected_by_reviewer'")
    number, uids = len(rejected), {uid_of(each["contact_id"]) for each in rejected}
    assert ("rejected_by_reviewer", 0, 0, 0, number, number) in review_log.queue_counts(
        after.connection
    )

    def found_uids(**choice: Any) -> set[str]:
        return {each["found_uid"] for each in queue(after, **choice)}

    assert uid_of(name) in uids
    assert uids.isdisjoint(found_uids())
    assert uids < found_uids(shows_rejected=True)
    assert found_uids(reasons=["rejected_by_reviewer"]) == uids
    assert uids <= found_uids(reasons=["no_match"], shows_rejected=True)


def test_a_rejected_contact_is_due_when_its_answer_is_old(on_day: OnDay) -> None:
    decided = on_day(1)
    for days, is_due in ((89, False), (91, True)):
        states = decided.states(at=START + days * DAY)
        assert states["rejected namesake"]["is_due"] is is_due


people.look_up("rejected likely", 91, candidate=likely("rejected likely"))


def test_a_rejected_contact_stays_so_while_what_is_found_is_the_same(on_day: OnDay) -> None:
    for name in ("rejected likely", "rejected and not asked again"):
        assert on_day(91).status(name) == ("needs_review", "rejected_by_reviewer"), name


THEN_RETRIED = (found_namesake("rejected, then retried"), found_likely("likely, then retried"))
for each in THEN_RETRIED:
    decide(each, 1, "reject")
    decide(each, 2, "retry")
decide(THEN_RETRIED[0], 91, "replace", **GIVEN_EMAIL)
people.look_up(THEN_RETRIED[0], 91, candidate=namesake(THEN_RETRIED[0]))


def test_a_rejected_contact_leaves_when_there_is_something_to_show_or_to_wait_for(
    on_day: OnDay,
) -> None:
    for name in THEN_RETRIED:
        assert on_day(1).status(name) == ("needs_review", "rejected_by_reviewer"), name
        assert on_day(2).status(name) == ("queued", None), name
    assert on_day(91).status(THEN_RETRIED[0]) == ("enriched", None)


VANISHED = found_namesake("accepted and vanished")
VANISHED_UID = uid_of("somebody else")


@people.step(1)
def accept_a_profile_of_a_search(world: World) -> None:
    world.decide(VANISHED, "reject", at=START + DAY, uid=uid_of(VANISHED))
    world.decide(VANISHED, "accept", at=START + DAY, uid=VANISHED_UID)


@people.step(2)
def look_that_profile_up(world: World) -> None:
    lookup_id = world.look_up(VANISHED, at=START + 2 * DAY)
    world.connection.execute(
        "update raw.lookups set item = ?, item_kind = 'uid' where lookup_id = ?",
        [VANISHED_UID, lookup_id],
    )


def test_an_accepted_profile_that_is_not_found_any_more_is_for_review(on_day: OnDay) -> None:
    """A profile of a search that a reviewer accepted, and that the provider then does not know."""
    assert on_day(1).status(VANISHED) == ("queued", None)
    assert on_day(1).states(at=START + DAY)[VANISHED]["lookup_identity"] == VANISHED_UID
    assert on_day(2).status(VANISHED) == ("needs_review", "no_match")


again = likely("replaced likely", 100)
again["contacts"].append(
    {"type": "phone", "value": "+4930000000", "rating": 100, "subType": "work_phone"}
)
people.look_up("replaced likely", 91, candidate=again)


def test_a_reviewers_values_beat_whatever_a_provider_says_later(on_day: OnDay) -> None:
    refreshed = on_day(91)
    name = "replaced likely"
    row = enriched(refreshed, name)
    assert row
    assert (row["work_email"], row["work_email_status"]) == ("ada.right@acme.com", "verified")
    assert (row["direct_phone"], row["direct_phone_status"]) == ("+4930901820", "verified")
    assert row["job_title"] == "Countess"
    of_email = f"contact_id = '{name}' and field = 'work_email' and provider"
    fact = refreshed.only("enrichment.person_facts", f"{of_email} = 'human'")
    assert (fact["confidence"], fact["valid_from"], fact["valid_to"]) == (
        "human",
        START + DAY,
        None,
    )
    # and the provider's own history goes on beside it
    theirs = refreshed.rows("enrichment.person_facts", f"{of_email} <> 'human'")
    assert sorted(fact["valid_to"] is None for fact in theirs) == [False, True]


REPLACED_TWICE = people.person("replaced twice", {0: {"outcome": "no_match"}})
decide(REPLACED_TWICE, 1, "replace", **GIVEN_EMAIL)
decide(REPLACED_TWICE, 2, "replace", work_email="ada.better@acme.com")


def test_the_last_value_that_was_given_holds(on_day: OnDay) -> None:
    row = enriched(on_day(2), REPLACED_TWICE)
    assert row
    assert row["work_email"] == "ada.better@acme.com"
    spans = on_day(2).rows(
        "enrichment.person_facts", f"provider = 'human' and contact_id = '{REPLACED_TWICE}'"
    )
    assert {fact["value"]: fact["valid_to"] for fact in spans} == {
        "ada.right@acme.com": START + 2 * DAY,
        "ada.better@acme.com": None,
    }


def test_values_can_be_given_for_whom_nobody_can_look_up(on_day: OnDay) -> None:
    decided = on_day(1)
    assert decided.status("replaced unusable") == ("enriched", None)
    row = enriched(decided, "replaced unusable")
    assert row
    assert (row["provider"], row["lookup_id"], row["enriched_at"]) == ("human", None, START + DAY)


def test_a_profile_can_be_accepted_with_one_value_put_right(on_day: OnDay) -> None:
    decided = on_day(1)
    name = "accepted with a value"
    row = enriched(decided, name)
    assert row
    assert (row["work_email"], row["provider_uid"]) == ("ada.right@acme.com", uid_of(name))


NEVER_LEAVES = people.person("never, then gone", {0: {"outcome": "no_match"}})
decide(NEVER_LEAVES, 1, "never")
people.leave(NEVER_LEAVES, day=2)
decide("never", 2, "retry")


def never_identifiers_of(contact_id: str) -> set[str]:
    contact = person(contact_id)
    identifiers = {
        "contact": contact_id,
        "email": contact["email"],
        "linkedin": contact["linkedin_url"].rpartition("/")[2],
    }
    return {
        f"{kind}:{hashlib.sha256(value.encode()).hexdigest()}"
        for kind, value in identifiers.items()
    }


def test_never_suppresses_the_person_and_retry_takes_it_back(on_day: OnDay) -> None:
    before, after = on_day(1), on_day(2)
    assert before.status("never") == before.status("twin of never") == ("suppressed", None)
    assert never_identifiers_of("never") < review_log.never_identifiers(before.connection)
    assert after.status("never") == ("queued", None)
    assert never_identifiers_of("never").isdisjoint(review_log.never_identifiers(after.connection))


def test_never_outlives_a_contact_that_leaves_the_source(on_day: OnDay) -> None:
    before, after = (review_log.never_identifiers(on_day(day).connection) for day in (1, 2))
    assert not on_day(2).rows("enrichment.contact_status", f"contact_id = '{NEVER_LEAVES}'")
    assert never_identifiers_of(NEVER_LEAVES) < after
    assert after == before - never_identifiers_of("never")


RETRIED = ("retried miss", "retried refused", "retried unconfirmed")
for each in RETRIED:
    people.look_up(each, 2)


def test_retry_is_due_at_once_until_there_is_another_look_up(on_day: OnDay) -> None:
    states = on_day(1).states(at=START + DAY)
    for name in RETRIED:
        assert on_day(1).status(name) == ("queued", None), name
        known = states[name]
        assert (known["freshness"], known["freshness_reason"]) == ("retry", "asked_again"), name
        assert not known["is_backing_off"], name
    states = on_day(2).states(at=START + 2 * DAY)
    for name in RETRIED:
        assert on_day(2).status(name) == ("needs_review", "no_match"), name
        assert states[name]["freshness"] == "fresh", name


OF_A_FAST_CLOCK = {
    "retried miss of a fast clock": "answered",
    "retried unconfirmed of a fast clock": "unconfirmed",
}
for each, state in OF_A_FAST_CLOCK.items():
    people.look_up(each, 2, state=state)


def is_freed(world: World, contact_id: str, provider: str = FIRST) -> bool:
    freed = review_log.persons_to_free(world.connection, provider)
    return world.persons()[contact_id] in freed


def test_retry_is_over_with_the_next_look_up_though_the_clock_was_ahead_before_it(
    on_day: OnDay,
) -> None:
    states = on_day(1).states(at=START + DAY)
    for name in OF_A_FAST_CLOCK:
        assert states[name]["freshness_reason"] == "asked_again", name
    states = on_day(2).states(at=START + 2 * DAY)
    for name in OF_A_FAST_CLOCK:
        assert not is_freed(on_day(2), name), name
        assert not states[name]["is_due"], name


IN_DOUBT = people.person("in doubt", {0: {"state": "unconfirmed"}, 91: {"state": "unconfirmed"}})
decide(IN_DOUBT, 1, "retry")


@people.step(2)
def settle_the_one_in_doubt(world: World) -> None:
    of_person = f"person_key = '{world.persons()[IN_DOUBT]}'"
    lookup_id = world.only("raw.lookups", of_person)["lookup_id"]
    world.settle(lookup_id, state="released", reason="asked_again")


def test_only_whose_look_up_is_open_to_doubt_is_freed(on_day: OnDay) -> None:
    freed = {day: is_freed(on_day(day), IN_DOUBT) for day in (0, 1, 2, 91)}
    assert freed == {0: False, 1: True, 2: False, 91: False}
    assert on_day(2).states(at=START + 2 * DAY)[IN_DOUBT]["freshness"] == "retry"


OF_THE_SECOND = people.person("asked twice", {0: {"state": "unconfirmed"}})
people.look_up(OF_THE_SECOND, 0, provider="acme", state="unconfirmed", at=START + DAY / 2)
decide(OF_THE_SECOND, 1, "retry")


def test_retry_is_about_the_provider_whose_look_up_was_seen(on_day: OnDay) -> None:
    world = on_day(1)
    reasons = {
        name: world.states(at=START + DAY, provider=name)[OF_THE_SECOND]["freshness_reason"]
        for name in (FIRST, "acme")
    }
    assert reasons == {FIRST: "perhaps_billed", "acme": "asked_again"}
    freed = {name: is_freed(world, OF_THE_SECOND, name) for name in reasons}
    assert freed == {FIRST: False, "acme": True}


FAILED: Row = {"state": "released", "reason": "timeout_exceeded"}
FAILING = people.person("failing", {2: {**FAILED, "run_id": "run-4"}})
for hour in range(3):
    people.look_up(FAILING, 0, at=START + hour * DAY / 24, run_id=f"run-{hour}", **FAILED)
decide(FAILING, 1, "retry")


def test_retry_makes_up_for_failures_before_it_and_not_for_those_after(on_day: OnDay) -> None:
    def is_backing_off(day: int, at: datetime) -> bool:
        return on_day(day).states(at=at)[FAILING]["is_backing_off"]

    third_hour = START + 3 * DAY / 24
    assert is_backing_off(0, third_hour)
    assert not is_backing_off(1, third_hour)
    assert is_backing_off(2, START + 2 * DAY)


# --- that it holds ---------------------------------------------------------------------


TURNED = {
    found_namesake("accepted, rejected, accepted"): ("accept", "reject", "accept"),
    found_namesake("rejected, accepted, rejected"): ("reject", "accept", "reject"),
}
for each, words in TURNED.items():
    for day, word in zip((1, 2, 91), words, strict=True):
        decide(each, day, word, found_uid=uid_of(each))


def test_a_decision_is_taken_back_by_the_next_on_the_same_profile(on_day: OnDay) -> None:
    statuses = {"accept": "enriched", "reject": "needs_review"}
    for name, words in TURNED.items():
        for day, word in zip((1, 2, 91), words, strict=True):
            assert on_day(day).status(name)[0] == statuses[word], (name, day)
            assert (enriched(on_day(day), name) is not None) == (word == "accept"), (name, day)


decide("accepted namesake", 182, "accept")


def test_accepting_another_profile_takes_the_first_ones_values_back(on_day: OnDay) -> None:
    name = "accepted namesake"
    before, after = on_day(91), on_day(182)
    assert before.facts(name)["work_email"] == ["accepted.namesake@brio.com"]
    assert after.facts(name)["work_email"] == ["kim.accepted.namesake@brio.com"]
    assert not after.rows("enrichment.person_facts", "value = 'accepted.namesake@brio.com'")


people.source({**BOB, "contact_id": "rejected with a value"}, day=2)
people.look_up(
    "rejected with a value",
    91,
    candidate={**namesake("rejected with a value"), "fullName": "Bob Other"},
)


def test_a_decision_on_a_namesake_is_no_decision_on_the_contact_that_it_becomes(
    on_day: OnDay,
) -> None:
    row = enriched(on_day(91), "rejected with a value")
    assert row
    assert row["work_email"] == "rejected.with.a.value@brio.com"


def test_who_was_decided_on_leaves_the_queue(on_day: OnDay) -> None:
    decided = on_day(1)
    assert set(DECISIONS_TAKEN) < set(in_queue(on_day(0)))
    assert set(DECISIONS_TAKEN).isdisjoint(in_queue(decided))
    assert UNDECIDED in in_queue(decided)


def test_another_profile_brings_a_decided_contact_back(on_day: OnDay) -> None:
    refreshed = on_day(91)
    shown = {each: row["found_uid"] for each, row in in_queue(refreshed).items()}
    for name in WITH_ANOTHER:
        assert refreshed.status(name) == ("needs_review", "identity_mismatch"), name
        assert shown[name] == uid_of(f"kim {name}")


WORDS = ("accept", "replace", "reject", "never")
REFRESHES = ("same", "nothing", "unconfirmed", "refused", "derive")
LOOKUPS: dict[str, Row] = {
    "same": {},
    "nothing": {"outcome": "no_match"},
    "refused": {"outcome": "refused"},
    "unconfirmed": {"state": "unconfirmed"},
}
HOLDING: dict[str, tuple[str, Row, list[str]]] = {}
"""What is decided on a contact, what was found for it, and what each of two refreshes brings."""
for word in WORDS:
    for profile in (namesake, likely):
        for number, first in enumerate(REFRESHES):
            each = f"{word} 0 {profile.__name__} {first}"
            theirs, second = profile(each), REFRESHES[number - 1]
            HOLDING[each] = (word, theirs, [first, second])
            people.person(each, {0: {"candidate": theirs}})
            decide(each, 1, word, **(GIVEN_EMAIL if word == "replace" else {}))
            for day, what in ((91, first), (182, second)):
                if what in LOOKUPS:
                    answer = {"candidate": theirs} if what == "same" else LOOKUPS[what]
                    people.look_up(each, day, **answer)


def test_a_decision_holds_across_refreshes(on_day: OnDay) -> None:
    """Nothing but another profile brings a decided contact back, or changes what was decided."""
    for name, (word, found, refreshes) in HOLDING.items():
        for step, day in enumerate((1, 91, 182)):
            assert_that_it_holds(on_day(day), name, word, found, refreshes[:step])


def test_deriving_again_changes_nothing_of_what_was_decided(copy_of_day: OnDay) -> None:
    world = copy_of_day(182)
    before = contents(world.connection)
    world.derive(at=START + 182 * DAY)
    assert contents(world.connection) == before


CASES = st.lists(
    st.tuples(
        st.sampled_from([namesake, likely]),
        st.lists(st.sampled_from(REFRESHES), min_size=3, max_size=3),
    ),
    min_size=4,
    max_size=4,
)


@pytest.mark.long
@draws(few=1, many=3)
@given(each_words_cases=st.lists(CASES, min_size=2, max_size=2))
def test_a_decision_holds_whatever_three_refreshes_bring(
    each_words_cases: list[list[tuple[Callable[[str], Row], list[str]]]],
) -> None:
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
        import_decisions(
            world,
            {
                name: {"decision": word, **(GIVEN_EMAIL if word == "replace" else {})}
                for name, (word, _, _) in cases.items()
            },
        )
        world.derive()
        for step in range(3):
            at = START + (step + 1) * 91 * DAY
            world.look_up_each(
                (name, {"at": at, "candidate": found if what == "same" else None, **LOOKUPS[what]})
                for name, (_, found, refreshes) in cases.items()
                if (what := refreshes[step]) in LOOKUPS
            )
            world.derive(at=at)
            for name, (word, found, refreshes) in cases.items():
                assert_that_it_holds(world, name, word, found, refreshes[: step + 1])
        before = contents(connection)
        world.derive(at=at)
        assert contents(connection) == before


def assert_that_it_holds(
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


def test_importing_a_file_twice_changes_nothing(on_day: OnDay, copy_of_day: OnDay) -> None:
    shown = in_queue(on_day(0))
    rows = [{**shown[each], **cells} for each, cells in DECISIONS_TAKEN.items()]
    cells = sum(len(row) for row in DECISIONS_TAKEN.values())
    world = copy_of_day(1)
    before = contents(world.connection)
    again = import_rows(world, *rows, at=START + 2 * DAY)
    assert (again.new, again.problems) == (0, ())
    assert len(rows) < again.standing <= cells
    world.derive(at=START + DAY)
    assert contents(world.connection) == before
    # even when something else has been found since
    name = "accepted namesake"
    row = {**shown[name], **DECISIONS_TAKEN[name]}
    assert import_rows(copy_of_day(91), row, at=START + 92 * DAY) == Recorded(0, 1, ())


def test_rows_without_a_decision_are_passed_over(copy_of_day: OnDay) -> None:
    found = copy_of_day(0)
    assert import_rows(found, *queue(found)) == Recorded(0, 0, ())


def test_everything_that_is_wrong_is_told_at_once_and_nothing_is_imported(
    copy_of_day: OnDay,
) -> None:
    found = copy_of_day(0)
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


FOUND_AGAIN = found_namesake("found again")
people.look_up(FOUND_AGAIN, 91, candidate=namesake(FOUND_AGAIN))


def test_what_an_export_says_of_a_profile_holds_while_that_is_the_one_found(
    on_day: OnDay, copy_of_day: OnDay
) -> None:
    shown, found = in_queue(on_day(0)), copy_of_day(91)
    exported, at = shown[UNDECIDED], START + 91 * DAY
    for word in ("accept", "reject"):
        assert messages(import_rows(found, {**exported, "decision": word})) == [
            (2, "lookup_id", "another profile was found since the export; export it anew")
        ]
    assert messages(import_rows(found, {**exported, "decision": "retry"})) == [
        (2, "lookup_id", "has been looked up again since the export")
    ]
    # the same profile, found again, can still be decided on
    assert import_rows(found, {**shown[FOUND_AGAIN], "decision": "accept"}).new == 1
    # what a reviewer knows for sure holds whatever was found; but it was not seen
    assert import_rows(found, {**exported, "decision": "replace", **GIVEN_EMAIL}).new == 1
    found.derive(at=at)
    assert found.status(UNDECIDED) == ("needs_review", "identity_mismatch")


THE_FIRST_AFTER_ALL = found_namesake("the first after all")
people.look_up(THE_FIRST_AFTER_ALL, 91, candidate=another(THE_FIRST_AFTER_ALL))
decide(THE_FIRST_AFTER_ALL, 182, "accept", provider_uid=uid_of(THE_FIRST_AFTER_ALL))


def test_a_profile_that_was_found_before_the_last_one_can_be_accepted(on_day: OnDay) -> None:
    name = THE_FIRST_AFTER_ALL
    assert in_queue(on_day(91))[name]["found_uid"] == uid_of(f"kim {name}")
    row = enriched(on_day(182), name)
    assert row
    assert (row["provider_uid"], row["work_email"]) == (
        uid_of(name),
        "the.first.after.all@brio.com",
    )


ANOTHER_PERSON = found_namesake("another person now")
people.source({**BOB, "contact_id": ANOTHER_PERSON, "email": "bob.now@brio.com"}, day=1)


def test_values_for_whoever_the_contact_was_before_are_refused(
    on_day: OnDay, copy_of_day: OnDay
) -> None:
    exported = in_queue(on_day(0))[ANOTHER_PERSON]
    row = {**exported, "decision": "replace", **GIVEN_EMAIL}
    (problem,) = import_rows(copy_of_day(1), row).problems
    assert (problem.column, "another person" in problem.message) == ("lookup_id", True)


def test_a_profile_that_was_never_found_is_refused(copy_of_day: OnDay) -> None:
    found = copy_of_day(0)
    row = {**in_queue(found)[UNDECIDED], "decision": "accept", "provider_uid": "c" * 32}
    assert messages(import_rows(found, row)) == [
        (2, "provider_uid", "is no profile that was found for this contact")
    ]


def test_who_decided_and_when_is_kept(on_day: OnDay) -> None:
    decided = on_day(1)
    row = decided.only("raw.review_decisions", "contact_id = 'replaced miss'")
    assert (row["decided_by"], row["decided_at"], row["note"]) == (
        "Kim",
        START + DAY,
        "=asked\nher",
    )
    assert (row["source"], row["recorded_at"]) == ("import", START + DAY)


def test_every_field_that_can_be_replaced_reaches_its_column(on_day: OnDay) -> None:
    decided = on_day(1)
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
                waterfall=alone(),
                recorded_at=START + DAY,
            )


@pytest.fixture
def table(copy_of_day: OnDay, tmp_path: Path) -> Table:
    (tmp_path / "tool").mkdir()
    return Table(copy_of_day(0), tmp_path / "tool")


def test_decisions_of_another_tool_are_taken_once(table: Table) -> None:
    rows: list[Mapping[str, object]] = [
        {"decision": "accept", "provider_uid": UID, "note": "known"},
        {"decision": "replace", "field": "job_title", "value": "CTO"},
    ]
    assert table.takes(*rows) == Recorded(2, 0, ())
    table.world.derive()
    row = enriched(table.world, UNDECIDED)
    assert row
    assert (row["work_email"], row["job_title"]) == ("zoe@brio.com", "CTO")
    before = contents(table.world.connection)
    assert table.takes(*rows) == Recorded(0, 2, ())
    assert contents(table.world.connection) == before
    # a row that was changed is another decision, and the later one holds
    later = {"decision": "reject", "provider_uid": UID, "decided_at": "2026-03-02T10:00:00"}
    assert table.takes(later, rows[1]) == Recorded(1, 1, ())
    table.world.derive_facts()
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
    assert import_rows(table.world, shown, at=START + DAY / 24).new == 1
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


def test_without_a_query_there_is_nothing_to_read(on_day: OnDay) -> None:
    world = on_day(0)
    nothing = review_log.record_table(
        world.connection, world.policy, Path("nowhere"), waterfall=alone(), recorded_at=START
    )
    assert nothing == Recorded(0, 0, ())
