"""Dagster's real daemon, web server and code server: the sensor, a backfill that is launched as
the UI does it, and the command line at once. The schedule and a restart in the middle are in
`make soak`, since they take minutes."""

from __future__ import annotations

import pytest

from benchmarks import daemon as benchmark

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]


def test_sensor_backfill_and_command_line_at_once_meet_no_lock_and_buy_nobody_twice() -> None:
    lanes = ["new|strategic", "new|standard"]  # two runs: they are not next to each other
    assert benchmark.measure(80, lanes=lanes, is_restarted=False)
