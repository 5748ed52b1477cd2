"""The provider's API: an ASGI app over a directory of people and an account.

Belongs here: the endpoints, the checks of the account in the provider's order, looking items up,
status codes. Does not belong here: what the body of a search may say (`search.py`), how items are
normalised (`people.py`), counted (`meter.py`), charged (`account.py`) and rendered (`answers.py`),
what goes wrong on purpose (`faults.py`), how results are posted (`callbacks.py`), and sockets
(`stand_in_server.py`).

A search is decided and charged without awaiting anything, so that requests which arrive together
cannot spend the same credit or the same place in the window. Only latency comes after that.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise
from typing import Any

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from enrichment_pipeline.sandbox.account import Account, Charge
from enrichment_pipeline.sandbox.directory import identify
from enrichment_pipeline.sandbox.meter import ItemMeter
from enrichment_pipeline.sandbox.signalhire.answers import Answer, Renderer, to_json
from enrichment_pipeline.sandbox.signalhire.callbacks import Callback, Callbacks, Part
from enrichment_pipeline.sandbox.signalhire.config import SandboxConfig
from enrichment_pipeline.sandbox.signalhire.faults import Fate, Faults
from enrichment_pipeline.sandbox.signalhire.people import People
from enrichment_pipeline.sandbox.signalhire.recent import RecentQueries
from enrichment_pipeline.sandbox.signalhire.search import (
    Pool,
    Refusal,
    Search,
    items_asked,
    parse,
    pool_of,
    read_search,
)
from enrichment_pipeline.sandbox.signalhire.search_api import SearchApi
from enrichment_pipeline.sandbox.tearing import TornConnection

BASE_PATH = "/api/v1"


def _utc_now() -> datetime:
    return datetime.now(UTC)


def create_app(
    config: SandboxConfig,
    people: People,
    *,
    clock: Callable[[], float] = time.monotonic,
    wall_clock: Callable[[], datetime] = _utc_now,
) -> Starlette:
    """The app. `clock` (seconds) is what windows are measured by, `wall_clock` (UTC) dates charges.

    To deliver callbacks it must be run with its lifespan, and to tear connections with
    `TearableProtocol`: see `sandbox.stand_in_server.server_config`. Raises `JournalError` if the
    configured journal or file of deliveries cannot be used.
    """
    sandbox = _Sandbox(config, people, clock, wall_clock)

    app = Starlette(
        routes=[
            Route(f"{BASE_PATH}/candidate/search", sandbox.search, methods=["POST"]),
            Route(
                f"{BASE_PATH}/candidate/searchByQuery", sandbox.search_by_query, methods=["POST"]
            ),
            Route(
                f"{BASE_PATH}/candidate/scrollSearch/{{request_id}}",
                sandbox.scroll_search,
                methods=["POST"],
            ),
            Route(f"{BASE_PATH}/credits", sandbox.credits, methods=["GET"]),
        ],
        lifespan=sandbox.lifespan,
        middleware=[Middleware(_Door, sandbox=sandbox)],
        exception_handlers={
            HTTPException: sandbox.no_such_endpoint,
            ClientDisconnect: sandbox.client_gone,
            Exception: sandbox.broken,
        },
    )
    # A redirect would be one more status code, and it would come without X-Credits-Left.
    app.router.redirect_slashes = False
    return app


class _Door:
    """Refuses requests that may not come in, before anything looks at what is asked for."""

    def __init__(self, app: ASGIApp, sandbox: _Sandbox) -> None:
        self._app = app
        self._sandbox = sandbox

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refused = self._sandbox.refuse_entry(scope) if scope["type"] == "http" else None
        await (refused or self._app)(scope, receive, send)


class _Sandbox:
    """One account and its state, and the handler of each endpoint."""

    def __init__(
        self,
        config: SandboxConfig,
        people: People,
        clock: Callable[[], float],
        wall_clock: Callable[[], datetime],
    ) -> None:
        self._config = config
        self._people = people
        self._meter = ItemMeter(
            config.items_per_window, config.window_seconds, config.window_kind, clock
        )
        self._account = Account(
            {"standard": config.credits, "without_contacts": config.credits_without_contacts},
            charge_repeats=config.charge_repeats,
            journal=config.journal,
            wall_clock=wall_clock,
        )
        self._recent = RecentQueries(config.duplicate_query_seconds, clock)
        self._faults = Faults(config)
        self._renderer = Renderer(people, rating_as_string=config.rating_as_string)
        self._callbacks = Callbacks(config, wall_clock)
        self._search_api = SearchApi(
            config,
            people,
            next_request=self._account.next_request,
            clock=clock,
            wall_clock=wall_clock,
        )

    def lifespan(self, _app: Starlette) -> AbstractAsyncContextManager[None]:
        return self._callbacks.running()

    # Endpoints

    async def search(self, request: Request) -> Response:
        """POST /candidate/search."""
        content = await request.body()
        pool: Pool = "standard"
        asked = 0
        try:
            body = parse(content)
            pool = pool_of(body)
            asked = items_asked(body)
            search = read_search(body)
            self._check(search)
            # Only now, or the fate of the next search that asks just this would depend on what
            # else was asked within the minute.
            fate = self._faults.next_fate(search)
            if fate.hits("slow_down"):
                raise self._too_many_items(fate.retry_after)
        except Refusal as refusal:
            if self._config.refused_counts_towards_minute and asked:
                self._meter.count(asked)
            return self._refusal(refusal, pool)
        self._meter.count(asked)
        if fate.fails_unprocessed:
            return self._failure(fate, pool)
        if search.callback_url is None:
            return await self._answer_at_once(search, fate)
        return await self._answer_later(search, search.callback_url, fate)

    async def search_by_query(self, request: Request) -> Response:
        """POST /candidate/searchByQuery."""
        return await self._ask_search_api(request, self._search_api.search)

    async def scroll_search(self, request: Request) -> Response:
        """POST /candidate/scrollSearch/{requestId}."""
        request_id = request.path_params["request_id"]
        return await self._ask_search_api(request, partial(self._search_api.scroll, request_id))

    async def _ask_search_api(
        self, request: Request, answer: Callable[[Mapping[str, Any]], dict[str, Any]]
    ) -> Response:
        content = await request.body()
        try:
            with self._search_api.asking():
                body = parse(content)
                fate = self._faults.next_fate_of_query(body)
                if fate.hits("slow_down"):
                    raise Refusal(429, "Too many concurrent requests", fate.retry_after)
                page = b"" if fate.fails_unprocessed else to_json(answer(body))
                await self._delay()
        except Refusal as refusal:
            return self._refusal(refusal, "standard")
        if fate.failure:
            return self._failure(fate, "standard")
        return self._reply(200, page, "standard")

    async def credits(self, request: Request) -> Response:
        """GET /credits."""
        is_other = request.query_params.get("withoutContacts", "").lower() in ("true", "1")
        pool: Pool = "without_contacts" if is_other else "standard"
        return self._reply(200, to_json({"credits": self._account.credits_left(pool)}), pool)

    # Everything that is no endpoint

    def refuse_entry(self, scope: Scope) -> Response | None:
        """The answer to a request without the right key or of a disabled account, else None."""
        sent = next((value for name, value in scope["headers"] if name == b"apikey"), b"")
        if not secrets.compare_digest(sent, self._config.api_key.encode()):
            return self._error(401, "The API key is missing or wrong")
        if self._config.account_disabled:
            return self._error(403, "The account is disabled")
        return None

    async def no_such_endpoint(self, _request: Request, _error: Exception) -> Response:
        # Also for a wrong method: 405 is not among the documented codes.
        return self._error(404, "There is no such endpoint")

    async def client_gone(self, _request: Request, _error: Exception) -> Response:
        # No client reads it; without this, one that is killed leaves a traceback in the log.
        return self._error(422, "The request ended early")

    async def broken(self, _request: Request, _error: Exception) -> Response:
        return self._error(500, "The sandbox failed; its own log says how")

    # A search

    def _check(self, search: Search) -> None:
        """Raise `Refusal` unless the account may ask for that now."""
        if self._config.bad_item_spoils_batch and not all(map(identify, search.items)):
            raise Refusal(
                422, "Each item must be a LinkedIn profile URL, an e-mail, a phone number or a UID"
            )
        if not self._meter.admits(len(search.items)):
            raise self._too_many_items()
        if not self._account.can_pay(search.pool):
            raise Refusal(402, "There are no credits left")

    def _too_many_items(self, retry_after: int | None = None) -> Refusal:
        limit = self._config.items_per_window
        return Refusal(429, f"Limit of {limit} items per minute is exceeded", retry_after)

    async def _answer_at_once(self, search: Search, fate: Fate) -> Response:
        answers, charges = self._process(search, self._account.next_request(), fate)
        charge_later = None
        if self._config.charge_when == "before_response" or fate.failure:
            self._account.settle(charges)
        else:
            charge_later = BackgroundTask(self._settle, charges)
        await self._delay()
        if fate.failure:
            return self._failure(fate, search.pool)
        result = self._renderer.result(answers, search.pool)
        return self._reply(200, result, search.pool, background=charge_later)

    async def _answer_later(self, search: Search, callback_url: str, fate: Fate) -> Response:
        request = self._account.next_request()
        answers, charges = self._process(search, request, fate)
        if self._config.charge_when == "before_response":
            self._account.settle(charges)
            charges = []
        repeated_after = self._callback_delay(fate, "repeat") if fate.hits("repeated") else None
        late = self._config.late_seconds if fate.hits("late") else 0.0
        self._callbacks.post_later(
            Callback(
                request=request,
                url=callback_url,
                parts=[
                    Part([answer.item for answer in part], self._renderer.result(part, search.pool))
                    for part in _split(answers, fate.parts(self._config.callback_parts))
                ],
                charge=partial(self._account.settle, charges),
                delay_seconds=self._callback_delay(fate, "delay") + late,
                repeated_after_seconds=repeated_after,
                is_lost=fate.is_lost,
            )
        )
        await self._delay()
        if fate.failure:
            return self._failure(fate, search.pool)
        return self._reply(201, to_json({"requestId": request}), search.pool)

    def _process(
        self, search: Search, request: int, fate: Fate
    ) -> tuple[list[Answer], list[Charge]]:
        """Look each item up, and hold a credit for each profile that is to be charged."""
        answers: list[Answer] = []
        charges: list[Charge] = []
        failed_items = fate.failed_items(len(search.items))
        for item, failed in zip(search.items, failed_items, strict=True):
            answer, charge = self._look_up(item, search.pool, request, failed)
            answers.append(answer)
            if charge:
                charges.append(charge)
        if self._config.item_order == "shuffled" or fate.hits("reordered"):
            fate.chance("order").shuffle(answers)
        return answers, charges

    def _look_up(
        self, item: str, pool: Pool, request: int, failed: str | None
    ) -> tuple[Answer, Charge | None]:
        identifier = identify(item)
        query = identifier or item.strip()
        echo = query if self._config.echo_normalised else item
        # Once the credits are over nothing more is looked up, not even what would cost none.
        if not self._account.can_pay(pool):
            return Answer(echo, "credits_are_over"), None
        if failed:
            return Answer(echo, failed), None
        if self._recent.has(pool, query):
            return Answer(echo, "duplicate_query"), None
        self._recent.add(pool, query)
        person = self._people.find(identifier) if identifier else None
        if person is None:
            return Answer(echo, "failed"), None
        return Answer(echo, "success", person), self._account.hold(pool, person.uid, item, request)

    async def _delay(self) -> None:
        if self._config.latency_ms:
            await asyncio.sleep(self._config.latency_ms / 1000)

    def _callback_delay(self, fate: Fate, purpose: str) -> float:
        return fate.chance(purpose).uniform(*self._config.callback_delays_ms) / 1000

    async def _settle(self, charges: list[Charge]) -> None:
        # async, or Starlette would run it in a thread beside the event loop
        self._account.settle(charges)

    # Answers

    def _failure(self, fate: Fate, pool: Pool) -> Response:
        if fate.failure == "torn":
            return TornConnection()
        return self._error(500, "Internal server error", pool)

    def _refusal(self, refusal: Refusal, pool: Pool) -> Response:
        response = self._error(refusal.status, refusal.sentence, pool)
        if refusal.retry_after is not None:
            response.headers["Retry-After"] = str(refusal.retry_after)
        return response

    def _error(self, status: int, sentence: str, pool: Pool = "standard") -> Response:
        return self._reply(status, to_json({"error": sentence}), pool)

    def _reply(
        self, status: int, content: bytes, pool: Pool, *, background: BackgroundTask | None = None
    ) -> Response:
        """The only maker of responses, since each one must say how many credits are left."""
        credits_left = {"X-Credits-Left": str(self._account.credits_left(pool))}
        return Response(content, status, credits_left, "application/json", background)


def _split(answers: Sequence[Answer], parts: int) -> Iterator[Sequence[Answer]]:
    """Cut into so many parts of nearly the same length, fewer where there are fewer answers."""
    parts = min(parts, len(answers))
    edges = [len(answers) * number // parts for number in range(parts + 1)]
    for start, end in pairwise(edges):
        yield answers[start:end]
