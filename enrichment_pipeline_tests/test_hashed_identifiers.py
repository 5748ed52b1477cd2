"""Identifiers as Python reads them for those without a warehouse: the same as SQL reads them."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from enrichment_pipeline.hashed_identifiers import (
    hashed,
    hashed_all,
    linkedin_slug,
    personal_email,
)
from enrichment_pipeline.warehouse.macros import create_macros
from enrichment_pipeline.word_lists import ROLE_ADDRESSES
from enrichment_pipeline_tests.properties import draws

PIECES = st.sampled_from(
    [
        *("https://", "http://", "www.", "de.", "linkedin.com", "LinkedIn.com", "/in/", "/pub/"),
        *("/mwlite/in/", "ada", "Ada-Lovelace", "é", "%C3%A9", "%e9", "%00", "%2F", "?x=1", "#y"),
        *(" ", "\u00a0", "\t", "/", "@", ".", "acme.com", "mailto:", "<", ">", "info", "ada.l"),
        *("+1", "'", "a" * 200, "ß", "İ", "\u0301", "null", "n/a", "-"),
    ]
)
TEXTS = st.lists(PIECES, max_size=7).map("".join) | st.text(max_size=30)


@pytest.fixture(scope="module")
def sql() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        create_macros(connection)
        yield connection


def test_whatever_is_written_both_read_it_alike(sql: duckdb.DuckDBPyConnection) -> None:
    @given(text=TEXTS)
    @example("https://www.linkedin.com/in/ada-lovelace/?trk=1")
    @example("Ada <ADA@Acme.com>")
    @example("info@acme.com")
    @draws(few=150, many=3000)
    def compare(text: str) -> None:
        [(slug, email)] = sql.execute(
            "select linkedin_slug($text), case when not is_role_address(email_address($text)) "
            "then email_address($text) end",
            {"text": text},
        ).fetchall()
        assert (linkedin_slug(text), personal_email(text)) == (slug, email)

    compare()


def test_the_mailboxes_of_functions_are_the_same_ones(sql: duckdb.DuckDBPyConnection) -> None:
    addresses = [f"{role}@acme.com" for role in ROLE_ADDRESSES]
    [(same,)] = sql.execute(
        "select bool_and(is_role_address(address)) from (select unnest($a) as address)",
        {"a": addresses},
    ).fetchall()
    assert same
    assert not any(map(personal_email, addresses))


def test_both_hash_alike(sql: duckdb.DuckDBPyConnection) -> None:
    value = "ada@äcme.example"
    [(written,)] = sql.execute(
        "select hashed_identifier('email', $value)", {"value": value}
    ).fetchall()
    assert hashed("email", value) == written


def test_what_several_people_may_share_is_nobodys() -> None:
    given = [
        ("email", "info@acme.com"),
        ("email", "Ada@Acme.com"),
        ("linkedin", "https://www.linkedin.com/company/acme"),
        ("linkedin", "linkedin.com/in/Ada"),
        ("phone", "0123"),
        ("phone", "+1 415 555 2671"),
        ("uid", "AB"),
    ]
    assert hashed_all(given) == {
        hashed("email", "ada@acme.com"),
        hashed("linkedin", "ada"),
        hashed("phone", "+14155552671"),
        hashed("uid", "ab"),
    }
