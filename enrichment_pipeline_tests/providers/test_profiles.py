"""Reading pages of found profiles, and that the page about faults says what the code does."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enrichment_pipeline.dispatch.settling import settlement_for
from enrichment_pipeline.providers.base import (
    Failing,
    Found,
    Halt,
    ItemReading,
    NoMatch,
    PageReading,
    Retriable,
    SlowDown,
)
from enrichment_pipeline.providers.signalhire.profiles import read_page
from enrichment_pipeline.providers.signalhire.search_faults import SEARCH_FAULTS, SearchFault

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"
ROW = re.compile(
    r"^\| `search:(?P<code>\w+)` \| .+ \| (?P<outcome>[\w ]+) \| `(?P<state>\w+)` "
    r"\| (?P<counts>yes|no) \| (?P<run>.*)\|$"
)
SAID_OF_SIGNALS = {
    Halt: "stops searching",
    SlowDown: "all processes pause",
    Failing: "counts towards the breaker",
}


def documented() -> dict[str, dict[str, str]]:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    return {row["code"]: row.groupdict() for line in lines if (row := ROW.match(line))}


def page(**document: object) -> bytes:
    return json.dumps({"requestId": 7, "total": 1, "profiles": [{"uid": "a"}], **document}).encode()


def test_every_fault_of_a_search_stands_in_both_tables_in_the_same_order() -> None:
    assert list(documented()) == list(SEARCH_FAULTS)


@pytest.mark.parametrize(("code", "fault"), SEARCH_FAULTS.items(), ids=SEARCH_FAULTS)
def test_the_page_says_of_a_searchs_fault_what_the_code_does(code: str, fault: SearchFault) -> None:
    row = documented()[code]
    outcome = re.sub(r"(?<!^)(?=[A-Z])", " ", type(fault.outcome).__name__).lower()
    assert row["outcome"] == outcome
    assert row["counts"] == ("yes" if fault.is_counted else "no")
    assert row["state"] == settlement_for(ItemReading(fault.outcome)).state
    for signal, said in SAID_OF_SIGNALS.items():
        assert (said in row["run"]) == isinstance(fault.signal, signal)


def test_a_page_tells_where_the_next_one_is() -> None:
    reading = read_page(200, page(total=30, scrollId="next"), is_further=False)
    assert reading == PageReading(Found(), request_ref="7", scroll_id="next", total=30, profiles=1)


@pytest.mark.parametrize("scroll_id", [None, "", True, [], "x" * 5000])
def test_what_is_no_scroll_id_leads_nowhere(scroll_id: object) -> None:
    assert read_page(200, page(scrollId=scroll_id), is_further=False).scroll_id is None


def test_a_page_without_profiles_is_a_miss_wherever_it_leads() -> None:
    reading = read_page(200, page(total=0, profiles=[], scrollId="next"), is_further=False)
    assert (reading.outcome, reading.scroll_id) == (NoMatch(), None)


def test_a_404_is_another_thing_for_a_further_page() -> None:
    assert isinstance(read_page(404, b"{}", is_further=False).signal, Halt)
    further = read_page(404, b"{}", is_further=True)
    assert (further.is_gone, further.signal) == (True, None)


def test_an_undocumented_status_is_named_and_may_be_asked_again() -> None:
    reading = read_page(503, b"", is_further=False)
    assert (reading.outcome, reading.signal) == (Retriable("http_503"), Failing("http_503"))


@given(st.binary() | st.text().map(str.encode) | st.just(b'{"profiles": {}}') | st.just(b"[1]"))
def test_whatever_comes_is_read_without_an_error(body: bytes) -> None:
    assert isinstance(read_page(200, body, is_further=False), PageReading)
