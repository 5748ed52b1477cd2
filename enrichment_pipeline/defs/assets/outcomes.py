"""The group `outcomes`: from raw answers to the tables that people read.

Here: facts (one step, one transaction) and outcomes (likewise), so that tables
that belong together change together. Not here: the rules (`warehouse/sql/`).
"""

from collections.abc import Iterator

import dagster as dg

from enrichment_pipeline.defs.assets.source import OWNERS
from enrichment_pipeline.defs.charts import (
    ages_chart,
    count_chart,
    coverage_chart,
    debt_chart,
)
from enrichment_pipeline.defs.checks import unique_key, unique_key_spec
from enrichment_pipeline.defs.metadata import preview, table_metadata
from enrichment_pipeline.defs.resources import WarehouseResource
from enrichment_pipeline.defs.runs import begin
from enrichment_pipeline.pipeline import Pipeline
from enrichment_pipeline.warehouse.figures import read_ages, read_coverage, read_debt
from enrichment_pipeline.warehouse.publish import OUTCOME_TABLES
from enrichment_pipeline.warehouse.report import review_counts, row_count, status_counts


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
    check_specs=[unique_key_spec(table) for table in ("person_facts", "company_facts")],
)
def facts(
    context: dg.AssetExecutionContext,
    pipeline: dg.ResourceParam[Pipeline],
    warehouse: WarehouseResource,
) -> Iterator[dg.MaterializeResult]:
    """Read new answers into facts, in one transaction."""
    pipeline.derive_facts(begin(context, pipeline))
    with warehouse.get_connection() as connection:
        previews = {
            "person_facts": ("contact_id", "field", "status", "observed_at"),
            "company_facts": ("company_domain", "field", "value", "valid_from", "valid_to"),
        }
        for table, columns in previews.items():
            yield dg.MaterializeResult(
                asset_key=table,
                metadata={
                    "dagster/row_count": row_count(connection, f"enrichment.{table}"),
                    "preview": preview(connection, f"enrichment.{table}", columns),
                },
                check_results=[unique_key(connection, table)],
            )


@dg.multi_asset(
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
            "Exactly one row for every contact of the source: nothing is dropped in silence.",
        ),
    ],
    check_specs=[unique_key_spec(table) for table in OUTCOME_TABLES],
)
def outcomes(
    context: dg.AssetExecutionContext,
    pipeline: dg.ResourceParam[Pipeline],
    warehouse: WarehouseResource,
) -> Iterator[dg.MaterializeResult]:
    """Judge every contact of the source, in one transaction."""
    run = begin(context, pipeline)
    company_cache_hits = pipeline.derive_outcomes(run)
    max_age_days = pipeline.settings.policy.freshness.max_age_days
    with warehouse.get_connection() as connection:
        yield dg.MaterializeResult(
            asset_key="enriched_contacts",
            metadata={
                "dagster/row_count": row_count(connection, "enrichment.enriched_contacts"),
                "ages": ages_chart(read_ages(connection, run.as_of, max_age_days)),
                "preview": preview(
                    connection,
                    "enrichment.enriched_contacts",
                    ("contact_id", "work_email_status", "mobile_phone_status", "enriched_at"),
                ),
            },
            check_results=[unique_key(connection, "enriched_contacts")],
        )
        reasons = review_counts(connection)
        yield dg.MaterializeResult(
            asset_key="needs_review",
            metadata={
                "dagster/row_count": sum(reasons.values()),
                "reasons": count_chart("reason", reasons),
                "preview": preview(
                    connection, "enrichment.needs_review", ("contact_id", "reason", "priority")
                ),
            },
            check_results=[unique_key(connection, "needs_review")],
        )
        statuses = {status: count.contacts for status, count in status_counts(connection).items()}
        yield dg.MaterializeResult(
            asset_key="contact_status",
            metadata={
                "dagster/row_count": sum(statuses.values()),
                "company_cache_hits": company_cache_hits,
                "statuses": count_chart("status", statuses),
                "coverage": coverage_chart(read_coverage(connection)),
                "refresh_debt": debt_chart(read_debt(connection, run.as_of)),
                "preview": preview(
                    connection,
                    "enrichment.contact_status",
                    ("contact_id", "status", "freshness", "priority", "next_lookup_at"),
                ),
            },
            check_results=[unique_key(connection, "contact_status")],
        )
