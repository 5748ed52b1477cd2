"""An ASGI app as the process in the foreground: its socket, and when it stops.

Here: binding, announcing, running uvicorn, stopping on a signal or when the parent is
gone. Not here: what is answered, and what is printed: the caller announces.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Generator
from types import FrameType

import uvicorn

SHUTDOWN_SECONDS = 10


def serve_in_foreground(
    config: uvicorn.Config,
    host: str,
    port: int,
    *,
    announce: Callable[[str], None],
    exit_on_stdin_eof: bool = False,
) -> None:
    """Serve until SIGINT or SIGTERM, then finish what is being answered and return.

    `port` 0 takes a free one. `announce` is called with the server's URL once it
    answers. With `exit_on_stdin_eof` the server also stops when standard input ends:
    a parent that holds the other end of that pipe takes its server with it, even when
    it is killed. Raises OSError if the address cannot be had, before announcing.
    """
    with listen(host, port) as listener:
        server = _server(listener, config, announce, exit_on_stdin_eof=exit_on_stdin_eof)
        server.run(sockets=[listener])


async def serve_on(
    listener: socket.socket,
    config: uvicorn.Config,
    *,
    announce: Callable[[str], None],
    exit_on_stdin_eof: bool = False,
) -> None:
    """The same in a running event loop, in which the caller opens and closes what the app needs."""
    server = _server(listener, config, announce, exit_on_stdin_eof=exit_on_stdin_eof)
    await server.serve(sockets=[listener])


def listen(host: str, port: int) -> socket.socket:
    """A socket that is bound and listens already, so that two servers cannot both bind it.

    Raises OSError if the address cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=2048)
    # Its connections inherit it, for which asyncio does not set it. Without it an answer's body
    # waits until its head is acknowledged, which a client does not hurry to do: 40 ms.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _server(
    listener: socket.socket,
    config: uvicorn.Config,
    announce: Callable[[str], None],
    *,
    exit_on_stdin_eof: bool,
) -> _Server:
    server = _Server(config, on_started=lambda: announce(_url(listener)))
    if exit_on_stdin_eof:
        threading.Thread(target=_stop_at_end_of_stdin, args=(server,), daemon=True).start()
    return server


class _Server(uvicorn.Server):
    """uvicorn, which says when it answers, and for which a signal to stop is no failure."""

    def __init__(self, config: uvicorn.Config, on_started: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_started = on_started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_started()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        # uvicorn's own raises the signal anew after a graceful stop: the process would end with
        # the signal's status although it did what it was asked to do.
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {
            number: signal.signal(number, self._stop) for number in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        # a second Ctrl+C does not wait for what is being answered
        self.force_exit = self.should_exit and number == signal.SIGINT
        self.should_exit = True


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    # bound to every address: say one that a client on this machine can use
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _stop_at_end_of_stdin(server: uvicorn.Server) -> None:
    # os.read, because a daemon thread inside sys.stdin's lock aborts the interpreter at its end
    if sys.stdin is not None:
        with contextlib.suppress(OSError):
            while os.read(sys.stdin.fileno(), 4096):
                pass
    server.should_exit = True
