"""The benchmark's year over four providers, small: weeks with a whole year's happenings."""

from __future__ import annotations

import pytest

from benchmarks.waterfall_year import play


@pytest.mark.long
@pytest.mark.timeout(900)
def test_bounces_that_are_fed_back_leave_fewer_dead_addresses_shown() -> None:
    weeks = {"days": 16, "share": 0.03, "every": 4, "mail_every": 4, "year": 16}
    without = play(**weeks, is_fed_back=False)
    fed_back = play(**weeks, is_fed_back=True)
    assert (without.runs, without.mails > 100) == (4, True)
    assert 0 < fed_back.dead_share < without.dead_share
    assert fed_back.bounced < without.bounced
    assert fed_back.cost > 0
