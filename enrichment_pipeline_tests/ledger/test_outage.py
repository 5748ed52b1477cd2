"""A Postgres that is away for a while: it ends all connections, and takes no new one."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError

from enrichment_pipeline.errors import PipelineError
from enrichment_pipeline.ledger.outage import ATTEMPTS, is_outage
from enrichment_pipeline.ledger.schema import SENT
from enrichment_pipeline.ledger.store import LedgerStore, open_store
from enrichment_pipeline_tests.databases import Interruptible, migrated_postgres
from enrichment_pipeline_tests.ledger import Ledger, candidate, limits_of, send
from enrichment_pipeline_tests.support import MovingClock


@pytest.fixture
def database(postgres_server: sa.URL) -> Iterator[Interruptible]:
    database = Interruptible(postgres_server, migrated_postgres(postgres_server))
    yield database
    database.come_back()


@pytest.fixture
def store(database: Interruptible) -> Iterator[LedgerStore]:
    store = open_store(database.url)
    yield store
    store.close()


def test_every_call_waits_for_the_database_and_goes_on(
    store: LedgerStore, database: Interruptible
) -> None:
    ledger = Ledger(store, "signalhire", limits_of(), MovingClock())
    store.sleep = database.pause
    batch = send(ledger, candidate("ada"))
    database.go_away(for_pauses=3)
    assert ledger.count_by_state() == {SENT: 1}
    assert database.pauses == [1, 2, 4]
    database.go_away(for_pauses=1)
    ledger.record_reply(batch.request_id, http_status=200, body=b"[]", credits_left=None)
    database.go_away(for_pauses=1)
    assert [kept.bodies for kept in ledger.unread_replies()] == [((200, b"[]"),)]
    database.go_away(for_pauses=1)
    assert [len(page) for page in ledger.changed_lookups(0)] == [1]


def test_a_database_that_does_not_come_back_is_told_in_one_line(
    store: LedgerStore, database: Interruptible
) -> None:
    ledger = Ledger(store, "signalhire", limits_of(), MovingClock())
    store.sleep = database.pause
    database.go_away(for_pauses=None)
    with pytest.raises(PipelineError, match=r"^the ledger's database cannot be reached") as raised:
        ledger.count_by_state()
    assert "\n" not in str(raised.value)
    assert len(database.pauses) == ATTEMPTS - 1
    assert 180 < sum(database.pauses) < 300


def wrapped(kind: type[DBAPIError], cause: Exception, *, is_lost: bool = False) -> DBAPIError:
    return kind("select 1", {}, cause, connection_invalidated=is_lost)


@pytest.mark.parametrize(
    ("error", "is_away"),
    [
        (wrapped(OperationalError, psycopg.OperationalError("connection refused")), True),
        (wrapped(OperationalError, psycopg.errors.CannotConnectNow()), True),
        (wrapped(OperationalError, psycopg.errors.AdminShutdown()), True),
        (wrapped(OperationalError, psycopg.errors.ConnectionFailure()), True),
        (wrapped(OperationalError, psycopg.errors.TooManyConnections()), True),
        (wrapped(InterfaceError, psycopg.InterfaceError(), is_lost=True), True),
        (wrapped(OperationalError, psycopg.errors.LockNotAvailable()), False),
        (wrapped(OperationalError, psycopg.errors.DiskFull()), False),
        (wrapped(IntegrityError, psycopg.errors.UniqueViolation()), False),
        (wrapped(OperationalError, sqlite3.OperationalError("database is locked")), False),
        (OSError("disk"), False),
    ],
)
def test_only_a_database_that_may_come_back_is_waited_for(error: Exception, is_away: bool) -> None:
    assert is_outage(error) == is_away
