"""The step `take_decisions`: what reviewers decided in another tool.

Here: taking over its table and the step's figures. Not here: decisions in files
(`corrections.py`), and which of them hold (`warehouse/review_log.py`).
"""

from dataclasses import dataclass

from enrichment_pipeline.errors import redact_unexpected_errors
from enrichment_pipeline.steps.context import RunContext
from enrichment_pipeline.warehouse import review_log
from enrichment_pipeline.warehouse.connection import transaction
from enrichment_pipeline.warehouse.review_log import Recorded
from enrichment_pipeline.warehouse.table_figures import TableFigures, read_table_figures


@dataclass(frozen=True)
class TakenDecisions:
    """What became of the other tool's rows, and the log of decisions since."""

    recorded: Recorded
    table: TableFigures


@redact_unexpected_errors
def take_decisions(context: RunContext) -> TakenDecisions:
    """Take over what another tool's table of decisions has that is new and sound."""
    with context.stores.open_warehouse() as connection:
        with transaction(connection):
            recorded = review_log.record_table(
                connection,
                context.policy,
                context.settings.review_source,
                waterfall=context.settings.waterfall,
                recorded_at=context.now,
            )
        return TakenDecisions(recorded, read_table_figures(connection, "review_decisions"))
