"""Whatever workers, kills, answers and the clock do, and in whichever order: the promises hold.

A state machine plays several workers over one ledger, beside a provider that counts items and
charges in books of its own. After each step the ledger is compared with those books.
"""

from __future__ import annotations

import hashlib
import sqlite3
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from enrichment_pipeline.dispatch.asking import AskLookups
from enrichment_pipeline.dispatch.settling import read_kept_replies, settlement_for
from enrichment_pipeline.ledger import kept
from enrichment_pipeline.ledger.admission import Admitted, Candidate, Wait
from enrichment_pipeline.ledger.budget import MILLIONTHS, credits_of, periods
from enrichment_pipeline.ledger.journal import FenceError
from enrichment_pipeline.ledger.schema import (
    APPLIED,
    RELEASED,
    REPLIED,
    RESERVED,
    SENT,
    UNCONFIRMED,
)
from enrichment_pipeline.ledger.store import open_store
from enrichment_pipeline.providers.base import ItemReading, NoMatch, Retriable, Unconfirmed
from enrichment_pipeline.providers.signalhire.client import SignalHireClient
from enrichment_pipeline_tests.databases import migrated_sqlite
from enrichment_pipeline_tests.ledger import (
    ANSWER_DEADLINE,
    NEVER_SENT,
    NOT_ANSWERED,
    SEND_LEASE,
    WINDOW,
    Ledger,
    answer_body,
    ids,
    limits_of,
)
from enrichment_pipeline_tests.properties import number_of_examples
from enrichment_pipeline_tests.support import MEMORY, MovingClock

LIMIT = 4
FLOORS = {"strategic": 0.0, "target": 0.1, "standard": 0.3, "bulk": 0.6}
PER_RUN, PER_DAY, PER_MONTH = 9, 15, 40
HOLD = timedelta(hours=6)
WORKERS = st.integers(0, 2)
PEOPLE = st.lists(st.integers(0, 9), min_size=1, max_size=6, unique=True)
INDEX = st.integers(0, 9)
TAKEN, KEPT = "taken", "kept"
STATUSES = (
    "success",
    "success",
    "success",
    "failed",
    "credits_are_over",
    "timeout_exceeded",
    "odd",
    "missing",
)
SOME_STATUSES = st.lists(st.sampled_from(STATUSES), min_size=LIMIT, max_size=LIMIT)
REFUSED = settlement_for(ItemReading(Retriable("rate_limited")))
MALFORMED = b'[{"item": "p1@cro'


@dataclass
class Flight:
    """A batch on its way; `stage` is reserved, sent, taken (by the provider) or kept.

    `epoch`: how often the clock had jumped when it was admitted.
    """

    worker: int
    batch: Admitted
    stage: str = RESERVED
    deadline: datetime | None = None
    epoch: int = 0
    statuses: list[tuple[str, str]] = field(default_factory=list)
    reply_id: str = ""
    body: bytes = b""

    @property
    def items(self) -> list[str]:
        return [lookup.candidate.item for lookup in self.batch.calls]


class Provider:
    """Counts items, charges for people, and remembers both; knows nothing of the ledger."""

    def __init__(self) -> None:
        self.counted: list[tuple[datetime, int]] = []
        self.bought: Counter[tuple[str, str]] = Counter()

    def most_in_a_window(self) -> int:
        """The most items in any sliding or fixed window so far."""
        worst = 0
        for start, _ in self.counted:
            sliding = sum(n for at, n in self.counted if start <= at < start + WINDOW)
            seconds = WINDOW.total_seconds()
            number = start.timestamp() // seconds
            fixed = sum(n for at, n in self.counted if at.timestamp() // seconds == number)
            worst = max(worst, sliding, fixed)
        return worst


def pick(flights: list[Flight], index: int) -> Flight:
    return flights[index % len(flights)]


class LedgerMachine(RuleBasedStateMachine):
    reader = AskLookups(SignalHireClient("http://unused.invalid", "key"))

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(dir=MEMORY)
        path = Path(self.folder.name) / "ledger.sqlite"
        self.store = open_store(migrated_sqlite(path))
        self.another_process = sqlite3.connect(path, isolation_level=None)
        self.another_process.row_factory = sqlite3.Row
        self.clock = MovingClock()
        """What the workers go by: true time, and by how much it is ahead."""
        self.ahead = timedelta(0)
        self.epoch = 0
        limits = limits_of(
            items_per_window=LIMIT,
            unconfirmed_hold=HOLD,
            per_run=PER_RUN,
            per_day=PER_DAY,
            per_month=PER_MONTH,
            floors=FLOORS,
        )
        self.ledger = Ledger(self.store, "signalhire", limits, self.clock)
        self.provider = Provider()
        self.generation = [0, 0, 0]
        self.dead: list[str] = []
        self.flights: list[Flight] = []
        self.orphans: list[Flight] = []
        """Sent by a worker that was killed since: the provider may still take them."""
        self.kept: dict[str, str] = {}
        """SHA-256 of every body that was recorded, by reply id."""
        self.reserved: set[str] = set()
        """Look-ups that stood in the database as reserved, seen by another process."""
        self.billed: set[str] = set()
        """Look-ups for which the provider charged."""

    def teardown(self) -> None:
        self.end_all()
        self.store.close()
        self.another_process.close()
        self.folder.cleanup()

    def true_now(self) -> datetime:
        """What the provider goes by."""
        return self.clock.now() - self.ahead

    def run_id(self, worker: int) -> str:
        return f"run-{worker}-{self.generation[worker]}"

    def read(self, query: str, *values: str) -> list[sqlite3.Row]:
        """As another process reads, and without the code that is put to the test."""
        return self.another_process.execute(query, values).fetchall()

    def rows(self) -> list[sqlite3.Row]:
        return self.read("select * from calls")

    def states(self, batch: Admitted) -> dict[str, str]:
        query = "select call_id, state from calls where request_id = ?"
        return {row["call_id"]: row["state"] for row in self.read(query, batch.request_id)}

    def at(self, *stages: str) -> list[Flight]:
        return [flight for flight in self.flights if flight.stage in stages]

    def takeable(self) -> list[Flight]:
        """On the wire, and not past the deadline until which the provider may be at work."""
        on_the_wire = self.at(SENT) + self.orphans
        return [f for f in on_the_wire if f.deadline and self.true_now() <= f.deadline]

    # --- what workers do -----------------------------------------------------------------

    @rule(
        worker=WORKERS,
        people=PEOPLE,
        priority=st.sampled_from(list(FLOORS)),
        is_stale=st.integers(0, 5).map(lambda number: number == 0),
        statuses=st.none() | SOME_STATUSES,
    )
    def admit(
        self,
        worker: int,
        people: list[int],
        priority: str,
        is_stale: bool,
        statuses: list[str] | None,
    ) -> None:
        """Offer people, as the work list knows them or (rarely) as it did before.

        With `statuses` what is admitted reaches the provider in the same instant.
        """
        rows = self.rows()
        not_released = [row for row in rows if row["state"] != RELEASED]
        superseded = {row["supersedes"] for row in not_released}
        last = {
            row["person_key"]: row["call_id"]
            for row in not_released
            if row["call_id"] not in superseded
        }
        candidates = [
            Candidate(
                person_key=f"p{number}",
                contact_id=f"c{number}",
                item=f"p{number}@crowd.example",
                item_kind="email",
                freshness="new",
                priority=priority,
                supersedes="" if is_stale else last.get(f"p{number}", ""),
            )
            for number in people
        ]
        decision = self.ledger.admit(candidates, self.run_id(worker))
        if not isinstance(decision, Admitted):
            assert len(self.rows()) == len(rows)
            return
        self.check_budget(rows, self.run_id(worker), priority, len(decision.calls))
        assert set(self.states(decision).values()) == {RESERVED}
        self.reserved.update(ids(decision))
        self.flights.append(Flight(worker, decision, epoch=self.epoch))
        if statuses:
            self.send_one(self.flights[-1])
            self.take_one(self.flights[-1], statuses)

    def check_budget(
        self, before: list[sqlite3.Row], run_id: str, priority: str, amount: int
    ) -> None:
        usable_share = 1 - Decimal(str(FLOORS[priority]))
        day = self.clock.business_now().date().isoformat()
        limits = dict(
            zip(
                periods(run_id, day),
                (Decimal(PER_RUN), PER_DAY * usable_share, PER_MONTH * usable_share),
                strict=True,
            )
        )
        for period, limit in limits.items():
            used = sum(
                row["units_charged"] + (row["state"] in (RESERVED, SENT, UNCONFIRMED))
                for row in before
                if period in periods(row["run_id"], row["budget_day"])
            )
            assert used + amount <= limit

    @precondition(lambda self: self.at(RESERVED))
    @rule(index=INDEX)
    def send(self, index: int) -> None:
        self.send_one(pick(self.at(RESERVED), index))

    def send_one(self, flight: Flight) -> None:
        before = self.states(flight.batch)
        try:
            self.ledger.mark_sent(flight.batch.request_id)
        except FenceError:
            assert self.states(flight.batch) == before
            self.flights.remove(flight)
            return
        assert set(before.values()) == {RESERVED}
        flight.stage = SENT
        flight.deadline = self.true_now() + ANSWER_DEADLINE

    @precondition(lambda self: self.takeable())
    @rule(index=INDEX, statuses=SOME_STATUSES)
    def provider_takes(self, index: int, statuses: list[str]) -> None:
        """It counts and charges, at an instant between sending and the deadline."""
        self.take_one(pick(self.takeable(), index), statuses)

    def take_one(self, flight: Flight, statuses: list[str]) -> None:
        flight.stage = TAKEN
        if flight in self.orphans:
            self.orphans.remove(flight)
        if flight.epoch == self.epoch:
            self.provider.counted.append((self.true_now(), len(flight.batch.calls)))
        for lookup, status in zip(flight.batch.calls, statuses, strict=False):
            if status != "missing":
                flight.statuses.append((lookup.candidate.item, status))
            if status == "success":
                self.provider.bought[lookup.candidate.person_key, lookup.candidate.supersedes] += 1
                self.billed.add(lookup.call_id)

    @precondition(lambda self: self.at(TAKEN))
    @rule(index=INDEX, is_malformed=st.integers(0, 4).map(lambda number: number == 0))
    def answer_is_kept(self, index: int, is_malformed: bool) -> None:
        flight = pick(self.at(TAKEN), index)
        flight.body = MALFORMED if is_malformed else answer_body(*flight.statuses)
        flight.reply_id = self.record(flight, 200, flight.body)
        flight.stage = KEPT

    def record(self, flight: Flight, http_status: int, body: bytes) -> str:
        reply_id = self.ledger.record_reply(
            flight.batch.request_id, http_status=http_status, body=body, credits_left=None
        )
        self.kept[reply_id] = hashlib.sha256(body).hexdigest()
        return reply_id

    @precondition(lambda self: self.at(KEPT))
    @rule(index=INDEX)
    def answer_is_settled(self, index: int) -> None:
        """Unless another run has settled the kept reply in the meantime."""
        flight = pick(self.at(KEPT), index)
        self.flights.remove(flight)
        reading = self.reader.read([(200, flight.body)], flight.items)
        settlements = dict(zip(ids(flight.batch), map(settlement_for, reading.items), strict=True))
        before = self.states(flight.batch)
        is_allowed = all(
            before[call_id] == SENT
            or (before[call_id] == UNCONFIRMED and settlement.state != UNCONFIRMED)
            for call_id, settlement in settlements.items()
        )
        try:
            self.ledger.settle(settlements, reply_id=flight.reply_id)
        except FenceError:
            assert not is_allowed
            assert self.states(flight.batch) == before
        else:
            assert is_allowed
            self.ledger.count_success()

    @precondition(lambda self: self.at(SENT))
    @rule(index=INDEX, retry_after=st.none() | st.timedeltas(timedelta(0), 2 * WINDOW))
    def too_many_requests(self, index: int, retry_after: timedelta | None) -> None:
        """A 429: another client uses the same account."""
        flight = pick(self.at(SENT), index)
        self.flights.remove(flight)
        reply_id = self.record(flight, 429, b"{}")
        self.ledger.settle(dict.fromkeys(ids(flight.batch), REFUSED), reply_id=reply_id)
        self.ledger.pause(retry_after)

    @precondition(lambda self: self.at(SENT))
    @rule(index=INDEX)
    def no_connection(self, index: int) -> None:
        flight = pick(self.at(SENT), index)
        self.flights.remove(flight)
        self.ledger.note_unsent(flight.batch.request_id, "ConnectError")
        self.ledger.settle(dict.fromkeys(ids(flight.batch), NEVER_SENT))
        self.ledger.count_failure()

    @precondition(lambda self: self.at(SENT, TAKEN))
    @rule(index=INDEX)
    def connection_is_torn(self, index: int) -> None:
        flight = pick(self.at(SENT, TAKEN), index)
        self.flights.remove(flight)
        before = self.states(flight.batch)
        try:
            self.ledger.settle(dict.fromkeys(ids(flight.batch), NOT_ANSWERED))
        except FenceError:
            assert set(before.values()) == {UNCONFIRMED}
        self.ledger.count_failure()

    # --- kills, clearing up, time --------------------------------------------------------

    @rule(worker=WORKERS)
    def kill(self, worker: int) -> None:
        """The worker forgets what it held; the provider goes on with what is on the wire."""
        self.dead.append(self.run_id(worker))
        self.generation[worker] += 1
        held = [flight for flight in self.flights if flight.worker == worker]
        self.flights = [flight for flight in self.flights if flight.worker != worker]
        self.orphans += [flight for flight in held if flight.stage == SENT]

    @rule()
    def clear_up(self) -> None:
        """As at the start of a run."""
        read_kept_replies(self.ledger.store, self.ledger.calls, self.reader, self.dead)
        self.ledger.clear_abandoned(self.dead)

    @rule()
    def apply_answers(self) -> None:
        newest = max((row["revision"] for row in self.rows()), default=0)
        kept.mark_applied(self.ledger.store, newest)

    @rule(
        seconds=st.one_of(
            st.sampled_from(
                [
                    1.0,
                    WINDOW.total_seconds() / 2,
                    WINDOW.total_seconds(),
                    SEND_LEASE.total_seconds(),
                    (SEND_LEASE + WINDOW).total_seconds(),
                    ANSWER_DEADLINE.total_seconds(),
                    (ANSWER_DEADLINE + WINDOW).total_seconds(),
                    HOLD.total_seconds(),
                    timedelta(days=1).total_seconds(),
                ]
            ),
            st.floats(0.001, 600),
        )
    )
    def time_passes(self, seconds: float) -> None:
        self.clock.advance(seconds=seconds)

    @precondition(lambda self: self.epoch == 0)
    @rule(ahead=st.sampled_from([timedelta(hours=1), timedelta(days=40), timedelta(days=365)]))
    def clock_jumps_ahead(self, ahead: timedelta) -> None:
        self.set_clock(ahead)

    @precondition(lambda self: self.ahead)
    @rule()
    def clock_comes_back(self) -> None:
        self.set_clock(timedelta(0))

    def set_clock(self, ahead: timedelta) -> None:
        """A jump may cost a 429: what was admitted before it is not counted with what comes."""
        self.clock.advance(seconds=(ahead - self.ahead).total_seconds())
        self.ahead = ahead
        self.epoch += 1
        self.provider.counted.clear()

    # --- the promises --------------------------------------------------------------------

    @invariant()
    def no_person_is_on_two_ways_at_once(self) -> None:
        rows = self.rows()
        open_ones = Counter(
            (row["person_key"], row["supersedes"]) for row in rows if row["state"] != RELEASED
        )
        assert max(open_ones.values(), default=1) == 1
        on_the_way = Counter(row["person_key"] for row in rows if row["state"] in (RESERVED, SENT))
        assert max(on_the_way.values(), default=1) == 1

    @invariant()
    def no_person_is_bought_twice(self) -> None:
        assert max(self.provider.bought.values(), default=1) == 1

    @invariant()
    def the_budget_table_says_what_the_look_ups_say(self) -> None:
        reserved: Counter[str] = Counter()
        charged: Counter[str] = Counter()
        for row in self.rows():
            run_id = row["run_id"]
            for period in (*periods(run_id, row["budget_day"]), credits_of(run_id)):
                reserved[period] += row["state"] in (RESERVED, SENT, UNCONFIRMED)
                charged[period] += row["units_charged"]
        for row in self.read("select * from budgets"):
            assert row["reserved"] == MILLIONTHS * reserved.pop(row["period"])
            assert row["charged"] == MILLIONTHS * charged.pop(row["period"])
        assert not reserved

    @invariant()
    def the_provider_never_counts_more_than_its_limit(self) -> None:
        assert self.provider.most_in_a_window() <= LIMIT

    @invariant()
    def every_reply_is_still_there(self) -> None:
        found = {
            row["reply_id"]: hashlib.sha256(row["body"]).hexdigest()
            for row in self.read("select reply_id, body from replies")
        }
        assert found == self.kept

    @invariant()
    def nothing_was_ever_sent_that_was_not_committed_first(self) -> None:
        assert {row["call_id"] for row in self.rows()} == self.reserved

    @invariant()
    def what_was_charged_is_known_or_may_yet_be(self) -> None:
        states = {row["call_id"]: row for row in self.rows()}
        for call_id in self.billed:
            row = states[call_id]
            assert row["state"] in (SENT, UNCONFIRMED) or row["units_charged"] == 1

    def end_all(self) -> None:
        """All runs are dead, all deadlines are over: nothing stays open, no answer unread.

        Nothing waits either, whatever was written while the clock was ahead.
        """
        self.set_clock(timedelta(0))
        self.clock.advance(days=2)
        read_kept_replies(self.ledger.store, self.ledger.calls, self.reader)
        self.ledger.clear_abandoned([self.run_id(worker) for worker in range(3)] + self.dead)
        rows = {row["call_id"]: row for row in self.rows()}
        assert {row["state"] for row in rows.values()} <= {REPLIED, APPLIED, RELEASED, UNCONFIRMED}
        charged = {call_id for call_id, row in rows.items() if row["units_charged"]}
        unconfirmed = {call_id for call_id, row in rows.items() if row["state"] == UNCONFIRMED}
        assert charged <= self.billed <= charged | unconfirmed
        assert self.ledger.rate_window() == (0, LIMIT)
        self.the_budget_table_says_what_the_look_ups_say()
        assert not isinstance(self.ledger.admit([self.stranger()], "last"), Wait)

    def stranger(self) -> Candidate:
        return Candidate(
            person_key="stranger",
            contact_id="stranger",
            item="stranger@crowd.example",
            item_kind="email",
            freshness="new",
            priority="strategic",
        )


@pytest.mark.property
@pytest.mark.timeout(1200)
def test_every_promise_holds_in_whatever_order_things_happen():
    examples = number_of_examples(few=25, many=100)
    run_state_machine_as_test(
        LedgerMachine, settings=settings(max_examples=examples, stateful_step_count=50)
    )


def test_the_outcomes_that_the_machine_plays_are_those_that_the_dispatcher_books():
    assert settlement_for(ItemReading(Unconfirmed("no_reply"))) == NOT_ANSWERED
    assert settlement_for(ItemReading(Retriable("not_sent"))) == NEVER_SENT
    assert settlement_for(ItemReading(NoMatch(), 0)).state == REPLIED
