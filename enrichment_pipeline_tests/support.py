"""What the tests share: a clock that they move, a sandbox in a thread, settings of a state folder.

Here: helpers, without assertions. Not here: fixtures (`conftest.py`).
"""

from __future__ import annotations

import atexit
import csv
import os
import pickle
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any, TypeVar

import pytest
import uvicorn
from filelock import FileLock
from pydantic import SecretStr

from enrichment_pipeline.clock import Clock
from enrichment_pipeline.policy import Policy
from enrichment_pipeline.providers.registry import FIRST
from enrichment_pipeline.sandbox.directory import Person
from enrichment_pipeline.sandbox.hunter.config import HunterConfig
from enrichment_pipeline.sandbox.hunter.stand_in import BASE_PATH as HUNTER_PATH
from enrichment_pipeline.sandbox.hunter.stand_in import create_app as create_hunter
from enrichment_pipeline.sandbox.peopledatalabs.config import PeopleDataLabsConfig
from enrichment_pipeline.sandbox.peopledatalabs.stand_in import BASE_PATH as PEOPLE_DATA_LABS_PATH
from enrichment_pipeline.sandbox.peopledatalabs.stand_in import create_app as create_pdl
from enrichment_pipeline.sandbox.prospeo.config import ProspeoConfig
from enrichment_pipeline.sandbox.prospeo.stand_in import BASE_PATH as PROSPEO_PATH
from enrichment_pipeline.sandbox.prospeo.stand_in import create_app as create_prospeo
from enrichment_pipeline.sandbox.signalhire.config import SandboxConfig
from enrichment_pipeline.sandbox.signalhire.people import People, load_people
from enrichment_pipeline.sandbox.signalhire.stand_in import BASE_PATH, create_app
from enrichment_pipeline.sandbox.stand_in_server import server_config
from enrichment_pipeline.settings import SANDBOX_KEY, Account, Settings

T = TypeVar("T")
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
"""A file system in memory: what is committed there need not wait for a disk."""
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
STAND_IN_KEY = SecretStr(SANDBOX_KEY)


class MovingClock(Clock):
    """A `Clock` whose both times pass only when a test says so."""

    def __init__(self, start: datetime = START) -> None:
        self._now = start

    def now(self) -> datetime:
        return self._now

    def business_now(self) -> datetime:
        return self._now

    def advance(self, **time: float) -> None:
        self._now += timedelta(**time)


@dataclass
class RunningSandbox:
    """A sandbox that answers real HTTP, and what it was asked and charged."""

    base_url: str
    journal: Path


@contextmanager
def running_sandbox(people: People, journal: Path, **config: Any) -> Iterator[RunningSandbox]:
    """Serve these people on a free loopback port, in a thread, without a practical rate limit."""
    settings: dict[str, Any] = {"items_per_window": 1_000_000, "window_seconds": 1.0, **config}
    app = create_app(SandboxConfig(journal=journal, **settings), people)
    with served(server_config(app)) as port:
        yield RunningSandbox(f"http://127.0.0.1:{port}{BASE_PATH}", journal)


@contextmanager
def running_prospeo(people: Iterable[Person], journal: Path, **config: Any) -> Iterator[str]:
    """Prospeo's stand-in likewise; it knows all of them, as they are, unless told otherwise."""
    limits = dict.fromkeys(("per_second", "per_minute", "per_day"), 1_000_000)
    knows_all = {"known": 1.0, "verified": 1.0}
    knows_all |= dict.fromkeys(("dead_email", "stale_employer", "wrong_person"), 0.0)
    settings: dict[str, Any] = {**limits, **knows_all, **config}
    app = create_prospeo(ProspeoConfig(journal=journal, **settings), people)
    with served(server_config(app)) as port:
        yield f"http://127.0.0.1:{port}{PROSPEO_PATH}"


@contextmanager
def running_people_data_labs(
    people: Iterable[Person], journal: Path, **config: Any
) -> Iterator[str]:
    """People Data Labs' stand-in likewise, and it is sure of everybody."""
    knows_all = {"per_minute": 1_000_000, "known": 1.0, "has_work_email": 1.0}
    wrong = ("dead_email", "stale_employer", "wrong_person", "doubtful")
    settings: dict[str, Any] = {**knows_all, **dict.fromkeys(wrong, 0.0), **config}
    app = create_pdl(PeopleDataLabsConfig(journal=journal, **settings), people)
    with served(server_config(app)) as port:
        yield f"http://127.0.0.1:{port}{PEOPLE_DATA_LABS_PATH}"


@contextmanager
def running_hunter(people: Iterable[Person], journal: Path, **config: Any) -> Iterator[str]:
    """Hunter's stand-in likewise; whatever it checks is valid or invalid, and it never guesses."""
    limits = ("per_second", "per_minute", "verifications_per_second", "verifications_per_minute")
    knows_all = {"known": 1.0, "sourced": 1.0, **dict.fromkeys(limits, 1_000_000)}
    wrong = ("guessed", "dead_email", "stale_employer", "wrong_person")
    vague = ("accept_all", "unknown", "legal_stop")
    settings: dict[str, Any] = {**knows_all, **dict.fromkeys((*wrong, *vague), 0.0), **config}
    app = create_hunter(HunterConfig(journal=journal, **settings), people)
    with served(server_config(app)) as port:
        yield f"http://127.0.0.1:{port}{HUNTER_PATH}"


@contextmanager
def served(config: uvicorn.Config) -> Iterator[int]:
    """An app on a free loopback port, in a thread; the port."""
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join(20)
            assert not thread.is_alive()


def write_csv(path: Path, rows: Iterable[Mapping[str, object]]) -> Path:
    """A CSV file of these rows; a column that a row lacks is empty."""
    rows = list(rows)
    columns = list(dict.fromkeys(column for row in rows for column in row))
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
    return path


def people_of(path: Path, rows: Iterable[Mapping[str, object]]) -> People:
    """A directory of people with the columns of the sandbox's CSV format."""
    return load_people(write_csv(path, rows))


def policy_for(source: Path, **sections: Mapping[str, object]) -> Policy:
    """A policy over a folder with contacts.csv and, where it is there, accounts.csv."""
    accounts = "select * from accounts" if (source / "accounts.csv").exists() else None
    document: dict[str, object] = {
        "source": {
            "attach": str(source),
            "contacts": "select * from contacts",
            **({"accounts": accounts} if accounts else {}),
        },
        "signalhire": {"items_per_window": 100_000, "window_seconds": 1.0},
        **sections,
    }
    return Policy.model_validate(document)


def settings_for(
    home: Path,
    policy: Policy,
    base_url: str | None,
    *,
    api_key: SecretStr = STAND_IN_KEY,
    accounts: Mapping[str, Account] | None = None,
    **changes: Any,
) -> Settings:
    """Settings of a state folder of a test's own.

    `base_url` and `api_key` are SignalHire's account, `accounts` the others'.
    """
    values: dict[str, Any] = {
        "home": home,
        "policy": policy,
        "policy_path": None,
        "warehouse_url": str(home / "warehouse.duckdb"),
        "ledger_url": SecretStr(f"sqlite:///{home / 'ledger.sqlite'}"),
        "provider": "sandbox",
        "accounts": {FIRST: Account(api_key, base_url), **(accounts or {})},
        "dagster_home": home / "dagster",
        **changes,
    }
    return Settings(**values)


def lasting_folder() -> Path:
    """A new folder in memory that stays until this test process ends."""
    return Path(_lasting.enter_context(TemporaryDirectory(dir=MEMORY)))


_lasting = ExitStack()
atexit.register(_lasting.close)


def folder_of_all_workers(factory: pytest.TempPathFactory) -> Path:
    """The folder of this run of the tests that all its processes share."""
    own = factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


def once_for_all_workers(
    factory: pytest.TempPathFactory, name: str, make: Callable[[Path], T]
) -> T:
    """What `make` gives for an empty folder; made by the first of the test processes to ask."""
    shared = folder_of_all_workers(factory)
    made = shared / f"{name}.pickle"
    with FileLock(shared / f"{name}.lock"):
        if not made.exists():
            made.write_bytes(pickle.dumps(make(Path(mkdtemp(prefix=name, dir=shared)))))
    return pickle.loads(made.read_bytes())


def open_to_others(folder: Path) -> list[str]:
    """What in the folder, itself included, is not its owner's alone."""
    paths = [folder, *folder.rglob("*")]
    return sorted(
        str(path) for path in paths if not path.is_symlink() and path.stat().st_mode & 0o077
    )
