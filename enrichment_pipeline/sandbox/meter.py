"""A meter of items: how many may still be asked for in the current window.

Belongs here: counting items against the limit, in a sliding window or a fixed one. Does not belong
here: what a refusal looks like on the wire, and credits.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Literal

WindowKind = Literal["sliding", "fixed"]


class ItemMeter:
    """Counts items against `limit` per window; `clock` gives seconds and never goes back."""

    def __init__(
        self, limit: int, window_seconds: float, kind: WindowKind, clock: Callable[[], float]
    ) -> None:
        self._limit = limit
        self._window_seconds = window_seconds
        self._kind = kind
        self._clock = clock
        self._counted: deque[tuple[float, int]] = deque()
        self._total = 0

    def admits(self, items: int) -> bool:
        """Whether that many items fit into the window now. Counts nothing."""
        self._drop_expired(self._clock())
        return self._total + items <= self._limit

    @property
    def limit(self) -> int:
        """How many fit into a window that is empty."""
        return self._limit

    @property
    def left(self) -> int:
        """How many more fit into the window now."""
        self._drop_expired(self._clock())
        return max(0, self._limit - self._total)

    @property
    def reset_seconds(self) -> float:
        """When the first of those that are counted leaves the window; 0 where none is."""
        now = self._clock()
        self._drop_expired(now)
        if not self._counted:
            return 0.0
        at = self._counted[0][0]
        if self._kind == "fixed":
            return (at // self._window_seconds + 1) * self._window_seconds - now
        return at + self._window_seconds - now

    def count(self, items: int) -> None:
        """Count that many items as asked for now, whether they fit or not."""
        now = self._clock()
        self._drop_expired(now)
        self._counted.append((now, items))
        self._total += items

    def _drop_expired(self, now: float) -> None:
        while self._counted and self._is_over(self._counted[0][0], now):
            self._total -= self._counted.popleft()[1]

    def _is_over(self, at: float, now: float) -> bool:
        if self._kind == "fixed":
            return at // self._window_seconds < now // self._window_seconds
        return now - at >= self._window_seconds
