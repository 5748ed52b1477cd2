"""What a Dagster run fixes for its whole length, also when it is tried again."""

from __future__ import annotations

from dagster import DagsterInstance, DagsterRun
from dagster._core.storage.tags import ROOT_RUN_ID_TAG

from enrichment_pipeline.defs.runs import run_of


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
