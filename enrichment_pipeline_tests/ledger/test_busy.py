"""A ledger that another process holds: for how long others wait, and what they are told then."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, OperationalError

from enrichment_pipeline.errors import ConfigurationError, PipelineError, redact_unexpected_errors
from enrichment_pipeline.ledger import store as store_module
from enrichment_pipeline.ledger.schema import SENT
from enrichment_pipeline.ledger.store import MIGRATION_LOCK, LedgerStore, open_store, opened
from enrichment_pipeline_tests.ledger import Ledger, candidate, limits_of, send
from enrichment_pipeline_tests.support import MovingClock


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "BUSY_TIMEOUT_SECONDS", 0.2)


of_postgres = pytest.mark.parametrize("ledger_url", ["postgres"], indirect=True)


def setting(store: LedgerStore, name: str) -> str:
    with store.read() as connection:
        return connection.exec_driver_sql(f"show {name}").scalar_one()


@of_postgres
def test_a_process_that_is_stopped_inside_a_transaction_does_not_hold_others_up_for_ever(
    ledger_url: str, monkeypatch: pytest.MonkeyPatch
):
    with monkeypatch.context() as patch:
        patch.setattr(store_module, "IDLE_TIMEOUT_SECONDS", 1)
        stopped = open_store(ledger_url)
    with opened(ledger_url) as other:
        transaction = stopped.write()
        transaction.__enter__()
        ledger = Ledger(other, "signalhire", limits_of(), MovingClock())
        send(ledger, candidate("ada"))
        with pytest.raises(DBAPIError):
            transaction.__exit__(None, None, None)
        # it goes on, and finds what was written meanwhile
        again = Ledger(stopped, "signalhire", limits_of(), MovingClock())
        assert again.count_by_state() == {SENT: 1}
    stopped.close()


def test_a_process_that_waits_too_long_for_a_writer_gives_up_with_one_line(
    ledger_url: str, impatient: None
):
    @redact_unexpected_errors
    def buy() -> None:
        with other.write():
            pass

    with opened(ledger_url) as holder, opened(ledger_url) as other:
        with holder.write():
            with pytest.raises(OperationalError), other.write():
                pass
            with pytest.raises(PipelineError, match=r"^buy failed .*OperationalError.*$"):
                buy()
        buy()


def test_a_ledger_that_another_process_brings_up_to_date_for_too_long_is_told_in_one_line(
    new_ledger_url: str, impatient: None
):
    engine = sa.create_engine(new_ledger_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        is_sqlite = new_ledger_url.startswith("sqlite")
        hold = "begin immediate" if is_sqlite else f"select pg_advisory_lock({MIGRATION_LOCK})"
        connection.exec_driver_sql(hold)
        with pytest.raises(ConfigurationError) as caught:
            open_store(new_ledger_url)
        assert "cannot be opened" in str(caught.value)
        assert "\n" not in str(caught.value)
        if is_sqlite:
            connection.exec_driver_sql("rollback")
    engine.dispose()
    open_store(new_ledger_url).close()


@of_postgres
def test_what_the_address_says_of_timeouts_holds_and_the_rest_is_ours(ledger_url: str):
    url = sa.make_url(ledger_url).update_query_dict(
        {"options": "-c lock_timeout=7s -c search_path=public", "keepalives_idle": "5"}, append=True
    )
    with opened(url.render_as_string(hide_password=False)) as store:
        assert setting(store, "lock_timeout") == "7s"
        assert setting(store, "search_path") == "public"
        assert setting(store, "idle_in_transaction_session_timeout") == "30s"
        with store.read() as connection:
            session = connection.connection.dbapi_connection.info.get_parameters()  # ty: ignore
    assert session["keepalives_idle"] == "5"
    assert session["keepalives_count"] == "3"
