"""The command `enrichment receiver`: takes a provider's callbacks, in the foreground.

Here: the options, and what is printed. Not here: what it takes and keeps (`receiver/`).
"""

import logging
import sys
from typing import Annotated

import typer
from rich.console import Console

from enrichment_pipeline.errors import ConfigurationError
from enrichment_pipeline.settings import load_settings

_out = Console(highlight=False, soft_wrap=True)


def receiver(
    host: Annotated[str, typer.Option(help="Where it listens.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8085,
    metrics_port: Annotated[
        int, typer.Option(min=0, max=65535, help="Loopback port of /metrics; 0: no metrics.")
    ] = 8087,
    until_stdin_closes: Annotated[bool, typer.Option(hidden=True)] = False,
) -> None:
    """Take the provider's callbacks, and keep each in the ledger before it is acknowledged."""
    from enrichment_pipeline.clock import Clock
    from enrichment_pipeline.ledger.store import open_store
    from enrichment_pipeline.providers.registry import PROVIDERS
    from enrichment_pipeline.receiver.inbox import LedgerInbox
    from enrichment_pipeline.receiver.server import serve
    from enrichment_pipeline.state import check_stamp, ensure_state_folder
    from enrichment_pipeline.terms import calls_of
    from enrichment_pipeline.vocabulary import LOOKUP

    settings = load_settings(needs_key=False)
    if settings.callback_keys is None:
        raise ConfigurationError(
            "ENRICHMENT_CALLBACK_SECRET: not set; the receiver lets in only what was signed with it"
        )
    ensure_state_folder(settings)
    check_stamp(settings, is_first_use=False)
    store = open_store(settings.ledger_url.get_secret_value())
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.WARNING if until_stdin_closes else logging.INFO,
        format="%(asctime)s %(levelname)s %(message)s",
    )

    def announce(url: str) -> None:
        if until_stdin_closes:
            print(url, flush=True)  # noqa: T201 - read by our parent process
            return
        metrics = f"; metrics at http://127.0.0.1:{metrics_port}/metrics" if metrics_port else ""
        _out.print(
            f"receiver at {url}, to be reached from outside as ENRICHMENT_CALLBACK_URL"
            f"{metrics}; Ctrl+C ends it"
        )

    try:
        serve(
            LedgerInbox(store, calls_of(settings, settings.called_back_provider, LOOKUP, Clock())),
            settings.callback_keys,
            PROVIDERS[settings.called_back_provider].count_answers,
            host,
            port,
            metrics_port=metrics_port or None,
            announce=announce,
            exit_on_stdin_eof=until_stdin_closes,
        )
    except OSError as error:
        raise ConfigurationError(
            f"receiver: {error.strerror or error}; choose another --port or --metrics-port"
        ) from None
    finally:
        store.checkpoint()
