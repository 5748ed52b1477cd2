"""CSV, JSON Lines and Parquet as the tables of a source."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from enrichment_pipeline.errors import ConfigurationError
from enrichment_pipeline.warehouse.attached_source import attached_source
from enrichment_pipeline.warehouse.source_sql import Reading

CSV = "contact_id,full_name\n007,Ada Example\n"
JSON_LINES = (
    '{"contact_id": "007", "full_name": "Ada Example", "size": 5.5, "tags": ["a"]}\n'
    '{"contact_id": "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "joined": "2024-01-01"}\n'
)


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)
    return path


def write_parquet(path: Path, query: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as connection:
        connection.execute(f"copy ({query}) to '{path}' (format parquet)")


@contextmanager
def source(path: Path) -> Iterator[Reading]:
    with attached_source(path) as reading:
        yield reading


def rows(path: Path, query: str = "from contacts order by all") -> list[tuple[object, ...]]:
    with source(path) as reading:
        return reading.execute(query).fetchall()


def views(path: Path) -> list[str]:
    with source(path) as reading:
        query = "select view_name from duckdb_views() where not internal and not temporary"
        return sorted(name for (name,) in reading.execute(query).fetchall())


@pytest.mark.parametrize("name", ["contacts.csv", "contacts.csv.gz", "Contacts.CSV"])
def test_a_csv_file_is_a_view_named_by_its_stem_and_its_text_stays_text(
    tmp_path: Path, name: str
) -> None:
    file = write(tmp_path / name, CSV)
    assert rows(tmp_path) == rows(file) == [("007", "Ada Example")]


@pytest.mark.parametrize(
    "name", ["contacts.jsonl", "contacts.jsonl.gz", "contacts.ndjson", "contacts.ndjson.gz"]
)
def test_each_field_of_json_lines_is_a_column_of_text(tmp_path: Path, name: str) -> None:
    file = write(tmp_path / name, JSON_LINES)
    query = "select contact_id, full_name, size, tags, joined from contacts order by contact_id"
    told = [
        ("007", "Ada Example", "5.5", '["a"]', None),
        # not the lower-case form that a UUID's type would make of it
        ("A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", None, None, None, "2024-01-01"),
    ]
    assert rows(tmp_path, query) == rows(file, query) == told


def test_a_field_that_only_a_late_line_has_is_a_column(tmp_path: Path) -> None:
    lines = [f'{{"contact_id": "{n}"}}\n' for n in range(30_000)]
    write(tmp_path / "contacts.jsonl", "".join([*lines, '{"contact_id": "x", "email": "e"}\n']))
    assert rows(tmp_path, "select email from contacts where contact_id = 'x'") == [("e",)]


def test_hive_partitions_are_one_view_with_the_parts_of_their_names_as_text(
    tmp_path: Path,
) -> None:
    lake = tmp_path / "lake"
    write(lake / "contacts" / "region=07" / "year=2026" / "a.csv", "contact_id\n1\n")
    write(lake / "contacts" / "region=DE" / "year=2026" / "b.csv", "contact_id,email\n2,e\n")
    write(lake / "accounts" / "region=07" / "a.jsonl", '{"account_id": "01"}\n')
    write_parquet(lake / "leads" / "region=07" / "a.parquet", "select '01' as contact_id")
    query = "select contact_id, email, region, year from contacts order by 1"
    assert rows(lake, query) == [("1", None, "07", "2026"), ("2", "e", "DE", "2026")]
    assert rows(lake, "select account_id, region from accounts") == [("01", "07")]
    assert rows(lake, "select contact_id, region from leads") == [("01", "07")]


def test_a_folder_as_a_writer_leaves_it_is_one_view(tmp_path: Path) -> None:
    for number in range(2):
        write_parquet(tmp_path / "contacts" / f"part-{number}.parquet", f"select {number} as n")
    write(tmp_path / "contacts" / "_SUCCESS", "")
    write_parquet(tmp_path / "contacts" / "_temporary" / "x.parquet", "select 7 as n")
    write_parquet(tmp_path / "contacts" / ".part-2.parquet", "select 8 as n")
    assert rows(tmp_path) == [(0,), (1,)]


def test_folders_of_other_things_are_no_views(tmp_path: Path) -> None:
    write(tmp_path / "contacts.csv", CSV)
    write(tmp_path / "archive" / "a.csv", CSV)
    write(tmp_path / "archive" / "b.jsonl", JSON_LINES)
    write(tmp_path / "notes" / "a.txt", "")
    write(tmp_path / "deep" / "deeper" / "a.csv", CSV)
    assert views(tmp_path) == ["contacts"]


def test_the_folder_of_our_own_state_is_no_view(tmp_path: Path) -> None:
    write(tmp_path / "contacts.csv", CSV)
    write(tmp_path / "state" / "old.csv", CSV)
    with (
        duckdb.connect(str(tmp_path / "state" / "warehouse.duckdb")) as warehouse,
        attached_source(tmp_path, warehouse=warehouse) as reading,
    ):
        assert reading.execute("from contacts").fetchall()
        with pytest.raises(duckdb.CatalogException):
            reading.execute("from state")


@pytest.mark.parametrize("name", ["we[i]rd*?'s.csv", 'a "b".jsonl'])
def test_no_name_is_a_pattern(tmp_path: Path, name: str) -> None:
    file = write(tmp_path / name, CSV if name.endswith("csv") else JSON_LINES)
    view = name.rpartition(".")[0].replace('"', '""')
    assert rows(tmp_path, f'select contact_id from "{view}" limit 1') == [("007",)]
    assert rows(file, f'select contact_id from "{view}" limit 1') == [("007",)]


def test_a_file_may_read_nothing_beside_it(tmp_path: Path) -> None:
    file = write(tmp_path / "contacts.csv", CSV)
    secret = write(tmp_path / "secret.csv", CSV)
    with source(file) as reading, pytest.raises(duckdb.PermissionException):
        reading.execute(f"from read_csv('{secret}')")


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["contacts.csv", "contacts.csv.gz"], "contacts.csv and contacts.csv.gz would be one view"),
        (["contacts.jsonl", "contacts/a.csv"], "contacts and contacts.jsonl would be one view"),
    ],
)
def test_two_that_would_be_one_view_are_refused(
    tmp_path: Path, names: list[str], words: str
) -> None:
    for name in names:
        write(tmp_path / name, CSV)
    with pytest.raises(ConfigurationError, match=re.escape(words)), source(tmp_path):
        pass


@pytest.mark.parametrize("text", ["{not json}\n", '{"contact_id": "Ada Secret"\n'])
def test_json_lines_that_are_none_are_refused_without_their_values(
    tmp_path: Path, text: str
) -> None:
    file = write(tmp_path / "contacts.jsonl", text)
    with pytest.raises(ConfigurationError, match=r"contacts\.jsonl: cannot be read") as caught:
        rows(file)
    assert "Secret" not in str(caught.value)
    assert "\n" not in str(caught.value)
