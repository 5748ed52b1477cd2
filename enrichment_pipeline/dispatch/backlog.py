"""What waits to be admitted: highest priority first, within it in the order in which it came.

Here: that order. Not here: who is due (SQL), and who may be bought now (`ledger/`).
"""

import heapq
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from enrichment_pipeline.lanes import PRIORITIES
from enrichment_pipeline.ledger.admission import Candidate


@dataclass
class _Queue:
    """One priority's: those who came back go first, each in the place that it had."""

    waiting: deque[tuple[int, Candidate]] = field(default_factory=deque)
    back_again: list[tuple[int, int, Candidate]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.back_again or self.waiting)

    def take(self) -> tuple[int, Candidate]:
        if self.back_again:
            place, _, candidate = heapq.heappop(self.back_again)
            return place, candidate
        return self.waiting.popleft()


class Backlog:
    """Candidates by priority."""

    def __init__(self) -> None:
        self._queues = {priority: _Queue() for priority in PRIORITIES}
        self._places: dict[str, int] = {}
        self._arrivals = 0

    def __bool__(self) -> bool:
        return any(self._queues.values())

    def add(self, candidates: Iterable[Candidate]) -> None:
        """Let these wait. Whoever was here before (no room, refused for now) has the old place."""
        for candidate in candidates:
            queue = self._queues[candidate.priority]
            self._arrivals += 1
            place = self._places.setdefault(candidate.person_key, self._arrivals)
            if place == self._arrivals:
                queue.waiting.append((place, candidate))
            else:
                # no two entries compare equal, also where a person comes twice
                heapq.heappush(queue.back_again, (place, self._arrivals, candidate))

    def take(self, limit: int) -> list[Candidate]:
        """The next candidates, all of one priority. There must be one."""
        queue = next(queue for queue in self._queues.values() if queue)
        taken: list[Candidate] = []
        while queue and len(taken) < limit:
            taken.append(queue.take()[1])
        return taken

    def drop(self, priority: str) -> None:
        self._queues[priority] = _Queue()

    def clear(self) -> None:
        self._queues = {priority: _Queue() for priority in PRIORITIES}
        self._places.clear()
