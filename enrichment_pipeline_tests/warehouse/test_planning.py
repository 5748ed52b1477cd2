"""The benchmark's planning and loading, small: what it selects, writes and takes as changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import planning as benchmark

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]

CONTACTS = 2_000


def test_ours_and_pandas_select_the_same_people_and_the_bound_writes_as_many_rows(
    tmp_path: Path,
) -> None:
    path = str(tmp_path / "crm.duckdb")
    benchmark.fill(path, CONTACTS)
    ours = benchmark.plan(path).rows
    for planning in ("worklist_from_loaded", "worklist_from_prepared"):
        assert benchmark.plan_in_pandas(path, planning).rows == ours
        assert benchmark.selected_alike(path)
    # half of them are new, some more are due again
    assert CONTACTS // 2 < ours < CONTACTS
    assert benchmark.bound(path, ours).rows == pytest.approx(ours, rel=0.05)


def test_a_day_takes_what_changed_and_no_more(tmp_path: Path) -> None:
    path = str(tmp_path / "crm.duckdb")
    benchmark.write_sources(tmp_path, CONTACTS)
    first, later = tmp_path / "first", tmp_path / "later"
    changed = [
        benchmark.load_source(path, source, day)[0].rows
        for day, source in enumerate((first, later, later))
    ]
    assert changed[0] == CONTACTS
    assert 0 < changed[1] < CONTACTS * 0.02
    assert changed[2] == 0
