"""Tests of Prospeo's stand-in, asked over `httpx.ASGITransport`; time is a `Clock` of theirs.

Here: the few helpers that they share. Not here: a server in a process of its own, and tearing
(`../test_stand_in_server.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from enrichment_pipeline.sandbox.directory import Person, read_people
from enrichment_pipeline.sandbox.prospeo.config import ProspeoConfig
from enrichment_pipeline.sandbox.prospeo.stand_in import create_app
from enrichment_pipeline_tests.sandbox import Clock
from enrichment_pipeline_tests.support import write_csv

ADA = {
    "uid": "a" * 32,
    "full_name": "Ada Example",
    "title": "CTO",
    "company": "Acme GmbH",
    "company_domain": "acme.example",
    "started": "2020-03",
    "linkedin_url": "https://www.linkedin.com/in/ada-example",
    "work_email": "ada@acme.example",
    "mobile_phone": "+49 151 1234567",
}
BOB = {
    "uid": "b" * 32,
    "full_name": "Bob Example",
    "title": "CEO",
    "company": "Brio",
    "company_domain": "brio.example",
    "started": "2026-01",
    "previous_title": "COO",
    "previous_company": "Acme GmbH",
    "previous_company_domain": "acme.example",
    "work_email": "bob@brio.example",
    "known_emails": "bob@acme.example",
}
CEM = {"uid": "c" * 32, "full_name": "Cem Example", "work_email": "", "company": "Brio"}
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
KNOWS_ALL: dict[str, Any] = {
    "known": 1.0,
    "verified": 1.0,
    "dead_email": 0.0,
    "stale_employer": 0.0,
    "wrong_person": 0.0,
}


class Api:
    """The stand-in's app, asked from ordinary functions."""

    def __init__(self, app: Any, api_key: str) -> None:
        self.app = app
        self.headers = {"x-key": api_key}

    def request(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(
                transport=transport, base_url="http://sandbox", headers=self.headers
            ) as client:
                return await client.request(method, path, **arguments)

        return asyncio.run(ask())

    def post(self, body: Any) -> httpx.Response:
        return self.request("POST", "/bulk-enrich-person", json=body)

    def enrich(self, *records: Mapping[str, Any], **parameters: Any) -> httpx.Response:
        """Ask for these records, which are numbered from 1."""
        data = [{"identifier": str(n), **record} for n, record in enumerate(records, start=1)]
        return self.post({"only_verified_email": True, "data": data, **parameters})

    def credits(self) -> int:
        told = self.request("GET", "/account-information").json()
        return told["response"]["remaining_credits"]


def people_in(folder: Path, rows: Iterable[Mapping[str, object]] = (ADA, BOB, CEM)) -> list[Person]:
    return list(read_people(write_csv(folder / "people.csv", rows)))


def start(people: Iterable[Person], *, clock: Clock | None = None, **settings: Any) -> Api:
    """The API over those people; it knows all of them as they are, unless told otherwise."""
    config = ProspeoConfig(**{**KNOWS_ALL, **settings})
    app = create_app(config, people, clock=clock or Clock(), wall_clock=lambda: NOW)
    return Api(app, config.api_key)


def error_of(response: httpx.Response) -> tuple[int, str]:
    document = response.json()
    assert document["error"] is True
    return response.status_code, document["error_code"]
