"""Tests of Hunter's stand-in, asked over `httpx.ASGITransport`; time is a `Clock` of theirs.

Here: the few helpers that they share. Not here: a server in a process of its own, and tearing
(`../test_stand_in_server.py`).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import httpx

from enrichment_pipeline.sandbox.directory import Person
from enrichment_pipeline.sandbox.hunter.config import HunterConfig
from enrichment_pipeline.sandbox.hunter.stand_in import BASE_PATH, create_app
from enrichment_pipeline_tests.sandbox import Api, Clock

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
KNOWS_ALL: dict[str, Any] = {
    "known": 1.0,
    "sourced": 1.0,
    "guessed": 0.0,
    "dead_email": 0.0,
    "stale_employer": 0.0,
    "wrong_person": 0.0,
    "accept_all": 0.0,
    "unknown": 0.0,
    "legal_stop": 0.0,
}


class Hunter(Api):
    """The stand-in's app, asked from ordinary functions."""

    def find(self, full_name: str, domain: str, **query: str) -> httpx.Response:
        params = {"full_name": full_name, "domain": domain, **query}
        return self.get("email-finder", params)

    def verify(self, email: str) -> httpx.Response:
        return self.get("email-verifier", {"email": email})

    def get(self, endpoint: str, params: dict[str, str]) -> httpx.Response:
        return self.request("GET", f"{BASE_PATH}/{endpoint}", params=params)

    def requests(self) -> dict[str, Any]:
        told = self.request("GET", f"{BASE_PATH}/account").json()
        return told["data"]["requests"]

    def used(self) -> float:
        return self.requests()["credits"]["used"]


def start(people: Iterable[Person], *, clock: Clock | None = None, **settings: Any) -> Hunter:
    """The API over those people; it knows all of them as they are, unless told otherwise."""
    config = HunterConfig(**{**KNOWS_ALL, **settings})
    app = create_app(config, people, clock=clock or Clock(), wall_clock=lambda: NOW)
    return Hunter(app, {"x-api-key": config.api_key})


def data_of(response: httpx.Response) -> dict[str, Any]:
    assert response.status_code == 200
    return response.json()["data"]


def error_of(response: httpx.Response) -> tuple[int, str]:
    [error] = response.json()["errors"]
    assert error["code"] == response.status_code
    return response.status_code, error["id"]
