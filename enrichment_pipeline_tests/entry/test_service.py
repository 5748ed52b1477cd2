"""Entries from the moment on that they are recorded: judged, bought once, and settled.

To open a desk and to judge cost most of what these tests do: they share one desk, each with people
of its own, but for those that need another policy or another state.
"""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

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
from enrichment_pipeline.ledger.suppressions import Suppressions
from enrichment_pipeline.settings import Settings
from enrichment_pipeline_tests.bought import charged, steps
from enrichment_pipeline_tests.end_to_end.world import (
    FILLERS,
    KEY,
    PEOPLE,
    small_policy,
    small_sandbox,
    small_settings,
)
from enrichment_pipeline_tests.support import RunningSandbox, people_of, running_sandbox

PATIENCE = timedelta(seconds=60)
"""Longer than anything takes here: a caller who waits so long waits for a decision."""
NOTHING = {"per_day": 0, "per_run": 0}
R = TypeVar("R")

WITH_PROFILE = [
    {
        "full_name": f"Adelheid {family}",
        "linkedin_url": f"https://www.linkedin.com/in/adelheid-{family.lower()}",
        "work_email": f"{family.lower()}@quillforge.com",
    }
    for family in ("Quarbach", "Trewhinnie", "Ollivander", "Vossenbring")
]
"""Whom the stand-in finds by either; each test has others."""


@dataclass
class Shared:
    """A desk in a thread's event loop, and what runs in it."""

    desk: EntryService
    loop: asyncio.AbstractEventLoop

    def play(self, scene: Coroutine[Any, Any, R]) -> R:
        playing = asyncio.run_coroutine_threadsafe(scene, self.loop)
        return playing.result(2 * PATIENCE.total_seconds())


@contextmanager
def shared(settings: Settings) -> Iterator[Shared]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    opening = open_desk(settings)
    opened = asyncio.run_coroutine_threadsafe(opening.__aenter__(), loop).result()
    try:
        yield Shared(opened, loop)
    finally:
        closing = opening.__aexit__(None, None, None)
        asyncio.run_coroutine_threadsafe(closing, loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    folder = tmp_path_factory.mktemp("sandbox")
    people = people_of(folder / "people.csv", [*PEOPLE, *WITH_PROFILE])
    with running_sandbox(people, folder / "journal.jsonl", api_key=KEY) as running:
        yield running


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory, sandbox: RunningSandbox) -> Iterator[Shared]:
    """The desk that most of these tests share."""
    settings = small_settings(tmp_path_factory.mktemp("desk"), sandbox.base_url)
    with shared(settings) as desk:
        yield desk


@pytest.fixture
def spent(sandbox: RunningSandbox) -> Callable[[], int]:
    """What was charged since the test began."""
    before = charged(sandbox).total()
    return lambda: charged(sandbox).total() - before


def filler(number: int, **columns: Any) -> EnteredContact:
    _, name, email = FILLERS[number]
    return EnteredContact(full_name=name, email=email, **columns)


def email_of(number: int) -> str:
    return FILLERS[number][2]


async def enter(
    desk: EntryService,
    given: EnteredContact,
    *,
    wait: timedelta = PATIENCE,
    request: RequestKey | None = None,
) -> Enrichment:
    return await desk.enter(given, wait=wait, request=request)


def test_an_entry_is_bought_at_once_and_known_from_then_on(
    here: Shared, spent: Callable[[], int], monkeypatch: pytest.MonkeyPatch
):
    async def scene() -> None:
        found = await enter(here.desk, filler(0))
        assert (found.status, found.credits) == ("enriched", 1)
        assert found.fields["work_email"].value == email_of(0)
        assert found.fields["work_email"].status == "verified"
        assert found.fields["work_email"].provider == "signalhire"
        assert await here.desk.find(found.contact_id) == found
        monkeypatch.setattr(Judge, "judge", None)  # what is known is answered without it
        assert await enter(here.desk, filler(0)) == found.model_copy(update={"credits": 0})

    here.play(scene())
    assert spent() == 1


def test_what_needs_no_purchase_is_decided_without_one(here: Shared, spent: Callable[[], int]):
    suppressions = Suppressions(here.desk._store, Clock())
    suppressions.add([hashed("email", email_of(1))])

    async def scene() -> None:
        empty, barred = await asyncio.gather(
            enter(here.desk, EnteredContact(full_name="Nobody")), enter(here.desk, filler(1))
        )
        assert (empty.status, empty.reason) == ("needs_review", "insufficient_identity")
        assert empty.needs_manual_enrichment
        assert barred.status == "suppressed"

    here.play(scene())
    assert spent() == 0


def test_who_is_entered_a_thousand_times_at_once_is_bought_once(
    here: Shared, spent: Callable[[], int]
):
    async def scene() -> None:
        same = [enter(here.desk, filler(2)) for _ in range(1_000)]
        other = enter(here.desk, filler(2, contact_id="another-id"))
        found = await asyncio.gather(*same, other)
        assert {each.status for each in found} == {"enriched"}
        assert len({each.contact_id for each in found}) == 2

    here.play(scene())
    assert spent() == 1


def test_who_is_entered_under_several_identifiers_at_once_is_bought_once(
    here: Shared, spent: Callable[[], int]
):
    orders = (("both", "email", "profile"), ("email", "both", "profile"), ("profile", "both"))

    async def scene() -> None:
        posts = [
            (person["work_email"], known_by(person, identifiers))
            for person, order in zip(WITH_PROFILE, orders, strict=False)
            for identifiers in order
        ]
        found = await asyncio.gather(*(enter(here.desk, post) for _, post in posts))
        assert {each.status for each in found} == {"enriched"}
        values = [each.fields["work_email"].value for each in found]
        assert values == [address for address, _ in posts]

    here.play(scene())
    assert spent() == len(orders)


def known_by(person: dict[str, str], identifiers: str) -> EnteredContact:
    """The person as it is entered by its e-mail, its profile URL, or both."""
    profile = {"linkedin_url": person["linkedin_url"]} if identifiers != "email" else {}
    email = {"email": person["work_email"]} if identifiers != "profile" else {}
    named = {
        "full_name": person["full_name"],
        "contact_id": f"{person['work_email']} {identifiers}",
    }
    return EnteredContact(**named, **profile, **email)


def test_one_who_shares_what_an_answer_gave_is_not_bought_again(
    here: Shared, spent: Callable[[], int]
):
    person = WITH_PROFILE[3]

    async def scene() -> None:
        found = await enter(here.desk, known_by(person, "email"))
        assert found.fields["linkedin_url"].value == person["linkedin_url"]
        by_profile = await enter(here.desk, known_by(person, "profile"))
        assert (by_profile.status, by_profile.credits) == ("enriched", 0)
        assert by_profile.fields["work_email"].value == person["work_email"]

    here.play(scene())
    assert spent() == 1


def test_changed_content_is_judged_anew(here: Shared):
    async def scene() -> None:
        first = await enter(here.desk, filler(3, contact_id="one"))
        other = await enter(here.desk, filler(4, contact_id="one"))
        assert first.fields["work_email"].value == email_of(3)
        assert other.fields["work_email"].value == email_of(4)
        assert await here.desk.find("one") == other

    here.play(scene())


def test_the_same_request_gets_the_same_answer(here: Shared):
    key = RequestKey("token", "key-1", digest("body"))

    async def scene() -> None:
        first = await enter(here.desk, filler(5), request=key)
        assert first.credits == 1
        assert await enter(here.desk, filler(5), request=key) == first
        with pytest.raises(KeyReusedError):
            await enter(here.desk, filler(5), request=replace(key, body_sha256=digest("other")))
        mine = await enter(here.desk, filler(5), request=replace(key, token_sha256="another"))
        assert mine.credits == 0
        other = replace(key, key="key-2")
        under_way = asyncio.create_task(enter(here.desk, filler(6), request=other))
        await until(lambda: bool(here.desk._open))
        with pytest.raises(StillAnsweringError):
            await enter(here.desk, filler(6), request=other)
        await under_way

    here.play(scene())


def test_what_cannot_be_recorded_is_refused(here: Shared, monkeypatch: pytest.MonkeyPatch):
    async def scene() -> None:
        async def fails(_work: object) -> None:
            raise TimeoutError

        monkeypatch.setattr(here.desk._group, "run", fails)
        with pytest.raises(NotRecordedError):
            await enter(here.desk, filler(7))
        monkeypatch.undo()
        assert await here.desk.find(filler(7).id) is None

    here.play(scene())


# --- another policy, another state ---------------------------------------------------------


def test_what_there_is_no_budget_for_is_told_at_once_and_goes_on_once_there_is(
    tmp_path: Path, sandbox: RunningSandbox, spent: Callable[[], int]
):
    poor = small_settings(tmp_path, sandbox.base_url, small_policy(tmp_path, budget=NOTHING))

    async def wait_in_vain() -> None:
        async with open_desk(poor) as desk:
            waits, taken_back = await asyncio.gather(enter(desk, filler(8)), enter(desk, filler(9)))
            assert (waits.status, waits.reason) == ("queued", "budget")
            assert await desk.take_back(taken_back.contact_id) is TakenBack.TAKEN_BACK
            assert await desk.find(taken_back.contact_id) is None
            assert await desk.take_back("nobody") is TakenBack.NOT_ENTERED

    async def go_on() -> None:
        async with open_desk(replace(poor, policy=small_policy(tmp_path))) as desk:
            found = await decided(desk, filler(8).id)
            assert found.status == "enriched"
            assert await desk.take_back(found.contact_id) is TakenBack.ALREADY_BOUGHT
            assert await desk.find(found.contact_id) == found
            assert await desk.find(filler(9).id) is None

    asyncio.run(wait_in_vain())
    assert spent() == 0
    asyncio.run(go_on())
    assert spent() == 1


def test_a_full_window_is_told_at_once(tmp_path: Path, sandbox: RunningSandbox):
    limits = {"items_per_window": 1, "window_seconds": 600.0}
    policy = small_policy(tmp_path, signalhire=limits)
    settings = small_settings(tmp_path, sandbox.base_url, policy)

    async def play() -> None:
        async with open_desk(settings) as desk:
            found = await asyncio.gather(enter(desk, filler(10)), enter(desk, filler(11)))
            told = {(each.status, each.reason) for each in found}
            assert told == {("enriched", None), ("queued", "rate_limit")}

    asyncio.run(play())


def test_a_provider_that_asks_for_a_pause_is_told_at_once(tmp_path: Path):
    with small_sandbox(tmp_path, faults={"slow_down": 1.0}) as sandbox:
        settings = small_settings(tmp_path, sandbox.base_url)

        async def play() -> None:
            async with open_desk(settings) as desk:
                waits = await enter(desk, filler(0))
                assert (waits.status, waits.reason) == ("queued", "provider_paused")

        asyncio.run(play())


def test_whom_a_run_knows_is_known_here(tmp_path: Path, sandbox: RunningSandbox):
    settings = small_settings(tmp_path, sandbox.base_url)
    settings.known_dir.mkdir(parents=True)
    steps(settings)
    bought = charged(sandbox)

    async def play() -> None:
        async with open_desk(settings) as desk:
            ids = [FILLERS[12][0], "nobody's id"]
            known, of_source, of_nobody = await asyncio.gather(
                enter(desk, filler(0)), *(enter(desk, EnteredContact(contact_id=i)) for i in ids)
            )
            assert (known.status, known.credits) == ("enriched", 0)
            assert of_source.status == "enriched"  # by the source's row, not by the empty one
            assert of_source.fields["work_email"].value == email_of(12)
            # with the same empty content under another id: nobody's data
            later = await enter(desk, EnteredContact(contact_id="somebody else's id"))
            for each in (of_nobody, later):
                assert (each.status, each.fields) == ("needs_review", {})

    asyncio.run(play())
    assert charged(sandbox) == bought


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
