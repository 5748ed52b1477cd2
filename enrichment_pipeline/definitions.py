"""The one Definitions object, assembled from the settings.

Here: putting together what `defs/` declares. Not here: any asset. Dagster
loads `defs`; everybody else calls `build_definitions` with settings of their own.
"""

import os
from datetime import timedelta

import dagster as dg

from enrichment_pipeline.defs import sensors
from enrichment_pipeline.defs.assets import lookups, outcomes, publishing, source
from enrichment_pipeline.defs.jobs import daily_refresh, daily_schedule, late_answers, range_tags
from enrichment_pipeline.defs.resources import (
    LoggedProgress,
    ProgressFactory,
    Runs,
    WarehouseResource,
    runs_resource,
)
from enrichment_pipeline.privacy import OWNER_ONLY
from enrichment_pipeline.settings import Settings, load_settings
from enrichment_pipeline.stores import Stores

__all__ = ["build_definitions", "defs", "range_tags"]

ASSETS = [
    source.accounts,
    source.contacts,
    source.review_decisions,
    lookups.worklist,
    lookups.search_results,
    lookups.provider_lookups,
    lookups.provider_responses,
    outcomes.facts,
    outcomes.outcomes,
    publishing.published,
]

OUTPUTS = frozenset({"enriched_contacts", "needs_review", "contact_status", "published"})
"""What people read. The refresh is daily: two hours late is worth a look, a missed day is bad."""
DAILY = dg.FreshnessPolicy.time_window(
    warn_window=timedelta(hours=26), fail_window=timedelta(hours=48)
)


def build_definitions(
    settings: Settings, progress: ProgressFactory = LoggedProgress
) -> dg.Definitions:
    """Everything that Dagster runs, for one state folder; `progress` is told how far buying is."""
    return dg.Definitions(
        assets=dg.map_asset_specs(_expect_daily, ASSETS),
        jobs=[daily_refresh, late_answers],
        # A run is one process: by the lock that it holds its successors know that it lives.
        # And a process of its own costs each of these small steps some 2.5 s.
        executor=dg.in_process_executor,
        schedules=[daily_schedule(settings.policy.schedule)],
        sensors=[sensors.late_answers, sensors.new_contacts],
        resources={
            "runs": runs_resource(Runs(Stores(settings))),
            "progress": progress,
            "warehouse": WarehouseResource(database=settings.warehouse_url),
        },
    )


def _expect_daily(spec: dg.AssetSpec) -> dg.AssetSpec:
    if spec.key.to_user_string() not in OUTPUTS:
        return spec
    return spec.replace_attributes(freshness_policy=DAILY)


@dg.definitions
def defs() -> dg.Definitions:
    """What `workspace.yaml` loads: the environment is read here, and not at import.

    Dagster's process that loads it is ours alone, and so is what that makes.
    """
    os.umask(OWNER_ONLY)
    return build_definitions(load_settings())
