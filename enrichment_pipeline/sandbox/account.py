"""The account: credits by pool, the charges made, and the journal that remembers them.

Belongs here: who is charged how much, and the append-only file of charges. Does not belong here:
which look-ups are worth a credit, the meter of items, and HTTP.

The journal is the provider's side of the bill: tests compare it with what the client believes that
it bought.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from enrichment_pipeline.sandbox.journal import Journal, JournalError

Pool = Literal["standard", "without_contacts"]

CREDITS_PER_PROFILE = 1


@dataclass(frozen=True)
class Charge:
    """One line of the journal."""

    at: str
    """When the profile was looked up: ISO 8601, UTC."""
    request: int
    """Number of the search request, counted on over restarts."""
    uid: str
    item: str
    """The item as it was sent."""
    pool: Pool
    credits: int


class Account:
    """Credits of each pool. A credit is held when a look-up is decided, charged when it is settled:
    in between it cannot be spent a second time, but still shows as left.

    Not for several threads; the server's event loop is the only caller.
    """

    def __init__(
        self,
        start: Mapping[Pool, int],
        *,
        charge_repeats: bool,
        journal: Path | None,
        wall_clock: Callable[[], datetime],
    ) -> None:
        self._left = dict(start)
        self._held: dict[Pool, int] = dict.fromkeys(self._left, 0)
        self._charge_repeats = charge_repeats
        self._paid_for: set[tuple[Pool, str]] = set()
        self._wall_clock = wall_clock
        self._last_request = 0
        self._journal: Journal | None = None
        if journal is not None:
            for charge in _read_journal(journal):
                self._left[charge.pool] -= charge.credits
                self._paid_for.add((charge.pool, charge.uid))
                self._last_request = max(self._last_request, charge.request)
            self._journal = Journal(journal, "the journal")

    def credits_left(self, pool: Pool) -> int:
        """What the account shows: never below 0, also if it is configured with less than before."""
        return max(0, self._left[pool])

    def can_pay(self, pool: Pool) -> bool:
        """Whether another profile can be paid for, given what is charged and what is held."""
        return self._left[pool] - self._held[pool] >= CREDITS_PER_PROFILE

    def next_request(self) -> int:
        """The number of the request that now begins."""
        self._last_request += 1
        return self._last_request

    def hold(self, pool: Pool, uid: str, item: str, request: int) -> Charge | None:
        """Set a credit aside for that profile. None: a repeat that costs nothing."""
        if not self._charge_repeats and (pool, uid) in self._paid_for:
            return None
        self._paid_for.add((pool, uid))
        self._held[pool] += CREDITS_PER_PROFILE
        at = self._wall_clock().isoformat()
        return Charge(at, request, uid, item, pool, CREDITS_PER_PROFILE)

    def settle(self, charges: Sequence[Charge]) -> None:
        """Charge what was held. The journal comes first: what it does not say was not charged."""
        if self._journal is not None and charges:
            self._journal.add(asdict(charge) for charge in charges)
        for charge in charges:
            self._held[charge.pool] -= charge.credits
            self._left[charge.pool] -= charge.credits


def _read_journal(path: Path) -> list[Charge]:
    """The charges in the file, none if there is no such file yet.

    A last line that makes no sense and has no line end was being written when the sandbox was
    killed. It is cut off, so that the next charge does not become the second half of it.
    """
    try:
        content = path.read_bytes() if path.exists() else b""
        *whole_lines, rest = content.split(b"\n")
        charges = [
            _parse_charge(line, f"{path}, line {number}")
            for number, line in enumerate(whole_lines, start=1)
        ]
        if rest:
            charges += _mend_last_line(path, rest, len(content) - len(rest))
    except OSError as error:
        raise JournalError(
            f"{path}: the journal cannot be read ({error.strerror}); name a readable file"
        ) from None
    return charges


def _mend_last_line(path: Path, line: bytes, start: int) -> list[Charge]:
    with path.open("rb+") as file:
        try:
            charge = _parse_charge(line, str(path))
        except JournalError:
            file.truncate(start)
            return []
        # only its line end is missing, as editors leave it
        file.seek(0, os.SEEK_END)
        file.write(b"\n")
        return [charge]


def _parse_charge(line: bytes, where: str) -> Charge:
    try:
        charge = Charge(**json.loads(line))
    except (ValueError, TypeError):
        charge = None
    if (
        charge is None
        or charge.pool not in ("standard", "without_contacts")
        or not isinstance(charge.uid, str)
        or not isinstance(charge.credits, int)
        or not isinstance(charge.request, int)
    ):
        raise JournalError(f"{where}: not a charge; move the journal away to start with a new one")
    return charge
