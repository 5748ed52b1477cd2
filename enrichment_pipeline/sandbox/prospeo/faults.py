"""What goes wrong with a request to Prospeo's stand-in, and all else that is left to chance there.

Belongs here: deciding, from the shares in the settings and the seed. Does not belong here: doing it
(`stand_in.py`), and whether a fault of a given share hits (`sandbox/fates.py`).
"""

from __future__ import annotations

from typing import Any, Literal

from enrichment_pipeline.sandbox.chance import Chances
from enrichment_pipeline.sandbox.fates import RequestFate
from enrichment_pipeline.sandbox.prospeo.config import Fault, ProspeoConfig


class Fate(RequestFate):
    """The faults of one request."""

    @property
    def failure(self) -> Literal["internal_error", "torn"] | None:
        """What comes in the place of an answer."""
        if self.hits("torn"):
            return "torn"
        return "internal_error" if self.hits("internal_error") else None

    @property
    def fails_unprocessed(self) -> bool:
        """Whether that failure comes before anything is looked up and charged."""
        return self.failure is not None and self.chance("when it fails").random() < 0.5

    def hit_records(self, fault: Fault, count: int) -> list[bool]:
        """Which of so many records this fault, one of those per record, hits."""
        share = self._shares.get(fault, 0)
        chance = self.chance(fault)
        return [chance.random() < share for _ in range(count)]


class Faults:
    """Says which faults hit each request. The event loop of the server is the only caller."""

    def __init__(self, config: ProspeoConfig) -> None:
        self._shares = config.faults
        self._chances = Chances(config.seed)

    def next_fate(self, asked_for: list[Any]) -> Fate:
        """The fate of this request, and another one the next time that just this is asked."""
        return Fate(self._chances.next(asked_for), self._shares)
