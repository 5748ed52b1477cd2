"""What the service does where something fails, or where two things come at once.

Over a real ledger. What entries come to, and what purchases come to, is as each test says: whether
they are right is tested elsewhere (`test_service.py`).
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from enrichment_pipeline.clock import Clock
from enrichment_pipeline.entry import service
from enrichment_pipeline.entry.buying import Bought, Buyer
from enrichment_pipeline.entry.contact import EnteredContact
from enrichment_pipeline.entry.desk import NotRecordedError, RequestKey
from enrichment_pipeline.entry.enrichment import Enrichment
from enrichment_pipeline.entry.entry_metrics import EntryMetrics
from enrichment_pipeline.entry.judge import DueCall, Verdict
from enrichment_pipeline.entry.service import EntryService
from enrichment_pipeline.ledger import entries
from enrichment_pipeline.ledger.admission import Candidate
from enrichment_pipeline.ledger.entries import Entry
from enrichment_pipeline.ledger.group import GroupCommit
from enrichment_pipeline.ledger.store import LedgerStore, open_store
from enrichment_pipeline.ledger.suppressions import Suppressions
from enrichment_pipeline.providers.base import Halt, UsedUp
from enrichment_pipeline.settings import Settings
from enrichment_pipeline.vocabulary import LOOKUP, SEARCH
from enrichment_pipeline_tests.databases import migrated_sqlite
from enrichment_pipeline_tests.ledger import Ledger, buy, candidate, limits_of
from enrichment_pipeline_tests.support import policy_for, settings_for

PATIENCE = timedelta(seconds=20)
"""Longer than anything takes here."""
NO_PATIENCE = timedelta(0)
SOON_SECONDS = 0.02
NOTHING_BOUGHT = Bought({}, None)
USED_UP = Bought({"standard": "day"}, None)
REFUSED = Bought({}, Halt("key_refused", "the provider refuses the key"))


class FakeJudge:
    """Decides that every entry is enriched, unless a test says otherwise."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.says: dict[str, Callable[[Entry], Verdict]] = {}

    def judge(self, batch: Sequence[Entry]) -> list[Verdict]:
        self.batches.append([entry.contact_id for entry in batch])
        return [self.says.get(entry.contact_id, enriched)(entry) for entry in batch]

    def close(self) -> None: ...


@dataclass
class FakeBuyer:
    """Buys nothing; a test says how that ends."""

    comes_to: Callable[[Sequence[Candidate]], Awaitable[Bought]]
    asked: list[list[str]] = field(default_factory=list)
    together: int = 100
    kinds: Sequence[str] = (LOOKUP, SEARCH)
    is_called: bool = False

    def batch_size(self, kind: str) -> int:
        return {LOOKUP: self.together, SEARCH: 1}[kind]

    def at_once(self, kind: str) -> int | None:
        return {LOOKUP: None, SEARCH: 3}[kind]

    async def buy(self, _kind: str, candidates: Sequence[Candidate]) -> Bought:
        self.asked.append([each.contact_id for each in candidates])
        return await self.comes_to(candidates)

    def stop(self) -> None: ...
    def read_callbacks(self) -> None: ...
    def end_what_was_left(self, dead_run_ids: Sequence[str] = ()) -> None: ...
    async def close(self) -> None: ...


def enriched(entry: Entry) -> Verdict:
    person = f"person:{entry.contact_id}"
    decided = Enrichment(contact_id=entry.contact_id, status="enriched")
    return Verdict(entry, person, frozenset(), decided, None)


def due(entry: Entry, priority: str = "standard") -> Verdict:
    person = f"person:{entry.contact_id}"
    call = Candidate(person, entry.contact_id, "a@b.example", "email", "new", priority)
    return Verdict(entry, person, frozenset(), None, DueCall(LOOKUP, call))


def fails(_entry: Entry) -> Verdict:
    raise ValueError("a statement failed")


@dataclass
class Desk:
    """The service, and what it stands on."""

    service: EntryService
    judge: FakeJudge
    buyer: FakeBuyer
    store: LedgerStore

    async def enter(self, contact_id: str, wait: timedelta = PATIENCE, **given: Any) -> Enrichment:
        request = given.pop("request", None)
        contact = EnteredContact(contact_id=contact_id, **given)
        return await self.service.enter(contact, wait=wait, request=request)

    def row(self, contact_id: str) -> Entry:
        found = entries.find(self.store, contact_id)
        assert found is not None
        return found

    @asynccontextmanager
    async def locked(self) -> AsyncIterator[None]:
        """Another process writes to the ledger all the time."""
        is_held, is_over = threading.Event(), threading.Event()

        def hold() -> None:
            with self.store.write():
                is_held.set()
                is_over.wait(PATIENCE.total_seconds())

        holding = asyncio.create_task(asyncio.to_thread(hold))
        await asyncio.to_thread(is_held.wait)
        try:
            yield
        finally:
            is_over.set()
            await holding


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "source").mkdir()
    home = tmp_path / "state"
    home.mkdir()
    migrated_sqlite(home / "ledger.sqlite")
    return settings_for(home, policy_for(tmp_path / "source"), "http://127.0.0.1:9")


@pytest.fixture
def play(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Callable[[Desk], Coroutine[Any, Any, None]]], None]:
    """Have a desk open for the length of a coroutine; it polls often, and tries again soon."""
    monkeypatch.setattr(service, "POLL_SECONDS", SOON_SECONDS)
    monkeypatch.setattr(service, "RETRY_AFTER_SECONDS", SOON_SECONDS)
    monkeypatch.setattr(service, "RECORD_SECONDS", 1.0)

    async def nothing(_candidates: Sequence[Candidate]) -> Bought:
        return NOTHING_BOUGHT

    def play(scene: Callable[[Desk], Coroutine[Any, Any, None]]) -> None:
        judge, buyer = FakeJudge(), FakeBuyer(nothing)
        monkeypatch.setattr(service, "Judge", lambda *_given: judge)
        monkeypatch.setattr(service, "Buyer", lambda *_given, **_named: buyer)

        async def bounded() -> None:
            store = open_store(settings.ledger_url.get_secret_value())
            desk = EntryService(settings, store, Clock(), EntryMetrics(), run_id="entry-1")
            await desk.start()
            try:
                async with asyncio.timeout(PATIENCE.total_seconds()):
                    await scene(Desk(desk, judge, buyer, store))
            finally:
                await desk.stop()
                store.close()

        asyncio.run(bounded())

    return play


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - of the desk's own state
        await asyncio.sleep(0.005)


# --- the ledger's database -----------------------------------------------------------------


def test_what_was_refused_for_a_locked_ledger_is_not_recorded_later(
    play: Callable[..., None], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(service, "RECORD_SECONDS", 0.05)

    async def scene(desk: Desk) -> None:
        async with desk.locked():
            with pytest.raises(NotRecordedError):
                await desk.enter("ada")
        monkeypatch.setattr(service, "RECORD_SECONDS", 5.0)
        await desk.service.ping()
        assert await desk.service.find("ada") is None

    play(scene)


def test_an_entry_is_judged_again_whose_answer_could_not_be_kept(
    play: Callable[..., None], monkeypatch: pytest.MonkeyPatch
):
    settle, has_failed = service._settle, threading.Event()

    def fails_once(*given: Any, **named: Any) -> Any:
        if not has_failed.is_set():
            has_failed.set()
            raise OperationalError("update", {}, Exception("disk I/O error"))
        return settle(*given, **named)

    monkeypatch.setattr(service, "_settle", fails_once)

    async def scene(desk: Desk) -> None:
        told = await desk.enter("ada")
        assert (told.status, told.reason) == ("queued", "not_judged")
        await until(lambda: desk.row("ada").is_decided)

    play(scene)


def test_an_answer_is_given_also_where_it_cannot_be_kept_for_a_repeat(
    play: Callable[..., None], monkeypatch: pytest.MonkeyPatch
):
    def fails(*_given: object) -> None:
        raise OperationalError("update", {}, Exception("disk I/O error"))

    monkeypatch.setattr(entries, "end_request", fails)

    async def scene(desk: Desk) -> None:
        told = await desk.enter("ada", request=RequestKey("token", "key", "body"))
        assert told.status == "enriched"

    play(scene)


# --- judging -------------------------------------------------------------------------------


def test_an_entry_that_cannot_be_judged_holds_up_no_other(play: Callable[..., None]):
    async def scene(desk: Desk) -> None:
        desk.judge.says["poison"] = fails
        ids = [f"id-{number:02}" for number in range(20)]
        told = await asyncio.gather(*map(desk.enter, [*ids[:10], "poison", *ids[10:]]))
        assert {each.status for each in told if each.contact_id != "poison"} == {"enriched"}
        assert len(desk.judge.batches) <= 15  # in halves, and not one by one
        seen = len(desk.judge.batches)
        await until(lambda: ["poison"] in desk.judge.batches[seen:])
        await asyncio.gather(*map(desk.enter, [f"later-{each}" for each in ids]))
        later = desk.judge.batches[seen:]
        assert all(batch == ["poison"] for batch in later if "poison" in batch)

    play(scene)


def test_who_arrives_is_judged_before_those_that_are_tried_again(
    play: Callable[..., None], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(service, "MOST_AT_ONCE", 1)
    monkeypatch.setattr(service, "LONGEST_RETRY_SECONDS", 0.001)  # as many as there can be
    waiting = [f"id-{number}" for number in range(30)]

    async def scene(desk: Desk) -> None:
        async def used_up(_candidates: Sequence[Candidate]) -> Bought:
            return USED_UP

        desk.buyer.comes_to = used_up
        desk.judge.says = dict.fromkeys(waiting, due)
        told = await asyncio.gather(*map(desk.enter, waiting))
        assert {(each.status, each.reason) for each in told} == {("queued", "budget")}
        seen = len(desk.judge.batches)
        await until(lambda: len(desk.judge.batches) > seen + 3)
        before = len(desk.judge.batches)
        assert (await desk.enter("new")).status == "enriched"
        assert desk.judge.batches.index(["new"]) - before < 10

    play(scene)


def test_an_entry_is_tried_again_after_growing_distances():
    distances = [service._distance(tries) for tries in (1, 2, 3, 4, 5, 6, 7, 1_000)]
    assert distances == [30, 60, 120, 240, 480, 900, 900, 900]


def test_while_an_answer_is_found_out_anew_the_earlier_one_is_not_given(
    play: Callable[..., None], settings: Settings
):
    async def scene(desk: Desk) -> None:
        assert (await desk.enter("ada")).status == "enriched"
        await asyncio.to_thread(Suppressions(desk.store, Clock()).add, ["email:1"])
        desk.judge.says["ada"] = due
        assert (await desk.enter("ada", NO_PATIENCE)).status == "queued"
        found = await desk.service.find("ada")
        assert found is not None
        assert found.status in {"queued", "in_flight"}

    play(scene)


def test_what_was_judged_before_others_settled_it_is_not_written_over_it(settings: Settings):
    store = open_store(settings.ledger_url.get_secret_value())
    ledger, now = Ledger(store, "signalhire", limits_of(), Clock()), Clock().now()

    def transact(step: Callable[..., Any], *given: Any, **named: Any) -> Any:
        return store.transact(lambda transaction: step(transaction, *given, **named))

    posted = entries.Posted("contact-ada", "{}", "digest")
    entry = transact(entries.record, posted, now=now, due_at=now, answering_until=now)
    seen = store.revision()
    buy(ledger, candidate("ada"))
    of_ada = replace(enriched(entry), person_key="person:ada")
    decided, _ = transact(service._settle, verdicts=[of_ada], revision=store.revision(), now=now)
    assert decided
    waits = Enrichment(contact_id="contact-ada", status="in_flight")
    late = replace(of_ada, enrichment=waits)
    decided, changed = transact(service._settle, verdicts=[late], revision=seen, now=now)
    assert (decided, changed) == ({}, {"person:ada"})
    found = entries.find(store, "contact-ada")
    assert found is not None
    assert found.is_decided
    store.close()


# --- what the ledger has for open ----------------------------------------------------------


def test_what_was_read_of_an_earlier_content_does_not_take_the_place_of_a_later_one(
    play: Callable[..., None], monkeypatch: pytest.MonkeyPatch
):
    async def scene(desk: Desk) -> None:
        desk.judge.says["ada"] = due
        await desk.enter("ada", NO_PATIENCE, job_title="typo")
        read = entries.undecided(desk.store)
        await desk.enter("ada", NO_PATIENCE, job_title="corrected")
        monkeypatch.setattr(entries, "undecided", lambda _store: read)
        await desk.service._reload()
        assert desk.service._open["ada"].entry.version == 2

    play(scene)


def test_who_was_opened_while_it_was_read_stays_open(play: Callable[..., None]):
    async def scene(desk: Desk) -> None:
        desk.judge.says["ada"] = due
        await desk.enter("ada", NO_PATIENCE)
        earlier = desk.service._open["ada"]
        later = replace(earlier, news=asyncio.Event())
        find = desk.service._find

        def opened_meanwhile(contact_id: str) -> Enrichment | None:
            desk.service._open["ada"] = later
            found = find(contact_id)
            return None if found is None else found.model_copy(update={"status": "enriched"})

        desk.service._find = opened_meanwhile  # for a moment
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(entries, "undecided", lambda _store: [])
            await until(lambda: not earlier.is_being_bought)
            await desk.service._reload()
        assert desk.service._open["ada"] is later

    play(scene)


def test_news_of_one_who_is_opened_while_they_are_read_is_not_lost(play: Callable[..., None]):
    async def scene(desk: Desk) -> None:
        def in_flight(entry: Entry) -> Verdict:
            return replace(due(entry), call=None)

        desk.judge.says = dict.fromkeys(["ada", "bob"], in_flight)
        await desk.enter("ada", NO_PATIENCE)
        news, loop = desk.service._news, asyncio.get_running_loop()

        def opened_meanwhile() -> tuple[int, dict[str, int]]:
            revision, changed = news()
            if ["bob"] not in desk.judge.batches:
                entering = desk.enter("bob", NO_PATIENCE)
                asyncio.run_coroutine_threadsafe(entering, loop).result()
                asyncio.run_coroutine_threadsafe(
                    until(lambda: desk.service._open["bob"].person_key is not None), loop
                ).result()
                desk.judge.says.clear()
                return revision, {"person:bob": desk.store.revision() + 1}
            return revision, changed

        desk.service._news = opened_meanwhile  # for a moment
        await until(lambda: entries.find(desk.store, "bob") is not None)
        await until(lambda: desk.row("bob").is_decided)

    play(scene)


# --- buying --------------------------------------------------------------------------------


def test_who_was_bought_before_the_budget_was_used_up_is_not_told_of_it(
    play: Callable[..., None],
):
    async def scene(desk: Desk) -> None:
        ledger = Ledger(desk.store, "signalhire", limits_of(), Clock())

        async def buys_ada(_candidates: Sequence[Candidate]) -> Bought:
            await asyncio.to_thread(buy, ledger, replace(candidate("ada"), person_key="person:ada"))
            desk.judge.says["ada"] = enriched
            return USED_UP

        desk.buyer.comes_to = buys_ada
        desk.judge.says = dict.fromkeys(["ada", "bob"], due)
        told = await asyncio.gather(desk.enter("ada"), desk.enter("bob"))
        assert [(each.status, each.reason) for each in told] == [
            ("enriched", None),
            ("queued", "budget"),
        ]

    play(scene)


def test_a_provider_that_refuses_everything_is_left_alone_for_a_while(
    play: Callable[..., None], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(service, "RETRY_AFTER_SECONDS", 600.0)

    async def scene(desk: Desk) -> None:
        async def refuses(_candidates: Sequence[Candidate]) -> Bought:
            return REFUSED

        desk.buyer.comes_to = refuses
        ids = [f"id-{number}" for number in range(5)]
        desk.judge.says = dict.fromkeys(ids, due)
        for contact_id in ids:
            told = await desk.enter(contact_id)
            assert (told.status, told.reason) == ("queued", "key_refused")
        assert len(desk.buyer.asked) == 1

    play(scene)


def test_after_that_a_single_request_tells_whether_it_takes_any_again(
    play: Callable[..., None],
):
    async def scene(desk: Desk) -> None:
        is_there = asyncio.Event()

        async def refuses(_candidates: Sequence[Candidate]) -> Bought:
            if len(desk.buyer.asked) > 1:
                await is_there.wait()
            return REFUSED

        desk.buyer.comes_to = refuses
        ids = [f"id-{number}" for number in range(5)]
        desk.judge.says = dict.fromkeys(ids, due)
        await asyncio.gather(*map(desk.enter, ids))
        asked = len(desk.buyer.asked)
        await until(lambda: len(desk.buyer.asked) > asked)
        later = {f"{each}-later" for each in ids}
        desk.judge.says |= dict.fromkeys(later, due)
        await asyncio.gather(*(desk.enter(each, NO_PATIENCE) for each in later))
        await until(
            lambda: later <= {each.candidate.contact_id for each in desk.service._to_buy.values()}
        )
        assert len(desk.service._purchases) == 1
        is_there.set()

    play(scene)


def searched(entry: Entry, priority: str = "standard") -> Verdict:
    person = f"person:{entry.contact_id}"
    call = Candidate(person, entry.contact_id, "Ada Example", "name", "new", priority)
    return Verdict(entry, person, frozenset(), None, DueCall(SEARCH, call))


@pytest.mark.parametrize(
    ("halt", "reason", "searches"),
    [
        (Halt("not_allowed", "no Search API"), "not_allowed", 1),
        # which the ledger keeps: it admits none on that day
        (UsedUp("quota_used_up", "no more searches today"), "budget", 2),
    ],
)
def test_where_nothing_can_be_searched_for_look_ups_go_on(
    play: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    halt: Halt,
    reason: str,
    searches: int,
):
    monkeypatch.setattr(service, "RETRY_AFTER_SECONDS", 600.0)

    async def scene(desk: Desk) -> None:
        async def ends(_candidates: Sequence[Candidate]) -> Bought:
            return Bought({}, halt)

        desk.buyer.comes_to = ends
        desk.judge.says = {"one": to_search_for, "two": to_search_for, "mailed": due}
        for contact_id in ("one", "two"):
            told = await desk.enter(contact_id)
            assert (told.status, told.reason) == ("queued", reason)
        assert len(desk.buyer.asked) == searches
        await desk.enter("mailed")
        assert ["mailed"] in desk.buyer.asked

    play(scene)


def to_search_for(entry: Entry) -> Verdict:
    call = Candidate(f"person:{entry.contact_id}", entry.contact_id, "Ada", "name", "new", "bulk")
    return Verdict(entry, call.person_key, frozenset(), None, DueCall(SEARCH, call))


def test_a_search_that_led_on_is_followed_by_its_look_up_at_once(
    play: Callable[..., None], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(service, "RETRY_AFTER_SECONDS", 600.0)

    async def scene(desk: Desk) -> None:
        steps = iter((to_search_for, due, enriched))
        desk.judge.says["named"] = lambda entry: next(steps)(entry)  # noqa: PLW0108
        assert (await desk.enter("named")).status == "enriched"
        assert desk.buyer.asked == [["named"], ["named"]]
        # what was asked in vain is not asked again at once
        desk.judge.says["in vain"] = to_search_for
        assert (await desk.enter("in vain")).status == "queued"
        assert desk.buyer.asked[2:] == [["in vain"]]

    play(scene)


def test_no_more_searches_are_begun_than_may_be_on_the_wire_the_most_important_next(
    play: Callable[..., None],
):
    async def scene(desk: Desk) -> None:
        room = asyncio.Semaphore(0)

        async def waits(_candidates: Sequence[Candidate]) -> Bought:
            await room.acquire()
            return NOTHING_BOUGHT

        def strategic(entry: Entry) -> Verdict:
            verdict = to_search_for(entry)
            assert verdict.call is not None
            call = replace(verdict.call.candidate, priority="strategic")
            return replace(verdict, call=DueCall(SEARCH, call))

        desk.buyer.comes_to = waits
        bulk = [f"bulk-{number}" for number in range(5)]
        desk.judge.says = {**dict.fromkeys(bulk, to_search_for), "first": strategic}
        await asyncio.gather(*(desk.enter(each, NO_PATIENCE) for each in bulk))
        await until(lambda: len(desk.service._to_buy) == 2)
        await desk.enter("first", NO_PATIENCE)
        await until(lambda: len(desk.service._to_buy) == 3)
        assert len(desk.buyer.asked) == 3
        room.release()
        await until(lambda: len(desk.buyer.asked) == 4)
        assert desk.buyer.asked[3] == ["first"]
        for _ in range(10):
            room.release()

    play(scene)


def test_purchases_that_wait_for_room_hold_up_none_of_a_higher_priority(
    play: Callable[..., None],
):
    async def scene(desk: Desk) -> None:
        has_room = asyncio.Event()

        async def waits(_candidates: Sequence[Candidate]) -> Bought:
            await has_room.wait()
            return NOTHING_BOUGHT

        desk.buyer.comes_to, desk.buyer.together = waits, 1
        bulk = [f"bulk-{number:02}" for number in range(service.PURCHASES_AT_ONCE + 2)]
        desk.judge.says = dict.fromkeys(bulk, lambda entry: due(entry, "bulk"))
        await asyncio.gather(*(desk.enter(each, NO_PATIENCE) for each in bulk))
        await until(lambda: len(desk.buyer.asked) == service.PURCHASES_AT_ONCE)
        # who waits behind them is told as well
        until_when = Clock().now() + timedelta(minutes=1)
        call = due(desk.row(bulk[0]), "bulk").call
        assert call is not None
        desk.service._note_wait(LOOKUP, [call.candidate], until_when, "rate")
        told = [await desk.service.find(each) for each in (bulk[0], bulk[-1])]
        assert [each and each.reason for each in told] == ["rate_limit"] * 2
        desk.judge.says["first"] = lambda entry: due(entry, "strategic")
        await desk.enter("first", NO_PATIENCE)
        await until(lambda: ["first"] in desk.buyer.asked)
        has_room.set()

    play(scene)


def test_nothing_is_sent_by_a_purchase_that_begins_while_the_process_ends(settings: Settings):
    async def scene(store: LedgerStore) -> None:
        buyer = Buyer(
            settings,
            store,
            GroupCommit(store),
            Clock(),
            run_id="entry-1",
            on_wait=lambda _kind, _calls, _until, _why: None,
        )
        buyer.stop()
        await buyer.buy(LOOKUP, [candidate("ada")])
        await buyer.close()
        with store.read() as ledger:
            assert not entries.persons_changed(ledger, ["person:ada"], 0)

    store = open_store(settings.ledger_url.get_secret_value())
    asyncio.run(scene(store))
    store.close()
