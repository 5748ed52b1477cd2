"""Which lanes a run of the job covers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from enrichment_pipeline.run import MAX_CREDITS_TAG, Run
from enrichment_pipeline.steps.context import RunContext
from enrichment_pipeline.steps.load_source import load_contacts
from enrichment_pipeline.steps.publish_tables import publish_tables
from enrichment_pipeline.stores import Stores
from enrichment_pipeline_tests.defs.job import ALL_LANES, execute, failure, materialized, numbers
from enrichment_pipeline_tests.end_to_end.world import (
    CONTACTS,
    contents,
    ledger_rows,
    outcomes,
    rows,
    small_sandbox,
    small_settings,
    steps_here,
)
from enrichment_pipeline_tests.support import RunningSandbox, write_csv

START, END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[RunningSandbox]:
    with small_sandbox(tmp_path) as running:
        yield running


# --- lanes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "last"), [("stale|bulk", "new|strategic"), ("new|bulk", "stale|strategic")]
)
def test_an_impossible_range_of_lanes_fails_and_leaves_every_table_as_it_was(
    tmp_path: Path, sandbox: RunningSandbox, first: str, last: str
) -> None:
    settings = small_settings(tmp_path, sandbox.base_url)
    result = execute(settings, tags={START: first, END: last})
    assert not result.success
    assert "no lane is selected" in failure(result)
    assert materialized(result) == {}
    assert contents(settings.home) == {}


def test_a_range_to_a_lane_that_is_not_there_is_no_run_at_all(
    tmp_path: Path, sandbox: RunningSandbox
) -> None:
    settings = small_settings(tmp_path, sandbox.base_url)
    with pytest.raises(dg.DagsterInvalidInvocationError, match="urgent"):
        execute(settings, tags={START: "new|strategic", END: "new|urgent"})
    assert contents(settings.home) == {}


@pytest.mark.long
def test_a_single_lane_touches_no_other_lanes_work(tmp_path: Path, sandbox: RunningSandbox) -> None:
    settings = small_settings(tmp_path, sandbox.base_url)
    everything = execute(settings, tags={**ALL_LANES, MAX_CREDITS_TAG: "0"})
    assert everything.success, failure(everything)
    others = "select * from enrichment.worklist where priority <> 'target' order by all"
    before = rows(settings, others)
    assert before

    one = execute(settings, lane="new|target")
    assert one.success, failure(one)
    assert rows(settings, others) == before
    selected = (
        "select distinct run_id, freshness from enrichment.worklist where priority = 'target'"
    )
    assert rows(settings, selected) == [(one.run_id, "new")]
    bought = ledger_rows(settings, "select distinct freshness, priority, run_id from lookups")
    assert bought == [("new", "target", one.run_id)]
    queued = "select distinct priority from enrichment.contact_status where status = 'queued'"
    assert rows(settings, f"{queued} order by all") == [("bulk",), ("standard",), ("strategic",)]


def test_a_lane_shows_the_first_rows_of_its_own_work(
    tmp_path: Path, sandbox: RunningSandbox
) -> None:
    settings = small_settings(tmp_path, sandbox.base_url)
    result = execute(settings, assets=["contacts", "accounts", "worklist"])
    assert result.success, failure(result)
    for event in result.get_asset_materialization_events():
        if event.asset_key == dg.AssetKey("worklist"):
            _, priority = str(event.partition).split("|")
            rows = str(event.materialization.metadata["preview"].value).splitlines()[2:]
            assert all(f"| {priority} |" in row for row in rows)
            assert bool(rows) == bool(numbers(event.materialization.metadata)["contacts"])


def test_a_single_asset_can_be_materialised_by_itself(
    tmp_path: Path, sandbox: RunningSandbox
) -> None:
    settings = small_settings(tmp_path, sandbox.base_url)
    assert execute(settings, assets=["contacts", "accounts"], tags={}).success
    result = execute(settings, assets=["worklist"], lane="new|bulk")
    assert result.success, failure(result)
    assert set(materialized(result)) == {"worklist"}
    assert rows(settings, "select distinct priority from enrichment.worklist") == [("bulk",)]
    assert ledger_rows(settings, "select * from lookups") == []


def test_a_cap_that_is_no_number_fails(tmp_path: Path, sandbox: RunningSandbox) -> None:
    settings = small_settings(tmp_path, sandbox.base_url)
    result = execute(settings, tags={**ALL_LANES, MAX_CREDITS_TAG: "all"})
    assert not result.success
    assert MAX_CREDITS_TAG in failure(result)
    assert contents(settings.home) == {}


def test_a_run_of_the_schedule_stops_with_the_number_where_the_source_has_lost_many_contacts(
    tmp_path: Path, sandbox: RunningSandbox
) -> None:
    settings = small_settings(tmp_path, sandbox.base_url)
    steps_here(settings, max_credits=0)
    publish_tables(RunContext(Stores(settings), Run.none()))
    before = outcomes(settings), (settings.published_dir / "current").readlink()
    write_csv(tmp_path / "source" / "contacts.csv", CONTACTS[:10])

    result = execute(settings)
    assert not result.success
    assert "has lost 28 of the 38 contacts" in failure(result)
    assert set(materialized(result)) == {"accounts"}
    assert (outcomes(settings), (settings.published_dir / "current").readlink()) == before
    assert ledger_rows(settings, "select * from lookups") == []

    now = datetime.now(UTC)
    accepted = Run.from_tags("accepted", Run("", now, accepts_shrink=True).tags, now)
    assert load_contacts(RunContext(Stores(settings), accepted)).counts.left == 28
