"""The benchmark's year over four providers, small: weeks with a whole year's happenings."""

from __future__ import annotations

import pytest

from benchmarks.waterfall_year import play


@pytest.mark.long
@pytest.mark.timeout(900)
def test_bounces_that_are_fed_back_leave_fewer_dead_addresses_shown() -> None:
    weeks = {"days": 21, "share": 0.03, "every": 3, "mail_every": 3, "year": 21}
    without = play(**weeks, is_fed_back=False)
    fed_back = play(**weeks, is_fed_back=True)
    assert (without.runs, without.mails > 100) == (7, True)
    assert 0 < fed_back.dead_share < without.dead_share
    assert fed_back.bounced < without.bounced
    assert fed_back.cost > 0
