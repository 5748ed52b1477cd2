"""Asset checks: what must hold before anybody reads the tables, and what is worth a look.

Here: queries that return the failing rows, and their severity. Not here:
mending what they find.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import timedelta

import dagster as dg
import duckdb

from enrichment_pipeline.defs.metadata import markdown_table
from enrichment_pipeline.defs.resources import WarehouseResource
from enrichment_pipeline.defs.runs import run_of
from enrichment_pipeline.dispatch.report import MOST_UNCONFIRMED, is_unconfirmed_too_often
from enrichment_pipeline.ledger.questions import Totals
from enrichment_pipeline.pipeline import Pipeline
from enrichment_pipeline.warehouse.statements import execute

UNIQUE_KEYS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "contacts": ("staging.contacts", ("contact_id",)),
    "accounts": ("staging.accounts", ("account_id",)),
    "review_decisions": ("raw.review_decisions", ("decision_id",)),
    "worklist": ("enrichment.worklist", ("contact_id", "freshness", "priority")),
    "search_results": ("enrichment.search_results", ("search_id",)),
    "provider_responses": ("raw.provider_responses", ("lookup_id",)),
    "person_facts": (
        "enrichment.person_facts",
        ("contact_id", "lookup_id", "field", "value"),
    ),
    "company_facts": (
        "enrichment.company_facts",
        ("company_domain", "field", "lookup_id"),
    ),
    "enriched_contacts": ("enrichment.enriched_contacts", ("contact_id",)),
    "needs_review": ("enrichment.needs_review", ("contact_id",)),
    "contact_status": ("enrichment.contact_status", ("contact_id",)),
}
"""By asset: its table, and the columns that together occur once."""

EARLIER_RUNS = 5
LEAST_ANSWERS = 10
"""Of so few answers a rate says nothing."""
UNREAD_AFTER = timedelta(days=14)


def unique_key_spec(asset: str) -> dg.AssetCheckSpec:
    """A blocking check that no key of the asset's table stands twice.

    The asset's own step makes it (`unique_key`), since the table is open there: as a step of
    its own it would take ten times as long, and wait for the table's lock once more.
    """
    table, columns = UNIQUE_KEYS[asset]
    return dg.AssetCheckSpec(
        "unique_key",
        asset=asset,
        blocking=True,
        description=f"No two rows of {table} have the same {', '.join(columns)}.",
    )


def unique_key(connection: duckdb.DuckDBPyConnection, asset: str) -> dg.AssetCheckResult:
    """Whether what `unique_key_spec` promises of the asset's table holds."""
    table, columns = UNIQUE_KEYS[asset]
    repeated = f"select 1 from {table} group by {', '.join(columns)} having count(*) > 1"
    doubled = len(connection.execute(repeated).fetchall())
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name="unique_key",
        passed=doubled == 0,
        metadata={"doubled_keys": doubled},
    )


LOOKUPS_ARE_ANSWERED = dg.AssetCheckSpec(
    "lookups_are_answered",
    asset="provider_lookups",
    description=f"No more than {MOST_UNCONFIRMED:.0%} of what the run asked for ended unconfirmed: "
    "sent, but not answered, and so perhaps billed.",
)


def lookups_are_answered(of_run: Totals) -> dg.AssetCheckResult:
    """Whether what `LOOKUPS_ARE_ANSWERED` promises holds; the tables are as good as without it."""
    asked = of_run.calls - of_run.released
    return dg.AssetCheckResult(
        asset_key="provider_lookups",
        check_name=LOOKUPS_ARE_ANSWERED.name,
        passed=not is_unconfirmed_too_often(of_run.unconfirmed, asked),
        severity=dg.AssetCheckSeverity.ERROR,
        metadata={"unconfirmed_lookups": of_run.unconfirmed, "lookups": asked},
    )


@dg.asset_check(
    asset="contact_status",
    blocking=True,
    description="Every contact of the source as it was loaded has a status, and nobody else has. "
    "Where another run has loaded it anew meanwhile, that run's check is the one that counts.",
)
def every_contact_is_accounted_for(warehouse: WarehouseResource) -> dg.AssetCheckResult:
    with warehouse.get_connection() as connection:
        found = execute(connection, "find_unaccounted_contacts").fetchall()
    problems = Counter(problem for _, problem in found)
    if problems["overtaken"]:
        return dg.AssetCheckResult(
            passed=True, metadata={"note": "another run has loaded the source anew"}
        )
    return dg.AssetCheckResult(
        passed=not found,
        metadata={
            "without_status": problems["without_status"],
            "not_in_source": problems["not_in_source"],
            "examples": [contact_id for contact_id, _ in found[:10]],
        },
    )


@dg.asset_check(
    asset="enriched_contacts",
    blocking=True,
    description="Whoever needs manual enrichment stands in needs_review, and nobody else does.",
)
def review_flag_agrees(warehouse: WarehouseResource) -> dg.AssetCheckResult:
    with warehouse.get_connection() as connection:
        disagreeing = execute(connection, "count_disagreeing_flags").fetchall()[0][0]
    return dg.AssetCheckResult(passed=disagreeing == 0, metadata={"disagreeing": disagreeing})


@dg.asset_check(
    asset="contacts",
    description="No contact_id repeats in the source; where one does, the latest row was taken.",
)
def source_ids_are_unique(warehouse: WarehouseResource) -> dg.AssetCheckResult:
    with warehouse.get_connection() as connection:
        doubled = execute(connection, "find_repeated_ids").fetchall()
    return dg.AssetCheckResult(
        passed=not doubled,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "repeated_ids": len(doubled),
            "rows_passed_over": sum(rows - 1 for _, rows in doubled),
            "examples": [contact_id for contact_id, _ in doubled[:10]],
        },
    )


@dg.asset_check(
    asset="provider_lookups",
    description="The provider's balance fell by what the ledger charged. It parts where somebody "
    "else spends from the same account.",
)
def ledger_matches_balance(
    context: dg.AssetCheckExecutionContext, pipeline: dg.ResourceParam[Pipeline]
) -> dg.AssetCheckResult:
    gap = pipeline.questions(run_of(context.instance, context.run)).balance_gap()
    if gap is None:
        return dg.AssetCheckResult(
            passed=True, metadata={"note": "the balance was not seen twice yet"}
        )
    return dg.AssetCheckResult(
        passed=gap.unexplained == 0,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "provider_spent": gap.provider_spent,
            "ledger_charged": gap.ledger_charged,
            "unconfirmed_lookups": gap.unconfirmed,
            "unexplained_credits": gap.unexplained,
        },
    )


@dg.asset_check(
    asset="enriched_contacts",
    blocking=True,
    description="Every e-mail and phone that is shown as verified was rated so by the provider, or "
    "given by a person: no likely one stands in a verified column.",
)
def no_likely_value_is_verified(warehouse: WarehouseResource) -> dg.AssetCheckResult:
    with warehouse.get_connection() as connection:
        found = execute(connection, "find_unproven_values").fetchall()
    return dg.AssetCheckResult(
        passed=not found,
        metadata={
            "unproven_values": len(found),
            "examples": [f"{contact_id}: {field}" for contact_id, field in found[:10]],
        },
    )


@dg.asset_check(
    asset="contact_status",
    blocking=True,
    # the dates of expiry that it reads
    additional_deps=["enriched_contacts"],
    description="No answer that is older than the policy allows is shown as fresh.",
)
def no_old_answer_is_fresh(
    context: dg.AssetCheckExecutionContext,
    pipeline: dg.ResourceParam[Pipeline],
    warehouse: WarehouseResource,
) -> dg.AssetCheckResult:
    ages = pipeline.settings.policy.freshness
    with warehouse.get_connection() as connection:
        found = execute(
            connection,
            "find_expired_answers",
            as_of=run_of(context.instance, context.run).as_of,
            max_age_days=ages.max_age_days,
            no_match_days=ages.no_match_days,
        ).fetchall()
    problems = Counter(shown_as for _, shown_as in found)
    return dg.AssetCheckResult(
        passed=not found,
        metadata={
            "shown_as_fresh": problems["fresh"],
            "shown_as_not_expired": problems["not_expired"],
            "examples": [contact_id for contact_id, _ in found[:10]],
        },
    )


def fall_check(name: str, asset: str, measure: str, description: str) -> dg.AssetChecksDefinition:
    """A check that warns where a share has fallen by a third against the runs before."""

    @dg.asset_check(asset=asset, name=name, description=description)
    def holds(warehouse: WarehouseResource) -> dg.AssetCheckResult:
        with warehouse.get_connection() as connection:
            rows = execute(connection, "compare_runs", earlier_runs=EARLIER_RUNS).fetchall()
        found = next((row for row in rows if row[0] == measure), None)
        if found is None:
            return dg.AssetCheckResult(passed=True, metadata={"note": "nothing was answered yet"})
        _, run_id, share, compared, hits, expected_hits = found
        metadata: dict[str, dg.RawMetadataValue] = {"run": run_id, measure: round(share, 4)}
        if compared < LEAST_ANSWERS:
            metadata["note"] = f"only {compared} answers to compare with earlier runs"
            return dg.AssetCheckResult(passed=True, metadata=metadata)
        metadata |= {
            "compared_answers": compared,
            f"compared_{measure}": round(hits / compared, 4),
            f"expected_{measure}": round(expected_hits / compared, 4),
        }
        return dg.AssetCheckResult(
            passed=not expected_hits or 3 * hits > 2 * expected_hits,
            severity=dg.AssetCheckSeverity.WARN,
            metadata=metadata,
        )

    return holds


match_rate_holds = fall_check(
    "match_rate_holds",
    "provider_responses",
    "match_rate",
    f"The last run found people about as often as the {EARLIER_RUNS} before it, for the same kind "
    "of look-ups; a fall by a third warns.",
)

verified_share_holds = fall_check(
    "verified_share_holds",
    "person_facts",
    "verified_share",
    "Who was found by the last run has a verified e-mail about as often as in the "
    f"{EARLIER_RUNS} runs before it; a fall by a third warns.",
)


@dg.asset_check(
    asset="needs_review",
    description=f"No contact has waited for a reviewer for {UNREAD_AFTER.days} days.",
)
def reviews_are_read(
    context: dg.AssetCheckExecutionContext, warehouse: WarehouseResource
) -> dg.AssetCheckResult:
    flagged_before = run_of(context.instance, context.run).as_of - UNREAD_AFTER
    with warehouse.get_connection() as connection:
        unread = execute(
            connection, "find_unread_reviews", flagged_before=flagged_before
        ).fetchall()
    reasons = Counter((priority, reason) for _, reason, priority, _ in unread)
    return dg.AssetCheckResult(
        passed=not unread,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "unread": len(unread),
            "by_priority": markdown_table(
                ("priority", "reason", "contacts"),
                [(*key, contacts) for key, contacts in reasons.items()],
            ),
            "examples": [contact_id for contact_id, *_ in unread[:10]],
        },
    )


OWN_STEPS = [
    every_contact_is_accounted_for,
    review_flag_agrees,
    source_ids_are_unique,
    ledger_matches_balance,
    no_likely_value_is_verified,
    no_old_answer_is_fresh,
    match_rate_holds,
    verified_share_holds,
    reviews_are_read,
]
