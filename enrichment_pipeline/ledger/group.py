"""Group commit: what several tasks of one process write at about the same time, as one transaction.

Here: gathering what is to be written, and telling each task what came of it. Not
here: what is written (`calls.py`). A commit waits for the disk; eight tasks that
wait for one commit are served as fast as one that waits for its own.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from enrichment_pipeline.ledger.store import LedgerStore, Transaction

GATHER_SECONDS = 0.001
"""How long a group waits for more. Work that is a moment too late waits for a whole commit. It is
also the moment in which another process gets its turn to write."""
R = TypeVar("R")
Work = Callable[[Transaction], Any]


@dataclass(frozen=True)
class _Failed:
    error: Exception


class GroupCommit:
    """Runs pieces of work on a ledger, each of them whole or not at all.

    A piece of work is a function of the transaction that it is given. It may be run
    again where another one of its group failed, so it must have no other effect
    than its writes. One per event loop, which goes on while a thread writes.
    """

    def __init__(self, store: LedgerStore) -> None:
        self._store = store
        self._waiting: list[tuple[Work, asyncio.Future[Any]]] = []
        self._writer: asyncio.Task[None] | None = None

    async def run(self, work: Callable[[Transaction], R]) -> R:
        """What the work returns, once it is committed; raises what it, or the commit, raised."""
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((work, future))
        if self._writer is None:
            self._writer = asyncio.create_task(self._write())
        return await future

    async def _write(self) -> None:
        """Write group after group, until none waits."""
        while self._waiting:
            await asyncio.sleep(GATHER_SECONDS)
            # who does not wait any more must not keep its work, with a body in it, in memory
            group = [entry for entry in self._waiting if not entry[1].cancelled()]
            self._waiting = []
            if not group:
                continue
            results = await asyncio.to_thread(_commit, self._store, [work for work, _ in group])
            for (_, future), result in zip(group, results, strict=True):
                if future.cancelled():
                    continue
                if isinstance(result, _Failed):
                    future.set_exception(result.error)
                else:
                    future.set_result(result)
        self._writer = None


def _commit(store: LedgerStore, group: Sequence[Work]) -> list[Any]:
    """What each piece of work returned, or how it failed."""
    results: list[Any] = []
    try:
        with store.write() as transaction:
            for work in group:
                results.append(work(transaction))  # noqa: PERF401 - counts how far it came
    except Exception as error:  # noqa: BLE001 - whatever it is, those who wait for it are told
        is_one_of_them = len(results) < len(group)
        if is_one_of_them and len(group) > 1:
            # nothing was committed: each alone, so that only one of them fails
            return [result for work in group for result in _commit(store, [work])]
        return [_Failed(error)] * len(group)
    return results
