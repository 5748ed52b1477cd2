"""What entries come to, by the same SQL as in a run, over them and whomever they concern.

Here: a resident DuckDB in memory, into which a batch of entries is loaded with the contacts that
the last run knew beside them and the ledger's answers about them, as a run would; what each comes
to, and the calls that are due. Not here: the rules (`warehouse/sql/`), making calls (`buying.py`),
and when a batch is judged (`service.py`). The working warehouse file is never opened.

Over one contact the statements take as long as over fifty: entries that come at once are judged at
once.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

import duckdb
import pyarrow as pa

from enrichment_pipeline.candidates import candidate_of, search_candidate_of
from enrichment_pipeline.clock import Clock
from enrichment_pipeline.entry.enrichment import Enrichment, enrichment_of
from enrichment_pipeline.hashed_identifiers import hashed_all
from enrichment_pipeline.lanes import FRESHNESS, PRIORITIES, LaneBlock
from enrichment_pipeline.ledger import entries, kept, suppressions
from enrichment_pipeline.ledger.admission import Candidate
from enrichment_pipeline.ledger.entries import Entry
from enrichment_pipeline.ledger.store import LedgerStore
from enrichment_pipeline.settings import Settings
from enrichment_pipeline.vocabulary import LOOKUP, SEARCH
from enrichment_pipeline.warehouse import judging, raw_answers, searches
from enrichment_pipeline.warehouse.connection import create_macros, transaction
from enrichment_pipeline.warehouse.entered_contacts import (
    add_entries,
    entered_table,
    given_rows,
    read_entry_answers,
    replace_entries,
)
from enrichment_pipeline.warehouse.known_contacts import (
    attach_known,
    knows_checks,
    knows_erased_answers,
    newest_known,
)
from enrichment_pipeline.warehouse.load import find_persons, load_eligibility, read_parts
from enrichment_pipeline.warehouse.migrations import migrate
from enrichment_pipeline.warehouse.profile_changes import merge_profile_changes
from enrichment_pipeline.warehouse.statements import execute, registered
from enrichment_pipeline.warehouse.states import derive_contact_states
from enrichment_pipeline.warehouse.suppressed_identifiers import replace_suppressions
from enrichment_pipeline.warehouse.worklist import (
    BEFORE_THE_FIRST,
    PAGE_ROWS,
    list_due,
    read_page,
)

MOST_AT_ONCE = 50
"""How many entries are judged at once, at most: those that come meanwhile wait for them."""
MOST_BESIDE = 500
"""How many entries with the same identifiers are loaded with them, at most: a switchboard's phone
may be that of thousands. A few tell that several share it, and calls tell whose it is else."""
_LANES = LaneBlock(FRESHNESS, PRIORITIES).lanes
_IDENTIFIERS = {"email": "email", "linkedin_url": "linkedin", "phone": "phone"}
"""The columns that can tell a person, each with the kind of its identifier."""


@dataclass(frozen=True)
class DueCall:
    """A call that is due, and of which kind: a look-up, or a search for the profile to look up."""

    kind: str
    candidate: Candidate

    @property
    def asks(self) -> tuple[str, ...]:
        """What tells it from the calls before and after it: it is asked anew where they failed."""
        return (self.kind, self.candidate.question, self.candidate.item, self.candidate.supersedes)


@dataclass(frozen=True)
class Verdict:
    """What an entry has come to.

    `enrichment` is None where it is due and nothing is known of it. `call` is what is to be asked
    for its person. `identifiers`, hashed, are what it is known by.
    """

    entry: Entry
    person_key: str | None
    identifiers: frozenset[str]
    enrichment: Enrichment | None
    call: DueCall | None


class Judge:
    """Judges batches of entries, one after the other. Close it in the end."""

    def __init__(self, settings: Settings, store: LedgerStore, clock: Clock) -> None:
        self._settings = settings
        self._policy = settings.policy
        self._store = store
        self._clock = clock
        self.known: Path | None = None
        self._open()

    def _open(self) -> None:
        """An empty warehouse in memory."""
        self._connection = duckdb.connect(":memory:")
        self._connection.execute("set timezone = 'UTC'")
        self._connection.execute("set enable_progress_bar = false")
        self._connection.execute("set threads = 1")  # sharing out so little work costs more
        create_macros(self._connection)
        with transaction(self._connection):
            migrate(self._connection)
        self._tables = [
            f"{schema}.{table}"
            for schema, table in execute(self._connection, "list_stored_tables").fetchall()
        ]
        self._attach_known(None)

    def _attach_known(self, snapshot: Path | None) -> None:
        self._known_as_of = attach_known(self._connection, snapshot)
        self._knows_checks = knows_checks(self._connection)
        self._knows_erased = knows_erased_answers(self._connection)
        self.known = snapshot

    def close(self) -> None:
        self._connection.close()

    def judge(self, batch: Sequence[Entry]) -> list[Verdict]:
        """What each of these entries has come to.

        Whatever goes wrong with a batch, the next one finds an empty warehouse: after some errors
        DuckDB takes no statement any more.
        """
        try:
            newest = newest_known(self._settings.known_dir)
            if newest != self.known:
                self._attach_known(newest)
            self._load(batch)
            verdicts = self._decide(batch)
            for table in self._tables:
                self._connection.execute(f"delete from {table}")  # noqa: S608 - of our own
            self._connection.execute("checkpoint")  # else the deleted rows stay in memory
        except Exception:
            self._connection.close()
            self._open()
            raise
        return verdicts

    def _load(self, batch: Sequence[Entry]) -> None:
        """Find out who they are, and take over what has been answered about these persons."""
        connection, now = self._connection, self._clock.business_now()
        ids = {entry.contact_id for entry in batch}
        written = _written_identifiers(batch)
        sharing = entries.sharing(self._store, written, limit=MOST_BESIDE)
        loaded = [*batch, *(other for other in sharing if other.contact_id not in ids)]
        sourced = execute(
            connection, "find_sourced_contacts", ids=[entry.contact_id for entry in loaded]
        ).to_arrow_table()
        with registered(connection, "shaped_contacts", sourced):
            execute(connection, "read_contacts")
        relation = add_entries(connection, entered_table([loaded]))
        execute(connection, "load_contacts", loaded_at=now, relation=relation)
        replace_entries(connection)
        execute(connection, "take_accounts")
        read_parts(connection, phone_region=self._policy.identity.phone_region)
        self._take_neighbours("dirty_identifiers", now)
        find_persons(connection, loaded_at=now, with_entries=True)
        self._take_calls()
        if self._column("select 1 from raw.searches limit 1"):
            self._take_whom_searches_found(now)
        load_eligibility(
            connection,
            self._policy.source,
            self._policy.eligibility,
            self._settings.source,
            given_rows(connection),
        )
        execute(connection, "create_hashed_identifiers")
        identifiers = self._column("select distinct identifier from hashed_identifiers")
        with self._store.read() as ledger:
            suppressed = suppressions.suppressed_among(ledger, identifiers)
        replace_suppressions(connection, suppressed)

    def _take_calls(self) -> None:
        """Take over the look-ups of these persons with their answers, and what was told since.

        Their searches come along.
        """
        connection = self._connection
        persons = [row[0] for row in execute(connection, "list_persons").fetchall()]
        if lookups := kept.lookups_about(self._store, persons):
            raw_answers.merge_lookups(connection, [lookups])
            raw_answers.insert_responses(connection, partial(kept.reply_bodies, self._store))
        if told := kept.changes_about(self._store, persons):
            merge_profile_changes(connection, [told])
        if found := kept.searches_about(self._store, persons):
            searches.merge_searches(connection, [found])
            searches.insert_missing_profiles(connection, partial(kept.page_bodies, self._store))

    def _take_whom_searches_found(self, now: datetime) -> None:
        """A profile that a search has found may be a known person's: then they are one."""
        connection = self._connection
        searches.score_searches(connection, self._policy.search)
        execute(connection, "find_found_identifiers")
        if self._column("select 1 from found_identifiers limit 1"):
            self._take_neighbours("found_identifiers", now)
            self._take_calls()
            searches.score_searches(connection, self._policy.search)
            searches.join_found_persons(connection)

    def _take_neighbours(self, relation: str, now: datetime) -> None:
        """Take over who has these identifiers, by the last run or by calls since then."""
        execute(self._connection, "take_neighbours", relation=relation)
        self._own_called_identifiers(relation, now)

    def _own_called_identifiers(self, relation: str, now: datetime) -> None:
        """What the ledger alone knows of who is who: of calls that were made since the last run."""
        aliases = "select hashed_alias(alias), alias from query_table(?) where kind <> 'name'"
        by_hash = dict(self._connection.execute(aliases, [relation]).fetchall())
        persons = entries.persons_of(self._store, by_hash)
        if not persons:
            return
        called = pa.table(
            {
                "alias": pa.array([by_hash[each] for each in persons], pa.string()),
                "person_key": pa.array(list(persons.values()), pa.string()),
            }
        )
        with registered(self._connection, "called_persons", called):
            execute(self._connection, "own_called_identifiers", added_at=now)

    def _decide(self, batch: Sequence[Entry]) -> list[Verdict]:
        connection, now = self._connection, self._clock.business_now()
        waterfall = self._settings.waterfall
        first = waterfall[0]
        has_answers = bool(self._column("select 1 from raw.provider_responses limit 1"))
        if self._knows_checks:
            execute(connection, "take_stops")
        if self._knows_erased:
            execute(connection, "take_erased_judgements")
        if has_answers:
            with transaction(connection):
                judging.derive_facts(connection, self._policy, loaded_at=now)
        if self._knows_checks:
            execute(connection, "take_checks")
            judging.apply_checks(connection, self._policy)
        derive_contact_states(connection, self._policy, waterfall, now, turn=first)
        list_due(connection, _LANES, waterfall, first, run_id="")
        # all of them: those beside the batch may be many, and go before it
        page, _ = read_page(connection, _LANES, first.provider, BEFORE_THE_FIRST, PAGE_ROWS)
        calls = {
            item.person_key: DueCall(LOOKUP, candidate_of(item, seen_revision=self._known_as_of))
            for item in page
        }
        for priority in searches.priorities_to_search(connection, _LANES):
            for due in searches.due_searches(connection, _LANES, priority, PAGE_ROWS):
                calls[due.person_key] = DueCall(SEARCH, search_candidate_of(due))
        persons = dict(
            connection.execute(
                "select contact_id, person_key from staging.contact_persons"
            ).fetchall()
        )
        told: dict[str, Enrichment] = {}
        if has_answers or any(persons.get(each.contact_id) not in calls for each in batch):
            if len(waterfall) > 1:  # what each is after all of them, not with the first
                derive_contact_states(connection, self._policy, waterfall, now)
            judging.judge_states(connection, self._policy, as_of=now, flagged_at=now)
            for answered in read_entry_answers(connection, "staging.entered_contacts"):
                told |= {each.contact_id: enrichment_of(each) for each in answered}
        identifiers = self._identifiers()
        return [
            Verdict(
                entry,
                persons.get(entry.contact_id),
                identifiers.get(entry.contact_id, frozenset()),
                told.get(entry.contact_id),
                calls.get(persons.get(entry.contact_id, "")),
            )
            for entry in batch
        ]

    def _identifiers(self) -> dict[str, frozenset[str]]:
        rows = execute(self._connection, "list_identifiers").fetchall()
        return {contact_id: frozenset(identifiers) for contact_id, identifiers in rows}

    def _column(self, query: str, *values: str) -> list[str]:
        return [row[0] for row in self._connection.execute(query, values).fetchall()]


def _written_identifiers(batch: Sequence[Entry]) -> frozenset[str]:
    """What they go by, as far as that can be read off what was written."""
    contents = [json.loads(entry.content) for entry in batch]
    return hashed_all(
        (kind, content[column])
        for content in contents
        for column, kind in _IDENTIFIERS.items()
        if column in content
    )
