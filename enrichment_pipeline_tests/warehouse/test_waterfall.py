"""Whose turn it is: who is asked about a contact next, by what, and where that leaves it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from enrichment_pipeline.lanes import FRESHNESS, PRIORITIES, LaneBlock
from enrichment_pipeline.policy import Policy
from enrichment_pipeline.warehouse import common_profile
from enrichment_pipeline.warehouse.connection import transaction
from enrichment_pipeline.warehouse.states import derive_contact_states
from enrichment_pipeline.warehouse.worklist import select_worklist
from enrichment_pipeline.waterfall import EVERY_IDENTIFIER, Turn
from enrichment_pipeline_tests.support import START
from enrichment_pipeline_tests.warehouse import (
    DAY,
    FIRST,
    VERIFIED,
    Row,
    World,
    candidate,
    reading_of,
)
from enrichment_pipeline_tests.warehouse.prepared import prepared

OTHER = "other"
"""The second to be asked; its answers have the first one's shape."""
LAST = "last"
"""A third, which never verifies anything."""
TURNS = tuple(Turn(name, EVERY_IDENTIFIER) for name in (FIRST, OTHER))
LANES = LaneBlock(FRESHNESS, PRIORITIES).lanes
LIKELY = candidate(emails=[("ada@acme.com", 70, "work")])
NOT_OURS = candidate("Somebody Else", emails=[("else@acme.com", 100, "work")])


@pytest.fixture(autouse=True)
def all_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    reading = reading_of()
    others = (replace(reading, provider=OTHER), replace(reading, provider=LAST, verified=()))
    monkeypatch.setattr(common_profile, "readings", lambda: (reading, *others))


def due(
    world: World, turns: Iterable[Turn] = TURNS, *, at: datetime = START, passed_over: Any = ()
) -> dict[str, list[str]]:
    """By provider, the contacts that are due there."""
    waterfall = tuple(turns)
    found = {}
    for turn in waterfall:
        derive_contact_states(
            *(world.connection, world.policy, waterfall, at), turn=turn, passed_over=passed_over
        )
        rows = world.rows("contact_states", "is_due")
        found[turn.provider] = sorted(row["contact_id"] for row in rows)
    return found


# --- whose turn it is --------------------------------------------------------------------

FAILED: Row = {"state": "released", "reason": "http_503"}
OPEN: Row = {"state": "open"}
UNCONFIRMED: Row = {"state": "unconfirmed", "reason": "no_reply"}
MISS: Row = {"outcome": "no_match"}
REFUSED: Row = {"outcome": "refused"}
STOPPED: Row = {"outcome": "legal_stop"}
FOUND: Row = {"candidate": VERIFIED}
DOUBTFUL: Row = {"candidate": LIKELY}
WAITING = ("queued", "waiting_for_provider")

CASES: list[tuple[Row | None, Row | None, str | None, tuple[str, str | None]]] = [
    # what the first and the second have said, whose turn it is, and what the contact is
    (None, None, FIRST, ("queued", None)),
    (OPEN, None, None, ("in_flight", None)),
    (FAILED, None, FIRST, ("queued", None)),
    (FOUND, None, None, ("enriched", None)),
    (MISS, None, OTHER, WAITING),
    (DOUBTFUL, None, OTHER, WAITING),
    (REFUSED, None, OTHER, WAITING),
    (UNCONFIRMED, None, OTHER, WAITING),
    ({"candidate": NOT_OURS}, None, OTHER, WAITING),
    (STOPPED, None, None, ("needs_review", "legal_stop")),
    (MISS, FOUND, None, ("enriched", None)),
    (DOUBTFUL, FOUND, None, ("enriched", None)),
    (UNCONFIRMED, FOUND, None, ("enriched", None)),
    (MISS, OPEN, None, ("in_flight", "waiting_for_provider")),
    (MISS, FAILED, OTHER, WAITING),
    (MISS, MISS, None, ("needs_review", "no_match")),
    (MISS, DOUBTFUL, None, ("needs_review", "no_verified_email")),
    (DOUBTFUL, MISS, None, ("needs_review", "no_verified_email")),
    (MISS, UNCONFIRMED, None, ("needs_review", "lookup_unconfirmed")),
    (MISS, STOPPED, None, ("needs_review", "legal_stop")),
    # the first was passed over
    (FAILED, MISS, FIRST, WAITING),
    (FAILED, FOUND, None, ("enriched", None)),
]


@prepared
def crew(world: World) -> None:
    """One named contact for each case."""
    names = [f"P{number:02}" for number in range(len(CASES))]
    world.load(
        {"contact_id": each, "email": f"{each}@home.net", "full_name": "Ada Example"}
        for each in names
    )
    for provider, place in ((FIRST, 0), (OTHER, 1)):
        for each, case in zip(names, CASES, strict=True):
            given = case[place]
            if given is not None:
                own: Row = {
                    name: {**value, "uid": each} if name == "candidate" else value
                    for name, value in given.items()
                }
                world.look_up(each, provider=provider, at=START + place * DAY, **own)


def test_the_next_is_asked_for_whom_those_before_have_left_open(crew: World) -> None:
    crew.waterfall = TURNS
    crew.derive(at=START + 2 * DAY)
    found = due(crew, at=START + 2 * DAY)
    for number, (first, second, turn, status) in enumerate(CASES):
        each = f"P{number:02}"
        assert [name for name in found if each in found[name]] == ([turn] if turn else []), (
            first,
            second,
        )
        assert crew.status(each) == status, (first, second)
    reviews = {row["contact_id"] for row in crew.rows("enrichment.needs_review")}
    expected = {f"P{n:02}" for n, case in enumerate(CASES) if case[3][0] == "needs_review"}
    assert reviews == expected
    # whoever is not enough is shown all the same
    shown = {row["contact_id"] for row in crew.rows("enrichment.enriched_contacts")}
    assert f"P{CASES.index((DOUBTFUL, None, OTHER, WAITING)):02}" in shown


def test_one_that_is_passed_over_is_not_waited_for(crew: World) -> None:
    crew.derive_facts(at=START + 2 * DAY)
    held_up = {
        f"P{CASES.index((given, None, FIRST, ('queued', None))):02}" for given in (None, FAILED)
    }
    first, second = TURNS
    found = due(crew, at=START + 2 * DAY, passed_over=[FIRST])
    assert held_up <= set(found[FIRST])
    assert held_up <= set(found[OTHER])
    # an answer that is on its way is
    assert f"P{CASES.index((OPEN, None, None, ('in_flight', None))):02}" not in found[OTHER]
    assert not held_up & set(due(crew, (second, first), at=START + 2 * DAY)[FIRST])


def test_the_work_list_has_what_is_due_at_each(crew: World) -> None:
    crew.derive_facts(at=START + 2 * DAY)
    with transaction(crew.connection):
        work = select_worklist(
            *(crew.connection, crew.policy, LANES),
            waterfall=TURNS,
            as_of=START + 2 * DAY,
            run_id="run-1",
        )
    listed = {(row["provider"], row["contact_id"]) for row in crew.rows("enrichment.worklist")}
    expected = {(case[2], f"P{number:02}") for number, case in enumerate(CASES) if case[2]}
    assert listed == expected
    assert work.lookups == len(expected)
    assert sum(counts.total() for counts in work.lookups_at.values()) == len(expected)


def test_when_answers_are_old_the_chain_begins_anew(crew: World) -> None:
    """Misses are asked for again after a month, by the first; a contact stays what it is."""
    later = START + 32 * DAY
    crew.waterfall = TURNS
    crew.derive(at=later)
    missed = f"P{CASES.index((MISS, MISS, None, ('needs_review', 'no_match'))):02}"
    found = due(crew, at=later)
    assert missed in found[FIRST]
    assert missed not in found[OTHER]
    assert crew.status(missed) == ("needs_review", "no_match")
    crew.look_up(missed, at=later, **MISS)
    crew.derive(at=later)
    assert missed in due(crew, at=later)[OTHER]
    assert crew.status(missed) == WAITING


# --- for whom ----------------------------------------------------------------------------


@prepared
def missed(world: World) -> None:
    """Ada, whom the first did not find, and what each provider could ask for her by."""
    world.load([ADA])
    world.look_up("C1", outcome="no_match")


ADA = {
    "contact_id": "C1",
    "full_name": "A. Example",
    "email": "ada@gmail.com",
    "linkedin_url": "https://www.linkedin.com/in/ada-example",
    "phone": "+49 30 901820",
    "company_name": "Acme",
}


def second(**changes: Any) -> tuple[Turn, Turn]:
    return (TURNS[0], replace(TURNS[1], **changes))


def test_a_provider_may_be_asked_for_some_priorities_only(missed: World) -> None:
    for priorities, expected in ((("bulk", "target"), ["C1"]), (("strategic",), [])):
        assert due(missed, second(priorities=priorities))[OTHER] == expected
    missed.waterfall = second(priorities=("strategic",))
    missed.derive()
    assert missed.status("C1") == ("needs_review", "no_match")


def test_one_that_never_verifies_is_asked_for_what_need_not_be_verified(missed: World) -> None:
    turns = (TURNS[0], Turn(LAST, EVERY_IDENTIFIER))
    for required, expected in (
        (["verified_email"], []),
        (["verified_email", "any_phone"], ["C1"]),
        (["likely_email"], ["C1"]),
    ):
        missed.policy = Policy.model_validate({"acceptance": {"require": required}})
        assert due(missed, turns)[LAST] == expected, required
    # nor where only what it cannot give is missing
    phone = candidate("A. Example", phones=[("+49 30 901820", 100, "work_phone")])
    missed.look_up("C1", candidate=phone, at=START + DAY)
    missed.policy = Policy.model_validate(
        {"acceptance": {"require": ["verified_email", "any_phone"]}}
    )
    missed.derive_facts(at=START + DAY)
    assert due(missed, turns, at=START + DAY)[LAST] == []


def test_whom_a_reviewer_has_settled_is_taken_to_no_further_provider(missed: World) -> None:
    missed.decide("C1", "replace", field="work_email", value="ada@acme.com")
    missed.waterfall = TURNS
    missed.derive()
    assert due(missed)[OTHER] == []
    assert missed.status("C1") == ("enriched", None)


# --- by what -----------------------------------------------------------------------------


def asked_by(world: World, *identities: str) -> tuple[str, str] | None:
    waterfall = second(identities=frozenset(identities))
    derive_contact_states(world.connection, world.policy, waterfall, START, turn=waterfall[1])
    row = world.only("contact_states", "contact_id = 'C1'")
    return (row["identity_kind"], row["lookup_identity"]) if row["is_due"] else None


def test_each_is_asked_by_the_best_that_it_takes(missed: World) -> None:
    assert asked_by(missed, "linkedin", "email", "phone") == ("linkedin", ADA["linkedin_url"])
    assert asked_by(missed, "email", "name") == ("email", "ada@gmail.com")
    assert asked_by(missed, "phone", "name") == ("phone", "+4930901820")
    assert asked_by(missed, "name") is None  # an initial with a family name names nobody
    assert asked_by(missed, "uid") is None


def test_who_was_not_found_has_the_answer_to_another_contact_that_bears_their_profile(
    world: World,
) -> None:
    """One human being under two identifiers, of whom the first knew neither."""
    profile = "https://www.linkedin.com/in/ada-example"
    said: dict[str, Row | None] = {
        "missed": MISS,
        "never asked": None,
        "failed": FAILED,
        "refused": REFUSED,
        "stopped": STOPPED,
        "open": OPEN,
        "unconfirmed": UNCONFIRMED,
        "found": DOUBTFUL,
    }
    world.waterfall = TURNS
    world.load(
        {"contact_id": f"{each} {place}", "full_name": "Ada Example", **identifier}
        for each in said
        for place, identifier in enumerate(
            (
                {"email": f"{each.replace(' ', '.')}@home.net"},
                {"linkedin_url": f"{profile}-{each.replace(' ', '-')}"},
            )
        )
    )
    for each, last in said.items():
        found = candidate(
            emails=[(f"{each.replace(' ', '.')}@acme.com", 100, "work")],
            social=[{"type": "li", "link": f"{profile}-{each.replace(' ', '-')}"}],
            uid=each,
        )
        world.look_up(f"{each} 0", **MISS)
        if last is not None:
            world.look_up(f"{each} 1", **last)
        world.look_up(f"{each} 0", provider=OTHER, candidate=found)
    world.derive()
    persons = world.persons()
    joined = {each for each in said if persons[f"{each} 0"] == persons[f"{each} 1"]}
    assert joined == {"missed", "never asked", "failed"}
    assert {world.status(f"{each} 1") for each in joined} == {("enriched", None)}
    assert not {f"{each} 1" for each in joined} & {*due(world)[FIRST], *due(world)[OTHER]}


def test_what_an_accepted_answer_taught_is_what_the_next_is_asked_by(world: World) -> None:
    """A profile, a fuller name and the company's domain; of a stranger's answer nothing."""
    world.load([{**ADA, "linkedin_url": "", "company_name": ""}])
    taught = candidate(
        "Ada Example",
        emails=[("a.example@acme.com", 70, "work")],
        social=[{"type": "li", "link": "https://www.linkedin.com/in/ada-at-acme"}],
        jobs=[{"position": "CTO", "company": "Acme", "website": "acme.com", "current": True}],
    )
    world.look_up("C1", candidate={**taught, "fullName": "Somebody Else"})
    world.derive_facts()
    assert asked_by(world, "linkedin", "email") == ("email", "ada@gmail.com")
    assert asked_by(world, "name") is None
    world.look_up("C1", candidate=taught)
    world.derive_facts()
    profile = "https://www.linkedin.com/in/ada-at-acme"
    assert asked_by(world, "linkedin", "email") == ("linkedin", profile)
    assert asked_by(world, "email") == ("email", "ada@gmail.com")
    assert asked_by(world, "name") == ("name", "Ada Example @ acme.com")
    # the first is asked as ever
    derive_contact_states(world.connection, world.policy, TURNS, START + 91 * DAY, turn=TURNS[0])
    assert world.only("contact_states")["lookup_identity"] == "ada@gmail.com"
