"""`enrichment status`: what is in the tables, in the lanes and in the ledger.

Here: asking and showing. Not here: the questions themselves (`warehouse/counts.py`,
`ledger/questions.py`).
"""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from enrichment_pipeline.cli.terminal import table
from enrichment_pipeline.clock import Clock
from enrichment_pipeline.ledger import entries
from enrichment_pipeline.providers.registry import PROVIDERS
from enrichment_pipeline.settings import Settings
from enrichment_pipeline.state import check_stamp, is_used
from enrichment_pipeline.stores import Stores
from enrichment_pipeline.vocabulary import SEARCH
from enrichment_pipeline.warehouse.connection import open_warehouse
from enrichment_pipeline.warehouse.counts import lane_counts, row_counts, status_counts


def print_status(settings: Settings, console: Console) -> None:
    """Print the tables, the lanes, the ledger by state, and the credits. Changes nothing."""
    check_stamp(settings, is_first_use=False)
    if not is_used(settings):
        console.print(f"{settings.home}: nothing here yet; `enrichment run` makes a start")
        return
    if Path(settings.warehouse_url).exists():
        with open_warehouse(settings.warehouse_url, read_only=True) as connection:
            rows = row_counts(connection)
            has_contacts = "enrichment.contact_status" in rows
            lanes = lane_counts(connection) if has_contacts else []
            statuses = status_counts(connection) if has_contacts else {}
        console.print(table("Tables", ("table", "rows"), list(rows.items())))
        by_status = [
            (status, count.contacts, count.with_answer) for status, count in statuses.items()
        ]
        columns = ("status", "contacts", "of them in enriched_contacts")
        console.print(table("Contacts by status", columns, by_status))
        console.print(table("Contacts", ("freshness", "priority", "contacts"), lanes))
    stores, clock = Stores(settings), Clock()
    asked = [stores.questions(clock, provider=name) for name in settings.asked_providers]
    states: Counter[str] = Counter()
    for ledger in asked:
        states.update(ledger.count_by_state())
    console.print(table("Ledger", ("look-ups", "number"), sorted(states.items())))
    today = datetime.now(UTC).date().isoformat()
    budget = settings.policy.budget
    periods = ((f"day:{today}", budget.per_day), (f"month:{today[:7]}", budget.per_month))
    ledger = asked[0]  # budgets are over all of them
    amounts = [(period, *reversed(ledger.budget_used(period)), limit) for period, limit in periods]
    console.print(table("Budget", ("period", "charged", "reserved", "limit"), amounts))
    for name, ledger in zip(settings.asked_providers, asked, strict=True):
        whose = f"{PROVIDERS[name].title}: " if len(asked) > 1 else ""
        balance = ledger.last_balance()
        if balance is not None:
            console.print(
                f"{whose}provider's balance: {balance[1]:,} at {balance[0]:%Y-%m-%d %H:%M} UTC"
            )
        for used, limit, seconds in ledger.rate_windows():
            console.print(f"{whose}rate window of {seconds:g} s: {used} of {limit} items")
    if count := entries.count_open(stores.ledger):
        overdue = len(entries.overdue(stores.ledger, clock.now()))
        console.print(f"entries that are still open: {count:,}, {overdue:,} after their deadline")
    searcher = settings.searching_provider
    if searcher is None:
        return
    searches = stores.questions(clock, SEARCH, provider=searcher)
    if counts := sorted(searches.count_by_state().items()):
        console.print(table("Searches", ("state", "number"), counts))
        per_day = settings.limits(searcher).searches_per_day
        console.print(f"searches today: {searches.used_today()} of {per_day}")
