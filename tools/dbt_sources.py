"""Writes dbt/models/sources.yml: the published tables with their comments, as dbt has them.

`python -m tools.dbt_sources`. A test compares the file with what this gives, so that it cannot
drift from the tables. Here: the file's text. Not here: the rest of the package in `dbt/`, which is
written by hand.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from enrichment_pipeline.published_names import KEYS
from enrichment_pipeline.warehouse.connection import open_warehouse
from enrichment_pipeline.warehouse.publish import DATABASE, publish
from enrichment_pipeline.warehouse.sinks.row_changes import PublishedTable, read_tables

SOURCES = Path(__file__).resolve().parent.parent / "dbt" / "models" / "sources.yml"
HEAD = """\
# Written by `python -m tools.dbt_sources` from the tables' comments; do not change it by hand.
version: 2
sources:
  - name: enrichment
    description: What the pipeline publishes. Only ever read.
    database: "{{ var('enrichment_database', target.database) }}"
    schema: "{{ var('enrichment_schema', 'enrichment') }}"
    tables:
"""
RATINGS = ("verified", "likely", "unverified")
ACCEPTED = {
    "contact_status.status": ("enriched", "needs_review", "queued", "in_flight", "suppressed"),
    **{
        f"enriched_contacts.{field}_status": RATINGS
        for field in ("work_email", "personal_email", "direct_phone", "mobile_phone")
    },
}
"""The words that may stand in a column."""


def sources_text() -> str:
    """The whole file."""
    return HEAD + "".join(line for table in _published() for line in _table(table))


def _published() -> list[PublishedTable]:
    """The tables, as an empty warehouse publishes them."""
    with tempfile.TemporaryDirectory(prefix="enrichment-dbt-") as name:
        folder = Path(name)
        with open_warehouse(":memory:") as connection:
            publish(connection, folder, run_id="", published_at=datetime.now(UTC))
        with duckdb.connect(str(folder / DATABASE), read_only=True) as published:
            return list(read_tables(published, Path(DATABASE).stem, KEYS).values())


def _table(table: PublishedTable) -> Iterator[str]:
    yield f"      - name: {table.name}\n"
    yield f"        description: {_text(table.comment)}\n"
    yield "        columns:\n"
    for column in table.columns:
        yield f"          - name: {column.name}\n"
        if column.comment:
            yield f"            description: {_text(column.comment)}\n"
        tests = list(_tests(table, column.name))
        if tests:
            yield "            data_tests:\n"
            yield from (f"              - {test}\n" for test in tests)


def _tests(table: PublishedTable, column: str) -> Iterator[str]:
    if column in table.key:
        yield "not_null"
    if table.key == (column,):
        yield "unique"
    words = ACCEPTED.get(f"{table.name}.{column}")
    if words:
        yield f"accepted_values: {{arguments: {{values: [{', '.join(words)}]}}}}"


def _text(comment: str) -> str:
    """As JSON, which YAML reads too; Jinja would read two braces."""
    return json.dumps(comment, ensure_ascii=False)


if __name__ == "__main__":
    SOURCES.write_text(sources_text(), encoding="utf-8")
