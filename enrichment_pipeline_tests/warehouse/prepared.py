"""Warehouses and worlds that are made once in a test process, and copied for each test.

Here: the copies, and worlds that are only read. Declaring a warehouse's tables and loading a first
source take far longer than most of what is tested after it. Not here: what a world is
(`__init__.py`), and what happens in one that a module's tests share (`timeline.py`).
"""

from __future__ import annotations

import copy
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any

import duckdb
import pytest

from enrichment_pipeline.warehouse.connection import connect, open_warehouse
from enrichment_pipeline.warehouse.macros import create_macros, set_vocabulary
from enrichment_pipeline_tests.support import MEMORY, lasting_folder
from enrichment_pipeline_tests.warehouse import World


@contextmanager
def opened() -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty warehouse of a test's own."""
    with _copy_of(empty_warehouse()) as connection:
        yield connection


@cache
def empty_warehouse() -> Path:
    """A warehouse with its tables and nothing in them; to be copied, never opened."""
    path = lasting_folder() / "warehouse.duckdb"
    with open_warehouse(str(path)):
        pass
    return path


Builds = tuple[Callable[[World], object], ...]
"""What fills a world, one after the other."""


def prepared(build: Callable[[World], object], *, after: Any = None) -> Any:
    """Make a fixture of a function that fills a world: each test gets a copy of what it left.

    `after` is another such fixture, in whose world the function begins.
    """
    builds = (build,) if after is None else (*after.builds, build)

    @pytest.fixture
    def fixture(tmp_path: Path) -> Iterator[World]:
        with copied(builds, tmp_path / "source") as world:
            yield world

    made: Any = fixture
    made.builds = builds
    return made


@contextmanager
def copied(builds: Builds, folder: Path) -> Iterator[World]:
    """A copy of the world that `builds` fill, with its source in this folder."""
    template, database = _filled(builds)
    shutil.copytree(template.folder, folder)
    with _copy_of(database) as connection:
        yield _moved(template, connection, folder)


@contextmanager
def read_only(builds: Builds) -> Iterator[World]:
    """The world itself that `builds` fill: whoever writes to it fails."""
    template, database = _filled(builds)
    with _attached(database, "(read_only)") as connection:
        yield _moved(template, connection, template.folder)


def prepared_after(before: Any) -> Callable[[Callable[[World], object]], Any]:
    """`prepared`, in the world that the fixture `before` gives."""
    return partial(prepared, after=before)


@cache
def _filled(builds: Builds) -> tuple[World, Path]:
    """The world that `builds` fill, and the file in which its warehouse was closed."""
    folder = lasting_folder()
    database = folder / "warehouse.duckdb"
    source = folder / "source"
    *before, build = builds
    if before:
        begun, file = _filled(tuple(before))
        shutil.copytree(begun.folder, source)
    else:
        begun, file = None, empty_warehouse()
        source.mkdir()
    shutil.copy(file, database)
    with _attached(database) as connection:
        world = World(connection, source) if begun is None else _moved(begun, connection, source)
        build(world)
        connection.execute("checkpoint")  # all of it is in the one file then
    return world, database


def _moved(template: World, connection: duckdb.DuckDBPyConnection, folder: Path) -> World:
    world = copy.copy(template)
    for name, value in vars(template).items():
        if isinstance(value, dict):
            setattr(world, name, copy.deepcopy(value))
    world.connection = connection
    world.folder = folder
    return world


@contextmanager
def _copy_of(database: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        path = Path(folder) / "warehouse.duckdb"
        shutil.copy(database, path)
        with _attached(path) as connection:
            yield connection


_idle: list[duckdb.DuckDBPyConnection] = []
"""Connections with the macros and without a warehouse: to make one takes longer than most tests."""


@contextmanager
def _attached(path: Path, options: str = "") -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection whose database is this file, with nothing on it from its last user."""
    connection = _idle.pop() if _idle else _new_connection()
    connection.execute(f"attach '{path}' as warehouse {options}")
    connection.execute("use warehouse")
    yield connection
    # not after a failure: what that has left behind on the connection is not known
    for kind in ("table", "view"):
        left = connection.execute(
            f"select {kind}_name from duckdb_{kind}s() where temporary and not internal"
        ).fetchall()
        for (name,) in left:
            connection.execute(f'drop {kind} temp."{name}"')
    for (name,) in connection.execute("select name from duckdb_variables()").fetchall():
        connection.execute(f"reset variable {name}")
    set_vocabulary(connection)
    connection.execute("set timezone = 'UTC'")
    connection.execute("reset memory_limit")  # reading the work list sets it
    connection.execute("use memory")
    connection.execute("detach warehouse")
    _idle.append(connection)


def _new_connection() -> duckdb.DuckDBPyConnection:
    connection = connect(":memory:", read_only=False, wait_seconds=0, on_wait=print)
    create_macros(connection)
    connection.execute("set threads = 1")  # a few rows each; the tests run side by side
    connection.execute("pragma disable_checkpoint_on_shutdown")  # copies are thrown away
    return connection
