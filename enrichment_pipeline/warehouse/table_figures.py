"""What is shown of a table beside the asset of its name: rows, keys that stand twice, an excerpt.

Here: which columns, none of them personal, and reading them. Not here: how it is shown (`defs/`),
and what a check makes of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import duckdb

from enrichment_pipeline.lanes import Lane
from enrichment_pipeline.warehouse.statements import execute

EXCERPT_ROWS = 10


@dataclass(frozen=True)
class Shown:
    """A table, the columns that together occur once in it, and those that are shown of it."""

    table: str
    key: tuple[str, ...]
    columns: tuple[str, ...] = ()


SHOWN: Mapping[str, Shown] = {
    "contacts": Shown(
        "staging.contacts", ("contact_id",), ("contact_id", "account_id", "loaded_at")
    ),
    "accounts": Shown("staging.accounts", ("account_id",), ("account_id", "tier", "loaded_at")),
    "review_decisions": Shown(
        "raw.review_decisions",
        ("decision_id",),
        ("contact_id", "decision", "field", "decided_at"),
    ),
    "worklist": Shown("enrichment.worklist", ("contact_id", "provider", "freshness", "priority")),
    "search_results": Shown("enrichment.search_results", ("search_id",)),
    "provider_responses": Shown(
        "raw.provider_responses", ("lookup_id",), ("lookup_id", "outcome", "answered_at")
    ),
    "person_facts": Shown(
        "enrichment.person_facts",
        ("contact_id", "lookup_id", "field", "value"),
        ("contact_id", "field", "status", "observed_at"),
    ),
    "company_facts": Shown(
        "enrichment.company_facts",
        ("company_domain", "field", "lookup_id"),
        ("company_domain", "field", "value", "valid_from", "valid_to"),
    ),
    "enriched_contacts": Shown(
        "enrichment.enriched_contacts",
        ("contact_id",),
        ("contact_id", "work_email_status", "mobile_phone_status", "enriched_at"),
    ),
    "needs_review": Shown(
        "enrichment.needs_review", ("contact_id",), ("contact_id", "reason", "priority")
    ),
    "contact_status": Shown(
        "enrichment.contact_status",
        ("contact_id",),
        ("contact_id", "status", "freshness", "priority", "next_lookup_at"),
    ),
}
"""By asset."""


@dataclass(frozen=True)
class Excerpt:
    """A few rows."""

    columns: tuple[str, ...]
    rows: list[tuple[object, ...]]


@dataclass(frozen=True)
class TableFigures:
    """Rows of a table, how many of its keys stand in it more than once, and its first rows."""

    rows: int
    doubled_keys: int
    excerpt: Excerpt


def read_table_figures(connection: duckdb.DuckDBPyConnection, asset: str) -> TableFigures:
    """The figures of an asset's table."""
    shown = SHOWN[asset]
    by_key = f"select count(*) as times from {shown.table} group by {', '.join(shown.key)}"
    counted = f"coalesce(sum(times), 0)::bigint, count(*) filter (times > 1) from ({by_key})"
    rows, doubled_keys = connection.execute(f"select {counted}").fetchall()[0]
    return TableFigures(rows, doubled_keys, _read_excerpt(connection, shown))


def excerpts_by_lane(
    connection: duckdb.DuckDBPyConnection, run_id: str, lanes: Sequence[Lane]
) -> dict[Lane, Excerpt]:
    """The first rows of each of these lanes' work that a run has selected."""
    found = execute(connection, "preview_worklist", run_id=run_id, preview_rows=EXCERPT_ROWS)
    columns = tuple(column[0] for column in found.description)
    by_lane = {lane: Excerpt(columns, []) for lane in lanes}
    for row in found.fetchall():
        by_lane[Lane(row[1], row[2])].rows.append(row)
    return by_lane


def _read_excerpt(connection: duckdb.DuckDBPyConnection, shown: Shown) -> Excerpt:
    if not shown.columns:
        return Excerpt((), [])
    first = f"order by {shown.columns[0]} limit {EXCERPT_ROWS}"
    query = f"select {', '.join(shown.columns)} from {shown.table} {first}"
    return Excerpt(shown.columns, connection.execute(query).fetchall())
