"""Databases of other kinds as a source: SQLite, Postgres and DuckLake."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import psycopg
import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from enrichment_pipeline.attachment import Attachment, Database, read_attachment
from enrichment_pipeline.errors import ConfigurationError
from enrichment_pipeline.policy import SourcePolicy
from enrichment_pipeline.warehouse import extensions
from enrichment_pipeline.warehouse.attached_source import attached_source
from enrichment_pipeline.warehouse.connection import transaction
from enrichment_pipeline.warehouse.load import load_accounts, load_contacts
from enrichment_pipeline.warehouse.object_storage import reach_storage
from enrichment_pipeline_tests import databases
from enrichment_pipeline_tests.storage import ObjectStorage, running_storage
from enrichment_pipeline_tests.support import START

KEY = "[source] attach"


def load(connection: duckdb.DuckDBPyConnection, source: Attachment, contacts: str) -> None:
    policy = SourcePolicy(contacts=contacts)
    with transaction(connection):
        load_accounts(connection, policy, source, loaded_at=START)
        load_contacts(connection, policy, source, phone_region="", loaded_at=START)


def loaded(connection: duckdb.DuckDBPyConnection) -> list[tuple[object, ...]]:
    query = "select contact_id, email, created_at from staging.contacts order by contact_id"
    return connection.execute(query).fetchall()


# --- SQLite ----------------------------------------------------------------------------


@pytest.fixture
def sqlite(tmp_path: Path) -> Path:
    path = tmp_path / "crm.db"
    with sqlite3.connect(path) as connection:
        connection.execute("create table contacts (contact_id integer, email text, created_at)")
        connection.execute("insert into contacts values (7, 'a@one.com', null), ('C8', 5, null)")
    connection.close()
    return path


def test_a_sqlite_file_is_a_source_whatever_its_columns_hold(
    warehouse: duckdb.DuckDBPyConnection, sqlite: Path
) -> None:
    load(warehouse, sqlite, "select * from contacts")
    assert loaded(warehouse) == [("7", "a@one.com", None), ("C8", "5", None)]


@pytest.mark.parametrize("function", ["sqlite_scan", "SQLITE_SCAN", "sqlite_attach"])
def test_no_other_sqlite_file_is_read(
    warehouse: duckdb.DuckDBPyConnection, sqlite: Path, tmp_path: Path, function: str
) -> None:
    query = f"select * from {function}('{tmp_path / 'other.db'}', 'contacts')"
    with pytest.raises(ConfigurationError, match=r"the function sqlite_\w+ is not allowed"):
        load(warehouse, sqlite, query)


def test_a_sqlite_file_is_only_ever_read(sqlite: Path) -> None:
    with attached_source(sqlite) as reading, pytest.raises(duckdb.InvalidInputException):
        reading.execute("delete from contacts")


# --- Postgres --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def postgres(postgres_server: sa.URL) -> str:
    """The address of a database with a schema `crm`."""
    url = sa.make_url(databases.new_postgres(postgres_server))
    address = url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("create schema crm")
        connection.execute(
            "create table crm.contacts (contact_id int, email text, created_at timestamptz)"
        )
        connection.execute(
            "insert into crm.contacts values (7, 'a@one.com', '2026-01-01 12:00+02')"
        )
        connection.execute(
            "create view crm.people as select n as contact_id from generate_series(1, 200000) n"
        )
        connection.execute("create table crm.accounts (account_id uuid)")
        connection.execute("insert into crm.accounts values (gen_random_uuid())")
    return address


def reached(address: str) -> Database:
    database = read_attachment(address, Path("/"), {}, key=KEY)
    assert isinstance(database, Database)
    return database


def test_a_postgres_database_is_a_source(
    warehouse: duckdb.DuckDBPyConnection, postgres: str
) -> None:
    load(warehouse, reached(postgres), "select * from crm.contacts")
    [(contact_id, email, created_at)] = loaded(warehouse)
    assert (contact_id, email) == ("7", "a@one.com")
    assert str(created_at).startswith("2026-01-01 10:00")
    assert warehouse.execute("select count(*) from staging.accounts").fetchall() == [(1,)]


def test_many_rows_come_over_several_connections(postgres: str) -> None:
    with attached_source(reached(postgres)) as reading:
        assert reading.execute("select count(*) from crm.people").fetchall() == [(200_000,)]


@pytest.mark.parametrize(
    "statement",
    [
        "delete from crm.contacts",
        "call postgres_execute('enrichment_source', 'drop table crm.contacts')",
        "attach 'dbname=postgres' as other (type postgres)",
        "from read_csv('/etc/passwd')",
    ],
)
def test_a_postgres_database_is_only_ever_read_and_nothing_besides(
    postgres: str, statement: str
) -> None:
    with attached_source(reached(postgres)) as reading, pytest.raises(duckdb.Error):
        reading.execute(statement)


def test_a_table_that_is_missing_is_told_with_those_that_are_there(
    warehouse: duckdb.DuckDBPyConnection, postgres: str
) -> None:
    words = r"\[source\] contacts: .*leads.*; there are crm.accounts, crm.contacts, crm.people$"
    with pytest.raises(ConfigurationError, match=words):
        load(warehouse, reached(postgres), "select * from crm.leads")


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("postgres://joe:geheim@127.0.0.1:1/crm", "postgres://joe:…@127.0.0.1:1/crm: cannot be"),
        ("postgres:host=127.0.0.1 port=1 password='ge heim'", "Connection refused"),
        ("postgres:host=127.0.0.1 port=1 geheim", "its address cannot be understood"),
        ("postgres:host=127.0.0.1 geheim=5", "its address cannot be understood"),
        ("postgres://127.0.0.1:geheim/crm", "its address cannot be understood"),
    ],
)
def test_a_database_that_is_not_reached_is_told_without_its_password(
    address: str, words: str
) -> None:
    with pytest.raises(ConfigurationError) as caught, attached_source(reached(address)):
        pass
    told = str(caught.value)
    assert words in told
    assert "\n" not in told
    assert "heim" not in told.replace(reached(address).label, "")


def test_functions_of_the_extension_are_refused(
    warehouse: duckdb.DuckDBPyConnection, postgres: str
) -> None:
    query = "select * from postgres_query('enrichment_source', 'select 1')"
    with pytest.raises(ConfigurationError, match="the function postgres_query is not allowed"):
        load(warehouse, reached(postgres), query)


# --- DuckLake --------------------------------------------------------------------------


def lake_at(address: str, **environment: str) -> Attachment:
    return read_attachment(f"ducklake:{address}", Path("/"), environment, key=KEY)


@contextmanager
def opened_lake(
    catalogue: str, data_path: str, storage: ObjectStorage | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckLake to write to, as the catalogue in use."""
    with duckdb.connect() as connection:
        if storage is not None:
            reach_storage(connection, storage.attached(data_path).access, data_path)
        for extension in ("ducklake", "postgres_scanner"):
            extensions.load_extension(connection, extension, extra="test")
        connection.execute(f"attach 'ducklake:{catalogue}' as lake (data_path '{data_path}')")
        connection.execute("use lake")
        yield connection


def fill_lake(lake: duckdb.DuckDBPyConnection) -> None:
    """A few rows stay in the catalogue, many become a file, and what is deleted another one."""
    lake.execute("create schema crm")
    lake.execute(
        "create table crm.contacts as select n::text as contact_id, n || '@one.com' as email, "
        "timestamptz '2026-01-01 12:00:00+02' as created_at from range(1000) as numbers (n)"
    )
    lake.execute("delete from crm.contacts where contact_id::integer >= 990")
    lake.execute("create table crm.accounts as select 'A1' as account_id")


@pytest.fixture
def lake(tmp_path: Path) -> Attachment:
    (tmp_path / "secret.csv").write_text("contact_id\nstolen\n")
    with opened_lake(f"{tmp_path}/crm.ducklake", f"{tmp_path}/files/") as connection:
        fill_lake(connection)
        connection.execute(f"create view crm.others as from read_csv('{tmp_path}/secret.csv')")
    return lake_at(f"{tmp_path}/crm.ducklake")


def test_a_ducklake_is_a_source(warehouse: duckdb.DuckDBPyConnection, lake: Attachment) -> None:
    load(warehouse, lake, "select * from crm.contacts")
    contacts = loaded(warehouse)
    assert (len(contacts), contacts[7][:2]) == (990, ("104", "104@one.com"))
    assert warehouse.execute("select count(*) from staging.accounts").fetchall() == [(1,)]


def test_a_ducklake_with_its_catalogue_in_postgres_and_its_files_in_s3_is_a_source(
    warehouse: duckdb.DuckDBPyConnection, postgres_server: sa.URL
) -> None:
    url = sa.make_url(databases.new_postgres(postgres_server)).set(drivername="postgresql")
    catalogue = f"postgres:{url.render_as_string(hide_password=False)}"
    with running_storage() as storage:
        bucket = storage.make_bucket("lake")
        source = lake_at(catalogue, **storage.environment)
        with opened_lake(catalogue, f"{bucket}/files/", storage) as connection:
            fill_lake(connection)
        storage.put(f"{bucket}/files/secret.csv", "contact_id\nstolen\n")
        load(warehouse, source, "select * from crm.contacts")
        assert len(loaded(warehouse)) == 990
        with attached_source(source) as reading, pytest.raises(duckdb.PermissionException):
            reading.execute(f"from read_csv('{bucket}/files/secret.csv')")


@pytest.mark.parametrize(
    "statement",
    [
        "delete from crm.contacts",
        "from crm.others",
        "from read_csv('/etc/passwd')",
        "attach '/etc/hosts' as other",
        "call ducklake_expire_snapshots('enrichment_source', older_than => now())",
    ],
)
def test_a_ducklake_is_only_ever_read_and_nothing_besides(lake: Attachment, statement: str) -> None:
    with attached_source(lake) as reading, pytest.raises(duckdb.Error):
        reading.execute(statement)


def test_functions_that_change_a_ducklake_are_refused(
    warehouse: duckdb.DuckDBPyConnection, lake: Attachment
) -> None:
    query = "select path as contact_id from ducklake_cleanup_old_files('enrichment_source')"
    with pytest.raises(ConfigurationError, match="the function ducklake_cleanup_old_files is not"):
        load(warehouse, lake, query)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("missing.ducklake", "missing.ducklake: no such file or folder"),
        ("plain.duckdb", r"cannot be read \(there is no DuckLake in it\)"),
    ],
)
def test_a_catalogue_that_is_none_is_told(tmp_path: Path, name: str, words: str) -> None:
    duckdb.connect(str(tmp_path / "plain.duckdb")).close()
    source = lake_at(f"{tmp_path}/{name}")
    with pytest.raises(ConfigurationError, match=words), attached_source(source):
        pass


# --- extensions ------------------------------------------------------------------------


def test_an_extension_that_is_not_installed_is_told_with_the_extra_that_brings_it() -> None:
    with duckdb.connect() as connection, pytest.raises(ConfigurationError) as caught:
        extensions.load_extension(connection, "cobol_scanner", extra="cobol")
    assert "DuckDB's extension cobol_scanner is not installed" in str(caught.value)
    assert "`uv sync --extra cobol`" in str(caught.value)


def test_an_extension_of_another_version_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extensions.duckdb, "__version__", "9.9.9")
    with duckdb.connect() as connection, pytest.raises(ConfigurationError, match=r"9\.9\.9"):
        extensions.load_extension(connection, "sqlite_scanner", extra="sqlite")


def test_a_database_shows_no_address() -> None:
    assert "geheim" not in repr(Database("postgres", SecretStr("password=geheim"), "postgres:…"))
