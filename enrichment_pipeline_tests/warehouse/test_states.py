"""Where every contact stands at an instant: priority, freshness, and by what it is looked up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
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
    person,
    reading_of,
)
from enrichment_pipeline_tests.warehouse.prepared import prepared
from enrichment_pipeline_tests.warehouse.timeline import OnDay, Timeline

MOMENT = timedelta(microseconds=1)
HOUR = timedelta(hours=1)
YEAR_LATER = START + 400 * DAY


def leave_underived(world: World, *, at: datetime) -> None:
    """States are read off look-ups and loads alone."""


people = Timeline(derive=leave_underived)
"""Whose look-ups are all made on day 0; on day 1 some of it changes."""
judged = Timeline()
"""Those of whom it matters that their answers were judged."""


class Standing:
    """Where everybody stands, by instant, policy and provider: derived once for all tests."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._states: dict[tuple[object, ...], dict[str, Row]] = {}
        self._due: dict[tuple[object, ...], set[str]] = {}

    def states(
        self, *, at: datetime = START, policy: Policy | None = None, provider: str = FIRST
    ) -> dict[str, Row]:
        key = (at, provider, policy and policy.model_dump_json())
        if key not in self._states:
            self._states[key] = self.world.states(at=at, policy=policy, provider=provider)
        return self._states[key]

    def due(self, *, at: datetime = START, policy: Policy | None = None) -> set[str]:
        """The contacts that a run at this instant would ask about."""
        key = (at, policy and policy.model_dump_json())
        if key not in self._due:
            self._due[key] = due_ids(self.world, at, policy)
        return self._due[key]


def due_ids(world: World, at: datetime, policy: Policy | None = None) -> set[str]:
    """The contacts that a run at this instant would ask about."""
    world.states(at=at, policy=policy)
    execute(world.connection, "find_due_persons")
    return {row["contact_id"] for row in world.rows("due_persons")}


@pytest.fixture(scope="module")
def on_day() -> Iterator[OnDay]:
    with people.open() as worlds:
        yield worlds


@pytest.fixture(scope="module")
def before(on_day: OnDay) -> Standing:
    return Standing(on_day(0))


@pytest.fixture(scope="module")
def now(on_day: OnDay) -> Standing:
    return Standing(on_day(1))


@pytest.fixture(scope="module")
def judged_on_day() -> Iterator[OnDay]:
    with judged.open() as worlds:
        yield worlds


def lookup_ids(world: World, contact_id: str) -> list[str]:
    """The look-ups of a contact's person, in the order in which they were made."""
    rows = world.rows("raw.lookups", f"person_key = '{world.persons()[contact_id]}'")
    return sorted(row["lookup_id"] for row in rows)


@prepared
def ada(world: World) -> None:
    """A world in which Ada is the only contact."""
    world.load([ADA])


@prepared
def crew(world: World) -> None:
    """Ada, and people; a test takes as many of them as it has cases."""
    world.load([ADA, *({"contact_id": each, "email": f"{each}@home.net"} for each in CREW)])


CREW = [f"P{number:02}" for number in range(20)]


# --- freshness -------------------------------------------------------------------------


NEVER = people.person("never looked up")


def test_who_was_never_looked_up_is_new(now: Standing) -> None:
    state = now.states()[NEVER]
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
    for each, (time_zone, bought_on, after_90_days) in cases.items():
        state = crew.states(at=tick(time_zone, bought_on + 90 * DAY))[each]
        assert state["freshness"] == after_90_days, cases[each]
        assert state["due_at"] == tick(time_zone, bought_on) + 90 * 24 * HOUR, cases[each]


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
        ages = {age * DAY + more for age in days for more in (-MOMENT, timedelta())}
        for age in sorted(ages):
            states = crew.states(at=START + age, policy=chosen)
            for each, (_, before, after) in lookups.items():
                state = states[each]
                expected = before if age < good_for[each] * DAY else after
                assert state["freshness"] == expected, (lookups[each], policy, age)
                assert state["due_at"] == START + good_for[each] * DAY
                assert state["last_lookup_id"] == ids[each]


RELEASED = people.person(
    "released", {0: {"state": "released", "outcome": "retriable", "reason": "rate_limited"}}
)


def test_a_lookup_that_was_released_is_tried_again(now: Standing) -> None:
    state = now.states()[RELEASED]
    assert (state["freshness"], state["last_lookup_id"]) == ("retry", "")
    assert (state["attempts"], state["last_attempt_at"]) == (1, START)


# --- trying again after failures -------------------------------------------------------

SECOND = timedelta(seconds=1)
FAILED: Row = {"state": "released", "outcome": "retriable", "reason": "timeout_exceeded"}


def failing(
    contact_id: str, *instants: datetime, day: int = 0, timeline: Timeline = people, **changes: Any
) -> str:
    """One failed look-up of a contact at each instant, each in a run of its own; its id."""
    timeline.source(person(contact_id))
    for at in instants:
        own = {"at": at, "run_id": f"run-of-{at.isoformat()}", **FAILED, **changes}
        timeline.look_up(contact_id, day, **own)
    return contact_id


def distance(
    standing: Standing, contact_id: str, last_failure: datetime, policy: Policy | None = None
) -> timedelta:
    """From the last failure to the next attempt; it is due then, and not a second before."""
    state = standing.states(at=last_failure, policy=policy)[contact_id]
    assert state["freshness"] == "retry"
    due_at = state["due_at"]
    for at, is_due in ((due_at - SECOND, False), (due_at, True)):
        assert (contact_id in standing.due(at=at, policy=policy)) == is_due, (contact_id, at)
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


OF_THE_ITEM = [
    failing(f"failed by {reason}", START, timeline=judged, reason=reason)
    for reason in ("duplicate_query", "timeout_exceeded")
]


def test_after_a_failure_of_the_item_it_is_due_after_an_hour(judged_on_day: OnDay) -> None:
    world = judged_on_day(0)
    standing = Standing(world)
    for each in OF_THE_ITEM:
        assert distance(standing, each, START) == HOUR, each
        row = world.only("enrichment.contact_status", f"contact_id = '{each}'")
        assert (row["status"], row["freshness"]) == ("queued", "retry"), each
        assert row["next_lookup_at"] == START + HOUR, each


OF_NOBODY = [
    failing(f"released for {reason}", *(START + n * HOUR for n in range(20)), reason=reason)
    for reason in (
        *("out_of_credits", "wrong_key", "not_allowed", "no_such_endpoint", "not_acceptable"),
        *("wrong_parameters", "not_sent", "rate_limited", "never_sent", "asked_again", None),
    )
]


def test_what_was_not_the_persons_fault_is_due_again_at_once(now: Standing) -> None:
    at = START + 19 * HOUR
    for each in OF_NOBODY:
        assert now.states(at=at)[each]["freshness"] == "retry", each
        assert each in now.due(at=at), each


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


ONCE = failing("failed once", START)
TWICE = failing("failed twice", START, START + DAY)


def test_after_the_most_attempts_it_is_the_longest_distance_and_never_the_end(
    now: Standing,
) -> None:
    policy = Policy.model_validate({"retry": {"max_attempts": 2, "longest_days": 30}})
    assert distance(now, ONCE, START, policy) == HOUR
    assert distance(now, TWICE, START + DAY, policy) == 30 * DAY


THRICE_IN_A_RUN = people.person("failed thrice in a run")
for minute in range(3):
    people.look_up(THRICE_IN_A_RUN, 0, at=START + minute * timedelta(minutes=1), **FAILED)


def test_the_further_tries_of_one_run_are_one_attempt(now: Standing) -> None:
    assert distance(now, THRICE_IN_A_RUN, START + timedelta(minutes=2)) == HOUR


THEN_OUT_OF_CREDITS = failing("failed, then out of credits", START, START + DAY)
failing(THEN_OUT_OF_CREDITS, START + DAY + HOUR, reason="out_of_credits")


def test_a_release_that_is_nobodys_fault_neither_counts_nor_forgives(now: Standing) -> None:
    assert distance(now, THEN_OUT_OF_CREDITS, START + DAY) == 2 * HOUR


FIVE_DAYS = [START + n * DAY for n in range(5)]
THEN_ANSWERED = failing("failed, then answered", *FIVE_DAYS)
people.look_up(THEN_ANSWERED, 0, at=START + 5 * DAY, candidate=VERIFIED)
AND_FAILED_AGAIN = failing("failed, answered, failed", *FIVE_DAYS)
people.look_up(AND_FAILED_AGAIN, 0, at=START + 5 * DAY, candidate=VERIFIED)
failing(AND_FAILED_AGAIN, START + 95 * DAY)


def test_an_answer_ends_the_row_of_failures(now: Standing) -> None:
    due_at = START + 95 * DAY
    assert now.states(at=due_at)[THEN_ANSWERED]["freshness"] == "stale"
    dues = [THEN_ANSWERED in now.due(at=at) for at in (due_at - SECOND, due_at)]
    assert dues == [False, True]
    assert distance(now, AND_FAILED_AGAIN, due_at) == HOUR


FAILED_REFRESH = people.person("failed refresh", {0: {"candidate": VERIFIED}})
failing(FAILED_REFRESH, START + 5 * DAY)


def test_a_failed_refresh_is_never_due_before_the_answers_own_age(now: Standing) -> None:
    state = now.states(at=START + 5 * DAY)[FAILED_REFRESH]
    assert (state["freshness"], state["due_at"]) == ("fresh", START + 90 * DAY)


ASKED_AGAIN, FAILED_SINCE = ("asked again", "asked again, then failed")
for each in (ASKED_AGAIN, FAILED_SINCE):
    failing(each, *FIVE_DAYS)
    people.look_up(each, 0, at=START + 5 * DAY, state="unconfirmed")
failing(FAILED_SINCE, START + 5 * DAY + HOUR, day=1)


@people.step(1)
def ask_again(world: World) -> None:
    for each in (ASKED_AGAIN, FAILED_SINCE):
        last = lookup_ids(world, each)[-1]
        world.settle(last, state="released", outcome="retriable", reason="asked_again")


def test_a_persons_word_to_ask_again_makes_up_for_the_failures_before_it(
    before: Standing, now: Standing
) -> None:
    at = START + 5 * DAY
    assert ASKED_AGAIN not in before.due(at=at)
    assert ASKED_AGAIN in now.due(at=at)
    assert distance(now, FAILED_SINCE, at + HOUR) == HOUR


def test_a_distance_is_the_same_when_the_clocks_are_changed(crew: World) -> None:
    # Europe's and America's changes; hours are hours, in UTC
    days = [(2026, 3, 29), (2026, 10, 25), (2026, 3, 8), (2026, 11, 1)]
    last = [datetime(*day, 0, 30, tzinfo=UTC) for day in days]
    six = {each: [at - n * DAY for n in range(6)] for each, at in zip(CREW, last, strict=False)}
    eight = {
        each: [*(at - n * DAY for n in range(6)), at + HOUR, at + 2 * HOUR]
        for each, at in zip(CREW[10:], last, strict=False)
    }
    crew.look_up_each(
        (each, {**FAILED, "at": at, "run_id": f"run-of-{at.isoformat()}"})
        for each, instants in (six | eight).items()
        for at in instants
    )
    states = crew.states(at=max(last))
    found = {each: states[each]["due_at"] - max(at) for each, at in (six | eight).items()}
    assert found == dict.fromkeys(six, 32 * HOUR) | dict.fromkeys(eight, 7 * DAY)


def test_who_is_put_off_waits_for_nobody_else(now: Standing) -> None:
    assert ONCE not in now.due()
    assert NEVER in now.due()


RELEASED_LATER = people.person("released later", {0: {"candidate": VERIFIED}})
people.look_up(RELEASED_LATER, 0, at=START + 91 * DAY, state="released")


def test_a_release_does_not_make_a_fresh_answer_due(now: Standing) -> None:
    assert now.states(at=START + 5 * DAY)[RELEASED_LATER]["freshness"] == "fresh"
    late = now.states(at=START + 91 * DAY)[RELEASED_LATER]
    answered = lookup_ids(now.world, RELEASED_LATER)[0]
    assert (late["freshness"], late["last_lookup_id"]) == ("retry", answered)


ANSWERED_LATER = people.person("answered later", {0: {"state": "released"}})
people.look_up(ANSWERED_LATER, 0, at=START + DAY, candidate=VERIFIED)


def test_an_answer_after_a_release_counts(now: Standing) -> None:
    assert now.states(at=START + 5 * DAY)[ANSWERED_LATER]["freshness"] == "fresh"
    assert now.states(at=START + 91 * DAY)[ANSWERED_LATER]["freshness"] == "stale"
    assert now.states()[ANSWERED_LATER]["attempts"] == 2


REFRESHED = people.person("refreshed", {0: {"candidate": VERIFIED}})
people.look_up(REFRESHED, 0, at=START + 90 * DAY, candidate=VERIFIED)


def test_the_lookup_that_nothing_supersedes_counts(now: Standing) -> None:
    state = now.states(at=START + 91 * DAY)[REFRESHED]
    second = lookup_ids(now.world, REFRESHED)[-1]
    assert (state["freshness"], state["last_lookup_id"]) == ("fresh", second)


OF_ONE_INSTANT = people.person("thrice at one instant", {0: {"candidate": VERIFIED}})
people.look_up(OF_ONE_INSTANT, 0, outcome="no_match")
people.look_up(OF_ONE_INSTANT, 0, state="released")


def test_of_lookups_from_one_instant_the_one_that_supersedes_counts(now: Standing) -> None:
    _, second, third = lookup_ids(now.world, OF_ONE_INSTANT)
    assert third not in (state := now.states()[OF_ONE_INSTANT]).values()
    assert (state["last_lookup_id"], state["last_outcome"]) == (second, "no_match")


OPEN = people.person("open", {0: {"state": "open"}})


def test_an_open_lookup_is_in_flight(now: Standing) -> None:
    assert now.states(at=YEAR_LATER)[OPEN]["freshness"] == "in_flight"


OPEN_AGAIN = people.person("open again", {0: {"candidate": VERIFIED}})
people.look_up(OPEN_AGAIN, 0, at=START + 91 * DAY, state="open")


def test_a_refresh_in_flight_hides_what_it_supersedes(now: Standing) -> None:
    assert now.states(at=START + 91 * DAY)[OPEN_AGAIN]["freshness"] == "in_flight"


ANSWERED_LATE = people.person("answered late", {0: {"state": "unconfirmed"}})


@people.step(1)
def answer_late(world: World) -> None:
    (lookup_id,) = lookup_ids(world, ANSWERED_LATE)
    answered = {"outcome": "matched", "answered_at": START + 40 * DAY}
    world.settle(lookup_id, state="answered", **answered)


def test_an_unconfirmed_lookup_that_was_answered_late_is_fresh(
    before: Standing, now: Standing
) -> None:
    assert before.states()[ANSWERED_LATE]["freshness"] == "in_flight"
    assert now.states(at=START + 91 * DAY)[ANSWERED_LATE]["freshness"] == "fresh"
    assert now.states(at=YEAR_LATER)[ANSWERED_LATE]["freshness"] == "stale"


FOR_GOOD = {"refused": "fresh", "legal_stop": "suppressed"}
for each in FOR_GOOD:
    people.person(f"ended by {each}", {0: {"outcome": each}})


def test_what_was_refused_for_good_is_never_asked_again(now: Standing) -> None:
    states = now.states(at=START + 3650 * DAY)
    for outcome, stays in FOR_GOOD.items():
        state = states[f"ended by {outcome}"]
        assert (state["freshness"], state["due_at"]) == (stays, None), outcome


def becomes_another(contact_id: str) -> str:
    """On day 1 the contact is another person, by every identifier."""
    mail = person(f"bob of {contact_id}")["email"]
    people.source({**BOB, "contact_id": contact_id, "email": mail}, day=1)
    return contact_id


STOPPED_BEFORE = people.person("stopped before", {0: {"outcome": "legal_stop"}})
becomes_another(STOPPED_BEFORE)


def test_a_changed_identity_is_new_whatever_was_said_of_the_old_one(
    before: Standing, now: Standing
) -> None:
    assert before.states()[STOPPED_BEFORE]["freshness"] == "suppressed"
    state = now.states(at=START + 5 * DAY)[STOPPED_BEFORE]
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
for lookup, days, reason in REASONS:
    made = None if lookup is None else {0: {"at": YEAR_LATER - days * DAY, **lookup}}
    people.person(f"reason {reason}", made)


def test_the_reason_stands_beside_the_freshness(now: Standing) -> None:
    states = now.states(at=YEAR_LATER)
    for lookup, days, reason in REASONS:
        assert states[f"reason {reason}"]["freshness_reason"] == reason, (lookup, days)


CHANGED = people.person("changed", {0: {"candidate": VERIFIED}})
people.source({**person(CHANGED), "contact_id": "who it was"}, day=1)
becomes_another(CHANGED)


def test_a_changed_identity_is_told_from_a_contact_that_was_never_looked_up(
    now: Standing,
) -> None:
    states = now.states(at=START + 5 * DAY)
    assert states[CHANGED]["freshness_reason"] == "identity_changed"
    assert states["who it was"]["freshness_reason"] == "answer_is_recent"


UNUSABLE: list[Row] = [
    {},
    {"full_name": "Una Sable"},
    {"email": "info@acme.com"},
    {"phone": "n/a", "email": "broken"},
    {"full_name": "Una Sable", "company_domain": "sable.com"},
]
for number, columns in enumerate(UNUSABLE):
    people.source({"contact_id": f"unusable {number}", **columns})


def test_who_cannot_be_asked_for_is_unusable(now: Standing) -> None:
    for number, columns in enumerate(UNUSABLE):
        state = now.states()[f"unusable {number}"]
        assert (state["freshness"], state["lookup_identity"]) == ("unusable", None), columns


ONE_OF_TWO = people.person("one of two contacts")
TWO_OF_TWO = people.source(
    {**person(ONE_OF_TWO), "contact_id": "two of two contacts", "linkedin_url": ""}
)
people.look_up(TWO_OF_TWO, 0, candidate=VERIFIED)


def test_one_answer_serves_every_contact_of_the_person(now: Standing) -> None:
    found = {each: now.states()[each]["freshness"] for each in (ONE_OF_TWO, NEVER, TWO_OF_TWO)}
    assert found == {ONE_OF_TWO: "fresh", NEVER: "new", TWO_OF_TWO: "fresh"}


GONE = people.person("gone")
people.leave(GONE, day=1)


def test_who_left_the_source_stands_nowhere(before: Standing, now: Standing) -> None:
    assert GONE in before.states()
    assert GONE not in now.states()


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


for number, said in enumerate(LEFT_OPEN):
    people.person(f"left open {number}", {0: said})


def test_what_one_provider_leaves_open_is_new_to_another(now: Standing) -> None:
    states = now.states(provider=OTHER)
    for number, said in enumerate(LEFT_OPEN):
        state = states[f"left open {number}"]
        assert (state["freshness_reason"], state["last_lookup_id"]) == ("never_looked_up", ""), said
        assert (state["is_due"], state["due_at"]) == (True, START), said


OWN: list[Row | None] = [None, {"candidate": VERIFIED}, {"outcome": "legal_stop"}, *LEFT_OPEN]
ALSO_ELSEWHERE = [
    people.person(
        f"elsewhere {number} {place}",
        {**({} if own is None else {0: own}), 1: {**other, "provider": OTHER, "at": START}},
    )
    for number, own in enumerate(OWN)
    for place, other in enumerate(LEFT_OPEN)
]


def test_what_another_provider_leaves_open_changes_nothing_with_the_one_asked(
    before: Standing, now: Standing
) -> None:
    for at in (START, START + 30 * DAY, START + 90 * DAY):
        expected, found = before.states(at=at), now.states(at=at)
        for each in ALSO_ELSEWHERE:
            # all that were made count as attempts, and the last of them is the last
            more = {"attempts": expected[each]["attempts"] + 1, "last_attempt_at": START}
            assert found[each] == expected[each] | more, (each, at)


ASKED_TWO = people.person("asked of two", {0: {"outcome": "no_match"}})
people.look_up(ASKED_TWO, 0, provider=OTHER, at=START + DAY, outcome="no_match")


def test_each_provider_has_a_look_up_that_stands(now: Standing) -> None:
    first, second = lookup_ids(now.world, ASKED_TWO)
    assert now.states()[ASKED_TWO]["last_lookup_id"] == first
    assert now.states(provider=OTHER)[ASKED_TWO]["last_lookup_id"] == second
    at = START + 30 * DAY
    found = [now.states(at=at, provider=name)[ASKED_TWO]["freshness"] for name in (FIRST, OTHER)]
    assert found == ["stale", "fresh"]


def test_failures_at_one_provider_do_not_delay_an_attempt_at_another(
    ada: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = (reading_of(), replace(reading_of(), provider=OTHER))
    monkeypatch.setattr(common_profile, "readings", lambda: both)
    set_vocabulary(ada.connection)
    at = START + 4 * DAY
    failed = [(FIRST, START + n * DAY) for n in range(5)] + [(OTHER, at)]
    ada.look_up_each(
        ("C1", {**FAILED, "at": each, "run_id": f"run-of-{each}", "provider": provider})
        for provider, each in failed
    )
    assert ada.states(at=at)["C1"]["due_at"] == at + 16 * HOUR
    assert ada.states(at=at, provider=OTHER)["C1"]["due_at"] == at + HOUR


STOPPED_ELSEWHERE: list[Row | None] = [None, {"candidate": VERIFIED}, {"outcome": "no_match"}]
for number, own in enumerate(STOPPED_ELSEWHERE):
    each = judged.person(f"stopped elsewhere {number}", None if own is None else {0: own})
    judged.look_up(each, 0, provider=OTHER, outcome="legal_stop")


def test_a_legal_stop_of_any_provider_ends_it_for_all(judged_on_day: OnDay) -> None:
    world = judged_on_day(0)
    states = world.states(at=START + 3650 * DAY)
    for number, own in enumerate(STOPPED_ELSEWHERE):
        each = f"stopped elsewhere {number}"
        state = states[each]
        assert (state["freshness_reason"], state["is_due"]) == ("legal_stop", False), own
        assert state["due_at"] is None, own
        assert world.status(each) == ("needs_review", "legal_stop"), own


ACCEPTED = judged.person("accepted", {0: {"candidate": VERIFIED}})


def test_while_an_accepted_answer_of_any_provider_is_recent_nothing_is_due(
    judged_on_day: OnDay,
) -> None:
    world, expires_at = judged_on_day(0), START + 90 * DAY
    for at in (START, expires_at - MOMENT):
        state = world.states(at=at, provider=OTHER)[ACCEPTED]
        assert (state["freshness_reason"], state["is_due"]) == ("answer_is_recent", False)
        assert state["due_at"] == expires_at
    state = world.states(at=expires_at, provider=OTHER)[ACCEPTED]
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


SOMEBODY_ELSES = judged.person("of somebody else", {0: {"candidate": NOT_OURS}})


def test_an_answer_that_is_somebody_elses_leaves_the_person_due_at_another_provider(
    judged_on_day: OnDay,
) -> None:
    world = judged_on_day(0)
    assert world.status(SOMEBODY_ELSES) == ("needs_review", "identity_mismatch")
    assert world.states()[SOMEBODY_ELSES]["freshness"] == "fresh"
    assert world.states(provider=OTHER)[SOMEBODY_ELSES]["is_due"]


people.person(SOMEBODY_ELSES, {0: {"candidate": NOT_OURS}})


def test_an_answer_that_is_not_judged_yet_is_waited_for(
    now: Standing, judged_on_day: OnDay
) -> None:
    assert not now.states(provider=OTHER)[SOMEBODY_ELSES]["is_due"]
    assert judged_on_day(0).states(provider=OTHER)[SOMEBODY_ELSES]["is_due"]


def test_an_answer_that_was_undone_holds_nothing_back_elsewhere(ada: World) -> None:
    ada.look_up("C1", candidate=VERIFIED)
    ada.derive_facts()
    ada.undo("run-1")
    assert ada.states()["C1"]["freshness"] == "fresh"
    assert ada.states(provider=OTHER)["C1"]["is_due"]


judged.source({**person(ACCEPTED), "contact_id": "other name", "full_name": "Somebody Else"})


def test_of_two_contacts_of_a_person_each_waits_for_its_own_accepted_answer(
    judged_on_day: OnDay,
) -> None:
    world = judged_on_day(0)
    assert world.persons()[ACCEPTED] == world.persons()["other name"]
    states = world.states(provider=OTHER)
    dues = {each: states[each]["is_due"] for each in (ACCEPTED, "other name")}
    assert dues == {ACCEPTED: False, "other name": True}


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


def test_the_tables_tell_the_spread_and_the_limit_apart(judged_on_day: OnDay) -> None:
    world, of_contact = judged_on_day(0, SPREAD), f"contact_id = '{ACCEPTED}'"
    row = world.only("enrichment.enriched_contacts", of_contact)
    assert row["expires_at"] == START + 90 * DAY
    due_at = world.states(policy=SPREAD)[ACCEPTED]["due_at"]
    assert START + 80 * DAY <= due_at < START + 90 * DAY
    assert world.only("enrichment.contact_status", of_contact)["next_lookup_at"] == due_at


def test_an_age_that_the_policy_changes_moves_the_expiry_alone(judged_on_day: OnDay) -> None:
    policy = Policy.model_validate({"freshness": {"max_age_days": 60}})
    earlier, later = (
        world.only("enrichment.enriched_contacts", f"contact_id = '{ACCEPTED}'")
        for world in (judged_on_day(0), judged_on_day(0, policy))
    )
    assert (earlier.pop("expires_at"), later.pop("expires_at")) == (
        START + 90 * DAY,
        START + 60 * DAY,
    )
    assert later == earlier


# --- by what a person is looked up -----------------------------------------------------


BEST = [
    (
        {"linkedin_url": "linkedin.com/in/Best", "email": "a@best.com", "phone": "+4930901820"},
        "linkedin",
        "https://www.linkedin.com/in/best",
    ),
    ({"linkedin_url": "linkedin.com/company/x", "email": "B@best.com"}, "email", "b@best.com"),
    ({"email": "info@best.com", "phone": "+49 30 901821"}, "phone", "+4930901821"),
    (
        {"linkedin_url": "linkedin.com/in/josé"},
        "linkedin",
        "https://www.linkedin.com/in/jos%C3%A9",
    ),
]
for number, (columns, *_) in enumerate(BEST):
    people.source({"contact_id": f"best {number}", **columns})


def test_the_best_identifier_is_asked_for(now: Standing) -> None:
    for number, (columns, kind, identity) in enumerate(BEST):
        state = now.states()[f"best {number}"]
        assert (state["identity_kind"], state["lookup_identity"]) == (kind, identity), columns


WHOLE = people.person("whole", full_name="Wanda Whole", company_domain="whole.com")
BY_MAIL = people.source(
    {**person(WHOLE), "contact_id": "by mail", "full_name": "Wanda Whole", "linkedin_url": ""}
)
BY_NAME = people.source(
    {"contact_id": "by name", "full_name": "Wanda Whole", "company_domain": "whole.com"}
)


def test_a_person_is_asked_for_by_the_best_of_all_contacts_identifiers(now: Standing) -> None:
    identities = {now.states()[each]["lookup_identity"] for each in (WHOLE, BY_MAIL, BY_NAME)}
    assert identities == {person(WHOLE)["linkedin_url"]}


LATE_CLAIM = people.person("late claim", full_name="Bob Other", linkedin_url="")
# the profile stays its owner's, though another contact names it now
people.source(
    person(LATE_CLAIM, full_name="Bob Other", linkedin_url=person(NEVER)["linkedin_url"]), day=1
)


def test_nobody_is_asked_for_by_what_is_somebody_elses(now: Standing) -> None:
    assert now.states()[LATE_CLAIM]["lookup_identity"] == person(LATE_CLAIM)["email"]


for name in ("Ada Example", "Bob Other"):
    people.source({"contact_id": f"shares {name}", "full_name": name, "email": "both@x.com"})


def test_nobody_is_asked_for_by_what_is_shared(now: Standing) -> None:
    for name in ("Ada Example", "Bob Other"):
        assert now.states()[f"shares {name}"]["lookup_identity"] is None


# --- priority --------------------------------------------------------------------------

FIGURES = {"open_pipeline": "1000000", "annual_revenue": "1e9", "employee_count": "1000"}


def at_account(account_id: str, **columns: str) -> str:
    """A contact of an account of that id; its own id."""
    people.account({"account_id": account_id, **columns})
    return people.source({"contact_id": f"at {account_id}", "account_id": account_id})


def priority(
    standing: Standing, contact_id: str, policy: Policy | None = None
) -> tuple[str, float]:
    state = standing.states(policy=policy)[contact_id]
    return state["priority"], state["priority_score"]


TIERS = ("strategic", "target", "standard", "bulk")
OF_TIERS = {
    at_account(f"{tier} {bool(figures)}", tier=tier, **figures): tier
    for tier in TIERS
    for figures in ({}, FIGURES)
}


def test_a_tier_decides_whatever_the_figures_say(now: Standing) -> None:
    for each, tier in OF_TIERS.items():
        assert priority(now, each)[0] == tier, each


ALL_FIGURES = at_account("with all figures", **FIGURES)
ONE_FIGURE = at_account("with one figure", tier="target", open_pipeline="999")
NO_FIGURE = at_account("with none")


def test_a_figure_counts_a_hundred_for_each_power_of_ten(now: Standing) -> None:
    expected = ("target", pytest.approx(600 + 900 + 300, abs=0.1))
    assert priority(now, ALL_FIGURES) == expected
    assert priority(now, ONE_FIGURE)[1] == pytest.approx(2300)
    assert priority(now, NO_FIGURE) == ("bulk", 0)


# 9 and 1 make 10: one power of ten, and so 100 times its weight
NINE_HEADS = at_account("nine heads", employee_count="9")


def test_without_a_tier_the_score_decides(now: Standing) -> None:
    bands = {299: "bulk", 300: "standard", 999: "standard", 1000: "target", 2000: "strategic"}
    for score, band in bands.items():
        weights = {"employee_count": score / 100}
        policy = Policy.model_validate({"priority": {"weights": weights}})
        assert priority(now, NINE_HEADS, policy) == (band, pytest.approx(score))


GOLD = at_account("gold", tier="gold", **FIGURES)


def test_a_tier_that_no_band_is_named_after_leaves_it_to_the_score(now: Standing) -> None:
    assert priority(now, GOLD) == ("target", pytest.approx(1800, abs=0.1))


def test_the_bands_are_the_policys(now: Standing) -> None:
    policy = Policy.model_validate(
        {"priority": {"bands": {"strategic": 0.0, "target": 0.0, "standard": 0.0}}}
    )
    assert priority(now, NO_FIGURE, policy)[0] == "strategic"


SENSELESS = [
    at_account(f"figure {each}", annual_revenue=each, open_pipeline=each)
    for each in ("nan", "inf", "-5", "many")
]


def test_a_figure_that_makes_no_sense_counts_nothing(now: Standing) -> None:
    for each in SENSELESS:
        assert priority(now, each) == ("bulk", 0), each


WITHOUT_ACCOUNT = [
    people.source({"contact_id": "of no account"}),
    people.source({"contact_id": "of an unknown account", "account_id": "A404"}),
]


def test_contacts_without_a_known_account_come_last(now: Standing) -> None:
    known = priority(now, NO_FIGURE)
    for each in WITHOUT_ACCOUNT:
        band, score = priority(now, each)
        assert band == known[0] == "bulk", each
        assert score < known[1], each


def test_an_account_that_left_counts_no_more(world: World) -> None:
    rows = [{**ADA, "account_id": "A1"}]
    world.load(rows, [{"account_id": "A1", "tier": "strategic"}, {"account_id": "A2"}])
    world.load(rows, [{"account_id": "A2"}])
    assert world.states()["C1"]["priority"] == "bulk"
