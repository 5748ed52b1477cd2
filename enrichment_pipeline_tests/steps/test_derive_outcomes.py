"""What stands in the ledger when outcomes are derived, cannot be, or answers are too old."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
import sqlalchemy as sa

from enrichment_pipeline.errors import PipelineError
from enrichment_pipeline.ledger.schema import APPLIED, REPLIED, replies
from enrichment_pipeline.run import Run
from enrichment_pipeline.steps.context import RunContext
from enrichment_pipeline.steps.copy_answers import copy_answers
from enrichment_pipeline.steps.derive_outcomes import derive_outcomes
from enrichment_pipeline.steps.prepare import open_state
from enrichment_pipeline.stores import Stores
from enrichment_pipeline_tests.ledger import (
    MATCHED,
    Ledger,
    answer_body,
    candidate,
    reply,
    send,
    settle_all,
)
from enrichment_pipeline_tests.support import policy_for, settings_for, write_csv


def fails(*_arguments: Any, **_options: Any) -> None:
    raise PipelineError("the disk is full")


@contextmanager
def cannot_commit(_connection: object) -> Iterator[None]:
    yield
    fails()


@pytest.mark.parametrize(
    ("name", "failing"),
    [("judging.derive_outcomes", fails), ("transaction", cannot_commit)],
    ids=["deriving", "committing"],
)
def test_answers_stay_replied_until_their_outcomes_stand_in_the_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, failing: Any
):
    """`applied` is final: the tables of an answer that was marked too early would lack it."""
    source = write_csv(tmp_path / "source" / "contacts.csv", [{"contact_id": "C1"}]).parent
    stores = Stores(settings_for(tmp_path / "state", policy_for(source), None))
    open_state(stores)
    context = RunContext(stores, Run("run", datetime.now(UTC)))
    ledger = Ledger.of(stores, context.clock)
    batch = send(ledger, candidate("ada"))
    reply_id = reply(ledger, batch, answer_body(("ada@crowd.example", "success")))
    settle_all(ledger, batch, MATCHED, reply_id)
    copy_answers(context)
    with monkeypatch.context() as failed:
        failed.setattr(f"enrichment_pipeline.steps.derive_outcomes.{name}", failing)
        with pytest.raises(PipelineError):
            derive_outcomes(context)
    assert ledger.count_by_state() == {REPLIED: 1}
    derive_outcomes(context)
    assert ledger.count_by_state() == {APPLIED: 1}


def test_a_run_erases_answers_that_may_not_be_kept_so_long(tmp_path: Path):
    source = write_csv(tmp_path / "source" / "contacts.csv", [{"contact_id": "C1"}]).parent
    policy = policy_for(source, signalhire={"retain_days": 30})
    stores = Stores(settings_for(tmp_path / "state", policy, None))
    open_state(stores)
    now = datetime.now(UTC)
    context = RunContext(stores, Run("run", now))
    ledger = Ledger.of(stores, context.clock)
    batch = send(ledger, candidate("ada"))
    body = answer_body(("ada@crowd.example", "success"))
    settle_all(ledger, batch, MATCHED, reply(ledger, batch, body))
    copy_answers(context)

    def kept(days: int) -> tuple[bytes, str | None]:
        at = now + timedelta(days=days)
        derive_outcomes(RunContext(stores, Run(f"run-{days}", at, is_simulated=True)))
        with duckdb.connect(stores.settings.warehouse_url, read_only=True) as connection:
            [(answer,)] = connection.execute("select answer from raw.provider_responses").fetchall()
        [(reply_body,)] = stores.ledger.read_all(sa.select(replies.c.body))
        return bytes(reply_body), answer

    assert kept(29)[0] == body
    assert kept(29)[1]
    assert kept(31) == (b"", None)
    assert kept(32) == (b"", None)
    assert ledger.count_by_state() == {APPLIED: 1}
