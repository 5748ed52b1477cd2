"""Telling the application that entered a contact that it is decided, until it has heard it.

Here: what a notification says, its signature, and when it is sent again. Not here: where it may go
(`addresses.py`), the connection (`posting.py`), and keeping it (`ledger/notifications.py`).

The form, the signature and the meaning of 410 are those of https://www.standardwebhooks.com.
"""

import asyncio
import logging
import random
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from http import HTTPStatus
from importlib.metadata import version
from typing import Literal, Protocol

from standardwebhooks import Webhook

from enrichment_pipeline.clock import Clock
from enrichment_pipeline.entry.addresses import RefusedError
from enrichment_pipeline.entry.posting import Poster
from enrichment_pipeline.ledger import notifications
from enrichment_pipeline.ledger.group import GroupCommit
from enrichment_pipeline.ledger.notifications import Owed
from enrichment_pipeline.ledger.store import LedgerStore, Transaction
from enrichment_pipeline.settings import Settings

USER_AGENT = f"enrichment-pipeline/{version('enrichment-pipeline')}"
AT_ONCE = 10
PER_HOST = 2
LEASE = timedelta(seconds=30)
"""Longer than an attempt takes, with its commits."""
POLL_SECONDS = 1.0
"""How long until it is noticed what another process owes, or what has come due."""
PAUSE_SECONDS = 5.0
"""After an error of the ledger's database."""
DISTANCES = tuple(
    timedelta(seconds=seconds) for seconds in (5, 30, 120, 600, 1_800, 3_600, 7_200, 14_400, 28_800)
)
"""Between one attempt and the next; the last of them again and again."""
REPEATED_FOR = timedelta(days=1)
"""The last attempt is made then, and later only where no process was there to make it."""

Outcome = Literal["delivered", "failed", "given_up"]
_log = logging.getLogger(__name__)


class Metrics(Protocol):
    """What counts attempts."""

    def notified(self, outcome: Outcome, seconds: float) -> None:
        """An attempt is over: `failed` is tried again, `given_up` is not."""
        ...


def jittered() -> float:
    """A factor for a distance, so that what failed together does not come again together."""
    return random.uniform(0.8, 1.2)  # noqa: S311 - nothing depends on it that must not be guessed


class Notifier:
    """Sends what the ledger owes, as a task: `run` ends after `stop`. One per event loop."""

    def __init__(
        self,
        store: LedgerStore,
        settings: Settings,
        clock: Clock,
        metrics: Metrics | None = None,
        *,
        poster: Poster | None = None,
        jitter: Callable[[], float] = jittered,
    ) -> None:
        secret = settings.webhook_secret
        self._webhook = None if secret is None else Webhook(secret.get_secret_value())
        self._store = store
        self._clock = clock
        self._metrics = metrics
        self._poster = poster or Poster(settings.policy.entry)
        self._jitter = jitter
        self._group = GroupCommit(store)
        self._under_way: Counter[str] = Counter()
        self._wake = asyncio.Event()
        self._is_stopping = False

    async def run(self) -> None:
        """Send what is due, until `stop`; then finish what is on the wire."""
        async with asyncio.TaskGroup() as attempts:
            while not self._is_stopping:
                self._wake.clear()
                pause = POLL_SECONDS
                taken: list[Owed] = []
                try:
                    taken = await self._take()
                except Exception as error:  # noqa: BLE001 - whatever it is, it is tried again
                    _log.warning("the ledger gives no notifications (%s)", type(error).__name__)
                    pause = PAUSE_SECONDS
                for owed in taken:
                    self._under_way[owed.host] += 1
                    attempts.create_task(self._notify(owed))
                if not taken:
                    await self._wait(pause)

    def stop(self) -> None:
        """Have `run` take no more and end. What it does not finish stays owed."""
        self._is_stopping = True
        self._wake.set()

    def wake(self) -> None:
        """Have what is owed since now sent at once, and not with the next poll."""
        self._wake.set()

    async def _wait(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()

    async def _take(self) -> list[Owed]:
        """What may be sent now. Only where there is some is a transaction written."""
        limit = AT_ONCE - self._under_way.total()
        full = [host for host, count in self._under_way.items() if count >= PER_HOST]
        if limit <= 0 or not await asyncio.to_thread(
            notifications.is_due, self._store, self._clock.now(), except_hosts=full
        ):
            return []
        under_way = dict(self._under_way)

        def take(transaction: Transaction) -> list[Owed]:
            now = self._clock.now()  # by now we may have waited long for other writers
            return notifications.take_due(
                transaction, now, limit, LEASE, per_host=PER_HOST, under_way=under_way
            )

        return await self._group.run(take)

    async def _notify(self, owed: Owed) -> None:
        """Make one attempt, and write down what came of it."""
        began_at = time.perf_counter()
        try:
            answer = await self._post(owed)
            again_at = self._again_at(owed, answer)
            await self._group.run(lambda transaction: _settle(transaction, owed.id, again_at))
        except Exception as error:  # noqa: BLE001 - it is owed still, and due after its lease
            _log.warning("%s could not be settled (%s)", _shown(owed), type(error).__name__)
        else:
            outcome = _outcome(answer, again_at)
            level = logging.WARNING if outcome == "given_up" else logging.INFO
            _log.log(level, "%s, attempt %d: %s (%s)", _shown(owed), owed.tries, outcome, answer)
            if self._metrics is not None:
                self._metrics.notified(outcome, time.perf_counter() - began_at)
        finally:
            self._under_way[owed.host] -= 1
            self._wake.set()

    async def _post(self, owed: Owed) -> int | str:
        """The status of the answer, or why there is none."""
        if self._webhook is None:
            return "ENRICHMENT_WEBHOOK_SECRET is not set"
        now = self._clock.now()
        headers = {
            "content-type": "application/json",
            "user-agent": USER_AGENT,
            "webhook-id": owed.id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._webhook.sign(owed.id, now, owed.body),
        }
        try:
            return await self._poster.post(owed.url, owed.body.encode(), headers)
        except RefusedError as refused:
            return f"its URL {refused}"
        except Exception as error:  # noqa: BLE001 - whatever it is, it was not delivered
            return type(error).__name__

    def _again_at(self, owed: Owed, answer: int | str) -> datetime | None:
        """When it is sent again; None where it is delivered or given up."""
        now, ends_at = self._clock.now(), owed.owed_since + REPEATED_FOR
        if _is_delivered(answer) or answer == HTTPStatus.GONE or now >= ends_at:
            return None
        distance = DISTANCES[min(owed.tries, len(DISTANCES)) - 1]
        return min(now + distance * self._jitter(), ends_at)


def _settle(transaction: Transaction, notification_id: str, again_at: datetime | None) -> None:
    if again_at is None:
        notifications.remove(transaction, notification_id)
    else:
        notifications.retry_at(transaction, notification_id, again_at)


def _is_delivered(answer: int | str) -> bool:
    return isinstance(answer, int) and 200 <= answer < 300


def _outcome(answer: int | str, again_at: datetime | None) -> Outcome:
    if _is_delivered(answer):
        return "delivered"
    return "given_up" if again_at is None else "failed"


def _shown(owed: Owed) -> str:
    """Without what its URL and body hold."""
    return f"contact {owed.contact_id!r}: notification to {owed.host}"
