"""What goes wrong with a search, and everything else about it that is left to chance.

Belongs here: deciding, from the shares in the settings and the seed. Does not belong here: doing it
(`stand_in.py` and `callbacks.py`), closing a connection (`sandbox/tearing.py`), and whether a fault
of a given share hits (`sandbox/fates.py`).
"""

from __future__ import annotations

from collections.abc import Mapping

from enrichment_pipeline.sandbox.chance import Chances
from enrichment_pipeline.sandbox.fates import RequestFate
from enrichment_pipeline.sandbox.signalhire.config import Fault, SandboxConfig
from enrichment_pipeline.sandbox.signalhire.search import Search

RETRY_AFTER_SECONDS = 1
FEWEST_PARTS, MOST_PARTS = 2, 4


class Faults:
    """Says which faults hit each search. The event loop of the server is the only caller."""

    def __init__(self, config: SandboxConfig) -> None:
        self._shares = config.faults
        self._chances = Chances(config.seed)

    def next_fate(self, search: Search) -> Fate:
        """The fate of this search, and another one the next time that just this is asked.

        The callback URL is not part of what is asked: its port differs from run to run.
        """
        asked_for = [search.pool, search.callback_url is None, search.items]
        return Fate(self._chances.next(asked_for), self._shares)

    def next_fate_of_query(self, body: Mapping[str, object]) -> Fate:
        """Likewise for a call of the Search API, whose scroll id is always new."""
        return Fate(self._chances.next(sorted(body.items())), self._shares)


class Fate(RequestFate):
    """The faults of one search."""

    @property
    def retry_after(self) -> int | None:
        """Seconds that a 429 of `slow_down` asks to wait for, if it says so at all."""
        return self.chance("retry after").choice((RETRY_AFTER_SECONDS, None))

    @property
    def is_lost(self) -> bool:
        """Whether the callback never comes: lost itself, or with half of the 500s."""
        goes_down_too = self.chance("what fails").random() < 0.5
        return self.hits("lost") or (self.failure == "error_500" and goes_down_too)

    def parts(self, usual: int) -> int:
        """In how many POSTs the callback comes, which usually are that many."""
        if not self.hits("split"):
            return usual
        return self.chance("parts").randint(FEWEST_PARTS, MOST_PARTS)

    def failed_items(self, count: int) -> list[str | None]:
        """The status that each of so many items is answered with instead of being looked up."""
        failed: list[str | None] = [None] * count
        faults: tuple[Fault, ...] = ("timeout_exceeded", "duplicate_query")
        for fault in faults:
            if share := self._shares.get(fault, 0):
                chance = self.chance(fault)
                failed = [fault if chance.random() < share else status for status in failed]
        return failed
