"""The sample warehouse: the CSV files of `data/sample` as a DuckDB database.

Belongs here: making that file. Does not belong here: making the CSV files
(`data/sample/make_sample.py`), and reading the database (it is a source like any other).
"""

from __future__ import annotations

import os
from pathlib import Path

import duckdb


def create_sample_warehouse(folder: Path, target: Path) -> None:
    """Make `target` from contacts.csv and accounts.csv, unless it is there already.

    Raises FileNotFoundError where the CSV files are missing.
    """
    if target.exists():
        return
    for name in ("contacts.csv", "accounts.csv"):
        if not (folder / name).is_file():
            raise FileNotFoundError(folder / name)
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    with duckdb.connect(str(draft)) as connection:
        connection.execute("create schema crm")
        for table in ("contacts", "accounts"):
            path = str(folder / f"{table}.csv").replace("'", "''")
            connection.execute(
                f"create table crm.{table} as from read_csv('{path}', all_varchar = true)"
            )
    draft.replace(target)
