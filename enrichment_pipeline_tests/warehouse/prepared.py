"""Warehouses and worlds that are made once in a test process, and copied for each test.

Here: the copies. Declaring a warehouse's tables and loading a first source take far longer
than most of what is tested after it. Not here: what a world is (`__init__.py`).
"""

from __future__ import annotations

import copy
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pytest

from enrichment_pipeline.warehouse.connection import open_warehouse
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


def prepared(build: Callable[[World], object]) -> Any:
    """Make a fixture of a function that fills a world: each test gets a copy of what it left."""

    @pytest.fixture
    def fixture(tmp_path: Path) -> Iterator[World]:
        template, database = _filled(build)
        folder = tmp_path / "source"
        shutil.copytree(template.folder, folder)
        with _copy_of(database) as connection:
            yield _moved(template, connection, folder)

    return fixture


@cache
def _filled(build: Callable[[World], object]) -> tuple[World, Path]:
    """The world that `build` fills, and the file in which its warehouse was closed."""
    folder = lasting_folder()
    database = folder / "warehouse.duckdb"
    shutil.copy(empty_warehouse(), database)
    (folder / "source").mkdir()
    with _open(database) as connection:
        world = World(connection, folder / "source")
        build(world)
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
        with _open(path) as connection:
            connection.execute("pragma disable_checkpoint_on_shutdown")  # it is thrown away
            yield connection


@contextmanager
def _open(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with open_warehouse(str(path)) as connection:
        connection.execute("set threads = 1")  # a few rows each; the tests run side by side
        yield connection
