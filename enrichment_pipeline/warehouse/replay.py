"""Deriving everything anew, taking back what a run bought, and telling what that changes.

Here: replay and undo as two ways of bringing facts and tables to what the logs say, and
comparing the tables before and after. Not here: how facts and tables are derived
(`judging.py`). Call each function in a transaction; rolling it back is a preview.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import duckdb

from enrichment_pipeline.errors import ConfigurationError
from enrichment_pipeline.policy import Policy
from enrichment_pipeline.warehouse.derived import leave_contacts_dirty
from enrichment_pipeline.warehouse.judging import derive_facts, derive_outcomes
from enrichment_pipeline.warehouse.statements import execute
from enrichment_pipeline.waterfall import Waterfall


@dataclass(frozen=True)
class Change:
    """How many values of one field, or whole rows (no field), differ in a table.

    `change` is added, gone or changed; `examples` are ids of contacts or companies.
    """

    table: str
    field: str | None
    change: str
    count: int
    examples: list[str]


def replay(
    connection: duckdb.DuckDBPyConnection,
    policy: Policy,
    *,
    waterfall: Waterfall,
    as_of: datetime,
    replayed_at: datetime,
) -> list[Change]:
    """Derive all facts and tables anew from the raw answers; what that changed."""

    def derive() -> None:
        execute(connection, "forget_facts")
        derive_facts(connection, policy, loaded_at=replayed_at)
        execute(connection, "forget_aliases")
        leave_contacts_dirty(connection, "forgotten_aliases")
        derive_outcomes(
            connection, policy, waterfall=waterfall, as_of=as_of, flagged_at=replayed_at
        )

    return _compared(connection, derive)


def undo_run(
    connection: duckdb.DuckDBPyConnection,
    policy: Policy,
    run_id: str,
    *,
    waterfall: Waterfall,
    as_of: datetime,
    undone_at: datetime,
    undone_by: str,
) -> list[Change]:
    """Have what a run bought not count any more, from now on; what that changed.

    The raw answers and their look-ups stay: the money is spent. Raises
    ConfigurationError for a run that bought nothing.
    """
    is_known, is_undone = execute(connection, "find_run", run_id=run_id).fetchall()[0]
    if not is_known:
        raise ConfigurationError(
            f"undo: no run {run_id} has bought anything; runs are named in run_id of "
            "enriched_contacts and person_facts, and in Dagster's UI"
        )

    def derive() -> None:
        if not is_undone:
            execute(
                connection,
                "insert_undone_run",
                run_id=run_id,
                undone_at=undone_at,
                undone_by=undone_by,
            )
        derive_facts(connection, policy, loaded_at=undone_at)
        derive_outcomes(connection, policy, waterfall=waterfall, as_of=as_of, flagged_at=undone_at)

    return _compared(connection, derive)


def _compared(connection: duckdb.DuckDBPyConnection, derive: Callable[[], None]) -> list[Change]:
    execute(connection, "collect_rows")
    execute(connection, "keep_collected_rows")
    derive()
    execute(connection, "collect_rows")
    return [Change(*row) for row in execute(connection, "compare_rows").fetchall()]
