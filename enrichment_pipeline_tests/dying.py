"""Runs that are killed with SIGKILL, each in a process of its own.

Here: dying at the n-th instant of a run (around its commits, after its requests), running one
after another in children, and the program around it. Not here: what a run is and which further
instants it has (the tests' own programs).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from enrichment_pipeline.ledger import group
from enrichment_pipeline.ledger.group import Work
from enrichment_pipeline.ledger.store import LedgerStore

R = TypeVar("R")
_passed = 0


def pass_instant(dies_at: int) -> None:
    """One more instant of this process has come; at the one with that number it is killed."""
    global _passed  # noqa: PLW0603 - a process dies once
    _passed += 1
    if _passed == dies_at:
        os.kill(os.getpid(), signal.SIGKILL)


def die_around_commits(dies_at: int) -> None:
    """Before and after each group commit of this process is an instant."""
    commit = group._commit

    def mortal(store: LedgerStore, works: Sequence[Work]) -> list[Any]:
        pass_instant(dies_at)
        results = commit(store, works)
        pass_instant(dies_at)
        return results

    group._commit = mortal  # ty: ignore[invalid-assignment] - a function is a type of its own


def dying_after(call: Callable[..., Awaitable[R]], dies_at: int) -> Callable[..., Awaitable[R]]:
    """The call, after each of which is an instant: its answer is here, and kept nowhere."""

    async def mortal(*arguments: Any) -> R:
        answer = await call(*arguments)
        pass_instant(dies_at)
        return answer

    return mortal


def run_in_children(run: Callable[[int], None], runs: int) -> None:
    """Call `run` with 1, 2, … each in a child; print their exit codes as JSON."""
    ends = []
    for number in range(1, runs + 1):
        child = os.fork()
        if child == 0:
            try:
                run(number)
            except BaseException:  # noqa: BLE001 - whatever it is, the parent is told
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        ends.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    print(json.dumps(ends))


def exit_codes(program: str, given: Mapping[str, object], *, timeout: float) -> list[int]:
    """Run a program that ends in `run_in_children`, with `given` as its JSON argument."""
    done = subprocess.run(
        [sys.executable, "-c", program, json.dumps(given)],
        capture_output=True,
        text=True,
        timeout=timeout,
        cwd=Path(__file__).parents[1],
    )
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)
