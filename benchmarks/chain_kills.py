"""Whole runs over a chain of three providers and a verifier, killed with SIGKILL; several at once.

Measures: nothing but promises. No provider charges for anybody twice, no address is verified twice,
every charge in a provider's own journal is in our ledger, answered or unconfirmed, and for what it
cost; no limit is passed; no answer is lost on its way into the tables; and every contact of the
source is accounted for.

Each run is a process that goes through all steps, over and over, until it is killed: four of them
over one state folder, so that they wait for each other's warehouse and share every limit. The
stand-ins are processes of their own, which live on.

Here: the runs and their verdict. Small, it is a test (`end_to_end/test_chain_kills.py`).
"""

from __future__ import annotations

import csv
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import sqlalchemy as sa
from pydantic import SecretStr

from benchmarks.common import QuietProgress, made_up_word, now
from enrichment_pipeline.lanes import FRESHNESS, PRIORITIES, LaneBlock
from enrichment_pipeline.ledger.schema import budgets, calls, requests
from enrichment_pipeline.ledger.store import opened
from enrichment_pipeline.policy import load_policy
from enrichment_pipeline.providers.registry import FIRST, PROVIDERS
from enrichment_pipeline.run import Run
from enrichment_pipeline.serving.child import child_server
from enrichment_pipeline.settings import SANDBOX_KEY, Account, Settings
from enrichment_pipeline.state import forget_dead_run, release_run_lock
from enrichment_pipeline.steps.buy_lookups import buy_lookups
from enrichment_pipeline.steps.context import RunContext
from enrichment_pipeline.steps.copy_answers import copy_answers
from enrichment_pipeline.steps.derive_facts import derive_facts
from enrichment_pipeline.steps.derive_outcomes import derive_outcomes
from enrichment_pipeline.steps.load_source import load_accounts, load_contacts
from enrichment_pipeline.steps.prepare import open_state, prepare
from enrichment_pipeline.steps.select_work import select_work
from enrichment_pipeline.stores import Stores
from enrichment_pipeline.terms import calls_of, credits_per_unit
from enrichment_pipeline.vocabulary import VERIFICATION

ORDER = ("signalhire", "prospeo", "peopledatalabs")
VERIFIER = "hunter"
PEOPLE_FOR_A_KILL = 60
KNOWN_TO_THE_FIRST = 0.4
"""The others are there for those who come after it."""
DOMAIN = "quillforge.example"
LATENCY_MS = 80
LONGEST_LIFE_SECONDS = 6.0
"""From when a call of the killed process was sent."""
FIRST_CALL_WITHIN_SECONDS = 180.0
WINDOW_SECONDS = 1.0
RATES = {"signalhire": 40, "prospeo": 40, "peopledatalabs": 10, "hunter": 20}
"""So many items or requests in a second: the limits hold the runs up."""
OPTIONS = {
    "signalhire": ("--items-per-window", "40", "--window-seconds", "1"),
    "prospeo": (
        *("--per-second", "40", "--per-minute", "1000000", "--per-day", "1000000"),
        *("--second-seconds", "1", "--known", "0.7", "--wrong-person", "0"),
    ),
    "peopledatalabs": (
        *("--per-minute", "10", "--minute-seconds", "1", "--known", "0.8", "--wrong-person", "0"),
    ),
    "hunter": (
        *("--per-second", "20", "--per-minute", "1000000", "--second-seconds", "1"),
        *("--verifications-per-second", "20", "--verifications-per-minute", "1000000"),
    ),
}
POLICY = f"""
[source]
attach = "source"
contacts = "select * from contacts"

[waterfall]
order = {json.dumps(ORDER)}
verify = "{VERIFIER}"

[signalhire]
rates = [{{ units = {RATES["signalhire"]}, seconds = {WINDOW_SECONDS} }}]
items_per_request = 5

[providers.prospeo]
price = 0.5
rates = [{{ units = {RATES["prospeo"]}, seconds = {WINDOW_SECONDS} }}]
items_per_request = 5

[providers.peopledatalabs]
price = 0.28
rates = [{{ units = {RATES["peopledatalabs"]}, seconds = {WINDOW_SECONDS} }}]
items_per_request = 5

[providers.hunter]
price = 0.1
rates = [{{ units = {RATES["hunter"]}, seconds = {WINDOW_SECONDS} }}]

[budget]
per_run = 10000000
per_day = 10000000
per_month = 10000000
"""
LANES = LaneBlock(FRESHNESS, PRIORITIES).lanes
ENDED = {"replied", "applied"}


@dataclass(frozen=True)
class Scene:
    """A state folder, and where each stand-in answers and notes what it charged."""

    home: Path
    urls: Mapping[str, str]

    @property
    def settings(self) -> Settings:
        return settings_over(self.home, self.urls)

    def charges(self, provider: str) -> list[dict]:
        journal = journal_of(self.home, provider)
        lines = journal.read_text().splitlines() if journal.exists() else []
        return [json.loads(line) for line in lines]

    def start(self, run_id: str, times: int) -> subprocess.Popen[str]:
        """A process that makes so many runs, one after the other."""
        with (self.home / "output.log").open("ab") as output:
            return subprocess.Popen(
                [
                    *(sys.executable, "-m", "benchmarks.chain_kills", str(self.home)),
                    *(json.dumps(dict(self.urls)), run_id, str(times)),
                ],
                stdout=output,
                stderr=output,
                text=True,
            )


def main(kills: int = 100, at_once: int = 4) -> bool:
    began_at = time.monotonic()
    with scene(people=PEOPLE_FOR_A_KILL * kills) as here:
        on_the_wire = kill(here, kills, at_once)
        status = finish(here)
        print(f"  {kills} kills, {at_once} at once, {time.monotonic() - began_at:.0f} s")
        return report(here, on_the_wire, status)


@contextmanager
def scene(people: int) -> Iterator[Scene]:
    """A source, a state folder and the stand-ins, over so many people; all gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="enrichment-bench-") as folder, ExitStack() as servers:
        home = Path(folder)
        rows = [person(number) for number in range(people)]
        _write(home / "people.csv", rows)
        _write(home / "first.csv", rows[: int(people * KNOWN_TO_THE_FIRST)])
        (home / "source").mkdir()
        contacts = [
            {"contact_id": f"contact-{number}", "linkedin_url": row["linkedin_url"]}
            for number, row in enumerate(rows)
        ]
        _write(home / "source" / "contacts.csv", contacts)
        (home / "enrichment.toml").write_text(POLICY)
        urls = {}
        for provider, options in OPTIONS.items():
            command = "sandbox" if provider == FIRST else f"sandbox {provider}"
            known = "first" if provider == FIRST else "people"
            given = [
                *("--people", str(home / f"{known}.csv"), "--credits", "10000000"),
                *("--journal", str(journal_of(home, provider))),
                *("--latency-ms", str(LATENCY_MS), *options),
            ]
            urls[provider] = servers.enter_context(child_server(command, given))
        here = Scene(home, urls)
        stores = Stores(here.settings)
        open_state(stores)
        stores.ledger.close()
        yield here


def person(number: int) -> dict[str, str]:
    """Half of the addresses are no more than likely to the first provider."""
    given, family = made_up_word(number), made_up_word(7 * number + 3)
    return {
        "full_name": f"{given} {family}",
        "title": "Engineer",
        "company": "Quillforge",
        "company_domain": DOMAIN,
        "linkedin_url": f"https://www.linkedin.com/in/{given}-{family}-{number}".lower(),
        "work_email": f"{given}.{family}.{number}@{DOMAIN}".lower(),
        "work_email_rating": "100" if number % 2 else "70",
    }


def kill(here: Scene, kills: int, at_once: int, seed: int = 1) -> int:
    """Kill one of the processes after the other; how many had calls on the wire."""
    rng = random.Random(seed)
    workers = {f"run-{number}": here.start(f"run-{number}", 1000) for number in range(at_once)}
    number, on_the_wire = at_once, 0
    for _ in range(kills):
        run_id = rng.choice(list(workers))
        _wait_for_a_call(here, run_id, workers[run_id])
        time.sleep(rng.uniform(0, LONGEST_LIFE_SECONDS))
        workers[run_id].send_signal(signal.SIGKILL)
        workers.pop(run_id).communicate()
        on_the_wire += _count(here, run_id, "sent") > 0
        workers[f"run-{number}"] = here.start(f"run-{number}", 1000)
        number += 1
    for worker in workers.values():
        worker.send_signal(signal.SIGKILL)
        worker.communicate()
    return on_the_wire


def _wait_for_a_call(here: Scene, run_id: str, worker: subprocess.Popen[str]) -> None:
    """Until the process has made a call, has ended, or has had time enough."""
    gives_up_at = time.monotonic() + FIRST_CALL_WITHIN_SECONDS
    while not _count(here, run_id) and worker.poll() is None and time.monotonic() < gives_up_at:
        time.sleep(0.2)


def _count(here: Scene, run_id: str, state: str | None = None) -> int:
    query = sa.select(sa.func.count()).where(calls.c.run_id.startswith(f"{run_id}."))
    if state is not None:
        query = query.where(calls.c.state == state)
    with opened(here.settings.ledger_url.get_secret_value()) as store:
        return store.read_all(query)[0][0]


def finish(here: Scene) -> int:
    """Run to the end: what was on the wire at a kill is given up at its deadline. Its status."""
    settings = here.settings
    deadlines = [
        calls_of(settings, provider, kind, Run.none().clock).limits.response_deadline
        for provider in (*ORDER, VERIFIER)
        for kind in PROVIDERS[provider].calls
    ]
    here.start("run-last", 1).wait()
    time.sleep(max(deadlines).total_seconds() + 5 if _any_sent(here) else 0)
    return here.start("run-after", 2).wait()


def _any_sent(here: Scene) -> bool:
    with opened(here.settings.ledger_url.get_secret_value()) as store:
        return bool(store.read_all(sa.select(calls.c.call_id).where(calls.c.state == "sent")))


# --- the verdict ---------------------------------------------------------------------------


def report(here: Scene, on_the_wire: int, status: int) -> bool:
    """Print what each provider charged and what is wrong; whether nothing is."""
    with opened(here.settings.ledger_url.get_secret_value()) as store:
        rows = store.read_all(sa.select(calls))
        booked = store.read_all(sa.select(budgets))
        refused = store.read_all(
            sa.select(requests.c.provider).where(requests.c.error == "rate_limited")
        )
    wrong = Counter[str]()
    for provider in (*ORDER, VERIFIER):
        wrong.update(_compare(here, provider, [row for row in rows if row.provider == provider]))
    wrong["requests beyond a limit"] = len(refused)
    wrong["budgets that are not what the calls add up to"] = _wrong_budgets(rows, booked)
    wrong["calls still open"] = sum(row.state in ("reserved", "sent") for row in rows)
    wrong["answers that are in no table"], wrong["contacts unaccounted for"] = _tables(here, rows)
    wrong["last runs that failed"] = int(status != 0)
    states = Counter(f"{row.kind} {row.state}" for row in rows)
    print(f"  {on_the_wire} killed with calls on the wire; calls: {dict(sorted(states.items()))}")
    for what, count in wrong.items():
        print(f"  {'ok  ' if count == 0 else 'MISS'} {what}: {count}")
    return not any(wrong.values())


def _compare(here: Scene, provider: str, rows: Sequence[sa.Row]) -> Counter[str]:
    """Its journal against the ledger."""
    charges = here.charges(provider)
    credits: Counter[str] = Counter()
    for charge in charges:
        credits[_asked(charge["item"])] += charge["credits"]
    times = Counter(charge["uid"] for charge in charges)
    known = {row.item for row in rows if row.state in {*ENDED, "unconfirmed"}}
    per_unit = credits_per_unit(provider)
    booked: Counter[str] = Counter()
    for row in rows:
        booked[row.item] += row.units_charged * float(per_unit[row.kind])
    in_doubt = {row.item for row in rows if row.state == "unconfirmed"}
    addresses = Counter(row.item for row in rows if row.kind == VERIFICATION and row.state in ENDED)
    print(f"  {provider}: {len(charges)} charges, {len(in_doubt)} calls in doubt")
    found = Counter(
        {
            f"{provider}: charged twice": sum(count > 1 for count in times.values()),
            f"{provider}: charges unknown to the ledger": len(credits.keys() - known),
            f"{provider}: costs that are not what it charged": sum(
                booked[item] != cost for item, cost in credits.items() if item not in in_doubt
            ),
        }
    )
    if provider == VERIFIER:
        found["addresses verified twice"] = sum(count > 1 for count in addresses.values())
    return found


def _asked(item: str) -> str:
    """What was asked for, as the ledger has it."""
    return item.removeprefix("address ")


def _wrong_budgets(rows: Sequence[sa.Row], booked: Sequence[sa.Row]) -> int:
    expected: Counter[str] = Counter()
    for row in rows:
        amount = row.units_charged * row.unit_cost
        amount += row.cost_reserved if row.state == "unconfirmed" else 0
        for period in (f"run:{row.run_id}", f"day:{row.budget_day}", f"month:{row.budget_day[:7]}"):
            expected[period] += amount
    drawn = {row.period: row.reserved + row.charged for row in booked if row.pool == "credits"}
    return sum(drawn.get(period, 0) != amount for period, amount in expected.items())


def _tables(here: Scene, rows: Sequence[sa.Row]) -> tuple[int, int]:
    """Answers to look-ups that are missing from the warehouse, and contacts from contact_status."""
    answered = {row.call_id for row in rows if row.kind == "lookup" and row.state in ENDED}
    with duckdb.connect(here.settings.warehouse_url, read_only=True) as connection:
        copied = connection.execute(
            "select lookup_id from raw.provider_responses "
            "where outcome <> 'matched' or answer is not null"
        ).fetchall()
        [(missing,)] = connection.execute(
            "select count(*) from staging.contacts where contact_id not in "
            "(select contact_id from enrichment.contact_status)"
        ).fetchall()
    return len(answered - {lookup_id for (lookup_id,) in copied}), missing


# --- a run ---------------------------------------------------------------------------------


def journal_of(home: Path, provider: str) -> Path:
    return home / f"{provider}.jsonl"


def settings_over(home: Path, urls: Mapping[str, str]) -> Settings:
    return Settings(
        home=home / "state",
        policy=load_policy(home / "enrichment.toml"),
        policy_path=home / "enrichment.toml",
        warehouse_url=str(home / "state" / "warehouse.duckdb"),
        ledger_url=SecretStr(f"sqlite:///{home / 'state' / 'ledger.sqlite'}"),
        provider="sandbox",
        accounts={name: Account(SecretStr(SANDBOX_KEY), url) for name, url in urls.items()},
        dagster_home=home / "state" / "dagster",
    )


def worker(home: str, urls: str, run_id: str, times: str) -> None:
    """So many runs, as `enrichment run` makes them, without Dagster's seconds."""
    settings = settings_over(Path(home), json.loads(urls))
    for number in range(int(times)):
        run = Run(f"{run_id}.{number}", now())
        context = RunContext(Stores(settings), run)
        for dead in prepare(context):
            forget_dead_run(settings.home, dead)
        try:
            load_accounts(context)
            load_contacts(context)
            select_work(context, LANES)
            buy_lookups(context, LANES, Silence())
            copy_answers(context)
            derive_facts(context)
            derive_outcomes(context)
        finally:
            release_run_lock(settings.home, run.run_id)
        context.stores.ledger.close()


class Silence(QuietProgress):
    """What providers say is judged by the ledger."""

    def say(self, message: str) -> None: ...


def _write(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    worker(*sys.argv[1:])
