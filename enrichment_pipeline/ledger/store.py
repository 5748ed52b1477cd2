"""Opening the ledger: engine, transactions, schema version, stamp.

Here: what every other module of this package needs to reach the database.
Not here: what is written in a transaction (`admission.py`, `journal.py`).
"""

import re
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Executable,
    Row,
    and_,
    create_engine,
    delete,
    event,
    insert,
    inspect,
    or_,
    select,
    update,
)
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, NoSuchModuleError
from sqlalchemy.pool import QueuePool

from enrichment_pipeline.errors import ConfigurationError
from enrichment_pipeline.ledger.outage import retry_outages
from enrichment_pipeline.ledger.prepared import Prepared
from enrichment_pipeline.ledger.schema import calls, head, stamp
from enrichment_pipeline.privacy import owner_only

BUSY_TIMEOUT_SECONDS = 60
"""How long a writer waits for another one. What it gets then is an OperationalError."""
BUSY_POLL_SECONDS = 0.0005
"""Less than half of what a run leaves between two commits; see `group.py`."""
IDLE_TIMEOUT_SECONDS = 30
"""How long Postgres lets a transaction wait for its client: one whose process is stopped, or whose
host has died, holds the head row for no longer, so those who wait for the row do not give up."""
HANG_UP = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
"""In libpq's words: when a connection to a Postgres that is gone counts as lost."""
PLANNING = {"plan_cache_mode": "force_custom_plan", "random_page_cost": 1.1}
"""How Postgres plans: anew each time, since a plan made for an empty table reads all of a full one;
and by index early, since the pages that are read are those that were written a moment ago."""
CHECKPOINT_SECONDS = 2
"""How long moving SQLite's log into its file waits for readers and writers; it is no matter if it
must wait for the next command instead."""
PAGE_ROWS = 10_000
MIGRATION_LOCK = 7_305_808_869_231_650_661
"""Postgres' advisory lock under which one process at a time creates or upgrades the tables."""

MIGRATIONS = Path(__file__).with_name("migrations")

_NEXT_REVISION = Prepared(
    update(head).values(revision=head.c.revision + 1).returning(head.c.revision)
)


R = TypeVar("R")


@dataclass(frozen=True)
class Transaction:
    """A writing transaction: its connection, and the revision that its changes get."""

    connection: Connection
    revision: int


class LedgerStore:
    """One database, SQLite or Postgres. Safe to use from several processes at once."""

    def __init__(self, engine: Engine, sleep: Callable[[float], None] = time.sleep) -> None:
        self._engine = engine
        self.sleep = sleep

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """A serialised writing transaction; rolled back whole on any exception.

        Every writer takes the head row first. So checks and writes are one step
        for all processes together, and revisions appear in commit order.
        """
        with _begin(self._engine) as connection:
            revision = _NEXT_REVISION.execute(connection, {}).scalar_one()
            yield Transaction(connection, revision)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection that reads one statement at a time and blocks no writer."""
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            yield connection

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """A connection to Postgres that sees one state to its end, and blocks no writer."""
        with self._engine.connect().execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        ) as connection:
            yield connection

    @property
    def name(self) -> str:
        """The ledger's URL, without a password."""
        return _shown(self._engine.url)

    def changed_rows(
        self, columns: Sequence[ColumnElement[Any]], kind: str, since_revision: int
    ) -> Iterator[Sequence[Row]]:
        """Calls of a kind changed at or after a revision, in pages, oldest change first.

        Those of all providers, since a revision is the whole ledger's. `columns` must hold the
        calls' ids, as the first, and their revisions, as the last.
        """
        newest = retry_outages(self.revision, self.sleep)
        after: tuple[int, str] = (since_revision, "")
        while True:
            query = (
                select(*columns)
                .where(
                    calls.c.kind == kind,
                    calls.c.revision <= newest,
                    or_(
                        calls.c.revision > after[0],
                        and_(calls.c.revision == after[0], calls.c.call_id > after[1]),
                    ),
                )
                .order_by(calls.c.revision, calls.c.call_id)
                .limit(PAGE_ROWS)
            )
            page = self.read_all(query)
            if not page:
                return
            yield page
            after = (page[-1][-1], page[-1][0])

    def transact(self, work: Callable[[Transaction], R]) -> R:
        """What a piece of work returns once it is committed, also where the database is away.

        The work may be done again after a commit whose success is unknown.
        """

        def attempt() -> R:
            with self.write() as transaction:
                return work(transaction)

        return retry_outages(attempt, self.sleep)

    def read_all(self, query: Executable, values: Mapping[str, Any] | None = None) -> Sequence[Row]:
        """All rows of a query, also where the database is away for a while."""

        def rows() -> Sequence[Row]:
            with self.read() as connection:
                return connection.execute(query, values or {}).all()

        return retry_outages(rows, self.sleep)

    def revision(self) -> int:
        """The newest revision: that of the last writing transaction."""
        with self.read() as connection:
            return connection.execute(select(head.c.revision)).scalar_one()

    def check_stamp(self, wanted: Mapping[str, str]) -> dict[str, str]:
        """Stamp the ledger with what it has no value of; the stamp that it has after that.

        A new one has none at all, one of an older version no id of its own.
        """
        with self.read() as connection:
            found = _stamp(connection)
        if wanted.keys() <= found.keys():
            return found
        with _begin(self._engine) as connection:
            found = _stamp(connection)
            rows = [
                {"key": key, "value": value} for key, value in wanted.items() if key not in found
            ]
            try:
                if rows:
                    connection.execute(insert(stamp), rows)
            except IntegrityError:  # another process stamps it at this moment
                connection.rollback()
        with self.read() as connection:
            return _stamp(connection)

    def note(self, key: str, value: str) -> None:
        """Write a value beside the stamp, in the place of an earlier one of this key."""

        def write(transaction: Transaction) -> None:
            transaction.connection.execute(delete(stamp).where(stamp.c.key == key))
            transaction.connection.execute(insert(stamp).values(key=key, value=value))

        self.transact(write)

    def checkpoint(self) -> None:
        """Have the whole ledger in SQLite's file, so that a plain copy of that file has it, too.

        Everything that was written lately is in the log beside it until then. Waits a moment for
        other processes, and leaves the log to them where they go on; Postgres has no such log.
        """
        if self._engine.dialect.name != "sqlite":
            return
        with suppress(DBAPIError), self.read() as connection:
            connection.exec_driver_sql(f"pragma busy_timeout = {CHECKPOINT_SECONDS * 1000}")
            try:
                connection.exec_driver_sql("pragma wal_checkpoint(truncate)").all()
            finally:
                connection.exec_driver_sql(f"pragma busy_timeout = {BUSY_TIMEOUT_SECONDS * 1000}")

    def close(self) -> None:
        self._engine.dispose()


def open_store(url: str) -> LedgerStore:
    """Open the ledger at an SQLAlchemy URL, creating or upgrading its tables.

    Raises ConfigurationError, without the URL's password, where it cannot be opened.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # ValueError: a port that is no number
        raise ConfigurationError("ENRICHMENT_LEDGER_URL: not an SQLAlchemy URL") from None
    if parsed.get_backend_name() not in {"sqlite", "postgresql"}:
        raise ConfigurationError(
            f"ENRICHMENT_LEDGER_URL: {parsed.get_backend_name()} is not supported; "
            "use sqlite:////absolute/path or postgresql+psycopg://…"
        )
    if parsed.drivername == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() == "sqlite" and parsed.database in {None, "", ":memory:"}:
        raise ConfigurationError(
            "ENRICHMENT_LEDGER_URL: a ledger in memory forgets what was paid for; "
            "name a file, sqlite:////absolute/path"
        )
    if parsed.get_backend_name() == "sqlite" and not Path(parsed.database or "").is_absolute():
        raise ConfigurationError(
            f"ENRICHMENT_LEDGER_URL: {parsed.database} would be another ledger in each folder that "
            "a command runs in; write sqlite:////absolute/path"
        )
    shown = _shown(parsed)
    try:
        if parsed.get_backend_name() == "sqlite":
            with owner_only():
                Path(parsed.database or "").parent.mkdir(parents=True, exist_ok=True)
            engine = _sqlite_engine(parsed.render_as_string(hide_password=False))
        else:
            engine = _postgres_engine(parsed)
        try:
            with owner_only():  # SQLite gives its log the mode of the file
                _migrate(engine)
        except BaseException:
            engine.dispose()
            raise
    except (NoSuchModuleError, ModuleNotFoundError):
        raise ConfigurationError(
            f"ledger {shown}: its driver is missing; pip install '.[postgres]' in the project"
        ) from None
    except (DBAPIError, OSError) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        first_line = re.sub(r"\s+", " ", str(cause)).strip()
        raise ConfigurationError(
            f"ledger {shown}: cannot be opened ({first_line}); see ENRICHMENT_LEDGER_URL"
        ) from None
    return LedgerStore(engine)


@contextmanager
def opened(url: str) -> Iterator[LedgerStore]:
    """The ledger at a URL, closed on the way out."""
    store = open_store(url)
    try:
        yield store
    finally:
        store.close()


def _shown(url: URL) -> str:
    return url.set(query={}).render_as_string(hide_password=True)


def _postgres_engine(url: URL) -> Engine:
    """What the URL itself says of timeouts holds; the rest is ours."""
    timeouts = {
        "lock_timeout": BUSY_TIMEOUT_SECONDS,
        "idle_in_transaction_session_timeout": IDLE_TIMEOUT_SECONDS,
    }
    ours = [f"-c {name}={round(seconds * 1000)}" for name, seconds in timeouts.items()]
    ours += (f"-c {name}={value}" for name, value in PLANNING.items())
    options = " ".join([*ours, *url.normalized_query.get("options", ())])
    hang_up = {name: value for name, value in HANG_UP.items() if name not in url.query}
    return create_engine(
        url,
        connect_args={"options": options, **hang_up},
        pool_pre_ping=True,
        hide_parameters=True,
    )


def _sqlite_engine(url: str) -> Engine:
    engine = create_engine(
        url,
        connect_args={"timeout": BUSY_TIMEOUT_SECONDS, "check_same_thread": False},
        poolclass=QueuePool,
        hide_parameters=True,
    )

    @event.listens_for(engine, "connect")
    def _configure(connection, _record) -> None:  # noqa: ANN001 - the DBAPI's own types
        # The driver must not open transactions by itself: it would begin them
        # deferred, and two writers that upgrade from a read then dead-lock.
        connection.isolation_level = None
        # for this SQLite does not wait by itself: of several that open a new file one is refused
        _execute_once_free(connection, "pragma journal_mode = wal")
        connection.execute("pragma synchronous = full")
        # by 64 MB instead of 4: a commit that moves the log into the file moves the same few hot
        # pages each time, and all processes wait for it
        connection.execute("pragma wal_autocheckpoint = 16000")
        # 32 MB instead of 2: the identifiers of a few requests change pages all over their table,
        # and what does not fit is written, and read again, before the commit
        connection.execute("pragma cache_size = -32000")
        connection.execute("pragma foreign_keys = on")
        # what takes back half of a failed statement: in a file it costs a third of an admission
        connection.execute("pragma temp_store = memory")

    return engine


@contextmanager
def _begin(engine: Engine) -> Iterator[Connection]:
    """A writing transaction. Not by an event of the engine's: every statement would look for it."""
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            _begin_immediate(connection)
        yield connection


def _begin_immediate(connection: Connection) -> None:
    """Begin to write as soon as no other connection does.

    SQLite's own waiting looks every 100 ms: beside a run that commits without a pause on a slow
    disk, the receiver would miss the moment between two commits time and again, and refuse
    callbacks that were paid for. We look twice in each such moment.
    """
    driver: Any = connection.connection.dbapi_connection
    driver.execute("pragma busy_timeout = 0")
    try:
        with suppress(sqlite3.OperationalError):
            _execute_once_free(driver, "begin immediate")
            return
        connection.exec_driver_sql("begin immediate")  # raises what SQLAlchemy makes of it
    finally:
        driver.execute(f"pragma busy_timeout = {BUSY_TIMEOUT_SECONDS * 1000:.0f}")


def _execute_once_free(driver: sqlite3.Connection, statement: str) -> None:
    """Execute as soon as no other connection is in the way; its error where one stays there."""
    give_up_at = time.monotonic() + BUSY_TIMEOUT_SECONDS
    while True:
        try:
            driver.execute(statement)
            return
        except sqlite3.OperationalError as error:
            is_busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not is_busy or time.monotonic() >= give_up_at:
                raise
        time.sleep(BUSY_POLL_SECONDS)


def _migrate(engine: Engine) -> None:
    """Bring the tables to this version's schema; one process at a time."""
    if _revision(engine) == newest_revision():
        return
    # Only here: importing alembic takes a tenth of a short command's time.
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with _begin(engine) as connection:
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql(f"select pg_advisory_xact_lock({MIGRATION_LOCK})")
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise ConfigurationError(
                f"ledger: its tables are of another version of this package ({error}); upgrade it"
            ) from None


def newest_revision() -> str:
    """The last migration's revision, with which its file's name begins."""
    return max(path.name.partition("_")[0] for path in MIGRATIONS.glob("versions/[0-9]*.py"))


def _revision(engine: Engine) -> str | None:
    """The migration that the tables are at; None where there are none yet."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.exec_driver_sql("select version_num from alembic_version").scalar()


def _stamp(connection: Connection) -> dict[str, str]:
    return {row.key: row.value for row in connection.execute(select(stamp.c.key, stamp.c.value))}
