"""BI clients that keep reading while one refresh after another publishes.

Measures: a promise. Nobody who reads `published/`, in whichever of three ways, sees an error, a
half state or an empty table, or an older state after a newer one. Here: the refreshes and the
verdict. Not here: how a client reads (`reader.py`).
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from enrichment_pipeline_tests.end_to_end.world import (
    PROJECT,
    environment,
    run_here,
    small_policy,
    small_sandbox,
    small_settings,
)

FIRST_RUN = datetime(2026, 3, 2, 9, tzinfo=UTC)


def main(refreshes: int = 20) -> bool:
    with tempfile.TemporaryDirectory(prefix="enrichment-bench-") as folder:
        published, ended, said = read_while_refreshing(Path(folder), refreshes)
    if ended:
        print(f"  MISS the reader failed: {said}")
        return False
    holds = True
    for way, reads in json.loads(said).items():
        # states are seen in the order in which they were published, the last one at the end
        in_order = [run_id for run_id in published if run_id in reads]
        is_right = len(reads) > 1 and list(reads) == in_order and in_order[-1] == published[-1]
        print(
            f"  {'ok  ' if is_right else 'MISS'} {way}: {sum(reads.values())} reads of "
            f"{len(reads)} states of {len(set(published))}"
        )
        holds = holds and is_right
    return holds and len(set(published)) == 1 + refreshes


def read_while_refreshing(folder: Path, refreshes: int) -> tuple[list[str], int, str]:
    """The runs that published, and how the reader ended and what it said."""
    # refreshed so often that every run buys something, and changes rows
    policy = small_policy(folder, freshness={"max_age_days": 1, "no_match_days": 1})
    stop = folder / "stop"
    published = []
    with small_sandbox(folder) as sandbox, ExitStack() as readers:
        settings = small_settings(folder, sandbox.base_url, policy)
        for number in range(1 + refreshes):
            as_of = FIRST_RUN + timedelta(days=2 * number)
            run_here(settings, as_of=as_of, is_simulated=True)
            published.append(published_run(settings.published_dir))
            if number == 0:
                reader = readers.enter_context(reading(settings.published_dir, stop))
        stop.touch()
        out, err = reader.communicate(timeout=120)
    return published, reader.returncode, err or out


@contextmanager
def reading(folder: Path, stop: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.reader", str(folder), str(stop)],
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
