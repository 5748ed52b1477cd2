"""What each provider brought: by its place in the chain, with what it cost and what it added."""

from __future__ import annotations

from dataclasses import astuple, replace
from datetime import timedelta
from decimal import Decimal

import pytest

from enrichment_pipeline.policy import Policy
from enrichment_pipeline.warehouse import common_profile, figures
from enrichment_pipeline.warehouse.connection import transaction
from enrichment_pipeline.warehouse.price_list import replace_providers
from enrichment_pipeline.warehouse.rates_so_far import read_rates_so_far
from enrichment_pipeline.waterfall import EVERY_IDENTIFIER, Turn
from enrichment_pipeline_tests.support import START
from enrichment_pipeline_tests.warehouse import (
    FIRST,
    VERIFIER,
    Row,
    World,
    candidate,
    person,
    reading_of,
)
from enrichment_pipeline_tests.warehouse.prepared import prepared

OTHER = "other"
"""The second to be asked; its answers have the first one's shape."""
TURNS = tuple(Turn(name, EVERY_IDENTIFIER) for name in (FIRST, OTHER))
PRICED = Policy.model_validate({"providers": {OTHER: {"price": 0.5}}})
MISS: Row = {"outcome": "no_match"}


@pytest.fixture(autouse=True)
def both_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    reading = reading_of()
    readings = (reading, replace(reading, provider=OTHER))
    monkeypatch.setattr(common_profile, "readings", lambda: readings)


def found(contact_id: str, rating: int = 100, kind: str = "work", name: str = "Ada Example") -> Row:
    """A match with an e-mail of the contact's own."""
    email = f"{contact_id.lower()}@{'acme.com' if kind == 'work' else 'gmail.com'}"
    profile = candidate(name, emails=[(email, rating, kind)], uid=contact_id)
    return {"candidate": profile}


CASES: dict[str, tuple[Row, Row | None]] = {
    # what the first has said, and the second
    "P1": (found("P1"), None),
    "P2": (found("P2", rating=70), found("P2")),
    "P3": (MISS, found("P3", name="Somebody Else")),
    "P4": (MISS, found("P4")),
    "P5": ({"state": "released", "reason": "http_503"}, found("P5")),
    "P6": ({"state": "unconfirmed", "reason": "no_reply"}, MISS),
    "P7": (found("P7"), found("P7", kind="personal")),
}


@prepared
def chain(world: World) -> None:
    """Seven contacts, each a case, the second provider being asked an hour after the first."""
    world.waterfall = TURNS
    world.load(map(person, CASES))
    for provider, place in ((FIRST, 0), (OTHER, 1)):
        at = START + place * timedelta(hours=1)
        given = {each: case[place] for each, case in CASES.items()}
        world.look_up_each(
            (each, {"provider": provider, "at": at, **changes})
            for each, changes in given.items()
            if changes is not None
        )
    world.derive(at=START + timedelta(hours=2))
    with transaction(world.connection):
        replace_providers(world.connection, PRICED, TURNS)


def test_each_place_of_a_provider_counts_what_it_brought_and_added(chain: World) -> None:
    names = (
        "provider, place, priority, asked, matched, accepted, verified_usable, added, cost, "
        "cost_per_verified_usable, unconfirmed"
    )
    rows = chain.connection.execute(f"select {names} from enrichment.provider_scorecard").fetchall()
    assert rows == [
        # about P5 the first could not be asked
        (OTHER, 1, "bulk", 1, 1, 1, 1, 1, Decimal("0.5"), 0.5, 0),
        (FIRST, 1, "bulk", 6, 3, 3, 2, 2, 3, 1.5, 1),
        # P2's address was only likely before; P7 had a verified one
        (OTHER, 2, "bulk", 5, 4, 3, 3, 2, 2, 0.6667, 0),
    ]
    with_email = (
        "select count(*) from enrichment.enriched_contacts "
        "where 'verified' in (work_email_status, personal_email_status)"
    )
    assert chain.connection.execute(with_email).fetchall() == [(sum(row[7] for row in rows),)]


def test_what_a_reviewer_gave_is_no_providers(chain: World) -> None:
    for each in ("P1", "P7"):
        chain.decide(each, "replace", field="work_email", value="ada@acme.com")
    chain.derive(at=START + timedelta(hours=3))
    usable = {
        (row["provider"], row["place"]): (row["verified_usable"], row["added"])
        for row in chain.rows("enrichment.provider_scorecard")
    }
    assert usable == {(FIRST, 1): (0, 0), (OTHER, 1): (1, 1), (OTHER, 2): (3, 3)}


def test_a_refresh_begins_the_chain_anew(chain: World) -> None:
    later = START + timedelta(days=100)
    chain.look_up("P4", at=later, **MISS)
    chain.look_up("P4", at=later + timedelta(hours=1), provider=OTHER, **found("P4"))
    places = {
        (row["provider"], row["place"]): row["asked"]
        for row in chain.rows("enrichment.provider_scorecard")
    }
    assert places == {(FIRST, 1): 7, (OTHER, 1): 1, (OTHER, 2): 6}


def test_days_cost_credits_at_the_price_of_each_provider(chain: World) -> None:
    rows = chain.rows("enrichment.spend_by_day")
    assert [(row["provider"], row["credits_charged"], row["cost"]) for row in rows] == [
        (OTHER, 5, Decimal("2.5")),
        (FIRST, 3, 3),
    ]
    [*_, day] = figures.read_spend(chain.connection, START)
    assert (day.lookups, day.cost) == (12, 5.5)
    assert figures.read_month(chain.connection, START) == 5.5
    assert figures.read_unit(chain.connection) == "units of [budget]"


def test_verifications_are_part_of_what_a_day_costs(chain: World) -> None:
    chain.verify("p2@acme.com", "fine")
    row = chain.only("enrichment.spend_by_day", f"provider = '{VERIFIER}'")
    assert (row["lookups"], row["verifications"], row["cost"]) == (0, 1, Decimal("0.5"))
    assert figures.read_month(chain.connection, START) == 6


def test_verifying_an_address_is_part_of_what_the_look_up_that_gave_it_cost(chain: World) -> None:
    """The last one before it that gave it; one that no answer gives costs none of them anything."""
    later = START + timedelta(hours=2)
    for email, at in (("p2@acme.com", later), ("p4@acme.com", later), ("p2@acme.com", START)):
        chain.verify(email, "fine", contact_id=f"P{email[1]}", at=at)
    chain.verify("gone@acme.com", "fine", contact_id="P1", at=later)
    cards = {
        (row["provider"], row["place"]): row for row in chain.rows("enrichment.provider_scorecard")
    }
    costs = {place: (row["verification_cost"], row["cost"]) for place, row in cards.items()}
    assert costs == {
        (OTHER, 1): (0, Decimal("0.5")),
        (FIRST, 1): (Decimal("0.5"), Decimal("3.5")),
        (OTHER, 2): (1, 3),
    }
    assert {each.provider: each.cost for each in figures.read_scorecards(chain.connection)} == {
        FIRST: 3.5,
        OTHER: 3.5,
    }


def test_mail_that_came_back_counts_against_each_provider_that_gave_the_address(
    chain: World,
) -> None:
    """Once, for the first of its look-ups that did, however many of them there are."""
    again = START + timedelta(days=100)
    chain.look_up("P2", at=again, **found("P2"))
    chain.derive_facts(at=again)
    chain.connection.execute(
        "insert into staging.address_feedback (email, bounced_at)"
        " values ('p2@acme.com', now()), ('p4@acme.com', null), ('nobody@acme.com', now())"
    )
    bounced = {
        (row["provider"], row["place"]): row["bounced"]
        for row in chain.rows("enrichment.provider_scorecard")
    }
    assert bounced == {(OTHER, 1): 0, (FIRST, 1): 1, (OTHER, 2): 1}
    assert {row["contact_id"] for row in chain.rows("enrichment.bounces")} == {"P2"}


def test_what_falls_due_is_priced_at_each_provider_that_has_answered(chain: World) -> None:
    """P4 is asked again by both; P6's look-up at the first was never answered."""
    [week] = chain.rows("enrichment.refresh_debt", "week_starts_on < '2026-05-01'")
    assert (week["lookups"], week["worst_case_credits"]) == (2, 3)
    assert week["worst_case_cost"] == 1 + 2 * Decimal("0.5")


def test_the_figures_add_up_priorities_and_places(chain: World) -> None:
    cards = {each.provider: each for each in figures.read_scorecards(chain.connection)}
    assert (cards[OTHER].asked, cards[OTHER].matched, cards[OTHER].cost) == (6, 5, 2.5)
    assert (cards[OTHER].verified_usable, cards[OTHER].credits_per_verified_email) == (4, 1.25)
    assert cards[FIRST].match_rate == 0.6  # of the answered
    places = figures.read_places(chain.connection)
    assert [(each.provider, each.place, each.added) for each in places] == [
        (OTHER, 1, 1),
        (FIRST, 1, 2),
        (OTHER, 2, 2),
    ]


def test_providers_are_listed_in_their_order_also_those_that_are_asked_no_more(
    chain: World,
) -> None:
    with transaction(chain.connection):
        replace_providers(chain.connection, PRICED, (TURNS[1], Turn("third", EVERY_IDENTIFIER)))
    rows = chain.rows("enrichment.providers")
    assert [(row["provider"], row["place"], row["price"]) for row in rows] == [
        (OTHER, 1, Decimal("0.5")),
        (FIRST, None, 1),
        ("third", 2, 1),
    ]


def test_rates_so_far_tell_what_a_look_up_costs_and_how_often_it_settles_nothing(
    chain: World,
) -> None:
    # with a verified e-mail P1 and P7 are settled by the first, P2, P4, P5 and P7 by the other
    found = read_rates_so_far(chain.connection, ["verified_email"])
    assert astuple(found[FIRST]) == pytest.approx((5, 3 / 5, 3 / 5, 0, 0))
    assert astuple(found[OTHER]) == pytest.approx((6, 5 / 6, 2 / 6, 0, 0))
    # a likely one is enough for P2, a phone is given to none
    found = read_rates_so_far(chain.connection, ["any_email"])
    assert found[FIRST].open_share == pytest.approx(0.4)
    assert {each.verifications for each in found.values()} == {0}
    for email, credited in (("p2@acme.com", "fine"), ("p4@acme.com", None)):
        chain.verify(email, credited, contact_id=f"P{email[1]}", at=START + timedelta(hours=2))
    told = read_rates_so_far(chain.connection, ["any_email"])[OTHER]
    assert (told.verifications, told.verification_credits) == pytest.approx((2 / 6, 0.5 / 6))
    both = read_rates_so_far(chain.connection, ["verified_email", "any_phone"])
    assert {each.open_share for each in both.values()} == {1}
