"""The endpoints: what is answered, every code and error body, every setting of an answer."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from enrichment_pipeline.sandbox.signalhire.config import SandboxConfig
from enrichment_pipeline.sandbox.signalhire.people import People
from enrichment_pipeline_tests.sandbox import Clock
from enrichment_pipeline_tests.sandbox.signalhire import (
    LINKEDIN_OF_ADA,
    UID_OF_ADA,
    UID_OF_BOB,
    Api,
    crowd,
    some_people,
    start,
    statuses,
)

ADA, BOB, NOBODY = "ada@acme.example", "bob@brio.example", "nobody@acme.example"


@pytest.fixture
def people(tmp_path: Path) -> People:
    return some_people(tmp_path)


# What is found


def test_a_found_person_is_answered_with_the_documented_candidate(people: People) -> None:
    response = start(people).search(ADA)
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert response.json() == [
        {
            "item": ADA,
            "status": "success",
            "candidate": {
                "uid": UID_OF_ADA,
                "fullName": "Ada Example",
                "gender": None,
                "photo": None,
                "headLine": None,
                "summary": None,
                "locations": [],
                "skills": [],
                "contacts": [
                    {"type": "email", "value": ADA, "rating": 70, "subType": "work"},
                    {
                        "type": "phone",
                        "value": "+49 151 1234567",
                        "rating": 100,
                        "subType": "mobile",
                    },
                ],
                "social": [{"type": "li", "link": LINKEDIN_OF_ADA, "rating": 100}],
                "experience": [
                    {
                        "position": "CTO",
                        "location": None,
                        "current": True,
                        "started": None,
                        "ended": None,
                        "company": "Acme",
                        "summary": None,
                        "companyUrl": None,
                        "companyId": None,
                        "companySize": None,
                        "staffCount": None,
                        "industry": None,
                        "website": "https://www.acme.example",
                    }
                ],
                "education": [],
                "language": [],
                "organization": [],
            },
        }
    ]


def test_kinds_of_items_may_be_mixed_and_each_is_echoed_as_sent(people: People) -> None:
    items = [
        f"  {ADA.upper()} ",
        "de.linkedin.com/in/ADA-example/?x=1",
        "+4915 1123-4567",
        UID_OF_BOB,
    ]
    answers = start(people).search(*items).json()
    assert [answer["item"] for answer in answers] == items
    assert [answer["candidate"]["uid"] for answer in answers] == [UID_OF_ADA] * 3 + [UID_OF_BOB]


def test_nobody_and_a_name_have_failed_without_a_candidate(people: People) -> None:
    answers = start(people).search(NOBODY, "Ada Example").json()
    assert answers == [
        {"item": NOBODY, "status": "failed"},
        {"item": "Ada Example", "status": "failed"},
    ]


def test_items_that_are_no_plain_text_are_echoed_unharmed(people: People) -> None:
    items = ['"quoted" \\ line\nend', "Zoë 東京", "\ud800", ""]
    answers = start(people).request(
        "POST",
        "/api/v1/candidate/search",
        content='{"items":["\\"quoted\\" \\\\ line\\nend","Zoë 東京","\\ud800",""],'
        '"withoutWaterfall":true}'.encode(),
    )
    assert [answer["item"] for answer in answers.json()] == items


# Codes and error bodies


@pytest.mark.parametrize("key", [None, "", "wrong", "sandboxx", "Sandbox"])
@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/api/v1/candidate/search"), ("GET", "/api/v1/credits"), ("GET", "/elsewhere")],
)
def test_without_the_right_key_nothing_is_answered(
    people: People, key: str | None, method: str, path: str
) -> None:
    api = Api(start(people, credits=27).app, api_key=key)
    response = api.request(method, path)
    assert (response.status_code, response.headers["X-Credits-Left"]) == (401, "27")
    assert response.json() == {"error": "The API key is missing or wrong"}


def test_the_key_is_a_setting(people: People) -> None:
    assert start(people, api_key="other").search(ADA).status_code == 200


def test_a_disabled_account_is_refused(people: People) -> None:
    api = start(people, account_disabled=True)
    for response in (api.search(ADA), api.request("GET", "/api/v1/credits")):
        assert response.status_code == 403
        assert response.json() == {"error": "The account is disabled"}
    assert Api(api.app, api_key="wrong").search(ADA).status_code == 401


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/nothing"),
        ("GET", "/"),
        ("GET", "/api/v1/credits/"),
        ("GET", "/api/v1/candidate/search"),
        ("POST", "/api/v1/credits"),
        ("POST", "/candidate/search"),
    ],
)
def test_an_unknown_endpoint_is_404(people: People, method: str, path: str) -> None:
    response = start(people).request(method, path)
    assert response.status_code == 404
    assert response.json() == {"error": "There is no such endpoint"}


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe{}\x00", b"[" * 100_000])
def test_invalid_json_is_404(people: People, content: bytes) -> None:
    response = start(people).request("POST", "/api/v1/candidate/search", content=content)
    assert response.status_code == 404
    assert response.json() == {"error": "The body is not valid JSON"}


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ([], "The body must be a JSON object"),
        ({"withoutWaterfall": True}, "items must be a list of 1 to 100 strings"),
        ({"withoutWaterfall": True, "items": []}, "items must be a list of 1 to 100 strings"),
        ({"withoutWaterfall": True, "items": ADA}, "items must be a list of 1 to 100 strings"),
        ({"withoutWaterfall": True, "items": [1]}, "items must be a list of 1 to 100 strings"),
        ({"items": [ADA]}, "Either callbackUrl or withoutWaterfall: true is required"),
        (
            {"items": [ADA], "withoutWaterfall": False},
            "Either callbackUrl or withoutWaterfall: true is required",
        ),
        ({"items": [ADA], "withoutWaterfall": 1}, "withoutWaterfall must be true or false"),
        (
            {"items": [ADA], "withoutWaterfall": True, "withoutContacts": "yes"},
            "withoutContacts must be true or false",
        ),
    ],
)
def test_wrong_parameters_are_422(people: People, body: Any, sentence: str) -> None:
    response = start(people).post(body)
    assert (response.status_code, response.json()) == (422, {"error": sentence})


@pytest.mark.parametrize(
    "callback_url",
    [
        "",
        "/callback",
        "//host/callback",
        "ftp://host/callback",
        "http://",
        "http:///callback",
        "http://:80/callback",
        "http://[::1",
        "http://host:99999/callback",
        "http://host/\ud800",
        "http://host\n/",
        f"http://{'a' * 64}/",
        7,
        ["http://host/"],
    ],
)
def test_a_callback_url_that_nobody_can_post_to_is_422(people: People, callback_url: Any) -> None:
    response = start(people).request(
        "POST",
        "/api/v1/candidate/search",
        content=json.dumps({"items": [ADA], "callbackUrl": callback_url}),
    )
    assert response.status_code == 422
    assert response.json() == {"error": "callbackUrl must be an http or https URL with a host"}


def test_both_modes_at_once_are_406(people: People) -> None:
    response = start(people).search(ADA, callbackUrl="http://127.0.0.1/")
    assert response.status_code == 406
    assert response.json() == {"error": "Give either callbackUrl or withoutWaterfall, not both"}


def test_a_batch_may_have_100_items_and_no_more() -> None:
    api = start(crowd(0))
    assert statuses(api.search(*["x"] * 100)) == ["failed"] * 100
    response = api.search(*["x"] * 101)
    assert response.status_code == 406
    assert response.json() == {"error": "Maximum 100 items are allowed in one request"}


@pytest.mark.parametrize("limit", [600, 5])
def test_over_the_limit_of_items_is_429_with_the_limit(limit: int) -> None:
    api = start(crowd(0), items_per_window=limit)
    for _ in range(limit // 5):
        api.search(*["x"] * 5)
    response = api.search("x")
    assert response.status_code == 429
    assert response.json() == {"error": f"Limit of {limit} items per minute is exceeded"}
    assert "Retry-After" not in response.headers


def test_without_any_credits_a_search_is_402(people: People) -> None:
    response = start(people, credits=0).search(ADA)
    assert (response.status_code, response.headers["X-Credits-Left"]) == (402, "0")
    assert response.json() == {"error": "There are no credits left"}


def test_a_failure_of_the_sandbox_is_500_in_the_same_form(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_people: People, _identifier: str) -> None:
        raise RuntimeError

    monkeypatch.setattr(People, "find", fail)
    response = start(people, credits=27).search(ADA)
    assert (response.status_code, response.headers["X-Credits-Left"]) == (500, "27")
    assert response.json() == {"error": "The sandbox failed; its own log says how"}


# Credits


def test_a_match_costs_one_credit_and_a_miss_none(people: People) -> None:
    api = start(people, credits=10)
    assert api.search(ADA, NOBODY, BOB, "Ada Example").headers["X-Credits-Left"] == "8"
    assert api.credits() == 8


def test_credits_that_run_out_within_a_batch_leave_the_rest_unprocessed(people: People) -> None:
    api = start(people, credits=1)
    assert statuses(api.search(NOBODY, ADA, BOB, NOBODY)) == [
        "failed",
        "success",
        "credits_are_over",
        "credits_are_over",
    ]
    assert api.credits() == 0
    assert api.search(NOBODY).status_code == 402


def test_credits_left_is_in_every_response(people: People) -> None:
    api = start(people, credits=27)
    responses = [
        api.request("GET", "/api/v1/credits"),
        api.request("GET", "/nowhere"),
        api.search(NOBODY),
        api.search(),
        api.search(*["x"] * 101),
        api.search(ADA, callbackUrl="http://127.0.0.1/"),
    ]
    assert [response.headers["X-Credits-Left"] for response in responses] == ["27"] * 6


def test_the_pool_without_contacts_is_another_one(people: People) -> None:
    api = start(people, credits=10, credits_without_contacts=5)
    response = api.search(ADA, withoutContacts=True)
    assert response.headers["X-Credits-Left"] == "4"
    candidate = response.json()[0]["candidate"]
    assert (candidate["contacts"], candidate["fullName"]) == ([], "Ada Example")
    assert (api.credits(), api.credits("?withoutContacts=true")) == (10, 4)
    assert api.credits("?withoutContacts=false") == 10


def test_an_empty_pool_does_not_close_the_other(people: People) -> None:
    api = start(people, credits=0)
    assert api.search(ADA).status_code == 402
    assert statuses(api.search(ADA, withoutContacts=True)) == ["success"]


def test_requests_that_arrive_together_cannot_spend_a_credit_twice() -> None:
    api = start(crowd(40), credits=25, latency_ms=1)

    async def ask_all() -> list[Any]:
        requests = (
            api._request(
                "POST",
                "/api/v1/candidate/search",
                json={"items": [f"person-{n}@crowd.example"], "withoutWaterfall": True},
            )
            for n in range(40)
        )
        return await asyncio.gather(*requests)

    codes = sorted(response.status_code for response in asyncio.run(ask_all()))
    assert codes == [200] * 25 + [402] * 15
    assert api.credits() == 0


# Settings


def test_ratings_may_be_strings(people: People) -> None:
    candidate = start(people, rating_as_string=True).search(ADA).json()[0]["candidate"]
    assert [contact["rating"] for contact in candidate["contacts"]] == ["70", "100"]
    assert candidate["social"][0]["rating"] == "100"


def test_the_order_of_items_may_be_shuffled_the_same_way_for_one_seed() -> None:
    items = [f"item {n}" for n in range(100)]

    def order(**settings: Any) -> list[str]:
        answers = start(crowd(0), **settings).search(*items).json()
        return [answer["item"] for answer in answers]

    assert order() == items
    shuffled = order(item_order="shuffled", seed=1)
    assert shuffled != items
    assert sorted(shuffled) == sorted(items)
    assert shuffled == order(item_order="shuffled", seed=1)
    assert shuffled != order(item_order="shuffled", seed=2)


def test_a_shuffled_answer_keeps_item_and_candidate_together() -> None:
    api = start(crowd(100), item_order="shuffled")
    answers = api.search(*[f"person-{n}@crowd.example" for n in range(100)]).json()
    for answer in answers:
        number = int(answer["item"].removeprefix("person-").removesuffix("@crowd.example"))
        assert answer["candidate"]["uid"] == f"{number:032x}"


def test_the_echo_may_be_normalised(people: People) -> None:
    items = [f" {ADA.upper()}", "http://de.linkedin.com/in/Nobody/?x=1", "+49 (151) 1", " A Name "]
    answers = start(people, echo_normalised=True).search(*items, "+49 151 1234567").json()
    assert [answer["item"] for answer in answers] == [
        ADA,
        "https://www.linkedin.com/in/nobody",
        "+49 (151) 1",  # too short for a phone number, so of no known kind
        "A Name",
        "+491511234567",
    ]


def test_a_bad_item_may_spoil_its_batch(people: People) -> None:
    api = start(people, bad_item_spoils_batch=True)
    response = api.search(ADA, "Ada Example")
    assert response.status_code == 422
    assert response.json() == {
        "error": "Each item must be a LinkedIn profile URL, an e-mail, a phone number or a UID"
    }
    assert api.credits() == 100_000
    assert statuses(api.search(ADA, NOBODY)) == ["success", "failed"]


def test_the_same_query_is_answered_again_where_no_window_is_set(people: People) -> None:
    api = start(people)
    assert statuses(api.search(ADA, ADA)) == ["success", "success"]
    assert statuses(api.search(ADA)) == ["success"]


def test_the_same_query_within_the_window_is_a_duplicate_and_costs_nothing(people: People) -> None:
    clock = Clock()
    api = start(people, clock=clock, duplicate_query_seconds=30, credits=10)
    assert statuses(api.search(ADA, ADA.upper(), NOBODY)) == [
        "success",
        "duplicate_query",
        "failed",
    ]
    clock.seconds += 29.9
    answer = api.search(ADA).json()
    assert answer == [{"item": ADA, "status": "duplicate_query"}]
    assert statuses(api.search(NOBODY, BOB)) == ["duplicate_query", "success"]
    # another identifier, and a look-up without contacts, are other queries
    assert statuses(api.search(UID_OF_ADA)) == ["success"]
    assert statuses(api.search(ADA, withoutContacts=True)) == ["success"]
    assert api.credits() == 7
    clock.seconds += 0.1  # the window runs from the answer, not from the duplicate
    assert statuses(api.search(ADA, NOBODY, BOB)) == ["success", "failed", "duplicate_query"]


def test_what_was_not_processed_for_want_of_credits_is_no_duplicate_later(people: People) -> None:
    api = start(people, duplicate_query_seconds=30, credits=1, credits_without_contacts=9)
    assert statuses(api.search(ADA, BOB, BOB)) == [
        "success",
        "credits_are_over",
        "credits_are_over",
    ]


def test_latency_holds_back_answers_but_no_refusals(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr("enrichment_pipeline.sandbox.signalhire.stand_in.asyncio.sleep", sleep)
    start(people).search(ADA)
    api = start(people, latency_ms=250)
    api.search()
    api.credits()
    assert waited == []
    api.search(ADA)
    assert waited == [0.25]


@pytest.mark.parametrize(
    "setting",
    [
        {"api_key": ""},
        {"credits": -1},
        {"credits_without_contacts": -1},
        {"charge_when": "never"},
        {"items_per_window": 0},
        {"window_seconds": 0},
        {"window_kind": "leaky"},
        {"duplicate_query_seconds": -1},
        {"item_order": "reversed"},
        {"latency_ms": -1},
        {"callback_delay_min_ms": -1},
        {"callback_delay_max_ms": 4, "callback_delay_min_ms": 5},
        {"callback_timeout_seconds": 0},
        {"callback_retry_seconds": -1},
        {"callback_parts": 0},
        {"callback_concurrency": 0},
        {"late_seconds": -1},
    ],
)
def test_a_setting_out_of_range_is_refused_by_name(setting: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(setting))):
        SandboxConfig(**setting)


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_out_of_range_is_refused_by_the_name_of_its_fault(share: float) -> None:
    with pytest.raises(ValueError, match="lost"):
        SandboxConfig(faults={"lost": share})


def test_an_unknown_fault_is_refused_by_name() -> None:
    faults: Any = {"lots": 0.5}
    with pytest.raises(ValueError, match="'lots'"):
        SandboxConfig(faults=faults)
