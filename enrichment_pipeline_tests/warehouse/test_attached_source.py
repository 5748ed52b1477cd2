"""Reading the user's source: files and folders of every kind, and every mistake in them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from enrichment_pipeline.errors import ConfigurationError, PipelineError
from enrichment_pipeline.policy import SourcePolicy
from enrichment_pipeline.warehouse.attached_source import attached_source, streamed
from enrichment_pipeline.warehouse.connection import open_warehouse, transaction
from enrichment_pipeline.warehouse.load import load_accounts, load_contacts
from enrichment_pipeline_tests.support import START
from enrichment_pipeline_tests.warehouse import Row, contents, held_by_another_process

CONTACTS_CSV = """\
contact_id,account_id,email,phone,created_at,updated_at,favourite_colour
007,0042,a@one.com,0049301234,2024-01-01,2024-02-01T10:00:00Z,red
C2,,b@two.com,,,,
"""


def load(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    contacts: str = "select * from contacts",
    accounts: str | None = None,
) -> list[Row]:
    """Load a source whole, as a run does; the contacts that it has now."""
    source = SourcePolicy(attach=str(path), contacts=contacts, accounts=accounts)
    with transaction(connection):
        load_accounts(connection, source, path, loaded_at=START)
        load_contacts(connection, source, path, phone_region="", loaded_at=START)
    return rows(connection, "staging.contacts where left_at is null")


def rows(connection: duckdb.DuckDBPyConnection, table: str) -> list[Row]:
    result = connection.execute(f"select * from {table} order by all")
    names = [column[0] for column in result.description]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def database(path: Path, *statements: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(path)) as connection:
        for statement in statements:
            connection.execute(statement)
    return path


def parquet(path: Path, query: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as connection:
        quoted = str(path).replace("'", "''")
        connection.execute(f"copy ({query}) to '{quoted}' (format parquet)")
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with contacts.csv."""
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "contacts.csv").write_text(CONTACTS_CSV)
    return folder


# --- what can be a source --------------------------------------------------------------


def test_a_duckdb_file_is_read(warehouse: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    path = database(
        tmp_path / "prod.duckdb",
        "create schema crm",
        "create table crm.contacts as select 'C1' as contact_id, 'A1' as account_id",
        "create table crm.accounts as select 'A1' as account_id, 'target' as tier",
    )
    (contact,) = load(warehouse, path, contacts=SourcePolicy().contacts)
    assert (contact["contact_id"], contact["account_id"]) == ("C1", "A1")
    (account,) = rows(warehouse, "staging.accounts")
    assert (account["account_id"], account["tier"]) == ("A1", "target")


def test_a_folder_of_csv_is_read_with_every_zero(
    warehouse: duckdb.DuckDBPyConnection, folder: Path
) -> None:
    first, second = load(warehouse, folder)
    assert (first["contact_id"], first["account_id"]) == ("007", "0042")
    assert first["phone"] == "0049301234"
    assert first["created_at"] == datetime(2024, 1, 1, tzinfo=UTC)
    assert first["updated_at"] == datetime(2024, 2, 1, 10, tzinfo=UTC)
    assert (second["phone"], second["updated_at"]) == (None, None)


def test_what_looks_like_a_number_or_a_date_in_csv_stays_as_it_is_written(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    (tmp_path / "contacts.csv").write_text(
        "contact_id,account_id,phone,job_title\n1.50,1e3,+4930901820,2024-5-1\n"
    )
    (contact,) = load(warehouse, tmp_path)
    given = [contact[column] for column in ("contact_id", "account_id", "phone", "job_title")]
    assert given == ["1.50", "1e3", "+4930901820", "2024-5-1"]


def test_a_folder_of_parquet_is_read(warehouse: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    path = parquet(tmp_path / "lake" / "contacts.parquet", "select 7 as contact_id, 'x' as email")
    assert [row["contact_id"] for row in load(warehouse, path.parent)] == ["7"]


def test_a_folder_may_mix_csv_and_parquet(
    warehouse: duckdb.DuckDBPyConnection, folder: Path
) -> None:
    parquet(folder / "accounts.PARQUET", "select '0042' as account_id, 5.5::float as open_pipeline")
    (folder / "notes.txt").write_text("not a table")
    load(warehouse, folder, accounts="select * from accounts")
    (account,) = rows(warehouse, "staging.accounts")
    assert (account["account_id"], account["open_pipeline"]) == ("0042", 5.5)


@pytest.mark.parametrize("stem", ["contacts", 'my "best" list', "it's 100% & more", "2024-05"])
def test_each_file_is_a_view_named_by_its_stem(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path, stem: str
) -> None:
    (tmp_path / f"{stem}.csv").write_text("contact_id\nC1\n")
    name = stem.replace('"', '""')
    assert len(load(warehouse, tmp_path, contacts=f'select * from "{name}"')) == 1


# DuckDB takes a file's name for a pattern: the wrong folder was read, or two at once.
@pytest.mark.parametrize(
    ("name", "decoy"), [("d[1]", "d1"), ("d*", "dx"), ("d?", "dx"), ("d[[]", "d[")]
)
def test_a_folder_with_the_signs_of_a_pattern_in_its_name_is_read_alone(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path, name: str, decoy: str
) -> None:
    for folder in (name, decoy):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "contacts.csv").write_text(f"contact_id\n{folder}\n")
        parquet(tmp_path / folder / "more.parquet", f"select '{folder}' as contact_id")
    both = "from contacts union all from more"
    assert {row["contact_id"] for row in load(warehouse, tmp_path / name, both)} == {name}


def test_the_source_may_lie_behind_any_sql(
    warehouse: duckdb.DuckDBPyConnection, folder: Path
) -> None:
    query = """
        -- semicolons; in comments
        with chosen as (select * exclude (email), email as "EMail" from contacts)
        select contact_id as "Contact_ID", * exclude (contact_id) from chosen
        where email <> ';' limit 1;  -- and after the end
    """
    (contact,) = load(warehouse, folder, contacts=query)
    assert (contact["contact_id"], contact["email"]) == ("007", "a@one.com")


def test_a_join_that_gives_a_column_twice_is_taken(
    warehouse: duckdb.DuckDBPyConnection, folder: Path
) -> None:
    query = "select c.*, d.* from contacts as c join contacts as d using (contact_id)"
    assert len(load(warehouse, folder, contacts=query)) == 2


# --- columns and types -----------------------------------------------------------------


def test_missing_columns_are_null_and_unknown_ones_ignored(
    warehouse: duckdb.DuckDBPyConnection, folder: Path
) -> None:
    (contact, _) = load(warehouse, folder)
    missing = {
        *("first_name", "last_name", "full_name", "linkedin_url"),
        *("company_name", "company_domain", "job_title"),
    }
    assert {name for name, value in contact.items() if value is None} == {*missing, "left_at"}
    assert "favourite_colour" not in contact


def test_one_column_is_enough(warehouse: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    (tmp_path / "contacts.csv").write_text("contact_id\nC1\n")
    (contact,) = load(warehouse, tmp_path)
    assert contact["contact_id"] == "C1"


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("42", "42"),
        ("170141183460469231731687303715884105727", "170141183460469231731687303715884105727"),
        ("'00000000-0000-0000-0000-00000000002a'::uuid", "00000000-0000-0000-0000-00000000002a"),
        ("' C1'", " C1"),
        ("'ключ'", "ключ"),
    ],
)
def test_ids_of_any_type_become_text(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path, expression: str, text: str
) -> None:
    path = database(
        tmp_path / "s.duckdb", f"create table contacts as select {expression} as contact_id"
    )
    assert [row["contact_id"] for row in load(warehouse, path)] == [text]


@pytest.mark.parametrize(
    ("expression", "instant"),
    [
        ("timestamp '2024-05-01 10:00:00'", datetime(2024, 5, 1, 10, tzinfo=UTC)),
        ("timestamptz '2024-05-01 10:00:00+02'", datetime(2024, 5, 1, 8, tzinfo=UTC)),
        (
            "timestamp_ns '2024-05-01 10:00:00.123456789'",
            datetime(2024, 5, 1, 10, 0, 0, 123456, UTC),
        ),
        ("timestamp_s '2024-05-01 10:00:00'", datetime(2024, 5, 1, 10, tzinfo=UTC)),
        ("date '2024-05-01'", datetime(2024, 5, 1, tzinfo=UTC)),
        ("'2024-05-01T10:00:00+0200'", datetime(2024, 5, 1, 8, tzinfo=UTC)),
        ("'2024-05-01 10:00:00.5'", datetime(2024, 5, 1, 10, 0, 0, 500000, UTC)),
        ("'yesterday'", None),
        ("''", None),
        ("null", None),
    ],
)
def test_instants_of_any_type_are_read_as_utc(
    warehouse: duckdb.DuckDBPyConnection,
    tmp_path: Path,
    expression: str,
    instant: datetime | None,
) -> None:
    path = database(
        tmp_path / "s.duckdb",
        f"create table contacts as select 1 as contact_id, {expression} as updated_at",
    )
    (contact,) = load(warehouse, path)
    assert contact["updated_at"] == instant


def test_a_figure_that_is_no_number_is_null(
    warehouse: duckdb.DuckDBPyConnection, folder: Path
) -> None:
    given = ["nan", "inf", "-inf", "", "a lot", "1.000.000 €", " 5e6 ", "-3"]
    lines = "".join(f"A{n},{figure},12\n" for n, figure in enumerate(given))
    (folder / "accounts.csv").write_text(f"account_id,annual_revenue,open_pipeline\n{lines}")
    load(warehouse, folder, accounts="select * from accounts")
    accounts = rows(warehouse, "staging.accounts")
    assert [row["annual_revenue"] for row in accounts] == [*[None] * 6, 5_000_000.0, -3.0]
    assert {row["open_pipeline"] for row in accounts} == {12.0}


def test_a_tier_is_kept_as_the_source_has_it_and_told_where_no_band_is_named_after_it(
    warehouse: duckdb.DuckDBPyConnection, folder: Path
) -> None:
    (folder / "accounts.csv").write_text(
        "account_id,tier\nA1,Strategic \nA2,Silver\nA3,\nA4,bulk\nA5,TARGET\nA6,gold\nA7,Gold\n"
    )
    source = SourcePolicy(attach=str(folder), accounts="select * from accounts")
    with transaction(warehouse):
        counts = load_accounts(warehouse, source, folder, loaded_at=START)
    tiers = [row["tier"] for row in rows(warehouse, "staging.accounts")]
    assert tiers == ["strategic", "silver", None, "bulk", "target", "gold", "gold"]
    assert counts.unknown_tiers == ("gold", "silver")


# --- repeated ids ----------------------------------------------------------------------


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_where_an_id_repeats_the_latest_row_wins(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path, order: str
) -> None:
    cases = {
        "created at all": (",", "1999-01-01,"),
        "created later": ("2024-01-01,", "2024-02-01,"),
        "updated at all": ("2024-02-01,", "1999-01-01,1999-01-01"),
        "updated later": ("2024-02-01,2024-03-02", "2024-01-01,2024-03-03"),
    }
    lines = [
        f"{case},{one},one@x.com\n{case},{other},other@x.com\n"
        for case, (one, other) in cases.items()
    ]
    (tmp_path / "contacts.csv").write_text(
        "contact_id,created_at,updated_at,email\n" + "".join(lines) + "once,,,\n"
    )
    loaded = load(warehouse, tmp_path, f"select * from contacts order by email {order}")
    found = {row["contact_id"]: row["email"] for row in loaded}
    assert found == {**dict.fromkeys(cases, "other@x.com"), "once": None}
    counts = {
        row["contact_id"]: row["source_rows"]
        for row in rows(warehouse, "staging.source_contact_ids")
    }
    assert counts == {**dict.fromkeys(cases, 2), "once": 1}


def test_where_nothing_tells_which_is_latest_the_same_row_wins_always(tmp_path: Path) -> None:
    (tmp_path / "contacts.csv").write_text(
        "contact_id,email\n" + "".join(f"C1,{n}@x.com\n" for n in range(20))
    )
    chosen = set()
    for order in ("email", "email desc", "hash(email)"):
        with open_warehouse(":memory:") as connection:
            (contact,) = load(connection, tmp_path, f"select * from contacts order by {order}")
            chosen.add(contact["email"])
    assert len(chosen) == 1


def test_an_account_that_repeats_is_taken_once(
    warehouse: duckdb.DuckDBPyConnection, folder: Path
) -> None:
    (folder / "accounts.csv").write_text("account_id,name\nA,One\nA,Two\n,Nobody\n")
    load(warehouse, folder, accounts="select * from accounts")
    assert len(rows(warehouse, "staging.accounts")) == 1


# --- accounts left out -----------------------------------------------------------------


def test_accounts_may_be_left_out(warehouse: duckdb.DuckDBPyConnection, folder: Path) -> None:
    assert len(load(warehouse, folder)) == 2
    assert rows(warehouse, "staging.accounts") == []


def test_accounts_that_are_named_must_be_there(
    warehouse: duckdb.DuckDBPyConnection, folder: Path
) -> None:
    with pytest.raises(ConfigurationError, match=r"\[source\] accounts: .*firms"):
        load(warehouse, folder, accounts="select * from firms")


def test_an_account_without_its_id_column_is_refused(
    warehouse: duckdb.DuckDBPyConnection, folder: Path
) -> None:
    with pytest.raises(ConfigurationError, match="accounts: the required column account_id"):
        load(warehouse, folder, accounts="select email from contacts")


# --- mistakes --------------------------------------------------------------------------


def missing(folder: Path) -> Path:
    return folder / "nowhere"


def empty(folder: Path) -> Path:
    (folder / "empty").mkdir()
    return folder / "empty"


def not_a_database(folder: Path) -> Path:
    return (folder / "contacts.csv").rename(folder / "contacts.db")


def not_utf8(folder: Path) -> Path:
    (folder / "contacts.csv").write_bytes("contact_id,full_name\n1,José\n".encode("latin-1"))
    return folder


def broken_parquet(folder: Path) -> Path:
    (folder / "more.parquet").write_bytes(b"PAR1 no more")
    return folder


def empty_file(folder: Path) -> Path:
    (folder / "contacts.csv").write_bytes(b"")
    return folder


def twins(folder: Path) -> Path:
    parquet(folder / "Contacts.parquet", "select 1 as contact_id")
    return folder


def no_permission(folder: Path) -> Path:
    return folder / "contacts.csv" / "below a file"


MISTAKES: dict[str, tuple[Callable[[Path], Path], str, str]] = {
    "a missing folder": (missing, "from contacts", r"nowhere: no such file or folder"),
    "an empty folder": (empty, "from contacts", "holds no CSV, JSON Lines or Parquet file"),
    "a file that is no database": (not_a_database, "from contacts", r"contacts\.db: cannot be"),
    "a CSV file in another encoding": (not_utf8, "from contacts", r"contacts\.csv: .*UTF-8"),
    "a Parquet file that is broken": (broken_parquet, "from contacts", r"more\.parquet"),
    "a CSV file without a line": (empty_file, "from contacts", "column contact_id is missing"),
    "two files of one name": (twins, "from contacts", r"Contacts\.parquet and contacts\.csv"),
    "a path that is none": (no_permission, "from contacts", "source .*below a file"),
}
SQL_MISTAKES = {
    "SQL that cannot be parsed": ("selec 1", "contacts: Parser Error"),
    "SQL over a table that is not there": (
        "select * from leads",
        "contacts: Catalog Error: .*leads does not exist!; there are contacts$",
    ),
    "SQL over a column that is not there": (
        "select nope from contacts",
        'contacts: Binder Error: .*"nope" not found .*; contacts has contact_id, account_id, ',
    ),
    "SQL over a column of a table that lacks it": (
        "with c as (select * from contacts) select c.nope from c join contacts as d using (email)",
        'contacts: Binder Error: .*"nope".*; contacts has contact_id, account_id, email, ',
    ),
    "SQL that fails on a row": (
        "select contact_id::integer as contact_id from contacts",
        "contacts: Conversion Error",
    ),
    "SQL that wants a value": ("select $1 as contact_id", r"\[source\] contacts: "),
    "no SQL": ("", "must be one select statement"),
    "two statements": ("select 1 as contact_id; select 2", "must be one select statement"),
    "SQL that deletes": ("delete from contacts", "only ever read"),
    "SQL that creates": ("create table t as select 1 as contact_id", "only ever read"),
    "SQL that copies": ("copy contacts to '/tmp/never.csv'", "only ever read"),
    "SQL that attaches": ("attach ':memory:' as other", "only ever read"),
    "SQL that deletes, after one that reads": (
        "select * from contacts; delete from contacts",
        "must be one select statement",
    ),
    "no contact_id": (
        "select email from contacts",
        "the required column contact_id is missing; it gives email",
    ),
    "an id that is null": (
        "select nullif(contact_id, 'C2') as contact_id from contacts",
        "1 rows have no contact_id",
    ),
    "an id that is blank": (
        "select if(contact_id = 'C2', chr(9) || chr(160), '') as contact_id from contacts",
        "2 rows have no contact_id",
    ),
    "an id with a NUL byte": (
        "select chr(0) || contact_id as contact_id from contacts",
        r"the contact_id '\\x00007' holds a NUL byte.*\(2 such ids\).* in \[source\] contacts",
    ),
    "an id of a megabyte with a NUL byte": (
        "select contact_id || repeat('x', 1_000_000) || chr(0) as contact_id from contacts",
        r"the contact_id '\w{40}' holds a NUL byte",
    ),
}
MISTAKES |= {what: (lambda f: f, sql, words) for what, (sql, words) in SQL_MISTAKES.items()}


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """A warehouse into which a good source was loaded; mistakes leave it as it is."""
    folder = tmp_path_factory.mktemp("good")
    (folder / "contacts.csv").write_text(CONTACTS_CSV)
    with open_warehouse(":memory:") as connection:
        load(connection, folder)
        yield connection


@pytest.mark.parametrize("what", MISTAKES)
def test_a_mistake_is_told_in_one_line_and_leaves_every_table_as_it_was(
    loaded: duckdb.DuckDBPyConnection, folder: Path, what: str
) -> None:
    spoil, contacts, words = MISTAKES[what]
    before = contents(loaded)
    assert len(before["staging.contacts"]) == 2
    source = spoil(folder)
    with pytest.raises(ConfigurationError) as caught:
        load(loaded, source, contacts=contacts)
    assert re.search(words, str(caught.value))
    assert "\n" not in str(caught.value)
    assert contents(loaded) == before


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("cast(full_name as date)", "Conversion Error at a value that is not shown, column full_"),
        ("cast(full_name as integer)", "Conversion Error at a value that is not shown, column"),
        ("strptime(full_name, '%Y')", "Invalid Input Error at a value that is not shown"),
        ("cast(full_name as json)", "at a value that is not shown"),
        ("from_base64(full_name)", "Conversion Error at a value that is not shown"),
        ("error(full_name)", "at a value that is not shown"),
    ],
)
def test_what_fails_at_a_value_does_not_tell_the_value(
    warehouse: duckdb.DuckDBPyConnection, folder: Path, expression: str, told: str
) -> None:
    (folder / "contacts.csv").write_text("contact_id,full_name\nC1,Ada O'Secret <ada@x.com>\n")
    with pytest.raises(ConfigurationError) as caught:
        load(warehouse, folder, contacts=f"select contact_id, {expression} as email from contacts")
    assert told in str(caught.value)
    assert "Secret" not in str(caught.value)
    assert "ada@" not in str(caught.value)


@pytest.mark.parametrize("what", ["SQL that fails on a row", "a Parquet file that is broken"])
def test_the_connection_goes_on_to_work_after_a_mistake(
    warehouse: duckdb.DuckDBPyConnection, folder: Path, what: str
) -> None:
    spoil, contacts, _ = MISTAKES[what]
    load(warehouse, folder)
    before = contents(warehouse)
    with pytest.raises(ConfigurationError):
        load(warehouse, spoil(folder), contacts=contacts)
    (folder / "more.parquet").unlink(missing_ok=True)
    assert len(load(warehouse, folder)) == 2
    assert contents(warehouse) == before


def test_a_folder_that_may_not_be_listed_is_told(
    warehouse: duckdb.DuckDBPyConnection, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(ConfigurationError, match=r"cannot be read \(Permission denied\)"):
        load(warehouse, folder)


def test_a_database_that_another_process_writes_to_is_told(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    path = database(tmp_path / "crm.duckdb", "create table contacts as select 1 as contact_id")
    before = contents(warehouse)
    with held_by_another_process(path):
        with pytest.raises(ConfigurationError, match="another process has it open for writing"):
            load(warehouse, path)
        assert contents(warehouse) == before
    assert len(load(warehouse, path)) == 1


def test_a_source_that_is_empty_all_of_a_sudden_is_refused(
    warehouse: duckdb.DuckDBPyConnection, folder: Path
) -> None:
    load(warehouse, folder)
    before = contents(warehouse)
    with pytest.raises(PipelineError, match="gives no contacts at all, but gave 2 before"):
        load(warehouse, folder, contacts="select * from contacts where false")
    assert contents(warehouse) == before


def test_a_source_that_was_always_empty_is_none_to_refuse(
    warehouse: duckdb.DuckDBPyConnection, folder: Path
) -> None:
    assert load(warehouse, folder, contacts="select * from contacts where false") == []


# --- and it reads nothing but itself ---------------------------------------------------

OUTSIDE = "contact_id\nstolen\n"


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file that is none of the source's."""
    (tmp_path / "elsewhere").mkdir()
    path = tmp_path / "elsewhere" / "secret.csv"
    path.write_text(OUTSIDE)
    return path


def reads(path: Path) -> str:
    return f"select * from read_csv('{path}')"


def test_a_view_in_the_source_reads_no_other_file_of_this_machine(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path, secret: Path
) -> None:
    path = database(tmp_path / "source" / "crm.duckdb", f"create view contacts as {reads(secret)}")
    before = contents(warehouse)
    with pytest.raises(ConfigurationError, match="only the attachment and the files in") as caught:
        load(warehouse, path)
    assert "\n" not in str(caught.value)
    assert contents(warehouse) == before


@pytest.mark.parametrize(
    "query",
    [
        "select * from read_csv('{}')",
        "select * from '{}'",
        "select content as contact_id from read_text('{}')",
        "select file as contact_id from glob('{}')",
        "select * from read_csv('{folder}/../elsewhere/secret.csv')",
        "select contact_id from contacts where contact_id in (select content from read_text('{}'))",
    ],
)
def test_the_policys_sql_reads_no_other_file_of_this_machine(
    warehouse: duckdb.DuckDBPyConnection, folder: Path, secret: Path, query: str
) -> None:
    with pytest.raises(ConfigurationError, match=r"\[source\] contacts: Permission Error"):
        load(warehouse, folder, contacts=query.format(secret, folder=folder))


def test_views_of_a_database_may_read_the_files_that_lie_beside_it(
    warehouse: duckdb.DuckDBPyConnection, folder: Path
) -> None:
    parquet(folder / "lake" / "1.parquet", "select 'C7' as contact_id")
    path = database(
        folder / "crm.duckdb",
        f"create view contacts as select contact_id from read_csv('{folder}/contacts.csv') "
        f"union all from read_parquet('{folder}/lake/*.parquet')",
    )
    assert {row["contact_id"] for row in load(warehouse, path)} == {"007", "C2", "C7"}


def test_what_was_bought_is_not_read_by_a_source_that_lies_in_its_folder(tmp_path: Path) -> None:
    (tmp_path / "kept.csv").write_text(OUTSIDE)
    query = reads(tmp_path / "kept.csv")
    good = "create table leads as select 'C1' as contact_id"
    path = database(tmp_path / "crm.duckdb", good, f"create view contacts as {query}")
    with open_warehouse(str(tmp_path / "state" / "warehouse.duckdb")) as connection:
        assert len(load(connection, path, contacts="from leads")) == 1
        with pytest.raises(ConfigurationError, match="our own state"):
            load(connection, path)


@pytest.mark.parametrize(
    "attempt",
    [
        "set enable_external_access = true",
        "reset enable_external_access",
        "set allowed_directories = ['/']",
        "set lock_configuration = false",
        "attach '{}' as other",
        "install httpfs",
        "from given",
    ],
)
def test_nothing_that_runs_beside_the_source_can_lift_that(
    folder: Path, secret: Path, attempt: str
) -> None:
    given = duckdb.connect().sql("select 1 as contact_id").to_arrow_table()
    assert given.num_rows == 1  # a variable that DuckDB would find by its name
    with attached_source(folder) as reading:
        assert len(reading.execute("from contacts").fetchall()) == 2
        with pytest.raises(duckdb.Error):
            reading.execute(attempt.format(secret))


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("select * from postgres_query('db', 'drop table leads')", "postgres_query"),
        (
            "select 1 as contact_id where exists (from \"POSTGRES_SCAN\"('', '', ''))",
            "postgres_scan",
        ),
        ("select * from query('from postgres' || '_query(1, 2)')", "query"),
    ],
)
def test_functions_that_ask_another_server_are_refused_by_name(
    warehouse: duckdb.DuckDBPyConnection, folder: Path, query: str, name: str
) -> None:
    with pytest.raises(ConfigurationError, match=f"contacts: the function {name} is not allowed"):
        load(warehouse, folder, contacts=query)


def test_what_fails_long_after_the_first_rows_is_told_without_its_value(
    warehouse: duckdb.DuckDBPyConnection, folder: Path
) -> None:
    query = (
        "select n as contact_id, cast(if(n = 250000, 'Ada Secret', '1') as integer) as phone "
        "from range(250001) as numbers (n)"
    )
    before = contents(warehouse)
    with pytest.raises(ConfigurationError, match="contacts: Conversion Error at a value") as caught:
        load(warehouse, folder, contacts=query)
    assert "Secret" not in str(caught.value)
    assert contents(warehouse) == before


class InterruptedAtFirst:
    """A connection the first stream of which ends as DuckDB ends it now and then."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._query = ""
        self._streams = 0

    def execute(self, query: str) -> InterruptedAtFirst:
        self._query = query
        return self

    def to_arrow_reader(self, rows: int) -> pa.RecordBatchReader:
        self._streams += 1
        if self._streams > 1:
            return self._connection.execute(self._query).to_arrow_reader(rows)

        def interrupted() -> Iterator[pa.RecordBatch]:
            raise OSError("INTERRUPT Error: Interrupted!")
            yield

        return pa.RecordBatchReader.from_batches(pa.schema([("phone", pa.int32())]), interrupted())


def test_the_mistake_is_told_where_duckdb_tells_only_that_it_interrupted_its_other_threads(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    with duckdb.connect() as reading:
        reading.execute(
            "create view rows_read as select cast(if(n = 9, 'Ada Secret', '1') as integer) as phone"
            " from range(10) as numbers (n)"
        )
        with (
            pytest.raises(ConfigurationError, match="contacts: Conversion Error at a value"),
            streamed(
                InterruptedAtFirst(reading),  # ty: ignore[invalid-argument-type]
                warehouse,
                "rows_read",
                "contacts",
            ),
        ):
            warehouse.execute("select * from rows_read").fetchall()


# --- the source is only ever read ------------------------------------------------------


def test_the_source_is_left_as_it_was_and_let_go(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    path = database(
        tmp_path / "source" / "crm.duckdb", "create table contacts as select 1 as contact_id"
    )
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    load(warehouse, path)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == before
    assert [file.name for file in path.parent.iterdir()] == ["crm.duckdb"]
    with held_by_another_process(path):  # so the warehouse does not keep it locked
        pass


def test_two_sources_may_be_read_in_turn(
    warehouse: duckdb.DuckDBPyConnection, folder: Path, tmp_path: Path
) -> None:
    load(warehouse, folder)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "contacts.csv").write_text("contact_id\nC9\n")
    assert [row["contact_id"] for row in load(warehouse, tmp_path / "other")] == ["C9"]


def test_statements_after_a_load_mean_the_warehouse_again(
    warehouse: duckdb.DuckDBPyConnection, folder: Path
) -> None:
    before = warehouse.execute("select current_database()").fetchall()
    load(warehouse, folder)
    assert warehouse.execute("select current_database()").fetchall() == before
    assert warehouse.execute("select count(*) from staging.contacts").fetchall() == [(2,)]
