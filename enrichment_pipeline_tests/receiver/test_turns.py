"""The receiver beside a run that writes without a pause: each callback gets its turn soon."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from enrichment_pipeline.ledger.calls import Receipt
from enrichment_pipeline.ledger.group import GATHER_SECONDS, GroupCommit
from enrichment_pipeline.receiver.inbox import LedgerInbox
from enrichment_pipeline_tests.databases import migrated_sqlite
from enrichment_pipeline_tests.ledger import Ledger
from enrichment_pipeline_tests.receiver import answers_for, opened, submitted

COMMIT_SECONDS = 0.03
"""What a commit of the run takes: a slow disk. The receiver gives up after 5 s."""
MOST_COMMITS_BEFORE_A_TURN = 80
"""Half of what the run commits until the receiver gives up. A callback waits for two, mostly.

How many it is for the unluckiest depends on the machine: between two commits of the run there is a
millisecond, in which one that is busy may or may not let the receiver look.
"""
CALLBACKS = 16


class BusyRun:
    """Commits group after group on a slow disk, with no more between them than a run has."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.commits = 0
        self.is_over = False

    def write(self) -> None:
        async def work() -> None:
            group = GroupCommit(self._ledger.store)
            while not self.is_over:
                await group.run(lambda _ledger: time.sleep(COMMIT_SECONDS))
                self.commits += 1

        async def several() -> None:
            await asyncio.gather(*(work() for _ in range(2)))

        asyncio.run(several())


@contextmanager
def busy_run(ledger: Ledger) -> Iterator[BusyRun]:
    run = BusyRun(ledger)
    thread = threading.Thread(target=run.write)
    thread.start()
    try:
        yield run
    finally:
        run.is_over = True
        thread.join()


def test_a_callback_waits_for_a_few_commits_of_a_run_that_writes_without_a_pause(
    tmp_path: Path,
) -> None:
    url = migrated_sqlite(tmp_path / "ledger.sqlite")
    with opened(url) as (_, of_run), opened(url) as (_, of_receiver):
        batches = [submitted(of_run, prefix=f"b{number}-") for number in range(CALLBACKS)]

        async def keep_all(run: BusyRun) -> list[int]:
            inbox = LedgerInbox(of_receiver.store, of_receiver.calls)
            waited = []
            for batch_id in batches:
                await asyncio.sleep(COMMIT_SECONDS)  # until the run is in its stride again
                before = run.commits
                assert await inbox.keep(batch_id, answers_for()) is Receipt.KEPT
                waited.append(run.commits - before)
            return waited

        with busy_run(of_run) as run:
            waited = asyncio.run(keep_all(run))
    assert max(waited) <= MOST_COMMITS_BEFORE_A_TURN


def test_who_waits_for_the_ledger_looks_twice_in_each_pause_between_two_commits_of_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite's own waiting looks ever more seldom, and would miss most of these pauses."""
    url = migrated_sqlite(tmp_path / "ledger.sqlite")
    with opened(url) as (_, of_run), opened(url) as (_, of_receiver), ExitStack() as commit:
        commit.enter_context(of_run.store.write())
        looks: list[float] = []

        def wait(seconds: float) -> None:
            looks.append(seconds)
            if len(looks) == 20:
                commit.close()

        monkeypatch.setattr("enrichment_pipeline.ledger.store.time.sleep", wait)
        with of_receiver.store.write():
            pass
    assert len(looks) == 20
    assert max(looks) <= GATHER_SECONDS / 2
