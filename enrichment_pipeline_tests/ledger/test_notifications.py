"""Which notifications are sent next, and that each is taken by one process at a time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import sqlalchemy as sa

from enrichment_pipeline.ledger import notifications
from enrichment_pipeline.ledger import schema as tables
from enrichment_pipeline.ledger.notifications import LOOK_AT, Owed, count_owed, is_due
from enrichment_pipeline.ledger.store import LedgerStore, open_store
from enrichment_pipeline_tests.support import START, MovingClock

LEASE = timedelta(seconds=30)


def owe(store: LedgerStore, clock: MovingClock, host: str = "a.example", body: str = "{}") -> str:
    with store.write() as transaction:
        return notifications.owe(
            transaction,
            contact_id="c1",
            url=f"https://{host}/hook?t=1",
            body=body,
            now=clock.now(),
        )


def take(
    store: LedgerStore, clock: MovingClock, limit: int = 10, per_host: int = 10, **under_way: int
) -> list[Owed]:
    with store.write() as transaction:
        return notifications.take_due(
            transaction, clock.now(), limit, LEASE, per_host=per_host, under_way=under_way
        )


def test_what_is_owed_is_taken_as_it_was_given(store: LedgerStore, clock: MovingClock) -> None:
    body = '{"data": "é \\u0000 \U0001f600"}'
    owed_id = owe(store, clock, "Hooks.example:8443", body)
    clock.advance(seconds=1)
    assert take(store, clock) == [
        Owed(
            id=owed_id,
            contact_id="c1",
            url="https://Hooks.example:8443/hook?t=1",
            host="hooks.example",
            body=body,
            owed_since=START,
            tries=1,
        )
    ]
    assert owed_id.startswith("msg_")


def test_what_was_taken_comes_again_when_its_lease_is_over(
    store: LedgerStore, clock: MovingClock
) -> None:
    owed_id = owe(store, clock)
    assert len(take(store, clock)) == 1
    assert take(store, clock) == []
    clock.advance(seconds=29)
    assert not is_due(store, clock.now())
    clock.advance(seconds=1)
    assert is_due(store, clock.now())
    assert [(owed.id, owed.tries) for owed in take(store, clock)] == [(owed_id, 2)]


def test_what_was_put_off_comes_again_then_and_what_was_removed_does_not(
    store: LedgerStore, clock: MovingClock
) -> None:
    later, gone = owe(store, clock), owe(store, clock)
    take(store, clock)
    with store.write() as transaction:
        notifications.retry_at(transaction, later, START + timedelta(minutes=5))
        notifications.remove(transaction, gone)
    assert count_owed(store) == 1
    clock.advance(minutes=4, seconds=59)
    assert take(store, clock) == []
    clock.advance(seconds=1)
    assert [(owed.id, owed.tries) for owed in take(store, clock)] == [(later, 2)]


def test_those_that_are_longest_due_are_taken_first(store: LedgerStore, clock: MovingClock) -> None:
    ids = []
    for _ in range(3):
        ids.append(owe(store, clock))
        clock.advance(seconds=1)
    assert [owed.id for owed in take(store, clock, limit=2)] == ids[:2]
    assert [owed.id for owed in take(store, clock, limit=2)] == ids[2:]


def test_no_host_gets_more_at_once_than_it_may(store: LedgerStore, clock: MovingClock) -> None:
    for host in ["slow", "slow", "slow", "half", "half", "free", "free", "free"]:
        owe(store, clock, host)
        clock.advance(seconds=1)
    taken = take(store, clock, per_host=2, slow=2, half=1)
    assert [owed.host for owed in taken] == ["half", "free", "free"]
    assert take(store, clock, per_host=2, slow=2, half=2, free=2) == []
    assert not is_due(store, clock.now(), except_hosts=["slow", "half", "free"])
    assert is_due(store, clock.now(), except_hosts=["slow", "half"])


def test_a_long_queue_of_one_host_hides_no_other_for_long(
    store: LedgerStore, clock: MovingClock
) -> None:
    with store.write() as transaction:
        for _ in range(LOOK_AT + 1):
            notifications.owe(
                transaction, contact_id="c", url="https://slow/", body="{}", now=clock.now()
            )
    clock.advance(seconds=1)
    owe(store, clock, "quick")
    assert [owed.host for owed in take(store, clock, per_host=2)] == ["slow", "slow"]
    assert [owed.host for owed in take(store, clock, per_host=2, slow=2)] == ["quick"]


def test_processes_that_take_at_once_share_what_is_due(
    ledger_url: str, store: LedgerStore, clock: MovingClock
) -> None:
    ids = {owe(store, clock) for _ in range(40)}
    barrier = Barrier(4)

    def process(_number: int) -> list[str]:
        own = open_store(ledger_url)
        try:
            barrier.wait(20)
            taken: list[str] = []
            while found := take(own, clock, limit=3):
                taken += (owed.id for owed in found)
            return taken
        finally:
            own.close()

    with ThreadPoolExecutor(4) as threads:
        taken = [one for part in threads.map(process, range(4)) for one in part]
    assert sorted(taken) == sorted(ids)
    with store.read() as connection:
        tries = connection.scalars(sa.select(tables.notifications.c.tries)).all()
    assert set(tries) == {1}
