"""The user's source: attaching it read-only and reading contacts and accounts from it.

Here: what the `[source]` section of the policy leads to, and every mistake that
can be made in it. Not here: what becomes of the rows (`load.py`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from enrichment_pipeline.errors import ConfigurationError
from enrichment_pipeline.policy import SourcePolicy
from enrichment_pipeline.warehouse.connection import first_line, is_locked
from enrichment_pipeline.warehouse.statements import execute

ALIAS = "enrichment_source"
DEFAULT_ACCOUNTS = "select * from crm.accounts"


@contextmanager
def attached_source(connection: duckdb.DuckDBPyConnection, path: Path) -> Iterator[None]:
    """The source as the connection's default catalogue, for reading only.

    A DuckDB file is attached; in a folder each CSV or Parquet file is a view
    named by its stem (CSV columns stay text, so that no leading zero is lost).
    Raises ConfigurationError where it is missing or cannot be read.
    """
    warehouse = _scalar(connection, "select current_database()")
    if path.is_dir():
        _attach_folder(connection, path)
    elif path.is_file():
        _attach_file(connection, path)
    else:
        raise ConfigurationError(
            f"source {path}: no such file or folder; see [source] attach in the policy file"
        )
    try:
        connection.execute(f"use {ALIAS}")
        yield
    finally:
        connection.execute(f'use "{warehouse}"')


def read_contacts(connection: duckdb.DuckDBPyConnection, source: SourcePolicy) -> None:
    """Read the source's contacts into the temporary table `incoming_contacts`.

    Raises ConfigurationError for SQL that fails, a missing `contact_id` column,
    or rows without an id.
    """
    _read_rows(connection, "contacts", source.contacts, required="contact_id")
    is_blank = "trim(coalesce(contact_id::varchar, '')) = ''"
    nameless = _scalar(connection, f"select count(*) from source_rows where {is_blank}")
    if nameless:
        raise ConfigurationError(
            f"source contacts: {nameless} rows have no contact_id; give each an id, or leave "
            "them out in [source] contacts"
        )
    _run(connection, "contacts", "read_contacts")


def read_accounts(connection: duckdb.DuckDBPyConnection, source: SourcePolicy) -> None:
    """Read the source's accounts into the temporary table `incoming_accounts`.

    They may be left out: without `[source] accounts`, `crm.accounts` is read
    where the source has it, and otherwise there are none.
    """
    query = source.accounts or DEFAULT_ACCOUNTS
    if source.accounts is None and not _has_default_accounts(connection):
        query = "select null::varchar as account_id where false"
    _read_rows(connection, "accounts", query, required="account_id")
    _run(connection, "accounts", "read_accounts")


def _read_rows(
    connection: duckdb.DuckDBPyConnection, what: str, query: str, *, required: str
) -> None:
    try:
        statements = connection.extract_statements(query)
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise ConfigurationError(
                f"[source] {what}: must be one select statement; the source is only ever read"
            )
        text = statements[0].query.strip().rstrip(";")
        connection.execute(f"create or replace temp table source_rows as {text}")
        columns = [row[0].lower() for row in connection.execute("describe source_rows").fetchall()]
    except duckdb.Error as error:
        raise ConfigurationError(f"[source] {what}: {first_line(error)}") from None
    if required not in columns:
        raise ConfigurationError(
            f"[source] {what}: the required column {required} is missing; "
            f"it gives {', '.join(columns)}"
        )


def _run(connection: duckdb.DuckDBPyConnection, what: str, statement: str) -> None:
    try:
        execute(connection, statement)
    except duckdb.Error as error:
        raise ConfigurationError(f"[source] {what}: {first_line(error)}") from None
    connection.execute("drop table source_rows")


def _attach_file(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    quoted = str(path).replace("'", "''")
    try:
        connection.execute(f"attach if not exists '{quoted}' as {ALIAS} (read_only)")
    except duckdb.Error as error:
        advice = (
            "another process has it open for writing; try again when that is done"
            if is_locked(error)
            else "see [source] attach in the policy file"
        )
        raise ConfigurationError(
            f"source {path}: cannot be read ({first_line(error)}); {advice}"
        ) from None


def _attach_folder(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    readers = {".csv": "read_csv('{}', all_varchar = true)", ".parquet": "read_parquet('{}')"}
    found = sorted(file for file in folder.iterdir() if file.suffix.lower() in readers)
    if not found:
        raise ConfigurationError(f"source {folder}: holds no .csv or .parquet file")
    connection.execute(f"attach if not exists ':memory:' as {ALIAS}")
    for file in found:
        reader = readers[file.suffix.lower()].format(str(file).replace("'", "''"))
        view = file.stem.replace('"', '""')
        try:
            connection.execute(f'create or replace view {ALIAS}."{view}" as select * from {reader}')
        except duckdb.Error as error:
            raise ConfigurationError(f"source {file}: {first_line(error)}") from None


def _has_default_accounts(connection: duckdb.DuckDBPyConnection) -> bool:
    columns = execute(connection, "describe_columns", schema="crm", name="accounts").fetchall()
    return bool(columns)


def _scalar(connection: duckdb.DuckDBPyConnection, query: str):  # noqa: ANN202 - any SQL value
    row = connection.execute(query).fetchone()
    return row[0] if row else None
