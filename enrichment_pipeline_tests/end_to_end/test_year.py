"""The benchmark's simulated year, small: weeks in which happens all that does in a year.

The ages are shorter, so that everybody falls due again and again. The clocks are put back in
it.
"""

from __future__ import annotations

from datetime import date

import pytest

from benchmarks.year.simulation import Script, play

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

WEEKS = Script(
    days=17,
    first_day=date(2026, 10, 12),
    year=17,
    share_of_sample=0.05,
    sections={
        "signalhire": {"items_per_window": 100_000, "window_seconds": 1.0, "items_per_request": 5},
        "freshness": {
            "max_age_days": 8,
            "no_match_days": 4,
            "unconfirmed_days": 3,
            "spread_days": 1,
        },
        "schedule": {"time_zone": "Europe/Berlin", "hour": 5},
        "budget": {"per_run": 40, "per_day": 50, "per_month": 350},
    },
    import_on=7,
    write_back_on=11,
    missed=frozenset({4, 5, 15}),
    repeat_every=8,
    noon_every=5,
)


def test_through_weeks_of_changes_every_promise_holds_on_every_day() -> None:
    played = play(WEEKS)
    reference = played.reference
    assert reference.breaches == {}, reference.examples

    # none of it held for want of anything that could have broken it
    assert min(played.happened.values()) > 0, played.happened
    assert played.states["matched"] > 200
    assert {"matched", "no_match", "retriable", "unconfirmed"} <= played.states.keys()
    assert played.days_without_budget["bulk"] > 2
    assert played.credits < reference.one_call_per_row
