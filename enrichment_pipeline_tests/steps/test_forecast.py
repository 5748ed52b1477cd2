"""How many look-ups each provider is expected to get, by what those before it have settled."""

from __future__ import annotations

from dataclasses import replace

import pytest

from enrichment_pipeline.steps.forecast import (
    Forecast,
    forecast,
    forecast_verifications,
)
from enrichment_pipeline.warehouse.rates_so_far import RatesSoFar
from enrichment_pipeline.waterfall import EVERY_IDENTIFIER, Turn, Waterfall

TURNS = tuple(Turn(name, EVERY_IDENTIFIER) for name in ("first", "second", "third"))
UNITS = {"first": 1, "second": 2, "third": 1}
DUE = {"first": {"strategic": 10, "bulk": 90}, "second": {"bulk": 20}}
RATES = {
    "first": RatesSoFar(1000, credits=0.75, open_share=0.5),
    "second": RatesSoFar(30, credits=1.0, open_share=0.8),
}


def reckoned(
    turns: Waterfall = TURNS,
    rates: dict[str, RatesSoFar] = RATES,
    useless: frozenset[str] = frozenset(),
    most: int | None = None,
) -> dict[str, Forecast]:
    found = forecast(turns, DUE, rates, UNITS, useless, most)
    return {each.provider: each for each in found}


def test_each_is_expected_to_be_asked_for_the_share_that_those_before_leave_open() -> None:
    first, second, third = reckoned().values()
    assert (first.due, first.expected_lookups, first.expected_credits) == (100, 100, 75)
    assert (second.due, second.expected_lookups, second.expected_credits) == (20, 70, 70)
    # of the third there is nothing to go by
    assert third.expected_lookups == pytest.approx(0.8 * 70)
    assert third.expected_credits == pytest.approx(0.8 * 70)
    assert [each.based_on for each in (first, second, third)] == [1000, 30, 0]


def test_at_worst_none_settles_any_contact() -> None:
    most = {name: (each.most_lookups, each.most_credits) for name, each in reckoned().items()}
    assert most == {"first": (100, 100), "second": (120, 240), "third": (120, 120)}


def test_with_too_few_answers_the_worst_is_expected() -> None:
    few = {name: replace(rate, lookups=29) for name, rate in RATES.items()}
    for each in reckoned(rates=few).values():
        assert (each.expected_lookups, each.expected_credits, each.based_on) == (
            each.most_lookups,
            each.most_credits,
            0,
        )


def test_priorities_that_a_provider_is_not_asked_for_go_past_it() -> None:
    first, second, third = TURNS
    limited = reckoned((first, replace(second, priorities=("strategic",)), third))
    assert limited["second"].most_lookups == 10
    assert limited["second"].expected_lookups == 5
    assert limited["third"].most_lookups == 100
    assert limited["third"].expected_lookups == 0.8 * 5 + 45


def test_one_that_can_give_nothing_is_not_asked_and_in_no_ones_way() -> None:
    found = reckoned(useless=frozenset({"second"}))
    assert found["second"] == Forecast("second", is_asked=False)
    assert (found["third"].most_lookups, found["third"].expected_lookups) == (100, 50)


def test_a_run_that_makes_so_many_lookups_makes_them_at_the_first_providers() -> None:
    first, second, third = reckoned(most=110).values()
    assert [each.most_lookups for each in (first, second, third)] == [100, 10, 0]
    assert [each.expected_lookups for each in (first, second, third)] == [100, 10, 0]
    assert second.most_credits == 20


def test_addresses_are_verified_as_often_as_look_ups_have_led_to_it_so_far() -> None:
    rates = {
        "first": replace(RATES["first"], verifications=0.2, verification_credits=0.1),
        "second": replace(RATES["second"], verifications=0.5, verification_credits=0.2),
    }
    found = [*reckoned(rates=rates).values()]
    # 100, 70 and 56 look-ups; of the third nothing is known, so that each is taken to lead to one
    told = forecast_verifications(found, rates, 0.5)
    assert (told.expected, told.expected_credits) == (
        pytest.approx(20 + 35 + 56),
        pytest.approx(10 + 14 + 28),
    )
    assert (told.most, told.most_credits) == (100 + 120 + 120, 170)
