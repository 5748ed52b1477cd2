"""The ASGI app: `POST /callbacks/{provider}/{batch}/{token}`, and whether it is well.

Here: the checks in their order (token, size, time), keeping the body, and the status
that is answered. Not here: sockets (`server.py`), and reading what was kept. The order
matters: without the right token not a byte of a body is read, and 200 is answered
only once the body is committed. What is in it is no condition: it may have been paid
for, and the provider throws away what is refused four times.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from enrichment_pipeline.callback_urls import CALLBACK_PATH, CallbackKeys
from enrichment_pipeline.ledger.calls import Receipt
from enrichment_pipeline.receiver.callback_limits import ReceiverLimits
from enrichment_pipeline.receiver.metrics import ReceiverMetrics
from enrichment_pipeline.serving.bodies import RequestRefusedError, read_body
from enrichment_pipeline.serving.lingering import LingeringClose

_log = logging.getLogger(__name__)

CountAnswers = Callable[[bytes], int | None]
"""How many answers a body holds; None for a body that is no list of answers."""


class Inbox(Protocol):
    """Where bodies are kept: one provider's ledger."""

    provider: str

    async def keep(self, batch_id: str, body: bytes) -> Receipt:
        """Commit the body, if it can be an answer to that batch."""
        ...

    async def ping(self) -> None:
        """Raise where nothing could be kept now."""
        ...


def create_app(
    inbox: Inbox,
    keys: CallbackKeys,
    count_answers: CountAnswers,
    metrics: ReceiverMetrics,
    limits: ReceiverLimits | None = None,
) -> Starlette:
    """The app over one provider's inbox."""
    limits = limits or ReceiverLimits()
    receiver = _Receiver(inbox, keys, count_answers, metrics, limits)
    app = Starlette(
        routes=[
            receiver.callback_route,
            Route("/healthz", _healthz, methods=["GET"]),
            Route("/readyz", receiver.readyz, methods=["GET"]),
        ],
        middleware=[Middleware(LingeringClose, seconds=limits.linger_seconds)],
    )
    app.router.redirect_slashes = False
    return app


def callback_route(
    inbox: Inbox, keys: CallbackKeys, count_answers: CountAnswers, metrics: ReceiverMetrics
) -> Route:
    """The route of the callbacks alone, for a server that has others beside it."""
    return _Receiver(inbox, keys, count_answers, metrics, ReceiverLimits()).callback_route


async def _healthz(_request: Request) -> Response:
    return PlainTextResponse("alive\n")


class _Receiver:
    def __init__(
        self,
        inbox: Inbox,
        keys: CallbackKeys,
        count_answers: CountAnswers,
        metrics: ReceiverMetrics,
        limits: ReceiverLimits,
    ) -> None:
        self._inbox = inbox
        self._keys = keys
        self._count_answers = count_answers
        self._metrics = metrics
        self._limits = limits

    @property
    def callback_route(self) -> Route:
        return Route(CALLBACK_PATH, self.callback, methods=["POST"])

    async def readyz(self, _request: Request) -> Response:
        """Ready while the ledger can be written to."""
        try:
            async with asyncio.timeout(self._limits.keep_seconds):
                await self._inbox.ping()
        except Exception as error:  # noqa: BLE001 - whatever it is, we are not ready
            _log.warning("not ready: the ledger cannot be written to (%s)", type(error).__name__)
            return PlainTextResponse("the ledger cannot be written to\n", 503)
        return PlainTextResponse("ready\n")

    async def callback(self, request: Request) -> Response:
        """Keep what was posted, then answer 200; anything else has the provider try again."""
        began_at = time.perf_counter()
        batch_id = request.path_params["batch"]
        try:
            self._check_token(request)
            body = await read_body(
                request, most_bytes=self._limits.body_bytes, seconds=self._limits.body_seconds
            )
            await self._keep(batch_id, body)
        except RequestRefusedError as refused:
            self._metrics.callbacks.labels(refused.status).inc()
            shown = batch_id if refused.status != 403 else "?"
            _log.warning("batch %s: %d, %s", shown, refused.status, refused.why)
            return PlainTextResponse(f"{refused.why}\n", refused.status)
        self._metrics.callbacks.labels(200).inc()
        self._metrics.bytes.inc(len(body))
        answers = self._answers_in(body)
        seconds = time.perf_counter() - began_at
        self._metrics.seconds.observe(seconds)
        if answers is None:
            self._metrics.unreadable.inc()
            _log.warning(
                "batch %s: 200, kept, but its %d bytes are no list of answers", batch_id, len(body)
            )
        else:
            self._metrics.answers.inc(answers)
            _log.info("batch %s: 200, %d answers, %.0f ms", batch_id, answers, seconds * 1000)
        return PlainTextResponse("kept\n")

    def _check_token(self, request: Request) -> None:
        path = request.path_params
        is_let_in = self._keys.accepts(path["provider"], path["batch"], path["token"])
        if not is_let_in or path["provider"] != self._inbox.provider:
            raise RequestRefusedError(403, "not allowed")

    async def _keep(self, batch_id: str, body: bytes) -> None:
        keep: Awaitable[Receipt] = self._inbox.keep(batch_id, body)
        try:
            async with asyncio.timeout(self._limits.keep_seconds):
                receipt = await keep
        except Exception as error:  # noqa: BLE001 - whatever it is: not kept, so post it again
            _log.error("batch %s could not be kept (%s)", batch_id, type(error).__name__)
            raise RequestRefusedError(503, "could not be kept; post it again") from None
        if receipt is Receipt.NO_SUCH_BATCH:
            raise RequestRefusedError(404, "no such batch")
        if receipt is Receipt.BATCH_IS_FULL:
            raise RequestRefusedError(429, "more than the answers to this batch can be")

    def _answers_in(self, body: bytes) -> int | None:
        """How many answers were kept; None where that cannot be told, or would take too long."""
        # each value follows one of these; to decode millions would hold up all other requests
        if sum(map(body.count, b"[{,")) > self._limits.values:
            return None
        return self._count_answers(body)
