"""Attaching a source to a DuckDB of its own, and confining that to it.

Here: each kind of attachment: a DuckDB or SQLite file, files that are tables, on this machine or in
object storage, a Postgres database, a DuckLake.
Not here: what `attach` in the policy file says (`attachment.py`), how files are read
(`data_files.py`), and the queries (`attached_source.py`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from enrichment_pipeline.attachment import Attachment, Bucket, Database, Lake
from enrichment_pipeline.errors import ConfigurationError
from enrichment_pipeline.warehouse import data_files
from enrichment_pipeline.warehouse.connection import first_line, is_locked
from enrichment_pipeline.warehouse.extensions import load_extension
from enrichment_pipeline.warehouse.object_storage import files_below, reach_storage
from enrichment_pipeline.warehouse.statements import literal

ALIAS = "enrichment_source"
_SQLITE_HEADER = b"SQLite format 3\0"


@dataclass(frozen=True)
class Readable:
    """What may be read for the source's sake, once it is attached."""

    folders: Sequence[str] = ()
    files: Sequence[str] = ()


def attach(
    reading: duckdb.DuckDBPyConnection, source: Attachment, own_file: Path | None, key: str
) -> Readable:
    """Make the source the catalogue `ALIAS`.

    `own_file` is the warehouse's: what was bought is nothing that a source may read. Raises
    ConfigurationError where the source is missing or cannot be read.
    """
    if isinstance(source, Database):
        _attach_postgres(reading, source, key)
        return Readable()
    if isinstance(source, Bucket):
        return _attach_bucket(reading, source, key)
    if isinstance(source, Lake):
        return _attach_lake(reading, source, own_file, key)
    try:
        if source.is_dir():
            _attach_tables(reading, data_files.tables_in(source, without=own_file))
            return Readable(folders=_as_named(source))
        if not source.is_file():
            raise _missing(source, key)
        if table := data_files.table_of(str(source)):
            _attach_tables(reading, [table])
            return Readable(files=_as_named(source))
        if _is_sqlite(source):
            _attach_sqlite(reading, source)
            return Readable(files=_as_named(source))
    except OSError as error:
        raise ConfigurationError(f"source {source}: cannot be read ({error.strerror})") from error
    _attach_duckdb(reading, source, key)
    if own_file is not None and own_file.is_relative_to(source.parent.resolve()):
        return Readable()
    return Readable(folders=_as_named(source.parent))  # its views may read files beside it


def confine(reading: duckdb.DuckDBPyConnection, readable: Readable) -> None:
    """Let nothing be read but what is attached and what is readable for it."""
    for setting, places in (
        ("allowed_directories", readable.folders),
        ("allowed_paths", readable.files),
    ):
        reading.execute(f"set {setting} = [{', '.join(map(literal, places))}]")
    reading.execute("set python_enable_replacements = false")  # no name is a variable of ours
    reading.execute("set enable_external_access = false")
    reading.execute("set lock_configuration = true")


def _missing(source: Attachment, key: str) -> ConfigurationError:
    return ConfigurationError(
        f"source {source}: no such file or folder; see {key} in the policy file"
    )


def _as_named(place: Path | str) -> list[str]:
    """The place as it is, and as the functions that read files take it."""
    return [str(place), data_files.without_patterns(str(place))]


def _attach_tables(reading: duckdb.DuckDBPyConnection, tables: Iterable[data_files.Table]) -> None:
    reading.execute(f"attach ':memory:' as {ALIAS}")
    for table in tables:
        data_files.create_view(reading, ALIAS, table)


def _attach_duckdb(reading: duckdb.DuckDBPyConnection, file: Path, key: str) -> None:
    try:
        reading.execute(f"attach {literal(str(file))} as {ALIAS} (read_only)")
    except duckdb.Error as error:
        advice = (
            "another process has it open for writing; try again when that is done"
            if is_locked(error)
            else f"see {key} in the policy file"
        )
        raise ConfigurationError(
            f"source {file}: cannot be read ({first_line(error)}); {advice}"
        ) from None


def _is_sqlite(file: Path) -> bool:
    with file.open("rb") as opened:
        return opened.read(len(_SQLITE_HEADER)) == _SQLITE_HEADER


def _attach_sqlite(reading: duckdb.DuckDBPyConnection, file: Path) -> None:
    load_extension(reading, "sqlite_scanner", extra="sqlite")
    # SQLite's columns hold what they like, whatever type they were given
    reading.execute("set sqlite_all_varchar = true")
    try:
        reading.execute(f"attach {literal(str(file))} as {ALIAS} (type sqlite, read_only)")
    except duckdb.Error as error:
        raise ConfigurationError(f"source {file}: cannot be read ({first_line(error)})") from None


def _attach_postgres(reading: duckdb.DuckDBPyConnection, source: Database, key: str) -> None:
    load_extension(reading, "postgres_scanner", extra="postgres")
    address = literal(source.address.get_secret_value())
    try:
        reading.execute(f"attach {address} as {ALIAS} (type postgres, read_only)")
    except duckdb.Error as error:
        raise ConfigurationError(
            f"source {source}: cannot be reached ({first_line(error)}); see {key} in the policy "
            "file"
        ) from None


def _attach_bucket(reading: duckdb.DuckDBPyConnection, source: Bucket, key: str) -> Readable:
    """A file whose ending tells its format is one table; all else is a folder.

    Each object is readable by its name: to DuckDB `prefix/../other` lies below the prefix, and
    what sends the request makes `other` of it.
    """
    reach_storage(reading, source.access, source.place)
    if table := data_files.table_of(source.place):
        _attach_tables(reading, [table])
        return Readable(files=[source.place])
    try:
        files = files_below(reading, source.place)
    except duckdb.Error as error:
        raise ConfigurationError(
            f"source {source}: cannot be reached ({first_line(error)}); see {key} in the policy "
            "file"
        ) from None
    readable = [place for file in files for place in _as_named(f"{source.place}/{'/'.join(file)}")]
    _attach_tables(reading, data_files.tables_among(source.place, str(source), files))
    return Readable(files=readable)


def _attach_lake(
    reading: duckdb.DuckDBPyConnection, source: Lake, own_file: Path | None, key: str
) -> Readable:
    """A DuckLake as it is now, whoever writes to it meanwhile: so its files are known.

    In object storage they are readable by their names, as those of a bucket are.
    """
    load_extension(reading, "ducklake", extra="ducklake")
    catalogue = source.catalogue
    if isinstance(catalogue, Database):
        load_extension(reading, "postgres_scanner", extra="postgres")
        address = f"ducklake:postgres:{catalogue.address.get_secret_value()}"
    elif catalogue.is_file():
        address = f"ducklake:{catalogue}"
    else:
        raise _missing(source, key)
    try:
        data_path = _attach_newest_state(reading, address)
        if data_path.startswith("s3://"):
            reach_storage(reading, source.access, data_path)
            return Readable(files=_files_of_lake(reading))
    except duckdb.Error as error:
        fault = first_line(error)
        if "creating a new DuckLake is explicitly disabled" in str(error):
            fault = "there is no DuckLake in it"
        raise ConfigurationError(
            f"source {source}: cannot be read ({fault}); see {key} in the policy file"
        ) from None
    if own_file is not None and own_file.is_relative_to(Path(data_path).resolve()):
        return Readable()
    return Readable(folders=_as_named(Path(data_path)))


def _attach_newest_state(reading: duckdb.DuckDBPyConnection, address: str) -> str:
    """Attach the newest state of a DuckLake; where its files are."""
    attaching = f"attach {literal(address)} as {ALIAS} (read_only, create_if_not_exists false"
    try:
        reading.execute(f"{attaching})")
    except duckdb.Error as error:
        if "httpfs" not in str(error):
            raise
        load_extension(reading, "httpfs", extra="s3")  # its files turn out to be in a bucket
        reading.execute(f"{attaching})")
    query = f"select id from ducklake_current_snapshot({literal(ALIAS)})"
    [(newest,)] = reading.execute(query).fetchall()
    reading.execute(f"detach {ALIAS}")
    reading.execute(f"{attaching}, snapshot_version {newest})")
    query = f"select value from ducklake_options({literal(ALIAS)}) where option_name = 'data_path'"
    [(data_path,)] = reading.execute(query).fetchall()
    return data_path


def _files_of_lake(reading: duckdb.DuckDBPyConnection) -> list[str]:
    """The files of all its tables, those that say what was deleted included."""
    files: list[str] = []
    tables = "select schema_name, table_name from duckdb_tables() where database_name = ?"
    for schema, table in reading.execute(tables, [ALIAS]).fetchall():
        names = ", ".join(map(literal, (ALIAS, table)))
        listed = f"ducklake_list_files({names}, schema => {literal(schema)})"
        found = reading.execute(f"select unnest([data_file, delete_file]) as file from {listed}")
        files += [file for (file,) in found.fetchall() if file]
    return files
