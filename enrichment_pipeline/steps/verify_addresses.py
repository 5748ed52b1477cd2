"""Between two providers of `buy_lookups`: addresses that no provider verifies are verified.

Here: which are dispatched, and until when. Not here: which are due and what their check changes
(`warehouse/sql/verification/`), and sending (`dispatch/`).
"""

from collections.abc import Sequence
from functools import partial

from enrichment_pipeline.candidates import verification_candidate_of
from enrichment_pipeline.dispatch.connecting import asking_of, connect_provider
from enrichment_pipeline.dispatch.dispatcher import Dispatcher
from enrichment_pipeline.dispatch.progress import DispatchReport, Progress
from enrichment_pipeline.lanes import Lane
from enrichment_pipeline.ledger.admission import Candidate
from enrichment_pipeline.spill import lack_of_space, spill
from enrichment_pipeline.steps.context import RunContext
from enrichment_pipeline.steps.copy_answers import take_over_answers, take_over_verifications
from enrichment_pipeline.steps.provider import run_in_a_thread
from enrichment_pipeline.terms import share_of
from enrichment_pipeline.vocabulary import VERIFICATION
from enrichment_pipeline.warehouse import judging
from enrichment_pipeline.warehouse.connection import transaction
from enrichment_pipeline.warehouse.verifications import due_verifications

AT_ONCE = 10_000
"""As many are read from the warehouse at a time."""


def verify_addresses(
    context: RunContext, lanes: Sequence[Lane], verifier: str, progress: Progress
) -> DispatchReport:
    """Verify what is due in these lanes, one address of each contact after the other.

    Where one does not hold, the contact's next one is due. It ends where nothing is, or where
    nothing more is told: the verifier is down, or the budget is used up.
    """
    report = DispatchReport()
    while report.halted is None:
        due = _due(context, lanes)
        if not due:
            break
        told = _verify(context, verifier, due, progress)
        report = report.plus(told)
        _take_over(context)
        if not told.answered:
            break
    return report


def _due(context: RunContext, lanes: Sequence[Lane]) -> list[Candidate]:
    with context.stores.open_warehouse() as connection:
        take_over_answers(connection, context.stores.ledger)
        with transaction(connection):
            judging.derive_facts(connection, context.policy, loaded_at=context.now)
            judging.find_addresses_to_verify(
                connection, context.policy, context.settings.waterfall, context.run.as_of
            )
        return [
            verification_candidate_of(each)
            for each in due_verifications(connection, lanes, AT_ONCE)
        ]


def _take_over(context: RunContext) -> None:
    with context.stores.open_warehouse() as connection:
        take_over_verifications(connection, context.stores.ledger)


def _verify(
    context: RunContext, verifier: str, due: Sequence[Candidate], progress: Progress
) -> DispatchReport:
    asked = connect_provider(context.settings, verifier)
    dispatcher = Dispatcher(
        context.stores.ledger,
        context.stores.calls(context.clock, VERIFICATION, provider=verifier),
        asking_of(context.settings, VERIFICATION, asked),
        progress,
        run=share_of(context.run),
        batch_size=1,
        set_aside=partial(spill, context.settings.spilled_dir),
        purchase_blocker=partial(lack_of_space, context.settings.home),
    )

    async def dispatch() -> DispatchReport:
        try:
            return await dispatcher.run([due])
        finally:
            await asked.close()

    return run_in_a_thread(dispatch, dispatcher.stop)
