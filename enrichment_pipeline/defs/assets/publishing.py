"""The group `publishing`: the snapshot that BI tools read, and the sinks that it goes to.

Here: the asset `published`, which runs after the blocking checks of the tables in it, and where
Dagster's old runs are forgotten, too; and `sinks`, which is there where the policy file names any.
"""

from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg

from enrichment_pipeline.defs.assets.source import OWNERS
from enrichment_pipeline.defs.checks import SINKS_ARE_UP_TO_DATE, sinks_are_up_to_date
from enrichment_pipeline.defs.metadata import observe_run
from enrichment_pipeline.defs.pruning import prune_old_runs
from enrichment_pipeline.defs.resources import Runs
from enrichment_pipeline.defs.runs import begin
from enrichment_pipeline.steps.fill_sinks import SinkReport, fill_sinks
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


@dg.asset(
    deps=[published],
    group_name="publishing",
    kinds={"sql"},
    owners=OWNERS,
    check_specs=[SINKS_ARE_UP_TO_DATE],
)
def sinks(
    context: dg.AssetExecutionContext, enrichment_runs: dg.ResourceParam[Runs]
) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult]:
    """The sinks of the policy file: what has changed of the published tables is merged there.

    Fails where one could not be filled, though the others were: its readers have old data.
    """
    report = fill_sinks(begin(context, enrichment_runs))
    observe_run(context, sink_figures(report))
    yield sinks_are_up_to_date(report)
    report.refuse_behind()
    yield dg.MaterializeResult()


def sink_figures(report: SinkReport) -> dict[str, int]:
    """Rows that went to each sink that could be filled: in all, and by table where any did."""
    figures: dict[str, int] = {}
    for sink, tables in report.filled.items():
        figures |= {f"{sink}/merged": 0, f"{sink}/deleted": 0}
        for table, changes in tables.items():
            for what, rows in (("merged", changes.merged), ("deleted", changes.deleted)):
                figures[f"{sink}/{what}"] += rows
                figures[f"{sink}/{table}/{what}"] = rows
    return figures
