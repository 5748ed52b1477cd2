"""A small world: some forty contacts of every kind, the people whom the sandbox knows of them,
and the means to run the pipeline over both, in this process or in one of its own.

Here: data and helpers, without assertions. Not here: what should come of it (the tests).
Nobody in it is real, and every name is rare enough to be searched for.
"""

from __future__ import annotations

import io
import logging
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import duckdb
import sqlalchemy as sa
from dagster import DagsterInstance, DagsterRun
from pydantic import SecretStr
from rich.console import Console

from enrichment_pipeline.cli.run_command import refresh
from enrichment_pipeline.defs.resources import LoggedProgress
from enrichment_pipeline.dispatch.progress import DispatchReport
from enrichment_pipeline.lanes import FRESHNESS, PRIORITIES, LaneBlock, lane_blocks
from enrichment_pipeline.policy import Policy
from enrichment_pipeline.run import Run
from enrichment_pipeline.settings import Settings
from enrichment_pipeline.state import release_run_lock
from enrichment_pipeline.steps.ask_changes import ask_changes
from enrichment_pipeline.steps.buy_lookups import buy_lookups
from enrichment_pipeline.steps.context import RunContext
from enrichment_pipeline.steps.copy_answers import copy_answers
from enrichment_pipeline.steps.derive_facts import derive_facts
from enrichment_pipeline.steps.derive_outcomes import derive_outcomes
from enrichment_pipeline.steps.load_source import load_accounts, load_contacts
from enrichment_pipeline.steps.prepare import prepare
from enrichment_pipeline.steps.search_profiles import search_profiles
from enrichment_pipeline.steps.select_work import select_work
from enrichment_pipeline.stores import Stores
from enrichment_pipeline_tests.databases import migrated_sqlite
from enrichment_pipeline_tests.support import (
    RunningSandbox,
    people_of,
    policy_for,
    running_sandbox,
    settings_for,
    write_csv,
)
from enrichment_pipeline_tests.warehouse.prepared import empty_warehouse

PROJECT = Path(__file__).resolve().parents[2]
KEY = "key-7f3d0c9a51e84b62"
"""The account's key: long enough that finding it anywhere is no accident."""

Row = Mapping[str, object]

ACCOUNTS: list[Row] = [
    {"account_id": "acc-1", "name": "Quillforge", "domain": "quillforge.com", "tier": "strategic"},
    {"account_id": "acc-2", "name": "Brambleworks", "domain": "brambleworks.com", "tier": "target"},
    {"account_id": "acc-3", "name": "Oxbowline", "domain": "oxbowline.com", "tier": "Standard"},
    {"account_id": "acc-4", "name": "Fennimarket", "domain": "fennimarket.com", "tier": "bulk"},
    {
        # no tier: 700 for the pipeline, 900 for revenue, 400 for heads make it strategic
        "account_id": "acc-5",
        "name": "Tarnhollow",
        "domain": "tarnhollow.com",
        "annual_revenue": 1_000_000_000,
        "employee_count": 10_000,
        "open_pipeline": 10_000_000,
    },
]

_NAMES = """\
Leopoldine Quarrenden
Ambrogio Vossberghe
Theodosia Ollivanter
Wolfhard Trewhellan
Evangelia Mazzarotti
Szymonek Skjelbreid
Clothilde Wyczolkow
Bartholdy Fitzharding
Philippina Delacourte
Gottlieb Brzezowska
Seraphina Underhillock
Aurelian Ockhamsen
Wilhelmine Pemberlake
Casimiro Zwolinska
Rosalinde Ravensworthy
Ferdinand Hollenbecker
Henrietta Castellanova
Maximiliana Grimaldsen
Ottokarina Thistlewaite
Balthasar Yarborowski
"""
FILLERS: list[tuple[str, str, str]] = [
    (f"fill-{index:02}", name, f"{name.replace(' ', '.')}@quillforge.com".lower())
    for index, name in enumerate(_NAMES.splitlines(), start=1)
]
"""Contacts like any other: found by their e-mail. Five in each of the four tiers."""


def filler_account(index: int) -> str:
    return f"acc-{index % 4 + 1}"


CONTACTS: list[Row] = [
    {
        "contact_id": "by-profile",
        "account_id": "acc-1",
        "first_name": "Adelheid",
        "last_name": "Quentzelmann",
        "linkedin_url": "HTTPS://www.LinkedIn.com/in/adelheid-quentzelmann/?trk=people",
        "company_name": "Quillforge",
        "company_domain": "quillforge.com",
        "updated_at": "2026-01-05",
    },
    {
        "contact_id": "same-profile",
        "account_id": "acc-4",
        "full_name": "QUENTZELMANN, Adelheid",
        "linkedin_url": "de.linkedin.com/in/adelheid-quentzelmann",
    },
    {
        "contact_id": "by-email",
        "account_id": "acc-2",
        "full_name": "Giacomina Ferrabosco",
        "email": "  Giacomina.FERRABOSCO@BrambleWorks.com ",
    },
    {
        "contact_id": "by-phone",
        "account_id": "acc-3",
        "full_name": "Isambard Colquhoun",
        "phone": "+44 (0)20 7946 0958",
    },
    {
        "contact_id": "private-mail",
        "account_id": "acc-5",
        "full_name": "Wenceslas Obradovich",
        "linkedin_url": "https://linkedin.com/in/wenceslas-obradovich",
    },
    {
        "contact_id": "moved-on",
        "account_id": "acc-1",
        "full_name": "Ottilie Marchbanks",
        "email": "ottilie.marchbanks@quillforge.com",
        "company_name": "Quillforge",
        "company_domain": "quillforge.com",
    },
    {
        "contact_id": "only-likely",
        "account_id": "acc-2",
        "full_name": "Xenophon Dalrymple",
        "email": "xenophon.dalrymple@brambleworks.com",
    },
    {
        "contact_id": "someone-else",
        "account_id": "acc-3",
        "full_name": "Hildegard Pfefferkorn",
        "email": "h.pfefferkorn@oxbowline.com",
    },
    {
        "contact_id": "unknown",
        "account_id": "acc-4",
        "full_name": "Barnabas Nightwhistle",
        "email": "barnabas.nightwhistle@fennimarket.com",
    },
    {
        "contact_id": "hostile",
        "account_id": "acc-4",
        "full_name": "Robert'); drop table staging.contacts; --",
        "email": "=cmd|'/c calc'!a1@fennimarket.com",
        "job_title": "<script>alert(1)</script>",
    },
    {
        "contact_id": "name-only",
        "account_id": "acc-1",
        "full_name": "Cunigunde Silberschlag",
        "company_name": "Quillforge",
        "company_domain": "quillforge.com",
    },
    {"contact_id": "nothing"},
    {
        "contact_id": "role-mail",
        "account_id": "acc-2",
        "full_name": "Reception Desk",
        "email": "info@brambleworks.com",
    },
    {
        "contact_id": "switchboard-1",
        "account_id": "acc-3",
        "full_name": "Eusebius Tanglewood",
        "phone": "+49 30 901820",
    },
    {
        "contact_id": "switchboard-2",
        "account_id": "acc-3",
        "full_name": "Philomena Drinkwater",
        "phone": "+49 (30) 901-820",
    },
    {
        "contact_id": "company-page",
        "account_id": "acc-4",
        "full_name": "Archibald Snodgrass",
        "linkedin_url": "https://www.linkedin.com/company/fennimarket",
    },
    {
        "contact_id": "local-phone",
        "account_id": "acc-4",
        "full_name": "Mechthild Abendroth",
        "phone": "0151 23456789",
    },
    # twice in the source: the later row wins
    {
        "contact_id": "twice",
        "account_id": "acc-1",
        "full_name": "Sebaldus Oldrow",
        "email": "old.address@nowhere-anymore.com",
        "updated_at": "2025-01-01",
    },
    {
        "contact_id": "twice",
        "account_id": "acc-1",
        "full_name": "Sebaldus Rosenkranzer",
        "email": "sebaldus.rosenkranzer@quillforge.com",
        "updated_at": "2026-01-01",
    },
    *(
        {
            "contact_id": contact_id,
            "account_id": filler_account(index),
            "full_name": name,
            "email": email,
            "company_domain": "quillforge.com",
        }
        for index, (contact_id, name, email) in enumerate(FILLERS)
    ),
]

PEOPLE: list[Row] = [
    {
        "full_name": "Adelheid Quentzelmann",
        "title": "Chief Archivist",
        "company": "Quillforge",
        "company_domain": "quillforge.com",
        "location": "Basel, Switzerland",
        "linkedin_url": "https://www.linkedin.com/in/adelheid-quentzelmann",
        "work_email": "adelheid@quillforge.com",
        "work_email_rating": 100,
        "mobile_phone": "+41 79 123 45 67",
        "mobile_phone_rating": 70,
    },
    {
        "full_name": "Giacomina Ferrabosco",
        "company": "Brambleworks",
        "company_domain": "brambleworks.com",
        "work_email": "giacomina.ferrabosco@brambleworks.com",
    },
    {
        "full_name": "Isambard Colquhoun",
        "company": "Oxbowline",
        "company_domain": "oxbowline.com",
        "work_email": "i.colquhoun@oxbowline.com",
        "mobile_phone": "+44 20 7946 0958",
    },
    {
        "full_name": "Wenceslas Obradovich",
        "linkedin_url": "https://www.linkedin.com/in/wenceslas-obradovich",
        "personal_email": "wenzel.obradovich@gmail.com",
    },
    {
        "full_name": "Ottilie Marchbanks",
        "title": "Director",
        "company": "Saltmarsh",
        "company_domain": "saltmarsh-group.com",
        "previous_company": "Quillforge",
        "previous_company_domain": "quillforge.com",
        "work_email": "ottilie@saltmarsh-group.com",
        "known_emails": "ottilie.marchbanks@quillforge.com",
    },
    {
        "full_name": "Xenophon Dalrymple",
        "work_email": "xenophon.dalrymple@brambleworks.com",
        "work_email_rating": 70,
    },
    {"full_name": "Herbert Zimmermannski", "work_email": "h.pfefferkorn@oxbowline.com"},
    {"full_name": "Sebaldus Rosenkranzer", "work_email": "sebaldus.rosenkranzer@quillforge.com"},
    *({"full_name": name, "work_email": email} for _, name, email in FILLERS),
]

EXPECTED: dict[str, tuple[str, str | None]] = {
    "by-profile": ("enriched", None),
    "same-profile": ("enriched", None),
    "by-email": ("enriched", None),
    "by-phone": ("enriched", None),
    "private-mail": ("enriched", None),
    "moved-on": ("enriched", None),
    "only-likely": ("needs_review", "no_verified_email"),
    "someone-else": ("needs_review", "identity_mismatch"),
    "unknown": ("needs_review", "no_match"),
    "hostile": ("needs_review", "invalid_identity"),
    "name-only": ("needs_review", "insufficient_identity"),
    "nothing": ("needs_review", "insufficient_identity"),
    "role-mail": ("needs_review", "insufficient_identity"),
    "switchboard-1": ("needs_review", "insufficient_identity"),
    "switchboard-2": ("needs_review", "insufficient_identity"),
    "company-page": ("needs_review", "invalid_identity"),
    "local-phone": ("needs_review", "invalid_identity"),
    "twice": ("enriched", None),
    **{contact_id: ("enriched", None) for contact_id, _, _ in FILLERS},
}
"""What each contact comes to: its status, and the reason for review."""

LOOKUPS = 29
"""People whom the provider can be asked for: those above with a usable identity, each once."""
CREDITS = 28
"""Of those, whom it knows."""


def write_source(folder: Path) -> Path:
    """The source as a folder of CSV; the folder."""
    write_csv(folder / "contacts.csv", CONTACTS)
    write_csv(folder / "accounts.csv", ACCOUNTS)
    return folder


@contextmanager
def small_sandbox(folder: Path, **config: Any) -> Iterator[RunningSandbox]:
    """A sandbox with this world's people and key, in a thread of this process."""
    people = people_of(folder / "people.csv", PEOPLE)
    with running_sandbox(people, folder / "journal.jsonl", api_key=KEY, **config) as sandbox:
        yield sandbox


def small_settings(
    folder: Path, base_url: str | None, policy: Policy | None = None, **changes: Any
) -> Settings:
    """Settings over this world; its source is written on the way."""
    source = write_source(folder / "source")
    changes = {"api_key": SecretStr(KEY), **changes}
    return settings_for(folder / "state", policy or policy_for(source), base_url, **changes)


def small_policy(folder: Path, **sections: Mapping[str, object]) -> Policy:
    """The policy over this world's source, with further sections."""
    return policy_for(write_source(folder / "source"), **sections)


FORGETFUL = """\
telemetry:
  enabled: false
event_log_storage:
  module: enrichment_pipeline_tests.end_to_end.forgetful
  class: ForgetfulEventLog
run_storage:
  module: dagster._core.storage.runs
  class: SqliteRunStorage
  config:
    base_dir: {home}/history
schedule_storage:
  module: dagster._core.storage.schedules
  class: SqliteScheduleStorage
  config:
    base_dir: {home}/schedules
compute_logs:
  module: dagster._core.storage.noop_compute_log_manager
  class: NoOpComputeLogManager
"""
"""An instance without events and logs: they are most of what a small run costs."""


def prepare_dagster(settings: Settings, *, keeps_events: bool) -> None:
    """Set up Dagster's folder: with the instance that the package ships, or a forgetful one."""
    shipped = PROJECT / "enrichment_pipeline" / "dagster.yaml"
    settings.dagster_home.mkdir(parents=True, exist_ok=True)
    forgetful = FORGETFUL.format(home=settings.dagster_home)
    text = shipped.read_text(encoding="utf-8") if keeps_events else forgetful
    (settings.dagster_home / "dagster.yaml").write_text(text, encoding="utf-8")


def make_state(settings: Settings) -> None:
    """A new state folder with an empty ledger and warehouse, as the first run would make them.

    Copied: to declare their tables takes a second. Where there is a folder already it stays.
    """
    if settings.home.exists():
        return
    settings.home.mkdir(mode=0o700, parents=True)
    migrated_sqlite(settings.home / "ledger.sqlite")
    shutil.copy(empty_warehouse(), settings.warehouse_url)


def run_here(
    settings: Settings,
    *,
    freshness: Sequence[str] = FRESHNESS,
    priorities: Sequence[str] = PRIORITIES,
    as_of: datetime | None = None,
    is_simulated: bool = False,
    max_credits: int | None = None,
    keeps_events: bool = False,
) -> str:
    """`enrichment run` in this process; what it printed. See `prepare_dagster`."""
    shown = io.StringIO()
    make_state(settings)
    prepare_dagster(settings, keeps_events=keeps_events)
    refresh(
        settings,
        lane_blocks(freshness, priorities),
        as_of=as_of or datetime.now(UTC),
        is_simulated=is_simulated,
        max_credits=max_credits,
        console=Console(file=shown, width=100),
    )
    return shown.getvalue()


def steps_here(
    settings: Settings,
    *,
    freshness: Sequence[str] = FRESHNESS,
    priorities: Sequence[str] = PRIORITIES,
    as_of: datetime | None = None,
    max_credits: int | None = None,
    max_lookups: int | None = None,
    contacts: tuple[str, ...] | None = None,
) -> DispatchReport:
    """A run's steps up to the tables, without Dagster and its seconds; what buying came to.

    With `as_of` the run is simulated.
    """
    make_state(settings)
    instant = as_of or datetime.now(UTC)
    run = Run(
        uuid4().hex,
        instant,
        is_simulated=as_of is not None,
        max_credits=max_credits,
        max_lookups=max_lookups,
        contacts=contacts,
    )
    context = RunContext(Stores(settings), run)
    lanes = LaneBlock(tuple(freshness), tuple(priorities)).lanes
    prepare(context)
    try:
        load_accounts(context)
        load_contacts(context)
        progress = LoggedProgress(logging.getLogger(__name__))
        ask_changes(context, progress)
        select_work(context, lanes)
        search_profiles(context, lanes, progress)
        report = buy_lookups(context, lanes, progress).report
        copy_answers(context)
        derive_facts(context)
        derive_outcomes(context)
    finally:
        release_run_lock(settings.home, run.run_id)
    return report


# --- the command in a process of its own ----------------------------------------------------


def write_policy(folder: Path, text: str = "") -> Path:
    """A policy file over `folder/source`, with further lines; the file."""
    path = folder / "enrichment.toml"
    path.write_text(
        "[source]\n"
        'attach = "source"\n'
        'contacts = "select * from contacts"\n'
        'accounts = "select * from accounts"\n'
        f"{text}",
        encoding="utf-8",
    )
    return path


def environment(folder: Path, **variables: object) -> dict[str, str]:
    """This process's environment without anything of ours, then the state folder and these."""
    ours = ("ENRICHMENT_", "SIGNALHIRE_", "DAGSTER_")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    named = {"ENRICHMENT_HOME": folder / "state", "PYTHONPATH": PROJECT, **variables}
    return inherited | {name: str(value) for name, value in named.items()}


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "enrichment_pipeline.cli", *arguments]


def enrichment(
    folder: Path, *arguments: str, **variables: object
) -> subprocess.CompletedProcess[str]:
    """Run the command to its end, in `folder`."""
    return subprocess.run(
        command(*arguments),
        cwd=folder,
        env=environment(folder, **variables),
        capture_output=True,
        text=True,
        timeout=200,
    )


@dataclass
class RunOver:
    """A folder with the small world's source, and the state that one run over it has left."""

    folder: Path
    finished: subprocess.CompletedProcess[str]
    journal: str
    """What the provider was asked."""
    began_at: datetime

    @property
    def home(self) -> Path:
        return self.folder / "state"

    @property
    def source(self) -> Path:
        return self.folder / "source"

    def copy_state(self, folder: Path) -> None:
        """Into `folder/state`; the source stays where it is, since its path is in the stamp."""
        (folder / "source").symlink_to(self.source)
        shutil.copytree(self.home, folder / "state", symlinks=True)


def run_once(folder: Path) -> RunOver:
    """`enrichment run` in a process of its own, by a user who lets everybody read and write."""
    write_source(folder / "source")
    (folder / "sandbox").mkdir()
    began_at = datetime.now(UTC)
    with small_sandbox(folder / "sandbox") as sandbox:
        before = os.umask(0)
        try:
            finished = enrichment(
                folder,
                "run",
                ENRICHMENT_CONFIG=write_policy(folder),
                SIGNALHIRE_BASE_URL=sandbox.base_url,
                SIGNALHIRE_API_KEY=KEY,
            )
        finally:
            os.umask(before)
        assert finished.returncode == 0, finished.stderr
        return RunOver(folder, finished, sandbox.journal.read_text(), began_at)


def start_enrichment(folder: Path, *arguments: str, **variables: object) -> subprocess.Popen[str]:
    """Start the command; both outputs go to pipes."""
    return subprocess.Popen(
        command(*arguments),
        cwd=folder,
        env=environment(folder, **variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_until(condition: Callable[[], object], what: str, seconds: float = 120.0) -> None:
    """Look again and again until the condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:.0f} s in vain: {what}")
        time.sleep(0.02)


def answers(port: int) -> bool:
    """Whether anybody listens on that port of this machine."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


# --- looking at what came of it ---------------------------------------------------------------


def rows(settings: Settings | Path, query: str, *values: object) -> list[tuple[Any, ...]]:
    """The rows of a query over the warehouse of a state folder."""
    path = settings / "warehouse.duckdb" if isinstance(settings, Path) else settings.warehouse_url
    with duckdb.connect(str(path), read_only=True) as connection:
        connection.execute("set timezone = 'UTC'")
        return connection.execute(query, list(values)).fetchall()


def record(settings: Settings | Path, table: str, contact_id: str) -> dict[str, Any]:
    """The one row of a contact in a table, by column."""
    columns = [row[0] for row in rows(settings, f"describe {table}")]
    found = rows(settings, f"select * from {table} where contact_id = ?", contact_id)
    if len(found) != 1:
        raise AssertionError(f"{len(found)} rows of {contact_id} in {table}")
    return dict(zip(columns, found[0], strict=True))


def outcomes(settings: Settings | Path) -> dict[str, tuple[str, str | None]]:
    """Status and reason by contact."""
    found = rows(settings, "select contact_id, status, reason from enrichment.contact_status")
    return {contact_id: (status, reason) for contact_id, status, reason in found}


def contents(home: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table of the warehouse; none where there is no warehouse yet."""
    path = home / "warehouse.duckdb"
    if not path.exists():
        return {}
    with duckdb.connect(str(path), read_only=True) as connection:
        connection.execute("set timezone = 'UTC'")
        tables = connection.execute(
            "select schema_name || '.' || table_name from duckdb_tables() order by all"
        ).fetchall()
        return {
            table: connection.execute(f"select * from {table} order by all").fetchall()
            for (table,) in tables
        }


OF_LOOKUPS = "with lookups as (select * from calls where kind = 'lookup') "


def ledger_rows(settings: Settings | Path, query: str) -> list[tuple[Any, ...]]:
    """The rows of a query over a state folder's ledger; `lookups` are its calls of that kind."""
    home = settings if isinstance(settings, Path) else settings.home
    engine = sa.create_engine(f"sqlite:///{home / 'ledger.sqlite'}")
    try:
        with engine.connect() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(OF_LOOKUPS + query)]
    finally:
        engine.dispose()


def dagster_runs(home: Path) -> list[DagsterRun]:
    """The runs that Dagster knows of in a state folder, the first one first."""
    with DagsterInstance.from_config(str(home / "dagster")) as instance:
        return list(reversed(instance.get_runs()))
