"""The table `enrichment.providers`: who is asked, in which order, and what a credit costs there.

Here: writing it by the policy of a run. Not here: what is reckoned with it (the views of
`create_views.sql`), and budgets, which the ledger keeps by the prices of the time.
"""

import duckdb

from enrichment_pipeline.policy import Policy
from enrichment_pipeline.warehouse.statements import execute
from enrichment_pipeline.waterfall import Waterfall


def replace_providers(
    connection: duckdb.DuckDBPyConnection, policy: Policy, waterfall: Waterfall
) -> None:
    """List who is asked, who verifies, and who was asked before. Call it in a transaction."""
    prices = {name: table.price for name, table in policy.every_provider.items()}
    execute(
        connection,
        "replace_providers",
        asked=[turn.provider for turn in waterfall],
        verifiers=[policy.waterfall.verify] if policy.verifies_addresses else [],
        priced=list(prices),
        prices=list(prices.values()),
    )
