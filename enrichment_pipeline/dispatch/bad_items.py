"""Which item is bad where a provider refuses whole requests for what they hold.

Here: whether a refused item is bad, or every request of ours is. Not here: asking for fewer at
a time until an item is alone (`dispatcher.py`, `backlog.py`).
"""

from dataclasses import replace

from enrichment_pipeline.ledger.admission import Candidate
from enrichment_pipeline.providers.base import Halt, ItemReading, Reading, Refused, Rejected

REFUSED_IN_A_ROW = 10
"""So many items refused one by one, and not a request answered between them: it is not the items.

So where a provider begins to refuse everything in the middle of a run, no more than these are
taken for bad."""


class BadItemDetector:
    """One run's. An item that is refused alone is bad only if another request is answered.

    `is_answered`: one was already, before this detector was made.
    """

    def __init__(self, *, is_answered: bool = False) -> None:
        self.is_answered = is_answered
        self._in_a_row = 0
        self._deferred: list[tuple[Candidate, Rejected]] = []

    def note_answer(self) -> None:
        """A request was answered, or accepted: there is nothing wrong with how we ask."""
        self.is_answered = True
        self._in_a_row = 0

    def classify(self, reading: Reading, rejected: Rejected) -> Reading:
        """What the refusal of a single item means: a bad item, a fault of ours, or unknown yet."""
        self._in_a_row += 1
        if self._in_a_row >= REFUSED_IN_A_ROW:
            return replace(reading, signal=Halt(rejected.reason, rejected.message))
        if self.is_answered:
            return replace(reading, items=(ItemReading(Refused(rejected.reason)),))
        return reading

    def defer(self, candidate: Candidate, rejected: Rejected) -> None:
        """Keep a refused item until another request is answered."""
        self._deferred.append((candidate, rejected))

    def retry_deferred(self) -> list[Candidate]:
        """The refused items to ask for once more, since another request was answered meanwhile."""
        if not self.is_answered:
            return []
        deferred, self._deferred = self._deferred, []
        return [candidate for candidate, _ in deferred]

    @property
    def conclusion(self) -> Halt | None:
        """Once nothing is left to ask: where no request was answered, we ask wrongly."""
        if not self._deferred:
            return None
        _, rejected = self._deferred[0]
        return Halt(rejected.reason, rejected.message)
