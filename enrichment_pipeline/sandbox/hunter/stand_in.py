"""Hunter's stand-in as a web application: `GET /email-finder`, `/email-verifier` and `/account`.

Belongs here: the endpoints, the order in which a request is refused, what a call costs, and a
verification that is still in progress. Does not belong here: who is found (`finding.py`), which
addresses exist (`mailboxes.py`), the account (`sandbox/account.py`), and which faults hit
(`sandbox/fates.py`).

A 403 asks to slow down, and a 429 says that the credits are used up. No header tells anything.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from enrichment_pipeline.sandbox.account import Account, Charge
from enrichment_pipeline.sandbox.directory import Person, identify
from enrichment_pipeline.sandbox.fates import Fates, RequestFate
from enrichment_pipeline.sandbox.hunter.config import HunterConfig
from enrichment_pipeline.sandbox.hunter.finding import Finder, Found, Wanted, nothing
from enrichment_pipeline.sandbox.hunter.mailboxes import Check, Mailboxes
from enrichment_pipeline.sandbox.known_people import Draws, host_in, text_in
from enrichment_pipeline.sandbox.meter import ItemMeter
from enrichment_pipeline.sandbox.tearing import TornConnection

BASE_PATH = "/v2"
POOL = "credits"
CREDITS_OF_AN_ADDRESS, CREDITS_OF_A_VERIFICATION = 1, 0.5
LEAST_DURATION, MOST_DURATION = 3, 20
_UNCHARGED = ("unknown",)
"""Of a verification that ends so nothing is taken."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


def create_app(
    config: HunterConfig,
    people: Iterable[Person],
    *,
    clock: Callable[[], float] = time.monotonic,
    wall_clock: Callable[[], datetime] = _utc_now,
) -> Starlette:
    """The app. `clock` (seconds) is what windows and verifications are measured by, `wall_clock`
    (UTC) dates charges.

    To tear connections it must be served with `TearableProtocol`: see
    `sandbox.stand_in_server.server_config`. Raises `JournalError` if the configured journal cannot
    be used.
    """
    stand_in = _StandIn(config, people, clock, wall_clock)
    app = Starlette(
        routes=[
            Route(f"{BASE_PATH}/email-finder", stand_in.email_finder, methods=["GET"]),
            Route(f"{BASE_PATH}/email-verifier", stand_in.email_verifier, methods=["GET"]),
            Route(f"{BASE_PATH}/account", stand_in.account, methods=["GET"]),
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
    """A request that is not answered: status code, and the error's id and details."""

    def __init__(self, status: int, error_id: str, details: str) -> None:
        super().__init__(error_id)
        self.status = status
        self.error_id = error_id
        self.details = details


_RATE_LIMITED = (403, "too_many_requests", "You have reached the rate limit")
_FAILED = (500, "internal_error", "Something went wrong on our end")


class _StandIn:
    """One account and its state, and the handler of each endpoint."""

    def __init__(
        self,
        config: HunterConfig,
        people: Iterable[Person],
        clock: Callable[[], float],
        wall_clock: Callable[[], datetime],
    ) -> None:
        self._config = config
        self._clock = clock
        listed = list(people)
        # as it knows others than another provider does, of the same seed
        self._draws = Draws(f"hunter {config.seed}")
        self._mailboxes = Mailboxes(listed, config, self._draws)
        self._finder = Finder(listed, config, self._draws, self._mailboxes)
        self._finder_meters = self._meters(config.per_second, config.per_minute)
        self._verifier_meters = self._meters(
            config.verifications_per_second, config.verifications_per_minute
        )
        self._account = Account(
            {POOL: config.credits},
            charge_repeats=config.charge_repeats,
            journal=config.journal,
            wall_clock=wall_clock,
            free_for=timedelta(days=config.free_days),
        )
        self._fates = Fates(config.faults, config.seed)
        self._in_progress: dict[str, tuple[float, Charge | None]] = {}
        """By address: when its verification was taken, and the charge for it, made or held."""

    def _meters(self, per_second: int, per_minute: int) -> tuple[ItemMeter, ItemMeter]:
        kind, config = self._config.window_kind, self._config
        return (
            ItemMeter(per_second, config.second_seconds, kind, self._clock),
            ItemMeter(per_minute, config.minute_seconds, kind, self._clock),
        )

    # Endpoints

    async def account(self, request: Request) -> Response:
        """GET /account: free, and counts towards no limit."""
        try:
            self._check_key(request)
        except _Refusal as refusal:
            return self._error(refusal)
        told = {
            "first_name": "Sand",
            "last_name": "Box",
            "email": "sandbox@example.com",
            "plan_name": "Starter",
            "plan_level": 1,
            "reset_date": "2026-12-01",
            "team_id": 1,
            "requests": self._balance(),
        }
        return self._reply(200, {"data": told, "meta": {"params": {}}})

    async def email_finder(self, request: Request) -> Response:
        """GET /email-finder."""
        try:
            self._check_key(request)
            self._count(self._finder_meters)
            wanted = _read_wanted(request)
            fate = self._fates.next(["email-finder", sorted(request.query_params.items())])
            self._slow_down(fate)
            if fate.fails_unprocessed:
                return await self._fail(fate)
            self._check_legal(self._finder.owner(wanted))
            found = self._finder.find(wanted)
            item = f"{wanted.full_name} @ {wanted.place}"
            charge = self._pay(found.uid if found else "", item, CREDITS_OF_AN_ADDRESS, bool(found))
        except _Refusal as refusal:
            return self._error(refusal)
        return await self._answer(request, fate, _data_of(found, wanted), charge)

    async def email_verifier(self, request: Request) -> Response:
        """GET /email-verifier."""
        try:
            self._check_key(request)
            self._count(self._verifier_meters)
            email = _read_email(request)
            fate = self._fates.next(["email-verifier", email])
            self._slow_down(fate)
            if fate.fails_unprocessed:
                return await self._fail(fate)
            self._check_legal(self._mailboxes.owner(email))
            if email in self._in_progress:
                return await self._go_on(request, fate, email)
            if fate.hits("mail_server_failed"):
                return self._reply(222, {"data": None, "meta": _meta(request)})
            check = self._mailboxes.check(email)
            is_charged = check.status not in _UNCHARGED
            charge = self._pay(f"address {email}", email, CREDITS_OF_A_VERIFICATION, is_charged)
        except _Refusal as refusal:
            return self._error(refusal)
        if fate.hits("in_progress"):
            return await self._begin(request, fate, email, charge)
        return await self._answer(request, fate, _told_of(email, check), charge)

    async def no_such_endpoint(self, _request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 404
        return self._error(_Refusal(status, "not_found", "There is no such endpoint"))

    async def broken(self, _request: Request, _error: Exception) -> Response:
        return self._error(_Refusal(*_FAILED))

    async def client_gone(self, _request: Request, _error: Exception) -> Response:
        # No client reads it; without this, one that is killed leaves a traceback in the log.
        return self._error(_Refusal(400, "wrong_params", "The request ended too early"))

    # Refusing

    def _check_key(self, request: Request) -> None:
        sent = request.headers.get("x-api-key", "").encode()
        if not secrets.compare_digest(sent, self._config.api_key.encode()):
            raise _Refusal(401, "authentication_failed", "No valid API key was provided")

    def _count(self, meters: tuple[ItemMeter, ItemMeter]) -> None:
        is_admitted = all(meter.admits(1) for meter in meters)
        if is_admitted or self._config.refused_counts:
            for meter in meters:
                meter.count(1)
        if not is_admitted:
            raise _Refusal(*_RATE_LIMITED)

    def _slow_down(self, fate: RequestFate) -> None:
        if fate.hits("slow_down"):
            raise _Refusal(*_RATE_LIMITED)

    def _check_legal(self, owner: str) -> None:
        if self._draws.hits(owner, "legal stop", self._config.legal_stop):
            raise _Refusal(451, "claimed_person", "The person asked us not to process their data")

    # Charging

    def _pay(self, uid: str, item: str, credits: float, is_charged: bool) -> Charge | None:
        """Hold the credits, where there is something to charge. Raises `_Refusal` without any."""
        is_free = is_charged and self._account.is_free(POOL, uid, credits)
        if not is_free and not self._account.can_pay(POOL, credits):
            raise _Refusal(429, "usage_limit_reached", "You have reached your usage limit")
        number = self._account.next_request()
        return self._account.hold(POOL, uid, item, number, credits) if is_charged else None

    def _balance(self) -> dict[str, Any]:
        left = self._account.credits_left(POOL)
        told = {"used": max(0, self._config.credits - left), "available": self._config.credits}
        if self._config.balance_of == "credits":
            return {"credits": told}
        return {"searches": told, "verifications": told}

    # Answering

    async def _begin(
        self, request: Request, fate: RequestFate, email: str, charge: Charge | None
    ) -> Response:
        """The first 202 of a verification that takes long."""
        if charge is not None and self._config.in_progress_charged == "taken":
            self._account.settle([charge])
            charge = None
        self._in_progress[email] = (self._clock(), charge)
        return await self._wait_for(request, fate)

    async def _go_on(self, request: Request, fate: RequestFate, email: str) -> Response:
        """The same verification, asked for again: another 202, or its answer."""
        taken_at, charge = self._in_progress[email]
        if self._clock() - taken_at < self._config.in_progress_seconds:
            return await self._wait_for(request, fate)
        del self._in_progress[email]
        return await self._answer(
            request, fate, _told_of(email, self._mailboxes.check(email)), charge
        )

    async def _wait_for(self, request: Request, fate: RequestFate) -> Response:
        if fate.failure:
            return await self._fail(fate)
        await self._delay()
        return self._reply(202, {"data": None, "meta": _meta(request)})

    async def _answer(
        self, request: Request, fate: RequestFate, data: dict[str, Any], charge: Charge | None
    ) -> Response:
        charges = [] if charge is None else [charge]
        charge_later = None
        if self._config.charge_when == "before_response" or fate.failure:
            self._account.settle(charges)
        else:
            charge_later = BackgroundTask(self._settle, charges)
        if fate.failure:
            return await self._fail(fate)
        await self._delay()
        return self._reply(200, {"data": data, "meta": _meta(request)}, background=charge_later)

    async def _fail(self, fate: RequestFate) -> Response:
        await self._delay()
        if fate.failure == "torn":
            return TornConnection()
        return self._error(_Refusal(*_FAILED))

    async def _settle(self, charges: list[Charge]) -> None:
        # async, or Starlette would run it in a thread beside the event loop
        self._account.settle(charges)

    async def _delay(self) -> None:
        if self._config.latency_ms:
            await asyncio.sleep(self._config.latency_ms / 1000)

    def _error(self, refusal: _Refusal) -> Response:
        error = {"id": refusal.error_id, "code": refusal.status, "details": refusal.details}
        return self._reply(refusal.status, {"errors": [error]})

    def _reply(
        self, status: int, document: object, *, background: BackgroundTask | None = None
    ) -> Response:
        content = json.dumps(document, separators=(",", ":")).encode()
        return Response(content, status, None, "application/json", background)


def _read_wanted(request: Request) -> Wanted:
    """What the finder is asked by. Raises `_Refusal` where it is not as documented."""
    query = request.query_params
    domain, company = text_in(query, "domain"), text_in(query, "company")
    if domain is None and company is None:
        raise _Refusal(400, "wrong_params", "You are missing the domain or the company parameter")
    parts = [text_in(query, "first_name"), text_in(query, "last_name")]
    joined = " ".join(part for part in parts if part) if all(parts) else None
    full_name = text_in(query, "full_name") or joined
    if full_name is None:
        raise _Refusal(400, "wrong_params", "You are missing the name of the person")
    duration = text_in(query, "max_duration") or str(LEAST_DURATION)
    if not duration.isdecimal() or not LEAST_DURATION <= int(duration) <= MOST_DURATION:
        raise _Refusal(400, "wrong_params", "max_duration must be from 3 to 20")
    return Wanted(full_name, None if domain is None else host_in(domain), company)


def _read_email(request: Request) -> str:
    """The address that the verifier is asked about. Raises `_Refusal` for what is none."""
    email = text_in(request.query_params, "email")
    identified = None if email is None else identify(email)
    if identified is None or "@" not in identified:
        raise _Refusal(400, "wrong_params", "The email parameter is missing or wrong")
    return identified


def _data_of(found: Found | None, wanted: Wanted) -> dict[str, Any]:
    return nothing(wanted) if found is None else dict(found.data)


def _told_of(email: str, check: Check) -> dict[str, Any]:
    """The documented `data` of a verification."""
    status = check.status
    is_reached = status in ("valid", "invalid", "accept_all")
    return {
        "status": status,
        "score": check.score,
        "email": email,
        "regexp": True,
        "gibberish": False,
        "disposable": status == "disposable",
        "webmail": status == "webmail",
        "mx_records": True,
        "smtp_server": is_reached,
        "smtp_check": status in ("valid", "accept_all"),
        "accept_all": status == "accept_all",
        "block": status == "unknown",
        "sources": [],
    }


def _meta(request: Request) -> dict[str, Any]:
    return {"params": dict(request.query_params)}
