"""Opening a ledger: its address, its tables, its stamp, and several who do so at once."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from enrichment_pipeline.errors import ConfigurationError
from enrichment_pipeline.ledger.schema import calls, head, metadata, stamp
from enrichment_pipeline.ledger.store import MIGRATIONS, LedgerStore, newest_revision, open_store
from enrichment_pipeline_tests.databases import new_postgres, sqlite_url
from enrichment_pipeline_tests.ledger import (
    Ledger,
    candidate,
    count_rows,
    crowd,
    limits_of,
    reserve,
)
from enrichment_pipeline_tests.support import MovingClock

SECRET = "s3cr3t-word"

OPEN_AND_STAMP = """
import json, sys
from enrichment_pipeline.ledger.store import open_store

print("ready", flush=True)
sys.stdin.readline()
store = open_store(sys.argv[1])
print(json.dumps(store.check_stamp(json.loads(sys.argv[2]))), flush=True)
"""


def at_once(act: Callable[[int], object], times: int) -> list:
    """Results of `act(0)`, `act(1)` … in as many threads, let loose together."""
    barrier = threading.Barrier(times)

    def wait_and_act(number: int) -> object:
        barrier.wait(30)
        return act(number)

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(wait_and_act, range(times)))


def complaint_about(url: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        open_store(url)
    shown = str(caught.value)
    assert "\n" not in shown
    assert SECRET not in shown
    assert "ledger" in shown.lower()
    return shown


# --- tables ------------------------------------------------------------------------------


def test_the_newest_migration_is_known_without_reading_them():
    assert newest_revision() == ScriptDirectory(str(MIGRATIONS)).get_current_head()


def test_the_migrations_lead_to_the_tables_that_the_code_describes(new_ledger_url: str):
    open_store(new_ledger_url).close()
    engine = sa.create_engine(new_ledger_url)
    with engine.connect() as connection:
        # how SQLite writes a default down differs from how Alembic does, where it is an empty text
        is_told_defaults = connection.dialect.name == "postgresql"
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": is_told_defaults}
        )
        assert compare_metadata(context, metadata) == []
        found = sa.inspect(connection)
        indexes = {
            table: {
                index["name"]: (tuple(index["column_names"]), bool(index["unique"]))
                for index in found.get_indexes(table)
                if "duplicates_constraint" not in index
            }
            for table in metadata.tables
        }
    engine.dispose()
    # autogenerate does not see where an index is unique, and which of its rows it covers
    assert indexes == {
        name: {
            str(index.name): (tuple(column.name for column in index.columns), index.unique)
            for index in table.indexes
        }
        for name, table in metadata.tables.items()
    }


def test_a_commit_in_sqlite_has_reached_the_disk(tmp_path: Path):
    """In `normal` mode a power cut takes back what was committed last, which may be paid for."""
    store = open_store(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    with store.write() as transaction, store.read() as connection:
        for opened in (transaction.connection, connection):
            settings = {
                name: opened.exec_driver_sql(f"pragma {name}").scalar_one()
                for name in ("journal_mode", "synchronous", "foreign_keys")
            }
            assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
    store.close()


def test_postgres_plans_each_statement_by_the_size_of_its_tables_now(
    postgres_server: sa.URL,
):
    """A plan that was kept from when they were empty would read all of them."""
    store = open_store(new_postgres(postgres_server))
    with store.write() as transaction:
        mode = transaction.connection.exec_driver_sql("show plan_cache_mode").scalar_one()
    assert mode == "force_custom_plan"
    store.close()


def test_the_single_flight_index_covers_what_is_not_released(new_ledger_url: str):
    open_store(new_ledger_url).close()
    engine = sa.create_engine(new_ledger_url)
    with engine.connect() as connection:
        options = {
            index["name"]: index["dialect_options"]
            for index in sa.inspect(connection).get_indexes("calls")
        }["calls_single_flight"]
    engine.dispose()
    (where,) = (str(value) for name, value in options.items() if name.endswith("_where"))
    assert re.search(r"is_released is not (1|true)", where, re.IGNORECASE)


def test_opening_again_changes_nothing(new_ledger_url: str):
    first = open_store(new_ledger_url)
    reserve(Ledger(first, "signalhire", limits_of(), MovingClock()), candidate("ada"))
    first.close()
    second = open_store(new_ledger_url)
    assert count_rows(second, calls) == 1
    assert count_rows(second, head) == 1
    second.close()


def test_threads_that_open_a_new_ledger_at_once_find_one_ledger(new_ledger_url: str):
    stores: list[LedgerStore] = at_once(lambda _: open_store(new_ledger_url), 6)
    for number, store in enumerate(stores):
        reserve(Ledger(store, "signalhire", limits_of(), MovingClock()), candidate(f"p{number}"))
    assert [count_rows(store, calls) for store in stores] == [6] * 6
    assert count_rows(stores[0], head) == 1
    for store in stores:
        store.close()


def test_a_new_file_that_another_connection_is_writing_is_waited_for(tmp_path: Path):
    file = tmp_path / "ledger.sqlite"
    with ThreadPoolExecutor(1) as pool, closing(sqlite3.connect(file)) as other:
        other.execute("begin immediate")
        opening = pool.submit(open_store, sqlite_url(file))
        with pytest.raises(TimeoutError):
            opening.result(timeout=0.2)
        other.rollback()
        opening.result(timeout=60).close()


def test_processes_that_open_a_new_ledger_at_once_find_one_ledger_and_one_stamp(
    new_ledger_url: str,
):
    processes = [
        subprocess.Popen(
            [
                sys.executable,
                "-c",
                OPEN_AND_STAMP,
                new_ledger_url,
                json.dumps({"source": str(number)}),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(4)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    results = [process.communicate(timeout=60) for process in processes]
    assert [error for _, error in results if error] == []
    stamps = [json.loads(output) for output, _ in results]
    assert len(stamps) == 4
    assert all(stamp == stamps[0] for stamp in stamps)


# --- the stamp ---------------------------------------------------------------------------


def test_the_first_stamp_stays(ledger_url: str):
    store = open_store(ledger_url)
    mine = {"source": "sample", "answers": "sandbox"}
    assert store.check_stamp(mine) == mine
    assert store.check_stamp({"source": "crm", "answers": "signalhire"}) == mine
    assert store.check_stamp(mine) == mine
    store.close()


def test_of_many_who_stamp_at_once_the_first_wins_for_all(ledger_url: str):
    stores = [open_store(ledger_url) for _ in range(6)]
    found = at_once(
        lambda number: stores[number].check_stamp({"a": str(number), "b": str(number)}), 6
    )
    assert all(stamp == found[0] for stamp in found)
    assert found[0]["a"] == found[0]["b"]
    for store in stores:
        store.close()


# --- transactions ------------------------------------------------------------------------


def test_whatever_fails_takes_its_whole_transaction_back(ledger_url: str):
    store = open_store(ledger_url)
    ledger = Ledger(store, "signalhire", limits_of(), MovingClock())

    class Killed(BaseException):
        pass

    revisions = []

    def write_and_die() -> None:
        with store.write() as transaction:
            revisions.append(transaction.revision)
            transaction.connection.execute(sa.insert(stamp).values(key="key", value="theirs"))
            raise Killed

    with pytest.raises(Killed):
        write_and_die()
    assert store.check_stamp({"key": "mine"}) == {"key": "mine"}
    with store.write() as transaction:
        assert revisions == [transaction.revision]
    reserve(ledger, *crowd(2))
    store.close()


def test_revisions_are_given_in_the_order_of_commits(ledger_url: str):
    store = open_store(ledger_url)
    seen: list[int] = []

    def write(_number: int) -> None:
        for _ in range(5):
            with store.write() as transaction:
                seen.append(transaction.revision)

    at_once(write, 4)
    assert seen == list(range(1, 21))
    store.close()


def test_a_reader_is_not_held_up_by_a_writer(ledger_url: str):
    store = open_store(ledger_url)
    with store.write() as transaction:
        transaction.connection.execute(sa.update(head).values(revision=head.c.revision + 5))
        with store.read() as connection:
            assert connection.execute(sa.select(head.c.revision)).scalar_one() == 0
    store.close()


# --- addresses that cannot work ----------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "",
        SECRET,
        "/var/ledger.sqlite",
        f"mysql://user:{SECRET}@host/db",
        f"postgres://user:{SECRET}@host/db",
        f"postgresql+asyncpg://user:{SECRET}@host/db",
        f"postgresql://user:{SECRET}@host:port/db",
        f"postgresql://user:{SECRET}@127.0.0.1:1/db",
        f"postgresql://user@127.0.0.1:1/db?password={SECRET}",
        f"postgresql://user:{SECRET}@127.0.0.1:1/db?unheard_of=1",
        "sqlite+unheard_of:///ledger.sqlite",
        "sqlite://",
        "sqlite:///:memory:",
    ],
)
def test_an_address_that_cannot_work_ends_in_one_line_without_a_secret(url: str):
    complaint_about(url)


def test_a_wrong_password_is_not_repeated(postgres_server: sa.URL):
    url = postgres_server.set(database="no_such_database", password=SECRET)
    assert "no_such_database" in complaint_about(url.render_as_string(hide_password=False))


def test_a_folder_a_foreign_file_and_one_that_cannot_be_written_are_no_ledger(tmp_path: Path):
    assert str(tmp_path) in complaint_about(f"sqlite:///{tmp_path}")
    foreign = tmp_path / "notes.sqlite"
    foreign.write_text("these are my notes\n" * 100, encoding="utf-8")
    assert str(foreign) in complaint_about(f"sqlite:///{foreign}")
    assert foreign.read_text(encoding="utf-8").startswith("these are my notes")
    below_a_file = foreign / "ledger.sqlite"
    assert str(below_a_file) in complaint_about(f"sqlite:///{below_a_file}")


def test_the_ledger_of_a_later_version_is_left_alone(new_ledger_url: str):
    open_store(new_ledger_url).close()
    engine = sa.create_engine(new_ledger_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("update alembic_version set version_num = '9999'")
    assert "9999" in complaint_about(new_ledger_url)
    with engine.connect() as connection:
        query = "select version_num from alembic_version"
        assert connection.exec_driver_sql(query).scalar_one() == "9999"
    engine.dispose()


def test_a_database_of_something_else_is_left_as_it_was(tmp_path: Path):
    path = tmp_path / "crm.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("create table lookups (mine text)")
    connection.close()
    complaint_about(f"sqlite:///{path}")
    connection = sqlite3.connect(path)
    tables = {row[0] for row in connection.execute("select name from sqlite_master")}
    connection.close()
    assert tables == {"lookups"}


def test_a_folder_that_is_not_there_yet_is_made(tmp_path: Path):
    path = tmp_path / "a" / "b" / "ledger.sqlite"
    open_store(f"sqlite:///{path}").close()
    assert path.is_file()
