"""The step `buy_lookups`: what stands on the work list is bought. The only one that spends money.

Here: what is dispatched and the step's figures. Not here: whether a call may be made (`ledger/`),
and sending (`dispatch/`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from enrichment_pipeline.candidates import candidate_of
from enrichment_pipeline.dispatch.connecting import asking_of, connect_provider
from enrichment_pipeline.dispatch.dispatcher import Dispatcher
from enrichment_pipeline.dispatch.progress import DispatchReport, Progress
from enrichment_pipeline.errors import PipelineError, redact_unexpected_errors
from enrichment_pipeline.lanes import Lane
from enrichment_pipeline.ledger.admission import Candidate
from enrichment_pipeline.ledger.questions import BalanceGap, Totals
from enrichment_pipeline.settings import Settings
from enrichment_pipeline.spill import lack_of_space, spill
from enrichment_pipeline.steps.context import RunContext
from enrichment_pipeline.steps.provider import ask_balance, run_in_a_thread
from enrichment_pipeline.terms import share_of
from enrichment_pipeline.vocabulary import LOOKUP
from enrichment_pipeline.warehouse.worklist import worklist_pages


@dataclass(frozen=True)
class BoughtLookups:
    """How buying ended, what the ledger has of this run, and the provider's balance after it.

    `credits_left` is None where the balance could not be asked, `balance_gap` where it was not
    seen twice yet.
    """

    report: DispatchReport
    by_lane: Mapping[tuple[str, str], Totals]
    of_run: Totals
    credits_left: int | None
    balance_gap: BalanceGap | None


@redact_unexpected_errors
def buy_lookups(context: RunContext, lanes: Sequence[Lane], progress: Progress) -> BoughtLookups:
    """Look up what stands in the lanes' work list.

    Requests run in a thread of their own: an interrupt in this one lets
    what is on the wire be answered and kept before it takes effect.
    """
    settings = context.settings
    provider = connect_provider(settings, settings.asked_provider)
    dispatcher = Dispatcher(
        context.stores.ledger,
        context.stores.calls(context.clock),
        asking_of(settings, LOOKUP, provider),
        progress,
        run=share_of(context.run),
        batch_size=_batch_size(settings),
        set_aside=partial(spill, settings.spilled_dir),
        purchase_blocker=partial(lack_of_space, settings.home),
    )

    async def dispatch() -> DispatchReport:
        try:
            return await dispatcher.run(_candidate_pages(context, lanes))
        finally:
            await provider.close()

    report = run_in_a_thread(dispatch, dispatcher.stop)
    credits_left = _observe_balance(context)
    questions = context.stores.questions(context.clock)
    return BoughtLookups(
        report=report,
        by_lane=questions.lane_totals(context.run.run_id),
        of_run=questions.run_totals(context.run.run_id),
        credits_left=credits_left,
        balance_gap=questions.balance_gap(),
    )


def _batch_size(settings: Settings) -> int:
    limits = settings.limits(settings.asked_provider)
    return min(limits.items_per_request, *(rate.units for rate in limits.every_rate))


def _observe_balance(context: RunContext) -> int | None:
    """The balance after buying. What was bought is safe in the ledger, so no failure here."""
    try:
        credits_left = ask_balance(context.settings, context.settings.asked_provider).credits_left
    except PipelineError:
        return None
    context.stores.questions(context.clock).observe_balance(context.run.run_id, credits_left)
    return credits_left


def _candidate_pages(context: RunContext, lanes: Sequence[Lane]) -> Iterator[list[Candidate]]:
    for page in worklist_pages(context.stores.open_warehouse, lanes):
        yield [candidate_of(item) for item in page]
