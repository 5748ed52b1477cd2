"""`enrichment history`: the last runs, for people and for programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from enrichment_pipeline.cli.history_command import _lanes, _options
from enrichment_pipeline.lanes import FRESHNESS, PRIORITIES, LaneBlock
from enrichment_pipeline.run import Run
from enrichment_pipeline_tests.cli.conftest import Command
from enrichment_pipeline_tests.end_to_end.world import CREDITS, LOOKUPS, contents
from enrichment_pipeline_tests.support import START


def test_a_run_is_told_with_what_it_bought_and_how_it_ended(ours: Command, tmp_path: Path) -> None:
    before = contents(tmp_path / "state")
    said = ours("history")
    assert (said.status, said.err) == (0, "")
    [row] = [line for line in said.out.splitlines() if "done" in line]
    cells = [cell.strip() for cell in row.split("│")[1:-1]]
    assert cells[1:3] == ["all", "done"]
    assert cells[4:8] == [str(LOOKUPS), str(CREDITS), str(CREDITS), str(CREDITS)]

    told = json.loads(ours("history", "--json", "--last", "1").out)
    [run] = told["runs"]
    assert (run["job"], run["lanes"], run["end"], run["why"]) == (
        *("daily_refresh", "all"),
        *("done", None),
    )
    assert (run["lookups"], run["matched"], run["credits"]) == (LOOKUPS, CREDITS, CREDITS)
    assert run["started_at"] < run["ended_at"]
    assert contents(tmp_path / "state") == before


def test_before_the_first_run_there_is_none(enrichment: Command, tmp_path: Path) -> None:
    said = enrichment("history")
    assert (said.status, said.err) == (0, "")
    assert said.out == f"{tmp_path / 'state'}: no run yet; `enrichment run` makes a start\n"
    assert json.loads(enrichment("history", "--json").out) == {"runs": []}
    assert not (tmp_path / "state").exists()


def test_a_ledger_that_is_gone_is_told_and_not_made(ours: Command, tmp_path: Path) -> None:
    (tmp_path / "state" / "ledger.sqlite").unlink()
    said = ours("history", "--json")
    assert (said.status, said.out) == (1, "")
    assert "ledger.sqlite: is not there" in said.err
    assert not (tmp_path / "state" / "ledger.sqlite").exists()


@pytest.mark.parametrize(
    ("block", "told"),
    [
        (LaneBlock(FRESHNESS, PRIORITIES), "all"),
        (LaneBlock(("new",), ("strategic",)), "new|strategic"),
        (LaneBlock(("new", "retry"), ("target", "standard")), "new|target to retry|standard"),
    ],
)
def test_lanes_are_told_by_their_range(block: LaneBlock, told: str) -> None:
    start, end = (f"dagster/asset_partition_range_{edge}" for edge in ("start", "end"))
    assert _lanes({start: block.first_key, end: block.last_key}) == told
    assert _lanes({}) == "–"


def test_a_run_that_was_narrowed_down_says_by_what() -> None:
    run = Run("run", START, is_simulated=True, max_credits=5, max_lookups=7, contacts=("C1", "C2"))
    assert " ".join(_options(run.tags)) == (
        f"--limit 7 --contact (2) --max-credits 5 --simulate --as-of {START:%Y-%m-%d}"
    )
    assert list(_options(Run("run", START).tags)) == []
