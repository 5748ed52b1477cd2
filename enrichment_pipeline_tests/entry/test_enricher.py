"""The point of entry from Python, with asyncio and without."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

import enrichment_pipeline
from enrichment_pipeline import Enricher, SyncEnricher
from enrichment_pipeline.entry.desk import KeyReusedError
from enrichment_pipeline.entry.enricher import is_worth_waiting_for
from enrichment_pipeline.entry.enrichment import Enrichment, Status
from enrichment_pipeline.entry.judge import Judge, Verdict
from enrichment_pipeline.errors import ConfigurationError
from enrichment_pipeline.ledger.entries import Entry
from enrichment_pipeline_tests.bought import charged
from enrichment_pipeline_tests.end_to_end.world import (
    FILLERS,
    make_state,
    small_sandbox,
    small_settings,
)

_, NAME, EMAIL = FILLERS[0]
CONTACT = {"full_name": NAME, "email": EMAIL}
PATIENT = 10.0


def test_python_gets_what_http_gets(tmp_path: Path):
    with small_sandbox(tmp_path) as sandbox:
        settings = small_settings(tmp_path, sandbox.base_url)

        async def play() -> str:
            async with Enricher(settings) as enricher:
                with pytest.raises(ValueError, match="extra") as caught:
                    await enricher.enrich({**CONTACT, "extra": "a secret"})
                assert "secret" not in str(caught.value)
                found = await enricher.enrich(CONTACT, wait=PATIENT, idempotency_key="one")
                while not found.is_decided:  # on a busy machine
                    found = await enricher.find(found.contact_id) or found
                    await asyncio.sleep(0.05)
                with pytest.raises(KeyReusedError):
                    await enricher.enrich({"email": EMAIL}, idempotency_key="one")
                return found.contact_id

        contact_id = asyncio.run(play())
        with SyncEnricher(settings) as enricher:
            again = enricher.enrich(CONTACT)
            assert (again.contact_id, again.status, again.credits) == (contact_id, "enriched", 0)
            assert again.fields["work_email"].value == EMAIL
            assert enricher.find("nobody") is None
        assert sum(charged(sandbox).values()) == 1


def test_a_frame_is_entered_at_once_and_comes_back_in_its_order_with_what_each_cost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    passes: list[int] = []
    judge = Judge.judge

    def counted(self: Judge, entries: list[Entry]) -> list[Verdict]:
        passes.append(len(entries))
        return judge(self, entries)

    monkeypatch.setattr(Judge, "judge", counted)
    known = [(name, email) for _, name, email in FILLERS[:6]]
    people = [known[0], ("Nobody Atall", "nobody@quillforge.com"), *known, ("Only A Name", None)]
    frame = pd.DataFrame(people, columns=["full_name", "email"], index=range(90, 81, -1))
    with small_sandbox(tmp_path) as sandbox:
        settings = small_settings(tmp_path, sandbox.base_url)
        make_state(settings)
        with SyncEnricher(settings) as enricher:
            found = enricher.enrich_frame(frame, wait=1_000)
            again = enricher.enrich_frame(pa.Table.from_pandas(frame, preserve_index=False))
            with pytest.raises(ValueError, match="row 1"):
                enricher.enrich_frame(pd.DataFrame({"email": [EMAIL, "x" * 3_000]}))
        assert sum(charged(sandbox).values()) == len(known)
    assert list(found.index) == list(frame.index)
    enriched, review = ["enriched"], ["needs_review"]
    assert list(found["status"]) == enriched + review + enriched * len(known) + review
    assert list(found["reason"].dropna()) == ["no_match", "insufficient_identity"]
    emails = [known[0][1], None, *(email for _, email in known), None]
    assert [None if pd.isna(email) else email for email in found["work_email"]] == emails
    # the first row and the third are one person
    assert list(found["credits"]) == [1, 0, 0, *[1] * (len(known) - 1), 0]
    assert again.column("status").to_pylist() == list(found["status"])
    assert sum(again.column("credits").to_pylist()) == 0
    assert passes[0] == len(people) - 1, "all of them in one pass"


@pytest.mark.parametrize(
    ("status", "reason", "is_worth_it"),
    [
        ("in_flight", None, True),
        ("queued", "rate_limit", True),
        ("queued", "budget", False),
        ("needs_review", "no_match", False),
    ],
)
def test_a_frame_waits_for_what_comes_soon_and_for_nothing_else(
    status: Status, reason: str | None, is_worth_it: bool
):
    found = Enrichment(contact_id="C1", status=status, reason=reason)
    assert is_worth_waiting_for(found) is is_worth_it


def test_outside_of_its_with_nothing_is_taken():
    with pytest.raises(ConfigurationError):
        asyncio.run(Enricher().enrich(CONTACT))


def test_the_package_gives_nothing_else():
    assert not hasattr(enrichment_pipeline, "Nothing")
