"""HTTP as every provider's client needs it: what never left, how much is read, which numbers count.

Here: what does not depend on the provider. Not here: requests, headers, and what a reply means.
"""

import httpx

NEVER_SENT: tuple[type[Exception], ...] = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)
"""Errors of the transport after which the request certainly did not leave: `not_sent`.

Names that do not resolve and TLS that fails are ConnectErrors. After any other
error of the transport it may have left: `no_reply`.
"""
MAX_BODY_BYTES = 64 * 1024 * 1024
MAX_COUNT = 2**31 - 1
"""What the ledger's columns hold; a larger number is no balance and no cost."""


async def limited_body(response: httpx.Response) -> bytes:
    """The body; one that is too long is cut off: it does not parse, and so ends as unconfirmed."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.aiter_bytes():
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            break
        chunks.append(chunk)
    return b"".join(chunks)


def whole_number(value: object) -> int | None:
    """An integer as JSON or a header gives it; None for what is none."""
    try:
        return int(str(value))
    except ValueError:
        return None


def balance_in(value: object) -> int | None:
    """A balance, which may be overdrawn; None for what the ledger could not hold."""
    number = whole_number(value)
    return number if number is not None and abs(number) <= MAX_COUNT else None


def cost_in(value: object) -> int | None:
    """What a request cost; None for what is no such number."""
    number = balance_in(value)
    return number if number is not None and number >= 0 else None
