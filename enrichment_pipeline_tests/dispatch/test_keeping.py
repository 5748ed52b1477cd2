"""Replies that came while the ledger could not be written: kept later, or set aside."""

from __future__ import annotations

import asyncio
import gc
import logging
import sqlite3
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from enrichment_pipeline.dispatch.keeping import write_patiently
from enrichment_pipeline.errors import PipelineError
from enrichment_pipeline.ledger.group import GroupCommit
from enrichment_pipeline.ledger.outage import ATTEMPTS, LedgerAwayError
from enrichment_pipeline.ledger.schema import RELEASED, REPLIED, SENT
from enrichment_pipeline.ledger.store import LedgerStore, Transaction, open_store
from enrichment_pipeline.providers.base import Reply
from enrichment_pipeline_tests.databases import Interruptible, migrated_postgres, migrated_sqlite
from enrichment_pipeline_tests.dispatch import (
    Wire,
    buy,
    charges,
    ledger_on,
    persons,
    states_of,
    uid,
)
from enrichment_pipeline_tests.ledger import booked_budgets, recomputed_budgets
from enrichment_pipeline_tests.support import RunningSandbox


class Disk:
    """Under the ledger: once an answer has come it is full, until so many pauses were made."""

    def __init__(
        self, store: LedgerStore, monkeypatch: pytest.MonkeyPatch, full_for_pauses: int | None
    ) -> None:
        self.is_full = False
        self.pauses: list[float] = []
        self._full_for_pauses = full_for_pauses
        commit = store._engine.dialect.do_commit

        def do_commit(connection: sa.PoolProxiedConnection) -> None:
            if self.is_full:
                raise sqlite3.OperationalError("database or disk is full: person-1@crowd.example")
            commit(connection)

        monkeypatch.setattr(store._engine.dialect, "do_commit", do_commit)

    async def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        if len(self.pauses) == self._full_for_pauses:
            self.is_full = False
        await asyncio.sleep(0)


class Answering(Wire):
    """The disk is full as soon as the first answers are here; all requests are out by then."""

    def __init__(self, base_url: str, disk: Disk) -> None:
        super().__init__(base_url)
        self._disk = disk

    async def lookup(self, items: Sequence[str]) -> Reply:
        reply = await super().lookup(items)
        if not self._disk.pauses:  # a later answer makes no room
            self._disk.is_full = True
        return reply


def test_what_was_answered_while_the_ledger_was_away_is_kept_once_it_is_back(
    store: LedgerStore,
    sandbox: RunningSandbox,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    caplog.set_level(logging.DEBUG, "enrichment_pipeline")
    disk = Disk(store, monkeypatch, full_for_pauses=5)
    wire = Answering(sandbox.base_url, disk)
    report = buy(ledger_on(store), wire, persons(range(5)), sleep=disk.pause)
    assert (report.matched, report.units, report.unconfirmed) == (5, 5, 0)
    assert charges(sandbox.journal) == Counter(uid(number) for number in range(5))
    assert booked_budgets(store) == recomputed_budgets(store)
    assert disk.pauses == sorted(set(disk.pauses))
    [line] = caplog.messages
    assert "the ledger cannot take its answer" in line
    assert "crowd.example" not in caplog.text


def test_what_the_ledger_never_takes_is_set_aside_and_the_run_says_what_to_do(
    store: LedgerStore, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
):
    disk = Disk(store, monkeypatch, full_for_pauses=None)
    aside: dict[str, Reply] = {}

    def set_aside(request_id: str, reply: Reply, _received_at: datetime) -> None:
        aside[request_id] = reply

    wire = Answering(sandbox.base_url, disk)
    with pytest.raises(PipelineError, match="the next run reads it") as raised:
        buy(ledger_on(store), wire, persons(range(5)), sleep=disk.pause, set_aside=set_aside)
    assert "crowd.example" not in repr(raised.getrepr(chain=True))
    assert len(disk.pauses) == ATTEMPTS - 1
    assert 180 < sum(disk.pauses) < 300
    [reply] = aside.values()
    assert reply.http_status == 200
    assert reply.body.count(b'"success"') == 5
    assert set(map(tuple, states_of(store).values())) == {(SENT,)}


def test_without_a_place_to_set_it_aside_the_ledgers_error_is_told(
    store: LedgerStore, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
):
    disk = Disk(store, monkeypatch, full_for_pauses=None)
    with pytest.raises(OperationalError):
        buy(
            ledger_on(store),
            Answering(sandbox.base_url, disk),
            persons(range(5)),
            sleep=disk.pause,
        )


def write_under(tmp_path: Path, error: OperationalError, pauses: list[float]) -> None:
    """Write what always fails by this error."""

    def fail(_transaction: Transaction) -> None:
        raise error

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    with closing(open_store(migrated_sqlite(tmp_path / "ledger.sqlite"))) as store:
        asyncio.run(write_patiently(GroupCommit(store), fail, sleep=sleep))


def test_a_database_that_stays_away_is_told_as_that(tmp_path: Path) -> None:
    away = OperationalError("insert", {}, psycopg.OperationalError())
    pauses: list[float] = []
    with pytest.raises(LedgerAwayError, match="cannot be reached"):
        write_under(tmp_path, away, pauses)
    assert len(pauses) == ATTEMPTS - 1


def test_another_error_of_the_database_is_no_outage(tmp_path: Path) -> None:
    full = OperationalError("insert", {}, sqlite3.OperationalError("disk is full"))
    with pytest.raises(OperationalError) as raised:
        write_under(tmp_path, full, pauses := [])
    assert (raised.value, pauses) == (full, [])


def test_answers_that_came_together_are_all_kept_later(
    store: LedgerStore, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
):
    disk = Disk(store, monkeypatch, full_for_pauses=12)
    wire = Answering(sandbox.base_url, disk)
    people = persons(range(40))
    report = buy(ledger_on(store), wire, people, sleep=disk.pause, concurrency=8)
    assert report.matched == charges(sandbox.journal).total() == 40
    assert set(map(tuple, states_of(store).values())) == {(REPLIED,)}


def test_requests_that_fail_together_are_told_once_and_without_a_traceback(
    store: LedgerStore,
    sandbox: RunningSandbox,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    disk = Disk(store, monkeypatch, full_for_pauses=None)
    wire = Answering(sandbox.base_url, disk)
    with pytest.raises(PipelineError, match="set aside"):
        buy(
            ledger_on(store),
            wire,
            persons(range(40)),
            sleep=disk.pause,
            concurrency=8,
            set_aside=lambda *_: None,
        )
    gc.collect()
    assert [record for record in caplog.records if record.name == "asyncio"] == []


class Interrupting(Wire):
    """The database is away as soon as the first answer is here."""

    def __init__(self, base_url: str, database: Interruptible) -> None:
        super().__init__(base_url)
        self._database = database

    async def lookup(self, items: Sequence[str]) -> Reply:
        reply = await super().lookup(items)
        if len(self.batches) == 4 and not self._database.pauses:
            await asyncio.to_thread(self._database.go_away, for_pauses=6)
        return reply


def test_a_run_goes_on_after_its_postgres_was_away(
    postgres_server: sa.URL, sandbox: RunningSandbox
):
    database = Interruptible(postgres_server, migrated_postgres(postgres_server))

    async def pause(seconds: float) -> None:
        await asyncio.to_thread(database.pause, seconds)

    store = open_store(database.url)
    wire = Interrupting(sandbox.base_url, database)
    people = persons(range(60))
    report = buy(ledger_on(store), wire, people, sleep=pause, concurrency=4)
    assert len(database.pauses) >= 6
    assert charges(sandbox.journal) == Counter(uid(number) for number in range(60))
    assert (report.matched, report.unconfirmed) == (60, 0)
    assert set(map(tuple, states_of(store).values())) == {(REPLIED,)}
    assert booked_budgets(store) == recomputed_budgets(store)
    store.close()


def test_an_admission_whose_commit_was_made_though_its_connection_died_holds_no_call_up(
    postgres_server: sa.URL, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
):
    """Nothing of it had gone out, so no answer to it is waited for."""
    store = open_store(migrated_postgres(postgres_server))
    commit = store._engine.dialect.do_commit

    def commit_and_die(connection: sa.PoolProxiedConnection) -> None:
        commit(connection)
        monkeypatch.undo()
        raise psycopg.errors.AdminShutdown

    async def pause(_seconds: float) -> None:
        pass

    monkeypatch.setattr(store._engine.dialect, "do_commit", commit_and_die)
    ledger = ledger_on(store)
    report = buy(ledger, Wire(sandbox.base_url), persons(range(20)), sleep=pause)
    assert (report.matched, report.not_due, report.unconfirmed) == (20, 0, 0)
    assert charges(sandbox.journal) == Counter(uid(number) for number in range(20))
    assert set(map(tuple, states_of(store).values())) == {(RELEASED, REPLIED)}
    assert booked_budgets(store) == recomputed_budgets(store)
    assert ledger.rate_window()[0] == 20
    store.close()
