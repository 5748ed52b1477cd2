"""Which URLs notifications may go to, and which addresses are never connected to."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path

import pytest
from pydantic import SecretStr

from enrichment_pipeline.entry.addresses import (
    LONGEST_URL,
    RefusedError,
    SystemResolver,
    checked_addresses,
    checked_url,
    is_public,
    refusal,
)
from enrichment_pipeline.policy import EntryPolicy, Policy
from enrichment_pipeline_tests.support import settings_for

POLICY = EntryPolicy(
    notify_hosts=(
        "hooks.example.com",
        "intern.example:8443",
        "xn--mnchen-3ya.example",
        "dot.example.",
        "[2001:4860::8]:8080",
        "8.8.8.8",
    )
)
ON_THE_LIST = [
    ("https://hooks.example.com", "https://hooks.example.com"),
    ("http://hooks.example.com/a?b=c#d", "http://hooks.example.com/a?b=c#d"),
    ("HTTPS://Hooks.EXAMPLE.com.:443/a", "https://hooks.example.com/a"),
    ("https://intern.example:8443/", "https://intern.example:8443/"),
    ("https://münchen.example/", "https://xn--mnchen-3ya.example/"),
    ("https://dot.example/", "https://dot.example/"),
    ("http://[2001:4860::8]:8080/", "http://[2001:4860::8]:8080/"),
    ("http://8.8.8.8/", "http://8.8.8.8/"),
]
REFUSED = {
    "must begin with": ["", "hooks.example.com", "//hooks.example.com", "ftp://hooks.example.com"],
    "must hold no user name": [
        "https://me:word@hooks.example.com/",
        "https://hooks.example.com@evil.example/",
        "https://hooks.example.com\\@evil.example/",
    ],
    "is no URL": [
        "https://hooks.example.com:0/",
        "https://hooks.example.com:70000/",
        "https://hooks.example.com:port/",
        "https:///path",
        "https://hooks.example.com\n/",
        "https://[::1/",
        "https://\uff11\uff12\uff17.0.0.1/",
    ],
    "not among": [
        "https://evil.example/",
        "https://hooks.example.com.evil.example/",
        "https://evil.example/#hooks.example.com",
        "https://hooks.example.com:8443/",
        "http://hooks.example.com:443/",
        "https://intern.example/",
        "https://xn--a/",
        "https://hooks%2eexample.com/",
        "http://127.0.0.1/",
        "http://0x08080808/",
        "http://[2001:4860::9]:8080/",
        "http://[::ffff:8.8.8.8]/",
    ],
    f"has more than {LONGEST_URL}": ["https://hooks.example.com/" + "a" * LONGEST_URL],
}


@pytest.mark.parametrize(("url", "requested"), ON_THE_LIST)
def test_a_listed_host_is_taken_however_it_is_spelt(url: str, requested: str) -> None:
    assert str(checked_url(url, POLICY)) == requested


@pytest.mark.parametrize(
    ("why", "url"), [(why, url) for why, urls in REFUSED.items() for url in urls]
)
def test_any_other_url_is_refused_with_the_reason(why: str, url: str) -> None:
    with pytest.raises(RefusedError, match=why) as raised:
        checked_url(url, POLICY)
    assert "example" not in str(raised.value)


def test_no_host_is_listed_by_default() -> None:
    with pytest.raises(RefusedError, match="not among"):
        checked_url("https://hooks.example.com/", EntryPolicy())


def test_a_url_is_refused_where_nothing_can_be_signed(tmp_path: Path) -> None:
    policy = Policy.model_validate({"entry": {"notify_hosts": ["hooks.example.com"]}})
    unsigned = settings_for(tmp_path, policy, None)
    signed = settings_for(tmp_path, policy, None, webhook_secret=SecretStr("whsec_" + "A" * 32))
    assert "ENRICHMENT_WEBHOOK_SECRET" in (refusal("https://hooks.example.com/", unsigned) or "")
    assert refusal("https://hooks.example.com/", signed) is None
    assert "notify_hosts" in (refusal("https://evil.example/", signed) or "")


PUBLIC = """
1.1.1.1 93.184.216.34 172.15.0.1 172.32.0.1 100.63.255.255 100.128.0.1 2606:4700::1111
::ffff:8.8.8.8 64:ff9b::808:808 2002:808:808::1
"""
NOT_PUBLIC = """
127.0.0.1 127.8.9.10 0.0.0.0 0.1.2.3 10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1
169.254.169.254 100.64.0.1 100.127.255.255 192.0.0.1 192.0.2.1 192.88.99.1 198.18.0.1 224.0.0.1
239.1.1.1 240.0.0.1 255.255.255.255
:: ::1 fe80::1 fe80::1%eth0 fec0::1 fc00::1 fd00:ec2::254 ff02::1 ff0e::1 2001:db8::1 3fff::1
2001::1 100::1 5f00::1
::ffff:10.0.0.1 ::ffff:127.0.0.1 ::ffff:169.254.169.254 ::127.0.0.1
64:ff9b::a9fe:a9fe 64:ff9b:1::808:808 2002:a00:1:: 2002:7f00:1::
"""


@pytest.mark.parametrize("address", PUBLIC.split())
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize("address", NOT_PUBLIC.split())
def test_an_address_of_a_host_or_of_a_network_of_ones_own_is_not(address: str) -> None:
    assert not is_public(ip_address(address))


def addresses_of(*found: str, networks: Sequence[str] = ()) -> list[str]:
    """What is connected to where a host has these addresses."""

    async def resolve(host: str, port: int) -> Sequence[str]:
        assert (host, port) == ("hooks.example.com", 443)
        return found

    policy = POLICY.model_copy(update={"notify_networks": tuple(networks)})
    url = checked_url("https://hooks.example.com", policy)
    return list(map(str, asyncio.run(checked_addresses(url, policy, resolve))))


def test_all_public_addresses_of_a_host_are_given_in_their_order() -> None:
    assert addresses_of("2606:4700::1", "1.1.1.1") == ["2606:4700::1", "1.1.1.1"]


@pytest.mark.parametrize("private", ["127.0.0.1", "169.254.169.254", "::ffff:10.0.0.1", "fd00::1"])
@pytest.mark.parametrize("others", [("1.1.1.1",), ()])
def test_one_private_address_has_the_host_refused(private: str, others: tuple[str, ...]) -> None:
    for found in [(*others, private), (private, *others)]:
        with pytest.raises(RefusedError, match="neither public nor in notify_networks"):
            addresses_of(*found)


def test_a_host_without_addresses_is_refused() -> None:
    with pytest.raises(RefusedError, match="has no address"):
        addresses_of()


def test_addresses_of_a_listed_network_are_taken_however_they_are_written() -> None:
    networks = ["10.1.0.0/16", "fd00::/8"]
    found = ("10.1.2.3", "::ffff:10.1.2.3", "64:ff9b::a01:203", "fd00::1", "1.1.1.1")
    assert len(addresses_of(*found, networks=networks)) == len(found)
    for address in ["10.2.0.1", "::ffff:10.2.0.1", "fe80::1"]:
        with pytest.raises(RefusedError, match="neither public"):
            addresses_of(address, networks=networks)


def test_the_systems_resolver_reads_every_spelling_of_an_address() -> None:
    resolve = SystemResolver(1)
    for spelling in ["127.0.0.1", "2130706433", "0x7f000001", "127.1"]:
        assert asyncio.run(resolve(spelling, 80)) == ["127.0.0.1"]
    assert asyncio.run(resolve("::1", 80)) == ["::1"]


def test_a_name_that_cannot_be_one_is_an_error_of_the_look_up() -> None:
    with pytest.raises(OSError, match=r"."):
        asyncio.run(SystemResolver(1)("a..b", 80))
