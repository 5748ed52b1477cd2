"""A simulated year, day by day, over the sample, with contacts that arrive, change and leave.

Measures: promises. No answer older than the policy is shown as fresh, nobody is looked up
more often than the policy allows, strategic contacts come before bulk ones, the budgets
hold. And a figure: credits against one call per contact row.

Here: the year and its verdict. Not here: what happens in it (`crm.py`), the runs
(`simulation.py`), and what must hold of them (`reference.py`).
"""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import date

from benchmarks.year.simulation import Played, Script, play

SECTIONS = {
    "signalhire": {"items_per_window": 100_000, "window_seconds": 1.0, "items_per_request": 20},
    "schedule": {"time_zone": "Europe/Berlin", "hour": 5},
    "budget": {"per_run": 500, "per_day": 500, "per_month": 2_000},
}
YEAR = Script(
    days=365,
    first_day=date(2026, 7, 1),
    sections=SECTIONS,
    import_on=150,
    write_back_on=200,
    repeat_every=30,
    noon_every=15,
    missed=frozenset({40, 41, 42, 116, 245}),
)


FIRST_RUN = Script(
    days=1,
    first_day=YEAR.first_day,
    sections={"signalhire": SECTIONS["signalhire"]},
    starts_with=1.0,
    has_faults=False,
)


def main(days: int = YEAR.days) -> bool:
    print("  the whole sample, bought in one run:")
    first = measure(FIRST_RUN)
    print("  day by day:")
    return measure(replace(YEAR, days=days)) and first


def measure(script: Script) -> bool:
    began_at = time.monotonic()
    return report(play(script), script.days, time.monotonic() - began_at)


def report(played: Played, days: int, seconds: float) -> bool:
    reference = played.reference
    print(f"  {days} days, {played.runs} runs, {seconds:.0f} s; {len(played.rows)} contact rows")
    print(f"  what happened to them: {dict(sorted(played.happened.items()))}")
    print(f"  look-ups: {played.lookups}; all attempts by outcome: {dict(played.states)}")
    print(f"  runs that found a budget used up, by priority: {dict(played.days_without_budget)}")
    saved = 1 - played.credits / max(1, reference.one_call_per_row)
    print(
        f"  credits: {played.credits}; with one call per contact row: "
        f"{reference.one_call_per_row} ({saved:.1%} saved)"
    )
    print(
        f"  charged again as somebody new, since only the answer tells who it is: "
        f"{reference.strangers}; refreshed although the answers showed them to be one: "
        f"{reference.in_two_books}"
    )
    for rule in reference.RULES:
        count = reference.breaches[rule]
        example = f", such as {reference.examples[rule]}" if count else ""
        print(f"  {'ok  ' if count == 0 else 'MISS'} {rule}: {count}{example}")
    return not reference.breaches
