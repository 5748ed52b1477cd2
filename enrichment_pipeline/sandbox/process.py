"""A sandbox of one's own: started as a process, and gone with its parent.

Belongs here: starting `enrichment sandbox` on a free port and reading off its URL.
Does not belong here: what the server does (`server`, `app`).
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

STOP_SECONDS = 10.0


class SandboxError(Exception):
    """The sandbox did not start; the message is its own one line."""


@contextmanager
def sandbox_process(options: Sequence[str]) -> Iterator[str]:
    """Run `enrichment sandbox` with these options on a free loopback port; its base URL.

    It has a session of its own, so that Ctrl+C in the terminal reaches the
    parent first, and it ends when its standard input does: even a parent that
    is killed takes it along. Raises SandboxError where it does not start.
    """
    command = [sys.executable, "-m", "enrichment_pipeline.cli", "sandbox", "--port", "0"]
    with subprocess.Popen(  # noqa: S603 - our own interpreter and module
        [*command, "--until-stdin-closes", *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        stdin, stdout = process.stdin, process.stdout
        if stdin is None or stdout is None:
            raise AssertionError("both were asked for as pipes")
        try:
            url = stdout.readline().strip()
            if not url:
                _, complaint = process.communicate(timeout=STOP_SECONDS)
                raise SandboxError((complaint.strip().splitlines() or ["it did not start"])[-1])
            yield url
        finally:
            stdin.close()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
