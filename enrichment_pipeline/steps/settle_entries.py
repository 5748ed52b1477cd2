"""What a run does once outcomes are derived: settle the entries that they tell of.

Here: finding entries whose answer in the ledger is not what the tables say, keeping the new answer
there, and owing the notifications of those that it decides. Not here: reading answers off the
tables (`warehouse/sql/entry/read_entry_answers.sql`), and sending notifications (`entry/`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache, partial

import duckdb

from enrichment_pipeline.entry.enrichment import Enrichment, as_answer, enrichment_of
from enrichment_pipeline.entry.owing import owe
from enrichment_pipeline.ledger import entries
from enrichment_pipeline.ledger.entries import Entry, Settled
from enrichment_pipeline.ledger.store import Transaction
from enrichment_pipeline.steps.context import RunContext
from enrichment_pipeline.vocabulary import LOOKUP, SEARCH
from enrichment_pipeline.warehouse.entered_contacts import EntryAnswer, are_any, read_entry_answers

SETTLED_AT_ONCE = 500


@dataclass(frozen=True)
class SettledEntries:
    """How many entries got a new answer, how many are open, and which are overdue."""

    settled: int
    open: int
    overdue: tuple[str, ...]


NO_ENTRIES = SettledEntries(0, 0, ())


@dataclass(frozen=True)
class Unsettled:
    """An entry with the answer that it is to have, which is another than the ledger has."""

    entry: Entry
    enrichment: Enrichment


def find_unsettled(connection: duckdb.DuckDBPyConnection, context: RunContext) -> list[Unsettled]:
    """The entries of which the tables say something else than the ledger."""
    if not are_any(connection):
        return []

    @cache
    def is_used_up(kind: str, priority: str) -> bool:
        return context.stores.questions(context.clock, kind).is_used_up(priority)

    found: list[Unsettled] = []
    for page in read_entry_answers(connection, "staging.entered_contacts"):
        told = {answer.contact_id: answer for answer in page}
        for entry in entries.standing_among(context.stores.ledger, told):
            answer = told[entry.contact_id]
            enrichment = _enrichment(answer, context.now, is_used_up)
            is_news = (as_answer(enrichment), enrichment.is_decided) != (
                entry.answer,
                entry.is_decided,
            )
            if is_news and answer.version == entry.version:
                found.append(Unsettled(entry, enrichment))
    return found


def settle_entries(
    context: RunContext, unsettled: Sequence[Unsettled], *, as_of_revision: int
) -> SettledEntries:
    """Keep these answers, as of a revision of the ledger; then see what is still open."""
    ledger, now = context.stores.ledger, context.clock.now()
    due_at = now + timedelta(minutes=context.policy.entry.deadline_minutes)
    settled = 0
    for start in range(0, len(unsettled), SETTLED_AT_ONCE):
        page = unsettled[start : start + SETTLED_AT_ONCE]
        settled += ledger.transact(
            partial(_settle, page=page, as_of_revision=as_of_revision, now=now, due_at=due_at)
        )
    still_open = entries.count_open(ledger)
    overdue = entries.overdue(ledger, now) if still_open else ()
    return SettledEntries(settled, still_open, tuple(overdue))


def _settle(
    transaction: Transaction,
    page: Sequence[Unsettled],
    as_of_revision: int,
    now: datetime,
    due_at: datetime,
) -> int:
    """Settle some of them, but not where a call about the person has come since; how many."""
    persons = {each.entry.person_key for each in page if each.entry.person_key is not None}
    changed = entries.persons_changed(transaction.connection, persons, as_of_revision)
    settled = [each for each in page if each.entry.person_key not in changed]
    for each in settled:
        entry, enrichment = each.entry, each.enrichment
        if entry.is_decided and not enrichment.is_decided:
            # it is to be asked about again: late is what stays so for as long as a new one may
            entries.reopen(transaction, entry.contact_id, due_at)
        urls = entries.settle(
            transaction,
            Settled(
                entry.contact_id,
                entry.version,
                as_answer(enrichment),
                enrichment.is_decided,
                enrichment.next_lookup_at,
            ),
            as_of_revision=as_of_revision,
            now=now,
        )
        if urls:
            charged = entries.credits_for(transaction.connection, entry.contact_id)
            owe(transaction, enrichment.model_copy(update={"credits": charged}), urls, now)
    return len(settled)


def _enrichment(
    told: EntryAnswer, now: datetime, is_used_up: Callable[[str, str], bool]
) -> Enrichment:
    """What the tables tell of an entry, and where it waits for the budget or a quota, that."""
    kind = SEARCH if told.is_to_be_searched else LOOKUP
    due_at = told.next_lookup_at
    waits = told.status == "queued" and told.reason is None and due_at is not None
    reason = (
        "budget" if waits and due_at <= now and is_used_up(kind, told.priority) else told.reason
    )
    return enrichment_of(replace(told, reason=reason))
