"""Which runs Dagster forgets after a while, and that nothing of theirs is left."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from dagster import DagsterInstance, DagsterRun, DagsterRunStatus

from enrichment_pipeline.defs import pruning
from enrichment_pipeline.defs.pruning import prune_old_runs
from enrichment_pipeline.defs.runs import ROOT_RUN_TAG
from enrichment_pipeline.policy import Policy
from enrichment_pipeline.settings import Settings
from enrichment_pipeline_tests.end_to_end.world import prepare_dagster
from enrichment_pipeline_tests.support import lasting_folder, settings_for

KEPT_FOR = timedelta(days=60)


@pytest.fixture(scope="module")
def settings() -> Settings:
    policy = Policy.model_validate({"schedule": {"keep_runs_days": KEPT_FOR.days}})
    settings = settings_for(lasting_folder(), policy, None)
    prepare_dagster(settings, keeps_events=True)
    return settings


@pytest.fixture(scope="module")
def shared_instance(settings: Settings) -> Iterator[DagsterInstance]:
    with DagsterInstance.from_config(str(settings.dagster_home)) as instance:
        yield instance


@pytest.fixture
def instance(shared_instance: DagsterInstance) -> Iterator[DagsterInstance]:
    """An instance of Dagster with its files, and no run yet."""
    yield shared_instance
    for run_id in shared_instance.get_run_ids():
        shared_instance.delete_run(run_id)


def add_run(
    instance: DagsterInstance,
    status: DagsterRunStatus = DagsterRunStatus.SUCCESS,
    root: str | None = None,
) -> str:
    """A run with an event and a log, of now; its id."""
    tags = {} if root is None else {ROOT_RUN_TAG: root, "dagster/parent_run_id": root}
    run = DagsterRun("daily_refresh", str(uuid4()), status=status, tags=tags)
    instance.add_run(run)
    instance.report_engine_event("something happened", run)
    logs = Path(instance.storage_directory(), run.run_id, "compute_logs")
    logs.mkdir(parents=True)
    (logs / "step.out").touch()
    return run.run_id


def updated_at(instance: DagsterInstance, run_id: str) -> datetime:
    record = instance.get_run_record_by_id(run_id)
    assert record is not None
    return record.update_timestamp


def files_of(settings: Settings, run_id: str) -> list[Path]:
    return [path for path in settings.dagster_home.rglob("*") if run_id in str(path)]


def test_a_run_that_ended_long_ago_is_forgotten_with_its_events_and_logs(
    instance: DagsterInstance, settings: Settings
) -> None:
    ended = [
        add_run(instance, status)
        for status in (
            DagsterRunStatus.SUCCESS,
            DagsterRunStatus.FAILURE,
            DagsterRunStatus.CANCELED,
        )
    ]
    assert all(len(files_of(settings, run_id)) > 2 for run_id in ended)
    now = updated_at(instance, ended[-1]) + KEPT_FOR
    assert prune_old_runs(instance, settings, now - timedelta(seconds=60)) == 0
    assert set(instance.get_run_ids()) == set(ended)
    assert prune_old_runs(instance, settings, now + timedelta(seconds=1)) == 3
    assert list(instance.get_run_ids()) == []
    assert [files_of(settings, run_id) for run_id in ended] == [[], [], []]


def test_what_still_runs_and_what_a_younger_run_is_another_try_of_are_kept(
    instance: DagsterInstance, settings: Settings
) -> None:
    under_way = [
        add_run(instance, status)
        for status in (
            DagsterRunStatus.STARTED,
            DagsterRunStatus.STARTING,
            DagsterRunStatus.CANCELING,
        )
    ]
    root, other_root, unrelated = (add_run(instance, DagsterRunStatus.FAILURE) for _ in range(3))
    running_again = add_run(instance, DagsterRunStatus.STARTED, root=root)
    add_run(instance, DagsterRunStatus.SUCCESS, root=other_root)
    long_after = updated_at(instance, running_again) + 2 * KEPT_FOR
    assert prune_old_runs(instance, settings, long_after) == 3
    assert set(instance.get_run_ids()) == {*under_way, root, running_again}
    assert files_of(settings, unrelated) == []


def test_a_run_that_finds_many_leaves_the_younger_ones_to_the_next(
    instance: DagsterInstance, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "MOST_AT_ONCE", 2)
    runs = [add_run(instance) for _ in range(3)]
    long_after = updated_at(instance, runs[-1]) + 2 * KEPT_FOR
    assert prune_old_runs(instance, settings, long_after) == 2
    assert list(instance.get_run_ids()) == runs[2:]
    assert prune_old_runs(instance, settings, long_after) == 1


def test_in_a_dagster_home_of_somebody_elses_nothing_is_forgotten(
    instance: DagsterInstance, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = add_run(instance)
    monkeypatch.setattr(Settings, "owns_dagster_home", False)
    assert prune_old_runs(instance, settings, updated_at(instance, run_id) + 2 * KEPT_FOR) == 0
