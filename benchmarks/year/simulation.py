"""One day after the other: the CRM lives, the pipeline runs, the reference judges.

The real thing but for the clock: DuckDB, the SQLite ledger, the sandbox over HTTP with
answers that fail now and then, and the pipeline's own steps, each run with a simulated
instant.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import sqlalchemy as sa

from benchmarks.common import QuietProgress
from benchmarks.year.crm import Crm
from benchmarks.year.reference import Ended, Known, Lookup, Reference
from enrichment_pipeline.dispatch.progress import DispatchReport
from enrichment_pipeline.lanes import FRESHNESS, PRIORITIES, Lane
from enrichment_pipeline.ledger.schema import calls
from enrichment_pipeline.providers.registry import FIRST
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
from enrichment_pipeline.steps.publish_tables import publish_tables
from enrichment_pipeline.steps.select_work import select_work
from enrichment_pipeline.stores import Stores
from enrichment_pipeline_tests.support import policy_for, running_sandbox, settings_for

ALL_LANES = [Lane(freshness, priority) for freshness in FRESHNESS for priority in PRIORITIES]
NEW_LANES = [lane for lane in ALL_LANES if lane.freshness == "new"]
RENEWED_EVERY = 7
"""Days after which the provider learns what has become of the people in its directory."""
FAULTS = {"duplicate_query": 0.01, "timeout_exceeded": 0.01, "torn": 0.02, "reordered": 0.1}
KNOWN = """\
select
    status.contact_id, assigned.person_key, status.status, status.freshness,
    status.next_lookup_at,
    [
        'https://www.linkedin.com/in/' || part.linkedin_slug,
        part.email,
        part.phone
    ],
    enriched.lookup_id, enriched.enriched_at, enriched.expires_at
from published.enrichment.contact_status as status
left join staging.contact_persons as assigned using (contact_id)
left join staging.contact_parts as part using (contact_id)
left join published.enrichment.enriched_contacts as enriched using (contact_id)
"""
FOUND = """\
select
    contact_id, coalesce(work_email, personal_email) as email,
    coalesce(mobile_phone, direct_phone) as phone, linkedin_url
from enrichment.enriched_contacts
where not needs_manual_enrichment
"""

_COLUMNS = {"lookup_id": "call_id", "credits_charged": "units_charged"}
"""What the ledger calls them."""


@dataclass(frozen=True)
class Script:
    """What is simulated: how long, how much, under which policy, and what happens when."""

    days: int
    first_day: date
    sections: Mapping[str, Mapping[str, object]]
    share_of_sample: float = 1.0
    starts_with: float = 0.6
    """Share of the contacts that are there on the first day."""
    has_faults: bool = True
    import_on: int = -1
    write_back_on: int = -1
    """-1: never."""
    missed: frozenset[int] = frozenset()
    """Days on which nothing runs."""
    repeat_every: int = 10
    """Each so many days, the tick comes once more."""
    noon_every: int = 5
    """Each so many days, the lanes `new` run at noon, as the sensor has them."""
    year: int = 365
    """In so many days happens what happens in a year."""
    seed: int = 1


@dataclass
class Played:
    """What came of it."""

    reference: Reference
    happened: Mapping[str, int]
    rows: set[str] = field(default_factory=set)
    """Contacts that were ever in the source."""
    runs: int = 0
    lookups: int = 0
    states: Counter[str] = field(default_factory=Counter)
    credits: int = 0
    days_without_budget: Counter[str] = field(default_factory=Counter)
    """Days on which a priority found the budget used up."""


def play(script: Script) -> Played:
    with tempfile.TemporaryDirectory(prefix="enrichment-year-") as folder:
        home = Path(folder)
        crm = Crm(
            home,
            year=script.year,
            seed=script.seed,
            share_of_sample=script.share_of_sample,
            starts_with=script.starts_with,
        )
        crm.write_source()
        policy = policy_for(crm.source, **script.sections)
        return _Play(script, crm, settings_for(home / "state", policy, None)).play()


class _Play:
    def __init__(self, script: Script, crm: Crm, settings: Settings) -> None:
        self._script = script
        self._crm = crm
        self._settings = settings
        self._journal = settings.home / "journal.jsonl"
        self._charges_read = 0
        self._played = Played(Reference(settings.policy, crm), crm.happened)

    def play(self) -> Played:
        script, played = self._script, self._played
        for first in range(0, script.days, RENEWED_EVERY):
            with self._provider(seed=script.seed * 10_000 + first):
                for day in range(first, min(first + RENEWED_EVERY, script.days)):
                    self._live_through(day)
        played.credits = self._charges_read
        ledger = self._lookups()
        played.lookups = sum(row.state != "released" for row in ledger)
        played.states = Counter(row.outcome or row.reason or row.state for row in ledger)
        return played

    def _live_through(self, day: int) -> None:
        script = self._script
        if day:
            self._crm.live(day)
        if day == script.import_on:
            self._crm.import_at_once()
        if day in script.missed:
            return
        tick = self._tick(day)
        self._run(f"day-{day:03}", tick, ALL_LANES)
        if day % script.repeat_every == script.repeat_every - 1:
            self._run(f"day-{day:03}-again", tick, ALL_LANES, repeats=True)
        if day % script.noon_every == script.noon_every - 1:
            self._crm.live(day)
            self._run(f"day-{day:03}-noon", tick + timedelta(hours=7), NEW_LANES)
        if day == script.write_back_on:
            self._write_back()

    def _tick(self, day: int) -> datetime:
        """This day's hour of the schedule, by the clocks on the wall there."""
        schedule = self._settings.policy.schedule
        today = self._script.first_day + timedelta(days=day)
        there = ZoneInfo(schedule.time_zone)
        return datetime.combine(today, time(schedule.hour), there).astimezone(UTC)

    def _run(
        self, run_id: str, as_of: datetime, lanes: Sequence[Lane], *, repeats: bool = False
    ) -> None:
        self._crm.write_source()
        run = Run(run_id, as_of, is_simulated=True)
        report = carry_out(RunContext(Stores(self._settings), run), lanes)
        self._played.runs += 1
        self._played.rows |= self._crm.contacts.keys()
        self._played.days_without_budget.update(report.exhausted.keys())
        self._played.reference.judge(
            Ended(
                run_id=run_id,
                as_of=as_of,
                is_of_all_lanes=lanes is ALL_LANES,
                repeats=repeats,
                is_halted=report.halted is not None,
                exhausted=report.exhausted,
                contacts=self._crm.contacts,
                accounts=self._crm.accounts,
                lookups=self._lookups(),
                charges=self._new_charges(),
                known=self._known(),
            )
        )

    @contextmanager
    def _provider(self, seed: int) -> Iterator[None]:
        """The provider with the directory as it is now; what it answers is fixed while it runs.

        The seed is another one each time, or the same people would fail every time.
        """
        self._crm.renew_people()
        faults = FAULTS if self._script.has_faults else {}
        options = {"credits": 10**7, "faults": faults, "seed": seed}
        with running_sandbox(self._crm.people, self._journal, **options) as sandbox:
            self._settings = self._settings.with_base_url(FIRST, sandbox.base_url)
            yield

    def _write_back(self) -> None:
        """The results go into the CRM, as everybody's results do."""
        with duckdb.connect(str(self._settings.published_dir / "warehouse.duckdb")) as connection:
            found = connection.execute(FOUND)
            columns = [column[0] for column in found.description or ()]
            rows = [dict(zip(columns, row, strict=True)) for row in found.fetchall()]
        self._crm.write_back(rows)

    # --- what was written down ----------------------------------------------------------

    def _lookups(self) -> list[Lookup]:
        columns = [calls.c[_COLUMNS.get(one.name, one.name)] for one in fields(Lookup)]
        engine = sa.create_engine(self._settings.ledger_url.get_secret_value())
        with engine.connect() as connection:
            query = sa.select(*columns).where(calls.c.kind == "lookup")
            rows = [Lookup(*row) for row in connection.execute(query)]
        engine.dispose()
        return rows

    def _new_charges(self) -> list[dict[str, object]]:
        lines = self._journal.read_text().splitlines() if self._journal.exists() else []
        new = [json.loads(line) for line in lines[self._charges_read :]]
        self._charges_read = len(lines)
        return new

    def _known(self) -> list[Known]:
        path = self._settings.published_dir / "warehouse.duckdb"
        with duckdb.connect(self._settings.warehouse_url, read_only=True) as connection:
            connection.execute("set timezone = 'UTC'")
            connection.execute(f"attach '{path}' as published (read_only)")
            return [Known(*row) for row in connection.execute(KNOWN).fetchall()]


def carry_out(context: RunContext, lanes: Sequence[Lane]) -> DispatchReport:
    """The steps of the job `daily_refresh`, in this process."""
    try:
        prepare(context)
        load_accounts(context)
        load_contacts(context)
        ask_changes(context, Silence())
        select_work(context, lanes)
        report = buy_lookups(context, lanes, Silence()).report
        copy_answers(context)
        derive_facts(context)
        derive_outcomes(context)
        publish_tables(context)
    finally:
        release_run_lock(context.settings.home, context.run.run_id)
    return report


class Silence(QuietProgress):
    """Torn connections are part of the play."""

    def say(self, message: str) -> None: ...
