"""The group `publishing`: the snapshot that BI tools read.

Here: the asset `published`. It runs after the blocking checks of the tables in it.
"""

import dagster as dg

from enrichment_pipeline.defs.assets.source import OWNERS
from enrichment_pipeline.defs.runs import begin
from enrichment_pipeline.pipeline import Pipeline
from enrichment_pipeline.warehouse.publish import OUTCOME_TABLES


@dg.asset(
    deps=[*OUTCOME_TABLES, "provider_responses", "accounts"],
    group_name="publishing",
    kinds={"duckdb", "parquet"},
    owners=OWNERS,
)
def published(
    context: dg.AssetExecutionContext, pipeline: dg.ResourceParam[Pipeline]
) -> dg.MaterializeResult:
    """`published/warehouse.duckdb` and Parquet beside it, replaced whole or not at all."""
    rows = pipeline.publish(begin(context, pipeline))
    return dg.MaterializeResult(
        metadata={
            **{f"rows_{table}": count for table, count in rows.items()},
            "folder": dg.MetadataValue.path(str(pipeline.settings.published_dir)),
        }
    )
