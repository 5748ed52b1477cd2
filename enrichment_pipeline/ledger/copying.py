"""Whole copies of a ledger: out of either database into one SQLite file, and back.

Here: rows and files as they are, in one consistent state. Not here: where copies lie and what else
belongs to them (`backup.py`), and what a copy lacks (`known.py`). A copy is a ledger like any
other, in SQLite whatever it was copied from, so that no tool of either database is needed to
restore it, and a ledger can move from one to the other.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import Connection, delete, func, insert, select
from sqlalchemy.engine import make_url

from enrichment_pipeline.errors import PipelineError
from enrichment_pipeline.ledger.schema import head, metadata, stamp
from enrichment_pipeline.ledger.store import LedgerStore, opened

ROWS_AT_ONCE = 500
"""A reply of a hundred answers has some 300 kB."""


def sqlite_path(url: str) -> Path | None:
    """The file of a ledger in SQLite; None where it is in Postgres."""
    parsed = make_url(url)
    return Path(parsed.database or "") if parsed.get_backend_name() == "sqlite" else None


def copy_to_file(url: str, target: Path) -> None:
    """Copy the ledger at this URL into a new SQLite file, while anything works with it.

    Raises PipelineError where there is none, and where the copy is not whole.
    """
    source = sqlite_path(url)
    if source is not None:
        if not source.exists():
            raise PipelineError(f"{source}: the ledger is missing; see `enrichment restore`")
        with closing(sqlite3.connect(source)) as reading, closing(sqlite3.connect(target)) as copy:
            reading.backup(copy)  # all pages in one reading transaction, which holds up no writer
        make_single_file(target)
        return
    with opened(url) as store, opened(f"sqlite:///{target}") as copy, store.snapshot() as reading:
        _copy_rows(reading, copy)
    make_single_file(target)


def copy_from_file(source: Path, url: str) -> None:
    """Fill the empty ledger at this URL with a copy's rows: all, or none."""
    with opened(f"sqlite:///{source}") as copy, opened(url) as store, copy.read() as reading:
        _copy_rows(reading, store)


def make_single_file(path: Path) -> None:
    """Move the log of a ledger that nothing has open into its file, which then is all of it.

    Raises PipelineError for a file that is damaged, or none of a ledger.
    """
    try:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("pragma journal_mode = delete").fetchall()
            (found,) = connection.execute("pragma quick_check(1)").fetchone()
            if found != "ok":
                raise sqlite3.DatabaseError(found)
            connection.execute("select revision from ledger_head").fetchall()
    except sqlite3.Error as error:
        raise PipelineError(
            f"{path}: is no whole ledger ({error}); where its log, {path.name}-wal, lies "
            "elsewhere, put it beside it"
        ) from None


def is_empty(store: LedgerStore) -> bool:
    """Whether nothing was ever written to the ledger but its stamp."""
    own = {head.name, stamp.name}
    with store.read() as connection:
        return not any(
            connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in metadata.sorted_tables
            if table.name not in own
        )


def _copy_rows(reading: Connection, target: LedgerStore) -> None:
    """Every row of every table, in one transaction of the target."""
    if not is_empty(target):
        raise PipelineError("the ledger is not empty any more; nothing was restored into it")
    with target.write() as transaction:
        for table in (head, stamp):
            transaction.connection.execute(delete(table))
        for table in metadata.sorted_tables:
            rows = reading.execution_options(yield_per=ROWS_AT_ONCE).execute(select(table))
            for page in rows.mappings().partitions():
                transaction.connection.execute(insert(table), [dict(row) for row in page])
