"""What a run refuses before it loads anything, and the stamps of the stores that it opens."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from enrichment_pipeline.errors import ConfigurationError, PipelineError
from enrichment_pipeline.ledger.store import opened
from enrichment_pipeline.run import Run
from enrichment_pipeline.state import release_run_lock
from enrichment_pipeline.steps.context import RunContext
from enrichment_pipeline.steps.prepare import open_state, prepare, refuse_wrong_clock
from enrichment_pipeline.stores import Stores
from enrichment_pipeline.warehouse.connection import open_warehouse
from enrichment_pipeline.warehouse.stamp import warehouse_stamp
from enrichment_pipeline_tests.providers import answers, server_that
from enrichment_pipeline_tests.support import policy_for, settings_for, write_csv


def test_a_state_folder_that_bears_the_older_word_for_live_opens_as_live_and_keeps_it(
    tmp_path: Path,
):
    source = write_csv(tmp_path / "source" / "contacts.csv", [{"contact_id": "C1"}]).parent
    settings = settings_for(tmp_path / "state", policy_for(source), None, provider="live")
    open_state(Stores(settings))
    older = {"source": str(source), "answers": "signalhire"}
    (settings.home / "stamp.json").write_text(json.dumps(older))
    with opened(settings.ledger_url.get_secret_value()) as store:
        store.note("answers", "signalhire")
    with open_warehouse(settings.warehouse_url) as connection:
        connection.execute("update staging.stamp set value = 'signalhire' where key = 'answers'")

    stores = Stores(settings)
    open_state(stores)
    open_state(stores)
    with opened(settings.ledger_url.get_secret_value()) as store:
        assert store.check_stamp({}).items() >= older.items()
    with open_warehouse(settings.warehouse_url) as connection:
        assert warehouse_stamp(connection).items() >= older.items()
    assert json.loads((settings.home / "stamp.json").read_text()).items() >= older.items()
    with pytest.raises(ConfigurationError, match=r"its answers come from 'live', not .*'sandbox'"):
        open_state(Stores(replace(settings, provider="sandbox")))


def test_a_state_folder_from_before_ledgers_had_ids_opens_and_gets_one(tmp_path: Path):
    source = write_csv(tmp_path / "source" / "contacts.csv", [{"contact_id": "C1"}]).parent
    settings = settings_for(tmp_path / "state", policy_for(source), None)
    open_state(Stores(settings))
    as_older = "delete from {} where key = 'ledger'"
    with opened(settings.ledger_url.get_secret_value()) as store, store.write() as transaction:
        transaction.connection.exec_driver_sql(as_older.format("ledger_stamp"))
    with open_warehouse(settings.warehouse_url) as connection:
        connection.execute(as_older.format("staging.stamp"))
    stamp = settings.home / "stamp.json"
    older = {key: value for key, value in json.loads(stamp.read_text()).items() if key != "ledger"}
    stamp.write_text(json.dumps(older))

    for _ in range(2):
        open_state(Stores(settings))
        with opened(settings.ledger_url.get_secret_value()) as store:
            of_ledger = store.check_stamp({})
        with open_warehouse(settings.warehouse_url) as connection:
            assert warehouse_stamp(connection) == of_ledger
        assert json.loads(stamp.read_text()) == of_ledger


@pytest.mark.parametrize("days", [-95, -1.1, 1.1, 95])
def test_a_clock_that_parts_from_the_providers_by_more_than_a_day_is_refused(days: float):
    provider_now = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
    with pytest.raises(PipelineError, match="nothing was bought") as raised:
        refuse_wrong_clock(provider_now + timedelta(days=days), provider_now)
    assert "the provider's 2026-03-02 09:00 UTC" in str(raised.value)


def test_a_clock_within_a_day_or_a_provider_that_gives_no_time_is_taken():
    now = datetime.now(UTC)
    refuse_wrong_clock(now, now + timedelta(hours=23, minutes=59))
    refuse_wrong_clock(now, now - timedelta(hours=23, minutes=59))
    refuse_wrong_clock(now, None)


def test_a_run_with_a_wrong_clock_stops_before_anything_is_opened_unless_it_is_simulated(
    tmp_path: Path,
):
    source = write_csv(tmp_path / "source" / "contacts.csv", [{"contact_id": "C1"}]).parent
    long_ago = format_datetime(datetime.now(UTC) - timedelta(days=95), usegmt=True)
    with server_that(answers(200, b'{"credits": 5}', f"date: {long_ago}")) as server:
        settings = settings_for(tmp_path / "state", policy_for(source), server.base_url)
        with pytest.raises(PipelineError, match="Set the clock, then run again"):
            prepare(RunContext(Stores(settings), Run("real", datetime.now(UTC))))
        assert not (tmp_path / "state").exists()
        run = Run("simulated", datetime.now(UTC), is_simulated=True)
        assert prepare(RunContext(Stores(settings), run)) == []
        release_run_lock(settings.home, run.run_id)
