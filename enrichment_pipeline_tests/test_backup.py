"""Copies of a state folder, made while others work in it, and put back.

Here: what a copy holds, what is refused, and what a kill in the middle leaves. Not here: a ledger
that is older than what lies beside it (`test_rollback.py`).
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from enrichment_pipeline import backup
from enrichment_pipeline.backup import LEDGER, WAREHOUSE, Restored, back_up, restore
from enrichment_pipeline.corrections import Corrections
from enrichment_pipeline.errors import ConfigurationError, PipelineError
from enrichment_pipeline.ledger.copying import copy_from_file, copy_to_file
from enrichment_pipeline.ledger.schema import head, metadata
from enrichment_pipeline.ledger.store import LedgerStore, open_store
from enrichment_pipeline.rollback import RolledBack
from enrichment_pipeline.run import Run
from enrichment_pipeline.state import hold_run_lock, release_run_lock
from enrichment_pipeline_tests.bought import HALF, Bought
from enrichment_pipeline_tests.databases import new_postgres
from enrichment_pipeline_tests.defs.job import execute
from enrichment_pipeline_tests.end_to_end.world import LOOKUPS, contents, ledger_rows
from enrichment_pipeline_tests.ledger import STATES, Ledger, bring_to, candidate, limits_of, send
from enrichment_pipeline_tests.support import MovingClock, open_to_others


def quiet(_line: str) -> None:
    pass


def put_back(bought: Bought, copy: Path) -> Restored:
    return restore(bought.settings, copy, quiet)


def all_rows(store: LedgerStore) -> dict[str, list[tuple[object, ...]]]:
    with store.read() as connection:
        return {
            table.name: sorted(
                (tuple(row) for row in connection.execute(sa.select(table))), key=repr
            )
            for table in metadata.sorted_tables
        }


# --- the ledger's file ------------------------------------------------------------------------


def a_run_that_fails_before_it_publishes(bought: Bought) -> None:
    bought.change_policy(source={"contacts": "select * from nowhere"})
    assert not execute(bought.settings, assets=["contacts"], tags={}).success


def a_replay(bought: Bought) -> None:
    Corrections(bought.settings).replay(Run("replay", datetime.now(UTC)), is_applied=False)


def an_undo(bought: Bought) -> None:
    [(run_id,)] = ledger_rows(bought.home, "select run_id from lookups limit 1")
    run = Run("undo", datetime.now(UTC))
    Corrections(bought.settings).undo(run, run_id, undone_by="Eva", is_applied=False)


def test_the_whole_ledger_is_in_its_file_after_any_work_while_the_receiver_has_it_open(
    bought: Bought, tmp_path: Path
) -> None:
    receiver = open_store(bought.settings.ledger_url.get_secret_value())
    ledger = Ledger(receiver, "signalhire", limits_of(), MovingClock())
    for work in (a_replay, an_undo, a_run_that_fails_before_it_publishes):
        ledger.suppressions.add({f"email:{work.__name__}"})  # its connection stays open
        assert (bought.home / f"{LEDGER}-wal").stat().st_size > 0
        work(bought)
        shutil.copy(bought.home / LEDGER, tmp_path / "plain_copy.sqlite")
        with closing(sqlite3.connect(tmp_path / "plain_copy.sqlite")) as connection:
            found = connection.execute("select identifier from suppressions").fetchall()
        assert (f"email:{work.__name__}",) in found
    assert receiver.revision() > 0
    receiver.close()


def test_moving_the_log_into_the_file_breaks_no_one_who_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("enrichment_pipeline.ledger.store.CHECKPOINT_SECONDS", 0)
    url = f"sqlite:///{tmp_path / LEDGER}"
    one, another = open_store(url), open_store(url)
    with another.write() as transaction:
        one.checkpoint()
        transaction.connection.execute(sa.update(head).values(revision=41))
    one.checkpoint()
    with one.write() as transaction:
        assert transaction.revision == 42
    one.close()
    another.close()


# --- a copy -----------------------------------------------------------------------------------


def test_a_copy_is_a_state_folder_for_its_owner_alone(bought: Bought) -> None:
    names = {path.name for path in bought.copy.iterdir()}
    assert names == {LEDGER, WAREHOUSE, "stamp.json"}
    assert open_to_others(bought.copy) == []
    assert ledger_rows(bought.copy, "select count(*) from lookups") == [(HALF,)]


def test_a_copy_says_what_it_left_out(bought: Bought, tmp_path: Path) -> None:
    (bought.home / "spilled").mkdir()
    (bought.home / "spilled" / "b1.reply").write_bytes(b"{}\n[]")
    (bought.home / "notes.txt").write_text("mine")
    copied = back_up(bought.settings, tmp_path / "b", quiet)
    assert copied.lookups == LOOKUPS
    assert copied.sizes.keys() == {LEDGER, WAREHOUSE, "stamp.json", "spilled"}
    assert (tmp_path / "b" / "spilled" / "b1.reply").read_bytes() == b"{}\n[]"
    left_out = ", ".join(copied.left_out)
    for name in ("published (the next run publishes it again)", "notes.txt", "the source"):
        assert name in left_out


def test_the_ledger_of_a_copy_never_lacks_what_its_warehouse_has(
    bought: Bought, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look-up that is made between the two copies is in the later one: the ledger's."""
    copy_warehouse = backup.copy_warehouse

    def then_buy_one_more(*arguments: object) -> None:
        copy_warehouse(*arguments)  # ty: ignore[invalid-argument-type]
        store = open_store(bought.settings.ledger_url.get_secret_value())
        send(Ledger(store, "signalhire", limits_of(), MovingClock()), candidate("late"))
        store.close()

    monkeypatch.setattr(backup, "copy_warehouse", then_buy_one_more)
    back_up(bought.settings, tmp_path / "b", quiet)
    monkeypatch.undo()
    assert ledger_rows(tmp_path / "b", "select count(*) from lookups") == [(LOOKUPS + 1,)]
    assert len(contents(tmp_path / "b")["raw.lookups"]) == LOOKUPS


def test_a_copy_waits_for_a_writer_and_says_so(
    bought: Bought, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from enrichment_pipeline_tests.warehouse.test_connection import held_by_another_process

    monkeypatch.setattr("enrichment_pipeline.warehouse.file_copy.LOCK_WAIT_SECONDS", 0.2)
    said: list[str] = []
    with (
        held_by_another_process(Path(bought.settings.warehouse_url)),
        pytest.raises(PipelineError, match="in use by another process"),
    ):
        back_up(bought.settings, tmp_path / "b", said.append)
    assert "waiting up to" in said[0]
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize("where", ["a file", "a full folder", "the state folder"])
def test_a_folder_that_cannot_take_a_copy_is_refused(
    bought: Bought, tmp_path: Path, where: str
) -> None:
    folder = {
        "a file": tmp_path / "f",
        "a full folder": bought.copy,
        "the state folder": bought.home / "b",
    }[where]
    (tmp_path / "f").write_text("")
    with pytest.raises(ConfigurationError, match="name a"):
        back_up(bought.settings, folder, quiet)


def test_a_copy_that_fails_leaves_nothing(
    bought: Bought, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_arguments: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(backup, "copy_to_file", full)
    with pytest.raises(PipelineError, match="is full"):
        back_up(bought.settings, tmp_path / "b", quiet)
    assert not list(tmp_path.glob("*b*draft")) + list(tmp_path.glob(".b*"))
    assert not (tmp_path / "b").exists()


def test_a_damaged_warehouse_is_not_taken_for_a_copy(bought: Bought, tmp_path: Path) -> None:
    path = Path(bought.settings.warehouse_url)
    data = bytearray(path.read_bytes())
    data[len(data) // 4 :] = b"\xff" * (len(data) - len(data) // 4)
    path.write_bytes(data)
    with pytest.raises(PipelineError, match="is damaged") as caught:
        back_up(bought.settings, tmp_path / "b", quiet)
    assert str(path) in str(caught.value)
    assert not (tmp_path / "b").exists()


def test_a_ledger_in_postgres_becomes_a_file_and_a_file_one_in_postgres(
    postgres_server: sa.URL, tmp_path: Path
) -> None:
    url, other_url = new_postgres(postgres_server), new_postgres(postgres_server)
    store = open_store(url)
    ledger = Ledger(store, "signalhire", limits_of(items_per_window=100), MovingClock())
    for state in STATES:
        bring_to(ledger, state, state)
    ledger.suppressions.add({"email:abc"})
    store.check_stamp({"ledger": "l1"})
    before = all_rows(store)
    copy_to_file(url, tmp_path / LEDGER)
    assert [path.name for path in tmp_path.iterdir()] == [LEDGER]
    in_file = open_store(f"sqlite:///{tmp_path / LEDGER}")
    assert all_rows(in_file) == before
    in_file.close()
    copy_from_file(tmp_path / LEDGER, other_url)
    other = open_store(other_url)
    assert all_rows(other) == before
    with pytest.raises(PipelineError, match="not empty"):
        copy_from_file(tmp_path / LEDGER, url)
    assert all_rows(store) == before
    store.close()
    other.close()


# --- and back ---------------------------------------------------------------------------------


def stored(bought: Bought) -> tuple[object, ...]:
    """What both stores say was bought."""
    return bought.answers(), ledger_rows(bought.home, "select * from lookups order by call_id")


def test_whatever_is_missing_is_put_back_and_nobody_is_bought_again(bought: Bought) -> None:
    before = stored(bought)
    for lost in [(LEDGER, WAREHOUSE), (LEDGER,), (WAREHOUSE,)]:
        bought.lose(*lost)
        restored = put_back(bought, bought.whole_copy)
        assert sorted(restored.names) == sorted(lost)
        assert (restored.lookups, restored.newer_published) == (LOOKUPS, 0)
        assert open_to_others(bought.home) == []
        bought.prepare()
        assert stored(bought) == before
    assert bought.due() == 0


def test_a_folder_that_was_deleted_is_restored_from_the_copy_alone(bought: Bought) -> None:
    shutil.rmtree(bought.home)
    put_back(bought, bought.whole_copy)
    bought.prepare()
    assert bought.due() == 0
    assert bought.statuses() == bought.statuses_before


def test_what_the_warehouse_knows_is_taken_over_into_an_older_ledger(bought: Bought) -> None:
    before = bought.answers()
    bought.lose(LEDGER)
    restored = put_back(bought, bought.copy)
    assert (restored.lookups, restored.taken_over) == (LOOKUPS, LOOKUPS - HALF)
    bought.prepare()
    assert bought.answers() == before
    assert bought.due() == 0


@pytest.mark.parametrize("ledger", ["older", "none", "a shell without its log"])
def test_a_plain_copy_is_made_whole_from_its_newer_warehouse(
    bought: Bought, tmp_path: Path, ledger: str
) -> None:
    plain = tmp_path / "plain"
    plain.mkdir()
    shutil.copy(bought.home / WAREHOUSE, plain)
    if ledger == "older":
        shutil.copy(bought.copy / LEDGER, plain)
    if ledger == "a shell without its log":
        with closing(sqlite3.connect(plain / LEDGER)) as connection:
            connection.execute("pragma journal_mode = wal")
    shutil.rmtree(bought.home)
    if ledger == "a shell without its log":
        with pytest.raises(PipelineError, match=f"{LEDGER}-wal"):
            put_back(bought, plain)
        return
    taken = put_back(bought, plain).taken_over
    assert taken == (LOOKUPS - HALF if ledger == "older" else LOOKUPS)
    bought.prepare()
    assert bought.due() == 0


def test_a_copy_that_is_older_than_what_is_published_says_so(bought: Bought) -> None:
    bought.lose(LEDGER, WAREHOUSE)
    assert put_back(bought, bought.copy).newer_published == LOOKUPS - HALF
    with pytest.raises(RolledBack):
        bought.prepare()


def test_what_stands_is_not_overwritten(bought: Bought) -> None:
    before = contents(bought.home), ledger_rows(bought.home, "select * from lookups")
    with pytest.raises(ConfigurationError, match="are not overwritten"):
        put_back(bought, bought.copy)
    assert (contents(bought.home), ledger_rows(bought.home, "select * from lookups")) == before


def test_nothing_is_restored_under_a_run(bought: Bought) -> None:
    bought.lose(LEDGER, WAREHOUSE)
    hold_run_lock(bought.home, "alive")
    with pytest.raises(PipelineError, match="run alive is under way"):
        put_back(bought, bought.copy)
    release_run_lock(bought.home, "alive")
    assert not (bought.home / LEDGER).exists()


def test_a_folder_that_is_no_copy_is_refused(bought: Bought, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="is no copy of a state folder"):
        put_back(bought, tmp_path / "nowhere")


def test_a_copy_of_another_provider_is_refused(bought: Bought) -> None:
    shutil.rmtree(bought.home)
    bought.settings = replace(bought.settings, provider="live")
    with pytest.raises(ConfigurationError, match="its answers come from 'sandbox'"):
        put_back(bought, bought.copy)
    assert not (bought.home / LEDGER).exists()


def test_a_log_that_a_lost_store_has_left_is_not_read_into_the_restored_one(
    bought: Bought,
) -> None:
    bought.lose(LEDGER, WAREHOUSE)
    (bought.home / f"{LEDGER}-wal").write_bytes(b"stale")
    (bought.home / f"{WAREHOUSE}.wal").write_bytes(b"stale")
    put_back(bought, bought.copy)
    assert (bought.home / f"{LEDGER}-wal.before-restore").read_bytes() == b"stale"
    assert ledger_rows(bought.home, "select count(*) from lookups") == [(HALF,)]


def raised_at(call: int, function: Callable[..., object]) -> Callable[..., object]:
    """The function, which raises at its n-th call: where a kill would have ended it."""
    calls = 0

    def counted(*arguments: object, **options: object) -> object:
        nonlocal calls
        calls += 1
        if calls == call:
            raise KeyboardInterrupt
        return function(*arguments, **options)

    return counted


def test_a_restore_that_was_ended_half_way_is_noticed_or_finished_by_the_next_one(
    bought: Bought, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = stored(bought)
    was_ended: list[bool] = []
    while not was_ended or was_ended[-1]:
        shutil.rmtree(bought.home)
        call = len(was_ended) + 1
        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", raised_at(call, Path.replace))
            patch.setattr(backup._Restoring, "_remove_drafts", lambda _self: None)
            try:
                put_back(bought, bought.whole_copy)
                was_ended.append(False)
            except KeyboardInterrupt:
                was_ended.append(True)
        if was_ended[-1]:
            assert not (bought.home / LEDGER).exists()  # it comes last: no run buys before
            if (bought.home / WAREHOUSE).exists():
                with pytest.raises(RolledBack):
                    bought.prepare()
            put_back(bought, bought.whole_copy)
        assert stored(bought) == before
        assert not list(bought.home.glob(".restoring-*"))
    assert len(was_ended) > 2
    bought.prepare()
    assert bought.due() == 0


def test_a_ledger_in_postgres_is_restored_into_an_empty_database_only(
    bought: Bought, postgres_server: sa.URL
) -> None:
    bought.lose(LEDGER)
    url = new_postgres(postgres_server)
    bought.settings = replace(bought.settings, ledger_url=SecretStr(url))
    restored = put_back(bought, bought.copy)
    assert restored.names == ["the ledger in Postgres"]
    assert restored.lookups == LOOKUPS
    bought.prepare()
    assert bought.due() == 0
    with pytest.raises(ConfigurationError, match="are not overwritten"):
        put_back(bought, bought.copy)


def test_a_warehouse_with_a_log_that_a_kill_has_left_is_copied_whole(
    bought: Bought, tmp_path: Path
) -> None:
    path = Path(bought.settings.warehouse_url)
    connection = duckdb.connect(str(path))
    connection.execute("pragma disable_checkpoint_on_shutdown")
    connection.execute("insert into staging.suppressions values ('late')")
    connection.close()
    assert path.with_name(f"{path.name}.wal").exists()
    back_up(bought.settings, tmp_path / "b", quiet)
    assert contents(tmp_path / "b")["staging.suppressions"] == [("late",)]
