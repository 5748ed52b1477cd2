"""`enrichment serve` killed with SIGKILL at random instants, under load; then a run.

Measures: nothing but promises. Nothing is charged twice, and no person by two identifiers, but
where the first answer was lost on the wire, which would have told that they are one person's; the
ledger knows every charge in the provider's own journal; every contact that got a 2xx stands in
contact_status after the run; and the application was told of each.

Contacts are posted each at its time, whether `serve` lives or not: by e-mail, by name and company,
and every third person by both, a moment apart. `serve`, the stand-in and the run are real
processes; the clients, and the application that is told, are this one.
"""

from __future__ import annotations

import asyncio
import csv
import json
import os
import random
import secrets
import subprocess
import sys
import tempfile
import time
from base64 import b64encode
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import sqlalchemy as sa

from benchmarks.common import made_up_word
from enrichment_pipeline.ledger import entries, notifications
from enrichment_pipeline.ledger.schema import calls
from enrichment_pipeline.ledger.store import opened
from enrichment_pipeline.serving.child import child_server
from enrichment_pipeline.warehouse.publish import open_published

TOKEN = secrets.token_hex(16)
COMPANY, DOMAIN = "Quillforge", "quillforge.example"
PEOPLE = 20_000
PER_SECOND = 1.5
WAIT_SECONDS = 2
SHARE_KILLED_EARLY = 0.25
"""Kills that fall anywhere between the process's start and its first purchase."""
LONGEST_START_SECONDS = 8.0
LONGEST_LIFE_SECONDS = 5.0
"""From the first purchase on. A busy machine may take long until then."""
FIRST_PURCHASE_WITHIN_SECONDS = 60.0
LATENCY_MS = 200
SETTLED_WITHIN_SECONDS = 1200.0
"""What was on the wire at a kill is given up at its deadline, minutes later."""
IS_SENT = calls.c.state == "sent"
POLICY = """\
[source]
attach = "source"
contacts = "select * from contacts"

[signalhire]
items_per_window = 100000
window_seconds = 1.0
search = "on"
searches_per_day = 1000000

[budget]
per_run = 1000000
per_day = 1000000
per_month = 1000000

[entry]
notify_hosts = ["127.0.0.1:{port}"]
notify_networks = ["127.0.0.0/8"]
"""


@dataclass
class Scene:
    """A state folder, the environment of all commands, and what was posted, answered and told."""

    home: Path
    environment: dict[str, str]
    hook: str
    url: str | None = None
    """Where `serve` listens; None while there is none."""
    posts: Counter[str] = field(default_factory=Counter)
    answered: dict[str, str] = field(default_factory=dict)
    """By the contact's id, of those that got a 2xx: the last status."""
    told: Counter[str] = field(default_factory=Counter)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        with (self.home / "output.log").open("ab") as output:
            return subprocess.Popen(
                [sys.executable, "-m", "enrichment_pipeline.cli", *arguments],
                env=self.environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                text=True,
            )

    def serve(self) -> subprocess.Popen[str]:
        """Its first line says where it listens; it ends with this process, too."""
        options = ("--port", "0", "--metrics-port", "0", "--until-stdin-closes")
        return self.start("serve", *options)

    @property
    def ledger_url(self) -> str:
        return f"sqlite:///{self.home / 'state' / 'ledger.sqlite'}"

    def charges(self, key: str = "uid") -> Counter[str]:
        """How often the provider charged for each profile, or each `item` that was asked for."""
        journal = self.home / "journal.jsonl"
        lines = journal.read_text().splitlines() if journal.exists() else []
        return Counter(json.loads(line)[key] for line in lines)


def main(kills: int = 50) -> bool:
    with tempfile.TemporaryDirectory(prefix="enrichment-bench-") as folder:
        home = Path(folder)
        options = [
            *("--people", str(_write_people(home / "people.csv"))),
            *("--journal", str(home / "journal.jsonl"), "--credits", "1000000"),
            *("--items-per-window", "1000000", "--window-seconds", "1"),
            *("--searches-per-day", "1000000", "--latency-ms", str(LATENCY_MS)),
        ]
        with child_server("sandbox", options) as provider:
            return asyncio.run(_play(home, provider, kills))


async def _play(home: Path, provider: str, kills: int) -> bool:
    told: Counter[str] = Counter()
    application = await asyncio.start_server(_application(told), "127.0.0.1", 0)
    port = application.sockets[0].getsockname()[1]
    (home / "source").mkdir()
    (home / "source" / "contacts.csv").write_text("contact_id,full_name,email\n")
    policy = home / "enrichment.toml"
    policy.write_text(POLICY.format(port=port))
    environment = os.environ | {
        "ENRICHMENT_HOME": str(home / "state"),
        "ENRICHMENT_CONFIG": str(policy),
        "ENRICHMENT_API_TOKENS": TOKEN,
        "ENRICHMENT_WEBHOOK_SECRET": f"whsec_{b64encode(secrets.token_bytes(32)).decode()}",
        "SIGNALHIRE_BASE_URL": provider,
    }
    here = Scene(home, environment, f"http://127.0.0.1:{port}/in", told=told)
    began_at = time.monotonic()
    async with application:
        posting = asyncio.create_task(_post_all_the_time(here))
        rng = random.Random(1)
        caught: set[str] = set()
        with_calls = 0
        for _ in range(kills):
            sent = await _live_and_die(here, rng)
            with_calls += bool(sent - caught)
            caught |= sent
        killed_at = time.monotonic()
        posting.cancel()
        with suppress(asyncio.CancelledError):
            await posting
        is_settled = await _settle(here)
        settled_at = time.monotonic()
        run = here.start("run")
        await asyncio.to_thread(run.communicate)
    print(
        f"  {kills} times killed in {killed_at - began_at:.0f} s, {with_calls} of them with calls "
        f"on the wire; settled after {settled_at - killed_at:.0f} s more; posts: {dict(here.posts)}"
    )
    return _report(here, {"entries or notifications left open": not is_settled}, run.returncode)


async def _live_and_die(here: Scene, rng: random.Random) -> set[str]:
    """Start `serve`, and kill it; the calls on the wire since, with those of earlier kills."""
    process = here.serve()
    charged = here.charges().total()
    listening = asyncio.create_task(_listening(here, process))
    if rng.random() < SHARE_KILLED_EARLY:
        await asyncio.sleep(rng.uniform(0, LONGEST_START_SECONDS))
    else:
        gives_up_at = time.monotonic() + FIRST_PURCHASE_WITHIN_SECONDS
        while here.charges().total() == charged and time.monotonic() < gives_up_at:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        await asyncio.sleep(rng.uniform(0, LONGEST_LIFE_SECONDS))
    process.kill()
    await listening
    here.url = None
    await asyncio.to_thread(process.communicate)
    return await asyncio.to_thread(_on_the_wire, here)


async def _listening(here: Scene, process: subprocess.Popen[str]) -> None:
    """Post to this process once it listens; not at all where it was killed before."""
    assert process.stdout is not None
    here.url = (await asyncio.to_thread(process.stdout.readline)).strip() or None


def _on_the_wire(here: Scene) -> set[str]:
    if not (here.home / "state" / "ledger.sqlite").exists():
        return set()
    with opened(here.ledger_url) as store:
        return {row[0] for row in store.read_all(sa.select(calls.c.call_id).where(IS_SENT))}


async def _settle(here: Scene) -> bool:
    """Let a last `serve` go on until nothing is open, and nothing owed; whether it came to that."""
    process = here.serve()
    await _listening(here, process)
    gives_up_at = time.monotonic() + SETTLED_WITHIN_SECONDS
    with opened(here.ledger_url) as store:
        while is_open := entries.count_open(store) + notifications.count_owed(store):
            if time.monotonic() > gives_up_at:
                break
            await asyncio.sleep(1)
    await asyncio.to_thread(process.communicate)  # its input closes
    return not is_open


# --- who posts, and who is told ------------------------------------------------------------


async def _post_all_the_time(here: Scene) -> None:
    began_at, under_way = time.monotonic(), set[asyncio.Task[None]]()
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(timeout=30, limits=limits, trust_env=False) as client:
        for n in range(PEOPLE):
            await asyncio.sleep(max(0.0, began_at + n / PER_SECOND - time.monotonic()))
            for contact in _contacts(n):
                task = asyncio.create_task(_post(here, client, contact))
                under_way.add(task)
                task.add_done_callback(under_way.discard)


def _contacts(n: int) -> list[dict[str, str]]:
    """How the n-th person is entered; every third one twice."""
    by_email = {"full_name": _name(n), "email": _email(n)}
    by_name = {"full_name": _name(n), "company_name": COMPANY}
    return [[by_email], [by_name], [by_email, by_name]][n % 3]


async def _post(here: Scene, client: httpx.AsyncClient, contact: dict[str, str]) -> None:
    if here.url is None:
        here.posts["no server"] += 1
        return
    headers = {"Authorization": f"Bearer {TOKEN}", "Prefer": f"wait={WAIT_SECONDS}"}
    try:
        answer = await client.post(
            f"{here.url}/v1/contacts", json={**contact, "notify_url": here.hook}, headers=headers
        )
    except httpx.TransportError:
        here.posts["cut off"] += 1
        return
    here.posts[str(answer.status_code)] += 1
    if answer.is_success:
        body = answer.json()
        here.answered[body["contact_id"]] = body["status"]


def _application(told: Counter[str]):  # noqa: ANN202 - what start_server takes
    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            [size] = [line[15:] for line in head.splitlines() if line.startswith("content-length:")]
            body = json.loads(await reader.readexactly(int(size)))
        except asyncio.IncompleteReadError:  # killed while it was telling: it tells again
            writer.close()
            return
        told[body["data"]["contact_id"]] += 1
        writer.write(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    return hear


def _write_people(path: Path) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["uid", "full_name", "company", "company_domain", "work_email"])
        rows = ([f"{n:032x}", _name(n), COMPANY, DOMAIN, _email(n)] for n in range(PEOPLE))
        writer.writerows(rows)
    return path


def _name(n: int) -> str:
    return f"{made_up_word(n)} {made_up_word(n * 7 + 11)}son"


def _email(n: int) -> str:
    return f"{_name(n).replace(' ', '.')}@{DOMAIN}".lower()


# --- what came of it -----------------------------------------------------------------------


def _report(here: Scene, problems: dict[str, int], run_status: int) -> bool:
    with opened(here.ledger_url) as store:
        rows = store.read_all(sa.select(calls))
    with open_published(here.home / "state" / "published") as published:
        found = published.execute(
            "select contact_id, status, reason from enrichment.contact_status"
        )
        outcomes = {contact_id: (status, reason) for contact_id, status, reason in found.fetchall()}
    charged = here.charges()
    asked = {row.item for row in rows if row.state in {"replied", "applied", "unconfirmed"}}
    lost = {row.item for row in rows if row.state == "unconfirmed"}
    twice = [uid for uid, count in charged.items() if count > 1]
    numbers = {uid: int(uid, 16) for uid in charged}
    answered = set(here.answered)
    problems |= {
        "items charged twice": sum(count > 1 for count in here.charges("item").values()),
        "people charged twice though every answer came": sum(
            lost.isdisjoint((uid, _email(numbers[uid]))) for uid in twice
        ),
        "charges unknown to the ledger": sum(
            uid not in asked and _email(n) not in asked for uid, n in numbers.items()
        ),
        "contacts with a 2xx not in contact_status": len(answered - set(outcomes)),
        "contacts with a 2xx not told of": len(answered - set(here.told)),
        "contacts still under way": sum(
            outcomes[each][0] in {"queued", "in_flight"} for each in answered & set(outcomes)
        ),
        "calls still open": sum(row.state in {"reserved", "sent"} for row in rows),
        "status of the run": run_status,
        "no contact answered, or none charged": not (answered and charged),
    }
    states = Counter(f"{row.kind} {row.state}" for row in rows)
    statuses = Counter(" ".join(filter(None, outcomes.get(each, ()))) for each in answered)
    print(
        f"  {len(charged)} people charged, {len(twice)} of them by two identifiers; "
        f"calls: {dict(states)}"
    )
    print(f"  {len(answered)} contacts got a 2xx: {dict(statuses)}; told {here.told.total()} times")
    for problem, count in problems.items():
        print(f"  {'ok  ' if not count else 'MISS'} {problem}: {int(count)}")
    return not any(problems.values())
