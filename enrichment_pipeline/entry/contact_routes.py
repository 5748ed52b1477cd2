"""The app of the point of entry: contacts over HTTP, and whether it is well.

Here: the checks in their order (token, number of requests, head, size and time of the body, the
body itself), and the status of each answer. Not here: what becomes of a contact (`desk.py` is what
the app asks), what a body may hold (`posted.py`), sockets (`entry_server.py`), and what the
documentation says (`documented.py`). The order matters: without a right token not a byte of
a body is read, so the body is no parameter of a route, which FastAPI would read before it asks who
sends it.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from importlib.metadata import version
from typing import Annotated, TypeVar
from urllib.parse import quote

from fastapi import Depends, FastAPI, Header, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from fastapi_offline import FastAPIOffline
from pydantic import TypeAdapter, ValidationError
from starlette.convertors import Convertor, register_url_convertor
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Match, Route

from enrichment_pipeline.entry import documented
from enrichment_pipeline.entry.access_log import CONTACTS_ROUTE, AccessLog, record_of
from enrichment_pipeline.entry.callers import (
    RETRY_AFTER_SECONDS,
    Callers,
    TooManyRequestsError,
)
from enrichment_pipeline.entry.contact import Id
from enrichment_pipeline.entry.desk import (
    Desk,
    KeyReusedError,
    NotRecordedError,
    RequestKey,
    StillAnsweringError,
    TakenBack,
)
from enrichment_pipeline.entry.enrichment import Enrichment
from enrichment_pipeline.entry.entry_metrics import EntryMetrics
from enrichment_pipeline.entry.posted import (
    PostedContact,
    RefuseUrl,
    UnreadableError,
    complaint,
    read_posted,
)
from enrichment_pipeline.entry.preferences import DEFAULT_WAIT, preferred_wait
from enrichment_pipeline.entry.request_limits import EntryLimits
from enrichment_pipeline.serving.bodies import RequestRefusedError, read_body
from enrichment_pipeline.serving.lingering import LingeringClose

_log = logging.getLogger(__name__)

_TRY_AGAIN = {"Retry-After": str(RETRY_AFTER_SECONDS)}
_PRIVATE = {"Cache-Control": "no-store"}
_possible_id: TypeAdapter[str | None] = TypeAdapter(Id)
_bearer = HTTPBearer(
    auto_error=False,
    scheme_name="token",
    description="One of ENRICHMENT_API_TOKENS",
)
R = TypeVar("R")

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        pattern="^[ -~]*$",
        description="Any text of your own, such as a UUID. The same key with the same body gets "
        "the same answer again, and nothing is bought for it again",
    ),
]
Prefer = Annotated[
    str | None,
    Header(
        alias="Prefer",
        description="`wait=SECONDS`, 0 to 10, 2 by default: for how long you would wait until the "
        "contact is decided",
        examples=["wait=5"],
    ),
]


def create_app(
    desk: Desk,
    callers: Callers,
    metrics: EntryMetrics,
    *,
    refuse_url: RefuseUrl,
    limits: EntryLimits | None = None,
    more_routes: Sequence[BaseRoute] = (),
) -> FastAPI:
    """The app over a desk. `more_routes` are served beside its own, with checks of their own.

    `refuse_url` says which `notify_url` is refused, and why.
    """
    limits = limits or EntryLimits()
    entry = _Entry(desk, callers, refuse_url, limits)
    app = FastAPIOffline(
        redoc_url=None,
        title=documented.TITLE,
        description=documented.DESCRIPTION,
        version=version("enrichment_pipeline"),
        openapi_tags=documented.TAGS,
        middleware=[
            Middleware(LingeringClose, seconds=limits.linger_seconds, keeps_alive=True),
            Middleware(AccessLog, metrics=metrics),
        ],
        exception_handlers={
            RequestValidationError: _tell_what_is_malformed,
            405: _tell_what_is_allowed,
        },
        redirect_slashes=False,
    )
    for path, ask, operation in (
        (CONTACTS_ROUTE, entry.enter, documented.ENTER),
        (CONTACTS_ROUTE + "/{contact_id:any}", entry.find, documented.FIND),
        (CONTACTS_ROUTE + "/{contact_id:any}", entry.take_back, documented.TAKE_BACK),
    ):
        app.add_api_route(path, ask, dependencies=[Depends(entry.let_in)], **operation)
    app.add_api_route("/healthz", _healthz, **documented.ALIVE)
    app.add_api_route("/readyz", entry.readyz, **documented.READY)
    app.router.routes.extend(more_routes)
    return app


class _AnyText(Convertor[str]):
    """The rest of a path, whatever it is: an id may hold slashes, and line breaks as well."""

    regex = "(?s:.*)"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return quote(value, safe="")


register_url_convertor("any", _AnyText())


async def _healthz() -> Response:
    """200 while the process answers."""
    return PlainTextResponse("alive\n")


async def _tell_what_is_malformed(_request: Request, error: Exception) -> Response:
    errors = error.errors() if isinstance(error, RequestValidationError) else []
    return JSONResponse({"detail": complaint(errors)}, 422)


async def _tell_what_is_allowed(request: Request, _error: Exception) -> Response:
    """405 with the methods of all routes of this path; Starlette names those of the first."""
    methods = {
        method
        for route in request.app.routes
        if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE
        for method in route.methods or ()
    }
    headers = {"Allow": ", ".join(sorted(methods))}
    return JSONResponse({"detail": "this URL does not take this method"}, 405, headers)


class _Entry:
    def __init__(
        self, desk: Desk, callers: Callers, refuse_url: RefuseUrl, limits: EntryLimits
    ) -> None:
        self._desk = desk
        self._callers = callers
        self._refuse_url = refuse_url
        self._limits = limits

    async def let_in(
        self,
        request: Request,
        credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    ) -> AsyncIterator[None]:
        """Go on for a known caller who does not ask too much."""
        # as it came: HTTP's headers are bytes, which Starlette decodes as Latin-1
        token = credentials.credentials.encode("latin-1") if credentials else b""
        caller = self._callers.with_token(token)
        if caller is None:
            why = "a bearer token of ENRICHMENT_API_TOKENS is needed"
            raise HTTPException(401, why, {"WWW-Authenticate": "Bearer"})
        record_of(request).token_sha256 = caller.token_sha256
        try:
            with caller.request():
                yield
        except TooManyRequestsError as error:
            raise HTTPException(429, str(error), _TRY_AGAIN) from None

    async def enter(
        self, request: Request, idempotency_key: IdempotencyKey = None, prefer: Prefer = None
    ) -> Response:
        """Record a contact, and answer what it has come to.

        200 where that is decided within `Prefer: wait`; else 202, and it goes on. Too little
        identity is no error: it is recorded, and for review.
        """
        posted = await self._read(request)
        wait = preferred_wait(request.headers.getlist("prefer"))
        try:
            enrichment = await self._desk.enter(
                posted.contact,
                wait=DEFAULT_WAIT if wait is None else wait,
                notify_url=posted.notify_url,
                request=_key(request, idempotency_key, posted.sha256),
            )
        except KeyReusedError:
            raise HTTPException(422, "this Idempotency-Key came with another body") from None
        except StillAnsweringError:
            why = "a request with this Idempotency-Key is being answered"
            raise HTTPException(409, why, _TRY_AGAIN) from None
        except NotRecordedError:
            why = "the contact could not be recorded, and nothing was bought; try again"
            raise HTTPException(503, why, _TRY_AGAIN) from None
        record_of(request).enrichment = enrichment
        headers = {} if wait is None else {"Preference-Applied": f"wait={wait.seconds}"}
        if enrichment.is_decided:
            return _answer(enrichment, 200, headers)
        place = f"{CONTACTS_ROUTE}/{quote(enrichment.contact_id, safe='')}"
        return _answer(enrichment, 202, {**headers, "Location": place})

    async def find(self, request: Request) -> Response:
        """The same answer as it stands now: 200, whether it is decided or still under way."""
        enrichment = await self._asked(self._desk.find(_asked_id(request)))
        if enrichment is None:
            raise HTTPException(404, "no such entry")
        record_of(request).enrichment = enrichment
        return _answer(enrichment, 200)

    async def take_back(self, request: Request) -> Response:
        """Forget an entry, so that nothing is bought for it. What was bought already stays."""
        done = await self._asked(self._desk.take_back(_asked_id(request)))
        if done is TakenBack.NOT_ENTERED:
            raise HTTPException(404, "no such entry")
        if done is TakenBack.ALREADY_BOUGHT:
            raise HTTPException(409, "bought already; the answer stays")
        return Response(status_code=204)

    async def readyz(self) -> Response:
        """200 while contacts can be recorded."""
        try:
            async with asyncio.timeout(self._limits.ping_seconds):
                await self._desk.ping()
        except Exception as error:  # noqa: BLE001 - whatever it is, we are not ready
            _log.warning("not ready: nothing can be recorded (%s)", type(error).__name__)
            raise HTTPException(503, "nothing can be recorded now") from None
        return PlainTextResponse("ready\n")

    async def _read(self, request: Request) -> PostedContact:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise HTTPException(415, "send the contact as application/json")
        try:
            body = await read_body(
                request, most_bytes=self._limits.body_bytes, seconds=self._limits.body_seconds
            )
            return read_posted(body, self._refuse_url)
        except RequestRefusedError as refused:
            raise HTTPException(refused.status, refused.why) from None
        except UnreadableError as error:
            raise HTTPException(422, str(error)) from None

    async def _asked(self, question: Awaitable[R]) -> R:
        """What the desk says of an entry that is there; asking again does no harm."""
        try:
            return await question
        except Exception as error:  # noqa: BLE001 - whatever it is, it may pass
            _log.error("an entry cannot be read or taken back (%s)", type(error).__name__)
            raise HTTPException(503, "cannot be read now; try again", _TRY_AGAIN) from None


def _key(request: Request, key: str | None, body_sha256: str) -> RequestKey | None:
    token_sha256 = record_of(request).token_sha256
    if key is None or token_sha256 is None:
        return None
    return RequestKey(token_sha256, key, body_sha256)


def _asked_id(request: Request) -> str:
    """The id in the URL, if a contact can have been entered with it: no database keeps any text."""
    contact_id = request.path_params["contact_id"]
    try:
        _possible_id.validate_python(contact_id)
    except ValidationError:
        raise HTTPException(404, "no such entry") from None
    return contact_id


def _answer(
    enrichment: Enrichment, status: int, headers: Mapping[str, str] | None = None
) -> Response:
    return Response(
        enrichment.model_dump_json(),
        status,
        {**_PRIVATE, **(headers or {})},
        media_type="application/json",
    )
