"""What waits to be admitted: highest priority first, within it in the order in which it came.

Here: that order, and who may go in small batches only. Not here: who is due (SQL), and
who may be bought now (`ledger/`).
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

    waiting: deque[Candidate] = field(default_factory=deque)
    back_again: list[tuple[int, int, Candidate]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.back_again or self.waiting)

    @property
    def first(self) -> Candidate:
        return self.back_again[0][-1] if self.back_again else self.waiting[0]

    def take(self) -> Candidate:
        if self.back_again:
            return heapq.heappop(self.back_again)[-1]
        return self.waiting.popleft()


class Backlog:
    """Candidates by priority."""

    def __init__(self) -> None:
        self._queues = {priority: _Queue() for priority in PRIORITIES}
        self._places: dict[str, int] = {}
        self._at_most: dict[str, int] = {}
        self._arrivals = 0

    def __bool__(self) -> bool:
        return any(self._queues.values())

    def add(self, candidates: Iterable[Candidate], *, at_most: int | None = None) -> None:
        """Let these wait. One that was here before (no room, refused for now) has its old place.

        From now on they go with others of the same `at_most` only, in batches of that size.
        """
        for candidate in candidates:
            if at_most is not None:
                self._at_most[candidate.person_key] = at_most
            queue = self._queues[candidate.priority]
            self._arrivals += 1
            place = self._places.setdefault(candidate.person_key, self._arrivals)
            if place == self._arrivals:
                queue.waiting.append(candidate)
            else:
                # no two entries compare equal, also where a person comes twice
                heapq.heappush(queue.back_again, (place, self._arrivals, candidate))

    def take(self, limit: int) -> list[Candidate]:
        """The next candidates, all of one priority. There must be one."""
        queue = next(queue for queue in self._queues.values() if queue)
        at_most = self._at_most.get(queue.first.person_key)
        size = limit if at_most is None else min(limit, at_most)
        taken: list[Candidate] = []
        while queue and len(taken) < size:
            if self._at_most.get(queue.first.person_key) != at_most:
                break
            taken.append(queue.take())
        return taken

    def drop(self, priority: str) -> None:
        self._queues[priority] = _Queue()

    def clear(self) -> None:
        self._queues = {priority: _Queue() for priority in PRIORITIES}
        self._places.clear()
        self._at_most.clear()
