"""Statements that are compiled once: they do what SQLAlchemy's own execution of them does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from enrichment_pipeline.ledger.prepared import Prepared
from enrichment_pipeline.ledger.schema import replies, requests
from enrichment_pipeline.ledger.store import LedgerStore
from enrichment_pipeline_tests.ledger import count_rows

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
INSERT = sa.insert(requests)
MOVE = (
    sa.update(requests)
    .where(requests.c.request_id == sa.bindparam("of_batch"), requests.c.item_count > 3)
    .values(counts_from=sa.bindparam("at"), error="late", credits_left=None)
    .returning(requests.c.item_count)
)


def batch(request_id: str, item_count: int = 5) -> dict[str, object]:
    return {
        "request_id": request_id,
        "provider": "signalhire",
        "kind": "lookup",
        "run_id": "run",
        "item_count": item_count,
        "rate_units": item_count,
        "reserved_at": NOON,
        "counts_from": NOON,
    }


def test_what_is_written_is_what_sqlalchemy_writes(store: LedgerStore):
    elsewhere = NOON.astimezone(timezone(timedelta(hours=5))) + timedelta(minutes=1)
    insert, move = Prepared(INSERT), Prepared(MOVE)
    with store.write() as transaction:
        connection = transaction.connection
        for name in ("first", "second"):
            insert.execute(connection, batch(f"prepared-{name}"))
            connection.execute(INSERT, batch(f"plain-{name}"))
            prepared = {"of_batch": f"prepared-{name}", "at": elsewhere}
            assert move.execute(connection, prepared).scalar_one() == 5
            connection.execute(MOVE, {"of_batch": f"plain-{name}", "at": elsewhere})
    with store.read() as connection:
        rows = connection.execute(sa.select(requests).order_by(requests.c.request_id)).all()
    assert [row.request_id for row in rows[:2]] == ["plain-first", "plain-second"]
    assert len({tuple(row)[1:] for row in rows}) == 1
    assert (rows[0].counts_from, rows[0].error) == (elsewhere, "late")


def test_a_condition_holds(store: LedgerStore):
    move = Prepared(MOVE)
    with store.write() as transaction:
        Prepared(INSERT).execute(transaction.connection, batch("small", 3))
        values = {"of_batch": "small", "at": NOON}
        assert move.execute(transaction.connection, values).all() == []


def test_bytes_stay_as_they_are(store: LedgerStore):
    body = bytes(range(256))
    keep = Prepared(sa.insert(replies))
    with store.write() as transaction:
        Prepared(INSERT).execute(transaction.connection, batch("batch"))
        kept = {
            "reply_id": "reply",
            "request_id": "batch",
            "received_at": NOON,
            "answered_at": NOON,
            "http_status": 200,
            "body": body,
            "body_sha256": "digest",
        }
        assert keep.execute(transaction.connection, kept).rowcount == 1
        assert bytes(transaction.connection.execute(sa.select(replies.c.body)).scalar_one()) == body


def test_an_instant_without_a_zone_is_refused_as_ever(store: LedgerStore):
    values = batch("batch") | {"reserved_at": NOON.replace(tzinfo=None)}
    with pytest.raises(ValueError, match="aware"), store.write() as transaction:
        Prepared(INSERT).execute(transaction.connection, values)
    assert count_rows(store, requests) == 0


def test_what_the_database_refuses_is_sqlalchemys_error(store: LedgerStore):
    insert = Prepared(INSERT)
    with store.write() as transaction:
        insert.execute(transaction.connection, batch("batch"))
    with pytest.raises(IntegrityError), store.write() as transaction:
        insert.execute(transaction.connection, batch("batch"))
