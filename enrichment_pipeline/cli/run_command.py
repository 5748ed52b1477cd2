"""`enrichment run`: the job `daily_refresh` in this process, over the chosen lanes.

Here: one Dagster run per block of lanes, and the closing table. Not here: the
assets (`defs/`), and arguments (`main.py`).
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from uuid import uuid4

import dagster as dg
from dagster import (
    DagsterEvent,
    DagsterEventType,
    DagsterExecutionInterruptedError,
    DagsterInstance,
)
from rich.console import Console
from sqlalchemy.exc import DatabaseError

from enrichment_pipeline.cli.dagster_home import refuse_damage
from enrichment_pipeline.cli.dagster_instance import open_instance
from enrichment_pipeline.cli.launching import execute_job, told_by
from enrichment_pipeline.cli.planned import why_not_asked
from enrichment_pipeline.cli.terminal import ProgressBar, table
from enrichment_pipeline.definitions import own_definitions, range_tags
from enrichment_pipeline.dispatch.progress import is_unconfirmed_too_often
from enrichment_pipeline.errors import DISK_FULL, PipelineError, is_disk_full
from enrichment_pipeline.lanes import LaneBlock
from enrichment_pipeline.ledger.questions import Totals
from enrichment_pipeline.providers.registry import PROVIDERS
from enrichment_pipeline.run import Run
from enrichment_pipeline.settings import Settings
from enrichment_pipeline.state import release_run_lock
from enrichment_pipeline.steps.fill_sinks import SinksBehindError
from enrichment_pipeline.steps.prepare import check_run
from enrichment_pipeline.stores import Stores
from enrichment_pipeline.terms import credits_per_unit
from enrichment_pipeline.vocabulary import VERIFICATION
from enrichment_pipeline.warehouse.counts import accepted_counts, review_counts, status_counts
from enrichment_pipeline.warehouse.figures import read_meanings
from enrichment_pipeline.warehouse.states import requirements_it_can_give

NO_RETRY = {"dagster/max_retries": "0"}
"""Who started a command sees that it failed; Dagster's daemon must not start it once more."""
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
"""Dagster's log goes into its event store; the terminal shows the bar and the summary."""


def refresh(
    settings: Settings,
    blocks: Sequence[LaneBlock],
    *,
    as_of: datetime,
    is_simulated: bool,
    max_credits: int | None,
    max_lookups: int | None = None,
    contacts: tuple[str, ...] | None = None,
    accepts_shrink: bool = False,
    console: Console,
    accepts_rollback: bool = False,
) -> None:
    """Run every block in turn, highest priority first, and print what came of it.

    Raises ConfigurationError or PipelineError with the cause of a failed run, and, once all
    is printed, PipelineError where the provider ended one early or left too much unanswered, or
    where a sink could not be filled.
    """
    stores = Stores(settings)
    check_run(settings, Run("", as_of, is_simulated))
    brought = dict.fromkeys(settings.asked_providers, Totals())
    verified = Totals()
    run_ids: list[str] = []
    bought_by: list[str] = []
    stopped_by: str | None = None
    behind: SinksBehindError | None = None
    warnings: dict[str, str] = {}
    to_sinks: Counter[str] = Counter()
    bar = ProgressBar(console)
    definitions = own_definitions(settings, progress=lambda _log: bar)
    with open_instance(settings.dagster_home) as instance, bar.shown():
        for block in blocks:
            run = Run(
                str(uuid4()),
                as_of,
                is_simulated,
                max_credits,
                tuple(run_ids),
                accepts_shrink=accepts_shrink,
                accepts_rollback=accepts_rollback,
                max_lookups=max_lookups,
                contacts=contacts,
            )
            run_ids.append(run.run_id)
            try:
                told, behind = _execute(settings, definitions, instance, block, run)
            finally:
                release_run_lock(settings.home, run.run_id)
            stopped_by = stopped_by or _stopped_by(told)
            warnings |= _warnings(told)
            to_sinks.update(_numbers_of("sinks", told))
            for provider, so_far in brought.items():
                questions = stores.questions(run.clock, provider=provider)
                totals = questions.run_totals(run.run_id)
                brought[provider] = so_far.plus(totals)
                if totals.units_charged and run.run_id not in bought_by:
                    bought_by.append(run.run_id)
            verified = verified.plus(_verified(stores, run))
    print_summary(stores, run, run_ids, brought, verified, console)
    for run_id in bought_by:
        console.print(f"to take back what it bought: enrichment undo {run_id}")
    for line in sink_lines(settings, to_sinks):
        console.print(line, markup=False)
    for check, numbers in warnings.items():
        console.print(f"warning: the check {check} failed: {numbers or 'see `enrichment ui`'}")
    if stopped_by is not None:
        also = "" if behind is None else f". Also: {behind}"
        raise PipelineError(f"{stopped_by}. What is left stays queued for the next run{also}")
    if behind is not None:
        raise behind
    asked = sum(map(_asked, brought.values()))
    unconfirmed = sum(totals.unconfirmed for totals in brought.values())
    if is_unconfirmed_too_often(unconfirmed, asked):
        raise PipelineError(
            f"{unconfirmed} of {asked} look-ups ended unconfirmed: sent, but not answered, and so "
            f"perhaps billed. They are not bought again for "
            f"{settings.policy.freshness.unconfirmed_days} days, unless `enrichment ask-again` "
            "says so"
        )


def _execute(
    settings: Settings,
    definitions: dg.Definitions,
    instance: DagsterInstance,
    block: LaneBlock,
    run: Run,
) -> tuple[Sequence[DagsterEvent], SinksBehindError | None]:
    """Execute a run; its events, and what is said where nothing but sinks failed.

    Sinks come last: then all else is done. Raises the cause of any other failure.
    """
    try:
        result = execute_job(
            definitions,
            "daily_refresh",
            instance,
            run_id=run.run_id,
            tags={**range_tags(block), **run.tags, **NO_RETRY},
            run_config=QUIET,
        )
    except DagsterExecutionInterruptedError:
        raise KeyboardInterrupt from None
    except DatabaseError as error:  # of Dagster's own: ours are told by the steps
        refuse_damage(settings.dagster_home)
        raise _cause(error, run.run_id) from error
    except Exception as error:
        cause = _cause(error, run.run_id)
        if isinstance(cause, SinksBehindError):
            return told_by(instance, run.run_id), cause
        raise cause from error
    if not result.success:
        raise PipelineError(f"run {run.run_id} failed; see `enrichment ui`")
    return result.all_events, None


def _warnings(told: Sequence[DagsterEvent]) -> dict[str, str]:
    """The checks that warn, with the numbers that they give.

    Unconfirmed look-ups, whose check fails without stopping the run, are told for all blocks
    together.
    """
    failed = {}
    for check in (event.asset_check_evaluation_data for event in told if _is_check(event)):
        if not check.passed and check.severity is dg.AssetCheckSeverity.WARN:
            counts = [
                f"{name.replace('_', ' ')} {told.value:,}"
                for name, told in check.metadata.items()
                if isinstance(told, dg.IntMetadataValue)
            ]
            failed[f"{check.asset_key.to_user_string()}.{check.check_name}"] = ", ".join(counts)
    return failed


_AS_GOOD_AS_A_BUDGET = {"out_of_credits", "rate_used_up"}


def _is_check(event: DagsterEvent) -> bool:
    return event.event_type is DagsterEventType.ASSET_CHECK_EVALUATION


def _observed(asset: str, told: Sequence[DagsterEvent]) -> Iterator[dict[str, object]]:
    """What was observed of an asset as a whole."""
    for event in told:
        is_observation = event.event_type is DagsterEventType.ASSET_OBSERVATION
        if is_observation and event.asset_key == dg.AssetKey(asset):
            observation = event.asset_observation_data.asset_observation
            yield {name: shown.value for name, shown in observation.metadata.items()}


def _numbers_of(asset: str, told: Sequence[DagsterEvent]) -> dict[str, int]:
    return {
        name: value
        for observed in _observed(asset, told)
        for name, value in observed.items()
        if isinstance(value, int)
    }


def sink_lines(settings: Settings, to_sinks: Mapping[str, int]) -> list[str]:
    """What went to each sink, one line each; none for a sink that could not be filled."""
    lines = []
    for sink in settings.policy.sinks:
        if f"{sink.name}/merged" not in to_sinks:
            continue
        parts = [
            f"{table} {_rows(to_sinks, f'{sink.name}/{table}')}"
            for table in sink.tables
            if f"{sink.name}/{table}/merged" in to_sinks
        ]
        lines.append(f"sink {sink.name}: {'; '.join(parts) or 'nothing had changed'}")
    return lines


def _rows(to_sinks: Mapping[str, int], of: str) -> str:
    counts = ((what, to_sinks[f"{of}/{what}"]) for what in ("merged", "deleted"))
    return ", ".join(f"{rows:,} {what}" for what, rows in counts if rows) or "emptied"


def _stopped_by(told: Sequence[DagsterEvent]) -> str | None:
    """What of the provider's ended the buying early, if something did.

    That the credits ran out, or a limit of the provider's for the day, is as good as a budget that
    did: what they paid for is there.
    """
    for bought in _observed("provider_lookups", told):
        if "halted" in bought and bought["halted_by"] not in _AS_GOOD_AS_A_BUDGET:
            return str(bought["halted"])
    return None


def _cause(error: BaseException, run_id: str) -> PipelineError:
    """What to tell the user: the pipeline's own error where there is one, else where to look.

    An unforeseen error's text stays in Dagster's event store: it may hold anything.
    """
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, PipelineError):
            return seen
        if is_disk_full(seen):
            return PipelineError(f"run {run_id}: {DISK_FULL}")
        seen = getattr(seen, "user_exception", None) or seen.__cause__
    return PipelineError(f"run {run_id} failed ({type(error).__name__}); see `enrichment ui`")


def print_summary(
    stores: Stores,
    run: Run,
    run_ids: Sequence[str],
    brought: Mapping[str, Totals],
    verified: Totals,
    console: Console,
) -> None:
    """Print what is in the tables, what these runs have `brought`, by provider, and `verified`."""
    settings = stores.settings
    with stores.open_warehouse() as connection:
        accepted = accepted_counts(connection, run_ids)
        statuses = status_counts(connection)
        reasons = review_counts(connection)
        meanings = read_meanings(connection)
    contacts = {status: count.contacts for status, count in statuses.items()}
    rows: list[tuple[str, object]] = [
        ("contacts in", sum(contacts.values())),
        ("enriched", contacts.get("enriched", 0)),
        ("for review", contacts.get("needs_review", 0)),
        *((f"  {reason}", count) for reason, count in reasons.items()),
        *(
            (name.replace("_", " "), contacts[name])
            for name in ("queued", "in_flight", "suppressed")
            if name in contacts
        ),
        ("rows of enriched_contacts", sum(count.with_answer for count in statuses.values())),
    ]
    verifier = settings.verifying_provider
    of_verifying = 0 if verifier is None else _credits_of_verifying(verifier, verified)
    spent = of_verifying + sum(totals.units_charged for totals in brought.values())
    rows.append(("credits spent by this run", spent))
    left = {provider: _credits_left(stores, run, provider) for provider in settings.used_providers}
    if len(left) == 1:
        rows += [("credits left", credits) for credits in left.values() if isinstance(credits, int)]
    console.print(table("Done", ("", ""), rows))
    if len(left) > 1:
        each: list[tuple[object, ...]] = [
            (
                PROVIDERS[provider].title,
                *(_asked(totals), totals.matched, accepted.get(provider, 0), totals.units_charged),
                *(totals.units_charged * settings.limits(provider).price, left[provider]),
            )
            for provider, totals in brought.items()
        ]
        if verifier is not None:
            cost = of_verifying * settings.limits(verifier).price
            title = f"{PROVIDERS[verifier].title}, verifying"
            each.append((title, _asked(verified), "–", "–", of_verifying, cost, left[verifier]))
        columns = ("", "asked", "matched", "accepted", "credits", "cost", "left")
        console.print(table("What each provider brought", columns, each))
        for provider in brought:
            if not requirements_it_can_give(provider, settings.policy):
                console.print(why_not_asked(provider, settings), markup=False)
    console.print(f"enriched: {meanings['enriched']}\n{meanings['with_answer']}", markup=False)
    console.print(
        f"tables: {settings.warehouse_url} (schema enrichment)\n"
        f"for BI: {settings.published_dir / 'warehouse.duckdb'} and Parquet beside it"
    )


def _asked(totals: Totals) -> int:
    return totals.calls - totals.released


def _verified(stores: Stores, run: Run) -> Totals:
    """The verifications of a run; none where nothing verifies."""
    verifier = stores.settings.verifying_provider
    if verifier is None:
        return Totals()
    return stores.questions(run.clock, VERIFICATION, provider=verifier).run_totals(run.run_id)


def _credits_of_verifying(verifier: str, verified: Totals) -> Decimal:
    return verified.units_charged * credits_per_unit(verifier)[VERIFICATION]


def _credits_left(stores: Stores, run: Run, provider: str) -> int | str:
    """The balance as it was last seen."""
    balance = stores.questions(run.clock, provider=provider).last_balance()
    return "–" if balance is None else balance[1]
