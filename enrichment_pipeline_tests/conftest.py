"""Fixtures that tests of several packages use.

Here: the ledger's databases, each empty for each test, a state that one run has left, the order
of the tests, and how many run at once. Not here: helpers without a life cycle (`support.py`,
`databases.py`).
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from enrichment_pipeline_tests import databases, properties  # noqa: F401 - hypothesis' profiles
from enrichment_pipeline_tests.support import (
    RunningSandbox,
    folder_of_all_workers,
    once_for_all_workers,
)

if TYPE_CHECKING:  # what they import takes seconds, and few tests need it
    from alembic.config import Config

    from enrichment_pipeline_tests.bought import Bought
    from enrichment_pipeline_tests.end_to_end.world import RunOver


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long ones first: at the end one process would work at one, and the others at nothing."""
    items.sort(key=lambda item: not any(map(item.get_closest_marker, ("long", "property"))))


@pytest.hookimpl(wrapper=True, optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> Generator[None, int, int]:
    """One test process more than there are cores for the long ones: they wait much of their time.

    For processes that they start, for deadlines, and for answers that are slow on purpose.
    """
    workers = yield
    return workers + (config.getoption("--hypothesis-profile") == "long")


@pytest.fixture(scope="session", autouse=True)
def migrations_read_once() -> Iterator[None]:
    """Alembic's folders of migrations are read once in a process, and not at each use.

    Dagster has 180 of them, and stamps a new instance with the newest: 0.3 s, an instance.
    """
    from alembic.script import ScriptDirectory

    read: dict[str | None, ScriptDirectory] = {}
    from_config = ScriptDirectory.from_config

    def remembered(config: Config) -> ScriptDirectory:
        folder = config.get_main_option("script_location")
        if folder not in read:
            read[folder] = from_config(config)
        return read[folder]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ScriptDirectory, "from_config", remembered)
        yield


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sa.URL]:
    """One real Postgres for all test processes."""
    folder = folder_of_all_workers(tmp_path_factory) / "postgres"
    with databases.running_postgres(folder, is_durable=False) as url:
        yield url


@pytest.fixture(scope="session")
def durable_postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sa.URL]:
    """Likewise one that would survive a power cut, too: as in production."""
    folder = folder_of_all_workers(tmp_path_factory) / "durable-postgres"
    with databases.running_postgres(folder, is_durable=True) as url:
        yield url


@pytest.fixture(scope="session")
def postgres_database(postgres_server: sa.URL) -> Iterator[databases.EmptiedPostgres]:
    """This test process's own database."""
    database = databases.EmptiedPostgres(postgres_server)
    yield database
    database.close()


@pytest.fixture(params=["sqlite", "postgres"])
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty ledger's URL: each test that asks for it runs on both databases."""
    if request.param == "sqlite":
        return databases.migrated_sqlite(tmp_path / "ledger.sqlite")
    database: databases.EmptiedPostgres = request.getfixturevalue("postgres_database")
    database.empty()
    return database.url


@pytest.fixture(params=["sqlite", "postgres"])
def new_ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database without tables, on both."""
    if request.param == "sqlite":
        return databases.sqlite_url(tmp_path / "ledger.sqlite")
    return databases.new_postgres(request.getfixturevalue("postgres_server"))


@pytest.fixture(params=["sqlite", "postgres"])
def durable_ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty ledger's URL, on both databases as they are in production."""
    if request.param == "sqlite":
        return databases.migrated_sqlite(tmp_path / "ledger.sqlite")
    return databases.migrated_postgres(request.getfixturevalue("durable_postgres_server"))


@pytest.fixture(scope="module")
def sandbox_of_the_small_world(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[RunningSandbox]:
    from enrichment_pipeline_tests.end_to_end.world import small_sandbox

    with small_sandbox(tmp_path_factory.mktemp("sandbox")) as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def bought_in_two_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder in which two runs bought all of the small world; see `bought.py`."""

    from enrichment_pipeline_tests.bought import buy_in_two_runs
    from enrichment_pipeline_tests.end_to_end.world import small_sandbox

    def make(folder: Path) -> Path:
        (folder / "sandbox").mkdir()
        with small_sandbox(folder / "sandbox") as sandbox:
            return buy_in_two_runs(folder, sandbox.base_url)

    return once_for_all_workers(tmp_path_factory, "bought", make)


@pytest.fixture
def bought(
    bought_in_two_runs: Path, sandbox_of_the_small_world: RunningSandbox, tmp_path: Path
) -> Bought:
    """A copy of that for each test."""
    from enrichment_pipeline_tests.bought import copy_of

    return copy_of(bought_in_two_runs, tmp_path, sandbox_of_the_small_world)


@pytest.fixture(scope="session")
def run_over(tmp_path_factory: pytest.TempPathFactory) -> RunOver:
    """The small world after one `enrichment run`. Copied by whoever changes it."""
    from enrichment_pipeline_tests.end_to_end import world  # with Dagster: not for a few tests

    return once_for_all_workers(tmp_path_factory, "run-over", world.run_once)
