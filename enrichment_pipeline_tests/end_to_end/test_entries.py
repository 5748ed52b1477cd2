"""Whole runs over what applications entered."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from enrichment_pipeline.entry.contact import EnteredContact
from enrichment_pipeline.ledger import entries
from enrichment_pipeline.ledger.entries import Posted
from enrichment_pipeline.stores import Stores
from enrichment_pipeline.warehouse.publish import open_published
from enrichment_pipeline_tests.bought import charged
from enrichment_pipeline_tests.end_to_end.world import (
    CONTACTS,
    CREDITS,
    EXPECTED,
    make_state,
    run_here,
    small_sandbox,
    small_settings,
)
from enrichment_pipeline_tests.support import write_csv

FORMS = [
    EnteredContact(contact_id="form-1", email="giacomina.ferrabosco@brambleworks.com"),
    EnteredContact(contact_id="form-2", email="nobody.knows@brambleworks.com"),
    # with the id that the source has
    EnteredContact(contact_id="by-phone", email="somebody.else@oxbowline.com"),
    EnteredContact(full_name="Only A Name"),
]
COMES_TO = {
    **EXPECTED,
    "form-1": ("enriched", "entered_as"),
    "form-2": ("needs_review", "no_match"),
    FORMS[3].id: ("needs_review", "insufficient_identity"),
}


@pytest.mark.long
def test_what_was_entered_goes_through_whole_runs_and_is_published(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    with small_sandbox(tmp_path) as sandbox:
        settings = small_settings(tmp_path, sandbox.base_url)
        make_state(settings)
        stores = Stores(settings)
        for form in FORMS:
            posted = Posted(form.id, form.content, form.content_sha256)
            stores.ledger.transact(
                lambda transaction, posted=posted: entries.record(
                    transaction,
                    posted,
                    now=now,
                    due_at=now + timedelta(hours=1),
                    answering_until=now,
                )
            )
        run_here(settings)
        assert charged(sandbox).total() == CREDITS
        assert statuses(settings.published_dir) == COMES_TO
        assert entries.count_open(stores.ledger) == 0
        # the source has lost the contact: the entry stands for itself, as the same person
        others = [row for row in CONTACTS if row["contact_id"] != "by-email"]
        write_csv(tmp_path / "source" / "contacts.csv", others)
        stores.ledger.transact(
            lambda transaction: entries.withdraw(transaction, FORMS[3].id, datetime.now(UTC))
        )
        run_here(settings)
        assert charged(sandbox).total() == CREDITS
    gone = ("by-email", FORMS[3].id)
    expected = {each: status for each, status in COMES_TO.items() if each not in gone}
    assert statuses(settings.published_dir) == {**expected, "form-1": ("enriched", None)}


def statuses(folder: Path) -> dict[str, tuple[str, str | None]]:
    """What is published of each contact."""
    query = "select contact_id, status, reason from enrichment.contact_status"
    with open_published(folder) as published:
        rows = published.execute(query).fetchall()
    return {contact_id: (status, reason) for contact_id, status, reason in rows}
