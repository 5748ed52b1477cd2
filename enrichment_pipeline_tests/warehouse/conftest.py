"""Fixtures of the warehouse's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
import sqlalchemy as sa

from enrichment_pipeline.warehouse.connection import open_warehouse, transaction
from enrichment_pipeline.warehouse.price_list import replace_providers
from enrichment_pipeline_tests import databases
from enrichment_pipeline_tests.warehouse import ADA, BOB, VERIFIED, World, alone, candidate
from enrichment_pipeline_tests.warehouse.prepared import opened, prepared
from enrichment_pipeline_tests.warehouse.sinks import Publisher


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


@prepared
def small_world(world: World) -> None:
    """An enriched contact, one for review, and one that is waiting."""
    world.load(
        [{**ADA, "account_id": "A1"}, BOB, {"contact_id": "C3", "email": "c@it's.com"}],
        [{"account_id": "A1", "name": "Acme", "tier": "strategic"}],
    )
    world.look_up("C1", candidate=VERIFIED)
    world.look_up("C2", candidate=candidate("Another Name"))
    world.derive()
    with transaction(world.connection):
        replace_providers(world.connection, world.policy, alone())


@pytest.fixture
def publisher(small_world: World, tmp_path: Path) -> Publisher:
    """The world, published once."""
    publisher = Publisher(small_world, tmp_path)
    publisher.publish()
    return publisher


@pytest.fixture
def database(postgres_server: sa.URL) -> str:
    """The address of an empty Postgres database."""
    url = sa.make_url(databases.new_postgres(postgres_server))
    return url.set(drivername="postgresql").render_as_string(hide_password=False)
