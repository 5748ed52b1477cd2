"""Upsert files for a CRM's import: what has changed since the last one to the same place.

Here: the columns under the names that each CRM's import expects, and what a place was given. Not
here: arguments (`cli/export_command.py`), and sinks, which are databases (`warehouse/sinks/`).

What was given to a place is kept beside the state. An import cannot delete: a value that is not
shown any more is told by its status, `withdrawn`.
"""

import hashlib
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import BinaryIO

import duckdb
import pyarrow.csv as pa_csv

from enrichment_pipeline.errors import redact_unexpected_errors
from enrichment_pipeline.privacy import owner_only
from enrichment_pipeline.warehouse.publish import copy_to_parquet, open_published
from enrichment_pipeline.warehouse.statements import execute, quoted
from enrichment_pipeline.whole_files import write_whole

COLUMNS: Mapping[str, Mapping[str, str]] = {
    # standard fields of a contact by their API names; what ends in __c are fields of one's own
    "salesforce": {
        "Email": "email",
        "Email_Status__c": "email_status",
        "Phone": "phone",
        "Phone_Status__c": "phone_status",
        "MobilePhone": "mobile_phone",
        "MobilePhone_Status__c": "mobile_phone_status",
        "Title": "job_title",
        "Employer__c": "company_name",
        "LinkedIn_URL__c": "linkedin_url",
        "Job_Changed__c": "job_changed",
        "Enriched_On__c": "enriched_on",
    },
    # properties by their internal names; statuses, job_changed and enriched_on are one's own
    "hubspot": {
        "email": "email",
        "email_status": "email_status",
        "phone": "phone",
        "phone_status": "phone_status",
        "mobilephone": "mobile_phone",
        "mobilephone_status": "mobile_phone_status",
        "jobtitle": "job_title",
        "company": "company_name",
        "hs_linkedin_url": "linkedin_url",
        "job_changed": "job_changed",
        "enriched_on": "enriched_on",
    },
}
"""By CRM: its name for each column of `create_crm_rows.sql`, beside that of the id."""
ID_FIELDS: Mapping[str, str] = {"salesforce": "Contact_ID__c", "hubspot": "contact_id"}
"""The external id, a field of one's own that is unique, where the user names none."""
_BATCH_ROWS = 100_000


@redact_unexpected_errors
def export_changes(
    published: Path,
    given: Path,
    place: Path,
    file: Path,
    *,
    crm: str,
    id_field: str,
    statuses: Sequence[str],
    exports_all: bool = False,
    overwrites: bool = False,
) -> int:
    """Write the rows that `place` was not given yet to `file`; how many. No file for none.

    `given` is the folder in which it is kept what each place was given. Raises PipelineError where
    nothing is published, and ConfigurationError where the file cannot be written.
    """
    kept = given / f"{hashlib.sha256(f'{crm} {place}'.encode()).hexdigest()[:32]}.parquet"
    with open_published(published) as connection:
        execute(connection, "create_crm_rows", statuses=list(statuses))
        if not kept.exists():
            _keep(connection, "(select * from crm_rows limit 0)", kept)
        execute(connection, "read_exported_rows", file=str(kept))
        execute(connection, "compare_exported_rows")
        which = "" if exports_all else " where is_new"
        rows = connection.execute(f"select count(*) from next_rows{which}").fetchall()[0][0]
        if rows == 0:
            return 0
        named = {id_field: "contact_id", **COLUMNS[crm]}
        shown = ", ".join(f"{column} as {quoted(name)}" for name, column in named.items())
        write = partial(
            _write_csv, connection=connection, query=f"select {shown} from next_rows{which}"
        )
        write_whole(file, write, overwrites=overwrites)
        # after the file: rows that are given twice do no harm
        _keep(connection, "(select * exclude (is_new) from next_rows)", kept)
    return rows


def _keep(connection: duckdb.DuckDBPyConnection, rows: str, kept: Path) -> None:
    """Have these rows pass for what the place was given."""
    with owner_only():
        kept.parent.mkdir(parents=True, exist_ok=True)
        draft = kept.with_name(f".{kept.name}.draft")
        copy_to_parquet(connection, rows, str(draft))
        draft.replace(kept)


def _write_csv(file: BinaryIO, connection: duckdb.DuckDBPyConnection, query: str) -> None:
    batches = connection.execute(query).to_arrow_reader(_BATCH_ROWS)
    with pa_csv.CSVWriter(file, batches.schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
