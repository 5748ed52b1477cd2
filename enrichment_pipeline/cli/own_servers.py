"""The servers that a command brings along: stand-ins for providers, and a receiver of callbacks.

Here: starting them, and settings that lead to them. Not here: what they do (`sandbox/`,
`receiver/`), and how a process is started and ended (`serving/child.py`).
"""

import os
import secrets
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from pydantic import SecretStr
from rich.console import Console

from enrichment_pipeline.callback_urls import CallbackKeys
from enrichment_pipeline.errors import ConfigurationError, PipelineError
from enrichment_pipeline.providers.base import CallFacts
from enrichment_pipeline.providers.registry import FIRST, PROVIDERS
from enrichment_pipeline.settings import Settings, base_url_variable
from enrichment_pipeline.vocabulary import LOOKUP, SEARCH


def start_stand_ins(settings: Settings, servers: ExitStack, console: Console) -> Settings:
    """A stand-in for each provider that is asked and that no URL names; the settings with all URLs.

    Raises ConfigurationError for a provider that none stands in for.
    """
    missing = settings.stand_ins_to_start
    settings = settings.with_own_sandbox_limits()
    commands = {name: _command(settings, name) for name in missing}
    for name, (command, options) in commands.items():
        base_url = _start(command, options, servers)
        console.print(
            f"sandbox provider at {base_url}, {rates_of(settings, name)} "
            f"({_documented_rates(name)})"
        )
        settings = settings.with_base_url(name, base_url)
    return settings


def start_receiver(settings: Settings, servers: ExitStack, console: Console) -> Settings:
    """A receiver of callbacks on loopback, for trials; the settings that have them posted there."""
    if settings.provider != "sandbox" or settings.callback_url is not None:
        raise ConfigurationError(
            "--callbacks: is for trials against the sandbox; otherwise set ENRICHMENT_CALLBACK_URL "
            "to where the provider reaches `enrichment receiver`"
        )
    secret = secrets.token_urlsafe(32)
    environment = os.environ | {
        "ENRICHMENT_HOME": str(settings.home),
        "ENRICHMENT_CALLBACK_SECRET": secret,
    }
    url = _start("receiver", ["--metrics-port", "0"], servers, environment)
    console.print(f"receiver of callbacks at {url}")
    return settings.with_callbacks(url, CallbackKeys((SecretStr(secret),)))


def journal_of(settings: Settings, provider: str) -> Path:
    """Where a stand-in of our own notes what it charged, so that its balance survives a restart."""
    whose = "" if provider == FIRST else f"_{provider}"
    return settings.home / f"sandbox_journal{whose}.jsonl"


def _command(settings: Settings, provider: str) -> tuple[str, list[str]]:
    """How the stand-in is started: it allows what the settings ask of the provider."""
    from enrichment_pipeline.sandbox.stand_ins import STAND_INS, UNNAMED

    stand_in = STAND_INS.get(provider)
    if stand_in is None:
        raise ConfigurationError(
            f"{base_url_variable(provider)}: not set, and there is no stand-in for "
            f"{PROVIDERS[provider].title} here: name the URL of one, or leave it out of "
            "[waterfall] order"
        )
    limits = settings.limits(provider)
    rates = [(rate.units, rate.seconds) for rate in limits.every_rate]
    options = [
        *stand_in.rate_options(rates),
        *("--journal", str(journal_of(settings, provider))),
    ]
    if SEARCH in PROVIDERS[provider].calls:
        options += ["--searches-per-day", str(limits.searches_per_day)]
    return "sandbox" if provider == UNNAMED else f"sandbox {provider}", options


def rates_of(settings: Settings, provider: str) -> str:
    """How fast a provider is asked, for people to read."""
    unit = "requests" if _main_call(provider).counts_requests else "items"
    rates = settings.limits(provider).every_rate
    return " and ".join(f"{rate.units} {unit} per {rate.seconds:g} s" for rate in rates)


def _documented_rates(provider: str) -> str:
    rates = (f"{units} per {seconds:g} s" for units, seconds in _main_call(provider).rates)
    return f"{PROVIDERS[provider].title} allows {' and '.join(rates)}"


def _main_call(provider: str) -> CallFacts:
    """What a provider tells of its look-ups; of its first kind of call where it has none."""
    calls = PROVIDERS[provider].calls
    return calls.get(LOOKUP) or next(iter(calls.values()))


def _start(
    command: str,
    options: list[str],
    servers: ExitStack,
    environment: Mapping[str, str] | None = None,
) -> str:
    from enrichment_pipeline.serving.child import ChildServerError, child_server

    try:
        return servers.enter_context(child_server(command, options, environment))
    except ChildServerError as error:
        raise PipelineError(f"the {command} did not start: {error}") from None
