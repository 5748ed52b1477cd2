"""The group `source`: what the CRM, the warehouse or a reviewer's tool gives.

Here: the assets `contacts`, `accounts` and `review_decisions`. Not here: how the
source is read.
"""

import dagster as dg

from enrichment_pipeline.defs.checks import unique_key, unique_key_spec
from enrichment_pipeline.defs.metadata import preview, table_metadata
from enrichment_pipeline.defs.resources import WarehouseResource
from enrichment_pipeline.defs.runs import begin
from enrichment_pipeline.pipeline import Pipeline
from enrichment_pipeline.warehouse.load import LoadCounts
from enrichment_pipeline.warehouse.report import row_count
from enrichment_pipeline.warehouse.statements import execute

OWNERS = ["team:data-engineering"]
SHOWN_PROBLEMS = 100


@dg.asset(
    group_name="source",
    kinds={"duckdb", "sql"},
    owners=OWNERS,
    metadata=table_metadata("staging.accounts"),
    check_specs=[unique_key_spec("accounts")],
)
def accounts(
    context: dg.AssetExecutionContext,
    pipeline: dg.ResourceParam[Pipeline],
    warehouse: WarehouseResource,
) -> dg.MaterializeResult:
    """Accounts of the source, new or changed since the last load: they give the priority."""
    counts = pipeline.load_accounts(begin(context, pipeline))
    with warehouse.get_connection() as connection:
        first_rows = preview(connection, "staging.accounts", ("account_id", "tier", "loaded_at"))
        is_unique = unique_key(connection, "accounts")
    return dg.MaterializeResult(
        metadata={
            **_counts(counts),
            "unknown_tiers": list(counts.unknown_tiers[:SHOWN_PROBLEMS]),
            "preview": first_rows,
        },
        check_results=[is_unique],
    )


@dg.asset(
    deps=["accounts"],  # whose names and domains stand in where contacts have none
    group_name="source",
    kinds={"duckdb", "sql"},
    owners=OWNERS,
    metadata=table_metadata("staging.contacts"),
    check_specs=[unique_key_spec("contacts")],
)
def contacts(
    context: dg.AssetExecutionContext,
    pipeline: dg.ResourceParam[Pipeline],
    warehouse: WarehouseResource,
) -> dg.MaterializeResult:
    """Contacts of the source, new or changed since the last load, and who of them is who."""
    counts = pipeline.load_contacts(begin(context, pipeline))
    with warehouse.get_connection() as connection:
        persons, identified = execute(connection, "count_persons").fetchall()[0]
        first_rows = preview(
            connection, "staging.contacts", ("contact_id", "account_id", "loaded_at")
        )
        is_unique = unique_key(connection, "contacts")
    return dg.MaterializeResult(
        metadata={
            **_counts(counts),
            "persons": persons,
            "contacts_without_identity": counts.present - identified,
            "contacts_not_eligible": counts.not_eligible,
            "preview": first_rows,
        },
        check_results=[is_unique],
    )


@dg.asset(
    deps=["contacts"],
    group_name="source",
    kinds={"duckdb", "sql"},
    owners=OWNERS,
    metadata=table_metadata("raw.review_decisions"),
    check_specs=[
        unique_key_spec("review_decisions"),
        dg.AssetCheckSpec(
            "rows_can_be_taken",
            asset="review_decisions",
            description="Every row that is new in [review] decisions can be taken; the others are.",
        ),
    ],
)
def review_decisions(
    context: dg.AssetExecutionContext,
    pipeline: dg.ResourceParam[Pipeline],
    warehouse: WarehouseResource,
) -> dg.MaterializeResult:
    """What reviewers decided: the log, and what is new in another tool's table of decisions."""
    recorded = pipeline.record_decisions(begin(context, pipeline))
    with warehouse.get_connection() as connection:
        rows = row_count(connection, "raw.review_decisions")
        first_rows = preview(
            connection, "raw.review_decisions", ("contact_id", "decision", "field", "decided_at")
        )
        is_unique = unique_key(connection, "review_decisions")
    problems = recorded.problems
    return dg.MaterializeResult(
        metadata={"dagster/row_count": rows, "new_rows": recorded.new, "preview": first_rows},
        check_results=[
            is_unique,
            dg.AssetCheckResult(
                check_name="rows_can_be_taken",
                passed=not problems,
                severity=dg.AssetCheckSeverity.WARN,
                metadata={
                    "wrong_rows": len({problem.row for problem in problems}),
                    "problems": [str(problem) for problem in problems[:SHOWN_PROBLEMS]],
                },
            ),
        ],
    )


def _counts(counts: LoadCounts) -> dict[str, int | list[str]]:
    return {
        "dagster/row_count": counts.present,
        "rows_new_or_changed": counts.changed,
        "rows_left": counts.left,
        "columns_not_read": list(counts.unread),
    }
