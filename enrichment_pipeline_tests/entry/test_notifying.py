"""Notifications: signed, repeated until heard or for a day, and not held up by a slow host."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy.exc import OperationalError
from standardwebhooks import Webhook

from enrichment_pipeline.entry import notifying
from enrichment_pipeline.entry.enrichment import Enrichment, FieldValue
from enrichment_pipeline.entry.notifying import (
    AT_ONCE,
    DISTANCES,
    LEASE,
    PER_HOST,
    REPEATED_FOR,
    Notifier,
    Outcome,
    jittered,
)
from enrichment_pipeline.entry.owing import notification_body
from enrichment_pipeline.entry.posting import Poster
from enrichment_pipeline.ledger import notifications
from enrichment_pipeline.ledger.notifications import LOOK_AT, count_owed
from enrichment_pipeline.ledger.schema import notifications as table
from enrichment_pipeline.ledger.store import LedgerStore, open_store, opened
from enrichment_pipeline.policy import Policy
from enrichment_pipeline.settings import Settings
from enrichment_pipeline_tests.databases import migrated_sqlite
from enrichment_pipeline_tests.entry.hooks import Hooks, Received, always, hooks, run, until
from enrichment_pipeline_tests.entry.test_posting import TRUSTING_NONE, Answers
from enrichment_pipeline_tests.support import MovingClock, settings_for

SECRET = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
ENRICHMENT = Enrichment(
    contact_id="c1",
    status="enriched",
    fields={
        "full_name": FieldValue(value="Zoë Œ", status="verified", provider="x", observed_at=AT)
    },
    credits=1,
)
BODY = notification_body(ENRICHMENT, AT)


@pytest.fixture
def clock() -> MovingClock:
    """Begins now: `Webhook.verify` takes no signature that is older than five minutes."""
    return MovingClock(datetime.now(UTC))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LedgerStore]:
    store = open_store(migrated_sqlite(tmp_path / "ledger.sqlite"))
    yield store
    store.close()


@dataclass
class Outcomes:
    """How each attempt ended, as it is written down."""

    queue: asyncio.Queue[Outcome] = field(default_factory=asyncio.Queue)

    def notified(self, outcome: Outcome, seconds: float) -> None:
        assert seconds >= 0
        self.queue.put_nowait(outcome)

    async def next(self, number: int = 1) -> list[Outcome]:
        return [await self.queue.get() for _ in range(number)]


def owe(
    store: LedgerStore, clock: MovingClock, *urls: str, contact_id: str = "c1", times: int = 1
) -> list[str]:
    with store.write() as transaction:
        return [
            notifications.owe(
                transaction, contact_id=contact_id, url=url, body=BODY, now=clock.now()
            )
            for url in urls
            for _ in range(times)
        ]


def settings_of(*served: Hooks, secret: str | None = SECRET, hosts: int = 10) -> Settings:
    """Whose policy lets these servers be notified, under a handful of names."""
    names = ["hooks.example.com", *(f"h{number}.example" for number in range(hosts))]
    listed = [f"{name}:{one.port}" for one in served for name in names]
    entry = {"notify_hosts": listed, "notify_networks": ["127.0.0.0/8"]}
    policy = Policy.model_validate({"entry": entry})
    signing = None if secret is None else SecretStr(secret)
    return settings_for(Path("/nowhere"), policy, None, webhook_secret=signing)


def notifier_of(
    store: LedgerStore,
    clock: MovingClock,
    settings: Settings,
    outcomes: Outcomes | None = None,
    found: Sequence[str] = ("127.0.0.1",),
    jitter: Callable[[], float] = lambda: 1.0,
) -> Notifier:
    poster = Poster(settings.policy.entry, resolve=Answers(found), tls=TRUSTING_NONE)
    return Notifier(store, settings, clock, outcomes, poster=poster, jitter=jitter)


@asynccontextmanager
async def running(notifier: Notifier) -> AsyncIterator[asyncio.Task[None]]:
    """Run it beside the block, and stop it after."""
    task = asyncio.create_task(notifier.run())
    try:
        yield task
    finally:
        notifier.stop()
        with suppress(asyncio.CancelledError):
            await task


def rows(store: LedgerStore) -> list[Any]:
    with store.read() as connection:
        query = table.select().order_by(table.c.owed_since, table.c.notification_id)
        return list(connection.execute(query))


# --- what is sent -------------------------------------------------------------------------------


def test_what_is_owed_is_posted_signed_and_then_owed_no_more(
    store: LedgerStore, clock: MovingClock
) -> None:
    async def scenario() -> None:
        async with hooks() as served:
            (notification_id,) = owe(store, clock, served.url(path="/in?t=1"))
            outcomes = Outcomes()
            async with running(notifier_of(store, clock, settings_of(served), outcomes)):
                assert await outcomes.next() == ["delivered"]
            assert count_owed(store) == 0
            (received,) = served.received
            assert received.target == "/in?t=1"
            assert received.headers["webhook-id"] == notification_id
            assert received.headers["content-type"] == "application/json"
            assert received.headers["user-agent"].startswith("enrichment-pipeline/")
            verified = Webhook(SECRET).verify(received.body, received.headers)
            assert verified["type"] == "contact.decided"
            assert datetime.fromisoformat(verified["timestamp"]) == AT
            assert Enrichment.model_validate(verified["data"]) == ENRICHMENT

    run(scenario())


def test_a_body_says_what_the_entry_has_come_to_in_ascii() -> None:
    assert BODY.isascii()
    assert json.loads(BODY) == {
        "type": "contact.decided",
        "timestamp": "2026-03-02T09:00:00+00:00",
        "data": {
            "contact_id": "c1",
            "status": "enriched",
            "reason": None,
            "needs_manual_enrichment": False,
            "fields": {
                "full_name": {
                    "value": "Zoë Œ",
                    "status": "verified",
                    "provider": "x",
                    "observed_at": "2026-03-02T09:00:00Z",
                }
            },
            "credits": 1,
            "next_lookup_at": None,
        },
    }


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_any_2xx_delivers_it(store: LedgerStore, clock: MovingClock, status: int) -> None:
    async def scenario() -> None:
        async with hooks(always(status)) as served:
            owe(store, clock, served.url())
            outcomes = Outcomes()
            async with running(notifier_of(store, clock, settings_of(served), outcomes)):
                assert await outcomes.next() == ["delivered"]
            assert count_owed(store) == 0

    run(scenario())


# --- what is sent again -------------------------------------------------------------------------


@pytest.mark.parametrize("status", [302, 400, 401, 404, 409, 429, 500, 503])
def test_any_other_status_has_it_sent_again(
    store: LedgerStore, clock: MovingClock, status: int
) -> None:
    async def scenario() -> None:
        statuses = iter([status, 204])

        async def give(received: Received) -> AsyncIterator[bytes]:
            async for part in always(next(statuses))(received):
                yield part

        async with hooks(give) as served:
            owe(store, clock, served.url())
            outcomes = Outcomes()
            notifier = notifier_of(store, clock, settings_of(served), outcomes)
            async with running(notifier):
                assert await outcomes.next() == ["failed"]
                assert [row.next_try_at for row in rows(store)] == [clock.now() + DISTANCES[0]]
                clock.advance(seconds=5)
                notifier.wake()
                assert await outcomes.next() == ["delivered"]
            first, second = served.received
            assert first.headers["webhook-id"] == second.headers["webhook-id"]
            assert first.body == second.body
            for received in (first, second):  # each with the time of its own attempt
                Webhook(SECRET).verify(received.body, received.headers)
            times = [int(one.headers["webhook-timestamp"]) for one in (first, second)]
            assert times[1] - times[0] == 5

    run(scenario())


def test_it_is_sent_again_at_growing_distances_for_a_day(
    store: LedgerStore, clock: MovingClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    async def scenario() -> list[timedelta]:
        attempts = []
        async with hooks(always(500)) as served:
            owe(store, clock, served.url(path="/in?token=secret"), contact_id="c\n1")
            begin = clock.now()
            outcomes = Outcomes()
            notifier = notifier_of(store, clock, settings_of(served), outcomes)
            async with running(notifier):
                while True:
                    (outcome,) = await outcomes.next()
                    attempts.append(clock.now() - begin)
                    if outcome == "given_up":
                        break
                    (row,) = rows(store)
                    clock.advance(seconds=(row.next_try_at - clock.now()).total_seconds())
                    notifier.wake()
            assert count_owed(store) == 0
        return attempts

    attempts = run(scenario())
    distances = [after - before for before, after in pairwise(attempts)]
    assert distances[:-1] == [*DISTANCES, DISTANCES[-1]][: len(distances) - 1]
    assert distances[:3] == [timedelta(seconds=5), timedelta(seconds=30), timedelta(minutes=2)]
    assert attempts[-1] == REPEATED_FOR == timedelta(days=1)
    (told,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert told.getMessage() == (
        r"contact 'c\n1': notification to hooks.example.com, "
        f"attempt {len(attempts)}: given_up (500)"
    )
    assert "secret" not in caplog.text
    assert "/in" not in caplog.text


def test_distances_vary_by_a_fifth_so_that_what_failed_together_does_not_come_back_so() -> None:
    factors = [jittered() for _ in range(200)]
    assert 0.8 <= min(factors) < 0.9 < 1.1 < max(factors) <= 1.2


def test_a_distance_is_multiplied_by_its_jitter(store: LedgerStore, clock: MovingClock) -> None:
    async def scenario() -> None:
        async with hooks(always(500)) as served:
            owe(store, clock, served.url())
            outcomes = Outcomes()
            settings = settings_of(served)
            async with running(notifier_of(store, clock, settings, outcomes, jitter=lambda: 1.2)):
                assert await outcomes.next() == ["failed"]
            assert [row.next_try_at - clock.now() for row in rows(store)] == [timedelta(seconds=6)]

    run(scenario())


def test_what_came_due_while_no_process_was_there_is_tried_once_more(
    store: LedgerStore, clock: MovingClock
) -> None:
    async def scenario() -> None:
        async with hooks() as served, hooks(always(500)) as broken:
            owe(store, clock, served.url(), broken.url("h0.example"))
            clock.advance(days=3)
            outcomes = Outcomes()
            async with running(notifier_of(store, clock, settings_of(served, broken), outcomes)):
                assert sorted(await outcomes.next(2)) == ["delivered", "given_up"]
            assert count_owed(store) == 0

    run(scenario())


def test_gone_ends_it_at_once(
    store: LedgerStore, clock: MovingClock, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        async with hooks(always(410)) as served:
            owe(store, clock, served.url())
            outcomes = Outcomes()
            async with running(notifier_of(store, clock, settings_of(served), outcomes)):
                assert await outcomes.next() == ["given_up"]
            assert count_owed(store) == 0

    run(scenario())
    assert "(410)" in caplog.text


@pytest.mark.parametrize(
    ("found", "secret", "why"),
    [
        (["169.254.169.254"], SECRET, "its URL has an address that is neither public"),
        (["127.0.0.1"], None, "ENRICHMENT_WEBHOOK_SECRET is not set"),
    ],
)
def test_what_may_not_be_sent_now_stays_owed(
    store: LedgerStore,
    clock: MovingClock,
    caplog: pytest.LogCaptureFixture,
    found: list[str],
    secret: str | None,
    why: str,
) -> None:
    caplog.set_level(logging.INFO)

    async def scenario() -> None:
        async with hooks() as served:
            owe(store, clock, served.url())
            outcomes = Outcomes()
            settings = settings_of(served, secret=secret)
            async with running(notifier_of(store, clock, settings, outcomes, found)):
                assert await outcomes.next() == ["failed"]
            assert (count_owed(store), served.connections) == (1, 0)

    run(scenario())
    assert why in caplog.text


def test_a_host_that_the_policy_names_no_more_gets_nothing(
    store: LedgerStore, clock: MovingClock
) -> None:
    async def scenario() -> None:
        async with hooks() as served:
            owe(store, clock, served.url())
            outcomes = Outcomes()
            async with running(notifier_of(store, clock, settings_of(), outcomes)):
                assert await outcomes.next() == ["failed"]
            assert (count_owed(store), served.connections) == (1, 0)

    run(scenario())


# --- at once ------------------------------------------------------------------------------------


@dataclass
class Held:
    """Answers that are held back until they are let go; how many were at once, by host."""

    release: asyncio.Event = field(default_factory=asyncio.Event)
    now: Counter[str] = field(default_factory=Counter)
    most: Counter[str] = field(default_factory=Counter)
    most_of_all: int = 0

    async def __call__(self, received: Received) -> AsyncIterator[bytes]:
        host = received.headers["host"].partition(":")[0]
        self.now[host] += 1
        self.most[host] = max(self.most[host], self.now[host])
        self.most_of_all = max(self.most_of_all, self.now.total())
        await self.release.wait()
        self.now[host] -= 1
        async for part in always(204)(received):
            yield part


def test_a_slow_host_with_a_long_queue_holds_up_no_other(
    store: LedgerStore, clock: MovingClock
) -> None:
    async def scenario() -> None:
        held = Held()
        async with hooks(held) as slow, hooks() as quick:
            owe(store, clock, slow.url("h0.example"), times=LOOK_AT + 1)
            clock.advance(seconds=1)
            quick_ids = owe(store, clock, quick.url("h1.example"), times=5)
            outcomes = Outcomes()
            async with running(notifier_of(store, clock, settings_of(slow, quick), outcomes)):
                for _ in range(PER_HOST):
                    await slow.arrivals.get()
                assert await outcomes.next(5) == ["delivered"] * 5
                assert sorted(quick.ids) == sorted(quick_ids)
                assert held.now == {"h0.example": PER_HOST}
                held.release.set()
                await outcomes.next(4)
            assert held.most == {"h0.example": PER_HOST}

    run(scenario())


def test_so_many_are_sent_at_once_and_no_more(store: LedgerStore, clock: MovingClock) -> None:
    async def scenario() -> None:
        held = Held()
        async with hooks(held) as served:
            hosts = [served.url(f"h{number}.example") for number in range(6)]
            ids = owe(store, clock, *hosts, times=3)
            outcomes = Outcomes()
            async with running(notifier_of(store, clock, settings_of(served), outcomes)):
                for _ in range(AT_ONCE):
                    await served.arrivals.get()
                held.release.set()
                assert await outcomes.next(len(ids)) == ["delivered"] * len(ids)
            assert held.most_of_all == AT_ONCE
            assert max(held.most.values()) == PER_HOST
            assert sorted(served.ids) == sorted(ids)

    run(scenario())


def test_notifiers_of_two_processes_deliver_each_once(ledger_url: str, clock: MovingClock) -> None:
    async def scenario() -> None:
        stores = [open_store(ledger_url) for _ in range(2)]
        async with hooks() as served:
            urls = [served.url(f"h{number}.example") for number in range(5)]
            ids = owe(stores[0], clock, *urls, times=6)
            outcomes = Outcomes()
            settings = settings_of(served)
            first, second = (notifier_of(store, clock, settings, outcomes) for store in stores)
            async with running(first), running(second):
                assert await outcomes.next(len(ids)) == ["delivered"] * len(ids)
            assert sorted(served.ids) == sorted(ids)
            assert count_owed(stores[0]) == 0
        for store in stores:
            store.close()

    run(scenario())


# --- ends and errors ----------------------------------------------------------------------------


def test_a_process_killed_before_it_wrote_the_delivery_down_has_it_sent_again(
    tmp_path: Path, clock: MovingClock
) -> None:
    url = migrated_sqlite(tmp_path / "ledger.sqlite")
    listener = socket.create_server(("127.0.0.1", 0))
    settings = settings_of(Hooks(port=listener.getsockname()[1]))
    with opened(url) as store:
        target = Hooks(port=listener.getsockname()[1]).url()
        (notification_id,) = owe(store, clock, target)
    child = os.fork()  # before there is a connection or a thread that it must not share
    if child == 0:
        _send_until_killed(url, clock, settings)

    async def kill_before_answering(received: Received) -> AsyncIterator[bytes]:
        if len(served.received) == 1:
            _kill(child)
        async for part in always(204)(received):
            yield part

    async def scenario() -> None:
        nonlocal served
        async with hooks(kill_before_answering, listener=listener) as served:
            await served.arrivals.get()
            outcomes = Outcomes()
            with opened(url) as store:
                notifier = notifier_of(store, clock, settings, outcomes)
                async with running(notifier):
                    assert not notifications.is_due(store, clock.now())
                    clock.advance(seconds=LEASE.total_seconds())
                    notifier.wake()
                    assert await outcomes.next() == ["delivered"]
                assert served.ids == [notification_id] * 2
                assert count_owed(store) == 0

    served = Hooks()
    run(scenario())


def _send_until_killed(url: str, clock: MovingClock, settings: Settings) -> None:
    """In a child, which never returns to the tests."""
    try:
        asyncio.run(notifier_of(open_store(url), clock, settings).run())
    finally:
        os._exit(1)


def _kill(child: int) -> None:
    """Returns when it is dead."""
    os.kill(child, signal.SIGKILL)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def test_stopping_finishes_what_is_on_the_wire_and_leaves_the_rest(
    store: LedgerStore, clock: MovingClock
) -> None:
    async def scenario() -> None:
        held = Held()
        async with hooks(held) as served:
            owe(store, clock, served.url(), times=PER_HOST + 1)
            notifier = notifier_of(store, clock, settings_of(served))
            async with running(notifier) as task:
                for _ in range(PER_HOST):
                    await served.arrivals.get()
                notifier.stop()
                await asyncio.sleep(0)
                assert not task.done()
                held.release.set()
                await task
            assert len(served.ids) == PER_HOST
            assert [row.tries for row in rows(store)] == [0]

    run(scenario())


def test_a_task_that_is_cancelled_leaves_what_is_on_the_wire_owed(
    store: LedgerStore, clock: MovingClock
) -> None:
    async def scenario() -> None:
        async with hooks(Held()) as served:
            owe(store, clock, served.url())
            async with running(notifier_of(store, clock, settings_of(served))) as task:
                await served.arrivals.get()
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            assert [row.next_try_at for row in rows(store)] == [clock.now() + LEASE]

    run(scenario())


AWAY = "the ledger gives no notifications (OperationalError)"


class Failing:
    """A store whose next so many uses of a kind fail as those of a database that is away."""

    def __init__(self, store: LedgerStore, **uses: int) -> None:
        self._store = store
        self._uses = uses

    def __getattr__(self, name: str) -> Any:
        if self._uses.get(name, 0) > 0:
            self._uses[name] -= 1
            raise OperationalError("select 1", {}, OSError("away"))
        return getattr(self._store, name)


@pytest.mark.parametrize("use", ["read", "write"])
def test_a_ledger_that_is_away_is_asked_again(
    store: LedgerStore, clock: MovingClock, caplog: pytest.LogCaptureFixture, use: str
) -> None:
    async def scenario() -> None:
        async with hooks() as served:
            owe(store, clock, served.url())
            outcomes = Outcomes()
            failing: Any = Failing(store, **{use: 2})
            notifier = notifier_of(failing, clock, settings_of(served), outcomes)
            async with running(notifier):
                for failed in (1, 2):
                    await until(lambda: caplog.text.count(AWAY) == failed)  # noqa: B023
                    notifier.wake()  # instead of the pause
                assert await outcomes.next() == ["delivered"]
            assert (served.connections, count_owed(store)) == (1, 0)

    run(scenario())


def test_a_delivery_that_cannot_be_written_down_is_made_again(
    store: LedgerStore, clock: MovingClock, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        failing: Any = Failing(store)

        async def break_before_answering(received: Received) -> AsyncIterator[bytes]:
            if len(served.received) == 1:
                failing._uses["write"] = 1
            async for part in always(204)(received):
                yield part

        async with hooks(break_before_answering) as served:
            (notification_id,) = owe(store, clock, served.url())
            outcomes = Outcomes()
            notifier = notifier_of(failing, clock, settings_of(served), outcomes)
            async with running(notifier):
                await until(lambda: "could not be settled" in caplog.text)
                clock.advance(seconds=LEASE.total_seconds())
                notifier.wake()
                assert await outcomes.next() == ["delivered"]
            assert served.ids == [notification_id] * 2

    run(scenario())


def test_what_is_owed_later_is_noticed_by_itself(
    store: LedgerStore, clock: MovingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notifying, "POLL_SECONDS", 0.01)

    async def scenario() -> None:
        async with hooks() as served:
            outcomes = Outcomes()
            async with running(notifier_of(store, clock, settings_of(served), outcomes)):
                await asyncio.sleep(0.05)  # it has found nothing by now, and waits
                owe(store, clock, served.url())
                assert await outcomes.next() == ["delivered"]

    run(scenario())
