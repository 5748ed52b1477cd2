"""Fixtures of the receiver's tests: a ledger in a file, with one batch that waits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from enrichment_pipeline.ledger.store import LedgerStore
from enrichment_pipeline.receiver.inbox import LedgerInbox
from enrichment_pipeline_tests.databases import migrated_sqlite
from enrichment_pipeline_tests.ledger import Ledger
from enrichment_pipeline_tests.receiver import App, opened, submitted


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return migrated_sqlite(tmp_path / "ledger.sqlite")


@pytest.fixture
def opened_ledger(sqlite_url: str) -> Iterator[tuple[LedgerStore, Ledger]]:
    with opened(sqlite_url) as store_and_ledger:
        yield store_and_ledger


@pytest.fixture
def store(opened_ledger: tuple[LedgerStore, Ledger]) -> LedgerStore:
    return opened_ledger[0]


@pytest.fixture
def ledger(opened_ledger: tuple[LedgerStore, Ledger]) -> Ledger:
    return opened_ledger[1]


@pytest.fixture
def batch(ledger: Ledger) -> str:
    return submitted(ledger)


@pytest.fixture
def app(ledger: Ledger) -> App:
    return App(LedgerInbox(ledger.store, ledger.calls))
