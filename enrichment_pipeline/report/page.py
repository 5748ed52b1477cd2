"""The report: one page of HTML that needs nothing beside itself.

Here: putting figures and pictures into the page. Not here: the figures, the
pictures, and where the page is written (`cli/report.py`).
"""

from enrichment_pipeline.policy import Policy
from enrichment_pipeline.report import pictures
from enrichment_pipeline.report.charts import number, templates
from enrichment_pipeline.vocabulary import MEANINGS
from enrichment_pipeline.warehouse.figures import Figures


def render_page(figures: Figures, policy: Policy) -> str:
    """The page. Contacts stand in it by id, and nothing else of theirs."""
    contacts = sum(one.contacts for one in figures.coverage)
    environment = templates()
    environment.filters["number"] = number
    return environment.get_template("page.html").render(
        figures=figures,
        contacts=contacts,
        totals={
            name: sum(getattr(one, name) for one in figures.coverage)
            for name in ("enriched", "needs_review", "with_verified_email", "with_verified_phone")
        },
        budgets=[
            (f"{figures.published_at:%d %b}", figures.spend[-1].credits, policy.budget.per_day),
            (f"{figures.published_at:%B}", figures.credits_of_the_month, policy.budget.per_month),
        ],
        overdue=figures.debt[0],
        max_age_days=policy.freshness.max_age_days,
        reason_meanings=MEANINGS,
        coverage_picture=pictures.coverage_picture(figures.coverage),
        ages_picture=pictures.ages_picture(figures.ages),
        spend_picture=pictures.spend_picture(figures.spend, policy.budget.per_day),
        reasons_picture=pictures.reasons_picture(figures.reasons),
        debt_picture=pictures.debt_picture(figures.debt),
    )
