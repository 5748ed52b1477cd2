"""A receiver of callbacks: real sockets, answers as a test scripts them, and a memory.

Here: the helper. Not here: assertions.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PATIENCE_SECONDS = 20.0


@dataclass
class Received:
    """One POST as it came."""

    path: str
    request_id: str | None
    content_type: str | None
    answers: list[dict[str, Any]]

    @property
    def items(self) -> list[str]:
        return [answer["item"] for answer in self.answers]


@dataclass
class Receiver:
    """What came so far, and how to answer: `script` first, in turn, then 200.

    None in the script is no answer at all, until the receiver ends. `before_answering` is called
    by every POST, in a thread of its own.
    """

    script: Sequence[int | None]
    before_answering: Callable[[], object]
    url: str = ""
    received: list[Received] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _over: threading.Event = field(default_factory=threading.Event)

    def wait_for(self, posts: int) -> list[Received]:
        """The POSTs, once so many have come."""
        with self._changed:
            came = self._changed.wait_for(lambda: len(self.received) >= posts, PATIENCE_SECONDS)
            assert came, f"{len(self.received)} POSTs came instead of {posts}"
            return list(self.received)

    def end(self) -> None:
        self._over.set()

    def take(self, received: Received) -> int | None:
        """Note it; the status to answer with, or None for none."""
        with self._changed:
            number = len(self.received)
            self.received.append(received)
            self._changed.notify_all()
        self.before_answering()
        status = self.script[number] if number < len(self.script) else 200
        if status is None:
            self._over.wait(PATIENCE_SECONDS)
        return status


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        receiver = self.server.receiver  # ty: ignore[missing-attribute]
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status = receiver.take(
            Received(
                self.path,
                self.headers["Request-Id"],
                self.headers["Content-Type"],
                json.loads(body),
            )
        )
        if status is None:
            return
        self.send_response(status)
        if 300 <= status < 400:
            self.send_header("Location", f"{receiver.url}/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *_: Any) -> None:  # noqa: A002
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    request_queue_size = 1024

    def __init__(self, receiver: Receiver) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.receiver = receiver


@contextmanager
def receiver(
    *script: int | None, before_answering: Callable[[], object] = lambda: None
) -> Iterator[Receiver]:
    """A receiver on a free loopback port, which answers so."""
    it = Receiver(script, before_answering)
    with _Server(it) as server:
        it.url = f"http://127.0.0.1:{server.server_port}/callback"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield it
        finally:
            it.end()
            server.shutdown()
            thread.join(PATIENCE_SECONDS)


def wait_until(is_so: Callable[[], bool]) -> None:
    """Look again and again, since what is waited for is in another process."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < deadline, "it never became so"
        time.sleep(0.01)
