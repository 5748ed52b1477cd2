"""A ledger that is an older copy, or gone: noticed before anybody is bought twice.

Here: what a run sees and does in each case, over a small world of which one half was bought, then
the other. Not here: making copies and putting them back (`test_backup.py`).
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
import sqlalchemy as sa

from enrichment_pipeline.clock import Clock
from enrichment_pipeline.entry.service import open_desk
from enrichment_pipeline.errors import ConfigurationError
from enrichment_pipeline.ledger import kept
from enrichment_pipeline.ledger.journal import Settlement
from enrichment_pipeline.ledger.schema import calls
from enrichment_pipeline.ledger.store import open_store
from enrichment_pipeline.rollback import RolledBack, take_over_answers
from enrichment_pipeline.run import Run
from enrichment_pipeline.steps.context import RunContext
from enrichment_pipeline.steps.copy_answers import copy_answers
from enrichment_pipeline.stores import Stores
from enrichment_pipeline.vocabulary import VERIFICATION
from enrichment_pipeline.warehouse.verifications import keep_answers, merge_verifications
from enrichment_pipeline_tests.bought import HALF, Bought, charged
from enrichment_pipeline_tests.databases import migrated_sqlite
from enrichment_pipeline_tests.end_to_end.world import LOOKUPS, ledger_rows
from enrichment_pipeline_tests.ledger import (
    NOT_ANSWERED,
    Ledger,
    booked_budgets,
    buy,
    candidate,
    limits_of,
    recomputed_budgets,
    send,
    states,
)
from enrichment_pipeline_tests.warehouse.prepared import opened

REST = LOOKUPS - HALF
"""How many look-ups were made after the older copy."""


def older_copy_of_both(bought: Bought) -> None:
    bought.lose("ledger.sqlite", "warehouse.duckdb")
    bought.put_back("ledger.sqlite", "warehouse.duckdb")


def both_deleted(bought: Bought) -> None:
    bought.lose("ledger.sqlite", "warehouse.duckdb")


def ledger_deleted(bought: Bought) -> None:
    bought.lose("ledger.sqlite")


def older_ledger(bought: Bought) -> None:
    bought.lose("ledger.sqlite")
    bought.put_back("ledger.sqlite")


def older_ledger_that_went_on(bought: Bought) -> None:
    """Its revisions have overtaken the warehouse's: they alone tell nothing."""
    older_ledger(bought)
    with closing(duckdb.connect(str(bought.home / "warehouse.duckdb"))) as connection:
        [(newest,)] = connection.execute("select max(revision) from raw.lookups").fetchall()
    bought.execute_on_ledger(f"update ledger_head set revision = {newest + 10}")


def everything_but_the_stamp_deleted(bought: Bought) -> None:
    bought.lose("ledger.sqlite", "warehouse.duckdb")
    shutil.rmtree(bought.home / "published")


CASES: list[tuple[Callable[[Bought], None], int, int]] = [
    (older_copy_of_both, REST, REST),
    (both_deleted, LOOKUPS, LOOKUPS),
    (ledger_deleted, LOOKUPS, 0),
    (older_ledger, REST, 0),
    (older_ledger_that_went_on, REST, 0),
]
"""What happened, how many look-ups the ledger lacks, and how many nobody has the answers of."""


@pytest.mark.parametrize(
    ("happened", "lacking", "lost"), CASES, ids=lambda value: getattr(value, "__name__", None)
)
def test_a_ledger_that_was_rolled_back_stops_a_run_until_that_is_accepted(
    bought: Bought, happened: Callable[[Bought], None], lacking: int, lost: int
) -> None:
    happened(bought)
    with pytest.raises(RolledBack) as caught:
        bought.prepare()
    message = str(caught.value)
    assert str(bought.home / "ledger.sqlite") in message
    assert "restored from an older copy" in message
    assert f"holds {lacking:,}" in message
    assert f"the people of {lost:,} look-ups" in message
    assert "enrichment restore" in message
    assert "--accept-rollback" in message

    bought.prepare(accepts_rollback=True)
    # only those of whom nobody has the answer would be bought
    assert bought.due() == lost
    store = open_store(bought.settings.ledger_url.get_secret_value())
    assert booked_budgets(store) == recomputed_budgets(store)
    store.close()


def test_whatever_a_refused_run_has_made_the_next_one_sees_the_rollback_until_it_is_accepted(
    bought: Bought,
) -> None:
    both_deleted(bought)
    for _again in range(2):
        with pytest.raises(RolledBack, match=f"holds {LOOKUPS}"):
            bought.prepare()
    bought.prepare(accepts_rollback=True)
    # as the schedule would start it, before anything newer is published
    bought.prepare()


def test_a_folder_whose_stores_are_gone_is_noticed_by_its_stamp(bought: Bought) -> None:
    everything_but_the_stamp_deleted(bought)
    with pytest.raises(RolledBack, match="was used with another ledger, which is gone"):
        bought.prepare()


@pytest.mark.parametrize(
    "damage",
    [
        older_copy_of_both,
        ledger_deleted,
        older_ledger_that_went_on,
        everything_but_the_stamp_deleted,
    ],
)
def test_the_point_of_entry_takes_nothing_with_such_a_ledger_until_that_is_accepted(
    bought: Bought, damage: Callable[[Bought], None]
) -> None:
    damage(bought)

    async def enter() -> None:
        async with open_desk(bought.settings):
            pass

    for _ in range(2):  # nor has it made the folder name this ledger
        with pytest.raises(RolledBack):
            asyncio.run(enter())
    with pytest.raises(RolledBack):
        bought.prepare()
    bought.prepare(accepts_rollback=True)
    asyncio.run(enter())


def test_what_is_accepted_is_recorded_beside_the_ledgers_stamp(bought: Bought) -> None:
    older_copy_of_both(bought)
    bought.prepare(accepts_rollback=True)
    [(value,)] = ledger_rows(
        bought.home, "select value from ledger_stamp where key = 'accepted_rollback'"
    )
    assert '"published"' in value
    assert '"run_id"' in value


def test_a_second_rollback_is_noticed_though_the_first_one_was_accepted(bought: Bought) -> None:
    older_copy_of_both(bought)
    bought.prepare(accepts_rollback=True)
    older_copy_of_both(bought)
    with pytest.raises(RolledBack):
        bought.prepare()


def test_answers_that_are_taken_over_are_in_the_ledger_as_they_came(bought: Bought) -> None:
    before = bought.answers()
    ledger_deleted(bought)
    bought.prepare(accepts_rollback=True)
    copy_answers(RunContext(Stores(bought.settings), Run.none()))
    assert bought.answers() == before
    # and a warehouse that is lost after it is derived from them
    bought.lose("warehouse.duckdb")
    assert bought.run().sent == 0
    assert bought.answers() == before
    assert bought.statuses() == bought.statuses_before


def test_verifications_go_back_into_the_ledger_with_what_they_cost(tmp_path: Path) -> None:
    """Those that the warehouse alone knows: none is bought again, and the budgets know of it."""
    halves = limits_of(unit_cost=0.5, credits_per_unit=0.5, is_paged=True)
    checked = Settlement("replied", "checked", None, units_charged=1, answer_index=0)
    outcomes = {
        "good": checked,
        "stopped": Settlement("replied", "legal_stop"),
        "lost": NOT_ANSWERED,
        "slow": Settlement("released", "retriable", "in_progress", units_charged=1),
    }
    store, older = (
        open_store(migrated_sqlite(tmp_path / f"{name}.sqlite")) for name in ("newer", "older")
    )
    ledger = Ledger(store, "checker", halves, Clock(), VERIFICATION)
    for name, settlement in outcomes.items():
        buy(ledger, candidate(name), settlement=settlement)
    booked = booked_budgets(store)
    assert booked["credits:run"] == (0.5, 1)
    with opened() as warehouse:
        merge_verifications(
            warehouse, kept.changed_verifications(store, 0), {"checker": Decimal("0.5")}
        )
        keep_answers(warehouse, lambda reply_ids: kept.reply_bodies(store, reply_ids))
        for _again in range(2):
            assert take_over_answers(older, warehouse, lambda *_call: halves.budget) == 0
    assert booked_budgets(older) == booked
    assert states(older) == states(store)
    with older.read() as connection:
        query = sa.select(calls.c.reply_id).where(calls.c.outcome == "checked")
        reply_id = connection.execute(query).scalar_one()
    assert kept.reply_bodies(older, [reply_id]) == [(reply_id, b"[]")]
    again = Ledger(older, "checker", halves, Clock(), VERIFICATION)
    offered = [candidate(name) for name in outcomes]
    assert [call.candidate.person_key for call in send(again, *offered).calls] == ["person:slow"]
    for each in (store, older):
        each.close()


def test_another_ledger_with_look_ups_of_its_own_is_a_mistake(bought: Bought) -> None:
    bought.execute_on_ledger("update ledger_stamp set value = 'another' where key = 'ledger'")
    with pytest.raises(ConfigurationError, match="not in this ledger, which has others"):
        bought.prepare(accepts_rollback=True)


NEVER = "insert into suppressions values ('contact:abc', 'review', '2026-01-01 00:00:00.000000')"
"""Whom a reviewer said never to ask for, by a decision that the older warehouse lacks."""


def test_an_older_warehouse_is_derived_again_and_nothing_is_bought(bought: Bought) -> None:
    bought.execute_on_ledger(NEVER)
    bought.lose("warehouse.duckdb")
    bought.put_back("warehouse.duckdb")
    paid = charged(bought.sandbox)
    assert bought.run().sent == 0
    assert charged(bought.sandbox) == paid
    assert bought.statuses() == bought.statuses_before
    kept = ledger_rows(bought.home, "select identifier, origin from suppressions")
    assert kept == [("contact:abc", "command")]


@pytest.mark.parametrize("which", ["older", "deleted"])
def test_a_warehouse_that_was_rolled_back_is_told_and_keeps_suppressed_whom_reviewers_named(
    bought: Bought, which: str, caplog: pytest.LogCaptureFixture
) -> None:
    bought.execute_on_ledger(NEVER)
    bought.lose("warehouse.duckdb")
    if which == "older":
        bought.put_back("warehouse.duckdb")
    bought.prepare()
    assert bought.due() == 0
    assert "is older than the ledger, from which it is derived again" in caplog.text
    kept = ledger_rows(bought.home, "select identifier, origin from suppressions")
    assert ("contact:abc", "command") in kept


def test_a_ledger_that_is_only_ahead_is_nothing_to_notice(bought: Bought) -> None:
    bought.execute_on_ledger("update ledger_head set revision = revision + 100")
    bought.prepare()
    assert bought.due() == 0


@pytest.mark.parametrize("is_exclusive", [True, False])
def test_a_balance_that_the_ledger_cannot_explain_stops_only_where_nobody_else_spends(
    bought: Bought, is_exclusive: bool
) -> None:
    bought.observe_balance(more=7)
    bought.change_policy(signalhire={"exclusive": is_exclusive})
    if not is_exclusive:
        bought.prepare()
        return
    with pytest.raises(RolledBack, match=r"fell by 7 credits more .* exclusive = true"):
        bought.prepare()
    bought.prepare(accepts_rollback=True)
    bought.prepare()


def test_a_run_that_is_under_way_elsewhere_is_no_gap_in_the_balance(bought: Bought) -> None:
    """What is on the wire may have been charged, before the ledger can know it."""
    bought.observe_balance(more=1)
    bought.change_policy(signalhire={"exclusive": True})
    store = open_store(bought.settings.ledger_url.get_secret_value())
    wide = limits_of(items_per_window=100_000)  # the world's purchases were a moment ago
    ledger = Ledger(store, "signalhire", wide, Clock())
    send(ledger, candidate("on-the-wire"), run_id="another")
    store.close()
    bought.prepare()


def test_nothing_is_compared_with_a_published_file_that_cannot_be_read(bought: Bought) -> None:
    published = (bought.home / "published" / "warehouse.duckdb").resolve()
    published.chmod(0o600)
    published.write_bytes(b"x" * 10_000)
    bought.prepare()


def test_the_path_of_the_warehouse_is_told(bought: Bought) -> None:
    ledger_deleted(bought)
    with pytest.raises(RolledBack, match=str(Path(bought.settings.warehouse_url))):
        bought.prepare()
