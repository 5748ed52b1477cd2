"""The step `select_work`: who is due in a run's lanes.

Here: bringing look-ups, searches and suppressions up to date before selecting, and the step's
figures. Not here: the selection (`warehouse/worklist.py`).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import duckdb

from enrichment_pipeline.errors import redact_unexpected_errors
from enrichment_pipeline.lanes import Lane
from enrichment_pipeline.ledger.suppressions import BY_REVIEW
from enrichment_pipeline.steps.context import RunContext, narrowing
from enrichment_pipeline.steps.copy_answers import take_over_lookups, take_over_searches
from enrichment_pipeline.vocabulary import VERIFICATION
from enrichment_pipeline.warehouse import review_log
from enrichment_pipeline.warehouse.connection import transaction
from enrichment_pipeline.warehouse.searches import join_found_persons, score_searches
from enrichment_pipeline.warehouse.suppressed_identifiers import replace_suppressions
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


@redact_unexpected_errors
def select_work(context: RunContext, lanes: Sequence[Lane]) -> SelectedWork:
    """Take over the ledger's latest look-ups, then select what is due in the lanes.

    Persons that a reviewer wants asked about again, and their addresses, are freed first, as
    `ask_again` does, and those that a reviewer wants never asked about again are suppressed.
    """
    stores, ledger = context.stores, context.stores.ledger
    suppressions = stores.suppressions(context.clock)
    with stores.open_warehouse() as connection:
        take_over_lookups(connection, ledger)
        for provider in context.settings.asked_providers:
            waiting = review_log.persons_to_free(connection, provider)
            if stores.release_unconfirmed(context.clock, provider, waiting):
                take_over_lookups(connection, ledger)
        verifier = context.settings.verifying_provider
        if verifier is not None:
            addresses = review_log.addresses_to_free(connection, verifier)
            stores.release_unconfirmed(context.clock, verifier, addresses, kind=VERIFICATION)
        suppressions.take_over(review_log.never_identifiers(connection), BY_REVIEW)
        take_over_searches(connection, ledger)
        with transaction(connection):
            due = select_due(connection, context, lanes, suppressions.everything())
        return SelectedWork(
            due,
            read_table_figures(connection, "worklist"),
            excerpts_by_lane(connection, context.run.run_id, lanes),
        )


def select_due(
    connection: duckdb.DuckDBPyConnection,
    context: RunContext,
    lanes: Sequence[Lane],
    suppressed: Collection[str],
) -> DueWork:
    """Put on the work list who is due and not suppressed. Call it in a transaction.

    Searches may have come since the last run, of the point of entry or of a run that was killed.
    """
    score_searches(connection, context.policy.search)
    join_found_persons(connection)
    replace_suppressions(connection, suppressed)
    return select_worklist(
        connection,
        context.policy,
        lanes,
        waterfall=context.settings.waterfall,
        as_of=context.run.as_of,
        run_id=context.run.run_id,
        narrowing=narrowing(context),
    )
