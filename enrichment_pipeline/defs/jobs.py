"""The jobs, and the schedule of the daily one.

Here: what runs together and when. Not here: which contacts are due (SQL), and what
starts a job besides the clock (`sensors.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from enrichment_pipeline.defs.naming import Naming
from enrichment_pipeline.lanes import FRESHNESS, PRIORITIES, LaneBlock
from enrichment_pipeline.policy import SchedulePolicy
from enrichment_pipeline.run import AS_OF_TAG

RANGE_START_TAG = "dagster/asset_partition_range_start"
RANGE_END_TAG = "dagster/asset_partition_range_end"
DAILY_REFRESH = "daily_refresh"
LATE_ANSWERS = "late_answers"


@dataclass(frozen=True)
class Jobs:
    """Our jobs. Of a code location that they share, they run our assets alone."""

    daily_refresh: UnresolvedAssetJobDefinition
    late_answers: UnresolvedAssetJobDefinition


def build_jobs(naming: Naming, assets: Sequence[dg.AssetsDefinition]) -> Jobs:
    """The jobs over these assets, each as one process.

    By the lock that a run holds its successors know that it lives; and a process of its own costs
    each of these small steps some 2.5 s.
    """
    own = dg.AssetSelection.assets(*assets)
    answers = dg.AssetSelection.assets(naming.key("provider_responses"))
    return Jobs(
        daily_refresh=dg.define_asset_job(
            naming.name(DAILY_REFRESH),
            selection=own,
            description="Load the source, buy what is due in the chosen lanes, update every table.",
            executor_def=dg.in_process_executor,
        ),
        late_answers=dg.define_asset_job(
            naming.name(LATE_ANSWERS),
            selection=answers.downstream() & own,
            description="Read answers that came after their run had ended, and update every table. "
            "Buys nothing.",
            executor_def=dg.in_process_executor,
        ),
    )


def range_tags(block: LaneBlock) -> dict[str, str]:
    """The tags by which one run covers a block of lanes."""
    return {RANGE_START_TAG: block.first_key, RANGE_END_TAG: block.last_key}


def daily_schedule(
    naming: Naming, job: UnresolvedAssetJobDefinition, policy: SchedulePolicy
) -> dg.ScheduleDefinition:
    """All lanes, once a day. The tick's time is the run's `as_of`, and its key: never twice."""

    def request(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        tick = context.scheduled_execution_time.isoformat()
        everything = LaneBlock(FRESHNESS, PRIORITIES)
        return dg.RunRequest(run_key=tick, tags={**range_tags(everything), AS_OF_TAG: tick})

    return dg.ScheduleDefinition(
        name=naming.name(DAILY_REFRESH),
        job=job,
        description="All lanes, once a day; off until you switch it on.",
        cron_schedule=f"0 {policy.hour} * * *",
        execution_timezone=policy.time_zone,
        execution_fn=request,
    )
