"""The report: one page of HTML that needs nothing beside itself.

Here: putting figures and pictures into the page. Not here: the figures, the
pictures, and where the page is written (`cli/report.py`).
"""

from collections.abc import Callable
from functools import partial

from markupsafe import Markup

from enrichment_pipeline.policy import Policy
from enrichment_pipeline.report import pictures
from enrichment_pipeline.report.charts import NARROW, WIDE, Layout, number, templates
from enrichment_pipeline.vocabulary import MEANINGS
from enrichment_pipeline.warehouse.figures import Figures

COUNTED = ("enriched", "needs_review", "with_answer", "with_verified_email", "with_verified_phone")
"""The coverage's figures of which the page shows the sum."""


def render_page(figures: Figures, policy: Policy) -> str:
    """The page. Contacts stand in it by id, and nothing else of theirs."""
    per_day, per_month = float(policy.budget.per_day), float(policy.budget.per_month)
    contacts = sum(one.contacts for one in figures.coverage)
    environment = templates()
    environment.filters["number"] = number
    return environment.get_template("page.html").render(
        figures=figures,
        contacts=contacts,
        totals={name: sum(getattr(one, name) for one in figures.coverage) for name in COUNTED},
        budgets=[
            (f"{figures.published_at:%d %b}", figures.spend[-1].cost, per_day),
            (f"{figures.published_at:%B}", figures.cost_of_the_month, per_month),
        ],
        overdue=figures.debt[0],
        max_age_days=policy.freshness.max_age_days,
        reason_meanings=MEANINGS,
        pictures={
            name: (draw(WIDE), draw(NARROW)) for name, draw in _pictures(figures, per_day).items()
        },
    )


def _pictures(figures: Figures, per_day: float) -> dict[str, Callable[[Layout], Markup]]:
    return {
        "coverage": partial(pictures.coverage_picture, figures.coverage),
        "ages": partial(pictures.ages_picture, figures.ages),
        "spend": partial(pictures.spend_picture, figures.spend, per_day, figures.unit),
        "places": partial(pictures.places_picture, figures.places),
        "reasons": partial(pictures.reasons_picture, figures.reasons),
        "debt": partial(pictures.debt_picture, figures.debt, figures.unit),
    }
