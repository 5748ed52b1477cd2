"""`enrichment status`: what is in the tables, in the lanes and in the ledger.

Here: asking and showing. Not here: the questions themselves (`warehouse/counts.py`,
`ledger/questions.py`).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from rich.console import Console

from enrichment_pipeline.cli.terminal import table
from enrichment_pipeline.clock import Clock
from enrichment_pipeline.ledger import entries
from enrichment_pipeline.ledger.questions import Questions
from enrichment_pipeline.providers.registry import PROVIDERS
from enrichment_pipeline.settings import Settings
from enrichment_pipeline.state import check_stamp, is_used
from enrichment_pipeline.stores import Stores
from enrichment_pipeline.vocabulary import SEARCH
from enrichment_pipeline.warehouse.connection import open_warehouse
from enrichment_pipeline.warehouse.counts import (
    StatusCount,
    lane_counts,
    row_counts,
    status_counts,
)


@dataclass(frozen=True)
class Tables:
    """The warehouse: rows by table, contacts by freshness and priority, and by status."""

    rows: Mapping[str, int] = field(default_factory=dict)
    lanes: Sequence[tuple[str, str, int]] = ()
    statuses: Mapping[str, StatusCount] = field(default_factory=dict)


@dataclass(frozen=True)
class Spending:
    """What is charged and reserved in a period, and the most that may be."""

    period: str
    charged: Decimal
    reserved: Decimal
    limit: Decimal


@dataclass(frozen=True)
class AskedProvider:
    """A provider's balance as it was last seen, and how full its rate windows are."""

    provider: str
    credits_left: int | None
    seen_at: datetime | None
    rate_windows: Sequence[tuple[int, int, float]]
    """Used units, the limit, and the window's seconds."""


@dataclass(frozen=True)
class Searched:
    """Searches by state, those of today, and how many a day may have."""

    by_state: Mapping[str, int]
    today: Decimal
    per_day: int


@dataclass(frozen=True)
class Status:
    """What `enrichment status` tells of a state folder; `tables` is None without a warehouse."""

    tables: Tables | None
    lookups: Mapping[str, int]
    """By the ledger's state."""
    budget: Sequence[Spending]
    providers: Sequence[AskedProvider]
    open_entries: int
    overdue_entries: int
    searches: Searched | None


def read_status(settings: Settings) -> Status | None:
    """What there is; None where the state folder was never used. Changes nothing."""
    check_stamp(settings, is_first_use=False)
    if not is_used(settings):
        return None
    stores, clock = Stores(settings), Clock()
    asked = {name: stores.questions(clock, provider=name) for name in settings.asked_providers}
    states: Counter[str] = Counter()
    for ledger in asked.values():
        states.update(ledger.count_by_state())
    today = datetime.now(UTC).date().isoformat()
    budget = settings.policy.budget
    any_ledger = asked[settings.asked_provider]  # budgets are over all of them
    return Status(
        tables=_tables(settings),
        lookups=dict(sorted(states.items())),
        budget=[
            Spending(period, *reversed(any_ledger.budget_used(period)), limit)
            for period, limit in (
                (f"day:{today}", budget.per_day),
                (f"month:{today[:7]}", budget.per_month),
            )
        ],
        providers=[_asked(name, ledger) for name, ledger in asked.items()],
        open_entries=entries.count_open(stores.ledger),
        overdue_entries=len(entries.overdue(stores.ledger, clock.now())),
        searches=_searched(settings, stores, clock),
    )


def as_document(status: Status | None, settings: Settings) -> dict[str, Any]:
    """The status as JSON has it."""
    if status is None:
        return {"home": str(settings.home), "is_used": False}
    tables = status.tables or Tables()
    return {
        "home": str(settings.home),
        "is_used": True,
        "tables": tables.rows,
        "contacts": [
            {"freshness": freshness, "priority": priority, "contacts": contacts}
            for freshness, priority, contacts in tables.lanes
        ],
        "statuses": tables.statuses,
        "lookups": status.lookups,
        "budget": status.budget,
        "providers": [
            {
                **vars(each),
                "rate_windows": [
                    {"used": used, "limit": limit, "seconds": seconds}
                    for used, limit, seconds in each.rate_windows
                ],
            }
            for each in status.providers
        ],
        "entries": {"open": status.open_entries, "overdue": status.overdue_entries},
        "searches": status.searches,
    }


def print_status(status: Status | None, settings: Settings, console: Console) -> None:
    """Print the tables, the lanes, the ledger by state, and the credits."""
    if status is None:
        console.print(f"{settings.home}: nothing here yet; `enrichment run` makes a start")
        return
    if status.tables is not None:
        console.print(table("Tables", ("table", "rows"), list(status.tables.rows.items())))
        by_status = [
            (word, count.contacts, count.with_answer)
            for word, count in status.tables.statuses.items()
        ]
        columns = ("status", "contacts", "of them in enriched_contacts")
        console.print(table("Contacts by status", columns, by_status))
        lanes = status.tables.lanes
        console.print(table("Contacts", ("freshness", "priority", "contacts"), lanes))
    console.print(table("Ledger", ("look-ups", "number"), list(status.lookups.items())))
    amounts = [(each.period, each.charged, each.reserved, each.limit) for each in status.budget]
    console.print(table("Budget", ("period", "charged", "reserved", "limit"), amounts))
    for each in status.providers:
        whose = f"{PROVIDERS[each.provider].title}: " if len(status.providers) > 1 else ""
        if each.seen_at is not None:
            console.print(
                f"{whose}provider's balance: {each.credits_left:,} at "
                f"{each.seen_at:%Y-%m-%d %H:%M} UTC"
            )
        for used, limit, seconds in each.rate_windows:
            console.print(f"{whose}rate window of {seconds:g} s: {used} of {limit} items")
    if status.open_entries:
        console.print(
            f"entries that are still open: {status.open_entries:,}, "
            f"{status.overdue_entries:,} after their deadline"
        )
    searches = status.searches
    if searches is not None and searches.by_state:
        console.print(table("Searches", ("state", "number"), list(searches.by_state.items())))
        console.print(f"searches today: {searches.today} of {searches.per_day}")


def _tables(settings: Settings) -> Tables | None:
    if not Path(settings.warehouse_url).exists():
        return None
    with open_warehouse(settings.warehouse_url, read_only=True) as connection:
        rows = row_counts(connection)
        if "enrichment.contact_status" not in rows:
            return Tables(rows)
        return Tables(rows, lane_counts(connection), status_counts(connection))


def _asked(provider: str, ledger: Questions) -> AskedProvider:
    seen_at, credits_left = ledger.last_balance() or (None, None)
    return AskedProvider(provider, credits_left, seen_at, ledger.rate_windows())


def _searched(settings: Settings, stores: Stores, clock: Clock) -> Searched | None:
    provider = settings.searching_provider
    if provider is None:
        return None
    searches = stores.questions(clock, SEARCH, provider=provider)
    return Searched(
        by_state=dict(sorted(searches.count_by_state().items())),
        today=searches.used_today(),
        per_day=settings.limits(provider).searches_per_day,
    )
