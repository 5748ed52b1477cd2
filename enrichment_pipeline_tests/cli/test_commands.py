"""What `plan`, `status` and the command itself show."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from enrichment_pipeline.cli.main import STOP_SIGNALS, end_as_by_ctrl_c
from enrichment_pipeline.cli.terminal import duration
from enrichment_pipeline.dispatch.progress import is_unconfirmed_too_often
from enrichment_pipeline_tests.cli.conftest import Command
from enrichment_pipeline_tests.end_to_end import world
from enrichment_pipeline_tests.end_to_end.world import (
    CREDITS,
    KEY,
    LOOKUPS,
    RunOver,
    contents,
    ledger_rows,
)
from enrichment_pipeline_tests.support import open_to_others


def figures(shown: str) -> dict[str, list[str]]:
    """The rows of the tables shown, by their first cell."""
    cells = ([cell.strip() for cell in line.split("│")[1:-1]] for line in shown.splitlines())
    return {first: rest for first, *rest in filter(None, cells)}


def test_help_names_every_command_and_no_argument_is_no_mistake(enrichment: Command) -> None:
    said = enrichment()
    assert (said.status, said.err) == (0, "")
    for command in ("run", "plan", "status", "report", "ui", "sandbox", "receiver", "ask-again"):
        assert f" {command} " in said.out


def test_the_version_is_the_packages(enrichment: Command) -> None:
    said = enrichment("--version")
    assert (said.status, said.out, said.err) == (0, f"{version('enrichment_pipeline')}\n", "")


@pytest.mark.parametrize(
    ("unconfirmed", "asked", "is_too_often"),
    [
        (178, 264, True),
        (11, 100, True),
        (10, 100, False),
        (1, 9, True),
        (0, 9, False),
        (0, 0, False),
    ],
)
def test_more_than_a_tenth_unconfirmed_is_no_success(
    unconfirmed: int, asked: int, is_too_often: bool
) -> None:
    assert is_unconfirmed_too_often(unconfirmed, asked) == is_too_often


@pytest.fixture
def own_handlers() -> Iterator[None]:
    """The handlers of signals as they were, after the test."""
    before = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("own_handlers")
@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_a_signal_to_stop_does_what_ctrl_c_does(number: signal.Signals) -> None:
    end_as_by_ctrl_c()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(number)


@pytest.mark.usefixtures("own_handlers")
def test_a_closed_terminal_interrupts_once_though_shell_and_system_both_say_so() -> None:
    end_as_by_ctrl_c()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGHUP)
    signal.raise_signal(signal.SIGHUP)


@pytest.mark.usefixtures("own_handlers")
def test_under_nohup_a_closed_terminal_is_ignored() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    end_as_by_ctrl_c()
    signal.raise_signal(signal.SIGHUP)


def test_a_plan_says_what_a_run_would_buy_and_changes_nothing(
    enrichment: Command, variables: dict[str, object], tmp_path: Path
) -> None:
    said = enrichment("plan", **variables)
    assert (said.status, said.err) == (0, "")
    shown = figures(said.out)
    # contacts, look-ups, cache hits: the second contact of one profile costs nothing
    assert shown["new|strategic"] == ["10", "9", "1"]
    assert shown["new|target"] == ["7", "7", "0"]
    assert shown["new|standard"] == ["7", "7", "0"]
    assert shown["new|bulk"] == ["6", "6", "0"]
    # and lanes in which nothing is due are not in the way
    assert not any(lane.startswith(("retry", "stale")) for lane in shown)
    assert shown["all"] == [str(LOOKUPS + 1), str(LOOKUPS), "1"]
    assert f"credits, at worst: {LOOKUPS} " in said.out
    assert "nothing reads" not in said.out
    assert "tiers that are none of" not in said.out
    tables = contents(tmp_path / "state")
    filled = {table for table, rows in tables.items() if rows}
    assert filled == {"staging.stamp"}
    assert ledger_rows(tmp_path / "state", "select count(*) from lookups") == [(0,)]


def test_a_plan_names_what_nothing_reads_and_breaks_no_line_of_text_in_two(
    enrichment: Command,
    variables: dict[str, object],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "40")  # a path that is cut at the window's edge cannot be copied
    policy = (tmp_path / "enrichment.toml").read_text()
    renamed = policy.replace("select * from contacts", "select *, email as e_mail from contacts")
    renamed = renamed.replace(
        "select * from accounts", "select * replace ('Gold' as tier) from accounts"
    )
    (tmp_path / "enrichment.toml").write_text(renamed)
    said = enrichment("plan", **variables)
    assert "columns of the source that nothing reads: contacts.e_mail\n" in said.out
    assert "\ntiers that are none of strategic, target, standard, bulk, so that" in said.out
    assert "so that the score decides: gold\n" in said.out
    assert sum(line.startswith("credits, at worst: ") for line in said.out.splitlines()) == 1
    assert "(left in the budget: 20,000 today, 300,000 this month)\n" in said.out


def test_a_plan_of_some_lanes_counts_those_only(
    enrichment: Command, variables: dict[str, object]
) -> None:
    said = enrichment("plan", "--priority", "bulk,target", "--freshness", "new", **variables)
    assert figures(said.out).keys() == {"new|target", "new|bulk", "all"}
    assert figures(said.out)["all"] == ["13", "13", "0"]


def test_after_a_run_a_plan_finds_nothing_due_and_status_counts_what_there_is(
    ours: Command,
) -> None:
    assert figures(ours("plan").out)["all"] == ["0", "0", "0"]
    said = ours("status")
    assert (said.status, said.err) == (0, "")
    shown = figures(said.out)
    assert shown["staging.contacts"] == ["38"]
    assert shown["enrichment.enriched_contacts"] == ["28"]
    assert shown["enrichment.contact_status"] == ["38"]
    assert shown["applied"] == [str(LOOKUPS)]
    assert [row for name, row in shown.items() if name.startswith("day:")] == [
        [str(CREDITS), "0", "20,000"]
    ]
    assert "provider's balance: 99,972 " in said.out


def test_status_before_the_first_run_says_so(enrichment: Command, tmp_path: Path) -> None:
    said = enrichment("status")
    assert (said.status, said.err) == (0, "")
    assert f"{tmp_path / 'state'}: nothing here yet" in said.out
    assert contents(tmp_path / "state") == {}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.4, "59 s"), (60, "1 min"), (3599, "1 h 0 min"), (7800, "2 h 10 min")],
)
def test_durations_read_as_people_say_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("config", "status", "told"),
    [
        ({"faults": {"error_500": 1.0}}, 1, f"{LOOKUPS} of {LOOKUPS} look-ups ended unconfirmed"),
        pytest.param({"credits": 3}, 0, "", marks=pytest.mark.long),
    ],
    ids=["nothing but errors", "out of credits"],
)
def test_a_run_that_the_provider_ended_early_says_so_by_its_status(
    enrichment: Command, tmp_path: Path, config: dict[str, Any], status: int, told: str
) -> None:
    world.write_source(tmp_path / "source")
    with world.small_sandbox(tmp_path, **config) as sandbox:
        said = enrichment(
            "run",
            ENRICHMENT_CONFIG=world.write_policy(tmp_path),
            SIGNALHIRE_BASE_URL=sandbox.base_url,
            SIGNALHIRE_API_KEY=KEY,
        )
    assert said.status == status, said
    assert told in said.err
    assert "credits spent by this run" in said.out
    assert "lookups_are_answered" not in said.out  # is told by the error, for all lanes


def test_whatever_a_run_and_a_report_leave_is_for_their_owner_alone(
    ours: Command, tmp_path: Path, run_over: RunOver
) -> None:
    assert open_to_others(run_over.home) == []  # its umask let everybody do everything
    before = os.umask(0)
    try:
        assert ours("report").status == 0
        assert ours("plan").status == 0
    finally:
        os.umask(before)
    assert (tmp_path / "state" / "report.html").exists()
    assert open_to_others(tmp_path / "state") == []


def test_a_plan_tells_what_is_expected_of_each_provider_and_who_is_not_asked(
    enrichment: Command, variables: dict[str, object], tmp_path: Path
) -> None:
    policy = tmp_path / "enrichment.toml"
    waterfall = (
        '[waterfall]\norder = ["signalhire", "prospeo", "peopledatalabs"]\n'
        'only = { prospeo = ["strategic", "target"] }\n'
    )
    policy.write_text(f"{policy.read_text()}\n{waterfall}")
    said = enrichment("plan", **variables)
    assert (said.status, said.err) == (0, "")
    shown = figures(said.out)
    # due now, expected look-ups, credits and cost; at worst, look-ups and credits
    assert shown["SignalHire"] == [str(LOOKUPS)] * 6
    # two have what SignalHire cannot be asked by, or nothing but a name and a company
    assert shown["Prospeo"] == ["2", *["18"] * 5]
    assert shown["People Data Labs"] == ["0"] * 6
    assert f"credits, at worst: {LOOKUPS + 18} " in said.out
    assert "\nthe worst is assumed of SignalHire, Prospeo, with fewer than 30 answers" in said.out
    assert "\nProspeo is asked for strategic, target only ([waterfall] only)\n" in said.out
    assert (
        "\nPeople Data Labs is not asked: it never says verified, and [acceptance] requires "
        "verified_email\n"
    ) in said.out


def test_a_dry_run_checks_all_that_a_run_does_and_changes_nothing(
    enrichment: Command, variables: dict[str, object], tmp_path: Path
) -> None:
    said = enrichment("run", "--dry-run", "--limit", "5", **variables)
    assert (said.status, said.err) == (0, "")
    assert figures(said.out)["all"] == ["5", "5", "0"]
    assert "credits, at worst: 5 " in said.out
    assert "credits left at SignalHire: 100,000\n" in said.out
    assert said.out.endswith("a dry run: nothing was bought, and no table was changed\n")
    home = tmp_path / "state"
    assert {table for table, found in contents(home).items() if found} == {"staging.stamp"}
    assert ledger_rows(home, "select count(*) from lookups") == [(0,)]
    assert not (home / "published").exists()

    chosen = enrichment("run", "--dry-run", "--contact", "by-email", **variables)
    assert figures(chosen.out)["all"] == ["1", "1", "0"]
    unknown = enrichment("run", "--dry-run", "--contact", "nobody", "--contact", "no", **variables)
    assert (unknown.status, unknown.out) == (2, "")
    assert unknown.err == (
        "error: --contact no and 1 more: no such contact; ids are the source's contact_id\n"
    )
    wrong = enrichment("run", "--dry-run", **{**variables, "SIGNALHIRE_API_KEY": "wrong"})
    assert (wrong.status, wrong.out) == (2, "")
    assert "does not accept the key" in wrong.err
