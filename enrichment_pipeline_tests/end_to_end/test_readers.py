"""The benchmark's BI clients, through a few refreshes."""

from __future__ import annotations

import pytest

from benchmarks import readers as benchmark

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]


def test_readers_see_no_error_no_half_state_and_no_empty_table_while_refreshes_publish() -> None:
    assert benchmark.main(refreshes=2)
