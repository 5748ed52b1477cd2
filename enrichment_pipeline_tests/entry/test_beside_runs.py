"""A run, the receiver of callbacks and the point of entry at once, while the budget runs out."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from enrichment_pipeline.clock import Clock
from enrichment_pipeline.entry.enrichment import Enrichment
from enrichment_pipeline.entry.service import EntryService, open_desk
from enrichment_pipeline.ledger.schema import RELEASED, calls, requests
from enrichment_pipeline.ledger.store import LedgerStore, open_store
from enrichment_pipeline_tests.bought import charged, steps
from enrichment_pipeline_tests.end_to_end.world import ACCOUNTS, KEY
from enrichment_pipeline_tests.entry.contact_of import contact_of, email, full_name
from enrichment_pipeline_tests.ledger import (
    Ledger,
    booked_budgets,
    limits_of,
    recomputed_budgets,
)
from enrichment_pipeline_tests.receiver import KEYS, running_receiver
from enrichment_pipeline_tests.support import (
    people_of,
    policy_for,
    running_sandbox,
    settings_for,
    write_csv,
)

PATIENCE_SECONDS = 90.0
PER_DAY = 16
FLOORS = {"strategic": 0.0, "target": 0.1, "standard": 0.25, "bulk": 0.5}
RATE = {"items_per_window": 6, "window_seconds": 1.0}
OF_THE_SOURCE, ENTERED = range(24), range(24, 40)
"""Forty people: six of the source in each tier, and those who are entered as standard."""


@pytest.mark.long
@pytest.mark.timeout(240)
def test_beside_a_run_and_the_receiver_all_limits_hold_while_the_budget_runs_out(
    ledger_url: str, tmp_path: Path
):
    source = tmp_path / "source"
    write_csv(source / "accounts.csv", ACCOUNTS[:4])
    write_csv(
        source / "contacts.csv",
        [
            {
                "contact_id": f"source-{n}",
                "account_id": f"acc-{n % 4 + 1}",
                "full_name": full_name(n),
                "email": email(n),
            }
            for n in OF_THE_SOURCE
        ],
    )
    people = people_of(
        tmp_path / "people.csv",
        ({"full_name": full_name(n), "work_email": email(n)} for n in range(40)),
    )
    policy = policy_for(
        source,
        signalhire=RATE,
        budget={"per_day": PER_DAY, "per_run": PER_DAY, "floors": FLOORS},
    )
    store = open_store(ledger_url)
    ledger = Ledger(store, "signalhire", limits_of(), Clock())
    sandbox_of = {"api_key": KEY, "callback_delay_max_ms": 300, "callback_timeout_seconds": 60}
    with (
        running_receiver(ledger) as receiver,
        running_sandbox(people, tmp_path / "journal.jsonl", **RATE, **sandbox_of) as sandbox,
    ):
        settings = settings_for(
            tmp_path / "state",
            policy,
            sandbox.base_url,
            api_key=SecretStr(KEY),
            ledger_url=SecretStr(ledger_url),
        ).with_callbacks(receiver.url, KEYS)

        async def scene() -> list[Enrichment]:
            async with open_desk(settings) as desk, asyncio.timeout(PATIENCE_SECONDS):
                run = asyncio.create_task(asyncio.to_thread(steps, settings))
                for n in ENTERED:
                    await desk.enter(contact_of(n), wait=timedelta(0))
                    await asyncio.sleep(0.1)
                await run
                return [await _settled(desk, contact_of(n).id) for n in ENTERED]

        told = asyncio.run(scene())
    waiting = [each for each in told if not each.is_decided]
    assert waiting
    assert {(each.status, each.reason) for each in waiting} == {("queued", "budget")}
    assert {each.status for each in told if each.is_decided} <= {"enriched"}
    assert max(charged(sandbox).values()) == 1
    _assert_within_floors(store)
    with store.read() as connection:
        errors = connection.execute(sa.select(requests.c.error).distinct()).scalars()
        assert set(errors) == {None}  # the provider never had to ask for a pause
    assert booked_budgets(store) == recomputed_budgets(store)
    store.close()


async def _settled(desk: EntryService, contact_id: str) -> Enrichment:
    """What it has come to once it is decided, or waits for the budget."""
    while True:
        found = await desk.find(contact_id)
        if found is not None and (found.is_decided or found.reason == "budget"):
            return found
        await asyncio.sleep(0.1)


def _assert_within_floors(store: LedgerStore) -> None:
    """Whenever a call was admitted, those before it had left the floor of its priority."""
    query = (
        sa.select(calls.c.priority)
        .where(calls.c.state != RELEASED)
        .order_by(calls.c.reserved_at, calls.c.call_id)
    )
    with store.read() as connection:
        priorities = connection.execute(query).scalars().all()
    for used, priority in enumerate(priorities, start=1):
        assert used <= PER_DAY * (1 - FLOORS[priority]), (used, priority)
