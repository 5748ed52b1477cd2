"""Dagster objects only, thin: what to run, in which order, shown how.

Here: assets, checks, partitions, jobs, schedules, resources. Not here: how a
step is done (`pipeline.py`). Nothing imports this package but `definitions`.
"""
