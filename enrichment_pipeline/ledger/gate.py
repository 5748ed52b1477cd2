"""The gate in front of one kind of call to a provider, shared by all processes.

Here: the pause after a 429, the reduced rate and its recovery, and the breaker
with its single probe. Not here: the rate windows themselves (`rates.py`).
Always called inside a writing transaction.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, Row, bindparam, case, insert, select, update

from enrichment_pipeline.clock import Clock
from enrichment_pipeline.ledger.limits import clock_skew_horizon
from enrichment_pipeline.ledger.prepared import Prepared
from enrichment_pipeline.ledger.schema import UtcDateTime, gates
from enrichment_pipeline.ledger.store import Transaction
from enrichment_pipeline.vocabulary import LOOKUP

FAILURES_THAT_OPEN = 3
FIRST_COOL_DOWN = timedelta(seconds=15)
LONGEST_PAUSE = timedelta(minutes=15)
"""No lease of a probe is longer either."""
RECOVERY_STEP = 0.125
"""Share of the full rate that comes back with each window that passes after a 429."""


def _unless_ahead(column: ColumnElement[datetime]) -> ColumnElement[datetime]:
    """An instant; null where a clock that was ahead wrote it."""
    return case((column <= bindparam("horizon", type_=UtcDateTime), column)).label(column.name)


_FIND = select(
    gates.c.rate_share,
    gates.c.failures_in_a_row,
    _unless_ahead(gates.c.pause_until),
    _unless_ahead(gates.c.rate_share_at),
    _unless_ahead(gates.c.probe_until),
).where(gates.c.provider == bindparam("of_provider"))
_CLOSE_BREAKER = Prepared(
    update(gates)
    .where(gates.c.provider == bindparam("of_provider"), gates.c.failures_in_a_row > 0)
    .values(failures_in_a_row=0, probe_until=None)
)


@dataclass(frozen=True)
class GateState:
    """How a gate stands at an instant.

    `closed_until`: nothing may be sent before (None: open). `rate_share`: share of
    the items per window that may be used. `is_probe`: the next request is the
    one that finds out whether the provider is back, so it should be small.
    """

    closed_until: datetime | None
    rate_share: float
    is_probe: bool


class Gate:
    """The gate of one kind of call, as those who make the calls move it.

    `pause`: how long all processes wait after a 429 that does not say for how long.
    """

    def __init__(self, provider: str, kind: str, pause: timedelta, clock: Clock) -> None:
        self._name = gate_name(provider, kind)
        self._pause = pause
        self._clock = clock

    def pause(self, transaction: Transaction, retry_after: timedelta | None) -> None:
        """After a 429: nothing is sent for `retry_after`, where known, then at half the rate.

        A pause is never shortened, and never longer than LONGEST_PAUSE. A 429 that comes
        while it lasts answers a request from before it: the rate is halved once.
        """
        now = self._clock.now()
        row = _find_or_insert(transaction.connection, self._name, now)
        pause = min(max(retry_after or self._pause, timedelta(seconds=1)), LONGEST_PAUSE)
        pause_until = _later(row.pause_until, now + pause)
        is_halved = row.rate_share_at is not None and row.rate_share_at > now
        share = _recovered(row.rate_share, row.rate_share_at, now, self._pause)
        self._update(
            transaction,
            pause_until=pause_until,
            rate_share=share if is_halved else share / 2,
            rate_share_at=pause_until,
        )

    def count_failure(self, transaction: Transaction) -> None:
        """The provider failed (no connection, no answer, a 5xx, an answer that is none).

        Requests that were on the wire when the breaker opened fail with it: during
        the cool-down nothing counts, and only a failed probe lengthens it.
        """
        now = self._clock.now()
        row = _find_or_insert(transaction.connection, self._name, now)
        is_open = row.failures_in_a_row >= FAILURES_THAT_OPEN
        if is_open and row.pause_until is not None and row.pause_until > now:
            return
        failures = row.failures_in_a_row + 1
        values: dict[str, object] = {"failures_in_a_row": failures, "probe_until": None}
        if failures >= FAILURES_THAT_OPEN:
            doublings = min(failures - FAILURES_THAT_OPEN, 10)
            cool_down = min(FIRST_COOL_DOWN * 2**doublings, LONGEST_PAUSE)
            values["pause_until"] = _later(row.pause_until, now + cool_down)
        self._update(transaction, **values)

    def count_success(self, transaction: Transaction) -> None:
        """The provider answered; the breaker closes."""
        _CLOSE_BREAKER.execute(transaction.connection, {"of_provider": self._name})

    def _update(self, transaction: Transaction, **values: object) -> None:
        of_this = gates.c.provider == self._name
        transaction.connection.execute(update(gates).where(of_this).values(values))


def gate_name(provider: str, kind: str) -> str:
    """What `gates.provider` holds: each kind of call has a gate of its own."""
    return provider if kind == LOOKUP else f"{provider}.{kind}"


def read(connection: Connection, gate: str, now: datetime, window: timedelta) -> GateState:
    row = _find(connection, gate, now)
    if row is None:
        return GateState(closed_until=None, rate_share=1.0, is_probe=False)
    is_half_open = row.failures_in_a_row >= FAILURES_THAT_OPEN
    holds = [row.pause_until] + ([row.probe_until] if is_half_open else [])
    waits = [instant for instant in holds if instant is not None and instant > now]
    return GateState(
        closed_until=max(waits, default=None),
        rate_share=_recovered(row.rate_share, row.rate_share_at, now, window),
        is_probe=is_half_open,
    )


def lease_probe(connection: Connection, gate: str, until: datetime) -> None:
    """Take the one probe that a half-open breaker allows; a killed prober loses it at `until`."""
    connection.execute(update(gates).where(gates.c.provider == gate).values(probe_until=until))


def _find(connection: Connection, gate: str, now: datetime) -> Row | None:
    values = {"of_provider": gate, "horizon": clock_skew_horizon(now, LONGEST_PAUSE)}
    return connection.execute(_FIND, values).one_or_none()


def _find_or_insert(connection: Connection, gate: str, now: datetime) -> Row:
    row = _find(connection, gate, now)
    if row is not None:
        return row
    connection.execute(insert(gates).values(provider=gate))
    return _find_or_insert(connection, gate, now)


def _recovered(share: float, since: datetime | None, now: datetime, window: timedelta) -> float:
    if since is None or share >= 1.0:
        return 1.0
    windows_passed = max(0, int((now - since) / window))
    return min(1.0, share + RECOVERY_STEP * windows_passed)


def _later(first: datetime | None, second: datetime) -> datetime:
    return second if first is None else max(first, second)
