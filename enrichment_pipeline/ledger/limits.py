"""What the ledger holds every process to, as one value for each kind of call to each provider.

Here: the numbers, and how far ahead a lease can reach. Not here: where they come from
(`terms.py`) and how they are enforced (`admission.py`, `rates.py`, `budget.py`, `gate.py`).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from enrichment_pipeline.ledger.budget import Budget

CLOCK_TOLERANCE = timedelta(minutes=5)
"""How far two processes' clocks may lie apart, or one clock be set back, and nothing come of it."""

CALLBACKS_PER_BATCH, CALLBACKS_PER_ITEM = 16, 4
BYTES_PER_BATCH, BYTES_PER_ITEM = 8 * 2**20, 64 * 2**10
"""As much as the answers to a batch can come to: each item in a callback of its own, delivered
four times in four forms; and one body of the largest size, or twenty times what a profile takes.
Whoever has a batch's token must not fill the disk with it. A repeat takes no room."""


def furthest(now: datetime, lease: timedelta = timedelta(0)) -> datetime:
    """The latest instant to which a lease of this length can reach that a right clock wrote.

    What lies beyond was written by a clock that was ahead, and binds nobody: at worst that
    costs a 429, where believing it would stop every run until that date.
    """
    return now + lease + CLOCK_TOLERANCE


@dataclass(frozen=True)
class Rate:
    """So many units in any window of this length."""

    units: int
    window: timedelta


@dataclass(frozen=True)
class Limits:
    """Rates, deadlines and the budget of one kind of call to one provider.

    `rates`: all of them hold at once, in units of items, or of requests where
    `counts_requests`. `at_once`: how many requests all processes may have on the wire; None:
    as many as they like. `pause`: how long everybody waits who is asked to slow down and is not
    told for how long.
    `send_lease`: how long a reservation may stay unsent before anybody may release it.
    `response_deadline`: how long after sending the HTTP response can still come;
    `answer_deadline`: how long the answer can, which is the same unless it comes by callback.
    `is_paged`: a call may take several requests, one at a time. `is_repeat_free`: a call that
    was not answered may be made again at no charge; else it is not for `unconfirmed_hold`.
    `settled_within`: how long the run that has got a reply may take to read it, before others
    do.
    """

    rates: tuple[Rate, ...]
    budget: Budget
    pause: timedelta
    send_lease: timedelta
    response_deadline: timedelta
    answer_deadline: timedelta
    unconfirmed_hold: timedelta
    counts_requests: bool = False
    at_once: int | None = None
    is_repeat_free: bool = False
    is_paged: bool = False
    settled_within: timedelta = timedelta(minutes=1)

    @property
    def longest_window(self) -> timedelta:
        return max((rate.window for rate in self.rates), default=timedelta(0))

    @property
    def latest_start(self) -> timedelta:
        """From any step on, how far ahead the instant can lie from which a request counts."""
        return max(self.send_lease, self.response_deadline)
