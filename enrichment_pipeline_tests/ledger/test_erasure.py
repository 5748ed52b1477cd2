"""Bodies of replies that are erased: only what is old, read, and in the warehouse already."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from enrichment_pipeline.ledger.erasure import ERASED, erase_bodies
from enrichment_pipeline.ledger.schema import calls, replies
from enrichment_pipeline.ledger.store import LedgerStore
from enrichment_pipeline_tests.ledger import OTHERS, Ledger, buy, crowd, reply, send
from enrichment_pipeline_tests.ledger.conftest import LedgerOf
from enrichment_pipeline_tests.support import MovingClock

DAY = timedelta(days=1)
ALL = 1 << 40


def bodies(store: LedgerStore) -> list[bytes]:
    with store.read() as connection:
        found = connection.execute(sa.select(replies.c.body).order_by(replies.c.received_at))
        return [bytes(row.body) for row in found]


def last_revision(store: LedgerStore) -> int:
    with store.read() as connection:
        return connection.execute(sa.select(sa.func.max(calls.c.revision))).scalar_one()


@pytest.fixture
def old(ledger: Ledger, clock: MovingClock) -> Ledger:
    """A reply of before, and one of forty days later."""
    first, second = crowd(2)
    buy(ledger, first)
    clock.advance(days=40)
    buy(ledger, second)
    return ledger


def test_a_body_is_erased_once_it_is_too_old_and_its_call_stays(
    old: Ledger, store: LedgerStore, clock: MovingClock
) -> None:
    before = states_and_costs(store)
    erase_bodies(store, old.provider, clock.now() - 30 * DAY, copied_up_to=ALL)
    assert bodies(store) == [ERASED, b"[]"]
    assert states_and_costs(store) == before


def test_how_many_were_erased_is_told_once(
    old: Ledger, store: LedgerStore, clock: MovingClock
) -> None:
    def erase() -> int:
        return erase_bodies(store, old.provider, clock.now() - 30 * DAY, copied_up_to=ALL)

    assert (erase(), erase()) == (1, 0)


def test_the_instant_itself_is_kept(old: Ledger, store: LedgerStore, clock: MovingClock) -> None:
    assert erase_bodies(store, old.provider, clock.now() - 40 * DAY, copied_up_to=ALL) == 0


def test_a_reply_that_nobody_has_read_is_kept(
    ledger: Ledger, store: LedgerStore, clock: MovingClock
) -> None:
    reply(ledger, send(ledger, *crowd(1)), b"[1]")
    clock.advance(days=400)
    assert erase_bodies(store, ledger.provider, clock.now(), copied_up_to=ALL) == 0
    assert bodies(store) == [b"[1]"]


def test_a_reply_that_the_warehouse_does_not_have_is_kept(
    old: Ledger, store: LedgerStore, clock: MovingClock
) -> None:
    clock.advance(days=1)
    newest = last_revision(store)
    assert erase_bodies(store, old.provider, clock.now(), copied_up_to=newest - 1) == 1
    assert bodies(store) == [ERASED, b"[]"]
    assert erase_bodies(store, old.provider, clock.now(), copied_up_to=newest) == 1


@pytest.mark.parametrize("another", OTHERS)
def test_another_provider_s_replies_are_kept(
    another: str, ledger_of: LedgerOf, store: LedgerStore, clock: MovingClock
) -> None:
    buy(ledger_of(another), *crowd(1))
    clock.advance(days=40)
    assert erase_bodies(store, "signalhire", clock.now(), copied_up_to=ALL) == 0


def states_and_costs(store: LedgerStore) -> list[tuple[object, ...]]:
    chosen = (calls.c.call_id, calls.c.state, calls.c.outcome, calls.c.units_charged)
    with store.read() as connection:
        query = sa.select(*chosen, calls.c.revision).order_by(calls.c.call_id)
        return [tuple(row) for row in connection.execute(query)]
