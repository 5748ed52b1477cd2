"""Whole copies of the warehouse's file.

Here: copying it while it cannot change. Not here: where copies lie (`backup.py`).
"""

import shutil
from collections.abc import Callable
from pathlib import Path

from enrichment_pipeline.disk import flush
from enrichment_pipeline.errors import PipelineError
from enrichment_pipeline.privacy import owner_only
from enrichment_pipeline.warehouse.connection import (
    LOCK_WAIT_SECONDS,
    connect,
    open_warehouse,
)
from enrichment_pipeline.warehouse.statements import execute

LOG = ".wal"
"""What DuckDB adds to the file's name for its log; a killed writer leaves one behind."""


def copy_warehouse(path: Path, target: Path, on_wait: Callable[[str], None]) -> None:
    """Copy the file and its log while readers alone have it open; waits for a writer, bounded.

    Then reads all of the copy, since a damaged one is worth nothing. Raises PipelineError where
    a writer has the file for longer than LOCK_WAIT_SECONDS, and where it is damaged.
    """
    with owner_only():
        reader = connect(str(path), read_only=True, wait_seconds=LOCK_WAIT_SECONDS, on_wait=on_wait)
        try:
            # The log first: closing the file itself gives up all locks that the process
            # has on it, those of DuckDB's connection included.
            for name in (f"{path}{LOG}", str(path)):
                if Path(name).exists():
                    copy = f"{target}{LOG}" if name.endswith(LOG) else str(target)
                    shutil.copyfile(name, copy)
                    flush(Path(copy))
        finally:
            reader.close()
    try:
        with open_warehouse(str(target), read_only=True) as copy:
            for schema, table in execute(copy, "list_stored_tables").fetchall():
                copy.execute(f'select count(columns(*)) from "{schema}"."{table}"')
    except PipelineError as error:
        # it names the copy, which goes away with it
        raise PipelineError(str(error).replace(str(target), str(path))) from None


def is_empty_warehouse(path: Path) -> bool:
    """Whether no run has ever put anything into it, or it is not there at all."""
    if not path.exists():
        return True
    with open_warehouse(str(path), read_only=True) as connection:
        return not any(
            connection.table(name).limit(1).fetchall()
            for name in ("staging.contacts", "raw.lookups", "raw.review_decisions")
        )
