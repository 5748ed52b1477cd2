"""What goes wrong on purpose: each fault alone, and that the seed alone decides.

Callbacks are caught before they are delivered, unless a test says otherwise.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import httpx
import pytest

from enrichment_pipeline.sandbox.signalhire.callbacks import Callback, Callbacks
from enrichment_pipeline.sandbox.signalhire.config import FAULTS
from enrichment_pipeline.sandbox.signalhire.people import People
from enrichment_pipeline_tests.sandbox import journal_lines
from enrichment_pipeline_tests.sandbox.signalhire import (
    UID_OF_ADA,
    UID_OF_BOB,
    Api,
    crowd,
    some_people,
    start,
    statuses,
)
from enrichment_pipeline_tests.support import running_sandbox

ADA, BOB, NOBODY = "ada@acme.example", "bob@brio.example", "nobody@acme.example"
CALLBACK_URL = "http://127.0.0.1:9/callback"
ITEMS = [f"person-{n}@crowd.example" for n in range(100)]


@pytest.fixture
def people(tmp_path: Path) -> People:
    return some_people(tmp_path)


@pytest.fixture
def caught(monkeypatch: pytest.MonkeyPatch) -> list[Callback]:
    """The callbacks that would be delivered."""
    callbacks: list[Callback] = []
    monkeypatch.setattr(Callbacks, "post_later", lambda _, callback: callbacks.append(callback))
    return callbacks


def ask_later(api: Api, *items: str, **body: Any) -> httpx.Response:
    return api.post({"items": list(items), "callbackUrl": CALLBACK_URL, **body})


def items_of(callback: Callback) -> list[str]:
    return [item for part in callback.parts for item in part.items]


# Asynchronous mode, as it goes without a fault


def test_a_search_with_a_callback_url_is_answered_with_the_number_of_its_request(
    people: People, caught: list[Callback]
) -> None:
    api = start(people, credits=27)
    responses = [ask_later(api, ADA, NOBODY), ask_later(api, BOB, withoutWaterfall=False)]
    assert [response.status_code for response in responses] == [201, 201]
    assert [response.json() for response in responses] == [{"requestId": 1}, {"requestId": 2}]
    assert [response.headers["X-Credits-Left"] for response in responses] == ["26", "25"]
    assert [(callback.request, callback.url) for callback in caught] == [
        (1, CALLBACK_URL),
        (2, CALLBACK_URL),
    ]


def test_the_callback_says_what_the_answer_says_in_synchronous_mode(
    people: People, caught: list[Callback]
) -> None:
    api = start(people)
    items = [f" {ADA}", NOBODY, UID_OF_BOB]
    answered = api.search(*items)
    ask_later(api, *items)
    (callback,) = caught
    (part,) = callback.parts
    assert part.body == answered.content
    assert part.items == items
    assert (callback.delay_seconds, callback.repeated_after_seconds) == (0.0, None)
    assert not callback.is_lost


@pytest.mark.parametrize("mode", [{"withoutWaterfall": True}, {"callbackUrl": CALLBACK_URL}])
def test_both_modes_have_the_same_checks_in_the_same_order(
    people: People, caught: list[Callback], mode: dict[str, Any]
) -> None:
    api = start(people, credits=0, items_per_window=5, bad_item_spoils_batch=True)

    def code(items: Any) -> int:
        return api.post({"items": items, **mode}).status_code

    assert code([]) == 422
    assert code(["a name"] * 101) == 406  # before the items are looked at
    assert code(["a name"] * 6) == 422  # before they are counted
    assert code([ADA] * 6) == 429  # before the account is looked at
    assert code([ADA]) == 402
    assert caught == []


@pytest.mark.parametrize(
    ("charge_when", "charges_when_answered"), [("before_response", 1), ("after_response", 0)]
)
def test_the_charge_of_a_callback_is_made_before_the_201_or_before_the_delivery(
    people: People,
    caught: list[Callback],
    tmp_path: Path,
    charge_when: str,
    charges_when_answered: int,
) -> None:
    journal = tmp_path / "journal.jsonl"
    api = start(people, journal=journal, credits=1, charge_when=charge_when)
    response = ask_later(api, ADA)
    assert len(journal_lines(journal)) == charges_when_answered
    assert response.headers["X-Credits-Left"] == str(1 - charges_when_answered)
    assert ask_later(api, BOB).status_code == 402  # it is held, if not charged
    caught[0].charge()
    assert [line["request"] for line in journal_lines(journal)] == [1]
    assert api.credits() == 0


def statuses_later(api: Api, caught: list[Callback], *items: str) -> list[str]:
    """The items' statuses in the callback; none where the search was refused."""
    before = len(caught)
    ask_later(api, *items)
    return [
        answer["status"]
        for callback in caught[before:]
        for part in callback.parts
        for answer in httpx.Response(200, content=part.body).json()
    ]


def test_a_credit_held_for_a_callback_cannot_be_spent_meanwhile(
    people: People, caught: list[Callback]
) -> None:
    api = start(people, credits=1, charge_when="after_response")
    assert statuses_later(api, caught, ADA, BOB) == ["success", "credits_are_over"]
    assert api.search(BOB).status_code == 402


def test_the_delay_of_a_callback_lies_between_least_and_most(caught: list[Callback]) -> None:
    api = start(crowd(0), callback_delay_min_ms=1_000, callback_delay_max_ms=3_000)
    for item in ITEMS:
        ask_later(api, item)
    delays = [callback.delay_seconds for callback in caught]
    assert 1 <= min(delays) < 1.2
    assert 2.8 < max(delays) <= 3


@pytest.mark.parametrize(
    ("items", "parts", "sizes"),
    [(100, 1, [100]), (100, 3, [33, 33, 34]), (2, 4, [1, 1]), (1, 9, [1])],
)
def test_a_result_may_come_in_parts(
    caught: list[Callback], items: int, parts: int, sizes: list[int]
) -> None:
    ask_later(start(crowd(0), callback_parts=parts), *ITEMS[:items])
    (callback,) = caught
    assert [len(part.items) for part in callback.parts] == sizes
    assert items_of(callback) == ITEMS[:items]
    for part in callback.parts:
        answers = httpx.Response(200, content=part.body).json()
        assert [answer["item"] for answer in answers] == part.items


# One fault at a time


def test_a_late_callback_comes_so_much_later(caught: list[Callback]) -> None:
    delays: dict[str, Any] = {"callback_delay_min_ms": 1_000, "callback_delay_max_ms": 3_000}
    ask_later(start(crowd(0), **delays), *ITEMS)
    ask_later(start(crowd(0), **delays, faults={"late": 1.0}, late_seconds=45), *ITEMS)
    in_time, late = caught
    assert late.delay_seconds == pytest.approx(in_time.delay_seconds + 45)


def test_a_repeated_callback_is_to_be_delivered_again(caught: list[Callback]) -> None:
    ask_later(start(crowd(0), faults={"repeated": 1.0}), *ITEMS)
    assert [callback.repeated_after_seconds for callback in caught] == [0.0]


def test_a_split_callback_has_two_to_four_parts(caught: list[Callback]) -> None:
    api = start(crowd(0), faults={"split": 1.0})
    for _ in range(30):
        ask_later(api, *ITEMS)
    assert {len(callback.parts) for callback in caught} == {2, 3, 4}
    assert all(items_of(callback) == ITEMS for callback in caught)


def test_a_reordered_answer_has_the_same_items_in_another_order(caught: list[Callback]) -> None:
    api = start(crowd(100), faults={"reordered": 1.0})
    ask_later(api, *ITEMS)
    orders = [[answer["item"] for answer in api.search(*ITEMS).json()], items_of(caught[0])]
    for order in orders:
        assert order != ITEMS
        assert sorted(order) == sorted(ITEMS)


def test_a_lost_callback_is_charged_and_answered_like_any_other(
    people: People, caught: list[Callback]
) -> None:
    api = start(people, credits=5, faults={"lost": 1.0})
    response = ask_later(api, ADA, BOB)
    assert (response.status_code, response.headers["X-Credits-Left"]) == (201, "3")
    assert [callback.is_lost for callback in caught] == [True]
    assert statuses(api.search(ADA)) == ["success"]


def test_a_500_comes_before_the_charge_or_after_it(people: People, tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    api = start(people, journal=journal, credits=1_000, faults={"error_500": 1.0})
    for n in range(40):
        response = api.search(ADA, BOB, str(n))
        assert response.status_code == 500
        assert response.json() == {"error": "Internal server error"}
        assert response.headers["X-Credits-Left"] == str(1_000 - len(journal_lines(journal)))
    charged = Counter(line["request"] for line in journal_lines(journal))
    assert 10 <= len(charged) <= 30
    assert set(charged.values()) == {2}


def test_a_500_after_the_charge_has_its_callback_come_all_the_same_or_not(
    people: People, caught: list[Callback], tmp_path: Path
) -> None:
    journal = tmp_path / "journal.jsonl"
    api = start(people, journal=journal, faults={"error_500": 1.0})
    assert {ask_later(api, ADA, str(n)).status_code for n in range(80)} == {500}
    assert len(journal_lines(journal)) == len(caught)
    came = Counter(callback.is_lost for callback in caught)
    assert min(80 - len(caught), came[True], came[False]) >= 10


@pytest.mark.parametrize("charge_when", ["before_response", "after_response"])
def test_what_fails_after_processing_is_charged_whenever_the_charge_is_made(
    people: People, charge_when: Any
) -> None:
    api = start(people, credits=100, charge_when=charge_when, faults={"error_500": 1.0})
    for n in range(20):
        api.search(ADA, str(n))
    assert 80 < api.credits() < 100


@pytest.mark.parametrize("status", ["duplicate_query", "timeout_exceeded"])
def test_an_item_may_have_its_status_instead_of_being_looked_up_and_costs_nothing(
    caught: list[Callback], status: str
) -> None:
    api = start(crowd(100), credits=1_000, faults={status: 0.3})
    found = Counter(statuses(api.search(*ITEMS)))
    assert found.keys() == {"success", status}
    assert 15 <= found[status] <= 45
    assert api.credits() == 1_000 - found["success"]
    later = Counter(statuses_later(api, caught, *ITEMS))
    assert later.keys() == {"success", status}


def test_a_failed_item_can_be_asked_for_again_within_the_window_of_duplicates(
    people: People,
) -> None:
    api = start(people, duplicate_query_seconds=60, faults={"timeout_exceeded": 0.5}, seed=1)
    seen = [statuses(api.search(ADA))[0] for _ in range(30)]
    first = seen.index("success")
    assert first > 0, "the seed must spoil the first one"
    assert set(seen[:first]) == {"timeout_exceeded"}
    assert set(seen[first + 1 :]) == {"timeout_exceeded", "duplicate_query"}


@pytest.mark.parametrize("mode", [{"withoutWaterfall": True}, {"callbackUrl": CALLBACK_URL}])
def test_a_slow_down_is_a_429_with_or_without_retry_after_and_counts_nothing(
    people: People, caught: list[Callback], mode: dict[str, Any]
) -> None:
    api = start(people, credits=9, items_per_window=1, faults={"slow_down": 1.0})
    responses = [api.post({"items": [ADA], **mode}) for _ in range(20)]
    assert {response.status_code for response in responses} == {429}
    assert responses[0].json() == {"error": "Limit of 1 items per minute is exceeded"}
    assert {response.headers.get("Retry-After") for response in responses} == {"1", None}
    assert (api.credits(), caught) == (9, [])


# Torn connections, on real sockets


def test_a_torn_connection_is_closed_without_a_response_before_processing_or_after_it(
    people: People, tmp_path: Path
) -> None:
    journal = tmp_path / "journal.jsonl"
    with (
        running_sandbox(people, journal, faults={"torn": 1.0}) as sandbox,
        httpx.Client(base_url=sandbox.base_url, headers={"apikey": "sandbox"}) as client,
    ):
        for n in range(40):
            with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
                client.post(
                    "/candidate/search", json={"items": [ADA, str(n)], "withoutWaterfall": True}
                )
        # the server itself is well, and nothing else is torn
        assert client.get("/credits").status_code == 200
    charged = [line["uid"] for line in journal_lines(journal)]
    assert set(charged) == {UID_OF_ADA}
    assert 10 <= len(charged) <= 30


def test_the_callback_of_a_search_torn_after_processing_comes(
    people: People, caught: list[Callback], tmp_path: Path
) -> None:
    journal = tmp_path / "journal.jsonl"
    with (
        running_sandbox(people, journal, faults={"torn": 1.0}) as sandbox,
        httpx.Client(base_url=sandbox.base_url, headers={"apikey": "sandbox"}) as client,
    ):
        for n in range(20):
            with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
                client.post(
                    "/candidate/search", json={"items": [ADA, str(n)], "callbackUrl": CALLBACK_URL}
                )
    requests = [line["request"] for line in journal_lines(journal)]
    assert [callback.request for callback in caught] == requests
    assert 0 < len(requests) < 20
    assert not any(callback.is_lost for callback in caught)


# The seed decides


def fates(
    searches: Iterable[dict[str, Any]],
    journal: Path,
    caught: list[Callback],
    *,
    at_once: bool,
    **settings: Any,
) -> dict[str, list[Any]]:
    """What became of each search, by the least of its items. Numbers of requests are left out."""
    caught.clear()
    outcomes: dict[str, list[Any]] = {}

    async def ask(client: httpx.AsyncClient, body: dict[str, Any]) -> None:
        try:
            response = await client.post("/candidate/search", json=body)
        except httpx.TransportError:
            outcome: Any = "torn"
        else:
            is_result = response.status_code == 200
            outcome = (
                response.status_code,
                response.headers.get("Retry-After"),
                response.json() if is_result else None,
            )
        outcomes.setdefault(min(body["items"]), []).append(outcome)

    async def ask_all(base_url: str) -> None:
        async with httpx.AsyncClient(base_url=base_url, headers={"apikey": "sandbox"}) as client:
            if at_once:
                await asyncio.gather(*(ask(client, body) for body in searches))
            else:
                for body in searches:
                    await ask(client, body)

    settings = {"latency_ms": 1, "callback_delay_max_ms": 5_000, **settings}
    with running_sandbox(crowd(100), journal, **settings) as sandbox:
        asyncio.run(ask_all(sandbox.base_url))
    for callback in caught:
        parts = [part.body for part in callback.parts]
        outcomes[min(items_of(callback))] += [
            (parts, callback.delay_seconds, callback.repeated_after_seconds, callback.is_lost)
        ]
    return {item: sorted(map(repr, outcome)) for item, outcome in outcomes.items()}


def many_searches() -> list[dict[str, Any]]:
    modes: list[dict[str, Any]] = [{"withoutWaterfall": True}, {"callbackUrl": CALLBACK_URL}]
    threes = [ITEMS[start : start + 3] for start in range(0, 99, 3)]
    return [{"items": three, **mode} for three in threes for mode in modes for _ in "ab"]


def test_the_faults_of_a_search_do_not_depend_on_what_is_asked_beside_it(
    caught: list[Callback], tmp_path: Path
) -> None:
    settings: dict[str, Any] = {"faults": dict.fromkeys(FAULTS, 0.2), "seed": 5}
    journal = tmp_path / "journal.jsonl"
    searches = many_searches()
    one_by_one = fates(searches, journal, caught, at_once=False, **settings)
    random.Random(1).shuffle(searches)
    assert fates(searches, journal, caught, at_once=True, **settings) == one_by_one
    # the URL of the receiver is not part of what is asked: its port is another one in each run
    elsewhere = [
        {**body, "callbackUrl": f"{CALLBACK_URL}2"} if "callbackUrl" in body else body
        for body in searches
    ]
    assert fates(elsewhere, journal, caught, at_once=True, **settings) == one_by_one
    another_seed = settings | {"seed": 6}
    assert fates(searches, journal, caught, at_once=True, **another_seed) != one_by_one


def test_a_repeated_search_has_another_fate(people: People) -> None:
    api = start(people, faults={"slow_down": 0.5})
    codes = [api.search(ADA).status_code for _ in range(20)]
    assert set(codes) == {200, 429}
    again = start(people, faults={"slow_down": 0.5})
    assert [again.search(ADA).status_code for _ in range(20)] == codes


def test_a_search_that_is_really_refused_does_not_change_the_next_ones_fate(
    people: People,
) -> None:
    def codes(*, refused_first: bool) -> list[int]:
        api = start(people, items_per_window=20, faults={"slow_down": 0.5})
        if refused_first:
            assert [api.search(*[ADA] * 21).status_code for _ in range(5)] == [429] * 5
            assert api.search(*[ADA] * 101).status_code == 406
        return [api.search(ADA).status_code for _ in range(10)]

    assert codes(refused_first=True) == codes(refused_first=False)


def test_one_faults_share_does_not_change_what_another_hits(
    caught: list[Callback],
) -> None:
    def lost(**faults: float) -> list[bool]:
        caught.clear()
        api = start(crowd(0), faults={"lost": 0.5, **faults})
        for item in ITEMS:
            ask_later(api, item)
        return [callback.is_lost for callback in caught]

    assert lost(late=0.7, split=0.2, reordered=1.0, repeated=0.4, timeout_exceeded=0.5) == lost()


def test_the_share_is_the_share(caught: list[Callback]) -> None:
    api = start(crowd(0), items_per_window=10_000, faults={"lost": 0.05})
    for n in range(1_000):
        ask_later(api, f"item {n}")
    assert 25 <= sum(callback.is_lost for callback in caught) <= 80


def test_nothing_goes_wrong_where_nothing_is_asked_to(caught: list[Callback]) -> None:
    api = start(crowd(100), items_per_window=1_000_000)
    for _ in range(30):
        assert set(statuses(api.search(*ITEMS))) == {"success"}
        assert ask_later(api, *ITEMS).status_code == 201
    assert {
        (len(c.parts), c.delay_seconds, c.repeated_after_seconds, c.is_lost) for c in caught
    } == {(1, 0.0, None, False)}
