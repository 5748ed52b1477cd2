"""The group `source`: what the CRM, the warehouse or a reviewer's tool gives.

Here: the assets `contacts`, `accounts` and `review_decisions`. Not here: how the
source is read.
"""

import dagster as dg

from enrichment_pipeline.defs.checks import (
    ROWS_CAN_BE_TAKEN,
    SOURCE_IDS_ARE_UNIQUE,
    rows_can_be_taken,
    source_ids_are_unique,
    unique_key,
    unique_key_spec,
)
from enrichment_pipeline.defs.metadata import preview, table_metadata
from enrichment_pipeline.defs.resources import Runs
from enrichment_pipeline.defs.runs import begin
from enrichment_pipeline.steps.load_source import load_accounts, load_contacts
from enrichment_pipeline.steps.take_decisions import take_decisions
from enrichment_pipeline.warehouse.load import LoadCounts

OWNERS = ["team:data-engineering"]
SHOWN_TIERS = 100


@dg.asset(
    group_name="source",
    kinds={"duckdb", "sql"},
    owners=OWNERS,
    metadata=table_metadata("staging.accounts"),
    check_specs=[unique_key_spec("accounts")],
)
def accounts(
    context: dg.AssetExecutionContext, enrichment_runs: dg.ResourceParam[Runs]
) -> dg.MaterializeResult:
    """Accounts of the source, new or changed since the last load: they give the priority."""
    loaded = load_accounts(begin(context, enrichment_runs))
    return dg.MaterializeResult(
        metadata={
            **_counts(loaded.counts),
            "unknown_tiers": list(loaded.counts.unknown_tiers[:SHOWN_TIERS]),
            "preview": preview(loaded.table.excerpt),
        },
        check_results=[unique_key(loaded.table)],
    )


@dg.asset(
    deps=["accounts"],  # whose names and domains stand in where contacts have none
    group_name="source",
    kinds={"duckdb", "sql"},
    owners=OWNERS,
    metadata=table_metadata("staging.contacts"),
    check_specs=[unique_key_spec("contacts"), SOURCE_IDS_ARE_UNIQUE],
)
def contacts(
    context: dg.AssetExecutionContext, enrichment_runs: dg.ResourceParam[Runs]
) -> dg.MaterializeResult:
    """Contacts of the source, and what applications entered: new or changed, and who is who."""
    loaded = load_contacts(begin(context, enrichment_runs))
    return dg.MaterializeResult(
        metadata={
            **_counts(loaded.counts),
            **_read(loaded.counts),
            "persons": loaded.persons,
            "contacts_without_identity": loaded.counts.present - loaded.identified,
            "contacts_not_eligible": loaded.counts.not_eligible,
            "contacts_entered": loaded.counts.entered,
            "entries_retired": loaded.counts.retired,
            "preview": preview(loaded.table.excerpt),
        },
        check_results=[
            unique_key(loaded.table),
            source_ids_are_unique(loaded.repeated_ids),
        ],
    )


@dg.asset(
    deps=["contacts"],
    group_name="source",
    kinds={"duckdb", "sql"},
    owners=OWNERS,
    metadata=table_metadata("raw.review_decisions"),
    check_specs=[unique_key_spec("review_decisions"), ROWS_CAN_BE_TAKEN],
)
def review_decisions(
    context: dg.AssetExecutionContext, enrichment_runs: dg.ResourceParam[Runs]
) -> dg.MaterializeResult:
    """What reviewers decided: the log, and what is new in another tool's table of decisions."""
    taken = take_decisions(begin(context, enrichment_runs))
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": taken.table.rows,
            "new_rows": taken.recorded.new,
            "preview": preview(taken.table.excerpt),
        },
        check_results=[
            unique_key(taken.table),
            rows_can_be_taken(taken.recorded),
        ],
    )


def _counts(counts: LoadCounts) -> dict[str, int | list[str]]:
    return {
        "dagster/row_count": counts.present,
        "rows_new_or_changed": counts.changed,
        "rows_left": counts.left,
        "columns_not_read": list(counts.unread),
    }


def _read(counts: LoadCounts) -> dict[str, int]:
    """How many rows were read, where not all of them were compared."""
    return {} if counts.read is None else {"newer_rows_read": counts.read}
