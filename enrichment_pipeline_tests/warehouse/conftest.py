"""Fixtures of the warehouse's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from enrichment_pipeline.warehouse.connection import open_warehouse
from enrichment_pipeline_tests.warehouse import World
from enrichment_pipeline_tests.warehouse.prepared import opened


@pytest.fixture
def warehouse() -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty warehouse of a test's own."""
    with opened() as connection:
        yield connection


@pytest.fixture
def world(warehouse: duckdb.DuckDBPyConnection, tmp_path: Path) -> World:
    return World(warehouse, tmp_path / "source")


@pytest.fixture(scope="module")
def macros() -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection for asking macros; nothing is stored in it."""
    with open_warehouse(":memory:") as connection:
        yield connection
