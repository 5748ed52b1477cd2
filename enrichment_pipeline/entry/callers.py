"""Who calls the point of entry: one caller a token, and how much each may ask.

Here: knowing a token again, requests a second, and requests under way at once. Not here: what is
asked (`contact_routes.py`). The counts are of this process; of several, each has its own.
"""

import hashlib
import hmac
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from pydantic import SecretStr

RETRY_AFTER_SECONDS = 1
"""After a second a caller may ask as much as ever."""


class TooManyRequestsError(Exception):
    """The caller asks more than it may; after RETRY_AFTER_SECONDS it may ask again."""


class Caller:
    """The application that bears a token."""

    def __init__(
        self, token_sha256: str, per_second: int, at_once: int, now: Callable[[], float]
    ) -> None:
        self.token_sha256 = token_sha256
        self._per_second = per_second
        self._at_once = at_once
        self._now = now
        self._left = float(per_second)
        self._counted_at = now()
        self._under_way = 0

    @contextmanager
    def request(self) -> Iterator[None]:
        """Count one request, which is under way until the body ends.

        Raises TooManyRequestsError instead. What is refused does not count.
        """
        self._admit()
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1

    def _admit(self) -> None:
        if self._under_way >= self._at_once:
            raise TooManyRequestsError(f"more than {self._at_once} requests are under way at once")
        now = self._now()
        gained = (now - self._counted_at) * self._per_second
        self._left = min(self._left + gained, float(self._per_second))
        self._counted_at = now
        if self._left < 1:
            raise TooManyRequestsError(f"more than {self._per_second} requests a second")
        self._left -= 1


class Callers:
    """The callers by their tokens, of which only digests are kept."""

    def __init__(
        self,
        tokens: Iterable[SecretStr],
        *,
        per_second: int,
        at_once: int,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        digests = [_digest(token.get_secret_value().encode()) for token in tokens]
        self._callers = [Caller(digest, per_second, at_once, now) for digest in digests]

    def with_token(self, token: bytes) -> Caller | None:
        """Whose token it is; takes as long whichever it is, and for a wrong one."""
        given = _digest(token)
        matches = [hmac.compare_digest(given, caller.token_sha256) for caller in self._callers]
        return self._callers[matches.index(True)] if any(matches) else None


def _digest(token: bytes) -> str:
    return hashlib.sha256(token).hexdigest()
