"""What goes wrong with a request: shares of faults in the settings, and whether one hits.

Belongs here: what any stand-in's faults have in common. Does not belong here: which faults there
are and what they do (each stand-in's own `faults.py`), and where the randomness comes from
(`chance.py`).
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from enrichment_pipeline.sandbox.chance import Chance


@dataclass(frozen=True)
class RequestFate:
    """The faults of one request: the same at every look at it."""

    _chance: Chance
    _shares: Mapping[str, float]

    def chance(self, purpose: str) -> random.Random:
        """A generator for that purpose alone."""
        return self._chance.of(purpose)

    def hits(self, fault: str) -> bool:
        """Whether this fault, one of those per request, hits the request."""
        share = self._shares.get(fault, 0)
        return share > 0 and self.chance(fault).random() < share


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
