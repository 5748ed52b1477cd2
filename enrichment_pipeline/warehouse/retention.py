"""Erasing a provider's answers that the policy does not let us keep any longer.

Here: when that is, and the order of the statements. Not here: what stays of an answer
(`sql/retention/erase_answers.sql`), and the ledger's bodies (`ledger/erasure.py`). Call it in a
transaction, once the outcomes are derived: what is shown then is what stays.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

import duckdb

from enrichment_pipeline.policy import Policy
from enrichment_pipeline.warehouse import judging
from enrichment_pipeline.warehouse.derived import leave_contacts_dirty
from enrichment_pipeline.warehouse.statements import execute


def expiries(policy: Policy, as_of: datetime) -> Iterator[tuple[str, datetime]]:
    """The providers whose answers are not kept for ever, and since when those count that are."""
    for provider, table in policy.every_provider.items():
        if table.retain_days:
            yield provider, as_of - timedelta(days=table.retain_days)


def erase_expired_answers(
    connection: duckdb.DuckDBPyConnection, policy: Policy, as_of: datetime
) -> int:
    """Erase what is too old, but for what is shown of it; how many answers to look-ups that is."""
    erased = 0
    for provider, before in expiries(policy, as_of):
        execute(connection, "erase_answers", provider=provider, before=before)
        [(count,)] = connection.execute("select count(*) from expired_answers").fetchall()
        erased += count
    if erased:
        judging.apply_checks(connection, policy)
        execute(connection, "forget_aliases")
        leave_contacts_dirty(connection, "forgotten_aliases")
    return erased
