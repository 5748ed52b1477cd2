"""Group commit: one transaction for many, in which each stands or falls alone."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from enrichment_pipeline.ledger.budget import RunShare
from enrichment_pipeline.ledger.group import GroupCommit
from enrichment_pipeline.ledger.journal import FenceError
from enrichment_pipeline.ledger.schema import RESERVED, SENT, head
from enrichment_pipeline.ledger.store import LedgerStore, Transaction, open_store
from enrichment_pipeline_tests.databases import migrated_sqlite
from enrichment_pipeline_tests.ledger import (
    Ledger,
    admitted,
    candidate,
    count_rows,
    limits_of,
    reserve,
    states,
)
from enrichment_pipeline_tests.support import MovingClock


def at_once(ledger: Ledger, *works: Callable[[Transaction], Any]) -> list[Any]:
    """What came of each, where all are asked for in the same moment."""

    async def run() -> list[Any]:
        group = GroupCommit(ledger.store)
        return await asyncio.gather(*map(group.run, works), return_exceptions=True)

    return asyncio.run(run())


def revision(store: LedgerStore) -> int:
    with store.read() as connection:
        return connection.execute(sa.select(head.c.revision)).scalar_one()


def reserves(ledger: Ledger, name: str) -> Callable[[Transaction], Any]:
    run = RunShare("run")
    return lambda transaction: admitted(ledger.calls.admit(transaction, [candidate(name)], run))


def test_what_is_asked_for_at_once_is_one_transaction(ledger: Ledger, store: LedgerStore):
    before = revision(store)
    batches = at_once(
        ledger, reserves(ledger, "ada"), reserves(ledger, "bob"), reserves(ledger, "eve")
    )
    assert revision(store) == before + 1
    assert {lookup.call_id for batch in batches for lookup in batch.calls} == set(states(store))


def test_who_comes_later_is_written_later(ledger: Ledger, store: LedgerStore):
    async def run() -> None:
        group = GroupCommit(ledger.store)
        for name in ("ada", "bob"):
            batch = await group.run(reserves(ledger, name))
            assert states(store)[batch.calls[0].call_id] == RESERVED  # committed already

    asyncio.run(run())
    assert len(states(store)) == 2


def test_one_that_fails_takes_no_others_along_and_leaves_nothing(
    ledger: Ledger, store: LedgerStore
):
    batch = reserve(ledger, candidate("ada"))

    def reserves_and_fails(transaction: Transaction) -> None:
        reserves(ledger, "never")(transaction)
        ledger.calls.mark_sent(transaction, "no such request")

    sent, failed, reserved = at_once(
        ledger,
        lambda transaction: ledger.calls.mark_sent(transaction, batch.request_id),
        reserves_and_fails,
        reserves(ledger, "bob"),
    )
    assert sent is None
    assert isinstance(failed, FenceError)
    assert states(store) == {
        batch.calls[0].call_id: SENT,
        reserved.calls[0].call_id: RESERVED,
    }


def test_the_steps_of_one_piece_of_work_are_all_or_nothing(ledger: Ledger, store: LedgerStore):
    def reserves_and_fails() -> None:
        with store.write() as transaction:
            reserves(ledger, "ada")(transaction)
            ledger.calls.mark_sent(transaction, "no such request")

    with pytest.raises(FenceError):
        reserves_and_fails()
    assert states(store) == {}


def test_a_commit_that_fails_is_told_to_all_who_wait(
    ledger: Ledger, store: LedgerStore, monkeypatch: pytest.MonkeyPatch
):
    def fails(_engine: object, connection: sa.Connection) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(type(store._engine.dialect), "do_commit", fails)
    came = at_once(ledger, reserves(ledger, "ada"), reserves(ledger, "bob"))
    monkeypatch.undo()
    assert [type(error) for error in came] == [OSError, OSError]
    assert states(store) == {}


def test_the_event_loop_goes_on_while_another_process_holds_the_ledger(tmp_path: Path):
    path = tmp_path / "ledger.sqlite"
    store = open_store(migrated_sqlite(path))
    ledger = Ledger(store, "signalhire", limits_of(), MovingClock())

    async def run() -> None:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("begin immediate")
        writing = asyncio.create_task(GroupCommit(ledger.store).run(reserves(ledger, "ada")))
        for _ in range(20):
            await asyncio.sleep(0.005)
        assert not writing.done()
        other.execute("rollback")
        await asyncio.wait_for(writing, 30)
        other.close()

    asyncio.run(run())
    assert count_rows(store, head) == 1
    assert len(states(store)) == 1
    store.close()


def test_a_cancel_while_the_group_is_written_leaves_the_others_told(
    ledger: Ledger, store: LedgerStore
):
    is_writing, may_go_on = threading.Event(), threading.Event()

    def reserves_slowly(transaction: Transaction) -> Any:
        is_writing.set()
        assert may_go_on.wait(20)
        return reserves(ledger, "ada")(transaction)

    async def run() -> None:
        group = GroupCommit(ledger.store)
        leaves = asyncio.create_task(group.run(reserves_slowly))
        stays = asyncio.create_task(group.run(reserves(ledger, "bob")))
        await asyncio.to_thread(is_writing.wait, 20)
        leaves.cancel()
        await asyncio.sleep(0)
        may_go_on.set()
        batch = await asyncio.wait_for(stays, 20)
        assert batch.calls[0].call_id in states(store)
        await asyncio.wait_for(group.run(reserves(ledger, "eve")), 20)

    asyncio.run(run())
    assert len(states(store)) == 3


def test_work_that_is_not_waited_for_any_more_does_not_keep_others_from_being_written(
    ledger: Ledger, store: LedgerStore
):
    async def run() -> None:
        group = GroupCommit(ledger.store)
        leaves = asyncio.create_task(group.run(reserves(ledger, "ada")))
        stays = asyncio.create_task(group.run(reserves(ledger, "bob")))
        await asyncio.sleep(0)
        leaves.cancel()
        batch = await stays
        assert batch.calls[0].call_id in states(store)
        await group.run(reserves(ledger, "eve"))

    asyncio.run(run())
