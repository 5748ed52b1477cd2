"""What is told of each request: a line in the log, and the metrics.

Here: the middleware that tells it, and that turns an unforeseen error into a 500 of which
nothing is told but its kind and place, since its text may quote a contact. Not here: who is let in
and what is answered (`contact_routes.py`). A line names the route, the status, the time, the first
digits of the caller's digest, and a contact that was answered by its id; no address, no header, no
body.
"""

import logging
import time
import traceback
from dataclasses import dataclass
from urllib.parse import quote

from fastapi.responses import JSONResponse
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from enrichment_pipeline.entry.enrichment import Enrichment
from enrichment_pipeline.entry.entry_metrics import OTHER, EntryMetrics

CONTACTS_ROUTE = "/v1/contacts"
SHOWN_DIGITS = 8
_RECORD = "enrichment.record"
_log = logging.getLogger(__name__)


@dataclass
class RequestRecord:
    """What the app finds out about a request while it answers it."""

    token_sha256: str | None = None
    enrichment: Enrichment | None = None


def record_of(request: Request) -> RequestRecord:
    return request.scope[_RECORD]


class AccessLog:
    """ASGI middleware: one line for each request, and its metrics."""

    def __init__(self, app: ASGIApp, *, metrics: EntryMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began_at = time.perf_counter()
        record = scope[_RECORD] = RequestRecord()
        is_answered = False

        async def send_and_tell(message: Message) -> None:
            nonlocal is_answered
            if message["type"] == "http.response.start":
                is_answered = True
                self._tell(scope, record, message["status"], time.perf_counter() - began_at)
            await send(message)

        try:
            await self._app(scope, receive, send_and_tell)
        except Exception as error:  # noqa: BLE001 - whatever it is, its text may quote a contact
            place = traceback.extract_tb(error.__traceback__)[-1]
            kind = type(error).__name__
            _log.error("unexpected error: %s in %s:%s", kind, place.filename, place.lineno)
            if not is_answered:
                answer = JSONResponse({"detail": "an unexpected error; please report it"}, 500)
                await answer(scope, receive, send_and_tell)

    def _tell(self, scope: Scope, record: RequestRecord, status: int, seconds: float) -> None:
        route = _route(scope)
        self._metrics.requests.labels(route, status).inc()
        if route == f"POST {CONTACTS_ROUTE}":
            self._metrics.count_posted(record.enrichment, seconds)
        caller = (record.token_sha256 or "-")[:SHOWN_DIGITS]
        contact = record.enrichment.contact_id if record.enrichment else "-"
        _log.info(
            "%s: %d, %.0f ms, caller %s, contact %s",
            *(route, status, seconds * 1000, caller, quote(contact, safe="")),
        )


def _route(scope: Scope) -> str:
    """The route's method and template. What fits none says nothing of what was asked for."""
    route = scope.get("route")
    template = getattr(route, "path_format", None)
    if template is None or scope["method"] not in (getattr(route, "methods", None) or ()):
        return OTHER
    return f"{scope['method']} {template}"
