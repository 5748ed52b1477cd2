"""What checks look for: rows that should not be there, and shares that have fallen.

Here: the queries, typed. Not here: what is made of them (`defs/checks.py`).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import duckdb
import pyarrow as pa

from enrichment_pipeline.policy import FreshnessPolicy
from enrichment_pipeline.warehouse.common_profile import readings
from enrichment_pipeline.warehouse.figures import WaitingReview
from enrichment_pipeline.warehouse.statements import execute, registered

EARLIER_RUNS = 5
UNREAD_AFTER = timedelta(days=14)


@dataclass(frozen=True)
class RunComparison:
    """A share of the last run's answers, and what the runs before it let expect.

    `hits` of the `compared` answers count towards the share; `expected_hits` would, had it been
    as in the earlier runs.
    """

    run_id: str
    share: float
    compared: int
    hits: int
    expected_hits: float


def find_unaccounted_contacts(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    """Contacts without a status and the reverse: the id, and which of the two; or `overtaken`."""
    return execute(connection, "find_unaccounted_contacts").fetchall()


def count_disagreeing_flags(connection: duckdb.DuckDBPyConnection) -> int:
    """Contacts whose `needs_manual_enrichment` says something else than `needs_review`."""
    return execute(connection, "count_disagreeing_flags").fetchall()[0][0]


def find_repeated_ids(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, int]]:
    """Ids that stand in the source more than once, with the number of their rows."""
    return execute(connection, "find_repeated_ids").fetchall()


def find_unproven_values(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    """Values shown as verified that neither a provider rated so nor a person gave: id and field."""
    ratings = [(each.provider, rating) for each in readings() for rating in each.verified]
    proving = pa.table(
        {
            "provider": pa.array([provider for provider, _ in ratings], pa.string()),
            "rating": pa.array([rating for _, rating in ratings], pa.string()),
        }
    )
    with registered(connection, "verified_ratings", proving):
        return execute(connection, "find_unproven_values").fetchall()


def find_expired_answers(
    connection: duckdb.DuckDBPyConnection, ages: FreshnessPolicy, as_of: datetime
) -> list[tuple[str, str]]:
    """Answers older than the policy allows that are shown otherwise: the contact, and as what."""
    return execute(
        connection,
        "find_expired_answers",
        as_of=as_of,
        max_age_days=ages.max_age_days,
        no_match_days=ages.no_match_days,
    ).fetchall()


def find_unread_reviews(
    connection: duckdb.DuckDBPyConnection, as_of: datetime
) -> list[WaitingReview]:
    """Contacts that have waited for a reviewer for `UNREAD_AFTER`."""
    flagged_before = as_of - UNREAD_AFTER
    rows = execute(connection, "find_unread_reviews", flagged_before=flagged_before).fetchall()
    return [WaitingReview(*row) for row in rows]


def compare_match_rate(connection: duckdb.DuckDBPyConnection) -> RunComparison | None:
    """The share of the last run's answers that found the person; None without answers."""
    return _compare(connection, "match_rate")


def compare_verified_share(connection: duckdb.DuckDBPyConnection) -> RunComparison | None:
    """The share of those found who have a verified e-mail; None where no one was found."""
    return _compare(connection, "verified_share")


def _compare(connection: duckdb.DuckDBPyConnection, measure: str) -> RunComparison | None:
    rows = execute(connection, "compare_runs", earlier_runs=EARLIER_RUNS).fetchall()
    return next((RunComparison(*row[1:]) for row in rows if row[0] == measure), None)
