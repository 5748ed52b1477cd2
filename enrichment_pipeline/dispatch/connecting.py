"""A provider as the settings name it, and what each kind of call asks of it.

Here: for all who make calls, runs and the entry. Not here: requests (`providers/`), and sending
many of them (`dispatcher.py`).
"""

from functools import partial

from enrichment_pipeline.dispatch.asking import (
    AskChanges,
    Asking,
    AskLookups,
    AskSearches,
    AskVerifications,
)
from enrichment_pipeline.errors import ConfigurationError
from enrichment_pipeline.providers.base import ChangeFeed, EmailVerifier, ProfileSearch, Provider
from enrichment_pipeline.providers.registry import PROVIDERS
from enrichment_pipeline.settings import Settings, base_url_variable
from enrichment_pipeline.vocabulary import CHANGES, SEARCH, VERIFICATION


def connect_provider(settings: Settings, provider: str) -> Provider:
    """A provider by its name. Raises ConfigurationError where it has no address."""
    account = settings.account(provider)
    if account is None or account.base_url is None:
        raise ConfigurationError(
            f"no stand-in for {PROVIDERS[provider].title} is running; start the pipeline with "
            "`enrichment run` or `enrichment ui`, which bring one, or set "
            f"{base_url_variable(provider)}"
        )
    facts, table = PROVIDERS[provider], settings.limits(provider)
    options = {name: getattr(table, name) for name in facts.options}
    return facts.connect(account.base_url, account.api_key.get_secret_value(), **options)


def is_reachable(settings: Settings, provider: str) -> bool:
    """Whether a provider could be asked: there is an address, and a key."""
    account = settings.account(provider)
    return account is not None and account.base_url is not None and len(account.api_key) > 0


def asking_of(settings: Settings, kind: str, provider: Provider) -> Asking:
    """What a kind of call asks of the provider, under these settings."""
    if isinstance(provider, ProfileSearch) and kind == SEARCH:
        search = settings.policy.search
        return AskSearches(provider, pages=search.pages, page_size=search.page_size)
    if isinstance(provider, EmailVerifier) and kind == VERIFICATION:
        return AskVerifications(provider)
    if isinstance(provider, ChangeFeed) and kind == CHANGES:
        return AskChanges(provider, PROVIDERS[provider.name].calls[CHANGES].max_batch)
    callbacks = settings.callbacks
    return AskLookups(
        provider, None if callbacks is None else partial(callbacks.url, provider.name)
    )
