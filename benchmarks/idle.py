"""A run that has nothing to do, and `enrichment plan`: what is paid for each time, work or not.

Measures: the CPU time of a second `enrichment run` over the sample, in a process of its own,
against an empty Dagster job with as many assets in a process of its own, in turns (and, for what
of it is Dagster's, against one with as many lanes and checks as well); how often that run opens the
warehouse, and how many statements it has DuckDB execute; and what `enrichment plan` takes over 500
contacts, in a new state folder and again.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, ClassVar, Self

import duckdb

from benchmarks.common import email, verdict
from enrichment_pipeline.serving.child import child_server
from enrichment_pipeline.settings import PROJECT_ROOT

ROUNDS = 5
PLANNED_CONTACTS = 500
POLICY = "[signalhire]\nitems_per_window = 100000\nwindow_seconds = 1.0\n"
OPTIONS = ("--items-per-window", "100000", "--window-seconds", "1")
ENRICHMENT = ("-m", "enrichment_pipeline.cli")
EMPTY_JOB = ("-m", "benchmarks.empty_job")
COUNTED = "openings of the warehouse"


def main(rounds: int = ROUNDS) -> bool:
    with tempfile.TemporaryDirectory(prefix="enrichment-bench-") as folder:
        return all(
            [idle_runs(Path(folder) / "sample", rounds), plans(Path(folder) / "plan", rounds)]
        )


def idle_runs(folder: Path, rounds: int) -> bool:
    """A run after which nothing is left to do, then more of them."""
    from enrichment_pipeline.definitions import ASSETS

    folder.mkdir()
    people = ("--people", str(PROJECT_ROOT / "data" / "sample" / "people.csv"))
    assets = sum(len(each.keys) for each in ASSETS)
    with_lanes = sum(each.partitions_def is not None for each in ASSETS)
    checks = sum(len(list(each.check_keys)) for each in ASSETS)
    commands = {
        "a run of the sample with nothing to do": (*ENRICHMENT, "run"),
        "an empty Dagster job of as many assets": (*EMPTY_JOB, str(assets), "0", "0"),
        "the same with as many lanes and checks": (
            *(*EMPTY_JOB, str(assets), str(with_lanes), str(checks)),
        ),
    }
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    with child_server("sandbox", [*people, *OPTIONS]) as base_url:
        variables = environment(folder, POLICY) | {"SIGNALHIRE_BASE_URL": base_url}
        for _first in range(2):  # those who are found late are bought by the second
            _timed((*ENRICHMENT, "run"), variables)
        for _round in range(rounds):
            for name, command in commands.items():
                seconds[name].append(_timed(command, variables)[1])
        counted = _output(("-m", "benchmarks.idle"), variables)
    for name, measured in seconds.items():
        print(f"  {name}: {_told(measured)}")
    print(f"  {next(line for line in counted.splitlines() if COUNTED in line)}")
    ours, empty, as_ours = map(statistics.median, seconds.values())
    print(f"  to the one with lanes and checks: {ours / as_ours:.3f}")
    return verdict("to the empty job", ours / empty, "<=", 2)


def plans(folder: Path, rounds: int) -> bool:
    """`enrichment plan` where there is no state yet, and again over the state that it has made."""
    (folder / "source").mkdir(parents=True)
    lines = [f"contact-{n},{email(n)}" for n in range(PLANNED_CONTACTS)]
    (folder / "source" / "contacts.csv").write_text("\n".join(["contact_id,email", *lines]) + "\n")
    source = '[source]\nattach = "source"\ncontacts = "select * from contacts"\n'
    variables = environment(folder, source)
    command = (*ENRICHMENT, "plan")
    first_wall, first = _timed(command, variables)
    again = [_timed(command, variables) for _round in range(rounds)]
    wall, cpu = (statistics.median(each) for each in zip(*again, strict=True))
    print(f"  enrichment plan, 500 contacts: first {first_wall:.2f} s ({first:.2f} s of CPU)")
    print(f"  enrichment plan, 500 contacts: again {wall:.2f} s ({cpu:.2f} s of CPU)")
    return verdict("seconds of a plan", wall, "<=", 2.5)


def environment(folder: Path, policy: str) -> dict[str, str]:
    """This process's environment without anything of ours, for a state folder of its own."""
    ours = ("ENRICHMENT_", "SIGNALHIRE_", "DAGSTER_")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    (folder / "enrichment.toml").write_text(policy)
    return inherited | {
        "DAGSTER_HOME": str(_dagster_home(folder)),
        "ENRICHMENT_HOME": str(folder / "state"),
        "ENRICHMENT_CONFIG": str(folder / "enrichment.toml"),
    }


def _dagster_home(folder: Path) -> Path:
    """A home that both jobs share, with the instance that the package ships."""
    home = folder / "dagster"
    home.mkdir()
    shutil.copy(PROJECT_ROOT / "enrichment_pipeline" / "dagster.yaml", home)
    return home


def _timed(arguments: tuple[str, ...], variables: dict[str, str]) -> tuple[float, float]:
    """Seconds that a Python process takes, by the clock and of CPU."""
    began_at = time.monotonic()
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            env=variables,
            cwd=PROJECT_ROOT,
            stdout=output,
            stderr=output,
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.monotonic() - began_at
        if process.returncode:
            output.seek(0)
            raise RuntimeError(f"{arguments} ended with {process.returncode}: {output.read()}")
    return seconds, used.ru_utime + used.ru_stime


def _output(arguments: tuple[str, ...], variables: dict[str, str]) -> str:
    return subprocess.run(
        [sys.executable, *arguments],
        env=variables,
        cwd=PROJECT_ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def _told(seconds: list[float]) -> str:
    shown = ", ".join(f"{one:.2f}" for one in sorted(seconds))
    return f"{statistics.median(seconds):.2f} s of CPU ({shown})"


class _Counting:
    """A connection to DuckDB that counts what is executed by it."""

    openings: ClassVar[list[str]] = []
    statements: ClassVar[list[str]] = []

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def execute(
        self, query: duckdb.Statement | str, *arguments: object
    ) -> duckdb.DuckDBPyConnection:
        self.statements.append(query if isinstance(query, str) else query.query)
        return self._connection.execute(query, *arguments)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._connection.close()

    def cursor(self) -> _Counting:
        return _Counting(self._connection.cursor())


def _run_counted() -> None:
    """`enrichment run` in this process, and then what it asked of DuckDB."""
    connect = duckdb.connect

    def counting(database: str = ":memory:", **options: Any) -> Any:
        if database.endswith("state/warehouse.duckdb"):
            _Counting.openings.append(database)
        return _Counting(connect(database, **options))

    duckdb.connect = counting  # ty: ignore[invalid-assignment]
    from enrichment_pipeline.cli.main import app

    app(["run"], standalone_mode=False)
    macros = sum("temp macro" in text for text in _Counting.statements)
    print(
        f"{len(_Counting.openings)} {COUNTED}, {len(_Counting.statements)} statements, "
        f"{macros} of them macros"
    )


if __name__ == "__main__":
    _run_counted()
