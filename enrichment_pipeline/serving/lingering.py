"""An answer that comes before the body was read, so that its client can read it.

Here: reading and forgetting the rest of a body, for a while, once it is answered. Not here: which
answer (`receiver/app.py`, `entry/contact_routes.py`). A connection that is closed with bytes unread
is reset, and a client that is still sending then often sees the reset and not the 413 or 403.
"""

import asyncio

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class LingeringClose:
    """ASGI middleware: the whole answer goes out at once, the end of it after the body's.

    With `keeps_alive`, where connections serve several requests, one whose body was not read
    whole is closed: what is left of the body must not be taken for a request.
    """

    def __init__(self, app: ASGIApp, *, seconds: float, keeps_alive: bool = False) -> None:
        self._app = app
        self._seconds = seconds
        self._keeps_alive = keeps_alive

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_read = not _has_body(scope)

        async def receive_and_note() -> Message:
            nonlocal is_read
            message = await receive()
            is_read = message["type"] == "http.disconnect" or not message.get("more_body", False)
            return message

        async def send_and_linger(message: Message) -> None:
            if message["type"] == "http.response.start" and self._keeps_alive and not is_read:
                MutableHeaders(scope=message)["connection"] = "close"
            if message["type"] != "http.response.body" or message.get("more_body") or is_read:
                await send(message)
                return
            await send({**message, "more_body": True})
            try:
                async with asyncio.timeout(self._seconds):
                    while not is_read:
                        await receive_and_note()
            except TimeoutError:
                pass
            await send({"type": "http.response.body"})

        await self._app(scope, receive_and_note, send_and_linger)


def _has_body(scope: Scope) -> bool:
    headers = Headers(scope=scope)
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"
