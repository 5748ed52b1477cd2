"""Tests of People Data Labs' stand-in, asked over `httpx.ASGITransport`; time is a `Clock` of
theirs.

Here: the few helpers that they share. Not here: a server in a process of its own, and tearing
(`../test_stand_in_server.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from enrichment_pipeline.sandbox.directory import Person
from enrichment_pipeline.sandbox.peopledatalabs.config import PeopleDataLabsConfig
from enrichment_pipeline.sandbox.peopledatalabs.stand_in import BASE_PATH, create_app
from enrichment_pipeline_tests.sandbox import Api, Clock

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
KNOWS_ALL: dict[str, Any] = {
    "known": 1.0,
    "has_work_email": 1.0,
    "dead_email": 0.0,
    "stale_employer": 0.0,
    "wrong_person": 0.0,
    "doubtful": 0.0,
}


class PeopleDataLabs(Api):
    """The stand-in's app, asked from ordinary functions."""

    def bulk(self, *params: Mapping[str, Any], **document: Any) -> httpx.Response:
        """Ask for these, which are numbered from 1."""
        requests = [{"params": each, "metadata": {"row": n}} for n, each in enumerate(params, 1)]
        body = {"requests": requests, **document}
        return self.request("POST", f"{BASE_PATH}/person/bulk", json=body)

    def changelog(self, **document: Any) -> httpx.Response:
        """What has changed, by default by the release after the first one."""
        document = {"origin_version": "33.0", "current_version": "33.1", **document}
        return self.request("POST", f"{BASE_PATH}/person/changelog", json=document)

    def credits(self) -> int:
        told = self.request("HEAD", f"{BASE_PATH}/person/enrich")
        return int(told.headers["x-totallimit-remaining"])


def start(
    people: Iterable[Person], *, clock: Clock | None = None, **settings: Any
) -> PeopleDataLabs:
    """The API over those people; it knows all of them as they are, unless told otherwise."""
    clock = clock or Clock()
    began = clock()
    config = PeopleDataLabsConfig(**{**KNOWS_ALL, **settings})
    app = create_app(
        config,
        people,
        clock=clock,
        wall_clock=lambda: NOW + timedelta(seconds=clock() - began),
    )
    return PeopleDataLabs(app, {"x-api-key": config.api_key})


def statuses(response: httpx.Response) -> list[int]:
    """Of the elements, in the order of the request."""
    assert response.status_code == 200
    by_row = {element["metadata"]["row"]: element["status"] for element in response.json()}
    return [by_row[row] for row in sorted(by_row)]


def error_of(response: httpx.Response) -> tuple[int, object]:
    document = response.json()
    assert document["status"] == response.status_code
    return response.status_code, document["error"]["type"]
