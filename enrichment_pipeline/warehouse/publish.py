"""Publishing: a snapshot that BI tools read, replaced whole or not at all.

Here: `published/warehouse.duckdb` and the Parquet files beside it. Not here:
whether the tables are fit to be published (blocking asset checks).
"""

from datetime import datetime
from pathlib import Path

import duckdb

from enrichment_pipeline.warehouse.report import column_shapes, row_count, table_comments
from enrichment_pipeline.warehouse.statements import execute

PUBLISHED_TABLES: tuple[str, ...] = ("enriched_contacts", "needs_review", "contact_status")


def publish(
    connection: duckdb.DuckDBPyConnection, folder: Path, *, run_id: str, published_at: datetime
) -> dict[str, int]:
    """Write the snapshot beside the published one and rename it over it; rows by table.

    A reader that has the old file open keeps it. Whatever fails before the
    rename leaves the last good snapshot in place.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _remove_drafts(folder)  # of a run that was killed: there is one writer at a time
    draft = folder / ".draft-warehouse.duckdb"
    parquet_drafts = {table: folder / f".draft-{table}.parquet" for table in PUBLISHED_TABLES}
    try:
        rows = _write_database(connection, draft, run_id, published_at)
        for table, path in parquet_drafts.items():
            _write_parquet(connection, table, path)
        draft.replace(folder / "warehouse.duckdb")
        for table, path in parquet_drafts.items():
            path.replace(folder / f"{table}.parquet")
    finally:
        _remove_drafts(folder)
    return rows


def _remove_drafts(folder: Path) -> None:
    for draft in folder.glob(".draft-*"):
        draft.unlink()


def _write_database(
    connection: duckdb.DuckDBPyConnection, draft: Path, run_id: str, published_at: datetime
) -> dict[str, int]:
    connection.execute(f"attach {_literal(str(draft))} as published_draft")
    try:
        connection.execute("create schema published_draft.enrichment")
        rows = {table: _copy_table(connection, table) for table in PUBLISHED_TABLES}
        execute(connection, "create_publication", published_at=published_at, run_id=run_id)
    finally:
        connection.execute("detach published_draft")
    return rows


def _copy_table(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    source, target = f"enrichment.{table}", f"published_draft.enrichment.{table}"
    connection.execute(f"create table {target} as select * from {source} order by contact_id")
    comment = table_comments(connection)[source]
    connection.execute(f"comment on table {target} is {_literal(comment)}")
    for column in column_shapes(connection, source):
        text = _literal(column.comment or "")
        connection.execute(f'comment on column {target}."{column.name}" is {text}')
    return row_count(connection, target)


def _write_parquet(connection: duckdb.DuckDBPyConnection, table: str, path: Path) -> None:
    rows = f"select * from enrichment.{table} order by contact_id"
    connection.execute(f"copy ({rows}) to {_literal(str(path))} (format parquet, compression zstd)")


def _literal(text: str) -> str:
    """A string literal, for the statements in which DuckDB binds no values."""
    return "'" + text.replace("'", "''") + "'"
