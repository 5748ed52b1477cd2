"""Suppression, from the command and the source's list to the calls that are not made."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from pathlib import Path

from enrichment_pipeline.corrections import Corrections
from enrichment_pipeline.defs.resources import LoggedProgress
from enrichment_pipeline.lanes import FRESHNESS, PRIORITIES, LaneBlock
from enrichment_pipeline.policy import EligibilityPolicy
from enrichment_pipeline.run import Run
from enrichment_pipeline.settings import Settings
from enrichment_pipeline.steps.buy_lookups import buy_lookups
from enrichment_pipeline.steps.context import RunContext
from enrichment_pipeline.steps.load_source import load_accounts, load_contacts
from enrichment_pipeline.steps.plan import plan
from enrichment_pipeline.steps.prepare import prepare
from enrichment_pipeline.steps.select_work import select_work
from enrichment_pipeline.stores import Stores
from enrichment_pipeline_tests.end_to_end.world import (
    CREDITS,
    LOOKUPS,
    ledger_rows,
    outcomes,
    small_policy,
    small_sandbox,
    small_settings,
    steps_here,
)

LANES = LaneBlock(FRESHNESS, PRIORITIES).lanes


def asked_for(settings: Settings) -> set[str]:
    return {contact_id for (contact_id,) in ledger_rows(settings, "select contact_id from lookups")}


def test_whom_the_source_lists_is_never_asked_for(tmp_path: Path) -> None:
    query = "select email as identifier from contacts where contact_id in ('fill-01', 'by-email')"
    policy = small_policy(tmp_path)
    source = policy.source.model_copy(update={"suppressions": query})
    policy = policy.model_copy(update={"source": source})
    with small_sandbox(tmp_path) as sandbox:
        settings = small_settings(tmp_path, sandbox.base_url, policy)
        steps_here(settings)
    assert len(asked_for(settings)) == LOOKUPS - 2
    assert asked_for(settings).isdisjoint({"fill-01", "by-email"})
    came_to = outcomes(settings)
    assert came_to["fill-01"] == came_to["by-email"] == ("suppressed", None)


def test_who_is_not_eligible_costs_nothing(tmp_path: Path) -> None:
    query = "select contact_id from contacts where contact_id not in ('fill-01', 'by-email')"
    eligibility = EligibilityPolicy(contacts=query)
    policy = small_policy(tmp_path).model_copy(update={"eligibility": eligibility})
    with small_sandbox(tmp_path) as sandbox:
        settings = small_settings(tmp_path, sandbox.base_url, policy)
        context = RunContext(Stores(settings), Run("run", datetime.now(UTC)))
        assert plan(context, LANES).work.lookups == LOOKUPS - 2
        prepare(context)
        load_accounts(context)
        assert load_contacts(context).counts.not_eligible == 2
        select_work(context, LANES)
        report = buy_lookups(context, LANES, LoggedProgress(logging.getLogger(__name__))).report
    assert report.units == CREDITS - 2
    assert len(asked_for(settings)) == LOOKUPS - 2
    assert asked_for(settings).isdisjoint({"fill-01", "by-email"})


def test_whom_somebody_suppresses_while_a_run_is_under_way_is_not_asked_for_any_more(
    tmp_path: Path,
) -> None:
    with small_sandbox(tmp_path) as sandbox:
        settings = small_settings(tmp_path, sandbox.base_url)
        context = RunContext(Stores(settings), Run("run", datetime.now(UTC)))
        prepare(context)
        load_accounts(context)
        load_contacts(context)
        select_work(context, LANES)
        assert (
            Corrections(settings).suppress(
                ["giacomina.ferrabosco@brambleworks.com", "contact:fill-01"]
            )
            == 2
        )
        progress = LoggedProgress(logging.getLogger(__name__))
        report = buy_lookups(context, LANES, progress).report
    assert (report.not_due, report.units) == (2, CREDITS - 2)
    assert asked_for(settings).isdisjoint({"fill-01", "by-email"})
