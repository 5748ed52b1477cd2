"""A server that notifications are posted to, on loopback and in the test's own event loop.

Here: real HTTP with any answer, also bad ones, and what was received. Not here: what is asserted.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

PATIENCE_SECONDS = 20.0
R = TypeVar("R")


@dataclass(frozen=True)
class Received:
    """A request, and the server name that TLS asked for."""

    target: str
    headers: dict[str, str]
    body: bytes
    server_name: str | None


Answer = Callable[[Received], AsyncIterator[bytes]]
"""What is written, part by part."""


@dataclass
class Hooks:
    """Where it listens, what came, how many connections were made, and what was written to them."""

    port: int = 0
    received: list[Received] = field(default_factory=list)
    connections: int = 0
    written: int = 0
    is_hung_up_on: asyncio.Event = field(default_factory=asyncio.Event)
    arrivals: asyncio.Queue[Received] = field(default_factory=asyncio.Queue)

    @property
    def ids(self) -> list[str]:
        return [one.headers["webhook-id"] for one in self.received]

    def url(self, host: str = "hooks.example.com", scheme: str = "http", path: str = "/in") -> str:
        return f"{scheme}://{host}:{self.port}{path}"


def always(status: int, *head: str) -> Answer:
    whole = "\r\n".join([f"HTTP/1.1 {status} x", *head, "content-length: 0", "", ""]).encode()

    async def give(_received: Received) -> AsyncIterator[bytes]:
        yield whole

    return give


@asynccontextmanager
async def hooks(
    give: Answer | None = None,
    *,
    tls: ssl.SSLContext | None = None,
    host: str = "127.0.0.1",
    listener: socket.socket | None = None,
) -> AsyncIterator[Hooks]:
    """Serve until the block ends; 204 is what everybody is answered, unless `give` says."""
    made = Hooks()
    give = give or always(204)
    handlers: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        made.connections += 1
        task = asyncio.current_task()
        assert task is not None
        handlers.add(task)
        try:
            received = await _request(reader, writer)
            made.received.append(received)
            made.arrivals.put_nowait(received)
            async for part in give(received):
                writer.write(part)
                await writer.drain()
                made.written += len(part)
        except (asyncio.IncompleteReadError, ConnectionError):
            made.is_hung_up_on.set()
        except asyncio.CancelledError:
            pass  # the block has ended; asyncio's own servers log a handler that is cancelled
        finally:
            writer.close()
            with suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()
            handlers.discard(task)

    listener = listener or socket.create_server((host, 0), family=_family(host))
    server = await asyncio.start_server(serve, sock=listener, ssl=tls)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        for handler in list(handlers):
            handler.cancel()
        await asyncio.gather(*handlers, return_exceptions=True)


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


async def _request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip().split("\r\n")
    method, target, _ = first.split(" ")
    assert method == "POST"
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    body = await reader.readexactly(int(headers["content-length"]))
    tls = writer.get_extra_info("ssl_object")
    return Received(target, headers, body, getattr(tls, "asked_for", None))


def run(coroutine: Coroutine[Any, Any, R]) -> R:
    """What the coroutine returns, within a time that only a hanging one needs."""

    async def bounded() -> R:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await coroutine

    return asyncio.run(bounded())


async def until(condition: Callable[[], bool]) -> None:
    """Let others go on until this is so; for what sets no event."""
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.001)
