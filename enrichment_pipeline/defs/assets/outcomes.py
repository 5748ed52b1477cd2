"""The group `outcomes`: from raw answers to the tables that people read.

Here: facts (one step, one transaction) and outcomes (likewise), so that tables
that belong together change together. Not here: the rules (`warehouse/sql/`).
"""

from collections.abc import Iterator, Mapping

import dagster as dg

from enrichment_pipeline.defs.assets.source import OWNERS
from enrichment_pipeline.defs.checks import (
    ENTRIES_ARE_SETTLED,
    EVERY_CONTACT_IS_ACCOUNTED_FOR,
    NO_LIKELY_VALUE_IS_VERIFIED,
    NO_OLD_ANSWER_IS_FRESH,
    REVIEW_FLAG_AGREES,
    REVIEWS_ARE_READ,
    VERIFIED_SHARE_HOLDS,
    entries_are_settled,
    every_contact_is_accounted_for,
    no_likely_value_is_verified,
    no_old_answer_is_fresh,
    review_flag_agrees,
    reviews_are_read,
    unique_key,
    unique_key_spec,
    verified_share_holds,
)
from enrichment_pipeline.defs.markdown_charts import (
    ages_chart,
    count_chart,
    coverage_chart,
    debt_chart,
)
from enrichment_pipeline.defs.metadata import preview, table_metadata
from enrichment_pipeline.defs.resources import Runs
from enrichment_pipeline.defs.runs import begin
from enrichment_pipeline.steps.derive_facts import derive_facts
from enrichment_pipeline.steps.derive_outcomes import derive_outcomes
from enrichment_pipeline.warehouse.publish import OUTCOME_TABLES
from enrichment_pipeline.warehouse.table_figures import TableFigures


def _spec(table: str, deps: list[str], description: str) -> dg.AssetSpec:
    return dg.AssetSpec(
        table,
        deps=deps,
        description=description,
        group_name="outcomes",
        kinds={"duckdb", "sql"},
        owners=OWNERS,
        metadata=table_metadata(f"enrichment.{table}"),
    )


@dg.multi_asset(
    name="enrichment_facts",
    specs=[
        _spec(
            "person_facts",
            ["provider_responses", "contacts", "review_decisions"],
            "Every value that an answer gave, with its source, rating and time: the provenance.",
        ),
        _spec(
            "company_facts",
            ["provider_responses"],
            "What answers say of companies, by registrable domain.",
        ),
    ],
    check_specs=[
        unique_key_spec("person_facts"),
        VERIFIED_SHARE_HOLDS,
        unique_key_spec("company_facts"),
    ],
)
def facts(
    context: dg.AssetExecutionContext, enrichment_runs: dg.ResourceParam[Runs]
) -> Iterator[dg.MaterializeResult]:
    """Read new answers into facts, in one transaction."""
    derived = derive_facts(begin(context, enrichment_runs))
    yield _result(
        context,
        "person_facts",
        derived.person_facts,
        {},
        [verified_share_holds(derived.verified_share)],
    )
    yield _result(context, "company_facts", derived.company_facts, {}, [])


@dg.multi_asset(
    name="enrichment_outcomes",
    specs=[
        _spec(
            "enriched_contacts",
            ["person_facts", "contacts"],
            "The best current value of each field; verified is never guessed.",
        ),
        _spec(
            "needs_review",
            ["person_facts", "contacts", "search_results"],
            "What a person must look at, with a reason and the evidence.",
        ),
        _spec(
            "contact_status",
            ["person_facts", "contacts", "accounts"],
            "One row for each contact of the source and each entry: nothing is dropped in silence.",
        ),
    ],
    check_specs=[
        *(unique_key_spec(table) for table in OUTCOME_TABLES),
        REVIEW_FLAG_AGREES,
        NO_LIKELY_VALUE_IS_VERIFIED,
        REVIEWS_ARE_READ,
        EVERY_CONTACT_IS_ACCOUNTED_FOR,
        NO_OLD_ANSWER_IS_FRESH,
        ENTRIES_ARE_SETTLED,
    ],
)
def outcomes(
    context: dg.AssetExecutionContext, enrichment_runs: dg.ResourceParam[Runs]
) -> Iterator[dg.MaterializeResult]:
    """Judge every contact of the source, in one transaction."""
    derived = derive_outcomes(begin(context, enrichment_runs))
    found = derived.findings
    yield _result(
        context,
        "enriched_contacts",
        derived.enriched_contacts,
        {"ages": ages_chart(derived.ages)},
        [
            review_flag_agrees(found.disagreeing_flags),
            no_likely_value_is_verified(found.unproven_values),
        ],
    )
    yield _result(
        context,
        "needs_review",
        derived.needs_review,
        {"reasons": count_chart("reason", derived.reasons)},
        [reviews_are_read(found.unread_reviews)],
    )
    yield _result(
        context,
        "contact_status",
        derived.contact_status,
        {
            "company_cache_hits": derived.company_cache_hits,
            "statuses": count_chart("status", derived.statuses),
            "coverage": coverage_chart(derived.coverage),
            "refresh_debt": debt_chart(derived.debt),
            "entries_settled": derived.entries.settled,
        },
        [
            every_contact_is_accounted_for(found.unaccounted_contacts),
            no_old_answer_is_fresh(found.expired_answers),
            entries_are_settled(derived.entries),
        ],
    )


def _result(
    context: dg.AssetExecutionContext,
    table: str,
    figures: TableFigures,
    metadata: "Mapping[str, dg.RawMetadataValue]",
    checked: list[dg.AssetCheckResult],
) -> dg.MaterializeResult:
    """One of the tables: its rows and first rows, what else is shown of it, and its checks."""
    key = context.asset_key_for_output(table)
    checked = [unique_key(figures), *checked]
    return dg.MaterializeResult(
        asset_key=key,
        metadata={
            "dagster/row_count": figures.rows,
            **metadata,
            "preview": preview(figures.excerpt),
        },
        check_results=[check._replace(asset_key=key) for check in checked],
    )
