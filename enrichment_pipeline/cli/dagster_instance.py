"""Opening Dagster's record of runs.

Here: its instance, one process at a time. Not here: its storage (`event_log.py`), and what is
damaged in it (`dagster_home.py`).
"""

from pathlib import Path

from dagster import DagsterInstance
from dagster._core.instance.ref import InstanceRef
from filelock import FileLock
from sqlalchemy.exc import DatabaseError

from enrichment_pipeline.cli.dagster_home import refuse_damage
from enrichment_pipeline.cli.event_log import with_open_event_log


def open_instance(dagster_home: Path) -> DagsterInstance:
    """Dagster's instance; one process at a time, since the first one creates its tables.

    Two that create them at once leave a home behind that Dagster cannot open any more.
    """
    with FileLock(dagster_home / ".enrichment.lock"):
        try:
            reference = InstanceRef.from_dir(str(dagster_home))
            return DagsterInstance.from_ref(with_open_event_log(reference))
        except DatabaseError:
            refuse_damage(dagster_home)
            raise
