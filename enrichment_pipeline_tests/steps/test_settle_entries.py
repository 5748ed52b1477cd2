"""Entries that a run settles: those of which its tables tell something new."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr
from rich.console import Console

from enrichment_pipeline.cli.status import print_status, read_status
from enrichment_pipeline.entry.contact import EnteredContact
from enrichment_pipeline.entry.enrichment import Enrichment, as_answer, from_answer
from enrichment_pipeline.ledger import entries
from enrichment_pipeline.ledger.entries import Posted, Settled
from enrichment_pipeline.ledger.schema import notifications
from enrichment_pipeline.policy import Policy
from enrichment_pipeline.run import Run
from enrichment_pipeline.settings import Settings
from enrichment_pipeline.steps.context import RunContext
from enrichment_pipeline.steps.derive_outcomes import derive_outcomes
from enrichment_pipeline.steps.settle_entries import SettledEntries
from enrichment_pipeline.stores import Stores
from enrichment_pipeline_tests.end_to_end import world
from enrichment_pipeline_tests.end_to_end.world import (
    KEY,
    make_state,
    outcomes,
    small_sandbox,
    steps_here,
)
from enrichment_pipeline_tests.support import policy_for, settings_for, write_csv

URL = "https://hooks.example.com/contacts"
GIACOMINA = "giacomina.ferrabosco@brambleworks.com"
CONTACTS = [{"contact_id": "C1", "full_name": "Giacomina Ferrabosco", "email": GIACOMINA}]
FORMS = [
    EnteredContact(contact_id="same", email=GIACOMINA),
    EnteredContact(
        contact_id="found",
        full_name="Adelheid Quentzelmann",
        linkedin_url="https://www.linkedin.com/in/adelheid-quentzelmann",
    ),
    EnteredContact(contact_id="unknown", email="nobody.knows@brambleworks.com"),
    EnteredContact(contact_id="nameless", full_name="Only A Name"),
]


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    policy = policy_for(write_csv(tmp_path / "source" / "contacts.csv", CONTACTS).parent)
    with small_sandbox(tmp_path) as sandbox:
        settings = settings_for(
            tmp_path / "state", policy, sandbox.base_url, api_key=SecretStr(KEY)
        )
        make_state(settings)
        yield settings


def record(stores: Stores, form: EnteredContact, *, due_in: timedelta = timedelta(hours=1)) -> None:
    now = datetime.now(UTC)
    posted = Posted(form.id, form.content, form.content_sha256, URL)
    stores.ledger.transact(
        lambda transaction: entries.record(
            transaction, posted, now=now, due_at=now + due_in, answering_until=now
        )
    )


def told(stores: Stores, contact_id: str) -> Enrichment:
    """What the ledger says that an entry has come to."""
    entry = entries.find(stores.ledger, contact_id)
    assert entry is not None
    assert entry.answer is not None
    enrichment = from_answer(contact_id, entry.answer)
    assert enrichment.is_decided == entry.is_decided
    return enrichment


def settle(stores: Stores, contact_id: str, enrichment: Enrichment) -> None:
    """As the point of entry does."""
    settled = Settled(contact_id, 1, as_answer(enrichment), enrichment.is_decided, None)
    stores.ledger.transact(
        lambda transaction: entries.settle(
            transaction, settled, as_of_revision=transaction.revision, now=datetime.now(UTC)
        )
    )


def derived(settings: Settings) -> SettledEntries:
    """What deriving once more settles."""
    context = RunContext(Stores(settings), Run("again", datetime.now(UTC)))
    return derive_outcomes(context).entries


def with_policy(settings: Settings, **sections: dict[str, object]) -> Settings:
    document = {**settings.policy.model_dump(exclude_unset=True), **sections}
    return replace(settings, policy=Policy.model_validate(document))


def test_what_a_run_has_bought_for_an_entry_cannot_be_taken_back_any_more(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor while the run goes on: no process that takes entries has told whose it is."""
    stores = Stores(settings)
    for form in FORMS[1:3]:
        record(stores, form)
    monkeypatch.setattr(world, "derive_outcomes", lambda _context: None)  # it is not over yet
    steps_here(settings)
    taken_back = {
        form.id: stores.ledger.transact(
            lambda transaction, form=form: entries.withdraw(transaction, form.id, datetime.now(UTC))
        )
        for form in FORMS[1:3]
    }
    assert taken_back == {"found": False, "unknown": False}


def test_a_run_settles_what_it_has_found_out_of_entries(settings: Settings) -> None:
    stores = Stores(settings)
    for form in FORMS:
        record(stores, form)
    # who is in the source, too, is asked about once
    assert steps_here(settings).sent == 3
    assert outcomes(settings) == {
        "C1": ("enriched", None),
        "same": ("enriched", "entered_as"),
        "found": ("enriched", None),
        "unknown": ("needs_review", "no_match"),
        "nameless": ("needs_review", "insufficient_identity"),
    }
    same, found = told(stores, "same"), told(stores, "found")
    assert (same.status, same.reason) == ("enriched", "entered_as")
    assert same.fields["work_email"].value == GIACOMINA
    assert same.next_lookup_at is not None
    email = found.fields["work_email"]
    assert (email.value, email.status) == ("adelheid@quillforge.com", "verified")
    assert (email.provider, email.observed_at is not None) == ("signalhire", True)
    assert found.fields["job_title"].value == "Chief Archivist"
    unknown = told(stores, "unknown")
    assert (unknown.reason, unknown.needs_manual_enrichment) == ("no_match", True)
    # who entered them is owed a notification each, with what was paid for it
    owed = stores.ledger.read_all(notifications.select())
    bodies = {row.contact_id: json.loads(row.body)["data"] for row in owed}
    assert {row.url for row in owed} == {URL}
    assert {each: body["credits"] for each, body in bodies.items()} == {
        "same": 0,
        "found": 1,
        "unknown": 0,
        "nameless": 0,
    }
    assert from_answer("found", as_answer(found), 1) == Enrichment.model_validate(bodies["found"])
    # nothing is new when nothing has changed
    assert derived(settings) == SettledEntries(0, 0, ())
    assert len(stores.ledger.read_all(notifications.select())) == 4
    # nor is what was found out of an earlier version written to a later one
    record(stores, FORMS[1].model_copy(update={"job_title": "Archivist"}))
    settle(stores, "same", found)
    assert derived(settings).settled == 1
    assert told(stores, "same") == same
    changed = entries.find(stores.ledger, "found")
    assert changed is not None
    assert (changed.version, changed.answer) == (2, None)


def test_what_waits_for_the_budget_is_open_with_that_reason(settings: Settings) -> None:
    stores = Stores(settings)
    record(stores, FORMS[1], due_in=-timedelta(seconds=1))
    thrifty = with_policy(settings, budget={"floors": {"standard": 1.0, "bulk": 1.0}})
    assert steps_here(thrifty).matched == 0
    waits = told(stores, "found")
    assert (waits.status, waits.reason) == ("queued", "budget")
    assert derived(thrifty) == SettledEntries(0, 1, ("found",))
    assert stores.ledger.read_all(notifications.select()) == []
    shown = io.StringIO()
    print_status(read_status(thrifty), thrifty, Console(file=shown, width=200))
    assert "entries that are still open: 1, 1 after their deadline" in shown.getvalue()
    steps_here(settings)
    assert told(stores, "found").status == "enriched"
    assert len(stores.ledger.read_all(notifications.select())) == 1
