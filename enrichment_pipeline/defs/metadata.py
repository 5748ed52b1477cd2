"""What the UI shows beside an asset: column schemas, row counts, previews.

Here: metadata only, and nothing personal in it: contacts appear by id. Not
here: what the numbers mean (`warehouse/report.py`).
"""

from base64 import b64encode
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache

import dagster as dg
import duckdb

from enrichment_pipeline.warehouse.report import TABLES, column_shapes
from enrichment_pipeline.warehouse.statements import execute

PREVIEW_ROWS = 10


@cache
def column_schemas() -> dict[str, dg.TableSchema]:
    """By `schema.table`, the columns with their comments, as `create_tables.sql` declares them.

    All at once: each process that imports the assets waits for this.
    """
    with duckdb.connect(":memory:") as connection:
        execute(connection, "create_tables")
        return {
            table: dg.TableSchema(
                [
                    dg.TableColumn(shape.name, shape.type, description=shape.comment)
                    for shape in column_shapes(connection, table)
                ]
            )
            for table in TABLES
        }


def table_metadata(table: str) -> dict[str, object]:
    """The definition metadata of an asset that is this table."""
    return {
        "dagster/column_schema": column_schemas()[table],
        "dagster/table_name": table,
    }


def preview(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    columns: Sequence[str],
    *,
    run_id: str | None = None,
) -> dg.MarkdownMetadataValue:
    """The first rows of a table, or of a run's rows in it; `columns` must hold nothing personal."""
    which = "" if run_id is None else "where run_id = $run_id"
    shown = f"{which} order by {columns[0]} limit {PREVIEW_ROWS}"
    rows = connection.execute(
        f"select {', '.join(columns)} from {table} {shown}",
        {} if run_id is None else {"run_id": run_id},
    ).fetchall()
    return markdown_table(columns, rows)


def markdown_table(
    columns: Sequence[str], rows: Iterable[Sequence[object]]
) -> dg.MarkdownMetadataValue:
    lines = [_line(columns), _line(["---"] * len(columns)), *(_line(row) for row in rows)]
    return dg.MetadataValue.md("\n".join(lines))


def picture(svg: str) -> dg.MarkdownMetadataValue:
    """An SVG as the UI shows it: inside a text, which opens with a click where it is long."""
    image = b64encode(svg.encode()).decode()
    return dg.MetadataValue.md(f"![](data:image/svg+xml;base64,{image})")


def _line(cells: Sequence[object]) -> str:
    return f"| {' | '.join(map(_shown, cells))} |"


def _shown(cell: object) -> str:
    if isinstance(cell, datetime):
        return cell.strftime("%Y-%m-%d %H:%M:%S")
    return "" if cell is None else str(cell).replace("|", "\\|")
