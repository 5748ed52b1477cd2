"""The benchmark's two loads, small: many callbacks at once, and many clients that trickle."""

from __future__ import annotations

import pytest

from benchmarks import receiver as benchmark

pytestmark = [pytest.mark.long, pytest.mark.timeout(120)]


def test_callbacks_that_come_at_once_are_all_kept_and_acknowledged_in_time() -> None:
    assert benchmark.burst(30)


def test_clients_that_trickle_are_closed_and_keep_no_callback_waiting() -> None:
    assert benchmark.trickle(100, good=20)
