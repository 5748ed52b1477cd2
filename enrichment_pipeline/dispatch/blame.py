"""Who is to blame where a provider refuses requests for what they hold.

Here: whether a refused item is at fault, or whatever we ask. Not here: asking for fewer at
a time until an item is alone (`dispatcher.py`, `backlog.py`).
"""

from dataclasses import replace

from enrichment_pipeline.ledger.admission import Candidate
from enrichment_pipeline.providers.base import Halt, ItemReading, Reading, Refused, Rejected

REFUSED_IN_A_ROW = 10
"""So many items refused one by one, and not a request answered between them: it is not the items.

A provider that changes its mind in the middle of a run has no more of them given up."""


class Blame:
    """One run's. An item that is refused alone is at fault only if another request is answered.

    `is_answered`: one was, before this run's.
    """

    def __init__(self, *, is_answered: bool = False) -> None:
        self.is_answered = is_answered
        self._in_a_row = 0
        self._unjudged: list[tuple[Candidate, Rejected]] = []

    def note_answer(self) -> None:
        """A request was answered, or taken: there is nothing wrong with how we ask."""
        self.is_answered = True
        self._in_a_row = 0

    def judge(self, reading: Reading, rejected: Rejected) -> Reading:
        """What the refusal of a single item means: the item's fault, ours, or nobody knows yet."""
        self._in_a_row += 1
        if self._in_a_row >= REFUSED_IN_A_ROW:
            return replace(reading, signal=Halt(rejected.reason, rejected.message))
        if self.is_answered:
            return replace(reading, items=(ItemReading(Refused(rejected.reason)),))
        return reading

    def hold(self, candidate: Candidate, rejected: Rejected) -> None:
        """Keep a refused item until another request is answered."""
        self._unjudged.append((candidate, rejected))

    def let_go(self) -> list[Candidate]:
        """Whom to ask for once more, since another request was answered meanwhile."""
        if not self.is_answered:
            return []
        unjudged, self._unjudged = self._unjudged, []
        return [candidate for candidate, _ in unjudged]

    @property
    def verdict(self) -> Halt | None:
        """Once nothing is left to ask: where no request was answered, we ask for it wrongly."""
        if not self._unjudged:
            return None
        _, rejected = self._unjudged[0]
        return Halt(rejected.reason, rejected.message)
