"""What the point of entry knows: a snapshot of its own, whole or not at all."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from enrichment_pipeline.warehouse.known_contacts import (
    attach_known,
    knows_checks,
    newest_known,
    write_known,
)
from enrichment_pipeline.warehouse.statements import execute
from enrichment_pipeline_tests.support import START
from enrichment_pipeline_tests.warehouse import World, candidate
from enrichment_pipeline_tests.warehouse.prepared import opened, prepared

ADA = {"contact_id": "C1", "full_name": "Ada Lovelace", "email": "ada@engines.example"}


@prepared
def world(made: World) -> None:
    made.load([ADA])


def test_the_newest_snapshot_holds_the_contacts_by_what_they_are_known_by(
    world: World, tmp_path: Path
):
    folder = tmp_path / "known"
    assert newest_known(folder) is None
    write_known(world.connection, folder, made_at=START)
    newest = newest_known(folder)
    with opened() as reading:
        assert attach_known(reading, newest) == 0
        found = reading.execute("from known.staging.identities").fetchall()
        assert found == [("email:ada@engines.example", "C1")]
        reading.execute("detach known")


def test_an_older_snapshot_stays_for_who_is_opening_it_and_no_more(world: World, tmp_path: Path):
    for day in range(4):
        write_known(world.connection, tmp_path, made_at=START + timedelta(days=day))
    kept = sorted(path.name for path in tmp_path.iterdir() if path.is_file())
    assert len(kept) == 2
    newest = newest_known(tmp_path)
    assert newest is not None
    assert newest.name == kept[-1]


def test_what_cannot_be_written_whole_leaves_the_last_one(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    write_known(world.connection, tmp_path, made_at=START)
    before = newest_known(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr("enrichment_pipeline.warehouse.known_contacts.last_revision", None)
        with pytest.raises(TypeError):
            write_known(world.connection, tmp_path, made_at=START + timedelta(days=1))
    assert newest_known(tmp_path) == before
    write_known(world.connection, tmp_path, made_at=START + timedelta(days=2))
    assert newest_known(tmp_path) != before
    assert not list(tmp_path.glob(".draft-*"))


def test_before_the_first_snapshot_nothing_is_known():
    with opened() as reading:
        assert attach_known(reading, None) == 0
        assert reading.execute("from known.staging.contacts").fetchall() == []
        reading.execute("detach known")
        with pytest.raises(duckdb.BinderException):
            reading.execute("from known.staging.contacts")


def test_which_addresses_were_checked_is_known_for_those_of_the_answers(
    world: World, tmp_path: Path
):
    assert attach_known(world.connection, None) == 0
    assert not knows_checks(world.connection)
    world.look_up("C1", candidate=candidate("Ada Lovelace", emails=[("a@b.com", 70, "work")]))
    world.derive_facts()
    world.connection.execute(
        "insert into staging.checked_addresses (email, status, holds_until)"
        " values ('a@b.com', 'verified', 'infinity'), ('c@d.com', 'withdrawn', 'infinity')"
    )
    write_known(world.connection, tmp_path, made_at=START)
    attach_known(world.connection, newest_known(tmp_path))
    assert knows_checks(world.connection)
    world.connection.execute("delete from staging.checked_addresses")
    execute(world.connection, "take_checks")
    assert [row["email"] for row in world.rows("staging.checked_addresses")] == ["a@b.com"]
    execute(world.connection, "check_points")
    facts = world.rows("enrichment.person_facts", "field = 'work_email'")
    assert [fact["status"] for fact in facts] == ["verified"]
    world.connection.execute("detach known")


def test_a_snapshot_of_an_older_version_knows_of_no_checks(world: World, tmp_path: Path):
    write_known(world.connection, tmp_path, made_at=START)
    newest = newest_known(tmp_path)
    with duckdb.connect(str(newest)) as older:
        older.execute("drop table staging.checked_addresses")
    attach_known(world.connection, newest)
    assert not knows_checks(world.connection)
    world.connection.execute("detach known")
