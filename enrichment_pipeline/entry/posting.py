"""One POST to a server outside, at an address that was checked.

Here: the connection, TLS, and the limits of time. Not here: which addresses are refused
(`addresses.py`), what is posted, and what an answer means (`notifying.py`).
"""

import asyncio
import ssl
from collections.abc import Mapping
from functools import cache

import httpx

from enrichment_pipeline.entry.addresses import (
    Resolver,
    SystemResolver,
    checked_addresses,
    checked_url,
)
from enrichment_pipeline.policy import EntryPolicy

CONNECT_SECONDS = 5.0
SECONDS = 10.0
"""Of a whole attempt, from the look-up of the host to the head of the answer."""
RESOLVER_THREADS = 32
"""More than are posted at once: a look-up that is given up goes on for a while."""


class Poster:
    """Posts to the hosts of a policy, each time over a connection of its own.

    No proxy of the environment is used, since it would look the host up again, and no redirect is
    followed. Of an answer nothing is read but its head.
    """

    def __init__(
        self,
        policy: EntryPolicy,
        *,
        resolve: Resolver | None = None,
        tls: ssl.SSLContext | None = None,
        seconds: float = SECONDS,
    ) -> None:
        self._policy = policy
        self._resolve = resolve or SystemResolver(RESOLVER_THREADS)
        self._tls = tls or _tls()
        self._seconds = seconds

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """The answer's status.

        Raises RefusedError for a URL or address that is not to be connected to, OSError where the
        host cannot be looked up, httpx.TransportError, and TimeoutError.
        """
        checked = checked_url(url, self._policy)
        async with asyncio.timeout(self._seconds):
            async with asyncio.timeout(CONNECT_SECONDS):
                *others, last = await checked_addresses(checked, self._policy, self._resolve)
            for address in others:
                try:
                    return await self._post_to(str(address), checked, body, headers)
                except (httpx.ConnectError, httpx.ConnectTimeout):
                    continue
            return await self._post_to(str(last), checked, body, headers)

    async def _post_to(
        self, address: str, url: httpx.URL, body: bytes, headers: Mapping[str, str]
    ) -> int:
        """Post to this address what the URL's host is to get.

        To httpx the address is the host, so that it looks nothing up. `Host` is the name, and so is
        what TLS asks for and compares with the certificate.
        """
        request = httpx.Request(
            "POST",
            url.copy_with(host=address),
            headers={**headers, "host": url.netloc.decode("ascii"), "connection": "close"},
            content=body,
            extensions={
                "sni_hostname": url.raw_host.decode("ascii"),
                "timeout": httpx.Timeout(self._seconds, connect=CONNECT_SECONDS).as_dict(),
            },
        )
        # the transport and not a client: that one logs the whole URL, and keeps cookies
        async with httpx.AsyncHTTPTransport(verify=self._tls, trust_env=False) as transport:
            response = await transport.handle_async_request(request)
            try:
                return response.status_code
            finally:
                await response.aclose()


@cache
def _tls() -> ssl.SSLContext:
    """As httpx makes it, but once: reading the certificates takes a twentieth of a second."""
    return httpx.create_ssl_context()
