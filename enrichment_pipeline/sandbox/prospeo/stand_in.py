"""Prospeo's stand-in as a web application: `POST /bulk-enrich-person`, `GET /account-information`.

Belongs here: the endpoints, the order in which a request is refused, what a look-up costs, and the
headers. Does not belong here: who is known (`knowledge.py`), the account (`sandbox/account.py`),
and which faults hit (`sandbox/fates.py`).

Every error of Prospeo's own comes with 400, and only `error_code` says which it is; 401 and 429 are
the other two. A request that fails does not count towards the limits.
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
from enrichment_pipeline.sandbox.prospeo.config import ProspeoConfig
from enrichment_pipeline.sandbox.prospeo.knowledge import (
    Knowledge,
    Profile,
    as_company,
    as_person,
    company_of,
    is_sufficient,
    name_of,
)
from enrichment_pipeline.sandbox.tearing import TornConnection

BASE_PATH = ""
RECORDS_PER_REQUEST = 50
POOL = "credits"
CREDITS_OF_A_MATCH, CREDITS_WITH_A_MOBILE = 1, 10


def _utc_now() -> datetime:
    return datetime.now(UTC)


def create_app(
    config: ProspeoConfig,
    people: Iterable[Person],
    *,
    clock: Callable[[], float] = time.monotonic,
    wall_clock: Callable[[], datetime] = _utc_now,
) -> Starlette:
    """The app. `clock` (seconds) is what windows are measured by, `wall_clock` (UTC) dates charges.

    To tear connections it must be served with `TearableProtocol`: see
    `sandbox.stand_in_server.server_config`. Raises `JournalError` if the configured journal cannot
    be used.
    """
    stand_in = _StandIn(config, people, clock, wall_clock)
    app = Starlette(
        routes=[
            Route("/bulk-enrich-person", stand_in.bulk_enrich_person, methods=["POST"]),
            Route("/account-information", stand_in.account_information, methods=["GET"]),
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
    """A request that is not processed: status code and error code."""

    def __init__(self, status: int, error_code: str) -> None:
        super().__init__(error_code)
        self.status = status
        self.error_code = error_code


@dataclass(frozen=True)
class _Asked:
    """A request whose parameters are as documented."""

    records: list[dict[str, Any]]
    only_verified_email: bool
    enrich_mobile: bool
    only_verified_mobile: bool

    def price(self, profile: Profile) -> int:
        """What a match costs the first time."""
        has_mobile = self.enrich_mobile and profile.mobile is not None
        return CREDITS_WITH_A_MOBILE if has_mobile else CREDITS_OF_A_MATCH

    def is_wanted(self, profile: Profile) -> bool:
        """Whether the profile has what the request insists on."""
        if self.only_verified_mobile and profile.mobile is None:
            return False
        is_verified = profile.email is not None and profile.is_verified
        return is_verified or not self.only_verified_email


@dataclass
class _Lists:
    """The lists of an answer, and what it costs."""

    matched: list[dict[str, Any]]
    not_matched: list[str]
    invalid_datapoints: list[str]
    charges: list[Charge]


class _StandIn:
    """One account and its state, and the handler of each endpoint."""

    def __init__(
        self,
        config: ProspeoConfig,
        people: Iterable[Person],
        clock: Callable[[], float],
        wall_clock: Callable[[], datetime],
    ) -> None:
        self._config = config
        self._knowledge = Knowledge(people, config)
        self._meters = {
            name: ItemMeter(limit, seconds, config.window_kind, clock)
            for name, limit, seconds in (
                ("second", config.per_second, config.second_seconds),
                ("minute", config.per_minute, config.minute_seconds),
                ("daily", config.per_day, config.day_seconds),
            )
        }
        self._account = Account(
            {POOL: config.credits},
            charge_repeats=config.charge_repeats,
            journal=config.journal,
            wall_clock=wall_clock,
            free_for=timedelta(days=config.free_days) if config.free_days else None,
        )
        self._fates = Fates(config.faults, config.seed, error="internal_error")

    # Endpoints

    async def account_information(self, request: Request) -> Response:
        """GET /account-information: free, and counts towards no limit."""
        try:
            self._check_key(request)
        except _Refusal as refusal:
            return self._error(refusal)
        left = self._account.credits_left(POOL)
        told = {
            "current_plan": "STARTER",
            "current_team_members": 1,
            "remaining_credits": left,
            "used_credits": max(0, self._config.credits - left),
            "next_quota_renewal_days": 25,
            "next_quota_renewal_date": None,
        }
        return self._reply(200, {"error": False, "response": told})

    async def bulk_enrich_person(self, request: Request) -> Response:
        """POST /bulk-enrich-person."""
        content = await request.body()
        records = 0
        try:
            self._check_key(request)
            document = _parse(content)
            records = _records_in(document)
            asked = _read(document)
            self._check_limits(records)
            fate = self._fates.next([document])
            if fate.hits("slow_down"):
                raise _Refusal(429, "RATE_LIMITED")
            if fate.fails_unprocessed:
                return await self._fail(fate)
            lists = self._look_up(asked, fate)
        except _Refusal as refusal:
            if self._config.refused_counts and refusal.status != 401:
                self._count(records)
            return self._error(refusal)
        if fate.failure != "internal_error":  # a request that fails does not count
            self._count(records)
        return await self._answer(lists, fate)

    async def no_such_endpoint(self, _request: Request, _error: Exception) -> Response:
        # Also for a wrong method: neither 404 nor 405 is among the documented codes.
        return self._error(_Refusal(400, "INVALID_REQUEST"))

    async def broken(self, _request: Request, _error: Exception) -> Response:
        return self._error(_Refusal(400, "INTERNAL_ERROR"))

    async def client_gone(self, _request: Request, _error: Exception) -> Response:
        # No client reads it; without this, one that is killed leaves a traceback in the log.
        return self._error(_Refusal(400, "INVALID_REQUEST"))

    # Refusing

    def _check_key(self, request: Request) -> None:
        sent = request.headers.get("x-key", "").encode()
        if not secrets.compare_digest(sent, self._config.api_key.encode()):
            raise _Refusal(401, "INVALID_API_KEY")
        if self._config.account_restricted:
            raise _Refusal(400, "ACCOUNT_RESTRICTED")

    def _check_limits(self, records: int) -> None:
        for name, meter in self._meters.items():
            if not meter.admits(self._units(name, records)):
                raise _Refusal(429, "RATE_LIMITED")

    def _count(self, records: int) -> None:
        for name, meter in self._meters.items():
            meter.count(self._units(name, records))

    def _units(self, window: str, records: int) -> int:
        counts_requests = window == "second" and self._config.second_counts == "requests"
        return 1 if counts_requests else records

    # Looking up

    def _look_up(self, asked: _Asked, fate: RequestFate) -> _Lists:
        """Find each record, and hold the credits for those that are to be charged.

        Raises `_Refusal` where the whole request is answered with an error, before anything is
        held.
        """
        bad = [record for record in asked.records if not is_sufficient(record)]
        if bad and (self._config.bad_record_spoils_batch or len(bad) == len(asked.records)):
            raise _Refusal(400, "INVALID_DATAPOINTS")
        found = [self._found(record, asked) for record in asked.records]
        if not any(found) and not bad and self._config.no_match_as == "error":
            raise _Refusal(400, "NO_MATCH")
        if self._config.short_of_credits == "refused" and not self._can_pay(found, asked):
            raise _Refusal(400, "INSUFFICIENT_CREDITS")
        return self._sorted_out(asked, found, fate)

    def _found(self, record: Mapping[str, Any], asked: _Asked) -> Profile | None:
        profile = self._knowledge.find(record)
        return profile if profile is not None and asked.is_wanted(profile) else None

    def _can_pay(self, found: Sequence[Profile | None], asked: _Asked) -> bool:
        prices = {
            profile.uid: asked.price(profile)
            for profile in found
            if profile is not None
            and not self._account.is_free(POOL, profile.uid, asked.price(profile))
        }
        return not prices or self._account.can_pay(POOL, sum(prices.values()))

    def _sorted_out(
        self, asked: _Asked, found: Sequence[Profile | None], fate: RequestFate
    ) -> _Lists:
        lists = _Lists([], [], [], [])
        number = self._account.next_request()
        missing = fate.hits_each("missing", len(found))
        masked = fate.hits_each("masked", len(found))
        for place, (record, profile) in enumerate(zip(asked.records, found, strict=True)):
            identifier = record["identifier"]
            if profile is None:
                is_bad = not is_sufficient(record)
                (lists.invalid_datapoints if is_bad else lists.not_matched).append(identifier)
                continue
            price = asked.price(profile)
            is_free = self._account.is_free(POOL, profile.uid, price)
            if not is_free and not self._account.can_pay(POOL, price):
                continue  # the credits ran out within the request: it stands in no list
            charge = self._account.hold(POOL, profile.uid, _item_of(record), number, price)
            if charge is not None:
                lists.charges.append(charge)
            if not missing[place]:
                lists.matched.append(
                    self._match(identifier, profile, asked, charge is None, masked[place])
                )
        if self._config.record_order == "shuffled":
            for entries in (lists.matched, lists.not_matched, lists.invalid_datapoints):
                fate.chance("order").shuffle(entries)
        return lists

    def _match(
        self, identifier: str, profile: Profile, asked: _Asked, is_free: bool, is_masked: bool
    ) -> dict[str, Any]:
        match: dict[str, Any] = {"identifier": identifier}
        if self._config.marks_free:
            match |= {"free_enrichment": is_free}
        person = as_person(profile, shows_mobile=asked.enrich_mobile, is_masked=is_masked)
        return match | {"person": person, "company": as_company(profile)}

    # Answering

    async def _answer(self, lists: _Lists, fate: RequestFate) -> Response:
        charge_later = None
        if self._config.charge_when == "before_response" or fate.failure:
            self._account.settle(lists.charges)
        else:
            charge_later = BackgroundTask(self._settle, lists.charges)
        if fate.failure:
            return await self._fail(fate)
        await self._delay()
        document: dict[str, Any] = {"error": False}
        if not fate.hits("no_total_cost"):
            document |= {"total_cost": sum(charge.credits for charge in lists.charges)}
        document |= {
            "matched": lists.matched,
            "not_matched": lists.not_matched,
            "invalid_datapoints": lists.invalid_datapoints,
        }
        return self._reply(200, document, background=charge_later)

    async def _fail(self, fate: RequestFate) -> Response:
        await self._delay()
        if fate.failure == "torn":
            return TornConnection()
        return self._error(_Refusal(400, "INTERNAL_ERROR"))

    async def _settle(self, charges: list[Charge]) -> None:
        # async, or Starlette would run it in a thread beside the event loop
        self._account.settle(charges)

    async def _delay(self) -> None:
        if self._config.latency_ms:
            await asyncio.sleep(self._config.latency_ms / 1000)

    def _error(self, refusal: _Refusal) -> Response:
        return self._reply(refusal.status, {"error": True, "error_code": refusal.error_code})

    def _reply(
        self, status: int, document: object, *, background: BackgroundTask | None = None
    ) -> Response:
        """The only maker of responses, since each one says how much is left of the limits."""
        content = json.dumps(document, separators=(",", ":")).encode()
        return Response(content, status, self._headers(), "application/json", background)

    def _headers(self) -> dict[str, str]:
        if not self._config.rate_headers:
            return {}
        limits = {f"x-{name}-rate-limit": meter.limit for name, meter in self._meters.items()}
        left = {
            key: value
            for name in ("minute", "daily")
            for key, value in (
                (f"x-{name}-request-left", self._meters[name].left),
                (f"x-{name}-reset-seconds", math.ceil(self._meters[name].reset_seconds)),
            )
        }
        return {name: str(value) for name, value in (limits | left).items()}


def _parse(content: bytes) -> dict[str, Any]:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        raise _Refusal(400, "INVALID_REQUEST") from None
    if not isinstance(document, dict):
        raise _Refusal(400, "INVALID_REQUEST")
    return document


def _records_in(document: Mapping[str, Any]) -> int:
    records = document.get("data")
    return len(records) if isinstance(records, list) else 0


def _read(document: Mapping[str, Any]) -> _Asked:
    """The request. Raises `_Refusal` where its parameters are not as documented."""
    switches = ("only_verified_email", "enrich_mobile", "only_verified_mobile")
    if any(not isinstance(document.get(name, False), bool) for name in switches):
        raise _Refusal(400, "INVALID_REQUEST")
    records = document.get("data")
    if not isinstance(records, list) or not 1 <= len(records) <= RECORDS_PER_REQUEST:
        raise _Refusal(400, "INVALID_REQUEST")
    if not all(isinstance(record, dict) for record in records):
        raise _Refusal(400, "INVALID_REQUEST")
    identifiers = [record.get("identifier") for record in records]
    if not all(isinstance(name, str) and name.isalnum() for name in identifiers):
        raise _Refusal(400, "INVALID_REQUEST")
    only_mobile = document.get("only_verified_mobile", False)
    return _Asked(
        records,
        document.get("only_verified_email", False),
        document.get("enrich_mobile", False) or only_mobile,
        only_mobile,
    )


def _item_of(record: Mapping[str, Any]) -> str:
    """What the record names its person by, for the journal."""
    for name in ("person_id", "linkedin_url", "email"):
        if record.get(name):
            return str(record[name])
    return f"{name_of(record)} @ {company_of(record)}"
