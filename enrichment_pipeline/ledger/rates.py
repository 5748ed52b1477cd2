"""How much may go out now: the rate windows, and how many requests are on the wire.

Here: counting over the ledger's own rows. Not here: pauses and the breaker (`gate.py`). Always
called inside a writing transaction, but for questions.

A request lies in every window from the instant on that its response came; before that from the
latest one at which it still can. So no clock of a provider's, whether its window is fixed or
slides, can count more than the limit.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, func, select

from enrichment_pipeline.ledger.limits import Limits, Rate, clock_skew_horizon
from enrichment_pipeline.ledger.schema import UtcDateTime, requests

LONGEST_PACE = timedelta(hours=1)
"""Longer windows bound how much is asked for, and not how fast: a 429 does not narrow them, and no
run waits for one that is full."""

_IN_WINDOW = select(
    func.coalesce(func.sum(requests.c.rate_units), 0), func.min(requests.c.counts_from)
).where(
    requests.c.provider == bindparam("of_provider"),
    requests.c.kind == bindparam("of_kind"),
    requests.c.counts_from > bindparam("since", type_=UtcDateTime),
    requests.c.counts_from <= bindparam("horizon", type_=UtcDateTime),
)


_ON_THE_WIRE = select(func.count(), func.min(requests.c.deadline_at)).where(
    requests.c.provider == bindparam("of_provider"),
    requests.c.kind == bindparam("of_kind"),
    requests.c.responded_at.is_(None),
    requests.c.deadline_at > bindparam("at_now", type_=UtcDateTime),
    requests.c.sent_at <= bindparam("horizon", type_=UtcDateTime),
)


@dataclass(frozen=True)
class Slots:
    """How many units the windows still take; and, where none, from when on they take more."""

    units: int
    free_at: datetime


def slots(
    connection: Connection,
    provider: str,
    kind: str,
    limits: Limits,
    rate_share: float,
    now: datetime,
) -> Slots | None:
    """What every rate allows, each that is a pace cut down to that share; None where there is none.

    What is on the wire leaves a window one window after its response, so not before one
    window from now: an answered request, or that instant, comes first.
    """
    found: list[Slots] = []
    for rate in limits.rates:
        used, first = in_window(connection, provider, kind, limits, rate, now)
        in_one_window = now + rate.window
        free_at = in_one_window if first is None else min(first + rate.window, in_one_window)
        share = rate_share if rate.window <= LONGEST_PACE else 1.0
        found.append(Slots(max(1, int(rate.units * share)) - used, free_at))
    full = [each for each in found if each.units <= 0]
    if full:
        return max(full, key=lambda each: each.free_at)
    return min(found, key=lambda each: each.units, default=None)


def in_window(
    connection: Connection, provider: str, kind: str, limits: Limits, rate: Rate, now: datetime
) -> tuple[int, datetime | None]:
    """Units in one rate's window, and since when the first of them has been."""
    values = {
        "of_provider": provider,
        "of_kind": kind,
        "since": now - rate.window,
        "horizon": clock_skew_horizon(now, limits.latest_start),
    }
    used, first = connection.execute(_IN_WINDOW, values).one()
    return int(used), first


def on_the_wire(
    connection: Connection, provider: str, kind: str, now: datetime
) -> tuple[int, datetime | None]:
    """Requests that may still be answered, and the earliest of their deadlines."""
    values = {
        "of_provider": provider,
        "of_kind": kind,
        "at_now": now,
        "horizon": clock_skew_horizon(now),
    }
    count, deadline = connection.execute(_ON_THE_WIRE, values).one()
    return int(count), deadline
