"""`enrichment explain`: one contact's whole story, for people and for programs."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest
from rich.console import Console

from enrichment_pipeline.cli import explain_command
from enrichment_pipeline.cli.explain_command import _rival, _value_row, _when_next
from enrichment_pipeline_tests.cli.conftest import Command
from enrichment_pipeline_tests.cli.test_commands import figures
from enrichment_pipeline_tests.end_to_end.world import contents
from enrichment_pipeline_tests.support import START


def test_a_contacts_whole_story_is_told_and_nothing_changes(
    ours: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # a console reads COLUMNS when it is made, and a worker of the tests has set it by then
    monkeypatch.setattr(explain_command, "_out", Console(width=250, soft_wrap=True))
    before = contents(tmp_path / "state")
    said = ours("explain", "same-profile")
    assert (said.status, said.err) == (0, "")
    assert "\ncontact  same-profile · enriched\n" in f"\n{said.out}"
    assert (
        "source   full_name QUENTZELMANN, Adelheid · linkedin_url de.linkedin.com/in/" in said.out
    )
    assert "account  account_id acc-4 · name Fennimarket" in said.out
    assert "asked for by linkedin " in said.out
    assert "the same as by-profile" in said.out
    assert "why      fresh, in no lane: answered (answer_is_recent)" in said.out
    assert "why      priority bulk: the tier of its account is bulk" in said.out
    assert "why      next: looked up again from " in said.out
    # the call was made for the other contact of the person
    [call] = [row for row in figures(said.out).values() if "lookup" in row[0]]
    assert call[:3] == ["SignalHire, lookup by linkedin", "new|strategic", "matched"]
    assert call[3:5] == ["1", "1"]
    assert "cost so far: 1\n" in said.out
    values = figures(said.out)
    assert values["work_email"][:3] == ["adelheid@quillforge.com", "verified", "SignalHire"]
    assert contents(tmp_path / "state") == before


def test_programs_get_one_document_with_the_same(ours: Command) -> None:
    said = ours("explain", "only-likely", "--json")
    assert (said.status, said.err) == (0, "")
    told = json.loads(said.out)
    assert told["contact_id"] == told["source"]["contact_id"] == "only-likely"
    assert told["standing"]["status"] == "needs_review"
    assert told["standing"]["reason"] == "no_verified_email"
    assert told["standing"]["lane"] is None
    [call] = told["calls"]
    assert (call["kind"], call["outcome"], call["credits"], call["cost"]) == (
        *("lookup", "matched"),
        *(1, 1),
    )
    [email] = [row for row in told["values"] if row["field"] == "work_email"]
    assert (email["status"], email["is_shown"], email["provider"]) == ("likely", True, "signalhire")
    assert any("for review, no_verified_email" in each for each in told["why"])


def test_a_contact_that_nobody_could_be_asked_about_says_so(ours: Command) -> None:
    said = ours("explain", "nothing")
    assert (said.status, said.err) == (0, "")
    assert "person   no identifier by which anybody could be told\n" in said.out
    assert "unusable, in no lane: no identifier" in said.out
    assert "no call was ever made about this person\n" in said.out


def test_an_id_that_is_not_there_is_one_line(ours: Command, enrichment: Command) -> None:
    said = ours("explain", "x" * 1000)
    assert (said.status, said.out) == (2, "")
    assert said.err == (
        f"error: no such contact: {'x' * 40}; ids are the source's contact_id, as of the last run\n"
    )
    nothing_yet = enrichment("explain", "C1", ENRICHMENT_HOME="elsewhere")
    assert nothing_yet.status == 2
    assert "nothing here yet" in nothing_yet.err


@pytest.mark.parametrize("missing", ["warehouse.duckdb", "ledger.sqlite"])
def test_half_a_state_is_told_and_not_made_whole(
    ours: Command, tmp_path: Path, missing: str
) -> None:
    (tmp_path / "state" / missing).unlink()
    said = ours("explain", "by-email", "--json")
    assert (said.status, said.out) == (1, "")
    assert said.err.startswith("error: ")
    assert missing in said.err
    assert said.err.count("\n") == 1
    assert not (tmp_path / "state" / missing).exists()


def test_what_a_terminal_would_obey_is_spelt_out(ours: Command, tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "state" / "warehouse.duckdb")) as warehouse:
        warehouse.execute(
            "update staging.contacts set job_title = chr(27) || '[2J' where contact_id = 'by-email'"
        )
    said = ours("explain", "by-email")
    assert "\x1b" not in said.out
    assert "\\x1b[2J" in said.out


def test_a_value_is_shown_with_the_rivals_that_it_beat() -> None:
    rival = {
        "field": "work_email",
        "value": "old@one.com",
        "is_shown": False,
        "provider": "human",
        "status": "likely",
        "observed_at": START,
    }
    shown = {**rival, "value": "new@one.com", "is_shown": True, "provider": "signalhire"}
    told = _value_row([shown, {**shown, "provider": "prospeo"}, rival])
    assert told[:4] == ("work_email", "new@one.com", "likely", "SignalHire, Prospeo")
    assert told[5] == f"old@one.com (a reviewer, likely, {START:%Y-%m-%d})"
    withdrawn = _rival({**rival, "checked_status": "withdrawn"})
    assert "withdrawn" in withdrawn
    source = _value_row([{"field": "company_name", "value": "One", "is_shown": True}])
    assert source == ("company_name", "One", "", "the source", "", "")


def test_what_is_due_is_told_apart_from_what_is_not() -> None:
    assert _when_next({}) == "next: it will not be looked up"
    assert "due since 2000-01-01" in _when_next({"next_lookup_at": START.replace(2000, 1, 1)})
    assert "again from 2999-01-01 on" in _when_next({"next_lookup_at": START.replace(2999, 1, 1)})
