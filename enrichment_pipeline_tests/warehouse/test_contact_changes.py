"""What `contact_changes` tells of the values that people read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime

import pytest

from enrichment_pipeline.warehouse.connection import transaction
from enrichment_pipeline.warehouse.publish import record_changes
from enrichment_pipeline_tests.support import START
from enrichment_pipeline_tests.warehouse import ADA, BOB, DAY, VERIFIED, Row, World, candidate
from enrichment_pipeline_tests.warehouse.prepared import prepared

NEW_ADDRESS = candidate(emails=[("ada@new.com", 100, "work")])
LESS_SURE = candidate(emails=[("ada@new.com", 70, "work")])
RATED = ("work_email", "personal_email", "direct_phone", "mobile_phone")
NOT_SHOWN = {
    *("contact_id", "account_id", "person_key", "provider", "provider_uid", "enriched_at"),
    *("expires_at", "lookup_id", "run_id", "needs_manual_enrichment"),
}
"""Bookkeeping; and beside it the source's own values, and statuses, which go with their value."""


@prepared
def published(world: World) -> None:
    """Ada is enriched and Bob waits; both were published."""
    world.load([ADA, BOB])
    world.look_up("C1", candidate=VERIFIED)
    world.derive()
    record(world, "run-1")


def record(world: World, run_id: str, at: datetime = START) -> list[Row]:
    """Record as a publication of this run; the rows that it added."""
    with transaction(world.connection):
        record_changes(world.connection, run_id=run_id, changed_at=at)
    return [row for row in changes(world) if row["run_id"] == run_id]


def changes(world: World) -> list[Row]:
    """All rows, in the order in which they were added."""
    rows = world.connection.execute("from enrichment.contact_changes order by rowid")
    names = [column[0] for column in rows.description]
    return [dict(zip(names, row, strict=True)) for row in rows.fetchall()]


def shown(world: World) -> dict[tuple[str, str], tuple[str, str | None]]:
    """Each value that `enriched_contacts` shows, with its status."""
    return {
        (row["contact_id"], field): (_text(value), row.get(f"{field}_status"))
        for row in world.rows("enrichment.enriched_contacts")
        for field, value in row.items()
        if value is not None
        and field not in NOT_SHOWN
        and not field.startswith("source_")
        and not field.endswith("_status")
    }


def replayed(world: World) -> dict[tuple[str, str], tuple[str, str | None]]:
    """What one has who takes over all changes, one after the other."""
    values: dict[tuple[str, str], tuple[str, str | None]] = {}
    for row in changes(world):
        key = (row["contact_id"], row["field"])
        assert values.get(key, (None, None)) == (row["old_value"], row["old_status"])
        values.pop(key, None)
        if row["new_value"] is not None:
            values[key] = (row["new_value"], row["new_status"])
    return values


def _text(value: object) -> str:
    return json.dumps(value) if isinstance(value, bool) else str(value)


def of_email(rows: list[Row]) -> Mapping[str, object]:
    [row] = [row for row in rows if row["field"] == "work_email"]
    return {name: row[name] for name in ("old_value", "new_value", "old_status", "new_status")}


def test_the_first_publication_tells_all_that_it_shows(published: World) -> None:
    rows = changes(published)
    assert {row["contact_id"] for row in rows} == {"C1"}
    assert {row["old_value"] for row in rows} == {None}
    assert {(row["run_id"], row["changed_at"]) for row in rows} == {("run-1", START)}
    assert of_email(rows)["new_status"] == "verified"
    assert replayed(published) == shown(published) != {}


def test_a_refresh_that_finds_the_same_is_no_change(published: World) -> None:
    published.look_up("C1", candidate=VERIFIED, at=START + 91 * DAY)
    published.derive(at=START + 91 * DAY)
    assert record(published, "run-2") == []


def test_another_value_and_one_less_are_told(published: World) -> None:
    later = START + 91 * DAY
    published.look_up("C1", candidate=NEW_ADDRESS, at=later, run_id="run-2")
    published.derive(at=later)
    rows = record(published, "run-2", later)
    former = shown_email(VERIFIED)
    assert of_email(rows) == {
        "old_value": former,
        "new_value": "ada@new.com",
        "old_status": "verified",
        "new_status": "verified",
    }
    assert {row["changed_at"] for row in rows} == {later}
    assert replayed(published) == shown(published)

    published.load([BOB])
    published.derive(at=later + DAY)
    rows = record(published, "run-3", later + DAY)
    assert {row["contact_id"] for row in rows} == {"C1"}
    assert {(row["new_value"], row["new_status"], row["provider"]) for row in rows} == {
        (None, None, None)
    }
    assert replayed(published) == shown(published) == {}


def test_another_status_of_the_same_value_is_told(world: World) -> None:
    world.load([ADA])
    for run_id, at, found in (("run-1", START, LESS_SURE), ("run-2", START + DAY, NEW_ADDRESS)):
        world.look_up("C1", candidate=found, at=at, run_id=run_id)
        world.derive(at=at)
        rows = record(world, run_id, at)
    [row] = rows
    assert (row["field"], row["old_value"], row["new_value"]) == (
        *("work_email", "ada@new.com", "ada@new.com"),
    )
    assert (row["old_status"], row["new_status"]) == ("likely", "verified")
    assert row["lookup_id"] == world.rows("raw.lookups", "run_id = 'run-2'")[0]["lookup_id"]


def shown_email(found: Row) -> str:
    return found["contacts"][0]["value"]


def test_each_value_names_the_answer_that_gave_it(published: World) -> None:
    by_field = {row["field"]: row for row in changes(published)}
    [lookup] = published.rows("raw.lookups")
    of_email = by_field["work_email"]
    assert (of_email["provider"], of_email["lookup_id"]) == ("signalhire", lookup["lookup_id"])
    # the source's own: the answer has none
    assert by_field["company_domain"]["provider"] is None
    decision = published.decide("C1", "replace", field="work_email", value="ada@human.com")
    published.derive()
    [row] = record(published, "run-2")
    assert (row["new_value"], row["provider"], row["lookup_id"]) == (
        *("ada@human.com", "human", decision),
    )


def test_what_was_undone_is_withdrawn(published: World) -> None:
    published.undo("run-1")
    rows = record(published, "run-2")
    assert {row["new_value"] for row in rows} == {None}
    assert replayed(published) == shown(published) == {}


def test_what_was_not_published_for_some_days_is_told_once(published: World) -> None:
    for day, found in ((91, NEW_ADDRESS), (182, VERIFIED)):
        published.look_up("C1", candidate=found, at=START + day * DAY)
        published.derive(at=START + day * DAY)
    assert record(published, "run-3") == []


def test_bookkeeping_and_the_sources_own_values_are_no_changes(published: World) -> None:
    assert {row["field"] for row in changes(published)}.isdisjoint(
        {*NOT_SHOWN, *(f"{name}_status" for name in RATED)}
    )
    published.load([{**ADA, "job_title": "Boss", "phone": "+49 30 901820"}, BOB])
    published.derive()
    assert {row["field"] for row in record(published, "run-2")} <= {"job_title", "direct_phone"}


@pytest.mark.parametrize("column", ["seniority", "previous_job_title", "job_changed"])
def test_every_shown_column_is_told(world: World, column: str) -> None:
    world.load([{**ADA, "job_title": "Engineer"}])
    moved = candidate(
        emails=[("ada@brio.com", 100, "work")],
        jobs=[{"position": "CTO", "company": "Brio", "current": True, "website": "brio.com"}],
        social=[{"type": "li", "link": "linkedin.com/in/ada-example"}],
    )
    world.look_up("C1", candidate=moved)
    world.derive()
    assert column in {row["field"] for row in record(world, "run-1")}
    assert replayed(world) == shown(world)
