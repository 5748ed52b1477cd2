"""What time it is, for the two kinds of question that the pipeline asks.

Here: the clock that everything is given. Not here: `as_of`, the instant to
which a run counts ages; that is fixed once per run (`run.py`).
"""

from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True)
class Clock:
    """Real time, or (for trials and tests) real time with a simulated business day.

    `now` times rate windows and deadlines and is always real: a provider's
    clock cannot be simulated. `business_now` dates answers, ages and budget
    days, and is `simulated_at` where that is given.
    """

    simulated_at: datetime | None = None

    def now(self) -> datetime:
        return datetime.now(UTC)

    def business_now(self) -> datetime:
        return self.simulated_at or self.now()
