"""Where a repeat is free, a look-up that was not answered is made once more, within its run.

Against Prospeo's stand-in, which charges a repeat all the same where it is told to.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from enrichment_pipeline.ledger.calls import Calls
from enrichment_pipeline.ledger.store import LedgerStore, open_store
from enrichment_pipeline.providers.base import NoReplyError, Reply
from enrichment_pipeline.providers.prospeo.client import ProspeoClient
from enrichment_pipeline_tests.conformance import StandIn, budgets_of, buy, rows_of
from enrichment_pipeline_tests.conformance.prospeo_case import PROSPEO_CASE as CASE
from enrichment_pipeline_tests.databases import migrated_sqlite

PEOPLE = 7
MILLIONTHS = 10**6


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LedgerStore]:
    store = open_store(migrated_sqlite(tmp_path / "ledger.sqlite"))
    yield store
    store.close()


class Torn(ProspeoClient):
    """Loses the first so many replies about each item, after they came."""

    def __init__(self, base_url: str, times: int) -> None:
        super().__init__(base_url, CASE.key)
        self._times = times
        self._lost: Counter[str] = Counter()

    async def lookup(self, items: Sequence[str]) -> Reply:
        reply = await super().lookup(items)
        self._lost.update(items)
        if min(self._lost[item] for item in items) <= self._times:
            raise NoReplyError("torn")
        return reply


@contextmanager
def running(folder: Path, **config: Any) -> Iterator[StandIn]:
    with CASE.start(folder, PEOPLE, **config) as stand_in:
        yield stand_in


def on_the_books(store: LedgerStore) -> tuple[int, int]:
    """Credits reserved and charged, by each period the same."""
    [booked] = {(row.reserved, row.charged) for row in budgets_of(store)}
    return booked[0] // MILLIONTHS, booked[1] // MILLIONTHS


def test_it_is_answered_by_the_repeat_and_paid_for_once(store: LedgerStore, tmp_path: Path):
    with running(tmp_path) as stand_in:
        people = CASE.persons(range(PEOPLE))
        report = buy(store, CASE.calls(), Torn(stand_in.base_url, 1), people, batch_size=2)
        again = buy(store, CASE.calls(), Torn(stand_in.base_url, 0), people, run_id="again")
        assert stand_in.times_charged() == {CASE.item(n): 1 for n in range(PEOPLE)}
    assert (report.unconfirmed, report.matched, report.units) == (PEOPLE, PEOPLE, 0)
    assert again.sent == 0
    # what the first ones cost is unknown, and stays reserved
    assert on_the_books(store) == (PEOPLE, 0)
    repeats = [row for row in rows_of(store, CASE.facts.name) if row.supersedes]
    assert {(row.state, row.units_charged) for row in repeats} == {("replied", 0)}


def test_a_provider_that_charges_a_repeat_all_the_same_is_within_the_budget(
    store: LedgerStore, tmp_path: Path
):
    with running(tmp_path, charge_repeats=True) as stand_in:
        people = CASE.persons(range(PEOPLE))
        buy(store, CASE.calls(), Torn(stand_in.base_url, 1), people, batch_size=2)
        assert stand_in.charged().total() == 2 * PEOPLE
    assert on_the_books(store) == (PEOPLE, PEOPLE)


def test_it_is_made_once_more_and_not_again(store: LedgerStore, tmp_path: Path):
    with running(tmp_path) as stand_in:
        people = CASE.persons(range(2))
        report = buy(store, CASE.calls(), Torn(stand_in.base_url, 9), people, concurrency=1)
        assert stand_in.times_charged() == {CASE.item(0): 1, CASE.item(1): 1}
    assert (report.unconfirmed, report.matched) == (4, 0)
    assert on_the_books(store) == (4, 0)


def test_where_the_budget_has_no_room_for_it_it_is_not_made(store: LedgerStore, tmp_path: Path):
    calls = CASE.calls(per_run=2, per_day=100, per_month=100)
    with running(tmp_path) as stand_in:
        people = CASE.persons(range(2))
        report = buy(store, calls, Torn(stand_in.base_url, 1), people, concurrency=1)
    assert (report.unconfirmed, report.matched) == (2, 0)
    assert report.exhausted == {"standard": "run"}
    assert on_the_books(store) == (2, 0)


def test_where_no_repeat_is_free_none_is_made(store: LedgerStore, tmp_path: Path):
    calls = CASE.calls()
    limits = replace(calls.limits, is_repeat_free=False)
    calls = Calls(calls.provider, calls.kind, limits, calls.clock)
    with running(tmp_path) as stand_in:
        report = buy(store, calls, Torn(stand_in.base_url, 1), CASE.persons(range(2)))
    assert (report.unconfirmed, report.matched) == (2, 0)
