"""Running the job as Dagster runs it, over the small world and without Dagster's files.

Here: helpers, without assertions.
"""

from __future__ import annotations

from collections.abc import Mapping

import dagster as dg
from dagster import DagsterInstance, ExecuteInProcessResult

from enrichment_pipeline.definitions import own_definitions, range_tags
from enrichment_pipeline.lanes import FRESHNESS, PRIORITIES, LaneBlock
from enrichment_pipeline.settings import Settings

ALL_LANES = range_tags(LaneBlock(FRESHNESS, PRIORITIES))
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def execute(
    settings: Settings,
    *,
    tags: Mapping[str, str] = ALL_LANES,
    lane: str | None = None,
    assets: list[str] | None = None,
    instance: DagsterInstance | None = None,
) -> ExecuteInProcessResult:
    """One run of `daily_refresh`, of a range of lanes or of a single one; it may fail."""
    job = own_definitions(settings).resolve_job_def("daily_refresh")
    with instance or DagsterInstance.ephemeral() as used:
        return job.execute_in_process(
            instance=used,
            tags=None if lane else dict(tags),
            partition_key=lane,
            asset_selection=[dg.AssetKey(asset) for asset in assets] if assets else None,
            run_config=QUIET,
            raise_on_error=False,
        )


def evaluation(result: ExecuteInProcessResult, asset: str, check: str) -> dg.AssetCheckEvaluation:
    """What a check came to in a run."""
    found = {
        (one.asset_key.to_user_string(), one.check_name): one
        for one in result.get_asset_check_evaluations()
    }
    return found[asset, check]


def materialized(result: ExecuteInProcessResult) -> dict[str, Mapping[str, dg.MetadataValue]]:
    """The metadata of each asset that a run materialised."""
    return {
        event.asset_key.to_user_string(): event.materialization.metadata
        for event in result.get_asset_materialization_events()
        if event.asset_key is not None
    }


def numbers(metadata: Mapping[str, dg.MetadataValue]) -> dict[str, float]:
    """Of the metadata, what is a number."""
    return {
        name: shown.value
        for name, shown in metadata.items()
        if isinstance(shown.value, int | float)
    }


def failure(result: ExecuteInProcessResult) -> str:
    """The text of the errors of the steps that failed."""
    return "\n".join(
        event.step_failure_data.error.to_string()
        for event in result.all_events
        if event.is_step_failure and event.step_failure_data.error
    )
