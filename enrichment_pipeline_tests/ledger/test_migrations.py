"""A ledger that an older version wrote: it opens, keeps all rows, and no person becomes due."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from enrichment_pipeline.ledger import kept
from enrichment_pipeline.ledger.admission import Exhausted, Known, NotDue
from enrichment_pipeline.ledger.schema import (
    APPLIED,
    RELEASED,
    REPLIED,
    RESERVED,
    SENT,
    UNCONFIRMED,
    budgets,
    calls,
    replies,
    requests,
    unread_replies,
)
from enrichment_pipeline.ledger.store import MIGRATIONS, LedgerStore, open_store, opened
from enrichment_pipeline_tests.ledger import Ledger, admitted, candidate, limits_of
from enrichment_pipeline_tests.ledger.test_searches import candidate as search_for
from enrichment_pipeline_tests.ledger.test_searches import ledger_of as searches_of
from enrichment_pipeline_tests.support import START, MovingClock

AT = "2026-03-02 12:00:00.000000"
DAY = "2026-03-02"
STATES = (RESERVED, SENT, REPLIED, APPLIED, RELEASED, UNCONFIRMED)
OF_SEARCHES = ("open", "waiting", "answered", "nothing", "released")


def as_of(revision: str, url: str) -> sa.Engine:
    """A ledger with the tables that this migration left."""
    engine = sa.create_engine(url)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    return engine


def insert(connection: sa.Connection, table: str, **values: Any) -> None:
    names = ", ".join(values)
    bound = ", ".join(f":{name}" for name in values)
    connection.execute(sa.text(f"insert into {table} ({names}) values ({bound})"), values)


def fill(connection: sa.Connection) -> None:
    """A look-up in each state, and a search in each, as the version before wrote them."""
    connection.execute(sa.text("update ledger_head set revision = 100"))
    insert(
        connection,
        "batches",
        batch_id="b1",
        provider="signalhire",
        run_id="run",
        item_count=6,
        reserved_at=AT,
        sent_at=AT,
        slot_free_at=AT,
        awaits_callback=True,
    )
    insert(
        connection,
        "replies",
        reply_id="r1",
        batch_id="b1",
        received_at=AT,
        answered_at=AT,
        http_status=200,
        body=b"[]",
        body_sha256="digest",
    )
    insert(connection, "unread_replies", reply_id="r1", provider="signalhire", received_at=AT)
    for number, state in enumerate(STATES):
        is_answered = state in (REPLIED, APPLIED)
        insert(
            connection,
            "lookups",
            lookup_id=f"l-{state}",
            provider="signalhire",
            request="person",
            person_key=f"person:{state}",
            contact_id=f"contact-{state}",
            item=f"{state}@crowd.example",
            item_kind="email",
            freshness="new",
            priority="standard",
            run_id="run",
            batch_id="b1",
            state=state,
            outcome="matched" if is_answered else None,
            credits_reserved=1,
            credits_charged=int(is_answered),
            budget_day=DAY,
            reserved_at=AT,
            requested_at=AT,
            answered_at=None if state in (RESERVED, SENT) else AT,
            revision=number + 1,
            is_released=state == RELEASED,
        )
    insert(
        connection,
        "budgets",
        provider="signalhire",
        period=f"day:{DAY}",
        credits_reserved=3,
        credits_charged=2,
    )
    for number, name in enumerate(OF_SEARCHES):
        state = {"waiting": "open", "nothing": "answered"}.get(name, name)
        insert(
            connection,
            "searches",
            search_id=f"s-{name}",
            provider="signalhire",
            query_kind="current",
            person_key=f"person:{name}",
            contact_id=f"contact-{name}",
            full_name=f"{name} Example",
            company="Acme",
            freshness="new",
            priority="strategic",
            run_id="run",
            state=state,
            outcome={"answered": "found", "nothing": "nothing"}.get(name),
            is_complete=True if state == "answered" else None,
            series=1 if name == "answered" else 0,
            reserved_at=AT,
            requested_at=AT,
            answered_at=None if state == "open" else AT,
            revision=number + 11,
        )
    for call_id, name, series, page, body in (
        ("c-open", "open", 0, 1, None),
        ("c-waiting", "waiting", 0, 1, b"a page"),
        ("c-gone", "answered", 0, 1, b"lost"),
        ("c-first", "answered", 1, 1, b"page 1"),
        ("c-second", "answered", 1, 2, b"page 2"),
        ("c-nothing", "nothing", 0, 1, b"{}"),
        ("c-released", "released", 0, 1, b"402"),
    ):
        insert(
            connection,
            "search_calls",
            call_id=call_id,
            search_id=f"s-{name}",
            provider="signalhire",
            series=series,
            page=page,
            quota_day=DAY,
            is_counted=name != "released",
            sent_at=AT,
            deadline_at=AT,
            responded_at=None if body is None else AT,
            http_status=None if body is None else 402 if name == "released" else 200,
            body=body,
            error="quota_used_up" if name == "released" else None,
        )


@pytest.fixture
def upgraded(new_ledger_url: str) -> Iterator[LedgerStore]:
    engine = as_of("0005", new_ledger_url)
    with engine.begin() as connection:
        fill(connection)
    engine.dispose()
    store = open_store(new_ledger_url)
    yield store
    store.close()


def column(store: LedgerStore, of: sa.Column, *where: Any) -> list[Any]:
    with store.read() as connection:
        return list(connection.execute(sa.select(of).where(*where).order_by(of)).scalars())


def test_every_row_is_there_under_its_old_id(upgraded: LedgerStore) -> None:
    lookups = [f"l-{state}" for state in STATES]
    searches = [f"s-{name}" for name in OF_SEARCHES]
    assert column(upgraded, calls.c.call_id) == sorted(lookups + searches)
    assert len(column(upgraded, requests.c.request_id)) == 8
    assert len(column(upgraded, replies.c.reply_id)) == 7
    assert column(upgraded, replies.c.reply_id, replies.c.is_callback) == ["r1"]
    assert column(upgraded, unread_replies.c.reply_id) == ["c-waiting", "r1"]
    [page] = kept.changed_lookups(upgraded, 0)
    assert [(row.lookup_id, row.revision) for row in page] == [
        (f"l-{state}", number + 1) for number, state in enumerate(STATES)
    ]
    [page] = kept.changed_searches(upgraded, 0)
    assert [(row.search_id, row.state, row.outcome) for row in page] == [
        ("s-open", "open", None),
        ("s-waiting", "open", None),
        ("s-answered", "answered", "found"),
        ("s-nothing", "answered", "nothing"),
        ("s-released", "released", None),
    ]
    assert kept.page_bodies(upgraded, ["s-answered"]) == [
        ("s-answered", 1, b"page 1"),
        ("s-answered", 2, b"page 2"),
    ]


def test_no_more_persons_are_due_than_before(upgraded: LedgerStore) -> None:
    ledger = Ledger(upgraded, "signalhire", limits_of(), MovingClock(START))
    held = [state for state in STATES if state != RELEASED]
    assert ledger.admit([candidate(state) for state in held], "run") == NotDue(len(held))
    assert len(admitted(ledger.admit([candidate(RELEASED)], "run")).calls) == 1
    searches = searches_of(upgraded, MovingClock(START))
    for name in OF_SEARCHES:
        decision = searches.admit([search_for(name)], "run")
        # who was given back is due, but the provider said that the day's quota is used up
        assert decision == (Exhausted("day") if name == "released" else NotDue(1))


def test_budgets_and_quotas_say_what_they_said(upgraded: LedgerStore) -> None:
    with upgraded.read() as connection:
        rows = connection.execute(sa.select(budgets)).all()
    found = {(row.pool, row.period): (row.reserved, row.charged) for row in rows}
    assert found == {
        ("credits", f"day:{DAY}"): (3_000_000, 2_000_000),
        # of the six calls that count the two of open searches may yet turn out not to
        ("signalhire.search", f"day:{DAY}"): (2_000_000, 4_000_000),
        ("signalhire.search", f"used_up:{DAY}"): (0, 0),
    }


def test_what_was_under_way_ends(upgraded: LedgerStore) -> None:
    clock = MovingClock(START)
    clock.advance(days=1)
    ledger = Ledger(upgraded, "signalhire", limits_of(), clock)
    assert ledger.clear_abandoned(["run"]) == 1  # what was reserved; the others have a reply
    searches = searches_of(upgraded, clock)
    assert searches.clear_abandoned(["run"]) == 1
    settled: Callable[[str], list[Any]] = lambda call_id: column(  # noqa: E731
        upgraded, calls.c.state, calls.c.call_id == call_id
    )
    assert (settled("l-reserved"), settled("s-open")) == ([RELEASED], [RELEASED])


def test_every_identifier_of_a_call_still_tells_of_it(new_ledger_url: str) -> None:
    """They were texts; a call about the same person is known by each of them, and not bought."""
    known_by = [f"email:{number:04}" for number in range(1_001)]  # more than a page of them
    engine = as_of("0007", new_ledger_url)
    with engine.begin() as connection:
        insert(
            connection,
            "requests",
            request_id="b1",
            provider="signalhire",
            kind="lookup",
            run_id="run",
            item_count=1,
            rate_units=1,
            reserved_at=AT,
            sent_at=AT,
            awaits_callback=False,
        )
        insert(
            connection,
            "calls",
            call_id="l1",
            provider="signalhire",
            kind="lookup",
            question="person",
            person_key="person:ada",
            contact_id="contact-ada",
            item="ada@crowd.example",
            item_kind="email",
            freshness="new",
            priority="standard",
            run_id="run",
            request_id="b1",
            state=SENT,
            unit_cost=1_000_000,
            cost_reserved=1_000_000,
            budget_day=DAY,
            reserved_at=AT,
            requested_at=AT,
            revision=1,
            is_released=False,
        )
        connection.execute(
            sa.text(
                "insert into call_identifiers (identifier, call_id) values (:identifier, 'l1')"
            ),
            [{"identifier": identifier} for identifier in known_by],
        )
    engine.dispose()
    with opened(new_ledger_url) as store:
        ledger = Ledger(store, "signalhire", limits_of(), MovingClock(START))
        others = [
            replace(candidate(identifier), known_by=frozenset({identifier}))
            for identifier in known_by
        ]
        decision = ledger.admit(others, "run")
        assert decision == NotDue(len(others), tuple(Known(other, "l1") for other in others))
