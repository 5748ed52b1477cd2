"""Tests of what every stand-in needs, and the helpers that the tests of any of them share."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import httpx

from enrichment_pipeline.sandbox.directory import Person, read_people
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


class Clock:
    """Seconds that pass only when a test says so."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


def journal_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


class Api:
    """A stand-in's app, asked from ordinary functions, with these headers."""

    def __init__(self, app: Any, headers: Mapping[str, str]) -> None:
        self.app = app
        self.headers = headers

    def request(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(
                transport=transport, base_url="http://sandbox", headers=self.headers
            ) as client:
                return await client.request(method, path, **arguments)

        return asyncio.run(ask())


def people_in(folder: Path, rows: Iterable[Mapping[str, object]] = (ADA, BOB, CEM)) -> list[Person]:
    return list(read_people(write_csv(folder / "people.csv", rows)))
