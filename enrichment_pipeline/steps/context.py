"""What a run has fixed, for its steps.

Here: the run with the stores and settings it works on. Not here: opening them (`stores.py`), and
what a run fixes (`run.py`).
"""

from dataclasses import dataclass
from datetime import datetime

from enrichment_pipeline.clock import Clock
from enrichment_pipeline.policy import Policy
from enrichment_pipeline.run import Run
from enrichment_pipeline.settings import Settings
from enrichment_pipeline.stores import Stores


@dataclass(frozen=True)
class RunContext:
    """One run over one state folder."""

    stores: Stores
    run: Run

    @property
    def settings(self) -> Settings:
        return self.stores.settings

    @property
    def policy(self) -> Policy:
        return self.settings.policy

    @property
    def clock(self) -> Clock:
        return self.run.clock

    @property
    def now(self) -> datetime:
        """By the clock that dates what this run writes: the run's instant where it is simulated."""
        return self.clock.business_now()
