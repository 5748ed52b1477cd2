"""What a stand-in of any made-up provider needs: people by number, an account, and serving it.

Here: what was asked and charged, what is left of each rate, and writing a reply. Not here: any
provider's contract (`acme_stand_in.py`, `birch_stand_in.py`).
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import SplitResult, urlsplit


@dataclass(frozen=True, kw_only=True)
class AccountConfig:
    """`fault`: what goes wrong on purpose, for each request that finds a person."""

    people: int
    api_key: str = "made-up-key"
    credits: int = 100_000
    rates: Sequence[tuple[int, float]] = ()
    fault: str | None = None
    suppressed: frozenset[str] = frozenset()


def email_of(number: int) -> str:
    return f"person-{number}@crowd.example"


class Account(ThreadingHTTPServer):
    """What was asked and charged, and what is left of each rate."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, config: AccountConfig, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.config = config
        self.numbers = {email_of(number): number for number in range(config.people)}
        self.charges: list[tuple[str, int]] = []
        self.batches: list[int] = []
        self.lock = threading.Lock()
        self._taken: deque[float] = deque()

    @property
    def left(self) -> int:
        return self.config.credits - sum(units for _, units in self.charges)

    def has_room(self) -> bool:
        """Whether every window takes one more request; if so it is counted."""
        now = time.monotonic()
        for units, seconds in self.config.rates:
            if sum(now - at < seconds for at in self._taken) >= units:
                return False
        self._taken.append(now)
        return True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed leaves no traceback."""


class Handler(BaseHTTPRequestHandler):
    """A request, and writing what it is answered with."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        with self.account.lock:
            self.get(urlsplit(self.path))

    def do_POST(self) -> None:
        document = json.loads(self.rfile.read(int(self.headers["content-length"])))
        with self.account.lock:
            self.post(document)

    def get(self, url: SplitResult) -> None:
        raise NotImplementedError  # each stand-in answers its own way

    def post(self, document: Any) -> None:
        raise NotImplementedError  # each stand-in answers its own way

    @property
    def account(self) -> Account:
        assert isinstance(self.server, Account)
        return self.server

    def answer(self, status: int, document: Any, headers: dict[str, str] | None = None) -> None:
        self.write(status, json.dumps(document).encode(), headers or {})

    def write(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Tests read no access log."""


@dataclass
class Running:
    """A stand-in that runs, and its side of the bill."""

    base_url: str
    _account: Account

    def charged(self) -> Counter[str]:
        """Units by the address that was asked for."""
        units: Counter[str] = Counter()
        for email, cost in self._account.charges:
            units[email] += cost
        return units

    def times_charged(self) -> Counter[str]:
        return Counter(email for email, _ in self._account.charges)

    def batches(self) -> list[int]:
        """How many persons each request asked for."""
        return self._account.batches


@contextmanager
def running(
    config: AccountConfig, handler: type[BaseHTTPRequestHandler], root: str
) -> Iterator[Running]:
    """On a free loopback port, in threads."""
    server = Account(config, handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield Running(f"http://127.0.0.1:{server.server_port}{root}", server)
    finally:
        server.shutdown()
        server.server_close()
        thread.join(20)
