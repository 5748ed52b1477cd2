"""Fixtures of the warehouse's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from enrichment_pipeline.warehouse.connection import open_warehouse, set_nicknames
from enrichment_pipeline_tests.warehouse import World, copied


@pytest.fixture(scope="session")
def empty_warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a warehouse that holds nothing: to declare its tables takes longer than most
    tests do."""
    path = tmp_path_factory.mktemp("empty") / "empty.duckdb"
    with open_warehouse(str(path)):
        return path


@pytest.fixture
def warehouse(empty_warehouse: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty warehouse in memory."""
    with copied(empty_warehouse) as connection:
        yield connection


@pytest.fixture
def world(warehouse: duckdb.DuckDBPyConnection, tmp_path: Path) -> World:
    return World(warehouse, tmp_path / "source")


@pytest.fixture(scope="module")
def macros() -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection for asking macros; nothing is stored in it."""
    with open_warehouse(":memory:") as connection:
        set_nicknames(connection)
        yield connection
