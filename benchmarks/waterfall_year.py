"""A simulated year over four providers: people change jobs, addresses die, mail to them comes back.

Measures: how many addresses were shown as verified while they were dead, how many mails bounced,
and what it cost; once with what became of mail fed back (`[feedback] bounces`), once without. And a
promise: with it there are no more dead ones than without.

The real thing but for the clock: all stand-ins over HTTP, each of which knows some people, and some
of them otherwise; the pipeline's own steps at a simulated instant. Mail goes to every verified
address at a fixed distance of days: to a dead one it bounces, to others it arrives.

Here: mail, and counting. Not here: what happens in the CRM (`year/crm.py`). Small, it is a test
(`end_to_end/test_waterfall_year.py`).
"""

from __future__ import annotations

import csv
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import sqlalchemy as sa
from pydantic import SecretStr

from benchmarks.common import verdict
from benchmarks.year.crm import Crm
from benchmarks.year.simulation import ALL_LANES, carry_out
from enrichment_pipeline.ledger.budget import MILLIONTHS
from enrichment_pipeline.ledger.schema import budgets
from enrichment_pipeline.ledger.store import opened
from enrichment_pipeline.run import Run
from enrichment_pipeline.sandbox.directory import read_people
from enrichment_pipeline.settings import SANDBOX_KEY, Account, Settings
from enrichment_pipeline.steps.context import RunContext
from enrichment_pipeline.stores import Stores
from enrichment_pipeline_tests.support import (
    policy_for,
    running_hunter,
    running_people_data_labs,
    running_prospeo,
    running_sandbox,
    settings_for,
)

START = datetime(2026, 7, 1, 5, tzinfo=UTC)
WIDE = [{"units": 1_000_000, "seconds": 1.0}]
POLICY: dict[str, dict[str, Any]] = {
    "waterfall": {
        "order": ["signalhire", "prospeo", "peopledatalabs", "hunter"],
        "verify": "hunter",
    },
    "signalhire": {"rates": WIDE},
    "providers": {
        "prospeo": {"price": 0.5, "rates": WIDE},
        "peopledatalabs": {"price": 0.28, "rates": WIDE},
        "hunter": {"price": 0.1, "rates": WIDE},
    },
    "budget": {"per_run": 10**7, "per_day": 10**7, "per_month": 10**7},
}
BOUNCES = {"feedback": {"bounces": "select email, bounced_at, kind from bounces"}}
KNOWS: dict[str, dict[str, float]] = {
    "prospeo": {"known": 0.65, "verified": 0.85, "dead_email": 0.05, "stale_employer": 0.3},
    "peopledatalabs": {"known": 0.7, "has_work_email": 0.6, "dead_email": 0.15, "doubtful": 0.2},
    "hunter": {"known": 0.45, "guessed": 0.3, "dead_email": 0.05, "accept_all": 0.15},
}
"""What the stand-ins know, and how much of it is wrong, as they are by default."""
SHOWN = """\
select unnest(list_filter(
    [
        case when work_email_status = 'verified' then work_email end,
        case when personal_email_status = 'verified' then personal_email end
    ],
    lambda each: each is not null
)) as email
from enrichment.enriched_contacts
"""


@dataclass
class Counted:
    """What a year came to. An address that is shown for a day is an address-day."""

    shown: int = 0
    dead: int = 0
    mails: int = 0
    bounced: int = 0
    runs: int = 0
    cost: float = 0.0
    contacts: int = 0

    @property
    def dead_share(self) -> float:
        return self.dead / max(1, self.shown)

    @property
    def usable(self) -> int:
        return self.shown - self.dead


@dataclass
class _Mailed:
    """What became of all mail so far, as the sender tells it."""

    rows: list[dict[str, str]] = field(default_factory=list)

    def send(self, emails: set[str], dead: set[str], at: datetime) -> int:
        """Mail to each of these; how many bounced."""
        for email in sorted(emails):
            kind = "hard" if email in dead else "delivered"
            self.rows.append({"email": email, "bounced_at": at.isoformat(), "kind": kind})
        return len(emails & dead)


class MovingCrm(Crm):
    """A CRM in whose directory an address at a former employer is dead."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.dead: set[str] = set()
        super().__init__(folder, **settings)
        for person in self._people:
            left = person["previous_company_domain"]
            known = filter(None, person["known_emails"].split(";"))
            self.dead |= {email.lower() for email in known if left and email.endswith(f"@{left}")}

    def _change_job(self, day: int) -> int:
        before = {id(person): person["work_email"] for person in self._people}
        changed = super()._change_job(day)
        for person in self._people:
            old = before[id(person)]
            if old and person["work_email"] != old:
                self.dead.add(old.lower())
                # of several employers only the last one's hosts are known to be former ones
                left = person["previous_company_domain"]
                kept = [
                    email
                    for email in person["known_emails"].split(";")
                    if email.endswith(f"@{left}") or email.lower() not in self.dead
                ]
                person["known_emails"] = ";".join(kept)
        return changed


def main(
    days: int = 365, share: float = 0.2, every: int = 7, mail_every: int = 14, year: int = 365
) -> bool:
    found = {}
    for name, fed_back in (("without feedback", False), ("with feedback", True)):
        began_at = time.monotonic()
        counted = play(days, share, every, mail_every, year, is_fed_back=fed_back)
        found[fed_back] = counted
        print(
            f"  {name}: {counted.contacts} contacts, {counted.runs} runs, "
            f"{time.monotonic() - began_at:.0f} s; addresses shown as verified, in address-days: "
            f"{counted.shown:,}, dead {counted.dead:,} ({counted.dead_share:.2%}); mails "
            f"{counted.mails:,}, bounced {counted.bounced:,} "
            f"({counted.bounced / max(1, counted.mails):.2%}); cost {counted.cost:,.2f}, a usable "
            f"address for a year {365 * counted.cost / max(1, counted.usable):.2f}"
        )
    ratio = found[True].dead_share / max(found[False].dead_share, 1e-9)
    return verdict("dead while shown, with feedback to without", ratio, "<=", 1)


def play(
    days: int, share: float, every: int, mail_every: int, year: int, *, is_fed_back: bool
) -> Counted:
    """So many days, with a run on each `every`-th; the same things happen, fed back or not."""
    counted, mailed = Counted(), _Mailed()
    with tempfile.TemporaryDirectory(prefix="enrichment-year-") as folder:
        home = Path(folder)
        crm = MovingCrm(home, year=year, seed=1, share_of_sample=share, starts_with=0.8)
        crm.write_source()
        sections = {**POLICY, **(BOUNCES if is_fed_back else {})}
        settings = settings_for(home / "state", policy_for(crm.source, **sections), None)
        shown: set[str] = set()
        for day in range(days):
            at = START + timedelta(days=day)
            if day:
                crm.live(day)
            if day % every == 0:
                _write_bounces(crm.source / "bounces.csv", mailed)
                _run(crm, settings, home, day, at)
                counted.runs += 1
                shown = _shown(settings)
            if day % mail_every == mail_every - 1:
                counted.mails += len(shown)
                counted.bounced += mailed.send(shown, crm.dead, at + timedelta(hours=6))
            counted.shown += len(shown)
            counted.dead += len(shown & crm.dead)
        counted.contacts = len(crm.contacts)
        counted.cost = _cost(settings)
    return counted


def _run(crm: MovingCrm, settings: Settings, home: Path, day: int, at: datetime) -> None:
    crm.write_source()
    crm.renew_people()
    with _providers(crm, home) as urls:
        for provider, url in urls.items():
            account = Account(SecretStr(SANDBOX_KEY), url)
            settings.accounts[provider] = account  # ty: ignore[invalid-assignment] - a plain dict
        run = Run(f"day-{day:03}", at, is_simulated=True)
        carry_out(RunContext(Stores(settings), run), ALL_LANES)


@contextmanager
def _providers(crm: MovingCrm, home: Path) -> Iterator[dict[str, str]]:
    """All of them, over the directory as it is today."""
    people = list(read_people(home / "people.csv"))
    with ExitStack() as running:
        sandbox = running_sandbox(crm.people, home / "signalhire.jsonl", credits=10**7)
        urls = {"signalhire": running.enter_context(sandbox).base_url}
        for name, start in (
            ("prospeo", running_prospeo),
            ("peopledatalabs", running_people_data_labs),
            ("hunter", running_hunter),
        ):
            told: dict[str, Any] = {"credits": 10**7, **KNOWS[name]}
            urls[name] = running.enter_context(start(people, home / f"{name}.jsonl", **told))
        yield urls


def _write_bounces(path: Path, mailed: _Mailed) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["email", "bounced_at", "kind"])
        writer.writeheader()
        # a file without rows has no types of its own
        first = {"email": "nobody@invalid.example", "bounced_at": START.isoformat(), "kind": "soft"}
        writer.writerows([first, *mailed.rows])


def _shown(settings: Settings) -> set[str]:
    with duckdb.connect(settings.warehouse_url, read_only=True) as connection:
        return {email for (email,) in connection.execute(SHOWN).fetchall()}


def _cost(settings: Settings) -> float:
    of_months = budgets.c.period.startswith("month:") & (budgets.c.pool == "credits")
    with opened(settings.ledger_url.get_secret_value()) as store:
        charged = store.read_all(sa.select(sa.func.sum(budgets.c.charged)).where(of_months))
    return float(charged[0][0] or 0) / MILLIONTHS
