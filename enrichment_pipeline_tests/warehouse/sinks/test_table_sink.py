"""Sinks in Postgres: whatever happened before, they end equal to what is published."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest
from psycopg.types.json import set_json_loads
from pydantic import SecretStr

from enrichment_pipeline.attachment import Attachment, Database, read_attachment
from enrichment_pipeline.errors import ConfigurationError, PipelineError
from enrichment_pipeline.published_names import FOR_SINKS, KEYS
from enrichment_pipeline.sink import Sink
from enrichment_pipeline.warehouse.extensions import load_extension
from enrichment_pipeline.warehouse.sinks import filling
from enrichment_pipeline.warehouse.sinks.row_changes import Column, kept_type, rows_of
from enrichment_pipeline_tests.warehouse.sinks import Publisher, Rows, numbers

LEAVE_C2 = "delete from enrichment.needs_review where contact_id = 'C2'"
PROMOTE = "update enrichment.enriched_contacts set job_title = 'CEO'"
RETIRE = "delete from enrichment.enriched_contacts"


def sink_of(address: str, tables: Sequence[str] = FOR_SINKS) -> Sink:
    return Sink("crm", Database("postgres", SecretStr(address), "crm"), "enrichment", tuple(tables))


def as_text(given: str | bytes) -> str:
    return given if isinstance(given, str) else given.decode()


def asked(address: str, *statements: str) -> Rows:
    """What the last of these statements gives, in Postgres itself."""
    with psycopg.connect(address, autocommit=True) as connection:
        set_json_loads(as_text, connection)
        for statement in statements:
            cursor = connection.execute(statement.encode())
        return [] if cursor.description is None else cursor.fetchall()


def comparable(rows: Rows) -> Rows:
    """Rows in an order that depends on no language, with instants told in one way."""
    return sorted((tuple(map(plain, row)) for row in rows), key=repr)


def plain(value: Any) -> Any:
    return value.timestamp() if isinstance(value, datetime) else value


def assert_equal(publisher: Publisher, address: str, tables: Sequence[str] = FOR_SINKS) -> None:
    for table in tables:
        there = asked(address, f"select * from enrichment.{table}")
        assert comparable(there) == comparable(publisher.rows(table)), table


def versions(address: str, table: str) -> dict[object, object]:
    """By contact, which transaction wrote its row: another one, and the row was sent again."""
    return dict(asked(address, f"select contact_id, xmin::text from enrichment.{table}"))


def forget_snapshots(publisher: Publisher) -> None:
    """Have the newest publication here only, as in a state folder that was restored."""
    newest = publisher.newest.name
    for snapshot in (publisher.folder / "snapshots").iterdir():
        if snapshot.name != newest:
            shutil.rmtree(snapshot)


def test_an_empty_database_gets_every_published_table_whole(
    publisher: Publisher, database: str
) -> None:
    filled = publisher.fill(sink_of(database, list(KEYS)))
    assert_equal(publisher, database, list(KEYS))
    assert numbers(filled)["contact_status"] == (3, 0)
    assert "verifications" not in filled  # it is there, without a row
    assert asked(database, "select * from enrichment.verifications") == []


def test_columns_keep_their_types_and_comments(publisher: Publisher, database: str) -> None:
    publisher.fill(sink_of(database, list(KEYS)))
    query = "select column_name, data_type from information_schema.columns where table_name = '{}'"
    types = dict(asked(database, query.format("enriched_contacts")))
    assert types["job_changed"] == "boolean"
    assert types["enriched_at"] == "timestamp with time zone"
    assert types["work_email"] == "text" or types["work_email"] == "character varying"
    assert dict(asked(database, query.format("needs_review")))["candidate"] == "json"
    assert dict(asked(database, query.format("providers")))["price"] == "numeric"
    assert (
        dict(asked(database, query.format("contact_status")))["next_lookup_at"]
        == types["enriched_at"]
    )
    uncommented = asked(
        database,
        "select relname, attname from pg_class join pg_attribute on attrelid = pg_class.oid"
        " where relnamespace = 'enrichment'::regnamespace and relkind = 'r' and attnum > 0"
        " and relname <> 'sink_states' and col_description(attrelid, attnum) is null",
    )
    assert uncommented == []
    table = "select obj_description('enrichment.contact_changes'::regclass)"
    assert "rows are only added" in str(asked(database, table))


def test_only_rows_that_changed_are_sent(publisher: Publisher, database: str) -> None:
    sink = sink_of(database)
    publisher.fill(sink)
    before = versions(database, "contact_status")
    publisher.publish(
        PROMOTE,
        LEAVE_C2,
        "update enrichment.contact_status set status = 'enriched' where contact_id = 'C2'",
    )
    filled = publisher.fill(sink)
    assert_equal(publisher, database)
    assert numbers(filled) == {
        "enriched_contacts": (1, 0),
        "needs_review": (0, 1),
        "contact_status": (1, 0),
        "contact_changes": (1, 0),
    }
    after = versions(database, "contact_status")
    assert {contact for contact in after if after[contact] != before[contact]} == {"C2"}


def test_where_nothing_changed_nothing_is_sent(publisher: Publisher, database: str) -> None:
    sink = sink_of(database, list(KEYS))
    publisher.fill(sink)
    assert publisher.fill(sink) == {}
    publisher.publish()
    assert set(publisher.fill(sink)) == {"publication"}


def test_a_sink_that_was_away_for_days_is_caught_up_from_files_that_are_kept_for_it(
    publisher: Publisher, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = sink_of(database)
    publisher.fill(sink)
    for day in range(5):
        publisher.publish(
            f"update enrichment.contact_status set reason = 'day {day}' where contact_id = 'C1'",
            *([PROMOTE] if day == 1 else []),
            *([RETIRE] if day == 3 else []),
            keep_for=[sink],
        )
    read_back = asked_of_sinks(monkeypatch)
    filled = publisher.fill(sink)
    assert numbers(filled) == {
        "enriched_contacts": (0, 1),
        "contact_status": (1, 0),
        "contact_changes": (len(publisher.rows("contact_changes")) - 6, 0),
    }
    assert_equal(publisher, database)
    assert not read_back


def asked_of_sinks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tables that are read back from sinks, from here on."""
    read: list[str] = []
    original = rows_of

    def noted(connection: duckdb.DuckDBPyConnection, relation: str, columns: Sequence[Column]):
        if relation.startswith("sink."):
            read.append(relation)
        return original(connection, relation, columns)

    monkeypatch.setattr("enrichment_pipeline.warehouse.sinks.table_sink.rows_of", noted)
    return read


def test_a_restored_state_folder_without_those_files_compares_whole_tables(
    publisher: Publisher, database: str
) -> None:
    sink = sink_of(database, list(KEYS))
    publisher.fill(sink)
    publisher.publish(PROMOTE, LEAVE_C2)
    publisher.fill(sink)
    # the warehouse of before, in which the day's changes never happened
    publisher.publish(
        "update enrichment.enriched_contacts set job_title = null",
        "delete from enrichment.contact_changes where new_value = 'CEO'",
        "insert into enrichment.needs_review (contact_id, reason) values ('C2', 'no_match')",
    )
    forget_snapshots(publisher)
    before = versions(database, "contact_status")
    publisher.fill(sink)
    assert_equal(publisher, database, list(KEYS))
    assert versions(database, "contact_status") == before


def test_rows_that_others_deleted_or_doubled_are_mended(
    publisher: Publisher, database: str
) -> None:
    sink = sink_of(database)
    publisher.fill(sink)
    asked(
        database,
        "delete from enrichment.contact_status where contact_id = 'C1'",
        "insert into enrichment.needs_review select * from enrichment.needs_review",
        "truncate enrichment.contact_changes",
    )
    publisher.publish()
    filled = publisher.fill(sink)
    assert_equal(publisher, database)
    assert filled["contact_status"].merged == 1


def test_a_table_that_was_dropped_or_is_asked_for_later_is_made(
    publisher: Publisher, database: str
) -> None:
    publisher.fill(sink_of(database))
    asked(database, "drop table enrichment.contact_status")
    publisher.publish(PROMOTE)
    tables = [*FOR_SINKS, "accounts"]
    filled = publisher.fill(sink_of(database, tables))
    assert_equal(publisher, database, tables)
    assert numbers(filled)["contact_status"] == (3, 0)
    assert numbers(filled)["accounts"] == (1, 0)


def test_a_column_that_a_newer_version_has_is_added(publisher: Publisher, database: str) -> None:
    sink = sink_of(database)
    publisher.fill(sink)
    asked(
        database,
        "alter table enrichment.enriched_contacts drop column seniority",
        "update enrichment.sink_states set description = 'of before'",
    )
    newest = publisher.newest
    with duckdb.connect(str(newest.sibling(newest.name))) as connection:  # as it was published
        views = connection.execute("select view_name from duckdb_views() where not internal")
        for (view,) in views.fetchall():
            connection.execute(f"drop view enrichment.{view}")
        connection.execute("alter table enrichment.enriched_contacts drop column seniority")
    publisher.publish("update enrichment.enriched_contacts set seniority = 'c_suite'")
    publisher.fill(sink)
    there = asked(database, "select contact_id, seniority from enrichment.enriched_contacts")
    assert there == [("C1", "c_suite")]
    comment = (
        "select col_description(attrelid, attnum) from pg_attribute"
        " where attrelid = 'enrichment.enriched_contacts'::regclass and attname = 'seniority'"
    )
    assert "c_suite" in str(asked(database, comment))


NOT_OURS = "create schema enrichment; create table enrichment.needs_review (contact_id text)"


@pytest.mark.parametrize(
    ("statement", "is_filled_before", "said"),
    [
        (NOT_OURS, False, "needs_review is there already, and was not made by this pipeline"),
        (
            "alter table enrichment.needs_review add column note text",
            True,
            "needs_review has a column note that is not ours; drop the column",
        ),
        (
            "alter table enrichment.needs_review alter column attempts type text",
            True,
            "needs_review: its column attempts is of the type VARCHAR, not BIGINT; drop the table",
        ),
        (
            "update enrichment.sink_states set ledger = 'another'",
            True,
            "schema enrichment is filled from another state folder; name another schema",
        ),
    ],
)
def test_a_target_that_is_not_as_we_left_it_is_refused_with_what_to_do(
    publisher: Publisher, database: str, statement: str, is_filled_before: bool, said: str
) -> None:
    sink = sink_of(database)
    if is_filled_before:
        publisher.fill(sink)
    asked(database, statement)
    publisher.publish(PROMOTE)
    with pytest.raises(ConfigurationError) as refused:
        publisher.fill(sink)
    assert f"sink crm: {said}" in str(refused.value).replace("enrichment.", "")
    if is_filled_before:
        assert asked(database, "select count(*) from enrichment.contact_changes") == [(6,)]


def test_what_fails_halfway_leaves_the_sink_as_it_was(publisher: Publisher, database: str) -> None:
    sink = sink_of(database)
    publisher.fill(sink)
    before = {table: asked(database, f"select * from enrichment.{table}") for table in FOR_SINKS}
    asked(
        database,
        "alter table enrichment.contact_changes add constraint none check (field <> 'job_title')",
    )
    publisher.publish(PROMOTE)
    with pytest.raises(PipelineError) as failed:
        publisher.fill(sink)
    assert str(failed.value) == (
        'sink crm: could not be filled (new row for relation "contact_changes" violates check '
        'constraint "none")'
    )
    assert before == {
        table: asked(database, f"select * from enrichment.{table}") for table in FOR_SINKS
    }
    asked(database, "alter table enrichment.contact_changes drop constraint none")
    publisher.fill(sink)
    assert_equal(publisher, database)


@pytest.mark.parametrize(
    "address",
    [
        "host=127.0.0.1 port=1 user=writer password=hunter2secret dbname=crm",
        "postgresql://writer:hunter2secret@127.0.0.1:1/crm",
        "postgresql://writer:hunter2secret@[::1",
        "host=127.0.0.1 pasword=hunter2secret",
    ],
)
def test_one_that_cannot_be_reached_says_so_without_its_password(
    publisher: Publisher, address: str
) -> None:
    with pytest.raises(PipelineError, match="sink crm: ") as failed:
        publisher.fill(sink_of(address))
    assert "hunter2secret" not in str(failed.value)
    assert "\n" not in str(failed.value)


def test_a_role_that_may_write_to_the_schema_alone_is_enough(
    publisher: Publisher, database: str
) -> None:
    [(name,)] = asked(database, "select current_database()")
    role = f"writer_{name}"
    asked(
        database,
        f"create role {role} login password 'writes'",
        f"create schema enrichment authorization {role}",
    )
    publisher.fill(sink_of(database.replace("postgres:@", f"{role}:writes@")))
    assert_equal(publisher, database)


def test_whatever_an_id_and_a_value_are_they_are_taken(publisher: Publisher, database: str) -> None:
    long_id = "x" * 20_000
    publisher.publish(
        f"update enrichment.contact_status set contact_id = '{long_id}' where contact_id = 'C3'",
        "update enrichment.enriched_contacts set job_title = 'Head' || chr(0) || ' of'",
        """update enrichment.needs_review set candidate = '{"a": "\\u0000", "b": ["\\n"]}'""",
    )
    sink = sink_of(database)
    publisher.fill(sink)
    publisher.publish("update enrichment.contact_status set reason = 'again'")
    publisher.fill(sink)
    assert_equal(publisher, database, ["contact_status", "needs_review"])
    assert asked(database, "select job_title from enrichment.enriched_contacts") == [("Head of",)]


def test_what_is_nested_is_json_in_a_sink() -> None:
    assert kept_type("STRUCT(a INTEGER)[]") == kept_type("MAP(VARCHAR, INTEGER)") == "JSON"
    assert kept_type("DECIMAL(18,6)") == "DECIMAL(18,6)"
    with duckdb.connect() as connection:
        connection.execute("create table t as select [1, 2] as numbers, {'a': 'x'} as fields")
        columns = [Column("numbers", "JSON", ""), Column("fields", "JSON", "")]
        query = rows_of(connection, "t", [*columns, Column("later", "VARCHAR", "")])
        assert connection.execute(query).fetchall() == [("[1,2]", '{"a":"x"}', None)]


# --- in a lake ---------------------------------------------------------------------------


def lake_at(place: str) -> Attachment:
    return read_attachment(place, Path(), {}, key="[[sinks]] lake attach")


def test_a_lake_is_a_sink_likewise(publisher: Publisher, tmp_path: Path) -> None:
    place = f"ducklake:{tmp_path / 'lake.ducklake'}"
    sink = Sink("lake", lake_at(place), "enrichment", tuple(KEYS))
    publisher.fill(sink)
    publisher.publish(PROMOTE, LEAVE_C2, keep_for=[sink])
    filled = publisher.fill(sink)
    assert filled["enriched_contacts"].merged == filled["needs_review"].deleted == 1
    publisher.publish(RETIRE)
    forget_snapshots(publisher)
    publisher.fill(sink)
    with duckdb.connect() as connection:
        load_extension(connection, "ducklake", extra="ducklake")
        connection.execute(f"attach '{place}' as lake")
        connection.execute("set timezone = 'UTC'")
        for table in KEYS:
            there = connection.execute(f"from lake.enrichment.{table}").fetchall()
            assert comparable(there) == comparable(publisher.rows(table)), table
        comments = "select comment from duckdb_tables() where table_name = 'contact_changes'"
        assert "rows are only added" in str(connection.execute(comments).fetchall())


def test_a_lake_that_cannot_be_reached_does_not_show_its_address(publisher: Publisher) -> None:
    place = "ducklake:postgres:host=127.0.0.1 port=1 user=me password=hunter2secret dbname=x"
    sink = Sink("lake", lake_at(place), "enrichment", FOR_SINKS)
    with pytest.raises(PipelineError, match="sink lake: could not be filled") as failed:
        publisher.fill(sink)
    assert "hunter2secret" not in str(failed.value)


# --- cut off -----------------------------------------------------------------------------


class Counting:
    """A connection at whose n-th statement something happens first."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, at: int, happens: Callable) -> None:
        self._connection, self._left, self._happens = connection, at, happens

    def execute(self, *arguments: Any) -> duckdb.DuckDBPyConnection:
        self._left -= 1
        if self._left == 0:
            self._happens()
        return self._connection.execute(*arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


CUT = "select pg_terminate_backend(pid, 5000) from pg_stat_activity where pid <> pg_backend_pid()"


def test_a_connection_that_is_cut_at_any_statement_leaves_nothing_half(
    publisher: Publisher, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = sink_of(database)
    publisher.fill(sink)
    opened = filling._opened
    of_this_database = f"{CUT} and datname = current_database()"
    for day in range(1, 11):
        publisher.publish(
            f"update enrichment.enriched_contacts set job_title = 'CEO {day}'",
            f"update enrichment.contact_status set reason = 'day {day}'",
            keep_for=[sink],
        )

        @filling.contextmanager
        def cut(spilled, at=6 * day):
            with opened(spilled) as connection:
                yield Counting(connection, at, lambda: asked(database, of_this_database))

        before = asked(database, "select * from enrichment.contact_changes")
        with monkeypatch.context() as patch:
            patch.setattr(filling, "_opened", cut)
            try:
                publisher.fill(sink)
            except PipelineError:
                assert asked(database, "select * from enrichment.contact_changes") == before
            else:
                assert_equal(publisher, database)
    publisher.fill(sink)
    assert_equal(publisher, database)
