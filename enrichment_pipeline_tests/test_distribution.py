"""The wheel and the source archive: they have what they need, and the wheel needs no checkout."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path

import httpx
import pytest

from benchmarks.daemon import free_port

PROJECT = Path(__file__).resolve().parent.parent
UV = str(Path(sys.executable).with_name("uv"))
pytestmark = [pytest.mark.long, pytest.mark.timeout(1_800)]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with both, the wheel made from the source archive."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([UV, "build", "--quiet", "--out-dir", str(folder)], cwd=PROJECT, check=True)
    return folder


@pytest.fixture(scope="module")
def installed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment that has the wheel, and the packages of uv.lock."""
    folder = tmp_path_factory.mktemp("elsewhere")
    requirements = folder / "requirements.txt"
    export = ["export", "--frozen", "--quiet", "--no-dev", "--no-emit-project"]
    [wheel] = built.glob("*.whl")
    for command in (
        [UV, *export, "--output-file", str(requirements)],
        [UV, "venv", "--quiet", "--python", sys.executable, str(folder / "venv")],
        [
            *(UV, "pip", "install", "--quiet", "--python", str(folder / "venv")),
            *("--requirement", str(requirements)),
        ],
        [
            *(UV, "pip", "install", "--quiet", "--python", str(folder / "venv")),
            *("--no-deps", str(wheel)),
        ],
    ):
        subprocess.run(command, cwd=PROJECT, check=True)
    return folder / "venv" / "bin"


def environment() -> dict[str, str]:
    """What somebody has who has heard nothing of us."""
    ours = ("ENRICHMENT_", "SIGNALHIRE_", "DAGSTER_", "PYTHON", "VIRTUAL_ENV")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


def test_the_source_archive_has_what_the_project_tracks(built: Path) -> None:
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=PROJECT, capture_output=True, text=True, check=True
    ).stdout.split("\n")
    with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
        packed = {name.partition("/")[2] for name in archive.getnames()}
    assert {name for name in tracked if name and not name.startswith(".")} <= packed


def test_the_wheel_has_the_sample_and_no_test(built: Path) -> None:
    with zipfile.ZipFile(next(built.glob("*.whl"))) as archive:
        names = archive.namelist()
    assert "enrichment_pipeline/dagster.yaml" in names
    assert "enrichment_pipeline/sandbox/sample/people_elsewhere.csv" in names
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"enrichment_pipeline"}


def test_the_wheel_runs_the_sample_and_the_pages_in_an_empty_folder(
    installed: Path, tmp_path: Path
) -> None:
    arguments = ["run", "--priority", "strategic", "--max-credits", "50"]
    finished = subprocess.run(
        [installed / "enrichment", *arguments],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "sandbox provider at" in finished.stdout
    assert "What each provider brought" in finished.stdout
    home = tmp_path / "data" / "state"
    assert str(home / "published" / "warehouse.duckdb") in finished.stdout
    assert (home / "published" / "warehouse.duckdb").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["data"]

    port = free_port()
    pages = subprocess.Popen(
        [installed / "enrichment", "ui", "--port", str(port)], cwd=tmp_path, env=environment()
    )
    try:
        query = "{ assetNodes { assetKey { path } } }"
        keys = {tuple(node["assetKey"]["path"]) for node in asked(port, query)["assetNodes"]}
        assert ("enriched_contacts",) in keys
    finally:
        pages.send_signal(signal.SIGTERM)
        pages.wait(60)


def test_without_a_checkout_the_state_of_live_providers_has_to_be_named(
    installed: Path, tmp_path: Path
) -> None:
    live = {"ENRICHMENT_PROVIDER": "live", "SIGNALHIRE_API_KEY": "a-key"}
    refused = subprocess.run(
        [installed / "enrichment", "plan"],
        cwd=tmp_path,
        env=environment() | live,
        capture_output=True,
        text=True,
    )
    assert refused.returncode == 2
    assert "ENRICHMENT_HOME: not set" in refused.stderr
    assert list(tmp_path.iterdir()) == []


def asked(port: int, query: str) -> dict[str, list[dict[str, dict[str, list[str]]]]]:
    """What the pages answer, once they are there."""
    give_up_at = time.monotonic() + 600
    while True:
        try:
            url = f"http://127.0.0.1:{port}/graphql"
            return httpx.post(url, json={"query": query}, timeout=60).json()["data"]
        except httpx.TransportError:
            assert time.monotonic() < give_up_at
            time.sleep(0.5)
