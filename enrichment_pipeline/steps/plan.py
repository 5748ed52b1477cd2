"""What a run would do: its steps up to the work list, taken back at the end.

Here: the plan, and how long the rate limit makes it last. Not here: what each provider leaves for
the next (`forecast.py`), and showing it (`cli/`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from enrichment_pipeline.errors import redact_unexpected_errors
from enrichment_pipeline.lanes import Lane
from enrichment_pipeline.ledger.calls import Calls
from enrichment_pipeline.ledger.entries import standing
from enrichment_pipeline.steps.context import RunContext
from enrichment_pipeline.steps.copy_answers import take_over_lookups, take_over_searches
from enrichment_pipeline.steps.forecast import (
    Forecast,
    VerificationForecast,
    forecast,
    forecast_verifications,
)
from enrichment_pipeline.steps.load_source import refuse_unknown_contacts, suppressed_by_source
from enrichment_pipeline.steps.prepare import check_run, open_state
from enrichment_pipeline.steps.select_work import select_due
from enrichment_pipeline.vocabulary import SEARCH, VERIFICATION
from enrichment_pipeline.warehouse import review_log
from enrichment_pipeline.warehouse.connection import rolled_back
from enrichment_pipeline.warehouse.entered_contacts import entered_table
from enrichment_pipeline.warehouse.feedback import load_feedback
from enrichment_pipeline.warehouse.load import load_accounts, load_contacts
from enrichment_pipeline.warehouse.rates_so_far import read_rates_so_far
from enrichment_pipeline.warehouse.states import requirements_it_can_give
from enrichment_pipeline.warehouse.worklist import DueWork


@dataclass(frozen=True)
class Plan:
    """What a run would look up at worst, and how long the rate limit makes it last.

    Costs are in the unit of the budget.
    """

    work: DueWork
    forecasts: list[Forecast]
    """What is likely, provider by provider."""
    verifications: VerificationForecast | None
    """What is verified after that; None where nothing is. Part of the sums."""
    worst_case_credits: float
    worst_case_cost: Decimal
    expected_cost: float
    seconds_at_limit: float
    budget_left_today: Decimal
    budget_left_this_month: Decimal
    searches_left_today: int
    unread_columns: tuple[str, ...]
    """The source's columns that nothing reads, as `contacts.name` and `accounts.name`."""
    unknown_tiers: tuple[str, ...]
    """What accounts have for a tier that no priority is named after."""


@redact_unexpected_errors
def plan(context: RunContext, lanes: Sequence[Lane]) -> Plan:
    """What a run over these lanes would look up. Selects it, then takes it all back."""
    stores, settings, policy = context.stores, context.settings, context.policy
    check_run(settings, context.run)
    open_state(stores, context.run)
    source = (policy.source, settings.source)
    with stores.open_warehouse() as connection:
        take_over_lookups(connection, stores.ledger)
        take_over_searches(connection, stores.ledger)
        with rolled_back(connection):
            loaded_at = context.now
            accounts = load_accounts(connection, *source, loaded_at=loaded_at)
            contacts = load_contacts(
                connection,
                *source,
                phone_region=policy.identity.phone_region,
                loaded_at=loaded_at,
                eligibility=policy.eligibility,
                accepts_shrink=context.run.accepts_shrink,
                entered=entered_table(standing(stores.ledger)),
            )
            refuse_unknown_contacts(connection, context.run)
            review_log.record_table(
                connection,
                policy,
                settings.review_source,
                waterfall=settings.waterfall,
                recorded_at=loaded_at,
            )
            suppressed = stores.suppressions(context.clock).everything()
            suppressed |= suppressed_by_source(connection, settings)
            suppressed |= load_feedback(connection, policy.feedback, settings.source)
            work = select_due(connection, context, lanes, suppressed)
            rates = read_rates_so_far(connection, policy.acceptance.require)
    stores.leave_whole_ledger()  # which a first plan has made
    today = context.now.date().isoformat()
    questions = stores.questions(context.clock)
    calls = {
        provider: stores.calls(context.clock, provider=provider)
        for provider in settings.asked_providers
    }
    forecasts = forecast(
        settings.waterfall,
        work.lookups_at,
        rates,
        {provider: each.limits.budget.worst_units for provider, each in calls.items()},
        frozenset(each for each in calls if not requirements_it_can_give(each, policy)),
        most=context.run.max_lookups,
    )
    prices = {provider: settings.limits(provider).price for provider in calls}
    verified, seconds_to_verify = None, 0.0
    worst_credits: float = sum(each.most_credits for each in forecasts)
    worst_cost = sum((each.most_credits * prices[each.provider] for each in forecasts), Decimal(0))
    expected_cost = sum(each.expected_credits * float(prices[each.provider]) for each in forecasts)
    if (verifier := settings.verifying_provider) is not None:
        of_verifier = stores.calls(context.clock, VERIFICATION, provider=verifier)
        budget, price = of_verifier.limits.budget, settings.limits(verifier).price
        verified = forecast_verifications(
            forecasts, rates, float(budget.worst_units * budget.credits_per_unit)
        )
        worst_credits += verified.most_credits
        worst_cost += Decimal(verified.most_credits) * price
        expected_cost += verified.expected_credits * float(price)
        seconds_to_verify = _seconds_at_limit(of_verifier, verified.most)
    per_day, per_month = policy.budget.per_day, policy.budget.per_month
    return Plan(
        work=work,
        forecasts=forecasts,
        verifications=verified,
        worst_case_credits=worst_credits,
        worst_case_cost=worst_cost,
        expected_cost=expected_cost,
        seconds_at_limit=seconds_to_verify
        + sum(_seconds_at_limit(calls[each.provider], each.most_lookups) for each in forecasts),
        budget_left_today=per_day - sum(questions.budget_used(f"day:{today}")),
        budget_left_this_month=per_month - sum(questions.budget_used(f"month:{today[:7]}")),
        searches_left_today=_searches_left(context),
        unread_columns=(
            *(f"contacts.{name}" for name in contacts.unread),
            *(f"accounts.{name}" for name in accounts.unread),
        ),
        unknown_tiers=accounts.unknown_tiers,
    )


def _searches_left(context: RunContext) -> int:
    provider = context.settings.searching_provider
    if provider is None:
        return 0
    searches = context.stores.questions(context.clock, SEARCH, provider=provider)
    return int(context.settings.limits(provider).searches_per_day - searches.used_today())


def _seconds_at_limit(calls: Calls, items: int) -> float:
    """How long so many items take, each in a request of its own where requests are counted."""
    return max(
        max(0, -(-items // rate.units) - 1) * rate.window.total_seconds()
        for rate in calls.limits.rates
    )
