"""Forgetting old runs: what Dagster keeps of each (a record, events, logs) is 1 MB and four files.

Here: which runs are old enough, and what of theirs is removed. Not here: ticks of schedules and
sensors, which Dagster's daemon removes by itself (`dagster.yaml`).
"""

from datetime import datetime, timedelta
from pathlib import Path

import dagster as dg
from dagster import DagsterInstance

from enrichment_pipeline.defs.runs import ROOT_RUN_TAG
from enrichment_pipeline.settings import Settings

FINISHED = [
    dg.DagsterRunStatus.SUCCESS,
    dg.DagsterRunStatus.FAILURE,
    dg.DagsterRunStatus.CANCELED,
]
MOST_AT_ONCE = 10
"""Each takes up to a second; a run that finds more leaves the rest to the next."""


def prune_old_runs(instance: DagsterInstance, settings: Settings, now: datetime) -> int:
    """Forget runs that ended more than [schedule] keep_runs_days ago; how many.

    Not those that a younger run is another try of: from its root a run has its instant and its
    caps. In a Dagster home of our own only: elsewhere they may be another project's.
    """
    if not settings.owns_dagster_home:
        return 0
    ended_before = now - timedelta(days=settings.policy.schedule.keep_runs_days)
    old = instance.get_run_records(
        dg.RunsFilter(statuses=FINISHED, updated_before=ended_before),
        limit=MOST_AT_ONCE,
        ascending=True,
    )
    run_ids = [record.dagster_run.run_id for record in old]
    forgotten = set(run_ids) - _roots_of_younger(instance, run_ids, ended_before)
    for run_id in forgotten:
        instance.delete_run(run_id)
        instance.compute_log_manager.delete_logs(prefix=[run_id])
        _remove_event_file(settings.dagster_home, run_id)
    return len(forgotten)


def _roots_of_younger(
    instance: DagsterInstance, run_ids: list[str], ended_before: datetime
) -> set[str]:
    """Those of the runs of which a run is another try that is not old, or has not ended."""
    if not run_ids:
        return set()
    tries = instance.get_run_records(dg.RunsFilter(tags={ROOT_RUN_TAG: run_ids}))
    return {
        record.dagster_run.tags[ROOT_RUN_TAG]
        for record in tries
        if record.update_timestamp >= ended_before or not record.dagster_run.is_finished
    }


def _remove_event_file(dagster_home: Path, run_id: str) -> None:
    """Dagster's SQLite storage empties a run's file of events, and leaves it."""
    for path in (dagster_home / "history" / "runs").glob(f"{run_id}.db*"):
        path.unlink(missing_ok=True)
