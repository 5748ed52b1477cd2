"""Runs over three providers, each answering over HTTP: who is asked about whom, and what it costs.

Here: SignalHire, then the two made-up ones. Not here: whose turn it is, case by case
(`warehouse/test_waterfall.py`), and what each provider must do alone (`test_conformance.py`).
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from pydantic import SecretStr
from rich.console import Console

from enrichment_pipeline.cli.run_command import print_summary
from enrichment_pipeline.dispatch.progress import DispatchReport
from enrichment_pipeline.lanes import FRESHNESS, PRIORITIES, LaneBlock
from enrichment_pipeline.ledger.budget import MILLIONTHS
from enrichment_pipeline.ledger.questions import Totals
from enrichment_pipeline.ledger.store import open_store
from enrichment_pipeline.run import Run
from enrichment_pipeline.settings import Account, Settings
from enrichment_pipeline.steps import buy_lookups
from enrichment_pipeline.steps.context import RunContext
from enrichment_pipeline.steps.plan import plan
from enrichment_pipeline.stores import Stores
from enrichment_pipeline_tests.conformance import StandIn, budgets_of
from enrichment_pipeline_tests.conformance.cases import CASES
from enrichment_pipeline_tests.conformance.madeup.account import email_of
from enrichment_pipeline_tests.end_to_end.world import steps_here
from enrichment_pipeline_tests.support import policy_for, settings_for, write_csv

ORDER = ("signalhire", "acme", "birch")
KNOWN = {"signalhire": 4, "acme": 8, "birch": 10}
"""How many of the people each provider knows; of the twelve two are known to none."""
EVERYBODY = range(12)
POLICY: Mapping[str, Any] = {
    "waterfall": {"order": list(ORDER)},
    "acceptance": {"require": ["any_email"]},
    "providers": {"acme": {"price": 0.28}, "birch": {"price": 0.5}},
}


@dataclass
class Three:
    """The three stand-ins, and a state folder that is bought into."""

    settings: Settings
    stand_ins: dict[str, StandIn]

    def run(self) -> DispatchReport:
        return steps_here(self.settings)

    def charged(self, provider: str) -> set[int]:
        """Who was charged for, each once."""
        times = self.stand_ins[provider].times_charged()
        assert set(times.values()) <= {1}
        return {number for number in EVERYBODY if times[email_of(number)]}

    def asked(self) -> dict[str, set[int]]:
        """By provider, who was asked about, each answered once."""
        rows = self.rows("select provider, contact_id from raw.lookups where state = 'answered'")
        assert len(set(rows)) == len(rows)
        return {
            name: {int(contact) for provider, contact in rows if provider == name} for name in ORDER
        }

    def statuses(self) -> dict[int, tuple[str, str | None]]:
        rows = self.rows("select contact_id, status, reason from enrichment.contact_status")
        return {int(contact): (status, reason) for contact, status, reason in rows}

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(self.settings.warehouse_url, read_only=True) as connection:
            return connection.execute(query).fetchall()


@contextmanager
def three(
    folder: Path, known: Mapping[str, int] = KNOWN, **config: Mapping[str, Any]
) -> Iterator[Three]:
    """`config`: what a provider's stand-in is told besides how many it knows."""
    source = folder / "source"
    people = [{"contact_id": number, "email": email_of(number)} for number in EVERYBODY]
    write_csv(source / "contacts.csv", people)
    write_csv(source / "accounts.csv", [{"account_id": "A1"}])
    policy = policy_for(source, **POLICY)
    with ExitStack() as running:
        stand_ins = {
            name: running.enter_context(
                CASES[name].start(folder, known[name], **config.get(name, {}))
            )
            for name in ORDER
        }
        accounts = {
            name: Account(SecretStr(CASES[name].key), stand_ins[name].base_url) for name in ORDER
        }
        yield Three(settings_for(folder / "state", policy, None, accounts=accounts), stand_ins)


def test_each_is_asked_for_those_whom_the_ones_before_left_open(tmp_path: Path) -> None:
    with three(tmp_path) as world:
        report = world.run()
        assert (report.sent, report.matched, report.no_match) == (24, 10, 14)
        assert world.asked() == {
            "signalhire": set(EVERYBODY),
            "acme": set(range(4, 12)),
            "birch": set(range(8, 12)),
        }
        paid = {name: world.charged(name) for name in ORDER}
        assert paid == {"signalhire": set(range(4)), "acme": set(range(4, 8)), "birch": {8, 9}}
        assert world.statuses() == {
            **dict.fromkeys(range(10), ("enriched", None)),
            **dict.fromkeys((10, 11), ("needs_review", "no_match")),
        }
        shown = world.rows("select contact_id, provider from enrichment.enriched_contacts")
        assert {int(contact): provider for contact, provider in shown} == {
            number: name for name in ORDER for number in paid[name]
        }
        # one budget, in money
        store = open_store(world.settings.ledger_url.get_secret_value())
        acme = sum(world.stand_ins["acme"].charged().values())
        cost = 4 + acme * Decimal("0.28") + 2 * Decimal("0.5")
        assert {row.charged for row in budgets_of(store)} == {cost * MILLIONTHS}
        assert {row.reserved for row in budgets_of(store)} == {0}
        store.close()
        assert summary_of(world) == {
            "SignalHire": ["12", "4", "4", "4", "4", "99,996"],
            "Acme Directory": [
                "8",
                "4",
                "4",
                str(acme),
                f"{acme * Decimal('0.28'):,}",
                f"{100_000 - acme:,}",
            ],
            "Birch Data": ["4", "2", "2", "2", "1.0", "99,998"],
        }

        again = world.run()
        assert (again.offered, again.sent) == (0, 0)
        assert {name: world.charged(name) for name in ORDER} == paid


def summary_of(world: Three) -> dict[str, list[str]]:
    """What the end of a run shows of each provider."""
    stores = Stores(world.settings)
    [(run_id,)] = world.rows("select distinct run_id from raw.lookups")
    run = Run(run_id, datetime.now(UTC))
    brought = {
        name: stores.questions(run.clock, provider=name).run_totals(run_id) for name in ORDER
    }
    shown = io.StringIO()
    print_summary(stores, run, [run_id], brought, Totals(), Console(file=shown, width=120))
    stores.ledger.close()
    _, _, table = shown.getvalue().partition("What each provider brought")
    rows = (line.split("│")[1:-1] for line in table.splitlines())
    return {first.strip(): [cell.strip() for cell in rest] for first, *rest in filter(None, rows)}


def test_the_plan_counts_at_worst_as_if_none_settled_anybody(tmp_path: Path) -> None:
    with three(tmp_path) as world:
        context = RunContext(Stores(world.settings), Run("run-0", datetime.now(UTC)))
        planned = plan(context, LaneBlock(FRESHNESS, PRIORITIES).lanes)
        assert [each.due for each in planned.forecasts] == [12, 0, 0]
        assert planned.worst_case_credits == 12 + 12 * 2 + 12
        assert planned.worst_case_cost == 12 + 12 * 2 * Decimal("0.28") + 12 * Decimal("0.5")
        assert not any(world.charged(name) for name in ORDER)


def test_a_legal_stop_ends_it_with_everybody(tmp_path: Path) -> None:
    with three(tmp_path, acme={"suppressed": frozenset({email_of(9)})}) as world:
        for _ in range(2):
            world.run()
            assert world.asked()["birch"] == {8, 10, 11}
            assert world.statuses()[9] == ("needs_review", "legal_stop")


def test_one_without_credits_is_passed_over_and_asked_later(tmp_path: Path) -> None:
    known = {"signalhire": 4, "acme": 10, "birch": 6}
    with three(tmp_path, known, acme={"credits": 0}) as world:
        report = world.run()
        assert report.halted is not None
        assert world.charged("birch") == {4, 5}
        statuses = world.statuses()
        assert [statuses[number] for number in (4, 5)] == [("enriched", None)] * 2
        assert [statuses[number] for number in range(6, 10)] == [
            ("queued", "waiting_for_provider")
        ] * 4
        asked_of_birch = world.asked()["birch"]
    with three(tmp_path, known) as world:
        world.run()
        assert world.charged("acme") == set(range(6, 10))
        assert world.asked()["birch"] == asked_of_birch
        statuses = world.statuses()
        assert [statuses[number] for number in range(6, 10)] == [("enriched", None)] * 4
        assert [statuses[number] for number in (10, 11)] == [("needs_review", "no_match")] * 2


def test_a_run_that_ended_between_two_providers_is_taken_up_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: Any) -> None:
        raise KeyboardInterrupt

    with three(tmp_path) as world:
        with monkeypatch.context() as patched:
            patched.setattr(buy_lookups, "_select_open", die)
            with pytest.raises(KeyboardInterrupt):
                world.run()
        world.run()
        assert world.asked()["signalhire"] == set(EVERYBODY)
        assert world.asked()["birch"] == set(range(8, 12))
        assert [len(world.charged(name)) for name in ORDER] == [4, 4, 2]
        assert world.statuses()[11] == ("needs_review", "no_match")
