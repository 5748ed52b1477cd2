"""Asset checks: what must hold before anybody reads the tables, and what is worth a look.

Here: queries that return the failing rows, and their severity. Not here:
mending what they find.
"""

from collections import Counter
from collections.abc import Mapping

import dagster as dg

from enrichment_pipeline.defs.resources import WarehouseResource
from enrichment_pipeline.defs.runs import run_of
from enrichment_pipeline.pipeline import Pipeline
from enrichment_pipeline.warehouse.statements import execute

UNIQUE_KEYS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "contacts": ("staging.contacts", ("contact_id",)),
    "accounts": ("staging.accounts", ("account_id",)),
    "review_decisions": ("raw.review_decisions", ("decision_id",)),
    "worklist": ("enrichment.worklist", ("contact_id", "freshness", "priority")),
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


def unique_key_check(asset: str) -> dg.AssetChecksDefinition:
    """A blocking check that no key of the asset's table stands twice."""
    table, columns = UNIQUE_KEYS[asset]
    names = ", ".join(columns)

    @dg.asset_check(
        asset=asset,
        name="unique_key",
        blocking=True,
        description=f"No two rows of {table} have the same {names}.",
    )
    def unique_key(warehouse: WarehouseResource) -> dg.AssetCheckResult:
        with warehouse.get_connection() as connection:
            repeated = f"select 1 from {table} group by {names} having count(*) > 1"
            doubled = len(connection.execute(repeated).fetchall())
        return dg.AssetCheckResult(passed=doubled == 0, metadata={"doubled_keys": doubled})

    return unique_key


@dg.asset_check(
    asset="contact_status",
    blocking=True,
    description="Every contact of the source as it was loaded has a status, and nobody else has.",
)
def every_contact_is_accounted_for(warehouse: WarehouseResource) -> dg.AssetCheckResult:
    with warehouse.get_connection() as connection:
        found = execute(connection, "find_unaccounted_contacts").fetchall()
    problems = Counter(problem for _, problem in found)
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
    ledger = pipeline.ledger(run_of(context.instance, context.run))
    gap = ledger.balance_gap()
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


ALL_CHECKS = [
    *(unique_key_check(asset) for asset in UNIQUE_KEYS),
    every_contact_is_accounted_for,
    review_flag_agrees,
    source_ids_are_unique,
    ledger_matches_balance,
]
