"""The user's source: reading contacts and accounts from it, confined to it.

Here: what the SQL in the sections `[source]` and `[eligibility]` of the policy gives, and what it
has to give. Not here: which attachments there are (`attaching.py`), what that SQL may do, and
mistakes in it (`source_sql.py`), and what becomes of the rows (`load.py`).

The user's SQL, that of the views in an attached database included, runs in a DuckDB of its
own that may read nothing but the attachment and its folder: elsewhere a view could read any
file of this machine into our tables. What it gives is streamed into the warehouse.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from string import Template

import duckdb
import pyarrow as pa

from enrichment_pipeline.attachment import SNOWFLAKE, Attachment, Database
from enrichment_pipeline.errors import ConfigurationError
from enrichment_pipeline.policy import EligibilityPolicy, SourcePolicy
from enrichment_pipeline.warehouse.attaching import ALIAS, Readable, attach, confine
from enrichment_pipeline.warehouse.snowflake import connected
from enrichment_pipeline.warehouse.source_sql import (
    Reading,
    columns_of,
    has_table,
    mistake,
    name_query,
)
from enrichment_pipeline.warehouse.statements import execute, literal, registered, text_of
from enrichment_pipeline.warehouse.watermark import MARK, Increment, Mark

DEFAULT_ACCOUNTS = "select * from crm.accounts"
BATCH_ROWS = 100_000
"""How many rows are handed over at once: so many, and not the source, are in memory twice."""
READINGS_FOR_A_CAUSE = 3
"""How often a view is read again to learn which mistake made reading it fail."""
SHOWN_CHARACTERS = 40
"""Of an id that is refused: it may be a megabyte long."""
SPILL_FOLDER = ".source.tmp"
"""Beside the warehouse: where a query of the source's goes that does not fit into memory."""


@contextmanager
def attached_source(
    source: Attachment,
    *,
    key: str = "[source] attach",
    warehouse: duckdb.DuckDBPyConnection | None = None,
) -> Iterator[Reading]:
    """A DuckDB of its own, with the source as its default catalogue, to read only.

    Nothing that runs there can read another file than those in the source's folder, or reach
    another server, and no statement can lift that: DuckDB cannot take the switch back, so it is
    never set in the warehouse's instance. Statements that write are refused by `select_rows`,
    since the switch allows writing where it allows reading.

    The folder of a DuckDB file is left out where the file of `warehouse` lies in it: what was
    bought is nothing that a source may read. Raises ConfigurationError where the source is
    missing or cannot be read; `key` is where the policy file names it.
    """
    own_file = None if warehouse is None else _file_of(warehouse)
    with duckdb.connect(":memory:") as connection, ExitStack() as session:
        connection.execute("set timezone = 'UTC'")  # as in the warehouse, and before the lock
        connection.execute("set enable_progress_bar = false")
        connection.execute("set autoinstall_known_extensions = false")  # nothing is downloaded
        if own_file is not None:
            connection.execute(f"set temp_directory = {literal(f'{own_file}{SPILL_FOLDER}')}")
        if isinstance(source, Database) and source.scheme == SNOWFLAKE:
            confine(connection, Readable())
            yield Reading(connection, session.enter_context(connected(source, key)))
            return
        confine(connection, attach(connection, source, own_file, key))
        connection.execute(f"use {ALIAS}")
        yield Reading(connection)


def read_contacts(
    reading: Reading,
    connection: duckdb.DuckDBPyConnection,
    source: SourcePolicy,
    increment: Increment | None = None,
) -> tuple[str, ...]:
    """Read the source's contacts into the connection's temporary table `incoming_contacts`.

    All of them, or those that an increment is about, which takes note of what is read. Gives the
    names of those columns that nothing here reads. Raises ConfigurationError
    for SQL that fails, a missing `contact_id` column, and rows without an id or with one that
    no ledger can hold.
    """
    key = "[source] contacts"
    columns = select_rows(reading, key, source.contacts, required="contact_id", increment=increment)
    note = None if increment is None else increment.note
    execute(reading.connection, "shape_contacts")
    with streamed(reading, connection, "shaped_contacts", key, note=note):
        execute(connection, "read_contacts")
    nameless = execute(connection, "count_nameless_contacts").fetchall()[0][0]
    if nameless:
        raise ConfigurationError(
            f"source contacts: {nameless} rows have no contact_id; give each an id, or leave "
            "them out in [source] contacts"
        )
    unstorable = execute(connection, "find_unstorable_ids").fetchall()
    if unstorable:
        first = unstorable[0][0]
        raise ConfigurationError(
            f"source contacts: the contact_id {first[:SHOWN_CHARACTERS]!r} holds a NUL byte, "
            f"which a ledger on Postgres cannot keep ({len(unstorable)} such ids); give it another "
            "id, or leave it out in [source] contacts"
        )
    return _besides(reading, "shaped_contacts", columns)


def find_mark(reading: Reading, source: SourcePolicy, column: str) -> Mark:
    """The column by which contacts are newer, in the letters in which it is given.

    Raises ConfigurationError where `[source] contacts` does not give it, and where it holds
    nothing that grows.
    """
    given = columns_of(reading, "[source] contacts", source.contacts)
    name = next((name for name in given if name.lower() == column.lower()), None)
    if name is None:
        raise ConfigurationError(
            f"[source] incremental: [source] contacts gives no column {column}; it gives "
            f"{', '.join(given)}"
        )
    mark = Mark(name, given[name])
    if not mark.can_be_compared:
        raise ConfigurationError(
            f"[source] incremental: the column {name} is {mark.type}; it must be an instant, a "
            "date or a whole number that grows with each change"
        )
    return mark


def read_accounts(
    reading: Reading, connection: duckdb.DuckDBPyConnection, source: SourcePolicy
) -> tuple[str, ...]:
    """Read the source's accounts into the connection's temporary table `incoming_accounts`.

    They may be left out: without `[source] accounts`, `crm.accounts` is read
    where the source has it, and otherwise there are none. The names of those
    columns that nothing here reads.
    """
    key = "[source] accounts"
    columns = select_rows(reading, key, _accounts_query(reading, source), required="account_id")
    execute(reading.connection, "shape_accounts")
    with streamed(reading, connection, "shaped_accounts", key):
        execute(connection, "read_accounts")
    return _besides(reading, "shaped_accounts", columns)


def read_eligible(
    reading: Reading,
    connection: duckdb.DuckDBPyConnection,
    source: SourcePolicy,
    eligibility: EligibilityPolicy,
    entered: pa.Table | None = None,
) -> None:
    """Read who may be asked about into the connection's temporary table `eligible_contacts`.

    A condition holds for what applications `entered`, too; no query of the source's lists that.
    Raises ConfigurationError for a query or a condition that fails. A contact for which the
    condition is null may not be asked about.
    """
    key, query = "[eligibility] contacts", eligibility.contacts
    if query is None:
        key = "[eligibility] where"
        name_query(reading, "[source] contacts", source.contacts, "given_contacts")
        if entered is not None and entered.num_rows:
            name_query(reading, "[source] contacts", source.contacts, "sourced_contacts")
            reading.connection.register("entered_contacts", entered)
            _add_entered(reading, entered.column_names)
        name_query(reading, "[source] accounts", _accounts_query(reading, source), "given_accounts")
        condition = f"({eligibility.where}\n)"
        query = Template(text_of("select_eligible_contacts")).substitute(condition=condition)
        reading = Reading(reading.connection)  # the condition is ours, over what the queries gave
    select_rows(reading, key, query, required="contact_id")
    with streamed(reading, connection, "source_rows", key):
        execute(connection, "read_eligible_contacts")


def _add_entered(reading: Reading, names: Sequence[str]) -> None:
    """Add what was entered to `given_contacts`, as far as the source's contacts have the columns.

    In the source's own types, so that a condition means the same; what does not fit is null.
    """
    types = {
        row[0].lower(): row[1] for row in reading.execute("describe given_contacts").fetchall()
    }
    columns = ", ".join(
        f"try_cast({name} as {types[name]}) as {name}" for name in names if name in types
    )
    query = (
        f"select * from sourced_contacts union all by name select {columns} from entered_contacts"
    )
    reading.execute(f"create or replace temp view given_contacts as {query}")


def read_decisions(reading: Reading, connection: duckdb.DuckDBPyConnection, query: str) -> None:
    """Read another tool's decisions into the connection's temporary table `incoming_decisions`.

    Raises ConfigurationError for SQL that fails or a missing `contact_id` column.
    """
    key = "[review] decisions"
    select_rows(reading, key, query, required="contact_id")
    execute(reading.connection, "shape_review_decisions")
    with streamed(reading, connection, "shaped_decisions", key):
        execute(connection, "read_review_decisions")


def read_bounces(reading: Reading, connection: duckdb.DuckDBPyConnection, query: str) -> None:
    """Read what became of mail into the connection's temporary table `incoming_bounces`.

    Raises ConfigurationError for SQL that fails or a missing column.
    """
    key = "[feedback] bounces"
    columns = select_rows(reading, key, query, required="email")
    missing = [name for name in ("bounced_at", "kind") if name not in columns]
    if missing:
        raise ConfigurationError(
            f"{key}: the required column {missing[0]} is missing; it gives {', '.join(columns)}"
        )
    execute(reading.connection, "shape_bounces")
    with streamed(reading, connection, "shaped_bounces", key):
        execute(connection, "read_bounces")


def read_suppressions(
    connection: duckdb.DuckDBPyConnection, source: SourcePolicy, attachment: Attachment
) -> list[str | None]:
    """The identifiers that the source's own list gives, as written; none without such a list.

    Raises ConfigurationError for SQL that fails, or gives no column `identifier`.
    """
    key = "[source] suppressions"
    if source.suppressions is None:
        return []
    with attached_source(attachment, warehouse=connection) as reading:
        select_rows(reading, key, source.suppressions, required="identifier")
        try:
            query = "select cast(identifier as varchar) from source_rows"
            return [text for (text,) in reading.execute(query).fetchall()]
        except duckdb.Error as error:
            raise mistake(key, error) from None


def fingerprint_contacts(reading: Reading, source: SourcePolicy) -> str:
    """A short value that changes with any contact that is added, changed or removed.

    One pass over the source, of which nothing is kept: of all its columns, or of the one by which
    rows are newer, where a load reads by that, too. Raises ConfigurationError as `read_contacts`
    does, but does not look for rows without an id.
    """
    key = "[source] contacts"
    try:
        if source.incremental is None:
            select_rows(reading, key, source.contacts, required="contact_id")
            execute(reading.connection, "shape_contacts")
            [(contacts, row_hashes)] = execute(
                reading.connection, "fingerprint_contacts"
            ).fetchall()
            return f"{contacts}-{row_hashes:x}"
        everything = Increment(find_mark(reading, source, source.incremental), read_from="")
        select_rows(reading, key, source.contacts, required="contact_id", increment=everything)
        [(contacts, marks)] = execute(reading.connection, "fingerprint_marks").fetchall()
        return f"{contacts}-{marks}"
    except duckdb.Error as error:
        raise mistake(key, error) from None


def select_rows(
    reading: Reading,
    key: str,
    query: str,
    *,
    required: str,
    increment: Increment | None = None,
) -> list[str]:
    """Make the policy's query the temporary view `source_rows`; the names of its columns.

    Or those of its rows that an increment is about, with the mark of each, besides whose column.
    Raises ConfigurationError, naming the policy's `key`, for anything but one select
    statement, and where it has no column `required`.
    """
    by_name = "source_rows"
    if increment is None:
        name_query(reading, key, query, by_name)
    else:
        by_name = "given_rows"
        is_in_snowflake = reading.snowflake is not None
        name_query(reading, key, query, by_name, where=increment.condition(is_in_snowflake))
        marked = f"select *, {increment.mark.value} as {MARK} from {by_name}"
        reading.execute(f"create or replace temp view source_rows as {marked}")
    try:
        described = reading.execute(f"describe {by_name}").fetchall()
    except duckdb.Error as error:
        raise mistake(key, error) from None
    columns = [row[0].lower() for row in described]
    if required not in columns:
        raise ConfigurationError(
            f"{key}: the required column {required} is missing; it gives {', '.join(columns)}"
        )
    read = None if increment is None else increment.mark.column.lower()
    return [name for name in columns if name != read]


def _accounts_query(reading: Reading, source: SourcePolicy) -> str:
    if source.accounts is None and not has_table(reading, "crm", "accounts"):
        return "select null::varchar as account_id where false"
    return source.accounts or DEFAULT_ACCOUNTS


@contextmanager
def streamed(
    reading: Reading,
    connection: duckdb.DuckDBPyConnection,
    view: str,
    key: str,
    *,
    note: Callable[[pa.RecordBatch], None] | None = None,
) -> Iterator[None]:
    """A view of the source's, as a table of the same name for one statement in the body.

    Its rows come as Arrow batches while that statement runs, each of which is told to `note`.
    Raises ConfigurationError, naming the policy's `key`, where the view's SQL fails on a row.
    """
    failure: Exception | None = None

    def batches(rows: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
        nonlocal failure
        try:
            for batch in rows:
                if note is not None:
                    note(batch)
                yield batch
        except (duckdb.Error, OSError, pa.ArrowException) as error:
            failure = error
            raise

    try:
        rows = reading.execute(f"select * from {view}").to_arrow_reader(BATCH_ROWS)
        page = pa.RecordBatchReader.from_batches(rows.schema, batches(rows))
        with registered(connection, view, page):
            yield
    except duckdb.Error as error:
        raise mistake(key, _cause(reading, view, failure or error)) from None


def _cause(reading: Reading, view: str, failure: Exception) -> Exception:
    """The mistake in a row that made reading a view fail.

    DuckDB reads with several threads. Where a row fails in one of them it interrupts the others,
    and now and then (6 of 1,000 times, on a busy machine) it tells only of the interruption.
    Another reading tells the mistake.
    """
    for _again in range(READINGS_FOR_A_CAUSE):
        if not str(failure).startswith("INTERRUPT Error"):
            break
        try:
            for _batch in reading.execute(f"select * from {view}").to_arrow_reader(BATCH_ROWS):
                pass
        except (duckdb.Error, OSError, pa.ArrowException) as error:
            failure = error
    return failure


def _besides(reading: Reading, view: str, columns: Sequence[str]) -> tuple[str, ...]:
    return tuple(sorted(set(columns).difference(reading.connection.table(view).columns)))


def _file_of(connection: duckdb.DuckDBPyConnection) -> Path | None:
    """The database's own file; None for one in memory."""
    file = _scalar(
        connection,
        "select path from duckdb_databases() where database_name = current_database()",
    )
    return None if file is None else Path(file).resolve()


def _scalar(connection: duckdb.DuckDBPyConnection, query: str):  # noqa: ANN202 - any SQL value
    row = connection.execute(query).fetchone()
    return row[0] if row else None
