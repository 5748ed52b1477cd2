"""What Dagster is told: assets, lanes, checks, job and schedule."""
