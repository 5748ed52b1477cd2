"""Where every contact stands at an instant: priority, freshness, and by what it is looked up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from enrichment_pipeline.policy import Policy
from enrichment_pipeline.warehouse import common_profile
from enrichment_pipeline.warehouse.macros import set_vocabulary
from enrichment_pipeline.warehouse.statements import execute
from enrichment_pipeline_tests.support import START
from enrichment_pipeline_tests.warehouse import (
    ADA,
    BOB,
    DAY,
    FIRST,
    VERIFIED,
    Row,
    World,
    candidate,
    reading_of,
)
from enrichment_pipeline_tests.warehouse.prepared import prepared

MOMENT = timedelta(microseconds=1)


@prepared
def ada(world: World) -> None:
    """A world in which Ada is the only contact."""
    world.load([ADA])


@prepared
def crew(world: World) -> None:
    """Ada, and people; a test takes as many of them as it has cases."""
    world.load([ADA, *({"contact_id": each, "email": f"{each}@home.net"} for each in CREW)])


CREW = [f"P{number:02}" for number in range(20)]


def freshness(world: World, contact_id: str = "C1", **when: Any) -> str:
    return world.states(**when)[contact_id]["freshness"]


# --- freshness -------------------------------------------------------------------------


def test_who_was_never_looked_up_is_new(ada: World) -> None:
    state = ada.states()["C1"]
    assert (state["freshness"], state["last_lookup_id"], state["attempts"]) == ("new", "", 0)
    assert state["due_at"] == START


# In spring the clocks there are put forward: on the 90th day at five o'clock an hour is lacking.
SCHEDULES = [
    ("UTC", date(2026, 9, 1), "stale"),
    ("Europe/Berlin", date(2026, 5, 1), "stale"),
    ("Europe/Berlin", date(2026, 9, 1), "stale"),
    ("Europe/Berlin", date(2027, 2, 1), "fresh"),
    ("America/New_York", date(2026, 9, 1), "stale"),
    ("America/New_York", date(2027, 2, 1), "fresh"),
    ("Asia/Kathmandu", date(2026, 9, 1), "stale"),
]


def test_ages_are_days_of_24_hours_whatever_the_clocks_of_the_schedule_do(crew: World) -> None:
    def tick(time_zone: str, day: date) -> datetime:
        return datetime.combine(day, time(5), ZoneInfo(time_zone)).astimezone(UTC)

    cases = dict(zip(CREW, SCHEDULES, strict=False))
    crew.look_up_each(
        (each, {"candidate": VERIFIED, "at": tick(time_zone, bought_on)})
        for each, (time_zone, bought_on, _) in cases.items()
    )
    expected = {}
    for each, (time_zone, bought_on, after_90_days) in cases.items():
        for day, freshness in ((89, "fresh"), (90, after_90_days), (91, "stale")):
            expected[each, tick(time_zone, bought_on + day * DAY)] = freshness
    states = {at: crew.states(at=at) for at in {at for _, at in expected}}
    for (each, at), freshness in expected.items():
        assert states[at][each]["freshness"] == freshness, (cases[each], at)


def test_a_result_is_good_until_its_age_and_not_a_moment_longer(crew: World) -> None:
    answered, missed, unanswered = CREW[:3]
    lookups: dict[str, tuple[Row, str, str]] = {
        answered: ({"candidate": VERIFIED}, "fresh", "stale"),
        missed: ({"outcome": "no_match"}, "fresh", "stale"),
        unanswered: ({"state": "unconfirmed"}, "in_flight", "retry"),
    }
    ids = {each: crew.look_up(each, **lookup) for each, (lookup, *_) in lookups.items()}
    # the default ages; and others, to see that the policy is asked
    others = {"max_age_days": 60, "no_match_days": 7, "unconfirmed_days": 1}
    for policy, days in (({}, (90, 30, 30)), (others, (60, 7, 1))):
        chosen = Policy.model_validate({"freshness": policy})
        good_for = dict(zip(lookups, days, strict=True))
        ages = {age * DAY + more for age in days for more in (-DAY, -MOMENT, timedelta(), DAY)}
        for age in sorted(ages):
            states = crew.states(at=START + age, policy=chosen)
            for each, (_, before, after) in lookups.items():
                state = states[each]
                expected = before if age < good_for[each] * DAY else after
                assert state["freshness"] == expected, (lookups[each], policy, age)
                assert state["due_at"] == START + good_for[each] * DAY
                assert state["last_lookup_id"] == ids[each]


def test_a_lookup_that_was_released_is_tried_again(ada: World) -> None:
    ada.look_up("C1", state="released", outcome="retriable", reason="rate_limited")
    state = ada.states()["C1"]
    assert (state["freshness"], state["last_lookup_id"]) == ("retry", "")
    assert (state["attempts"], state["last_attempt_at"]) == (1, START)


# --- trying again after failures -------------------------------------------------------

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
FAILED: Row = {"state": "released", "outcome": "retriable", "reason": "timeout_exceeded"}


def fail(world: World, *instants: datetime, contact_id: str = "C1", **changes: Any) -> None:
    """One failed look-up of a contact at each instant, each in a run of its own."""
    world.look_up_often(contact_id, instants, **{**FAILED, **changes})


def due_ids(world: World, at: datetime, policy: Policy | None = None) -> set[str]:
    """The contacts that a run at this instant would ask about."""
    world.states(at=at, policy=policy)
    execute(world.connection, "find_due_persons")
    return {row["contact_id"] for row in world.rows("due_persons")}


def is_due(world: World, at: datetime, policy: Policy | None = None) -> bool:
    """Whether a run at this instant would ask for Ada."""
    return "C1" in due_ids(world, at, policy)


def distance(
    world: World, last_failure: datetime, policy: Policy | None = None, *, contact_id: str = "C1"
) -> timedelta:
    """From the last failure to the next attempt; it is due then, and not a second before."""
    state = world.states(at=last_failure, policy=policy)[contact_id]
    assert state["freshness"] == "retry"
    due_at = state["due_at"]
    dues = [contact_id in due_ids(world, at, policy) for at in (due_at - SECOND, due_at)]
    assert dues == [False, True]
    return due_at - last_failure


def distances(
    world: World, failures: Mapping[str, Sequence[datetime]], policy: Policy | None = None
) -> dict[str, timedelta]:
    """The same for many at once: each contact, and the instants at which its look-ups failed."""
    world.look_up_each(
        (each, {**FAILED, "at": at, "run_id": f"run-of-{at.isoformat()}"})
        for each, instants in failures.items()
        for at in instants
    )
    states = world.states(at=max(max(instants) for instants in failures.values()), policy=policy)
    due_at = {each: states[each]["due_at"] for each in failures}
    dues = {
        at: due_ids(world, at, policy)
        for at in {at - early for at in due_at.values() for early in (timedelta(), SECOND)}
    }
    for each, at in due_at.items():
        assert each in dues[at], each
        assert each not in dues[at - SECOND], each
    return {each: due_at[each] - max(instants) for each, instants in failures.items()}


def test_after_a_failure_of_the_item_it_is_due_after_an_hour(crew: World) -> None:
    reasons = dict(zip(CREW, ("duplicate_query", "timeout_exceeded"), strict=False))
    for each, reason in reasons.items():
        fail(crew, START, contact_id=each, reason=reason)
    crew.derive(at=START)
    for each, reason in reasons.items():
        assert distance(crew, START, contact_id=each) == HOUR, reason
        row = crew.only("enrichment.contact_status", f"contact_id = '{each}'")
        assert (row["status"], row["freshness"]) == ("queued", "retry"), reason
        assert row["next_lookup_at"] == START + HOUR, reason


def test_what_was_not_the_persons_fault_is_due_again_at_once(world: World) -> None:
    reasons = [
        *("out_of_credits", "wrong_key", "not_allowed", "no_such_endpoint", "not_acceptable"),
        *("wrong_parameters", "not_sent", "rate_limited", "never_sent", "asked_again", None),
    ]
    world.load([{"contact_id": str(reason), "email": f"{reason}@acme.com"} for reason in reasons])
    instants = [START + n * HOUR for n in range(20)]
    world.look_up_each(
        (str(reason), {**FAILED, "reason": reason, "at": at, "run_id": f"run-of-{at}"})
        for reason in reasons
        for at in instants
    )
    states = world.states(at=instants[-1])
    assert {name: state["freshness"] for name, state in states.items()} == {
        str(reason): "retry" for reason in reasons
    }
    execute(world.connection, "find_due_persons")
    assert {row["contact_id"] for row in world.rows("due_persons")} == states.keys()


def in_a_row(number: int, apart: timedelta, *, hours: float) -> list[datetime]:
    """The instants of as many failures, so far apart, the last of them so long before START."""
    return [START - hours * HOUR - n * apart for n in reversed(range(number))]


def test_the_distance_doubles_with_each_failure_in_a_row_up_to_the_longest(crew: World) -> None:
    hours = [1, 2, 4, 8, 16, 32, 64, *[7 * 24] * 5]
    failures = {
        each: in_a_row(number, 8 * DAY, hours=hours[number - 1])
        for number, each in enumerate(CREW[: len(hours)], start=1)
    }
    found = distances(crew, failures).values()
    assert [each / HOUR for each in found] == hours


def test_distances_are_the_policys(crew: World) -> None:
    retry = {"first_hours": 0.5, "longest_days": 1, "max_attempts": 50}
    policy = Policy.model_validate({"retry": retry})
    hours = {1: 0.5, 2: 1, 3: 2, 4: 4, 5: 8, 6: 16, 7: 24, 59: 24, 60: 24}
    numbers = dict(zip(CREW, hours, strict=False))
    failures = {
        each: in_a_row(number, DAY, hours=hours[number]) for each, number in numbers.items()
    }
    found = distances(crew, failures, policy)
    assert {numbers[each]: away / HOUR for each, away in found.items()} == hours


def test_after_the_most_attempts_it_is_the_longest_distance_and_never_the_end(ada: World) -> None:
    policy = Policy.model_validate({"retry": {"max_attempts": 2, "longest_days": 30}})
    fail(ada, START)
    assert distance(ada, START, policy) == HOUR
    fail(ada, START + DAY)
    assert distance(ada, START + DAY, policy) == 30 * DAY


def test_the_further_tries_of_one_run_are_one_attempt(ada: World) -> None:
    for minute in range(3):
        ada.look_up("C1", at=START + minute * timedelta(minutes=1), **FAILED)
    assert distance(ada, START + timedelta(minutes=2)) == HOUR


def test_a_release_that_is_nobodys_fault_neither_counts_nor_forgives(ada: World) -> None:
    fail(ada, START, START + DAY)
    fail(ada, START + DAY + HOUR, reason="out_of_credits")
    assert distance(ada, START + DAY) == 2 * HOUR


def test_an_answer_ends_the_row_of_failures(ada: World) -> None:
    fail(ada, *(START + n * DAY for n in range(5)))
    ada.look_up("C1", at=START + 5 * DAY, candidate=VERIFIED)
    due_at = START + 95 * DAY
    assert ada.states(at=due_at)["C1"]["freshness"] == "stale"
    assert [is_due(ada, at) for at in (due_at - SECOND, due_at)] == [False, True]
    fail(ada, due_at)
    assert distance(ada, due_at) == HOUR


def test_a_failed_refresh_is_never_due_before_the_answers_own_age(ada: World) -> None:
    ada.look_up("C1", candidate=VERIFIED)
    fail(ada, START + 5 * DAY)
    state = ada.states(at=START + 6 * DAY)["C1"]
    assert (state["freshness"], state["due_at"]) == ("fresh", START + 90 * DAY)


def test_a_persons_word_to_ask_again_makes_up_for_the_failures_before_it(ada: World) -> None:
    fail(ada, *(START + n * DAY for n in range(5)))
    lookup_id = ada.look_up("C1", at=START + 5 * DAY, state="unconfirmed")
    assert not is_due(ada, START + 5 * DAY)
    ada.settle(lookup_id, state="released", outcome="retriable", reason="asked_again")
    assert is_due(ada, START + 5 * DAY)
    fail(ada, START + 5 * DAY + HOUR)
    assert distance(ada, START + 5 * DAY + HOUR) == HOUR


def test_a_distance_is_the_same_when_the_clocks_are_changed(crew: World) -> None:
    # Europe's and America's changes; hours are hours, in UTC
    days = [(2026, 3, 29), (2026, 10, 25), (2026, 3, 8), (2026, 11, 1)]
    last = [datetime(*day, 0, 30, tzinfo=UTC) for day in days]
    six = {each: [at - n * DAY for n in range(6)] for each, at in zip(CREW, last, strict=False)}
    eight = {
        each: [*(at - n * DAY for n in range(6)), at + HOUR, at + 2 * HOUR]
        for each, at in zip(CREW[10:], last, strict=False)
    }
    found = distances(crew, six | eight)
    assert found == dict.fromkeys(six, 32 * HOUR) | dict.fromkeys(eight, 7 * DAY)


def test_who_is_put_off_waits_for_nobody_else(world: World) -> None:
    world.load([ADA, BOB])
    fail(world, START)
    world.states(at=START)
    execute(world.connection, "find_due_persons")
    assert [row["contact_id"] for row in world.rows("due_persons")] == ["C2"]


def test_a_release_does_not_make_a_fresh_answer_due(ada: World) -> None:
    answered = ada.look_up("C1", candidate=VERIFIED)
    ada.look_up("C1", at=START + 91 * DAY, state="released")
    assert freshness(ada, at=START + 5 * DAY) == "fresh"
    late = ada.states(at=START + 91 * DAY)["C1"]
    assert (late["freshness"], late["last_lookup_id"]) == ("retry", answered)


def test_an_answer_after_a_release_counts(ada: World) -> None:
    ada.look_up("C1", state="released")
    ada.look_up("C1", at=START + DAY, candidate=VERIFIED)
    assert freshness(ada, at=START + 2 * DAY) == "fresh"
    assert freshness(ada, at=START + 91 * DAY) == "stale"
    assert ada.states()["C1"]["attempts"] == 2


def test_the_lookup_that_nothing_supersedes_counts(ada: World) -> None:
    first = ada.look_up("C1", candidate=VERIFIED)
    second = ada.look_up("C1", at=START + 90 * DAY, candidate=VERIFIED, supersedes=first)
    state = ada.states(at=START + 100 * DAY)["C1"]
    assert (state["freshness"], state["last_lookup_id"]) == ("fresh", second)


def test_of_lookups_from_one_instant_the_one_that_supersedes_counts(ada: World) -> None:
    first = ada.look_up("C1", candidate=VERIFIED)
    second = ada.look_up("C1", outcome="no_match", supersedes=first)
    third = ada.look_up("C1", state="released", supersedes=second)
    assert third not in (state := ada.states()["C1"]).values()
    assert (state["last_lookup_id"], state["last_outcome"]) == (second, "no_match")


def test_an_open_lookup_is_in_flight(ada: World) -> None:
    ada.look_up("C1", state="open")
    assert freshness(ada, at=START + 365 * DAY) == "in_flight"


def test_a_refresh_in_flight_hides_what_it_supersedes(ada: World) -> None:
    ada.look_up("C1", candidate=VERIFIED)
    ada.look_up("C1", at=START + 91 * DAY, state="open")
    assert freshness(ada, at=START + 91 * DAY) == "in_flight"


def test_an_unconfirmed_lookup_that_was_answered_late_is_fresh(ada: World) -> None:
    lookup_id = ada.look_up("C1", state="unconfirmed")
    assert freshness(ada) == "in_flight"
    ada.settle(lookup_id, state="answered", outcome="matched", answered_at=START + 40 * DAY)
    assert freshness(ada, at=START + 41 * DAY) == "fresh"
    assert freshness(ada, at=START + 130 * DAY) == "stale"


def test_what_was_refused_for_good_is_never_asked_again(crew: World) -> None:
    outcomes = {"refused": "fresh", "legal_stop": "suppressed"}
    cases = dict(zip(CREW, outcomes.items(), strict=False))
    crew.look_up_each((each, {"outcome": outcome}) for each, (outcome, _) in cases.items())
    states = crew.states(at=START + 3650 * DAY)
    for each, (outcome, stays) in cases.items():
        state = states[each]
        assert (state["freshness"], state["due_at"]) == (stays, None), outcome


def test_a_changed_identity_is_new_whatever_was_said_of_the_old_one(ada: World) -> None:
    ada.look_up("C1", outcome="legal_stop")
    ada.load([{**BOB, "contact_id": "C1"}], at=START + DAY)
    state = ada.states(at=START + DAY)["C1"]
    assert (state["freshness"], state["due_at"]) == ("new", START + DAY)


REASONS: list[tuple[Row | None, int, str]] = [
    (None, 0, "never_looked_up"),
    ({"state": "open"}, 400, "awaiting_answer"),
    ({"candidate": VERIFIED}, 89, "answer_is_recent"),
    ({"candidate": VERIFIED}, 90, "answer_is_old"),
    ({"outcome": "no_match"}, 29, "miss_is_recent"),
    ({"outcome": "no_match"}, 30, "miss_is_old"),
    ({"outcome": "refused"}, 400, "refused_for_good"),
    ({"outcome": "legal_stop"}, 400, "legal_stop"),
    ({"state": "unconfirmed"}, 29, "perhaps_billed"),
    ({"state": "unconfirmed"}, 30, "never_answered"),
    ({"state": "released", "reason": "rate_limited"}, 0, "attempt_failed"),
]


def test_the_reason_stands_beside_the_freshness(crew: World) -> None:
    cases = dict(zip(CREW, REASONS, strict=False))
    now = START + 400 * DAY
    crew.look_up_each(
        (each, {"at": now - days * DAY, **lookup})
        for each, (lookup, days, _) in cases.items()
        if lookup is not None
    )
    states = crew.states(at=now)
    for each, (lookup, days, reason) in cases.items():
        assert states[each]["freshness_reason"] == reason, (lookup, days)


def test_a_changed_identity_is_told_from_a_contact_that_was_never_looked_up(ada: World) -> None:
    ada.look_up("C1", candidate=VERIFIED)
    ada.load([{**BOB, "contact_id": "C1"}, {**ADA, "contact_id": "C2"}], at=START + DAY)
    states = ada.states(at=START + DAY)
    assert states["C1"]["freshness_reason"] == "identity_changed"
    assert states["C2"]["freshness_reason"] == "answer_is_recent"


def test_who_cannot_be_asked_for_is_unusable(world: World) -> None:
    columns = [
        {},
        {"full_name": "Ada Example"},
        {"email": "info@acme.com"},
        {"phone": "n/a", "email": "broken"},
        {"full_name": "Ada Example", "company_domain": "acme.com"},
    ]
    world.load({"contact_id": f"C{n}", **each} for n, each in enumerate(columns))
    states = world.states().values()
    assert len(states) == len(columns)
    assert {(state["freshness"], state["lookup_identity"]) for state in states} == {
        ("unusable", None)
    }


def test_one_answer_serves_every_contact_of_the_person(world: World) -> None:
    world.load([ADA, BOB, {**ADA, "contact_id": "C3", "linkedin_url": ""}])
    world.look_up("C3", candidate=VERIFIED)
    found = {contact: state["freshness"] for contact, state in world.states().items()}
    assert found == {"C1": "fresh", "C2": "new", "C3": "fresh"}


def test_who_left_the_source_stands_nowhere(world: World) -> None:
    world.load([ADA, BOB])
    world.load([BOB])
    assert set(world.states()) == {"C2"}


# --- with several providers ------------------------------------------------------------

OTHER = "acme"
NOT_OURS = candidate("Somebody Else", emails=[("else@x.org", 100, "work")])
LEFT_OPEN: list[Row] = [
    {"outcome": "no_match"},
    {"outcome": "refused"},
    {"state": "open"},
    {"state": "unconfirmed"},
    FAILED,
]


def test_what_one_provider_leaves_open_is_new_to_another(crew: World) -> None:
    cases = dict(zip(CREW, LEFT_OPEN, strict=False))
    crew.look_up_each(cases.items())
    states = crew.states(provider=OTHER)
    for each, said in cases.items():
        state = states[each]
        assert (state["freshness_reason"], state["last_lookup_id"]) == ("never_looked_up", ""), said
        assert (state["is_due"], state["due_at"]) == (True, START), said


def test_what_another_provider_leaves_open_changes_nothing_with_the_one_asked(
    world: World,
) -> None:
    answers: list[Row | None] = [None, {"candidate": VERIFIED}, {"outcome": "legal_stop"}]
    cases = [(own, other) for own in [*answers, *LEFT_OPEN] for other in LEFT_OPEN]
    ids = [f"C{number}" for number in range(len(cases))]
    world.load({"contact_id": each, "email": f"{each}@home.net"} for each in ids)
    named = list(zip(ids, cases, strict=True))
    world.look_up_each((each, own) for each, (own, _) in named if own is not None)
    instants = [START, START + 30 * DAY, START + 90 * DAY]
    before = [world.states(at=at) for at in instants]
    world.look_up_each((each, {**other, "provider": OTHER}) for each, (_, other) in named)
    for at, expected in zip(instants, before, strict=True):
        found = world.states(at=at)
        for contact_id in ids:
            # all that were made count as attempts, and the last of them is the last
            more = {"attempts": expected[contact_id]["attempts"] + 1, "last_attempt_at": START}
            assert found[contact_id] == expected[contact_id] | more


def test_each_provider_has_a_look_up_that_stands(ada: World) -> None:
    first = ada.look_up("C1", outcome="no_match")
    second = ada.look_up("C1", provider=OTHER, at=START + DAY, outcome="no_match")
    assert ada.states()["C1"]["last_lookup_id"] == first
    assert ada.states(provider=OTHER)["C1"]["last_lookup_id"] == second
    at = START + 30 * DAY
    found = [ada.states(at=at, provider=name)["C1"]["freshness"] for name in (FIRST, OTHER)]
    assert found == ["stale", "fresh"]


def test_failures_at_one_provider_do_not_delay_an_attempt_at_another(
    ada: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = (reading_of(), replace(reading_of(), provider=OTHER))
    monkeypatch.setattr(common_profile, "readings", lambda: both)
    set_vocabulary(ada.connection)
    fail(ada, *(START + n * DAY for n in range(5)))
    fail(ada, START + 4 * DAY, provider=OTHER)
    at = START + 4 * DAY
    assert ada.states(at=at)["C1"]["due_at"] == at + 16 * HOUR
    assert ada.states(at=at, provider=OTHER)["C1"]["due_at"] == at + HOUR


def test_a_legal_stop_of_any_provider_ends_it_for_all(crew: World) -> None:
    answers: list[Row | None] = [None, {"candidate": VERIFIED}, {"outcome": "no_match"}]
    cases = dict(zip(CREW, answers, strict=False))
    crew.look_up_each((each, own) for each, own in cases.items() if own is not None)
    crew.look_up_each((each, {"provider": OTHER, "outcome": "legal_stop"}) for each in cases)
    states = crew.states(at=START + 3650 * DAY)
    crew.derive()
    for each, own in cases.items():
        state = states[each]
        assert (state["freshness_reason"], state["is_due"]) == ("legal_stop", False), own
        assert state["due_at"] is None, own
        assert crew.status(each) == ("needs_review", "legal_stop"), own


def test_while_an_accepted_answer_of_any_provider_is_recent_nothing_is_due(ada: World) -> None:
    ada.look_up("C1", candidate=VERIFIED)
    ada.derive()
    expires_at = START + 90 * DAY
    for at in (START, expires_at - MOMENT):
        state = ada.states(at=at, provider=OTHER)["C1"]
        assert (state["freshness_reason"], state["is_due"]) == ("answer_is_recent", False)
        assert state["due_at"] == expires_at
    state = ada.states(at=expires_at, provider=OTHER)["C1"]
    assert (state["freshness_reason"], state["is_due"]) == ("never_looked_up", True)


def test_one_row_says_of_a_contact_what_the_second_provider_settled(
    crew: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = (reading_of(), replace(reading_of(), provider=OTHER))
    monkeypatch.setattr(common_profile, "readings", lambda: both)
    cases = dict(zip(CREW, LEFT_OPEN[:2] + LEFT_OPEN[3:], strict=False))
    crew.look_up_each(cases.items())
    crew.look_up_each(
        (each, {"provider": OTHER, "at": START + DAY, "candidate": {**VERIFIED, "uid": each}})
        for each in cases
    )
    for _ in range(2):  # and once more changes nothing
        crew.derive(at=START + 2 * DAY)
        for each, own in cases.items():
            row = crew.only("enrichment.contact_status", f"contact_id = '{each}'")
            assert (row["status"], row["reason"]) == ("enriched", None), own
            assert row["freshness_reason"] == "answer_is_recent", own
            assert row["next_lookup_at"] == START + 91 * DAY, own
            shown = crew.only("enrichment.enriched_contacts", f"contact_id = '{each}'")
            assert shown["provider"] == OTHER, own
    states = crew.states(at=START + 40 * DAY)
    assert not [own for each, own in cases.items() if states[each]["is_due"]]


def test_an_answer_that_is_somebody_elses_leaves_the_person_due_at_another_provider(
    ada: World,
) -> None:
    ada.look_up("C1", candidate=NOT_OURS)
    ada.derive()
    assert ada.status("C1") == ("needs_review", "identity_mismatch")
    assert freshness(ada) == "fresh"
    assert ada.states(provider=OTHER)["C1"]["is_due"]


def test_an_answer_that_is_not_judged_yet_is_waited_for(ada: World) -> None:
    ada.look_up("C1", candidate=NOT_OURS)
    assert not ada.states(provider=OTHER)["C1"]["is_due"]
    ada.derive()
    assert ada.states(provider=OTHER)["C1"]["is_due"]


def test_an_answer_that_was_undone_holds_nothing_back_elsewhere(ada: World) -> None:
    ada.look_up("C1", candidate=VERIFIED)
    ada.derive()
    ada.undo("run-1")
    assert freshness(ada) == "fresh"
    assert ada.states(provider=OTHER)["C1"]["is_due"]


def test_of_two_contacts_of_a_person_each_waits_for_its_own_accepted_answer(world: World) -> None:
    other_name = {**ADA, "contact_id": "C2", "full_name": "Somebody Else"}
    world.load([ADA, other_name])
    world.look_up("C1", candidate=VERIFIED)
    world.derive()
    states = world.states(provider=OTHER)
    assert {each: state["is_due"] for each, state in states.items()} == {"C1": False, "C2": True}


# --- spreading refreshes ---------------------------------------------------------------

SPREAD = Policy.model_validate({"freshness": {"spread_days": 10}})


@prepared
def crowd(world: World) -> None:
    """A thousand people who were all answered at one instant; every tenth was not found."""
    world.load({"contact_id": f"C{n:03}", "email": f"person{n:03}@home.net"} for n in range(1000))
    world.connection.execute(
        """
        insert into raw.lookups (
            lookup_id, provider, person_key, supersedes, run_id, state, outcome, requested_at,
            answered_at, revision
        )
        select
            'of-' || contact_id, 'signalhire', person_key, '', 'run-1', 'answered',
            case when contact_id like '%0' then 'no_match' else 'matched' end,
            $start, $start, 1
        from staging.contact_persons
        """,
        {"start": START},
    )
    world.copy_lookups()


def dues(world: World, policy: Policy, *, at: datetime = START) -> dict[str, timedelta]:
    """How long after its answer each contact that was found is due."""
    states = world.states(at=at, policy=policy)
    return {
        contact_id: state["due_at"] - START
        for contact_id, state in states.items()
        if state["last_outcome"] == "matched"
    }


def test_without_a_spread_everybody_is_due_at_the_age_limit(crowd: World) -> None:
    assert set(dues(crowd, Policy()).values()) == {90 * DAY}


def test_a_spread_makes_refreshes_due_evenly_over_the_days_before_the_limit(crowd: World) -> None:
    found = dues(crowd, SPREAD)
    by_day = Counter((age - 80 * DAY) // DAY for age in found.values())
    assert set(by_day) == set(range(10))
    # 90 a day; beyond the 99.9th percentile of chi-square with 9 degrees of freedom is no chance
    assert sum((count - 90) ** 2 / 90 for count in by_day.values()) < 27.9
    assert max(found.values()) <= 90 * DAY
    assert len(set(found.values())) == len(found)


def test_a_spread_is_the_same_on_each_derivation(crowd: World) -> None:
    once = dues(crowd, SPREAD)
    assert dues(crowd, SPREAD, at=START + 85 * DAY) == once
    # and whatever order the rows are in
    crowd.connection.execute(
        "create or replace table raw.lookups as select * from raw.lookups order by md5(lookup_id)"
    )
    assert dues(crowd, SPREAD) == once


def test_each_answer_of_a_person_draws_its_own_place_in_the_spread(ada: World) -> None:
    places = set()
    for number in range(5):
        at = START + number * 90 * DAY
        ada.look_up("C1", at=at, candidate=VERIFIED)
        places.add(ada.states(at=at, policy=SPREAD)["C1"]["due_at"] - at)
    assert len(places) == 5


def test_nobody_is_fresh_after_the_limit_and_everybody_is_before_the_spread(crowd: World) -> None:
    def lanes(at: datetime) -> Counter[str]:
        states = crowd.states(at=at, policy=SPREAD).values()
        return Counter(s["freshness"] for s in states if s["last_outcome"] == "matched")

    assert lanes(START + 80 * DAY - SECOND) == {"fresh": 900}
    half = lanes(START + 85 * DAY)
    assert set(half) == {"fresh", "stale"}
    assert 390 < half["stale"] < 510
    assert lanes(START + 90 * DAY) == {"stale": 900}


def test_who_was_not_found_is_never_brought_forward(crowd: World) -> None:
    states = crowd.states(policy=SPREAD).values()
    misses = {state["due_at"] for state in states if state["last_outcome"] == "no_match"}
    assert misses == {START + 30 * DAY}


def test_the_tables_tell_the_spread_and_the_limit_apart(ada: World) -> None:
    ada.look_up("C1", candidate=VERIFIED)
    ada.derive(policy=SPREAD)
    assert ada.only("enrichment.enriched_contacts")["expires_at"] == START + 90 * DAY
    due_at = ada.states(policy=SPREAD)["C1"]["due_at"]
    assert START + 80 * DAY <= due_at < START + 90 * DAY
    assert ada.only("enrichment.contact_status")["next_lookup_at"] == due_at


def test_an_age_that_the_policy_changes_moves_the_expiry_alone(ada: World) -> None:
    ada.look_up("C1", candidate=VERIFIED)
    ada.derive()
    before = ada.only("enrichment.enriched_contacts")
    ada.derive(policy=Policy.model_validate({"freshness": {"max_age_days": 60}}))
    after = ada.only("enrichment.enriched_contacts")
    assert (before.pop("expires_at"), after.pop("expires_at")) == (
        START + 90 * DAY,
        START + 60 * DAY,
    )
    assert after == before


# --- by what a person is looked up -----------------------------------------------------


BEST = [
    (
        {"linkedin_url": "linkedin.com/in/Ada", "email": "a@x.com", "phone": "+4930901820"},
        "linkedin",
        "https://www.linkedin.com/in/ada",
    ),
    ({"linkedin_url": "linkedin.com/company/x", "email": "B@x.com"}, "email", "b@x.com"),
    ({"email": "info@x.com", "phone": "+49 30 901821"}, "phone", "+4930901821"),
    (
        {"linkedin_url": "linkedin.com/in/josé"},
        "linkedin",
        "https://www.linkedin.com/in/jos%C3%A9",
    ),
]


def test_the_best_identifier_is_asked_for(world: World) -> None:
    world.load({"contact_id": f"C{n}", **columns} for n, (columns, *_) in enumerate(BEST))
    states = world.states()
    for n, (columns, kind, identity) in enumerate(BEST):
        state = states[f"C{n}"]
        assert (state["identity_kind"], state["lookup_identity"]) == (kind, identity), columns


def test_a_person_is_asked_for_by_the_best_of_all_contacts_identifiers(world: World) -> None:
    by_mail = {"contact_id": "C2", "full_name": "Ada Example", "email": ADA["email"]}
    by_name = {"contact_id": "C3", "full_name": "Ada Example", "company_domain": "acme.com"}
    world.load([ADA, by_mail, by_name])
    assert {state["lookup_identity"] for state in world.states().values()} == {ADA["linkedin_url"]}


def test_nobody_is_asked_for_by_what_is_somebody_elses(world: World) -> None:
    world.load([ADA, BOB])
    # the profile stays Ada's, though Bob's contact names it now
    world.load([ADA, {**BOB, "linkedin_url": ADA["linkedin_url"]}])
    assert world.states()["C2"]["lookup_identity"] == BOB["email"]


def test_nobody_is_asked_for_by_what_is_shared(world: World) -> None:
    world.load([{**ADA, "email": "both@x.com"}, {**BOB, "email": "both@x.com"}])
    assert world.states()["C2"]["lookup_identity"] is None


# --- priority --------------------------------------------------------------------------

FIGURES = {"open_pipeline": "1000000", "annual_revenue": "1e9", "employee_count": "1000"}


def priorities(
    world: World, policy: Policy | None = None, **accounts: dict[str, str]
) -> dict[str, tuple[str, float]]:
    """What a contact of each of these accounts has for a priority and a score."""
    world.load(
        ({"contact_id": each, "account_id": each} for each in accounts),
        [{"account_id": each, **columns} for each, columns in accounts.items()],
    )
    states = world.states(policy=policy)
    return {each: (states[each]["priority"], states[each]["priority_score"]) for each in accounts}


def test_a_tier_decides_whatever_the_figures_say(world: World) -> None:
    accounts = [
        {"account_id": f"{tier}-{bool(figures)}", "tier": tier, **figures}
        for tier in ("strategic", "target", "standard", "bulk")
        for figures in ({}, FIGURES)
    ]
    world.load(
        ({"contact_id": each["account_id"], "account_id": each["account_id"]} for each in accounts),
        accounts,
    )
    for contact_id, state in world.states().items():
        assert state["priority"] == contact_id.partition("-")[0]


def test_a_figure_counts_a_hundred_for_each_power_of_ten(world: World) -> None:
    found = priorities(world, all=FIGURES, one={"tier": "target", "open_pipeline": "999"}, none={})
    assert found["all"] == ("target", pytest.approx(600 + 900 + 300, abs=0.1))
    assert found["one"][1] == pytest.approx(2300)
    assert found["none"] == ("bulk", 0)


def test_without_a_tier_the_score_decides(world: World) -> None:
    # 9 and 1 make 10: one power of ten, and so 100 times its weight
    world.load([{**ADA, "account_id": "A1"}], [{"account_id": "A1", "employee_count": "9"}])
    bands = {299: "bulk", 300: "standard", 999: "standard", 1000: "target", 2000: "strategic"}
    for score, band in bands.items():
        weights = {"employee_count": score / 100}
        state = world.states(policy=Policy.model_validate({"priority": {"weights": weights}}))["C1"]
        assert (state["priority"], state["priority_score"]) == (band, pytest.approx(score))


def test_a_tier_that_no_band_is_named_after_leaves_it_to_the_score(world: World) -> None:
    found = priorities(world, gold={"tier": "gold", **FIGURES})
    assert found == {"gold": ("target", pytest.approx(1800, abs=0.1))}


def test_the_bands_are_the_policys(world: World) -> None:
    policy = Policy.model_validate(
        {"priority": {"bands": {"strategic": 0.0, "target": 0.0, "standard": 0.0}}}
    )
    assert priorities(world, policy, any={})["any"][0] == "strategic"


def test_a_figure_that_makes_no_sense_counts_nothing(world: World) -> None:
    figures = ("nan", "inf", "-5", "many")
    world.load(
        ({"contact_id": each, "account_id": each} for each in figures),
        [{"account_id": each, "annual_revenue": each, "open_pipeline": each} for each in figures],
    )
    found = {(state["priority"], state["priority_score"]) for state in world.states().values()}
    assert found == {("bulk", 0)}


def test_contacts_without_a_known_account_come_last(world: World) -> None:
    accounts = {"none": "", "unknown": "A404", "known": "A1"}
    world.load(
        ({"contact_id": each, "account_id": account} for each, account in accounts.items()),
        [{"account_id": "A1"}],
    )
    states = world.states()
    for each in accounts:
        assert states[each]["priority"] == "bulk", each
    for each in ("none", "unknown"):
        assert states[each]["priority_score"] < states["known"]["priority_score"], each


def test_an_account_that_left_counts_no_more(world: World) -> None:
    rows = [{**ADA, "account_id": "A1"}]
    world.load(rows, [{"account_id": "A1", "tier": "strategic"}, {"account_id": "A2"}])
    world.load(rows, [{"account_id": "A2"}])
    assert world.states()["C1"]["priority"] == "bulk"
