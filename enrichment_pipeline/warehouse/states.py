"""Where every contact stands at an instant with a provider: what the work list and outcomes share.

Here: handing the provider and the policy's numbers to `derive_contact_states.sql`. Not here: the
rules themselves, which are that file. A new number of `[freshness]` comes along by itself.
"""

from datetime import datetime

import duckdb

from enrichment_pipeline.policy import Policy
from enrichment_pipeline.warehouse.statements import execute


def derive_contact_states(
    connection: duckdb.DuckDBPyConnection, policy: Policy, provider: str, as_of: datetime
) -> None:
    """Make the temporary view `contact_states`: what is due at `provider`, ages counted to `as_of`.

    It holds on this connection until it is made again, and shows what the tables
    under it hold when it is read.
    """
    execute(connection, "select_current_decisions")
    derive_search_states(connection, policy, provider, as_of)
    execute(
        connection,
        "derive_contact_states",
        provider=provider,
        as_of=as_of,
        entry_priority=policy.entry.priority,
        **policy.freshness.model_dump(),
        **{f"retry_{name}": value for name, value in policy.retry.model_dump().items()},
        **{
            f"{name}_weight": weight
            for name, weight in policy.priority.weights.model_dump().items()
        },
        **{f"{name}_band": score for name, score in policy.priority.bands.model_dump().items()},
    )


def derive_search_states(
    connection: duckdb.DuckDBPyConnection, policy: Policy, provider: str, as_of: datetime
) -> None:
    """Make the temporary table `person_searches`; reviewers' decisions must be selected."""
    execute(
        connection,
        "derive_search_states",
        provider=provider,
        as_of=as_of,
        is_search_on=policy.searches_at(provider),
        no_match_days=policy.freshness.no_match_days,
        max_age_days=policy.freshness.max_age_days,
    )
