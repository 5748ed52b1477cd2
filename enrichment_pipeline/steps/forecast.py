"""What a run is likely to look up at each provider, one after the other, and what at worst.

Here: reckoning how many each leaves for the next, by what look-ups have cost and settled so far,
and how many addresses are verified after them.
Not here: who is due (`select_work.py`), those figures (`warehouse/rates_so_far.py`), and showing
any of it (`cli/`).
"""

import math
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from enrichment_pipeline.warehouse.rates_so_far import RatesSoFar
from enrichment_pipeline.waterfall import Waterfall

LEAST_LOOKUPS = 30
"""So many answered look-ups tell what further ones will cost; of fewer the worst is assumed."""


@dataclass(frozen=True)
class Forecast:
    """What is looked up at a provider: `due` there now, and who is left open by those before it.

    `most_lookups`: if none before it settles anyone, at `most_credits`. `based_on`: the answered
    look-ups by which the expected figures are reckoned; 0: they assume the worst. Of a provider
    that is not asked, since it can give nothing of what is required, all figures are 0.
    """

    provider: str
    is_asked: bool
    due: int = 0
    most_lookups: int = 0
    most_credits: int = 0
    expected_lookups: float = 0.0
    expected_credits: float = 0.0
    based_on: int = 0


@dataclass(frozen=True)
class VerificationForecast:
    """How many addresses are verified after the look-ups that are expected, for so many credits.

    `most` of them if each look-up that is made at worst gives one address to verify.
    """

    expected: float
    expected_credits: float
    most: int
    most_credits: float


def forecast_verifications(
    forecasts: Sequence[Forecast], rates: Mapping[str, RatesSoFar], credits: float
) -> VerificationForecast:
    """What is verified after these look-ups, each verification costing so many credits at worst."""
    expected = expected_credits = 0.0
    for each in forecasts:
        worst = RatesSoFar(0, 0.0, 1.0, verifications=1.0, verification_credits=credits)
        rate = rates[each.provider] if each.based_on else worst
        expected += each.expected_lookups * rate.verifications
        expected_credits += each.expected_lookups * rate.verification_credits
    most = sum(each.most_lookups for each in forecasts)
    return VerificationForecast(expected, expected_credits, most, most * credits)


def forecast(
    waterfall: Waterfall,
    due: Mapping[str, Mapping[str, int]],
    rates: Mapping[str, RatesSoFar],
    worst_units: Mapping[str, int],
    useless: frozenset[str] = frozenset(),
    most: int | None = None,
) -> list[Forecast]:
    """One for each provider, in their order.

    `due` counts persons by provider and priority, `worst_units` is what a look-up there costs at
    worst, `useless` are the providers that can give nothing of what is required. `most`: of how
    many look-ups the run makes no more, at all providers together.
    """
    forecasts = []
    left_at_worst, left = (sys.maxsize, math.inf) if most is None else (most, float(most))
    at_worst: Counter[str] = Counter()
    expected: defaultdict[str, float] = defaultdict(float)
    for turn in waterfall:
        if turn.provider in useless:
            forecasts.append(Forecast(turn.provider, is_asked=False))
            continue
        worst = RatesSoFar(0, float(worst_units[turn.provider]), 1.0)
        rate = rates.get(turn.provider, worst)
        if rate.lookups < LEAST_LOOKUPS:
            rate = worst
        due_here = due.get(turn.provider, {})
        for priority in turn.priorities:
            at_worst[priority] += due_here.get(priority, 0)
            expected[priority] += due_here.get(priority, 0)
        most_lookups = min(sum(at_worst[each] for each in turn.priorities), left_at_worst)
        lookups = min(sum(expected[each] for each in turn.priorities), left)
        left_at_worst, left = left_at_worst - most_lookups, left - lookups
        forecasts.append(
            Forecast(
                turn.provider,
                is_asked=True,
                due=sum(due_here.values()),
                most_lookups=most_lookups,
                most_credits=most_lookups * worst_units[turn.provider],
                expected_lookups=lookups,
                expected_credits=lookups * rate.credits,
                based_on=rate.lookups,
            )
        )
        for priority in turn.priorities:
            expected[priority] *= rate.open_share
    return forecasts
