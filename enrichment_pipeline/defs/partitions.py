"""The lanes as Dagster partitions.

Here: the partitions definition, and reading lanes off a run. Not here: what a
lane means (`lanes.py`, `warehouse/sql/derive_contact_states.sql`).
"""

import dagster as dg

from enrichment_pipeline.lanes import FRESHNESS, PRIORITIES, Lane

lanes_partitions = dg.MultiPartitionsDefinition(
    {
        "freshness": dg.StaticPartitionsDefinition(list(FRESHNESS)),
        "priority": dg.StaticPartitionsDefinition(list(PRIORITIES)),
    }
)


def lanes_of(context: dg.AssetExecutionContext) -> list[Lane]:
    """The lanes of this run. An impossible range gives none, and would end green: fail loudly."""
    if not context.has_partition_key and not context.has_partition_key_range:
        lanes = []
    else:
        lanes = [Lane.from_key(key) for key in context.partition_keys]
    if not lanes:
        raise dg.Failure(
            "no lane is selected: choose partitions such as new|strategic, or a range whose "
            "first lane comes before its last"
        )
    return lanes
