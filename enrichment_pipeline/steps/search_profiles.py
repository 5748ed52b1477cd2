"""The step `search_profiles`: which profile it is, for those known by name and company only.

Here: in which order they are searched for, and the step's figures. Not here: who is due and which
profile is the person (`warehouse/searches.py`), and sending (`dispatch/`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product

import duckdb

from enrichment_pipeline.candidates import search_candidate_of
from enrichment_pipeline.dispatch.asking import CURRENT, CURRENT_OR_PAST
from enrichment_pipeline.dispatch.connecting import asking_of, connect_provider
from enrichment_pipeline.dispatch.dispatcher import Dispatcher
from enrichment_pipeline.dispatch.progress import DispatchReport, Progress, SearchProgress
from enrichment_pipeline.errors import redact_unexpected_errors
from enrichment_pipeline.lanes import Lane
from enrichment_pipeline.ledger.admission import Candidate
from enrichment_pipeline.ledger.questions import Totals
from enrichment_pipeline.spill import spill
from enrichment_pipeline.steps.context import RunContext
from enrichment_pipeline.steps.copy_answers import take_over_searches
from enrichment_pipeline.steps.provider import run_in_a_thread
from enrichment_pipeline.terms import share_of
from enrichment_pipeline.vocabulary import SEARCH
from enrichment_pipeline.warehouse.connection import transaction
from enrichment_pipeline.warehouse.counts import verdict_counts
from enrichment_pipeline.warehouse.searches import (
    due_searches,
    priorities_to_search,
    resolve_worklist,
)
from enrichment_pipeline.warehouse.table_figures import TableFigures, read_table_figures

SEARCH_ATTEMPTS = (CURRENT, CURRENT_OR_PAST)


@dataclass(frozen=True)
class SearchedProfiles:
    """How searching ended (None where it is switched off), by lane, and the results since."""

    report: DispatchReport | None
    by_lane: Mapping[tuple[str, str], Totals]
    verdicts: dict[str, int]
    table: TableFigures


@redact_unexpected_errors
def search_profiles(
    context: RunContext, lanes: Sequence[Lane], progress: Progress
) -> SearchedProfiles:
    """Find the profiles of those who are known by name and company.

    Highest priority first, each with its second try before the next priority. DuckDB
    is closed while anything is asked. Where the quota ends, the rest stays queued.
    """
    provider = context.settings.searching_provider
    is_on = provider is not None and context.policy.searches_at(provider)
    with context.stores.open_warehouse() as connection:
        priorities = priorities_to_search(connection, lanes) if is_on else []
        verdicts, table = _results(connection)
    if provider is None or not is_on:
        return SearchedProfiles(None, {}, verdicts, table)
    report = DispatchReport()
    if priorities:
        report = _search(context, lanes, provider, priorities, progress)
        with context.stores.open_warehouse() as connection:
            verdicts, table = _results(connection)
    questions = context.stores.questions(context.clock, SEARCH, provider=provider)
    return SearchedProfiles(report, questions.lane_totals(context.run.run_id), verdicts, table)


def _results(connection: duckdb.DuckDBPyConnection) -> tuple[dict[str, int], TableFigures]:
    return verdict_counts(connection), read_table_figures(connection, "search_results")


def _search(
    context: RunContext,
    lanes: Sequence[Lane],
    provider: str,
    priorities: Sequence[str],
    progress: Progress,
) -> DispatchReport:
    asked = connect_provider(context.settings, provider)
    dispatcher = Dispatcher(
        context.stores.ledger,
        context.stores.calls(context.clock, SEARCH, provider=provider),
        asking_of(context.settings, SEARCH, asked),
        SearchProgress(progress),
        run=share_of(context.run),
        batch_size=1,
        set_aside=partial(spill, context.settings.spilled_dir),
    )

    async def ask() -> None:
        try:
            for priority, _attempt in product(priorities, SEARCH_ATTEMPTS):
                candidates = _candidates(context, lanes, provider, priority)
                if candidates and not dispatcher.is_over:
                    await dispatcher.run([candidates])
                    _take_over(context, lanes, provider)
        finally:
            await asked.close()

    run_in_a_thread(ask, dispatcher.stop)
    return dispatcher.report


def _take_over(context: RunContext, lanes: Sequence[Lane], provider: str) -> None:
    """Copy what was answered, and put those who were found on the work list by their UID."""
    with context.stores.open_warehouse() as connection:
        take_over_searches(connection, context.stores.ledger)
        with transaction(connection):
            resolve_worklist(
                connection,
                context.policy,
                lanes,
                provider=provider,
                as_of=context.run.as_of,
            )


def _candidates(
    context: RunContext, lanes: Sequence[Lane], provider: str, priority: str
) -> list[Candidate]:
    limit = context.settings.limits(provider).searches_per_day
    with context.stores.open_warehouse() as connection:
        due = due_searches(connection, lanes, priority, limit)
    return [search_candidate_of(each) for each in due]
