"""CSV, JSON Lines and Parquet as the tables of a source: which files are one table, and how read.

Here: the table that one file is, those that a folder holds, and DuckDB's functions that read them.
Not here: attaching them, and what they may be read for (`attached_source.py`).

Text stays text, so that no leading zero is lost: in CSV, in JSON, and in the names of hive
partitions (`region=07`).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb

from enrichment_pipeline.errors import ConfigurationError
from enrichment_pipeline.warehouse.connection import first_line
from enrichment_pipeline.warehouse.statements import literal

_ENDINGS = {
    ".csv": "csv",
    ".csv.gz": "csv",
    ".jsonl": "json",
    ".jsonl.gz": "json",
    ".ndjson": "json",
    ".ndjson.gz": "json",
    ".parquet": "parquet",
}
"""Each file's format, by how its name ends."""
_LONGEST_FIRST = sorted(_ENDINGS, key=len, reverse=True)
NAMED = "CSV, JSON Lines or Parquet"


@dataclass(frozen=True)
class Table:
    """The files of one format that are one table; those of a folder are its hive partitions."""

    name: str
    format: str
    files: tuple[Path, ...]
    place: Path
    """The file or folder that it is."""


def table_of(file: Path) -> Table | None:
    """The table that one file is; None for another kind of file."""
    ending = next((each for each in _LONGEST_FIRST if file.name.lower().endswith(each)), None)
    if ending is None:
        return None
    return Table(file.name[: -len(ending)], _ENDINGS[ending], (file,), file)


def tables_in(folder: Path, *, without: Path | None = None) -> list[Table]:
    """The tables that a folder holds: each file, and each folder of files of one format.

    `without` is a file of our own: a folder in which it lies is no table. Raises
    ConfigurationError where two would have one name, and where there is none.
    """
    tables: dict[str, Table] = {}
    for entry in sorted(folder.iterdir()):
        if entry.is_dir():
            table = None if without and without.is_relative_to(entry) else _of_folder(entry)
        else:
            table = table_of(entry)
        if table is None:
            continue
        twin = tables.setdefault(table.name.lower(), table)
        if twin is not table:
            raise ConfigurationError(
                f"source {folder}: {twin.place.name} and {entry.name} would be one view; rename one"
            )
    if not tables:
        raise ConfigurationError(f"source {folder}: holds no {NAMED} file")
    return list(tables.values())


def _of_folder(folder: Path) -> Table | None:
    files = [table for file in _partitioned(folder) if (table := table_of(file))]
    formats = {table.format for table in files}
    if len(formats) != 1:
        return None
    return Table(folder.name, formats.pop(), tuple(table.place for table in files), folder)


def _partitioned(folder: Path) -> Iterator[Path]:
    """The files of a folder and of its hive partitions; what a writer hides is none of them."""
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith((".", "_")):
            continue
        if not entry.is_dir():
            yield entry
        elif "=" in entry.name:
            yield from _partitioned(entry)


def create_view(reading: duckdb.DuckDBPyConnection, catalogue: str, table: Table) -> None:
    """Make the table a view of its name. Raises ConfigurationError for files that are none."""
    try:
        query = _query(reading, table)
        reading.execute(f"create view {catalogue}.{quoted(table.name)} as {query}")
    except duckdb.Error as error:
        raise ConfigurationError(
            f"source {table.place}: cannot be read ({first_line(error)}); it must be UTF-8 text "
            "with a header and the same columns in every line, an object in every line, or Parquet"
        ) from None


def _query(reading: duckdb.DuckDBPyConnection, table: Table) -> str:
    files = f"[{', '.join(literal(without_patterns(file)) for file in table.files)}]"
    options: dict[str, str] = {}
    if table.place.is_dir():
        options = {
            "hive_partitioning": "true",
            "hive_types_autocast": "false",
            "union_by_name": "true",
        }
    if table.format == "csv":
        return f"select * from read_csv({files}{_told({'all_varchar': 'true'} | options)})"
    if table.format == "parquet":
        return f"select * from read_parquet({files}{_told(options)})"
    return _json_query(reading, files, options)


def _json_query(reading: duckdb.DuckDBPyConnection, files: str, options: Mapping[str, str]) -> str:
    """Objects a line, each of their fields as text."""
    options = {**options, "format": "'newline_delimited'", "maximum_depth": "1"}
    # all lines are looked at, but once: a field may stand in a late one only
    looked = f"describe select * from read_json({files}{_told(options | {'sample_size': '-1'})})"
    types = {name: kind for name, kind, *_ in reading.execute(looked).fetchall()}
    fields = [name for name, kind in types.items() if kind == "JSON"]
    given = ", ".join(f"{literal(name)}: 'JSON'" for name in fields)
    shown = ", ".join(
        f"json_extract_string({quoted(name)}, '$') as {quoted(name)}"
        if name in fields
        else quoted(name)
        for name in types
    )
    return f"select {shown} from read_json({files}{_told(options | {'columns': f'{{{given}}}'})})"


def quoted(name: str) -> str:
    """A name as SQL takes it, whatever is in it."""
    return '"' + name.replace('"', '""') + '"'


def _told(options: Mapping[str, str]) -> str:
    return "".join(f", {name} = {value}" for name, value in options.items())


def without_patterns(path: Path) -> str:
    """A path as DuckDB's functions take it: its name is no pattern, whatever is in it."""
    return re.sub(r"([*?\[])", r"[\1]", str(path))
