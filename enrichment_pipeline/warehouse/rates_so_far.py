"""What look-ups at each provider have cost so far, and how many of them have settled nothing.

Here: reading that off the answers that are there. Not here: what follows for look-ups to come
(`steps/forecast.py`), and the figures that people read (`figures.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from enrichment_pipeline.warehouse.statements import execute


@dataclass(frozen=True)
class RatesSoFar:
    """By so many answered look-ups: the credits that one costs on average.

    `open_share` of them have left the contact without what is required. To each belong so many
    `verifications` of addresses on average, which have cost so many credits at who verifies.
    """

    lookups: int
    credits: float
    open_share: float
    verifications: float = 0.0
    verification_credits: float = 0.0


def read_rates_so_far(
    connection: duckdb.DuckDBPyConnection, require: Sequence[str]
) -> dict[str, RatesSoFar]:
    """By provider, for those that have answered."""
    rows = execute(connection, "read_rates_so_far", require=list(require)).fetchall()
    return {provider: RatesSoFar(*rates) for provider, *rates in rows}
