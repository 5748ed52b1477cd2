"""The report's charts, in the form in which Dagster shows them beside an asset at once.

Here: which figures make which chart. Not here: the figures (`warehouse/figures.py`), how a
chart is written (`metadata.py`), and the report itself (`report/`).
"""

from collections.abc import Mapping, Sequence

import dagster as dg

from enrichment_pipeline.defs.metadata import markdown_bars
from enrichment_pipeline.warehouse.figures import AgeBand, Coverage, DaySpend, WeekDebt

SPEND_DAYS = 14
"""More lines would be too long a text to be shown at once."""


def count_chart(name: str, counts: Mapping[str, int]) -> dg.MarkdownMetadataValue:
    """Contacts by what `name` says."""
    return markdown_bars((name, "contacts"), list(counts.items()))


def coverage_chart(coverage: Sequence[Coverage]) -> dg.MarkdownMetadataValue:
    """Of each priority's contacts, the share with the status `enriched`."""
    rows = [
        (one.priority, 100 * one.enriched / one.contacts if one.contacts else 0) for one in coverage
    ]
    return markdown_bars(("priority", "% of contacts with the status enriched"), rows)


def ages_chart(ages: Sequence[AgeBand]) -> dg.MarkdownMetadataValue:
    """Contacts by the age of the answer that they show."""
    return markdown_bars(("age in days", "contacts"), [(one.name, one.contacts) for one in ages])


def spend_chart(spend: Sequence[DaySpend]) -> dg.MarkdownMetadataValue:
    """What look-ups cost on the last days."""
    rows = [(f"{one.day:%d %b}", one.cost) for one in spend[-SPEND_DAYS:]]
    return markdown_bars(("UTC day", "cost"), rows)


def debt_chart(debt: Sequence[WeekDebt]) -> dg.MarkdownMetadataValue:
    """What refreshes are expected to cost, by the week in which they fall due."""
    rows = [(one.name, one.expected_cost) for one in debt]
    return markdown_bars(("week of", "cost expected"), rows)
