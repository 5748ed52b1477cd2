"""How often a step opens the warehouse: others wait for it meanwhile, and each time costs."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from enrichment_pipeline import stores as stores_module
from enrichment_pipeline.defs.resources import LoggedProgress
from enrichment_pipeline.lanes import FRESHNESS, PRIORITIES, LaneBlock
from enrichment_pipeline.run import Run
from enrichment_pipeline.state import release_run_lock
from enrichment_pipeline.steps.buy_lookups import buy_lookups
from enrichment_pipeline.steps.context import RunContext
from enrichment_pipeline.steps.copy_answers import copy_answers
from enrichment_pipeline.steps.derive_facts import derive_facts
from enrichment_pipeline.steps.derive_outcomes import derive_outcomes
from enrichment_pipeline.steps.load_source import load_accounts, load_contacts
from enrichment_pipeline.steps.prepare import prepare
from enrichment_pipeline.steps.publish_tables import publish_tables
from enrichment_pipeline.steps.search_profiles import search_profiles
from enrichment_pipeline.steps.select_work import select_work
from enrichment_pipeline.steps.take_decisions import take_decisions
from enrichment_pipeline.stores import Stores
from enrichment_pipeline.warehouse.publish import DATABASE
from enrichment_pipeline_tests.end_to_end.world import (
    CREDITS,
    LOOKUPS,
    make_state,
    small_sandbox,
    small_settings,
)

LANES = LaneBlock(FRESHNESS, PRIORITIES).lanes


def test_each_step_opens_the_warehouse_once_and_gives_back_what_it_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    openings: list[str] = []
    open_warehouse = stores_module.open_warehouse

    def counting(path: str) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
        openings.append(path)
        return open_warehouse(path)

    monkeypatch.setattr(stores_module, "open_warehouse", counting)

    def once(step: Callable[..., Any], *arguments: Any) -> Any:
        before = len(openings)
        result = step(*arguments)
        assert len(openings) - before == 1, step
        return result

    with small_sandbox(tmp_path) as sandbox:
        settings = small_settings(tmp_path, sandbox.base_url)
        make_state(settings)
        # ages are counted to an instant that may lie ahead
        context = RunContext(Stores(settings), Run("run", datetime.now(UTC) + timedelta(hours=1)))
        on_lanes = (context, LANES)
        with_progress = (*on_lanes, LoggedProgress(logging.getLogger(__name__)))
        once(prepare, context)
        assert once(load_accounts, context).table.rows == 5
        assert once(load_contacts, context).repeated_ids == [("twice", 2)]
        assert once(take_decisions, context).table.rows == 0
        assert once(select_work, *on_lanes).due.lookups == LOOKUPS
        assert once(search_profiles, *with_progress).table.rows == 0
        bought = once(buy_lookups, *with_progress)
        assert once(copy_answers, context).new == LOOKUPS
        assert once(derive_facts, context).person_facts.doubled_keys == 0
        derived = once(derive_outcomes, context)
        assert once(publish_tables, context)["contact_status"] == 38
        release_run_lock(settings.home, context.run.run_id)
    with duckdb.connect(str(settings.published_dir / DATABASE), read_only=True) as published:
        [(changes, are_earlier)] = published.execute(
            "select count(*), bool_and(changed_at <= published_at) "
            "from enrichment.contact_changes, enrichment.publication"
        ).fetchall()
    assert changes > 0
    assert are_earlier
    assert (bought.of_run.calls, bought.of_run.units_charged) == (LOOKUPS, CREDITS)
    assert sum(derived.statuses.values()) == derived.contact_status.rows == 38
    assert derived.findings.unaccounted_contacts == []
