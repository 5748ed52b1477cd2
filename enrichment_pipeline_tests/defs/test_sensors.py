"""The sensors: late answers are settled without a purchase, new contacts are bought at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest
from dagster import DagsterInstance, DagsterRun, DagsterRunStatus
from pydantic import SecretStr

from enrichment_pipeline.clock import Clock
from enrichment_pipeline.definitions import own_definitions
from enrichment_pipeline.defs.resources import Runs
from enrichment_pipeline.defs.runs import mark_runs_that_never_began
from enrichment_pipeline.ledger.calls import Receipt
from enrichment_pipeline.policy import Policy
from enrichment_pipeline.providers.registry import FIRST
from enrichment_pipeline.run import Run
from enrichment_pipeline.settings import Account, Settings
from enrichment_pipeline.state import hold_run_lock, release_run_lock
from enrichment_pipeline.steps import triggers
from enrichment_pipeline.steps.context import RunContext
from enrichment_pipeline.steps.load_source import load_contacts
from enrichment_pipeline.steps.prepare import open_state
from enrichment_pipeline.steps.triggers import count_late_answers
from enrichment_pipeline.stores import Stores
from enrichment_pipeline_tests.defs.job import QUIET, execute, failure
from enrichment_pipeline_tests.end_to_end.world import (
    CREDITS,
    KEY,
    LOOKUPS,
    ledger_rows,
    make_state,
    outcomes,
    small_policy,
    small_sandbox,
    small_settings,
    wait_until,
)
from enrichment_pipeline_tests.ledger import Ledger, admitted, answer_body, candidate
from enrichment_pipeline_tests.receiver import KEYS, running_receiver
from enrichment_pipeline_tests.sandbox import journal_lines
from enrichment_pipeline_tests.support import policy_for, settings_for, write_csv
from enrichment_pipeline_tests.warehouse import held_by_another_process


def tick(
    settings: Settings,
    name: str = "late_answers",
    *,
    cursor: str | None = None,
    runs: Sequence[DagsterRun] = (),
    started_at: datetime | None = None,
) -> dg.SensorExecutionData:
    """One look of a sensor, where Dagster knows of these runs."""
    definitions = own_definitions(settings)
    sensor = definitions.resolve_sensor_def(name)
    with DagsterInstance.ephemeral() as instance:
        for run in runs:
            instance.add_run(run)
            if started_at:
                starting = dg.DagsterEvent("PIPELINE_START", run.job_name)
                instance.run_storage.handle_run_event(run.run_id, starting, started_at)
        context = dg.build_sensor_context(
            instance=instance,
            cursor=cursor,
            repository_def=definitions.get_repository_def(),
            resources={"enrichment_runs": Runs(Stores(settings))},
            sensor_name=name,
        )
        return sensor.evaluate_tick(context)


# --- late answers -----------------------------------------------------------------------------


def test_a_folder_that_was_never_used_has_nothing_late_and_stays_unused(tmp_path: Path) -> None:
    settings = settings_for(tmp_path / "state", small_policy(tmp_path), None)
    assert tick(settings).run_requests == []
    assert not (tmp_path / "state").exists()


def test_the_sensors_job_settles_a_late_answer_and_leaves_nothing_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(triggers, "LATE_AFTER", timedelta(0))
    with small_sandbox(tmp_path) as sandbox:
        account = Account(SecretStr(KEY), sandbox.base_url)
        settings = replace(source_of(tmp_path, ADA), accounts={FIRST: account})
        make_state(settings)
        stores = Stores(settings)
        open_state(stores)
        run = Run("before", datetime.now(UTC))
        load_contacts(RunContext(stores, run))
        ledger = Ledger.of(stores, run.clock)
        ada = replace(candidate("ada"), person_key="email:ada@quillforge.com", item=ADA["email"])
        batch = admitted(ledger.admit([ada], run.run_id))
        ledger.mark_sent(batch.request_id, awaits_callback=True)
        assert tick(settings).run_requests == []
        body = answer_body((ADA["email"], "success"))
        assert ledger.keep_callback(batch.request_id, body) is Receipt.KEPT
        [request] = tick(settings).run_requests or []
        assert request.run_key is None
        job = own_definitions(settings).resolve_job_def("late_answers")
        with DagsterInstance.ephemeral() as instance:
            assert job.execute_in_process(instance=instance, run_config=QUIET).success
        assert ledger_rows(settings, "select state, outcome from lookups") == [
            ("applied", "matched")
        ]
        assert tick(settings).run_requests == []


@pytest.mark.long
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
        stores = Stores(settings)
        open_state(stores)
        ledger = Ledger.of(stores, Clock())
        with running_receiver(ledger) as receiver:
            settings = settings.with_callbacks(receiver.url, KEYS)
            result = execute(settings)
            assert result.success, failure(result)
            reasons = {reason for _, reason in outcomes(settings).values()}
            assert "lookup_unconfirmed" in reasons
            before = len(journal_lines(sandbox.journal))

            monkeypatch.setattr(triggers, "LATE_AFTER", timedelta(0))
            unanswered = (
                "select count(*) from requests "
                "where request_id not in (select request_id from replies)"
            )
            wait_until(lambda: ledger_rows(settings, unanswered) == [(0,)], "the late callbacks")
            assert count_late_answers(stores) > 0
            [request] = tick(settings).run_requests or []
            assert request.run_key is None
            job = own_definitions(settings).resolve_job_def("late_answers")
            with DagsterInstance.ephemeral() as instance:
                assert job.execute_in_process(instance=instance, run_config=QUIET).success
            assert count_late_answers(stores) == 0
            assert tick(settings).run_requests == []
    after = {reason for _, reason in outcomes(settings).values()}
    assert "lookup_unconfirmed" not in after
    assert len(journal_lines(sandbox.journal)) == before
    assert ledger_rows(settings, "select count(*) from calls") == [(LOOKUPS,)]


# --- new contacts -----------------------------------------------------------------------------

ADA = {"contact_id": "C1", "email": "ada@quillforge.com", "updated_at": "2026-01-01"}
BOB = {"contact_id": "C2", "email": "bob@quillforge.com", "updated_at": "2026-02-01"}
NEW_LANES = {
    "dagster/asset_partition_range_start": "new|strategic",
    "dagster/asset_partition_range_end": "new|bulk",
}


def source_of(folder: Path, *contacts: dict[str, str]) -> Settings:
    """Settings over a folder that has these contacts now."""
    source = folder / "source"
    write_csv(source / "contacts.csv", contacts)
    return settings_for(folder / "state", policy_for(source), None)


def look(settings: Settings, cursor: str | None = None, **more: Any) -> tuple[list[str], str]:
    """The keys of the runs that `new_contacts` asks for, and its cursor after that."""
    found = tick(settings, "new_contacts", cursor=cursor, **more)
    requests = found.run_requests or []
    for request in requests:
        assert NEW_LANES.items() <= request.tags.items()
        assert request.partition_key is None
    return [str(request.run_key) for request in requests], found.cursor or ""


def refusal(settings: Settings, cursor: str | None = None) -> str:
    """Why `new_contacts` asks for no run; its cursor stays."""
    found = tick(settings, "new_contacts", cursor=cursor)
    assert (found.run_requests, found.cursor) == ([], cursor)
    assert found.skip_message
    assert "\n" not in found.skip_message
    return found.skip_message


def test_new_contacts_is_off_until_somebody_switches_it_on_and_looks_twice_a_minute(
    tmp_path: Path,
) -> None:
    sensor = own_definitions(source_of(tmp_path, ADA)).resolve_sensor_def("new_contacts")
    assert sensor.default_status == dg.DefaultSensorStatus.STOPPED
    assert sensor.minimum_interval_seconds == 30
    assert sensor.job.name == "daily_refresh"


def test_a_source_that_was_never_looked_at_asks_for_a_run_and_then_for_none(tmp_path: Path) -> None:
    settings = source_of(tmp_path, ADA, BOB)
    [run_key], cursor = look(settings)
    assert run_key
    assert refusal(settings, cursor) == "the source's contacts have not changed"
    # the same rows in another order and another file
    assert refusal(source_of(tmp_path, BOB, ADA), cursor)
    assert not settings.home.exists()


@pytest.mark.parametrize(
    "after",
    [
        [ADA, BOB, {"contact_id": "C3", "updated_at": "2020-01-01"}],
        [ADA, {**BOB, "email": "robert@quillforge.com", "updated_at": "2026-03-01"}],
        [ADA, {**BOB, "email": "robert@quillforge.com"}],
        [ADA, {**BOB, "job_title": "Director"}],
        [ADA],
        [ADA, BOB, BOB],
        [],
    ],
    ids=["added", "dated", "undated", "column", "removed", "doubled", "emptied"],
)
def test_a_change_of_the_source_asks_for_one_run(
    tmp_path: Path, after: list[dict[str, str]]
) -> None:
    _, cursor = look(source_of(tmp_path, ADA, BOB))
    if not after:
        (tmp_path / "source" / "contacts.csv").write_text("contact_id,email,updated_at\n")
        changed = settings_for(tmp_path / "state", policy_for(tmp_path / "source"), None)
    else:
        changed = source_of(tmp_path, *after)
    [run_key], moved = look(changed, cursor)
    assert look(changed, cursor) == ([run_key], moved), "asked twice, it is the same run"
    assert look(changed, moved)[0] == []


def test_a_change_is_seen_where_no_row_is_dated(tmp_path: Path) -> None:
    _, cursor = look(source_of(tmp_path, {"contact_id": "C1", "email": "ada@quillforge.com"}))
    changed = source_of(tmp_path, {"contact_id": "C1", "email": "ada@brambleworks.com"})
    assert len(look(changed, cursor)[0]) == 1


def test_two_equal_rows_that_change_alike_are_a_change(tmp_path: Path) -> None:
    _, cursor = look(source_of(tmp_path, ADA, ADA))
    changed = source_of(tmp_path, *[{**ADA, "email": "ada@brambleworks.com"}] * 2)
    assert len(look(changed, cursor)[0]) == 1


def test_a_column_that_we_do_not_read_is_no_change(tmp_path: Path) -> None:
    _, cursor = look(source_of(tmp_path, {**ADA, "last_login": "2026-01-01"}))
    assert look(source_of(tmp_path, {**ADA, "last_login": "2026-01-02"}), cursor)[0] == []


def test_a_source_that_is_again_as_it_was_asks_for_a_run_of_its_own(tmp_path: Path) -> None:
    keys: list[str] = []
    cursor = None
    for contacts in ([ADA, BOB], [ADA], [ADA, BOB], [ADA], [ADA, BOB]):
        found, cursor = look(source_of(tmp_path, *contacts), cursor)
        keys += found
    assert len(set(keys)) == 5


@pytest.mark.parametrize("cursor", ["", "what somebody typed", ":", "7-ab"])
def test_a_cursor_that_is_none_of_ours_counts_as_a_change(tmp_path: Path, cursor: str) -> None:
    assert len(look(source_of(tmp_path, ADA), cursor)[0]) == 1


@pytest.mark.long
def test_the_run_for_new_contacts_buys_them_and_nobody_else(tmp_path: Path) -> None:
    with small_sandbox(tmp_path) as sandbox:
        settings = small_settings(tmp_path, sandbox.base_url)
        [first] = tick(settings, "new_contacts").run_requests or []
        result = execute(settings, tags=first.tags)
        assert result.success, failure(result)
        assert len(journal_lines(sandbox.journal)) == CREDITS
        again = execute(settings, tags=first.tags)
        assert again.success, failure(again)
        assert len(journal_lines(sandbox.journal)) == CREDITS
    assert ledger_rows(settings, "select distinct freshness from calls") == [("new",)]


def test_the_warehouse_may_be_in_use_meanwhile(tmp_path: Path) -> None:
    settings = source_of(tmp_path, ADA)
    settings.home.mkdir()
    with held_by_another_process(Path(settings.warehouse_url)):
        assert len(look(settings)[0]) == 1


def test_a_source_that_is_not_there_is_a_skip_that_names_it(tmp_path: Path) -> None:
    settings = settings_for(tmp_path / "state", policy_for(tmp_path / "nowhere"), None)
    expected = f"source {tmp_path / 'nowhere'}: no such file or folder"
    assert refusal(settings, "as-it-was").startswith(expected)


def test_a_source_that_is_being_written_is_a_skip(tmp_path: Path) -> None:
    path = tmp_path / "crm.duckdb"
    policy = Policy.model_validate(
        {"source": {"attach": str(path), "contacts": "select * from people"}}
    )
    settings = settings_for(tmp_path / "state", policy, None)
    with duckdb.connect(str(path)) as connection:
        connection.execute("create table people as select 'C1' as contact_id")
    with held_by_another_process(path):
        assert "another process has it open for writing" in refusal(settings)
    _, cursor = look(settings)
    assert look(settings, cursor)[0] == []


@pytest.mark.parametrize(
    "query",
    [
        "select * from contacts where",
        "select email from contacts",
        "select contact_id, cast(email as integer) as email from contacts",
        "delete from contacts",
    ],
)
def test_sql_that_fails_is_a_skip_that_quotes_nobody(tmp_path: Path, query: str) -> None:
    settings = source_of(tmp_path, ADA)
    source = settings.policy.source.model_copy(update={"contacts": query})
    policy = settings.policy.model_copy(update={"source": source})
    said = refusal(settings_for(tmp_path / "state", policy, None))
    assert said.startswith("[source] contacts: ")
    assert "ada@" not in said


def runs_of(*statuses: DagsterRunStatus, sensor: str) -> list[DagsterRun]:
    return [
        DagsterRun(job_name="daily_refresh", status=status, tags={"dagster/sensor_name": sensor})
        for status in statuses
    ]


def test_a_change_waits_while_three_runs_for_new_contacts_are_under_way(tmp_path: Path) -> None:
    settings = source_of(tmp_path, ADA)
    started, starting = DagsterRunStatus.STARTED, DagsterRunStatus.STARTING
    runs = runs_of(started, started, starting, sensor="new_contacts")
    assert look(settings, runs=runs) == ([], "")
    assert len(look(settings, runs=runs[:2])[0]) == 1
    others = runs_of(started, started, started, sensor="late_answers")
    ended = runs_of(*[DagsterRunStatus.SUCCESS] * 3, sensor="new_contacts")
    assert len(look(settings, runs=[*others, *ended])[0]) == 1


def test_a_run_whose_process_was_killed_holds_up_nobody(tmp_path: Path) -> None:
    settings = source_of(tmp_path, ADA)
    runs = runs_of(*[DagsterRunStatus.STARTED] * 3, sensor="new_contacts")
    (settings.home / "runs").mkdir(parents=True)
    (settings.home / "runs" / f"{runs[0].run_id}.lock").touch()
    assert len(look(settings, runs=runs)[0]) == 1


def test_a_run_that_was_killed_before_it_held_its_lock_holds_up_nobody(tmp_path: Path) -> None:
    settings = source_of(tmp_path, ADA)
    runs = runs_of(*[DagsterRunStatus.NOT_STARTED] * 3, sensor="new_contacts")
    now = datetime.now(UTC)

    def asked(age: timedelta) -> int:
        found = tick(settings, "new_contacts", runs=runs, started_at=now - age)
        return len(found.run_requests or [])

    assert asked(timedelta(minutes=1)) == 0
    assert asked(timedelta(minutes=16)) == 1
    (settings.home / "runs").mkdir(parents=True)
    for run in runs:
        hold_run_lock(settings.home, run.run_id)
    try:
        assert asked(timedelta(minutes=16)) == 0
    finally:
        for run in runs:
            release_run_lock(settings.home, run.run_id)


@pytest.mark.parametrize(
    ("age", "is_ours", "is_failed"), [(1, True, False), (16, True, True), (16, False, False)]
)
def test_a_run_that_never_began_is_marked_as_failed_in_a_home_of_our_own(
    tmp_path: Path, age: int, is_ours: bool, is_failed: bool
) -> None:
    settings = source_of(tmp_path, ADA)
    if not is_ours:
        settings = replace(settings, dagster_home=tmp_path / "everybodys")
    [run] = runs_of(DagsterRunStatus.NOT_STARTED, sensor="new_contacts")
    with DagsterInstance.ephemeral() as instance:
        instance.add_run(run)
        instance.run_storage.handle_run_event(
            run.run_id,
            dg.DagsterEvent("PIPELINE_START", run.job_name),
            datetime.now(UTC) - timedelta(minutes=age),
        )
        mark_runs_that_never_began(instance, settings)
        found = instance.get_run_by_id(run.run_id)
    assert found is not None
    assert (found.status == DagsterRunStatus.FAILURE) is is_failed
