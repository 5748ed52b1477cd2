"""The point of entry's app over a desk that answers as a test says, and ways to ask it.

Here: helpers, without assertions. Not here: the real desk, which has tests of its own.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from pydantic import SecretStr
from starlette.routing import BaseRoute

from enrichment_pipeline.entry.callers import Callers
from enrichment_pipeline.entry.contact import EnteredContact
from enrichment_pipeline.entry.contact_routes import create_app
from enrichment_pipeline.entry.desk import RequestKey, TakenBack
from enrichment_pipeline.entry.enrichment import Enrichment, FieldValue
from enrichment_pipeline.entry.entry_metrics import EntryMetrics
from enrichment_pipeline.entry.entry_server import server_config
from enrichment_pipeline.entry.request_limits import EntryLimits
from enrichment_pipeline_tests.receiver import run
from enrichment_pipeline_tests.support import served

TOKEN = "a-token-of-these-tests-0123456789"
OTHER_TOKEN = "another-token-of-these-tests-012345"
TOKENS = (TOKEN, OTHER_TOKEN)
LET_IN = {"authorization": f"Bearer {TOKEN}"}
JSON = {"content-type": "application/json"}
CONTACTS = "/v1/contacts"
HOOKS = "hooks.example.com"
PATIENCE_SECONDS = 20.0

ADA = {"contact_id": "ada-1", "full_name": "Ada Lovelace", "email": "ada@example.com"}
ENRICHED = Enrichment(
    contact_id="ada-1",
    status="enriched",
    fields={
        "work_email": FieldValue(
            value="ada@example.com",
            status="verified",
            provider="signalhire",
            observed_at=datetime(2026, 3, 2, 9, tzinfo=UTC),
        )
    },
    credits=1,
    next_lookup_at=datetime(2026, 5, 31, 9, tzinfo=UTC),
)
QUEUED = Enrichment(contact_id="ada-1", status="queued", reason="budget")


@dataclass(frozen=True)
class Entered:
    """What the desk was asked to enter."""

    contact: EnteredContact
    wait: timedelta
    notify_url: str | None
    request: RequestKey | None


class FakeDesk:
    """Answers what it was told to, or raises it."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Be as new."""
        self.comes_to: Enrichment | Exception = QUEUED
        self.entered: list[Entered] = []
        self.found: dict[str, Enrichment] = {}
        self.found_always: Enrichment | None = None
        self.taken_back: TakenBack | Exception = TakenBack.TAKEN_BACK
        self.asked_for: list[str] = []
        self.before_answer: Callable[[], Awaitable[object]] | None = None
        self.unwell: Callable[[], Awaitable[object]] | None = None

    async def enter(
        self,
        contact: EnteredContact,
        *,
        wait: timedelta,
        notify_url: str | None = None,
        request: RequestKey | None = None,
    ) -> Enrichment:
        self.entered.append(Entered(contact, wait, notify_url, request))
        if self.before_answer is not None:
            await self.before_answer()
        return _given(self.comes_to).model_copy(update={"contact_id": contact.id})

    async def find(self, contact_id: str) -> Enrichment | None:
        self.asked_for.append(contact_id)
        if isinstance(self.comes_to, Exception):
            raise self.comes_to
        return self.found.get(contact_id, self.found_always)

    async def take_back(self, contact_id: str) -> TakenBack:
        self.asked_for.append(contact_id)
        if isinstance(self.taken_back, Exception):
            raise self.taken_back
        return self.taken_back

    async def ping(self) -> None:
        if self.unwell is not None:
            await self.unwell()


def _given(answer: Enrichment | Exception) -> Enrichment:
    if isinstance(answer, Exception):
        raise answer
    return answer


def _refuse_url(url: str) -> str | None:
    """As the policy would have it; which URLs it takes is tested with `addresses.py`."""
    return None if url.startswith(f"https://{HOOKS}/") else "has a host that is not listed"


class App:
    """The app over a fake desk, asked from ordinary functions."""

    def __init__(
        self,
        *,
        per_second: int = 100_000,
        at_once: int = 100_000,
        now: Callable[[], float] = lambda: 0.0,
        limits: EntryLimits | None = None,
        more_routes: Sequence[BaseRoute] = (),
    ) -> None:
        self.desk = FakeDesk()
        self.metrics = EntryMetrics()
        callers = Callers(map(SecretStr, TOKENS), per_second=per_second, at_once=at_once, now=now)
        self.asgi = create_app(
            self.desk,
            callers,
            self.metrics,
            refuse_url=_refuse_url,
            limits=limits,
            more_routes=more_routes,
        )

    def post(self, contact: Any = ADA, /, **headers: str) -> httpx.Response:
        """Post a contact, or the bytes of a body. Header names have `_` for `-`."""
        body = contact if isinstance(contact, bytes) else json.dumps(contact).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.ask("POST", CONTACTS, content=body, headers=LET_IN | JSON | named)

    def ask(
        self, method: str, path: str, *, headers: Any = LET_IN, **arguments: Any
    ) -> httpx.Response:
        """Ask with a right token, unless other headers are given."""

        async def ask() -> httpx.Response:
            async with self.client() as client:
                return await client.request(method, path, headers=headers, **arguments)

        return run(ask())

    def client(self) -> httpx.AsyncClient:
        # what the app raises is raised here: it is never to be turned into a 500
        return httpx.AsyncClient(transport=httpx.ASGITransport(self.asgi), base_url="http://entry")

    def count(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(name, labels) or 0.0


@dataclass
class Served:
    """A point of entry that listens on loopback."""

    port: int
    app: App

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_SECONDS)


@contextmanager
def running_entry(app: App, limits: EntryLimits | None = None) -> Iterator[Served]:
    """uvicorn as `enrichment serve` runs it, in a thread, on a free port."""
    with served(server_config(app.asgi, limits)) as port:
        yield Served(port, app)


def head(*lines: str, token: str = TOKEN) -> bytes:
    """The head of a posted contact, as it goes over a socket."""
    sent = (
        f"POST {CONTACTS} HTTP/1.1",
        "host: entry",
        f"authorization: Bearer {token}",
        "content-type: application/json",
        *lines,
    )
    return "\r\n".join((*sent, "", "")).encode()


def request(body: bytes, *lines: str, token: str = TOKEN) -> bytes:
    return head(f"content-length: {len(body)}", *lines, token=token) + body
