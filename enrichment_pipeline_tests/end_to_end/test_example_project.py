"""The example of a code location that is somebody else's, run as its README says."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from enrichment_pipeline.sandbox.sample_folder import SAMPLE
from enrichment_pipeline.sandbox.signalhire.people import load_people
from enrichment_pipeline_tests.defs.job import ALL_LANES
from enrichment_pipeline_tests.end_to_end.world import KEY, PROJECT, environment
from enrichment_pipeline_tests.sandbox import journal_lines
from enrichment_pipeline_tests.support import open_to_others, running_sandbox

pytestmark = [pytest.mark.long, pytest.mark.timeout(1_800)]


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_dlts_contacts_are_enriched_and_read_in_one_run_with_a_process_for_each_step(
    tmp_path: Path,
) -> None:
    project = tmp_path / "project"
    shutil.copytree(PROJECT / "examples" / "dagster_project", project)
    home = project / "state" / "enrichment"
    dagster_home = project / "state" / "dagster"
    dagster_home.mkdir(parents=True)
    people = load_people(SAMPLE / "people.csv")
    with running_sandbox(people, tmp_path / "journal.jsonl", api_key=KEY) as sandbox:
        done = subprocess.run(
            [
                *(sys.executable, "-m", "dagster", "job", "execute", "-f", "definitions.py"),
                *("-j", "everything", "--tags", json.dumps(ALL_LANES)),
            ],
            cwd=project,
            env=environment(
                project,
                ENRICHMENT_HOME=home,
                ENRICHMENT_CONFIG=project / "enrichment.toml",
                SIGNALHIRE_BASE_URL=sandbox.base_url,
                SIGNALHIRE_API_KEY=KEY,
                DAGSTER_HOME=dagster_home,
            ),
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout[-4_000:] + done.stderr[-4_000:]
        bought = journal_lines(sandbox.journal)
    given = {row["contact_id"] for row in rows_of(project / "export" / "contacts.csv")}
    listed = rows_of(project / "state" / "mailing_list.csv")
    assert len(listed) > len(given) / 4
    assert {row["contact_id"] for row in listed} <= given
    assert all("@" in row["work_email"] for row in listed)
    assert len(bought) == len({json.dumps(line, sort_keys=True) for line in bought})
    assert open_to_others(home) == []
    assert not (home / "sample_source.duckdb").exists()
