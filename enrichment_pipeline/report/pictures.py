"""The pictures of the report, which Dagster shows beside the assets too.

Here: which figures make which chart, and what each says. Not here: where the
figures come from (`warehouse/figures.py`), and how a chart is drawn (`charts.py`).
"""

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from enrichment_pipeline.report.charts import Series, bars, columns
from enrichment_pipeline.warehouse.figures import AgeBand, Coverage, DaySpend, WeekDebt


def coverage_picture(coverage: Sequence[Coverage]) -> Markup:
    """Contacts of each priority by what became of them."""
    series = [
        Series("enriched", "good", [one.enriched for one in coverage]),
        Series("for review", "review", [one.needs_review for one in coverage]),
        Series("queued or in flight", "waiting", [one.waiting for one in coverage]),
        Series("suppressed", "suppressed", [one.suppressed for one in coverage]),
    ]
    shown = [one for one in series if any(one.values)]
    return bars("Contacts by priority", [one.priority for one in coverage], shown)


def ages_picture(ages: Sequence[AgeBand]) -> Markup:
    """Contacts by the age of their answer; what is too old in another colour."""
    series = [
        Series(
            "within the age limit", "good", [0 if _is_old(one) else one.contacts for one in ages]
        ),
        Series("too old", "bad", [one.contacts if _is_old(one) else 0 for one in ages]),
    ]
    shown = [one for one in series if any(one.values)]
    return columns("Age of the answers, in days", [_days(one) for one in ages], shown)


def spend_picture(spend: Sequence[DaySpend], per_day: int) -> Markup:
    """Credits charged day by day, against the day's budget where it is near."""
    return columns(
        "Credits by day",
        [f"{one.day:%d %b}" for one in spend],
        [Series("credits", "good", [one.credits for one in spend])],
        limit=per_day,
        limit_name=f"the day's budget: {per_day:,}",
    )


def reasons_picture(reasons: Mapping[str, int]) -> Markup:
    """Contacts for review by reason, most first."""
    values = list(reasons.values())
    return bars(
        "Contacts for review, by reason", list(reasons), [Series("contacts", "review", values)]
    )


def debt_picture(debt: Sequence[WeekDebt]) -> Markup:
    """Credits that refreshes will cost week by week: expected, and what may come on top."""
    expected = [one.expected_credits for one in debt]
    above = [max(0.0, one.worst_case_credits - one.expected_credits) for one in debt]
    series = [Series("expected", "good", expected), Series("more, at worst", "faint", above)]
    return columns(
        "Credits for refreshes, by the week they fall due", [d.name for d in debt], series
    )


def _is_old(band: AgeBand) -> bool:
    return band.to_days is None


def _days(band: AgeBand) -> str:
    return f"{band.from_days}+" if band.to_days is None else f"{band.from_days}–{band.to_days - 1}"
