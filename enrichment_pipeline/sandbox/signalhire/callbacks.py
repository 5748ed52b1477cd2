"""Callbacks: results that are posted to the client, until it acknowledges or all attempts failed.

Belongs here: waiting, posting, trying again, giving up, and the file that says how each attempt
ended. Does not belong here: what a result says, what it costs, and what goes wrong with it on
purpose (a callback brings that along).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import datetime

import httpx

from enrichment_pipeline.sandbox.journal_file import Journal
from enrichment_pipeline.sandbox.signalhire.config import SandboxConfig

RETRIES = 3
"""After the first attempt. What is not acknowledged then is discarded for good."""


@dataclass(frozen=True)
class Part:
    """The body of one POST, and the items that it answers."""

    items: Sequence[str]
    body: bytes


@dataclass(frozen=True, kw_only=True)
class Callback:
    """The result of one request, on its way."""

    request: int
    url: str
    parts: Sequence[Part]
    charge: Callable[[], None]
    """Called right before the first attempt."""
    delay_seconds: float
    repeated_after_seconds: float | None
    """How long after the first delivery begins the same is delivered again; None: it is not."""
    is_lost: bool
    """Whether it is charged and then never delivered."""


@dataclass(frozen=True)
class Attempt:
    """One line of the deliveries file."""

    at: str
    """When the POST began: ISO 8601, UTC."""
    request: int
    part: int
    attempt: int
    """1 to 4; 0 for a callback that was lost on purpose."""
    items: Sequence[str]
    status: int | None
    """None where no answer came in time."""
    acknowledged: bool


class Callbacks:
    """Posts callbacks in the background, at most so many at once; only within `running()`."""

    def __init__(
        self,
        config: SandboxConfig,
        wall_clock: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._timeout_seconds = config.callback_timeout_seconds
        self._retry_seconds = config.callback_retry_seconds
        self._wall_clock = wall_clock
        self._sleep = sleep
        self._slots = asyncio.Semaphore(config.callback_concurrency)
        self._journal: Journal | None = None
        if config.deliveries is not None:
            self._journal = Journal(config.deliveries, "the file of deliveries")
        self._tasks: set[asyncio.Task[None]] = set()
        self._client: httpx.AsyncClient | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Have what delivers; at the end, whatever is not delivered yet is dropped."""
        async with httpx.AsyncClient(
            # the time limit is one for all phases together
            timeout=None,  # noqa: S113
            # slots are what bounds; a kept connection that the receiver just closed would look like
            # a receiver that does not answer
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
            # the receiver is near; a proxy of the environment is for what is not
            trust_env=False,
        ) as self._client:
            try:
                yield
            finally:
                for task in self._tasks:
                    task.cancel()
                await asyncio.gather(*self._tasks, return_exceptions=True)

    def post_later(self, callback: Callback) -> None:
        """Deliver it in its time, and return at once."""
        task = asyncio.create_task(self._deliver(callback))
        # the loop itself holds tasks by weak references only
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(self, callback: Callback) -> None:
        if callback.is_lost:
            callback.charge()
            items = [item for part in callback.parts for item in part.items]
            self._note(Attempt(self._now(), callback.request, 0, 0, items, None, False))
            return
        await self._sleep(callback.delay_seconds)
        callback.charge()
        waits = [0.0]
        if callback.repeated_after_seconds is not None:
            waits.append(callback.repeated_after_seconds)
        await asyncio.gather(
            *(
                self._deliver_part(callback, number, wait)
                for wait in waits
                for number in range(len(callback.parts))
            )
        )

    async def _deliver_part(self, callback: Callback, number: int, wait_seconds: float) -> None:
        await self._sleep(wait_seconds)
        for attempt in range(1, 1 + RETRIES + 1):
            if attempt > 1:
                await self._sleep(self._retry_seconds)
            async with self._slots:
                if await self._is_acknowledged(callback, number, attempt):
                    return

    async def _is_acknowledged(self, callback: Callback, number: int, attempt: int) -> bool:
        at, part, status = self._now(), callback.parts[number], None
        try:
            status = await self._post(callback, part.body)
        finally:
            # also where the sandbox is stopped within the attempt: the receiver may well have it
            is_acknowledged = status == httpx.codes.OK
            self._note(
                Attempt(at, callback.request, number, attempt, part.items, status, is_acknowledged)
            )
        return is_acknowledged

    async def _post(self, callback: Callback, body: bytes) -> int | None:
        """The status that the receiver answers, or None if it does not in time."""
        if self._client is None:
            raise RuntimeError("callbacks are delivered within running() only: have a lifespan")
        headers = {"Content-Type": "application/json", "Request-Id": str(callback.request)}
        try:
            async with asyncio.timeout(self._timeout_seconds):
                response = await self._client.post(callback.url, content=body, headers=headers)
        except (httpx.HTTPError, TimeoutError):
            return None
        return response.status_code

    def _now(self) -> str:
        return self._wall_clock().isoformat()

    def _note(self, attempt: Attempt) -> None:
        if self._journal is not None:
            self._journal.add([asdict(attempt)])
