"""Dagster objects only, thin: what to run, in which order, shown how.

Here: assets, checks, partitions, jobs, schedules, resources. Not here: how a
step is done (`steps/`). Nothing imports this package but `definitions`.
"""

import warnings

# `backfill_policy` is in beta in the Dagster that uv.lock pins; a user can do nothing about that.
warnings.filterwarnings("ignore", message=".*`backfill_policy`.* is currently in beta")
