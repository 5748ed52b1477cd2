"""What People Data Labs' stand-in answers, refuses, charges and counts, setting by setting."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from enrichment_pipeline.sandbox.directory import Person
from enrichment_pipeline.sandbox.known_people import Draws, KnownPeople
from enrichment_pipeline.sandbox.peopledatalabs.changelog import id_after
from enrichment_pipeline.sandbox.peopledatalabs.config import PeopleDataLabsConfig
from enrichment_pipeline.sandbox.peopledatalabs.profiles import Profiles
from enrichment_pipeline.sandbox.peopledatalabs.stand_in import BASE_PATH
from enrichment_pipeline_tests.sandbox import ADA, BOB, Clock, journal_lines, people_in
from enrichment_pipeline_tests.sandbox.peopledatalabs import (
    KNOWS_ALL,
    error_of,
    start,
    statuses,
)

BY_EMAIL = {"email": ADA["work_email"]}
BY_NAME = {"name": "EXAMPLE Ada", "company": "https://www.acme.example/about"}
BOB_BY_EMAIL = {"email": BOB["work_email"]}
CEM_BY_NAME = {"name": "Cem Example", "company": "Brio"}
NOBODY = {"email": "nobody@acme.example"}
TOO_LITTLE = {"name": "Ada Example"}


@pytest.fixture
def people(tmp_path: Path) -> list[Person]:
    return people_in(tmp_path)


# --- answers -------------------------------------------------------------------------------


def test_each_element_has_its_own_status_and_its_metadata(people: list[Person]) -> None:
    response = start(people).bulk(NOBODY, BY_EMAIL, TOO_LITTLE)
    assert statuses(response) == [404, 200, 400]
    missed, matched, refused = response.json()
    assert missed["error"]["type"] == "not_found"
    assert refused["error"]["type"] == "invalid_request_error"
    assert matched["metadata"] == {"row": 2}
    assert 9 <= matched["likelihood"] <= 10
    data = matched["data"]
    assert (data["full_name"], data["work_email"]) == ("ada example", "ada@acme.example")
    assert (data["linkedin_url"], data["mobile_phone"]) == (
        "linkedin.com/in/ada-example",
        "+491511234567",
    )
    [job] = data["experience"]
    assert (job["company"]["name"], job["title"], job["is_primary"]) == (
        "acme gmbh",
        {"name": "cto"},
        True,
    )


@pytest.mark.parametrize(
    "params",
    [
        BY_EMAIL,
        {"profile": "linkedin.com/in/Ada-Example/"},
        {"phone": "+49 151 1234567"},
        BY_NAME,
        {"first_name": "Ada", "last_name": "Example", "company": "ACME"},
    ],
)
def test_a_person_is_found_by_whatever_names_them(
    people: list[Person], params: dict[str, str]
) -> None:
    api = start(people)
    [found] = api.bulk(params).json()
    assert found["data"]["full_name"] == "ada example"
    # an id wins alone, whatever else is said
    [again] = api.bulk({**BOB_BY_EMAIL, "pdl_id": found["data"]["id"]}).json()
    assert (again["data"], again["likelihood"]) == (found["data"], 10)


def test_a_phone_without_country_code_matches_nobody_and_is_no_error(people: list[Person]) -> None:
    assert statuses(start(people).bulk({"phone": "0151 1234567"})) == [404]


def test_names_are_in_lower_case_unless_title_case_is_asked_for(people: list[Person]) -> None:
    asked = {**BY_EMAIL, "titlecase": True}
    [found] = start(people).bulk(asked).json()
    data = found["data"]
    assert (data["full_name"], data["job_company_name"]) == ("Ada Example", "Acme Gmbh")
    assert (data["work_email"], data["linkedin_url"], data["job_company_website"]) == (
        "ada@acme.example",
        "linkedin.com/in/ada-example",
        "acme.example",
    )
    assert data["emails"] == [{"address": "ada@acme.example", "type": "current_professional"}]
    [found] = start(people, obeys_titlecase=False).bulk(asked).json()
    assert found["data"]["full_name"] == "ada example"


def test_a_plan_without_contact_data_shows_whether_there_is_a_value(people: list[Person]) -> None:
    api = start(people, shows_contact_data=False)
    [ada, bob] = [each["data"] for each in api.bulk(BY_EMAIL, BOB_BY_EMAIL).json()]
    assert (ada["work_email"], ada["emails"], ada["mobile_phone"]) == (True, True, True)
    assert (bob["mobile_phone"], bob["personal_emails"]) == (False, False)
    assert ada["full_name"] == "ada example"
    assert api.credits() == 99_998


def test_a_former_address_is_told_as_one(people: list[Person]) -> None:
    [bob] = start(people).bulk(BOB_BY_EMAIL).json()
    assert bob["data"]["emails"] == [
        {"address": "bob@brio.example", "type": "current_professional"},
        {"address": "bob@acme.example", "type": "professional"},
    ]


def test_a_match_that_is_less_likely_than_asked_for_is_a_miss(people: list[Person]) -> None:
    api = start(people, doubtful=1.0)
    [found] = api.bulk({**BY_NAME, "min_likelihood": 0}).json()
    likelihood = found["likelihood"]
    assert 2 <= likelihood <= 7
    assert statuses(api.bulk({**BY_NAME, "min_likelihood": likelihood})) == [200]
    assert statuses(api.bulk({**BY_NAME, "min_likelihood": likelihood + 1})) == [404]
    # where none is named, it is the stand-in's
    least = {"default_min_likelihood": likelihood + 1}
    assert statuses(start(people, doubtful=1.0, **least).bulk(BY_NAME)) == [404]


@pytest.mark.parametrize(
    ("required", "expected"),
    [
        ("work_email", [200, 404]),
        ("work_email AND mobile_phone", [200, 404]),
        ("work_email OR full_name", [200, 200]),
        ("(work_email AND nothing) OR personal_emails", [404, 404]),
        (None, [200, 200]),
    ],
)
def test_who_lacks_what_is_required_is_a_miss(
    people: list[Person], required: str | None, expected: list[int]
) -> None:
    api = start(people)
    assert statuses(api.bulk(BY_EMAIL, CEM_BY_NAME, required=required)) == expected
    assert api.credits() == 100_000 - expected.count(200)
    api = start(people, obeys_required=False)
    assert statuses(api.bulk(BY_EMAIL, CEM_BY_NAME, required=required)) == [200, 200]


def test_elements_may_be_in_another_order_and_without_metadata(people: list[Person]) -> None:
    params = [{"email": f"nobody-{n}@acme.example"} for n in range(9)]
    api = start(people, record_order="shuffled")
    rows = [element["metadata"]["row"] for element in api.bulk(*params).json()]
    assert sorted(rows) == list(range(1, 10)) != rows
    [found] = start(people, echoes_metadata=False).bulk(BY_EMAIL).json()
    assert "metadata" not in found


# --- refusals ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "params", "expected"),
    [
        ({"bad_record_spoils_batch": True}, [TOO_LITTLE, BY_EMAIL], (400, "invalid_request_error")),
        ({"credits": 1}, [BY_EMAIL, BOB_BY_EMAIL], (402, "payment_required")),
        ({"credits": 0}, [NOBODY], (402, "payment_required")),
        ({}, [], (400, "invalid_request_error")),
        ({}, [NOBODY] * 101, (400, "invalid_request_error")),
        ({}, [{**NOBODY, "min_likelihood": 11}], (400, "invalid_request_error")),
        ({"error_type": "list", "per_minute": 0}, [NOBODY], (429, ["rate_limit_error"])),
    ],
)
def test_a_request_is_refused_as_a_whole_and_costs_nothing(
    people: list[Person], settings: dict[str, Any], params: list[Any], expected: object
) -> None:
    api = start(people, **settings)
    assert error_of(api.bulk(*params)) == expected
    assert api.credits() == settings.get("credits", 100_000)


def test_a_wrong_key_and_an_unknown_place_have_codes_of_their_own(people: list[Person]) -> None:
    api = start(people)
    assert error_of(api.request("GET", "/v5/nowhere")) == (404, "not_found")
    assert error_of(api.request("GET", f"{BASE_PATH}/person/bulk"))[0] == 405
    broken = api.request("POST", f"{BASE_PATH}/person/bulk", content=b"{")
    assert error_of(broken) == (400, "invalid_request_error")
    api.headers = {"x-api-key": "another"}
    response = api.bulk(BY_EMAIL)
    assert error_of(response) == (401, "authentication_error")
    # it is told nothing of the account
    assert not [name for name in response.headers if name.startswith("x-")]


# --- charges -------------------------------------------------------------------------------


def test_a_match_is_charged_each_time_and_the_headers_say_so(
    people: list[Person], tmp_path: Path
) -> None:
    journal = tmp_path / "journal.jsonl"
    api = start(people, journal=journal)
    for left in (99_999, 99_998):
        headers = api.bulk(BY_EMAIL, NOBODY).headers
        told = [headers[f"x-{name}"] for name in ("call-credits-spent", "call-credits-type")]
        assert told == ["1", "enrich"]
        assert headers["x-totallimit-remaining"] == str(left)
    charges = journal_lines(journal)
    assert [(each["item"], each["request"]) for each in charges] == [
        ("ada@acme.example", 1),
        ("ada@acme.example", 2),
    ]
    assert start(people, journal=journal).credits() == 99_998


def test_a_match_without_an_address_is_charged_too(people: list[Person]) -> None:
    api = start(people)
    [found] = api.bulk(CEM_BY_NAME).json()
    assert (found["data"]["work_email"], api.credits()) == (None, 99_999)


def test_credits_may_run_out_within_a_request(people: list[Person]) -> None:
    api = start(people, credits=1, short_of_credits="elements")
    assert statuses(api.bulk(NOBODY, BY_EMAIL, BOB_BY_EMAIL)) == [404, 200, 402]
    assert api.credits() == 0


@pytest.mark.parametrize(("is_charged", "left"), [(True, 99_999), (False, 100_000)])
def test_an_answer_that_is_too_long_is_a_502_charged_or_not(
    people: list[Person], is_charged: bool, left: int
) -> None:
    api = start(people, most_answer_bytes=500, too_long_is_charged=is_charged)
    response = api.bulk(BY_EMAIL)
    assert (response.status_code, response.headers["content-type"][:9]) == (502, "text/html")
    assert not [name for name in response.headers if name.startswith("x-")]
    assert api.credits() == left
    assert statuses(api.bulk(NOBODY)) == [404]


def test_the_charge_may_come_after_the_answer(people: list[Person], tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    api = start(people, journal=journal, charge_when="after_response")
    api.bulk(BY_EMAIL)
    assert len(journal_lines(journal)) == 1


def test_the_cost_may_not_be_told(people: list[Person]) -> None:
    headers = start(people, cost_headers=False).bulk(BY_EMAIL).headers
    assert "x-call-credits-spent" not in headers
    assert headers["x-totallimit-remaining"] == "99999"


# --- the window ----------------------------------------------------------------------------


def test_requests_count_and_not_the_people_in_them_until_the_minute_ends(
    people: list[Person],
) -> None:
    clock = Clock()
    clock.seconds = 60 * 20 + 42.5
    api = start(people, clock=clock, per_minute=2)
    for left in (1, 0):
        response = api.bulk(*[NOBODY] * 100)
        assert response.headers["x-ratelimit-remaining"] == f'{{"minute": {left}}}'
    response = api.bulk(NOBODY)
    assert error_of(response) == (429, "rate_limit_error")
    # 3:04:05 and 17.5 s, in whole seconds
    assert response.headers["x-ratelimit-reset"] == "2026-01-02T03:04:23Z"
    assert "retry-after" not in response.headers
    # what is left is asked for apart from that
    assert api.credits() == 100_000
    clock.seconds += 17.5
    assert api.bulk(NOBODY).status_code == 200


def test_the_end_of_the_window_may_be_told_in_seconds_and_the_window_may_slide(
    people: list[Person],
) -> None:
    clock = Clock()
    api = start(people, clock=clock, per_minute=1, reset_form="epoch", window_kind="sliding")
    assert api.bulk(NOBODY).headers["x-ratelimit-reset"] == "1767323105"
    clock.seconds += 59
    assert api.bulk(NOBODY).status_code == 429
    clock.seconds += 1
    assert api.bulk(NOBODY).status_code == 200


@pytest.mark.parametrize(("counts", "status"), [(True, 429), (False, 200)])
def test_a_refused_request_may_count(people: list[Person], counts: bool, status: int) -> None:
    api = start(people, per_minute=1, refused_counts=counts)
    assert error_of(api.bulk()) == (400, "invalid_request_error")
    assert api.bulk(NOBODY).status_code == status


# --- faults, and what it knows -------------------------------------------------------------


def test_half_of_the_failures_come_after_the_charge(people: list[Person]) -> None:
    charged = set()
    for seed in range(12):
        api = start(people, faults={"error_500": 1.0}, seed=seed)
        assert error_of(api.bulk(BY_EMAIL)) == (500, "api_error")
        charged.add(100_000 - api.credits())
    assert charged == {0, 1}


def test_the_other_faults(people: list[Person]) -> None:
    api = start(people, faults={"slow_down": 1.0})
    assert error_of(api.bulk(BY_EMAIL)) == (429, "rate_limit_error")
    api = start(people, faults={"missing": 1.0})
    assert statuses(api.bulk(BY_EMAIL)) == []
    assert api.credits() == 99_999


def test_it_knows_others_than_another_provider_of_the_same_seed() -> None:
    people = [Person(f"{n:032x}", {"full_name": f"P {n}"}, ()) for n in range(400)]
    settings: dict[str, Any] = {**KNOWS_ALL, "known": 0.5}
    config = PeopleDataLabsConfig(**settings)
    profiles = Profiles(people, config)
    known = {n for n in range(400) if profiles.find({"pdl_id": id_after(f"{n:032x}")})}
    elsewhere = {int(each.uid, 16) for each in KnownPeople(people, config, Draws("0"))}
    assert 150 < len(known) < 250
    assert 60 < len(known & elsewhere) < 140


def test_some_work_emails_it_does_not_have(tmp_path: Path) -> None:
    people = people_in(tmp_path, [ADA])
    settings: dict[str, Any] = {**KNOWS_ALL, "has_work_email": 0.0}
    profiles = Profiles(people, PeopleDataLabsConfig(**settings))
    match = profiles.find(BY_EMAIL)
    assert match is not None
    assert (match.record["work_email"], match.record["emails"]) == (
        None,
        [],
    )


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"credits": -1}, "credits"),
        ({"minute_seconds": 0}, "minute_seconds"),
        ({"error_type": "number"}, "error_type"),
        ({"api_key": ""}, "api_key"),
        ({"known": 1.5}, "known"),
        ({"faults": {"late": 0.5}}, "late"),
        ({"faults": {"torn": 2}}, "torn"),
    ],
)
def test_a_setting_out_of_range_is_refused_by_name(settings: dict[str, Any], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        PeopleDataLabsConfig(**settings)


# --- what has changed ----------------------------------------------------------------------

NOTHING_HAPPENS: dict[str, Any] = dict.fromkeys(
    ("updated", "touched", "merged", "deleted", "opted_out"), 0.0
)


def first_id(people: list[Person]) -> str:
    """By which the first one, Ada, is known up to the first release."""
    return id_after(people[0].uid)


def by_release(people: list[Person], release: str, **settings: Any) -> Any:
    return start(people, release=release, **{**NOTHING_HAPPENS, **settings})


def test_a_profile_says_of_which_release_it_is(people: list[Person]) -> None:
    told = by_release(people, "33.1").bulk(BY_EMAIL).json()[0]["data"]
    assert (told["id"], told["dataset_version"]) == (first_id(people), "33.1")
    api = start(people, tells_release=False)
    assert "dataset_version" not in api.bulk(BY_EMAIL).json()[0]["data"]


def test_what_a_release_has_done_stands_in_the_changelog_and_in_the_profile(
    people: list[Person],
) -> None:
    api = by_release(people, "33.1", updated=1.0)
    [told] = api.changelog(ids=[first_id(people)]).json()["data"]["updated"]
    assert told["id"] == first_id(people)
    assert "headline" in told["additional_metadata"]["fields_updated"]
    assert "1 times new" in api.bulk(BY_EMAIL).json()[0]["data"]["headline"]

    api = by_release(people, "33.1", touched=1.0)
    [told] = api.changelog(ids=[first_id(people)]).json()["data"]["updated"]
    assert told["additional_metadata"]["fields_updated"] == ["num_sources"]
    assert api.bulk(BY_EMAIL).json()[0]["data"].get("headline") == ADA.get("headline")

    api = by_release(people, "33.1", merged=1.0)
    [told] = api.changelog(ids=[first_id(people)]).json()["data"]["merged"]
    [new_id] = told["additional_metadata"]["to"]
    assert api.bulk(BY_EMAIL).json()[0]["data"]["id"] == new_id != first_id(people)

    for gone in ("deleted", "opted_out"):
        api = by_release(people, "33.1", **{gone: 1.0})
        assert [
            each["id"] for each in api.changelog(ids=[first_id(people)]).json()["data"][gone]
        ] == [first_id(people)]
        assert statuses(api.bulk(BY_EMAIL)) == [404]


def test_a_later_release_is_asked_about_by_the_id_of_the_one_before(people: list[Person]) -> None:
    api = by_release(people, "33.2", merged=1.0)
    second = id_after(people[0].uid, 1)
    later = {"origin_version": "33.1", "current_version": "33.2"}
    assert api.changelog(ids=[first_id(people)], **later).json()["data"]["merged"] == []
    [told] = api.changelog(ids=[second], **later).json()["data"]["merged"]
    assert told["additional_metadata"]["to"] == [id_after(people[0].uid, 2)]


def test_only_releases_in_a_row_that_are_not_too_old_can_be_asked_about(
    people: list[Person],
) -> None:
    api = by_release(people, "34.1")
    for origin, current, status in (
        *(("34.0", "34.1", 200), ("33.2", "34.0", 200), ("33.1", "33.2", 200)),
        *(("33.0", "34.0", 200), ("32.0", "33.0", 200)),
        *(("33.0", "33.1", 200), ("34.1", "34.2", 400), ("34.0", "34.0", 400)),
        *(("33.2", "34.1", 400), ("34.1", "34.0", 400), ("32.2", "33.0", 400), (1, None, 400)),
    ):
        told = api.changelog(origin_version=origin, current_version=current, ids=[first_id(people)])
        assert told.status_code == status, (origin, current)
        if status == 400:
            assert "34.1" in told.json()["error"]["valid_versions"]


def test_without_ids_it_tells_of_all_page_by_page(people: list[Person]) -> None:
    api = by_release(people, "33.1", most_changes=2, updated=1.0)
    assert api.changelog().status_code == 400
    assert api.changelog(type="nonsense").status_code == 400
    first = api.changelog(type="updated").json()["data"]
    second = api.changelog(type="updated", scroll_token=first["scroll_token"]).json()["data"]
    seen = [each["id"] for page in (first, second) for each in page["updated"]]
    assert sorted(seen) == sorted(id_after(person.uid) for person in people)
    assert second["scroll_token"] is None
    assert api.changelog(type="deleted").json()["data"]["deleted"] == []


def test_it_costs_nothing_and_has_a_minute_of_its_own(people: list[Person]) -> None:
    api = start(people, release="33.1", changes_per_minute=1, per_minute=1)
    assert api.changelog(ids=[first_id(people)]).status_code == 200
    assert api.changelog(ids=[first_id(people)]).status_code == 429
    assert statuses(api.bulk(BY_EMAIL)) == [200]
    assert api.credits() == 99_999


def test_an_account_may_have_no_access_to_it(people: list[Person]) -> None:
    api = start(people, changelog_allowed=False)
    assert api.changelog(ids=[first_id(people)]).status_code == 403
