"""An empty Dagster job in this process: what Dagster itself costs, beside which `idle` puts ours.

Here: nothing of ours, not even an import. Arguments: how many assets, how many of them have twelve
lanes as partitions, and how many checks there are.
"""

from __future__ import annotations

import os
import sys

import dagster as dg

LANES = dg.MultiPartitionsDefinition(
    {
        "freshness": dg.StaticPartitionsDefinition(["new", "retry", "stale"]),
        "priority": dg.StaticPartitionsDefinition(["strategic", "target", "standard", "bulk"]),
    }
)
ALL_LANES = {
    "dagster/asset_partition_range_start": "new|strategic",
    "dagster/asset_partition_range_end": "stale|bulk",
}
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def main(assets: int, with_lanes: int, checks: int) -> None:
    """Run the job once, recorded where our runs are."""
    definitions = dg.Definitions(
        assets=[
            empty_asset(f"empty_{number}", LANES if number < with_lanes else None, names)
            for number, names in enumerate(_spread(checks, assets))
        ],
        jobs=[dg.define_asset_job("empty", selection=dg.AssetSelection.all())],
        executor=dg.in_process_executor,
    )
    with dg.DagsterInstance.from_config(os.environ["DAGSTER_HOME"]) as instance:
        definitions.resolve_job_def("empty").execute_in_process(
            instance=instance, run_config=QUIET, tags=ALL_LANES if with_lanes else {}
        )


def empty_asset(
    name: str, lanes: dg.PartitionsDefinition | None, checks: list[str]
) -> dg.AssetsDefinition:
    @dg.asset(
        name=name,
        partitions_def=lanes,
        backfill_policy=dg.BackfillPolicy.single_run() if lanes else None,
        check_specs=[dg.AssetCheckSpec(check, asset=name) for check in checks],
    )
    def empty() -> dg.MaterializeResult:
        passed = [
            dg.AssetCheckResult(asset_key=name, check_name=check, passed=True) for check in checks
        ]
        return dg.MaterializeResult(check_results=passed)

    return empty


def _spread(checks: int, assets: int) -> list[list[str]]:
    """The names of each asset's checks."""
    return [
        [f"check_{number}" for number in range(first, checks, assets)] for first in range(assets)
    ]


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
