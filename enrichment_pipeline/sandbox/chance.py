"""What is left to chance when a stand-in is asked, the same in every run.

Belongs here: a generator for each decision about a request. Does not belong here: the decisions,
which are each stand-in's own (`faults.py`).

There is no stream that requests draw from in turn: then the faults of one would depend on which
others came before it, and a test that sends many at once could never be repeated. Each decision has
a generator of its own, seeded with what is asked, so that another decision does not change it
either.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass


class Chances:
    """The chance of each request. The event loop of the server is the only caller."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._asked: Counter[str] = Counter()

    def next(self, asked_for: Sequence[object]) -> Chance:
        """The chance of this request, and another one the next time that just this is asked."""
        digest = hashlib.sha256(json.dumps(asked_for).encode()).hexdigest()
        self._asked[digest] += 1
        return Chance(f"{self._seed} {digest} {self._asked[digest]}")


@dataclass(frozen=True)
class Chance:
    """Decides about one request, and decides the same each time it is asked."""

    _key: str

    def of(self, purpose: str) -> random.Random:
        """A generator for that purpose alone."""
        return random.Random(f"{self._key} {purpose}")
