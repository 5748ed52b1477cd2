"""Statements that are compiled once: they do what SQLAlchemy's own execution of them does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from enrichment_pipeline.ledger.prepared import Prepared
from enrichment_pipeline.ledger.schema import batches, replies
from enrichment_pipeline.ledger.store import LedgerStore
from enrichment_pipeline_tests.ledger import count_rows

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
INSERT = sa.insert(batches)
MOVE = (
    sa.update(batches)
    .where(batches.c.batch_id == sa.bindparam("of_batch"), batches.c.item_count > 3)
    .values(slot_free_at=sa.bindparam("at"), error="late", credits_left=None)
    .returning(batches.c.item_count)
)


def batch(batch_id: str, item_count: int = 5) -> dict[str, object]:
    return {
        "batch_id": batch_id,
        "provider": "signalhire",
        "run_id": "run",
        "item_count": item_count,
        "reserved_at": NOON,
        "slot_free_at": NOON,
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
        rows = connection.execute(sa.select(batches).order_by(batches.c.batch_id)).all()
    assert [row.batch_id for row in rows[:2]] == ["plain-first", "plain-second"]
    assert len({tuple(row)[1:] for row in rows}) == 1
    assert (rows[0].slot_free_at, rows[0].error) == (elsewhere, "late")


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
            "batch_id": "batch",
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
    assert count_rows(store, batches) == 0


def test_what_the_database_refuses_is_sqlalchemys_error(store: LedgerStore):
    insert = Prepared(INSERT)
    with store.write() as transaction:
        insert.execute(transaction.connection, batch("batch"))
    with pytest.raises(IntegrityError), store.write() as transaction:
        insert.execute(transaction.connection, batch("batch"))
