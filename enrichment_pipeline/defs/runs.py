"""What a Dagster run fixes for its whole length, and clearing up after dead ones.

Here: reading a run's tags, and marking runs whose process is gone as failed.
Not here: what the instant means for a lane (SQL).
"""

import dagster as dg
from dagster import DagsterInstance, DagsterRun

from enrichment_pipeline.defs.partitions import refuse_impossible_range
from enrichment_pipeline.errors import ConfigurationError
from enrichment_pipeline.pipeline import Pipeline
from enrichment_pipeline.run import Run
from enrichment_pipeline.state import forget_dead_run


def begin(context: dg.AssetExecutionContext, pipeline: Pipeline) -> Run:
    """This run's fixed values; refuses what cannot work, once per run (see Pipeline.prepare)."""
    refuse_impossible_range(context)
    run = run_of(context.instance, context.run)
    for dead_run_id in pipeline.prepare(run):
        _mark_failed(context.instance, dead_run_id)
        forget_dead_run(pipeline.settings.home, dead_run_id)
    return run


def run_of(instance: DagsterInstance, dagster_run: DagsterRun) -> Run:
    """What the run's tags fix; see Run.from_tags."""
    root_run_id = dagster_run.root_run_id or dagster_run.run_id
    record = instance.get_run_record_by_id(root_run_id)
    if record is None:
        raise ConfigurationError(f"run {root_run_id} is not known to this Dagster instance")
    return Run.from_tags(dagster_run.run_id, dagster_run.tags, record.create_timestamp)


def _mark_failed(instance: DagsterInstance, run_id: str) -> None:
    """Dagster itself would believe a killed run to be alive for many minutes."""
    run = instance.get_run_by_id(run_id)
    if run is not None and not run.is_finished:
        instance.report_run_failed(
            run, message="The run's process is gone; its successor marked it as failed."
        )
