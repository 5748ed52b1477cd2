"""Which lanes a run covers, what it may spend, and to which day it counts ages."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from enrichment_pipeline.defs.resources import LoggedProgress
from enrichment_pipeline.dispatch.progress import DispatchReport
from enrichment_pipeline.errors import ConfigurationError, PipelineError
from enrichment_pipeline.lanes import FRESHNESS, PRIORITIES, LaneBlock
from enrichment_pipeline.run import Run
from enrichment_pipeline.settings import Settings
from enrichment_pipeline.state import release_run_lock
from enrichment_pipeline.steps.buy_lookups import buy_lookups
from enrichment_pipeline.steps.context import RunContext
from enrichment_pipeline.steps.load_source import load_accounts, load_contacts
from enrichment_pipeline.steps.prepare import open_state, prepare
from enrichment_pipeline.steps.select_work import select_work
from enrichment_pipeline.stores import Stores
from enrichment_pipeline_tests.end_to_end.world import (
    CREDITS,
    EXPECTED,
    KEY,
    LOOKUPS,
    RunOver,
    dagster_runs,
    ledger_rows,
    make_state,
    outcomes,
    record,
    rows,
    run_here,
    small_policy,
    small_sandbox,
    small_settings,
    steps_here,
)
from enrichment_pipeline_tests.support import START, RunningSandbox, policy_for, settings_for

LANES = LaneBlock(FRESHNESS, PRIORITIES).lanes
IN_LANES = {"strategic": 9, "target": 7, "standard": 7, "bulk": 6}
"""Look-ups by priority, at first."""


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[RunningSandbox]:
    with small_sandbox(tmp_path) as running:
        yield running


def bought(home: Path) -> Counter[str]:
    """Look-ups by priority."""
    return Counter(dict(ledger_rows(home, "select priority, count(*) from lookups group by 1")))


def charged(home: Path) -> dict[str, int]:
    """Credits by priority, as the ledger has them."""
    query = "select priority, sum(units_charged) from lookups group by 1"
    return dict(ledger_rows(home, query))


def charges(sandbox: RunningSandbox) -> int:
    if not sandbox.journal.exists():
        return 0
    return sum(json.loads(line)["credits"] for line in sandbox.journal.read_text().splitlines())


def load(settings: Settings) -> None:
    """A new state with the source in it."""
    make_state(settings)
    context = RunContext(Stores(settings), Run.none())
    open_state(context.stores)
    load_accounts(context)
    load_contacts(context)


def buy(settings: Settings, run: Run) -> DispatchReport:
    """The steps of a run that buy, over a source that is loaded."""
    context = RunContext(Stores(settings), run)
    prepare(context)
    try:
        select_work(context, LANES)
        return buy_lookups(context, LANES, LoggedProgress(logging.getLogger(__name__))).report
    finally:
        release_run_lock(settings.home, run.run_id)


TWO_BLOCKS = [("new|strategic", "stale|strategic"), ("new|standard", "stale|standard")]


def ranges_of_lanes(home: Path) -> list[tuple[str, str]]:
    """The first and the last lane of each of Dagster's runs."""
    start, end = (f"dagster/asset_partition_range_{edge}" for edge in ("start", "end"))
    return [(run.tags[start], run.tags[end]) for run in dagster_runs(home)]


@pytest.mark.long
def test_a_run_of_some_priorities_buys_those_only_and_the_rest_is_queued(
    tmp_path: Path, sandbox: RunningSandbox
) -> None:
    settings = small_settings(tmp_path, sandbox.base_url)
    run_here(settings, priorities=("strategic", "standard"), keeps_events=True)
    home = settings.home
    assert bought(home) == {"strategic": 9, "standard": 7}
    assert ranges_of_lanes(home) == TWO_BLOCKS
    queued = rows(
        home,
        "select distinct priority, freshness from enrichment.contact_status "
        "where status = 'queued' order by all",
    )
    assert queued == [("bulk", "new"), ("target", "new")]
    assert outcomes(home).keys() == EXPECTED.keys()
    steps_here(settings, priorities=("bulk", "target"))
    assert bought(home) == IN_LANES
    assert outcomes(home) == EXPECTED


def test_freshness_that_nobody_has_and_a_cap_of_nothing_buy_nothing(
    tmp_path: Path, sandbox: RunningSandbox
) -> None:
    settings = small_settings(tmp_path, sandbox.base_url)
    for buy_nothing in (
        lambda: steps_here(settings, freshness=("retry", "stale")),
        lambda: steps_here(settings, max_credits=0),
    ):
        buy_nothing()
        assert bought(settings.home) == {}
        found = outcomes(settings.home)
        assert {status for status, _ in found.values()} == {"queued", "needs_review"}
        assert found["by-profile"] == ("queued", None)


def test_a_cap_on_credits_holds_over_all_blocks_of_lanes_and_goes_to_the_first(
    tmp_path: Path, sandbox: RunningSandbox
) -> None:
    settings = small_settings(tmp_path, sandbox.base_url)
    # two blocks of lanes, so two runs of Dagster's
    shown = run_here(settings, priorities=("strategic", "standard"), max_credits=12)
    assert ranges_of_lanes(settings.home) == TWO_BLOCKS
    assert bought(settings.home)["strategic"] == IN_LANES["strategic"]
    assert charges(sandbox) == 12
    assert "credits spent by this run │     12" in shown
    assert "budget for standard is used up" in shown


@pytest.mark.long
def test_a_runs_budget_holds_over_all_its_blocks_of_lanes(
    tmp_path: Path, sandbox: RunningSandbox
) -> None:
    policy = small_policy(tmp_path, budget={"per_run": 12})
    settings = small_settings(tmp_path, sandbox.base_url, policy)
    run_here(settings, priorities=("strategic", "standard"))
    assert sum(charged(settings.home).values()) == 12


@pytest.mark.long
def test_what_may_have_been_billed_in_one_block_of_lanes_is_not_spent_again_in_the_next(
    tmp_path: Path,
) -> None:
    with small_sandbox(tmp_path, faults={"torn": 1.0}) as sandbox:
        settings = small_settings(tmp_path, sandbox.base_url)
        with pytest.raises(PipelineError, match=r"^12 of 12 look-ups ended unconfirmed"):
            run_here(settings, priorities=("strategic", "standard"), max_credits=12)
    assert bought(settings.home) == {"strategic": 9, "standard": 3}
    assert set(charged(settings.home).values()) == {0}


def test_a_run_that_is_tried_again_has_what_is_left_of_its_cap_and_its_budget(
    tmp_path: Path, sandbox: RunningSandbox
) -> None:
    settings = small_settings(
        tmp_path, sandbox.base_url, small_policy(tmp_path, budget={"per_run": 10})
    )

    load(settings)
    as_of = datetime.now(UTC)

    def spent_by(run_id: str, **more: Any) -> int:
        return buy(settings, Run(run_id, as_of, **more)).units

    assert spent_by("root", max_credits=4) == 4
    assert spent_by("again", max_credits=4, earlier_run_ids=("root",)) == 0
    assert spent_by("once more", earlier_run_ids=("root", "again")) == 6
    assert spent_by("another") == 10


def test_each_priority_leaves_its_floor_of_the_budget_untouched(
    tmp_path: Path, sandbox: RunningSandbox
) -> None:
    # Of 20 a day: all for strategic, 18 for target, 14 for standard, 10 for bulk.
    policy = small_policy(tmp_path, budget={"per_day": 20})
    settings = small_settings(tmp_path, sandbox.base_url, policy)
    load(settings)
    report = buy(settings, Run("day 1", START, is_simulated=True))
    # 9 + 7 = 16 leave nothing above the floors of standard and bulk
    assert charged(settings.home) == {"strategic": 9, "target": 7}
    assert report.exhausted == {"standard": "day", "bulk": "day"}
    buy(settings, Run("day 2", START + timedelta(days=1), is_simulated=True))
    # a new day, of which standard and bulk may use 14 and 10
    assert charged(settings.home) == {"strategic": 9, "target": 7, "standard": 7, "bulk": 3}


@pytest.mark.long
def test_the_months_budget_and_the_runs_own_hold_too(
    tmp_path: Path, sandbox: RunningSandbox
) -> None:
    no_floors = {"floors": {"strategic": 0.0, "target": 0.0, "standard": 0.0, "bulk": 0.0}}
    budget = {"per_run": 5, "per_month": 8, **no_floors}
    settings = small_settings(tmp_path, sandbox.base_url, small_policy(tmp_path, budget=budget))
    for spent in (5, 8, 8):
        steps_here(settings, as_of=START)
        assert charges(sandbox) == spent
    assert Counter(bought(settings.home)) == {"strategic": 8}


def test_a_later_simulated_day_makes_everything_stale_and_dates_the_answers(
    run_over: RunOver, tmp_path: Path, sandbox: RunningSandbox
) -> None:
    run_over.copy_state(tmp_path)
    settings = settings_for(
        tmp_path / "state", policy_for(run_over.source), sandbox.base_url, api_key=SecretStr(KEY)
    )
    later = datetime.now(UTC) + timedelta(days=91)
    steps_here(settings, as_of=later)
    assert charges(sandbox) == CREDITS
    assert sum(bought(settings.home).values()) == 2 * LOOKUPS
    found = record(settings, "enrichment.enriched_contacts", "by-profile")
    assert found["enriched_at"] == later
    assert found["expires_at"] == later + timedelta(days=90)
    freshness = dict(
        ledger_rows(settings.home, "select freshness, count(*) from lookups group by 1")
    )
    assert freshness == {"new": LOOKUPS, "stale": LOOKUPS}
    assert outcomes(settings.home) == EXPECTED


@pytest.mark.long
def test_the_policys_age_decides_when_an_answer_is_stale(
    tmp_path: Path, sandbox: RunningSandbox
) -> None:
    policy = small_policy(tmp_path, freshness={"max_age_days": 60, "no_match_days": 365})
    settings = small_settings(tmp_path, sandbox.base_url, policy)
    steps_here(settings, as_of=START)
    steps_here(settings, freshness=("stale",), as_of=START + timedelta(days=59))
    assert charges(sandbox) == CREDITS
    steps_here(settings, freshness=("stale",), as_of=START + timedelta(days=61))
    assert charges(sandbox) == 2 * CREDITS


@pytest.mark.long
def test_a_contact_that_left_the_source_is_neither_shown_nor_paid_for_any_more(
    tmp_path: Path, sandbox: RunningSandbox
) -> None:
    settings = small_settings(tmp_path, sandbox.base_url)
    steps_here(settings, as_of=START)
    contacts = tmp_path / "source" / "contacts.csv"
    lines = contacts.read_text().splitlines(keepends=True)
    contacts.write_text("".join(line for line in lines if not line.startswith("by-email,")))
    steps_here(settings, as_of=START + timedelta(days=91))
    assert charges(sandbox) == 2 * CREDITS - 1
    assert outcomes(settings.home).keys() == EXPECTED.keys() - {"by-email"}
    for table in ("enriched_contacts", "needs_review", "contact_status", "worklist"):
        query = f"select 1 from enrichment.{table} where contact_id = 'by-email'"
        assert rows(settings, query) == [], table


@pytest.mark.long
def test_credits_that_run_out_leave_the_rest_for_the_next_run(tmp_path: Path) -> None:
    with small_sandbox(tmp_path, credits=10) as sandbox:
        settings = small_settings(tmp_path, sandbox.base_url)
        shown = run_here(settings)
        assert charges(sandbox) == 10
    assert "top up the account" in shown
    assert "credits left              │  0" in shown
    queued = "select count(*) from enrichment.contact_status where status = 'queued'"
    [(waiting,)] = rows(settings, queued)
    assert waiting >= LOOKUPS - 10 - 1
    with small_sandbox(tmp_path / "topped_up") as sandbox:
        steps_here(small_settings(tmp_path, sandbox.base_url))
        assert charges(sandbox) == CREDITS - 10
    assert outcomes(settings.home) == EXPECTED


def test_a_limited_run_looks_up_the_most_important_and_the_next_one_goes_on(
    sandbox: RunningSandbox, tmp_path: Path
) -> None:
    settings = small_settings(tmp_path, sandbox.base_url)
    assert steps_here(settings, max_lookups=3).sent == 3
    assert bought(settings.home) == {"strategic": 3}
    # what is asked for by id, and nobody else; two of them are one person
    chosen = ("by-email", "same-profile", "by-profile", "nothing")
    asked_before = {row[0] for row in ledger_rows(settings.home, "select contact_id from lookups")}
    steps_here(settings, contacts=chosen)
    asked = {row[0] for row in ledger_rows(settings.home, "select contact_id from lookups")}
    assert asked - asked_before == {"by-email", "by-profile"} - asked_before
    assert steps_here(settings).sent == LOOKUPS - len(asked)
    assert sum(bought(settings.home).values()) == LOOKUPS


def test_a_contact_that_is_not_there_is_refused_before_anything_changes(
    sandbox: RunningSandbox, tmp_path: Path
) -> None:
    settings = small_settings(tmp_path, sandbox.base_url)
    with pytest.raises(ConfigurationError, match="--contact nobody: no such contact"):
        steps_here(settings, contacts=("by-email", "nobody"))
    assert rows(settings, "select count(*) from staging.contacts") == [(0,)]
    assert bought(settings.home) == {}
