"""The sensor `late_answers`: what came after its run had ended, settled without a purchase."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster import DagsterInstance

from enrichment_pipeline import pipeline as pipeline_module
from enrichment_pipeline.definitions import build_definitions
from enrichment_pipeline.pipeline import Pipeline, Run
from enrichment_pipeline.settings import Settings
from enrichment_pipeline_tests.defs.job import QUIET, execute, failure
from enrichment_pipeline_tests.end_to_end.world import (
    LOOKUPS,
    ledger_rows,
    outcomes,
    small_policy,
    small_sandbox,
    small_settings,
    wait_until,
)
from enrichment_pipeline_tests.receiver import KEYS, running_receiver
from enrichment_pipeline_tests.sandbox import journal_lines
from enrichment_pipeline_tests.support import START, settings_for


def tick(settings: Settings) -> dg.SensorExecutionData:
    definitions = build_definitions(settings)
    sensor = definitions.resolve_sensor_def("late_answers")
    with DagsterInstance.ephemeral() as instance:
        context = dg.build_sensor_context(
            instance=instance,
            repository_def=definitions.get_repository_def(),
            resources={"pipeline": Pipeline(settings)},
        )
        return sensor.evaluate_tick(context)


def test_a_folder_that_was_never_used_has_nothing_late_and_stays_unused(tmp_path: Path) -> None:
    settings = settings_for(tmp_path / "state", small_policy(tmp_path), None)
    assert tick(settings).run_requests == []
    assert not (tmp_path / "state").exists()


def test_what_comes_after_the_run_is_settled_by_the_sensors_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = small_policy(tmp_path)
    slow = {"faults": {"late": 1.0}, "late_seconds": 4.0}
    deadline = {"callback_deadline_minutes": 0.5 / 60}
    policy = policy.model_copy(update={"signalhire": policy.signalhire.model_copy(update=deadline)})
    with small_sandbox(tmp_path, **slow) as sandbox:
        settings = small_settings(
            tmp_path, sandbox.base_url, policy, callback_url="http://unused", callback_keys=KEYS
        )
        pipeline = Pipeline(settings)
        pipeline.open_state()
        ledger = pipeline.ledger(Run("receiver", START))
        with running_receiver(ledger) as receiver:
            settings = settings.with_callbacks(receiver.url, KEYS)
            result = execute(settings)
            assert result.success, failure(result)
            reasons = {reason for _, reason in outcomes(settings).values()}
            assert "lookup_unconfirmed" in reasons
            before = len(journal_lines(sandbox.journal))

            monkeypatch.setattr(pipeline_module, "LATE_AFTER", timedelta(0))
            unanswered = (
                "select count(*) from batches where batch_id not in (select batch_id from replies)"
            )
            wait_until(lambda: ledger_rows(settings, unanswered) == [(0,)], "the late callbacks")
            assert pipeline.late_answers() > 0
            [request] = tick(settings).run_requests or []
            assert request.run_key is None
            job = build_definitions(settings).resolve_job_def("late_answers")
            with DagsterInstance.ephemeral() as instance:
                assert job.execute_in_process(instance=instance, run_config=QUIET).success
            assert pipeline.late_answers() == 0
            assert tick(settings).run_requests == []
    after = {reason for _, reason in outcomes(settings).values()}
    assert "lookup_unconfirmed" not in after
    assert len(journal_lines(sandbox.journal)) == before
    assert ledger_rows(settings, "select count(*) from lookups") == [(LOOKUPS,)]
