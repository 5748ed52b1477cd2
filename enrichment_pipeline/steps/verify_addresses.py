"""Between two providers of `buy_lookups`: addresses that no provider verifies are verified.

Here: which are dispatched, and until when. Not here: which are due and what their check changes
(`warehouse/sql/verification/`), and sending (`dispatch/`).
"""

from collections.abc import Sequence

from enrichment_pipeline.candidates import verification_candidate_of
from enrichment_pipeline.dispatch.progress import DispatchReport, Progress
from enrichment_pipeline.lanes import Lane
from enrichment_pipeline.ledger.admission import Candidate
from enrichment_pipeline.ledger.calls import Calls
from enrichment_pipeline.steps.context import RunContext, calls_left
from enrichment_pipeline.steps.copy_answers import take_over_answers
from enrichment_pipeline.steps.provider import buy
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
    calls = context.stores.calls(context.clock, VERIFICATION, provider=verifier)
    report = DispatchReport()
    while report.halted is None and (due := _due(context, lanes, calls)):
        told = buy(context, calls, [due], progress, batch_size=1)
        report = report.plus(told)
        if not told.answered:
            break
    return report


def _due(context: RunContext, lanes: Sequence[Lane], calls: Calls) -> list[Candidate]:
    """What is due now, by all that was answered so far."""
    left = calls_left(context, VERIFICATION, [calls.provider])
    at_once = AT_ONCE if left is None else min(AT_ONCE, left)
    with context.stores.open_warehouse() as connection:
        take_over_answers(connection, context.stores.ledger)
        with transaction(connection):
            judging.derive_facts(connection, context.policy, loaded_at=context.now)
            judging.find_addresses_to_verify(
                connection, context.policy, context.settings.waterfall, context.run.as_of
            )
        return [
            verification_candidate_of(each)
            for each in due_verifications(connection, lanes, at_once, contacts=context.run.contacts)
        ]
