"""The step `ask_changes`: which profiles have changed, at providers that tell for nothing.

An answer whose profile has not changed is as new; whose profile has, is due; and who has opted out
is asked about no more. So it comes before `select_work`.

Here: in which order providers and releases are asked about, and the step's figures. Not here: which
profiles, and what follows (`warehouse/profile_changes.py`), and sending (`dispatch/`).
"""

from collections.abc import Iterator, Sequence
from itertools import groupby

from enrichment_pipeline.candidates import change_candidate_of
from enrichment_pipeline.dispatch.progress import DispatchReport, NoProgress, Progress
from enrichment_pipeline.errors import redact_unexpected_errors
from enrichment_pipeline.ledger.admission import Candidate
from enrichment_pipeline.ledger.calls import Calls
from enrichment_pipeline.providers.base import NO_SUCH_RELEASE
from enrichment_pipeline.providers.registry import PROVIDERS
from enrichment_pipeline.steps.context import RunContext
from enrichment_pipeline.steps.copy_answers import take_over_changes, take_over_lookups
from enrichment_pipeline.steps.provider import buy
from enrichment_pipeline.vocabulary import CHANGES
from enrichment_pipeline.warehouse.profile_changes import due_changes, missing_releases

AT_ONCE = 10_000
"""As many are offered at a time."""


@redact_unexpected_errors
def ask_changes(context: RunContext, progress: Progress) -> DispatchReport | None:
    """Ask about every release that is out; what came of it. None where nobody is asked.

    Why a provider does not tell is said; that a release is still to come is no news.
    """
    if not context.settings.change_feeds:
        return None
    report = DispatchReport()
    for provider in context.settings.change_feeds:
        calls = context.stores.calls(context.clock, CHANGES, provider=provider)
        report = report.plus(_ask_all(context, calls, progress))
    return report


def _ask_all(context: RunContext, calls: Calls, progress: Progress) -> DispatchReport:
    """Release after release: who is at the last one that there is has no more to be asked."""
    report = DispatchReport()
    while by_release := _due(context, calls.provider):
        told = DispatchReport()
        for candidates in by_release:
            of_release = buy(
                *(context, calls, _pages(candidates), NoProgress()),
                batch_size=PROVIDERS[calls.provider].calls[CHANGES].max_batch,
            )
            halted = of_release.halted
            if halted is not None and halted.reason != NO_SUCH_RELEASE:
                progress.say(halted.message)
            told = told.plus(of_release)
        report = report.plus(told)
        if not told.answered:
            break
    return report


def _pages(candidates: Sequence[Candidate]) -> Iterator[Sequence[Candidate]]:
    """One alone at first: it may show that the release is not there, and the others wait."""
    yield candidates[:1]
    for start in range(1, len(candidates), AT_ONCE):
        yield candidates[start : start + AT_ONCE]


def _due(context: RunContext, provider: str) -> list[list[Candidate]]:
    """The questions that are due, as far as is known by now, those of one release together."""
    next_release = PROVIDERS[provider].next_release
    with context.stores.open_warehouse() as connection:
        take_over_lookups(connection, context.stores.ledger)
        take_over_changes(connection, context.stores.ledger)
        missing = missing_releases(connection, provider, NO_SUCH_RELEASE, context.run.as_of)
        due = due_changes(connection, provider)
    by_release = []
    for known, profiles in groupby(due, lambda each: each.known_release):
        release = next_release(known)
        if release is not None and release not in missing:
            by_release.append([change_candidate_of(each, release) for each in profiles])
    return by_release
