"""Dagster's real daemon with everything switched on at once, over one state folder.

Measures: promises. `enrichment ui` runs Dagster's web server, daemon and code server. The
sensor and the schedule tick within seconds of each other, a backfill is launched through
the web server as its pages do, the command line runs beside them, the source changes, and
all of it is ended and started again in the middle. Nobody is bought twice, no run fails but
those whose process was ended, and nobody meets a lock.

The schedule ticks at once since it is told that it was switched on yesterday: what the
daemon then does is what it does after a night in which it was down.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import httpx
import sqlalchemy as sa
from dagster import DagsterInstance, DagsterRun, DagsterRunStatus
from dagster._core.execution.backfill import BulkActionsFilter, BulkActionStatus
from dagster._core.scheduler.instigation import (
    InstigatorType,
    ScheduleInstigatorData,
    TickStatus,
)

from benchmarks.common import email, write_people
from enrichment_pipeline.lanes import FRESHNESS, PRIORITIES
from enrichment_pipeline.ledger.schema import calls
from enrichment_pipeline.serving.child import child_server
from enrichment_pipeline.settings import PROJECT_ROOT

LATENCY_MS = 300
ITEMS_PER_REQUEST = 4
POLICY = f"""\
[source]
attach = "source"
contacts = "select * from contacts"
accounts = "select * from accounts"

[signalhire]
items_per_window = 100000
window_seconds = 1.0
items_per_request = {ITEMS_PER_REQUEST}
"""
LANES = [f"{freshness}|{priority}" for freshness in FRESHNESS for priority in PRIORITIES]
NOT_CONTIGUOUS = ["new|strategic", "new|standard", "retry|target", "stale|bulk"]
SELECTOR = {
    "repositoryName": "__repository__",
    "repositoryLocationName": "enrichment_pipeline",
}
END_SECONDS = 1200.0
"""A run that the restart has killed before it held its lock is marked as failed after 900."""
A_DAY_AGO = 25 * 3600.0
LOCKED = ("Could not set lock", "database is locked", "was in use by another process for")


@dataclass
class Scene:
    """A state folder, the variables under which every command runs, and what is running."""

    home: Path
    variables: dict[str, str]
    port: int
    people: int
    written: int = 0
    ui: subprocess.Popen[bytes] | None = None
    commands: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        with (self.home / "output.log").open("ab") as output:
            return subprocess.Popen(
                [sys.executable, "-m", "enrichment_pipeline.cli", *arguments],
                env=os.environ | self.variables,
                cwd=self.home,
                stdout=output,
                stderr=output,
            )

    def run(self, *options: str) -> None:
        self.commands.append(self.start("run", *options))

    # --- the source ---------------------------------------------------------------------

    def add_contacts(self, number: int) -> None:
        """So many more contacts, each of a person whom the provider knows."""
        self.written = min(self.people, self.written + number)
        source = self.home / "source"
        source.mkdir(exist_ok=True)
        tiers = "".join(f"a{rank},{tier}\n" for rank, tier in enumerate(PRIORITIES))
        (source / "accounts.csv").write_text(f"account_id,tier\n{tiers}")
        rows = "".join(f"c{n},a{n % 4},{email(n)}\n" for n in range(self.written))
        draft = self.home / "contacts.draft"
        draft.write_text(f"contact_id,account_id,email\n{rows}")
        draft.replace(source / "contacts.csv")

    # --- Dagster ------------------------------------------------------------------------

    def open_ui(self) -> None:
        self.ui = self.start("ui", "--port", str(self.port))
        wait_until(self._is_loaded, "Dagster has loaded the definitions", 120)

    def close_ui(self) -> None:
        if self.ui is not None:
            # as good as Ctrl+C, which a shell without job control has its background ignore
            self.ui.send_signal(signal.SIGTERM)
            self.ui.wait(60)
            self.ui = None

    def _is_loaded(self) -> bool:
        query = "{ repositoriesOrError { ... on RepositoryConnection { nodes { name } } } }"
        try:
            found = self.ask(query)["repositoriesOrError"].get("nodes")
        except httpx.TransportError:
            return False
        return bool(found)

    def ask(self, query: str, **variables: object) -> dict[str, Any]:
        """What the web server's pages ask it."""
        answer = httpx.post(
            f"http://127.0.0.1:{self.port}/graphql",
            json={"query": query, "variables": variables},
            timeout=60,
        ).json()
        if answer.get("errors"):
            raise AssertionError(answer["errors"])
        return answer["data"]

    def switch_on(self) -> None:
        schedule = (
            "mutation ($selector: ScheduleSelector!) { startSchedule(scheduleSelector: $selector) "
            "{ __typename ... on PythonError { message } } }"
        )
        sensor = (
            "mutation ($selector: SensorSelector!) { startSensor(sensorSelector: $selector) "
            "{ __typename ... on PythonError { message } } }"
        )
        made = [
            self.ask(schedule, selector={**SELECTOR, "scheduleName": "daily_refresh"}),
            self.ask(sensor, selector={**SELECTOR, "sensorName": "new_contacts"}),
        ]
        kinds = [answer["__typename"] for each in made for answer in each.values()]
        assert kinds == ["ScheduleStateResult", "Sensor"], made

    def launch_backfill(self, lanes: Sequence[str]) -> str:
        """A backfill of the job over these lanes; its id."""
        mutation = (
            "mutation ($params: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: "
            "$params) { __typename ... on LaunchBackfillSuccess { backfillId } "
            "... on PythonError { message } } }"
        )
        params = {
            "selector": {
                "partitionSetName": "daily_refresh_partition_set",
                "repositorySelector": SELECTOR,
            },
            "partitionNames": list(lanes),
        }
        answer = self.ask(mutation, params=params)["launchPartitionBackfill"]
        assert answer["__typename"] == "LaunchBackfillSuccess", answer
        return answer["backfillId"]

    @contextmanager
    def instance(self) -> Iterator[DagsterInstance]:
        with DagsterInstance.from_config(str(self.home / "dagster")) as instance:
            yield instance

    def runs(self) -> list[DagsterRun]:
        with self.instance() as instance:
            return list(instance.get_runs())

    def count(self, kind: str) -> int:
        """How many runs a schedule or a sensor of that name has started."""
        return sum(kind_of(run) == kind for run in self.runs())

    def wait_for_the_end(self) -> None:
        """Until no run is under way, none is to come, and everybody has been asked for."""

        def is_over() -> bool:
            with self.instance() as instance:
                requested = instance.get_backfills(
                    filters=BulkActionsFilter(statuses=[BulkActionStatus.REQUESTED])
                )
            return (
                not requested
                and all(run.is_finished for run in self.runs())
                and all(command.poll() is not None for command in self.commands)
                and len(self.lookups()) >= self.written
            )

        try:
            wait_until(is_over, "every run has ended", END_SECONDS)
        except AssertionError:
            for run in self.runs():
                print(f"    {kind_of(run)} {run.run_id}: {run.status.value}")
            locks = sorted(path.stem for path in (self.home / "runs").iterdir())
            print(f"    locks: {locks}; {len(self.lookups())} look-ups of {self.written} contacts")
            raise

    def miss_a_tick(self) -> None:
        """Let the schedule have been on since yesterday; its hour came, and nobody was there."""
        with self.instance() as instance:
            [state] = instance.all_instigator_state(instigator_type=InstigatorType.SCHEDULE)
            data = state.instigator_data
            assert isinstance(data, ScheduleInstigatorData)
            yesterday = ScheduleInstigatorData(data.cron_schedule, time.time() - A_DAY_AGO)
            instance.update_instigator_state(state.with_data(yesterday))

    def lookups(self) -> list[sa.Row]:
        engine = sa.create_engine(f"sqlite:///{self.home / 'ledger.sqlite'}")
        with engine.connect() as connection:
            rows = list(connection.execute(sa.select(calls).where(calls.c.kind == "lookup")))
        engine.dispose()
        return rows

    def charges(self) -> list[str]:
        journal = self.home / "journal.jsonl"
        return journal.read_text().splitlines() if journal.exists() else []


def main(contacts: int = 400) -> bool:
    return measure(contacts)


def measure(
    contacts: int, *, lanes: Sequence[str] = NOT_CONTIGUOUS, is_restarted: bool = True
) -> bool:
    """Everything at once; then again, ended and started anew in the middle, where that is asked.

    `lanes`: of the first backfill, each a run of its own.
    """
    began_at = time.monotonic()
    with scene(contacts) as here:
        here.add_contacts(contacts // 2)
        here.open_ui()
        here.switch_on()
        here.launch_backfill(lanes)
        here.run("--priority", "strategic,bulk")
        wait_until(here.charges, "the first charge", 120)
        here.add_contacts(contacts // 8)
        wait_until(lambda: here.count("new_contacts") > 1, "the sensor has seen the change", 120)
        here.add_contacts(contacts // 8)
        here.wait_for_the_end()
        interrupted: set[str] = set()
        if is_restarted:
            interrupted = restart(here, contacts)
            here.wait_for_the_end()
        here.close_ui()
        return report(here, interrupted, time.monotonic() - began_at)


def restart(here: Scene, contacts: int) -> set[str]:
    """End it while it spends, and start it after its hour has passed; the runs that it was in."""
    charged = len(here.charges())
    here.add_contacts(contacts // 8)
    here.launch_backfill(["new|bulk", "stale|strategic", "new|target"])
    here.run()
    wait_until(lambda: len(here.charges()) > charged, "the next charge", 180)
    here.close_ui()
    interrupted = {run.run_id for run in here.runs() if not run.is_finished}
    here.miss_a_tick()
    here.add_contacts(contacts)
    here.open_ui()
    here.launch_backfill(LANES)
    wait_until(lambda: here.count("daily_refresh"), "the tick that was missed", 180)
    return interrupted


@contextmanager
def scene(people: int) -> Iterator[Scene]:
    with tempfile.TemporaryDirectory(prefix="enrichment-bench-") as folder:
        home = Path(folder)
        (home / "enrichment.toml").write_text(POLICY)
        options = [
            *("--people", str(write_people(home / "people.jsonl", people))),
            *("--journal", str(home / "journal.jsonl"), "--credits", "1000000"),
            *("--items-per-window", "1000000", "--window-seconds", "1"),
            *("--latency-ms", str(LATENCY_MS)),
        ]
        with child_server("sandbox", options) as base_url:
            variables = {
                "ENRICHMENT_HOME": str(home),
                "ENRICHMENT_CONFIG": str(home / "enrichment.toml"),
                "SIGNALHIRE_BASE_URL": base_url,
                "PYTHONPATH": str(PROJECT_ROOT),
            }
            here = Scene(home, variables, free_port(), people)
            try:
                yield here
            finally:
                here.close_ui()
                for command in here.commands:
                    command.kill()
                    command.wait()


def report(here: Scene, interrupted: set[str], seconds: float) -> bool:
    runs = here.runs()
    rows = here.lookups()
    charged = Counter(json.loads(line)["uid"] for line in here.charges())
    held = sum(row.state in {"sent", "unconfirmed"} for row in rows)
    output = (here.home / "output.log").read_text()
    with here.instance() as instance:
        apart = seconds_apart(instance)
        said = [
            entry.message + str(entry.dagster_event)
            for run in runs
            for entry in instance.all_logs(run.run_id)
        ]
        for run in runs:
            if run.status != DagsterRunStatus.SUCCESS and run.run_id not in interrupted:
                print(f"    {kind_of(run)} {run.run_id} failed: {why_failed(instance, run)}")
        ticks = [
            tick
            for state in instance.all_instigator_state()
            for tick in instance.get_ticks(state.instigator_origin_id, state.selector_id)
        ]
    problems = {
        "people charged twice": sum(count > 1 for count in charged.values()),
        "contacts neither bought nor on the wire when it was ended": here.written
        - sum(row.state == "applied" for row in rows)
        - held,
        "runs that failed, but for those that were ended": sum(
            run.status != DagsterRunStatus.SUCCESS and run.run_id not in interrupted for run in runs
        ),
        "runs not finished": sum(not run.is_finished for run in runs),
        "commands that failed": sum(command.wait() != 0 for command in here.commands),
        "ticks that failed": sum(tick.status == TickStatus.FAILURE for tick in ticks),
        "events that tell of a lock": sum(any(word in text for word in LOCKED) for text in said),
        "lines of output that tell of a lock": sum(output.count(word) for word in LOCKED),
        "runs of a tick beyond one": max(0, here.count("daily_refresh") - 1),
    }
    print(
        f"  {seconds:.0f} s; {here.written} contacts, {len(charged)} charged, {held} on the wire "
        f"when it was ended; runs: {dict(Counter(map(kind_of, runs)))}, "
        f"{len(interrupted)} of them under way when it was ended"
    )
    if apart is not None:
        print(f"  the schedule's tick and the sensor's asked for their runs {apart:.1f} s apart")
    for problem, count in problems.items():
        print(f"  {'ok  ' if count == 0 else 'MISS'} {problem}: {count}")
    return not any(problems.values())


def why_failed(instance: DagsterInstance, run: DagsterRun) -> str:
    """What the run's steps say, in a line."""
    events = [entry.dagster_event for entry in instance.all_logs(run.run_id)]
    reasons = [
        error.message.strip() + ("" if error.cause is None else " " + error.cause.message.strip())
        for event in events
        if event is not None
        and event.is_step_failure
        and (error := event.step_failure_data.error) is not None
    ]
    return " ".join(" | ".join(reasons).split())


def seconds_apart(instance: DagsterInstance) -> float | None:
    """How close the schedule's run and the nearest of the sensor's were asked for."""
    created: dict[str, list[float]] = {"daily_refresh": [], "new_contacts": []}
    for record in instance.get_run_records():
        kind = kind_of(record.dagster_run)
        if kind in created:
            created[kind].append(record.create_timestamp.timestamp())
    pairs = product(created["daily_refresh"], created["new_contacts"])
    return min((abs(one - other) for one, other in pairs), default=None)


def kind_of(run: DagsterRun) -> str:
    """What started a run."""
    names = ("dagster/backfill", "dagster/schedule_name", "dagster/sensor_name")
    found = [name for name in names if name in run.tags]
    if not found:
        return "command line"
    return "backfill" if found[0] == names[0] else run.tags[found[0]]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def wait_until(condition: Callable[[], object], what: str, seconds: float) -> None:
    give_up_at = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > give_up_at:
            raise AssertionError(f"waited {seconds:.0f} s in vain: {what}")
        time.sleep(0.3)
