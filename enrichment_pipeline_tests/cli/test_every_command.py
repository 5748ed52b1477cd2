"""What holds of every command that only asks: whatever the arguments, the folder and the terminal.

No traceback, the status that fits, and where JSON is asked for nothing but one document.
"""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import duckdb
import pytest
from typer.main import get_command

from enrichment_pipeline.cli.main import app
from enrichment_pipeline_tests.cli.conftest import Command, Said
from enrichment_pipeline_tests.end_to_end.world import contents

COMMANDS = sorted(get_command(app).commands)  # ty: ignore[missing-attribute]
ASKING = (["status"], ["history"], ["explain", "by-email"], ["doctor"], ["plan"])
"""Commands that change nothing and have `--json`."""


def said_nothing_wrong(said: Said) -> None:
    assert (said.status, said.err) == (0, ""), said
    assert "Traceback" not in said.out


def refused(said: Said, *statuses: int) -> None:
    """One line on standard error, nothing on standard output."""
    assert said.status in statuses, said
    assert said.out == ""
    assert re.fullmatch(r"error: [^\n]+\n", said.err), said.err


@pytest.mark.parametrize("command", COMMANDS)
def test_help_is_given_and_a_wrong_option_is_a_line(enrichment: Command, command: str) -> None:
    said_nothing_wrong(enrichment(command, "--help"))
    refused(enrichment(command, "--no-such-option"), 2)


@pytest.mark.parametrize("arguments", ASKING[:4], ids=" ".join)
def test_a_folder_that_was_never_used_stays_as_it_is(
    enrichment: Command, arguments: Sequence[str], tmp_path: Path
) -> None:
    said = enrichment(*arguments, "--json")
    if arguments[0] == "explain":
        refused(said, 2)
    else:
        assert said.status == 0
        json.loads(said.out)
    assert not (tmp_path / "state").exists()


def test_json_is_one_document_in_ascii_and_nothing_else(ours: Command, tmp_path: Path) -> None:
    before = contents(tmp_path / "state")
    for arguments in ASKING:
        said = ours(*arguments, "--json")
        said_nothing_wrong(said)
        assert said.out.isascii()
        assert isinstance(json.loads(said.out), dict)
    assert contents(tmp_path / "state") == before


def test_status_and_plan_tell_programs_what_they_tell_people(ours: Command) -> None:
    status = json.loads(ours("status", "--json").out)
    assert status["statuses"]["enriched"] == {"contacts": 27, "with_answer": 27}
    assert status["lookups"] == {"applied": 29}
    assert [each["charged"] for each in status["budget"]] == [28, 28]
    assert status["providers"][0]["credits_left"] == 99_972
    assert sum(each["contacts"] for each in status["contacts"]) == 38
    plan = json.loads(ours("plan", "--json").out)
    assert (plan["lookups"], plan["contacts"], plan["worst_case_credits"]) == (0, 0, 0)
    assert plan["cache_hits"].keys() == {"person", "miss"}
    assert plan["providers"][0]["provider"] == "signalhire"


def test_a_narrow_terminal_without_utf_8_gets_all_of_it(
    ours: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with duckdb.connect(str(tmp_path / "state" / "warehouse.duckdb")) as warehouse:
        warehouse.execute(
            "update staging.contacts set job_title = 'Größe ☃' where contact_id = 'by-email'"
        )
    monkeypatch.setenv("COLUMNS", "60")
    for arguments in ASKING[:4]:
        # as of a terminal that knows no other encoding
        out, err = (io.TextIOWrapper(io.BytesIO(), encoding="ascii") for _ in range(2))
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", out)
            patch.setattr(sys, "stderr", err)
            said = ours(*arguments)
        assert said.status == 0
        assert err.buffer.getvalue() == b""
        assert out.buffer.getvalue()


@pytest.mark.parametrize("arguments", ASKING[:4], ids=" ".join)
def test_a_state_whose_ledger_cannot_be_opened_is_told(
    ours: Command, tmp_path: Path, arguments: Sequence[str]
) -> None:
    ledger = tmp_path / "state" / "ledger.sqlite"
    ledger.unlink()
    ledger.mkdir()
    said = ours(*arguments)
    if arguments[0] == "doctor":
        assert said.status == 1
        assert "wrong ledger: ledger sqlite:" in said.out
    else:
        refused(said, 1, 2)
