"""`enrichment serve`: the point of entry in the foreground.

Here: what must be configured, what is printed, and putting the parts together: the desk, the app,
and with a callback URL the receiver's route. Not here: arguments (`main.py`), and what is taken and
answered (`entry/`).
"""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from rich.console import Console
from starlette.routing import BaseRoute

from enrichment_pipeline.clock import Clock
from enrichment_pipeline.entry.addresses import refusal
from enrichment_pipeline.entry.callers import Callers
from enrichment_pipeline.entry.contact_routes import create_app
from enrichment_pipeline.entry.demo import PATH, demo_route
from enrichment_pipeline.entry.entry_metrics import EntryMetrics
from enrichment_pipeline.entry.entry_server import serve
from enrichment_pipeline.entry.service import open_desk
from enrichment_pipeline.errors import ConfigurationError
from enrichment_pipeline.ledger.store import open_store
from enrichment_pipeline.providers.registry import PROVIDERS
from enrichment_pipeline.receiver.app import callback_route
from enrichment_pipeline.receiver.inbox import LedgerInbox
from enrichment_pipeline.receiver.metrics import ReceiverMetrics
from enrichment_pipeline.settings import Settings
from enrichment_pipeline.terms import calls_of
from enrichment_pipeline.vocabulary import LOOKUP


def serve_entry(
    settings: Settings,
    host: str,
    port: int,
    *,
    metrics_port: int,
    with_demo: bool,
    console: Console,
    until_stdin_closes: bool,
) -> None:
    """Take contacts until a signal to stop. Raises ConfigurationError for a port in use."""
    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    if not until_stdin_closes:
        # ours alone: httpx would name the URLs that it asks, and what is asked for in them
        logging.getLogger("enrichment_pipeline").setLevel(logging.INFO)

    def announce(url: str) -> None:
        if until_stdin_closes:
            print(url, flush=True)  # noqa: T201 - read by our parent process
            return
        also = " and callbacks" if settings.callbacks else ""
        metrics = f"; metrics at http://127.0.0.1:{metrics_port}/metrics" if metrics_port else ""
        console.print(
            f"taking contacts{also} at {url}, documented at {url}/docs{metrics}; Ctrl+C ends it",
            markup=False,
        )
        if with_demo:
            token = settings.api_tokens[0].get_secret_value()
            console.print(f"a form to try it with: {url}{PATH}#{token}", markup=False)

    policy = settings.policy.entry
    metrics = EntryMetrics()
    callers = Callers(
        settings.api_tokens,
        per_second=policy.requests_per_second,
        at_once=policy.requests_at_once,
    )
    with _receiver_routes(settings, metrics) as routes:
        serve(
            partial(open_desk, settings, metrics),
            lambda desk: create_app(
                desk,
                callers,
                metrics,
                refuse_url=partial(refusal, settings=settings),
                more_routes=[*routes, *([demo_route()] if with_demo else [])],
            ),
            metrics,
            host,
            port,
            metrics_port=metrics_port or None,
            announce=announce,
            exit_on_stdin_eof=until_stdin_closes,
        )


def check_served(settings: Settings) -> None:
    """Raise ConfigurationError where a setting is missing that serving needs."""
    if not settings.api_tokens:
        raise ConfigurationError(
            "ENRICHMENT_API_TOKENS: not set; `enrichment serve` lets in only those who bear one of "
            "them, such as `openssl rand -hex 32` gives"
        )
    if settings.policy.entry.notify_hosts and settings.webhook_secret is None:
        raise ConfigurationError(
            "ENRICHMENT_WEBHOOK_SECRET: not set; notifications to [entry] notify_hosts are signed "
            'with it. echo "whsec_$(openssl rand -base64 32)" gives one'
        )


@contextmanager
def _receiver_routes(settings: Settings, metrics: EntryMetrics) -> Iterator[list[BaseRoute]]:
    """The route of the callbacks where they are asked for, which keeps its own checks."""
    callbacks = settings.callbacks
    if callbacks is None:
        yield []
        return
    store = open_store(settings.ledger_url.get_secret_value())
    try:
        yield [
            callback_route(
                LedgerInbox(
                    store, calls_of(settings, settings.called_back_provider, LOOKUP, Clock())
                ),
                callbacks.keys,
                PROVIDERS[settings.called_back_provider].count_answers,
                ReceiverMetrics(metrics.registry),
            )
        ]
    finally:
        store.checkpoint()
