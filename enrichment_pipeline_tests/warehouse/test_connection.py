"""Opening the warehouse: the lock and waiting for it, what cannot be opened, transactions."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path

import duckdb
import pytest

from enrichment_pipeline.errors import ConfigurationError, PipelineError
from enrichment_pipeline.lanes import FRESHNESS, PRIORITIES, LaneBlock
from enrichment_pipeline.policy import Policy
from enrichment_pipeline.warehouse.connection import open_warehouse, transaction
from enrichment_pipeline.warehouse.migrations import DECLARATIONS, MIGRATIONS
from enrichment_pipeline.warehouse.statements import digest, execute
from enrichment_pipeline.warehouse.suppressed_identifiers import replace_suppressions
from enrichment_pipeline.warehouse.worklist import select_worklist
from enrichment_pipeline_tests.support import START
from enrichment_pipeline_tests.warehouse import (
    ADA,
    BOB,
    DAY,
    FIRST,
    VERIFIED,
    Row,
    World,
    alone,
    contents,
    held_by_another_process,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "warehouse.duckdb"


def test_waits_for_another_process_and_says_so_once(path: Path) -> None:
    said: list[str] = []
    with held_by_another_process(path) as holder:

        def let_go(message: str) -> None:
            said.append(message)
            assert holder.stdin
            holder.stdin.close()

        with open_warehouse(str(path), wait_seconds=60, on_wait=let_go) as connection:
            assert connection.execute("select 1").fetchall() == [(1,)]
    assert said == [f"{path} is in use by another process; waiting up to 60 s"]


def test_by_default_the_wait_is_logged(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with (
        caplog.at_level(logging.WARNING),
        held_by_another_process(path),
        pytest.raises(PipelineError),
        open_warehouse(str(path), wait_seconds=0.1),
    ):
        pass
    assert "in use by another process" in caplog.text


def test_nothing_is_said_where_nobody_has_the_file(path: Path) -> None:
    said: list[str] = []
    with open_warehouse(str(path), on_wait=said.append):
        pass
    assert said == []


def test_gives_up_when_the_wait_is_over(path: Path) -> None:
    with (
        held_by_another_process(path),
        pytest.raises(PipelineError, match="try again") as caught,
        open_warehouse(str(path), wait_seconds=0.1, on_wait=lambda _: None),
    ):
        pass
    assert not isinstance(caught.value, ConfigurationError)
    assert str(path) in str(caught.value)


def test_a_reader_waits_for_a_writer_too(path: Path) -> None:
    with open_warehouse(str(path)):
        pass
    with (
        held_by_another_process(path),
        pytest.raises(PipelineError, match="in use"),
        open_warehouse(str(path), read_only=True, wait_seconds=0.1, on_wait=lambda _: None),
    ):
        pass


def test_a_killed_process_frees_the_lock_at_once(path: Path) -> None:
    with held_by_another_process(path) as holder:

        def kill(_message: str) -> None:
            holder.kill()
            holder.wait()

        with open_warehouse(str(path), wait_seconds=60, on_wait=kill) as connection:
            assert contents(connection)["staging.contacts"] == []


def test_an_exception_closes_the_connection(path: Path) -> None:
    with pytest.raises(ZeroDivisionError), open_warehouse(str(path)) as connection:
        raise ZeroDivisionError
    with pytest.raises(duckdb.ConnectionException):
        connection.execute("select 1")
    with held_by_another_process(path):  # so the file is free, too
        pass


def test_a_reader_reads_and_cannot_write(path: Path) -> None:
    with open_warehouse(str(path)) as connection:
        connection.execute("insert into staging.source_contact_ids values ('C1', 1)")
    with open_warehouse(str(path), read_only=True) as connection:
        assert contents(connection)["staging.source_contact_ids"] == [("C1", 1)]
        assert connection.execute("select clean_text(' x ')").fetchall() == [("x",)]
        with pytest.raises(duckdb.InvalidInputException, match="read-only"):
            connection.execute("delete from staging.source_contact_ids")


# The word "lock" in the name of such a file once made it look locked, for ten minutes.
@pytest.mark.parametrize("name", ["warehouse.duckdb", "locked.duckdb"])
def test_a_file_that_is_no_database_is_refused_at_once(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("contact_id,email\n" * 500)
    said: list[str] = []
    with (
        pytest.raises(ConfigurationError, match="cannot be opened as a DuckDB database"),
        open_warehouse(str(path), wait_seconds=30, on_wait=said.append),
    ):
        pass
    assert said == []
    assert path.read_text() == "contact_id,email\n" * 500


def test_a_missing_file_is_not_made_by_a_reader(path: Path) -> None:
    with (
        pytest.raises(ConfigurationError, match="cannot be opened"),
        open_warehouse(str(path), read_only=True),
    ):
        pass
    assert not path.exists()


def test_the_folder_is_made(tmp_path: Path) -> None:
    path = tmp_path / "some" / "where" / "warehouse.duckdb"
    with open_warehouse(str(path)):
        pass
    assert path.is_file()


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with (
        pytest.raises(ConfigurationError, match=f"{tmp_path}/taken: cannot be made"),
        open_warehouse(str(tmp_path / "taken" / "warehouse.duckdb")),
    ):
        pass


@pytest.mark.parametrize("name", ["enrichment", "staging", "raw", "Enrichment"])
def test_a_file_named_like_a_schema_in_it_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"{name}.duckdb"
    with (
        pytest.raises(ConfigurationError, match="choose another file name"),
        open_warehouse(str(path)),
    ):
        pass
    assert not path.exists()


@pytest.mark.parametrize("name", ["my warehouse", "it's", 'a "b"', "enrichment-2"])
def test_other_names_of_the_file_do_not_matter(tmp_path: Path, name: str) -> None:
    with open_warehouse(str(tmp_path / f"{name}.duckdb")) as connection:
        assert contents(connection)["enrichment.contact_status"] == []


def test_opening_again_changes_nothing(path: Path) -> None:
    with open_warehouse(str(path)) as connection:
        connection.execute("insert into staging.source_contact_ids values ('C1', 1)")
        before = contents(connection)
    with open_warehouse(str(path)) as connection:
        assert contents(connection) == before


def test_a_file_of_an_older_version_gets_the_tables_that_it_lacks(path: Path) -> None:
    with open_warehouse(str(path)) as connection:
        connection.execute("insert into staging.source_contact_ids values ('C1', 1)")
        connection.execute("drop table enrichment.contact_status")
        connection.execute("update staging.stamp set value = 'older' where key = 'tables'")
    with open_warehouse(str(path)) as connection:
        assert contents(connection)["enrichment.contact_status"] == []
        assert contents(connection)["staging.source_contact_ids"] == [("C1", 1)]
        assert contents(connection)["staging.stamp"] == [("tables", str(len(MIGRATIONS)))]


def test_a_changed_declaration_has_a_step_of_its_own() -> None:
    """Add one to MIGRATIONS, then put the number of steps and the new digest here.

    Else the tables of a warehouse that is there already stay as they were.
    """
    assert (len(MIGRATIONS), digest(*DECLARATIONS)[:16]) == (11, "2a64262b57b224fa")


def test_a_step_is_made_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    with open_warehouse(str(path)):
        pass
    steps = (*MIGRATIONS, lambda _: made.append(2), lambda _: made.append(3))
    monkeypatch.setattr("enrichment_pipeline.warehouse.migrations.MIGRATIONS", steps)
    for _ in range(2):
        with open_warehouse(str(path)):
            pass
    assert made == [2, 3]


def test_a_comment_in_sql_is_no_change(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = {"one": "-- why\nselect 1;\n", "other": "-- why not\n  -- at all\nselect 1;\n"}
    monkeypatch.setattr("enrichment_pipeline.warehouse.statements.text_of", texts.__getitem__)
    assert digest("one") == digest("other")


def test_a_file_of_an_older_version_has_what_is_derived_filled(path: Path, tmp_path: Path) -> None:
    derived = ["contact_identities", "person_lookups", "suppressed_contacts"]
    suppressed = {f"email:{hashlib.sha256(BOB['email'].encode()).hexdigest()}"}
    with open_warehouse(str(path)) as connection:
        world = World(connection, tmp_path / "source")
        world.load([ADA, BOB, {**ADA, "contact_id": "C3"}])
        world.look_up("C1", candidate=VERIFIED)
        with transaction(connection):
            replace_suppressions(connection, suppressed)
        # older versions kept the parts of whoever left
        connection.execute("create temp table left_parts as from staging.contact_parts")
        world.load([ADA, BOB])
        before, states = contents(connection), world.states()
        assert all(before[f"staging.{table}"] for table in derived)
        connection.execute(
            "insert into staging.contact_parts from left_parts where contact_id = 'C3'"
        )
        for table in derived:
            connection.execute(f"drop table staging.{table}")
        connection.execute("update staging.stamp set value = 'older' where key = 'tables'")
    with open_warehouse(str(path)) as connection:
        world = World(connection, tmp_path / "source")
        left_dirty = {"staging.contacts_left_dirty": [("C1",), ("C2",), ("C3",)]}
        assert contents(connection) == before | left_dirty
        assert world.states() == states
        # the next load makes sure of everybody once more, by the rules of this version
        world.load([ADA, BOB])
        assert contents(connection) == before


def test_a_file_from_before_dirty_contacts_had_their_name_loses_none(
    path: Path, tmp_path: Path
) -> None:
    with open_warehouse(str(path)) as connection:
        World(connection, tmp_path / "source").load([ADA, BOB])
        before = contents(connection)
        connection.execute("drop table staging.contacts_left_dirty")
        connection.execute("create table staging.restated_contacts as select 'C2' as contact_id")
        connection.execute("update staging.stamp set value = '1' where key = 'tables'")
    with open_warehouse(str(path)) as connection:
        assert contents(connection) == before | {"staging.contacts_left_dirty": [("C2",)]}
        World(connection, tmp_path / "source").load([ADA, BOB])
        assert contents(connection) == before


def take_providers_from_uids(connection: duckdb.DuckDBPyConnection) -> None:
    """As a file is from before a profile's id said whose it is."""
    aliases, identities = "staging.person_aliases", "staging.contact_identities"
    connection.execute(f"update {aliases} set alias = replace(alias, 'uid:{FIRST}:', 'uid:')")
    connection.execute(f"alter table {identities} drop column provider_uids")
    connection.execute(f"alter table {identities} add column provider_uid varchar")
    connection.execute("alter table raw.review_decisions drop column provider")


def test_a_file_from_before_ids_told_whose_they_are_keeps_everybody_who_they_are(
    path: Path, tmp_path: Path
) -> None:
    def states(world: World) -> list[dict[str, Row]]:
        return [world.states(at=START + days * DAY) for days in (1, 91)]

    with open_warehouse(str(path)) as connection:
        world = World(connection, tmp_path / "source")
        world.load([ADA, BOB])
        world.look_up("C1", candidate={**VERIFIED, "uid": "an id: of old"})
        world.look_up("C2", candidate=VERIFIED)
        world.decide("C2", "reject", uid=VERIFIED["uid"])
        world.derive()
        before, stood = contents(connection), states(world)
        [alias] = world.rows("staging.person_aliases", "starts_with(alias, 'uid:')")
        assert alias["alias"] == f"uid:{FIRST}:an id: of old"
        take_providers_from_uids(connection)
        connection.execute("update staging.stamp set value = '4' where key = 'tables'")
    with open_warehouse(str(path)) as connection:
        world.connection = connection
        assert contents(connection) == before
        assert states(world) == stood
        for _ in range(2):
            world.derive()
            assert contents(connection) == before
            world.load([ADA, BOB])


def test_a_file_from_before_states_were_by_provider_opens_with_nothing_due(
    path: Path, tmp_path: Path
) -> None:
    lanes = LaneBlock(FRESHNESS, PRIORITIES).lanes

    def select(connection: duckdb.DuckDBPyConnection) -> int:
        with transaction(connection):
            work = select_worklist(
                connection, Policy(), lanes, waterfall=alone(), as_of=START, run_id="run-1"
            )
        return work.lookups

    with open_warehouse(str(path)) as connection:
        world = World(connection, tmp_path / "source")
        world.load([ADA, BOB])
        assert select(connection) == 2
        world.look_up("C1", candidate=VERIFIED)
        world.look_up("C2", outcome="no_match")
        world.derive()
        assert select(connection) == 0
        before = contents(connection)
        for table in ("staging.person_lookups", "enrichment.worklist"):
            assert before[table]
            connection.execute(f"alter table {table} drop column provider")
        take_providers_from_uids(connection)
        connection.execute("update staging.stamp set value = 'older' where key = 'tables'")
    with open_warehouse(str(path)) as connection:
        left_dirty = {"staging.contacts_left_dirty": [("C1",), ("C2",)]}
        assert contents(connection) == before | left_dirty
        assert select(connection) == 0
        assert contents(connection) == before | left_dirty


def test_a_file_of_an_older_version_gets_its_new_columns_and_keeps_who_is_who(
    path: Path, tmp_path: Path
) -> None:
    named = {"contact_id": "C1", "full_name": "Ada Example", "company_name": "Acme"}
    encoded = {"contact_id": "C2", "linkedin_url": "linkedin.com/in/bob%20other"}
    with open_warehouse(str(path)) as connection:
        world = World(connection, tmp_path / "source")
        world.load([named, encoded])
        world.derive()
        persons = world.persons()
        for table, columns in {
            "staging.contact_parts": ("account_name", "account_domain", "name_company"),
            "enrichment.needs_review": ("full_name", "company_name", "email"),
        }.items():
            for column in columns:
                connection.execute(f"alter table {table} drop column {column}")
        connection.execute("drop table staging.ineligible_contacts")
        # as older rules read it
        connection.execute(
            "update staging.contact_parts set linkedin_slug = 'bob' where contact_id = 'C2'"
        )
        connection.execute("update staging.stamp set value = 'older' where key = 'tables'")
    with open_warehouse(str(path)) as connection:
        world = World(connection, tmp_path / "source")
        world.load([named, encoded], at=START + DAY)
        world.derive(at=START + DAY)
        assert world.persons() == persons == {"C1": persons["C1"]}
        assert world.status("C2") == ("needs_review", "invalid_identity")
        assert world.only("enrichment.needs_review", "contact_id = 'C1'")["full_name"]


def test_the_session_reckons_in_utc(warehouse: duckdb.DuckDBPyConnection) -> None:
    found = warehouse.execute("select current_setting('timezone')").fetchall()
    assert found == [("UTC",)]


def test_a_transaction_is_kept_whole(warehouse: duckdb.DuckDBPyConnection) -> None:
    with transaction(warehouse):
        warehouse.execute("insert into staging.source_contact_ids values ('C1', 1)")
        warehouse.execute("insert into staging.source_contact_ids values ('C2', 1)")
    assert len(contents(warehouse)["staging.source_contact_ids"]) == 2


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_transaction_is_taken_back_whole(
    warehouse: duckdb.DuckDBPyConnection, error: type[BaseException]
) -> None:
    before = contents(warehouse)

    def write_and_fail() -> None:
        with transaction(warehouse):
            warehouse.execute("insert into staging.source_contact_ids values ('C1', 1)")
            warehouse.execute("create table staging.other (a integer)")
            raise error

    with pytest.raises(error):
        write_and_fail()
    assert contents(warehouse) == before


def test_a_statement_that_fails_takes_its_transaction_back(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    before = contents(warehouse)

    def write_and_fail() -> None:
        with transaction(warehouse):
            warehouse.execute("insert into staging.source_contact_ids values ('C1', 1)")
            warehouse.execute("select cast('x' as integer)")

    with pytest.raises(duckdb.ConversionException):
        write_and_fail()
    assert contents(warehouse) == before
    assert warehouse.execute("select 1").fetchall() == [(1,)]


# --- statements ------------------------------------------------------------------------


def test_each_statement_gets_the_values_that_it_names(
    warehouse: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = """
    create or replace temp table t (a varchar, b integer);
    insert into t (a, b) values ($a, 1); -- a semicolon; in a comment
    insert into t (a, b) values (';', $b);
    select a, b from t where a = $a or b = $b order by b;
    """
    monkeypatch.setattr("enrichment_pipeline.warehouse.statements.text_of", {"x": text}.__getitem__)
    rows = execute(warehouse, "x", a="it's; $b", b=2, unused=3).fetchall()
    assert rows == [("it's; $b", 1), (";", 2)]


def test_a_value_that_is_missing_is_named(
    warehouse: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("enrichment_pipeline.warehouse.statements.text_of", lambda _: "select $a")
    with pytest.raises(KeyError, match="a"):
        execute(warehouse, "x")
