"""What the ledger holds every process to, as one value.

Here: the numbers, and how far ahead a lease can reach. Not here: where they come
from (`policy.py`) and how they are enforced (`admission.py`, `budget.py`, `gate.py`).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from enrichment_pipeline.policy import BudgetPolicy

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
class Limits:
    """Rate, deadlines and budgets of one provider.

    `send_lease`: how long a reservation may stay unsent before anybody may
    release it. `response_deadline`: how long after sending the HTTP response can
    still come; `answer_deadline`: how long the answer can, which is the same unless
    it comes by callback. `unconfirmed_hold`: how long a look-up that may have been billed
    without an answer is not bought again.
    """

    items_per_window: int
    window: timedelta
    send_lease: timedelta
    response_deadline: timedelta
    answer_deadline: timedelta
    unconfirmed_hold: timedelta
    budget: BudgetPolicy

    @property
    def slot_lease(self) -> timedelta:
        """How long an item's place in the rate window can be taken, counted from any one step."""
        return max(self.send_lease, self.response_deadline) + self.window
