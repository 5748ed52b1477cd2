"""The judge by itself: a batch of any size, and one that fails. The rules are tested elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from enrichment_pipeline.clock import Clock
from enrichment_pipeline.entry.judge import Judge
from enrichment_pipeline.ledger.entries import Entry
from enrichment_pipeline.ledger.store import open_store
from enrichment_pipeline_tests.databases import migrated_sqlite
from enrichment_pipeline_tests.entry.contact_of import contact_of
from enrichment_pipeline_tests.support import policy_for, settings_for, write_csv


@pytest.fixture
def judge(tmp_path: Path) -> Iterator[Judge]:
    (tmp_path / "source").mkdir()
    with opened_judge(tmp_path) as judge:
        yield judge


@contextmanager
def opened_judge(home: Path, **sections: Mapping[str, object]) -> Iterator[Judge]:
    """A judge over a state folder whose source is the folder `source` in it."""
    (home / "known").mkdir()
    settings = settings_for(home, policy_for(home / "source", **sections), None)
    store = open_store(migrated_sqlite(home / "ledger.sqlite"))
    judge = Judge(settings, store, Clock())
    try:
        yield judge
    finally:
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


@pytest.mark.parametrize(
    ("eligibility", "eligible"),
    [
        ({"where": "full_name like '%abson'"}, {1}),
        ({"where": "country = 'FR'"}, set()),  # what only the source has is null
        ({"contacts": "select contact_id from contacts"}, set()),
    ],
)
def test_an_entry_that_the_policy_leaves_out_is_not_bought(
    tmp_path: Path, eligibility: Mapping[str, object], eligible: set[int]
):
    row = {"contact_id": "C1", "full_name": "Ada Example", "country": "FR"}
    write_csv(tmp_path / "source/contacts.csv", [row])
    with opened_judge(tmp_path, eligibility=eligibility) as judge:
        verdicts = judge.judge([entry_of(n) for n in range(3)])
    assert {n for n, verdict in enumerate(verdicts) if verdict.call is not None} == eligible
    told = [verdict.enrichment for verdict in verdicts if verdict.call is None]
    assert {(each and each.status, each and each.reason) for each in told} == {
        ("suppressed", "not_eligible")
    }
