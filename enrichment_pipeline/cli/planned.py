"""`enrichment plan`: what a run would look up, by lane and provider, and what that would cost.

Here: showing a plan. Not here: making it (`steps/plan.py`), and its arguments (`main.py`).
"""

from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Console

from enrichment_pipeline.cli.own_servers import rates_of
from enrichment_pipeline.cli.printable import printable
from enrichment_pipeline.cli.terminal import duration, table
from enrichment_pipeline.lanes import PRIORITIES
from enrichment_pipeline.providers.registry import PROVIDERS
from enrichment_pipeline.settings import Settings
from enrichment_pipeline.steps.forecast import LEAST_LOOKUPS, Forecast
from enrichment_pipeline.steps.plan import Plan

SHOWN_TIERS = 10


def as_document(plan: Plan) -> dict[str, Any]:
    """The plan as JSON has it."""
    work = plan.work
    return {
        "contacts": work.contacts,
        "lookups": work.lookups,
        "searches": work.searches,
        "cache_hits": work.cache_hits,
        "lanes": [
            {**vars(each.lane), **vars(each), "lane": each.lane.key}
            for each in work.lanes
            if each.contacts
        ],
        "providers": plan.forecasts,
        **{name: value for name, value in vars(plan).items() if name not in ("work", "forecasts")},
    }


def print_plan(plan: Plan, settings: Settings, console: Console) -> None:
    """Print the lanes, what is known already, and what the rest would cost."""
    work = plan.work
    rows = [
        (lane.lane.key, lane.contacts, lane.lookups, lane.contacts - lane.lookups)
        for lane in work.lanes
        if lane.contacts
    ]
    rows.append(("all", work.contacts, work.lookups, work.contacts - work.lookups))
    columns = ("lane", "contacts", "look-ups", "cache hits")
    console.print(table("What a run would look up", columns, rows))
    console.print(
        f"known already: {work.cache_hits.person:,} contacts share a person with another, "
        f"{work.cache_hits.miss:,} persons were not found lately"
    )
    if work.searches:
        console.print(
            f"to be searched for by name and company first: {work.searches:,} persons "
            f"({plan.searches_left_today:,} searches left today)"
        )
    if len(plan.forecasts) > 1 or plan.verifications is not None:
        _print_forecasts(plan, settings, console)
    is_other = plan.worst_case_cost != plan.worst_case_credits
    cost = f", which cost {plan.worst_case_cost:,}" if is_other else ""
    credits = f"{plan.worst_case_credits:,.1f}".removesuffix(".0")
    console.print(
        f"credits, at worst: {credits}{cost} "
        f"(left in the budget: {plan.budget_left_today:,} today, "
        f"{plan.budget_left_this_month:,} this month)"
    )
    at = f"the limit of {rates_of(settings, settings.asked_provider)}"
    if len(plan.forecasts) > 1 or plan.verifications is not None:
        at = "the rate limits, at worst"
    console.print(f"time at {at}: {duration(plan.seconds_at_limit)}")
    if plan.unread_columns:
        console.print(
            "columns of the source that nothing reads: "
            + printable(", ".join(plan.unread_columns)),
            markup=False,
        )
    if plan.unknown_tiers:
        console.print(
            f"tiers that are none of {', '.join(PRIORITIES)}, so that the score decides: "
            + printable(", ".join(plan.unknown_tiers[:SHOWN_TIERS])),
            markup=False,
        )


def why_not_asked(provider: str, settings: Settings) -> str:
    """Why a provider of the waterfall is never asked, for people to read."""
    require = ", ".join(settings.policy.acceptance.require)
    title = PROVIDERS[provider].title
    return f"{title} is not asked: it never says verified, and [acceptance] requires {require}"


def _print_forecasts(plan: Plan, settings: Settings, console: Console) -> None:
    rows = []
    for each in plan.forecasts:
        price = settings.limits(each.provider).price
        rows.append(
            (
                PROVIDERS[each.provider].title,
                each.due,
                round(each.expected_lookups),
                round(each.expected_credits),
                round(each.expected_credits * float(price)),
                each.most_lookups,
                each.most_credits,
            )
        )
    verifier, verified = settings.verifying_provider, plan.verifications
    if verifier is not None and verified is not None:
        rows.append(
            (
                f"{PROVIDERS[verifier].title}, verifying",
                0,
                round(verified.expected),
                round(verified.expected_credits),
                round(verified.expected_credits * float(settings.limits(verifier).price)),
                verified.most,
                round(verified.most_credits),
            )
        )
    rows.append(("all providers", *(sum(column) for column in list(zip(*rows, strict=True))[1:])))
    columns = ("provider", "due now", "calls", "credits", "cost", "at worst", "credits")
    console.print(table("What is expected of each provider", columns, rows))
    for line in _notes(plan.forecasts, settings):
        console.print(line, markup=False)


def _notes(forecasts: Sequence[Forecast], settings: Settings) -> Iterator[str]:
    """By what the figures were reckoned, and who is not asked, or not for everyone."""
    asked = [each for each in forecasts if each.is_asked]
    based = [each for each in asked if each.based_on]
    if based:
        by = ", ".join(f"{each.based_on:,} at {PROVIDERS[each.provider].title}" for each in based)
        yield f"expected: by what answered look-ups have cost and settled so far ({by})"
    if assumed := [PROVIDERS[each.provider].title for each in asked if not each.based_on]:
        yield (
            f"the worst is assumed of {', '.join(assumed)}, with fewer than {LEAST_LOOKUPS} "
            "answers so far: each look-up is charged, and settles no contact"
        )
    for turn in settings.waterfall:
        if len(turn.priorities) < len(PRIORITIES):
            only = ", ".join(turn.priorities)
            yield f"{PROVIDERS[turn.provider].title} is asked for {only} only ([waterfall] only)"
    for each in forecasts:
        if not each.is_asked:
            yield why_not_asked(each.provider, settings)
    if (verifier := settings.verifying_provider) is not None:
        yield (
            f"{PROVIDERS[verifier].title} verifies addresses by how many answered look-ups have "
            "led to so far; at worst one for each look-up"
        )
