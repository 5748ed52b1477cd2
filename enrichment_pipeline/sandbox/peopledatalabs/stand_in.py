"""People Data Labs' stand-in as a web application: its endpoints, `BASE_PATH` before each.

Belongs here: the endpoints, the order in which a request is refused, what a match costs, and the
headers. Does not belong here: which people are known (`profiles.py`), the account
(`sandbox/account.py`), and which faults hit (`sandbox/fates.py`).

`POST /person/bulk` is answered with a list of elements, each with a status of its own: a miss is a
404 in it. A match costs a credit each time. `POST /person/changelog` costs nothing. Of
`/person/enrich` there are the headers alone, which is how an account asks what is left.
"""

from __future__ import annotations

import asyncio
import json
import math
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from enrichment_pipeline.sandbox.account import Account, Charge
from enrichment_pipeline.sandbox.directory import Person
from enrichment_pipeline.sandbox.fates import Fates, RequestFate
from enrichment_pipeline.sandbox.meter import ItemMeter
from enrichment_pipeline.sandbox.peopledatalabs.changelog import LISTS
from enrichment_pipeline.sandbox.peopledatalabs.config import PeopleDataLabsConfig
from enrichment_pipeline.sandbox.peopledatalabs.profiles import (
    Match,
    Profiles,
    has_required,
    in_title_case,
    is_sufficient,
    name_in,
    without_contact_data,
)
from enrichment_pipeline.sandbox.tearing import TornConnection

BASE_PATH = "/v5"
RECORDS_PER_REQUEST = 100
MOST_IDS = 60_000
POOL = "enrich"
_ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "payment_required",
    403: "forbidden",
    404: "not_found",
    405: "invalid_request_error",
    429: "rate_limit_error",
}


def _utc_now() -> datetime:
    return datetime.now(UTC)


def create_app(
    config: PeopleDataLabsConfig,
    people: Iterable[Person],
    *,
    clock: Callable[[], float] = time.monotonic,
    wall_clock: Callable[[], datetime] = _utc_now,
) -> Starlette:
    """The app. `clock` (seconds) is what the window is measured by, `wall_clock` (UTC) dates
    charges, and says when the window ends.

    To tear connections it must be served with `TearableProtocol`: see
    `sandbox.stand_in_server.server_config`. Raises `JournalError` if the configured journal cannot
    be used.
    """
    stand_in = _StandIn(config, people, clock, wall_clock)
    app = Starlette(
        routes=[
            Route(f"{BASE_PATH}/person/bulk", stand_in.person_bulk, methods=["POST"]),
            Route(f"{BASE_PATH}/person/changelog", stand_in.person_changelog, methods=["POST"]),
            Route(f"{BASE_PATH}/person/enrich", stand_in.person_enrich, methods=["GET", "HEAD"]),
        ],
        exception_handlers={
            HTTPException: stand_in.no_such_endpoint,
            ClientDisconnect: stand_in.client_gone,
            Exception: stand_in.broken,
        },
    )
    app.router.redirect_slashes = False  # a redirect would be one more status code
    return app


class _Refusal(Exception):
    """A request that is not processed, and its status code."""

    def __init__(self, status: int, message: str, **more: object) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.more = more


@dataclass(frozen=True)
class _Record:
    """One record of a request whose parameters are as documented."""

    params: Mapping[str, Any]
    metadata: object
    min_likelihood: int
    required: str | None
    titlecase: bool


@dataclass(frozen=True)
class _Answer:
    """An answer before it is paid for, and the matches in it, each with its record."""

    content: bytes
    matches: Sequence[tuple[Match, _Record]]


class _StandIn:
    """One account and its state, and the handler of each endpoint."""

    def __init__(
        self,
        config: PeopleDataLabsConfig,
        people: Iterable[Person],
        clock: Callable[[], float],
        wall_clock: Callable[[], datetime],
    ) -> None:
        self._config = config
        self._profiles = Profiles(people, config)
        window = (config.minute_seconds, config.window_kind, clock)
        self._meter = ItemMeter(config.per_minute, *window)
        self._changes_meter = ItemMeter(config.changes_per_minute, *window)
        self._wall_clock = wall_clock
        self._account = Account(
            {POOL: config.credits},
            charge_repeats=True,
            journal=config.journal,
            wall_clock=wall_clock,
        )
        self._fates = Fates(config.faults, config.seed)

    # Endpoints

    async def person_enrich(self, request: Request) -> Response:
        """HEAD /person/enrich, or GET without parameters: an error, and headers. It is free."""
        try:
            self._check_key(request)
            raise _Refusal(400, "The request has not enough data points")
        except _Refusal as refusal:
            return self._error(refusal)

    async def person_bulk(self, request: Request) -> Response:
        """POST /person/bulk."""
        content = await request.body()
        try:
            document = self._let_in(request, content, self._meter)
            records = self._read(document)
            fate = self._fate_of(document)
            if fate.fails_unprocessed:
                self._meter.count(1)
                return await self._fail(fate)
            answer = self._look_up(records, fate)
        except _Refusal as refusal:
            return self._refuse(refusal, self._meter)
        self._meter.count(1)
        return await self._answer(answer, fate)

    async def person_changelog(self, request: Request) -> Response:
        """POST /person/changelog."""
        content = await request.body()
        try:
            document = self._let_in(request, content, self._changes_meter)
            if not self._config.changelog_allowed:
                raise _Refusal(403, "This key has no access to this endpoint")
            told = self._changes(document)
            fate = self._fate_of(document)
        except _Refusal as refusal:
            return self._refuse(refusal, self._changes_meter)
        self._changes_meter.count(1)
        if fate.failure:
            return await self._fail(fate)
        await self._delay()
        content = json.dumps({"status": 200, "data": told}).encode()
        return Response(content, 200, media_type="application/json")

    async def no_such_endpoint(self, _request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 404
        return self._error(_Refusal(status, "There is no such endpoint"))

    async def broken(self, _request: Request, _error: Exception) -> Response:
        return self._error(_Refusal(500, "The server encountered an unexpected condition"))

    async def client_gone(self, _request: Request, _error: Exception) -> Response:
        # No client reads it; without this, one that is killed leaves a traceback in the log.
        return self._error(_Refusal(400, "The request ended too early"))

    # Refusing

    def _let_in(self, request: Request, content: bytes, meter: ItemMeter) -> dict[str, Any]:
        self._check_key(request)
        if not meter.admits(1):
            raise _Refusal(429, "An error occurred due to requests hitting the API too quick")
        return _parse(content)

    def _fate_of(self, document: Mapping[str, Any]) -> RequestFate:
        fate = self._fates.next([document])
        if fate.hits("slow_down"):
            raise _Refusal(429, "An error occurred due to requests hitting the API too quick")
        return fate

    def _refuse(self, refusal: _Refusal, meter: ItemMeter) -> Response:
        if self._config.refused_counts and refusal.status not in (401, 429):
            meter.count(1)
        return self._error(refusal)

    def _check_key(self, request: Request) -> None:
        sent = request.headers.get("x-api-key", "").encode()
        if not secrets.compare_digest(sent, self._config.api_key.encode()):
            raise _Refusal(401, "Request contained a missing or invalid key")

    def _read(self, document: Mapping[str, Any]) -> list[_Record]:
        """The request. Raises `_Refusal` where its parameters are not as documented."""
        given = document.get("requests")
        if not isinstance(given, list) or not 1 <= len(given) <= RECORDS_PER_REQUEST:
            raise _Refusal(400, "requests must hold 1 to 100 of them")
        if not all(isinstance(one, dict) and isinstance(one.get("params"), dict) for one in given):
            raise _Refusal(400, "each request must have params")
        return [self._record(one, document) for one in given]

    def _record(self, one: Mapping[str, Any], document: Mapping[str, Any]) -> _Record:
        params = one["params"]
        least = params.get("min_likelihood", self._config.default_min_likelihood)
        required = params.get("required", document.get("required"))
        titlecase = params.get("titlecase", document.get("titlecase", False))
        is_right = isinstance(least, int) and 0 <= least <= 10 and isinstance(titlecase, bool)
        if not is_right or not (required is None or isinstance(required, str)):
            raise _Refusal(400, "min_likelihood, required or titlecase is wrong")
        return _Record(params, one.get("metadata"), least, required, titlecase)

    # Telling of changes

    def _changes(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """The changes between two releases, a page of them. Raises `_Refusal` for a wrong one."""
        log = self._profiles.changelog
        origin, current = document.get("origin_version"), document.get("current_version")
        ids, kind = document.get("ids"), document.get("type")
        if not log.may_be_asked(origin, current):
            raise _Refusal(
                400,
                "origin_version and current_version must be consecutive releases",
                valid_versions=log.valid_releases,
            )
        if kind not in (None, *LISTS):
            raise _Refusal(400, "type is not supported", valid_types=list(LISTS))
        is_list = isinstance(ids, list) and all(isinstance(each, str) for each in ids)
        if ids is not None and not (is_list and 1 <= len(ids) <= MOST_IDS):
            raise _Refusal(400, f"ids must hold 1 to {MOST_IDS} of them")
        if ids is None and kind is None:
            raise _Refusal(400, "type is required without ids", valid_types=list(LISTS))
        changes = log.changes(str(origin), str(current), ids)
        changes = [change for change in changes if kind in (None, change[0])]
        token = str(document.get("scroll_token") or 0)
        if not token.isdecimal():
            raise _Refusal(400, "scroll_token is not one of ours")
        start = int(token)
        end = start + self._config.most_changes
        lists: dict[str, list[dict[str, Any]]] = {
            name: [] for name in LISTS if kind in (None, name)
        }
        for name, change in changes[start:end]:
            lists[name].append(change)
        return {
            "type": kind,
            "origin_version": str(origin),
            "current_version": str(current),
            "scroll_token": str(end) if end < len(changes) else None,
            **lists,
        }

    # Looking up

    def _look_up(self, records: Sequence[_Record], fate: RequestFate) -> _Answer:
        """Find each record. Raises `_Refusal` where the whole request is answered with an error.

        Charges nothing yet.
        """
        bad = [record for record in records if not is_sufficient(record.params)]
        if bad and self._config.bad_record_spoils_batch:
            raise _Refusal(400, "A request has not enough data points")
        found = [self._found(record) for record in records]
        count = sum(match is not None for match in found)
        is_refused = self._config.short_of_credits == "refused"
        if is_refused and not self._account.can_pay(POOL, max(1, count)):
            raise _Refusal(402, "You have reached your account maximum")
        elements: list[dict[str, Any]] = []
        matches: list[tuple[Match, _Record]] = []
        missing = fate.hits_each("missing", len(records))
        for record, match, is_missing in zip(records, found, missing, strict=True):
            if match is not None and self._account.can_pay(POOL, len(matches) + 1):
                matches.append((match, record))
                if not is_missing:
                    elements.append(self._element(record, self._shown(match, record)))
                continue
            elements.append(self._element(record, self._missed(record, match)))
        if self._config.record_order == "shuffled":
            fate.chance("order").shuffle(elements)
        return _Answer(json.dumps(elements, separators=(",", ":")).encode(), matches)

    def _found(self, record: _Record) -> Match | None:
        match = self._profiles.find(record.params)
        if match is None or match.likelihood < record.min_likelihood:
            return None
        is_wanted = has_required(match.record, record.required)
        return match if is_wanted or not self._config.obeys_required else None

    def _shown(self, match: Match, record: _Record) -> dict[str, Any]:
        data = match.record
        if record.titlecase and self._config.obeys_titlecase:
            data = in_title_case(data)
        if not self._config.shows_contact_data:
            data = without_contact_data(data)
        return {"status": 200, "likelihood": match.likelihood, "data": data}

    def _missed(self, record: _Record, match: Match | None) -> dict[str, Any]:
        if match is not None:
            return self._told(402, "You have reached your account maximum")
        if not is_sufficient(record.params):
            return self._told(400, "The request has not enough data points")
        return self._told(404, "No records were found matching your request")

    def _element(self, record: _Record, told: dict[str, Any]) -> dict[str, Any]:
        is_echoed = self._config.echoes_metadata and record.metadata is not None
        return told | ({"metadata": record.metadata} if is_echoed else {})

    # Answering

    async def _answer(self, answer: _Answer, fate: RequestFate) -> Response:
        is_too_long = len(answer.content) > self._config.most_answer_bytes
        if is_too_long and not self._config.too_long_is_charged:
            return self._too_long()
        number = self._account.next_request()
        held = (
            self._account.hold(POOL, match.uid, _item_of(record.params), number)
            for match, record in answer.matches
        )
        charges = [charge for charge in held if charge is not None]
        charge_later = None
        if self._config.charge_when == "before_response" or fate.failure or is_too_long:
            self._account.settle(charges)
        else:
            charge_later = BackgroundTask(self._settle, charges)
        if fate.failure:
            return await self._fail(fate)
        await self._delay()
        if is_too_long:
            return self._too_long()
        return self._reply(200, answer.content, cost=len(charges), background=charge_later)

    async def _fail(self, fate: RequestFate) -> Response:
        await self._delay()
        if fate.failure == "torn":
            return TornConnection()
        return self._error(_Refusal(500, "The server encountered an unexpected condition"))

    def _too_long(self) -> Response:
        # a gateway's word, which has none of the headers
        return Response(b"<html><body>502 Bad Gateway</body></html>", 502, media_type="text/html")

    async def _settle(self, charges: list[Charge]) -> None:
        # async, or Starlette would run it in a thread beside the event loop
        self._account.settle(charges)

    async def _delay(self) -> None:
        if self._config.latency_ms:
            await asyncio.sleep(self._config.latency_ms / 1000)

    def _told(self, status: int, message: str, **more: object) -> dict[str, Any]:
        """The documented envelope of an error."""
        kind = _ERROR_TYPES.get(status, "api_error")
        error_type = [kind] if self._config.error_type == "list" else kind
        return {"status": status, "error": {"type": error_type, "message": message, **more}}

    def _error(self, refusal: _Refusal) -> Response:
        told = self._told(refusal.status, refusal.message, **refusal.more)
        content = json.dumps(told).encode()
        return self._reply(refusal.status, content)

    def _reply(
        self,
        status: int,
        content: bytes,
        *,
        cost: int = 0,
        background: BackgroundTask | None = None,
    ) -> Response:
        """Each response says how much is left of credits and window, but to a wrong key."""
        headers = self._headers(cost) if status != 401 else None
        return Response(content, status, headers, "application/json", background)

    def _headers(self, cost: int) -> dict[str, str]:
        headers = {
            "x-call-credits-type": POOL,
            "x-totallimit-remaining": str(self._account.credits_left(POOL)),
            "x-ratelimit-limit": json.dumps({"minute": self._meter.limit}),
            "x-ratelimit-remaining": json.dumps({"minute": self._meter.left}),
            "x-ratelimit-reset": self._reset(),
        }
        return headers | ({"x-call-credits-spent": str(cost)} if self._config.cost_headers else {})

    def _reset(self) -> str:
        """The instant at which the window ends: in whole seconds, and so not before it does."""
        end = self._wall_clock() + timedelta(seconds=self._meter.reset_seconds)
        seconds = math.ceil(end.timestamp())
        if self._config.reset_form == "epoch":
            return str(seconds)
        return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def _parse(content: bytes) -> dict[str, Any]:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        raise _Refusal(400, "The body is no JSON") from None
    if not isinstance(document, dict):
        raise _Refusal(400, "The body is no object")
    return document


def _item_of(params: Mapping[str, Any]) -> str:
    """What the record names its person by, for the journal."""
    for name in ("pdl_id", "profile", "email", "phone"):
        if params.get(name):
            return str(params[name])
    return f"{name_in(params)} @ {params.get('company')}"
