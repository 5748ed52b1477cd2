"""Dagster's own databases, where one of them is damaged.

Here: finding it, and saying what it is worth. Not here: opening Dagster's instance
(`run_command.py`).
"""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from enrichment_pipeline.errors import DISK_FULL, PipelineError

NO_ROOM_BYTES = 2**20


def refuse_damage(dagster_home: Path) -> None:
    """Raise PipelineError where one of Dagster's databases cannot be read, or the disk is full."""
    if shutil.disk_usage(dagster_home).free < NO_ROOM_BYTES:  # SQLite has many words for it
        raise PipelineError(DISK_FULL)
    for path in sorted(dagster_home.rglob("*.db")):
        if problem := _problem(path):
            raise PipelineError(
                f"{path}: Dagster's record of runs is damaged ({problem}). It holds no contact and "
                f"nothing that was paid for: move {dagster_home} away, and the next run makes a "
                "new one; then switch the schedule and the sensors on again that were on"
            )


def _problem(path: Path) -> str | None:
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
            (found,) = connection.execute("pragma quick_check(1)").fetchone()
            return None if found == "ok" else " ".join(found.split())
    except sqlite3.OperationalError:  # it is busy, or gone: others know more
        return None
    except sqlite3.DatabaseError as error:
        return str(error)
