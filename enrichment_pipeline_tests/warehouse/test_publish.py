"""The published snapshot: replaced whole or not at all, and readable by anybody."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import duckdb
import pandas as pd
import pytest
import sqlalchemy as sa

from benchmarks.reader import VIEWS
from enrichment_pipeline.published_names import KEYS
from enrichment_pipeline.warehouse import publish as publishing
from enrichment_pipeline.warehouse.publish import (
    KEPT_SNAPSHOTS,
    PUBLISHED_TABLES,
    publish,
    record_changes,
)
from enrichment_pipeline_tests.support import START
from enrichment_pipeline_tests.warehouse import ADA, BOB, DAY, World
from enrichment_pipeline_tests.warehouse.conftest import small_world
from enrichment_pipeline_tests.warehouse.prepared import prepared_after

RELATIONS = (*PUBLISHED_TABLES, "publication", *VIEWS)
EXPECTED = ["warehouse.duckdb", *(f"{relation}.parquet" for relation in RELATIONS)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "published"


@prepared_after(small_world)
def full(world: World) -> None:
    """The small world, with an address that was verified."""
    world.verify("ada@acme.com", "fine")


def publish_at(world: World, folder: Path, run_id: str = "run-1") -> dict[str, int]:
    record_changes(world.connection, run_id=run_id, changed_at=START)
    return publish(world.connection, folder, run_id=run_id, published_at=START)


def files(folder: Path) -> list[str]:
    """The files that readers open."""
    return sorted(file.name for file in folder.iterdir() if file.is_file())


def snapshots(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "snapshots").iterdir())


def contents_of(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in files(folder)}


def read(path: Path, query: str) -> list[tuple]:
    with duckdb.connect(str(path), read_only=True) as connection:
        connection.execute("set timezone = 'UTC'")
        return connection.execute(query).fetchall()


def test_the_snapshot_has_the_rows_of_the_warehouse(full: World, folder: Path) -> None:
    rows = publish_at(full, folder)
    assert rows == {
        "enriched_contacts": 1,
        "needs_review": 2,
        "contact_status": 3,
        "lookups": 2,
        "accounts": 1,
        "contact_changes": 6,
        "person_facts": 6,
        "verifications": 1,
        "bounces": 0,
        "providers": 1,
    }
    assert files(folder) == sorted(EXPECTED)
    for relation in (*PUBLISHED_TABLES, *VIEWS):
        query = f"select * from enrichment.{relation} order by all"
        assert read(folder / "warehouse.duckdb", query) == full.connection.execute(query).fetchall()


def test_the_list_of_published_names_is_complete() -> None:
    assert sorted(KEYS) == sorted(RELATIONS)


def test_it_says_which_state_it_is(full: World, folder: Path) -> None:
    publish_at(full, folder, run_id="run-9")
    query = "select published_at, run_id from enrichment.publication"
    assert read(folder / "warehouse.duckdb", query) == [(START, "run-9")]


def test_parquet_equals_duckdb(full: World, folder: Path) -> None:
    publish_at(full, folder)
    for relation in RELATIONS:
        inside = f"select * from enrichment.{relation}"
        beside = f"select * from read_parquet('{folder / relation}.parquet')"
        path = folder / "warehouse.duckdb"
        assert read(path, beside) == read(path, inside)
        assert read(path, inside) != [] or relation == "bounces"  # no mail came back here
        shapes = [
            [(name, kind.replace("JSON", "VARCHAR")) for name, kind, *_ in rows]
            for rows in (read(path, f"describe {inside}"), read(path, f"describe {beside}"))
        ]
        assert shapes[0] == shapes[1]


def test_every_table_and_column_carries_a_comment(full: World, folder: Path) -> None:
    publish_at(full, folder)
    path = folder / "warehouse.duckdb"
    tables = dict(read(path, "select table_name, comment from duckdb_tables()"))
    views = dict(
        read(path, "select view_name, comment from duckdb_views() where schema_name = 'enrichment'")
    )
    assert (set(tables), set(views)) == ({*PUBLISHED_TABLES, "publication"}, set(VIEWS))
    assert all(tables.values())
    assert all(views.values())
    columns = read(path, "select table_name, column_name, comment from duckdb_columns()")
    ours = [column for column in columns if column[0] in RELATIONS]
    assert [column for column in ours if not column[2]] == []
    assert {column[0] for column in ours} == set(RELATIONS)


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


def test_a_publish_that_fails_leaves_the_last_good_snapshot_and_nothing_else(
    full: World, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_at(full, folder, run_id="good")
    good = contents_of(folder)
    full.load([ADA])
    full.derive()

    def fail(*_args: object, **_values: object) -> None:
        raise OSError(28, "No space left on device")

    steps = ("_copy_tables", "execute", "_comment_tables", "_write_parquet", "row_count", "_link")
    for step in steps:
        with monkeypatch.context() as broken:
            broken.setattr(publishing, step, fail)
            with pytest.raises(OSError, match="No space left"):
                publish_at(full, folder, run_id="bad")
        assert not [*folder.rglob(".draft-*")], step
        assert contents_of(folder) == good != {}, step

    publish_at(full, folder, run_id="after")
    query = "select run_id from enrichment.publication"
    assert read(folder / "warehouse.duckdb", query) == [("after",)]


def test_a_table_that_is_missing_fails_the_whole(full: World, folder: Path) -> None:
    publish_at(full, folder)
    good = contents_of(folder)
    full.connection.execute("drop table enrichment.contact_status")
    with pytest.raises(duckdb.CatalogException):
        publish_at(full, folder)
    assert contents_of(folder) == good != {}


def test_what_a_killed_publish_left_is_cleared_up(full: World, folder: Path) -> None:
    half = folder / "snapshots" / ".draft-20260101T000000Z-4711"
    half.mkdir(parents=True)
    for path in (half / "warehouse.duckdb", half / "warehouse.duckdb.wal"):
        path.write_text("half a file")
    (folder / ".draft-current").symlink_to(half)
    publish_at(full, folder)
    assert files(folder) == sorted(EXPECTED)
    assert len(snapshots(folder)) == 1


def test_one_link_is_replaced_and_every_file_with_it(full: World, folder: Path) -> None:
    publish_at(full, folder, run_id="old")
    old = (folder / "current").resolve()
    links = {name: (folder / name).lstat().st_ino for name in files(folder)}
    publish_at(full, folder, run_id="new")
    assert (folder / "current").resolve() != old
    assert {name: (folder / name).lstat().st_ino for name in files(folder)} == links
    for name in files(folder):
        assert (folder / name).resolve().parent == (folder / "current").resolve()
    # whoever has looked up the folder reads on in it, file after file
    assert pd.read_parquet(old / "publication.parquet")["run_id"].tolist() == ["old"]


def test_there_is_a_whole_state_to_read_while_links_are_made(
    full: World, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_at(full, folder, run_id="old")
    seen = []

    def look_first(link: Path, target: Path) -> None:
        # what a reader finds at the moment at which one who removes before he makes has removed
        seen.append({name for name in EXPECTED if (folder / name).exists()})
        symlink(link, target)

    symlink = Path.symlink_to
    monkeypatch.setattr(Path, "symlink_to", look_first)
    publish_at(full, folder, run_id="new")
    assert seen == [set(EXPECTED)]


def test_only_the_newest_snapshots_are_kept(full: World, folder: Path) -> None:
    for number in range(KEPT_SNAPSHOTS + 2):
        publish_at(full, folder, run_id=f"run-{number}")
    assert len(snapshots(folder)) == KEPT_SNAPSHOTS
    assert (folder / "current").resolve().name in snapshots(folder)


def test_files_of_a_version_that_knew_no_links_are_replaced(full: World, folder: Path) -> None:
    folder.mkdir()
    for name in ("warehouse.duckdb", "contact_status.parquet"):
        (folder / name).write_text("an earlier version's")
    publish_at(full, folder, run_id="new")
    query = "select run_id from enrichment.publication"
    assert read(folder / "warehouse.duckdb", query) == [("new",)]
    assert len(pd.read_parquet(folder / "contact_status.parquet")) == 3


def test_a_copy_of_the_folder_that_followed_the_links_is_published_to(
    full: World, folder: Path, tmp_path: Path
) -> None:
    publish_at(full, folder, run_id="old")
    copied = tmp_path / "copied"
    shutil.copytree(folder, copied)
    publish_at(full, copied, run_id="new")
    assert pd.read_parquet(copied / "publication.parquet")["run_id"].tolist() == ["new"]
    assert pd.read_parquet(folder / "publication.parquet")["run_id"].tolist() == ["old"]


def test_a_parquet_file_says_itself_which_state_it_is(full: World, folder: Path) -> None:
    publish_at(full, folder, run_id="run-9")
    for relation in RELATIONS:
        path = folder / f"{relation}.parquet"
        pairs = read(
            folder / "warehouse.duckdb",
            f"select decode(key), decode(value) from parquet_kv_metadata('{path}')",
        )
        state = dict(pairs)
        assert state["published_at"] == START.isoformat()
        assert state["run_id"] == "run-9"
        assert state["comment"]


def test_a_bi_tool_reads_it_through_sqlalchemy(full: World, folder: Path) -> None:
    publish_at(full, folder)
    engine = sa.create_engine(
        f"duckdb:///{folder / 'warehouse.duckdb'}", connect_args={"read_only": True}
    )
    try:
        seen = sa.inspect(engine)
        assert set(VIEWS) <= set(seen.get_view_names(schema="enrichment"))
        with engine.connect() as connection:
            query = sa.text("select sum(contacts) from enrichment.coverage_by_priority")
            assert connection.execute(query).scalar_one() == 3
    finally:
        engine.dispose()


def test_a_warehouse_without_contacts_is_published_whole(world: World, folder: Path) -> None:
    world.load([], [])
    world.derive()
    publish_at(world, folder)
    coverage = pd.read_parquet(folder / "coverage_by_priority.parquet")
    assert coverage["priority"].tolist() == ["strategic", "target", "standard", "bulk"]
    assert coverage["contacts"].tolist() == [0, 0, 0, 0]
    for relation in ("coverage_by_account", "spend_by_day", "refresh_debt", "provider_scorecard"):
        assert pd.read_parquet(folder / f"{relation}.parquet").empty


def test_all_of_a_snapshot_is_on_the_disk_before_a_link_leads_to_it(
    full: World, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: set[int] = set()
    flush, link = os.fsync, publishing._link

    def flush_and_note(handle: int) -> None:
        flush(handle)
        flushed.add(os.fstat(handle).st_ino)

    def link_if_flushed(path: Path, target: Path) -> None:
        if path.name == "current":
            written = [folder / target, *(folder / target).iterdir()]
            assert {each.stat().st_ino for each in written} <= flushed
            assert len(written) == 1 + len(EXPECTED)
        link(path, target)

    monkeypatch.setattr(os, "fsync", flush_and_note)
    monkeypatch.setattr(publishing, "_link", link_if_flushed)
    publish_at(full, folder)
    assert files(folder) == sorted(EXPECTED)
