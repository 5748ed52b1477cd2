"""From where Dagster loads this package, and how a run says that it belongs there.

Here: the code location's name, for `enrichment ui` and `enrichment run` alike. Not here: what is
loaded (`definitions.py`).
"""

from enrichment_pipeline.settings import PROJECT_ROOT

WORKSPACE = PROJECT_ROOT / "workspace.yaml"
"""Beside the source; an installed package has none."""
MODULE = "enrichment_pipeline.definitions"


def location_name() -> str:
    """What Dagster calls the location that it loads so."""
    return "enrichment_pipeline" if WORKSPACE.is_file() else MODULE
