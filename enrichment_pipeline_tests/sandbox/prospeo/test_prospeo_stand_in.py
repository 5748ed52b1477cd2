"""What Prospeo's stand-in answers, refuses, charges and counts, and how each setting changes it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from enrichment_pipeline.sandbox.account import Account
from enrichment_pipeline.sandbox.directory import Person
from enrichment_pipeline.sandbox.prospeo.config import ProspeoConfig
from enrichment_pipeline_tests.sandbox import ADA, BOB, Clock, journal_lines, people_in
from enrichment_pipeline_tests.sandbox.prospeo import NOW, error_of, start

BY_EMAIL = {"email": ADA["work_email"]}
BY_PROFILE = {"linkedin_url": "linkedin.com/in/Ada-Example/"}
BY_NAME = {"full_name": "EXAMPLE Ada", "company_website": "https://www.acme.example/about"}
BOB_BY_EMAIL = {"email": BOB["work_email"]}
NOBODY = {"email": "nobody@acme.example"}
TOO_LITTLE = {"full_name": "Ada Example"}


@pytest.fixture
def people(tmp_path: Path) -> list[Person]:
    return people_in(tmp_path)


def lists_of(response: Any) -> tuple[list[str], list[str], list[str]]:
    document = response.json()
    assert (response.status_code, document["error"]) == (200, False)
    matched = [each["identifier"] for each in document["matched"]]
    return matched, document["not_matched"], document["invalid_datapoints"]


# --- answers -------------------------------------------------------------------------------


def test_each_record_stands_in_one_list_by_its_identifier(people: list[Person]) -> None:
    response = start(people).enrich(NOBODY, BY_EMAIL, TOO_LITTLE)
    assert lists_of(response) == (["2"], ["1"], ["3"])
    document = response.json()
    assert document["total_cost"] == 1
    [match] = document["matched"]
    assert match["free_enrichment"] is False
    assert match["person"]["full_name"] == "Ada Example"
    assert match["person"]["email"] == {
        "status": "VERIFIED",
        "revealed": True,
        "email": "ada@acme.example",
        "verification_method": "SMTP",
        "email_mx_provider": "Google",
    }
    assert match["company"]["website"] == "https://acme.example"
    [job] = match["person"]["job_history"]
    assert (job["current"], job["start_year"], job["start_month"]) == (True, 2020, 3)


@pytest.mark.parametrize(
    "record",
    [
        BY_EMAIL,
        BY_PROFILE,
        BY_NAME,
        {"first_name": "Ada", "last_name": "Example", "company_name": "ACME"},
    ],
)
def test_a_person_is_found_by_whatever_names_them(
    people: list[Person], record: dict[str, str]
) -> None:
    found = start(people).enrich(record).json()["matched"][0]["person"]
    assert found["full_name"] == "Ada Example"
    again = start(people).enrich({"person_id": found["person_id"]})
    assert again.json()["matched"][0]["person"] == found


def test_who_has_no_verified_email_is_only_matched_where_none_is_asked_for(
    people: list[Person],
) -> None:
    by_name = {"full_name": "Cem Example", "company_name": "Brio"}
    assert lists_of(start(people).enrich(by_name)) == ([], ["1"], [])
    api = start(people, verified=0.0)
    assert lists_of(api.enrich(BY_EMAIL)) == ([], ["1"], [])
    response = api.enrich(BY_EMAIL, by_name, only_verified_email=False)
    statuses = [each["person"]["email"]["status"] for each in response.json()["matched"]]
    assert statuses == ["UNVERIFIED", "UNAVAILABLE"]


def test_a_mobile_phone_is_masked_unless_it_is_paid_for(people: list[Person]) -> None:
    api = start(people)
    masked = api.enrich(BY_EMAIL).json()["matched"][0]["person"]["mobile"]
    assert (masked["revealed"], "*" in masked["mobile"]) == (False, True)
    response = api.enrich(BY_EMAIL, enrich_mobile=True).json()
    assert response["total_cost"] == 10
    shown = response["matched"][0]["person"]["mobile"]
    assert (shown["revealed"], shown["mobile"]) == (True, "+49 151 1234567")
    assert api.credits() == 100_000 - 11


def test_lists_may_be_in_another_order(people: list[Person]) -> None:
    records = [{"email": f"nobody-{n}@acme.example"} for n in range(9)]
    _, missed, _ = lists_of(start(people, record_order="shuffled", per_second=9).enrich(*records))
    assert sorted(missed) == [str(n) for n in range(1, 10)] != missed


# --- refusals ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "records", "expected"),
    [
        ({"account_restricted": True}, [BY_EMAIL], "ACCOUNT_RESTRICTED"),
        ({"no_match_as": "error"}, [NOBODY], "NO_MATCH"),
        ({"bad_record_spoils_batch": True}, [TOO_LITTLE, BY_EMAIL], "INVALID_DATAPOINTS"),
        ({}, [TOO_LITTLE], "INVALID_DATAPOINTS"),
        ({"credits": 1}, [BY_EMAIL, BOB_BY_EMAIL], "INSUFFICIENT_CREDITS"),
        ({}, [], "INVALID_REQUEST"),
        ({}, [NOBODY] * 51, "INVALID_REQUEST"),
        ({}, [{**NOBODY, "identifier": "not alphanumeric"}], "INVALID_REQUEST"),
    ],
)
def test_everything_is_a_400(
    people: list[Person], settings: dict[str, Any], records: list[Any], expected: str
) -> None:
    api = start(people, **settings, per_second=1_000)
    left = settings.get("credits", 100_000)
    assert error_of(api.enrich(*records)) == (400, expected)
    if not settings.get("account_restricted"):
        assert api.credits() == left


def test_a_wrong_key_is_401_and_an_unknown_place_400(people: list[Person]) -> None:
    api = start(people)
    assert error_of(api.request("GET", "/nowhere")) == (400, "INVALID_REQUEST")
    assert error_of(api.request("GET", "/bulk-enrich-person")) == (400, "INVALID_REQUEST")
    broken = api.request("POST", "/bulk-enrich-person", content=b"{")
    assert error_of(broken) == (400, "INVALID_REQUEST")
    api.headers = {"x-key": "another"}
    assert error_of(api.enrich(BY_EMAIL)) == (401, "INVALID_API_KEY")
    assert error_of(api.request("GET", "/account-information")) == (401, "INVALID_API_KEY")


# --- charges -------------------------------------------------------------------------------


def test_a_match_is_charged_once_and_a_repeat_is_free(people: list[Person], tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    api = start(people, journal=journal)
    api.enrich(BY_EMAIL, NOBODY)
    for record in (BY_EMAIL, BY_PROFILE, BY_NAME):
        document = api.enrich(record).json()
        assert document["total_cost"] == 0
        assert document["matched"][0]["free_enrichment"] is True
    # also after a restart
    assert start(people, journal=journal).enrich(BY_EMAIL).json()["total_cost"] == 0
    [charge] = journal_lines(journal)
    assert (charge["item"], charge["credits"], charge["request"]) == ("ada@acme.example", 1, 1)
    assert start(people, journal=journal).credits() == 99_999


def test_a_repeat_may_be_charged_all_the_same(people: list[Person]) -> None:
    api = start(people, charge_repeats=True)
    assert [api.enrich(BY_EMAIL).json()["total_cost"] for _ in range(2)] == [1, 1]
    assert api.credits() == 99_998


def test_a_repeat_may_be_free_for_some_days_only() -> None:
    now = [NOW]
    account = Account(
        {"credits": 9},
        charge_repeats=False,
        journal=None,
        wall_clock=lambda: now[0],
        free_for=timedelta(days=90),
    )
    assert account.hold("credits", "ada", "ada", 1) is not None
    now[0] += timedelta(days=89)
    assert account.hold("credits", "ada", "ada", 2) is None
    now[0] += timedelta(days=1)
    assert account.hold("credits", "ada", "ada", 3) is not None


def test_what_was_paid_for_less_is_no_repeat_of_what_costs_more() -> None:
    account = Account({"c": 99}, charge_repeats=False, journal=None, wall_clock=lambda: NOW)
    account.hold("c", "ada", "ada", 1)
    assert account.hold("c", "ada", "ada", 2, 10) is not None
    assert account.hold("c", "ada", "ada", 3, 1) is None


def test_whether_a_match_was_free_need_not_be_told(people: list[Person]) -> None:
    document = start(people, marks_free=False).enrich(BY_EMAIL).json()
    assert "free_enrichment" not in document["matched"][0]


def test_credits_may_run_out_within_a_request(people: list[Person]) -> None:
    api = start(people, credits=1, short_of_credits="missing")
    assert lists_of(api.enrich(BY_EMAIL, BOB_BY_EMAIL, NOBODY)) == (["1"], ["3"], [])
    assert api.credits() == 0
    # what costs nothing needs none
    assert lists_of(api.enrich(BY_EMAIL)) == (["1"], [], [])


def test_the_charge_may_come_after_the_answer(people: list[Person], tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    api = start(people, journal=journal, charge_when="after_response")
    api.enrich(BY_EMAIL)
    assert len(journal_lines(journal)) == 1


# --- limits --------------------------------------------------------------------------------


def test_each_record_counts_and_a_refused_request_does_not(people: list[Person]) -> None:
    clock = Clock()
    api = start(people, clock=clock, per_second=5, per_minute=8)
    assert error_of(api.enrich(*[NOBODY] * 6)) == (429, "RATE_LIMITED")
    assert error_of(api.enrich(TOO_LITTLE)) == (400, "INVALID_DATAPOINTS")
    assert api.enrich(*[NOBODY] * 5).status_code == 200
    assert error_of(api.enrich(NOBODY)) == (429, "RATE_LIMITED")
    clock.seconds += 1
    assert error_of(api.enrich(*[NOBODY] * 4)) == (429, "RATE_LIMITED")
    response = api.enrich(*[NOBODY] * 3)
    told = {name: value for name, value in response.headers.items() if name.startswith("x-")}
    assert told == {
        "x-second-rate-limit": "5",
        "x-minute-rate-limit": "8",
        "x-daily-rate-limit": "2000",
        "x-minute-request-left": "0",
        "x-minute-reset-seconds": "59",
        "x-daily-request-left": "1992",
        "x-daily-reset-seconds": "86399",
    }
    clock.seconds += 59
    assert api.enrich(*[NOBODY] * 5).status_code == 200


def test_the_day_rolls(people: list[Person]) -> None:
    clock = Clock()
    api = start(people, clock=clock, per_day=3)
    api.enrich(NOBODY, NOBODY, NOBODY)
    clock.seconds += 86_399
    response = api.enrich(NOBODY)
    assert error_of(response) == (429, "RATE_LIMITED")
    assert response.headers["x-daily-request-left"] == "0"
    assert response.headers["x-daily-reset-seconds"] == "1"
    clock.seconds += 1
    assert api.enrich(NOBODY).status_code == 200


def test_the_second_may_count_requests_and_a_refused_one_may_count(people: list[Person]) -> None:
    api = start(people, per_second=2, second_counts="requests")
    assert api.enrich(*[NOBODY] * 50).status_code == 200
    api = start(people, per_minute=5, refused_counts=True)
    assert error_of(api.enrich(TOO_LITTLE)) == (400, "INVALID_DATAPOINTS")
    assert error_of(api.enrich(*[NOBODY] * 5)) == (429, "RATE_LIMITED")


def test_headers_may_be_missing(people: list[Person]) -> None:
    response = start(people, rate_headers=False, per_minute=1).enrich(NOBODY, NOBODY)
    assert response.status_code == 429
    assert not [name for name in response.headers if name.startswith("x-")]


# --- faults --------------------------------------------------------------------------------


def test_half_of_the_failures_come_after_the_charge(people: list[Person]) -> None:
    charged = set()
    for seed in range(12):
        api = start(people, faults={"internal_error": 1.0}, seed=seed)
        assert error_of(api.enrich(BY_EMAIL)) == (400, "INTERNAL_ERROR")
        charged.add(100_000 - api.credits())
    assert charged == {0, 1}


def test_the_other_faults(people: list[Person]) -> None:
    api = start(people, faults={"slow_down": 1.0})
    assert error_of(api.enrich(BY_EMAIL)) == (429, "RATE_LIMITED")
    api = start(people, faults={"missing": 1.0})
    assert lists_of(api.enrich(BY_EMAIL)) == ([], [], [])
    assert api.credits() == 99_999
    email = (
        start(people, faults={"masked": 1.0})
        .enrich(BY_EMAIL)
        .json()["matched"][0]["person"]["email"]
    )
    assert (email["status"], email["revealed"], email["email"]) == (
        "VERIFIED",
        False,
        "a*****@acme.example",
    )
    assert "total_cost" not in start(people, faults={"no_total_cost": 1.0}).enrich(BY_EMAIL).json()


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"credits": -1}, "credits"),
        ({"day_seconds": 0}, "day_seconds"),
        ({"no_match_as": "maybe"}, "no_match_as"),
        ({"api_key": ""}, "api_key"),
        ({"known": 1.5}, "known"),
        ({"faults": {"late": 0.5}}, "late"),
        ({"faults": {"torn": 2}}, "torn"),
    ],
)
def test_a_setting_out_of_range_is_refused_by_name(settings: dict[str, Any], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        ProspeoConfig(**settings)
