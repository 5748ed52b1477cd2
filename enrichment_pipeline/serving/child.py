"""A server of one's own: started as a process, and gone with its parent.

Here: starting `enrichment sandbox` or `enrichment receiver` on a free port and
reading off its URL. Not here: what the server does.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

STOP_SECONDS = 10.0


class ChildServerError(Exception):
    """The server did not start; the message is its own one line."""


@contextmanager
def child_server(
    command: str, options: Sequence[str] = (), environment: Mapping[str, str] | None = None
) -> Iterator[str]:
    """Run `enrichment COMMAND`, of one word or several, on a free loopback port; its URL.

    It has a session of its own, so that Ctrl+C in the terminal reaches the
    parent first, and it ends when its standard input does: even a parent that
    is killed takes it along. Raises ChildServerError where it does not start.
    """
    with (
        # a file, since a pipe is not read while the server runs
        tempfile.TemporaryFile("w+") as complaints,
        subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [
                *(sys.executable, "-m", "enrichment_pipeline.cli", *command.split()),
                *("--port", "0", "--until-stdin-closes", *options),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            text=True,
            env=environment,
            start_new_session=True,
        ) as process,
    ):
        stdin, stdout = process.stdin, process.stdout
        if stdin is None or stdout is None:
            raise AssertionError("both were asked for as pipes")
        try:
            url = stdout.readline().strip()
            if not url:
                process.wait(STOP_SECONDS)
                complaints.seek(0)
                lines = complaints.read().strip().splitlines() or ["it did not start"]
                raise ChildServerError(lines[-1])
            yield url
        finally:
            stdin.close()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
