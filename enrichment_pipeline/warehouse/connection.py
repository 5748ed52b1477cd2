"""Opening the warehouse: one writer at a time, late and briefly.

Here: DuckDB's file lock and waiting for it, session settings, transactions, and how an error of
DuckDB's is read (locked, damaged, without its values), also for sources. Not here: what is read or
written.
"""

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random_exponential

from enrichment_pipeline.errors import ConfigurationError, PipelineError
from enrichment_pipeline.privacy import owner_only
from enrichment_pipeline.warehouse.macros import create_macros
from enrichment_pipeline.warehouse.migrations import is_up_to_date, migrate

LOCK_WAIT_SECONDS = 600.0
SCHEMAS = frozenset({"staging", "raw", "enrichment"})
_log = logging.getLogger(__name__)


@contextmanager
def open_warehouse(
    path: str,
    *,
    read_only: bool = False,
    wait_seconds: float = LOCK_WAIT_SECONDS,
    on_wait: Callable[[str], None] = _log.warning,
) -> Iterator[duckdb.DuckDBPyConnection]:
    """The warehouse's connection, closed on the way out whatever happens.

    While another process has the file open, waits up to `wait_seconds` and says
    so through `on_wait`; the operating system frees the lock of a killed
    process at once. What it makes is for its owner alone. Raises PipelineError
    when the wait is over and where the file is damaged, and ConfigurationError where it is
    none that can be opened.
    """
    with owner_only():  # until it is closed: DuckDB may make its log and spill at any time
        connection = connect(path, read_only=read_only, wait_seconds=wait_seconds, on_wait=on_wait)
        try:
            create_macros(connection)
            if not read_only:
                _bring_up_to_date(connection)
            yield connection
        except duckdb.Error as error:
            if is_damage(error):
                raise damaged(path, error) from None
            raise
        finally:
            connection.close()


def connect(
    path: str, *, read_only: bool, wait_seconds: float, on_wait: Callable[[str], None]
) -> duckdb.DuckDBPyConnection:
    """Open a DuckDB file, waiting for its lock; see `open_warehouse`."""
    has_spoken = False

    def say_so(_state: object) -> None:
        nonlocal has_spoken
        if not has_spoken:
            has_spoken = True
            on_wait(f"{path} is in use by another process; waiting up to {wait_seconds:.0f} s")

    if Path(path).stem.lower() in SCHEMAS:
        raise ConfigurationError(
            f"{path}: cannot be the warehouse, since DuckDB could not tell it from the schema of "
            "that name in it; choose another file name"
        )
    if not read_only:
        _make_folder(Path(path).parent)
    try:
        for attempt in Retrying(
            retry=retry_if_exception(is_locked),
            stop=stop_after_delay(wait_seconds),
            wait=wait_random_exponential(multiplier=0.05, max=1.0),
            before_sleep=say_so,
            reraise=True,
        ):
            with attempt:
                connection = duckdb.connect(path, read_only=read_only)
    except duckdb.Error as error:
        if is_locked(error):
            raise PipelineError(
                f"{path} was in use by another process for {wait_seconds:.0f} s; try again later"
            ) from None
        if is_damage(error) or _is_cut_off(Path(path)):
            raise damaged(path, error) from None
        raise ConfigurationError(
            f"{path}: cannot be opened as a DuckDB database ({first_line(error)}); where it was "
            "the warehouse, move it away, and the next run derives it again from the ledger"
        ) from None
    connection.execute("set timezone = 'UTC'")
    connection.execute("set enable_progress_bar = false")  # the terminal has one of its own
    return connection


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"folder {folder}: cannot be made for the warehouse ({error.strerror})"
        ) from error


@contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """All or nothing: commits on the way out, rolls back on any exception."""
    connection.execute("begin transaction")
    try:
        yield
    except BaseException:
        connection.execute("rollback")
        raise
    connection.execute("commit")


@contextmanager
def rolled_back(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """A trial: nothing that the body writes stays."""
    connection.execute("begin transaction")
    try:
        yield
    finally:
        connection.execute("rollback")


def _bring_up_to_date(connection: duckdb.DuckDBPyConnection) -> None:
    if is_up_to_date(connection):
        return
    with transaction(connection):
        migrate(connection)


def is_locked(error: BaseException) -> bool:
    return isinstance(error, duckdb.IOException) and "could not set lock" in str(error).lower()


_DAMAGE = re.compile(
    "corrupt database file|could not read enough bytes|database has been invalidated", re.IGNORECASE
)


def is_damage(error: BaseException) -> bool:
    """Whether DuckDB says that its own file is not as it wrote it."""
    return isinstance(error, duckdb.Error) and _DAMAGE.search(str(error)) is not None


def _is_cut_off(path: Path) -> bool:
    """Whether nothing is left of the file but its name."""
    return path.exists() and path.stat().st_size == 0


def damaged(path: str, error: Exception) -> PipelineError:
    """What to do about a warehouse that is damaged: nearly all of it can be made again."""
    return PipelineError(
        f"warehouse {path}: is damaged ({first_line(error)}). Move the file away: the next run "
        "derives it again from the ledger and the source, and buys nothing for that. Reviewers' "
        "decisions and undone runs are in the warehouse alone; `enrichment restore FOLDER` brings "
        "back those of a backup"
    )


_SPEAKS_OF_NO_VALUE = re.compile(r"(Binder|Catalog|IO|Parser|Permission|Syntax) Error:")
"""By its text: what fails in the middle of a stream comes as Arrow's error, not as DuckDB's."""
_ADDRESS = re.compile(r'Postgres at ".*"(?=: )')
_ADDRESS_MISREAD = re.compile("connection info string|URI|connection option")
"""What libpq says of an address quotes parts of it, perhaps of the password."""
_HTTP_STATUS = re.compile(r"HTTP Error: .*\((HTTP \d{3}[A-Za-z ]*)\)")
"""What comes before it is the address of an object, which nobody needs who knows the status."""
_PLACES = (
    (re.compile(r" when casting from source column (\w+)$"), "column"),
    (re.compile(r"^Invalid Input Error: CSV Error on Line: (\d+)$"), "line"),
)


def first_line(error: Exception) -> str:
    """An error's first line, without literals; further lines quote the statement.

    Where DuckDB speaks of a value it quotes it, in more ways than can be told apart: of such
    an error there is only the kind, and the column or the line of the file that it names.
    """
    line = _ADDRESS.sub("Postgres", (str(error).strip().splitlines() or [""])[0])
    if _ADDRESS_MISREAD.search(line):
        return "its address cannot be understood"
    if status := _HTTP_STATUS.match(line):
        return status[1]
    if _SPEAKS_OF_NO_VALUE.match(line):
        return re.sub(r"'[^']*'", "'…'", line)
    places = [f", {what} {found[1]}" for form, what in _PLACES if (found := form.search(line))]
    kind = re.match(r"([A-Z][a-z]+ )+Error(?=:)", line)
    return f"{kind[0] if kind else 'an error'} at a value that is not shown{''.join(places)}"
