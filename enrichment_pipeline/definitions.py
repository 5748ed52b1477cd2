"""The Dagster objects, assembled from the settings: for a project's own, and for our own pages.

Here: putting together what `defs/` declares. Not here: any asset. A Dagster project merges what
`build_definitions` gives into its own; our commands and `workspace.yaml` use `own_definitions`.
"""

import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import dagster as dg

from enrichment_pipeline.defs.assets import handed_in, lookups, outcomes, publishing, source
from enrichment_pipeline.defs.jobs import Jobs, build_jobs, daily_schedule, range_tags
from enrichment_pipeline.defs.naming import Naming, come_after, key_parts
from enrichment_pipeline.defs.resources import (
    LoggedProgress,
    ProgressFactory,
    Runs,
    WarehouseResource,
    runs_resource,
)
from enrichment_pipeline.defs.sensors import build_sensors
from enrichment_pipeline.privacy import OWNER_ONLY
from enrichment_pipeline.settings import Settings, load_settings
from enrichment_pipeline.stores import Stores

__all__ = ["build_definitions", "defs", "own_definitions", "range_tags"]

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

OUTPUTS = frozenset({"enriched_contacts", "needs_review", "contact_status", "published", "sinks"})
"""What people read. The refresh is daily: two hours late is worth a look, a missed day is bad."""
DAILY = dg.FreshnessPolicy.time_window(
    warn_window=timedelta(hours=26), fail_window=timedelta(hours=48)
)


def build_definitions(
    settings: Settings | None = None,
    *,
    key_prefix: str | Sequence[str] | None = None,
    group_prefix: str | None = None,
    include_jobs: bool = True,
    contacts: dg.AssetKey | str | Sequence[str] | None = None,
) -> dg.Definitions:
    """What a Dagster project merges into its own definitions, for one state folder.

    Without `settings` they are read from the environment, now. `key_prefix` stands before asset
    keys and, joined with `_`, before the names of jobs, schedules, sensors and ops; `group_prefix`
    before groups. `include_jobs`: the jobs, the schedule and the sensors too, all switched off.
    There is no executor.

    `contacts` is the key of the project's asset that yields the contacts. Where `[source]` attaches
    something, that asset has written to it, and ours come after it. Where it attaches nothing, the
    asset's value is the contacts: a pandas frame or an Arrow table, by the asset's I/O manager.

    Raises ConfigurationError, in one line, for a mistake in the environment or the policy file.
    """
    settings = settings or load_settings()
    naming = Naming(key_parts(key_prefix), group_prefix)
    before = None if contacts is None else dg.AssetKey.from_coercible(contacts)
    if before is not None and settings.policy.source.attach is None:
        settings = replace(settings, takes_handed_in=True)
    assets = _assets(settings, naming, before)
    jobs = build_jobs(naming, assets)
    definitions = dg.Definitions(assets=assets, resources=_resources(settings, jobs))
    if not include_jobs:
        return definitions
    return dg.Definitions.merge(
        definitions, _automation(settings, naming, jobs, reads_late_answers=False)
    )


def own_definitions(
    settings: Settings, progress: ProgressFactory = LoggedProgress
) -> dg.Definitions:
    """Everything that our own commands and pages run; `progress` is told how far buying is."""
    naming = Naming()
    assets = _assets(settings, naming)
    jobs = build_jobs(naming, assets)
    return dg.Definitions.merge(
        dg.Definitions(
            assets=assets,
            resources=_resources(settings, jobs, progress),
            executor=dg.in_process_executor,  # of what is materialised without a job; see `jobs.py`
        ),
        _automation(settings, naming, jobs, reads_late_answers=True),
    )


def _assets(
    settings: Settings, naming: Naming, before: dg.AssetKey | None = None
) -> list[dg.AssetsDefinition]:
    """Our assets; those that read the source come after `before`, another project's asset."""
    is_handed_in = settings.takes_handed_in
    sinks = [publishing.sinks] if settings.policy.sinks else []
    named = naming.apply(dg.map_asset_specs(_expect_daily, [*ASSETS, *sinks]))
    if before is None:
        return named
    taken = naming.apply([handed_in.taken_from(before)]) if is_handed_in else []
    first = naming.key("handed_in_contacts") if is_handed_in else before
    reading = {naming.key("accounts"), naming.key("contacts")}
    return [
        *taken,
        *(come_after(each, first) if reading & set(each.keys) else each for each in named),
    ]


def _expect_daily(spec: dg.AssetSpec) -> dg.AssetSpec:
    if spec.key.to_user_string() not in OUTPUTS:
        return spec
    return spec.replace_attributes(freshness_policy=DAILY)


def _resources(
    settings: Settings, jobs: Jobs, progress: ProgressFactory = LoggedProgress
) -> dict[str, object]:
    names = [jobs.daily_refresh.name, jobs.late_answers.name]
    return {
        "enrichment_runs": runs_resource(Runs(Stores(settings), names)),
        "enrichment_progress": progress,
        "enrichment_warehouse": WarehouseResource(database=settings.warehouse_url),
    }


def _automation(
    settings: Settings, naming: Naming, jobs: Jobs, *, reads_late_answers: bool
) -> dg.Definitions:
    """The jobs, and what starts them."""
    return dg.Definitions(
        jobs=[jobs.daily_refresh, jobs.late_answers],
        schedules=[daily_schedule(naming, jobs.daily_refresh, settings.policy.schedule)],
        sensors=build_sensors(naming, jobs, reads_late_answers=reads_late_answers),
    )


@dg.definitions
def defs() -> dg.Definitions:
    """What `workspace.yaml` loads: the environment is read here, and not at import.

    Dagster's process that loads it is ours alone, and so is what that makes.
    """
    os.umask(OWNER_ONLY)
    return own_definitions(load_settings())
