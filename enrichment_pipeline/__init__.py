"""Contact enrichment in the warehouse: Dagster, DuckDB and a ledger of paid calls.

What other projects import: `build_definitions` for a Dagster project, `Enricher` and
`SyncEnricher`, the point of entry from Python, and `read_published`, what is published as pandas
frames. They are imported when they are asked for, since a command that needs none of them should
not wait for them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from enrichment_pipeline.definitions import build_definitions
    from enrichment_pipeline.entry.enricher import Enricher, SyncEnricher
    from enrichment_pipeline.published_frames import read_published

__all__ = ["Enricher", "SyncEnricher", "build_definitions", "read_published"]
_PLACES = {
    "build_definitions": "enrichment_pipeline.definitions",
    "Enricher": "enrichment_pipeline.entry.enricher",
    "SyncEnricher": "enrichment_pipeline.entry.enricher",
    "read_published": "enrichment_pipeline.published_frames",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever is asked for
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PLACES[name]), name)
