"""Prospeo's contract: what is asked, whose each record is, what it cost, and what of it is shown.

What is asked of every provider is in `conformance/`; here is what is Prospeo's alone.
"""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from enrichment_pipeline.providers.base import (
    Balance,
    Failing,
    Halt,
    ItemReading,
    Matched,
    NoMatch,
    OutOfCredits,
    ProviderUnavailableError,
    Reading,
    Rejected,
    Retriable,
    SlowDown,
    Unconfirmed,
    WrongKeyError,
)
from enrichment_pipeline.providers.items import name_at_company, row_key
from enrichment_pipeline.providers.prospeo.answers import join_answers, question, read_reply
from enrichment_pipeline.providers.prospeo.client import ProspeoClient, pause_told
from enrichment_pipeline_tests.providers.raw_replies import cut_by, profiles_read_by

ADA, BOB, EVE = "ada@acme.example", "https://www.linkedin.com/in/bob", "Eve Fox @ brio.example"
NOW = datetime(2026, 1, 2, tzinfo=UTC)


def match(item: str, person: object = None, **more: object) -> dict[str, object]:
    shown = {"person_id": item} if person is None else person
    return {"identifier": row_key(item), "person": shown, "company": None, **more}


def told(*matched: object, **changes: object) -> bytes:
    document = {"error": False, "matched": list(matched), "not_matched": []}
    return json.dumps(document | {"invalid_datapoints": []} | changes).encode()


def units(reading: Reading) -> list[int]:
    return [item.units for item in reading.items]


def outcomes(reading: Reading) -> list[object]:
    return [item.outcome for item in reading.items]


# --- what is asked -------------------------------------------------------------------------


def test_each_kind_of_item_is_told_by_its_own_field():
    items = [ADA, BOB, EVE, "Eve Fox @ Brio Ltd", "what is this"]
    document = question(items)
    assert (document["only_verified_email"], document["enrich_mobile"]) == (True, False)
    assert document["data"] == [
        {"identifier": row_key(item), **fields}
        for item, fields in zip(
            items,
            (
                {"email": ADA},
                {"linkedin_url": BOB},
                {"full_name": "Eve Fox", "company_website": "brio.example"},
                {"full_name": "Eve Fox", "company_name": "Brio Ltd"},
                {"full_name": "what is this"},
            ),
            strict=True,
        )
    ]


def test_an_item_that_two_people_are_asked_by_is_sent_once_and_answers_both():
    assert len(question([ADA, ADA])["data"]) == 1  # ty: ignore[invalid-argument-type]
    reading = read_reply(200, told(match(ADA), total_cost=1), [ADA, ADA])
    assert outcomes(reading) == [Matched(), Matched()]


def test_identifiers_are_alphanumeric_and_no_number():
    found = {row_key(f"person-{n}@crowd.example") for n in range(500)}
    assert len(found) == 500
    assert all(name.isalnum() and name.isascii() and name[0] == "r" for name in found)


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (EVE, ("Eve Fox", "brio.example")),
        ("Eve @ Fox @ brio.example", ("Eve @ Fox", "brio.example")),
        (ADA, None),
        (" @ brio.example", None),
        ("Eve Fox @ ", None),
        (BOB, None),
    ],
)
def test_a_name_at_a_company_is_told_from_any_other_item(item: str, expected: object):
    assert name_at_company(item) == expected


# --- whose it is ---------------------------------------------------------------------------


def test_records_are_joined_by_identifier_in_whatever_form_and_order_it_comes_back():
    body = told(
        {**match(BOB), "identifier": f" {row_key(BOB).upper()} "},
        not_matched=[row_key(EVE)],
        invalid_datapoints=[row_key(ADA)],
        total_cost=1,
    )
    reading = read_reply(200, body, [ADA, EVE, BOB])
    assert [type(outcome).__name__ for outcome in outcomes(reading)] == [
        "Refused",
        "NoMatch",
        "Matched",
    ]
    assert [item.answer_index for item in reading.items] == [2, 1, 0]


def test_a_match_counts_more_than_a_miss_and_a_stranger_for_nothing():
    body = told(match("stranger"), match(ADA), not_matched=[row_key(ADA)], total_cost=2)
    reading = read_reply(200, body, [ADA])
    assert reading == Reading(
        (ItemReading(Matched(), 1, 1, (("uid", ADA),)),), unsolicited_answers=1
    )


def test_a_record_in_no_list_is_in_doubt_and_empty_lists_are_a_fault_of_the_provider():
    in_doubt = Unconfirmed("missing_from_answer")
    reading = read_reply(200, told(match(ADA), total_cost=1), [ADA, BOB])
    assert (outcomes(reading), reading.signal) == ([Matched(), in_doubt], None)
    reading = read_reply(200, told(total_cost=0), [ADA, BOB])
    assert (outcomes(reading), reading.signal) == ([in_doubt] * 2, Failing("nothing_answered"))


# --- what a code means ---------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 400])
@pytest.mark.parametrize(
    ("error_code", "outcome", "signal"),
    [
        ("NO_MATCH", NoMatch(), type(None)),
        ("INSUFFICIENT_CREDITS", OutOfCredits(), Halt),
        ("INVALID_DATAPOINTS", Retriable("invalid_datapoints"), Rejected),
        ("INVALID_REQUEST", Retriable("invalid_request"), Rejected),
        ("INTERNAL_ERROR", Unconfirmed("internal_error"), Failing),
        ("ACCOUNT_RESTRICTED", Retriable("account_restricted"), Halt),
        ("INVALID_API_KEY", Retriable("wrong_key"), Halt),
        ("RATE_LIMITED", Retriable("rate_limited"), SlowDown),
        ("RATE_LIMIT_EXCEEDED", Retriable("rate_limited"), SlowDown),
        ("NEVER_HEARD_OF", Unconfirmed("unknown_error"), Failing),
        ("http_401", Unconfirmed("unknown_error"), Failing),
        (None, Unconfirmed("unknown_error"), Failing),
    ],
)
def test_an_error_is_told_by_its_code_alone(
    status: int, error_code: object, outcome: object, signal: type
):
    body = json.dumps({"error": True, "error_code": error_code}).encode()
    reading = read_reply(status, body, [ADA, BOB])
    assert outcomes(reading) == [outcome] * 2
    assert type(reading.signal) is signal
    assert units(reading) == [0, 0]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, told(match(ADA), total_cost=1)),
        (200, b'{"error": false, "matched": {}}'),
        (200, b'{"error": false}'),
        (400, b"<html>Bad Request</html>"),
        (200, b"[]"),
        (200, b""),
    ],
)
def test_what_is_neither_an_answer_nor_an_error_may_have_been_charged(status: int, body: bytes):
    reading = read_reply(status, body, [ADA])
    assert outcomes(reading) == [Unconfirmed("malformed_body")]


# --- what it cost --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("free", "total_cost", "expected"),
    [
        ((None, None), 2, [1, 1]),
        ((False, False), None, [1, 1]),
        ((True, False), 1, [0, 1]),
        ((True, True), 0, [0, 0]),
        ((True, False), None, [0, 1]),
        # not told of each: as many as were charged, whichever these were
        ((None, None), 1, [1, 0]),
        ((None, None), 0, [0, 0]),
        # told as free, and charged all the same
        ((True, False), 2, [1, 1]),
        # more than two matches can cost, and what is no number
        ((None, None), 99, [1, 1]),
        ((True, False), -1, [0, 1]),
        ((True, False), "2", [0, 1]),
        ((True, False), True, [0, 1]),
    ],
)
def test_a_match_costs_what_the_reply_says(
    free: tuple[bool | None, bool | None], total_cost: object, expected: list[int]
):
    marked = [{} if each is None else {"free_enrichment": each} for each in free]
    matches = [match(item, **mark) for item, mark in zip((ADA, BOB), marked, strict=True)]
    cost = {} if total_cost is None else {"total_cost": total_cost}
    assert units(read_reply(200, told(*matches, **cost), [ADA, BOB])) == expected


# --- what of it is shown -------------------------------------------------------------------

SHOWN = {"status": "VERIFIED", "revealed": True, "email": "ada@acme.example"}
NUMBER = {"status": "VERIFIED", "revealed": True, "mobile": "+4915123456789"}


@pytest.mark.parametrize(
    ("email", "mobile", "expected"),
    [
        (SHOWN, NUMBER, {("email", "ada@acme.example"), ("phone", "+4915123456789")}),
        ({**SHOWN, "revealed": False}, {**NUMBER, "revealed": False}, set()),
        ({**SHOWN, "email": "a**@acme.example"}, {**NUMBER, "mobile": "+49 151-2**"}, set()),
        (None, None, set()),
        ("ada@acme.example", [], set()),
    ],
)
def test_what_is_masked_is_no_identifier_and_no_contact_point(
    email: object, mobile: object, expected: set[tuple[str, str]], profiles: Any
):
    person = {"person_id": "p1", "linkedin_url": BOB, "email": email, "mobile": mobile}
    body = told(match(ADA, person), total_cost=1)
    [item] = read_reply(200, body, [ADA]).items
    assert set(item.identifiers) == expected | {("uid", "p1"), ("linkedin", BOB)}
    [profile] = profiles(body)
    points = {(point["kind"], point["value"]) for point in profile["contact_points"]}
    assert points == expected


@pytest.fixture
def profiles():
    with profiles_read_by("prospeo") as read:
        yield read


COMPANY = {
    "company_id": "c1",
    "name": "Acme",
    "website": "https://acme.example",
    "industry": "Tools",
    "employee_count": 12,
}
JOB = {
    "title": "CTO",
    "company_name": "Acme Inc",
    "company_id": "c1",
    "current": True,
    "start_year": 2024,
    "start_month": 3,
}
OLD_JOB = {"title": "Dev", "company_name": "Brio", "current": False, "start_year": 2011}


def test_a_profile_reads_into_the_common_one(profiles: Any):
    person = {
        "person_id": "p1",
        "full_name": "Ada Example",
        "linkedin_url": "https://www.linkedin.com/in/ada",
        "headline": "CTO at Acme",
        "location": {"city": "Paris", "state": None, "country": "France"},
        "job_history": [JOB, OLD_JOB],
        "email": SHOWN,
        "mobile": None,
    }
    [profile] = profiles(told(match(ADA, person, company=COMPANY)))
    assert profile["unreadable_part"] is None
    assert (profile["uid"], profile["full_name"]) == ("p1", "Ada Example")
    assert (profile["headline"], profile["location"]) == ("CTO at Acme", "Paris, France")
    assert profile["profile_urls"] == ["https://www.linkedin.com/in/ada"]
    [point] = profile["contact_points"]
    assert (point["field"], point["status"]) == ("work_email", "verified")
    assert profile["positions"] == [
        {
            "title": "CTO",
            "company_name": "Acme Inc",
            "company_website": "https://acme.example",
            "company_industry": "Tools",
            "company_employee_count": "12",
            "started": "2024-03",
            "is_current": True,
        },
        {
            "title": "Dev",
            "company_name": "Brio",
            "company_website": None,
            "company_industry": None,
            "company_employee_count": None,
            "started": "2011",
            "is_current": False,
        },
    ]


@pytest.mark.parametrize("status", ["UNVERIFIED", "UNAVAILABLE", "verified", "VALID", None, 100])
def test_only_its_own_mark_makes_an_address_verified(status: object, profiles: Any):
    person = {"email": {**SHOWN, "status": status}}
    [profile] = profiles(told(match(ADA, person)))
    assert [point["status"] for point in profile["contact_points"]] == ["unverified"]


def test_where_no_job_is_listed_the_current_one_is_told_by_title_and_company(profiles: Any):
    person = {"person_id": "p1", "current_job_title": "CTO", "job_history": None}
    [profile] = profiles(told(match(ADA, person, company=COMPANY)))
    [position] = profile["positions"]
    assert (position["title"], position["company_name"]) == ("CTO", "Acme")
    assert (position["company_website"], position["is_current"]) == ("https://acme.example", True)


@pytest.mark.parametrize(
    ("person", "part"),
    [
        ({"email": "ada@acme.example"}, "one of its parts"),
        ({"job_history": {"title": "CTO"}}, "one of its lists"),
        ({"job_history": ["CTO"]}, "an entry of its lists"),
        ({"full_name": {"first": "Ada"}}, "one of its texts"),
    ],
)
def test_what_has_another_shape_is_told(person: dict[str, object], part: str, profiles: Any):
    [profile] = profiles(told(match(ADA, person)))
    assert profile["unreadable_part"] == part


def test_answers_are_cut_in_the_order_in_which_they_are_counted():
    """And join into a reply of which the same is cut."""
    cut = cut_by("prospeo")
    body = told(
        match(ADA),
        "junk",
        not_matched=[row_key(BOB)],
        invalid_datapoints=[row_key(EVE)],
    )
    answers = cut(body)
    for item in read_reply(200, body, [ADA, BOB, EVE]).items:
        assert item.answer_index is not None
    assert [json.loads(answers[place]) for place in (2, 3)] == [
        row_key(BOB),
        row_key(EVE),
    ]
    assert cut(join_answers(answers)) == answers
    miss = b'{"error":true,"error_code":"NO_MATCH"}'
    assert cut(miss) == {0: miss.decode()}
    assert cut(join_answers(cut(miss))) == cut(miss)
    assert cut(b'{"matched": {"a": 1}}') == {}
    assert cut(b"no JSON") == {}


# --- over HTTP -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7),
        ({"x-minute-request-left": "0", "x-minute-reset-seconds": "42"}, 42),
        (
            {
                "x-minute-request-left": "0",
                "x-minute-reset-seconds": "42",
                "x-daily-request-left": "0",
                "x-daily-reset-seconds": "3600",
            },
            3600,
        ),
        ({"x-minute-request-left": "3", "x-minute-reset-seconds": "42"}, None),
        ({"x-minute-request-left": "0"}, None),
        ({"x-minute-request-left": "none", "x-minute-reset-seconds": "-1"}, None),
        ({"x-daily-request-left": "0", "x-daily-reset-seconds": "999999999"}, 86_400),
    ],
)
def test_the_limit_that_is_used_up_says_how_long_to_wait(
    headers: dict[str, str], seconds: int | None
):
    expected = None if seconds is None else timedelta(seconds=seconds)
    assert pause_told(headers, NOW) == expected


def balance_of(response: httpx.Response) -> Balance:
    async def ask() -> Balance:
        transport = httpx.MockTransport(lambda _request: response)
        client = ProspeoClient("http://prospeo.invalid", "key", transport=transport)
        try:
            return await client.balance()
        finally:
            await client.close()

    return asyncio.run(ask())


def test_the_balance_is_read_under_either_name():
    for name in ("remaining_credits", "credits_remaining"):
        document = {"error": False, "response": {name: 99}}
        dated = {"date": "Fri, 02 Jan 2026 00:00:00 GMT"}
        assert balance_of(httpx.Response(200, json=document, headers=dated)) == Balance(99, NOW)


def test_no_balance_and_a_wrong_key_are_told_apart():
    with pytest.raises(WrongKeyError):
        balance_of(httpx.Response(401, json={"error": True, "error_code": "INVALID_API_KEY"}))
    for response in (
        httpx.Response(429, json={"error": True, "error_code": "RATE_LIMITED"}),
        httpx.Response(200, json={"error": False, "response": []}),
        httpx.Response(200, content=b"<html>"),
        httpx.Response(200, json={"error": False, "response": {"remaining_credits": "many"}}),
    ):
        with pytest.raises(ProviderUnavailableError):
            balance_of(response)
