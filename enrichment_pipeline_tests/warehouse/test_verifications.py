"""Which addresses are verified, and what that changes of a contact."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pytest

from enrichment_pipeline.lanes import FRESHNESS, PRIORITIES, Lane, LaneBlock
from enrichment_pipeline.policy import Policy
from enrichment_pipeline.warehouse import common_profile, verifications
from enrichment_pipeline.warehouse.connection import transaction
from enrichment_pipeline.warehouse.judging import find_addresses_to_verify
from enrichment_pipeline.warehouse.review_log import addresses_to_free
from enrichment_pipeline.warehouse.states import derive_contact_states
from enrichment_pipeline.warehouse.verifications import (
    DueVerification,
    VerificationReader,
    address_keys,
    due_verifications,
)
from enrichment_pipeline.waterfall import EVERY_IDENTIFIER, Turn
from enrichment_pipeline_tests.support import START
from enrichment_pipeline_tests.warehouse import (
    ADA,
    DAY,
    FIRST,
    VERIFIER,
    World,
    alone,
    candidate,
    person,
    reading_of,
)
from enrichment_pipeline_tests.warehouse.prepared import prepared

READS = """
-- version: 1
create or replace temp view read_verifications as
select
    call_id,
    json_extract_string(body, '$.email') as email,
    case json_extract_string(body, '$.says')
        when 'good' then 'verified'
        when 'little' then 'unverified'
        when 'perhaps' then 'likely'
        when 'home' then 'likely'
        when 'bad' then 'withdrawn'
    end as status,
    json_extract_string(body, '$.says') as rating,
    json_extract_string(body, '$.says') = 'home' as is_personal
from unread_verifications;
"""
READER = VerificationReader(VERIFIER, 1, READS, failed_by_item=("unknown",))
LANES = LaneBlock(FRESHNESS, PRIORITIES).lanes
WORK, SECOND = "ada@acme.com", "ada.example@acme.com"
LIKELY = candidate(emails=[(WORK, 70, "work"), (SECOND, 30, "work")])
WAITING = ("queued", "waiting_for_provider")
UNMET = ("needs_review", "no_verified_email")


def verifying(**changes: Any) -> Policy:
    return Policy.model_validate({"waterfall": {"verify": VERIFIER}, **changes})


@pytest.fixture(autouse=True)
def addresses_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verifications, "readers", lambda: (READER,))


@prepared
def found(world: World) -> None:
    """Ada was found, with two addresses of which none is verified."""
    world.load([ADA])
    world.look_up("C1", candidate=LIKELY)
    world.derive_facts()


@pytest.fixture(autouse=True)
def with_a_verifier(found: World) -> None:
    found.policy = verifying()


def due(world: World, *, at: datetime = START, lanes: Sequence[Lane] = LANES) -> list[str]:
    """The addresses that are to be verified."""
    with transaction(world.connection):
        waterfall = world.waterfall or alone()
        find_addresses_to_verify(world.connection, world.policy, waterfall, at)
    return [each.email for each in due_verifications(world.connection, lanes, 100)]


def bought(world: World) -> list[DueVerification]:
    """What is due, as it would be bought."""
    assert due(world)
    return due_verifications(world.connection, LANES, 100)


def shown(world: World) -> tuple[str | None, str | None]:
    row = world.only("enrichment.enriched_contacts", "contact_id = 'C1'")
    return row["work_email"], row["work_email_status"]


# --- what a verification changes ---------------------------------------------------------


def test_an_address_that_is_verified_is_shown_as_that_and_the_contact_is_enriched(
    found: World,
) -> None:
    found.derive()
    assert (found.status("C1"), shown(found)) == (WAITING, (WORK, "likely"))
    found.verify(WORK, "good")
    found.derive()
    assert (found.status("C1"), shown(found)) == (("enriched", None), (WORK, "verified"))
    row = found.only("enrichment.enriched_contacts")
    assert row["provider"] == FIRST  # who gave it, and not who checked it
    assert due(found) == []
    found.connection.execute("create temp table verified_ratings (provider text, rating text)")
    found.connection.execute("insert into verified_ratings values (?, 'good')", [VERIFIER])


def test_one_that_does_not_arrive_is_shown_nowhere_and_the_next_is_asked_about(
    found: World,
) -> None:
    assert due(found) == [WORK]
    found.verify(WORK, "bad")
    found.derive()
    assert shown(found) == (SECOND, "unverified")
    assert due(found) == [SECOND]
    found.verify(SECOND, "bad")
    found.derive()
    assert found.rows("enrichment.person_facts", "value like '%@%'") == []
    assert (found.status("C1"), due(found)) == (UNMET, [])


def test_what_is_no_more_than_likely_stays_for_review(found: World) -> None:
    for email, says in ((WORK, "perhaps"), (SECOND, "perhaps")):
        found.verify(email, says)
    found.derive()
    assert (found.status("C1"), shown(found)) == (UNMET, (WORK, "likely"))
    assert due(found) == []


def test_an_address_of_a_webmail_service_is_a_personal_one(found: World) -> None:
    found.verify(WORK, "home")
    found.derive()
    row = found.only("enrichment.enriched_contacts")
    assert (row["personal_email"], row["personal_email_status"]) == (WORK, "likely")
    assert row["work_email"] == SECOND


def test_the_last_definite_word_counts(found: World) -> None:
    found.verify(WORK, "bad")
    found.verify(WORK, "good", at=START + 2 * DAY)
    found.verify(WORK, "nobody knows", at=START + 3 * DAY)
    found.derive()
    assert shown(found) == (WORK, "verified")


def test_what_an_undone_run_verified_does_not_count(found: World) -> None:
    found.verify(WORK, "good", run_id="run-2")
    found.derive()
    assert shown(found) == (WORK, "verified")
    found.connection.execute("insert into raw.undone_runs values ('run-2', now(), 'eve')")
    found.derive()
    assert shown(found) == (WORK, "likely")


def test_a_replay_reads_it_all_anew(found: World) -> None:
    found.verify(WORK, "good")
    found.derive()
    assert found.replay() == []
    newer = VerificationReader(
        VERIFIER, 2, READS.replace("'good' then 'verified'", "'good' then 'likely'")
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verifications, "readers", lambda: (newer,))
        found.replay()
    assert shown(found) == (WORK, "likely")


def test_a_provider_that_says_so_later_counts_once_the_check_has_expired(found: World) -> None:
    found.verify(WORK, "bad")
    better = candidate(emails=[(WORK, 100, "work")])
    found.look_up("C1", candidate=better, at=START + 80 * DAY, run_id="run-2")
    found.derive(at=START + 80 * DAY)
    assert "work_email" not in found.facts()
    found.look_up("C1", candidate=better, at=START + 91 * DAY, run_id="run-3")
    found.derive(at=START + 91 * DAY)
    assert shown(found) == (WORK, "verified")


def test_it_lifts_or_withdraws_and_takes_no_provider_at_less_than_its_word(found: World) -> None:
    found.verify(WORK, "little")
    better = candidate(emails=[(WORK, 100, "work")])
    found.derive()
    assert shown(found) == (WORK, "likely")
    found.look_up("C1", candidate=better, at=START + DAY, run_id="run-2")
    found.derive(at=START + DAY)
    assert shown(found) == (WORK, "verified")


def test_an_answer_about_another_address_says_nothing(found: World) -> None:
    found.verify(WORK, "good", told_of="else@acme.com")
    found.derive()
    assert shown(found) == (WORK, "likely")


def test_a_run_that_only_verified_can_be_undone(found: World) -> None:
    found.verify(WORK, "good", run_id="run-2")
    found.derive()
    found.undo("run-2")
    assert shown(found) == (WORK, "likely")


# --- which are due -----------------------------------------------------------------------


def test_where_nothing_is_switched_on_nothing_is_verified(found: World) -> None:
    found.policy = Policy()
    found.derive()
    assert found.status("C1") == UNMET
    assert found.rows("staging.due_verifications") == []


def test_what_is_enough_already_is_not_verified(found: World) -> None:
    for required, expected in (
        (["likely_email"], []),
        (["any_email"], []),
        (["any_phone"], []),
        (["verified_phone"], []),
        (["verified_work_email"], [WORK]),
        (["verified_personal_email"], []),
        (["likely_email", "verified_email"], [WORK]),
    ):
        found.policy = verifying(acceptance={"require": required})
        assert due(found) == expected, required
    found.policy = verifying()
    found.look_up("C1", candidate=candidate(emails=[("ada@other.com", 100, "work")]), at=START)
    found.derive_facts()
    assert due(found) == []


def test_neither_the_sources_own_address_is_nor_one_of_a_stranger_or_of_the_last_employer(
    found: World,
) -> None:
    home = candidate(emails=[(ADA["email"], 70, "work")], uid="own")
    stranger = candidate("Somebody Else", emails=[("else@acme.com", 70, "work")], uid="other")
    free = candidate(emails=[("ada@gmail.com", 70, "personal")], uid="free")
    contacts = {"C2": home, "C3": stranger, "C4": free}
    found.load(
        [
            ADA,
            *(
                {**person(each), "email": ADA["email"] if each == "C2" else f"{each}@a.org"}
                for each in contacts
            ),
        ]
    )
    for each, given in contacts.items():
        found.look_up(each, candidate=given)
    found.derive_facts()
    assert due(found) == [WORK]


def test_another_persons_address_is_not_though_an_answer_gives_it(found: World) -> None:
    bobs = "bob@acme.com"
    found.load([ADA, {**person("C2"), "full_name": "Bob Other", "email": bobs}])
    answer = candidate(emails=[(bobs, 70, "work"), (SECOND, 30, "work")])
    found.look_up("C1", candidate=answer, at=START + DAY, run_id="run-2")
    found.verify(WORK, "bad", at=START + DAY)
    found.derive_facts(at=START + DAY)
    assert due(found, at=START + DAY) == [SECOND]


def test_one_that_is_never_shown_is_not(found: World) -> None:
    found.policy = verifying(fields={"work_email": "never"})
    assert due(found) == []


def test_who_is_to_be_looked_up_again_after_a_bounce_is_not_verified_first(found: World) -> None:
    found.connection.execute(
        "insert into staging.bounced_persons select person_key, ? from staging.contact_persons",
        [START + DAY],
    )
    assert due(found, at=START + DAY) == []


def test_an_address_that_was_withdrawn_is_not_asked_about_again(found: World) -> None:
    found.policy = verifying(freshness={"max_age_days": 365})
    for email in (WORK, SECOND):
        found.verify(email, "bad")
    found.derive_facts()
    assert due(found, at=START + 91 * DAY) == []
    found.look_up("C1", candidate=LIKELY, at=START + 90 * DAY, run_id="run-2")
    found.derive_facts(at=START + 91 * DAY)
    assert due(found, at=START + 91 * DAY) == [WORK]


def test_what_the_address_is_suppressed_by_is_compared_when_it_is_bought(found: World) -> None:
    assert due(found) == [WORK]
    [bought] = due_verifications(found.connection, LANES, 100)
    query = "select hashed_identifier('email', ?)"
    [(hashed,)] = found.connection.execute(query, [WORK]).fetchall()
    assert hashed in bought.identifiers


def test_who_may_not_be_asked_about_is_not_verified(found: World) -> None:
    found.decide("C1", "never")
    assert due(found) == []


def test_whom_a_reviewer_has_settled_is_not_verified(found: World) -> None:
    found.decide("C1", "replace", field="work_email", value="ada@hers.com")
    assert due(found) == []


def test_an_answer_that_is_to_be_looked_up_again_is_not_verified_first(found: World) -> None:
    assert due(found, at=START + 91 * DAY) == []


def test_one_address_of_two_contacts_is_verified_once(found: World) -> None:
    found.load([ADA, {**ADA, "contact_id": "C2"}])
    found.derive_facts()
    assert due(found) == [WORK]
    found.derive_outcomes()
    assert {found.status(each) for each in ("C1", "C2")} == {WAITING}
    found.verify(WORK, "good")
    found.derive()
    assert {row["work_email_status"] for row in found.rows("enrichment.enriched_contacts")} == {
        "verified"
    }


def test_what_told_nothing_is_asked_again_at_growing_distances(found: World) -> None:
    """And the contact is for review meanwhile; the next address is asked about."""
    found.verify(WORK, state="released", reason="unknown", run_id="run-2")
    found.verify(SECOND, "perhaps")
    found.derive()
    assert (due(found), found.status("C1")) == ([], UNMET)
    assert due(found, at=START + DAY) == [WORK]
    for number in range(3, 6):
        found.verify(
            WORK, state="released", reason="unknown", run_id=f"run-{number}", at=START + DAY
        )
    assert due(found, at=START + DAY * 1.1) == []
    assert due(found, at=START + 3 * DAY) == [WORK]


def test_what_failed_for_another_reason_is_asked_again_at_once(found: World) -> None:
    found.verify(WORK, state="released", reason="out_of_credits")
    assert due(found) == [WORK]


def test_what_may_have_been_billed_is_left_alone_for_a_while(found: World) -> None:
    found.verify(SECOND, "perhaps")
    found.verify(WORK, state="unconfirmed", reason="no_reply")
    found.derive_facts()
    assert due(found, at=START + 29 * DAY) == []
    assert due(found, at=START + 31 * DAY) == [WORK]


def test_a_reviewers_word_frees_what_was_never_answered_before_it(found: World) -> None:
    found.verify(SECOND, "perhaps")
    found.decide("C1", "retry", at=START + DAY)
    for at, freed in ((START + 2 * DAY, []), (START, [WORK])):
        found.connection.execute("delete from raw.verifications where state = 'unconfirmed'")
        found.verify(WORK, state="unconfirmed", reason="no_reply", at=at)
        assert addresses_to_free(found.connection, VERIFIER) == freed
        assert addresses_to_free(found.connection, "another") == []


def test_the_addresses_of_a_person_are_known_by_the_keys_of_their_verifications(
    found: World,
) -> None:
    [person_key] = found.persons().values()
    keys = address_keys(found.connection, [person_key])
    assert len(keys) == 2
    assert {due.address_key for due in bought(found)} <= set(keys)
    assert address_keys(found.connection, ["nobody"]) == []


def test_what_is_under_way_is_not_asked_about_again(found: World) -> None:
    found.verify(SECOND, "perhaps")
    found.verify(WORK, state="open")
    found.derive_facts()
    assert due(found) == []


def test_a_check_on_which_a_contact_rests_is_renewed_when_it_has_expired(found: World) -> None:
    found.verify(WORK, "good")
    found.look_up("C1", candidate=LIKELY, at=START + 60 * DAY, run_id="run-2")
    found.derive(at=START + 60 * DAY)
    assert due(found, at=START + 89 * DAY) == []
    assert due(found, at=START + 91 * DAY) == [WORK]
    found.derive_outcomes(at=START + 91 * DAY)
    assert found.status("C1") == ("enriched", None)  # until it is known better
    stale = [lane for lane in LANES if lane.freshness == "stale"]
    assert due(found, at=START + 91 * DAY, lanes=stale) == [WORK]
    found.verify(WORK, "bad", at=START + 91 * DAY)
    found.derive(at=START + 91 * DAY)
    assert shown(found) == (SECOND, "unverified")


def test_it_is_bought_in_the_lane_in_which_its_contact_was(found: World) -> None:
    listing = (
        "insert into enrichment.worklist (contact_id, person_key, freshness, priority, provider)"
        " select contact_id, person_key, 'new', 'bulk', ? from staging.contact_persons"
    )
    for expected in ("retry|bulk", "new|bulk"):
        assert due(found) == [WORK]
        for lane in LANES:
            bought = due_verifications(found.connection, [lane], 100)
            assert [each.email for each in bought] == ([WORK] if lane.key == expected else [])
        found.connection.execute(listing, [FIRST])


# --- with the others that are asked ------------------------------------------------------


def test_a_legal_stop_at_the_verifier_ends_it_for_all(found: World) -> None:
    found.verify(WORK, outcome="legal_stop")
    found.derive()
    assert found.status("C1") == ("needs_review", "legal_stop")
    assert due(found) == []


def test_one_that_never_verifies_is_asked_where_its_addresses_are_verified_afterwards(
    found: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = reading_of()
    unverified = common_profile.Reading("last", 1, (), reading.answers, reading.profiles, None)
    monkeypatch.setattr(common_profile, "readings", lambda: (reading, unverified))
    waterfall = (Turn(FIRST, EVERY_IDENTIFIER), Turn("last", EVERY_IDENTIFIER))
    for policy, is_asked in ((Policy(), False), (verifying(), True)):
        derive_contact_states(found.connection, policy, waterfall, START, turn=waterfall[1])
        assert found.only("contact_states")["is_due"] is is_asked
    found.policy = verifying()
    found.verify(WORK, "good")
    found.derive_facts()
    derive_contact_states(found.connection, verifying(), waterfall, START, turn=waterfall[1])
    assert found.only("contact_states")["is_due"] is False
