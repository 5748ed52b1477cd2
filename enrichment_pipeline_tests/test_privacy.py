"""Who may open the state: modes of what is made, of what was there before, and of published/."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from grp import getgrgid
from pathlib import Path

import duckdb
import pytest

from enrichment_pipeline.errors import ConfigurationError
from enrichment_pipeline.ledger.store import open_store
from enrichment_pipeline.privacy import owner_only, secure
from enrichment_pipeline.state import hold_run_lock, release_run_lock
from enrichment_pipeline.warehouse.connection import open_warehouse
from enrichment_pipeline_tests.support import open_to_others

GROUP = getgrgid(os.getegid()).gr_name


@pytest.fixture(autouse=True)
def _umask() -> Iterator[None]:
    """Everybody may do everything with what is made, unless it says otherwise."""
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def write(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A state folder as earlier versions left it."""
    home = tmp_path / "state"
    write(home / "runs" / "1.lock")
    write(home / "dagster" / "storage" / "1" / "compute_logs" / "x.err")
    write(home / "ledger.sqlite")
    snapshot = write(home / "published" / "snapshots" / "1" / "warehouse.duckdb").parent
    (home / "published" / "current").symlink_to(snapshot)
    return home


def test_what_lies_open_in_a_state_folder_is_closed(home: Path, tmp_path: Path) -> None:
    outside = write(tmp_path / "outside" / "file")
    (home / "link").symlink_to(outside)
    (home / "linked").symlink_to(outside.parent)
    assert len(open_to_others(home)) > 5
    secure(home, home / "published", "")
    assert open_to_others(home) == []
    assert mode(outside) == 0o666


def test_a_group_reads_what_is_published_and_nothing_else(home: Path) -> None:
    for _again in range(2):
        secure(home, home / "published", GROUP)
        assert mode(home) == 0o710
        assert mode(home / "published") == 0o750
        assert mode(home / "published" / "snapshots" / "1") == 0o750
        database = home / "published" / "snapshots" / "1" / "warehouse.duckdb"
        assert mode(database) == 0o440
        assert database.stat().st_gid == os.getegid()
        closed = [path for path in home.iterdir() if path.name != "published"]
        assert [each for path in closed for each in open_to_others(path)] == []


def test_without_a_group_nobody_reads_any_longer_what_one_could_read(home: Path) -> None:
    secure(home, home / "published", GROUP)
    secure(home, home / "published", "")
    assert open_to_others(home) == []


def test_a_group_that_does_not_exist_is_told(home: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"\[publish\] group: there is no group 'nix'"):
        secure(home, home / "published", "nix")


def test_a_group_that_may_not_be_given_is_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "chmod", refuse)
    with pytest.raises(ConfigurationError, match="a member of the group"):
        secure(home, home / "published", GROUP)


def test_a_folder_that_everybody_shares_is_no_state_folder(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    with pytest.raises(ConfigurationError, match="ENRICHMENT_HOME"):
        secure(tmp_path, tmp_path / "published", "")
    assert mode(tmp_path) == 0o1777


def test_stores_and_locks_are_made_for_their_owner_whatever_the_umask(tmp_path: Path) -> None:
    home = tmp_path / "state"
    store = open_store(f"sqlite:///{home / 'ledger.sqlite'}")
    with store.write(), open_warehouse(str(home / "warehouse.duckdb")) as connection:
        connection.execute("create table big as select * from range(10)")
        (home / "runs").mkdir()
        hold_run_lock(home, "run-1")
        made = {path.name for path in home.iterdir()}
        assert made >= {"ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm"}
        assert made >= {"warehouse.duckdb", "warehouse.duckdb.wal"}
        assert open_to_others(home) == []
    release_run_lock(home, "run-1")
    store.close()


def test_a_umask_of_the_process_returns_when_the_last_of_several_is_done() -> None:
    with owner_only():
        with owner_only():
            pass
        assert os.umask(0o077) == 0o077
    assert os.umask(0) == 0


def test_a_reader_of_the_group_cannot_open_the_published_file_for_writing(home: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root writes to everything")
    database = home / "published" / "snapshots" / "1" / "warehouse.duckdb"
    secure(home, home / "published", GROUP)
    with pytest.raises(duckdb.IOException):
        duckdb.connect(str(database))
