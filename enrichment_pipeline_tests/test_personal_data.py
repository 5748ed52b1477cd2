"""Where a person stands: the list is the schemas', so that a new column must be decided on.

The files of a state folder are compared where one is made (`end_to_end/test_run.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby

from enrichment_pipeline.ledger.schema import metadata
from enrichment_pipeline.personal_data import LEDGER, WAREHOUSE, Table
from enrichment_pipeline_tests.warehouse import prepared

COLUMNS = """
select concat(schema_name, '.', table_name), column_name
from duckdb_columns()
where not internal and database_name = current_database()
order by all
"""


def undecided(schema: Mapping[str, Iterable[str]], listed: Mapping[str, Table]) -> list[str]:
    """The columns that only one of the two has, or that are listed both ways."""
    there = {f"{table}.{column}" for table, columns in schema.items() for column in columns}
    personal = {f"{name}.{column}" for name, table in listed.items() for column in table.personal}
    others = {f"{name}.{column}" for name, table in listed.items() for column in table.nothing}
    return sorted((there ^ (personal | others)) | (personal & others))


def test_each_column_of_the_warehouse_is_listed_with_what_it_holds() -> None:
    with prepared.opened() as connection:
        rows = connection.execute(COLUMNS).fetchall()
    schema = {
        table: [column for _, column in columns]
        for table, columns in groupby(rows, key=lambda row: row[0])
    }
    assert {"staging.contacts", "raw.lookups", "enrichment.spend_by_day"} <= schema.keys()
    assert undecided(schema, WAREHOUSE) == []


def test_each_column_of_the_ledger_is_listed_with_what_it_holds() -> None:
    schema = {name: table.columns.keys() for name, table in metadata.tables.items()}
    assert {"calls", "replies", "call_identifiers", "suppressions"} <= schema.keys()
    assert undecided(schema, LEDGER) == []


def test_a_column_that_is_not_listed_is_found() -> None:
    listed = {"calls": Table({}, frozenset({"call_id", "gone"}))}
    schema = {"calls": ["call_id", "nickname"], "new": ["email"]}
    assert undecided(schema, listed) == ["calls.gone", "calls.nickname", "new.email"]
