"""Reading only what is newer: what is read, what is kept of it, and when everything is compared."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from enrichment_pipeline.errors import ConfigurationError, PipelineError
from enrichment_pipeline.policy import SourcePolicy
from enrichment_pipeline.warehouse.connection import transaction
from enrichment_pipeline.warehouse.load import LoadCounts, load_contacts
from enrichment_pipeline_tests.warehouse import Row

MORNING = datetime(2026, 3, 2, 5, tzinfo=UTC)
NOON = MORNING + timedelta(hours=7)
EVENING = MORNING + timedelta(hours=14)
TOMORROW = MORNING + timedelta(days=1)
OLD, NEW, NEWER = "2026-03-01 10:00", "2026-03-02 04:00", "2026-03-02 11:00"


class Crm:
    """A DuckDB file as a source, whose contacts a test states anew before each load."""

    def __init__(self, warehouse: duckdb.DuckDBPyConnection, folder: Path) -> None:
        self.warehouse = warehouse
        self.path = folder / "crm.duckdb"

    def load(
        self,
        rows: Sequence[tuple[str, str, str | None]],
        at: datetime,
        *,
        kind: str = "timestamptz",
        accepts_shrink: bool = False,
        **changes: Any,
    ) -> LoadCounts:
        """Load contacts that are an id, an e-mail and when they were changed."""
        with duckdb.connect(str(self.path)) as connection:
            connection.execute(
                f"create or replace table contacts (contact_id text, email text, changed {kind})"
            )
            for row in rows:
                connection.execute("insert into contacts values (?, ?, ?)", list(row))
        given = {"contacts": "from contacts", "incremental": "changed", **changes}
        with transaction(self.warehouse):
            return load_contacts(
                self.warehouse,
                SourcePolicy.model_validate(given),
                self.path,
                phone_region="",
                loaded_at=at,
                accepts_shrink=accepts_shrink,
            )

    @property
    def emails(self) -> dict[str, str]:
        query = "select contact_id, email from staging.contacts where left_at is null"
        return dict(self.warehouse.execute(query).fetchall())

    def kept(self) -> Row:
        result = self.warehouse.execute("from staging.source_watermark")
        [row] = result.fetchall()
        return dict(zip([column[0] for column in result.description], row, strict=True))


@pytest.fixture
def crm(warehouse: duckdb.DuckDBPyConnection, tmp_path: Path) -> Crm:
    return Crm(warehouse, tmp_path)


@pytest.mark.parametrize(
    "kind", ["timestamptz", "timestamp", "timestamp_ns", "timestamp_s", "text"]
)
def test_later_on_a_day_only_newer_rows_are_read_ties_and_those_without_a_mark(
    crm: Crm, kind: str
) -> None:
    first = crm.load(
        [("old", "1", OLD), ("tie", "1", NEW), ("blank", "1", None)], MORNING, kind=kind
    )
    assert (first.read, first.changed) == (None, 3)
    second = crm.load(
        [("old", "2", OLD), ("tie", "2", NEW), ("blank", "2", None), ("new", "2", NEWER)],
        NOON,
        kind=kind,
    )
    assert (second.read, second.present, second.changed, second.left) == (3, 4, 3, 0)
    assert crm.emails == {"old": "1", "tie": "2", "blank": "2", "new": "2"}


def test_dates_and_numbers_are_marks_too(crm: Crm) -> None:
    for kind, marks in (("date", ("2026-03-01", "2026-03-02")), ("bigint", ("9", "10"))):
        rows = [("a", "1", marks[0]), ("b", "1", marks[1])]
        crm.load(rows, MORNING, kind=kind)
        assert crm.load(rows, NOON, kind=kind).read == 1
    assert crm.kept()["newest"] == "10"


def test_the_first_load_of_a_day_compares_all_and_sees_what_left_and_what_is_late(crm: Crm) -> None:
    crm.load([("a", "1", OLD), ("b", "1", NEW)], MORNING)
    late = [("b", "1", NEW), ("late", "1", OLD)]
    assert crm.load(late, NOON).left == 0
    assert set(crm.emails) == {"a", "b"}
    counts = crm.load(late, TOMORROW)
    assert (counts.read, counts.left) == (None, 1)
    assert set(crm.emails) == {"b", "late"}


def test_another_query_or_column_or_source_compares_all(crm: Crm, tmp_path: Path) -> None:
    rows = [("a", "1", OLD), ("b", "1", NEW)]
    crm.load(rows, MORNING)
    query = "select contact_id, email, changed, changed as updated_at from contacts"
    assert crm.load(rows, NOON, contacts=query).read is None
    assert crm.load(rows, NOON, contacts=query, incremental="updated_at").read is None
    assert crm.load(rows, NOON, contacts=query, incremental="updated_at").read == 1
    assert crm.load(rows, NOON, kind="text", contacts=query, incremental="updated_at").read is None
    crm.path = tmp_path / "moved.duckdb"
    assert crm.load(rows, NOON, contacts=query, incremental="updated_at").read is None


def test_a_run_that_accepts_a_shrink_compares_all(crm: Crm) -> None:
    many = [(f"c{n}", "1", OLD) for n in range(40)]
    crm.load(many, MORNING)
    assert crm.load(many[:5], NOON).left == 0
    with pytest.raises(PipelineError, match="has lost 35 of the 40 contacts"):
        crm.load(many[:5], TOMORROW)
    assert crm.load(many[:5], EVENING, accepts_shrink=True).left == 35


def test_the_mark_is_never_later_than_the_load(crm: Crm) -> None:
    crm.load([("a", "1", OLD), ("future", "1", "2099-01-01 00:00")], MORNING)
    crm.load([("a", "2", NEWER), ("future", "1", "2099-01-01 00:00")], NOON)
    assert crm.emails["a"] == "2"


def test_the_mark_never_falls(crm: Crm) -> None:
    crm.load([("a", "1", NEW)], MORNING)
    crm.load([("a", "1", OLD)], NOON)
    assert crm.kept()["newest"] == "2026-03-02 04:00:00.000000+00"
    assert crm.kept()["compared_at"] == MORNING


def test_a_load_that_is_taken_back_leaves_the_mark_as_it_was(crm: Crm) -> None:
    crm.load([("a", "1", OLD)], MORNING)
    before = crm.kept()
    with pytest.raises(ConfigurationError):
        crm.load([("a", "1", NEW), (None, "1", NEWER)], NOON)  # ty: ignore[invalid-argument-type]
    assert crm.kept() == before


def test_where_an_id_repeats_the_latest_row_wins_whichever_is_read(crm: Crm) -> None:
    query = "select contact_id, email, changed as updated_at from contacts"
    changes: dict[str, Any] = {"contacts": query, "incremental": "updated_at"}
    rows = [("a", "dated", OLD), ("a", "blank", None), ("b", "1", NEW)]
    crm.load(rows, MORNING, **changes)
    assert crm.load(rows, NOON, **changes).changed == 0
    assert crm.emails["a"] == "dated"
    repeated = crm.warehouse.execute(
        "select source_rows from staging.source_contact_ids where contact_id = 'a'"
    )
    assert repeated.fetchall() == [(2,)]


def test_a_contact_that_comes_back_is_there_again(crm: Crm) -> None:
    crm.load([("a", "1", OLD), ("b", "1", OLD)], MORNING)
    crm.load([("b", "1", OLD)], TOMORROW)
    assert set(crm.emails) == {"b"}
    crm.load([("a", "2", NEWER), ("b", "1", OLD)], TOMORROW + timedelta(hours=1))
    assert crm.emails == {"a": "2", "b": "1"}


@pytest.mark.parametrize(
    ("changes", "kind", "words"),
    [
        (
            {"incremental": "modified"},
            "timestamptz",
            r"\[source\] incremental: .* no column modified; it gives contact_id, email, changed",
        ),
        ({}, "boolean", r"\[source\] incremental: .* changed is BOOLEAN; it must be an instant"),
    ],
)
def test_a_column_that_is_no_mark_is_told(
    crm: Crm, changes: dict[str, Any], kind: str, words: str
) -> None:
    with pytest.raises(ConfigurationError, match=words):
        crm.load([("a", "1", None)], MORNING, kind=kind, **changes)
