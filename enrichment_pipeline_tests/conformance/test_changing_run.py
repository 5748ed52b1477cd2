"""Runs over a provider that tells which profiles its releases have changed; over HTTP.

Here: what is bought again, and what becomes of those who opted out. Not here: how old an answer is,
case by case (`warehouse/test_profile_changes.py`), and what the changelog must do alone
(`test_change_feeds.py`).
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from pydantic import SecretStr

from enrichment_pipeline.sandbox.directory import read_people
from enrichment_pipeline.sandbox.known_people import Draws
from enrichment_pipeline.sandbox.peopledatalabs.changelog import Changelog, id_after
from enrichment_pipeline.sandbox.peopledatalabs.config import PeopleDataLabsConfig
from enrichment_pipeline.settings import Account, Settings
from enrichment_pipeline_tests.conformance.crowd import crowd, item
from enrichment_pipeline_tests.end_to_end.world import ledger_rows, steps_here
from enrichment_pipeline_tests.sandbox import journal_lines
from enrichment_pipeline_tests.support import (
    START,
    policy_for,
    running_people_data_labs,
    settings_for,
    write_csv,
)

PEOPLE = 24
RELEASES = ("33.0", "33.1", "33.2")
SHARES: dict[str, Any] = {
    "updated": 0.2,
    "touched": 0.2,
    "merged": 0.15,
    "deleted": 0.1,
    "opted_out": 0.1,
}
MONTH = timedelta(days=31)


class Months:
    """A state folder, and the provider as it is in each month."""

    def __init__(self, folder: Path, **table: Any) -> None:
        self.folder = folder
        source = folder / "source"
        contacts = [{"contact_id": number, "email": item(number)} for number in range(PEOPLE)]
        write_csv(source / "contacts.csv", contacts)
        write_csv(source / "accounts.csv", [{"account_id": "A1"}])
        self.policy = policy_for(
            source,
            waterfall={"order": ["peopledatalabs"]},
            acceptance={"require": ["any_email"]},
            providers={"peopledatalabs": {"changelog": "on", "items_per_request": 10, **table}},
        )
        self.people = list(read_people(write_csv(folder / "people.csv", crowd(PEOPLE))))

    def run(self, month: int, **config: Any) -> Counter[int]:
        """The run of a month; whom the provider has charged for since the first."""
        told = {"release": RELEASES[month], **SHARES, **config}
        journal = self.folder / "journal.jsonl"
        with running_people_data_labs(self.people, journal, **told) as url:
            steps_here(self.settings(url), as_of=START + month * MONTH)
        # by its number: a profile that is known is asked for by its own address
        return Counter(int(line["uid"], 16) for line in journal_lines(journal))

    def settings(self, url: str) -> Settings:
        account = Account(SecretStr("sandbox"), url)
        return settings_for(
            self.folder / "state", self.policy, None, accounts={"peopledatalabs": account}
        )

    def fates(self, month: int) -> dict[int, str]:
        """What the release of a month has done to whom, by the stand-in's own draws."""
        config = PeopleDataLabsConfig(release=RELEASES[month], **SHARES)
        log = Changelog(config, Draws("peopledatalabs 0"), [one.uid for one in self.people])
        by_id = {id_after(one.uid): number for number, one in enumerate(self.people)}
        before, after = RELEASES[month - 1], RELEASES[month]
        return {
            by_id[change["id"]]: "touched"
            if change["additional_metadata"] == {"fields_updated": ["num_sources"], "contains": []}
            else kind
            for kind, change in log.changes(before, after, None)
            if change["id"] in by_id
        }

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.folder / "state" / "warehouse.duckdb")) as connection:
            connection.execute("set timezone = 'UTC'")
            return connection.execute(query).fetchall()

    def statuses(self) -> dict[int, tuple[str, str | None]]:
        rows = self.rows("select contact_id, status, reason from enrichment.contact_status")
        return {int(contact): (status, reason) for contact, status, reason in rows}


@pytest.mark.timeout(300)
def test_only_who_has_changed_is_bought_again_and_who_has_opted_out_by_nobody(
    tmp_path: Path,
) -> None:
    world = Months(tmp_path)
    everybody = set(range(PEOPLE))
    assert world.run(0) == dict.fromkeys(everybody, 1)
    fates = world.fates(1)
    stopped = {number for number, fate in fates.items() if fate in ("opted_out", "deleted")}
    changed = {number for number, fate in fates.items() if fate in ("updated", "merged")}
    assert {*fates.values()} == {*SHARES}  # or it would show little

    charged = world.run(1)
    assert charged == {number: 2 if number in changed else 1 for number in everybody}
    statuses = world.statuses()
    assert {n for n in everybody if statuses[n] == ("needs_review", "legal_stop")} == stopped
    assert {statuses[n] for n in everybody - stopped} == {("enriched", None)}
    asked = ledger_rows(
        tmp_path / "state", "select outcome, count(*) from calls where kind = 'changes' group by 1"
    )
    counted = dict(asked)
    assert (counted["legal_stop"], counted["changed"]) == (len(stopped), len(changed))
    assert counted["unchanged"] == PEOPLE - len(stopped) - len(changed)
    assert counted["retriable"] == 1  # the release after it, asked about for one of them
    costs = "select sum(units_charged * unit_cost) from calls where kind = 'changes'"
    assert ledger_rows(tmp_path / "state", costs) == [(0,)]

    # a month later another release has left them all as they were
    again = world.run(2, **dict.fromkeys(SHARES, 0.0), first_release="33.1")
    assert again == charged
    [(oldest,)] = world.rows(
        "select min(expires_at) from enrichment.enriched_contacts where contact_id not in "
        "(select contact_id from enrichment.needs_review)"
    )
    assert oldest >= START + 2 * MONTH + timedelta(days=90)


@pytest.mark.timeout(300)
def test_an_account_without_access_is_told_and_buys_as_without_a_changelog(
    tmp_path: Path,
) -> None:
    world = Months(tmp_path)
    world.run(0, changelog_allowed=False)
    world.run(1, changelog_allowed=False)
    assert set(world.statuses().values()) == {("enriched", None)}
    told = ledger_rows(
        tmp_path / "state", "select reason, count(*) from calls where kind = 'changes' group by 1"
    )
    assert told == [("no_access", 1)]
