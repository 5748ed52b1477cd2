"""What applying a million raw answers takes, against the least that it could take.

Measures: from raw answers to facts and tables (a warehouse that holds the contacts and the
answers, and nothing that was derived), as a multiple of bare JSON extraction of the same
fields and one MERGE of as many rows, in the same process and file. DuckDB may use 4 GB, and
fails where that does not do.
"""

from __future__ import annotations

import json
import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path

import duckdb

from benchmarks.common import profile, resident_mb, verdict
from enrichment_pipeline.policy import Policy
from enrichment_pipeline.providers.registry import FIRST, PROVIDERS
from enrichment_pipeline.vocabulary import LOOKUP
from enrichment_pipeline.warehouse.connection import open_warehouse, transaction
from enrichment_pipeline.warehouse.judging import derive_facts, derive_outcomes
from enrichment_pipeline.waterfall import Turn

MEMORY_LIMIT = "4GB"
ANSWERED_AT = datetime(2026, 6, 1, tzinfo=UTC)
NUMBER = 987_654_321
WATERFALL = (Turn(FIRST, PROVIDERS[FIRST].calls[LOOKUP].identities),)
"""Stands in the template for the number of a person."""

CONTACTS = """
insert into staging.contacts (
    contact_id, full_name, email, company_name, company_domain, row_hash, loaded_at
)
select
    'contact-' || n, 'Person ' || chr((97 + n % 26)::int) || ' Number',
    'person' || n || '@example.org',
    'Company ' || n % 500, 'company' || n % 500 || '.com', md5(n::varchar), $at
from range($number) as numbers (n)
"""
PARTS = """
insert into staging.contact_parts (
    contact_id, row_hash, phone_region_default, name_key, email, email_domain, company_domain,
    company_key, name_company, has_any_identifier
)
select
    contact_id, row_hash, '', name_key(full_name), email, 'example.org', company_domain,
    lower(company_name), company_domain, true
from staging.contacts
"""
PERSONS = """
insert into staging.contact_persons (contact_id, person_key, assigned_at)
select contact_id, md5(contact_id), loaded_at from staging.contacts
"""
LOOKUPS = """
insert into raw.lookups (
    lookup_id, provider, person_key, supersedes, contact_id, item, item_kind, freshness, priority,
    run_id, state, outcome, credits_charged, requested_at, answered_at, revision
)
select
    printf('lookup-%08d', n), 'signalhire', md5('contact-' || n), '', 'contact-' || n,
    'person' || n || '@example.org', 'email', 'new', 'bulk', 'run-1', 'answered', 'matched', 1,
    $at + to_milliseconds(n), $at + to_milliseconds(n), n + 1
from range($number) as numbers (n)
"""
RESPONSES = """
insert into raw.provider_responses (
    lookup_id, provider, person_key, item, outcome, answer, answered_at, run_id
)
select
    printf('lookup-%08d', n), 'signalhire', md5('contact-' || n), 'person' || n || '@example.org',
    'matched',
    replace(replace(replace(replace(replace(
        $template,
        '<uid>', printf('%032x', n)), '<name>', 'Person ' || chr((97 + n % 26)::int) || ' Number'),
        '<company>', (n % 500)::varchar), '<phone>', (5550000 + n % 10000)::varchar),
        '<n>', n::varchar
    ),
    $at + to_milliseconds(n), 'run-1'
from range($number) as numbers (n)
"""
EXTRACTION = """
create or replace temp table extracted as
with profiles as (
    select
        lookup_id,
        from_json(answer, '{"candidate": {
            "uid": "VARCHAR", "fullName": "VARCHAR", "locations": [{"name": "VARCHAR"}],
            "contacts": [{
                "type": "VARCHAR", "value": "VARCHAR", "rating": "VARCHAR", "subType": "VARCHAR"
            }],
            "social": [{"type": "VARCHAR", "link": "VARCHAR"}],
            "experience": [{
                "position": "VARCHAR", "company": "VARCHAR", "current": "BOOLEAN",
                "started": "VARCHAR", "website": "VARCHAR", "companySize": "VARCHAR",
                "staffCount": "VARCHAR", "industry": "VARCHAR"
            }]
        }}').candidate as candidate
    from raw.provider_responses
)

select
    lookup_id,
    candidate.uid,
    candidate.fullName,
    candidate.locations[1].name as location,
    candidate.social[1].link as link,
    candidate.experience[1].position as job_title,
    candidate.experience[1].company as company,
    candidate.experience[1].website as website,
    candidate.experience[1].industry as industry,
    candidate.experience[1].staffCount as employees,
    unnest(candidate.contacts)
from profiles
"""
"""One row for each e-mail and phone, with the profile's other fields beside: bare, and flat."""
FACTS = "create or replace temp table facts as select * from enrichment.person_facts"
"""Before the clock starts: what is merged is stored, so that the bound is one of merging only."""
COPY = "create or replace table raw.merged as select * from facts where false"
MERGE = """
merge into raw.merged as known
using (
    select * from facts
    union all by name
    select contact_id, 'enriched_contacts' as field, full_name as value, lookup_id
    from enrichment.enriched_contacts
    union all by name
    select contact_id, 'contact_status' as field, status as value from enrichment.contact_status
) as fresh
on known.contact_id = fresh.contact_id
    and known.lookup_id = fresh.lookup_id
    and known.field = fresh.field
    and known.value = fresh.value
when matched then update set status = fresh.status
when not matched then insert
"""


@dataclass(frozen=True)
class Taken:
    """What something took: seconds on the clock, and of processors."""

    wall: float
    cpu: float

    def __add__(self, other: Taken) -> Taken:
        return Taken(self.wall + other.wall, self.cpu + other.cpu)

    def __str__(self) -> str:
        return f"{self.wall:.1f} s (CPU {self.cpu:.1f} s)"


@dataclass(frozen=True)
class Figures:
    facts: int
    rows: int
    deriving: Taken
    judging: Taken
    extraction: Taken
    merge: Taken
    peak_mb: float


def main(answers: int = 1_000_000) -> bool:
    spawn = multiprocessing.get_context("spawn")
    receiver, sender = spawn.Pipe(duplex=False)
    process = spawn.Process(target=measure, args=(answers, sender))
    process.start()
    sender.close()
    try:
        found: Figures = receiver.recv()
    except EOFError:
        print("  MISS the measuring process ended without a result")
        return False
    finally:
        process.join()
    print(f"  {answers:,} answers: {found.facts:,} facts in {found.deriving}")
    print(f"  {found.rows:,} rows of the tables in {found.judging}")
    merged = found.facts + found.rows
    print(f"  bound: extraction {found.extraction}, merge of {merged:,} rows {found.merge}")
    print(f"  {found.peak_mb:,.0f} MB at the peak of the process; {MEMORY_LIMIT} for DuckDB")
    ours, bound = found.deriving + found.judging, found.extraction + found.merge
    print(f"  by the clock {ours.wall / bound.wall:.2f} times the bound")
    return verdict("CPU time as a multiple of the bound's", ours.cpu / bound.cpu, "<=", 2.5)


def measure(answers: int, sender: Connection) -> None:
    with tempfile.TemporaryDirectory(prefix="enrichment-bench-") as folder:
        path = str(Path(folder) / "warehouse.duckdb")
        with opened(path) as connection:
            fill(connection, answers)
        with opened(path) as connection:
            deriving = taken(lambda: apply(connection))
        with opened(path) as connection:
            judging = taken(lambda: judge(connection))
        with opened(path) as connection:
            facts = count(connection, "person_facts")
            rows = sum(
                count(connection, table) for table in ("enriched_contacts", "contact_status")
            )
            extraction = taken(lambda: connection.execute(EXTRACTION))
            connection.execute(FACTS)
            connection.execute(COPY)
            merge = taken(lambda: connection.execute(MERGE))
        peak_mb = resident_mb("VmHWM")
        sender.send(Figures(facts, rows, deriving, judging, extraction, merge, peak_mb))


def apply(connection: duckdb.DuckDBPyConnection) -> None:
    with transaction(connection):
        derive_facts(connection, Policy(), loaded_at=ANSWERED_AT)


def judge(connection: duckdb.DuckDBPyConnection) -> None:
    with transaction(connection):
        derive_outcomes(
            connection, Policy(), waterfall=WATERFALL, as_of=ANSWERED_AT, flagged_at=ANSWERED_AT
        )


def taken(doing: Callable[[], object]) -> Taken:
    wall, cpu = time.perf_counter(), time.process_time()
    doing()
    return Taken(time.perf_counter() - wall, time.process_time() - cpu)


@contextmanager
def opened(path: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """The warehouse, held to the limit; opened anew for each part, as each step of a run does."""
    with open_warehouse(path) as connection:
        connection.execute(f"set memory_limit = '{MEMORY_LIMIT}'")
        yield connection


def fill(connection: duckdb.DuckDBPyConnection, answers: int) -> None:
    candidate = json.dumps({"item": "x", "status": "success", "candidate": profile(NUMBER)})
    bound = {"number": answers, "at": ANSWERED_AT}
    for statement in (CONTACTS, LOOKUPS):
        connection.execute(statement, bound)
    connection.execute(PARTS)
    connection.execute(PERSONS)
    stand_ins = {
        f"{NUMBER:032x}": "<uid>",
        f"Person {NUMBER}": "<name>",
        f"company{NUMBER % 500}.example": "company<company>.com",
        f"Company {NUMBER % 500}": "Company <company>",
        f"{5550000 + NUMBER % 10_000}": "<phone>",
        str(NUMBER): "<n>",
    }
    for given, stand_in in stand_ins.items():
        candidate = candidate.replace(given, stand_in)
    connection.execute(RESPONSES, {**bound, "template": candidate})


def count(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    return connection.execute(f"select count(*) from enrichment.{table}").fetchall()[0][0]
