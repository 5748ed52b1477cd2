"""What the ledger holds every process to, as one value.

Here: the numbers. Not here: where they come from (`policy.py`) and how they
are enforced (`admission.py`, `budget.py`, `gate.py`).
"""

from dataclasses import dataclass
from datetime import timedelta

from enrichment_pipeline.policy import BudgetPolicy


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
