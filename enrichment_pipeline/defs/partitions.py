"""The lanes as Dagster partitions.

Here: the partitions definition, and reading lanes off a run. Not here: what a
lane means (`lanes.py`, `warehouse/sql/planning/derive_contact_states.sql`).
"""

import dagster as dg

from enrichment_pipeline.lanes import FRESHNESS, PRIORITIES, Lane


class LanePartitions(dg.MultiPartitionsDefinition):
    """The product of both dimensions, whose runs carry no tag of a single dimension.

    A job backfill over a range copies the tags of its first key onto every run, and
    Dagster (1.13) prefers `dagster/partition/<dimension>` to the range: the run
    would look at one lane, and be marked as having done them all.
    """

    def get_tags_for_partition_key(self, partition_key: str) -> dict[str, str]:
        return {"dagster/partition": str(partition_key)}


lanes_partitions = LanePartitions(
    {
        "freshness": dg.StaticPartitionsDefinition(list(FRESHNESS)),
        "priority": dg.StaticPartitionsDefinition(list(PRIORITIES)),
    }
)


def lanes_of(context: dg.AssetExecutionContext) -> list[Lane]:
    """The lanes of this run. An impossible range gives none, and would end green: fail loudly."""
    if context.has_partition_key_range:
        keys = lanes_partitions.get_partition_keys_in_range(context.partition_key_range)
    else:
        keys = [context.partition_key] if context.has_partition_key else []
    if not keys:
        raise dg.Failure(
            "no lane is selected: choose partitions such as new|strategic, or a range whose "
            "first lane comes before its last"
        )
    return [Lane.from_key(key) for key in keys]


def refuse_impossible_range(context: dg.AssetExecutionContext) -> None:
    """Fail before anything is loaded, though only later assets are partitioned."""
    if context.has_partition_key_range:
        lanes_of(context)
