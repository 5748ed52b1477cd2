"""Tests of SignalHire's stand-in, and the few helpers that they share.

Most ask the app over `httpx.ASGITransport`; `../test_stand_in_server.py` asks a real server in a
process of its own. Time is a `Clock` that the test moves.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from enrichment_pipeline.sandbox.signalhire.config import SandboxConfig
from enrichment_pipeline.sandbox.signalhire.people import People, Person, load_people
from enrichment_pipeline.sandbox.signalhire.stand_in import create_app
from enrichment_pipeline_tests.sandbox import Clock

UID_OF_ADA = "a" * 32
UID_OF_BOB = "b" * 32
LINKEDIN_OF_ADA = "https://www.linkedin.com/in/ada-example"

CSV = f"""\
uid,full_name,title,company,company_domain,linkedin_url,work_email,work_email_rating,mobile_phone
{UID_OF_ADA},Ada Example,CTO,Acme,acme.example,{LINKEDIN_OF_ADA},ada@acme.example,70,+49 151 1234567
{UID_OF_BOB},Bob Example,CEO,Brio,brio.example,,bob@brio.example,,
"""

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class Api:
    """The sandbox's app, asked from ordinary functions."""

    def __init__(self, app: Any, *, api_key: str | None = "sandbox") -> None:
        self.app = app
        self.headers = {} if api_key is None else {"apikey": api_key}

    def request(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        return asyncio.run(self._request(method, path, **arguments))

    def search(self, *items: Any, **body: Any) -> httpx.Response:
        return self.post({"items": list(items), "withoutWaterfall": True, **body})

    def post(self, body: Any) -> httpx.Response:
        return self.request("POST", "/api/v1/candidate/search", json=body)

    def credits(self, query: str = "") -> int:
        return self.request("GET", f"/api/v1/credits{query}").json()["credits"]

    async def _request(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://sandbox", headers=self.headers
        ) as client:
            return await client.request(method, path, **arguments)


def some_people(tmp_path: Path, csv: str = CSV) -> People:
    """Ada and Bob, or whoever stands in `csv`."""
    path = tmp_path / "people.csv"
    path.write_text(csv, encoding="utf-8")
    return load_people(path)


def crowd(size: int) -> People:
    """As many people, found by `person-<n>@crowd.example`."""
    return People(
        Person(f"{n:032x}", {"uid": f"{n:032x}", "contacts": []}, (f"person-{n}@crowd.example",))
        for n in range(size)
    )


def start(people: People, *, clock: Clock | None = None, **settings: Any) -> Api:
    """The API over those people, with those settings of `SandboxConfig`."""
    app = create_app(
        SandboxConfig(**settings), people, clock=clock or Clock(), wall_clock=lambda: NOW
    )
    return Api(app, api_key=settings.get("api_key", "sandbox"))


def statuses(response: httpx.Response) -> list[str]:
    assert response.status_code == 200, response.text
    return [answer["status"] for answer in response.json()]
