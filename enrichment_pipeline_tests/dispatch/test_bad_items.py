"""Requests that are refused for what they hold: the bad item is found, the others are bought."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from enrichment_pipeline.dispatch.bad_items import REFUSED_IN_A_ROW, BadItemDetector
from enrichment_pipeline.ledger.admission import Candidate
from enrichment_pipeline.ledger.schema import RELEASED, REPLIED, calls, replies
from enrichment_pipeline.ledger.store import LedgerStore
from enrichment_pipeline.providers.base import (
    ItemReading,
    Reading,
    Refused,
    Rejected,
    Reply,
    Retriable,
)
from enrichment_pipeline_tests.dispatch import (
    Told,
    Wire,
    buy,
    charges,
    ledger_on,
    person,
    persons,
    states_of,
    uid,
)
from enrichment_pipeline_tests.dispatch.test_callback_reader import world
from enrichment_pipeline_tests.ledger import booked_budgets, recomputed_budgets
from enrichment_pipeline_tests.providers import answers, server_that

PEOPLE = range(40)


def with_bad_items(*numbers: int) -> list[Candidate]:
    """All people, some of them by an item of a kind that the provider does not know."""
    return [
        replace(person(number), item=f"no item {number}") if number in numbers else person(number)
        for number in PEOPLE
    ]


def refused(store: LedgerStore) -> dict[str, str]:
    """Person and reason of those that the provider will not be asked for again."""
    query = sa.select(calls.c.person_key, calls.c.reason).where(calls.c.outcome == "refused")
    with store.read() as connection:
        return {row.person_key: row.reason for row in connection.execute(query)}


def statuses(store: LedgerStore) -> Counter[int]:
    with store.read() as connection:
        return Counter(connection.execute(sa.select(replies.c.http_status)).scalars())


@pytest.mark.parametrize(
    ("bad", "concurrency", "is_called"),
    [
        pytest.param([0], 1, False, id="first, at once"),
        pytest.param([0], 4, False, id="first of several requests, at once"),
        pytest.param([39], 4, False, id="last, at once"),
        pytest.param([0, 1, 2], 1, False, id="neighbours, at once"),
        pytest.param([3, 10, 11, 25, 38], 4, False, id="many, at once"),
        pytest.param([0, 1, 2], 1, True, id="neighbours, by callback"),
        pytest.param([3, 10, 11, 25, 38], 4, True, id="many, by callback"),
    ],
)
def test_a_bad_item_is_refused_and_the_others_of_its_batch_are_bought_once(
    store: LedgerStore, tmp_path: Path, bad: list[int], concurrency: int, is_called: bool
):
    told = Told()
    with world(store, tmp_path, bad_item_spoils_batch=True) as here:
        report = buy(
            here.ledger,
            Wire(here.sandbox.base_url),
            with_bad_items(*bad),
            told=told,
            batch_size=20,
            concurrency=concurrency,
            callback_url=here.url if is_called else None,
        )
    good = [number for number in PEOPLE if number not in bad]
    assert charges(here.sandbox.journal) == Counter(map(uid, good))
    assert refused(store) == {f"person:{number}": "wrong_parameters" for number in bad}
    assert (report.matched, report.refused, report.halted) == (len(good), len(bad), None)
    assert (told.total, told.done, told.credits) == (len(PEOPLE), len(PEOPLE), len(good))
    for states in states_of(store).values():
        assert states == [RELEASED] * (len(states) - 1) + [REPLIED]
    assert booked_budgets(store) == recomputed_budgets(store)
    assert statuses(store)[422] >= len(bad)


def test_a_refused_item_is_not_asked_for_by_the_next_run(store: LedgerStore, tmp_path: Path):
    with world(store, tmp_path, bad_item_spoils_batch=True) as here:
        buy(here.ledger, Wire(here.sandbox.base_url), with_bad_items(7))
        wire = Wire(here.sandbox.base_url)
        report = buy(here.ledger, wire, with_bad_items(7), run_id="next")
    assert (report.not_due, wire.batches) == (len(PEOPLE), [])


def test_an_answer_on_a_later_page_shows_that_an_item_of_an_earlier_one_is_bad(
    store: LedgerStore, tmp_path: Path
):
    first, *others = with_bad_items(0)
    with world(store, tmp_path, bad_item_spoils_batch=True) as here:
        report = buy(here.ledger, Wire(here.sandbox.base_url), [first], others)
    assert (report.matched, report.halted) == (len(others), None)
    assert set(refused(store)) == {first.person_key}


def test_a_single_refused_item_with_no_answer_beside_it_stops_the_run(
    store: LedgerStore, tmp_path: Path
):
    told = Told()
    with world(store, tmp_path, bad_item_spoils_batch=True) as here:
        report = buy(here.ledger, Wire(here.sandbox.base_url), with_bad_items(0)[:1], told=told)
    assert report.halted is not None
    assert report.halted.reason == "wrong_parameters"
    assert told.said == [report.halted.message]
    assert states_of(store) == {"person:0": [RELEASED]}


@pytest.mark.parametrize(("status", "reason"), [(406, "not_acceptable"), (422, "wrong_parameters")])
def test_where_everything_is_refused_no_item_is_taken_for_bad_and_the_run_stops_soon(
    store: LedgerStore, status: int, reason: str
):
    told = Told()
    with server_that(answers(status, b'{"error": "as it came"}')) as server:
        report = buy(
            ledger_on(store),
            Wire(server.base_url),
            persons(range(400)),
            batch_size=100,
            concurrency=1,
            told=told,
        )
        assert server.connections <= 3 * REFUSED_IN_A_ROW
    assert report.halted is not None
    assert (report.halted.reason, told.said) == (reason, [report.halted.message])
    assert {state for states in states_of(store).values() for state in states} == {RELEASED}
    assert set(statuses(store)) == {status}
    assert booked_budgets(store) == {}


def test_few_items_are_given_up_where_a_provider_begins_to_refuse_everything(
    store: LedgerStore, tmp_path: Path
):
    class Turning(Wire):
        async def lookup(self, items: Sequence[str]) -> Reply:
            reply = await super().lookup(items)
            return reply if len(self.batches) == 1 else Reply(422, b"{}")

    with world(store, tmp_path) as here:
        report = buy(here.ledger, Turning(here.sandbox.base_url), persons(PEOPLE), concurrency=1)
    assert report.halted is not None
    assert (report.matched, report.refused) == (5, REFUSED_IN_A_ROW - 1)


def test_a_single_refused_item_is_bad_where_earlier_requests_were_answered():
    rejected = Rejected("bad_item", "refused for what it holds")
    reading = Reading((ItemReading(Retriable("bad_item")),), rejected)
    assert BadItemDetector().classify(reading, rejected) == reading
    [item] = BadItemDetector(is_answered=True).classify(reading, rejected).items
    assert item.outcome == Refused("bad_item")
