"""What connections may cost a server: how long the head of a request takes, and how many there are.

Here: uvicorn's protocol with a time limit, and the number of open files. Not here: bodies
(`bodies.py`), and how long a connection may be idle between requests, which uvicorn limits itself.
"""

import asyncio
import resource

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol


def protocol_with_head_limit(seconds: float) -> type[H11Protocol]:
    """The protocol of uvicorn, which does not wait for ever for the head of a request."""
    return type("LimitedProtocol", (_HeadLimitedProtocol,), {"head_seconds": seconds})


class _HeadLimitedProtocol(H11Protocol):
    """Closes a connection whose first head, or any head that has begun, is not whole in time."""

    head_seconds: float
    _limit: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self._limit = self.loop.call_later(self.head_seconds, self._close)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._limit_head_that_has_begun()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        # one may have come behind the request before it
        self._limit_head_that_has_begun()

    def _limit_head_that_has_begun(self) -> None:
        if self.conn.their_state is not h11.IDLE:
            self._cancel_limit()
        elif self._limit is None and self.conn.trailing_data[0]:
            self._limit = self.loop.call_later(self.head_seconds, self._close)

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_limit()
        super().connection_lost(exc)

    def _cancel_limit(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None

    def _close(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()


def allow_many_connections() -> None:
    """As many open files as the system lets us have: slow clients must not keep others out."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
