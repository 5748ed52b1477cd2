"""The user's source: attaching it read-only and reading contacts and accounts from it.

Here: what the sections `[source]` and `[eligibility]` of the policy lead to, and every
mistake that can be made in them. Not here: what becomes of the rows (`load.py`).
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import duckdb

from enrichment_pipeline.errors import ConfigurationError
from enrichment_pipeline.policy import EligibilityPolicy, SourcePolicy
from enrichment_pipeline.warehouse.connection import first_line, is_locked
from enrichment_pipeline.warehouse.statements import execute, registered

ALIAS = "enrichment_source"
DEFAULT_ACCOUNTS = "select * from crm.accounts"
FILE_READERS = {".csv": "read_csv('{}', all_varchar = true)", ".parquet": "read_parquet('{}')"}


@contextmanager
def attached_source(
    connection: duckdb.DuckDBPyConnection, path: Path, *, key: str = "[source] attach"
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection beside the given one, with the source as its default catalogue, to read only.

    A DuckDB file is attached; in a folder each CSV or Parquet file is a view
    named by its stem (CSV columns stay text, so that no leading zero is lost).
    Raises ConfigurationError where it is missing or cannot be read; `key` is where the
    policy file names it.

    It is another connection because the caller's is in a transaction: there a
    statement of the user's that fails would end it, and the views would be
    writes to a second database, of which DuckDB allows one.
    """
    with connection.cursor() as reading:
        reading.execute("set timezone = 'UTC'")
        execute(reading, "create_macros")
        warehouse = _scalar(reading, "select current_database()")
        _attach(reading, path, key)
        try:
            reading.execute(f"use {ALIAS}")
            yield reading
        finally:
            reading.execute(f'use "{warehouse}"')
            reading.execute(f"detach {ALIAS}")


def read_contacts(reading: duckdb.DuckDBPyConnection, source: SourcePolicy) -> tuple[str, ...]:
    """Read the source's contacts into the temporary table `incoming_contacts`.

    The names of those columns that nothing here reads. Raises ConfigurationError
    for SQL that fails, a missing `contact_id` column, or rows without an id.
    """
    columns = _read_rows(reading, "[source] contacts", source.contacts, required="contact_id")
    is_blank = "clean_text(contact_id::varchar) is null"
    nameless = _scalar(reading, f"select count(*) from source_rows where {is_blank}")
    if nameless:
        raise ConfigurationError(
            f"source contacts: {nameless} rows have no contact_id; give each an id, or leave "
            "them out in [source] contacts"
        )
    _run(reading, "[source] contacts", "shape_contacts", "read_contacts")
    return _besides(reading, "incoming_contacts", columns)


def read_accounts(reading: duckdb.DuckDBPyConnection, source: SourcePolicy) -> tuple[str, ...]:
    """Read the source's accounts into the temporary table `incoming_accounts`.

    They may be left out: without `[source] accounts`, `crm.accounts` is read
    where the source has it, and otherwise there are none. The names of those
    columns that nothing here reads.
    """
    query = _accounts_query(reading, source)
    columns = _read_rows(reading, "[source] accounts", query, required="account_id")
    _run(reading, "[source] accounts", "read_accounts")
    return _besides(reading, "incoming_accounts", columns)


def read_eligible(
    reading: duckdb.DuckDBPyConnection, source: SourcePolicy, eligibility: EligibilityPolicy
) -> None:
    """Read which contacts may be asked about into the temporary table `eligible_contacts`.

    Raises ConfigurationError for a query or a condition that fails. A contact for which the
    condition is null may not be asked about.
    """
    key, query = "[eligibility] contacts", eligibility.contacts
    if query is None:
        key = "[eligibility] where"
        contacts = _as_one_select(reading, "[source] contacts", source.contacts)
        accounts = _as_one_select(reading, "[source] accounts", _accounts_query(reading, source))
        # contacts may lack the column; where an id repeats, each of its rows has to pass
        query = (
            "select contact.contact_id from (select null::varchar as account_id where false "
            f"union all by name select * from ({contacts}\n)) as contact "
            f"left join (select * from ({accounts}\n)) as account "
            "on clean_text(account.account_id::varchar) = clean_text(contact.account_id::varchar) "
            "group by contact.contact_id "
            f"having bool_and(coalesce(({eligibility.where}\n), false))"
        )
    _read_rows(reading, key, query, required="contact_id")
    _run(reading, key, "read_eligible_contacts")


def read_decisions(reading: duckdb.DuckDBPyConnection, query: str) -> None:
    """Read another tool's table of decisions into the temporary table `incoming_decisions`.

    Raises ConfigurationError for SQL that fails or a missing `contact_id` column.
    """
    _read_rows(reading, "[review] decisions", query, required="contact_id")
    _run(reading, "[review] decisions", "read_review_decisions")


def read_suppressions(
    connection: duckdb.DuckDBPyConnection, source: SourcePolicy, path: Path
) -> list[str | None]:
    """The identifiers that the source's own list gives, as written; none without such a list.

    Raises ConfigurationError for SQL that fails, or gives no column `identifier`.
    """
    if source.suppressions is None:
        return []
    with attached_source(connection, path) as reading:
        _read_rows(reading, "[source] suppressions", source.suppressions, required="identifier")
        query = "select cast(identifier as varchar) from source_rows"
        identifiers = [text for (text,) in reading.execute(query).fetchall()]
        reading.execute("drop table source_rows")
    return identifiers


def fingerprint_contacts(reading: duckdb.DuckDBPyConnection, source: SourcePolicy) -> str:
    """A short value that changes with any contact that is added, changed or removed.

    One pass over the source, of which nothing is kept. Raises ConfigurationError
    as `read_contacts` does, but does not look for rows without an id.
    """
    _read_rows(reading, "[source] contacts", source.contacts, required="contact_id", kept_as="view")
    try:
        execute(reading, "shape_contacts")
        [(contacts, row_hashes)] = execute(reading, "fingerprint_contacts").fetchall()
    except duckdb.Error as error:
        raise ConfigurationError(f"[source] contacts: {first_line(error)}") from None
    return f"{contacts}-{row_hashes:x}"


def hand_over(
    reading: duckdb.DuckDBPyConnection, connection: duckdb.DuckDBPyConnection, table: str
) -> None:
    """Copy a temporary table from the connection that read it to the one that needs it."""
    with registered(connection, "handed_over", reading.table(table).to_arrow_reader()):
        connection.execute(f"create or replace temp table {table} as select * from handed_over")


def _read_rows(
    reading: duckdb.DuckDBPyConnection,
    key: str,
    query: str,
    *,
    required: str,
    kept_as: Literal["table", "view"] = "table",
) -> list[str]:
    text = _as_one_select(reading, key, query)
    try:
        reading.execute(f"create or replace temp {kept_as} source_rows as {text}")
        columns = [row[0].lower() for row in reading.execute("describe source_rows").fetchall()]
    except duckdb.Error as error:
        raise ConfigurationError(f"{key}: {first_line(error)}") from None
    if required not in columns:
        raise ConfigurationError(
            f"{key}: the required column {required} is missing; it gives {', '.join(columns)}"
        )
    return columns


def _as_one_select(reading: duckdb.DuckDBPyConnection, key: str, query: str) -> str:
    try:
        statements = reading.extract_statements(query)
    except duckdb.Error as error:
        raise ConfigurationError(f"{key}: {first_line(error)}") from None
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise ConfigurationError(
            f"{key}: must be one select statement; the source is only ever read"
        )
    return statements[0].query.strip().rstrip(";")


def _accounts_query(reading: duckdb.DuckDBPyConnection, source: SourcePolicy) -> str:
    if source.accounts is None and not _has_default_accounts(reading):
        return "select null::varchar as account_id where false"
    return source.accounts or DEFAULT_ACCOUNTS


def _besides(
    reading: duckdb.DuckDBPyConnection, table: str, columns: Sequence[str]
) -> tuple[str, ...]:
    return tuple(sorted(set(columns).difference(reading.table(table).columns)))


def _run(reading: duckdb.DuckDBPyConnection, key: str, *statements: str) -> None:
    try:
        for statement in statements:
            execute(reading, statement)
    except duckdb.Error as error:
        raise ConfigurationError(f"{key}: {first_line(error)}") from None
    reading.execute("drop table source_rows")


def _attach(reading: duckdb.DuckDBPyConnection, path: Path, key: str) -> None:
    try:
        if path.is_dir():
            _attach_folder(reading, path)
        elif path.is_file():
            _attach_file(reading, path, key)
        else:
            raise ConfigurationError(
                f"source {path}: no such file or folder; see {key} in the policy file"
            )
    except OSError as error:
        raise ConfigurationError(f"source {path}: cannot be read ({error.strerror})") from error


def _attach_file(reading: duckdb.DuckDBPyConnection, path: Path, key: str) -> None:
    quoted = str(path).replace("'", "''")
    try:
        reading.execute(f"attach '{quoted}' as {ALIAS} (read_only)")
    except duckdb.Error as error:
        advice = (
            "another process has it open for writing; try again when that is done"
            if is_locked(error)
            else f"see {key} in the policy file"
        )
        raise ConfigurationError(
            f"source {path}: cannot be read ({first_line(error)}); {advice}"
        ) from None


def _attach_folder(reading: duckdb.DuckDBPyConnection, folder: Path) -> None:
    views: dict[str, Path] = {}
    for file in sorted(folder.iterdir()):
        if file.suffix.lower() in FILE_READERS:
            twin = views.setdefault(file.stem.lower(), file)
            if twin != file:
                raise ConfigurationError(
                    f"source {folder}: {twin.name} and {file.name} would be one view; rename one"
                )
    if not views:
        raise ConfigurationError(f"source {folder}: holds no .csv or .parquet file")
    reading.execute(f"attach ':memory:' as {ALIAS}")
    for file in views.values():
        view = file.stem.replace('"', '""')
        try:
            reading.execute(f'create view {ALIAS}."{view}" as select * from {_reader(file)}')
        except duckdb.Error as error:
            reading.execute(f"detach {ALIAS}")
            raise ConfigurationError(
                f"source {file}: cannot be read ({first_line(error)}); it must be UTF-8 text with "
                "a header and the same columns in every line, or Parquet"
            ) from None


def _reader(file: Path) -> str:
    """The table function that reads this one file: its name is no pattern, whatever is in it."""
    literal = re.sub(r"([*?\[])", r"[\1]", str(file)).replace("'", "''")
    return FILE_READERS[file.suffix.lower()].format(literal)


def _has_default_accounts(reading: duckdb.DuckDBPyConnection) -> bool:
    columns = execute(reading, "describe_columns", schema="crm", name="accounts").fetchall()
    return bool(columns)


def _scalar(reading: duckdb.DuckDBPyConnection, query: str):  # noqa: ANN202 - any SQL value
    row = reading.execute(query).fetchone()
    return row[0] if row else None
