"""The pictures of the report.

Here: which figures make which chart, and what each says. Not here: where the
figures come from (`warehouse/figures.py`), and how a chart is drawn (`charts.py`).
"""

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from enrichment_pipeline.report.charts import Layout, Series, bars, columns, number
from enrichment_pipeline.warehouse.figures import (
    AgeBand,
    Coverage,
    DaySpend,
    PlaceInChain,
    WeekDebt,
)


def coverage_picture(coverage: Sequence[Coverage], layout: Layout) -> Markup:
    """Contacts of each priority by what became of them."""
    series = [
        Series("enriched", "good", [one.enriched for one in coverage]),
        Series("for review", "review", [one.needs_review for one in coverage]),
        Series("queued or in flight", "waiting", [one.waiting for one in coverage]),
        Series("suppressed", "suppressed", [one.suppressed for one in coverage]),
    ]
    shown = [one for one in series if any(one.values)]
    labels = [one.priority for one in coverage]
    return bars("Contacts by priority", labels, shown, unit="contacts", layout=layout)


def ages_picture(ages: Sequence[AgeBand], layout: Layout) -> Markup:
    """Contacts by the age of their answer; what is too old in another colour."""
    series = [
        Series(
            "within the age limit", "good", [0 if _is_old(one) else one.contacts for one in ages]
        ),
        Series("too old", "bad", [one.contacts if _is_old(one) else 0 for one in ages]),
    ]
    return columns(
        "Age of the answers, in days",
        [one.name for one in ages],
        [one for one in series if any(one.values)],
        unit="contacts",
        below="age in days",
        layout=layout,
    )


def spend_picture(spend: Sequence[DaySpend], per_day: float, unit: str, layout: Layout) -> Markup:
    """What was spent day by day, against the day's budget where it is near."""
    return columns(
        "Spend by day",
        [f"{one.day:%d %b}" for one in spend],
        [Series(unit, "good", [one.cost for one in spend])],
        unit=unit,
        below="day, UTC",
        limit=per_day,
        limit_name=f"the day's budget: {number(per_day)}",
        layout=layout,
    )


def places_picture(places: Sequence[PlaceInChain], layout: Layout) -> Markup:
    """Contacts with a verified e-mail by who gave it: those that had none before, and others."""
    others = [one.verified_usable - one.added for one in places]
    series = [
        Series("added", "good", [one.added for one in places]),
        Series("had one before", "faint", others),
    ]
    return bars(
        "Contacts with a verified e-mail, by who gave it",
        [f"{one.place}. {one.provider}" for one in places],
        [one for one in series if any(one.values)],
        unit="contacts",
        layout=layout,
    )


def reasons_picture(reasons: Mapping[str, int], layout: Layout) -> Markup:
    """Contacts for review by reason, most first."""
    series = [Series("contacts", "review", list(reasons.values()))]
    title = "Contacts for review, by reason"
    return bars(title, list(reasons), series, unit="contacts", layout=layout)


def debt_picture(debt: Sequence[WeekDebt], unit: str, layout: Layout) -> Markup:
    """What refreshes will cost week by week: expected, and what may come on top."""
    expected = [one.expected_cost for one in debt]
    above = [max(0.0, one.worst_case_cost - one.expected_cost) for one in debt]
    return columns(
        f"{unit[0].upper()}{unit[1:]} for refreshes, by the week they fall due",
        [one.name for one in debt],
        [Series("expected", "good", expected), Series("more, at worst", "faint", above)],
        unit=unit,
        below="week, by its Monday",
        layout=layout,
    )


def _is_old(band: AgeBand) -> bool:
    return band.to_days is None
