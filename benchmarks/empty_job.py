"""An empty Dagster job in this process: what Dagster itself costs, beside which `idle` puts ours.

Here: nothing of ours, not even an import.
"""

from __future__ import annotations

import os
import sys

import dagster as dg


def main(assets: int) -> None:
    """As many assets as we have, that do nothing, recorded where our runs are."""

    def nothing(number: int) -> dg.AssetsDefinition:
        @dg.asset(name=f"nothing_{number}")
        def asset() -> None: ...

        return asset

    definitions = dg.Definitions(
        assets=[nothing(number) for number in range(assets)],
        jobs=[dg.define_asset_job("empty", selection=dg.AssetSelection.all())],
        executor=dg.in_process_executor,
    )
    with dg.DagsterInstance.from_config(os.environ["DAGSTER_HOME"]) as instance:
        quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
        job = definitions.resolve_job_def("empty")
        job.execute_in_process(instance=instance, run_config=quiet)


if __name__ == "__main__":
    main(int(sys.argv[1]))
