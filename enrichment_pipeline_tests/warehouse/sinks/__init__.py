"""Tests of sinks, and what they share: a world that is published again and again, and sinks of it.

A change is made in the warehouse's own tables: what leads to it is tested elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb

from enrichment_pipeline.sink import Sink
from enrichment_pipeline.warehouse.publish import publish, record_changes
from enrichment_pipeline.warehouse.sinks.filling import fill, publications_of_sinks
from enrichment_pipeline.warehouse.sinks.publications import Publication, newest_publication
from enrichment_pipeline.warehouse.sinks.row_changes import Changes
from enrichment_pipeline_tests.support import START
from enrichment_pipeline_tests.warehouse import World

LEDGER = "ledger-1"
Rows = list[tuple[Any, ...]]


class Publisher:
    """Publishes a world, and fills sinks with it."""

    def __init__(self, world: World, folder: Path) -> None:
        self.connection = world.connection
        self.folder = folder / "published"
        self.notes = folder / "sinks"
        self.ledger = LEDGER
        self._published = 0

    def publish(self, *statements: str, keep_for: Iterable[Sink] = ()) -> None:
        """Change the warehouse by these statements, then publish it, a day after the last time."""
        for statement in statements:
            self.connection.execute(statement)
        at = START + timedelta(days=self._published)
        self._published += 1
        run_id = f"run-{self._published}"
        record_changes(self.connection, run_id=run_id, changed_at=at)
        publish(
            self.connection,
            self.folder,
            run_id=run_id,
            published_at=at,
            keep=publications_of_sinks(self.notes, list(keep_for)),
        )

    @property
    def newest(self) -> Publication:
        return newest_publication(self.folder, self.ledger)

    def fill(self, sink: Sink) -> dict[str, Changes]:
        return fill(sink, self.newest, self.notes).tables

    def rows(self, table: str) -> Rows:
        """What is published of a table."""
        file = self.folder / "warehouse.duckdb"
        with duckdb.connect(str(file), read_only=True) as connection:
            connection.execute("set timezone = 'UTC'")
            return connection.execute(f"from enrichment.{table} order by all").fetchall()


def numbers(filled: dict[str, Changes]) -> dict[str, tuple[int, int]]:
    """By table, how many rows were merged and deleted."""
    return {table: (changes.merged, changes.deleted) for table, changes in filled.items()}
