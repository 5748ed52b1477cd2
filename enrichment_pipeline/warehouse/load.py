"""Loading the source into staging, with what applications entered, and finding out who is who.

Here: the order of the steps from source rows to person keys. Not here: reading the source
(`attached_source.py`), what becomes of entries (`entered_contacts.py`), and normalising values
(`normalise.py`).
"""

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow as pa

from enrichment_pipeline.attachment import Attachment
from enrichment_pipeline.errors import PipelineError
from enrichment_pipeline.policy import EligibilityPolicy, SourcePolicy
from enrichment_pipeline.warehouse import entered_contacts
from enrichment_pipeline.warehouse.attached_source import (
    attached_source,
    find_mark,
    read_accounts,
    read_contacts,
    read_eligible,
)
from enrichment_pipeline.warehouse.derived import refresh_contacts
from enrichment_pipeline.warehouse.normalise import (
    learn_company_names,
    learn_hosts,
    learn_phones,
)
from enrichment_pipeline.warehouse.statements import execute
from enrichment_pipeline.warehouse.watermark import begin_increment, keep_increment

MAX_SPREADING_STEPS = 100
MAX_RETIRING_STEPS = 10
LEAST_GONE = 20
"""A source may lose fewer contacts than this, whatever share of it they are."""
EVERYBODY = EligibilityPolicy()


@dataclass(frozen=True)
class LoadCounts:
    """Rows of a staging table after a load: present, new or changed by it, gone by it.

    `unread` names the source's columns that nothing reads, `unknown_tiers` what accounts
    have for a tier that no priority is named after, the most frequent first. `not_eligible`
    counts the contacts that [eligibility] does not let anybody ask about, `entered` what
    applications entered, of which `retired` stand under the source's contact of the same person.
    `read` is how many rows were read where only newer ones were; None where all were compared.
    """

    present: int
    changed: int
    left: int
    unread: tuple[str, ...] = ()
    unknown_tiers: tuple[str, ...] = ()
    not_eligible: int = 0
    entered: int = 0
    retired: int = 0
    read: int | None = None


def load_contacts(
    connection: duckdb.DuckDBPyConnection,
    source: SourcePolicy,
    attachment: Attachment,
    *,
    phone_region: str,
    loaded_at: datetime,
    eligibility: EligibilityPolicy = EVERYBODY,
    accepts_shrink: bool = False,
    entered: pa.Table | None = None,
) -> LoadCounts:
    """Bring `staging.contacts`, the person keys and who may be asked about to the source's state.

    `entered` is what applications entered (`entered_contacts.entered_table`), which is loaded like
    a second source. Raises ConfigurationError for whatever is wrong with the source, and
    PipelineError where it has lost many contacts all of a sudden and the run does not accept that.
    Call it in a transaction.
    """
    unread, read = _read_contacts(
        connection, source, attachment, loaded_at=loaded_at, reads_all=accepts_shrink
    )
    if not accepts_shrink:
        refuse_sudden_shrink(connection, source.max_shrink)
    relation = "incoming_contacts"
    if with_entries := entered_contacts.are_any(connection, entered):
        relation = entered_contacts.add_entries(connection, entered)
    changed = _load(connection, "load_contacts", loaded_at, relation=relation)
    if with_entries:
        entered_contacts.replace_entries(connection)
    resolve_persons(
        connection, phone_region=phone_region, loaded_at=loaded_at, with_entries=with_entries
    )
    for _step in range(MAX_RETIRING_STEPS if with_entries else 0):
        if not entered_contacts.retire_entries(connection, loaded_at):
            break
        # without them a person may be known by more, or by less
        resolve_persons(connection, phone_region=phone_region, loaded_at=loaded_at)
    counts = _counted(connection, "count_loaded_contacts", loaded_at, changed, unread)
    given = entered_contacts.given_rows(connection) if with_entries else None
    counts = replace(
        counts,
        not_eligible=load_eligibility(connection, source, eligibility, attachment, given),
        read=read,
    )
    return replace(counts, **entered_contacts.count_entries(connection)) if with_entries else counts


def _read_contacts(
    connection: duckdb.DuckDBPyConnection,
    source: SourcePolicy,
    attachment: Attachment,
    *,
    loaded_at: datetime,
    reads_all: bool,
) -> tuple[tuple[str, ...], int | None]:
    """Make `incoming_contacts` of what the source has now.

    Gives the columns that nothing reads, and how many rows were read where not all were.
    """
    with attached_source(attachment, warehouse=connection) as reading:
        if source.incremental is None:
            return read_contacts(reading, connection, source), None
        increment = begin_increment(
            connection,
            find_mark(reading, source, source.incremental),
            place=str(attachment),
            query=source.contacts,
            loaded_at=loaded_at,
            reads_all=reads_all,
            is_far=not isinstance(attachment, Path),
        )
        unread = read_contacts(reading, connection, source, increment)
    keep_increment(connection, increment, loaded_at)
    if increment.reads_all:
        return unread, None
    execute(connection, "complete_incoming_contacts")
    return unread, increment.rows


def load_accounts(
    connection: duckdb.DuckDBPyConnection,
    source: SourcePolicy,
    attachment: Attachment,
    *,
    loaded_at: datetime,
) -> LoadCounts:
    """Bring `staging.accounts` to what the source has now. Call it in a transaction."""
    with attached_source(attachment, warehouse=connection) as reading:
        unread = read_accounts(reading, connection, source)
    changed = _load(connection, "load_accounts", loaded_at)
    counts = _counted(connection, "count_loaded_accounts", loaded_at, changed, unread)
    unknown = execute(connection, "find_unknown_tiers").fetchall()
    return replace(counts, unknown_tiers=tuple(tier for (tier,) in unknown))


def resolve_persons(
    connection: duckdb.DuckDBPyConnection,
    *,
    phone_region: str,
    loaded_at: datetime,
    with_entries: bool = False,
) -> None:
    """Give every new or changed contact its normalised parts and its person key.

    What a load leaves as it was costs no more than being looked through: only
    contacts whose identity may have changed are put together anew.
    """
    read_parts(connection, phone_region=phone_region)
    find_persons(connection, loaded_at=loaded_at, with_entries=with_entries)


def read_parts(connection: duckdb.DuckDBPyConnection, *, phone_region: str) -> None:
    """Give every new or changed contact its normalised parts."""
    execute(connection, "create_identities")
    execute(connection, "find_changed_parts", phone_region=phone_region)
    learn_hosts(connection, "find_new_hosts")
    execute(connection, "find_changed_domains")
    learn_phones(connection, "find_new_phones", phone_region)
    learn_company_names(connection, "find_new_contact_companies")
    execute(connection, "merge_contact_parts", phone_region=phone_region)


def find_persons(
    connection: duckdb.DuckDBPyConnection, *, loaded_at: datetime, with_entries: bool = False
) -> None:
    """Find out who the contacts are whose parts were read, and those that this concerns.

    With entries among them: each is the person that the point of entry took it for.
    """
    execute(connection, "refresh_shared_identifiers")
    execute(connection, "select_identities")
    if with_entries:
        entered_contacts.place_entries(connection, loaded_at)
    execute(connection, "start_person_labels", loaded_at=loaded_at)
    for _step in range(MAX_SPREADING_STEPS):
        row = execute(connection, "spread_person_labels").fetchone()
        if row is None or row[0] == 0:
            break
    execute(connection, "assign_persons", loaded_at=loaded_at)
    refresh_contacts(connection, "contacts_to_resolve")


def refuse_sudden_shrink(connection: duckdb.DuckDBPyConnection, max_shrink: float) -> None:
    """A half-empty source would take contacts out of every table: rather stop and ask."""
    incoming, known, gone = execute(connection, "count_incoming_contacts").fetchall()[0]
    is_empty = known and not incoming
    if is_empty or (gone >= LEAST_GONE and gone > max_shrink * known):
        lack = f"has lost {gone:,} of the {known:,} contacts that it gave before"
        if is_empty:
            lack = f"gives no contacts at all, but gave {known:,} before"
        raise PipelineError(
            f"the source {lack} ([source] max_shrink = {max_shrink:g}); no contact was changed, "
            "and nothing was bought or published. "
            "Check the source; if they are really gone, `enrichment run --accept-shrink` goes on"
        )


def load_eligibility(
    connection: duckdb.DuckDBPyConnection,
    source: SourcePolicy,
    eligibility: EligibilityPolicy,
    attachment: Attachment,
    entered: pa.Table | None,
) -> int:
    """Find out which of the contacts that were just loaded may not be asked about; how many.

    A contact that the source has lost or gained in between is not asked about.
    """
    if eligibility == EVERYBODY:
        connection.execute("delete from staging.ineligible_contacts")
        return 0
    with attached_source(attachment, warehouse=connection) as reading:
        read_eligible(reading, connection, source, eligibility, entered)
    execute(connection, "replace_ineligible_contacts")
    query = "select count(*) from staging.ineligible_contacts"
    return connection.execute(query).fetchall()[0][0]


def _load(
    connection: duckdb.DuckDBPyConnection, load: str, loaded_at: datetime, **values: str
) -> int:
    """Bring a staging table up to date; how many rows were new or had changed."""
    return execute(connection, load, loaded_at=loaded_at, **values).fetchall()[0][0]


def _counted(
    connection: duckdb.DuckDBPyConnection,
    count: str,
    loaded_at: datetime,
    changed: int,
    unread: tuple[str, ...],
) -> LoadCounts:
    present, left = execute(connection, count, loaded_at=loaded_at).fetchall()[0]
    return LoadCounts(present=present, changed=changed, left=left, unread=unread)
