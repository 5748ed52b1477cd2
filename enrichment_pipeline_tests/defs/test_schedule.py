"""The daily schedule: what a tick asks for, when it ticks, and what Dagster's scheduler makes of
downtime, of late ticks and of clocks that are put forward or back.

The scheduler is Dagster's own, over our definitions; only its clock is ours, and runs are
queued instead of started.
"""

from __future__ import annotations

import logging
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import takewhile
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from dagster import DagsterInstance, DagsterRun
from dagster._core.remote_origin import InProcessCodeLocationOrigin
from dagster._core.scheduler.instigation import TickStatus
from dagster._core.test_utils import (
    InProcessTestWorkspaceLoadTarget,
    create_test_daemon_workspace_context,
    freeze_time,
    instance_for_test,
)
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._scheduler.scheduler import launch_scheduled_runs
from dagster._utils.schedules import schedule_execution_time_iterator

from enrichment_pipeline.definitions import own_definitions
from enrichment_pipeline.policy import Policy
from enrichment_pipeline.run import AS_OF_TAG, Run
from enrichment_pipeline_tests.defs.job import ALL_LANES, execute, failure, materialized
from enrichment_pipeline_tests.end_to_end.world import (
    PROJECT,
    small_sandbox,
    small_settings,
    write_policy,
    write_source,
)
from enrichment_pipeline_tests.support import settings_for

START, END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
SCHEDULE_TAG, RUN_KEY_TAG = "dagster/schedule_name", "dagster/run_key"
A_DAY = timedelta(days=1)

# Dagster's own, when it describes any schedule
pytestmark = pytest.mark.filterwarnings("ignore:Property .ScheduleDefinition.environment_vars")


def schedule_of(home: Path, *, hour: int = 5, time_zone: str = "UTC") -> dg.ScheduleDefinition:
    policy = Policy.model_validate({"schedule": {"hour": hour, "time_zone": time_zone}})
    return own_definitions(settings_for(home, policy, None)).resolve_schedule_def("daily_refresh")


def requests(schedule: dg.ScheduleDefinition, tick: datetime) -> list[dg.RunRequest]:
    with DagsterInstance.ephemeral() as instance:
        context = dg.build_schedule_context(instance, scheduled_execution_time=tick)
        return list(schedule.evaluate_tick(context).run_requests or [])


# --- what a tick asks for ----------------------------------------------------------------------


def test_a_tick_asks_for_one_run_of_all_lanes_as_of_that_tick(tmp_path: Path) -> None:
    tick = datetime(2026, 11, 23, 5, tzinfo=UTC)
    [request] = requests(schedule_of(tmp_path), tick)
    assert request.run_key == tick.isoformat()
    assert request.partition_key is None
    wanted = {**ALL_LANES, AS_OF_TAG: tick.isoformat()}
    assert wanted.items() <= request.tags.items()
    assert ALL_LANES == {START: "new|strategic", END: "stale|bulk"}


def test_a_tick_that_is_evaluated_twice_asks_for_the_same_run(tmp_path: Path) -> None:
    tick = datetime(2026, 11, 23, 5, tzinfo=UTC)
    [one], [other] = (requests(schedule_of(tmp_path), tick) for _ in range(2))
    assert one.run_key == other.run_key
    [next_day] = requests(schedule_of(tmp_path), tick.replace(day=24))
    assert next_day.run_key != one.run_key


@pytest.mark.long
def test_the_run_that_a_tick_asks_for_succeeds(tmp_path: Path) -> None:
    tick = datetime.now(UTC).replace(minute=0)
    with small_sandbox(tmp_path) as sandbox:
        settings = small_settings(tmp_path, sandbox.base_url)
        [request] = requests(schedule_of(tmp_path), tick)
        result = execute(settings, tags=request.tags)
    assert result.success, failure(result)
    assert "published" in materialized(result)


# --- when it ticks -----------------------------------------------------------------------------


def test_hour_and_time_zone_are_the_policys(tmp_path: Path) -> None:
    schedule = schedule_of(tmp_path, hour=7, time_zone="Asia/Kolkata")
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("0 7 * * *", "Asia/Kolkata")


@pytest.mark.parametrize(
    ("time_zone", "hour"),
    [
        ("UTC", 5),
        ("Europe/Berlin", 5),
        # the hour that is skipped in spring, and there twice in autumn
        ("Europe/Berlin", 2),
        ("America/New_York", 2),
        ("America/New_York", 1),
        # put forward and back at midnight
        ("America/Santiago", 0),
        ("Australia/Lord_Howe", 2),
    ],
)
def test_there_is_one_tick_on_each_day_there_at_its_hour(
    tmp_path: Path, time_zone: str, hour: int
) -> None:
    schedule = schedule_of(tmp_path, hour=hour, time_zone=time_zone)
    there = ZoneInfo(time_zone)
    first = datetime(2026, 1, 1, tzinfo=there)
    end = datetime(2028, 1, 1, tzinfo=there)
    ticks = [
        tick.astimezone(there)
        for tick in takewhile(
            lambda tick: tick < end,
            schedule_execution_time_iterator(
                first.timestamp(), str(schedule.cron_schedule), schedule.execution_timezone
            ),
        )
    ]
    assert Counter(tick.date() for tick in ticks) == {
        first.date() + number * A_DAY: 1 for number in range(730)
    }
    # where the hour is skipped: as soon as it is over
    assert {tick.hour for tick in ticks} <= {hour, hour + 1}
    assert sum(tick.hour != hour for tick in ticks) <= 2
    changed = [
        day for day, before in zip(ticks[1:], ticks, strict=False) if offsets_differ(day, before)
    ]
    assert len(changed) == (0 if time_zone == "UTC" else 4)
    for tick in changed:
        [request] = requests(schedule, tick)
        run = Run.from_tags("run", request.tags, created_at=end)
        assert run.as_of == tick.astimezone(UTC)
        assert request.run_key == tick.isoformat()


def offsets_differ(one: datetime, other: datetime) -> bool:
    return one.utcoffset() != other.utcoffset()


# --- Dagster's scheduler -----------------------------------------------------------------------


@dataclass
class Scheduler:
    """Dagster's scheduler over our schedule, which looks at the clock when it is told to."""

    workspace: WorkspaceProcessContext
    instance: DagsterInstance

    def switch_on(self, at: datetime) -> None:
        [location] = self.workspace.create_request_context().code_locations
        [repository] = location.get_repositories().values()
        with freeze_time(at):
            self.instance.start_schedule(repository.get_schedule("daily_refresh"))

    def look(self, at: datetime) -> None:
        """As a daemon that has just been started: it remembers nothing but what is stored."""
        with freeze_time(at):
            for error in launch_scheduled_runs(
                self.workspace, logging.getLogger("scheduler"), at, iteration_times={}
            ):
                assert error is None, error

    def runs(self) -> list[DagsterRun]:
        return list(reversed(self.instance.get_runs()))

    def ticks_run(self) -> list[datetime]:
        """To which instant each run counts ages; its key says the same."""
        for run in self.runs():
            assert run.tags[SCHEDULE_TAG] == "daily_refresh"
            assert run.tags[RUN_KEY_TAG] == run.tags[AS_OF_TAG]
        return [datetime.fromisoformat(run.tags[AS_OF_TAG]) for run in self.runs()]


@pytest.fixture(scope="module")
def shared_scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scheduler]:
    """In UTC. To load our definitions takes far longer than a tick."""
    with scheduler_in(tmp_path_factory.mktemp("scheduler"), "UTC") as made:
        yield made


@pytest.fixture
def scheduler(shared_scheduler: Scheduler) -> Scheduler:
    """The same, with nothing of what it did for other tests."""
    storage = shared_scheduler.instance.schedule_storage
    assert storage is not None
    storage.wipe()
    shared_scheduler.instance.wipe()
    return shared_scheduler


@contextmanager
def scheduler_in(folder: Path, time_zone: str) -> Iterator[Scheduler]:
    write_source(folder / "source")
    policy = write_policy(folder, f'[schedule]\ntime_zone = "{time_zone}"\nhour = 5\n')
    queue = {"module": "dagster._core.test_utils", "class": "MockedRunCoordinator"}
    origin = LoadableTargetOrigin(
        executable_path=sys.executable,
        module_name="enrichment_pipeline.definitions",
        working_directory=str(PROJECT),
    )
    # Dagster's named tuple fills in what ty takes for abstract
    location = InProcessCodeLocationOrigin(origin)  # ty: ignore[abstract-class-instantiation]
    target = InProcessTestWorkspaceLoadTarget(location)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ENRICHMENT_HOME", str(folder / "state"))
        patch.setenv("ENRICHMENT_CONFIG", str(policy))
        for name in ("ENRICHMENT_PROVIDER", "SIGNALHIRE_BASE_URL", "SIGNALHIRE_API_KEY"):
            patch.delenv(name, raising=False)
        with (
            instance_for_test(overrides={"run_coordinator": queue}) as instance,
            create_test_daemon_workspace_context(target, instance) as workspace,
        ):
            yield Scheduler(workspace, instance)


NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
FIVE = datetime(2026, 11, 21, 5, tzinfo=UTC)


def test_nothing_runs_when_it_is_switched_on_and_one_run_follows_each_day(
    scheduler: Scheduler,
) -> None:
    scheduler.switch_on(NOON)
    scheduler.look(NOON)
    assert scheduler.runs() == []
    for day in range(3):
        scheduler.look(FIVE + day * A_DAY - timedelta(seconds=1))
        assert len(scheduler.runs()) == day
        scheduler.look(FIVE + day * A_DAY)
    assert scheduler.ticks_run() == [FIVE, FIVE + A_DAY, FIVE + 2 * A_DAY]


def test_a_tick_that_is_seen_again_and_again_runs_once(scheduler: Scheduler) -> None:
    scheduler.switch_on(NOON)
    for minutes in (0, 0, 1, 60, 23 * 60):
        scheduler.look(FIVE + timedelta(minutes=minutes))
    assert scheduler.ticks_run() == [FIVE]


def test_a_tick_that_is_late_counts_ages_to_its_own_time(scheduler: Scheduler) -> None:
    scheduler.switch_on(NOON)
    scheduler.look(FIVE + timedelta(hours=18))
    assert scheduler.ticks_run() == [FIVE]


def test_days_on_which_the_daemon_was_down_are_one_run_and_not_one_each(
    scheduler: Scheduler,
) -> None:
    scheduler.switch_on(NOON)
    scheduler.look(FIVE)
    back = FIVE + 9 * A_DAY + timedelta(hours=3)
    scheduler.look(back)
    scheduler.look(back + timedelta(minutes=1))
    assert scheduler.ticks_run() == [FIVE, FIVE + 9 * A_DAY]


def test_a_tick_that_was_interrupted_before_its_run_was_known_runs_once(
    scheduler: Scheduler,
) -> None:
    scheduler.switch_on(NOON)
    scheduler.look(FIVE)
    [run] = scheduler.runs()
    # as a crash between submitting the run and noting the tick leaves it
    [state] = scheduler.instance.all_instigator_state()
    [tick] = scheduler.instance.get_ticks(state.instigator_origin_id, state.selector_id)
    scheduler.instance.update_tick(tick.with_status(TickStatus.STARTED))
    scheduler.look(FIVE + timedelta(minutes=2))
    assert [each.run_id for each in scheduler.runs()] == [run.run_id]


@pytest.mark.long
@pytest.mark.parametrize(
    ("time_zone", "days"),
    [
        ("Europe/Berlin", (date(2026, 10, 24), date(2027, 3, 27))),
        ("America/New_York", (date(2026, 10, 31), date(2027, 3, 13))),
    ],
)
def test_a_day_of_23_or_25_hours_has_one_run_at_five_oclock(
    tmp_path: Path, time_zone: str, days: tuple[date, ...]
) -> None:
    with scheduler_in(tmp_path, time_zone) as scheduler:
        look_through(scheduler, ZoneInfo(time_zone), days)


def look_through(scheduler: Scheduler, there: ZoneInfo, days: tuple[date, ...]) -> None:
    scheduler.switch_on(datetime.combine(days[0], time(), there))
    expected = []
    for before in days:
        midnight = datetime.combine(before, time(), there)
        for hours in range(0, 72, 12):
            scheduler.look(midnight.astimezone(UTC) + timedelta(hours=hours, minutes=30))
        expected += [midnight.replace(hour=5) + day * A_DAY for day in range(3)]
    # in between the daemon was down for months
    ran = [tick.astimezone(there) for tick in scheduler.ticks_run()]
    assert [tick for tick in ran if tick in expected] == expected
    assert len(ran) <= len(expected) + 1
