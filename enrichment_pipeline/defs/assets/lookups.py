"""The group `lookups`: what is due, buying it, and keeping what was answered.

Here: the assets `worklist`, `search_results` (free, but with a quota), `provider_lookups`
(the only one that spends money) and `provider_responses`. Not here: whether a call may be
made (`ledger/`).
"""

from dataclasses import asdict

import dagster as dg

from enrichment_pipeline.defs.assets.source import OWNERS
from enrichment_pipeline.defs.checks import unique_key, unique_key_spec
from enrichment_pipeline.defs.metadata import markdown_table, picture, preview, table_metadata
from enrichment_pipeline.defs.partitions import lanes_of, lanes_partitions
from enrichment_pipeline.defs.resources import ProgressFactory, WarehouseResource
from enrichment_pipeline.defs.runs import begin
from enrichment_pipeline.ledger.ledger import RunTotals
from enrichment_pipeline.pipeline import Pipeline
from enrichment_pipeline.report.pictures import spend_picture
from enrichment_pipeline.warehouse.figures import read_spend
from enrichment_pipeline.warehouse.report import row_count, verdict_counts


@dg.asset(
    deps=["contacts", "accounts", "review_decisions"],
    partitions_def=lanes_partitions,
    backfill_policy=dg.BackfillPolicy.single_run(),
    group_name="lookups",
    kinds={"duckdb", "sql"},
    owners=OWNERS,
    metadata=table_metadata("enrichment.worklist"),
    check_specs=[unique_key_spec("worklist")],
)
def worklist(
    context: dg.AssetExecutionContext,
    pipeline: dg.ResourceParam[Pipeline],
    warehouse: WarehouseResource,
) -> dg.MaterializeResult:
    """What is due in this run's lanes, one row per person; other lanes' rows stay."""
    lanes = lanes_of(context)
    work = pipeline.select_worklist(begin(context, pipeline), lanes)
    with warehouse.get_connection() as connection:
        first_rows = preview(
            connection,
            "enrichment.worklist",
            ("contact_id", "freshness", "priority", "identity_kind", "contact_count"),
            run_id=context.run.run_id,
        )
        is_unique = unique_key(connection, "worklist")
    for lane in work.lanes:
        context.add_asset_metadata(
            {"dagster/partition_row_count": lane.lookups, "contacts": lane.contacts},
            partition_key=lane.lane.key,
        )
    return dg.MaterializeResult(
        metadata={
            "run_lookups": work.lookups,
            "run_contacts": work.contacts,
            "person_cache_hits": work.cache_hits.person,
            "miss_cache_hits": work.cache_hits.miss,
            "lanes": markdown_table(
                ("lane", "contacts", "look-ups"),
                [(lane.lane.key, lane.contacts, lane.lookups) for lane in work.lanes],
            ),
            "preview": first_rows,
        },
        check_results=[is_unique],
    )


@dg.asset(
    deps=["worklist"],
    partitions_def=lanes_partitions,
    backfill_policy=dg.BackfillPolicy.single_run(),
    group_name="lookups",
    kinds={"python", "duckdb", "sql"},
    owners=OWNERS,
    metadata=table_metadata("enrichment.search_results"),
    check_specs=[unique_key_spec("search_results")],
)
def search_results(
    context: dg.AssetExecutionContext,
    pipeline: dg.ResourceParam[Pipeline],
    warehouse: WarehouseResource,
    progress: dg.ResourceParam[ProgressFactory],
) -> dg.MaterializeResult:
    """Which profile it is, for those who are known by name and company only.

    Searching costs no credits, but has a daily quota. Whoever is found is looked up by the
    profile's UID; several who are too close to call are for a person to choose from.
    """
    lanes = lanes_of(context)
    report = pipeline.search_profiles(begin(context, pipeline), lanes, progress(context.log))
    with warehouse.get_connection() as connection:
        verdicts = verdict_counts(connection)
        is_unique = unique_key(connection, "search_results")
    if report is None:
        return dg.MaterializeResult(
            metadata={"searching": "switched off ([signalhire] search)"},
            check_results=[is_unique],
        )
    metadata: dict[str, dg.RawMetadataValue] = {
        "dagster/row_count": sum(verdicts.values()),
        "searches_offered": report.offered,
        "answered": report.answered,
        "found": report.found,
        "nothing": report.nothing,
        "refused": report.refused,
        "released": report.released,
        "not_due": report.not_due,
        "verdicts": markdown_table(("verdict", "searches"), list(verdicts.items())),
    }
    if report.exhausted:
        metadata["quota_used_up"] = report.exhausted
    if report.halted is not None:
        metadata["halted"] = report.halted.message
    return dg.MaterializeResult(metadata=metadata, check_results=[is_unique])


@dg.asset(
    deps=["worklist", "search_results"],
    partitions_def=lanes_partitions,
    backfill_policy=dg.BackfillPolicy.single_run(),
    group_name="lookups",
    kinds={"python"},
    owners=OWNERS,
    tags={"spends": "credits"},
)
def provider_lookups(
    context: dg.AssetExecutionContext,
    pipeline: dg.ResourceParam[Pipeline],
    progress: dg.ResourceParam[ProgressFactory],
) -> dg.MaterializeResult:
    """Buys the work list, in order of priority, inside the rate limit and the budgets.

    Every call is in the ledger before it is sent, and its raw answer before it
    is read. Where credits or the budget run out, the rest stays queued.
    """
    lanes = lanes_of(context)
    run = begin(context, pipeline)
    purchase = pipeline.buy(run, lanes, progress(context.log))
    totals = pipeline.ledger(run).lane_totals(run.run_id)
    for lane in lanes:
        came_to = totals.get((lane.freshness, lane.priority), RunTotals())
        context.add_asset_metadata(
            {f"lane_{name}": count for name, count in asdict(came_to).items()},
            partition_key=lane.key,
        )
    report = purchase.report
    answered = report.matched + report.no_match + report.refused
    metadata: dict[str, dg.RawMetadataValue] = {
        "lookups_offered": report.offered,
        "lookups_sent": report.sent,
        "matched": report.matched,
        "no_match": report.no_match,
        "refused": report.refused,
        "released": report.released,
        "unconfirmed": report.unconfirmed,
        "not_due": report.not_due,
        "answers_nobody_asked_for": report.unasked,
        "credits_charged": report.credits,
    }
    if answered:
        metadata["match_rate"] = round(report.matched / answered, 4)
    if purchase.credits_left is not None:
        metadata["credits_left"] = purchase.credits_left
    if report.exhausted:
        metadata["budget_used_up"] = report.exhausted
    if report.halted is not None:
        metadata["halted"] = report.halted.message
        metadata["halted_by"] = report.halted.reason
    return dg.MaterializeResult(metadata=metadata)


@dg.asset(
    deps=["provider_lookups"],
    group_name="lookups",
    kinds={"duckdb", "sql"},
    owners=OWNERS,
    metadata=table_metadata("raw.provider_responses"),
    check_specs=[unique_key_spec("provider_responses")],
)
def provider_responses(
    context: dg.AssetExecutionContext,
    pipeline: dg.ResourceParam[Pipeline],
    warehouse: WarehouseResource,
) -> dg.MaterializeResult:
    """Every paid answer as it came, copied out of the ledger; facts can be derived anew from it."""
    run = begin(context, pipeline)
    new = pipeline.store_responses(run)
    per_day = pipeline.settings.policy.budget.per_day
    with warehouse.get_connection() as connection:
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": row_count(connection, "raw.provider_responses"),
                "new_rows": new,
                "spend": picture(
                    spend_picture(read_spend(connection, run.clock.business_now()), per_day)
                ),
                "preview": preview(
                    connection, "raw.provider_responses", ("lookup_id", "outcome", "answered_at")
                ),
            },
            check_results=[unique_key(connection, "provider_responses")],
        )
