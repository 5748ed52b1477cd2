"""A BI client: reads what is published in a loop, and stops at the first thing that is wrong.

Run as `python -m benchmarks.reader FOLDER STOP`: until the file STOP is there; then it prints
how often it read in each way, and which states it saw. Here: three ways of reading. Not here:
publishing (`readers.py`).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow.parquet as pq
import sqlalchemy as sa

Fetch = Callable[[str], list[tuple]]

TABLES = ("contact_status", "enriched_contacts", "needs_review", "lookups", "accounts")
VIEWS = (
    "coverage_by_account",
    "coverage_by_priority",
    "spend_by_day",
    "refresh_debt",
    "provider_scorecard",
    "lookup_costs",
)


def look(fetch: Fetch) -> str:
    """Read one state of the database; the run that published it."""
    [(run_id,)] = fetch("select run_id from enrichment.publication")
    for name in (*TABLES, *VIEWS):
        [(rows,)] = fetch(f"select count(*) from enrichment.{name}")
        assert rows, f"{name} is empty"
    [(contacts,)] = fetch("select count(*) from enrichment.contact_status")
    [(covered,)] = fetch("select sum(contacts) from enrichment.coverage_by_priority")
    assert contacts == covered
    [(flagged,)] = fetch(
        "select count(*) from enrichment.contact_status where status = 'needs_review'"
    )
    [(for_review,)] = fetch("select count(*) from enrichment.needs_review")
    assert flagged == for_review
    return run_id


def read_with_duckdb(folder: Path) -> str:
    with duckdb.connect(str(folder / "warehouse.duckdb"), read_only=True) as connection:
        return look(lambda query: connection.execute(query).fetchall())


def read_with_sqlalchemy(folder: Path) -> str:
    engine = sa.create_engine(
        f"duckdb:///{folder / 'warehouse.duckdb'}", connect_args={"read_only": True}
    )
    try:
        with engine.connect() as connection:
            return look(lambda query: [tuple(row) for row in connection.execute(sa.text(query))])
    finally:
        engine.dispose()


def read_with_pandas(folder: Path) -> str:
    """Read every file: by the fixed paths each, and as one state through `current`.

    A path is opened by ourselves: pandas would open it twice, before and after a publication.
    """
    for name in (*TABLES, *VIEWS):
        with (folder / f"{name}.parquet").open("rb") as file:
            assert len(pd.read_parquet(file)), f"{name} is empty"
    state = (folder / "current").resolve()
    frames = {name: pd.read_parquet(state / f"{name}.parquet") for name in (*TABLES, *VIEWS)}
    run_ids = {
        pq.read_metadata(state / f"{name}.parquet").metadata[b"run_id"].decode() for name in frames
    }
    assert len(run_ids) == 1, "files of two states"
    statuses = frames["contact_status"]["status"]
    assert len(statuses) == frames["coverage_by_priority"]["contacts"].sum()
    assert (statuses == "needs_review").sum() == len(frames["needs_review"])
    return run_ids.pop()


WAYS = {
    "duckdb": read_with_duckdb,
    "sqlalchemy": read_with_sqlalchemy,
    "pandas": read_with_pandas,
}


def main(folder: Path, stop: Path) -> None:
    seen: dict[str, dict[str, int]] = {way: {} for way in WAYS}  # reads by state
    is_last = False
    while not is_last:
        is_last = stop.exists()
        for way, read in WAYS.items():
            run_id = read(folder)
            seen[way][run_id] = seen[way].get(run_id, 0) + 1
    print(json.dumps(seen))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
