"""The command in this process: as a user types it, without the seconds that a start costs."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from enrichment_pipeline.cli.main import main
from enrichment_pipeline_tests.end_to_end import world
from enrichment_pipeline_tests.end_to_end.world import KEY, RunOver

OURS = ("ENRICHMENT_", "SIGNALHIRE_", "DAGSTER_")


@dataclass
class Said:
    """How a command ended, and what it said."""

    status: int
    out: str
    err: str


Command = Callable[..., Said]


@pytest.fixture
def enrichment(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Command:
    """Call with the arguments, and with the environment's variables by name; nothing else is set.

    The state folder is `tmp_path / "state"`, unless it is given.
    """

    def call(*arguments: str, **variables: object) -> Said:
        with monkeypatch.context() as patch:
            for name in list(os.environ):
                if name.startswith(OURS):
                    patch.delenv(name)
            for name, value in {"ENRICHMENT_HOME": tmp_path / "state", **variables}.items():
                patch.setenv(name, str(value))
            patch.setattr(sys, "argv", ["enrichment", *arguments])
            patch.chdir(tmp_path)
            capsys.readouterr()
            with pytest.raises(SystemExit) as ended:
                main()
        out, err = capsys.readouterr()
        status = ended.value.code
        assert isinstance(status, int | None)
        return Said(status or 0, out, err)

    return call


@pytest.fixture(scope="module")
def base_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with world.small_sandbox(tmp_path_factory.mktemp("sandbox")) as sandbox:
        yield sandbox.base_url


@pytest.fixture
def variables(tmp_path: Path, base_url: str) -> dict[str, object]:
    """For a policy over the small world and the sandbox that knows it."""
    world.write_source(tmp_path / "source")
    return _variables(tmp_path, base_url)


@pytest.fixture
def ours(enrichment: Command, base_url: str, run_over: RunOver, tmp_path: Path) -> Command:
    """The command on a state folder of the test's own in which one run is over."""
    run_over.copy_state(tmp_path)
    variables = _variables(tmp_path, base_url)

    def call(*arguments: str) -> Said:
        return enrichment(*arguments, **variables)

    return call


def _variables(folder: Path, base_url: str) -> dict[str, object]:
    """For a policy over the folder's source, and this provider."""
    return {
        "ENRICHMENT_CONFIG": world.write_policy(folder),
        "SIGNALHIRE_BASE_URL": base_url,
        "SIGNALHIRE_API_KEY": KEY,
    }
