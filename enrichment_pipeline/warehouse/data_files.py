"""CSV, JSON Lines and Parquet as the tables of a source: which files are one table, and how read.

Here: the table that one file is, those that a folder holds, and DuckDB's functions that read them.
Not here: attaching them (`attaching.py`), and listing what is not on this machine
(`object_storage.py`).

Text stays text, so that no leading zero is lost: in CSV, in JSON, and in the names of hive
partitions (`region=07`).
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from enrichment_pipeline.errors import ConfigurationError
from enrichment_pipeline.warehouse.connection import first_line
from enrichment_pipeline.warehouse.statements import literal, quoted

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
    files: tuple[str, ...]
    place: str
    """The file or folder that it is."""
    is_folder: bool = False


def table_of(place: str) -> Table | None:
    """The table that one file is; None for another kind of file."""
    name = place.rpartition("/")[2]
    ending = next((each for each in _LONGEST_FIRST if name.lower().endswith(each)), None)
    if ending is None:
        return None
    return Table(name[: -len(ending)], _ENDINGS[ending], (place,), place)


def tables_in(folder: Path, *, without: Path | None = None) -> list[Table]:
    """The tables that a folder holds: each file, and each folder of files of one format.

    `without` is a file of our own: a folder in which it lies is no table. Raises
    ConfigurationError where two would have one name, and where there is none.
    """
    return tables_among(str(folder), str(folder), _files_in(folder, without))


def tables_among(place: str, label: str, files: Iterable[tuple[str, ...]]) -> list[Table]:
    """The tables that the files below a place are.

    Each file is the names of its folders below `place`, and its own; `label` is what may be shown
    of the place. Raises ConfigurationError as `tables_in` does.
    """
    entries: dict[tuple[str, bool], list[tuple[str, ...]]] = {}
    for names in sorted(files):
        if _is_of_a_table(names):
            entries.setdefault((names[0], len(names) > 1), []).append(names)
    tables: dict[str, Table] = {}
    for (name, is_folder), below in entries.items():
        paths = [f"{place}/{'/'.join(names)}" for names in below]
        table = _of_folder(f"{place}/{name}", paths) if is_folder else table_of(paths[0])
        if table is None:
            continue
        twin = tables.setdefault(table.name.lower(), table)
        if twin is not table:
            other = twin.place.rpartition("/")[2]
            raise ConfigurationError(
                f"source {label}: {other} and {name} would be one view; rename one"
            )
    if not tables:
        raise ConfigurationError(f"source {label}: holds no {NAMED} file")
    return list(tables.values())


def _of_folder(folder: str, files: Iterable[str]) -> Table | None:
    tables = [table for file in files if (table := table_of(file))]
    formats = {table.format for table in tables}
    if len(formats) != 1:
        return None
    name = folder.rpartition("/")[2]
    paths = tuple(table.place for table in tables)
    return Table(name, formats.pop(), paths, folder, is_folder=True)


def _files_in(folder: Path, without: Path | None) -> Iterator[tuple[str, ...]]:
    """The files of a folder, of its folders and of their hive partitions."""
    for entry in folder.iterdir():
        if not entry.is_dir():
            yield (entry.name,)
        elif not (without and without.is_relative_to(entry)):
            yield from ((entry.name, *names) for names in _partitioned(entry))


def _partitioned(folder: Path) -> Iterator[tuple[str, ...]]:
    for entry in folder.iterdir():
        if not entry.is_dir():
            yield (entry.name,)
        elif _is_partition(entry.name):
            yield from ((entry.name, *names) for names in _partitioned(entry))


def _is_of_a_table(names: Sequence[str]) -> bool:
    """Whether it lies in hive partitions at most; what a writer hides is part of no table."""
    is_hidden = any(name.startswith((".", "_")) for name in names)
    return not is_hidden and all(map(_is_partition, names[1:-1]))


def _is_partition(folder: str) -> bool:
    return "=" in folder


def create_view(reading: duckdb.DuckDBPyConnection, catalogue: str, table: Table) -> None:
    """Make the table a view of its name. Raises ConfigurationError for files that are none."""
    try:
        query = _query(reading, table)
        reading.execute(f"create view {catalogue}.{quoted(table.name)} as {query}")
    except duckdb.Error as error:
        advice = ""
        if not isinstance(error, duckdb.HTTPException):
            advice = (
                "; it must be UTF-8 text with a header and the same columns in every line, an "
                "object in every line, or Parquet"
            )
        raise ConfigurationError(
            f"source {table.place}: cannot be read ({first_line(error)}){advice}"
        ) from None


def _query(reading: duckdb.DuckDBPyConnection, table: Table) -> str:
    files = f"[{', '.join(literal(without_patterns(file)) for file in table.files)}]"
    options: dict[str, str] = {}
    if table.is_folder:
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


def _told(options: Mapping[str, str]) -> str:
    return "".join(f", {name} = {value}" for name, value in options.items())


def without_patterns(path: str) -> str:
    """A path as DuckDB's functions take it: its name is no pattern, whatever is in it."""
    return re.sub(r"([*?\[])", r"[\1]", path)
