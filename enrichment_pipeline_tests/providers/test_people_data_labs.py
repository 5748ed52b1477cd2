"""People Data Labs' contract: what is asked, whose each element is, its cost, and what is shown.

What is asked of every provider is in `conformance/`; here is what is People Data Labs' alone.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Any

import duckdb
import httpx
import pytest

from enrichment_pipeline.providers import peopledatalabs
from enrichment_pipeline.providers.base import (
    Balance,
    Changed,
    Failing,
    Halt,
    ItemReading,
    LegalStop,
    Matched,
    NoMatch,
    OutOfCredits,
    ProviderUnavailableError,
    Reading,
    Refused,
    Retriable,
    SlowDown,
    Unchanged,
    Unconfirmed,
    WrongKeyError,
)
from enrichment_pipeline.providers.items import row_key
from enrichment_pipeline.providers.joining import join_list
from enrichment_pipeline.providers.peopledatalabs.answers import REQUIRED, question, read_reply
from enrichment_pipeline.providers.peopledatalabs.changes import (
    READ_FIELDS,
    changes_question,
    next_release,
    read_changes_reply,
)
from enrichment_pipeline.providers.peopledatalabs.client import (
    PeopleDataLabsClient,
    cost_told,
    credits_told,
    pause_told,
)
from enrichment_pipeline_tests.providers.raw_replies import cut_by, profiles_read_by

ADA, BOB, EVE = "ada@acme.example", "https://www.linkedin.com/in/bob", "Eve Fox @ brio.example"
PHONE = "+4915123456789"
NOW = datetime(2026, 1, 2, tzinfo=UTC)


def element(item: str, status: object = 200, **more: object) -> dict[str, object]:
    person = {"data": {"id": item}, "likelihood": 9} if status == 200 else {}
    metadata = {"row": row_key(item), "min_likelihood": 8}
    return {"status": status, "metadata": metadata, **person, **more}


def told(*elements: object) -> bytes:
    return json.dumps(elements).encode()


def read(*elements: object, items: tuple[str, ...] = (ADA,), cost: int | None = None) -> Reading:
    return read_reply(200, told(*elements), items, cost)


def outcomes(reading: Reading) -> list[object]:
    return [item.outcome for item in reading.items]


# --- what is asked -------------------------------------------------------------------------


def test_each_kind_of_item_is_told_by_its_own_parameters():
    items = [ADA, BOB, PHONE, EVE, "Eve Fox @ Brio Ltd", "what is this"]
    document = question(items, 6)
    assert document == {
        "required": REQUIRED,
        "requests": [
            {
                "params": {**params, "min_likelihood": 6, "titlecase": True},
                "metadata": {"row": row_key(item), "min_likelihood": 6},
            }
            for item, params in zip(
                items,
                (
                    {"email": ADA},
                    {"profile": BOB},
                    {"phone": PHONE},
                    {"name": "Eve Fox", "company": "brio.example"},
                    {"name": "Eve Fox", "company": "Brio Ltd"},
                    {"name": "what is this"},
                ),
                strict=True,
            )
        ],
    }


def test_an_item_that_two_people_are_asked_by_is_sent_once_and_answers_both():
    assert len(question([ADA, ADA], 8)["requests"]) == 1  # ty: ignore[invalid-argument-type]
    assert outcomes(read(element(ADA), items=(ADA, ADA))) == [Matched(), Matched()]


# --- whose it is, and what its status means ------------------------------------------------


def test_elements_are_joined_by_their_metadata_in_whatever_order_and_form():
    metadata = {"row": f" {row_key(BOB).upper()} "}
    reading = read(
        element(EVE, 404), element(BOB, metadata=metadata), element(ADA), items=(ADA, BOB, EVE)
    )
    assert outcomes(reading) == [Matched(), Matched(), NoMatch()]
    assert [item.answer_index for item in reading.items] == [2, 1, 0]


@pytest.mark.parametrize(
    ("status", "outcome", "signal"),
    [
        (404, NoMatch(), None),
        ("404", NoMatch(), None),
        (400, Refused("wrong_parameters"), None),
        (402, OutOfCredits(), Halt),
        (429, Retriable("rate_limited"), SlowDown),
        (500, Unconfirmed("element_other"), Failing),
        (None, Unconfirmed("element_other"), Failing),
        (True, Unconfirmed("element_other"), Failing),
    ],
)
def test_an_element_is_told_by_its_own_status(status: object, outcome: object, signal: object):
    for error_type in ("not_found", ["not_found", "other"], None):
        error = {"type": error_type, "message": "-"}
        reading = read(element(ADA, status, error=error))
        assert outcomes(reading) == [outcome]
        assert reading.items[0].units == 0
        assert (signal is None) == (reading.signal is None)
        assert signal is None or isinstance(reading.signal, signal)  # ty: ignore[invalid-argument-type]


def test_a_match_counts_more_than_a_miss_and_a_stranger_for_nothing():
    reading = read(element("stranger"), element(ADA, 404), element(ADA), cost=2)
    assert reading == Reading(
        (ItemReading(Matched(), 2, 1, (("uid", ADA),)),), unsolicited_answers=1
    )


def test_who_is_in_no_element_is_in_doubt_and_nobody_in_any_is_a_fault_of_the_provider():
    in_doubt = Unconfirmed("missing_from_answer")
    reading = read(element(ADA), items=(ADA, BOB))
    assert (outcomes(reading), reading.signal) == ([Matched(), in_doubt], None)
    reading = read(items=(ADA, BOB))
    assert (outcomes(reading), reading.signal) == ([in_doubt] * 2, Failing("nothing_answered"))


@pytest.mark.parametrize("data", [None, [], "hidden", True])
def test_a_match_without_a_profile_may_have_been_charged(data: object):
    assert outcomes(read(element(ADA, data=data))) == [Unconfirmed("matched_without_person")]


@pytest.mark.parametrize("body", [b"{}", b'{"status": 404}', b"<html>", b"", b"null"])
def test_what_is_no_list_may_have_been_charged(body: bytes):
    reading = read_reply(200, body, [ADA], None)
    assert outcomes(reading) == [Unconfirmed("malformed_body")]


@pytest.mark.parametrize(
    ("cost", "expected"), [(None, [1, 1]), (2, [1, 1]), (1, [1, 0]), (0, [0, 0]), (99, [1, 1])]
)
def test_matches_cost_what_the_header_says_and_a_credit_each_where_it_says_nothing(
    cost: int | None, expected: list[int]
):
    reading = read(element(ADA), element(BOB), items=(ADA, BOB), cost=cost)
    assert [item.units for item in reading.items] == expected


# --- what of it is shown -------------------------------------------------------------------

PERSON = {
    "id": "p_0000",
    "full_name": "Ada Example",
    "headline": "CTO",
    "linkedin_url": "linkedin.com/in/ada",
    "location_name": "Paris, France",
    "work_email": "ada@acme.example",
    "personal_emails": ["ada@home.example"],
    "emails": [
        {"address": "ada@acme.example", "type": "current_professional"},
        {"address": "ada@home.example", "type": "personal"},
        {"address": "ada@old.example", "type": "professional"},
        {"address": "ada@unknown.example", "type": None},
    ],
    "mobile_phone": "+4915123456789",
    "phone_numbers": ["+4915123456789", "+493012345"],
    "job_company_website": "acme.example",
}
"""All that is shown."""


@pytest.fixture
def profiles():
    with profiles_read_by("peopledatalabs") as read_profiles:
        yield read_profiles


Profiles = Callable[[bytes], list[dict[str, Any]]]


def points(profile: dict[str, Any]) -> set[tuple[str, str, str]]:
    return {(each["field"], each["value"], each["status"]) for each in profile["contact_points"]}


def test_a_profile_reads_into_the_common_one(profiles: Profiles):
    job = {
        "title": {"name": "CTO"},
        "company": {"name": "Acme", "website": "acme.example", "industry": "Tools", "size": "1-10"},
        "start_date": "2024-03",
        "is_primary": True,
    }
    old = {"title": None, "company": {"name": "Brio"}, "start_date": None, "is_primary": False}
    [profile] = profiles(told(element(ADA, data={**PERSON, "experience": [job, old]})))
    assert profile["unreadable_part"] is None
    assert (profile["uid"], profile["full_name"]) == ("p_0000", "Ada Example")
    assert (profile["headline"], profile["location"]) == ("CTO", "Paris, France")
    assert profile["profile_urls"] == ["linkedin.com/in/ada"]
    assert points(profile) == {
        ("work_email", "ada@acme.example", "likely"),
        ("personal_email", "ada@home.example", "unverified"),
        ("mobile_phone", "+4915123456789", "unverified"),
        ("direct_phone", "+493012345", "unverified"),
    }
    assert {each["rating"] for each in profile["contact_points"]} == {"9"}
    assert profile["positions"] == [
        {
            "title": "CTO",
            "company_name": "Acme",
            "company_website": "acme.example",
            "company_industry": "Tools",
            "company_employee_count": "1-10",
            "started": "2024-03",
            "is_current": True,
        },
        {
            "title": None,
            "company_name": "Brio",
            "company_website": None,
            "company_industry": None,
            "company_employee_count": None,
            "started": None,
            "is_current": False,
        },
    ]


@pytest.mark.parametrize(
    ("address", "website", "likelihood", "least", "status"),
    [
        ("ada@acme.example", "acme.example", 8, 8, "likely"),
        ("ADA@Acme.example", "https://www.ACME.example/about", 10, 8, "likely"),
        ("ada@eu.acme.example", "acme.example", 8, 8, "likely"),
        ("ada@notacme.example", "acme.example", 10, 8, "unverified"),
        ("ada@acme.example", "eu.acme.example", 10, 8, "unverified"),
        ("ada@acme.example", None, 10, 8, "unverified"),
        ("ada@acme.example", "", 10, 8, "unverified"),
        # less sure than was asked for, and what does not say how sure it is
        ("ada@acme.example", "acme.example", 7, 8, "unverified"),
        ("ada@acme.example", "acme.example", None, 8, "unverified"),
        ("ada@acme.example", "acme.example", 10, None, "unverified"),
    ],
)
def test_an_address_is_likely_at_the_persons_own_company_and_never_verified(
    address: str,
    website: str | None,
    likelihood: int | None,
    least: int | None,
    status: str,
    profiles: Profiles,
):
    person = {"work_email": address, "job_company_website": website}
    metadata = {"row": row_key(ADA), "min_likelihood": least}
    answer = element(ADA, data=person, likelihood=likelihood, metadata=metadata)
    [profile] = profiles(told(answer))
    assert points(profile) == {("work_email", address, status)}


HIDDEN = dict.fromkeys(
    ("work_email", "personal_emails", "emails", "mobile_phone", "phone_numbers"), True
)


@pytest.mark.parametrize("shown", [True, False])
def test_a_boolean_is_no_value_and_no_identifier(shown: bool, profiles: Profiles):
    person = PERSON | dict.fromkeys(HIDDEN, shown) | {"location_name": shown}
    body = told(element(ADA, data=person))
    [profile] = profiles(body)
    assert profile["unreadable_part"] is None
    assert (profile["contact_points"], profile["location"]) == ([], None)
    [item] = read_reply(200, body, [ADA], 1).items
    assert set(item.identifiers) == {("uid", "p_0000"), ("linkedin", "linkedin.com/in/ada")}


def test_a_person_goes_by_what_is_their_own_now():
    """Not by an address of a former job, nor by a phone that may be a switchboard's."""
    [item] = read(element(ADA, data=PERSON)).items
    assert set(item.identifiers) == {
        ("uid", "p_0000"),
        ("linkedin", "linkedin.com/in/ada"),
        ("email", "ada@acme.example"),
        ("email", "ada@home.example"),
        ("phone", "+4915123456789"),
    }


def test_where_no_job_is_listed_as_held_the_current_one_is_told_beside_the_list(
    profiles: Profiles,
):
    person = {
        "job_title": "CTO",
        "job_company_name": "Acme",
        "job_company_website": "acme.example",
        "experience": None,
    }
    [profile] = profiles(told(element(ADA, data=person)))
    [position] = profile["positions"]
    assert (position["title"], position["company_name"]) == ("CTO", "Acme")
    assert (position["company_website"], position["is_current"]) == ("acme.example", True)


@pytest.mark.parametrize(
    ("person", "part"),
    [
        ({"work_email": ["ada@acme.example"]}, "one of its texts"),
        ({"full_name": {"first": "Ada"}}, "one of its texts"),
        ({"experience": {"title": "CTO"}}, "one of its lists"),
        ({"personal_emails": "ada@home.example"}, "one of its lists"),
        ({"emails": ["ada@home.example"]}, "an entry of its lists"),
        ({"personal_emails": [{"address": "ada@home.example"}]}, "a value in its lists"),
    ],
)
def test_what_has_another_shape_is_told(person: dict[str, object], part: str, profiles: Profiles):
    [profile] = profiles(told(element(ADA, data=person)))
    assert profile["unreadable_part"] == part


def test_answers_are_cut_as_they_are_counted_and_join_into_the_same():
    cut = cut_by("peopledatalabs")
    body = told(element(BOB, 404), "junk", element(ADA))
    answers = cut(body)
    places = [item.answer_index for item in read_reply(200, body, [ADA, BOB], None).items]
    assert [json.loads(answers[place])["status"] for place in places if place is not None] == [
        200,
        404,
    ]
    assert cut(join_list(answers)) == answers
    assert cut(b'{"status": 404}') == cut(b"no JSON") == {}


# --- over HTTP -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"x-ratelimit-reset": "2026-01-02T00:00:42Z"}, 42),
        ({"x-ratelimit-reset": "2026-01-02T01:00:42+01:00"}, 42),
        ({"x-ratelimit-reset": "2026-01-02 00:00:42"}, 42),
        ({"x-ratelimit-reset": str(int(NOW.timestamp()) + 42)}, 42),
        ({"x-ratelimit-reset": "Fri, 02 Jan 2026 00:00:42 GMT"}, 42),
        ({"x-ratelimit-reset": "2026-01-01T23:59:00Z"}, 0),
        ({"x-ratelimit-reset": "2036-01-01T00:00:00Z"}, 86_400),
        ({"x-ratelimit-reset": "9" * 30}, None),
        ({"x-ratelimit-reset": "soon", "retry-after": "7"}, 7),
    ],
)
def test_the_end_of_the_window_says_how_long_to_wait(headers: dict[str, str], seconds: int | None):
    expected = None if seconds is None else timedelta(seconds=seconds)
    assert pause_told(headers, NOW) == expected


def test_credits_count_only_where_they_are_of_the_pool_of_look_ups():
    headers = {"x-call-credits-spent": "3", "x-totallimit-remaining": "97"}
    for pool in ({}, {"x-call-credits-type": "enrich"}, {"x-call-credits-type": "Enrich "}):
        assert (cost_told(headers | pool), credits_told(headers | pool)) == (3, 97)
    search = headers | {"x-call-credits-type": "search"}
    assert (cost_told(search), credits_told(search)) == (None, None)
    assert cost_told({"x-call-credits-spent": "-1"}) is None


def answered_by(response: httpx.Response, **options: int) -> tuple[PeopleDataLabsClient, list[Any]]:
    """A client whose every request is answered so, and the requests."""
    requests: list[Any] = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return response

    transport = httpx.MockTransport(answer)
    url = "http://peopledatalabs.invalid/v5"
    return PeopleDataLabsClient(url, "key", transport=transport, **options), requests


def balance_of(response: httpx.Response) -> Balance:
    client, requests = answered_by(response)

    async def ask() -> Balance:
        try:
            return await client.balance()
        finally:
            await client.close()

    balance = asyncio.run(ask())
    assert [(each.method, each.url.path) for each in requests] == [("HEAD", "/v5/person/enrich")]
    return balance


def test_the_balance_is_read_off_the_headers_of_an_error():
    headers = {"x-totallimit-remaining": "99", "date": "Fri, 02 Jan 2026 00:00:00 GMT"}
    for status in (400, 404, 402, 200):
        assert balance_of(httpx.Response(status, headers=headers)) == Balance(99, NOW)


def test_no_balance_and_a_wrong_key_are_told_apart():
    with pytest.raises(WrongKeyError):
        balance_of(httpx.Response(401, headers={"x-totallimit-remaining": "99"}))
    with pytest.raises(ProviderUnavailableError):
        balance_of(httpx.Response(400))


def test_a_request_bears_the_least_likelihood_and_a_reply_what_it_cost():
    headers = {"x-call-credits-spent": "1", "x-totallimit-remaining": "98"}
    client, requests = answered_by(
        httpx.Response(200, json=[element(ADA)], headers=headers), min_likelihood=3
    )

    async def ask() -> Any:
        try:
            return await client.lookup([ADA])
        finally:
            await client.close()

    reply = asyncio.run(ask())
    assert (reply.units_told, reply.credits_left) == (1, 98)
    [request] = requests
    assert (request.method, request.url.path) == ("POST", "/v5/person/bulk")
    assert "gzip" in request.headers["accept-encoding"]
    assert json.loads(request.content) == question([ADA], 3)


# --- what has changed ----------------------------------------------------------------------

OLD, NEW = "qEnOZ5Oh0poWnQ1luFBfVw_0000", "tMJIEibzvrMffGkZaDUXbA_0000"


def log(**lists: object) -> bytes:
    data = {"type": None, "origin_version": "33.0", "current_version": "33.1", **lists}
    return json.dumps({"status": 200, "data": data}).encode()


def about(uid: str, **told: object) -> dict[str, object]:
    return {"id": uid, "additional_metadata": told or None}


def changed(body: bytes, *uids: str) -> list[object]:
    return outcomes(read_changes_reply(200, body, uids or (OLD,)))


def test_releases_follow_each_other_month_by_month_and_quarter_by_quarter():
    assert [next_release(each) for each in ("33.0", "33.1", "33.2", "v33.2", " 33.0")] == [
        *("33.1", "33.2", "34.0", "34.0", "33.1")
    ]
    for none in ("", "33", "33.3", "3.10", "x.1", "33.0.1"):
        assert next_release(none) is None


def test_it_is_asked_what_a_release_has_done_since_the_one_before():
    assert changes_question((OLD, NEW, OLD), "34.0") == {
        "origin_version": "33.2",
        "current_version": "34.0",
        "ids": [OLD, NEW],
    }


@pytest.mark.parametrize(
    ("lists", "outcome"),
    [
        ({}, Unchanged()),
        ({"updated": []}, Unchanged()),
        ({"updated": [about(NEW)]}, Unchanged()),
        ({"updated": [about(OLD.lower())]}, Unchanged()),  # another one: case counts
        ({"updated": [about(OLD)]}, Changed()),
        ({"updated": [about(OLD, fields_updated=[])]}, Changed()),
        ({"updated": [about(OLD, fields_updated="skills")]}, Changed()),
        ({"updated": [about(OLD, fields_updated=["skills", "num_sources"])]}, Unchanged()),
        ({"updated": [about(OLD, fields_updated=["skills", "job_title"])]}, Changed()),
        ({"updated": [about(OLD, fields_updated=["experience.title"])]}, Changed()),
        ({"added": [about(OLD)]}, Changed()),
        ({"merged": [about(OLD, to=[NEW])]}, Changed()),
        ({"deleted": [about(OLD)]}, LegalStop("deleted")),
        ({"opted_out": [{"id": OLD}]}, LegalStop("opted_out")),
        ({"updated": [about(OLD)], "opted_out": [about(OLD)]}, LegalStop("opted_out")),
    ],
)
def test_what_the_changelog_says_of_a_profile(lists: dict[str, object], outcome: object):
    assert changed(log(**lists)) == [outcome]


def test_who_opted_out_never_passes_for_unchanged_in_what_cannot_be_read():
    for lists in (
        {"opted_out": {"id": OLD}},
        {"opted_out": [OLD]},
        {"opted_out": [{"person": OLD}]},
        {"opted_out": [about(NEW)], "deleted": "none"},
    ):
        assert changed(log(**lists)) == [Retriable("malformed_body")]
    for body in (b"", b"[]", b"{}", b'{"status": 200}', b'{"data": {}}', b'{"data": []}'):
        assert changed(body) == [Retriable("malformed_body")]


def test_a_reply_that_is_cut_off_tells_nothing_of_those_who_are_not_in_it():
    many = [about(str(number)) for number in range(1000)]
    assert changed(log(updated=many, scroll_token="more"), "7", OLD) == [
        Changed(),
        Retriable("cut_off"),
    ]
    assert changed(log(updated=many, scroll_token=None), OLD) == [Unchanged()]
    assert changed(log(updated=many[:9], scroll_token="more"), OLD) == [Unchanged()]


def test_who_was_merged_is_known_by_the_new_id():
    for to, known_by in (([NEW], (("uid", NEW),)), (NEW, (("uid", NEW),)), ([NEW, OLD], ())):
        [item] = read_changes_reply(200, log(merged=[about(OLD, to=to)]), (OLD,)).items
        assert item.identifiers == known_by


def test_the_sql_reads_the_new_ids_off_the_same_replies():
    sql = (files(peopledatalabs) / "read_changes.sql").read_text()
    merges = [
        about(OLD, to=[NEW]),
        about("2", to=NEW),
        about("3", to=[NEW, OLD]),
        about("4"),
        {"id": "5"},
        about("6", to=[]),
    ]
    with duckdb.connect() as connection:
        connection.execute("create temp table unread_changes (reply_id varchar, body varchar)")
        for number, body in enumerate((log(merged=merges), log(), b"no JSON", b"[]", b"{}")):
            connection.execute("insert into unread_changes values (?, ?)", [number, body.decode()])
        connection.execute(sql)
        rows = connection.execute("from read_changes order by uid").fetchall()
    moved = {"2": NEW, OLD: NEW}
    assert rows == [("0", uid, moved.get(uid)) for uid in ("2", "3", "4", "5", "6", OLD)]


def test_what_is_read_of_a_profile_is_what_counts_as_its_change():
    sql = (files(peopledatalabs) / "read_profiles.sql").read_text()
    shape = re.search(r"macro peopledatalabs_answer\(\) as '(.*?)';", sql, re.DOTALL)
    assert shape is not None
    assert set(json.loads(shape[1])["data"]) - {"dataset_version"} == READ_FIELDS


def test_a_question_about_changes_draws_on_nobodys_credits():
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/v5/person/changelog"
        headers = {"x-totallimit-remaining": "5", "x-call-credits-spent": "0"}
        return httpx.Response(200, content=log(), headers=headers)

    async def ask() -> Any:
        client = PeopleDataLabsClient(
            "http://unused.invalid/v5", "key", transport=httpx.MockTransport(answer)
        )
        try:
            return await client.changes([OLD], "33.1")
        finally:
            await client.close()

    reply = asyncio.run(ask())
    assert (reply.http_status, reply.credits_left, reply.units_told) == (200, None, None)
