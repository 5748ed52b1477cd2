"""The account: credits by pool, the charges made, and the journal that remembers them.

Belongs here: who is charged how much, and the append-only file of charges. Does not belong here:
which look-ups are worth a credit, the meter of items, and HTTP.

The journal is the provider's side of the bill: tests compare it with what the client believes that
it bought. Sandboxes that keep one journal are one account: each takes note of what the others add.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path

from enrichment_pipeline.sandbox.journal_file import Journal, JournalError


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
    pool: str
    credits: float
    """Whole ones, but for a provider that takes half a credit for something."""


class Account:
    """Credits of each pool. Credits are held when a look-up is decided, charged when it is settled:
    in between they cannot be spent a second time, but still show as left.

    `charge_repeats`: what was charged once is charged again; else not for `free_for`, or never
    again where that is None. Not for several threads; the server's event loop is the only caller.
    """

    def __init__(
        self,
        start: Mapping[str, int],
        *,
        charge_repeats: bool,
        journal: Path | None,
        wall_clock: Callable[[], datetime],
        free_for: timedelta | None = None,
    ) -> None:
        self._left: dict[str, float] = dict(start)
        self._held: dict[str, float] = dict.fromkeys(self._left, 0)
        self._charge_repeats = charge_repeats
        self._free_for = free_for
        self._paid: dict[tuple[str, str], tuple[float, datetime]] = {}
        self._wall_clock = wall_clock
        self._last_request = 0
        self._journal: Journal | None = None
        self._reader: _Reader | None = None
        if journal is not None:
            self._reader = _Reader(journal, frozenset(self._left))
            self._journal = Journal(journal, "the journal")
            self._catch_up()

    def credits_left(self, pool: str) -> float:
        """What the account shows: never below 0, also if it is configured with less than before."""
        self._catch_up()
        return max(0, self._left[pool])

    def can_pay(self, pool: str, credits: float = 1) -> bool:
        """Whether so much more can be paid for, given what is charged and what is held."""
        return self._left[pool] - self._held[pool] >= credits

    def next_request(self) -> int:
        """The number of the request that now begins."""
        self._catch_up()
        self._last_request += 1
        return self._last_request

    def is_free(self, pool: str, uid: str, credits: float = 1) -> bool:
        """Whether that profile, at that price, is a repeat that costs nothing."""
        if self._charge_repeats or (pool, uid) not in self._paid:
            return False
        paid, at = self._paid[pool, uid]
        is_recent = self._free_for is None or self._wall_clock() - at < self._free_for
        return paid >= credits and is_recent

    def hold(
        self, pool: str, uid: str, item: str, request: int, credits: float = 1
    ) -> Charge | None:
        """Set credits aside for that profile. None: a repeat that costs nothing."""
        if self.is_free(pool, uid, credits):
            return None
        now = self._wall_clock()
        self._paid[pool, uid] = (credits, now)
        self._held[pool] += credits
        return Charge(now.isoformat(), request, uid, item, pool, credits)

    def settle(self, charges: Sequence[Charge]) -> None:
        """Charge what was held. The journal comes first: what it does not say was not charged."""
        if self._journal is not None and charges:
            self._journal.add(asdict(charge) for charge in charges)
            self._catch_up()
        else:
            self._book(charges)
        for charge in charges:
            self._held[charge.pool] -= charge.credits

    def _catch_up(self) -> None:
        """Book what the journal says that is not booked yet, of all processes that write it."""
        if self._reader is not None:
            self._book(self._reader.new_charges())

    def _book(self, charges: Sequence[Charge]) -> None:
        for charge in charges:
            self._left[charge.pool] -= charge.credits
            self._paid[charge.pool, charge.uid] = (
                charge.credits,
                datetime.fromisoformat(charge.at),
            )
            self._last_request = max(self._last_request, charge.request)


class _Reader:
    """Reads the journal on from where it was last. Raises `JournalError` for what is no charge.

    A last line that makes no sense and has no line end was being written when a sandbox was
    killed. At first sight it is cut off, so that the next charge does not become the second half
    of it; later on another process is just writing it.
    """

    def __init__(self, path: Path, pools: frozenset[str]) -> None:
        self._path = path
        self._pools = pools
        self._offset = self._lines = 0
        rest = self._read()[1]
        if rest:
            self._repair_last_line(rest)

    def new_charges(self) -> list[Charge]:
        whole_lines, _ = self._read()
        charges = [
            _parse_charge(line, self._pools, f"{self._path}, line {number}")
            for number, line in enumerate(whole_lines, start=self._lines + 1)
        ]
        self._lines += len(whole_lines)
        self._offset += sum(len(line) + 1 for line in whole_lines)
        return charges

    def _read(self) -> tuple[list[bytes], bytes]:
        """The whole lines after the offset, and what follows them."""
        try:
            if not self._path.exists() or self._path.stat().st_size == self._offset:
                return [], b""
            with self._path.open("rb") as file:
                file.seek(self._offset)
                *whole_lines, rest = file.read().split(b"\n")
        except OSError as error:
            raise self._unusable("read", error) from None
        return whole_lines, rest

    def _repair_last_line(self, line: bytes) -> None:
        try:
            with self._path.open("rb+") as file:
                end = file.seek(0, os.SEEK_END)
                try:
                    _parse_charge(line, self._pools, str(self._path))
                except JournalError:
                    file.truncate(end - len(line))
                else:
                    file.write(b"\n")  # only its line end is missing, as editors leave it
        except OSError as error:
            raise self._unusable("repaired", error) from None

    def _unusable(self, what: str, error: OSError) -> JournalError:
        return JournalError(
            f"{self._path}: the journal cannot be {what} ({error.strerror}); name another file"
        )


def _parse_charge(line: bytes, pools: frozenset[str], where: str) -> Charge:
    try:
        charge = Charge(**json.loads(line))
        datetime.fromisoformat(charge.at)
    except (ValueError, TypeError):
        charge = None
    if (
        charge is None
        or charge.pool not in pools
        or not isinstance(charge.uid, str)
        or not isinstance(charge.credits, int | float)
        or not isinstance(charge.request, int)
    ):
        raise JournalError(f"{where}: not a charge; move the journal away to start with a new one")
    return charge
