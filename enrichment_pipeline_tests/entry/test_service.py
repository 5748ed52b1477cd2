"""Entries from the moment on that they are recorded: judged, bought once, and settled."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from enrichment_pipeline.clock import Clock
from enrichment_pipeline.entry.contact import EnteredContact
from enrichment_pipeline.entry.desk import (
    KeyReusedError,
    NotRecordedError,
    RequestKey,
    StillAnsweringError,
    TakenBack,
)
from enrichment_pipeline.entry.enrichment import Enrichment
from enrichment_pipeline.entry.judge import Judge
from enrichment_pipeline.entry.service import EntryService, open_desk
from enrichment_pipeline.hashed_identifiers import hashed
from enrichment_pipeline.ledger import entries
from enrichment_pipeline.ledger.store import open_store
from enrichment_pipeline.ledger.suppressions import Suppressions
from enrichment_pipeline.settings import Settings
from enrichment_pipeline_tests.bought import charged, steps
from enrichment_pipeline_tests.end_to_end.world import (
    FILLERS,
    small_policy,
    small_sandbox,
    small_settings,
)
from enrichment_pipeline_tests.support import RunningSandbox

PATIENCE = timedelta(seconds=60)
"""Longer than anything takes here: whoever waits so long waits for a decision."""
NO_PATIENCE = timedelta(0)

(_, NAME, EMAIL), (_, OTHER_NAME, OTHER_EMAIL), *_ = FILLERS


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[RunningSandbox]:
    with small_sandbox(tmp_path) as running:
        yield running


@pytest.fixture
def settings(tmp_path: Path, sandbox: RunningSandbox) -> Settings:
    return small_settings(tmp_path, sandbox.base_url)


def contact(email: str = EMAIL, name: str = NAME, **columns: Any) -> EnteredContact:
    return EnteredContact(email=email, full_name=name, **columns)


async def enter(
    desk: EntryService,
    given: EnteredContact,
    *,
    wait: timedelta = PATIENCE,
    request: RequestKey | None = None,
) -> Enrichment:
    return await desk.enter(given, wait=wait, request=request)


def test_an_entry_is_bought_at_once_and_known_from_then_on(
    settings: Settings, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
):
    async def play() -> None:
        async with open_desk(settings) as desk:
            found = await enter(desk, contact())
            assert (found.status, found.credits) == ("enriched", 1)
            assert found.fields["work_email"].value == EMAIL
            assert found.fields["work_email"].status == "verified"
            assert found.fields["work_email"].provider == "signalhire"
            assert await desk.find(found.contact_id) == found
            monkeypatch.setattr(Judge, "judge", None)  # what is known is answered without it
            again = await enter(desk, contact())
            assert again == found.model_copy(update={"credits": 0})
            elsewhere = await enter(desk, contact(contact_id="from-a-form"))
            assert elsewhere == again.model_copy(update={"contact_id": "from-a-form"})

    asyncio.run(play())
    assert sum(charged(sandbox).values()) == 1


def test_what_needs_no_purchase_is_decided_without_one(settings: Settings, sandbox: RunningSandbox):
    store = open_store(settings.ledger_url.get_secret_value())
    Suppressions(store, Clock()).add([hashed("email", OTHER_EMAIL)])
    store.close()

    async def play() -> None:
        async with open_desk(settings) as desk:
            empty = await enter(desk, EnteredContact(full_name="Nobody"))
            assert (empty.status, empty.reason) == ("needs_review", "insufficient_identity")
            assert empty.needs_manual_enrichment
            barred = await enter(desk, contact(OTHER_EMAIL, OTHER_NAME))
            assert barred.status == "suppressed"

    asyncio.run(play())
    assert not charged(sandbox)


def test_who_is_entered_many_times_at_once_is_bought_once(
    settings: Settings, sandbox: RunningSandbox
):
    async def play() -> None:
        async with open_desk(settings) as desk:
            same = [enter(desk, contact()) for _ in range(200)]
            found = await asyncio.gather(*same, enter(desk, contact(contact_id="another-id")))
            assert {each.status for each in found} == {"enriched"}
            assert len({each.contact_id for each in found}) == 2

    asyncio.run(play())
    assert sum(charged(sandbox).values()) == 1


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (2, 0, 1)])
def test_who_is_entered_under_several_identifiers_at_once_is_bought_once(
    settings: Settings, sandbox: RunningSandbox, order: tuple[int, ...]
):
    name, address = "Adelheid Quentzelmann", "adelheid@quillforge.com"
    profile = "https://www.linkedin.com/in/adelheid-quentzelmann"
    posts = [
        EnteredContact(full_name=name, email=address, linkedin_url=profile, contact_id="both"),
        EnteredContact(full_name=name, email=address),
        EnteredContact(full_name=name, linkedin_url=profile),
    ]

    async def play() -> None:
        async with open_desk(settings) as desk:
            found = await asyncio.gather(*(enter(desk, posts[each]) for each in order))
            assert {each.status for each in found} == {"enriched"}
            assert {each.fields["work_email"].value for each in found} == {address}

    asyncio.run(play())
    assert sum(charged(sandbox).values()) == 1


def test_one_who_shares_what_an_answer_gave_is_not_bought_again(
    settings: Settings, sandbox: RunningSandbox
):
    name, address = "Adelheid Quentzelmann", "adelheid@quillforge.com"

    async def play() -> None:
        async with open_desk(settings) as desk:
            found = await enter(desk, EnteredContact(full_name=name, email=address))
            profile = found.fields["linkedin_url"].value
            by_profile = await enter(desk, EnteredContact(full_name=name, linkedin_url=profile))
            assert (by_profile.status, by_profile.credits) == ("enriched", 0)
            assert by_profile.fields["work_email"].value == address

    asyncio.run(play())
    assert sum(charged(sandbox).values()) == 1


def test_changed_content_is_judged_anew(settings: Settings):
    async def play() -> None:
        async with open_desk(settings) as desk:
            first = await enter(desk, contact(contact_id="one"))
            other = await enter(desk, contact(OTHER_EMAIL, OTHER_NAME, contact_id="one"))
            assert first.fields["work_email"].value == EMAIL
            assert other.fields["work_email"].value == OTHER_EMAIL
            assert await desk.find("one") == other

    asyncio.run(play())


def test_a_budget_that_is_used_up_is_told_at_once_and_is_no_loss(
    tmp_path: Path, sandbox: RunningSandbox
):
    policy = small_policy(tmp_path, budget={"per_day": 0, "per_run": 0})
    settings = small_settings(tmp_path, sandbox.base_url, policy)

    async def play(settings: Settings, wait: timedelta) -> Enrichment:
        async with open_desk(settings) as desk:
            return await enter(desk, contact(), wait=wait)

    poor = asyncio.run(play(settings, PATIENCE))
    assert (poor.status, poor.reason) == ("queued", "budget")
    assert not charged(sandbox)
    rich = replace(settings, policy=small_policy(tmp_path))
    assert asyncio.run(play(rich, PATIENCE)).status == "enriched"


def test_a_full_window_is_told_at_once(tmp_path: Path, sandbox: RunningSandbox):
    limits = {"items_per_window": 1, "window_seconds": 600.0}
    policy = small_policy(tmp_path, signalhire=limits)
    settings = small_settings(tmp_path, sandbox.base_url, policy)

    async def play() -> None:
        async with open_desk(settings) as desk:
            assert (await enter(desk, contact())).status == "enriched"
            waits = await enter(desk, contact(OTHER_EMAIL, OTHER_NAME))
            assert (waits.status, waits.reason) == ("queued", "rate_limit")

    asyncio.run(play())


def test_a_provider_that_asks_for_a_pause_is_told_at_once(tmp_path: Path):
    with small_sandbox(tmp_path, faults={"slow_down": 1.0}) as sandbox:
        settings = small_settings(tmp_path, sandbox.base_url)

        async def play() -> None:
            async with open_desk(settings) as desk:
                waits = await enter(desk, contact())
                assert (waits.status, waits.reason) == ("queued", "provider_paused")

        asyncio.run(play())


def test_the_same_request_gets_the_same_answer(settings: Settings):
    key = RequestKey("token", "key-1", digest("body"))

    async def play() -> None:
        async with open_desk(settings) as desk:
            first = await enter(desk, contact(), request=key)
            assert first.credits == 1
            assert await enter(desk, contact(), request=key) == first
            with pytest.raises(KeyReusedError):
                await enter(desk, contact(), request=replace(key, body_sha256=digest("other")))
            mine = await enter(desk, contact(), request=replace(key, token_sha256="another"))
            assert mine.credits == 0
            other = replace(key, key="key-2")
            under_way = asyncio.create_task(
                enter(desk, contact(OTHER_EMAIL, OTHER_NAME), request=other)
            )
            await until(lambda: bool(desk._open))
            with pytest.raises(StillAnsweringError):
                await enter(desk, contact(OTHER_EMAIL, OTHER_NAME), request=other)
            await under_way

    asyncio.run(play())


def test_an_entry_is_taken_back_before_it_is_bought_and_not_after(
    tmp_path: Path, sandbox: RunningSandbox
):
    poor = small_settings(tmp_path, sandbox.base_url, small_policy(tmp_path, budget={"per_day": 0}))

    async def play(settings: Settings, given: EnteredContact) -> TakenBack:
        async with open_desk(settings) as desk:
            found = await enter(desk, given)
            taken = await desk.take_back(found.contact_id)
            is_there = await desk.find(found.contact_id) is not None
            assert is_there == (taken is TakenBack.ALREADY_BOUGHT)
            assert await desk.take_back("nobody") is TakenBack.NOT_ENTERED
            return taken

    assert asyncio.run(play(poor, contact())) is TakenBack.TAKEN_BACK
    rich = replace(poor, policy=small_policy(tmp_path))
    other = contact(OTHER_EMAIL, OTHER_NAME)
    assert asyncio.run(play(rich, other)) is TakenBack.ALREADY_BOUGHT
    assert list(charged(sandbox)) == [OTHER_EMAIL]


def test_what_was_recorded_goes_on_after_a_kill(settings: Settings, sandbox: RunningSandbox):
    given = contact()
    store = open_store(settings.ledger_url.get_secret_value())
    now = Clock().now()
    with store.write() as transaction:
        posted = entries.Posted(given.id, given.content, given.content_sha256)
        entries.record(transaction, posted, now=now, due_at=now, answering_until=now)
    store.close()

    async def play() -> None:
        async with open_desk(settings) as desk:
            assert (await decided(desk, given.id)).status == "enriched"

    asyncio.run(play())
    assert sum(charged(sandbox).values()) == 1


def test_whom_a_run_knows_is_known_here(settings: Settings, sandbox: RunningSandbox):
    settings.known_dir.mkdir(parents=True)
    steps(settings)
    bought = charged(sandbox)

    async def play() -> None:
        async with open_desk(settings) as desk:
            known = await enter(desk, contact())
            assert (known.status, known.credits) == ("enriched", 0)
            of_source = await enter(desk, EnteredContact(contact_id=FILLERS[2][0]))
            assert of_source.status == "enriched"  # by the source's row, not by the empty one
            assert of_source.fields["work_email"].value == FILLERS[2][2]

    asyncio.run(play())
    assert charged(sandbox) == bought


def test_what_cannot_be_recorded_is_refused(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    async def play() -> None:
        async with open_desk(settings) as desk:

            async def fails(_work: object) -> None:
                raise TimeoutError

            monkeypatch.setattr(desk._group, "run", fails)
            with pytest.raises(NotRecordedError):
                await enter(desk, contact())
            monkeypatch.undo()
            assert await desk.find(contact().id) is None

    asyncio.run(play())


async def decided(desk: EntryService, contact_id: str) -> Enrichment:
    async with asyncio.timeout(PATIENCE.total_seconds()):
        while True:
            found = await desk.find(contact_id)
            if found is not None and found.is_decided:
                return found
            await asyncio.sleep(0.05)


async def until(condition: Any) -> None:
    async with asyncio.timeout(PATIENCE.total_seconds()):
        while not condition():  # noqa: ASYNC110 - of the desk's own state
            await asyncio.sleep(0.01)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
