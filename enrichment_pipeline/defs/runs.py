"""What a Dagster run fixes for its whole length, and clearing up after dead ones.

Here: reading a run's tags, and marking runs whose process is gone as failed.
Not here: what the instant means for a lane (SQL).
"""

import time

import dagster as dg
from dagster import DagsterInstance, DagsterRun, RunRecord

from enrichment_pipeline.defs.partitions import refuse_impossible_range
from enrichment_pipeline.defs.resources import Runs
from enrichment_pipeline.errors import ConfigurationError
from enrichment_pipeline.run import Run
from enrichment_pipeline.settings import Settings
from enrichment_pipeline.state import forget_dead_run, has_run_lock
from enrichment_pipeline.steps.context import RunContext
from enrichment_pipeline.steps.prepare import prepare

ROOT_RUN_TAG = "dagster/root_run_id"
"""Which run this one is another try of: one of Dagster's own retries, or a person's."""
SECONDS_TO_BEGIN = 900
"""A run that has started holds its lock within seconds, or once the warehouse is free; one that
still has none was killed before, and no lock will ever tell that it is dead."""


def begin(context: dg.AssetExecutionContext, runs: Runs) -> RunContext:
    """What this run has fixed; refuses what cannot work, once per run (see `steps/prepare.py`)."""
    refuse_impossible_range(context)
    run_id = context.run.run_id
    if run_id in runs.prepared:
        return runs.prepared[run_id]
    run_context = RunContext(runs.stores, run_of(context.instance, context.run))
    for dead_run_id in prepare(run_context):
        if is_over(context.instance, dead_run_id, runs):
            _mark_failed(context.instance, dead_run_id)
        forget_dead_run(runs.settings.home, dead_run_id)
    mark_runs_that_never_began(context.instance, runs.settings)
    runs.prepared[run_id] = run_context
    return run_context


def mark_runs_that_never_began(instance: DagsterInstance, settings: Settings) -> None:
    """Mark those as failed that were killed between their start and their first asset.

    In a Dagster home of our own only: elsewhere such a run may be another project's.
    """
    if not settings.owns_dagster_home:
        return
    for record in instance.get_run_records(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])):
        if never_began(record, settings):
            _mark_failed(instance, record.dagster_run.run_id)


def never_began(record: RunRecord, settings: Settings) -> bool:
    """Whether it was started so long ago, and has no lock, that it must have been killed before."""
    is_old = record.start_time is not None and record.start_time < time.time() - SECONDS_TO_BEGIN
    return is_old and not has_run_lock(settings.home, record.dagster_run.run_id)


def run_of(instance: DagsterInstance, dagster_run: DagsterRun) -> Run:
    """What the run's tags, and its earlier tries, fix; see Run.from_tags."""
    root_run_id = dagster_run.root_run_id or dagster_run.run_id
    record = instance.get_run_record_by_id(root_run_id)
    if record is None:
        raise ConfigurationError(f"run {root_run_id} is not known to this Dagster instance")
    earlier: set[str] = set()
    if root_run_id != dagster_run.run_id:
        of_this_root = dg.RunsFilter(tags={ROOT_RUN_TAG: root_run_id})
        earlier = {root_run_id, *instance.get_run_ids(of_this_root)} - {dagster_run.run_id}
    return Run.from_tags(
        dagster_run.run_id, dagster_run.tags, record.create_timestamp, tuple(sorted(earlier))
    )


def is_over(instance: DagsterInstance, run_id: str, runs: Runs) -> bool:
    """Whether a run is over whose process is gone.

    Another project's run may have a process for each step, and be between two of them: whether it
    lives, the project's own Dagster knows.
    """
    if runs.settings.owns_dagster_home:
        return True
    run = instance.get_run_by_id(run_id)
    return run is not None and run.job_name in runs.jobs


def _mark_failed(instance: DagsterInstance, run_id: str) -> None:
    """Dagster itself would believe a killed run to be alive for many minutes."""
    run = instance.get_run_by_id(run_id)
    if run is not None and not run.is_finished:
        instance.report_run_failed(
            run, message="The run's process is gone; its successor marked it as failed."
        )
