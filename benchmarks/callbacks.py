"""The asynchronous mode with every fault switched on, and with everybody killed in between.

Measures: nothing but promises, over the sample's 5,000 contacts and the real commands.
Every contact ends in exactly one status; nobody is charged twice; every answer that was
delivered is applied once; what was charged and never delivered is unconfirmed.
"""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import httpx
import sqlalchemy as sa

from enrichment_pipeline.ledger.budget import MILLIONTHS, periods
from enrichment_pipeline.ledger.schema import budgets, calls
from enrichment_pipeline.serving.child import child_server

SHARE = 0.05
DEADLINE_SECONDS = 24.0
LATE_SECONDS = 30.0
"""Past the deadline: such an answer is for a run that comes later."""
POLICY = """\
[signalhire]
items_per_request = 20
items_per_window = {items_a_second}
callback_deadline_minutes = {deadline_minutes}
"""
SANDBOX = [
    *("--window-seconds", "1"),
    *("--callback-delay-min-ms", "50", "--callback-delay-max-ms", "2000"),
    *("--callback-retry-seconds", "3", "--callback-timeout-seconds", "5"),
    *("--late-seconds", str(LATE_SECONDS), "--item-order", "shuffled"),
]
MOST_RUNS = 8


def main(kills: int = 20) -> bool:
    undisturbed = measure(0, items_a_second=600)
    # slower, so that all of them fall while there is something to buy
    return measure(kills, items_a_second=100) and undisturbed


@dataclass
class Scene:
    """The state folder, and the variables under which every command runs."""

    home: Path
    variables: dict[str, str]
    receiver_port: int
    receiver: subprocess.Popen[bytes] | None = None
    kills: Counter[str] = field(default_factory=Counter)

    @property
    def journal(self) -> list[dict]:
        return read_lines(self.home / "journal.jsonl")

    @property
    def deliveries(self) -> list[dict]:
        return read_lines(self.home / "deliveries.jsonl")

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "enrichment_pipeline.cli", *arguments],
            env=os.environ | self.variables,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def start_receiver(self) -> None:
        port = str(self.receiver_port)
        self.receiver = self.start("receiver", "--port", port, "--metrics-port", "0")

    def kill_receiver(self) -> None:
        if self.receiver is not None:
            self.receiver.send_signal(signal.SIGKILL)
            self.receiver.wait()
            self.kills["receiver"] += 1
        self.start_receiver()

    def lookups(self) -> list[sa.Row]:
        return self._ask(sa.select(calls))

    def _ask(self, query: sa.Select) -> list[sa.Row]:
        engine = sa.create_engine(f"sqlite:///{self.home / 'ledger.sqlite'}")
        with engine.connect() as connection:
            rows = list(connection.execute(query))
        engine.dispose()
        return rows

    def budgets(self) -> dict[str, tuple[int, int]]:
        return {
            row.period: (row.reserved // MILLIONTHS, row.charged // MILLIONTHS)
            for row in self._ask(sa.select(budgets))
        }


def measure(kills: int, items_a_second: int, seed: int = 1) -> bool:
    rng = random.Random(seed)
    with scene(items_a_second, seed) as here:
        began_at = time.monotonic()
        while here.kills["run"] < kills:
            kill_one_run(here, rng)
        runs = settle_everything(here)
        return report(here, runs, time.monotonic() - began_at)


@contextmanager
def scene(items_a_second: int, seed: int) -> Iterator[Scene]:
    with tempfile.TemporaryDirectory(prefix="enrichment-bench-") as folder:
        home = Path(folder)
        policy = POLICY.format(
            items_a_second=items_a_second, deadline_minutes=DEADLINE_SECONDS / 60
        )
        (home / "enrichment.toml").write_text(policy)
        port = free_port()
        options = [
            *("--items-per-window", str(items_a_second)),
            *("--fault", f"all={SHARE}", "--seed", str(seed)),
            *("--journal", str(home / "journal.jsonl")),
            *("--deliveries", str(home / "deliveries.jsonl")),
        ]
        with child_server("sandbox", [*SANDBOX, *options]) as base_url:
            here = Scene(
                home,
                {
                    "ENRICHMENT_HOME": str(home),
                    "ENRICHMENT_CONFIG": str(home / "enrichment.toml"),
                    "ENRICHMENT_CALLBACK_URL": f"http://127.0.0.1:{port}",
                    "ENRICHMENT_CALLBACK_SECRET": "a secret word",
                    "ENRICHMENT_SANDBOX_WINDOW_SECONDS": "1",
                    "SIGNALHIRE_BASE_URL": base_url,
                },
                port,
            )
            here.start_receiver()
            wait_until_ready(here)
            try:
                yield here
            finally:
                if here.receiver is not None:
                    here.receiver.kill()
                    here.receiver.wait()


def kill_one_run(here: Scene, rng: random.Random) -> None:
    """Start a run, kill the receiver somewhere in it, and then the run."""
    charged = len(here.journal)
    run = here.start("run")
    give_up_at = time.monotonic() + 20
    # until it spends, or does not, since everybody has been asked already
    while len(here.journal) == charged and run.poll() is None and time.monotonic() < give_up_at:
        time.sleep(0.05)
    time.sleep(rng.uniform(0, 0.6))
    here.kill_receiver()
    time.sleep(rng.uniform(0, 0.6))
    if run.poll() is None:
        run.send_signal(signal.SIGKILL)
        here.kills["run"] += 1
        here.kills["run with answers outstanding"] += any(
            row.state == "sent" for row in here.lookups()
        )
    run.wait()


def settle_everything(here: Scene) -> int:
    """Run until a run buys nothing and no delivery is under way; how many runs that took."""
    wait_until_ready(here)
    for number in range(1, MOST_RUNS + 1):
        asked = len(here.lookups()) if (here.home / "ledger.sqlite").exists() else 0
        if here.start("run").wait():
            raise AssertionError(f"run {number} failed")
        is_done = len(here.lookups()) == asked and not any(
            row.state in {"reserved", "sent"} for row in here.lookups()
        )
        if is_done:
            return number
        quiet_since = time.monotonic()
        seen = len(here.deliveries)
        while time.monotonic() - quiet_since < LATE_SECONDS + 5:
            if len(here.deliveries) != seen:
                seen, quiet_since = len(here.deliveries), time.monotonic()
            time.sleep(0.5)
    return MOST_RUNS


def report(here: Scene, runs: int, seconds: float) -> bool:
    rows = here.lookups()
    matched: defaultdict[str, int] = defaultdict(int)
    for row in rows:
        matched[row.item] += row.outcome == "matched"
    unconfirmed = {row.item for row in rows if row.state == "unconfirmed"}
    charges = Counter(charge["item"] for charge in here.journal)
    person_of = {row.item: row.person_key for row in rows}
    people = Counter(person_of.get(charge["item"]) for charge in here.journal)
    # two contacts without a common identifier: only the answer tells that they are one person
    strangers = len(charges) - len({charge["uid"] for charge in here.journal})
    delivered = {
        (line["request"], item)
        for line in here.deliveries
        if line["acknowledged"]
        for item in line["items"]
    }
    paid_and_delivered = {
        charge["item"]
        for charge in here.journal
        if (charge["request"], charge["item"]) in delivered
    }
    problems = {
        "items charged twice": sum(count > 1 for count in charges.values()),
        "people charged twice": sum(count > 1 for count in people.values()),
        "delivered answers not applied once": sum(
            matched[item] != 1 for item in paid_and_delivered
        ),
        "answers applied that were never charged": sum(
            count > 0 and item not in charges for item, count in matched.items()
        ),
        "charges unknown to the ledger": sum(
            not matched[item] and item not in unconfirmed for item in charges
        ),
        "look-ups still open": sum(row.state in {"reserved", "sent"} for row in rows),
        "budgets wrong": wrong_budgets(here, rows),
        "contacts not in exactly one status": wrong_statuses(here),
    }
    states = Counter(row.state for row in rows)
    print(
        f"  {len(charges)} charged ({strangers} of them turned out to be somebody known), "
        f"{len(paid_and_delivered)} of them delivered and acknowledged, {len(unconfirmed)} "
        f"unconfirmed; {len(here.deliveries)} deliveries; look-ups: {dict(states)}; "
        f"{runs} runs to the end, {seconds:.0f} s; killed: {dict(here.kills)}"
    )
    for problem, count in problems.items():
        print(f"  {'ok  ' if count == 0 else 'MISS'} {problem}: {count}")
    return not any(problems.values())


def wrong_budgets(here: Scene, rows: list[sa.Row]) -> int:
    expected: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
    for row in rows:
        for period in periods(row.run_id, row.budget_day):
            expected[period][0] += row.state in {"reserved", "sent", "unconfirmed"}
            expected[period][1] += row.units_charged
    booked = here.budgets()
    return sum(booked.get(period) != tuple(credits) for period, credits in expected.items())


def wrong_statuses(here: Scene) -> int:
    with duckdb.connect(str(here.home / "warehouse.duckdb"), read_only=True) as connection:
        query = (
            "select count(*) filter (number <> 1) from (select count(status.contact_id) as number "
            "from staging.contacts as contact left join enrichment.contact_status as status "
            "using (contact_id) where contact.left_at is null group by contact.contact_id)"
        )
        return connection.execute(query).fetchall()[0][0]


def read_lines(path: Path) -> list[dict]:
    """The whole lines of a file that somebody is writing."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def wait_until_ready(here: Scene) -> None:
    give_up_at = time.monotonic() + 30
    while time.monotonic() < give_up_at:
        try:
            if httpx.get(f"http://127.0.0.1:{here.receiver_port}/readyz").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise AssertionError("the receiver does not start")


if __name__ == "__main__":
    sys.exit(0 if main(*map(int, sys.argv[1:])) else 1)
