"""Replies that the ledger could not take: written to files, and read back by the next run; and
nothing is bought where there would be no room for them."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from enrichment_pipeline.errors import PipelineError
from enrichment_pipeline.ledger.schema import REPLIED, replies
from enrichment_pipeline.ledger.store import LedgerStore, open_store
from enrichment_pipeline.providers.base import Reply
from enrichment_pipeline.run import Run
from enrichment_pipeline.spill import LEAST_FREE_BYTES, lack_of_space, spill, take_back
from enrichment_pipeline.state import release_run_lock
from enrichment_pipeline.steps.context import RunContext
from enrichment_pipeline.steps.prepare import open_state, prepare
from enrichment_pipeline.stores import Stores
from enrichment_pipeline_tests.databases import migrated_sqlite
from enrichment_pipeline_tests.end_to_end.world import (
    outcomes,
    run_here,
    small_sandbox,
    small_settings,
    steps_here,
)
from enrichment_pipeline_tests.ledger import (
    Ledger,
    answer_body,
    candidate,
    count_rows,
    limits_of,
    send,
    states,
)
from enrichment_pipeline_tests.support import START, MovingClock

BODY = answer_body(("ada@crowd.example", "success"))
REPLY = Reply(200, BODY, credits_left=7, units_told=3)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LedgerStore]:
    store = open_store(migrated_sqlite(tmp_path / "ledger.sqlite"))
    yield store
    store.close()


def test_a_spilled_reply_is_for_its_owner_only_and_whole(tmp_path: Path):
    folder = tmp_path / "spilled"
    spill(folder, "b1", REPLY, START)
    spill(folder, "b1", REPLY, START)
    [path] = folder.iterdir()
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_bytes().endswith(b"\n" + BODY)


def test_what_was_spilled_is_read_back_as_it_came_and_when_it_came(
    store: LedgerStore, tmp_path: Path
):
    clock = MovingClock()
    ledger = Ledger(store, "signalhire", limits_of(), clock)
    batch = send(ledger, candidate("ada"))
    came_at = clock.now()
    spill(tmp_path, batch.request_id, REPLY, came_at)
    clock.advance(hours=9)
    assert take_back(tmp_path, store, ledger.calls) == 1
    [kept] = ledger.unread_replies()
    assert (kept.request_id, kept.bodies) == (batch.request_id, ((200, BODY),))
    assert (kept.answered_at, kept.units_told) == (came_at, 3)
    assert not list(tmp_path.glob("*.reply"))
    assert take_back(tmp_path, store, ledger.calls) == 0
    assert ledger.rate_window()[0] == 0


def test_a_spilled_reply_goes_to_the_kind_of_call_that_asked(store: LedgerStore, tmp_path: Path):
    clock = MovingClock()
    first, second = (Ledger(store, name, limits_of(), clock) for name in ("signalhire", "acme"))
    batch = send(second, candidate("ada"))
    spill(tmp_path, batch.request_id, REPLY, START)
    assert take_back(tmp_path, store, first.calls) == 0
    assert take_back(tmp_path, store, first.calls, second.calls) == 1
    assert not list(first.unread_replies())
    assert [kept.request_id for kept in second.unread_replies()] == [batch.request_id]


def test_what_was_kept_after_all_is_not_kept_twice(store: LedgerStore, tmp_path: Path):
    """Nobody knows of a commit that failed whether it was made."""
    ledger = Ledger(store, "signalhire", limits_of(), MovingClock())
    batch = send(ledger, candidate("ada"))
    ledger.record_reply(batch.request_id, http_status=200, body=BODY, credits_left=7)
    spill(tmp_path, batch.request_id, REPLY, START)
    take_back(tmp_path, store, ledger.calls)
    assert count_rows(store, replies) == 1


def test_a_reply_to_a_batch_that_the_ledger_does_not_know_stays_where_it_is(
    store: LedgerStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.WARNING)
    spill(tmp_path, "of-a-newer-ledger", REPLY, START)
    assert (
        take_back(tmp_path, store, Ledger(store, "signalhire", limits_of(), MovingClock()).calls)
        == 0
    )
    assert [path.name for path in tmp_path.glob("*.reply")] == ["of-a-newer-ledger.reply"]
    assert "no such request" in caplog.text
    assert "crowd.example" not in caplog.text


def test_the_next_run_settles_what_was_spilled_instead_of_giving_it_up(tmp_path: Path):
    with small_sandbox(tmp_path) as sandbox:
        settings = small_settings(tmp_path, sandbox.base_url)
        stores = Stores(settings)
        open_state(stores)
        store = open_store(settings.ledger_url.get_secret_value())
        long_ago = datetime.now(UTC) - timedelta(hours=1)
        batch = send(
            Ledger(store, "signalhire", limits_of(), MovingClock(long_ago)), candidate("ada")
        )
        spill(settings.spilled_dir, batch.request_id, REPLY, long_ago)
        run = Run("next", datetime.now(UTC))
        prepare(RunContext(stores, run))
        release_run_lock(settings.home, run.run_id)
        assert list(states(store).values()) == [REPLIED]
        store.close()


def leave_free(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    usage = shutil.disk_usage("/")._replace(free=free)
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: usage)


def test_a_disk_with_enough_room_does_not_block_purchases(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    leave_free(monkeypatch, LEAST_FREE_BYTES)
    assert lack_of_space(tmp_path) is None
    leave_free(monkeypatch, LEAST_FREE_BYTES - 1)
    found = lack_of_space(tmp_path)
    assert found is not None
    assert found.message.startswith(f"{tmp_path}: its disk has 256 MB left")


def test_on_a_full_disk_buying_stops_before_the_first_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    with small_sandbox(tmp_path) as sandbox:
        settings = small_settings(tmp_path, sandbox.base_url)
        leave_free(monkeypatch, 5 * 2**20)
        halted = steps_here(settings, priorities=("bulk",)).halted
        assert halted is not None
        assert "its disk has 5 MB left" in halted.message
        assert not sandbox.journal.read_text()


@pytest.mark.long
def test_on_a_full_disk_nothing_is_bought_and_everybody_stays_queued(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    with small_sandbox(tmp_path) as sandbox:
        settings = small_settings(tmp_path, sandbox.base_url)
        with monkeypatch.context() as full:
            leave_free(full, 5 * 2**20)
            with pytest.raises(PipelineError, match=r"its disk has 5 MB left.* stays queued"):
                run_here(settings)
        assert not sandbox.journal.read_text()
        assert ("queued", None) in outcomes(settings).values()
        steps_here(settings)
        assert ("enriched", None) in outcomes(settings).values()
