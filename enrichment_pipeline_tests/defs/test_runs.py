"""What a Dagster run fixes for its whole length, also when it is tried again."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from dagster import DagsterInstance, DagsterRun
from dagster._core.storage.tags import ROOT_RUN_ID_TAG

from enrichment_pipeline.defs.runs import run_of
from enrichment_pipeline.errors import ConfigurationError
from enrichment_pipeline.run import CONTACTS_TAG, MAX_LOOKUPS_TAG, Run


def run_in(instance: DagsterInstance, run_id: str, root_run_id: str | None = None) -> DagsterRun:
    """A run that the instance knows; with a root, it is one more try."""
    return instance.add_run(
        DagsterRun(
            job_name="daily_refresh",
            run_id=run_id,
            root_run_id=root_run_id,
            parent_run_id=root_run_id,
            tags={} if root_run_id is None else {ROOT_RUN_ID_TAG: root_run_id},
        )
    )


def test_a_run_that_is_tried_again_knows_all_tries_before_it_and_counts_ages_as_the_first():
    with DagsterInstance.ephemeral() as instance:
        root = run_of(instance, run_in(instance, "root"))
        run_in(instance, "another")
        run_in(instance, "second", "root")
        third = run_of(instance, run_in(instance, "third", "root"))
    assert root.earlier_run_ids == ()
    assert sorted(third.earlier_run_ids) == ["root", "second"]
    assert (third.run_id, third.as_of) == ("third", root.as_of)


def test_what_a_careful_run_is_narrowed_to_stands_in_its_tags() -> None:
    at = datetime(2026, 11, 28, tzinfo=UTC)
    careful = Run("run", at, max_lookups=50, contacts=("C,1", 'C"2'))
    assert Run.from_tags("run", careful.tags, at) == careful
    for tag, value in ((MAX_LOOKUPS_TAG, "many"), (CONTACTS_TAG, "C1"), (CONTACTS_TAG, "7")):
        with pytest.raises(ConfigurationError, match=tag):
            Run.from_tags("run", {tag: value}, at)
