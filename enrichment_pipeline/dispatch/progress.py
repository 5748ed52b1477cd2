"""The result of a dispatch, and how it tells how far it is.

Here: the counts and the protocol of a progress bar. Not here: showing either
(`cli/`, `defs/`).
"""

from dataclasses import dataclass, field, fields
from typing import Protocol

from enrichment_pipeline.ledger.journal import Settlement
from enrichment_pipeline.ledger.schema import APPLIED, REPLIED
from enrichment_pipeline.providers.base import Failing, Halt, Rejected, Signal, SlowDown
from enrichment_pipeline.vocabulary import CHANGED, CHECKED, FOUND, MATCHED, NO_MATCH, UNCHANGED

MOST_UNCONFIRMED = 0.1
"""The share of a run's look-ups (those that were released do not count) that may end so."""


_NAMED = (MATCHED, FOUND, CHECKED, UNCHANGED, CHANGED, NO_MATCH)
"""The outcomes that are counted by their own names."""


class Progress(Protocol):
    """Told how far a run is; used by the progress bar and by Dagster's log."""

    def add_total(self, calls: int) -> None: ...

    def advance(self, calls: int, credits: int) -> None: ...

    def outstanding(self, calls: int) -> None:
        """So many were submitted, and their answers are still to come by callback."""
        ...

    def searched(self, done: int, total: int) -> None:
        """So many of so many searches for profiles are done."""
        ...

    def say(self, message: str) -> None: ...


class SearchProgress:
    """The progress of searches, told to what shows that of look-ups as well."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._total = self._done = 0

    def add_total(self, calls: int) -> None:
        self._total += calls

    def advance(self, calls: int, credits: int) -> None:
        self._done += calls
        self._progress.searched(min(self._done, self._total), self._total)

    def outstanding(self, calls: int) -> None:
        """None of them is ever answered by callback."""

    def searched(self, done: int, total: int) -> None:
        self._progress.searched(done, total)

    def say(self, message: str) -> None:
        self._progress.say(message)


class NoProgress:
    """For calls that nobody waits for: free ones, of which there are many at once."""

    def add_total(self, calls: int) -> None: ...

    def advance(self, calls: int, credits: int) -> None: ...

    def outstanding(self, calls: int) -> None: ...

    def searched(self, done: int, total: int) -> None: ...

    def say(self, message: str) -> None: ...


@dataclass
class DispatchReport:
    """The result of a dispatch. Counts are calls; `units` (credits, or of a quota) were charged."""

    offered: int = 0
    sent: int = 0
    matched: int = 0
    found: int = 0
    checked: int = 0
    unchanged: int = 0
    changed: int = 0
    no_match: int = 0
    refused: int = 0
    released: int = 0
    unconfirmed: int = 0
    not_due: int = 0
    units: int = 0
    unsolicited_answers: int = 0
    exhausted: dict[str, str] = field(default_factory=dict)
    """The budget period that ran out, by priority."""
    halted: Halt | None = None

    @property
    def answered(self) -> int:
        of_no_refusal = (getattr(self, outcome) for outcome in _NAMED)
        return sum(of_no_refusal) + self.refused

    def plus(self, other: "DispatchReport") -> "DispatchReport":
        """This with what another provider was asked after it; what halted first stands."""
        added = {
            each.name: getattr(self, each.name) + getattr(other, each.name)
            for each in fields(self)
            if each.name not in {"exhausted", "halted"}
        }
        exhausted = {**other.exhausted, **self.exhausted}
        return DispatchReport(**added, exhausted=exhausted, halted=self.halted or other.halted)

    def count(self, settlement: Settlement) -> None:
        # another process may have read an answer, and put it into the tables, before we count it
        if settlement.state in {REPLIED, APPLIED}:
            name = settlement.outcome if settlement.outcome in _NAMED else "refused"
        else:
            name = settlement.state
        setattr(self, name, getattr(self, name) + 1)
        self.units += settlement.units_charged


def is_unconfirmed_too_often(unconfirmed: int, asked: int) -> bool:
    """Whether so much of what was asked has no answer that the run is no success."""
    return unconfirmed > MOST_UNCONFIRMED * asked


def obey(
    signal: Signal | None,
    report: DispatchReport,
    progress: Progress,
    *,
    who: str,
    what: str,
) -> None:
    """Note what a signal means for the whole run, and say so; `who` gave it to `what`."""
    match signal:
        case Rejected():
            pass  # an item may be bad
        case Halt() as halt if report.halted is None:
            report.halted = halt
            progress.say(halt.message)
        case SlowDown():
            progress.say(f"{who} asks to slow down; pausing")
        case Failing(reason):
            progress.say(f"{what} failed ({reason})")
        case _:
            pass
