"""The group `lookups`: what is due, buying it, and keeping what was answered.

Here: the assets `worklist`, `search_results` (free, but with a quota), `provider_lookups`
(the only one that spends money) and `provider_responses`. Not here: whether a call may be
made (`ledger/`).
"""

import dagster as dg

from enrichment_pipeline.defs.assets.source import OWNERS
from enrichment_pipeline.defs.checks import (
    LEDGER_MATCHES_BALANCE,
    LOOKUPS_ARE_ANSWERED,
    MATCH_RATE_HOLDS,
    ledger_matches_balance,
    lookups_are_answered,
    match_rate_holds,
    unique_key,
    unique_key_spec,
)
from enrichment_pipeline.defs.markdown_charts import spend_chart
from enrichment_pipeline.defs.metadata import (
    add_lane_metadata,
    markdown_table,
    observe_run,
    preview,
    table_metadata,
)
from enrichment_pipeline.defs.partitions import lanes_of, lanes_partitions
from enrichment_pipeline.defs.resources import ProgressFactory, Runs
from enrichment_pipeline.defs.runs import begin
from enrichment_pipeline.dispatch.progress import DispatchReport
from enrichment_pipeline.ledger.questions import Totals
from enrichment_pipeline.settings import policy_table
from enrichment_pipeline.steps.ask_changes import ask_changes
from enrichment_pipeline.steps.buy_lookups import buy_lookups
from enrichment_pipeline.steps.copy_answers import copy_answers
from enrichment_pipeline.steps.search_profiles import search_profiles
from enrichment_pipeline.steps.select_work import select_work


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
    enrichment_runs: dg.ResourceParam[Runs],
    enrichment_progress: dg.ResourceParam[ProgressFactory],
) -> dg.MaterializeResult:
    """What is due in this run's lanes, one row per person; other lanes' rows stay.

    A provider that tells for nothing which profiles have changed is asked that first.
    """
    run = begin(context, enrichment_runs)
    told = ask_changes(run, enrichment_progress(context.log))
    selected = select_work(run, lanes_of(context))
    work = selected.due
    for lane in work.lanes:
        add_lane_metadata(
            context,
            lane.lane,
            {
                "dagster/partition_row_count": lane.lookups,
                "contacts": lane.contacts,
                "person_cache_hits": lane.contacts - lane.lookups,
                "searches": lane.searches,
                "preview": preview(selected.excerpts[lane.lane]),
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
            **({} if told is None else _changes(told)),
        },
    )
    return dg.MaterializeResult(check_results=[unique_key(selected.table)])


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
    enrichment_runs: dg.ResourceParam[Runs],
    enrichment_progress: dg.ResourceParam[ProgressFactory],
) -> dg.MaterializeResult:
    """Which profile it is, for those who are known by name and company only.

    Searching costs no credits, but has a daily quota. A person that is found is looked up by
    the profile's UID; several who are too close to call are for a person to choose from.
    """
    lanes = lanes_of(context)
    run = begin(context, enrichment_runs)
    searched = search_profiles(run, lanes, enrichment_progress(context.log))
    report, is_unique = searched.report, unique_key(searched.table)
    if report is None:
        return dg.MaterializeResult(
            metadata={
                "searching": f"switched off ({policy_table(run.settings.asked_provider)} search)"
            },
            check_results=[is_unique],
        )
    for lane in lanes:
        of_lane = searched.by_lane.get((lane.freshness, lane.priority), Totals())
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
            "rows_in_table": sum(searched.verdicts.values()),
            "verdicts": markdown_table(("verdict", "searches"), list(searched.verdicts.items())),
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
    check_specs=[LOOKUPS_ARE_ANSWERED, LEDGER_MATCHES_BALANCE],
)
def provider_lookups(
    context: dg.AssetExecutionContext,
    enrichment_runs: dg.ResourceParam[Runs],
    enrichment_progress: dg.ResourceParam[ProgressFactory],
) -> dg.MaterializeResult:
    """Buys the work list, in order of priority, inside the rate limit and the budgets.

    Every call is in the ledger before it is sent, and its raw answer before it
    is read. Where credits or the budget run out, the rest stays queued.
    """
    lanes = lanes_of(context)
    run = begin(context, enrichment_runs)
    bought = buy_lookups(run, lanes, enrichment_progress(context.log))
    report = bought.report
    for lane in lanes:
        of_lane = bought.by_lane.get((lane.freshness, lane.priority), Totals())
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
        if run.settings.verifying_provider is not None:
            verified = bought.verified_by_lane.get((lane.freshness, lane.priority), Totals())
            metadata["verifications"] = verified.calls
            metadata["addresses_checked"] = verified.checked
        exhausted = {**bought.verified.exhausted, **report.exhausted}
        if lane.priority in exhausted:
            metadata["budget_used_up"] = exhausted[lane.priority]
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
        "unsolicited_answers": report.unsolicited_answers,
        # the former name of the same number, for one release
        "answers_nobody_asked_for": report.unsolicited_answers,
        "credits_charged": report.units,
        **(_halted(report) or _halted(bought.verified)),
    }
    if run.settings.verifying_provider is not None:
        of_run["verifications_sent"] = bought.verified.sent
        of_run["addresses_checked"] = bought.verified.checked
        of_run["verifications_released"] = bought.verified.released
    if report.answered:
        of_run["match_rate"] = round(report.matched / report.answered, 4)
    for provider, credits_left in bought.credits_left.items():
        is_first = provider == run.settings.asked_provider
        of_run["credits_left" if is_first else f"credits_left_{provider}"] = credits_left
    observe_run(context, of_run)
    return dg.MaterializeResult(
        check_results=[
            lookups_are_answered(bought.of_run),
            ledger_matches_balance(bought.balance_gap),
        ]
    )


@dg.asset(
    deps=["provider_lookups"],
    group_name="lookups",
    kinds={"duckdb", "sql"},
    owners=OWNERS,
    metadata=table_metadata("raw.provider_responses"),
    check_specs=[unique_key_spec("provider_responses"), MATCH_RATE_HOLDS],
)
def provider_responses(
    context: dg.AssetExecutionContext,
    enrichment_runs: dg.ResourceParam[Runs],
) -> dg.MaterializeResult:
    """Every paid answer as it came, copied out of the ledger; facts can be derived anew from it."""
    copied = copy_answers(begin(context, enrichment_runs))
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": copied.table.rows,
            "new_rows": copied.new,
            "spend": spend_chart(copied.spend),
            "preview": preview(copied.table.excerpt),
        },
        check_results=[
            unique_key(copied.table),
            match_rate_holds(copied.match_rate),
        ],
    )


def _changes(told: DispatchReport) -> "dict[str, dg.RawMetadataValue]":
    return {
        "profiles_unchanged": told.unchanged,
        "profiles_changed": told.changed,
        "profiles_stopped": told.refused,
    }


def _halted(report: DispatchReport) -> "dict[str, dg.RawMetadataValue]":
    if report.halted is None:
        return {}
    return {"halted": report.halted.message, "halted_by": report.halted.reason}
