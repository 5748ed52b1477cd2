"""Fixtures of the dispatcher's tests: a ledger in a file, and a sandbox that knows sixty people."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from enrichment_pipeline.ledger.store import LedgerStore, open_store
from enrichment_pipeline_tests.databases import migrated_sqlite
from enrichment_pipeline_tests.dispatch import directory
from enrichment_pipeline_tests.support import RunningSandbox, running_sandbox


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LedgerStore]:
    store = open_store(migrated_sqlite(tmp_path / "ledger.sqlite"))
    yield store
    store.close()


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[RunningSandbox]:
    with running_sandbox(directory(), tmp_path / "journal.jsonl") as sandbox:
        yield sandbox
