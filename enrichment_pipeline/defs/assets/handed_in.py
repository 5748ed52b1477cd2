"""The asset `handed_in_contacts`: somebody's frame of contacts, taken as the source.

Here: the only asset of ours that another one's value is given to, by that one's I/O manager.
It is made for a key, since whose asset it is differs from project to project. Not here: keeping the
frame (`steps/hand_in.py`).
"""

from typing import Any

import dagster as dg

from enrichment_pipeline.defs.assets.source import OWNERS
from enrichment_pipeline.defs.resources import Runs
from enrichment_pipeline.steps.hand_in import hand_in


def taken_from(asset: dg.AssetKey) -> dg.AssetsDefinition:
    """The asset that takes this one's value."""

    @dg.asset(
        ins={"contacts": dg.AssetIn(key=asset)},
        group_name="source",
        kinds={"duckdb"},
        owners=OWNERS,
    )
    def handed_in_contacts(
        enrichment_runs: dg.ResourceParam[Runs],
        contacts: Any,  # noqa: ANN401 - whatever the I/O manager gives
    ) -> dg.MaterializeResult:
        """The contacts as a frame of another asset's, kept for the runs to read."""
        rows = hand_in(enrichment_runs.settings, contacts)
        return dg.MaterializeResult(metadata={"dagster/row_count": rows})

    return handed_in_contacts
