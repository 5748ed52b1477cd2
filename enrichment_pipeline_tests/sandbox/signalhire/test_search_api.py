"""The Search API: who is found, page by page, and what it refuses."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from enrichment_pipeline.sandbox.signalhire.config import SandboxConfig
from enrichment_pipeline.sandbox.signalhire.stand_in import create_app
from enrichment_pipeline_tests.sandbox import Clock, journal_lines
from enrichment_pipeline_tests.sandbox.signalhire import (
    NOW,
    Api,
    some_people,
    start,
)

CSV = """\
uid,full_name,title,company,company_domain,previous_title,previous_company,location
11111111111111111111111111111111,Ada Example,CTO,Acme GmbH,acme.example,,,"Berlin, Germany"
22222222222222222222222222222222,Ada Example,Clerk,Acme GmbH,acme.example,,,"Berlin, Germany"
33333333333333333333333333333333,Ada Maria Example,CEO,Brio,brio.example,CFO,Acme,
44444444444444444444444444444444,Ada Example,CEO,Acme Energy Ltd,acme-energy.example,,,
55555555555555555555555555555555,Ada Example,,,,CTO,Acme,
66666666666666666666666666666666,Zoë Müller,CTO,The Brio Works,brio.example,,,
77777777777777777777777777777777,Иван Петров,CTO,Brio,brio.example,,,
"""


def ask(api: Api, **body: Any) -> httpx.Response:
    return api.request("POST", "/api/v1/candidate/searchByQuery", json=body)


def go_on(api: Api, request: object, scroll_id: object) -> httpx.Response:
    path = f"/api/v1/candidate/scrollSearch/{request}"
    return api.request("POST", path, json={"scrollId": scroll_id})


def found(response: httpx.Response) -> list[str]:
    assert response.status_code == 200, response.text
    return [profile["uid"][0] for profile in response.json()["profiles"]]


@pytest.fixture
def api(tmp_path: Path) -> Api:
    return start(some_people(tmp_path, CSV))


@pytest.mark.parametrize(
    ("query", "uids"),
    [
        ({"fullName": "Ada Example", "currentCompany": "Acme"}, ["1", "2", "4"]),
        ({"fullName": "example ADA", "currentCompany": "acme gmbh"}, ["1", "2"]),
        ({"fullName": "Ada Example", "currentPastCompany": "Acme"}, ["1", "2", "3", "4", "5"]),
        ({"fullName": "Ada Example", "currentCompany": "Acme", "currentTitle": "clerk"}, ["2"]),
        ({"fullName": "Ada Example", "currentPastTitle": "CTO"}, ["1", "5"]),
        ({"fullName": "Ada Example", "location": "Berlin"}, ["1", "2"]),
        ({"fullName": "Zoe Muller", "currentCompany": "brio"}, ["6"]),
        ({"fullName": "Ivan Petrov", "currentCompany": "Brio"}, ["7"]),
        ({"currentCompany": "Brio"}, ["3", "6", "7"]),
        ({"fullName": "Ada Lovelace", "currentCompany": "Acme"}, []),
        ({"fullName": "...", "currentCompany": "Acme"}, []),
    ],
)
def test_a_text_matches_where_its_words_stand_in_the_other(
    api: Api, query: dict[str, str], uids: list[str]
) -> None:
    assert found(ask(api, **query)) == uids


def test_a_profile_shows_no_contacts_and_of_jobs_what_is_documented(api: Api) -> None:
    answer = ask(api, fullName="Ada Maria Example").json()
    assert answer["total"] == 1
    assert answer["scrollId"] is None
    [profile] = answer["profiles"]
    assert "contacts" not in profile
    assert profile["experience"] == [
        {"company": "Brio", "title": "CEO"},
        {"company": "Acme", "title": "CFO"},
    ]


def test_jobs_may_say_more_than_is_documented(tmp_path: Path) -> None:
    api = start(some_people(tmp_path, CSV), search_experience="full")
    [profile] = ask(api, fullName="Ada Maria Example").json()["profiles"]
    assert [job["current"] for job in profile["experience"]] == [True, False]
    assert profile["experience"][0]["website"] == "https://www.brio.example"


def test_a_name_that_shares_a_word_may_be_enough(tmp_path: Path) -> None:
    api = start(some_people(tmp_path, CSV), search_name_match="any")
    assert found(ask(api, fullName="Ada Lovelace", currentCompany="Brio")) == ["3"]


def test_other_scripts_may_stay_unread(tmp_path: Path) -> None:
    api = start(some_people(tmp_path, CSV), search_reads_other_scripts=False)
    assert found(ask(api, fullName="Ivan Petrov")) == []
    assert found(ask(api, fullName="иван петров")) == ["7"]
    assert found(ask(api, fullName="Zoe Muller")) == ["6"]


def test_further_pages_are_scrolled_to_with_a_new_id_each(api: Api) -> None:
    first = ask(api, fullName="Ada Example", size=2).json()
    second = go_on(api, first["requestId"], first["scrollId"])
    assert found(second) == ["3", "4"]
    assert second.json()["total"] == first["total"] == 5
    assert second.json()["scrollId"] not in (None, first["scrollId"])
    third = go_on(api, first["requestId"], second.json()["scrollId"])
    assert found(third) == ["5"]
    assert third.json()["scrollId"] is None


def test_a_scroll_id_lives_fifteen_seconds(tmp_path: Path) -> None:
    clock = Clock()
    api = start(some_people(tmp_path, CSV), clock=clock)
    first = ask(api, fullName="Ada Example", size=2).json()
    clock.seconds += 14.9
    assert go_on(api, first["requestId"], first["scrollId"]).status_code == 200
    clock.seconds += 0.2
    assert go_on(api, first["requestId"], first["scrollId"]).status_code == 404
    assert go_on(api, 999, first["scrollId"]).status_code == 404


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"fullName": " "}, 422),
        ({"fullName": 7}, 422),
        ({"fullName": "Ada", "shoeSize": 7}, 422),
        ({"fullName": "Ada", "size": 0}, 422),
        ({"fullName": "Ada", "size": True}, 422),
        ({"fullName": "Ada", "size": 101}, 406),
    ],
)
def test_wrong_parameters_are_refused(api: Api, body: dict[str, Any], status: int) -> None:
    assert ask(api, **body).status_code == status
    assert go_on(api, 1, None).status_code == 422


def test_without_access_every_call_is_answered_403(tmp_path: Path) -> None:
    api = start(some_people(tmp_path, CSV), search_allowed=False)
    assert ask(api, fullName="Ada Example").status_code == 403
    assert go_on(api, 1, "x").status_code == 403


def test_the_quota_counts_empty_results_and_pages_until_the_day_is_over(tmp_path: Path) -> None:
    wall = [NOW]
    config = SandboxConfig(searches_per_day=3, searches=tmp_path / "searches.jsonl")
    people = some_people(tmp_path, CSV)
    api = Api(create_app(config, people, clock=Clock(), wall_clock=lambda: wall[0]))
    first = ask(api, fullName="Ada Example", size=1).json()
    assert ask(api).status_code == 422
    assert ask(api, fullName="Nobody Atall").status_code == 200
    second = go_on(api, first["requestId"], first["scrollId"])
    assert second.status_code == 200
    assert ask(api, fullName="Ada Example").status_code == 402
    assert go_on(api, first["requestId"], second.json()["scrollId"]).status_code == 402

    restarted = Api(create_app(config, people, clock=Clock(), wall_clock=lambda: wall[0]))
    assert ask(restarted, fullName="Ada Example").status_code == 402
    wall[0] = datetime.combine(NOW.date() + timedelta(days=1), datetime.min.time(), UTC)
    assert ask(restarted, fullName="Ada Example").status_code == 200
    lines = journal_lines(tmp_path / "searches.jsonl")
    assert [(line["page"], line["total"]) for line in lines] == [(1, 5), (1, 0), (2, 5), (1, 5)]
    assert lines[0]["query"] == {"fullName": "Ada Example"}


def test_a_fourth_call_at_once_is_refused(tmp_path: Path) -> None:
    api = start(some_people(tmp_path, CSV), latency_ms=50)

    async def ask_at_once() -> list[int]:
        transport = httpx.ASGITransport(api.app)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://sandbox", headers=api.headers
        ) as client:
            path = "/api/v1/candidate/searchByQuery"
            calls = [client.post(path, json={"fullName": "Ada"}) for _ in range(4)]
            return sorted(response.status_code for response in await asyncio.gather(*calls))

    assert asyncio.run(ask_at_once()) == [200, 200, 200, 429]
    assert ask(api, fullName="Ada").status_code == 200


@pytest.mark.parametrize(("fault", "status"), [("error_500", 500), ("slow_down", 429)])
def test_faults_hit_searches_too(tmp_path: Path, fault: str, status: int) -> None:
    api = start(some_people(tmp_path, CSV), faults={fault: 1.0})
    assert ask(api, fullName="Ada Example").status_code == status


def test_half_of_the_failures_have_counted(tmp_path: Path) -> None:
    api = start(
        some_people(tmp_path, CSV),
        faults={"error_500": 1.0},
        searches=tmp_path / "searches.jsonl",
    )
    for number in range(40):
        assert ask(api, fullName=f"Ada {number}").status_code == 500
    assert 10 < len(journal_lines(tmp_path / "searches.jsonl")) < 30
