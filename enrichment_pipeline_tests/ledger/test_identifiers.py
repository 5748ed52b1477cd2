"""Who is who in the ledger: who shares an identifier with a call under way gets that one."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from enrichment_pipeline.ledger.admission import Admitted, Candidate, Known, NotDue
from enrichment_pipeline.ledger.identifiers import as_number
from enrichment_pipeline.ledger.schema import call_identifiers
from enrichment_pipeline.ledger.store import LedgerStore, open_store
from enrichment_pipeline_tests.databases import new_postgres
from enrichment_pipeline_tests.ledger import (
    GIVEN_BACK,
    MATCHED,
    MISSED,
    NOT_ANSWERED,
    UNCONFIRMED_HOLD,
    Ledger,
    admitted,
    buy,
    candidate,
    explained,
    ids,
    limits_of,
    reply,
    reserve,
    send,
    settle_all,
)
from enrichment_pipeline_tests.ledger.conftest import LedgerOf
from enrichment_pipeline_tests.support import MovingClock

EMAIL, PROFILE, UID = "email:1", "linkedin:1", "uid:1"


def by(name: str, *identifiers: str, seen_revision: int = 0) -> Candidate:
    return replace(candidate(name), known_by=frozenset(identifiers), seen_revision=seen_revision)


def known(decision: object) -> list[str]:
    """The calls that tell about those who are not due."""
    assert isinstance(decision, NotDue | Admitted)
    return [each.call_id for each in decision.known]


@pytest.mark.parametrize("is_sent", [False, True], ids=["reserved", "sent"])
def test_a_person_with_a_call_under_way_under_another_key_is_not_bought(
    ledger: Ledger, is_sent: bool
):
    first = (send if is_sent else reserve)(ledger, by("by-email", EMAIL, PROFILE))
    other = by("by-profile", PROFILE)
    assert ledger.admit([other], "run") == NotDue(1, (Known(other, ids(first)[0]),))


def test_what_an_answer_gave_tells_who_it_was(ledger: Ledger):
    batch = send(ledger, by("by-email", EMAIL))
    [call_id] = ids(batch)
    ledger.settle(
        {call_id: MATCHED}, reply_id=reply(ledger, batch), known_by=[(UID, call_id), (UID, call_id)]
    )
    assert known(ledger.admit([by("by-uid", UID)], "run")) == [call_id]


def test_an_answer_that_the_asker_has_taken_into_account_holds_no_call_back(
    ledger: Ledger, store: LedgerStore
):
    """The warehouse has judged it: it may have been another person's profile."""
    buy(ledger, by("by-email", EMAIL))
    seen = store.revision()
    assert isinstance(ledger.admit([by("other", EMAIL, seen_revision=seen - 1)], "run"), NotDue)
    admitted(ledger.admit([by("other", EMAIL, seen_revision=seen)], "run"))


def test_a_call_under_way_holds_also_an_asker_that_knows_of_it(ledger: Ledger, store: LedgerStore):
    send(ledger, by("by-email", EMAIL))
    other = by("other", EMAIL, seen_revision=store.revision() + 100)
    assert isinstance(ledger.admit([other], "run"), NotDue)


@pytest.mark.parametrize("settlement", [MISSED, GIVEN_BACK], ids=["missed", "given back"])
def test_what_found_no_person_tells_nothing_of_another_key(ledger: Ledger, settlement):
    buy(ledger, by("by-email", EMAIL), settlement=settlement)
    admitted(ledger.admit([by("by-profile", EMAIL)], "run"))


def test_what_may_have_been_billed_holds_as_long_as_for_its_own_key(
    ledger: Ledger, clock: MovingClock
):
    buy(ledger, by("by-email", EMAIL), settlement=NOT_ANSWERED)
    clock.advance(seconds=(UNCONFIRMED_HOLD - timedelta(seconds=1)).total_seconds())
    assert isinstance(ledger.admit([by("by-profile", EMAIL)], "run"), NotDue)
    clock.advance(seconds=1)
    admitted(ledger.admit([by("by-profile", EMAIL)], "run"))


def test_a_persons_own_call_before_is_no_other_key(ledger: Ledger):
    first = buy(ledger, by("ada", EMAIL))
    again = replace(by("ada", EMAIL), supersedes=ids(first)[0])
    assert len(admitted(ledger.admit([again], "run")).calls) == 1


def test_of_two_in_one_request_who_share_an_identifier_the_first_is_asked_about(ledger: Ledger):
    decision = admitted(
        ledger.admit([by("one", EMAIL), by("two", EMAIL, PROFILE), by("three", PROFILE)], "run")
    )
    assert [call.candidate.person_key for call in decision.calls] == ["person:one", "person:three"]
    assert decision.skipped == 1


def test_another_provider_is_asked_about_the_same_person(ledger_of: LedgerOf):
    send(ledger_of("one"), by("by-email", EMAIL))
    admitted(ledger_of("another").admit([by("by-profile", EMAIL)], "run"))


def test_an_identifier_is_kept_once_for_each_call(ledger: Ledger, store: LedgerStore):
    batch = send(ledger, by("ada", EMAIL, PROFILE), by("bob"))
    [ada, _] = ids(batch)
    settle_all(ledger, batch, MISSED)
    with store.read() as connection:
        rows = connection.execute(sa.select(call_identifiers)).all()
    assert set(map(tuple, rows)) == {(as_number(EMAIL), ada), (as_number(PROFILE), ada)}
    assert len(rows) == 2


def test_each_of_many_identifiers_finds_its_call(ledger: Ledger):
    """As numbers they are of 64 bits, of either sign, through JSON and both databases."""
    people = [by(f"p{number}", f"email:{number}") for number in range(10)]
    call_ids = ids(send(ledger, *people))
    others = [by(f"other{number}", f"email:{number}") for number in range(10)]
    assert known(ledger.admit(others, "run")) == call_ids


def test_the_kind_is_part_of_an_identifier(ledger: Ledger):
    send(ledger, by("by-profile", "linkedin:ada"))
    admitted(ledger.admit([by("by-uid", "uid:ada")], "run"))


def test_whose_identifier_is_kept_like_a_strangers_waits_until_the_asker_knows_of_that_one(
    ledger: Ledger, store: LedgerStore, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("enrichment_pipeline.ledger.identifiers.as_number", lambda _: 1)
    buy(ledger, by("stranger", EMAIL))
    assert isinstance(ledger.admit([by("ada", PROFILE)], "run"), NotDue)
    admitted(ledger.admit([by("ada", PROFILE, seen_revision=store.revision())], "run"))


def test_admission_reads_calls_by_person_and_by_id_and_never_all_of_them(tmp_path: Path):
    """Each admission would take longer than the one before it."""
    store = open_store(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    ledger = Ledger(store, "signalhire", limits_of(items_per_window=1_000), MovingClock())
    reserve(ledger, by("by-email", EMAIL, PROFILE))
    with explained(store) as of_calls:
        assert known(ledger.admit([by("by-profile", PROFILE)], "run"))
    assert len(of_calls) >= 3
    keys = ("(identifier=?", "(call_id=?", "person_key=?")
    assert [step for step in of_calls if not any(key in step for key in keys)] == []
    store.close()


def test_admission_finds_calls_by_index_in_a_young_postgres(
    postgres_server: sa.URL,
):
    """Which has no statistics of its tables yet."""
    store = open_store(new_postgres(postgres_server))
    ledger = Ledger(store, "signalhire", limits_of(items_per_window=10_000), MovingClock())
    for first in range(0, 3_000, 500):
        people = [by(f"p{number}", f"email:{number}") for number in range(first, first + 500)]
        assert isinstance(ledger.admit(people, "run"), Admitted)
    plans: list[str] = []

    @event.listens_for(store._engine, "before_cursor_execute")
    def explain(connection, _cursor, statement: str, parameters, *_: object) -> None:
        if statement.lstrip().upper().startswith("SELECT"):
            with connection.connection.cursor() as cursor:
                rows = cursor.execute(f"explain {statement}", parameters).fetchall()
            plans.append("\n".join(row[0] for row in rows))

    assert known(ledger.admit([by("by-profile", "email:7")], "run"))
    store.close()
    of_calls = [plan for plan in plans if re.search(r"on (calls|call_identifiers)\b", plan)]
    assert len(of_calls) >= 3
    for plan in of_calls:
        assert "Seq Scan" not in plan
        assert re.search(r"Index Cond: \(\(?(person_key|identifier|call_id)\b", plan)
