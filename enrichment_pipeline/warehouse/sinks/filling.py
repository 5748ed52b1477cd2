"""Filling one sink with what is published.

Here: which kind of sink it is, one process at a time, what is known here of each sink, and how a
failure is told. Not here: how tables (`table_sink.py`) and files (`parquet_sink.py`) are written,
and all the sinks of a run (`steps/fill_sinks.py`).
"""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb
from filelock import FileLock, Timeout

from enrichment_pipeline.attachment import Bucket, Database, Lake
from enrichment_pipeline.errors import PipelineError
from enrichment_pipeline.privacy import OWNER_WRITES, owner_only
from enrichment_pipeline.published_names import KEYS
from enrichment_pipeline.sink import Sink
from enrichment_pipeline.warehouse.connection import first_line
from enrichment_pipeline.warehouse.sinks.ducklake_target import DuckLakeTarget
from enrichment_pipeline.warehouse.sinks.parquet_sink import DiskFolder, StoredFolder, fill_folder
from enrichment_pipeline.warehouse.sinks.postgres_target import PostgresTarget
from enrichment_pipeline.warehouse.sinks.publications import Publication
from enrichment_pipeline.warehouse.sinks.table_sink import Filled, Target, fill_tables
from enrichment_pipeline.warehouse.statements import literal

WAIT_SECONDS = 600.0
"""For another run that is filling the same sink."""


def fill(sink: Sink, publication: Publication, notes: Path) -> Filled:
    """Make the sink's tables what is published, and note in the folder `notes` what it has.

    Raises PipelineError, naming the sink and never its password, where that cannot be done; what
    the sink has is then what it had before.
    """
    notes.mkdir(parents=True, exist_ok=True)
    try:
        with owner_only(), FileLock(notes / f".{sink.name}", WAIT_SECONDS, mode=OWNER_WRITES):
            filled = _fill(sink, publication, notes / f".{sink.name}.spilled")
            _note(notes / sink.name, publication.name)
            return filled
    except Timeout:
        raise PipelineError(
            f"sink {sink.name}: is being filled by another run since {WAIT_SECONDS:.0f} s"
        ) from None
    except PipelineError as error:
        raise type(error)(f"sink {sink.name}: {error}") from None


def publications_of_sinks(notes: Path, sinks: Sequence[Sink]) -> set[str]:
    """The publications that these sinks have, as far as is known here: their files are needed."""
    paths = [notes / sink.name for sink in sinks]
    return {path.read_text(encoding="utf-8").strip() for path in paths if path.exists()}


def _fill(sink: Sink, publication: Publication, spilled: Path) -> Filled:
    tables = {name: KEYS[name] for name in sink.tables}
    told: Callable[[duckdb.Error], str] = first_line
    try:
        with _opened(spilled) as connection:
            place = sink.place
            if isinstance(place, Path):
                return fill_folder(connection, DiskFolder(place), tables, publication)
            if isinstance(place, Bucket):
                return fill_folder(connection, StoredFolder(place), tables, publication)
            target = _target(place, sink.schema)
            told = target.told
            target.attach(connection)
            return fill_tables(connection, target, tables, publication)
    except duckdb.Error as error:
        raise PipelineError(f"could not be filled ({told(error)})") from None
    except OSError as error:
        raise PipelineError(f"could not be filled ({error.strerror})") from None


def _target(place: Database | Lake, schema: str) -> Target:
    if isinstance(place, Database):
        return PostgresTarget(place, schema)
    return DuckLakeTarget(place, schema)


@contextmanager
def _opened(spilled: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB of its own, which puts aside in a folder of the state what memory cannot hold."""
    shutil.rmtree(spilled, ignore_errors=True)  # of a run that was killed
    try:
        with duckdb.connect(":memory:") as connection:
            connection.execute("set timezone = 'UTC'")
            connection.execute("set enable_progress_bar = false")
            connection.execute("set autoinstall_known_extensions = false")
            connection.execute(f"set temp_directory = {literal(str(spilled))}")
            yield connection
    finally:
        shutil.rmtree(spilled, ignore_errors=True)


def _note(path: Path, publication: str) -> None:
    draft = path.with_name(f".{path.name}.draft")
    draft.write_text(publication + "\n", encoding="utf-8")
    draft.replace(path)
