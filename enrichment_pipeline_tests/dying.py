"""Runs that are killed with SIGKILL, each in a process of its own.

Here: dying at the n-th instant of a run, running one after another in children, and the program
around it. Not here: what a run is and which its instants are (the tests' own programs).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path

_passed = 0


def pass_instant(dies_at: int) -> None:
    """One more instant of this process has come; at the one with that number it is killed."""
    global _passed  # noqa: PLW0603 - a process dies once
    _passed += 1
    if _passed == dies_at:
        os.kill(os.getpid(), signal.SIGKILL)


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
