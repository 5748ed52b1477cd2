"""The page: needs nothing beside itself, shows every figure, and names nobody."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, timedelta
from html.parser import HTMLParser

from enrichment_pipeline.policy import Policy
from enrichment_pipeline.report.page import render_page
from enrichment_pipeline.warehouse.figures import (
    AgeBand,
    BroughtNothing,
    Coverage,
    DaySpend,
    Figures,
    Orders,
    PlaceInChain,
    PossibleOrder,
    Scorecard,
    WaitingReview,
    WeekDebt,
)
from enrichment_pipeline_tests.support import START

FIGURES = Figures(
    published_at=START,
    run_id="4f1b0c9d-1111-2222-3333-444455556666",
    coverage=[
        Coverage("strategic", 10, 4, 6, 0, 0, 5, 2, 7),
        Coverage("bulk", 1000, 250, 700, 50, 0, 251, 0, 300),
    ],
    ages=[AgeBand(0, 15, 200), AgeBand(15, 90, 0), AgeBand(90, None, 54)],
    spend=[DaySpend(date(2026, 3, 1), 0, 0), DaySpend(date(2026, 3, 2), 400, 300)],
    debt=[WeekDebt("overdue", 7, 5.5, 7), WeekDebt("02 Mar", 300, 210.0, 300)],
    reasons={"no_match": 600, "identity_mismatch": 106},
    scorecards=[Scorecard("signalhire", 400, 300, 0.75, 300, 240, 300.0)],
    waiting_reviews=[WaitingReview("C-7", "no_match", "strategic", START - timedelta(days=20))],
    cost_of_the_month=1_234,
    places=[
        PlaceInChain("signalhire", 1, 400, 300, 290, 240, 239, 3, 300.0),
        PlaceInChain("elsewhere", 2, 160, 80, 70, 0, 0, 0, 40.0),
    ],
    orders=Orders(("signalhire",), [], [BroughtNothing("elsewhere", 160, 40.0)]),
    unit="credits",
    meanings={
        "added": "What added means",
        "enriched": "What enriched means",
        "credits_per_verified_email": "What a verified e-mail costs",
    },
)
EMPTY = replace(
    FIGURES,
    coverage=[Coverage("strategic", 0, 0, 0, 0, 0, 0, 0, 0)],
    ages=[AgeBand(0, None, 0)],
    spend=[DaySpend(date(2026, 3, 2), 0, 0)],
    debt=[WeekDebt("overdue", 0, 0.0, 0)],
    reasons={},
    scorecards=[],
    waiting_reviews=[],
    cost_of_the_month=0,
    places=[],
    orders=Orders((), [], []),
)
VOID = {"meta", "link", "br", "img", "input", "hr"}


class Outline(HTMLParser):
    """The tags that are open, so that one that is not closed shows; and all text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.seen.add(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        self.text += " "

    def handle_data(self, data: str) -> None:
        self.text += data


def outline(page: str) -> Outline:
    parser = Outline()
    parser.feed(page)
    assert parser.open == []
    return parser


def page_of(figures: Figures, policy: Policy) -> str:
    return render_page(figures, policy)


def test_the_page_needs_nothing_beside_itself() -> None:
    page = page_of(FIGURES, Policy())
    told = outline(page)
    assert told.seen.isdisjoint({"script", "link", "img", "iframe", "object"})
    addresses = set(re.findall(r"https?://[^\"'\s<]+", page))
    assert addresses == {"http://www.w3.org/2000/svg"}  # a name, not a place
    assert not re.search(r"url\(|@import|\ssrc=|\shref=", page)
    assert "default-src 'none'" in page


def test_every_figure_is_on_it() -> None:
    told = " ".join(outline(page_of(FIGURES, Policy())).text.split())
    for figure in (
        "2026-03-02 at 09:00 UTC by run 4f1b0c9d",
        "1,010 contacts",
        "25% enriched 254",
        "706 for review",
        "307 rows of enriched_contacts",
        "enriched What enriched means",
        "1.25 credits per verified e-mail",
        "per verified e-mail What a verified e-mail costs",
        "02 Mar 300 of 20,000 credits",
        "March 1,234 of 300,000 credits",
        "no_match the provider does not know the person",
        "C-7 no_match strategic 2026-02-10",
        "7 look-ups are overdue",
        "signalhire 400 300 75% 300 1.00 1.25",
        "1. signalhire 400 300 290 240 239 3 300 1.25",
        "2. elsewhere 160 80 70 0 0 0 40 –",
        "added What added means",
    ):
        assert figure in told, figure
    assert told.count("nothing yet") == 0


def test_before_there_is_anything_it_says_so_in_every_picture() -> None:
    told = outline(page_of(EMPTY, Policy()))
    assert told.text.count("nothing yet") == 2 * 5  # for a wide screen and for a narrow one
    assert "provider brought" not in told.text
    assert "nan" not in told.text.lower()
    assert "None" not in told.text


def test_a_budget_of_nothing_and_one_that_is_overdrawn_can_be_shown() -> None:
    for per_day in (0, 100):
        policy = Policy.model_validate({"budget": {"per_day": per_day}})
        assert f"300 of {per_day} credits" in outline(page_of(FIGURES, policy)).text


def test_the_budget_is_told_in_its_own_unit_where_credits_have_a_price() -> None:
    policy = Policy.model_validate({"budget": {"per_day": 140}})
    spend = [DaySpend(date(2026, 3, 2), 400, 84.5)]
    told = outline(page_of(replace(FIGURES, spend=spend, unit="units of [budget]"), policy)).text
    assert "84 of 140 units of [budget]" in told
    assert "credits at their price" in told


def test_the_cheapest_order_is_told_with_what_it_rests_on() -> None:
    orders = Orders(
        ("a", "b"),
        [
            PossibleOrder(("b", "a"), 0.7, 0.804, 30, None, ()),
            PossibleOrder(("a", "b"), 1.4, 0.8, 40, None, ()),
        ],
        [],
    )
    told = told_of(orders)
    assert "b → a 0.70 80.4 30 people" in told
    assert "a → b (today) 1.40 80.0 40 people" in told
    assert "those that are known: b → a , which would have cost 50% less than today." in told
    assert "do not tell" not in told


def test_what_the_data_do_not_tell_of_orders_is_said() -> None:
    today = PossibleOrder(("a", "b", "c"), 1.4, 0.8, 40, None, ())
    others = [
        PossibleOrder(("a", "c", "b"), 0, 0, 0, "c", ("a",)),
        PossibleOrder(("b", "a", "c"), 0, 0, 0, "b", ()),
    ]
    told = told_of(Orders(("a", "b", "c"), [today, *others], []))
    assert "do not tell what 2 other orders would have cost, such as a → c → b: c was " in told
    assert "asked after a about too few people" in told
    assert "Cheapest for the same result" not in told
    told = told_of(Orders(("a", "b", "c"), [today, others[1]], []))
    assert "what one other order would have cost, such as b → a → c: b was asked first" in told
    assert "no other order to compare: one provider alone has" in told_of(Orders(("a",), [], []))


def test_a_provider_that_brought_nothing_is_named() -> None:
    told = told_of(Orders(("a",), [], [BroughtNothing("elsewhere", 160, 40.0)]))
    assert "elsewhere brought no verified e-mail in that time" in told
    assert "about 160 people, for 40 credits: without it" in told


def told_of(orders: Orders) -> str:
    return " ".join(outline(page_of(replace(FIGURES, orders=orders), Policy())).text.split())


def test_on_a_phone_each_picture_is_one_that_fits() -> None:
    page = page_of(FIGURES, Policy())
    widths = re.findall(r'<div class="(wide|narrow)"><svg [^>]*width="(\d+)"', page)
    assert widths == [("wide", "720"), ("narrow", "330")] * 6
    assert "@media screen and (max-width: 600px)" in page


def test_every_chart_says_what_it_counts() -> None:
    page = page_of(FIGURES, Policy())
    for svg in re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL):
        assert re.search(r">(contacts|credits)</text>", svg), svg[:200]


def test_what_the_source_calls_a_contact_is_escaped() -> None:
    hostile = "<img src=x onerror=alert(1)>"
    review = WaitingReview(hostile, "no_match", "bulk", START)
    page = page_of(replace(FIGURES, waiting_reviews=[review]), Policy())
    assert "<img" not in page
    assert hostile in outline(page).text
