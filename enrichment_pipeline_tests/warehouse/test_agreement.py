"""Where several providers say the same of a contact, and where they do not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from enrichment_pipeline.policy import Policy
from enrichment_pipeline.warehouse import common_profile
from enrichment_pipeline.waterfall import EVERY_IDENTIFIER, Turn
from enrichment_pipeline_tests.support import START
from enrichment_pipeline_tests.warehouse import (
    ADA,
    DAY,
    FIRST,
    Row,
    World,
    candidate,
    person,
    reading_of,
)
from enrichment_pipeline_tests.warehouse.prepared import prepared

OTHER = "other"
TURNS = tuple(Turn(name, EVERY_IDENTIFIER) for name in (FIRST, OTHER))
WORK = "ada@acme.com"


def policy(**acceptance: Any) -> Policy:
    return Policy.model_validate({"waterfall": {"order": [FIRST, OTHER]}, "acceptance": acceptance})


AGREED = policy(require=["agreed_email"])


def given(*emails: tuple[str, int, str], company: str = "Acme", uid: str = "ada") -> Row:
    return candidate(
        emails=list(emails),
        jobs=[{"position": "CTO", "company": company, "current": True}],
        social=[{"type": "li", "link": ADA["linkedin_url"]}],
        uid=uid,
    )


@pytest.fixture(autouse=True)
def both_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    reading = reading_of()
    monkeypatch.setattr(
        common_profile, "readings", lambda: (reading, replace(reading, provider=OTHER))
    )


@prepared
def asked(world: World) -> None:
    """Ada, of whom the first provider knows a likely e-mail and an unverified one."""
    world.load([ADA])
    world.look_up("C1", candidate=given((WORK, 70, "work"), ("ada@home.org", 10, "personal")))


@pytest.fixture(autouse=True)
def with_two(asked: World) -> None:
    asked.waterfall = TURNS
    asked.policy = AGREED


def row_of(world: World) -> Row:
    return world.only("enrichment.enriched_contacts", "contact_id = 'C1'")


def test_an_address_that_two_give_is_marked_and_may_be_enough(asked: World) -> None:
    asked.derive()
    assert asked.status("C1") == ("queued", "waiting_for_provider")
    assert row_of(asked)["agreed_by"] is None
    asked.look_up("C1", provider=OTHER, candidate=given((WORK, 30, "work")), at=START + DAY)
    asked.derive(at=START + DAY)
    row = row_of(asked)
    assert (row["work_email"], row["work_email_status"]) == (WORK, "likely")
    assert row["agreed_by"] == f"{OTHER}, {FIRST}"
    assert asked.status("C1") == ("enriched", None)
    # whoever asks for more gets no less than before
    for required, status in (
        (["verified_email"], ("needs_review", "no_verified_email")),
        (["agreed_work_email"], ("enriched", None)),
        (["agreed_personal_email"], ("needs_review", "no_verified_email")),
    ):
        asked.derive_outcomes(at=START + DAY, policy=policy(require=required))
        assert asked.status("C1") == status, required


def test_two_that_give_different_ones_agree_on_none(asked: World) -> None:
    asked.look_up("C1", provider=OTHER, candidate=given(("a@acme.com", 30, "work")))
    asked.derive()
    assert row_of(asked)["agreed_by"] is None
    assert asked.status("C1") == ("needs_review", "no_verified_email")


def test_one_that_was_asked_by_the_address_is_no_further_witness(asked: World) -> None:
    asked.look_up("C1", provider=OTHER, candidate=given((WORK, 30, "work")))
    asked.connection.execute("update raw.lookups set item = ? where provider = ?", [WORK, OTHER])
    asked.derive()
    assert row_of(asked)["agreed_by"] is None


def test_one_that_says_it_twice_agrees_with_nobody(asked: World) -> None:
    asked.look_up("C1", candidate=given((WORK, 70, "work")), at=START + DAY, run_id="run-2")
    asked.derive(at=START + DAY)
    assert row_of(asked)["agreed_by"] is None


def test_what_a_provider_gives_no_more_does_not_count(asked: World) -> None:
    asked.look_up("C1", provider=OTHER, candidate=given((WORK, 30, "work")))
    asked.look_up(
        "C1", candidate=given(("new@acme.com", 70, "work")), at=START + DAY, run_id="run-2"
    )
    asked.derive(at=START + DAY)
    assert row_of(asked)["agreed_by"] is None


def test_a_verified_one_needs_nobody_else(asked: World) -> None:
    asked.look_up("C1", candidate=given((WORK, 100, "work")), at=START + DAY, run_id="run-2")
    asked.derive(at=START + DAY)
    assert asked.status("C1") == ("enriched", None)


def test_with_one_provider_again_nothing_is_agreed(asked: World) -> None:
    asked.look_up("C1", provider=OTHER, candidate=given((WORK, 30, "work")))
    asked.derive()
    assert row_of(asked)["agreed_by"] is not None
    asked.derive(policy=Policy())
    assert row_of(asked)["agreed_by"] is None


def test_two_recent_answers_that_name_different_employers_are_flagged(asked: World) -> None:
    asked.load([ADA, person("C2")])
    asked.look_up(
        "C1", provider=OTHER, candidate=given((WORK, 30, "work"), company="Brio"), at=START + DAY
    )
    asked.derive(at=START + DAY)
    row = row_of(asked)
    assert (row["company_name"], row["employer_disputed_by"]) == ("Brio", FIRST)
    # an old answer disputes nothing: who moved on has moved on
    asked.derive_outcomes(at=START + 91 * DAY)
    assert row_of(asked)["employer_disputed_by"] is None
