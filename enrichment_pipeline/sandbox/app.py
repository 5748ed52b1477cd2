"""The provider's API, synchronous mode: an ASGI app over a directory of people and an account.

Belongs here: the endpoints, their checks in the provider's order, status codes and error bodies.
Does not belong here: how items are normalised (`people`), counted (`meter`) or charged (`account`),
and sockets (`server`).

A search is decided and charged without awaiting anything, so that requests which arrive together
cannot spend the same credit or the same place in the window. Only latency comes after that.
"""

from __future__ import annotations

import asyncio
import json
import random
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from enrichment_pipeline.sandbox.account import Account, Charge, Pool
from enrichment_pipeline.sandbox.config import SandboxConfig
from enrichment_pipeline.sandbox.meter import ItemMeter
from enrichment_pipeline.sandbox.people import People, Person, identify

BASE_PATH = "/api/v1"
ITEMS_PER_REQUEST = 100


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

    Raises `JournalError` if the configured journal cannot be used.
    """
    sandbox = _Sandbox(config, people, clock, wall_clock)

    app = Starlette(
        routes=[
            Route(f"{BASE_PATH}/candidate/search", sandbox.search, methods=["POST"]),
            Route(f"{BASE_PATH}/credits", sandbox.credits, methods=["GET"]),
        ],
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


class _Refusal(Exception):
    """A search that is not processed: the status code, and the sentence in the error body."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence


@dataclass(frozen=True)
class _Answer:
    """What is answered to one item."""

    item: str
    status: str
    person: Person | None = None


class _Door:
    """Turns away whoever may not come in, before anything looks at what is asked for."""

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
        self._recent = _RecentQueries(config.duplicate_query_seconds, clock)
        self._random = random.Random(config.seed)
        # Rendered once: an answer of 100 candidates is then a matter of joining bytes.
        self._rendered: dict[Pool, dict[str, bytes]] = {
            "standard": {p.uid: _render(p.candidate, config) for p in people},
            "without_contacts": {
                p.uid: _render(_without_contacts(p.candidate), config) for p in people
            },
        }

    # Endpoints

    async def search(self, request: Request) -> Response:
        """POST /candidate/search."""
        content = await request.body()
        pool: Pool = "standard"
        asked = 0
        try:
            body = _parse(content)
            pool = "without_contacts" if body.get("withoutContacts") is True else "standard"
            asked = len(body["items"]) if isinstance(body.get("items"), list) else 0
            items = self._check(body, pool)
        except _Refusal as refusal:
            if self._config.refused_counts_towards_minute and asked:
                self._meter.count(asked)
            return self._error(refusal.status, refusal.sentence, pool)
        self._meter.count(asked)

        answers, charges = self._process(items, pool)
        charge_later = None
        if self._config.charge_when == "before_response":
            self._account.settle(charges)
        else:
            charge_later = BackgroundTask(self._settle, charges)
        if self._config.latency_ms:
            await asyncio.sleep(self._config.latency_ms / 1000)
        rendered = b",".join(self._render_answer(answer, pool) for answer in answers)
        return self._reply(200, b"[" + rendered + b"]", pool, charge_later)

    async def credits(self, request: Request) -> Response:
        """GET /credits."""
        is_other = request.query_params.get("withoutContacts", "").lower() in ("true", "1")
        pool: Pool = "without_contacts" if is_other else "standard"
        return self._reply(200, _json({"credits": self._account.credits_left(pool)}), pool)

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
        # Nobody hears it; without this, a client that is killed leaves a traceback in the log.
        return self._error(422, "The request ended early")

    async def broken(self, _request: Request, _error: Exception) -> Response:
        return self._error(500, "The sandbox failed; its own log says how")

    # A search

    def _check(self, body: Mapping[str, Any], pool: Pool) -> list[str]:
        """The items, if the search is to be processed."""
        items = _items_in(body)
        if self._config.bad_item_spoils_batch and not all(identify(item) for item in items):
            raise _Refusal(
                422, "Each item must be a LinkedIn profile URL, an e-mail, a phone number or a UID"
            )
        if not self._meter.admits(len(items)):
            limit = self._config.items_per_window
            raise _Refusal(429, f"Limit of {limit} items per minute is exceeded")
        if not self._account.can_pay(pool):
            raise _Refusal(402, "There are no credits left")
        return items

    def _process(self, items: list[str], pool: Pool) -> tuple[list[_Answer], list[Charge]]:
        """Look each item up, and hold a credit for each profile that is to be charged."""
        number = self._account.next_request()
        answers: list[_Answer] = []
        charges: list[Charge] = []
        for item in items:
            identifier = identify(item)
            query = identifier or item.strip()
            echo = query if self._config.echo_normalised else item
            # Once the credits are over nothing more is looked up, not even what would cost none.
            if not self._account.can_pay(pool):
                answers.append(_Answer(echo, "credits_are_over"))
                continue
            if self._recent.has(pool, query):
                answers.append(_Answer(echo, "duplicate_query"))
                continue
            self._recent.add(pool, query)
            person = self._people.find(identifier) if identifier else None
            if person is None:
                answers.append(_Answer(echo, "failed"))
                continue
            if charge := self._account.hold(pool, person.uid, item, number):
                charges.append(charge)
            answers.append(_Answer(echo, "success", person))
        if self._config.item_order == "shuffled":
            self._random.shuffle(answers)
        return answers, charges

    async def _settle(self, charges: list[Charge]) -> None:
        # async, or Starlette would run it in a thread beside the event loop
        self._account.settle(charges)

    # Answers

    def _render_answer(self, answer: _Answer, pool: Pool) -> bytes:
        item = _json(answer.item)
        if answer.person is None:
            return b'{"item":%b,"status":%b}' % (item, _json(answer.status))
        candidate = self._rendered[pool][answer.person.uid]
        return b'{"item":%b,"status":"success","candidate":%b}' % (item, candidate)

    def _error(self, status: int, sentence: str, pool: Pool = "standard") -> Response:
        return self._reply(status, _json({"error": sentence}), pool)

    def _reply(
        self, status: int, content: bytes, pool: Pool, background: BackgroundTask | None = None
    ) -> Response:
        """The only maker of responses, since each one must say how many credits are left."""
        credits_left = {"X-Credits-Left": str(self._account.credits_left(pool))}
        return Response(content, status, credits_left, "application/json", background)


class _RecentQueries:
    """What was asked for within the last `seconds`.

    By pool: asked with contacts and without, it is not the same query.
    """

    def __init__(self, seconds: float, clock: Callable[[], float]) -> None:
        self._seconds = seconds
        self._clock = clock
        self._asked_at: OrderedDict[tuple[Pool, str], float] = OrderedDict()

    def has(self, pool: Pool, query: str) -> bool:
        now = self._clock()
        # Oldest first, since the clock never goes back and a query is added only once it is out.
        while self._asked_at and now - next(iter(self._asked_at.values())) >= self._seconds:
            self._asked_at.popitem(last=False)
        return (pool, query) in self._asked_at

    def add(self, pool: Pool, query: str) -> None:
        if self._seconds > 0:
            self._asked_at[(pool, query)] = self._clock()


def _parse(content: bytes) -> dict[str, Any]:
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        raise _Refusal(404, "The body is not valid JSON") from None
    if not isinstance(body, dict):
        raise _Refusal(422, "The body must be a JSON object")
    return body


def _items_in(body: Mapping[str, Any]) -> list[str]:
    """The items, if the parameters are as documented for the synchronous mode."""
    for name in ("withoutWaterfall", "withoutContacts"):
        if not isinstance(body.get(name), bool | None):
            raise _Refusal(422, f"{name} must be true or false")
    callback_url = body.get("callbackUrl")
    if callback_url is not None and body.get("withoutWaterfall"):
        raise _Refusal(406, "Give either callbackUrl or withoutWaterfall, not both")
    if callback_url is not None:
        raise _Refusal(
            422,
            "The sandbox does not offer asynchronous mode yet: "
            "send withoutWaterfall: true instead of callbackUrl",
        )
    if not body.get("withoutWaterfall"):
        raise _Refusal(422, "Either callbackUrl or withoutWaterfall: true is required")
    items = body.get("items")
    if not isinstance(items, list) or not items or not all(isinstance(i, str) for i in items):
        raise _Refusal(422, f"items must be a list of 1 to {ITEMS_PER_REQUEST} strings")
    if len(items) > ITEMS_PER_REQUEST:
        raise _Refusal(406, f"Maximum {ITEMS_PER_REQUEST} items are allowed in one request")
    return items


def _without_contacts(candidate: dict[str, Any]) -> dict[str, Any]:
    """As the documentation has it: no contacts, and of the links only the LinkedIn one."""
    linkedin = [link for link in candidate.get("social") or [] if link.get("type") == "li"]
    return {**candidate, "contacts": [], "social": linkedin}


def _render(candidate: dict[str, Any], config: SandboxConfig) -> bytes:
    if config.rating_as_string:
        candidate = {
            **candidate,
            **{
                name: [
                    {**entry, "rating": str(entry["rating"])}
                    if isinstance(entry.get("rating"), int)
                    else entry
                    for entry in candidate[name]
                ]
                for name in ("contacts", "social")
                if candidate.get(name)
            },
        }
    return _json(candidate)


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
