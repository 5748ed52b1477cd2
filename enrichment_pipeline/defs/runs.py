"""What a Dagster run fixes for its whole length, and clearing up after dead ones.

Here: reading a run's tags, and marking runs whose process is gone as failed.
Not here: what the instant means for a lane (SQL).
"""

import time

import dagster as dg
from dagster import DagsterInstance, DagsterRun, RunRecord

from enrichment_pipeline.defs.partitions import refuse_impossible_range
from enrichment_pipeline.errors import ConfigurationError
from enrichment_pipeline.pipeline import Pipeline
from enrichment_pipeline.run import Run
from enrichment_pipeline.state import forget_dead_run, has_run_lock

ROOT_RUN_TAG = "dagster/root_run_id"
"""Which run this one is another try of: one of Dagster's own retries, or a person's."""
SECONDS_TO_BEGIN = 900
"""A run that has started holds its lock within seconds, or once the warehouse is free; one that
still has none was killed before, and nobody will ever find it dead by its lock."""


def begin(context: dg.AssetExecutionContext, pipeline: Pipeline) -> Run:
    """This run's fixed values; refuses what cannot work, once per run (see Pipeline.prepare)."""
    refuse_impossible_range(context)
    run = run_of(context.instance, context.run)
    if pipeline.is_prepared(run):
        return run
    for dead_run_id in pipeline.prepare(run):
        _mark_failed(context.instance, dead_run_id)
        forget_dead_run(pipeline.settings.home, dead_run_id)
    mark_runs_that_never_began(context.instance, pipeline)
    return run


def mark_runs_that_never_began(instance: DagsterInstance, pipeline: Pipeline) -> None:
    """Mark those as failed that were killed between their start and their first asset.

    In a Dagster home of our own only: elsewhere such a run may be somebody else's.
    """
    if not pipeline.settings.owns_dagster_home:
        return
    for record in instance.get_run_records(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])):
        if never_began(record, pipeline):
            _mark_failed(instance, record.dagster_run.run_id)


def never_began(record: RunRecord, pipeline: Pipeline) -> bool:
    """Whether it was started so long ago, and has no lock, that it must have been killed before."""
    is_old = record.start_time is not None and record.start_time < time.time() - SECONDS_TO_BEGIN
    return is_old and not has_run_lock(pipeline.settings.home, record.dagster_run.run_id)


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


def _mark_failed(instance: DagsterInstance, run_id: str) -> None:
    """Dagster itself would believe a killed run to be alive for many minutes."""
    run = instance.get_run_by_id(run_id)
    if run is not None and not run.is_finished:
        instance.report_run_failed(
            run, message="The run's process is gone; its successor marked it as failed."
        )
