"""What was paid for stands in the warehouse, whatever shape the provider's replies have.

Here: from a reply in the ledger to an answer and a profile for each look-up, and from the tables
back into a ledger that has lost them. Not here: what an answer means (`test_conformance.py`), and
which tables are made of it (`warehouse/`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest
import sqlalchemy as sa

from enrichment_pipeline.ledger.schema import UNCONFIRMED, replies
from enrichment_pipeline.ledger.store import LedgerStore, open_store
from enrichment_pipeline.rollback import take_over_answers
from enrichment_pipeline.steps import copy_answers
from enrichment_pipeline_tests.conformance import Case, buy, rows_of
from enrichment_pipeline_tests.conformance.cases import CASES
from enrichment_pipeline_tests.conformance.crowd import item as address_of
from enrichment_pipeline_tests.conformance.madeup.birch_case import BIRCH_CASE
from enrichment_pipeline_tests.conformance.madeup.birch_stand_in import STRANGER
from enrichment_pipeline_tests.databases import migrated_sqlite
from enrichment_pipeline_tests.dispatch import Told
from enrichment_pipeline_tests.ledger import budget_of
from enrichment_pipeline_tests.warehouse.prepared import opened

BATCH = 4


def tables_of(store: LedgerStore, warehouse: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """The ledger's answers and profiles, copied into this warehouse, by look-up."""
    copy_answers.take_over_answers(warehouse, store)
    rows = warehouse.execute(
        "select response.lookup_id, response.answer, profile.uid, profile.profile_urls,"
        " list_transform(profile.contact_points, lambda each: each.value)"
        " from raw.provider_responses as response"
        " left join staging.profiles as profile on profile.call_id = response.lookup_id"
    ).fetchall()
    assert len({lookup_id for lookup_id, *_ in rows}) == len(rows)
    return {lookup_id: row for lookup_id, *row in rows}


def bodies_in(store: LedgerStore) -> list[bytes]:
    with store.read() as connection:
        return [bytes(body) for body in connection.execute(sa.select(replies.c.body)).scalars()]


def buy_a_few(case: Case, store: LedgerStore, folder: Path) -> None:
    """One person that the provider does not know, and four it does; the last is asked alone."""
    people = [case.person(900, item=case.unknown), *case.persons(range(BATCH))]
    with case.start(folder, BATCH) as stand_in:
        report = buy(
            store,
            case.calls(),
            case.connect(stand_in.base_url),
            people,
            batch_size=BATCH,
            concurrency=1,
        )
        assert 1 in stand_in.batches()
    assert (report.matched, report.no_match) == (BATCH, 1)


def test_each_look_up_has_the_answer_that_is_its_own(
    case: Case, store: LedgerStore, tmp_path: Path
):
    buy_a_few(case, store, tmp_path)
    numbers = {case.item(number): number for number in range(BATCH)}
    with opened() as warehouse:
        told = tables_of(store, warehouse)
    rows = {row.call_id: row for row in rows_of(store, case.facts.name)}
    assert told.keys() == rows.keys()
    for call_id, (answer, uid, urls, points) in told.items():
        item = rows[call_id].item
        assert answer is not None
        if item == case.unknown:
            assert uid is None
        else:
            known_by = {value for _, value in case.goes_by(numbers[item])}
            address = address_of(numbers[item])
            assert {uid, *urls, address} - {None} <= known_by
            assert address in points


def test_what_the_tables_know_goes_back_into_a_ledger_and_out_again_unchanged(
    case: Case, store: LedgerStore, tmp_path: Path
):
    buy_a_few(case, store, tmp_path)
    older = open_store(migrated_sqlite(tmp_path / "older.sqlite"))
    with opened() as warehouse, opened() as again:
        told = tables_of(store, warehouse)
        assert take_over_answers(older, warehouse, lambda *_call: budget_of()) == len(told)
        assert tables_of(older, again) == told
    people = case.persons(range(BATCH))
    with case.start(tmp_path, BATCH) as stand_in:
        report = buy(older, case.calls(), case.connect(stand_in.base_url), people, run_id="again")
    assert (report.sent, report.not_due) == (0, BATCH)
    older.close()


def test_an_unsolicited_answer_is_kept_and_told_and_belongs_to_no_person(
    store: LedgerStore, tmp_path: Path
):
    case = BIRCH_CASE
    with case.start(tmp_path, 2, fault="stranger") as stand_in, opened() as warehouse:
        report = buy(store, case.calls(), case.connect(stand_in.base_url), case.persons(range(2)))
        told = tables_of(store, warehouse)
    assert (report.matched, report.unsolicited_answers) == (2, 1)
    assert {uid for _, uid, *_ in told.values()} == {"birch-0", "birch-1"}
    [body] = bodies_in(store)
    assert f"birch-{STRANGER}".encode() in body


@pytest.mark.parametrize(
    ("case", "fault", "key"),
    [
        pytest.param(CASES["acme"], "no_person", b'"somebody"', id="acme"),
        pytest.param(CASES["birch"], "no_responses", b'"results"', id="birch"),
    ],
)
def test_a_reply_without_its_key_stays_in_the_ledger_and_in_doubt(
    case: Case, fault: str, key: bytes, store: LedgerStore, tmp_path: Path
):
    told = Told()
    with case.start(tmp_path, 2, fault=fault) as stand_in, opened() as warehouse:
        people = case.persons(range(2))
        provider = case.connect(stand_in.base_url)
        report = buy(store, case.calls(), provider, people, told=told, batch_size=2)
        again = buy(store, case.calls(), case.connect(stand_in.base_url), people, run_id="again")
        assert tables_of(store, warehouse) == {}
        copied = warehouse.execute("select state, reason from raw.lookups").fetchall()
    assert (report.unconfirmed, again.sent) == (2, 0)
    assert {(row.state, row.reason) for row in rows_of(store, case.facts.name)} == {
        (UNCONFIRMED, "malformed_body")
    }
    assert copied == [("unconfirmed", "malformed_body")] * 2
    assert all(key in body for body in bodies_in(store))
    assert len(bodies_in(store)) == 2 // min(2, case.lookups.max_batch)
