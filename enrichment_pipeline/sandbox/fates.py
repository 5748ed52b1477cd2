"""What goes wrong with a request: shares of faults in the settings, and whether one hits.

Belongs here: what any stand-in's faults have in common. Does not belong here: which faults there
are (each stand-in's `config.py`) and what they do (its `stand_in.py`), and where the randomness
comes from (`chance.py`).
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from enrichment_pipeline.sandbox.chance import Chance, Chances


@dataclass(frozen=True)
class RequestFate:
    """The faults of one request: the same at every look at it."""

    _chance: Chance
    _shares: Mapping[str, float]
    _error: str = "error_500"
    """Which fault is answered with the provider's word for an error of its own."""

    def chance(self, purpose: str) -> random.Random:
        """A generator for that purpose alone."""
        return self._chance.of(purpose)

    def hits(self, fault: str) -> bool:
        """Whether this fault, one of those per request, hits the request."""
        share = self._shares.get(fault, 0)
        return share > 0 and self.chance(fault).random() < share

    def hits_each(self, fault: str, count: int) -> list[bool]:
        """Which of so many records this fault, one of those per record, hits."""
        share = self._shares.get(fault, 0)
        chance = self.chance(fault)
        return [chance.random() < share for _ in range(count)]

    @property
    def failure(self) -> str | None:
        """What comes in the place of an answer: `torn`, or that error."""
        if self.hits("torn"):
            return "torn"
        return self._error if self.hits(self._error) else None

    @property
    def fails_unprocessed(self) -> bool:
        """Whether that failure comes before anything is looked up and charged."""
        return self.failure is not None and self.chance("when it fails").random() < 0.5


class Fates:
    """Says which faults hit each request. The event loop of the server is the only caller."""

    def __init__(self, shares: Mapping[str, float], seed: int, *, error: str = "error_500") -> None:
        self._shares = shares
        self._error = error
        self._chances = Chances(seed)

    def next(self, asked_for: Sequence[object]) -> RequestFate:
        """The fate of this request, and another one the next time that just this is asked."""
        return RequestFate(self._chances.next(asked_for), self._shares, self._error)


def check_shares(shares: Mapping[str, float], known: Sequence[str]) -> None:
    """Raises ValueError for a fault that there is not, and for what is no share."""
    for name, share in shares.items():
        if name not in known:
            raise ValueError(f"there is no fault {name!r}; choose of {', '.join(known)}")
        if not 0 <= share <= 1:
            raise ValueError(f"the share of the fault {name} must be from 0 to 1")


def shares_in(options: Sequence[str], known: Sequence[str]) -> dict[str, float]:
    """What `--fault` says, given any number of times. Raises ValueError for a mistake."""
    shares: dict[str, float] = {}
    for option in options:
        name, _, share = option.partition("=")
        chosen = [fault for fault in known if name in (fault, "all")]
        if not chosen:
            raise ValueError(
                f"--fault {option}: no fault {name!r}; choose of {', '.join(known)}, or all"
            )
        try:
            number = float(share)
        except ValueError:
            number = -1.0
        if not 0 <= number <= 1:
            raise ValueError(f"--fault {option}: give a share from 0 to 1, as in {name}=0.05")
        shares |= dict.fromkeys(chosen, number)
    return shares
