"""The published snapshot: replaced whole or not at all, and readable by anybody."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from enrichment_pipeline.warehouse import publish as publishing
from enrichment_pipeline.warehouse.publish import PUBLISHED_TABLES, publish
from enrichment_pipeline_tests.support import START
from enrichment_pipeline_tests.warehouse import ADA, BOB, DAY, VERIFIED, World, candidate

EXPECTED = ["warehouse.duckdb", *(f"{table}.parquet" for table in PUBLISHED_TABLES)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "published"


@pytest.fixture
def full(world: World) -> World:
    """A world with an enriched contact, one for review, and one that is waiting."""
    world.load([ADA, BOB, {"contact_id": "C3", "email": "c@it's.com"}])
    world.look_up("C1", candidate=VERIFIED)
    world.look_up("C2", candidate=candidate("Another Name"))
    world.derive()
    return world


def publish_at(world: World, folder: Path, run_id: str = "run-1") -> dict[str, int]:
    return publish(world.connection, folder, run_id=run_id, published_at=START)


def files(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def read(path: Path, query: str) -> list[tuple]:
    with duckdb.connect(str(path), read_only=True) as connection:
        connection.execute("set timezone = 'UTC'")
        return connection.execute(query).fetchall()


def test_the_snapshot_has_the_rows_of_the_warehouse(full: World, folder: Path) -> None:
    rows = publish_at(full, folder)
    assert rows == {"enriched_contacts": 1, "needs_review": 2, "contact_status": 3}
    assert files(folder) == sorted(EXPECTED)
    for table in PUBLISHED_TABLES:
        query = f"select * from enrichment.{table} order by all"
        assert read(folder / "warehouse.duckdb", query) == full.connection.execute(query).fetchall()


def test_it_says_which_state_it_is(full: World, folder: Path) -> None:
    publish_at(full, folder, run_id="run-9")
    query = "select published_at, run_id from enrichment.publication"
    assert read(folder / "warehouse.duckdb", query) == [(START, "run-9")]


def test_parquet_equals_duckdb(full: World, folder: Path) -> None:
    publish_at(full, folder)
    for table in PUBLISHED_TABLES:
        inside = f"select * from enrichment.{table}"
        beside = f"select * from read_parquet('{folder / table}.parquet')"
        path = folder / "warehouse.duckdb"
        assert read(path, beside) == read(path, inside) != []
        shapes = [
            [(name, kind.replace("JSON", "VARCHAR")) for name, kind, *_ in rows]
            for rows in (read(path, f"describe {inside}"), read(path, f"describe {beside}"))
        ]
        assert shapes[0] == shapes[1]


def test_every_table_and_column_carries_a_comment(full: World, folder: Path) -> None:
    publish_at(full, folder)
    path = folder / "warehouse.duckdb"
    tables = dict(read(path, "select table_name, comment from duckdb_tables()"))
    assert set(tables) == {*PUBLISHED_TABLES, "publication"}
    assert all(tables.values())
    columns = read(path, "select table_name, column_name, comment from duckdb_columns()")
    ours = [column for column in columns if column[0] in tables]
    assert [column for column in ours if not column[2]] == []
    assert len(ours) > 40


def test_the_file_is_not_named_like_a_schema_in_it(full: World, folder: Path) -> None:
    publish_at(full, folder)
    schemas = read(folder / "warehouse.duckdb", "select distinct schema_name from duckdb_tables()")
    assert {"enrichment"} == {schema for (schema,) in schemas}
    with duckdb.connect() as connection:  # as a BI tool does
        connection.execute(f"attach '{folder / 'warehouse.duckdb'}' (read_only)")
        connection.execute("use warehouse")
        assert connection.execute("select count(*) from enrichment.contact_status").fetchall()


def test_a_reader_of_the_old_snapshot_goes_on_reading_it(full: World, folder: Path) -> None:
    publish_at(full, folder)
    path = folder / "warehouse.duckdb"
    count = "select count(*) from enrichment.contact_status"
    with duckdb.connect(str(path), read_only=True) as reader:
        assert reader.execute(count).fetchall() == [(3,)]
        full.load([ADA])
        full.derive()
        publish_at(full, folder)
        assert reader.execute(count).fetchall() == [(3,)]
        assert len(reader.execute("select * from enrichment.enriched_contacts").fetchall()) == 1
    assert read(path, count) == [(1,)]


def test_publishing_again_replaces_the_snapshot(full: World, folder: Path) -> None:
    publish_at(full, folder, run_id="old")
    full.load([ADA, BOB])
    full.derive(at=START + DAY)
    assert publish_at(full, folder, run_id="new")["contact_status"] == 2
    assert files(folder) == sorted(EXPECTED)
    query = "select run_id from enrichment.publication"
    assert read(folder / "warehouse.duckdb", query) == [("new",)]
    assert len(read(folder / "warehouse.duckdb", "from enrichment.contact_status")) == 2


@pytest.mark.parametrize("step", ["row_count", "execute", "_write_parquet"])
def test_a_publish_that_fails_leaves_the_last_good_snapshot_and_nothing_else(
    full: World, folder: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    publish_at(full, folder, run_id="good")
    good = {name: (folder / name).read_bytes() for name in EXPECTED}
    full.load([ADA])
    full.derive()

    def fail(*_args: object, **_values: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(publishing, step, fail)
        with pytest.raises(OSError, match="No space left"):
            publish_at(full, folder, run_id="bad")
    assert {name: (folder / name).read_bytes() for name in files(folder)} == good

    publish_at(full, folder, run_id="after")
    query = "select run_id from enrichment.publication"
    assert read(folder / "warehouse.duckdb", query) == [("after",)]


def test_a_table_that_is_missing_fails_the_whole(full: World, folder: Path) -> None:
    publish_at(full, folder)
    good = {name: (folder / name).read_bytes() for name in EXPECTED}
    full.connection.execute("drop table enrichment.contact_status")
    with pytest.raises(duckdb.CatalogException):
        publish_at(full, folder)
    assert {name: (folder / name).read_bytes() for name in files(folder)} == good


def test_what_a_killed_publish_left_is_cleared_up(full: World, folder: Path) -> None:
    folder.mkdir()
    for name in (".draft-warehouse.duckdb", ".draft-warehouse.duckdb.wal", ".draft-4711.parquet"):
        (folder / name).write_text("half a file")
    publish_at(full, folder)
    assert files(folder) == sorted(EXPECTED)
