"""The jobs, and the schedule of the daily one.

Here: what runs together and when. Not here: which contacts are due (SQL), and what
starts a job besides the clock (`sensors.py`).
"""

import dagster as dg

from enrichment_pipeline.lanes import FRESHNESS, PRIORITIES, LaneBlock
from enrichment_pipeline.policy import SchedulePolicy
from enrichment_pipeline.run import AS_OF_TAG

RANGE_START_TAG = "dagster/asset_partition_range_start"
RANGE_END_TAG = "dagster/asset_partition_range_end"

daily_refresh = dg.define_asset_job(
    "daily_refresh",
    selection=dg.AssetSelection.all(),
    description="Load the source, buy what is due in the chosen lanes, update every table.",
)

late_answers = dg.define_asset_job(
    "late_answers",
    selection=dg.AssetSelection.assets("provider_responses").downstream(),
    description="Read answers that came after their run had ended, and update every table. Buys "
    "nothing.",
)


def range_tags(block: LaneBlock) -> dict[str, str]:
    """The tags by which one run covers a block of lanes."""
    return {RANGE_START_TAG: block.first_key, RANGE_END_TAG: block.last_key}


def daily_schedule(policy: SchedulePolicy) -> dg.ScheduleDefinition:
    """All lanes, once a day. The tick's time is the run's `as_of`, and its key: never twice."""

    def request(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        tick = context.scheduled_execution_time.isoformat()
        everything = LaneBlock(FRESHNESS, PRIORITIES)
        return dg.RunRequest(run_key=tick, tags={**range_tags(everything), AS_OF_TAG: tick})

    return dg.ScheduleDefinition(
        name="daily_refresh",
        job=daily_refresh,
        description="All lanes, once a day; off until you switch it on.",
        cron_schedule=f"0 {policy.hour} * * *",
        execution_timezone=policy.time_zone,
        execution_fn=request,
    )
