"""The step before all others: refuse what cannot work, and clear up after killed runs.

Here: the checks of a run, opening the state folder, and settling what killed runs have left. Not
here: stamps (`state.py`), and comparing the stores (`rollback.py`).
"""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

from enrichment_pipeline.clock import Clock
from enrichment_pipeline.dispatch.connecting import asking_of, connect_provider, is_reachable
from enrichment_pipeline.dispatch.settling import read_kept_replies
from enrichment_pipeline.errors import ConfigurationError, PipelineError, redact_unexpected_errors
from enrichment_pipeline.ledger.known import has_lookups, is_ahead_of_tables
from enrichment_pipeline.providers.base import Balance, ProviderUnavailableError
from enrichment_pipeline.providers.registry import PROVIDERS
from enrichment_pipeline.rollback import Comparison, RolledBack
from enrichment_pipeline.run import AS_OF_TAG, Run
from enrichment_pipeline.settings import Settings, policy_table
from enrichment_pipeline.spill import take_back
from enrichment_pipeline.state import (
    check_stamp,
    dead_runs,
    ensure_state_folder,
    hold_run_lock,
    refuse_other_ledger,
    refuse_other_stamp,
    stamp_of,
    stamp_with_ledger,
    stamped_ledger,
)
from enrichment_pipeline.steps.context import RunContext
from enrichment_pipeline.steps.provider import ask_balance
from enrichment_pipeline.stores import Stores, stamped
from enrichment_pipeline.terms import budget_of
from enrichment_pipeline.warehouse import raw_answers
from enrichment_pipeline.warehouse.attached_source import attached_source
from enrichment_pipeline.warehouse.connection import transaction
from enrichment_pipeline.warehouse.stamp import stamp_warehouse

_log = logging.getLogger(__name__)
AS_OF_TOLERANCE = timedelta(days=1)
CLOCK_ERROR_TOLERANCE = timedelta(days=1)
"""A clock that is further off than this makes people due who are not, and dates answers wrongly."""


@redact_unexpected_errors
def prepare(context: RunContext) -> list[str]:
    """Refuse what cannot work, and clear up after runs that were killed.

    Gives the ids of those runs. Raises ConfigurationError before anything
    is loaded: for a state folder of another source or provider, and for a
    key that is not accepted; PipelineError where the clock is wrong by the provider's;
    RolledBack for a ledger that is an older copy.
    """
    settings, run = context.settings, context.run
    balances = ask_providers(settings, run)
    open_state(context.stores, run)
    hold_run_lock(settings.home, run.run_id)
    dead = dead_runs(settings.home)
    _take_back(context)
    _settle_what_was_left(context, dead)
    for provider, balance in balances.items():
        if settings.limits(provider).exclusive:
            _check_balance(context, provider, balance.credits_left)
        questions = context.stores.questions(run.clock, provider=provider)
        if questions.last_balance() is None:
            # Later ones are seen after buying only: so that two in a row span the time between
            # two runs too, in which others may have spent.
            questions.observe_balance(run.run_id, balance.credits_left)
    return dead


def ask_providers(settings: Settings, run: Run) -> dict[str, Balance]:
    """Refuse what cannot work before anything is opened, and ask for the balances.

    Raises ConfigurationError and PipelineError as `prepare` does.
    """
    check_run(settings, run)
    check_stamp(settings, is_first_use=False)
    balances = _ask_balances(settings)
    if not run.is_simulated:
        for balance in balances.values():
            refuse_wrong_clock(run.clock.now(), balance.dated_at)
    return balances


def _ask_balances(settings: Settings) -> dict[str, Balance]:
    """The balance at each provider that is asked; of several, one that is down is passed over."""
    balances: dict[str, Balance] = {}
    down: list[ProviderUnavailableError] = []
    for provider in settings.used_providers:
        try:
            balances[provider] = ask_balance(settings, provider)
        except ProviderUnavailableError as error:
            down.append(error)
    if not balances:
        raise down[0]
    for error in down:
        _log.warning("%s; the others are asked without it", error)
    return balances


def check_run(settings: Settings, run: Run) -> None:
    """Refuse an instant or a simulation that is not allowed, and sinks that cannot be understood.

    Raises ConfigurationError.
    """
    settings.check_sinks()
    if run.is_simulated and settings.asks_real_provider:
        title = PROVIDERS[settings.asked_provider].title
        raise ConfigurationError(
            f"--simulate: not allowed against {title}'s own host; it would date paid "
            "answers wrongly"
        )
    if not run.is_simulated and abs(run.as_of - datetime.now(UTC)) > AS_OF_TOLERANCE:
        raise ConfigurationError(
            f"--as-of {run.as_of.isoformat()}: must lie within a day of now (for trials "
            f"against the sandbox, add --simulate); in Dagster, see the run's {AS_OF_TAG}"
        )


def open_state(stores: Stores, run: Run | None = None) -> None:
    """Make or check the state folder, the ledger and the warehouse: stamps and schema.

    Raises RolledBack where the ledger lacks what lies beside it, unless the run accepts that.
    """
    settings, ledger = stores.settings, stores.ledger
    ensure_state_folder(settings)
    _check_source(settings)
    check_stamp(settings)
    stamp = stamp_of(settings)
    of_ledger = stamped(ledger, settings)
    with stores.open_warehouse() as connection:
        with transaction(connection):
            wanted = {**stamp, "ledger": of_ledger["ledger"]}
            of_warehouse = stamp_warehouse(connection, wanted)
            refuse_other_stamp("warehouse", of_warehouse, stamp)
            compared = Comparison(
                ledger,
                of_ledger,
                of_warehouse,
                stamped_ledger(settings),
                connection,
                settings.published_dir,
            )
            is_rolled_back = compared.is_rolled_back()
            if compared.is_another and has_lookups(ledger):
                refuse_other_ledger(settings.warehouse_url)
            if is_rolled_back and not (run and run.accepts_rollback):
                raise RolledBack(compared.message())
        if run and is_rolled_back:
            budgets = partial(budget_of, settings)
            compared.accept(budgets, run_id=run.run_id, at=run.clock.now())
        if is_ahead_of_tables(ledger, raw_answers.last_revision(connection)):
            _keep_what_reviewers_said(stores)
    stamp_with_ledger(settings, of_ledger["ledger"])


def refuse_wrong_clock(now: datetime, provider_now: datetime | None) -> None:
    """Raise PipelineError where our clock and the provider's part by more than a day.

    A clock 95 days ahead would take every answer for expired, and buy all of them again.
    """
    if provider_now is None or abs(now - provider_now) <= CLOCK_ERROR_TOLERANCE:
        return
    raise PipelineError(
        f"this machine's clock says {now:%Y-%m-%d %H:%M} UTC, the provider's "
        f"{provider_now:%Y-%m-%d %H:%M} UTC: by a wrong clock people would be bought again, so "
        "nothing was bought. Set the clock, then run again"
    )


def _check_source(settings: Settings) -> None:
    """Refuse a source that is not there, before anything is stamped with its name."""
    if settings.takes_handed_in and not settings.handed_in_source.exists():
        raise ConfigurationError(
            "no contacts have been handed in yet: materialise the asset handed_in_contacts first"
        )
    with attached_source(settings.source):
        pass


def _keep_what_reviewers_said(stores: Stores) -> None:
    """The warehouse is new or an older copy: all but reviewers' decisions is derived again."""
    stores.suppressions(Clock()).keep_reviewers()
    _log.warning(
        "warehouse %s: is older than the ledger, from which it is derived again; nothing is "
        "bought for that. Reviewers' decisions that it lacks are not in the ledger; persons "
        "that they said never to ask for stay suppressed, until `enrichment suppress --lift`",
        stores.settings.warehouse_url,
    )


def _take_back(context: RunContext) -> None:
    """Move what was set aside into the ledger."""
    stores = context.stores
    calls = [
        stores.calls(context.clock, kind, provider=provider)
        for provider, facts in PROVIDERS.items()
        for kind in facts.calls
    ]
    take_back(context.settings.spilled_dir, stores.ledger, *calls)


def _settle_what_was_left(context: RunContext, dead: Sequence[str]) -> None:
    """Bring to an end what killed runs have left, also at providers that are not asked now."""
    ledger, settings = context.stores.ledger, context.settings
    for name, facts in PROVIDERS.items():
        provider = connect_provider(settings, name) if is_reachable(settings, name) else None
        for kind in facts.calls:
            calls = context.stores.calls(context.clock, kind, provider=name)
            if provider is not None:
                read_kept_replies(ledger, calls, asking_of(settings, kind, provider), dead)
            ledger.transact(partial(calls.clear_abandoned, dead_run_ids=dead))


def _check_balance(context: RunContext, provider: str, credits_left: int) -> None:
    """Where the account is used here only: stop at a balance that the ledger cannot explain.

    Calls were bought that this ledger, an older copy, does not know of.
    """
    questions = context.stores.questions(context.clock, provider=provider)
    gap = questions.balance_gap(credits_left)
    if gap is None or gap.unexplained <= 0:
        return
    if not context.run.accepts_rollback:
        table = policy_table(provider)
        raise RolledBack(
            f"ledger {context.stores.ledger.name}: the provider's balance fell by "
            f"{gap.unexplained:,} credits more than it knows of, though {table} exclusive = "
            "true says that no one else uses the account: the ledger was restored from an older "
            "copy, or someone does. Nothing was bought. Either restore the newest ledger "
            "(`enrichment restore FOLDER`), or `enrichment run --accept-rollback` goes on, and may "
            f"buy again what these {gap.unexplained:,} credits bought"
        )
    questions.observe_balance(context.run.run_id, credits_left)
