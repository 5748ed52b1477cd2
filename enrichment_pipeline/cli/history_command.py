"""`enrichment history`: the last runs, what each bought, and how it ended.

Here: Dagster's record of runs beside what the ledger has of each, and showing both. Not here: the
sums (`ledger/questions.py`).
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from enrichment_pipeline.cli.json_output import JsonOption, print_json
from enrichment_pipeline.errors import PipelineError
from enrichment_pipeline.lanes import FRESHNESS, PRIORITIES, LaneBlock
from enrichment_pipeline.settings import Settings, load_settings
from enrichment_pipeline.state import check_stamp, is_used, live_runs
from enrichment_pipeline.vocabulary import LOOKUP

if TYPE_CHECKING:  # importing them at run time would have every command import Dagster
    from dagster import DagsterInstance, RunRecord

    from enrichment_pipeline.ledger.questions import RunCalls

JOBS = ("daily_refresh", "late_answers")
ENDS = {
    "SUCCESS": "done",
    "FAILURE": "failed",
    "CANCELED": "cancelled",
    "CANCELING": "being cancelled",
    "QUEUED": "waiting",
    "NOT_STARTED": "waiting",
    "STARTING": "starting",
}
"""How a run ended, by Dagster's word for it; one that has started is told by its process."""

_out = Console(highlight=False, soft_wrap=True)


@dataclass(frozen=True)
class PastRun:
    """A run: when, in which lanes, what it looked up, and how it ended.

    `narrowed` says by which options it was; `why` why it failed or bought no further. Amounts are
    over all providers: `credits` of look-ups, `cost` of everything, in the unit of the budget.
    """

    run_id: str
    job: str
    started_at: datetime | None
    ended_at: datetime | None
    lanes: str
    narrowed: str
    lookups: int
    matched: int
    unconfirmed: int
    credits: int
    cost: Decimal
    end: str
    why: str | None


def history_command(
    last: Annotated[int, typer.Option(min=1, max=1000, help="So many runs.")] = 10,
    as_json: JsonOption = False,
) -> None:
    """Show the last runs: when, in which lanes, what each bought and cost, and how it ended."""
    settings = load_settings(needs_key=False)
    check_stamp(settings, is_first_use=False)
    runs = past_runs(settings, last) if is_used(settings) else []
    if as_json:
        print_json({"runs": [asdict(run) for run in runs]})
    else:
        _print(runs, settings)


def past_runs(settings: Settings, last: int) -> list[PastRun]:
    """The last runs in Dagster's record, the latest first."""
    if not (settings.dagster_home / "dagster.yaml").is_file():
        return []
    from sqlalchemy.exc import DatabaseError

    from enrichment_pipeline.cli.dagster_home import refuse_damage
    from enrichment_pipeline.cli.dagster_instance import open_instance
    from enrichment_pipeline.ledger.questions import calls_of_runs
    from enrichment_pipeline.stores import Stores, refuse_missing_ledger

    refuse_missing_ledger(settings)
    try:
        with open_instance(settings.dagster_home) as instance:
            records = _last_records(instance, last)
            whys = {each.dagster_run.run_id: _why(instance, each) for each in records}
    except (DatabaseError, OSError) as error:
        refuse_damage(settings.dagster_home)
        raise PipelineError(
            f"{settings.dagster_home}: Dagster's record of runs cannot be read "
            f"({type(error).__name__}); it has to be writable for that"
        ) from None
    bought: defaultdict[str, list[RunCalls]] = defaultdict(list)
    for each in calls_of_runs(Stores(settings).ledger, list(whys)):
        bought[each.run_id].append(each)
    live = set(live_runs(settings.home))
    return [_past_run(each, bought, live, whys) for each in records]


def _last_records(instance: "DagsterInstance", last: int) -> "list[RunRecord]":
    from dagster import RunsFilter

    records = [
        record
        for job in JOBS
        for record in instance.get_run_records(RunsFilter(job_name=job), limit=last)
    ]
    return sorted(records, key=lambda each: each.create_timestamp, reverse=True)[:last]


def _past_run(
    record: "RunRecord",
    bought: "Mapping[str, Sequence[RunCalls]]",
    live: set[str],
    whys: Mapping[str, str | None],
) -> PastRun:
    run = record.dagster_run
    calls = bought.get(run.run_id, ())
    lookups = [each.totals for each in calls if each.kind == LOOKUP]
    end = ENDS.get(run.status.value)
    return PastRun(
        run_id=run.run_id,
        job=run.job_name,
        started_at=_instant(record.start_time),
        ended_at=_instant(record.end_time),
        lanes=_lanes(run.tags),
        narrowed=" ".join(_options(run.tags)),
        lookups=sum(each.calls - each.released for each in lookups),
        matched=sum(each.matched for each in lookups),
        unconfirmed=sum(each.unconfirmed for each in lookups),
        credits=sum(each.units_charged for each in lookups),
        cost=sum((each.cost for each in calls), Decimal(0)),
        end=end or ("running" if run.run_id in live else "killed"),
        why=whys[run.run_id],
    )


def _why(instance: "DagsterInstance", record: "RunRecord") -> str | None:
    """Why it failed, where an error of ours says so; else what of the provider's ended its buying.

    Any other error's text stays in Dagster's record: it may hold anything.
    """
    from dagster import DagsterEventType

    kinds = {DagsterEventType.STEP_FAILURE, DagsterEventType.ASSET_OBSERVATION}
    halted = None
    for entry in instance.all_logs(record.dagster_run.run_id, of_type=kinds):
        event = entry.dagster_event
        if event is not None and event.is_step_failure:
            error = event.step_failure_data.error
            while error is not None:
                kind, _, message = error.message.strip().partition(": ")
                if kind.startswith("enrichment_pipeline."):
                    return message
                error = error.cause
        elif event is not None and event.asset_observation_data is not None:
            told = event.asset_observation_data.asset_observation.metadata.get("halted")
            halted = halted if told is None else str(told.value)
    return halted


def _lanes(tags: Mapping[str, str]) -> str:
    """The lanes of a run, as its tags have them: `all`, or `new|strategic to retry|target`."""
    first = tags.get("dagster/asset_partition_range_start")
    last = tags.get("dagster/asset_partition_range_end")
    everything = LaneBlock(FRESHNESS, PRIORITIES)
    if first is None or last is None:
        return tags.get("dagster/partition", "–")
    if (first, last) == (everything.first_key, everything.last_key):
        return "all"
    return first if first == last else f"{first} to {last}"


def _options(tags: Mapping[str, str]) -> Iterator[str]:
    """By which options it was narrowed down, as they are written."""
    from enrichment_pipeline.run import Run

    run = Run.from_tags("", tags, datetime.now(UTC))
    if run.max_lookups is not None:
        yield f"--limit {run.max_lookups}"
    if run.contacts is not None:
        yield f"--contact ({len(run.contacts)})"
    if run.max_credits is not None:
        yield f"--max-credits {run.max_credits}"
    if run.is_simulated:
        yield f"--simulate --as-of {run.as_of:%Y-%m-%d}"


def _print(runs: Sequence[PastRun], settings: Settings) -> None:
    from enrichment_pipeline.cli.terminal import duration, table

    if not runs:
        _out.print(f"{settings.home}: no run yet; `enrichment run` makes a start", markup=False)
        return
    rows = [
        (
            "–" if run.started_at is None else f"{run.started_at:%Y-%m-%d %H:%M}",
            "late answers" if run.job == "late_answers" else run.lanes,
            run.end,
            _seconds(run, duration),
            *(run.lookups, run.matched, run.credits, run.cost),
            run.run_id[:8],
        )
        for run in runs
    ]
    columns = (
        "when (UTC)",
        "lanes",
        "end",
        "took",
        "look-ups",
        "matched",
        "credits",
        "cost",
        "run",
    )
    _out.print(table("The last runs", columns, rows, texts=4))
    for run in runs:
        if told := "; ".join(filter(None, (run.narrowed, run.why))):
            _out.print(f"{run.run_id}: {told}", markup=False)


def _seconds(run: PastRun, duration: Any) -> str:  # noqa: ANN401 - a function of `terminal.py`
    if run.started_at is None or run.ended_at is None:
        return "–"
    return duration((run.ended_at - run.started_at).total_seconds())


def _instant(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
