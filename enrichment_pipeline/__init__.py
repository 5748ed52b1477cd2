"""Contact enrichment in the warehouse: Dagster, DuckDB and a ledger of paid calls.

What other projects import: `Enricher` and `SyncEnricher`, the point of entry from Python. They are
imported when they are asked for, since a command that needs neither should not wait for them.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from enrichment_pipeline.entry.enricher import Enricher, SyncEnricher

__all__ = ["Enricher", "SyncEnricher"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever is asked for
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from enrichment_pipeline.entry import enricher

    return getattr(enricher, name)
