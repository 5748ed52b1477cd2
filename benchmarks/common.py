"""What the benchmarks share: a provider in a process of its own, people, and a verdict line.

Here: the setting in which things are measured. Not here: any measurement.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from pydantic import SecretStr

from enrichment_pipeline.dispatch.asking import AskLookups
from enrichment_pipeline.dispatch.dispatcher import Dispatcher
from enrichment_pipeline.dispatch.progress import DispatchReport
from enrichment_pipeline.hashed_identifiers import hashed
from enrichment_pipeline.ledger.admission import Candidate
from enrichment_pipeline.ledger.budget import CREDITS, Budget
from enrichment_pipeline.ledger.limits import Limits, Rate
from enrichment_pipeline.ledger.store import LedgerStore
from enrichment_pipeline.policy import Floors, Policy
from enrichment_pipeline.providers.registry import FIRST
from enrichment_pipeline.providers.signalhire.client import SignalHireClient
from enrichment_pipeline.run import Run
from enrichment_pipeline.serving.child import child_server
from enrichment_pipeline.settings import SANDBOX_KEY, Account, Settings
from enrichment_pipeline.terms import calls_of, share_of
from enrichment_pipeline.vocabulary import LOOKUP

RESPONSE_DEADLINE = timedelta(seconds=75)


@dataclass(frozen=True)
class Stage:
    """A state folder, and a provider that runs beside this process."""

    settings: Settings
    journal: Path

    def charges(self) -> list[dict]:
        """What the provider says that it charged."""
        if not self.journal.exists():
            return []
        return [json.loads(line) for line in self.journal.read_text().splitlines()]


@contextmanager
def stage(
    people: int, *, policy: Mapping[str, object], sandbox: Sequence[str] = (), ledger_url: str = ""
) -> Iterator[Stage]:
    """A fresh state folder and a sandbox over as many people; both gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="enrichment-bench-") as folder:
        home = Path(folder)
        directory = write_people(home / "people.jsonl", people)
        journal = home / "journal.jsonl"
        options = ["--people", str(directory), "--journal", str(journal), "--credits", "10000000"]
        with child_server("sandbox", [*options, *sandbox]) as base_url:
            yield Stage(settings_for(home, policy, base_url, ledger_url), journal)


def settings_for(
    home: Path, policy: Mapping[str, object], base_url: str, ledger_url: str = ""
) -> Settings:
    """Settings over an empty source: what is looked up does not come from a warehouse here."""
    source = home / "source"
    source.mkdir(exist_ok=True)
    (source / "contacts.csv").write_text("contact_id\n")
    empty = {"attach": str(source), "contacts": "select * from contacts"}
    return Settings(
        home=home,
        policy=Policy.model_validate({"source": empty, **policy}),
        policy_path=None,
        warehouse_url=str(home / "warehouse.duckdb"),
        ledger_url=SecretStr(ledger_url or f"sqlite:///{home / 'ledger.sqlite'}"),
        provider="sandbox",
        accounts={FIRST: Account(SecretStr(SANDBOX_KEY), base_url)},
        dagster_home=home / "dagster",
    )


def write_people(path: Path, number: int) -> Path:
    """A directory of people, each with a profile of ordinary size: some 2.7 KB of JSON."""
    with path.open("w", encoding="utf-8") as file:
        for n in range(number):
            file.write(json.dumps(profile(n)) + "\n")
    return path


def profile(n: int) -> dict[str, object]:
    """A candidate as SignalHire gives it: contacts, positions, schools, skills."""
    company = f"Company {n % 500}"
    return {
        "uid": f"{n:032x}",
        "fullName": f"Person {n}",
        "gender": None,
        "photo": {"url": f"https://media.example/photos/{n:032x}.jpg"},
        "headLine": f"Engineer at {company}",
        "summary": "Builds things that last, and says what they cost. " * 8,
        "locations": [{"name": "Springfield, Illinois, United States"}],
        "skills": [f"Skill number {(n + k) % 300}" for k in range(20)],
        "contacts": [
            {"type": "email", "value": email(n), "rating": 100, "subType": "work", "info": None},
            {
                "type": "phone",
                "value": f"+1415{5550000 + n % 10_000:07d}",
                "rating": 70,
                "subType": "mobile",
                "info": None,
            },
        ],
        "social": [
            {"type": "li", "link": f"https://www.linkedin.com/in/person-{n}", "rating": 100}
        ],
        "experience": [
            {
                "position": f"Engineer {k}",
                "location": "Springfield",
                "current": k == 0,
                "started": f"20{20 - 4 * k:02}-01-01T00:00:00+00:00",
                "ended": None if k == 0 else f"20{24 - 4 * k:02}-01-01T00:00:00+00:00",
                "company": company if k == 0 else f"Company {(n + k) % 500}",
                "summary": "Led a team, shipped on time. " * 4,
                "companyUrl": None,
                "companyId": None,
                "companySize": "51-200",
                "staffCount": 120,
                "industry": "Software",
                "website": f"https://company{n % 500}.example",
            }
            for k in range(3)
        ],
        "education": [
            {
                "faculty": "Engineering",
                "university": f"University {k}",
                "url": None,
                "startedYear": 2001 + k,
                "endedYear": 2005 + k,
                "degree": ["MSc"],
            }
            for k in range(2)
        ],
        "language": [{"name": "English", "proficiency": "Native"}],
        "organization": [],
    }


def email(n: int) -> str:
    return f"person{n}@company{n % 500}.example"


def candidates(numbers: range, priority: str = "standard") -> list[Candidate]:
    return [
        Candidate(
            person_key=f"{n:032x}",
            contact_id=f"contact-{n}",
            item=email(n),
            item_kind="email",
            freshness="new",
            priority=priority,
            known_by=frozenset({hashed("email", email(n))}),
        )
        for n in numbers
    ]


class QuietProgress:
    """Nobody watches a benchmark's progress."""

    def add_total(self, calls: int) -> None: ...

    def advance(self, calls: int, credits: int) -> None: ...

    def outstanding(self, calls: int) -> None: ...

    def searched(self, done: int, total: int) -> None: ...

    def say(self, message: str) -> None:
        print(f"    provider: {message}")


async def look_up(
    settings: Settings, store: LedgerStore, run: Run, people: Sequence[Candidate], batch_size: int
) -> DispatchReport:
    """Buy these as a run does, without a warehouse."""
    client = SignalHireClient(settings.accounts[FIRST].base_url or "", "sandbox")
    calls = calls_of(settings, "signalhire", LOOKUP, run.clock)
    dispatcher = Dispatcher(
        store,
        calls,
        AskLookups(client),
        QuietProgress(),
        run=share_of(run),
        batch_size=batch_size,
    )
    try:
        return await dispatcher.run([people])
    finally:
        await client.close()


def wide_limits(answer_deadline: timedelta = RESPONSE_DEADLINE) -> Limits:
    """Limits that hold nobody up."""
    second = timedelta(seconds=1)
    return Limits(
        rates=(Rate(10**9, second),),
        pause=second,
        send_lease=timedelta(seconds=30),
        response_deadline=RESPONSE_DEADLINE,
        answer_deadline=answer_deadline,
        unconfirmed_hold=timedelta(days=30),
        budget=Budget(CREDITS, per_day=Decimal(10**9), floors=Floors()),
    )


def verdict(what: str, value: float, relation: str, bound: float) -> bool:
    """Print a ratio beside what was asked for; whether it holds."""
    holds = value >= bound if relation == ">=" else value <= bound
    print(f"  {'ok  ' if holds else 'MISS'} {what}: {value:.3f} (asked: {relation} {bound:g})")
    return holds


def resident_mb(which: str = "VmRSS") -> float:
    """This process's memory now, in MB; its peak as `VmHWM`.

    Not by getrusage: a process's peak there begins with that of the one that started it.
    """
    lines = Path("/proc/self/status").read_text().splitlines()
    [kilobytes] = [line.split()[1] for line in lines if line.startswith(f"{which}:")]
    return int(kilobytes) / 1024


def now() -> datetime:
    return datetime.now(UTC)


def made_up_word(n: int) -> str:
    """A made-up name of letters only, another one for each number."""
    letters = ""
    n += 26**3
    while n:
        n, rest = divmod(n, 26)
        letters += chr(ord("a") + rest)
    return letters.capitalize()
