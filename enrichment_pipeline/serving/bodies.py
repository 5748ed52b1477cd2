"""The body of a request, read within limits of size and time.

Here: reading, and what is refused. Not here: who may send one, and what is in it. The size is
counted while the body comes, since the length that its head tells may be missing or wrong.
"""

import asyncio

from starlette.requests import ClientDisconnect, Request

_LONGEST_LENGTH = 15
"""Digits of a length that is worth reading as a number."""


class RequestRefusedError(Exception):
    """The request is answered with this HTTP status, and this reason."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status
        self.why = why


async def read_body(request: Request, *, most_bytes: int, seconds: float) -> bytes:
    """The body, whole. Of one that says that it is too large, nothing is read.

    Raises RequestRefusedError with 413 (too large), 408 (too slow) or 400 (it ended early).
    """
    length = request.headers.get("content-length", "0")
    if length.isdecimal() and (len(length) > _LONGEST_LENGTH or int(length) > most_bytes):
        raise RequestRefusedError(413, "the body is too large")
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                body += chunk
                if len(body) > most_bytes:
                    raise RequestRefusedError(413, "the body is too large")
    except TimeoutError:
        raise RequestRefusedError(408, "the body took too long") from None
    except ClientDisconnect:
        raise RequestRefusedError(400, "the body ended early") from None
    return bytes(body)
