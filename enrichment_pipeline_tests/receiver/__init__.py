"""Tests of the receiver of callbacks, and the few helpers that they share.

Most ask the app over `httpx.ASGITransport`. `test_server.py` opens sockets to a server in a
thread; the process itself, as a user starts it, is `cli/test_receiver.py`. The ledger is real.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import sqlalchemy as sa
from pydantic import SecretStr

from enrichment_pipeline.callback_urls import CALLBACK_PATH, CallbackKeys, Callbacks
from enrichment_pipeline.ledger.schema import replies
from enrichment_pipeline.ledger.store import LedgerStore, open_store
from enrichment_pipeline.providers.signalhire.answers import count_answers
from enrichment_pipeline.providers.signalhire.client import SignalHireClient
from enrichment_pipeline.receiver.app import CountAnswers, Inbox, create_app
from enrichment_pipeline.receiver.callback_limits import ReceiverLimits
from enrichment_pipeline.receiver.inbox import LedgerInbox
from enrichment_pipeline.receiver.metrics import ReceiverMetrics
from enrichment_pipeline.receiver.server import server_config
from enrichment_pipeline_tests.ledger import Ledger, answer_body, crowd, limits_of, reserve
from enrichment_pipeline_tests.support import MovingClock, served

PROVIDER = "signalhire"
PROJECT = Path(__file__).resolve().parents[2]
SECRET = "a secret of these tests"
KEYS = CallbackKeys((SecretStr(SECRET),))
JSON = {"content-type": "application/json"}
PATIENCE_SECONDS = 20.0

R = TypeVar("R")


def keys_of(*secrets: str) -> CallbackKeys:
    return CallbackKeys(tuple(map(SecretStr, secrets)))


def path_of(request_id: str, token: str | None = None, provider: str = PROVIDER) -> str:
    """Where a batch's callback is posted; with its right token, unless another one is given."""
    token = KEYS.token(provider, request_id) if token is None else token
    return CALLBACK_PATH.format(provider=provider, batch=request_id, token=token)


@contextmanager
def opened(url: str) -> Iterator[tuple[LedgerStore, Ledger]]:
    """The ledger at a URL, without a practical limit."""
    store = open_store(url)
    yield store, Ledger(store, PROVIDER, limits_of(items_per_window=10**6), MovingClock())
    store.close()


def submitted(ledger: Ledger, size: int = 3, prefix: str = "p") -> str:
    """A batch that waits for its callback; its id. Its items are `answers_for`'s.

    Its persons are new ones each time, so that the same items may be asked for again.
    """
    persons = (replace(one, person_key=uuid4().hex) for one in crowd(size, prefix=prefix))
    batch = reserve(ledger, *persons)
    ledger.mark_sent(batch.request_id, awaits_callback=True)
    ledger.note_accepted(batch.request_id, request_ref="1", credits_left=None)
    return batch.request_id


def answers_for(size: int = 3, prefix: str = "p", status: str = "success") -> bytes:
    return answer_body(*((f"{prefix}{n}@crowd.example", status) for n in range(size)))


def kept(store: LedgerStore, request_id: str | None = None) -> list[bytes]:
    """The bodies in the ledger, oldest first: a batch's, or all."""
    query = sa.select(replies.c.body).order_by(replies.c.received_at)
    if request_id is not None:
        query = query.where(replies.c.request_id == request_id)
    with store.read() as connection:
        return [bytes(body) for body in connection.execute(query).scalars()]


class App:
    """The receiver's app, asked from ordinary functions."""

    def __init__(
        self,
        inbox: Inbox,
        *,
        keys: CallbackKeys = KEYS,
        limits: ReceiverLimits | None = None,
        count_answers: CountAnswers = count_answers,
    ) -> None:
        self.metrics = ReceiverMetrics()
        self.asgi = create_app(inbox, keys, count_answers, self.metrics, limits)

    def post(self, path: str, body: Any, headers: dict[str, str] = JSON) -> httpx.Response:
        return self.request("POST", path, content=body, headers=headers)

    def request(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            async with self.client() as client:
                return await client.request(method, path, **arguments)

        return run(ask())

    def client(self) -> httpx.AsyncClient:
        # what the app raises is raised here: it is never to be turned into a 500
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(self.asgi), base_url="http://receiver"
        )

    def count(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(name, labels) or 0.0


def run(coroutine: Coroutine[Any, Any, R]) -> R:
    async def bounded() -> R:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await coroutine

    return asyncio.run(bounded())


@dataclass
class Served:
    """A receiver that listens on loopback."""

    port: int
    metrics: ReceiverMetrics

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def callbacks(self) -> Callbacks:
        """Where this receiver is to be called."""
        return Callbacks(self.url, KEYS)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_SECONDS)


@contextmanager
def running_receiver(
    ledger: Ledger, *, keys: CallbackKeys = KEYS, limits: ReceiverLimits | None = None
) -> Iterator[Served]:
    """uvicorn as `enrichment receiver` runs it, in a thread, on a free port."""
    metrics = ReceiverMetrics()
    config = server_config(
        LedgerInbox(ledger.store, ledger.calls), keys, count_answers, metrics, limits
    )
    with served(config) as port:
        yield Served(port, metrics)


def head(path: str, *lines: str) -> bytes:
    """The head of a POST, as it goes over a socket."""
    return "\r\n".join((f"POST {path} HTTP/1.1", "host: receiver", *lines, "", "")).encode()


def request(path: str, body: bytes, *lines: str) -> bytes:
    return head(path, "content-type: application/json", f"content-length: {len(body)}", *lines) + (
        body
    )


def read_to_end(connection: socket.socket) -> bytes:
    """All that comes until the server closes; what a reset cuts off is lost, as for any client."""
    came = b""
    try:
        while data := connection.recv(65_536):
            came += data
    except ConnectionResetError:
        pass
    return came


def status_in(response: bytes) -> int | None:
    """The status of a response as it came over a socket; None for no response."""
    return int(response.split(b" ", 2)[1]) if response.startswith(b"HTTP/1.1 ") else None


def port_of(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None
    return port


def many_answers(number: int) -> bytes:
    return json.dumps([{"item": str(n), "status": "failed"} for n in range(number)]).encode()


def provider() -> SignalHireClient:
    """Whose callbacks they are; it is only asked to read, never to look up."""
    transport = httpx.MockTransport(lambda _request: httpx.Response(500))
    return SignalHireClient("http://signalhire.invalid", "key", transport=transport)
