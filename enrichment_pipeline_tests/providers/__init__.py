"""Tests of the providers, and the real sockets that they misbehave with.

Here: servers that answer, hang up or keep silent as a test says. Not here: the sandbox, which
behaves (`support.running_sandbox`).
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Behaviour = Callable[[socket.socket], None]
"""What a server does with one connection; it is closed afterwards."""

LISTEN_SECONDS = 20.0


class MisbehavingServer:
    """Its n-th connection gets the n-th behaviour, every later one the last."""

    def __init__(self, port: int) -> None:
        self.base_url = f"http://127.0.0.1:{port}/api/v1"
        self.connections = 0
        self.requests: list[bytes] = []


@contextmanager
def server_that(*behaviours: Behaviour) -> Iterator[MisbehavingServer]:
    with socket.create_server(("127.0.0.1", 0)) as listener, contextlib.ExitStack() as held:
        server = MisbehavingServer(listener.getsockname()[1])

        def serve(connection: socket.socket, behaviour: Behaviour) -> None:
            with connection, contextlib.suppress(OSError):
                connection.settimeout(LISTEN_SECONDS)
                behaviour(connection)

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                behaviour = behaviours[min(server.connections, len(behaviours) - 1)]
                server.connections += 1
                held.callback(connection.close)
                threading.Thread(target=serve, args=(connection, behaviour), daemon=True).start()

        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        try:
            yield server
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            accepting.join(5)


def read_request(connection: socket.socket) -> bytes:
    """The whole request: headers, and as much body as they promise."""
    received = b""
    while b"\r\n\r\n" not in received:
        chunk = connection.recv(65_536)
        if not chunk:
            return received
        received += chunk
    headers, _, body = received.partition(b"\r\n\r\n")
    length = 0
    for line in headers.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
    while len(body) < length:
        chunk = connection.recv(65_536)
        if not chunk:
            break
        body += chunk
    return headers + b"\r\n\r\n" + body


def response(status: int, body: bytes = b"", *headers: str) -> bytes:
    """A complete HTTP response, whose connection is closed after it."""
    lines = [f"HTTP/1.1 {status} Whatever", f"content-length: {len(body)}", "connection: close"]
    return "\r\n".join([*lines, *headers, "", ""]).encode() + body


def answers(status: int, body: bytes = b"", *headers: str) -> Behaviour:
    return sends(response(status, body, *headers))


def sends(content: bytes) -> Behaviour:
    """Reads the request, then writes these bytes as they are, and closes."""

    def behave(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(content)

    return behave


def hangs_up_at_once(connection: socket.socket) -> None:
    """Closes without having read anything, with a reset where something has come."""


def hangs_up_after_reading(connection: socket.socket) -> None:
    read_request(connection)


def never_answers(connection: socket.socket) -> None:
    read_request(connection)
    while connection.recv(1):
        pass


def free_port() -> int:
    """A port on which no server listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]
