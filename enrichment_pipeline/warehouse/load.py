"""Loading the source into staging, and finding out who is who.

Here: the order of the steps from source rows to person keys. Not here: reading
the source (`attached_source.py`) and normalising values (`normalise.py`).
"""

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import duckdb

from enrichment_pipeline.errors import PipelineError
from enrichment_pipeline.policy import EligibilityPolicy, SourcePolicy
from enrichment_pipeline.warehouse.attached_source import (
    attached_source,
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

MAX_SPREADING_STEPS = 100
LEAST_GONE = 20
"""A source may lose fewer contacts than this, whatever share of it they are."""
EVERYBODY = EligibilityPolicy()


@dataclass(frozen=True)
class LoadCounts:
    """Rows of a staging table after a load: present, new or changed by it, gone by it.

    `unread` names the source's columns that nothing reads, `unknown_tiers` what accounts
    have for a tier that no priority is named after, the most frequent first. `not_eligible`
    counts the contacts that [eligibility] does not let anybody ask about.
    """

    present: int
    changed: int
    left: int
    unread: tuple[str, ...] = ()
    unknown_tiers: tuple[str, ...] = ()
    not_eligible: int = 0


def load_contacts(
    connection: duckdb.DuckDBPyConnection,
    source: SourcePolicy,
    path: Path,
    *,
    phone_region: str,
    loaded_at: datetime,
    eligibility: EligibilityPolicy = EVERYBODY,
    accepts_shrink: bool = False,
) -> LoadCounts:
    """Bring `staging.contacts`, the person keys and who may be asked about to the source's state.

    Raises ConfigurationError for whatever is wrong with the source, and PipelineError where it
    has lost many contacts all of a sudden and the run does not accept that. Call it in a
    transaction.
    """
    with attached_source(path, warehouse=connection) as reading:
        unread = read_contacts(reading, connection, source)
    if not accepts_shrink:
        refuse_sudden_shrink(connection, source.max_shrink)
    counts = _load(connection, "load_contacts", "count_loaded_contacts", loaded_at, unread)
    resolve_persons(connection, phone_region=phone_region, loaded_at=loaded_at)
    return replace(counts, not_eligible=_load_eligibility(connection, source, eligibility, path))


def load_accounts(
    connection: duckdb.DuckDBPyConnection,
    source: SourcePolicy,
    path: Path,
    *,
    loaded_at: datetime,
) -> LoadCounts:
    """Bring `staging.accounts` to what the source has now. Call it in a transaction."""
    with attached_source(path, warehouse=connection) as reading:
        unread = read_accounts(reading, connection, source)
    counts = _load(connection, "load_accounts", "count_loaded_accounts", loaded_at, unread)
    unknown = execute(connection, "find_unknown_tiers").fetchall()
    return replace(counts, unknown_tiers=tuple(tier for (tier,) in unknown))


def resolve_persons(
    connection: duckdb.DuckDBPyConnection, *, phone_region: str, loaded_at: datetime
) -> None:
    """Give every new or changed contact its normalised parts and its person key.

    What a load leaves as it was costs no more than being looked through: only
    contacts whose identity may have changed are put together anew.
    """
    execute(connection, "create_identities")
    execute(connection, "find_changed_parts", phone_region=phone_region)
    learn_hosts(connection, "find_new_hosts")
    execute(connection, "find_changed_domains")
    learn_phones(connection, "find_new_phones", phone_region)
    learn_company_names(connection, "find_new_contact_companies")
    execute(connection, "merge_contact_parts", phone_region=phone_region)
    execute(connection, "refresh_shared_identifiers")
    execute(connection, "select_identities")
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


def _load_eligibility(
    connection: duckdb.DuckDBPyConnection,
    source: SourcePolicy,
    eligibility: EligibilityPolicy,
    path: Path,
) -> int:
    """Find out which of the contacts that were just loaded may not be asked about; how many.

    A contact that the source has lost or gained in between is not asked about.
    """
    if eligibility == EVERYBODY:
        connection.execute("delete from staging.ineligible_contacts")
        return 0
    with attached_source(path, warehouse=connection) as reading:
        read_eligible(reading, connection, source, eligibility)
    execute(connection, "replace_ineligible_contacts")
    query = "select count(*) from staging.ineligible_contacts"
    return connection.execute(query).fetchall()[0][0]


def _load(
    connection: duckdb.DuckDBPyConnection,
    load: str,
    count: str,
    loaded_at: datetime,
    unread: tuple[str, ...],
) -> LoadCounts:
    changed = execute(connection, load, loaded_at=loaded_at).fetchall()[0][0]
    present, left = execute(connection, count, loaded_at=loaded_at).fetchall()[0]
    return LoadCounts(present=present, changed=changed, left=left, unread=unread)
