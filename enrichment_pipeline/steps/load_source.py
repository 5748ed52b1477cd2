"""The steps `load_accounts` and `load_contacts`: what the source has now, and who is who.

Here: their order of work and their figures. What applications entered is loaded with the source's
contacts. Not here: loading (`warehouse/load.py`) and reading the source
(`warehouse/attached_source.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import duckdb

from enrichment_pipeline.errors import ConfigurationError, redact_unexpected_errors
from enrichment_pipeline.ledger.entries import note_person, standing
from enrichment_pipeline.ledger.store import LedgerStore, Transaction
from enrichment_pipeline.ledger.suppressions import BY_SOURCE
from enrichment_pipeline.run import Run
from enrichment_pipeline.settings import Settings
from enrichment_pipeline.steps.context import RunContext
from enrichment_pipeline.steps.copy_answers import take_over_lookups
from enrichment_pipeline.warehouse import load
from enrichment_pipeline.warehouse.attached_source import SHOWN_CHARACTERS, read_suppressions
from enrichment_pipeline.warehouse.connection import transaction
from enrichment_pipeline.warehouse.entered_contacts import entered_table, unnoted_persons
from enrichment_pipeline.warehouse.feedback import load_feedback
from enrichment_pipeline.warehouse.findings import find_repeated_ids
from enrichment_pipeline.warehouse.load import LoadCounts
from enrichment_pipeline.warehouse.statements import execute
from enrichment_pipeline.warehouse.suppressed_identifiers import hash_identifiers
from enrichment_pipeline.warehouse.table_figures import TableFigures, read_table_figures

NOTED_AT_ONCE = 500


@dataclass(frozen=True)
class LoadedAccounts:
    """What loading the accounts changed, and the table since."""

    counts: LoadCounts
    table: TableFigures


@dataclass(frozen=True)
class LoadedContacts:
    """What loading the contacts changed, and the table since.

    `identified` contacts could be told apart, as `persons` people; `repeated_ids` are the ids that
    stand in the source more than once, with the number of their rows.
    """

    counts: LoadCounts
    table: TableFigures
    persons: int
    identified: int
    repeated_ids: list[tuple[str, int]]


@redact_unexpected_errors
def load_accounts(context: RunContext) -> LoadedAccounts:
    """Load the source's accounts."""
    with context.stores.open_warehouse() as connection:
        with transaction(connection):
            counts = load.load_accounts(
                connection,
                context.policy.source,
                context.settings.source,
                loaded_at=context.now,
            )
        return LoadedAccounts(counts, read_table_figures(connection, "accounts"))


@redact_unexpected_errors
def load_contacts(context: RunContext) -> LoadedContacts:
    """Load the source's contacts, what applications entered, suppressions, and feedback on mail."""
    ledger = context.stores.ledger
    entered = entered_table(standing(ledger))
    with context.stores.open_warehouse() as connection:
        if entered.num_rows:
            # what was bought for an entry tells who it is
            take_over_lookups(connection, ledger)
        with transaction(connection):
            counts = load.load_contacts(
                connection,
                context.policy.source,
                context.settings.source,
                phone_region=context.policy.identity.phone_region,
                loaded_at=context.now,
                eligibility=context.policy.eligibility,
                accepts_shrink=context.run.accepts_shrink,
                entered=entered,
            )
            refuse_unknown_contacts(connection, context.run)
            suppressed = suppressed_by_source(connection, context.settings)
            complaints = load_feedback(connection, context.policy.feedback, context.settings.source)
        note_persons(ledger, unnoted_persons(connection))
        persons, identified = execute(connection, "count_persons").fetchall()[0]
        table = read_table_figures(connection, "contacts")
        repeated_ids = find_repeated_ids(connection)
    suppressions = context.stores.suppressions(context.clock)
    suppressions.take_over(suppressed, BY_SOURCE)
    suppressions.add_complaints(complaints)
    return LoadedContacts(counts, table, persons, identified, repeated_ids)


def refuse_unknown_contacts(connection: duckdb.DuckDBPyConnection, run: Run) -> None:
    """Raise ConfigurationError where a run is to be about a contact that is not there."""
    chosen = list(run.contacts or ())
    unknown = execute(connection, "find_unknown_contacts", contacts=chosen).fetchall()
    if unknown:
        first = unknown[0][0][:SHOWN_CHARACTERS]
        others = f" and {len(unknown) - 1} more" if len(unknown) > 1 else ""
        raise ConfigurationError(
            f"--contact {first}{others}: no such contact; ids are the source's contact_id"
        )


def note_persons(ledger: LedgerStore, persons: Sequence[tuple[str, int, str]]) -> None:
    """Note the persons of entries, by version: what is bought for a person is bought for them."""

    def note(transaction: Transaction, page: Sequence[tuple[str, int, str]]) -> None:
        for contact_id, version, person_key in page:
            note_person(transaction, contact_id, version, person_key)

    for start in range(0, len(persons), NOTED_AT_ONCE):
        ledger.transact(partial(note, page=persons[start : start + NOTED_AT_ONCE]))


def suppressed_by_source(
    connection: duckdb.DuckDBPyConnection, settings: Settings
) -> frozenset[str]:
    """The hashed identifiers of the persons that the source says never to ask about."""
    policy = settings.policy
    return hash_identifiers(
        connection,
        read_suppressions(connection, policy.source, settings.source),
        "[source] suppressions: rows",
        phone_region=policy.identity.phone_region,
    )
