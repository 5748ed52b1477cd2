"""Suppression: who is on the list is not admitted, even when the work list was read before."""

from __future__ import annotations

from dataclasses import replace

import pytest

from enrichment_pipeline.ledger.admission import Candidate, NotDue
from enrichment_pipeline.ledger.store import LedgerStore
from enrichment_pipeline.ledger.suppressions import BY_REVIEW, BY_SOURCE
from enrichment_pipeline_tests.ledger import Ledger, candidate, reserve, send, states
from enrichment_pipeline_tests.ledger.conftest import LedgerOf


def known_by(name: str, *identifiers: str) -> Candidate:
    return replace(candidate(name), identifiers=frozenset(identifiers))


@pytest.fixture
def people() -> list[Candidate]:
    return [
        known_by("ada", "email:1", "domain:7"),
        known_by("bob", "email:2", "domain:8"),
        known_by("eve", "email:3", "domain:7"),
        candidate("unidentified"),
    ]


def test_who_is_suppressed_by_any_identifier_is_passed_over(
    ledger: Ledger, people: list[Candidate]
) -> None:
    ledger.suppressions.add({"email:1", "email:99"})
    batch = reserve(ledger, *people)
    names = [lookup.candidate.person_key for lookup in batch.calls]
    assert names == ["person:bob", "person:eve", "person:unidentified"]
    assert batch.skipped == 1


def test_a_domain_takes_all_its_people(ledger: Ledger, people: list[Candidate]) -> None:
    ledger.suppressions.add({"domain:7"})
    assert ledger.admit([people[0], people[2]], "run") == NotDue(2)


def test_nothing_is_reserved_or_charged_for_it(
    ledger: Ledger, store: LedgerStore, people: list[Candidate]
) -> None:
    ledger.suppressions.add({"email:1"})
    ledger.admit(people[:1], "run")
    assert states(store) == {}
    assert ledger.run_totals("run").units_reserved == 0


def test_what_is_on_the_wire_already_is_still_answered(ledger: Ledger) -> None:
    batch = send(ledger, known_by("ada", "email:1"))
    ledger.suppressions.add({"email:1"})
    ledger.record_reply(batch.request_id, http_status=200, body=b"[]", credits_left=None)


def test_a_lifted_suppression_lets_its_person_in_again(
    ledger: Ledger, people: list[Candidate]
) -> None:
    assert ledger.suppressions.add({"email:1", "email:2"}) == 2
    assert ledger.suppressions.add({"email:1"}) == 0
    assert ledger.suppressions.lift({"email:1", "email:3"}) == 1
    assert [each.candidate for each in reserve(ledger, people[0]).calls] == [people[0]]
    assert ledger.suppressions.everything() == {"email:2"}


def test_the_sources_list_is_what_it_is_now_and_no_business_of_the_commands(
    ledger: Ledger,
) -> None:
    ledger.suppressions.add({"email:1"})
    ledger.suppressions.take_over({"email:1", "email:2"}, BY_SOURCE)
    assert ledger.suppressions.lift({"email:1", "email:2"}) == 1
    assert ledger.suppressions.everything() == {"email:1", "email:2"}
    ledger.suppressions.take_over({"email:3"}, BY_SOURCE)
    assert ledger.suppressions.everything() == {"email:3"}
    ledger.suppressions.add({"email:4"})
    ledger.suppressions.take_over(set(), BY_SOURCE)
    assert ledger.suppressions.everything() == {"email:4"}


def test_each_list_is_its_own(ledger: Ledger) -> None:
    ledger.suppressions.take_over({"email:1", "email:2"}, BY_SOURCE)
    ledger.suppressions.take_over({"email:2", "email:3"}, BY_REVIEW)
    ledger.suppressions.take_over(set(), BY_REVIEW)
    assert ledger.suppressions.everything() == {"email:1", "email:2"}


def test_a_list_that_has_not_changed_is_not_written(ledger: Ledger, store: LedgerStore) -> None:
    ledger.suppressions.take_over({"email:1"}, BY_SOURCE)
    with store.write() as transaction:
        before = transaction.revision
    ledger.suppressions.take_over({"email:1"}, BY_SOURCE)
    with store.write() as transaction:
        assert transaction.revision == before + 1


def test_the_list_holds_for_every_provider(ledger_of: LedgerOf) -> None:
    ledger_of("one").suppressions.add({"email:1"})
    assert ledger_of("another").admit([known_by("ada", "email:1")], "run") == NotDue(1)


def test_thousands_of_identifiers_are_one_statement(ledger: Ledger) -> None:
    many = {f"email:{number}" for number in range(20_000)}
    assert ledger.suppressions.add(many) == 20_000
    assert ledger.admit([known_by("ada", "email:19999")], "run") == NotDue(1)
