"""Entries in the ledger: recorded, settled, taken back; and their room beside runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from enrichment_pipeline.ledger import entries, kept, notifications, schema
from enrichment_pipeline.ledger.admission import Exhausted, NotDue
from enrichment_pipeline.ledger.copying import copy_to_file
from enrichment_pipeline.ledger.entries import (
    Entry,
    KeyReused,
    Posted,
    Repeated,
    RequestKey,
    Settled,
    StillAnswering,
)
from enrichment_pipeline.ledger.schema import entry_identifiers
from enrichment_pipeline.ledger.store import LedgerStore, opened
from enrichment_pipeline_tests.databases import sqlite_url
from enrichment_pipeline_tests.ledger import (
    Ledger,
    admitted,
    buy,
    candidate,
    count_rows,
    crowd,
    explained,
    send,
    waiting,
)
from enrichment_pipeline_tests.ledger.conftest import LedgerOf
from enrichment_pipeline_tests.support import MovingClock

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
URL = "https://hooks.example.com/contacts"
PERSON = "person:ada"
"""The person of `candidate("ada")`, which the helpers of the ledger's tests ask about."""
Do = Callable[..., Any]


@pytest.fixture
def do(store: LedgerStore) -> Do:
    """A step in a transaction of its own."""
    return lambda step, *given, **named: store.transact(
        lambda transaction: step(transaction, *given, **named)
    )


@pytest.fixture
def record(do: Do, clock: MovingClock) -> Do:
    def post(
        contact_id: str = "contact-ada",
        content: str = '{"email": "ada@crowd.example"}',
        *,
        url: str | None = None,
        request: RequestKey | None = None,
    ) -> Any:
        now = clock.now()
        return do(
            entries.record,
            Posted(contact_id, content, f"digest of {content}", url),
            request=request,
            now=now,
            due_at=now + HOUR,
            answering_until=now + 30 * SECOND,
        )

    return post


@pytest.fixture
def settle(do: Do, store: LedgerStore, clock: MovingClock) -> Do:
    def settle(
        entry: Entry,
        answer: str = "found",
        *,
        is_decided: bool = True,
        good_until: datetime | None = None,
    ) -> list[str]:
        return do(
            entries.settle,
            Settled(entry.contact_id, entry.version, answer, is_decided, good_until),
            as_of_revision=store.revision(),
            now=clock.now(),
        )

    return settle


def test_what_is_posted_is_kept_until_its_content_changes(
    record: Do, store: LedgerStore, clock: MovingClock
) -> None:
    first = record()
    assert first == Entry(
        "contact-ada", '{"email": "ada@crowd.example"}', 1, first.entered_at, None, None, False
    )
    clock.advance(hours=1)
    assert record() == first
    changed = record(content="{}")
    assert (changed.version, changed.entered_at) == (2, first.entered_at + HOUR)
    assert entries.find(store, "contact-ada") == changed
    assert entries.find(store, "contact-bob") is None


def test_a_request_gets_the_same_answer_again(record: Do, do: Do, clock: MovingClock) -> None:
    request = RequestKey("token", "key", "body")
    assert isinstance(record(request=request), Entry)
    assert isinstance(record(request=request), StillAnswering)
    # another token's keys are its own
    assert isinstance(record(request=replace(request, token_sha256="other")), Entry)
    assert isinstance(record(request=replace(request, body_sha256="other")), KeyReused)
    do(entries.end_request, request, "the answer")
    assert record(request=request) == Repeated("the answer")
    do(entries.forget_requests, clock.now() + SECOND)
    assert isinstance(record(request=request), Entry)


def test_a_request_whose_process_has_died_may_be_answered_again(
    record: Do, clock: MovingClock
) -> None:
    request = RequestKey("token", "key", "body")
    record(request=request)
    clock.advance(seconds=31)
    assert isinstance(record(request=request), Entry)
    assert isinstance(record(request=request), StillAnswering)


def test_an_entry_is_settled_once_and_its_sender_told_once(
    record: Do, settle: Do, store: LedgerStore
) -> None:
    entry = record(url=URL)
    assert settle(entry, "waits", is_decided=False) == []
    assert entries.count_open(store) == 1
    assert settle(entry) == [URL]
    assert settle(entry, "found anew") == []
    found = entries.find(store, "contact-ada")
    assert found is not None
    assert (found.answer, found.is_decided, entries.count_open(store)) == ("found anew", True, 0)
    # what is known at once is told at once, by the response
    assert record(url=URL).is_decided
    assert settle(entry) == []


def test_what_was_found_out_about_an_earlier_version_is_not_written_to_a_later_one(
    record: Do, settle: Do, do: Do, store: LedgerStore
) -> None:
    entry = record(url=URL)
    record(content="{}")
    assert settle(entry) == []
    do(entries.identify, "contact-ada", entry.version, PERSON, ["email:1"])
    do(entries.note_person, "contact-ada", entry.version, PERSON)
    found = entries.find(store, "contact-ada")
    assert found is not None
    assert (found.answer, found.person_key, found.version) == (None, None, 2)


def test_the_person_that_a_run_takes_an_entry_for_is_noted_where_none_is_noted_yet(
    record: Do, do: Do, store: LedgerStore
) -> None:
    record()
    record("contact-bob", "bob")
    do(entries.identify, "contact-ada", 1, PERSON, ["email:1"])
    for contact_id in ("contact-ada", "contact-bob"):
        do(entries.note_person, contact_id, 1, "another")
    standing = {
        each.contact_id: each.person_key for [*page] in entries.standing(store) for each in page
    }
    assert standing == {"contact-ada": PERSON, "contact-bob": "another"}
    assert [each.contact_id for each in entries.sharing(store, {"email:1"}, limit=9)] == [
        "contact-ada"
    ]


def test_who_waits_to_be_told_of_an_earlier_content_is_told_of_the_later_one(
    record: Do, settle: Do
) -> None:
    record(url=URL)
    corrected = record(content="{}", url=f"{URL}/other")
    assert settle(corrected) == [URL, f"{URL}/other"]
    assert settle(record(content="[]")) == []


@pytest.mark.parametrize("what", ["nothing", "a call", "a suppression", "one is lifted", "time"])
def test_a_contact_gets_its_kept_answer_while_that_is_good(
    record: Do,
    settle: Do,
    do: Do,
    ledger: Ledger,
    clock: MovingClock,
    what: str,
) -> None:
    ledger.suppressions.add({"email:2"})
    entry = record()
    do(entries.identify, "contact-ada", entry.version, PERSON, ())
    settle(entry, good_until=clock.now() + HOUR)
    match what:
        case "a call":
            send(ledger, candidate("ada"))
        case "a suppression":
            ledger.suppressions.add({"email:1"})
        case "one is lifted":
            ledger.suppressions.lift({"email:2"})
        case "time":
            clock.advance(hours=1)
    assert record().is_decided == (what == "nothing")


def test_the_answer_to_a_contact_says_nothing_of_another_with_the_same_content(
    record: Do, settle: Do
) -> None:
    settle(record("an id of the source's", "{}"), "the source's contact")
    other = record("another id", "{}")
    assert (other.answer, other.is_decided) == (None, False)


def test_a_person_who_was_suppressed_while_it_was_found_out_is_looked_at_again(
    record: Do, do: Do, store: LedgerStore, ledger: Ledger, clock: MovingClock
) -> None:
    entry = record()
    seen = store.revision()
    ledger.suppressions.add({"email:1"})
    clock.advance(seconds=1)
    settled = Settled(entry.contact_id, entry.version, "found", True, None)
    do(entries.settle, settled, as_of_revision=seen, now=clock.now())
    assert not record().is_decided


def test_what_an_entry_has_cost_is_told_of_the_last_time_alone(
    record: Do, settle: Do, do: Do, store: LedgerStore, ledger: Ledger
) -> None:
    def credits() -> int:
        with store.read() as connection:
            return entries.credits_for(connection, "contact-ada")

    entry = record()
    do(entries.identify, "contact-ada", entry.version, PERSON, ())
    buy(ledger, candidate("ada"))
    settle(entry)
    record()
    assert credits() == 1
    ledger.suppressions.add({"email:1"})
    record()  # is found out anew
    assert credits() == 0


def test_an_entry_is_taken_back_before_it_is_bought(
    record: Do, do: Do, store: LedgerStore, ledger: Ledger, clock: MovingClock
) -> None:
    assert do(entries.withdraw, "contact-ada", clock.now()) is None
    entry = record(url=URL)
    assert do(entries.withdraw, "contact-ada", clock.now()) is True
    assert entries.find(store, "contact-ada") is None
    assert [*entries.standing(store)] == []
    assert entries.count_open(store) == 0
    assert do(entries.withdraw, "contact-ada", clock.now()) is None
    # entered again, and bought
    again = record()
    assert (again.version, again.content) == (entry.version + 1, entry.content)
    do(entries.identify, "contact-ada", again.version, PERSON, ["email:1"])
    buy(ledger, candidate("ada"))
    assert do(entries.withdraw, "contact-ada", clock.now()) is False
    assert entries.find(store, "contact-ada") is not None


def test_open_entries_are_known_and_those_that_are_late(
    record: Do, settle: Do, store: LedgerStore, do: Do, clock: MovingClock
) -> None:
    late = record("late")
    clock.advance(hours=1)
    decided = record("decided", "other")
    settle(decided)
    record("in time", "more")
    assert [entry.contact_id for entry in entries.undecided(store)] == ["late", "in time"]
    assert entries.overdue(store, clock.now()) == ["late"]
    settle(late, is_decided=False)
    assert entries.overdue(store, clock.now()) == ["late"]
    do(entries.reopen, "decided", clock.now() + SECOND)
    assert entries.overdue(store, clock.now() + SECOND) == ["late", "decided"]


def test_entries_are_read_in_pages(
    record: Do, store: LedgerStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entries, "PAGE_ROWS", 2)
    for number in range(5):
        record(f"contact-{number}")
    pages = [[entry.contact_id for entry in page] for page in entries.standing(store)]
    assert [len(page) for page in pages] == [2, 2, 1]
    assert [each for page in pages for each in page] == [f"contact-{number}" for number in range(5)]
    among = entries.standing_among(store, ["contact-1", "contact-9"])
    assert [entry.contact_id for entry in among] == ["contact-1"]


def test_who_was_entered_under_the_same_identifier_is_found(
    record: Do, do: Do, store: LedgerStore, clock: MovingClock
) -> None:
    for name in ("ada", "bob"):
        record(f"contact-{name}", name)
        do(entries.identify, f"contact-{name}", 1, f"person:{name}", ["phone:1", f"email:{name}"])
        clock.advance(seconds=1)
    [latest] = entries.sharing(store, {"phone:1"}, limit=1)
    assert latest.contact_id == "contact-bob"
    both = entries.sharing(store, {"phone:1"}, limit=9)
    assert {entry.contact_id for entry in both} == {"contact-ada", "contact-bob"}
    assert [each.contact_id for each in entries.sharing(store, {"email:bob", "x"}, limit=9)] == [
        "contact-bob"
    ]
    assert entries.sharing(store, (), limit=9) == []
    do(entries.withdraw, "contact-bob", clock.now())
    assert entries.sharing(store, {"email:bob"}, limit=9) == []
    do(entries.identify, "contact-bob", 1, "person:bob", ["email:bob"])
    with store.read() as connection:
        kept = connection.execute(sa.select(entry_identifiers.c.contact_id)).scalars()
        assert set(kept) == {"contact-ada"}


def test_the_person_of_the_latest_call_with_an_identifier_is_found(
    ledger: Ledger, store: LedgerStore
) -> None:
    for name in ("ada", "bob"):
        known_by = frozenset({"phone:1", f"email:{name}"})
        buy(ledger, replace(candidate(name), known_by=known_by, seen_revision=store.revision()))
    found = entries.persons_of(store, {"phone:1", "email:ada", "email:eve"})
    assert found == {"phone:1": "person:bob", "email:ada": PERSON}
    assert entries.persons_of(store, ()) == {}


def test_a_copy_of_the_ledger_has_them(
    record: Do, do: Do, store: LedgerStore, ledger_url: str, clock: MovingClock, tmp_path: Path
) -> None:
    record(url=URL, request=RequestKey("token", "key", "body"))
    do(entries.identify, "contact-ada", 1, PERSON, ["email:1"])
    owed = {"contact_id": "contact-ada", "url": URL, "body": "{}", "now": clock.now()}
    do(notifications.owe, **owed)
    copy = tmp_path / "copy.sqlite"
    copy_to_file(ledger_url, copy)
    tables = (schema.entries, schema.entry_identifiers, schema.entry_requests, schema.notifications)
    with opened(sqlite_url(copy)) as copied:
        assert [*entries.standing(copied)] == [*entries.standing(store)]
        assert [count_rows(copied, table) for table in tables] == [1, 1, 1, 1]


# --- beside runs ------------------------------------------------------------------------


def test_what_was_taken_back_is_not_bought_by_a_run_that_had_listed_it(
    record: Do, do: Do, ledger: Ledger, clock: MovingClock
) -> None:
    record()
    do(entries.withdraw, "contact-ada", clock.now())
    listed = replace(candidate("ada"), is_entered=True)
    assert ledger.admit([listed], "run") == NotDue(1)
    batch = admitted(ledger.admit([listed, candidate("bob")], "run"))
    assert [call.candidate.contact_id for call in batch.calls] == ["contact-bob"]
    # a contact of the source stays one, whatever became of the entry of the same id
    assert len(admitted(ledger.admit([candidate("ada")], "run")).calls) == 1


@pytest.mark.parametrize(
    ("waits", "run", "left"),
    [
        ("standard", "strategic", 10),
        ("standard", "target", 10),
        ("standard", "standard", 6),
        ("standard", "bulk", 6),
        ("strategic", "strategic", 6),
        ("bulk", "standard", 10),
    ],
)
def test_a_run_leaves_room_to_entries_that_are_as_important_or_more(
    ledger: Ledger, do: Do, clock: MovingClock, waits: str, run: str, left: int
) -> None:
    until = clock.now() + 3 * SECOND
    do(entries.ask_for_place, "entries", "signalhire", waits, units=4, until=until)
    assert len(admitted(ledger.admit(crowd(12, run), "run")).calls) == left


def test_a_place_holds_while_a_caller_waits_for_it(
    ledger: Ledger, do: Do, clock: MovingClock
) -> None:
    ask = partial(do, entries.ask_for_place, "entries", "signalhire", "standard", units=10)
    ask(until=clock.now() + 3 * SECOND)
    # it is asked anew with what is waited for by then, not added to
    ask(until=clock.now() + 3 * SECOND)
    decision = waiting(ledger.admit(crowd(1), "run"))
    assert (decision.until, decision.why) == (clock.now() + SECOND, "rate")
    # an entry takes it
    assert len(admitted(ledger.admit(crowd(1, prefix="e"), "entries", is_entry=True)).calls) == 1
    clock.advance(seconds=3)
    assert len(admitted(ledger.admit(crowd(4), "run")).calls) == 4
    ask(until=clock.now() + 3 * SECOND)
    do(entries.give_back_place, "entries", "signalhire", "standard")
    assert len(admitted(ledger.admit(crowd(4, prefix="q"), "run")).calls) == 4


def test_places_with_another_provider_are_no_matter(
    ledger_of: LedgerOf, do: Do, clock: MovingClock
) -> None:
    until = clock.now() + 3 * SECOND
    do(entries.ask_for_place, "entries", "another", "strategic", units=10, until=until)
    assert len(admitted(ledger_of().admit(crowd(12), "run")).calls) == 10


def test_what_a_run_may_spend_does_not_cap_entries_but_days_and_floors_do(
    ledger_of: LedgerOf,
) -> None:
    ledger = ledger_of(
        items_per_window=100, per_run=2, per_day=10, floors={"standard": 0.3, "bulk": 0.5}
    )
    assert len(admitted(ledger.admit(crowd(4), "run")).calls) == 2
    entered = admitted(ledger.admit(crowd(9, prefix="e"), "entries", is_entry=True))
    assert len(entered.calls) == 5
    assert ledger.admit(crowd(1, prefix="f"), "entries", is_entry=True) == Exhausted("day")
    strategic = crowd(9, "strategic", prefix="s")
    assert len(admitted(ledger.admit(strategic, "entries", is_entry=True)).calls) == 3


def test_the_calls_about_an_entry_are_found_by_person_or_revision(tmp_path: Path) -> None:
    """Each post would take longer than the one before it, and hold up all who write."""
    with opened(sqlite_url(tmp_path / "ledger.sqlite")) as store, explained(store) as of_calls:
        with store.write() as transaction:
            now = MovingClock().now()
            posted = Posted("contact-ada", "{}", "digest")
            for _ in range(2):
                entries.record(transaction, posted, now=now, due_at=now, answering_until=now)
            entries.credits_for(transaction.connection, "contact-ada")
            entries.persons_changed(transaction.connection, [PERSON], 0)
            entries.withdraw(transaction, "contact-ada", now)
        kept.lookups_about(store, [PERSON])
        kept.searches_about(store, [PERSON])
    assert len(of_calls) >= 8
    keys = ("person_key=?", "revision>?")
    assert [step for step in of_calls if not any(key in step for key in keys)] == []
