"""Snowflake as a source: its own SQL, its rows as Arrow, and its errors without values.

The server is fakesnow's, which needs another DuckDB than ours: it runs in a virtual environment of
its own, which is made for the test.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from enrichment_pipeline.attachment import Database, read_attachment
from enrichment_pipeline.errors import ConfigurationError
from enrichment_pipeline.policy import EligibilityPolicy, SourcePolicy
from enrichment_pipeline.warehouse.attached_source import attached_source
from enrichment_pipeline.warehouse.connection import transaction
from enrichment_pipeline.warehouse.load import LoadCounts, load_accounts, load_contacts
from enrichment_pipeline.warehouse.snowflake import connected, fault_of, is_one_select
from enrichment_pipeline_tests.support import START

KEY = "[source] attach"
PACKAGES = ("fakesnow[server]==0.11.16", "snowflake-connector-python<4.1")
START_SECONDS = 300


@pytest.mark.parametrize(
    ("query", "is_one"),
    [
        ("select 1", True),
        ("-- all\n/* of\nthem */ (SELECT 1)", True),
        ("with a as (select 1) select * from a", True),
        ("delete from crm.contacts", False),
        ("call drop_everything()", False),
        ("-- select\nupdate contacts set email = null", False),
        ("", False),
    ],
)
def test_only_a_query_that_reads_is_sent(query: str, is_one: bool) -> None:
    assert is_one_select(query) == is_one


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            "INTERNAL: [Snowflake] 000904: invalid identifier 'NOPE'\nline 1. SQLSTATE: 42000",
            "INTERNAL: [Snowflake] 000904: invalid identifier 'NOPE'",
        ),
        (
            "INTERNAL: [Snowflake] 100038: Numeric value 'Ada' is not recognized. SQLSTATE: 22018",
            "Snowflake's error 100038 at a value that is not shown",
        ),
        ("something with geheim in it", "an error at a value that is not shown"),
    ],
)
def test_an_error_tells_names_and_no_value(error: str, told: str) -> None:
    assert fault_of(Exception(error)) == told


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


def uv() -> str:
    beside = Path(sys.executable).parent / "uv"
    found = str(beside) if beside.exists() else shutil.which("uv")
    if found is None:
        pytest.skip("uv is not installed, which makes the virtual environment of fakesnow")
    return found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Snowflake with a database `db` and 300 contacts in its schema `crm`."""
    folder = tmp_path_factory.mktemp("fakesnow")
    python = folder / "bin" / "python"
    making = (
        ["venv", "--quiet", "--allow-existing", "--python", sys.executable, str(folder)],
        ["pip", "install", "--quiet", "--python", str(python), *PACKAGES],
    )
    for arguments in making:
        made = subprocess.run([uv(), *arguments], capture_output=True, text=True)
        if made.returncode:
            pytest.skip(f"fakesnow cannot be installed here: {made.stderr.strip()[-300:]}")
    port = free_port()
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [folder / "bin" / "fakesnow", "-s", "-p", str(port)], stdout=log, stderr=log
        )
        try:
            wait_for(port, process)
            address = f"snowflake:joe:geheim@127.0.0.1:{port}/db/crm?account=fake&protocol=http"
            fill(reached(address))
            yield address
        finally:
            process.terminate()
            process.wait()


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, "fakesnow has ended"
        with socket.socket() as trying:
            if trying.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    raise AssertionError("fakesnow does not listen")


def reached(address: str) -> Database:
    found = read_attachment(address, Path("/"), {}, key=KEY)
    assert isinstance(found, Database)
    return found


def fill(source: Database) -> None:
    statements = (
        "create database if not exists db",
        "create schema if not exists db.crm",
        "create table db.crm.contacts (contact_id int, email text, updated_at timestamp_ntz)",
        """
        insert into db.crm.contacts
        select seq4(), seq4() || '@one.com', '2026-03-01 10:00:00'::timestamp_ntz
        from table(generator(rowcount => 300))
        """,
        "create table db.crm.accounts (account_id text, tier text)",
        "insert into db.crm.accounts values ('A1', 'target')",
    )
    with connected(source, KEY) as session:
        for statement in statements:
            session.rows(statement).read_all()


def load(warehouse: duckdb.DuckDBPyConnection, address: str, **changes: object) -> LoadCounts:
    hours = warehouse.execute("select count(*) from staging.source_watermark").fetchall()[0][0]
    at = START + timedelta(hours=hours)
    policy = SourcePolicy.model_validate(changes)
    with transaction(warehouse):
        load_accounts(warehouse, policy, reached(address), loaded_at=at)
        return load_contacts(
            warehouse,
            policy,
            reached(address),
            phone_region="",
            loaded_at=at,
            eligibility=EligibilityPolicy(where="contact.contact_id <> 7"),
        )


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_snowflake_is_a_source_of_contacts_and_of_newer_ones(
    warehouse: duckdb.DuckDBPyConnection, server: str
) -> None:
    counts = load(warehouse, server, incremental="updated_at")
    assert (counts.present, counts.not_eligible, counts.read) == (300, 1, None)
    [row] = warehouse.execute(
        "select contact_id, email, updated_at::varchar from staging.contacts where contact_id = '8'"
    ).fetchall()
    assert row == ("8", "8@one.com", "2026-03-01 10:00:00+00")
    assert warehouse.execute("select tier from staging.accounts").fetchall() == [("target",)]

    with connected(reached(server), KEY) as session:
        session.rows(
            "update db.crm.contacts set email = 'new@one.com', "
            "updated_at = '2026-03-02 08:00:00'::timestamp_ntz where contact_id = 8"
        ).read_all()
        session.rows("update db.crm.contacts set updated_at = null where contact_id = 9").read_all()
    newest = "select * from crm.contacts where contact_id < 400"
    assert load(warehouse, server, incremental="updated_at", contacts=newest).read is None
    again = load(warehouse, server, incremental="updated_at", contacts=newest)
    assert (again.present, again.read, again.changed) == (300, 2, 0)


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("select * from crm.leads", "LEADS.*; there are CRM.ACCOUNTS, CRM.CONTACTS"),
        ("select nope, contact_id from crm.contacts", "NOPE"),
        ("drop table crm.contacts", "must be one select statement"),
        ("select email from crm.contacts", "the required column contact_id is missing; it gives"),
        ("select email::int as contact_id from crm.contacts", "at a value that is not shown"),
    ],
)
def test_a_mistake_is_told_in_a_line_without_a_value(
    warehouse: duckdb.DuckDBPyConnection, server: str, query: str, words: str
) -> None:
    with pytest.raises(ConfigurationError, match=words) as caught:
        load(warehouse, server, contacts=query)
    assert "\n" not in str(caught.value)
    assert "@one.com" not in str(caught.value)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_no_file_of_this_machine_is_read_beside_it(server: str) -> None:
    with attached_source(reached(server)) as reading, pytest.raises(duckdb.PermissionException):
        reading.execute("from read_csv('/etc/passwd')")


def test_a_snowflake_that_is_not_reached_is_told_without_its_password() -> None:
    address = "snowflake:joe:geheim@127.0.0.1:1/db/crm?account=fake&protocol=http&loginTimeout=1"
    with pytest.raises(ConfigurationError) as caught, attached_source(reached(address)):
        pass
    assert "source snowflake:joe:…@127.0.0.1:1/db/crm" in str(caught.value)
    assert "geheim" not in str(caught.value)
    assert "\n" not in str(caught.value)
