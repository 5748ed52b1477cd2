"""On which terms each kind of call is made: what the policy says with what the provider tells.

Here: limits and budgets as the ledger takes them, for every provider and kind. Not here:
keeping to them (`ledger/`), and the numbers themselves (`policy.py`, `providers/`). Knows no
warehouse, so that the receiver and the point of entry need none.
"""

from datetime import timedelta
from decimal import Decimal

from enrichment_pipeline.clock import Clock
from enrichment_pipeline.ledger.budget import (
    CREDITS,
    Budget,
    RunShare,
    quota_name,
)
from enrichment_pipeline.ledger.calls import Calls
from enrichment_pipeline.ledger.limits import Limits, Rate
from enrichment_pipeline.providers.base import CallFacts
from enrichment_pipeline.providers.registry import PROVIDERS
from enrichment_pipeline.run import Run
from enrichment_pipeline.settings import Settings
from enrichment_pipeline.vocabulary import LOOKUP

SEND_LEASE = timedelta(seconds=30)
"""From reservation to sending is a matter of milliseconds; a suspended machine may take longer."""
SETTLED_WITHIN = timedelta(minutes=1)
"""A run that is alive settles the response to its request in a moment."""
PAGES_WITHIN = timedelta(minutes=30)
"""Before it asks for a further page it may wait for room for so long."""


def calls_of(settings: Settings, provider: str, kind: str, clock: Clock) -> Calls:
    """One kind of call to a provider, under these settings."""
    facts = PROVIDERS[provider].calls[kind]
    return Calls(provider, kind, _limits(settings, provider, kind, facts), clock)


def budget_of(settings: Settings, provider: str, kind: str) -> Budget:
    """What one kind of call to a provider may draw, and on which pool."""
    facts, of_provider = PROVIDERS[provider].calls[kind], settings.limits(provider)
    budget = settings.policy.budget
    if facts.unit == "requests":
        return Budget(
            pool=quota_name(provider, kind),
            per_day=Decimal(of_provider.searches_per_day),
            floors=budget.floors,
        )
    return Budget(
        pool=CREDITS,
        per_run=budget.per_run,
        per_day=budget.per_day,
        per_month=budget.per_month,
        floors=budget.floors,
        unit_cost=of_provider.price * facts.credits_per_unit,
        credits_per_unit=facts.credits_per_unit,
        worst_units=facts.worst_units,
    )


def credits_per_unit(provider: str) -> dict[str, Decimal]:
    """Of each kind of call to it that costs credits, how many one unit is."""
    calls = PROVIDERS[provider].calls
    return {kind: of.credits_per_unit for kind, of in calls.items() if of.unit == "credits"}


def share_of(run: Run) -> RunShare:
    """The run as budgets know it."""
    return RunShare(run.run_id, run.earlier_run_ids, run.max_credits)


def _limits(settings: Settings, provider: str, kind: str, facts: CallFacts) -> Limits:
    policy = settings.policy
    of_provider = settings.limits(provider)
    given = tuple((rate.units, rate.seconds) for rate in of_provider.every_rate)
    # what the policy names are the rates of look-ups; a short minute holds for every kind
    is_given = settings.has_short_minute(provider) or (kind == LOOKUP and of_provider.names_rates)
    documented = () if is_given else facts.rates
    rates = tuple(Rate(units, timedelta(seconds=seconds)) for units, seconds in documented or given)
    has_quota = facts.unit == "requests"
    longest = timedelta(seconds=facts.longest_seconds)
    answered_by_callback = facts.is_called_back and settings.callbacks is not None
    return Limits(
        rates=() if has_quota else rates,
        counts_requests=facts.counts_requests,
        at_once=policy.search.at_once if has_quota else None,
        budget=budget_of(settings, provider, kind),
        pause=min(rate.window for rate in rates)
        if facts.pause_seconds is None
        else timedelta(seconds=facts.pause_seconds),
        send_lease=SEND_LEASE,
        response_deadline=longest,
        answer_deadline=timedelta(minutes=of_provider.callback_deadline_minutes)
        if answered_by_callback
        else longest,
        unconfirmed_hold=timedelta(days=policy.freshness.unconfirmed_days),
        is_repeat_free=facts.is_repeat_free
        and (of_provider.free_repeat or facts.unit != "credits"),
        is_paged=facts.is_paged,
        settled_within=PAGES_WITHIN if facts.is_paged else SETTLED_WITHIN,
    )
