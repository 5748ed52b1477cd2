"""Acme Directory's stand-in: a real HTTP server over people made up by number.

Here: its contract and its faults. Not here: anything of the client's.

`GET /v2/people?email=` answers 200 with the person and what that cost in `X-Cost` (1; 2 with a
mobile phone, which every third person has), 404 free of charge, 403 to slow down, 429 where the
plan's credits are used up, 400 for what is no address, 451 for the suppressed.
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
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True, kw_only=True)
class AcmeConfig:
    """`fault`: error_500, torn, garbled, no_cost or odd_cost, for each person who is found."""

    people: int
    api_key: str = "acme-key"
    credits: int = 100_000
    rates: Sequence[tuple[int, float]] = ()
    fault: str | None = None
    suppressed: frozenset[str] = frozenset()


def email_of(number: int) -> str:
    return f"person-{number}@crowd.example"


def person_of(number: int) -> dict[str, Any]:
    has_mobile = number % 3 == 0
    return {
        "id": f"acme-{number}",
        "linkedin": f"https://www.linkedin.com/in/person-{number}",
        "email": email_of(number),
        "mobile": f"+491512345{number:03d}" if has_mobile else None,
    }


class _Acme(ThreadingHTTPServer):
    """The account: what was asked and charged, and what is left of each rate."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, config: AcmeConfig) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.config = config
        self.people = {email_of(n): person_of(n) for n in range(config.people)}
        self.charges: list[tuple[str, int]] = []
        self.requests = 0
        self._taken: deque[float] = deque()
        self.lock = threading.Lock()

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


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def acme(self) -> _Acme:
        assert isinstance(self.server, _Acme)
        return self.server

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if self.headers["authorization"] != f"Bearer {self.acme.config.api_key}":
            self._answer(401, {"error": "unknown key"})
        elif url.path == "/v2/account":
            self._answer(200, {}, {"X-Left": str(self.acme.left)})
        elif url.path == "/v2/people":
            with self.acme.lock:
                self._look_up(parse_qs(url.query).get("email", [""])[0])
        else:
            self._answer(410, {"error": "no such page"})

    def _look_up(self, email: str) -> None:
        person = self.acme.people.get(email)
        cost = 0 if person is None else 1 if person["mobile"] is None else 2
        refusal = self._refusal(email, cost)
        if refusal is not None:
            self._answer(refusal, {"error": refusal})
        elif person is None:
            self._answer(404, {"error": "nobody"})
        else:
            self.acme.charges.append((email, cost))
            self._answer_with(person, cost)

    def _refusal(self, email: str, cost: int) -> int | None:
        """The status of a request that is not answered; none of them costs anything."""
        config = self.acme.config
        if not self.acme.has_room():
            return 403
        self.acme.requests += 1
        if "@" not in email:
            return 400
        if email in config.suppressed:
            return 451
        return 429 if cost > self.acme.left else None

    def _answer_with(self, person: dict[str, Any], cost: int) -> None:
        """What was charged is answered, unless something goes wrong on purpose."""
        match self.acme.config.fault:
            case "torn":
                self.close_connection = True
            case "error_500":
                self._answer(500, {"error": "internal"})
            case "garbled":
                self._write(200, b'{"person": {"id"', {"X-Cost": str(cost)})
            case "no_cost":
                self._answer(200, {"person": person})
            case "odd_cost":
                self._answer(200, {"person": person}, {"X-Cost": "9" * 30})
            case _:
                self._answer(200, {"person": person}, {"X-Cost": str(cost)})

    def _answer(self, status: int, document: Any, headers: dict[str, str] | None = None) -> None:
        self._write(status, json.dumps(document).encode(), headers or {})

    def _write(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Tests read no access log."""


@dataclass
class RunningAcme:
    base_url: str
    _server: _Acme

    def charged(self) -> Counter[str]:
        """Units by the address that was asked for."""
        units: Counter[str] = Counter()
        for email, cost in self._server.charges:
            units[email] += cost
        return units

    def times_charged(self) -> Counter[str]:
        return Counter(email for email, _ in self._server.charges)

    def batches(self) -> list[int]:
        """How many persons each request asked for."""
        return [1] * self._server.requests


@contextmanager
def running_acme(config: AcmeConfig) -> Iterator[RunningAcme]:
    """On a free loopback port, in threads."""
    server = _Acme(config)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield RunningAcme(f"http://127.0.0.1:{server.server_port}/v2", server)
    finally:
        server.shutdown()
        server.server_close()
        thread.join(20)
