"""However callbacks come (in parts, twice, late, contradicting each other), what they say is kept.

One batch, any callbacks for it, and beside them a book of what was ever posted.
"""

from __future__ import annotations

import tempfile
from collections import Counter, defaultdict
from datetime import timedelta
from pathlib import Path

import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from enrichment_pipeline.dispatch.asking import AskLookups
from enrichment_pipeline.dispatch.settling import read_kept_replies
from enrichment_pipeline.ledger.calls import Receipt
from enrichment_pipeline.ledger.schema import APPLIED, REPLIED, UNCONFIRMED, calls
from enrichment_pipeline.ledger.store import LedgerStore, open_store
from enrichment_pipeline.providers.signalhire.client import SignalHireClient
from enrichment_pipeline.vocabulary import MATCHED
from enrichment_pipeline_tests.databases import migrated_sqlite
from enrichment_pipeline_tests.ledger import (
    Ledger,
    answer_body,
    booked_budgets,
    candidate,
    limits_of,
    recomputed_budgets,
    reserve,
)
from enrichment_pipeline_tests.properties import draws
from enrichment_pipeline_tests.support import MEMORY, MovingClock

NAMES = ("ada", "bob")
STATUSES = ("success", "failed", "timeout_exceeded", "credits_are_over", "odd")
ANSWERS = st.lists(
    st.tuples(st.sampled_from((*NAMES, "stranger")), st.sampled_from(STATUSES)), max_size=3
)
READ, DEADLINE, APPLY = "read", "deadline", "apply"
EVENTS = st.lists(ANSWERS | st.sampled_from([READ, READ, DEADLINE, APPLY]), max_size=8)
CALLBACK_DEADLINE = timedelta(minutes=30)
READER = AskLookups(SignalHireClient("http://unused.invalid", "key"))


@given(events=EVENTS)
@draws(few=40, many=80)
def test_no_success_is_lost_and_none_is_applied_twice(events: list):
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        store = open_store(migrated_sqlite(Path(folder) / "ledger.sqlite"))
        try:
            check(store, events)
        finally:
            store.close()


def check(store: LedgerStore, events: list) -> None:
    clock = MovingClock()
    limits = limits_of(answer_deadline=CALLBACK_DEADLINE)
    ledger = Ledger(store, "signalhire", limits, clock)
    batch = reserve(ledger, *map(candidate, NAMES))
    ledger.mark_sent(batch.request_id, awaits_callback=True)
    posted: defaultdict[str, set[str]] = defaultdict(set)
    for event in [*events, READ, DEADLINE]:
        match event:
            case "read":
                read_kept_replies(store, ledger.calls, READER)
            case "deadline":
                clock.advance(minutes=31)
                ledger.clear_abandoned()
            case "apply":
                ledger.mark_applied()
            case answers:
                given = [(candidate(name).item, status) for name, status in answers]
                assert ledger.keep_callback(batch.request_id, answer_body(*given)) is Receipt.KEPT
                for item, status in given:
                    posted[item].add(status)
        assert booked_budgets(store) == recomputed_budgets(store)

    assert list(ledger.unread_replies()) == []
    with store.read() as connection:
        rows = list(connection.execute(sa.select(calls)))
    matched = Counter(row.item for row in rows if row.outcome == MATCHED)
    for name in NAMES:
        item = candidate(name).item
        assert matched[item] == ("success" in posted[item])
        assert sum(row.units_charged for row in rows if row.item == item) == matched[item]
        if not posted[item]:
            assert [row.state for row in rows if row.item == item] == [UNCONFIRMED]
    assert candidate("stranger").item not in {row.item for row in rows}
    assert all(row.state in (REPLIED, APPLIED) for row in rows if row.outcome == MATCHED)
