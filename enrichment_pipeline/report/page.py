"""The report: one page of HTML that needs nothing beside itself.

Here: putting figures and pictures into the page. Not here: the figures, the
pictures, and where the page is written (`cli/report.py`).
"""

from collections.abc import Callable
from decimal import Decimal
from functools import partial

from markupsafe import Markup

from enrichment_pipeline.policy import Policy
from enrichment_pipeline.report import pictures
from enrichment_pipeline.report.charts import NARROW, WIDE, Layout, number, templates
from enrichment_pipeline.vocabulary import MEANINGS
from enrichment_pipeline.warehouse.figures import Figures

COUNTED = ("enriched", "needs_review", "with_answer", "with_verified_email", "with_verified_phone")
"""The coverage's figures of which the page shows the sum."""


def render_page(figures: Figures, policy: Policy, price: Decimal) -> str:
    """The page, with budgets in credits of this price.

    Contacts stand in it by id, and nothing else of theirs.
    """
    per_day, per_month = (
        int(amount / price) for amount in (policy.budget.per_day, policy.budget.per_month)
    )
    contacts = sum(one.contacts for one in figures.coverage)
    environment = templates()
    environment.filters["number"] = number
    return environment.get_template("page.html").render(
        figures=figures,
        contacts=contacts,
        totals={name: sum(getattr(one, name) for one in figures.coverage) for name in COUNTED},
        budgets=[
            (f"{figures.published_at:%d %b}", figures.spend[-1].credits, per_day),
            (f"{figures.published_at:%B}", figures.credits_of_the_month, per_month),
        ],
        overdue=figures.debt[0],
        max_age_days=policy.freshness.max_age_days,
        reason_meanings=MEANINGS,
        pictures={
            name: (draw(WIDE), draw(NARROW)) for name, draw in _pictures(figures, per_day).items()
        },
    )


def _pictures(figures: Figures, per_day: int) -> dict[str, Callable[[Layout], Markup]]:
    return {
        "coverage": partial(pictures.coverage_picture, figures.coverage),
        "ages": partial(pictures.ages_picture, figures.ages),
        "spend": partial(pictures.spend_picture, figures.spend, per_day),
        "reasons": partial(pictures.reasons_picture, figures.reasons),
        "debt": partial(pictures.debt_picture, figures.debt),
    }
