"""A state folder in which all was bought in two runs, with copies of what stood after each.

Here: making it once for all test processes, and a copy for each test. Not here: assertions.
"""

from __future__ import annotations

import json
import logging
import shutil
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from enrichment_pipeline.backup import back_up
from enrichment_pipeline.clock import Clock
from enrichment_pipeline.defs.resources import LoggedProgress
from enrichment_pipeline.dispatch.progress import DispatchReport
from enrichment_pipeline.lanes import FRESHNESS, PRIORITIES, LaneBlock
from enrichment_pipeline.policy import Policy
from enrichment_pipeline.providers.signalhire.facts import SIGNALHIRE
from enrichment_pipeline.run import Run
from enrichment_pipeline.settings import Settings
from enrichment_pipeline.state import release_run_lock
from enrichment_pipeline.steps.buy_lookups import buy_lookups
from enrichment_pipeline.steps.context import RunContext
from enrichment_pipeline.steps.copy_answers import copy_answers
from enrichment_pipeline.steps.derive_facts import derive_facts
from enrichment_pipeline.steps.derive_outcomes import derive_outcomes
from enrichment_pipeline.steps.load_source import load_accounts, load_contacts
from enrichment_pipeline.steps.plan import plan
from enrichment_pipeline.steps.prepare import prepare
from enrichment_pipeline.steps.provider import ask_balance
from enrichment_pipeline.steps.publish_tables import publish_tables
from enrichment_pipeline.steps.select_work import select_work
from enrichment_pipeline.stores import Stores
from enrichment_pipeline_tests.end_to_end.world import outcomes, rows, small_settings
from enrichment_pipeline_tests.support import RunningSandbox, settings_for

FIRST = ("strategic", "target")
HALF = 16
"""Look-ups of the first run, over these priorities; the second bought the rest."""


@dataclass
class Bought:
    """A test's own state folder after both runs, copies of it, a sandbox."""

    settings: Settings
    copy: Path
    """Made between the runs."""
    whole_copy: Path
    """Made after both. For all tests, which only read it."""
    sandbox: RunningSandbox
    statuses_before: dict[str, tuple[str, str | None]]

    @property
    def home(self) -> Path:
        return self.settings.home

    def prepare(self, *, accepts_rollback: bool = False) -> None:
        """What a run does before it loads and buys anything."""
        run = Run(uuid4().hex, datetime.now(UTC), accepts_rollback=accepts_rollback)
        stores = Stores(self.settings)
        try:
            prepare(RunContext(stores, run))
        finally:
            release_run_lock(self.settings.home, run.run_id)
            stores.ledger.close()

    def due(self) -> int:
        """How many look-ups a run would make now."""
        stores = Stores(self.settings)
        lanes = LaneBlock(FRESHNESS, PRIORITIES).lanes
        try:
            return plan(RunContext(stores, Run.none()), lanes).work.lookups
        finally:
            stores.ledger.close()

    def run(self, *, accepts_rollback: bool = False, publishes: bool = True) -> DispatchReport:
        return steps(self.settings, accepts_rollback=accepts_rollback, publishes=publishes)

    def lose(self, *names: str) -> None:
        """Delete these stores, their logs as well."""
        for name in names:
            for path in self.home.glob(f"{name}*"):
                path.unlink()

    def put_back(self, *names: str) -> None:
        """Put the copy's stores in the place of these, as by hand."""
        for name in names:
            shutil.copy(self.copy / name, self.home / name)

    def execute_on_ledger(self, statement: str) -> None:
        with closing(sqlite3.connect(self.home / "ledger.sqlite")) as connection:
            connection.execute(statement)
            connection.commit()

    def observe_balance(self, *, more: int) -> None:
        """Have the ledger believe that the account had so many credits more than it has now."""
        credits_left = ask_balance(self.settings, SIGNALHIRE.name).credits_left + more
        Stores(self.settings).questions(Clock()).observe_balance("earlier", credits_left)

    def change_policy(self, **sections: dict[str, Any]) -> None:
        document = self.settings.policy.model_dump(exclude_unset=True)
        for name, section in sections.items():
            document[name] = {**document.get(name, {}), **section}
        self.settings = replace(self.settings, policy=Policy.model_validate(document))

    def statuses(self) -> dict[str, tuple[str, str | None]]:
        return outcomes(self.settings)

    def answers(self) -> list[tuple[Any, ...]]:
        """Who was asked for, what came of it, and the answer."""
        return rows(
            self.settings,
            "select lookup_id, person_key, item, outcome, answer from raw.provider_responses "
            "order by all",
        )


def steps(
    settings: Settings,
    *,
    priorities: tuple[str, ...] = PRIORITIES,
    accepts_rollback: bool = False,
    publishes: bool = True,
) -> DispatchReport:
    """A run's steps, without Dagster; what buying came to."""
    run = Run(uuid4().hex, datetime.now(UTC), accepts_rollback=accepts_rollback)
    context = RunContext(Stores(settings), run)
    lanes = LaneBlock(FRESHNESS, priorities).lanes
    prepare(context)
    try:
        load_accounts(context)
        load_contacts(context)
        select_work(context, lanes)
        report = buy_lookups(context, lanes, LoggedProgress(logging.getLogger(__name__))).report
        copy_answers(context)
        derive_facts(context)
        derive_outcomes(context)
        if publishes:
            publish_tables(context)
    finally:
        release_run_lock(settings.home, run.run_id)
        context.stores.ledger.close()
    return report


def buy_in_two_runs(folder: Path, base_url: str) -> Path:
    """Buy the small world in two runs, and copy the state after each; the folder of all that."""
    settings = small_settings(folder, base_url)
    steps(settings, priorities=FIRST)
    back_up(settings, folder / "copy", lambda _: None)
    steps(settings)
    back_up(settings, folder / "whole_copy", lambda _: None)
    return folder


def copy_of(made: Path, folder: Path, sandbox: RunningSandbox) -> Bought:
    """That state for one test; the source stays where the state is stamped with its path."""
    shutil.copytree(made / "state", folder / "state", symlinks=True)
    shutil.copytree(made / "copy", folder / "copy")
    template = small_settings(made, sandbox.base_url)
    settings = settings_for(
        folder / "state",
        template.policy,
        sandbox.base_url,
        api_key=template.accounts[SIGNALHIRE.name].api_key,
    )
    return Bought(settings, folder / "copy", made / "whole_copy", sandbox, outcomes(settings))


def charged(sandbox: RunningSandbox) -> Counter[str]:
    """How often the provider charged for each item."""
    if not sandbox.journal.exists():
        return Counter()
    lines = sandbox.journal.read_text().splitlines()
    return Counter(json.loads(line)["item"] for line in lines)
