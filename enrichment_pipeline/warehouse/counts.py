"""Questions about the warehouse that the command line and asset metadata ask.

Here: counts, shapes and previews. Not here: anything that changes a row, and
anything personal: contacts appear by id.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from enrichment_pipeline.warehouse.statements import execute

TABLES: tuple[str, ...] = (
    "staging.contacts",
    "staging.accounts",
    "raw.lookups",
    "raw.provider_responses",
    "raw.review_decisions",
    "raw.searches",
    "raw.search_profiles",
    "enrichment.worklist",
    "enrichment.search_results",
    "enrichment.person_facts",
    "enrichment.company_facts",
    "enrichment.enriched_contacts",
    "enrichment.needs_review",
    "enrichment.contact_status",
    "enrichment.contact_changes",
)


@dataclass(frozen=True)
class ColumnShape:
    """A column as it is shown: name, type, and its comment."""

    name: str
    type: str
    comment: str | None


def row_counts(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Rows by table, for the tables that exist."""
    existing = table_comments(connection)
    return {table: row_count(connection, table) for table in TABLES if table in existing}


def row_count(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    """Rows of `schema.table`."""
    return connection.execute(f"select count(*) from {table}").fetchall()[0][0]


def table_comments(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """The comment of every table and view, by `schema.table`."""
    return dict(execute(connection, "list_tables").fetchall())


def column_shapes(connection: duckdb.DuckDBPyConnection) -> dict[str, list[ColumnShape]]:
    """The columns of every table and view in order, by `schema.table`."""
    shapes: dict[str, list[ColumnShape]] = {}
    for table, *shape in execute(connection, "describe_tables").fetchall():
        shapes.setdefault(table, []).append(ColumnShape(*shape))
    return shapes


@dataclass(frozen=True)
class StatusCount:
    """Contacts of a status; `with_answer` of them stand in `enriched_contacts`."""

    contacts: int = 0
    with_answer: int = 0


def status_counts(connection: duckdb.DuckDBPyConnection) -> dict[str, StatusCount]:
    """Contacts by status."""
    rows = execute(connection, "count_statuses").fetchall()
    return {status: StatusCount(*counts) for status, *counts in rows}


def review_counts(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Contacts for review by reason, most first."""
    return dict(execute(connection, "count_review_reasons").fetchall())


def accepted_counts(
    connection: duckdb.DuckDBPyConnection, run_ids: Sequence[str]
) -> dict[str, int]:
    """Look-ups of these runs whose answer was accepted, by provider."""
    return dict(execute(connection, "count_accepted", run_ids=list(run_ids)).fetchall())


def verdict_counts(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Answered searches by verdict, most first."""
    return dict(execute(connection, "count_verdicts").fetchall())


def lane_counts(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str, int]]:
    """Contacts by freshness and priority, as `contact_status` has them."""
    return execute(connection, "count_lanes").fetchall()
