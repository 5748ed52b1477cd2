"""Suppression, from the command and the source's list to the calls that are not made."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from pathlib import Path

from enrichment_pipeline.corrections import Corrections
from enrichment_pipeline.defs.resources import LoggedProgress
from enrichment_pipeline.lanes import FRESHNESS, PRIORITIES, LaneBlock
from enrichment_pipeline.pipeline import Pipeline
from enrichment_pipeline.policy import EligibilityPolicy
from enrichment_pipeline.run import Run
from enrichment_pipeline.settings import Settings
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
        pipeline, run = Pipeline(settings), Run("run", datetime.now(UTC))
        assert pipeline.plan(run, LANES).work.lookups == LOOKUPS - 2
        pipeline.prepare(run)
        pipeline.load_accounts(run)
        assert pipeline.load_contacts(run).not_eligible == 2
        pipeline.select_worklist(run, LANES)
        report = pipeline.buy(run, LANES, LoggedProgress(logging.getLogger(__name__))).report
    assert report.units == CREDITS - 2
    assert len(asked_for(settings)) == LOOKUPS - 2
    assert asked_for(settings).isdisjoint({"fill-01", "by-email"})


def test_whom_somebody_suppresses_while_a_run_is_under_way_is_not_asked_for_any_more(
    tmp_path: Path,
) -> None:
    with small_sandbox(tmp_path) as sandbox:
        settings = small_settings(tmp_path, sandbox.base_url)
        pipeline, run = Pipeline(settings), Run("run", datetime.now(UTC))
        pipeline.prepare(run)
        pipeline.load_accounts(run)
        pipeline.load_contacts(run)
        pipeline.select_worklist(run, LANES)
        assert (
            Corrections(settings).suppress(
                ["giacomina.ferrabosco@brambleworks.com", "contact:fill-01"]
            )
            == 2
        )
        progress = LoggedProgress(logging.getLogger(__name__))
        report = pipeline.buy(run, LANES, progress).report
    assert (report.not_due, report.units) == (2, CREDITS - 2)
    assert asked_for(settings).isdisjoint({"fill-01", "by-email"})
