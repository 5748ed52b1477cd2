"""The figures that pictures and the report show, out of the reading views.

Here: questions that the warehouse and the published file answer alike, typed.
Not here: how they are drawn (`report/`), and counts for the command line
(`counts.py`). Contacts appear by id.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

import duckdb

from enrichment_pipeline.warehouse.counts import column_shapes, review_counts
from enrichment_pipeline.warehouse.statements import execute

AGE_BANDS = 6
"""Into so many parts the greatest age is cut; what is older is one more."""
SPEND_DAYS = 30
DEBT_WEEKS = 15
WAITING_REVIEWS = 10


@dataclass(frozen=True)
class Coverage:
    """How far the contacts of a priority are enriched. Counts are contacts."""

    priority: str
    contacts: int
    enriched: int
    needs_review: int
    waiting: int
    suppressed: int
    with_verified_email: int
    with_verified_phone: int
    with_answer: int


@dataclass(frozen=True)
class AgeBand:
    """Answers that are shown, from so many days old up to (not with) the next; None: no end."""

    from_days: int
    to_days: int | None
    contacts: int

    @property
    def name(self) -> str:
        """Such as `0–14`, or `90+`."""
        if self.to_days is None:
            return f"{self.from_days}+"
        return f"{self.from_days}–{self.to_days - 1}"


@dataclass(frozen=True)
class DaySpend:
    """Look-ups of a UTC day, and the credits that they cost."""

    day: date
    lookups: int
    credits: int


@dataclass(frozen=True)
class WeekDebt:
    """Look-ups that fall due in a week, and the credits that they will cost.

    `name` is `overdue` for everything before the first week that is shown, and
    `later` for everything after the last one.
    """

    name: str
    lookups: int
    expected_credits: float
    worst_case_credits: int

    def plus(self, lookups: int, expected_credits: float, worst_case_credits: int) -> "WeekDebt":
        return WeekDebt(
            self.name,
            self.lookups + lookups,
            self.expected_credits + expected_credits,
            self.worst_case_credits + worst_case_credits,
        )


@dataclass(frozen=True)
class Scorecard:
    """What a provider was asked, found and cost. Rates are None where there is nothing yet."""

    provider: str
    lookups: int
    matched: int
    match_rate: float | None
    credits: int
    with_verified_email: int
    credits_per_match: float | None
    credits_per_verified_email: float | None


@dataclass(frozen=True)
class WaitingReview:
    """A contact that waits for a reviewer."""

    contact_id: str
    reason: str
    priority: str
    first_flagged_at: datetime


@dataclass(frozen=True)
class Figures:
    """Everything that the report shows of one published state."""

    published_at: datetime
    run_id: str
    coverage: list[Coverage]
    ages: list[AgeBand]
    spend: list[DaySpend]
    debt: list[WeekDebt]
    reasons: dict[str, int]
    scorecards: list[Scorecard]
    waiting_reviews: list[WaitingReview]
    credits_of_the_month: int
    meanings: dict[str, str]
    """What a figure counts, in a sentence, by its name."""


def read_figures(published: duckdb.DuckDBPyConnection, max_age_days: int) -> Figures:
    """All figures of a published file, as of when it was published."""
    query = "select published_at, run_id from enrichment.publication"
    published_at, run_id = published.execute(query).fetchall()[0]
    return Figures(
        published_at=published_at,
        run_id=run_id,
        coverage=read_coverage(published),
        ages=read_ages(published, published_at, max_age_days),
        spend=read_spend(published, published_at),
        debt=read_debt(published, published_at),
        reasons=review_counts(published),
        scorecards=read_scorecards(published),
        waiting_reviews=read_waiting_reviews(published, published_at),
        credits_of_the_month=read_month(published, published_at),
        meanings=read_meanings(published),
    )


def read_meanings(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """What each figure of the coverage and of a scorecard counts: the comments of their views."""
    shapes = column_shapes(connection)
    return {
        shape.name: shape.comment
        for view in ("provider_scorecard", "coverage_by_priority")
        for shape in shapes[f"enrichment.{view}"]
        if shape.comment
    }


def read_coverage(connection: duckdb.DuckDBPyConnection) -> list[Coverage]:
    """One for each priority, the most important first."""
    return [Coverage(*row) for row in execute(connection, "read_coverage").fetchall()]


def read_ages(
    connection: duckdb.DuckDBPyConnection, as_of: datetime, max_age_days: int
) -> list[AgeBand]:
    """Contacts by the age of the answer that they show."""
    edges = [round(max_age_days * part / AGE_BANDS) for part in range(AGE_BANDS + 1)]
    counts = dict(execute(connection, "count_ages", as_of=as_of, edges=edges).fetchall())
    ends = [*edges[1:], None]
    return [
        AgeBand(start, end, counts.get(start, 0)) for start, end in zip(edges, ends, strict=True)
    ]


def read_spend(connection: duckdb.DuckDBPyConnection, as_of: datetime) -> list[DaySpend]:
    """The last days up to `as_of`, the ones without a look-up too."""
    days = [as_of.date() - timedelta(days=back) for back in reversed(range(SPEND_DAYS))]
    rows = execute(connection, "count_spend", first_day=days[0]).fetchall()
    found = {day: (lookups, credits) for day, lookups, credits in rows}
    return [DaySpend(day, *found.get(day, (0, 0))) for day in days]


def read_month(connection: duckdb.DuckDBPyConnection, as_of: datetime) -> int:
    """Credits that the look-ups of the month of `as_of` have cost so far."""
    rows = execute(connection, "count_spend", first_day=as_of.date().replace(day=1)).fetchall()
    return sum(credits for day, _, credits in rows if day <= as_of.date())


def read_debt(connection: duckdb.DuckDBPyConnection, as_of: datetime) -> list[WeekDebt]:
    """The weeks from that of `as_of` on, with what is overdue before and what is later after."""
    this_week = as_of.date() - timedelta(days=as_of.weekday())
    weeks = [this_week + timedelta(weeks=ahead) for ahead in range(DEBT_WEEKS)]
    names = ["overdue", *(f"{week:%d %b}" for week in weeks), "later"]
    debt = [WeekDebt(name, 0, 0.0, 0) for name in names]
    for week, *due in execute(connection, "read_refresh_debt").fetchall():
        ahead = (week - this_week).days // 7
        place = min(max(ahead, -1), DEBT_WEEKS) + 1
        debt[place] = debt[place].plus(*due)
    return debt


def read_scorecards(connection: duckdb.DuckDBPyConnection) -> list[Scorecard]:
    """One for each provider that was asked."""
    return [Scorecard(*row) for row in execute(connection, "read_scorecards").fetchall()]


def read_waiting_reviews(
    connection: duckdb.DuckDBPyConnection, as_of: datetime
) -> list[WaitingReview]:
    """Those who have waited longest, the most important priority first."""
    rows = execute(connection, "find_unread_reviews", flagged_before=as_of)
    return [WaitingReview(*row) for row in rows.fetchmany(WAITING_REVIEWS)]
