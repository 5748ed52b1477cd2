"""The lanes as partitions: what Dagster does with them, and what it must not."""

from enrichment_pipeline.defs.partitions import lanes_partitions
from enrichment_pipeline.lanes import FRESHNESS, PRIORITIES


def test_lanes_are_listed_freshness_first_in_their_order():
    keys = [f"{f}|{p}" for f in FRESHNESS for p in PRIORITIES]
    assert lanes_partitions.get_partition_keys() == keys


def test_no_run_carries_the_tag_of_a_single_dimension():
    """A job backfill copies its first key's tags onto every run, and Dagster prefers them.

    With Dagster's own tags, "Materialize all" over several lanes on the job's page did one
    lane, bought nothing for the others, and ended green. The subclass looks like a needless one.
    """
    tags = lanes_partitions.get_tags_for_partition_key("retry|target")
    assert tags == {"dagster/partition": "retry|target"}
