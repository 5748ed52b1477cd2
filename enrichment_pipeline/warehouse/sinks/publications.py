"""Publications as sinks read them: the newest one, and the one that a sink has.

Here: naming them, and attaching their files. Not here: writing and removing them (`publish.py`).
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from enrichment_pipeline.errors import PipelineError
from enrichment_pipeline.warehouse.publish import newest_snapshot, snapshot_database
from enrichment_pipeline.warehouse.statements import literal

PUBLISHED = "published"
"""The catalogue of the newest one."""


@dataclass(frozen=True)
class Publication:
    """One published state: its name, and the ledger and the run that it comes from."""

    folder: Path
    name: str
    ledger: str
    run_id: str
    published_at: datetime

    def sibling(self, name: str) -> Path:
        """The file of a publication of this name, which may be gone."""
        return snapshot_database(self.folder, name)


def newest_publication(folder: Path, ledger: str) -> Publication:
    """What readers are led to. Raises PipelineError where nothing is published."""
    name = newest_snapshot(folder)
    if name is None:
        raise PipelineError(f"nothing is published in {folder} yet; `enrichment run` makes a start")
    with duckdb.connect(str(snapshot_database(folder, name)), read_only=True) as connection:
        connection.execute("set timezone = 'UTC'")
        [(published_at, run_id)] = connection.table("enrichment.publication").fetchall()
    return Publication(folder, name, ledger, run_id, published_at)


def attach_publications(
    connection: duckdb.DuckDBPyConnection, newest: Publication, others: Collection[str]
) -> dict[str, str]:
    """Attach the newest one, and those of the others that are still here; catalogues by name."""
    catalogues = {newest.name: PUBLISHED}
    for number, name in enumerate(sorted(set(others) - {newest.name})):
        if newest.sibling(name).exists():
            catalogues[name] = f"{PUBLISHED}_before_{number}"
    for name, catalogue in catalogues.items():
        file = literal(str(newest.sibling(name)))
        connection.execute(f"attach if not exists {file} as {catalogue} (read_only)")
    return catalogues
