"""The judge by itself: a batch of any size, and one that fails. The rules are tested elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from enrichment_pipeline.clock import Clock
from enrichment_pipeline.entry.judge import Judge
from enrichment_pipeline.ledger.entries import Entry
from enrichment_pipeline.ledger.store import open_store
from enrichment_pipeline_tests.databases import migrated_sqlite
from enrichment_pipeline_tests.entry.contact_of import contact_of
from enrichment_pipeline_tests.support import policy_for, settings_for


@pytest.fixture
def judge(tmp_path: Path) -> Iterator[Judge]:
    (tmp_path / "source").mkdir()
    (tmp_path / "known").mkdir()
    settings = settings_for(tmp_path, policy_for(tmp_path / "source"), None)
    store = open_store(migrated_sqlite(tmp_path / "ledger.sqlite"))
    judge = Judge(settings, store, Clock())
    yield judge
    judge.close()
    store.close()


def entry_of(n: int) -> Entry:
    contact = contact_of(n)
    return Entry(contact.id, contact.content, 1, Clock().now(), None, None, False)


def test_every_call_that_is_due_is_listed_however_many_there_are(judge: Judge):
    verdicts = judge.judge([entry_of(n) for n in range(120)])
    assert all(verdict.call is not None for verdict in verdicts)


def test_after_a_batch_that_failed_the_next_is_judged(judge: Judge):
    judge._connection.execute("drop table raw.provider_responses")
    with pytest.raises(duckdb.Error):
        judge.judge([entry_of(0)])
    [verdict] = judge.judge([entry_of(0)])
    assert verdict.call is not None
