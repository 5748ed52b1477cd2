"""Normalising what SQL cannot: domains, phone numbers, company names, other scripts."""

from __future__ import annotations

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enrichment_pipeline.identity import (
    GENERIC_COUNTRY_DOMAINS,
    Company,
    Domain,
    latin_key,
    read_company,
    read_domain,
    region_of,
    to_e164,
)


@pytest.mark.parametrize(
    ("host", "registrable"),
    [
        ("acme.com", "acme.com"),
        ("ACME.com.", "acme.com"),
        (" www.acme.co.uk ", "acme.co.uk"),
        ("mail.eu.acme.de", "acme.de"),
        ("https://www.Acme.com/about?x=1#y", "acme.com"),
        ("//acme.com:8080/x", "acme.com"),
        ("http://user:secret@acme.com", "acme.com"),
        ("acme.com/path", "acme.com"),
        ("shop.acme.co.jp", "acme.co.jp"),
        ("grünvolt-energie.de", "grünvolt-energie.de"),
        ("com", None),
        ("co.uk", None),
        ("localhost", None),
        ("192.168.0.1", None),
        ("http://[::1]/", None),
        ("http://[broken", None),
        ("not a domain", None),
        ("n/a", None),
        ("", None),
        ("ä" * 300, None),
    ],
)
def test_the_registrable_domain_of_a_host_or_url(host: str, registrable: str | None) -> None:
    assert read_domain(host).registrable == registrable


@pytest.mark.parametrize(
    ("host", "is_free_mail", "is_disposable"),
    [
        ("gmail.com", True, False),
        ("GMAIL.COM", True, False),
        ("yahoo.co.uk", True, False),
        ("gmx.de", True, False),
        ("mailinator.com", False, True),
        ("x.mailinator.com", False, True),
        ("acme.com", False, False),
        ("google.com", False, False),
        ("localhost", False, False),
        ("", False, False),
    ],
)
def test_mail_providers_are_told_from_companies(
    host: str, is_free_mail: bool, is_disposable: bool
) -> None:
    domain = read_domain(host)
    assert domain.is_disposable == is_disposable
    # some who hand out throw-away addresses stand in both lists
    assert domain.is_free_mail == is_free_mail or is_disposable


@given(st.text())
def test_any_text_can_be_asked_for_its_domain_and_country(text: str) -> None:
    domain = read_domain(text)
    assert isinstance(domain, Domain)
    assert domain.registrable is None or "." in domain.registrable
    assert region_of(domain.registrable) is None or len(str(region_of(domain.registrable))) == 2


def test_the_public_suffix_list_is_not_downloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object, **_options: object) -> None:
        raise AssertionError("asked the network")

    from enrichment_pipeline import identity

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    identity._extract.cache_clear()
    assert read_domain("www.acme.co.uk").registrable == "acme.co.uk"


@pytest.mark.parametrize(
    ("domain", "region"),
    [
        ("acme.de", "DE"),
        ("acme.co.uk", "GB"),
        ("acme.uk", "GB"),
        ("ACME.FR", "FR"),
        ("acme.com", None),
        ("acme.io", None),
        ("acme.ai", None),
        ("acme.co", None),
        ("acme.eu", None),
        ("acme.berlin", None),
        ("", None),
        (None, None),
    ],
)
def test_the_country_that_a_domain_tells(domain: str | None, region: str | None) -> None:
    assert region_of(domain) == region


@pytest.mark.parametrize("label", sorted(GENERIC_COUNTRY_DOMAINS))
def test_a_country_code_that_anybody_uses_tells_no_country(label: str) -> None:
    assert region_of(f"acme.{label}") is None


@pytest.mark.parametrize(
    ("number", "region", "e164"),
    [
        ("+49 30 901820", None, "+4930901820"),
        ("+49 (0)30 90 18-20", None, "+4930901820"),
        ("tel:+49-30-901820", None, "+4930901820"),
        ("030 901820", "DE", "+4930901820"),
        ("0049 30 901820", "DE", "+4930901820"),
        ("+49.30.901820 ext. 12", None, "+4930901820"),
        ("(415) 555-2671", "US", "+14155552671"),
        ("+1 415 555 2671", "DE", "+14155552671"),
        ("030 901820", None, None),
        ("0049 30 901820", None, None),
        ("030 901820", "XX", None),
        ("+49 12", None, None),
        ("+999 123456", None, None),
        ("12345", "US", None),
        ("n/a", "US", None),
        ("", "US", None),
        ("1" * 300, "US", None),
    ],
)
def test_a_phone_number_in_e164_where_it_is_valid(
    number: str, region: str | None, e164: str | None
) -> None:
    assert to_e164(number, region) == e164


@given(st.text(), st.sampled_from(["US", "DE", None]))
def test_any_text_can_be_asked_for_its_number(text: str, region: str | None) -> None:
    found = to_e164(text, region)
    assert found is None or found == to_e164(found, None)


@pytest.mark.parametrize(
    ("name", "search_name", "key"),
    [
        ("Acme GmbH & Co. KG", "Acme", "acme"),
        ("  ACME   Energy, Inc. ", "ACME Energy", "acme energy"),
        ("The Acme Works PLC", "Acme Works", "acme works"),
        ("Miller & Sons", "Miller & Sons", "miller sons"),
        ("Miller and Sons Ltd", "Miller and Sons", "miller sons"),
        ("Müller's Café S.A.", "Müller's Café", "mullers cafe"),
        ("Ромашка", "Ромашка", "romashka"),
        ("AG Insurance", "AG Insurance", "ag insurance"),
        ("The", "The", "the"),
        ("And", "And", "and"),
        ("Ltd", "Ltd", "ltd"),
        ("株式会社", "株式会社", "zhushihuishe"),
        ("&", "&", ""),
    ],
)
def test_a_company_is_its_name_without_what_its_writers_leave_out(
    name: str, search_name: str, key: str
) -> None:
    assert read_company(name) == Company(search_name, key)


@given(st.text())
def test_any_text_can_be_read_as_a_company_or_a_name(text: str) -> None:
    assert isinstance(read_company(text), Company)
    assert latin_key(text).isascii()


@pytest.mark.parametrize(
    ("key", "in_latin"),
    [
        ("иван петров", "ivan petrov"),
        ("ольга смирнова", "olga smirnova"),
        ("δραγασης νικος", "dragasis nikos"),
        ("łukasz", "lukasz"),
    ],
)
def test_a_name_in_another_script_is_put_into_latin_letters(key: str, in_latin: str) -> None:
    assert latin_key(key) == in_latin
