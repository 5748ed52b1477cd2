"""The group `source`: what the CRM or warehouse gives, loaded into staging.

Here: the assets `contacts` and `accounts`. Not here: how the source is read.
"""

import dagster as dg

from enrichment_pipeline.defs.metadata import preview, table_metadata
from enrichment_pipeline.defs.resources import WarehouseResource
from enrichment_pipeline.defs.runs import begin
from enrichment_pipeline.pipeline import Pipeline
from enrichment_pipeline.warehouse.load import LoadCounts
from enrichment_pipeline.warehouse.statements import execute

OWNERS = ["team:data-engineering"]


@dg.asset(
    group_name="source",
    kinds={"duckdb", "sql"},
    owners=OWNERS,
    metadata=table_metadata("staging.accounts"),
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
    return dg.MaterializeResult(metadata={**_counts(counts), "preview": first_rows})


@dg.asset(
    group_name="source",
    kinds={"duckdb", "sql"},
    owners=OWNERS,
    metadata=table_metadata("staging.contacts"),
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
    return dg.MaterializeResult(
        metadata={
            **_counts(counts),
            "persons": persons,
            "contacts_without_identity": counts.present - identified,
            "preview": first_rows,
        }
    )


def _counts(counts: LoadCounts) -> dict[str, int]:
    return {
        "dagster/row_count": counts.present,
        "rows_new_or_changed": counts.changed,
        "rows_left": counts.left,
    }
