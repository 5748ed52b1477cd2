"""Processes that take entries and are killed with SIGKILL: nothing is lost, or bought twice.

The provider's stand-in lives on, charges for repeats, too, and keeps its side of the bill; so does
the application that is to be told. Then another process opens the same state folder, an hour later
by its clock, and a run follows.
"""

from __future__ import annotations

import asyncio
import json
import pickle
import random
import signal
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from pydantic import SecretStr

from enrichment_pipeline.clock import Clock
from enrichment_pipeline.entry import service
from enrichment_pipeline.entry.service import open_desk
from enrichment_pipeline.ledger import entries, notifications
from enrichment_pipeline.ledger.store import open_store
from enrichment_pipeline.settings import Settings
from enrichment_pipeline_tests.bought import charged, steps
from enrichment_pipeline_tests.dying import exit_codes
from enrichment_pipeline_tests.end_to_end.world import KEY, outcomes
from enrichment_pipeline_tests.entry.contact_of import COMPANY, email, full_name
from enrichment_pipeline_tests.entry.dying_desk import MAYBE_BILLED, STEPS, STEPS_OF_A_SEARCH
from enrichment_pipeline_tests.sandbox import journal_lines
from enrichment_pipeline_tests.support import (
    MovingClock,
    RunningSandbox,
    people_of,
    policy_for,
    running_sandbox,
    served,
    settings_for,
    write_csv,
)

PATIENCE_SECONDS = 60.0
PEOPLE = [
    {
        "uid": f"{n:032x}",
        "full_name": full_name(n),
        "work_email": email(n),
        "company": COMPANY,
        "company_domain": "x-quillforge.com",
    }
    for n in range(40)
]
IN_SOURCE = [{"contact_id": "of-the-source", "full_name": full_name(39), "email": email(39)}]

PROGRAM = """
import json, sys
from pathlib import Path

from enrichment_pipeline_tests.dying import run_in_children
from enrichment_pipeline_tests.entry import dying_desk
from enrichment_pipeline_tests.entry.contact_of import contact_of, named_contact_of

given = json.loads(sys.argv[1])


def run(number):
    step = given["deaths"][number - 1]
    folder = Path(given["folders"][number - 1])
    if isinstance(step, str):
        post = named_contact_of if given.get("is_named") else contact_of
        dying_desk.enter_and_die(folder, post(number - 1), given["url"], step)
    else:
        first, last, dies_at = step
        contacts = [(named_contact_of if n % 3 == 2 else contact_of)(n) for n in range(first, last)]
        dying_desk.enter_many_and_die(folder, contacts, given["url"], dies_at)


run_in_children(run, len(given["deaths"]))
"""


@dataclass
class Told:
    """The application that is to be told: how often it was, of each contact, and what."""

    url: str = ""
    bodies: list[dict[str, Any]] = field(default_factory=list)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        self.bodies.append(json.loads(body))
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    @property
    def contact_ids(self) -> set[str]:
        return {body["data"]["contact_id"] for body in self.bodies}


@contextmanager
def told() -> Iterator[Told]:
    app = Told()
    config = uvicorn.Config(app, log_level="error", lifespan="off", interface="asgi3")
    with served(config) as port:
        app.url = f"http://127.0.0.1:{port}/in"
        yield app


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[RunningSandbox]:
    people = people_of(tmp_path / "people.csv", PEOPLE)
    with running_sandbox(
        people, tmp_path / "journal.jsonl", api_key=KEY, charge_repeats=True
    ) as running:
        yield running


def state_in(
    folder: Path, sandbox: RunningSandbox, app: Told, ledger_url: str | None = None
) -> Settings:
    """A state folder for a process that will be killed, and its settings beside it."""
    folder.mkdir()
    write_csv(folder / "source" / "contacts.csv", IN_SOURCE)
    host = app.url.removeprefix("http://").partition("/")[0]
    policy = policy_for(
        folder / "source",
        entry={"notify_hosts": [host], "notify_networks": ["127.0.0.0/8"]},
        signalhire={"items_per_window": 100_000, "window_seconds": 1.0, "search": "on"},
    )
    changes: dict[str, Any] = {} if ledger_url is None else {"ledger_url": SecretStr(ledger_url)}
    secret = SecretStr(f"whsec_{b64encode(b'0' * 32).decode()}")
    settings = settings_for(
        folder / "state",
        policy,
        sandbox.base_url,
        api_key=SecretStr(KEY),
        webhook_secret=secret,
        **changes,
    )
    (folder / "settings.pickle").write_bytes(pickle.dumps(settings))
    return settings


def start_again(settings: Settings, monkeypatch: pytest.MonkeyPatch, *, hours: int = 1) -> None:
    """Another process opens the state, and goes on until nothing is open and nothing owed."""
    later = MovingClock(Clock().now() + timedelta(hours=hours))
    monkeypatch.setattr(service, "Clock", lambda: later)
    store = open_store(settings.ledger_url.get_secret_value())

    async def scene() -> None:
        async with open_desk(settings), asyncio.timeout(PATIENCE_SECONDS):
            while entries.count_open(store) or notifications.count_owed(store):  # noqa: ASYNC110
                await asyncio.sleep(0.05)

    asyncio.run(scene())
    store.close()
    monkeypatch.undo()


@pytest.mark.long
@pytest.mark.parametrize("step", STEPS)
def test_a_process_that_is_killed_at_a_step_of_a_request_loses_and_buys_nothing_twice(
    tmp_path: Path, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch, step: str
):
    folder = tmp_path / "killed"
    with told() as app:
        settings = state_in(folder, sandbox, app)
        given = {"deaths": [step], "folders": [str(folder)], "url": app.url}
        assert exit_codes(PROGRAM, given, timeout=60) == [-signal.SIGKILL]
        start_again(settings, monkeypatch)
        if step == "before it is recorded":
            assert not (folder / "answered").exists()
            assert not app.bodies
            assert not charged(sandbox)
            return
        contact_id = (folder / "answered").read_text()
        decided = ("enriched", None)
        if step in MAYBE_BILLED:
            decided = ("needs_review", "lookup_unconfirmed")
        # whoever was told, and killed before that was noted, tells it once more
        notified = [body["data"] for body in app.bodies]
        assert len(notified) == 1 + (step == "notified, before that is known")
        assert {each["contact_id"] for each in notified} == {contact_id}
        assert {(each["status"], each["reason"]) for each in notified} == {decided}
        steps(settings)
        assert outcomes(settings)[contact_id] == decided
    assert charged(sandbox)[email(0)] == (step != "admitted, before it is sent")


@pytest.mark.long
@pytest.mark.parametrize("step", STEPS_OF_A_SEARCH)
def test_a_process_that_is_killed_at_a_step_of_a_search_loses_and_buys_nothing_twice(
    tmp_path: Path, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch, step: str
):
    folder = tmp_path / "killed"
    with told() as app:
        settings = state_in(folder, sandbox, app)
        given = {"deaths": [step], "folders": [str(folder)], "url": app.url, "is_named": True}
        assert exit_codes(PROGRAM, given, timeout=60) == [-signal.SIGKILL]
        start_again(settings, monkeypatch)
        contact_id = (folder / "answered").read_text()
        notified = [body["data"] for body in app.bodies]
        assert [each["contact_id"] for each in notified] == [contact_id]
        # what a search was on the way for costs no credits, and is asked again
        assert [(each["status"], each["credits"]) for each in notified] == [("enriched", 1)]
        steps(settings)
        assert outcomes(settings)[contact_id] == ("enriched", None)
    assert bought(sandbox)[f"{0:032x}"] == 1


@pytest.mark.long
@pytest.mark.timeout(240)
@pytest.mark.parametrize("seed", range(3))
def test_processes_that_are_killed_at_any_commit_under_load_lose_and_buy_nothing_twice(
    tmp_path: Path,
    sandbox: RunningSandbox,
    durable_ledger_url: str,
    monkeypatch: pytest.MonkeyPatch,
    seed: int,
):
    commits = random.Random(seed)
    deaths = [(first, first + 10, commits.randrange(1, 40)) for first in (0, 10, 20)]
    with told() as app:
        settings = state_in(tmp_path / "killed", sandbox, app, durable_ledger_url)
        given = {
            "deaths": deaths,
            "folders": [str(tmp_path / "killed")] * len(deaths),
            "url": app.url,
        }
        assert exit_codes(PROGRAM, given, timeout=120) == [-signal.SIGKILL] * len(deaths)
        start_again(settings, monkeypatch)
        steps(settings)
        of_run = outcomes(settings)
        answered = set((tmp_path / "killed" / "answered").read_text().split())
        assert answered <= set(of_run)
        assert {of_run[each][0] for each in answered} <= {"enriched", "needs_review"}
        reasons = {of_run[each][1] for each in answered if of_run[each][0] == "needs_review"}
        assert reasons <= {"lookup_unconfirmed"}
        assert answered <= app.contact_ids
        assert max(bought(sandbox).values(), default=0) <= 1


def bought(sandbox: RunningSandbox) -> Counter[str]:
    """How often the provider charged for each person, whatever they were asked for by."""
    lines = journal_lines(sandbox.journal) if sandbox.journal.exists() else []
    return Counter(line["uid"] for line in lines)
