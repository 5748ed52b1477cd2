"""What the warehouse belongs to: the source of its contacts, and who answers.

Here: the stamp inside the DuckDB file, since that file can be put anywhere by
URL. Not here: the comparison with the settings (`state.py`).
"""

from collections.abc import Mapping

import duckdb


def warehouse_stamp(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """The stamp that the warehouse bears; empty where it is new."""
    query = "select key, value from staging.stamp where key not in ('tables', 'judged_contacts')"
    return dict(connection.execute(query).fetchall())


def stamp_warehouse(
    connection: duckdb.DuckDBPyConnection, wanted: Mapping[str, str]
) -> dict[str, str]:
    """Stamp the warehouse with what it has no value of; the stamp that it bears after that."""
    found = warehouse_stamp(connection)
    for key, value in wanted.items():
        if key not in found:
            connection.execute("insert into staging.stamp (key, value) values (?, ?)", [key, value])
    return {**wanted, **found}
