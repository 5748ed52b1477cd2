"""A folder of Parquet files as a sink: one for each table, replaced whole where it changed.

Here: which files are written anew, and in which order, on a disk and in object storage. Not here:
sinks that are databases (`table_sink.py`), and how object storage is reached
(`warehouse/object_storage.py`).

A file is replaced at once, so a reader finds the old one or the new one. Which publication each
has stands in a file of its own, which is written last: whatever a killed run has left is written
again.
"""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import duckdb
import pyarrow as pa

from enrichment_pipeline.attachment import Bucket
from enrichment_pipeline.disk import flush
from enrichment_pipeline.errors import ConfigurationError
from enrichment_pipeline.warehouse.data_files import without_patterns
from enrichment_pipeline.warehouse.object_storage import files_below, reach_storage
from enrichment_pipeline.warehouse.publish import copy_to_parquet
from enrichment_pipeline.warehouse.sinks.publications import (
    PUBLISHED,
    Publication,
    attach_publications,
)
from enrichment_pipeline.warehouse.sinks.row_changes import (
    Changes,
    PublishedTable,
    find_changes,
    read_tables,
    rows_of,
)
from enrichment_pipeline.warehouse.sinks.table_sink import Filled
from enrichment_pipeline.warehouse.statements import execute, quoted, registered

STATES = "_enrichment_state.parquet"
"""By its first character, no reader takes it for data."""


class Folder(Protocol):
    """Where files lie, by their names."""

    @property
    def place(self) -> str:
        """As DuckDB's functions take it."""
        ...

    def open(self, connection: duckdb.DuckDBPyConnection) -> set[str]:
        """Make it ready to be written to; the names of the files in it."""
        ...

    def write(
        self, connection: duckdb.DuckDBPyConnection, relation: str, name: str, **metadata: str
    ) -> None:
        """Have these rows in the file of this name, whole or not at all."""
        ...


@dataclass(frozen=True)
class DiskFolder:
    """A folder of this machine. Its files are for those who may read the folder."""

    path: Path

    @property
    def place(self) -> str:
        return str(self.path)

    def open(self, connection: duckdb.DuckDBPyConnection) -> set[str]:
        self.path.mkdir(parents=True, exist_ok=True)
        return {file.name for file in self.path.iterdir()}

    def write(
        self, connection: duckdb.DuckDBPyConnection, relation: str, name: str, **metadata: str
    ) -> None:
        draft = self.path / f".{name}.draft"
        copy_to_parquet(connection, relation, str(draft), **metadata)
        draft.chmod(self.path.stat().st_mode & 0o666)
        flush(draft)
        draft.replace(self.path / name)
        flush(self.path)


@dataclass(frozen=True)
class StoredFolder:
    """A prefix in object storage, where an object appears once all of it has arrived."""

    bucket: Bucket

    @property
    def place(self) -> str:
        return self.bucket.place

    def open(self, connection: duckdb.DuckDBPyConnection) -> set[str]:
        reach_storage(connection, self.bucket.access, self.bucket.place)
        return {names[0] for names in files_below(connection, self.bucket.place) if not names[1:]}

    def write(
        self, connection: duckdb.DuckDBPyConnection, relation: str, name: str, **metadata: str
    ) -> None:
        copy_to_parquet(connection, relation, f"{self.bucket.place}/{name}", **metadata)


def fill_folder(
    connection: duckdb.DuckDBPyConnection,
    folder: Folder,
    tables: Mapping[str, tuple[str, ...]],
    publication: Publication,
) -> Filled:
    """Write the files of those tables that have changed.

    Raises ConfigurationError for a folder with files that are not ours, and duckdb.Error or OSError
    where one cannot be written.
    """
    there = folder.open(connection)
    kept = _read_states(connection, folder, publication) if STATES in there else {}
    _refuse_files_of_others(connection, folder, tables.keys() - kept.keys(), there)
    catalogues = attach_publications(connection, publication, set(kept.values()))
    filled = Filled()
    for table in read_tables(connection, PUBLISHED, tables).values():
        name = f"{table.name}.parquet"
        base = catalogues.get(kept.get(table.name, "")) if name in there else None
        changes = _changes(connection, table, base)
        if changes.differs or base is None:
            filled.tables[table.name] = changes
            folder.write(
                connection,
                f"{PUBLISHED}.enrichment.{quoted(table.name)}",
                name,
                published_at=publication.published_at.isoformat(),
                run_id=publication.run_id,
                comment=table.comment,
            )
        kept[table.name] = publication.name
    states = [
        {"table_name": table, "ledger": publication.ledger, "publication": name}
        for table, name in kept.items()
    ]
    with registered(connection, "states", pa.Table.from_pylist(states)):
        folder.write(connection, "states", STATES)
    return filled


def _read_states(
    connection: duckdb.DuckDBPyConnection, folder: Folder, publication: Publication
) -> dict[str, str]:
    """By table, the publication that its file has."""
    file = without_patterns(f"{folder.place}/{STATES}")
    states = execute(connection, "read_folder_states", file=file).fetchall()
    if any(ledger != publication.ledger for _, ledger, _ in states):
        raise ConfigurationError(
            f"{folder.place} is filled from another state folder; name another folder for this "
            f"one, or, where that one is given up, empty it, {STATES} with the rest"
        )
    return {table: name for table, _, name in states}


def _refuse_files_of_others(
    connection: duckdb.DuckDBPyConnection, folder: Folder, tables: Set[str], there: Set[str]
) -> None:
    """Before anything is written. Ours without a state are those of a first run that was killed."""
    for table in sorted(tables):
        name = f"{table}.parquet"
        if name in there and not _is_ours(connection, f"{folder.place}/{name}"):
            raise ConfigurationError(
                f"{folder.place}/{name} is there already, and was not made by this pipeline; move "
                "it away, or name another folder for this sink"
            )


def _is_ours(connection: duckdb.DuckDBPyConnection, file: str) -> bool:
    """Whether it says of itself which run has published it."""
    keys = "select decode(key) from parquet_kv_metadata(?)"
    try:
        found = connection.execute(keys, [without_patterns(file)]).fetchall()
    except duckdb.Error:  # no Parquet
        return False
    return {("run_id",), ("published_at",)} <= set(found)


def _changes(
    connection: duckdb.DuckDBPyConnection, table: PublishedTable, base: str | None
) -> Changes:
    published = _rows(connection, PUBLISHED, table)
    if base is not None:
        return find_changes(connection, table, published, _rows(connection, base, table))
    rows = connection.execute(f"select count(*) from ({published})").fetchall()[0][0]
    return Changes(rows, 0, differs=rows > 0)


def _rows(connection: duckdb.DuckDBPyConnection, catalogue: str, table: PublishedTable) -> str:
    return rows_of(connection, f"{catalogue}.enrichment.{quoted(table.name)}", table.columns)
