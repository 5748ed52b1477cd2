"""What a run has fixed, for its steps.

Here: the run with the stores and settings it works on, and what is left of its caps. Not here:
opening them (`stores.py`), and what a run fixes (`run.py`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from enrichment_pipeline.clock import Clock
from enrichment_pipeline.policy import Policy
from enrichment_pipeline.run import Run
from enrichment_pipeline.settings import Settings
from enrichment_pipeline.stores import Stores
from enrichment_pipeline.vocabulary import LOOKUP
from enrichment_pipeline.warehouse.worklist import Narrowing


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


def calls_left(context: RunContext, kind: str, providers: Iterable[str]) -> int | None:
    """How many calls of a kind the run, and those it shares caps with, may still make.

    None: as many as there are. What failed unbilled does not count.
    """
    run = context.run
    if run.max_lookups is None:
        return None
    totals = [
        context.stores.questions(run.clock, kind, provider=provider).run_totals(run_id)
        for provider in providers
        for run_id in (run.run_id, *run.earlier_run_ids)
    ]
    return max(0, run.max_lookups - sum(each.calls - each.released for each in totals))


def narrowing(context: RunContext) -> Narrowing:
    """What of the due work is listed for this run now."""
    left = calls_left(context, LOOKUP, context.settings.asked_providers)
    return Narrowing(context.run.contacts, left)
