"""Verifications through the real ledger and dispatcher, of a verifier that answers as it is told.

Not here: any verifier's codes (`providers/`), which addresses are due (`warehouse/`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from enrichment_pipeline.clock import Clock
from enrichment_pipeline.dispatch.asking import AskVerifications
from enrichment_pipeline.dispatch.dispatcher import Dispatcher
from enrichment_pipeline.dispatch.progress import DispatchReport
from enrichment_pipeline.dispatch.settling import read_kept_replies
from enrichment_pipeline.ledger.admission import Candidate
from enrichment_pipeline.ledger.budget import RunShare
from enrichment_pipeline.ledger.calls import Calls
from enrichment_pipeline.ledger.questions import BalanceGap, Questions
from enrichment_pipeline.ledger.store import LedgerStore, open_store
from enrichment_pipeline.ledger.suppressions import Suppressions
from enrichment_pipeline.providers.base import (
    Checked,
    Halt,
    LegalStop,
    NoReplyError,
    NotSentError,
    Reply,
    Retriable,
    VerificationReading,
)
from enrichment_pipeline.vocabulary import LOOKUP, VERIFICATION
from enrichment_pipeline_tests.conformance import rows_of
from enrichment_pipeline_tests.databases import migrated_sqlite
from enrichment_pipeline_tests.dispatch import Told
from enrichment_pipeline_tests.ledger import budget_of, limits_of

NAME = "checker"
READINGS = {
    b"good": VerificationReading(Checked(), units=1),
    b"unknown": VerificationReading(Retriable("unknown")),
    b"stop": VerificationReading(LegalStop()),
    b"closed": VerificationReading(Retriable("wrong_key"), signal=Halt("wrong_key", "told")),
    b"busy": VerificationReading(Retriable("in_progress"), units=1, is_in_progress=True),
}


class Verifier:
    """Gives these answers one after the other, or fails so; None is a reply that was lost."""

    def __init__(self, *answers: bytes | Exception | None) -> None:
        self._answers = list(answers)
        self.asked: list[str] = []

    async def verify(self, email: str) -> Reply:
        self.asked.append(email)
        body = self._answers.pop(0)
        if body is None:
            raise NoReplyError("torn")
        if isinstance(body, Exception):
            raise body
        return Reply(200, body)

    def read_verification(self, http_status: int, body: bytes) -> VerificationReading:
        return READINGS[body]

    async def close(self) -> None: ...


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LedgerStore]:
    store = open_store(migrated_sqlite(tmp_path / "ledger.sqlite"))
    yield store
    store.close()


def calls(**changes: object) -> Calls:
    limits = replace(limits_of(counts_requests=True, is_paged=True), **changes)
    return Calls(NAME, VERIFICATION, limits, Clock())


def candidate(email: str = "ada@acme.com", **changes: object) -> Candidate:
    return replace(
        Candidate(
            person_key=f"address of {email}",
            contact_id="C1",
            question="address",
            item=email,
            item_kind="email",
            freshness="new",
            priority="standard",
        ),
        **changes,
    )


def verify(
    store: LedgerStore,
    verifier: Verifier,
    *candidates: Candidate,
    of: Calls | None = None,
    stop: Callable[[Dispatcher], None] | None = None,
) -> tuple[DispatchReport, list[float]]:
    """Verify them; the report, and the pauses that were made."""
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if stop is not None:
            stop(dispatcher)

    asking = AskVerifications(verifier, sleep=sleep)
    dispatcher = Dispatcher(
        store, of or calls(), asking, Told(), run=RunShare("run"), batch_size=1, concurrency=1
    )
    return asyncio.run(dispatcher.run([candidates or [candidate()]])), pauses


def test_an_address_is_asked_about_once(store: LedgerStore) -> None:
    verifier = Verifier(b"good")
    report, pauses = verify(store, verifier, candidate(), candidate(contact_id="C2"))
    [row] = rows_of(store, NAME)
    assert (row.kind, row.state, row.outcome, row.units_charged) == (
        *(VERIFICATION, "replied", "checked"),
        1,
    )
    assert (verifier.asked, report.checked, report.answered, pauses) == (
        *(["ada@acme.com"], 1, 1),
        [],
    )
    assert verify(store, verifier)[0].not_due == 1


def test_what_is_in_progress_is_asked_again_after_a_pause_and_counted_once(
    store: LedgerStore,
) -> None:
    verifier = Verifier(b"busy", b"busy", b"good")
    report, pauses = verify(store, verifier)
    [row] = rows_of(store, NAME)
    assert (row.state, row.units_charged, len(verifier.asked)) == ("replied", 1, 3)
    assert pauses == [AskVerifications.PAUSE_SECONDS] * 2
    assert report.units == 1
    assert booked(store) == (0, 1)


def test_what_stays_in_progress_is_charged_once_and_free_to_be_asked_again(
    store: LedgerStore,
) -> None:
    verifier = Verifier(*[b"busy"] * AskVerifications.MOST_TIMES, b"good")
    verify(store, verifier)
    [row] = rows_of(store, NAME)
    assert (row.state, row.reason, row.units_charged) == ("released", "in_progress", 1)
    verify(store, verifier)
    assert [row.state for row in rows_of(store, NAME)] == ["released", "replied"]


def test_one_that_is_interrupted_in_between_is_charged_for(store: LedgerStore) -> None:
    verify(store, Verifier(b"busy", b"busy"), stop=lambda dispatcher: dispatcher.stop())
    [row] = rows_of(store, NAME)
    assert (row.state, row.units_charged) == ("released", 1)


def test_a_charge_stands_where_the_repeat_never_left(store: LedgerStore) -> None:
    """Asked again as another call: booked once more then, since nothing tells that it is free."""
    verify(store, Verifier(b"busy", NotSentError("ConnectError"), b"good"))
    rows = rows_of(store, NAME)
    assert [(row.state, row.units_charged) for row in rows] == [("released", 1), ("replied", 1)]
    assert booked(store) == (0, 2)


def test_what_never_left_at_all_costs_nothing(store: LedgerStore) -> None:
    verify(store, Verifier(*[NotSentError("ConnectError")] * 3))
    assert {(row.state, row.units_charged) for row in rows_of(store, NAME)} == {("released", 0)}
    assert booked(store) == (0, 0)


def test_at_a_persons_word_it_is_asked_about_again_and_what_was_taken_stays_charged(
    store: LedgerStore,
) -> None:
    """Of one that was lost at once nothing is known; one that was in progress had been taken."""
    of, taken, lost = calls(), candidate("taken@acme.com"), candidate("lost@acme.com")
    verify(store, Verifier(b"busy", None, None), taken, lost)
    assert {row.state for row in rows_of(store, NAME)} == {"unconfirmed"}
    assert booked(store) == (2, 0)
    keys = [taken.person_key, lost.person_key, "address of nobody@acme.com"]
    for freed in (2, 0):
        released = store.transact(lambda transaction: of.release_unconfirmed(transaction, keys))
        assert released == freed
    assert booked(store) == (0, 1)
    report, _ = verify(store, Verifier(b"good", b"good"), taken, lost)
    assert report.checked == 2


def test_what_tells_nothing_costs_nothing_and_is_free_to_be_asked_again(
    store: LedgerStore,
) -> None:
    verify(store, Verifier(b"unknown"))
    [row] = rows_of(store, NAME)
    assert (row.state, row.reason, row.units_charged) == ("released", "unknown", 0)


def test_what_may_have_been_billed_is_not_asked_about_again(store: LedgerStore) -> None:
    verify(store, Verifier(None))
    [row] = rows_of(store, NAME)
    assert row.state == "unconfirmed"
    again, _ = verify(store, Verifier(), candidate(supersedes=row.call_id))
    assert again.not_due == 1


def test_a_legal_stop_is_an_answer(store: LedgerStore) -> None:
    verify(store, Verifier(b"stop"))
    [row] = rows_of(store, NAME)
    assert (row.state, row.outcome) == ("replied", "legal_stop")


def test_a_reply_that_a_killed_run_had_kept_is_read(
    store: LedgerStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    of, verifier = calls(), Verifier(b"good")

    async def die(*_args: object, **_named: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Dispatcher, "_settle", die)
    with pytest.raises(KeyboardInterrupt):
        verify(store, verifier, of=of)
    assert [row.state for row in rows_of(store, NAME)] == ["sent"]
    read = read_kept_replies(store, of, AskVerifications(verifier), ["run"])
    assert read.calls == 1
    [row] = rows_of(store, NAME)
    assert (row.state, row.outcome, row.units_charged) == ("replied", "checked", 1)
    assert verifier.asked == ["ada@acme.com"]


def test_it_costs_its_share_of_a_credit_and_the_budget_holds_for_it(store: LedgerStore) -> None:
    of = calls(budget=budget_of(per_run=1, unit_cost=0.5))
    emails = [f"{n}@acme.com" for n in range(4)]
    report, _ = verify(
        store, Verifier(*[b"good"] * 4), *(candidate(email) for email in emails), of=of
    )
    assert report.checked == 2
    assert report.exhausted == {"standard": "run"}
    assert booked(store) == (0, 1)


def test_a_balance_is_explained_by_all_that_draws_on_it(store: LedgerStore) -> None:
    """Of half a credit that was used the whole one counts: a balance is told in whole credits."""
    of, drawing = calls(), {VERIFICATION: Decimal("0.5"), LOOKUP: Decimal(1)}
    by_lookup = Questions(store, Calls(NAME, LOOKUP, of.limits, of.clock), drawing)
    by_lookup.observe_balance("run", 100)
    emails = [f"{n}@acme.com" for n in range(3)]
    verify(store, Verifier(*[b"good"] * 3), *(candidate(email) for email in emails))
    by_lookup.observe_balance("run", 98)
    assert by_lookup.balance_gap() == BalanceGap(
        provider_spent=2, ledger_charged=2, unconfirmed=0, rounded=1
    )
    # what was half a credit at the one look is told as a whole one at the next
    by_lookup.observe_balance("run", 97)
    gap = by_lookup.balance_gap()
    assert gap is not None
    assert (gap.provider_spent - gap.ledger_charged, gap.unexplained) == (1, 0)


def test_a_charge_stands_where_the_question_failed_when_it_was_asked_again(
    store: LedgerStore,
) -> None:
    verify(store, Verifier(b"busy", b"closed"))
    [row] = rows_of(store, NAME)
    assert (row.state, row.units_charged) == ("released", 1)


def test_who_was_suppressed_meanwhile_is_not_asked_about(store: LedgerStore) -> None:
    Suppressions(store, Clock()).add({"email:abc"})
    report, _ = verify(store, Verifier(), candidate(identifiers=frozenset({"email:abc"})))
    assert report.not_due == 1


def booked(store: LedgerStore) -> tuple[Decimal, Decimal]:
    """Reserved and charged, of this run."""
    return Questions(store, calls()).budget_used("run:run")
