"""The step `derive_outcomes`: the tables that people read, together in one transaction.

Here: the transaction, marking what it took from the ledger as applied, having erased what is too
old to be kept, settling entries, and the step's figures. Not here: the rules (`warehouse/sql/`),
and how an entry is settled (`settle_entries.py`).
"""

from dataclasses import dataclass, replace

import duckdb

from enrichment_pipeline.errors import redact_unexpected_errors
from enrichment_pipeline.ledger import kept
from enrichment_pipeline.ledger.erasure import erase_bodies
from enrichment_pipeline.steps.context import RunContext
from enrichment_pipeline.steps.settle_entries import (
    NO_ENTRIES,
    SettledEntries,
    find_unsettled,
    settle_entries,
)
from enrichment_pipeline.warehouse import findings, judging, raw_answers
from enrichment_pipeline.warehouse.connection import transaction
from enrichment_pipeline.warehouse.counts import review_counts, status_counts
from enrichment_pipeline.warehouse.figures import (
    AgeBand,
    Coverage,
    WaitingReview,
    WeekDebt,
    read_ages,
    read_coverage,
    read_debt,
)
from enrichment_pipeline.warehouse.retention import erase_expired_answers, expiries
from enrichment_pipeline.warehouse.searches import last_search_revision
from enrichment_pipeline.warehouse.table_figures import TableFigures, read_table_figures


@dataclass(frozen=True)
class OutcomeFindings:
    """Rows that should not be: see the functions of the same names in `findings.py`."""

    unaccounted_contacts: list[tuple[str, str]]
    disagreeing_flags: int
    unproven_values: list[tuple[str, str]]
    expired_answers: list[tuple[str, str]]
    unread_reviews: list[WaitingReview]


@dataclass(frozen=True)
class DerivedOutcomes:
    """The tables that people read, by what they hold, and what is wrong with them.

    `company_cache_hits` contacts have company fields from an answer on a colleague.
    """

    enriched_contacts: TableFigures
    needs_review: TableFigures
    contact_status: TableFigures
    company_cache_hits: int
    ages: list[AgeBand]
    reasons: dict[str, int]
    statuses: dict[str, int]
    coverage: list[Coverage]
    debt: list[WeekDebt]
    findings: OutcomeFindings
    entries: SettledEntries = NO_ENTRIES


@redact_unexpected_errors
def derive_outcomes(context: RunContext) -> DerivedOutcomes:
    """Bring the outcome tables up to date; then the ledger's answers are applied.

    What may not be kept any longer is erased in both.

    Last, what applications entered is settled by what the tables say of it.
    """
    with context.stores.open_warehouse() as connection:
        with transaction(connection):
            company_cache_hits = _derive(connection, context)
            if erase_expired_answers(connection, context.policy, context.run.as_of):
                company_cache_hits = _derive(connection, context)  # what was erased is no evidence
        copied_up_to = raw_answers.last_revision(connection)
        # look-ups were copied after searches: up to here nothing is missing of either
        known_up_to = max(copied_up_to, last_search_revision(connection))
        unsettled = find_unsettled(connection, context)
        derived = _read_figures(connection, context, company_cache_hits)
    kept.mark_applied(context.stores.ledger, copied_up_to)
    for provider, before in expiries(context.policy, context.run.as_of):
        erase_bodies(context.stores.ledger, provider, before, copied_up_to=known_up_to)
    entries = settle_entries(context, unsettled, as_of_revision=known_up_to)
    return replace(derived, entries=entries)


def _derive(connection: duckdb.DuckDBPyConnection, context: RunContext) -> int:
    return judging.derive_outcomes(
        connection,
        context.policy,
        waterfall=context.settings.waterfall,
        as_of=context.run.as_of,
        flagged_at=context.now,
    )


def _read_figures(
    connection: duckdb.DuckDBPyConnection, context: RunContext, company_cache_hits: int
) -> DerivedOutcomes:
    as_of, max_age_days = context.run.as_of, context.policy.freshness.max_age_days
    return DerivedOutcomes(
        enriched_contacts=read_table_figures(connection, "enriched_contacts"),
        needs_review=read_table_figures(connection, "needs_review"),
        contact_status=read_table_figures(connection, "contact_status"),
        company_cache_hits=company_cache_hits,
        ages=read_ages(connection, as_of, max_age_days),
        reasons=review_counts(connection),
        statuses={name: count.contacts for name, count in status_counts(connection).items()},
        coverage=read_coverage(connection),
        debt=read_debt(connection, as_of),
        findings=OutcomeFindings(
            unaccounted_contacts=findings.find_unaccounted_contacts(connection),
            disagreeing_flags=findings.count_disagreeing_flags(connection),
            unproven_values=findings.find_unproven_values(connection),
            expired_answers=findings.find_expired_answers(
                connection, context.policy.freshness, as_of
            ),
            unread_reviews=findings.find_unread_reviews(connection, as_of),
        ),
    )
