"""The dbt package: its sources are the published tables, and dbt-duckdb runs the example over them.

dbt pins what we pin otherwise, so that it has an environment of its own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from enrichment_pipeline_tests.end_to_end.world import RunOver
from tools.dbt_sources import SOURCES, sources_text

PACKAGE = SOURCES.parent.parent
DBT = ("dbt-core>=1.10.5,<1.12", "dbt-duckdb>=1.9")
"""From 1.12 on, dbt needs what it downloads from elsewhere than the package index."""


def test_the_sources_are_the_published_tables_with_their_comments() -> None:
    said = "run `python -m tools.dbt_sources`: tables, columns or comments have changed"
    assert SOURCES.read_text(encoding="utf-8") == sources_text(), said


@pytest.mark.long
@pytest.mark.timeout(900)
def test_dbt_runs_the_example_and_every_test_over_what_is_published(
    run_over: RunOver, tmp_path: Path
) -> None:
    dbt = installed_dbt(tmp_path)
    shutil.copytree(PACKAGE, tmp_path / "dbt")
    example = tmp_path / "dbt" / "example"
    environment = {
        **os.environ,
        "ENRICHMENT_PUBLISHED": str(run_over.home / "published"),
        "EXAMPLE_DATABASE": str(tmp_path / "example.duckdb"),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }
    for command in ("deps", "build"):
        done = subprocess.run(
            [dbt, "--no-use-colors", command, "--profiles-dir", "."],
            cwd=example,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "deprecat" not in done.stdout.lower(), done.stdout
    assert "ERROR=0" in done.stdout
    assert "WARN=0" in done.stdout
    with duckdb.connect(str(tmp_path / "example.duckdb"), read_only=True) as made:
        [(contacts,)] = made.execute("select count(*) from reachable_contacts").fetchall()
    assert contacts > 0


def installed_dbt(folder: Path) -> Path:
    """dbt's command, in an environment that is made for it."""
    environment = folder / "dbt-environment"
    uv = Path(sys.executable).parent / "uv"
    python = environment / "bin" / "python"
    for command in (
        ("venv", "--quiet", "--python", sys.executable, environment),
        ("pip", "install", "--quiet", "--python", python, *DBT, f"duckdb=={duckdb.__version__}"),
    ):
        subprocess.run([uv, *command], check=True)
    return environment / "bin" / "dbt"
