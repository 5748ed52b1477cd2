"""Fixtures of the warehouse's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from enrichment_pipeline.warehouse.connection import connect, open_warehouse, set_nicknames
from enrichment_pipeline.warehouse.statements import execute
from enrichment_pipeline_tests.warehouse import World


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
    with connect(":memory:", read_only=False, wait_seconds=0, on_wait=print) as connection:
        connection.execute("set threads = 1")  # a few rows each; the tests run side by side
        connection.execute(f"attach '{empty_warehouse}' as empty_warehouse (read_only)")
        connection.execute("copy from database empty_warehouse to memory")
        connection.execute("detach empty_warehouse")
        execute(connection, "create_macros")
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
