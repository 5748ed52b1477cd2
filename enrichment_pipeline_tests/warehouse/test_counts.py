"""What the command line and asset metadata ask of the warehouse, the stamp, and the checks' SQL."""

from __future__ import annotations

import duckdb

from enrichment_pipeline.warehouse import counts
from enrichment_pipeline.warehouse.connection import transaction
from enrichment_pipeline.warehouse.stamp import stamp_warehouse
from enrichment_pipeline.warehouse.statements import execute
from enrichment_pipeline_tests.warehouse import ADA, BOB, VERIFIED, World, contents


def test_every_table_is_counted_and_commented(world: World) -> None:
    world.load([ADA, BOB])
    world.look_up("C1", candidate=VERIFIED)
    world.derive()
    found = counts.row_counts(world.connection)
    assert set(found) == set(counts.TABLES)
    assert (found["staging.contacts"], found["raw.lookups"]) == (2, 1)
    comments = counts.table_comments(world.connection)
    assert all(comments[table] for table in contents(world.connection))


def test_the_shape_of_a_table_is_told_in_its_order(warehouse: duckdb.DuckDBPyConnection) -> None:
    first, *_, last = counts.column_shapes(warehouse)["enrichment.enriched_contacts"]
    assert (first.name, first.type, first.comment) == (
        *("contact_id", "VARCHAR"),
        "The source's id of the contact",
    )
    assert (last.name, last.type) == ("employer_disputed_by", "VARCHAR")


def test_statuses_reasons_and_lanes_are_counted(world: World) -> None:
    world.load([ADA, BOB, {"contact_id": "C3"}, {"contact_id": "C4"}])
    world.look_up("C1", candidate=VERIFIED)
    world.look_up("C2", outcome="no_match")
    world.derive()
    found = counts.status_counts(world.connection)
    assert {status: count.contacts for status, count in found.items()} == {
        "enriched": 1,
        "needs_review": 3,
    }
    shown = world.rows("enrichment.enriched_contacts")
    assert sum(count.with_answer for count in found.values()) == len(shown)
    reasons = list(counts.review_counts(world.connection).items())
    assert reasons == [("insufficient_identity", 2), ("no_match", 1)]
    assert counts.lane_counts(world.connection) == [("fresh", "bulk", 2), ("unusable", "bulk", 2)]


def test_the_first_to_come_stamps_the_warehouse(warehouse: duckdb.DuckDBPyConnection) -> None:
    first = {"source": "sample", "answers": "sandbox"}
    assert stamp_warehouse(warehouse, first) == first
    assert stamp_warehouse(warehouse, {"source": "x", "answers": "signalhire"}) == first


def test_contacts_without_a_status_and_statuses_without_a_contact_are_found(world: World) -> None:
    world.load([ADA, BOB])
    world.derive()
    assert execute(world.connection, "find_unaccounted_contacts").fetchall() == []
    with transaction(world.connection):
        world.connection.execute(
            "update enrichment.contact_status set contact_id = 'C9' where contact_id = 'C2'"
        )
    assert execute(world.connection, "find_unaccounted_contacts").fetchall() == [
        ("C9", "not_in_source"),
        ("C2", "without_status"),
    ]


def test_flags_that_disagree_are_counted(world: World) -> None:
    world.load([ADA])
    world.look_up("C1", candidate=VERIFIED)
    world.derive()
    assert execute(world.connection, "count_disagreeing_flags").fetchall() == [(0,)]
    world.connection.execute(
        "update enrichment.enriched_contacts set needs_manual_enrichment = true"
    )
    assert execute(world.connection, "count_disagreeing_flags").fetchall() == [(1,)]


def test_ids_that_repeat_are_found(world: World) -> None:
    world.load([ADA, BOB, {**ADA, "email": "other@acme.com"}])
    assert execute(world.connection, "find_repeated_ids").fetchall() == [("C1", 2)]


def test_persons_are_counted_without_who_left(world: World) -> None:
    world.load([ADA, BOB, {**ADA, "contact_id": "C3"}, {"contact_id": "C4"}])
    assert execute(world.connection, "count_persons").fetchall() == [(2, 3)]
    world.load([ADA])
    assert execute(world.connection, "count_persons").fetchall() == [(1, 1)]
