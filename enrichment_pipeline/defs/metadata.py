"""What the UI shows beside an asset: column schemas, row counts, previews.

Here: metadata only, and nothing personal in it: contacts appear by id. Not
here: what the numbers mean (`warehouse/counts.py`).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from html import escape

import dagster as dg
import duckdb

from enrichment_pipeline.lanes import Lane
from enrichment_pipeline.warehouse.counts import TABLES, column_shapes
from enrichment_pipeline.warehouse.statements import execute
from enrichment_pipeline.warehouse.table_figures import Excerpt

BAR_CHARACTERS = 14
_MARKDOWN = re.compile(r"[\\`*\[\]|~]")
"""What Markdown would make something of inside a line; HTML is escaped by itself."""
_NOT_IN_A_LINE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


@cache
def column_schemas() -> dict[str, dg.TableSchema]:
    """By `schema.table`, the columns with their comments, as SQL declares them.

    All at once: each process that imports the assets waits for this.
    """
    with duckdb.connect(":memory:") as connection:
        execute(connection, "create_tables")
        execute(connection, "create_checked_judgements")
        execute(connection, "create_person_facts")
        shapes = column_shapes(connection)
        return {
            table: dg.TableSchema(
                [
                    dg.TableColumn(shape.name, shape.type, description=shape.comment)
                    for shape in shapes[table]
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


def preview(excerpt: Excerpt) -> dg.MarkdownMetadataValue:
    """A few rows, as the UI draws them."""
    return markdown_table(excerpt.columns, excerpt.rows)


def add_lane_metadata(
    context: dg.AssetExecutionContext, lane: Lane, metadata: "Mapping[str, dg.RawMetadataValue]"
) -> None:
    """Show this beside the lane's partition. Every number must be the lane's own.

    A run covers several lanes, and whatever its result says Dagster repeats in each of them: summed
    over the partitions, a run's totals would be told twelve times.
    """
    context.add_asset_metadata(metadata, partition_key=lane.key)


def observe_run(
    context: dg.AssetExecutionContext, metadata: "Mapping[str, dg.RawMetadataValue]"
) -> None:
    """Show a run's figures over all its lanes, as an observation of the asset as a whole."""
    context.log_event(dg.AssetObservation(context.asset_key, metadata=metadata))


def markdown_table(
    columns: Sequence[str], rows: Iterable[Sequence[object]]
) -> dg.MarkdownMetadataValue:
    """A table as the UI draws it; whatever stands in a cell stands there as text."""
    return _markdown(columns, [["---"] * len(columns), *([_shown(c) for c in row] for row in rows)])


def markdown_bars(
    columns: Sequence[str], rows: Sequence[tuple[str, float]]
) -> dg.MarkdownMetadataValue:
    """A chart of bars: a name and a number in each row, and a bar as long as the number.

    Of characters, since the UI shows a text at once that is shorter than 1,000 of them, and hides
    a picture behind a click.
    """
    longest = max((value for _, value in rows), default=0)
    lines = [
        [_shown(name), _number(value), _bar(value / longest if longest else 0)]
        for name, value in rows
    ]
    return _markdown([*columns, ""], [["---", "--:", "---"], *lines])


def _markdown(head: Sequence[str], lines: Iterable[Sequence[str]]) -> dg.MarkdownMetadataValue:
    return dg.MetadataValue.md("\n".join(f"| {' | '.join(cells)} |" for cells in (head, *lines)))


def _bar(share: float) -> str:
    eighths = round(share * BAR_CHARACTERS * 8)
    return "█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8].strip()


def _number(value: float) -> str:
    return f"{value:,.0f}"


def _shown(cell: object) -> str:
    if isinstance(cell, datetime):
        return cell.strftime("%Y-%m-%d %H:%M:%S")
    text = "" if cell is None else escape(str(cell), quote=False)
    return _NOT_IN_A_LINE.sub(" ", _MARKDOWN.sub(r"\\\g<0>", text))
