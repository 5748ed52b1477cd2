"""Runs with sinks: what goes where is told, and a sink that is away stops nothing."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
from rich.console import Console

from enrichment_pipeline.cli.run_command import refresh
from enrichment_pipeline.errors import PipelineError
from enrichment_pipeline.lanes import FRESHNESS, PRIORITIES, lane_blocks
from enrichment_pipeline.policy import Policy
from enrichment_pipeline.settings import Settings
from enrichment_pipeline_tests.end_to_end.world import (
    make_state,
    prepare_dagster,
    small_policy,
    small_sandbox,
    small_settings,
)

WHAT_TO_DO = "All is published, and what it lacks it gets with the next run"


def run(settings: Settings, shown: io.StringIO) -> None:
    refresh(
        settings,
        lane_blocks(FRESHNESS, PRIORITIES),
        as_of=datetime.now(UTC),
        is_simulated=False,
        max_credits=None,
        console=Console(file=shown, width=200),
    )


@pytest.mark.long
def test_a_sink_that_is_away_is_told_and_gets_all_with_the_next_run(tmp_path: Path) -> None:
    away = tmp_path / "away"
    away.touch()
    places = {"far": away / "lake", "near": tmp_path / "near"}
    sinks = [
        {"name": name, "attach": str(place), "tables": ["contact_status"]}
        for name, place in places.items()
    ]
    document = small_policy(tmp_path).model_dump(exclude_unset=True)
    policy = Policy.model_validate({**document, "sinks": sinks})
    with small_sandbox(tmp_path) as sandbox:
        settings = small_settings(tmp_path, sandbox.base_url, policy)
        make_state(settings)
        prepare_dagster(settings, keeps_events=True)
        shown = io.StringIO()
        with pytest.raises(PipelineError) as behind:
            run(settings, shown)
        assert str(behind.value) == (
            f"sink far: could not be filled (Not a directory). {WHAT_TO_DO}"
        )
        assert "sink near: contact_status 38 merged\n" in shown.getvalue()
        assert "warning: the check sinks.sinks_are_up_to_date failed" in shown.getvalue()
        assert "rows of enriched_contacts" in shown.getvalue()  # all is told that a good run tells
        assert rows(settings.published_dir / "contact_status.parquet") == 38
        away.unlink()
        shown = io.StringIO()
        run(settings, shown)
    assert "sink far: contact_status 38 merged\n" in shown.getvalue()
    assert "sink near: " in shown.getvalue()
    for place in places.values():
        assert rows(place / "contact_status.parquet") == 38


def rows(file: Path) -> int:
    with duckdb.connect() as connection:
        [(found,)] = connection.execute(
            "select count(*) from read_parquet(?)", [str(file)]
        ).fetchall()
        return found
