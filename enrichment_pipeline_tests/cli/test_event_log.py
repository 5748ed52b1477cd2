"""Dagster's record of runs, with its databases held open: the same files, and fewer openings."""

from __future__ import annotations

from pathlib import Path

from dagster import DagsterInstance, job
from dagster._core.instance.ref import InstanceRef
from sqlalchemy import event
from sqlalchemy.pool import Pool

from enrichment_pipeline.cli.event_log import with_open_event_log

EVENTS = 20


@job
def nothing() -> None: ...


def store_events(instance: DagsterInstance) -> int:
    """Store some events of one run; how many connections that took."""
    opened: list[object] = []

    def count(connection: object, _record: object) -> None:
        opened.append(connection)

    run = instance.create_run_for_job(nothing)
    event.listen(Pool, "connect", count)
    try:
        for number in range(EVENTS):
            instance.report_engine_event(f"event {number}", run)
    finally:
        event.remove(Pool, "connect", count)
    return len(opened)


def messages(instance: DagsterInstance) -> list[str]:
    [run] = instance.get_runs()
    return [entry.message for entry in instance.all_logs(run.run_id)]


def test_a_runs_events_do_not_each_take_a_connection_and_are_read_by_dagsters_own_storage(
    tmp_path: Path,
) -> None:
    ref = InstanceRef.from_dir(str(tmp_path))
    with DagsterInstance.from_ref(with_open_event_log(ref)) as instance:
        assert store_events(instance) <= 2  # the second while its tables are made
        written = messages(instance)
    with DagsterInstance.from_ref(ref) as instance:
        assert messages(instance) == written == [f"event {number}" for number in range(EVENTS)]
    assert list(tmp_path.rglob("*.db-wal")) == []  # closed with the instance


def test_a_storage_of_the_users_own_stays(tmp_path: Path) -> None:
    (tmp_path / "dagster.yaml").write_text(
        "event_log_storage:\n"
        "  module: dagster._core.storage.event_log\n"
        "  class: InMemoryEventLogStorage\n"
    )
    ref = InstanceRef.from_dir(str(tmp_path))
    assert with_open_event_log(ref) == ref
