"""The views that people read: what they count, and what they say where there is nothing yet."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from enrichment_pipeline_tests.support import START
from enrichment_pipeline_tests.warehouse import ADA, BOB, DAY, VERIFIED, Row, World, candidate
from enrichment_pipeline_tests.warehouse.prepared import prepared

EMPTY = (
    *("coverage_by_account", "spend_by_day", "refresh_debt", "provider_scorecard"),
    "lookup_costs",
)


def view(world: World, name: str) -> list[Row]:
    """Its rows, in the order that it gives them."""
    result = world.connection.execute(f"select * from enrichment.{name}")
    names = [column[0] for column in result.description]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def these(row: Row, **wanted: object) -> bool:
    """Whether a row has these values; the assertion that fails shows what differs."""
    assert {name: row[name] for name in wanted} == wanted
    return True


def anybody(number: int) -> Row:
    """A contact who is somebody else than any other."""
    return {"contact_id": f"X{number:02}", "email": f"someone{number}@acme.com"}


def book(world: World, person_key: str, is_found: bool, at: datetime) -> None:
    """An answer as the ledger's copy has it; there is none to read it from."""
    head = "select lookup_id from raw.lookups where person_key = $person_key order by answered_at"
    before = world.connection.execute(head, {"person_key": person_key}).fetchall()
    world.connection.execute(
        "insert into raw.lookups (lookup_id, provider, person_key, supersedes, state, outcome,"
        " credits_charged, requested_at, answered_at, revision) values ($lookup_id, 'signalhire',"
        " $person_key, $supersedes, 'answered', $outcome, $credits, $at, $at, 1)",
        {
            "lookup_id": f"{person_key}-{at:%Y%m%d}",
            "person_key": person_key,
            "supersedes": before[-1][0] if before else "",
            "outcome": "matched" if is_found else "no_match",
            "credits": int(is_found),
            "at": at,
        },
    )


def test_on_an_empty_warehouse_the_views_have_no_rows_but_the_four_priorities(
    world: World,
) -> None:
    for name in EMPTY:
        assert view(world, name) == [], name
    rows = view(world, "coverage_by_priority")
    assert [row["priority"] for row in rows] == ["strategic", "target", "standard", "bulk"]
    for row in rows:
        these(row, accounts=0, contacts=0, enriched=0, with_verified_email=0, enriched_share=None)


# --- coverage ---------------------------------------------------------------------------------


@prepared
def covered(world: World) -> None:
    """An account of two contacts, one of one, and a contact without an account."""
    world.load(
        [
            {**ADA, "account_id": "A1"},
            {**BOB, "account_id": "A1"},
            {"contact_id": "C3", "email": "c@acme.com", "account_id": "A2"},
            {"contact_id": "C4"},
        ],
        [
            {"account_id": "A1", "name": "Acme", "domain": "acme.com", "tier": "strategic"},
            {"account_id": "A2", "name": "Brio", "domain": "brio.com", "tier": "target"},
            {"account_id": "A3", "name": "Nobody's", "tier": "target"},
        ],
    )
    world.look_up("C1", candidate=VERIFIED)
    likely = candidate(
        "Bob Other", emails=[("bob@brio.com", 70, "work")], phones=[("+41791234567", 100, "mobile")]
    )
    world.look_up("C2", candidate=likely)
    world.derive()


def test_an_account_counts_its_contacts_by_what_became_of_them(covered: World) -> None:
    rows = {row["account_id"]: row for row in view(covered, "coverage_by_account")}
    assert set(rows) == {"A1", "A2", None}
    assert these(
        rows["A1"],
        account_name="Acme",
        account_domain="acme.com",
        priority="strategic",
        contacts=2,
        enriched=1,
        needs_review=1,
        waiting=0,
        enriched_share=0.5,
        oldest_answer_at=START,
    )
    assert these(rows["A2"], contacts=1, enriched=0, waiting=1, oldest_answer_at=None)
    assert these(rows[None], account_name=None, priority="bulk", contacts=1, needs_review=1)


def test_a_likely_address_is_no_verified_one_in_the_coverage(covered: World) -> None:
    rows = {row["account_id"]: row for row in view(covered, "coverage_by_account")}
    assert these(rows["A1"], with_verified_email=1, with_verified_phone=1)


def test_priorities_add_up_their_accounts(covered: World) -> None:
    strategic, target, standard, bulk = view(covered, "coverage_by_priority")
    assert these(strategic, priority="strategic", accounts=1, contacts=2, enriched_share=0.5)
    assert these(target, accounts=1, contacts=1, waiting=1, enriched_share=0)
    assert these(standard, accounts=0, contacts=0, enriched_share=None)
    assert these(bulk, accounts=0, contacts=1, needs_review=1)
    total = sum(row["contacts"] for row in (strategic, target, standard, bulk))
    assert total == len(covered.rows("enrichment.contact_status"))


def test_the_coverage_counts_the_rows_of_enriched_contacts_beside_the_enriched(
    covered: World,
) -> None:
    rows = view(covered, "coverage_by_priority")
    shown = covered.rows("enrichment.enriched_contacts")
    assert sum(row["with_answer"] for row in rows) == len(shown) == 2
    assert sum(row["enriched"] for row in rows) == 1


# --- spend ------------------------------------------------------------------------------------


def test_a_day_counts_its_look_ups_and_what_they_cost(world: World) -> None:
    world.load([ADA, BOB, *map(anybody, range(5))])
    world.look_up("C1", candidate=VERIFIED)
    world.look_up("C2", outcome="no_match")
    world.look_up("X00", outcome="refused")
    world.look_up("X01", state="unconfirmed")
    world.look_up("X02", state="open")
    world.look_up("X03", state="released", reason="no_connection")
    world.look_up("X04", candidate=VERIFIED, at=START + DAY)
    first, second = view(world, "spend_by_day")
    assert first == {
        "day": date(2026, 3, 2),
        "provider": "signalhire",
        "lookups": 5,
        "matched": 1,
        "no_match": 1,
        "refused": 1,
        "unconfirmed": 1,
        "in_flight": 1,
        "match_rate": 0.3333,
        "credits_charged": 1,
        "credits_month_to_date": 1,
        "verifications": 0,
        "cost": 1,
    }
    assert these(second, day=date(2026, 3, 3), credits_charged=1, credits_month_to_date=2)


def test_days_are_utcs_whatever_the_readers_time_zone(world: World) -> None:
    world.load([ADA, BOB])
    world.look_up("C1", candidate=VERIFIED, at=datetime(2026, 3, 31, 23, 59, tzinfo=UTC))
    world.look_up("C2", candidate=VERIFIED, at=datetime(2026, 4, 1, 0, 1, tzinfo=UTC))
    expected = [(date(2026, 3, 31), 1), (date(2026, 4, 1), 1)]
    for zone in ("UTC", "Pacific/Auckland", "America/Los_Angeles"):
        world.connection.execute(f"set timezone = '{zone}'")
        found = [(row["day"], row["credits_month_to_date"]) for row in view(world, "spend_by_day")]
        assert found == expected, zone


# --- what falls due ---------------------------------------------------------------------------


def test_a_week_counts_a_person_once_and_every_contact_of_it(world: World) -> None:
    world.load([ADA, {**ADA, "contact_id": "C9"}, BOB])
    world.look_up("C1", candidate=VERIFIED)
    world.look_up("C2", outcome="no_match")
    world.derive()
    after_30, after_90 = view(world, "refresh_debt")
    assert these(
        after_30,
        week_starts_on=date(2026, 3, 30),
        iso_week="2026-W14",
        contacts=1,
        lookups=1,
        expected_credits=0.5,
        worst_case_credits=1,
    )
    # whoever was found is expected to be found again
    assert these(
        after_90, week_starts_on=date(2026, 5, 25), contacts=2, lookups=1, expected_credits=1
    )


def test_before_the_first_answer_everybody_may_cost_a_credit(world: World) -> None:
    world.load([ADA, BOB, {"contact_id": "C3"}])
    world.derive()
    assert [these(row, lookups=2, expected_credits=2) for row in view(world, "refresh_debt")]


def test_whoever_was_found_before_is_expected_to_cost_what_such_look_ups_cost(
    world: World,
) -> None:
    world.load(map(anybody, range(60)))
    for number, person_key in enumerate(world.persons().values()):
        is_found = number < 30
        # of those found all are found again; of the others one in three is
        is_found_again = is_found or number % 3 == 0
        book(world, person_key, is_found, START)
        book(world, person_key, is_found_again, START + (91 if is_found else 31) * DAY)
    world.derive(at=START + 92 * DAY)
    rows = view(world, "refresh_debt")
    assert sum(row["worst_case_credits"] for row in rows) == 60
    # 40 were found at last: a credit each; 20 were not: a third of a credit each
    assert sum(row["expected_credits"] for row in rows) == pytest.approx(40 + 20 / 3, abs=0.2)


def test_weeks_are_utcs_and_iso_8601s(world: World) -> None:
    world.load([ADA, BOB])
    sunday = datetime(2027, 1, 3, 23, 30, tzinfo=UTC)
    world.look_up("C1", candidate=VERIFIED, at=sunday - 90 * DAY)
    world.look_up("C2", candidate=VERIFIED, at=sunday - 90 * DAY + timedelta(hours=1))
    world.derive(at=sunday - 80 * DAY)
    world.connection.execute("set timezone = 'Pacific/Auckland'")
    found = [(row["week_starts_on"], row["iso_week"]) for row in view(world, "refresh_debt")]
    assert found == [(date(2026, 12, 28), "2026-W53"), (date(2027, 1, 4), "2027-W01")]


# --- the provider -----------------------------------------------------------------------------


def test_a_scorecard_says_what_a_verified_contact_costs(covered: World) -> None:
    covered.look_up("C3", outcome="no_match", at=START + DAY)
    covered.look_up("C1", candidate=VERIFIED, at=START + DAY)
    covered.derive(at=START + DAY)
    [row] = view(covered, "provider_scorecard")
    assert row == {
        "provider": "signalhire",
        "place": 1,
        "priority": "bulk",
        "asked": 4,
        "lookups": 4,
        "matched": 3,
        "accepted": 3,
        "verified_usable": 1,
        "added": 1,
        "bounced": 0,
        "cost": 3,
        "verification_cost": 0,
        "cost_per_verified_usable": 3.0,
        "no_match": 1,
        "refused": 0,
        "unconfirmed": 0,
        "match_rate": 0.75,
        "credits_charged": 3,
        "enriched_contacts": 2,
        "verified_contacts": 2,
        "credits_per_match": 1.0,
        "credits_per_verified_contact": 1.5,
        "last_answer_at": START + DAY,
        # one of the two has a verified phone only
        "with_verified_email": 1,
        "credits_per_verified_email": 3.0,
    }


def test_a_scorecard_without_a_verified_contact_names_no_price(world: World) -> None:
    world.load([BOB])
    world.look_up("C2", outcome="no_match")
    world.derive()
    [row] = view(world, "provider_scorecard")
    assert these(row, credits_per_match=None, credits_per_verified_contact=None, match_rate=0)
