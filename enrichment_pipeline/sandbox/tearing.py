"""Closing a connection without a response, which ASGI has no word for.

Belongs here: the response that is none, and the hook in uvicorn that makes it possible. Does not
belong here: when a connection is torn (`faults.py`).

An app that raises or returns before it has answered makes uvicorn answer 500 in its place. Only who
holds the transport can close the connection, and uvicorn does not pass it on; but it copies the
state of the connection's protocol into the scope of each request (the specification's "lifespan
state"). A protocol that puts its transport's `abort` there needs nothing private of uvicorn, and it
is the same for h11 and httptools.
"""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.auto import AutoHTTPProtocol

_TEAR = "tear_connection"


class TearableProtocol(AutoHTTPProtocol):  # ty: ignore[unsupported-base]
    """uvicorn's protocol, whose requests can have their connection torn."""

    app_state: dict[str, Any]

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self.app_state = {**self.app_state, _TEAR: transport.abort}


class TornConnection(Response):
    """In the place of a response: the connection is closed, and the client hears nothing."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"][_TEAR]()
        # until uvicorn knows that the client has gone, it would answer 500 for an app that returned
        while (await receive())["type"] != "http.disconnect":
            pass
