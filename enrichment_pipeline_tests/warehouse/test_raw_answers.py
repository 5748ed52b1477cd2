"""Taking over the ledger's look-ups and raw replies: a copy, and one answer for each look-up."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from enrichment_pipeline.ledger.admission import Admitted, Candidate
from enrichment_pipeline.ledger.journal import Settlement
from enrichment_pipeline.ledger.store import open_store
from enrichment_pipeline.warehouse import raw_answers
from enrichment_pipeline_tests.databases import migrated_sqlite
from enrichment_pipeline_tests.ledger import MISSED, Ledger, limits_of, reply, settle_all
from enrichment_pipeline_tests.support import START, MovingClock
from enrichment_pipeline_tests.warehouse import ADA, BOB, DAY, World, candidate, contents
from enrichment_pipeline_tests.warehouse.prepared import prepared

LIMITS = limits_of(items_per_window=1000)


@pytest.fixture
def clock() -> MovingClock:
    return MovingClock()


@pytest.fixture
def ledger(tmp_path: Path, clock: MovingClock) -> Any:
    store = open_store(migrated_sqlite(tmp_path / "ledger.sqlite"))
    yield Ledger(store, "signalhire", LIMITS, clock)  # type: ignore[arg-type]
    store.close()


def reserve(ledger: Ledger, world: World, *contact_ids: str) -> Admitted:
    persons = world.persons()
    decision = ledger.admit(
        [Candidate(persons[each], each, each, "email", "new", "bulk") for each in contact_ids],
        "run-1",
    )
    assert isinstance(decision, Admitted)
    return decision


def copy(ledger: Ledger, world: World) -> int:
    since = raw_answers.last_revision(world.connection)
    return raw_answers.merge_lookups(world.connection, ledger.changed_lookups(since))


# --- with a real ledger ----------------------------------------------------------------


def test_the_copy_follows_the_ledger(world: World, ledger: Ledger) -> None:
    world.load([ADA, BOB])
    assert raw_answers.last_revision(world.connection) == 0
    batch = reserve(ledger, world, "C1", "C2")
    assert copy(ledger, world) == 2
    assert {row["state"] for row in world.rows("raw.lookups")} == {"open"}
    ledger.mark_sent(batch.request_id)
    assert copy(ledger, world) == 0
    settle_all(ledger, batch, MISSED, reply(ledger, batch))
    assert copy(ledger, world) == 2
    assert {row["state"] for row in world.rows("raw.lookups")} == {"answered"}
    before = contents(world.connection)
    assert copy(ledger, world) == 0
    assert contents(world.connection) == before


def test_what_was_answered_comes_with_its_answer(
    world: World, ledger: Ledger, clock: MovingClock
) -> None:
    world.load([ADA, BOB])
    batch = reserve(ledger, world, "C1", "C2")
    ledger.mark_sent(batch.request_id)
    clock.advance(seconds=3)
    # the provider answers in another order than it was asked in
    reply = [
        {"item": "C2", "status": "failed"},
        {"item": "C1", "status": "success", "candidate": candidate()},
    ]
    reply_id = ledger.record_reply(
        batch.request_id, http_status=200, body=json.dumps(reply).encode(), credits_left=5
    )
    by_contact = {each.candidate.contact_id: each.call_id for each in batch.calls}
    ledger.settle(
        {
            by_contact["C1"]: Settlement("replied", "matched", None, 1, 1),
            by_contact["C2"]: Settlement("replied", "no_match", None, 0, 0),
        },
        reply_id=reply_id,
    )
    copy(ledger, world)
    assert raw_answers.insert_responses(world.connection, ledger.reply_bodies) == 2
    found = {row["lookup_id"]: row for row in world.rows("raw.provider_responses")}
    mine = found[by_contact["C1"]]
    assert (mine["outcome"], mine["item"], mine["run_id"]) == ("matched", "C1", "run-1")
    assert (mine["person_key"], mine["provider"]) == (world.persons()["C1"], "signalhire")
    assert mine["answered_at"] == START + timedelta(seconds=3)
    assert json.loads(mine["answer"]) == reply[1]
    assert json.loads(found[by_contact["C2"]]["answer"]) == reply[0]

    assert raw_answers.insert_responses(world.connection, ledger.reply_bodies) == 0
    lookup = world.only("raw.lookups", "contact_id = 'C1'")
    assert (lookup["state"], lookup["credits_charged"]) == ("answered", 1)


def test_what_is_applied_is_answered_to_a_reader(world: World, ledger: Ledger) -> None:
    world.load([ADA])
    batch = reserve(ledger, world, "C1")
    ledger.mark_sent(batch.request_id)
    (lookup,) = batch.calls
    reply_id = ledger.record_reply(batch.request_id, http_status=200, body=b"[{}]", credits_left=1)
    ledger.settle(
        {lookup.call_id: Settlement("replied", "no_match", None, 0, 0)}, reply_id=reply_id
    )
    copy(ledger, world)
    before = world.rows("raw.lookups")
    assert ledger.mark_applied([lookup.call_id]) == 1
    copy(ledger, world)
    assert world.rows("raw.lookups") == before
    assert before[0]["state"] == "answered"


def test_a_release_is_copied_too(world: World, ledger: Ledger) -> None:
    world.load([ADA])
    batch = reserve(ledger, world, "C1")
    (lookup,) = batch.calls
    ledger.settle({lookup.call_id: Settlement("released", "retriable", "never_sent")})
    copy(ledger, world)
    row = world.only("raw.lookups")
    assert (row["state"], row["reason"], row["reply_id"]) == ("released", "never_sent", None)
    assert raw_answers.insert_responses(world.connection, ledger.reply_bodies) == 0


# --- by hand ---------------------------------------------------------------------------


@prepared
def ada(world: World) -> None:
    world.load([ADA])


def answer_of(world: World) -> Any:
    text = world.only("raw.provider_responses")["answer"]
    return None if text is None else json.loads(text)


def test_an_older_page_does_not_undo_a_newer_one(ada: World) -> None:
    lookup_id = ada.look_up("C1", state="open")
    old = dict(ada._rows[lookup_id])
    ada.settle(lookup_id, state="unconfirmed")
    ada._rows[lookup_id] = old
    assert ada.copy_lookups() == 0
    assert ada.only("raw.lookups")["state"] == "unconfirmed"


def test_more_replies_than_a_page_are_all_cut(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(raw_answers, "REPLIES_PER_PAGE", 2)
    world.load(
        {**ADA, "contact_id": f"C{n}", "email": "", "linkedin_url": f"linkedin.com/in/{n}"}
        for n in range(5)
    )
    monkeypatch.setattr(world, "copy_responses", lambda: 0)
    for n in range(5):
        world.look_up(f"C{n}", candidate=candidate(f"Person {n}"))
    monkeypatch.undo()
    assert world.copy_responses() == 5
    names = [
        json.loads(row["answer"])["candidate"]["fullName"]
        for row in world.rows("raw.provider_responses")
    ]
    assert names == [f"Person {n}" for n in range(5)]


def test_a_lookup_that_is_settled_later_by_the_same_reply_doubles_nothing(world: World) -> None:
    world.load([ADA, BOB])
    first = world.look_up("C1", candidate=candidate())
    second = world.look_up("C2", state="open")
    reply_id = world.only("raw.lookups", "contact_id = 'C1'")["reply_id"]
    world.settle(second, state="answered", outcome="matched", reply_id=reply_id, answer_index=2)
    answers_by_id = [
        (row["lookup_id"], json.loads(row["answer"])["candidate"]["fullName"])
        for row in world.rows("raw.provider_responses")
    ]
    assert answers_by_id == [(first, "Ada Example"), (second, "Not Ours")]


def test_a_reply_that_cannot_be_found_leaves_the_others_alone(world: World) -> None:
    world.load([ADA, BOB])
    world._bodies.clear()
    lookup_id = world.look_up("C1", candidate=candidate())
    world.connection.execute("delete from raw.provider_responses")
    world.look_up("C2", candidate=candidate())
    world.connection.execute("delete from raw.provider_responses")
    inserted = raw_answers.insert_responses(
        world.connection,
        lambda ids: [(each, world._bodies[each]) for each in ids if each != "reply-001"],
    )
    assert inserted == 1
    assert world.copy_responses() == 1
    assert lookup_id in {row["lookup_id"] for row in world.rows("raw.provider_responses")}


@pytest.mark.parametrize(
    "body", [b"<html>", b"", b"[1,", b'{"item": 1}', b"null", b'"text"', b"[{}]", b"\xff\xfe\x00"]
)
def test_a_body_without_the_answer_leaves_it_empty(ada: World, body: bytes) -> None:
    ada.look_up("C1", outcome="matched", body=body or b" ")
    assert answer_of(ada) is None
    before = contents(ada.connection)
    assert ada.copy_responses() == 0
    assert contents(ada.connection) == before


def reply_of(name: str) -> bytes:
    """A reply with this name, as it is escaped, and two more answers."""
    text = '[{"item": 0}, {"item": 1, "candidate": {"fullName": "%s"}}, {"item": 2}]'
    return (text % name).encode()


# One half of an emoji in one profile once cost all the answers of its reply.
@pytest.mark.parametrize(
    ("escaped", "name"),
    [
        (r"Ada \ud83d", "Ada \ufffd"),
        (r"\uDE80 Ada", "\ufffd Ada"),
        (r"\ud83d\ud83d\ude80", "\ufffd🚀"),
        (r"\ude80\ud83d", "\ufffd\ufffd"),
        (r"Ada \ud83d\ude80", "Ada 🚀"),
        (r"Ada \\ud83d", r"Ada \ud83d"),
        (r"Ada \\\ud83d", "Ada \\\ufffd"),
        (r"Ad\u00e1 \"\n\\", 'Adá "\n\\'),
        (r"Ada\u0000", "Ada\0"),
    ],
)
def test_half_a_surrogate_pair_costs_one_character(ada: World, escaped: str, name: str) -> None:
    ada.look_up("C1", outcome="matched", body=reply_of(escaped))
    assert answer_of(ada)["candidate"]["fullName"] == name


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_a_body_is_read_in_whichever_encoding_the_provider_layer_reads(
    ada: World, encoding: str
) -> None:
    body = reply_of("Adá").decode().encode(encoding)
    assert json.loads(body)[1]["candidate"]["fullName"] == "Adá"
    ada.look_up("C1", outcome="matched", body=body)
    assert answer_of(ada)["candidate"]["fullName"] == "Adá"


def test_bytes_that_are_no_text_cost_one_character(ada: World) -> None:
    ada.look_up("C1", outcome="matched", body=reply_of("Ad#").replace(b"#", b"\xe1"))
    assert answer_of(ada)["candidate"]["fullName"] == "Ad\ufffd"


def test_what_is_open_or_released_has_no_response(ada: World) -> None:
    for state in ("released", "open"):
        ada.look_up("C1", state=state, at=START + DAY)
    assert ada.rows("raw.provider_responses") == []
