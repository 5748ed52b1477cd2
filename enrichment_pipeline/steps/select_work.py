"""The step `select_work`: who is due in a run's lanes.

Here: bringing look-ups, searches and suppressions up to date before selecting, and the step's
figures. Not here: the selection (`warehouse/worklist.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from enrichment_pipeline.errors import discreet
from enrichment_pipeline.lanes import Lane
from enrichment_pipeline.ledger.suppressions import BY_REVIEW
from enrichment_pipeline.steps.context import RunContext
from enrichment_pipeline.steps.copy_answers import take_over_lookups, take_over_searches
from enrichment_pipeline.warehouse import review
from enrichment_pipeline.warehouse.connection import transaction
from enrichment_pipeline.warehouse.search import score_searches
from enrichment_pipeline.warehouse.suppressions import replace_suppressions
from enrichment_pipeline.warehouse.table_figures import (
    Excerpt,
    TableFigures,
    excerpts_by_lane,
    read_table_figures,
)
from enrichment_pipeline.warehouse.worklist import DueWork, select_worklist


@dataclass(frozen=True)
class SelectedWork:
    """What is due, the work list since, and the first rows of each lane."""

    due: DueWork
    table: TableFigures
    excerpts: dict[Lane, Excerpt]


@discreet
def select_work(context: RunContext, lanes: Sequence[Lane]) -> SelectedWork:
    """Take over the ledger's latest look-ups, then select what is due in the lanes.

    Those whom a reviewer wants asked again are freed first, as `ask_again` does, and those whom
    one wants never asked again are suppressed.
    """
    stores, ledger = context.stores, context.stores.ledger
    provider = context.settings.asked_provider
    suppressions = stores.suppressions(context.clock)
    with stores.open_warehouse() as connection:
        take_over_lookups(connection, ledger)
        waiting = review.persons_to_free(connection, provider)
        if stores.release_unconfirmed(context.clock, waiting):
            take_over_lookups(connection, ledger)
        suppressions.take_over(review.never_identifiers(connection), BY_REVIEW)
        take_over_searches(connection, ledger)
        with transaction(connection):
            score_searches(connection, context.policy.search)
            replace_suppressions(connection, suppressions.everything())
            due = select_worklist(
                connection,
                context.policy,
                lanes,
                provider=provider,
                as_of=context.run.as_of,
                run_id=context.run.run_id,
            )
        return SelectedWork(
            due,
            read_table_figures(connection, "worklist"),
            excerpts_by_lane(connection, context.run.run_id, lanes),
        )
