"""What the ledger holds every process to, as one value for each kind of call to each provider.

Here: the numbers, and how far ahead a lease can reach. Not here: where they come from
(`terms.py`) and how they are enforced (`admission.py`, `rates.py`, `budget.py`, `gate.py`).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from enrichment_pipeline.ledger.budget import Budget

CLOCK_TOLERANCE = timedelta(minutes=5)
"""How far two processes' clocks may differ, or one clock be set back, without consequences."""

CALLBACKS_PER_BATCH, CALLBACKS_PER_ITEM = 16, 4
BYTES_PER_BATCH, BYTES_PER_ITEM = 8 * 2**20, 64 * 2**10
"""The most that the answers to a batch can amount to: each item in a callback of its own, delivered
four times in four forms; and one body of the largest size, or twenty times what a profile takes.
The holder of a batch's token must not fill the disk with it. A repeat takes no room."""


def clock_skew_horizon(now: datetime, lease: timedelta = timedelta(0)) -> datetime:
    """The latest timestamp that a correct clock can have written for a lease of this length.

    Timestamps later than this come from a fast clock; ignore them. At worst that costs a 429,
    while believing them would stop every run until that date.
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
    as many as they like. `pause`: how long all processes wait after a 429 that does not say for
    how long.
    `send_lease`: how long a reservation may stay unsent before any process may release it.
    `response_deadline`: how long after sending the HTTP response can still come;
    `answer_deadline`: how long the answer can, which is the same unless it comes by callback.
    `is_paged`: a call may take several requests, one at a time. `is_repeat_free`: a call that
    was not answered may be made again at no charge, a look-up once, with its worst cost reserved
    anew; else it is not for `unconfirmed_hold`.
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
