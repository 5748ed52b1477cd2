"""What is damaged or has no room is told in one line: what can be made again from it, and how.

Here: the warehouse, Dagster's databases and a full disk. Not here: a ledger that is an older copy
(`test_rollback.py`).
"""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from enrichment_pipeline.cli.dagster_home import refuse_damage
from enrichment_pipeline.errors import PipelineError, is_disk_full, redact_unexpected_errors
from enrichment_pipeline.warehouse.connection import open_warehouse
from enrichment_pipeline_tests.cli.conftest import Command, Said


def assert_told(said: Said, *words: str) -> None:
    assert said.status == 1, said
    assert said.err.startswith("error: "), said.err
    assert said.err.count("\n") == 1, said.err
    for word in words:
        assert word in said.err, said.err


def damage(path: Path, how: str) -> None:
    data = bytearray(path.read_bytes())
    size = len(data)
    if how == "cut in half":
        del data[size // 2 :]
    elif how == "overwritten":
        data[size // 4 :] = b"\xff" * (size - size // 4)
    elif how == "empty":
        data.clear()
    path.write_bytes(data)


@pytest.mark.parametrize("how", ["cut in half", "overwritten", "empty"])
def test_however_a_warehouse_is_damaged_it_is_told(tmp_path: Path, how: str) -> None:
    path = tmp_path / "warehouse.duckdb"
    with open_warehouse(str(path)) as connection:
        connection.execute("create table numbers as select random() as number from range(500_000)")
    damage(path, how)
    with (
        pytest.raises(PipelineError, match=r"is damaged .* derives it again from the ledger"),
        open_warehouse(str(path)) as connection,
    ):
        connection.execute("select sum(number) from numbers")


def test_a_damaged_warehouse_is_told_with_what_can_be_derived_again(
    ours: Command, tmp_path: Path
) -> None:
    warehouse = tmp_path / "state" / "warehouse.duckdb"
    damage(warehouse, "overwritten")
    told = (str(warehouse), "is damaged", "derives it again from the ledger", "restore")
    assert_told(ours("plan"), *told)
    assert_told(ours("backup", str(tmp_path / "b")), *told)
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize("how", ["cut in half", "overwritten"])
def test_however_a_database_of_dagsters_is_damaged_it_is_told(tmp_path: Path, how: str) -> None:
    database = tmp_path / "history" / "runs.db"
    database.parent.mkdir()
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("create table runs as select randomblob(100000) as run")
        connection.commit()
    refuse_damage(tmp_path)  # there is none yet
    damage(database, how)
    with pytest.raises(PipelineError, match="record of runs is damaged"):
        refuse_damage(tmp_path)


@pytest.mark.parametrize(
    ("name", "how"),
    [("history/runs.db", "cut in half"), ("history/runs/index.db", "overwritten")],
    ids=["when it is opened", "in the middle of a run"],
)
def test_a_damaged_database_of_dagsters_is_told_by_a_run(
    ours: Command, tmp_path: Path, name: str, how: str
) -> None:
    database = tmp_path / "state" / "dagster" / name
    damage(database, how)
    assert_told(ours("run"), str(database), "nothing that was paid for", "the next run makes a new")


def test_a_disk_that_is_full_during_a_plan_is_told(
    ours: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_arguments: object, **_options: object) -> None:
        with closing(sqlite3.connect(":memory:")) as connection:
            connection.execute("pragma max_page_count = 1")
            connection.execute("create table contacts (email text)")

    monkeypatch.setattr("enrichment_pipeline.steps.plan.load_contacts", full)
    assert_told(ours("plan"), "is full", "derives the tables from it again", "Make room")


def test_a_state_folder_on_a_full_disk_is_no_mistake_in_the_configuration(
    ours: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(tmp_path / "state")

    def full(_path: Path, *_arguments: object, **_options: object) -> None:
        with Path("/dev/full").open("wb", buffering=0) as device:
            device.write(b"x")

    monkeypatch.setattr(Path, "write_text", full)
    assert_told(ours("plan"), "is full")


@pytest.mark.parametrize(
    ("error", "is_full"),
    [
        (OSError(28, "No space left on device"), True),
        (OSError(122, "Disk quota exceeded"), True),
        (sqlite3.OperationalError("database or disk is full"), True),
        (OSError(13, "Permission denied"), False),
        (ValueError("ada@acme.com"), False),
    ],
)
def test_a_full_disk_is_known_by_each_ones_words(error: Exception, is_full: bool) -> None:
    assert is_disk_full(error) == is_full

    @redact_unexpected_errors
    def step() -> None:
        raise error

    with pytest.raises(PipelineError) as caught:
        step()
    assert ("is full" in str(caught.value)) == is_full
