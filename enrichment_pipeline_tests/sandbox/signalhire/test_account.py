"""Charges, and the journal that carries them over a restart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from enrichment_pipeline.sandbox.account import JournalError
from enrichment_pipeline.sandbox.signalhire.people import People
from enrichment_pipeline_tests.sandbox import journal_lines
from enrichment_pipeline_tests.sandbox.signalhire import (
    UID_OF_ADA,
    UID_OF_BOB,
    Api,
    some_people,
    start,
    statuses,
)

ADA, BOB = "ada@acme.example", "bob@brio.example"


@pytest.fixture
def people(tmp_path: Path) -> People:
    return some_people(tmp_path)


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "state" / "journal.jsonl"


def test_each_charge_is_a_line_of_the_journal(people: People, journal: Path) -> None:
    api = start(people, journal=journal)
    api.search(f" {ADA}", "nobody@acme.example")
    api.search(BOB, withoutContacts=True)
    charge = {"at": "2026-01-02T03:04:05+00:00", "credits": 1}
    assert journal_lines(journal) == [
        {**charge, "request": 1, "uid": UID_OF_ADA, "item": f" {ADA}", "pool": "standard"},
        {**charge, "request": 2, "uid": UID_OF_BOB, "item": BOB, "pool": "without_contacts"},
    ]


def test_the_balance_and_the_numbers_of_requests_survive_a_restart(
    people: People, journal: Path
) -> None:
    settings: dict[str, Any] = {"journal": journal, "credits": 5, "credits_without_contacts": 3}
    start(people, **settings).search(ADA, BOB)
    start(people, **settings).search(ADA, withoutContacts=True)
    api = start(people, **settings)
    assert (api.credits(), api.credits("?withoutContacts=true")) == (3, 2)
    api.search(BOB)
    assert [line["request"] for line in journal_lines(journal)] == [1, 1, 2, 3]


def test_sandboxes_that_keep_one_journal_are_one_account(people: People, journal: Path) -> None:
    one = start(people, journal=journal, credits=5)
    other = start(people, journal=journal, credits=5, charge_repeats=False)
    one.search(ADA)
    assert other.credits() == 4
    other.search(ADA, BOB)  # Ada is paid for already
    assert (one.credits(), other.credits()) == (3, 3)
    assert [line["request"] for line in journal_lines(journal)] == [1, 2]


def test_a_line_that_another_sandbox_is_just_writing_is_read_when_it_is_whole(
    people: People, journal: Path
) -> None:
    one = start(people, journal=journal, credits=5)
    other = start(people, journal=journal, credits=5)
    one.search(ADA)
    line = journal.read_bytes()
    with journal.open("ab") as file:
        file.write(line[:30])
        file.flush()
        assert other.credits() == 4
        file.write(line[30:])
    assert other.credits() == 3


def test_credits_may_be_configured_below_what_was_charged(people: People, journal: Path) -> None:
    start(people, journal=journal).search(ADA, BOB)
    api = start(people, journal=journal, credits=1)
    assert api.credits() == 0
    assert api.search(ADA).status_code == 402


def test_without_a_journal_nothing_is_remembered(people: People) -> None:
    start(people, credits=5).search(ADA)
    assert start(people, credits=5).credits() == 5


def test_a_repeat_is_charged_again(people: People, journal: Path) -> None:
    start(people, journal=journal, credits=5).search(ADA, UID_OF_ADA)
    api = start(people, journal=journal, credits=5)
    api.search(ADA)
    assert api.credits() == 2


def test_a_repeat_may_be_free_also_after_a_restart(people: People, journal: Path) -> None:
    settings: dict[str, Any] = {"journal": journal, "credits": 5, "charge_repeats": False}
    assert statuses(start(people, **settings).search(ADA, UID_OF_ADA)) == ["success"] * 2
    api = start(people, **settings)
    assert statuses(api.search(ADA, BOB)) == ["success"] * 2
    assert api.credits() == 3
    assert [line["uid"] for line in journal_lines(journal)] == [UID_OF_ADA, UID_OF_BOB]


def test_a_profile_paid_for_without_contacts_is_not_free_with_them(people: People) -> None:
    api = start(people, credits=5, charge_repeats=False)
    api.search(ADA, withoutContacts=True)
    api.search(ADA)
    assert api.credits() == 4


class _Watched:
    """The app, which notes what the journal says at the moment in which the answer is sent."""

    def __init__(self, app: Any, journal: Path) -> None:
        self._app, self._journal = app, journal
        self.charges_when_sent: list[int] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def note(message: Any) -> None:
            if message["type"] == "http.response.start":
                self.charges_when_sent.append(len(journal_lines(self._journal)))
            await send(message)

        await self._app(scope, receive, note)


@pytest.mark.parametrize(
    ("charge_when", "charges_when_sent", "credits_in_answer"),
    [("before_response", 2, "3"), ("after_response", 0, "5")],
)
def test_the_charge_is_made_before_or_after_the_answer(
    people: People, journal: Path, charge_when: str, charges_when_sent: int, credits_in_answer: str
) -> None:
    api = start(people, journal=journal, credits=5, charge_when=charge_when)
    watched = _Watched(api.app, journal)
    response = Api(watched).search(ADA, BOB)
    assert watched.charges_when_sent == [charges_when_sent]
    assert response.headers["X-Credits-Left"] == credits_in_answer
    assert len(journal_lines(journal)) == 2
    assert api.credits() == 3


def test_a_credit_that_is_charged_later_cannot_be_spent_meanwhile(people: People) -> None:
    api = start(people, credits=1, charge_when="after_response")
    assert statuses(api.search(ADA, BOB)) == ["success", "credits_are_over"]


def test_a_torn_last_line_is_cut_off_and_the_next_charge_is_whole(
    people: People, journal: Path
) -> None:
    start(people, journal=journal).search(ADA, BOB)
    journal.write_bytes(journal.read_bytes()[:-20])
    api = start(people, journal=journal, credits=5)
    assert api.credits() == 4
    api.search(BOB)
    assert [line["uid"] for line in journal_lines(journal)] == [UID_OF_ADA, UID_OF_BOB]


def test_a_last_line_that_only_lacks_its_end_still_counts(people: People, journal: Path) -> None:
    start(people, journal=journal).search(ADA)
    journal.write_bytes(journal.read_bytes().rstrip())
    api = start(people, journal=journal, credits=5)
    assert api.credits() == 4
    api.search(BOB)
    assert [line["uid"] for line in journal_lines(journal)] == [UID_OF_ADA, UID_OF_BOB]


@pytest.mark.parametrize(
    "line", ["not json", "[]", json.dumps({"uid": UID_OF_ADA}), '{"at":1,"request":1}', ""]
)
def test_a_damaged_line_in_the_middle_is_refused_with_its_number(
    people: People, journal: Path, line: str
) -> None:
    start(people, journal=journal).search(ADA)
    journal.write_text(journal.read_text() + line + "\n" + journal.read_text())
    with pytest.raises(JournalError, match=r"journal\.jsonl, line 2: not a charge") as caught:
        start(people, journal=journal)
    assert "\n" not in str(caught.value)


def test_a_journal_of_an_unknown_pool_is_refused(people: People, journal: Path) -> None:
    start(people, journal=journal).search(ADA)
    journal.write_text(journal.read_text().replace("standard", "company"))
    with pytest.raises(JournalError, match="line 1"):
        start(people, journal=journal)


def test_a_journal_that_is_a_folder_is_refused(people: People, tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="journal cannot be"):
        start(people, journal=tmp_path)


def test_a_journal_below_a_file_is_refused(people: People, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(JournalError, match="journal cannot be"):
        start(people, journal=tmp_path / "file" / "journal.jsonl")
