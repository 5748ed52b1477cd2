"""Runs over a provider that verifies half, and one that verifies the rest; each over HTTP.

Here: what is bought, in which order, and what becomes of it. Not here: which address is due, case
by case (`warehouse/test_verifications.py`), and what a verifier must do alone
(`test_conformance.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from pydantic import SecretStr

from enrichment_pipeline.dispatch.asking import AskVerifications
from enrichment_pipeline.ledger.budget import MILLIONTHS
from enrichment_pipeline.ledger.store import open_store
from enrichment_pipeline.sandbox.directory import read_people
from enrichment_pipeline.settings import Account, Settings
from enrichment_pipeline.steps import provider, verify_addresses
from enrichment_pipeline_tests.conformance import budgets_of
from enrichment_pipeline_tests.conformance.crowd import Journalled, crowd, item
from enrichment_pipeline_tests.end_to_end.world import steps_here
from enrichment_pipeline_tests.support import (
    people_of,
    policy_for,
    running_hunter,
    running_sandbox,
    settings_for,
    write_csv,
)

PEOPLE, LIVING, VERIFIED = 6, 4, 2
"""How many there are, how many of their addresses live, and of how many the provider says so."""
REST = range(VERIFIED, LIVING)
DEAD = range(LIVING, PEOPLE)


@dataclass
class Two:
    """Both stand-ins, and a state folder that is bought into."""

    settings: Settings
    provider: Journalled
    verifier: Journalled

    def run(self) -> None:
        steps_here(self.settings)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(self.settings.warehouse_url, read_only=True) as connection:
            return connection.execute(query).fetchall()

    def statuses(self) -> dict[int, tuple[str, str | None]]:
        rows = self.rows("select contact_id, status, reason from enrichment.contact_status")
        return {int(contact): (status, reason) for contact, status, reason in rows}

    def shown(self) -> dict[int, tuple[str | None, str | None]]:
        query = "select contact_id, work_email, work_email_status from enrichment.enriched_contacts"
        return {int(contact): (email, status) for contact, email, status in self.rows(query)}


@contextmanager
def two(folder: Path, **verifier: Any) -> Iterator[Two]:
    """`verifier`: what its stand-in is told besides who lives."""
    source = folder / "source"
    rows = crowd(PEOPLE)
    for number, row in enumerate(rows):
        row["work_email_rating"] = "100" if number < VERIFIED else "70"
    contacts = [
        {"contact_id": number, "linkedin_url": row["linkedin_url"]}
        for number, row in enumerate(rows)
    ]
    write_csv(source / "contacts.csv", contacts)
    people = people_of(folder / "people.csv", rows)
    living = read_people(write_csv(folder / "living.csv", crowd(LIVING)))
    with ExitStack() as running:
        journals = (folder / "provider.jsonl", folder / "verifier.jsonl")
        sandbox = running.enter_context(running_sandbox(people, journals[0]))
        url = running.enter_context(running_hunter(living, journals[1], **verifier))
        policy = policy_for(
            source,
            waterfall={"verify": "hunter"},
            providers={"hunter": {"price": 0.5}},
        )
        settings = settings_for(
            folder / "state",
            policy,
            sandbox.base_url,
            accounts={"hunter": Account(SecretStr("sandbox"), url)},
        )
        yield Two(settings, Journalled(sandbox.base_url, journals[0]), Journalled(url, journals[1]))


def test_what_the_provider_does_not_verify_is_verified_and_what_is_dead_withdrawn(
    tmp_path: Path,
) -> None:
    with two(tmp_path) as world:
        world.run()
        assert world.verifier.times_charged() == {item(number): 1 for number in (*REST, *DEAD)}
        assert world.statuses() == {
            **dict.fromkeys((*range(VERIFIED), *REST), ("enriched", None)),
            **dict.fromkeys(DEAD, ("needs_review", "no_verified_email")),
        }
        assert world.shown() == {
            **{number: (item(number), "verified") for number in (*range(VERIFIED), *REST)},
            **dict.fromkeys(DEAD, (None, None)),
        }
        # half a credit each, at the verifier's price
        store = open_store(world.settings.ledger_url.get_secret_value())
        cost = PEOPLE + (PEOPLE - VERIFIED) * Decimal("0.25")
        assert {row.charged for row in budgets_of(store)} == {cost * MILLIONTHS}
        assert {row.reserved for row in budgets_of(store)} == {0}
        store.close()

        before = world.shown()
        world.run()
        assert world.verifier.times_charged() == {item(number): 1 for number in (*REST, *DEAD)}
        assert sum(world.provider.times_charged().values()) == PEOPLE
        assert world.shown() == before


@pytest.mark.long
def test_a_verifier_without_credits_is_waited_for(tmp_path: Path) -> None:
    with two(tmp_path, credits=0) as world:
        world.run()
        statuses = world.statuses()
        assert [statuses[number] for number in (*REST, *DEAD)] == [
            ("queued", "waiting_for_provider")
        ] * (PEOPLE - VERIFIED)
    with two(tmp_path) as world:
        world.run()
        assert set(world.verifier.times_charged()) == {item(n) for n in (*REST, *DEAD)}
        assert sum(world.provider.times_charged().values()) == PEOPLE
        assert [world.statuses()[number] for number in REST] == [("enriched", None)] * len(REST)


@pytest.mark.long
def test_what_takes_long_is_asked_again_and_counted_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AskVerifications, "PAUSE_SECONDS", 0.02)
    faults = {"in_progress": 1.0}
    with two(tmp_path, faults=faults, in_progress_seconds=0.01) as world:
        world.run()
        assert world.verifier.times_charged() == {item(number): 1 for number in (*REST, *DEAD)}
        assert [world.statuses()[number] for number in REST] == [("enriched", None)] * len(REST)
        query = "select state, outcome, credits_charged from raw.verifications"
        assert set(world.rows(query)) == {("answered", "checked", 0.5)}


def test_a_run_that_was_killed_before_it_took_the_answers_over_loses_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def buy_and_die(*given: Any, **named: Any) -> None:
        provider.buy(*given, **named)
        raise KeyboardInterrupt

    with two(tmp_path) as world:
        with monkeypatch.context() as patched:
            patched.setattr(verify_addresses, "buy", buy_and_die)
            with pytest.raises(KeyboardInterrupt):
                world.run()
        world.run()
        assert world.verifier.times_charged() == {item(number): 1 for number in (*REST, *DEAD)}
        assert [world.statuses()[number] for number in REST] == [("enriched", None)] * len(REST)
        assert [world.statuses()[number] for number in DEAD] == [
            ("needs_review", "no_verified_email")
        ] * len(DEAD)
