"""The receiver as a process in the foreground: what it needs of uvicorn, and its metrics.

Here: time limits of a connection, and the port of the metrics. Not here: what is
answered (`app.py`), and the socket (`serving/`). TLS is a reverse proxy's: see
docs/callbacks.md.
"""

from collections.abc import Callable

import uvicorn

from enrichment_pipeline.callback_urls import CallbackKeys
from enrichment_pipeline.receiver.app import CountAnswers, Inbox, create_app
from enrichment_pipeline.receiver.callback_limits import ReceiverLimits
from enrichment_pipeline.receiver.metrics import ReceiverMetrics
from enrichment_pipeline.serving.connections import (
    allow_many_connections,
    protocol_with_head_limit,
)
from enrichment_pipeline.serving.foreground import SHUTDOWN_SECONDS, serve_in_foreground


def serve(
    inbox: Inbox,
    keys: CallbackKeys,
    count_answers: CountAnswers,
    host: str,
    port: int,
    *,
    metrics_port: int | None,
    announce: Callable[[str], None],
    exit_on_stdin_eof: bool = False,
) -> None:
    """Serve until SIGINT or SIGTERM, then finish what was begun; see `serve_in_foreground`.

    Raises OSError if one of the two addresses cannot be had.
    """
    allow_many_connections()
    metrics = ReceiverMetrics()
    stop_metrics = metrics.serve(metrics_port) if metrics_port is not None else lambda: None
    try:
        serve_in_foreground(
            server_config(inbox, keys, count_answers, metrics),
            host,
            port,
            announce=announce,
            exit_on_stdin_eof=exit_on_stdin_eof,
        )
    finally:
        stop_metrics()


def server_config(
    inbox: Inbox,
    keys: CallbackKeys,
    count_answers: CountAnswers,
    metrics: ReceiverMetrics,
    limits: ReceiverLimits | None = None,
) -> uvicorn.Config:
    """The settings of uvicorn, with all that the app needs of its server."""
    limits = limits or ReceiverLimits()
    return uvicorn.Config(
        create_app(inbox, keys, count_answers, metrics, limits),
        http=protocol_with_head_limit(limits.head_seconds),
        log_config=None,
        log_level="warning",
        # uvicorn's would show the token
        access_log=False,
        ws="none",
        lifespan="off",
        server_header=False,
        # One callback each. What was not read of a refused body must not be taken for a request.
        headers=[("connection", "close")],
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )
