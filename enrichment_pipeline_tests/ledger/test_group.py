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

from enrichment_pipeline.ledger.group import GroupCommit
from enrichment_pipeline.ledger.journal import FenceError
from enrichment_pipeline.ledger.ledger import Ledger
from enrichment_pipeline.ledger.schema import RESERVED, SENT, head
from enrichment_pipeline.ledger.store import LedgerStore, open_store
from enrichment_pipeline_tests.databases import migrated_sqlite
from enrichment_pipeline_tests.ledger import (
    admitted,
    candidate,
    count_rows,
    limits_of,
    reserve,
    states,
)
from enrichment_pipeline_tests.support import MovingClock


def at_once(ledger: Ledger, *works: Callable[[Ledger], Any]) -> list[Any]:
    """What came of each, where all are asked for in the same moment."""

    async def run() -> list[Any]:
        group = GroupCommit(ledger)
        return await asyncio.gather(*map(group.run, works), return_exceptions=True)

    return asyncio.run(run())


def revision(store: LedgerStore) -> int:
    with store.read() as connection:
        return connection.execute(sa.select(head.c.revision)).scalar_one()


def reserves(name: str) -> Callable[[Ledger], Any]:
    return lambda ledger: admitted(ledger.admit([candidate(name)], "run"))


def test_what_is_asked_for_at_once_is_one_transaction(ledger: Ledger, store: LedgerStore):
    before = revision(store)
    batches = at_once(ledger, reserves("ada"), reserves("bob"), reserves("eve"))
    assert revision(store) == before + 1
    assert {lookup.lookup_id for batch in batches for lookup in batch.lookups} == set(states(store))


def test_who_comes_later_is_written_later(ledger: Ledger, store: LedgerStore):
    async def run() -> None:
        group = GroupCommit(ledger)
        for name in ("ada", "bob"):
            batch = await group.run(reserves(name))
            assert states(store)[batch.lookups[0].lookup_id] == RESERVED  # committed already

    asyncio.run(run())
    assert len(states(store)) == 2


def test_one_that_fails_takes_nobody_along_and_leaves_nothing(ledger: Ledger, store: LedgerStore):
    batch = reserve(ledger, candidate("ada"))

    def reserves_and_fails(enclosed: Ledger) -> None:
        reserves("never")(enclosed)
        enclosed.mark_sent("no such batch")

    sent, failed, reserved = at_once(
        ledger,
        lambda enclosed: enclosed.mark_sent(batch.batch_id),
        reserves_and_fails,
        reserves("bob"),
    )
    assert sent is None
    assert isinstance(failed, FenceError)
    assert states(store) == {
        batch.lookups[0].lookup_id: SENT,
        reserved.lookups[0].lookup_id: RESERVED,
    }


def test_the_steps_of_one_piece_of_work_are_all_or_nothing(ledger: Ledger, store: LedgerStore):
    def reserves_and_fails() -> None:
        with ledger.transaction() as enclosed:
            reserves("ada")(enclosed)
            enclosed.mark_sent("no such batch")

    with pytest.raises(FenceError):
        reserves_and_fails()
    assert states(store) == {}


def test_a_commit_that_fails_is_told_to_everybody(
    ledger: Ledger, store: LedgerStore, monkeypatch: pytest.MonkeyPatch
):
    def fails(_engine: object, connection: sa.Connection) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(type(store._engine.dialect), "do_commit", fails)
    came = at_once(ledger, reserves("ada"), reserves("bob"))
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
        writing = asyncio.create_task(GroupCommit(ledger).run(reserves("ada")))
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

    def reserves_slowly(enclosed: Ledger) -> Any:
        is_writing.set()
        assert may_go_on.wait(20)
        return reserves("ada")(enclosed)

    async def run() -> None:
        group = GroupCommit(ledger)
        leaves = asyncio.create_task(group.run(reserves_slowly))
        stays = asyncio.create_task(group.run(reserves("bob")))
        await asyncio.to_thread(is_writing.wait, 20)
        leaves.cancel()
        await asyncio.sleep(0)
        may_go_on.set()
        batch = await asyncio.wait_for(stays, 20)
        assert batch.lookups[0].lookup_id in states(store)
        await asyncio.wait_for(group.run(reserves("eve")), 20)

    asyncio.run(run())
    assert len(states(store)) == 3


def test_who_does_not_wait_any_more_keeps_nobody_from_being_written(
    ledger: Ledger, store: LedgerStore
):
    async def run() -> None:
        group = GroupCommit(ledger)
        leaves = asyncio.create_task(group.run(reserves("ada")))
        stays = asyncio.create_task(group.run(reserves("bob")))
        await asyncio.sleep(0)
        leaves.cancel()
        batch = await stays
        assert batch.lookups[0].lookup_id in states(store)
        await group.run(reserves("eve"))

    asyncio.run(run())
