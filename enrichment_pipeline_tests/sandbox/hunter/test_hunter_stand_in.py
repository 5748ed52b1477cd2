"""What Hunter's stand-in answers, refuses, charges and counts, and how each setting changes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from enrichment_pipeline.sandbox.directory import Person
from enrichment_pipeline.sandbox.hunter.config import HunterConfig
from enrichment_pipeline_tests.sandbox import ADA, BOB, Clock, journal_lines, people_in
from enrichment_pipeline_tests.sandbox.hunter import data_of, error_of, start

ASK_ADA = ("Ada Example", "acme.example")
NOBODY = ("Nobody Known", "acme.example")
GUESSING: dict[str, Any] = {"known": 0.0, "guessed": 1.0}
SLOW: dict[str, Any] = {"faults": {"in_progress": 1.0}}


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> list[Person]:
    return people_in(tmp_path_factory.mktemp("people"))


# --- the finder ----------------------------------------------------------------------------


def test_an_address_comes_with_its_verification_and_where_it_was_seen(people: list[Person]) -> None:
    response = start(people).find(*ASK_ADA)
    data = data_of(response)
    [source] = data.pop("sources")
    assert source["domain"] == "acme.example"
    assert 94 <= data.pop("score") <= 100
    assert data == {
        "first_name": "Ada",
        "last_name": "Example",
        "email": "ada@acme.example",
        "domain": "acme.example",
        "accept_all": False,
        "position": "CTO",
        "twitter": None,
        "linkedin_url": "https://www.linkedin.com/in/ada-example",
        "phone_number": None,
        "company": "Acme GmbH",
        "verification": {"date": "2026-11-02", "status": "valid"},
    }
    params = {"full_name": "Ada Example", "domain": "acme.example"}
    assert response.json()["meta"] == {"params": params}


@pytest.mark.parametrize(
    "query",
    [
        {"full_name": "EXAMPLE Ada", "domain": "https://www.acme.example/about"},
        {"first_name": "Ada", "last_name": "Example", "domain": "ACME.example"},
        {"full_name": "Ada Example", "company": "Acme"},
        {"full_name": "Ada Example", "domain": "acme.example", "max_duration": "20"},
    ],
)
def test_a_person_is_found_by_name_and_company(people: list[Person], query: dict[str, str]) -> None:
    assert data_of(start(people).get("email-finder", query))["email"] == "ada@acme.example"


def test_where_nothing_is_found_it_is_a_200_with_nulls_and_free(people: list[Person]) -> None:
    api = start(people)
    data = data_of(api.find(*NOBODY))
    assert (data["email"], data["score"], data["sources"]) == (None, None, [])
    assert data["verification"] == {"date": None, "status": None}
    assert data_of(api.find("Cem Example", "brio.example"))["email"] is None
    assert data_of(start(people, known=0.0).find(*ASK_ADA))["email"] is None
    assert api.used() == 0


def test_at_a_former_employer_the_address_there_is_found_only_where_it_passes_for_valid(
    people: list[Person],
) -> None:
    at_acme = ("Bob Example", "acme.example")
    assert data_of(start(people, outdated=0.0).find(*at_acme))["email"] is None
    data = data_of(start(people, outdated=1.0).find(*at_acme))
    assert (data["email"], data["verification"]["status"]) == ("bob@acme.example", "valid")
    assert data["verification"]["date"] < "2026"


def test_both_names_make_a_guess_where_that_address_exists_or_the_host_takes_all(
    people: list[Person], tmp_path: Path
) -> None:
    eve = {"uid": "e" * 32, "full_name": "Évé Fox", "company_domain": "acme.example"}
    more = [ADA, BOB, {**eve, "work_email": "eve.fox@acme.example"}]
    data = data_of(start(people_in(tmp_path, more), **GUESSING).find("Évé M. Fox", "acme.example"))
    assert (data["email"], data["verification"]["status"]) == ("eve.fox@acme.example", "valid")
    assert (data["sources"], data["linkedin_url"]) == ([], None)
    api = start(people, **GUESSING)
    assert data_of(api.find(*NOBODY))["email"] is None
    # no name to make an address of, and a host of which nothing is known
    assert data_of(api.find("Nobody", "acme.example"))["email"] is None
    assert data_of(api.find("Nobody Known", "nowhere.example"))["email"] is None
    data = data_of(start(people, **GUESSING, accept_all=1.0).find(*NOBODY))
    assert (data["email"], data["verification"]["status"]) == (
        "nobody.known@acme.example",
        "accept_all",
    )


def test_another_person_is_given_by_their_own_name(people: list[Person]) -> None:
    data = data_of(start(people, wrong_person=1.0).find("Bob Example", "brio.example"))
    assert (data["first_name"], data["email"], data["domain"]) == (
        "Ada",
        "ada@acme.example",
        "brio.example",
    )


# --- the verifier --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("email", "settings", "status"),
    [
        ("ada@acme.example", {}, "valid"),
        ("ADA@Acme.example", {}, "valid"),
        ("a.da@acme.example", {}, "invalid"),
        # Bob works for Brio now
        ("bob@brio.example", {}, "valid"),
        ("bob@acme.example", {}, "invalid"),
        ("ada@acme.example", {"accept_all": 1.0}, "accept_all"),
        ("a.da@acme.example", {"accept_all": 1.0}, "accept_all"),
        ("ada@acme.example", {"unknown": 1.0}, "unknown"),
        ("somebody@gmail.com", {}, "webmail"),
        ("somebody@mailinator.com", {}, "disposable"),
    ],
)
def test_the_verifier_tells_the_truth_or_that_it_cannot(
    people: list[Person], email: str, settings: dict[str, Any], status: str
) -> None:
    data = data_of(start(people, **settings).verify(email))
    assert (data["status"], data["email"]) == (status, email.lower())
    assert data["accept_all"] == (status == "accept_all")
    assert 0 <= data["score"] <= 100


def test_an_address_of_before_that_is_given_to_another_person_exists(tmp_path: Path) -> None:
    heir = {"uid": "d" * 32, "full_name": "Bob Other", "company_domain": "acme.example"}
    people = people_in(tmp_path, [BOB, {**heir, "work_email": "bob@acme.example"}])
    assert data_of(start(people).verify("bob@acme.example"))["status"] == "valid"


def test_a_verification_is_half_a_credit_but_nothing_where_it_tells_nothing(
    people: list[Person], tmp_path: Path
) -> None:
    journal = tmp_path / "journal.jsonl"
    api = start(people, journal=journal)
    api.find(*ASK_ADA)
    for email in ("ada@acme.example", "nobody@acme.example", "somebody@gmail.com"):
        api.verify(email)
    assert api.used() == 2.5
    charges = [(line["item"], line["credits"], line["request"]) for line in journal_lines(journal)]
    assert charges == [
        ("Ada Example @ acme.example", 1, 1),
        ("ada@acme.example", 0.5, 2),
        ("nobody@acme.example", 0.5, 3),
        ("somebody@gmail.com", 0.5, 4),
    ]
    # also after a restart
    again = start(people, journal=journal, unknown=1.0)
    again.verify("ada@acme.example")
    assert again.used() == 2.5


def test_what_is_in_progress_is_a_202_until_it_is_done_and_charged_once(
    people: list[Person],
) -> None:
    clock = Clock()
    for charged, used in (("taken", 0.5), ("answered", 0)):
        settings = {**SLOW, "in_progress_seconds": 20.0, "in_progress_charged": charged}
        api = start(people, clock=clock, **settings)
        for _ in range(3):
            assert api.verify("ada@acme.example").status_code == 202
            assert api.used() == used
        clock.seconds += 20
        assert data_of(api.verify("Ada@acme.example"))["status"] == "valid"
        assert api.used() == 0.5
    # another address is another verification
    assert api.verify("bob@brio.example").status_code == 202


def test_what_will_tell_nothing_is_not_charged_while_it_is_in_progress_either(
    people: list[Person],
) -> None:
    api = start(people, **SLOW, unknown=1.0, in_progress_seconds=0.0)
    assert api.verify("ada@acme.example").status_code == 202
    assert data_of(api.verify("ada@acme.example"))["status"] == "unknown"
    assert api.used() == 0


def test_where_the_mail_server_failed_it_is_a_222_and_free(people: list[Person]) -> None:
    api = start(people, faults={"mail_server_failed": 1.0})
    assert api.verify("ada@acme.example").status_code == 222
    assert api.used() == 0


# --- refusals ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("endpoint", "query"),
    [
        ("email-finder", {"full_name": "Ada Example"}),
        ("email-finder", {"domain": "acme.example"}),
        ("email-finder", {"domain": "acme.example", "first_name": "Ada"}),
        ("email-finder", {"domain": " ", "full_name": "Ada Example"}),
        ("email-finder", {"domain": "a.example", "full_name": "Ada", "max_duration": "21"}),
        ("email-finder", {"domain": "a.example", "full_name": "Ada", "max_duration": "long"}),
        ("email-verifier", {}),
        ("email-verifier", {"email": "no address"}),
        ("email-verifier", {"email": "+49 151 1234567"}),
    ],
)
def test_a_request_without_what_it_takes_is_a_400(
    people: list[Person], endpoint: str, query: dict[str, str]
) -> None:
    assert error_of(start(people).get(endpoint, query)) == (400, "wrong_params")


def test_a_wrong_key_is_401_and_an_unknown_place_404(people: list[Person]) -> None:
    api = start(people)
    assert error_of(api.get("nowhere", {})) == (404, "not_found")
    api.headers = {"x-api-key": "another"}
    for endpoint in ("email-finder", "email-verifier", "account"):
        # the key in the query is none
        assert error_of(api.get(endpoint, {"api_key": "sandbox"}))[0] == 401


def test_without_credits_it_is_a_429_for_everything(people: list[Person]) -> None:
    api = start(people, credits=1)
    api.verify("ada@acme.example")
    # half a credit is left
    assert error_of(api.find(*NOBODY)) == (429, "usage_limit_reached")
    api.verify("bob@brio.example")
    assert error_of(api.verify("ada@acme.example")) == (429, "usage_limit_reached")
    assert api.used() == 1


def test_who_asked_not_to_be_processed_is_a_451_by_name_and_by_each_address(
    people: list[Person],
) -> None:
    api = start(people, legal_stop=1.0, known=0.0)
    for response in (
        *(api.find("Bob Example", domain) for domain in ("brio.example", "acme.example")),
        *(api.verify(f"bob@{domain}") for domain in ("brio.example", "acme.example")),
    ):
        assert error_of(response)[0] == 451
    some = [start(people, legal_stop=0.5, seed=seed) for seed in range(40)]
    stopped = [
        (api.find("Bob Example", "brio.example"), api.verify("bob@acme.example")) for api in some
    ]
    told = {(by_name.status_code, by_email.status_code) for by_name, by_email in stopped}
    assert told == {(200, 200), (451, 451)}


# --- charges -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "used"),
    [({}, 3), ({"charge_repeats": False}, 1.5), ({"charge_repeats": False, "free_days": 0.0}, 3)],
)
def test_a_repeat_is_charged_or_free_for_a_while(
    people: list[Person], settings: dict[str, Any], used: float
) -> None:
    api = start(people, **settings)
    for _ in range(2):
        api.find(*ASK_ADA)
        api.verify("ada@acme.example")
    assert api.used() == used


def test_the_charge_may_come_after_the_answer(people: list[Person], tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    start(people, journal=journal, charge_when="after_response").find(*ASK_ADA)
    assert len(journal_lines(journal)) == 1


def test_the_balance_is_of_all_credits_or_of_searches_and_verifications(
    people: list[Person],
) -> None:
    api = start(people, credits=9, balance_of="searches")
    api.verify("ada@acme.example")
    told = {"used": 0.5, "available": 9}
    assert api.requests() == {"searches": told, "verifications": told}


# --- limits --------------------------------------------------------------------------------


def test_the_two_endpoints_have_limits_of_a_second_and_a_minute_each(people: list[Person]) -> None:
    clock = Clock()
    api = start(people, clock=clock, per_minute=20, verifications_per_minute=11)
    for ask, of_second, of_minute in (
        (lambda: api.find(*NOBODY), 15, 5),
        (lambda: api.verify("nobody@acme.example"), 10, 1),
    ):
        assert {ask().status_code for _ in range(of_second)} == {200}
        response = ask()
        assert error_of(response) == (403, "too_many_requests")
        assert not [name for name in response.headers if "rate" in name or "retry" in name]
        clock.seconds += 1
        assert {ask().status_code for _ in range(of_minute)} == {200}
        assert ask().status_code == 403
        clock.seconds += 59
        assert ask().status_code == 200


@pytest.mark.parametrize(("counts", "status"), [(True, 403), (False, 200)])
def test_a_refused_request_may_count(people: list[Person], counts: bool, status: int) -> None:
    clock = Clock()
    api = start(people, clock=clock, per_second=1, refused_counts=counts)
    api.find(*NOBODY)
    clock.seconds += 0.5
    assert api.find(*NOBODY).status_code == 403
    clock.seconds += 0.5
    assert api.find(*NOBODY).status_code == status


def test_a_window_may_be_fixed(people: list[Person]) -> None:
    clock = Clock()
    api = start(people, clock=clock, per_second=1, window_kind="fixed")
    clock.seconds += 0.9
    api.find(*NOBODY)
    clock.seconds += 0.1
    assert api.find(*NOBODY).status_code == 200


# --- faults, and settings ------------------------------------------------------------------


def test_half_of_the_failures_come_after_the_charge(people: list[Person]) -> None:
    used = set()
    for seed in range(12):
        api = start(people, faults={"error_500": 1.0}, seed=seed)
        assert error_of(api.find(*ASK_ADA)) == (500, "internal_error")
        assert error_of(api.verify("ada@acme.example")) == (500, "internal_error")
        used.add(api.used())
    assert used == {0, 0.5, 1, 1.5}


def test_it_may_ask_to_slow_down_though_nothing_is_used_up(people: list[Person]) -> None:
    api = start(people, faults={"slow_down": 1.0})
    assert api.find(*ASK_ADA).status_code == api.verify("ada@acme.example").status_code == 403


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"credits": -1}, "credits"),
        ({"minute_seconds": 0}, "minute_seconds"),
        ({"balance_of": "money"}, "balance_of"),
        ({"in_progress_charged": "never"}, "in_progress_charged"),
        ({"api_key": ""}, "api_key"),
        ({"accept_all": 1.5}, "accept_all"),
        ({"verifications_per_second": -1}, "verifications_per_second"),
        ({"faults": {"late": 0.5}}, "late"),
        ({"faults": {"torn": 2}}, "torn"),
    ],
)
def test_a_setting_out_of_range_is_refused_by_name(settings: dict[str, Any], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        HunterConfig(**settings)
