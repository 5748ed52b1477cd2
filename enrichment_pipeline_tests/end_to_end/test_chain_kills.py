"""The benchmark's kills over a chain of providers, few of them."""

from __future__ import annotations

import pytest

from benchmarks.chain_kills import main


@pytest.mark.long
@pytest.mark.timeout(900)
def test_runs_over_a_chain_that_are_killed_buy_nothing_twice_and_lose_nothing() -> None:
    assert main(kills=4, at_once=2)
