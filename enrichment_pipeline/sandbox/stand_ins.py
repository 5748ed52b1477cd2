"""Which stand-in `enrichment sandbox` serves.

Here: one line for it. Not here: its options and what it does; each stand-in has a folder.
"""

from enrichment_pipeline.sandbox.signalhire.command import sandbox as serve_stand_in

__all__ = ["serve_stand_in"]
