"""The group `lookups`: what is due, buying it, and keeping what was answered.

Here: the assets `worklist`, `search_results` (free, but with a quota), `provider_lookups`
(the only one that spends money) and `provider_responses`. Not here: whether a call may be
made (`ledger/`).
"""

import dagster as dg

from enrichment_pipeline.defs.assets.source import OWNERS
from enrichment_pipeline.defs.charts import spend_chart
from enrichment_pipeline.defs.checks import (
    LOOKUPS_ARE_ANSWERED,
    lookups_are_answered,
    unique_key,
    unique_key_spec,
)
from enrichment_pipeline.defs.metadata import (
    add_lane_metadata,
    lane_previews,
    markdown_table,
    observe_run,
    preview,
    table_metadata,
)
from enrichment_pipeline.defs.partitions import lanes_of, lanes_partitions
from enrichment_pipeline.defs.resources import ProgressFactory, WarehouseResource
from enrichment_pipeline.defs.runs import begin
from enrichment_pipeline.dispatch.report import DispatchReport
from enrichment_pipeline.ledger.questions import Totals
from enrichment_pipeline.pipeline import Pipeline
from enrichment_pipeline.vocabulary import SEARCH
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
    run = begin(context, pipeline)
    work = pipeline.select_worklist(run, lanes)
    with warehouse.get_connection() as connection:
        previews = lane_previews(connection, run.run_id)
        is_unique = unique_key(connection, "worklist")
    for lane in work.lanes:
        add_lane_metadata(
            context,
            lane.lane,
            {
                "dagster/partition_row_count": lane.lookups,
                "contacts": lane.contacts,
                "person_cache_hits": lane.contacts - lane.lookups,
                "searches": lane.searches,
                "preview": previews(lane.lane),
            },
        )
    observe_run(
        context,
        {
            "lookups": work.lookups,
            "contacts": work.contacts,
            "searches": work.searches,
            "person_cache_hits": work.cache_hits.person,
            "miss_cache_hits": work.cache_hits.miss,
        },
    )
    return dg.MaterializeResult(check_results=[is_unique])


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
    run = begin(context, pipeline)
    report = pipeline.search_profiles(run, lanes, progress(context.log))
    with warehouse.get_connection() as connection:
        verdicts = verdict_counts(connection)
        is_unique = unique_key(connection, "search_results")
    if report is None:
        return dg.MaterializeResult(
            metadata={"searching": "switched off ([signalhire] search)"},
            check_results=[is_unique],
        )
    totals = pipeline.questions(run, SEARCH).lane_totals(run.run_id)
    for lane in lanes:
        of_lane = totals.get((lane.freshness, lane.priority), Totals())
        metadata: dict[str, dg.RawMetadataValue] = {
            "searches": of_lane.calls,
            "found": of_lane.found,
            "nothing": of_lane.no_match,
            "refused": of_lane.refused,
            "released": of_lane.released,
        }
        if lane.priority in report.exhausted:
            metadata["quota_used_up"] = report.exhausted[lane.priority]
        add_lane_metadata(context, lane, metadata)
    observe_run(
        context,
        {
            "searches_offered": report.offered,
            "answered": report.answered,
            "found": report.found,
            "nothing": report.no_match,
            "refused": report.refused,
            "released": report.released,
            "not_due": report.not_due,
            "rows_in_table": sum(verdicts.values()),
            "verdicts": markdown_table(("verdict", "searches"), list(verdicts.items())),
            **_halted(report),
        },
    )
    return dg.MaterializeResult(check_results=[is_unique])


@dg.asset(
    deps=["worklist", "search_results"],
    partitions_def=lanes_partitions,
    backfill_policy=dg.BackfillPolicy.single_run(),
    group_name="lookups",
    kinds={"python"},
    owners=OWNERS,
    tags={"spends": "credits"},
    check_specs=[LOOKUPS_ARE_ANSWERED],
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
    report = purchase.report
    questions = pipeline.questions(run)
    totals = questions.lane_totals(run.run_id)
    for lane in lanes:
        of_lane = totals.get((lane.freshness, lane.priority), Totals())
        metadata: dict[str, dg.RawMetadataValue] = {
            "lookups": of_lane.calls,
            "matched": of_lane.matched,
            "no_match": of_lane.no_match,
            "refused": of_lane.refused,
            "released": of_lane.released,
            "unconfirmed": of_lane.unconfirmed,
            "credits_charged": of_lane.units_charged,
            "credits_reserved": of_lane.units_reserved,
        }
        if lane.priority in report.exhausted:
            metadata["budget_used_up"] = report.exhausted[lane.priority]
        add_lane_metadata(context, lane, metadata)
    of_run: dict[str, dg.RawMetadataValue] = {
        "lookups_offered": report.offered,
        "lookups_sent": report.sent,
        "matched": report.matched,
        "no_match": report.no_match,
        "refused": report.refused,
        "released": report.released,
        "unconfirmed": report.unconfirmed,
        "not_due": report.not_due,
        "answers_nobody_asked_for": report.unasked,
        "credits_charged": report.units,
        **_halted(report),
    }
    if report.answered:
        of_run["match_rate"] = round(report.matched / report.answered, 4)
    if purchase.credits_left is not None:
        of_run["credits_left"] = purchase.credits_left
    observe_run(context, of_run)
    return dg.MaterializeResult(
        check_results=[lookups_are_answered(questions.run_totals(run.run_id))]
    )


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
    new = pipeline.store_responses()
    with warehouse.get_connection() as connection:
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": row_count(connection, "raw.provider_responses"),
                "new_rows": new,
                "spend": spend_chart(read_spend(connection, run.clock.business_now())),
                "preview": preview(
                    connection, "raw.provider_responses", ("lookup_id", "outcome", "answered_at")
                ),
            },
            check_results=[unique_key(connection, "provider_responses")],
        )


def _halted(report: DispatchReport) -> "dict[str, dg.RawMetadataValue]":
    if report.halted is None:
        return {}
    return {"halted": report.halted.message, "halted_by": report.halted.reason}
