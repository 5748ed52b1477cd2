"""The group `publishing`: the snapshot that BI tools read.

Here: the asset `published`. It runs after the blocking checks of the tables in it, and last of
all, so that Dagster's old runs are forgotten here, too.
"""

from datetime import UTC, datetime

import dagster as dg

from enrichment_pipeline.defs.assets.source import OWNERS
from enrichment_pipeline.defs.pruning import prune_old_runs
from enrichment_pipeline.defs.resources import Runs
from enrichment_pipeline.defs.runs import begin
from enrichment_pipeline.steps.publish_tables import publish_tables
from enrichment_pipeline.warehouse.publish import OUTCOME_TABLES


@dg.asset(
    deps=[*OUTCOME_TABLES, "provider_responses", "accounts"],
    group_name="publishing",
    kinds={"duckdb", "parquet"},
    owners=OWNERS,
)
def published(
    context: dg.AssetExecutionContext, enrichment_runs: dg.ResourceParam[Runs]
) -> dg.MaterializeResult:
    """`published/warehouse.duckdb` and Parquet beside it, replaced whole or not at all."""
    rows = publish_tables(begin(context, enrichment_runs))
    forgotten = prune_old_runs(context.instance, enrichment_runs.settings, datetime.now(UTC))
    return dg.MaterializeResult(
        metadata={
            **{f"rows_{table}": count for table, count in rows.items()},
            "old_runs_forgotten": forgotten,
            "folder": dg.MetadataValue.path(str(enrichment_runs.settings.published_dir)),
        }
    )
