"""What became of mail to an address, and what that does to the address and its person."""

from __future__ import annotations

from datetime import datetime

import pytest

from enrichment_pipeline.errors import ConfigurationError
from enrichment_pipeline.policy import FeedbackPolicy
from enrichment_pipeline.warehouse import verifications
from enrichment_pipeline.warehouse.connection import transaction
from enrichment_pipeline.warehouse.feedback import load_feedback
from enrichment_pipeline.warehouse.verifications import VerificationReader
from enrichment_pipeline_tests.support import START, write_csv
from enrichment_pipeline_tests.warehouse import ADA, DAY, VERIFIER, World, candidate, person
from enrichment_pipeline_tests.warehouse.prepared import prepared
from enrichment_pipeline_tests.warehouse.test_verifications import READS

WORK, SECOND = "ada@acme.com", "ada.example@acme.com"
VERIFIED = candidate(emails=[(WORK, 100, "work"), (SECOND, 70, "work")])
QUERY = "select * from bounces"
Told = tuple[str, str, datetime]


@pytest.fixture(autouse=True)
def addresses_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verifications, "readers", lambda: (VerificationReader(VERIFIER, 1, READS),))


@prepared
def found(world: World) -> None:
    """Ada was found, with a verified address and another; and Bob, who is not concerned."""
    world.load([ADA, person("C2")])
    world.look_up("C1", candidate=VERIFIED)
    world.look_up("C2", candidate=candidate(emails=[("bob@acme.com", 100, "work")], uid="bob"))
    world.derive()


def tell(world: World, *told: Told, query: str = QUERY) -> frozenset[str]:
    """Load this as what became of mail (address, kind, when); who complained, hashed."""
    write_csv(
        world.folder / "bounces.csv",
        [
            {"email": "email", "kind": "kind", "bounced_at": START.isoformat()},
            *({"email": e, "kind": k, "bounced_at": at.isoformat()} for e, k, at in told),
        ],
    )
    with transaction(world.connection):
        return load_feedback(
            world.connection,
            FeedbackPolicy(bounces=f"select * from ({query}) where email <> 'email'"),
            world.folder,
        )


def shown(world: World, contact_id: str = "C1") -> tuple[str | None, str | None]:
    row = world.only("enrichment.enriched_contacts", f"contact_id = '{contact_id}'")
    return row["work_email"], row["work_email_status"]


def reasons(world: World, at: datetime) -> set[str]:
    return {row["freshness_reason"] for row in world.states(at=at).values()}


def test_an_address_without_a_mailbox_is_withdrawn_and_its_contact_is_for_review(
    found: World,
) -> None:
    assert shown(found) == (WORK, "verified")
    tell(found, ("Ada@ACME.com", "hard", START + DAY))
    found.derive(at=START + DAY)
    assert shown(found) == (SECOND, "likely")
    assert found.status("C1") == ("needs_review", "no_verified_email")
    assert found.status("C2") == ("enriched", None)


def test_other_kinds_say_nothing_of_the_address(found: World) -> None:
    tell(found, (WORK, "soft", START + DAY), (WORK, "delivered", START + DAY))
    found.derive(at=START + DAY)
    assert (shown(found), found.status("C1")) == ((WORK, "verified"), ("enriched", None))


def test_no_answer_brings_it_back_but_a_verification_does(found: World) -> None:
    tell(found, (WORK, "hard", START + DAY))
    found.verify(WORK, "good")  # before it bounced
    found.look_up("C1", candidate=VERIFIED, at=START + 2 * DAY, run_id="run-2")
    found.verify(WORK, "perhaps", at=START + 2 * DAY)
    found.derive(at=START + 2 * DAY)
    assert shown(found) == (SECOND, "likely")
    found.verify(WORK, "good", at=START + 3 * DAY)
    found.derive(at=START + 3 * DAY)
    assert shown(found) == (WORK, "verified")
    for says in ("bad", "perhaps"):
        found.verify(WORK, says, at=START + 4 * DAY)
        found.derive(at=START + 4 * DAY)
        assert shown(found) == (SECOND, "likely"), says


def test_mail_that_arrived_since_takes_it_back(found: World) -> None:
    tell(found, (WORK, "hard", START + DAY), (WORK, "delivered", START + 2 * DAY))
    found.derive(at=START + 2 * DAY)
    assert shown(found) == (WORK, "verified")
    assert found.rows("staging.bounced_persons") == []


def test_what_is_told_no_more_holds_no_more(found: World) -> None:
    tell(found, (WORK, "hard", START + DAY))
    found.derive(at=START + DAY)
    tell(found)
    found.derive(at=START + DAY)
    assert shown(found) == (WORK, "verified")
    with transaction(found.connection):
        assert load_feedback(found.connection, FeedbackPolicy(), found.folder) == frozenset()


def test_who_had_got_mail_there_before_is_due_at_once_and_not_again_after_that(
    found: World,
) -> None:
    assert reasons(found, START + DAY) == {"answer_is_recent"}
    tell(found, (WORK, "delivered", START), (WORK, "hard", START + DAY))
    states = found.states(at=START + DAY)
    assert states["C1"]["freshness_reason"] == "address_bounced"
    assert (states["C1"]["freshness"], states["C1"]["is_due"]) == ("stale", True)
    assert states["C2"]["freshness_reason"] == "answer_is_recent"
    found.look_up("C1", candidate=VERIFIED, at=START + DAY * 1.1, run_id="run-2")
    assert reasons(found, START + 2 * DAY) == {"answer_is_recent"}
    # that mail comes back from there again says nothing new
    tell(
        found,
        (WORK, "hard", START - DAY),
        (WORK, "delivered", START),
        (WORK, "hard", START + DAY),
        (WORK, "hard", START + 3 * DAY),
    )
    assert reasons(found, START + 4 * DAY) == {"answer_is_recent"}


def test_a_mailbox_of_several_makes_no_one_due(found: World) -> None:
    found.load([{**ADA, "email": "info@acme.com"}, {**person("C2"), "email": "info@acme.com"}])
    tell(found, ("info@acme.com", "delivered", START), ("info@acme.com", "hard", START + DAY))
    assert found.rows("staging.bounced_persons") == []


def test_who_had_not_is_not(found: World) -> None:
    tell(found, (WORK, "hard", START + DAY))
    assert reasons(found, START + DAY) == {"answer_is_recent"}


def test_the_sources_own_address_and_a_reviewers_are_withdrawn_too(found: World) -> None:
    found.policy = found.policy.model_validate({"fields": {"work_email": "fill"}})
    found.decide("C2", "replace", field="work_email", value="bob@hers.com", at=START)
    found.derive()
    own = ADA["email"]
    assert (shown(found)[0], shown(found, "C2")[0]) == (None, "bob@hers.com")
    tell(
        found,
        (own, "delivered", START),
        (own, "hard", START + DAY),
        ("bob@hers.com", "hard", START + DAY),
    )
    found.derive(at=START + DAY)
    # as if the source had none: it is to be filled
    assert (shown(found)[0], shown(found, "C2")[0]) == (WORK, None)
    row = found.only("enrichment.enriched_contacts", "contact_id = 'C1'")
    assert row["source_email"] == own
    assert found.states(at=START + DAY)["C1"]["freshness_reason"] == "address_bounced"


def test_who_complained_is_told_to_be_suppressed(found: World) -> None:
    complaint = "select email, null as bounced_at, 'complaint' as kind from bounces"
    hashed = tell(found, (WORK, "", START), ("no address", "", START), query=complaint)
    query = "select hashed_identifier('email', ?)"
    assert list(hashed) == [found.connection.execute(query, [WORK]).fetchall()[0][0]]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("select 1 as emil", "[feedback] bounces: the required column email is missing"),
        ("select 'a' as email, now() as bounced_at", "the required column kind is missing"),
        ("select nothing", "[feedback] bounces: "),
        (
            "select 'a@b.com' as email, now() as bounced_at, 'bounce' as kind",
            "the kind must be hard, soft, complaint or delivered; it also gives bounce",
        ),
        (
            "select 'a@b.com' as email, now() as bounced_at, null as kind",
            "it also gives null",
        ),
        (
            "select 'a@b.com' as email, null as bounced_at, 'hard' as kind",
            "1 rows have no bounced_at",
        ),
        ("select 'a@b.com' as email, 'soon' as bounced_at, 'hard' as kind", "[feedback] bounces: "),
    ],
)
def test_a_mistake_is_told_in_one_line(found: World, query: str, words: str) -> None:
    with pytest.raises(ConfigurationError) as caught, transaction(found.connection):
        load_feedback(found.connection, FeedbackPolicy(bounces=query), found.folder)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
