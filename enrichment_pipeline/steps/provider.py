"""How a step reaches the provider.

Here: connecting, what a kind of call asks, and running requests in a thread. Not here: requests
(`providers/`), and sending many of them (`dispatch/`).
"""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from enrichment_pipeline.dispatch.asking import Asking, AskLookups, AskSearches
from enrichment_pipeline.errors import ConfigurationError
from enrichment_pipeline.providers.base import Balance, ProfileSearch, Provider
from enrichment_pipeline.providers.registry import PROVIDERS
from enrichment_pipeline.settings import Settings
from enrichment_pipeline.vocabulary import SEARCH

R = TypeVar("R")


def connect_provider(settings: Settings) -> Provider:
    """The provider that the settings name. Raises ConfigurationError where it has no address."""
    if settings.base_url is None:
        raise ConfigurationError(
            "no sandbox is running; start the pipeline with `enrichment run` or "
            f"`enrichment ui`, which bring one, or set {settings.base_url_variable}"
        )
    return PROVIDERS[settings.asked_provider].connect(
        settings.base_url, settings.api_key.get_secret_value()
    )


def asking_of(settings: Settings, kind: str, provider: Provider) -> Asking:
    """What a kind of call asks of the provider, under these settings."""
    if isinstance(provider, ProfileSearch) and kind == SEARCH:
        search = settings.policy.search
        return AskSearches(provider, pages=search.pages, page_size=search.page_size)
    callbacks = settings.callbacks
    return AskLookups(
        provider, None if callbacks is None else partial(callbacks.url, provider.name)
    )


def ask_balance(settings: Settings) -> Balance:
    """The account's balance now. Raises PipelineError where it cannot be asked."""
    provider = connect_provider(settings)

    async def ask() -> Balance:
        try:
            return await provider.balance()
        finally:
            await provider.close()

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
