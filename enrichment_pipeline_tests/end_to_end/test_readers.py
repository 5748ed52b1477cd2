"""BI clients that keep reading while one refresh after another publishes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from enrichment_pipeline_tests.end_to_end.world import (
    PROJECT,
    environment,
    run_here,
    small_policy,
    small_sandbox,
    small_settings,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

REFRESHES = 20


@contextmanager
def reading(folder: Path, stop: Path) -> Iterator[subprocess.Popen[str]]:
    module = "enrichment_pipeline_tests.end_to_end.reader"
    with subprocess.Popen(
        [sys.executable, "-m", module, str(folder), str(stop)],
        cwd=PROJECT,
        env=environment(folder.parent),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def published_run(folder: Path) -> str:
    with duckdb.connect(str(folder / "warehouse.duckdb"), read_only=True) as connection:
        return connection.execute("select run_id from enrichment.publication").fetchall()[0][0]


def test_readers_see_no_error_no_half_state_and_no_empty_table_during_twenty_refreshes(
    tmp_path: Path,
) -> None:
    stop = tmp_path / "stop"
    began = datetime(2026, 3, 2, 9, tzinfo=UTC)
    # refreshed so often that every run buys something, and changes rows
    policy = small_policy(tmp_path, freshness={"max_age_days": 1, "no_match_days": 1})
    published = []
    with small_sandbox(tmp_path) as sandbox, ExitStack() as readers:
        settings = small_settings(tmp_path, sandbox.base_url, policy)
        for number in range(1 + REFRESHES):
            run_here(settings, as_of=began + timedelta(days=2 * number), is_simulated=True)
            published.append(published_run(settings.published_dir))
            if number == 0:
                reader = readers.enter_context(reading(settings.published_dir, stop))
        stop.touch()
        out, err = reader.communicate(timeout=120)
    assert (reader.returncode, err) == (0, "")
    assert len(set(published)) == 1 + REFRESHES
    for way, seen in json.loads(out).items():
        print(f"{way}: {sum(seen.values())} reads of {len(seen)} states")
        # states are seen in the order in which they were published, the last one at the end
        assert list(seen) == [run_id for run_id in published if run_id in seen], way
        assert len(seen) > 1, way
        assert list(seen)[-1] == published[-1], way
