"""Where notifications may go: which URLs are taken, and which addresses are connected to.

Here: checking a URL against the policy, looking its host up, and telling public addresses from
others. Not here: the connection (`posting.py`), and when it is made (`notifying.py`).

Callers choose the URL, and we connect from inside the network, where they may not be let in. So the
host must be listed, and each of its addresses public or listed, too. Its name server may answer
otherwise the next time: the addresses that were checked are those that are connected to.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import httpx

from enrichment_pipeline.policy import EntryPolicy
from enrichment_pipeline.settings import Settings

LONGEST_URL = 2_000
PORTS = {"http": 80, "https": 443}

Address = IPv4Address | IPv6Address
Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""Gives the addresses of a host, the best one first; a port as for `getaddrinfo`."""

_UNICAST = ip_network("2000::/3")
"""All public addresses of IPv6. Loopback, link-local, unique-local and multicast lie outside."""
_TRANSLATED = ip_network("64:ff9b::/96")
"""NAT64: how a network that has IPv6 only reaches addresses of IPv4 (RFC 6052)."""
_SET_APART = (ip_network("192.88.99.0/24"), ip_network("3fff::/20"))
"""Relays that are gone (RFC 7526) and examples (RFC 9637), which Python takes for public."""


class RefusedError(Exception):
    """A notification may not go there. The text says why, and names neither host nor address."""


def refusal(url: str, settings: Settings) -> str | None:
    """Why notifications to this URL are refused; None where they are not. Looks up no name."""
    if settings.webhook_secret is None:
        return "cannot be used: notifications are signed, and ENRICHMENT_WEBHOOK_SECRET is not set"
    try:
        checked_url(url, settings.policy.entry)
    except RefusedError as refused:
        return str(refused)
    return None


def checked_url(url: str, policy: EntryPolicy) -> httpx.URL:
    """The URL, its host as name servers and certificates have it. Raises RefusedError."""
    if len(url) > LONGEST_URL:
        raise RefusedError(f"has more than {LONGEST_URL} characters")
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, ValueError):  # ValueError: a host that is no IDN
        raise RefusedError("is no URL") from None
    if parsed.scheme not in PORTS:
        raise RefusedError("must begin with https:// or http://")
    if parsed.userinfo:
        raise RefusedError("must hold no user name and no password")
    host = parsed.raw_host.decode("ascii").removesuffix(".")
    port = port_of(parsed)
    if not host or not 0 < port < 65_536:
        raise RefusedError("is no URL")
    if not _is_listed(host, port, PORTS[parsed.scheme], policy.notify_hosts):
        raise RefusedError("has a host that is not among [entry] notify_hosts")
    return parsed.copy_with(host=host)


def port_of(url: httpx.URL) -> int:
    """The port that is connected to, also where the URL leaves it out."""
    return PORTS[url.scheme] if url.port is None else url.port


async def checked_addresses(
    url: httpx.URL, policy: EntryPolicy, resolve: Resolver
) -> list[Address]:
    """The addresses of the URL's host, from one look-up. Raises RefusedError, OSError.

    One address that is not to be connected to has all of them refused.
    """
    found = await resolve(url.raw_host.decode("ascii"), port_of(url))
    addresses = [ip_address(text) for text in found]
    networks = [ip_network(network) for network in policy.notify_networks]
    for address in addresses:
        meant = _ipv4_within(address)
        if not is_public(address) and not any(meant in network for network in networks):
            raise RefusedError("has an address that is neither public nor in notify_networks")
    if not addresses:
        raise RefusedError("has no address")
    return addresses


def is_public(address: Address) -> bool:
    """Whether an address can be anybody's on the internet, and not of this host or network."""
    meant = _ipv4_within(address)
    if isinstance(meant, IPv6Address) and meant not in _UNICAST:
        return False
    if meant.is_multicast or any(meant in network for network in _SET_APART):
        return False
    return meant.is_global


def _ipv4_within(address: Address) -> Address:
    """The IPv4 address that is reached by this one, where it is such a one; else itself."""
    if isinstance(address, IPv4Address):
        return address
    if address in _TRANSLATED:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _is_listed(host: str, port: int, default_port: int, listed: Sequence[str]) -> bool:
    """Whether a host is among those of the policy, which leave out the scheme's own port."""
    shown = f"[{host}]" if ":" in host else host
    names = {f"{shown}:{port}", *([shown] if port == default_port else [])}
    return not names.isdisjoint(name.removesuffix(".") for name in listed)


class SystemResolver:
    """The system's look-up, in threads of its own: a name server that hangs holds up no others."""

    def __init__(self, threads: int) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="resolver")

    async def __call__(self, host: str, port: int) -> list[str]:
        return await asyncio.get_running_loop().run_in_executor(
            self._threads, _addresses_of, host, port
        )


def _addresses_of(host: str, port: int) -> list[str]:
    # as bytes: Python's own codec for text refuses names that are none with another error
    found = socket.getaddrinfo(host.encode("ascii"), port, type=socket.SOCK_STREAM)
    return [str(where[0]) for *_, where in found]
