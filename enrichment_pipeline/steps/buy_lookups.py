"""The step `buy_lookups`: what stands on the work list is bought. The only one that spends money.

The providers are asked one after the other. Between two of them, what was answered is copied and
judged, addresses are verified, and those who are still open are put on the work list for the next.

Here: what is dispatched and the step's figures. Not here: whether a call may be made (`ledger/`),
sending (`dispatch/`), verifying (`verify_addresses.py`), and who is open
(`warehouse/sql/planning/`).
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from enrichment_pipeline.candidates import candidate_of
from enrichment_pipeline.dispatch.progress import DispatchReport, Progress
from enrichment_pipeline.errors import PipelineError, redact_unexpected_errors
from enrichment_pipeline.lanes import Lane
from enrichment_pipeline.ledger.admission import Candidate
from enrichment_pipeline.ledger.calls import Calls
from enrichment_pipeline.ledger.questions import BalanceGap, Totals
from enrichment_pipeline.steps.context import RunContext, narrowing
from enrichment_pipeline.steps.copy_answers import take_over_answers
from enrichment_pipeline.steps.provider import ask_balance, buy
from enrichment_pipeline.steps.verify_addresses import verify_addresses
from enrichment_pipeline.vocabulary import VERIFICATION
from enrichment_pipeline.warehouse import judging
from enrichment_pipeline.warehouse.connection import transaction
from enrichment_pipeline.warehouse.worklist import select_turn, worklist_pages
from enrichment_pipeline.waterfall import Turn


@dataclass(frozen=True)
class BoughtLookups:
    """How buying ended, what the ledger has of this run, and the providers' balances after it.

    `report`, `by_lane` and `of_run` are of look-ups, `verified` and `verified_by_lane` of
    verifications of addresses. `credits_left` lacks a provider whose balance could not be asked.
    `balance_gap` is the one that the ledger can explain least; None where no balance was seen twice
    yet.
    """

    report: DispatchReport
    verified: DispatchReport
    by_lane: Mapping[tuple[str, str], Totals]
    verified_by_lane: Mapping[tuple[str, str], Totals]
    of_run: Totals
    credits_left: Mapping[str, int]
    balance_gap: BalanceGap | None


@redact_unexpected_errors
def buy_lookups(context: RunContext, lanes: Sequence[Lane], progress: Progress) -> BoughtLookups:
    """Look up what stands in the lanes' work list, at one provider after the other.

    One that cannot be asked to the end (it is down, or its credits are over) is passed over: the
    contacts that it leaves are taken to the next.
    """
    report, verified = DispatchReport(), DispatchReport()
    passed_over: list[str] = []
    verifier = context.settings.verifying_provider
    for turn in context.settings.waterfall:
        if turn != context.settings.waterfall[0]:
            _select_open(context, lanes, turn, passed_over)
        bought = _buy(context, lanes, turn.provider, progress)
        if bought.halted is not None:
            passed_over.append(turn.provider)
        report = report.plus(bought)
        if verifier is not None and verified.halted is None:
            verified = verified.plus(verify_addresses(context, lanes, verifier, progress))
    return _figures(context, report, verified)


def _select_open(
    context: RunContext, lanes: Sequence[Lane], turn: Turn, passed_over: Collection[str]
) -> None:
    """Put the persons that the providers before have left open on the work list."""
    with context.stores.open_warehouse() as connection:
        take_over_answers(connection, context.stores.ledger)
        with transaction(connection):
            judging.derive_facts(connection, context.policy, loaded_at=context.now)
            select_turn(
                *(connection, context.policy, lanes, context.settings.waterfall, turn),
                as_of=context.run.as_of,
                run_id=context.run.run_id,
                passed_over=passed_over,
                narrowing=narrowing(context),
            )


def _buy(
    context: RunContext, lanes: Sequence[Lane], provider: str, progress: Progress
) -> DispatchReport:
    calls = context.stores.calls(context.clock, provider=provider)
    pages = _candidate_pages(context, lanes, provider)
    return buy(context, calls, pages, progress, batch_size=_batch_size(context, calls))


def _batch_size(context: RunContext, calls: Calls) -> int:
    most = [context.settings.limits(calls.provider).items_per_request]
    if not calls.limits.counts_requests:
        most += [rate.units for rate in calls.limits.rates]
    return min(most)


def _candidate_pages(
    context: RunContext, lanes: Sequence[Lane], provider: str
) -> Iterator[list[Candidate]]:
    for page in worklist_pages(context.stores.open_warehouse, lanes, provider):
        yield [candidate_of(item) for item in page]


def _figures(
    context: RunContext, report: DispatchReport, verified: DispatchReport
) -> BoughtLookups:
    """What the ledger has of this run at all providers, and what is left there."""
    run_id, credits_left = context.run.run_id, {}
    by_lane: dict[tuple[str, str], Totals] = {}
    of_run, gaps = Totals(), []
    for provider in context.settings.used_providers:
        left = _observe_balance(context, provider)
        if left is not None:
            credits_left[provider] = left
        questions = context.stores.questions(context.clock, provider=provider)
        for lane, totals in questions.lane_totals(run_id).items():
            by_lane[lane] = by_lane.get(lane, Totals()).plus(totals)
        of_run = of_run.plus(questions.run_totals(run_id))
        gaps.append(questions.balance_gap())
    seen = [gap for gap in gaps if gap is not None]
    worst = max(seen, key=lambda gap: abs(gap.unexplained), default=None)
    verifier = context.settings.verifying_provider
    verified_by_lane: Mapping[tuple[str, str], Totals] = {}
    if verifier is not None:
        questions = context.stores.questions(context.clock, VERIFICATION, provider=verifier)
        verified_by_lane = questions.lane_totals(run_id)
    return BoughtLookups(report, verified, by_lane, verified_by_lane, of_run, credits_left, worst)


def _observe_balance(context: RunContext, provider: str) -> int | None:
    """The balance after buying. What was bought is safe in the ledger, so no failure here."""
    try:
        credits_left = ask_balance(context.settings, provider).credits_left
    except PipelineError:
        return None
    questions = context.stores.questions(context.clock, provider=provider)
    questions.observe_balance(context.run.run_id, credits_left)
    return credits_left
