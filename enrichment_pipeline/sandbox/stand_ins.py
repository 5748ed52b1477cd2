"""Which stand-ins `enrichment sandbox` serves.

Here: one line for each. Not here: their options and what they do; each stand-in has a folder.
"""

from collections.abc import Callable

from enrichment_pipeline.sandbox.hunter.command import hunter
from enrichment_pipeline.sandbox.peopledatalabs.command import peopledatalabs
from enrichment_pipeline.sandbox.prospeo.command import prospeo
from enrichment_pipeline.sandbox.signalhire.command import sandbox

STAND_IN: Callable[..., None] = sandbox
"""The one that is served where none is named."""
OTHER_STAND_INS: dict[str, Callable[..., None]] = {
    "prospeo": prospeo,
    "peopledatalabs": peopledatalabs,
    "hunter": hunter,
}
"""By their names on the command line."""
