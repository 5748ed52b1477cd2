"""Several runs at once over one state folder and one provider."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from dagster import DagsterRunStatus

from enrichment_pipeline_tests.end_to_end.world import (
    CREDITS,
    EXPECTED,
    KEY,
    LOOKUPS,
    dagster_runs,
    ledger_rows,
    outcomes,
    small_sandbox,
    start_enrichment,
    write_policy,
    write_source,
)

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]


def test_three_runs_at_once_all_succeed_and_buy_nobody_twice(tmp_path: Path) -> None:
    home = tmp_path / "state"
    write_source(tmp_path / "source")
    policy = write_policy(tmp_path, "[signalhire]\nitems_per_request = 3\n")
    with small_sandbox(tmp_path, latency_ms=200) as sandbox:
        processes = [
            start_enrichment(
                tmp_path,
                "run",
                ENRICHMENT_CONFIG=policy,
                SIGNALHIRE_BASE_URL=sandbox.base_url,
                SIGNALHIRE_API_KEY=KEY,
            )
            for _ in range(3)
        ]
        said = [process.communicate(timeout=240) for process in processes]
        charges = [json.loads(line) for line in sandbox.journal.read_text().splitlines()]
    assert [process.returncode for process in processes] == [0, 0, 0], said
    assert [err for _, err in said if "Traceback" in err or "error:" in err] == []

    assert len({charge["uid"] for charge in charges}) == len(charges) == CREDITS
    totals = "select count(*), sum(units_charged) from lookups where state = 'applied'"
    assert ledger_rows(home, totals) == [(LOOKUPS, CREDITS)]
    spent = [
        int(line.split("│")[2])
        for out, _ in said
        for line in out.splitlines()
        if "credits spent by this run" in line
    ]
    assert sum(spent) == CREDITS
    assert outcomes(home) == EXPECTED
    assert [run.status for run in dagster_runs(home)] == [DagsterRunStatus.SUCCESS] * 3
    assert list((home / "runs").iterdir()) == []
