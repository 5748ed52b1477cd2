"""Where published tables go besides `published/`: the sinks of the policy file.

Here: a sink as the rest of the pipeline takes it. Not here: filling it (`warehouse/sinks/`).
"""

from dataclasses import dataclass

from enrichment_pipeline.attachment import Attachment


@dataclass(frozen=True)
class Sink:
    """One of `[[sinks]]`: its name, the place, the schema there, and the tables that it gets."""

    name: str
    place: Attachment
    schema: str
    tables: tuple[str, ...]
