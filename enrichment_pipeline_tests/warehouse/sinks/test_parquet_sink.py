"""Sinks of Parquet files, in a folder and in object storage."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb
import pytest

from enrichment_pipeline.errors import ConfigurationError, PipelineError
from enrichment_pipeline.published_names import FOR_SINKS, KEYS
from enrichment_pipeline.sink import Sink
from enrichment_pipeline.warehouse.object_storage import reach_storage
from enrichment_pipeline.warehouse.sinks.parquet_sink import STATES
from enrichment_pipeline_tests.storage import SECRET, running_storage
from enrichment_pipeline_tests.warehouse.sinks import Publisher, numbers

PROMOTE = "update enrichment.enriched_contacts set job_title = 'CEO'"


def sink_of(folder: Path, tables: Sequence[str] = FOR_SINKS) -> Sink:
    return Sink("lake", folder, "enrichment", tuple(tables))


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    return tmp_path / "lake" / "new[1]"


def assert_equal(publisher: Publisher, lake: Path, tables: Sequence[str] = FOR_SINKS) -> None:
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        for table in tables:
            file = str(lake / f"{table}.parquet").replace("[", "[[]")
            rows = connection.execute("from read_parquet(?) order by all", [file]).fetchall()
            assert rows == publisher.rows(table), table


def inodes(lake: Path) -> dict[str, int]:
    return {file.name: file.stat().st_ino for file in lake.iterdir()}


def test_each_published_table_is_a_file(publisher: Publisher, lake: Path) -> None:
    publisher.fill(sink_of(lake, list(KEYS)))
    assert_equal(publisher, lake, list(KEYS))
    assert set(inodes(lake)) == {*(f"{table}.parquet" for table in KEYS), STATES}


def test_only_files_whose_table_changed_are_written(publisher: Publisher, lake: Path) -> None:
    sink = sink_of(lake)
    publisher.fill(sink)
    before = inodes(lake)
    publisher.publish(PROMOTE)
    assert numbers(publisher.fill(sink)) == {
        "enriched_contacts": (1, 0),
        "contact_changes": (1, 0),
    }
    assert_equal(publisher, lake)
    after = inodes(lake)
    assert {name for name in after if after[name] != before[name]} == {
        "enriched_contacts.parquet",
        "contact_changes.parquet",
        STATES,
    }


def test_what_is_missing_or_of_an_unknown_publication_is_written(
    publisher: Publisher, lake: Path
) -> None:
    sink = sink_of(lake)
    publisher.fill(sink)
    (lake / "needs_review.parquet").unlink()
    assert set(publisher.fill(sink)) == {"needs_review"}
    old = publisher.newest
    publisher.publish()
    old.sibling(old.name).unlink()
    assert set(publisher.fill(sink)) == set(FOR_SINKS)
    assert_equal(publisher, lake)


def test_its_files_are_for_those_who_may_read_the_folder(publisher: Publisher, lake: Path) -> None:
    lake.mkdir(parents=True)
    lake.chmod(0o750)
    publisher.fill(sink_of(lake))
    assert {file.stat().st_mode & 0o777 for file in lake.iterdir()} == {0o640}


def test_a_kill_between_two_files_is_made_up_for(
    publisher: Publisher, lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = sink_of(lake)
    publisher.fill(sink)
    publisher.publish(PROMOTE, "delete from enrichment.needs_review where contact_id = 'C2'")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("enrichment_pipeline.warehouse.sinks.parquet_sink.flush", killed)
        with pytest.raises(KeyboardInterrupt):
            publisher.fill(sink)
    publisher.fill(sink)
    assert_equal(publisher, lake)


def test_a_folder_that_is_not_ours_is_refused(publisher: Publisher, lake: Path) -> None:
    lake.mkdir(parents=True)
    (lake / "needs_review.parquet").write_text("mine")
    with pytest.raises(ConfigurationError, match="was not made by this pipeline; move it away"):
        publisher.fill(sink_of(lake))
    (lake / "needs_review.parquet").unlink()
    publisher.fill(sink_of(lake))
    publisher.ledger = "another"
    with pytest.raises(ConfigurationError, match="is filled from another state folder"):
        publisher.fill(sink_of(lake))


def test_files_of_a_first_run_that_was_killed_are_written_anew(
    publisher: Publisher, lake: Path
) -> None:
    publisher.fill(sink_of(lake))
    (lake / STATES).unlink()
    assert publisher.fill(sink_of(lake))["enriched_contacts"].differs


def test_a_folder_that_cannot_be_written_is_told(publisher: Publisher, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(PipelineError, match=r"sink lake: could not be filled \(Not a directory\)"):
        publisher.fill(sink_of(tmp_path / "file" / "lake"))
    assert not (publisher.notes / ".lake.spilled").exists()


# --- object storage ----------------------------------------------------------------------


def test_the_same_files_are_written_to_object_storage(publisher: Publisher) -> None:
    with running_storage() as storage:
        bucket = storage.attached(f"{storage.make_bucket('lake')}/enrichment")
        sink = Sink("lake", bucket, "enrichment", FOR_SINKS)
        assert set(publisher.fill(sink)) == set(FOR_SINKS)
        publisher.publish(PROMOTE)
        assert set(publisher.fill(sink)) == {"enriched_contacts", "contact_changes"}
        with duckdb.connect() as connection:
            connection.execute("set timezone = 'UTC'")
            reach_storage(connection, bucket.access, bucket.place)
            for table in FOR_SINKS:
                file = f"{bucket.place}/{table}.parquet"
                rows = connection.execute("from read_parquet(?) order by all", [file])
                assert rows.fetchall() == publisher.rows(table), table
        missing = storage.attached("s3://no-such-bucket/x")
        with pytest.raises(PipelineError) as failed:
            publisher.fill(Sink("lake", missing, "enrichment", FOR_SINKS))
        assert "sink lake: could not be filled (HTTP 404" in str(failed.value)
        assert SECRET not in str(failed.value)
