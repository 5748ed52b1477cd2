"""However callbacks come (in parts, twice, late, contradicting each other), what they say is kept.

A state machine submits batches, posts callbacks of any kind for them, reads them, lets time pass
and asks again for whom it may; beside it stands a book of what was ever posted.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter, defaultdict
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from enrichment_pipeline.dispatch.settling import read_kept_replies
from enrichment_pipeline.ledger.admission import Admitted
from enrichment_pipeline.ledger.ledger import Ledger
from enrichment_pipeline.ledger.schema import (
    APPLIED,
    MATCHED,
    RELEASED,
    REPLIED,
    RESERVED,
    SENT,
    UNCONFIRMED,
    lookups,
)
from enrichment_pipeline.ledger.store import open_store
from enrichment_pipeline.providers.signalhire.client import SignalHireClient
from enrichment_pipeline_tests.ledger import (
    answer_body,
    booked_budgets,
    candidate,
    limits_of,
    recomputed_budgets,
)
from enrichment_pipeline_tests.ledger.test_properties import MEMORY
from enrichment_pipeline_tests.support import MovingClock

NAMES = ("ada", "bob", "eve", "kim")
STATUSES = ("success", "failed", "timeout_exceeded", "credits_are_over", "odd")
ANSWERS = st.lists(
    st.tuples(st.sampled_from((*NAMES, "stranger")), st.sampled_from(STATUSES)), max_size=5
)
DEADLINE = timedelta(minutes=30)
READER = SignalHireClient("http://unused.invalid", "key")


class CallbackMachine(RuleBasedStateMachine):
    template: Path

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(dir=MEMORY)
        path = Path(self.folder.name) / "ledger.sqlite"
        shutil.copy(self.template, path)
        self.store = open_store(f"sqlite:///{path}")
        self.clock = MovingClock()
        limits = limits_of(items_per_window=1000, answer_deadline=DEADLINE)
        self.ledger = Ledger(self.store, "signalhire", limits, self.clock)
        self.batches: list[Admitted] = []
        self.posted: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        """What was ever posted, by batch and item."""

    def teardown(self) -> None:
        self.end_all()
        self.store.close()
        self.folder.cleanup()

    def rows(self) -> list[sa.Row]:
        with self.store.read() as connection:
            return list(connection.execute(sa.select(lookups).order_by(lookups.c.reserved_at)))

    @rule(names=st.lists(st.sampled_from(NAMES), min_size=1, unique=True))
    def submit(self, names: list[str]) -> None:
        rows = [row for row in self.rows() if row.state != RELEASED]
        superseded = {row.supersedes for row in rows}
        last = {row.item: row.lookup_id for row in rows if row.lookup_id not in superseded}
        offered = [candidate(name, supersedes=last.get(candidate(name).item, "")) for name in names]
        decision = self.ledger.admit(offered, "run")
        if isinstance(decision, Admitted):
            self.ledger.mark_sent(decision.batch_id, awaits_callback=True)
            self.batches.append(decision)

    @precondition(lambda self: self.batches)
    @rule(index=st.integers(0, 9), answers=ANSWERS)
    def post(self, index: int, answers: list[tuple[str, str]]) -> None:
        batch = self.batches[index % len(self.batches)]
        body = answer_body(*((candidate(name).item, status) for name, status in answers))
        assert self.ledger.keep_callback(batch.batch_id, body)
        for name, status in answers:
            self.posted[batch.batch_id, candidate(name).item].append(status)

    @rule()
    def read(self) -> None:
        read_kept_replies(self.ledger, READER)

    @rule(minutes=st.sampled_from([1, 29, 31, 60 * 24 * 31]))
    def time_passes(self, minutes: int) -> None:
        self.clock.advance(minutes=minutes)
        self.ledger.clear_abandoned()

    @rule()
    def apply_answers(self) -> None:
        newest = max((row.revision for row in self.rows()), default=0)
        self.ledger.mark_applied(self.ledger.unapplied_lookup_ids(newest))

    @invariant()
    def nobody_is_on_two_ways_and_the_budgets_are_right(self) -> None:
        on_the_way = Counter(row.item for row in self.rows() if row.state in (RESERVED, SENT))
        assert max(on_the_way.values(), default=1) == 1
        assert booked_budgets(self.store) == recomputed_budgets(self.store)

    @invariant()
    def an_answer_is_applied_at_most_once(self) -> None:
        matched = Counter((row.batch_id, row.item) for row in self.rows() if row.outcome == MATCHED)
        assert max(matched.values(), default=1) == 1
        for row in self.rows():
            assert row.credits_charged == (row.outcome == MATCHED)
            if row.outcome == MATCHED:
                assert "success" in self.posted[row.batch_id, row.item]

    def end_all(self) -> None:
        """All is read, all deadlines are over: no success that was posted is lost."""
        self.read()
        assert list(self.ledger.unread_replies()) == []
        rows = self.rows()
        matched = {(row.batch_id, row.item) for row in rows if row.outcome == MATCHED}
        for batch in self.batches:
            for lookup in batch.lookups:
                item = lookup.candidate.item
                was_found = "success" in self.posted[batch.batch_id, item]
                # somebody who was asked for anew in the meantime has that look-up for an answer
                asked_anew = any(
                    row.item == item and row.batch_id != batch.batch_id for row in rows
                )
                assert ((batch.batch_id, item) in matched) == was_found or asked_anew
        self.clock.advance(days=1)
        self.ledger.clear_abandoned()
        left = {row.state for row in self.rows()}
        assert left <= {REPLIED, APPLIED, RELEASED, UNCONFIRMED}
        self.nobody_is_on_two_ways_and_the_budgets_are_right()


@pytest.mark.timeout(120)
def test_no_success_is_lost_and_none_is_applied_twice(tmp_path: Path):
    CallbackMachine.template = tmp_path / "template.sqlite"
    open_store(f"sqlite:///{CallbackMachine.template}").close()
    run_state_machine_as_test(
        CallbackMachine,
        settings=settings(
            max_examples=60,
            stateful_step_count=25,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
