"""In which order providers would have cost least: what the look-ups tell of it, and what not.

Over tables of a test's own, since only four columns of look-ups and three of facts count.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import count

import duckdb
import pytest

from enrichment_pipeline.warehouse.figures import LEAST_PEOPLE, BroughtNothing, read_orders
from enrichment_pipeline_tests.support import START

NUMBERS = count()
Asked = tuple[str, int, bool]
"""A look-up: at which provider, for how many credits, and whether it brought a verified e-mail."""


@pytest.fixture
def published() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute(
            "create schema enrichment;"
            "create table enrichment.lookups (lookup_id varchar, person_key varchar,"
            " provider varchar, state varchar, credits_charged integer, requested_at timestamptz);"
            "create table enrichment.person_facts (lookup_id varchar, field varchar,"
            " status varchar);"
            "create table enrichment.providers (provider varchar, place integer, price decimal);"
            "create view enrichment.lookup_costs as"
            " select lookup_id, credits_charged * price as cost"
            " from enrichment.lookups join enrichment.providers using (provider);"
            "insert into enrichment.providers values ('a', 1, 1), ('b', 2, 2), ('c', 3, 1)"
        )
        yield connection


def ask(
    published: duckdb.DuckDBPyConnection,
    people: int,
    *asked: Asked,
    at: datetime = START,
) -> None:
    """So many people, each asked about at these providers one after the other."""
    lookups: list[Sequence[object]] = []
    facts: list[Sequence[object]] = []
    for _ in range(people):
        number = next(NUMBERS)
        for place, (provider, credits, brings) in enumerate(asked):
            lookup_id = f"{number}-{provider}"
            instant = at + timedelta(minutes=place)
            lookups.append((lookup_id, str(number), provider, "answered", credits, instant))
            if brings:
                facts.append((lookup_id, "work_email", "verified"))
    published.executemany("insert into enrichment.lookups values (?, ?, ?, ?, ?, ?)", lookups)
    if facts:
        published.executemany("insert into enrichment.person_facts values (?, ?, ?)", facts)


def usual(published: duckdb.DuckDBPyConnection) -> None:
    """A settles 60 of 100 people, B, which charges double, half of the others; A is free for them.

    A credit of A's for each that it settles, and for 10 of the others, too.
    """
    ask(published, 60, ("a", 1, True))
    ask(published, 10, ("a", 1, False), ("b", 1, True))
    ask(published, 10, ("a", 0, False), ("b", 1, True))
    ask(published, 20, ("a", 0, False), ("b", 0, False))


def test_an_order_that_was_never_in_use_is_not_guessed_at(
    published: duckdb.DuckDBPyConnection,
) -> None:
    usual(published)
    found = read_orders(published, START)
    assert found.in_use == ("a", "b")
    [today] = found.known
    assert (today.providers, today.people) == (("a", "b"), 40)
    assert today.cost == pytest.approx(0.7 + 0.4 * (20 / 40) * 2)
    assert today.brought_share == pytest.approx(0.8)
    [other] = found.unknown
    assert (other.providers, other.unknown_provider, other.unknown_after) == (("b", "a"), "b", ())
    assert found.cheapest == today
    assert found.saving == 0


@pytest.mark.parametrize(
    ("after_b", "brought_share", "cheapest"),
    [(True, 0.8, ("b", "a")), (False, 0.5, ("a", "b"))],
    ids=["brings as many", "brings fewer"],
)
def test_the_cheapest_is_that_which_brings_as_many(
    published: duckdb.DuckDBPyConnection,
    after_b: bool,
    brought_share: float,
    cheapest: tuple[str, ...],
) -> None:
    """B was asked first about 60 people, too: it settled half of them, for next to nothing."""
    usual(published)
    ask(published, 12, ("b", 1, True))
    ask(published, 18, ("b", 0, True))
    ask(published, 18, ("b", 0, False), ("a", 1, after_b))
    ask(published, 12, ("b", 0, False), ("a", 0, False))
    found = read_orders(published, START)
    b_first = next(each for each in found.known if each.providers == ("b", "a"))
    assert b_first.cost == pytest.approx(12 / 60 * 2 + 0.5 * 18 / 30)
    assert (b_first.brought_share, b_first.people) == (pytest.approx(brought_share), 30)
    assert found.cheapest is not None
    assert found.cheapest.providers == cheapest
    assert found.saving == (pytest.approx(1 - 0.7 / 1.1) if after_b else 0)


def test_too_few_people_tell_nothing(published: duckdb.DuckDBPyConnection) -> None:
    usual(published)
    ask(published, LEAST_PEOPLE - 1, ("b", 1, True))
    assert [each.providers for each in read_orders(published, START).known] == [("a", "b")]
    ask(published, LEAST_PEOPLE, ("b", 0, False))
    [_, b_first] = read_orders(published, START).possible
    assert (b_first.unknown_provider, b_first.unknown_after) == ("a", ("b",))


def test_one_that_brought_nothing_is_named_and_stands_in_no_order(
    published: duckdb.DuckDBPyConnection,
) -> None:
    usual(published)
    ask(published, 7, ("a", 1, False), ("c", 1, False))
    found = read_orders(published, START)
    assert found.useless == [BroughtNothing("c", 7, 7.0)]
    assert {name for each in found.possible for name in each.providers} == {"a", "b"}


def test_what_is_older_than_the_last_days_does_not_count(
    published: duckdb.DuckDBPyConnection,
) -> None:
    usual(published)
    assert read_orders(published, START + timedelta(days=89)).known != []
    found = read_orders(published, START + timedelta(days=91))
    assert (found.in_use, found.possible, found.useless) == ((), [], [])


def test_people_whom_one_before_had_settled_do_not_count_for_the_next(
    published: duckdb.DuckDBPyConnection,
) -> None:
    """They were asked about for something else, such as a phone."""
    usual(published)
    ask(published, 100, ("a", 1, True), ("b", 1, True))
    [today] = read_orders(published, START).known
    assert today.people == 40
