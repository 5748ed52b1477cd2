"""Executing a job in this process, recorded as Dagster's own launcher records it.

Here: everything for which Dagster has no public function. Not here: which run, and what is made of
its result (`run_command.py`).
"""

from collections.abc import Mapping

import dagster as dg
from dagster import DagsterEvent, DagsterInstance
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run
from dagster._core.execution.job_execution_result import JobExecutionResult
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteRepositoryOrigin

from enrichment_pipeline.cli.code_location import location_name

__all__ = ["JobExecutionResult", "execute_job", "told_by"]


def execute_job(
    definitions: dg.Definitions,
    job_name: str,
    instance: DagsterInstance,
    *,
    run_id: str,
    tags: Mapping[str, str],
    run_config: Mapping[str, object],
) -> JobExecutionResult:
    """Execute a job as the run of this id. Raises what a step raises.

    Dagster's UI lists a run on its job's page and on the timeline by its origin alone, which
    `execute_in_process` leaves out.
    """
    job = definitions.resolve_job_def(job_name)
    location = RegisteredCodeLocationOrigin(location_name())  # ty: ignore[abstract-class-instantiation]
    repository = RemoteRepositoryOrigin(location, definitions.get_repository_def().name)
    run = instance.create_run_for_job(
        job,
        run_id=run_id,
        tags=tags,
        run_config=run_config,
        remote_job_origin=repository.get_job_origin(job_name),
    )
    return execute_run(InMemoryJob(job), run, instance, raise_on_error=True)


def told_by(instance: DagsterInstance, run_id: str) -> list[DagsterEvent]:
    """The events of a run that has failed, of which nothing is given back."""
    entries = instance.all_logs(run_id)
    return [entry.dagster_event for entry in entries if entry.dagster_event is not None]
