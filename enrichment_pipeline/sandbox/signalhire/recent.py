"""What was asked for a short time ago: the same query again is answered with `duplicate_query`.

Belongs here: remembering queries for as long as the setting says. Does not belong here: what makes
two items the same query (`identify` of `people.py`).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from enrichment_pipeline.sandbox.signalhire.search import Pool


class RecentQueries:
    """What was asked for within the last `seconds`.

    By pool: asked with contacts and without, it is not the same query.
    """

    def __init__(self, seconds: float, clock: Callable[[], float]) -> None:
        self._seconds = seconds
        self._clock = clock
        self._asked_at: OrderedDict[tuple[Pool, str], float] = OrderedDict()

    def has(self, pool: Pool, query: str) -> bool:
        now = self._clock()
        # Oldest first, since the clock never goes back and a query is added only once it is out.
        while self._asked_at and now - next(iter(self._asked_at.values())) >= self._seconds:
            self._asked_at.popitem(last=False)
        return (pool, query) in self._asked_at

    def add(self, pool: Pool, query: str) -> None:
        if self._seconds > 0:
            self._asked_at[(pool, query)] = self._clock()
