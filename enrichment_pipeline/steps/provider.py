"""How a step makes requests.

Here: the balance, and running requests in a thread. Not here: requests (`providers/`), and sending
many of them (`dispatch/`).
"""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from enrichment_pipeline.dispatch.connecting import connect_provider
from enrichment_pipeline.providers.base import Balance
from enrichment_pipeline.settings import Settings

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
