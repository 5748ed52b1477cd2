"""Fixtures of the ledger's tests: an open ledger on each database, and a clock that they move."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from enrichment_pipeline.ledger.store import LedgerStore, open_store
from enrichment_pipeline_tests.ledger import Ledger, limits_of
from enrichment_pipeline_tests.support import MovingClock

LedgerOf = Callable[..., Ledger]


@pytest.fixture
def store(ledger_url: str) -> Iterator[LedgerStore]:
    store = open_store(ledger_url)
    yield store
    store.close()


@pytest.fixture
def clock() -> MovingClock:
    return MovingClock()


@pytest.fixture
def ledger_of(store: LedgerStore, clock: MovingClock) -> LedgerOf:
    """A ledger whose limits a test names: `ledger_of(items_per_window=4, per_day=20)`."""

    def make(provider: str = "signalhire", **changes: Any) -> Ledger:
        return Ledger(store, provider, limits_of(**changes), clock)

    return make


@pytest.fixture
def ledger(ledger_of: LedgerOf) -> Ledger:
    return ledger_of()
