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
ORDER_DAYS = 90
LEAST_PEOPLE = 30
"""What providers cost and brought in so many days tells of orders; of fewer people nothing."""
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
    """Look-ups of a UTC day, and what they cost in the unit of the budget."""

    day: date
    lookups: int
    cost: float


@dataclass(frozen=True)
class WeekDebt:
    """Look-ups that fall due in a week, and what they will cost in the unit of the budget.

    `name` is `overdue` for everything before the first week that is shown, and
    `later` for everything after the last one.
    """

    name: str
    lookups: int
    expected_cost: float
    worst_case_cost: float

    def plus(self, lookups: int, expected_cost: float, worst_case_cost: float) -> "WeekDebt":
        return WeekDebt(
            self.name,
            self.lookups + lookups,
            self.expected_cost + expected_cost,
            self.worst_case_cost + worst_case_cost,
        )


@dataclass(frozen=True)
class Scorecard:
    """What a provider was asked, found and cost. Rates are None where there is nothing yet."""

    provider: str
    asked: int
    matched: int
    match_rate: float | None
    credits: int
    verified_usable: int
    cost: float

    @property
    def credits_per_match(self) -> float | None:
        return self.credits / self.matched if self.matched else None

    @property
    def credits_per_verified_email(self) -> float | None:
        return self.credits / self.verified_usable if self.verified_usable else None


@dataclass(frozen=True)
class PlaceInChain:
    """What a provider brought where it was asked first, second and so on; counts as in its view."""

    provider: str
    place: int
    asked: int
    matched: int
    accepted: int
    verified_usable: int
    added: int
    bounced: int
    cost: float

    @property
    def cost_per_verified_usable(self) -> float | None:
        return self.cost / self.verified_usable if self.verified_usable else None


@dataclass(frozen=True)
class PossibleOrder:
    """An order of providers, and what asking one person in it costs and brings on average.

    `brought_share` of the people get a verified e-mail. The least known step rests on `people`.
    Where `unknown_provider` is named, what it does after `unknown_after` is not known, and so
    nothing of the order is.
    """

    providers: tuple[str, ...]
    cost: float
    brought_share: float
    people: int
    unknown_provider: str | None
    unknown_after: tuple[str, ...]


@dataclass(frozen=True)
class BroughtNothing:
    """A provider that was asked about so many people, and gave none a verified e-mail."""

    provider: str
    people: int
    cost: float


@dataclass(frozen=True)
class Orders:
    """In which order the providers were asked, in which others they could be, and at what cost.

    `in_use` and `possible` are of the providers that brought any verified e-mail.
    """

    in_use: tuple[str, ...]
    possible: list[PossibleOrder]
    useless: list[BroughtNothing]
    days: int = ORDER_DAYS
    least_people: int = LEAST_PEOPLE

    @property
    def known(self) -> list[PossibleOrder]:
        """The cheapest first."""
        return [each for each in self.possible if each.unknown_provider is None]

    @property
    def unknown(self) -> list[PossibleOrder]:
        return [each for each in self.possible if each.unknown_provider is not None]

    @property
    def today(self) -> PossibleOrder | None:
        """The order in use, where it is known what it costs."""
        return next((each for each in self.known if each.providers == self.in_use), None)

    @property
    def cheapest(self) -> PossibleOrder | None:
        """The cheapest that brings as many verified e-mails as the order in use, to one in 100."""
        if self.today is None:
            return None
        least = self.today.brought_share - 0.01
        return next((each for each in self.known if each.brought_share >= least), None)

    @property
    def saving(self) -> float:
        """The share of today's cost that the cheapest order would have saved."""
        if self.today is None or self.cheapest is None or not self.today.cost:
            return 0.0
        return 1 - self.cheapest.cost / self.today.cost


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
    cost_of_the_month: float
    places: list[PlaceInChain]
    orders: Orders
    unit: str
    """What costs and budgets are told in: credits, while each costs 1."""
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
        cost_of_the_month=read_month(published, published_at),
        places=read_places(published),
        orders=read_orders(published, published_at),
        unit=read_unit(published),
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
    found = {day: (lookups, cost) for day, lookups, cost in rows}
    return [DaySpend(day, *found.get(day, (0, 0))) for day in days]


def read_month(connection: duckdb.DuckDBPyConnection, as_of: datetime) -> float:
    """What the look-ups of the month of `as_of` have cost so far."""
    rows = execute(connection, "count_spend", first_day=as_of.date().replace(day=1)).fetchall()
    return sum(cost for day, _, cost in rows if day <= as_of.date())


def read_debt(connection: duckdb.DuckDBPyConnection, as_of: datetime) -> list[WeekDebt]:
    """The weeks from that of `as_of` on, with what is overdue before and what is later after."""
    this_week = as_of.date() - timedelta(days=as_of.weekday())
    weeks = [this_week + timedelta(weeks=ahead) for ahead in range(DEBT_WEEKS)]
    names = ["overdue", *(f"{week:%d %b}" for week in weeks), "later"]
    debt = [WeekDebt(name, 0, 0.0, 0.0) for name in names]
    for week, *due in execute(connection, "read_refresh_debt").fetchall():
        ahead = (week - this_week).days // 7
        place = min(max(ahead, -1), DEBT_WEEKS) + 1
        debt[place] = debt[place].plus(*due)
    return debt


def read_scorecards(connection: duckdb.DuckDBPyConnection) -> list[Scorecard]:
    """One for each provider that was asked."""
    return [Scorecard(*row) for row in execute(connection, "read_scorecards").fetchall()]


def read_places(connection: duckdb.DuckDBPyConnection) -> list[PlaceInChain]:
    """One for each provider at each place, the first to be asked first."""
    return [PlaceInChain(*row) for row in execute(connection, "read_places").fetchall()]


def read_orders(connection: duckdb.DuckDBPyConnection, as_of: datetime) -> Orders:
    """What the look-ups of the last days tell of the orders in which providers can be asked."""
    since = as_of - timedelta(days=ORDER_DAYS)
    brought = execute(connection, "count_brought", since=since).fetchall()
    useful = {provider for provider, _, emails, _ in brought if emails}
    asked_now = [name for name, place, _ in _providers(connection) if place is not None]
    rows = execute(connection, "compare_orders", since=since, least_people=LEAST_PEOPLE).fetchall()
    return Orders(
        in_use=tuple(name for name in asked_now if name in useful),
        possible=[
            PossibleOrder(tuple(names), cost, share, people, unknown, tuple(after))
            for names, cost, share, people, unknown, after in rows
        ],
        useless=[
            BroughtNothing(provider, people, cost)
            for provider, people, emails, cost in brought
            if not emails
        ],
    )


def read_unit(connection: duckdb.DuckDBPyConnection) -> str:
    """What costs are told in: credits, while each costs 1 in the unit of the budget."""
    costs_one = all(price == 1 for _, _, price in _providers(connection))
    return "credits" if costs_one else "units of [budget]"


def _providers(
    connection: duckdb.DuckDBPyConnection,
) -> list[tuple[str, int | None, float]]:
    """Each provider with its place, None where it is not asked any more, and its price."""
    return execute(connection, "read_providers").fetchall()


def read_waiting_reviews(
    connection: duckdb.DuckDBPyConnection, as_of: datetime
) -> list[WaitingReview]:
    """Those who have waited longest, the most important priority first."""
    rows = execute(connection, "find_unread_reviews", flagged_before=as_of)
    return [WaitingReview(*row) for row in rows.fetchmany(WAITING_REVIEWS)]
