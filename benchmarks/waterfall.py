"""What each further provider brings on the sample, what it costs, and how much of it is right.

Measures: contacts whose shown e-mail is verified, by one provider, two, three and four, each a run
of the command over the sample against the local stand-ins; against the truth about the sample, how
many of these addresses are the person's own and living, how many are another person's, and how many
are dead; and what a usable contact costs, a credit of each provider counting 1. No provider's real
figures: the stand-ins know, and get wrong, what their settings say (docs/sandbox.md).
"""

from __future__ import annotations

import csv
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.common import verdict
from enrichment_pipeline.ledger.budget import MILLIONTHS
from enrichment_pipeline.warehouse.publish import open_published

SAMPLE = Path(__file__).resolve().parents[1] / "data" / "sample"
WATERFALLS: dict[str, tuple[tuple[str, ...], str]] = {
    "SignalHire": (("signalhire",), "off"),
    "and Prospeo": (("signalhire", "prospeo"), "off"),
    "and People Data Labs, verified by Hunter": (
        ("signalhire", "prospeo", "peopledatalabs"),
        "hunter",
    ),
    "and Hunter": (("signalhire", "prospeo", "peopledatalabs", "hunter"), "hunter"),
}
POLICY = """\
[waterfall]
order = [{order}]
verify = "{verify}"

[budget]
per_run = 1000000
per_day = 1000000
per_month = 1000000
"""
SHOWN = """\
select contact_id, list_filter(
    [
        case when work_email_status = 'verified' then work_email end,
        case when personal_email_status = 'verified' then personal_email end
    ],
    lambda each: each is not null
) as emails
from enrichment.enriched_contacts
"""
COST = "select sum(units_charged * unit_cost) from calls where kind <> 'search'"


@dataclass
class Brought:
    """What a run came to: contacts with a verified e-mail that is right, or not, and the cost."""

    usable: int
    wrong: int
    dead: int
    cost: float

    @property
    def shown(self) -> int:
        return self.usable + self.wrong + self.dead

    @property
    def wrong_in_a_thousand(self) -> float:
        return 1000 * self.wrong / self.shown


def main() -> bool:
    truth = Truth()
    found: list[Brought] = []
    print("  | providers | verified usable | each costs | another person's | dead |")
    for title, (order, verify) in WATERFALLS.items():
        brought = run(truth, order, verify)
        found.append(brought)
        print(
            f"  | {title} | {brought.usable:,} | {brought.cost / brought.usable:.2f}"
            f" | {brought.wrong} ({brought.wrong_in_a_thousand:.1f} ‰) | {brought.dead} |"
        )
    worst = max(brought.wrong_in_a_thousand for brought in found[1:])
    alone = found[0].wrong_in_a_thousand
    return verdict("another person's in a thousand, with several to one", worst / alone, "<=", 1)


class Truth:
    """Whose each address of the sample's people is, and which of them live.

    An address at an employer that the person has left does not; every other does.
    """

    def __init__(self) -> None:
        self._person = {row["contact_id"]: row["uid"] for row in _rows("truth.csv")}
        people: dict[str, dict[str, str]] = {}
        for row in (*_rows("people.csv"), *_rows("people_elsewhere.csv")):
            people.setdefault(row["uid"], {}).update({k: v for k, v in row.items() if v})
        self._owners: dict[str, set[str]] = {}
        self._living: set[str] = set()
        for uid, person in people.items():
            current = {person.get("work_email", ""), person.get("personal_email", "")}
            left = person.get("previous_company_domain") or "nowhere"
            for email in {*current, *person.get("known_emails", "").split(";")} - {""}:
                self._owners.setdefault(email.lower(), set()).add(uid)
                if email in current or not email.endswith(f"@{left}"):
                    self._living.add(email.lower())

    def judge(self, contact_id: str, emails: Iterable[str]) -> str:
        """The worst that is so of one of the addresses: wrong, dead or usable."""
        person, said = self._person.get(contact_id), set()
        for email in emails:
            owners = self._owners.get(email, set())
            if owners and person is not None and person not in owners:
                said.add("wrong")
            elif email not in self._living:
                said.add("dead")
        return next((each for each in ("wrong", "dead") if each in said), "usable")


def run(truth: Truth, order: Iterable[str], verify: str) -> Brought:
    """One run of the command in a state folder of its own."""
    with tempfile.TemporaryDirectory(prefix="enrichment-bench-") as folder:
        home = Path(folder) / "state"
        policy = Path(folder) / "policy.toml"
        named = ", ".join(f'"{name}"' for name in order)
        policy.write_text(POLICY.format(order=named, verify=verify))
        command = [sys.executable, "-m", "enrichment_pipeline.cli", "run"]
        environment = _without_ours(os.environ) | {
            "ENRICHMENT_HOME": str(home),
            "ENRICHMENT_CONFIG": str(policy),
        }
        subprocess.run(command, env=environment, check=True, capture_output=True)
        with open_published(home / "published") as published:
            shown = published.execute(SHOWN).fetchall()
        said = Counter(truth.judge(contact_id, emails) for contact_id, emails in shown if emails)
        return Brought(said["usable"], said["wrong"], said["dead"], _cost(home))


def _cost(home: Path) -> float:
    with sqlite3.connect(home / "ledger.sqlite") as ledger:
        return ledger.execute(COST).fetchone()[0] / MILLIONTHS


def _without_ours(environment: Mapping[str, str]) -> dict[str, str]:
    """Who measures may have settings of their own."""
    ours = ("ENRICHMENT_", "SIGNALHIRE_", "PROSPEO_", "PEOPLEDATALABS_", "HUNTER_", "DAGSTER_HOME")
    return {name: value for name, value in environment.items() if not name.startswith(ours)}


def _rows(name: str) -> list[dict[str, str]]:
    with (SAMPLE / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
