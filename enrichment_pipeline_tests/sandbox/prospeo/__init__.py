"""Tests of Prospeo's stand-in, asked over `httpx.ASGITransport`; time is a `Clock` of theirs.

Here: the few helpers that they share. Not here: a server in a process of its own, and tearing
(`../test_stand_in_server.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import httpx

from enrichment_pipeline.sandbox.directory import Person
from enrichment_pipeline.sandbox.prospeo.config import ProspeoConfig
from enrichment_pipeline.sandbox.prospeo.stand_in import create_app
from enrichment_pipeline_tests.sandbox import Api, Clock

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
KNOWS_ALL: dict[str, Any] = {
    "known": 1.0,
    "verified": 1.0,
    "dead_email": 0.0,
    "stale_employer": 0.0,
    "wrong_person": 0.0,
}


class Prospeo(Api):
    """The stand-in's app, asked from ordinary functions."""

    def post(self, body: Any) -> httpx.Response:
        return self.request("POST", "/bulk-enrich-person", json=body)

    def enrich(self, *records: Mapping[str, Any], **parameters: Any) -> httpx.Response:
        """Ask for these records, which are numbered from 1."""
        data = [{"identifier": str(n), **record} for n, record in enumerate(records, start=1)]
        return self.post({"only_verified_email": True, "data": data, **parameters})

    def credits(self) -> int:
        told = self.request("GET", "/account-information").json()
        return told["response"]["remaining_credits"]


def start(people: Iterable[Person], *, clock: Clock | None = None, **settings: Any) -> Prospeo:
    """The API over those people; it knows all of them as they are, unless told otherwise."""
    config = ProspeoConfig(**{**KNOWS_ALL, **settings})
    app = create_app(config, people, clock=clock or Clock(), wall_clock=lambda: NOW)
    return Prospeo(app, {"x-key": config.api_key})


def error_of(response: httpx.Response) -> tuple[int, str]:
    document = response.json()
    assert document["error"] is True
    return response.status_code, document["error_code"]
