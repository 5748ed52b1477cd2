"""How a step makes requests.

Here: the balance, buying what is due, and running requests in a thread. Not here: requests
(`providers/`), and sending many of them (`dispatch/`).
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from enrichment_pipeline.dispatch.connecting import asking_of, connect_provider
from enrichment_pipeline.dispatch.dispatcher import Dispatcher
from enrichment_pipeline.dispatch.progress import DispatchReport, Progress
from enrichment_pipeline.ledger.admission import Candidate
from enrichment_pipeline.ledger.calls import Calls
from enrichment_pipeline.providers.base import Balance
from enrichment_pipeline.settings import Settings
from enrichment_pipeline.spill import lack_of_space, spill
from enrichment_pipeline.steps.context import RunContext
from enrichment_pipeline.terms import share_of

R = TypeVar("R")


def ask_balance(settings: Settings, provider: str) -> Balance:
    """The balance of the account there now. Raises PipelineError where it cannot be asked."""
    asked = connect_provider(settings, provider)

    async def ask() -> Balance:
        try:
            return await asked.balance()
        finally:
            await asked.close()

    return run_in_a_thread(ask)


def buy(
    context: RunContext,
    calls: Calls,
    pages: Iterable[Sequence[Candidate]],
    progress: Progress,
    *,
    batch_size: int,
) -> DispatchReport:
    """Make these calls, page after page, as far as limits, budgets and space on the disk allow.

    An interrupt lets what is on the wire be answered and kept before it takes effect.
    """
    settings = context.settings
    asked = connect_provider(settings, calls.provider)
    dispatcher = Dispatcher(
        context.stores.ledger,
        calls,
        asking_of(settings, calls.kind, asked),
        progress,
        run=share_of(context.run),
        batch_size=batch_size,
        set_aside=partial(spill, settings.spilled_dir),
        purchase_blocker=partial(lack_of_space, settings.home),
    )

    async def dispatch() -> DispatchReport:
        try:
            return await dispatcher.run(pages)
        finally:
            await asked.close()

    return run_in_a_thread(dispatch, dispatcher.stop)


def run_in_a_thread(
    work: Callable[[], Coroutine[None, None, R]], stop: Callable[[], None] = lambda: None
) -> R:
    """Run a coroutine in a thread of its own; an interrupt in this one stops it first.

    The caller's thread may have an event loop already.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="dispatch") as pool:
        future = pool.submit(lambda: asyncio.run(work()))
        try:
            return future.result()
        except BaseException:
            stop()
            raise
