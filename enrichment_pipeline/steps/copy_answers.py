"""The step `copy_answers`: what the ledger keeps of calls, copied into the warehouse.

Here: which calls and answers are new to the warehouse, and the step's figures. Not here: the tables
(`warehouse/raw_answers.py`, `searches.py`, `verifications.py`, `profile_changes.py`), and reading
answers into facts.
"""

from dataclasses import dataclass
from functools import partial

import duckdb

from enrichment_pipeline.errors import redact_unexpected_errors
from enrichment_pipeline.ledger import kept
from enrichment_pipeline.ledger.store import LedgerStore
from enrichment_pipeline.providers.registry import PROVIDERS
from enrichment_pipeline.steps.context import RunContext
from enrichment_pipeline.terms import credits_per_unit
from enrichment_pipeline.vocabulary import VERIFICATION
from enrichment_pipeline.warehouse import raw_answers
from enrichment_pipeline.warehouse.connection import transaction
from enrichment_pipeline.warehouse.figures import DaySpend, read_spend
from enrichment_pipeline.warehouse.findings import RunComparison, compare_match_rate
from enrichment_pipeline.warehouse.price_list import replace_providers
from enrichment_pipeline.warehouse.profile_changes import (
    last_change_revision,
    merge_profile_changes,
    read_moved_profiles,
)
from enrichment_pipeline.warehouse.searches import (
    insert_missing_profiles,
    last_search_revision,
    merge_searches,
)
from enrichment_pipeline.warehouse.table_figures import TableFigures, read_table_figures
from enrichment_pipeline.warehouse.verifications import (
    keep_answers,
    last_verification_revision,
    merge_verifications,
)


@dataclass(frozen=True)
class CopiedAnswers:
    """How many answers were new, the table since, the last days' spend, and how many matched.

    `match_rate` is None where nothing was answered yet.
    """

    new: int
    table: TableFigures
    spend: list[DaySpend]
    match_rate: RunComparison | None


@redact_unexpected_errors
def copy_answers(context: RunContext) -> CopiedAnswers:
    """Copy look-ups and raw answers from the ledger into `raw`, and list who is asked now."""
    with context.stores.open_warehouse() as connection:
        new = take_over_answers(connection, context.stores.ledger)
        with transaction(connection):
            replace_providers(connection, context.policy, context.settings.waterfall)
        return CopiedAnswers(
            new,
            read_table_figures(connection, "provider_responses"),
            read_spend(connection, context.now),
            compare_match_rate(connection),
        )


def take_over_answers(connection: duckdb.DuckDBPyConnection, ledger: LedgerStore) -> int:
    """Copy look-ups and verifications with their raw answers; how many of look-ups were new.

    What providers told of changes comes along.
    """
    take_over_lookups(connection, ledger)
    take_over_verifications(connection, ledger)
    take_over_changes(connection, ledger)
    return raw_answers.insert_responses(connection, partial(kept.reply_bodies, ledger))


def take_over_lookups(connection: duckdb.DuckDBPyConnection, ledger: LedgerStore) -> None:
    """Copy look-ups, without their answers."""
    since = raw_answers.last_revision(connection)
    raw_answers.merge_lookups(connection, kept.changed_lookups(ledger, since))


def take_over_verifications(connection: duckdb.DuckDBPyConnection, ledger: LedgerStore) -> None:
    """Copy verifications, with their raw answers."""
    since = last_verification_revision(connection)
    verifying = [name for name, facts in PROVIDERS.items() if VERIFICATION in facts.calls]
    credits = {name: credits_per_unit(name)[VERIFICATION] for name in verifying}
    merge_verifications(connection, kept.changed_verifications(ledger, since), credits)
    keep_answers(connection, partial(kept.reply_bodies, ledger))


def take_over_changes(connection: duckdb.DuckDBPyConnection, ledger: LedgerStore) -> None:
    """Copy what providers told of profiles that have changed."""
    since = last_change_revision(connection)
    merge_profile_changes(connection, kept.changed_profiles(ledger, since))
    read_moved_profiles(connection, partial(kept.reply_bodies, ledger))


def take_over_searches(connection: duckdb.DuckDBPyConnection, ledger: LedgerStore) -> None:
    """Copy searches, with the profiles that they found."""
    since = last_search_revision(connection)
    merge_searches(connection, kept.changed_searches(ledger, since))
    insert_missing_profiles(connection, partial(kept.page_bodies, ledger))
