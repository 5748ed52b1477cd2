"""The receiver as a process in the foreground: what it needs of uvicorn, and its metrics.

Here: time limits of a connection, and the port of the metrics. Not here: what is
answered (`app.py`), and the socket (`serving/`). TLS is a reverse proxy's: see
docs/callbacks.md.
"""

import asyncio
import resource
from collections.abc import Callable

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from enrichment_pipeline.callback_urls import CallbackKeys
from enrichment_pipeline.receiver.app import CountAnswers, Inbox, create_app
from enrichment_pipeline.receiver.callback_limits import ReceiverLimits
from enrichment_pipeline.receiver.metrics import ReceiverMetrics
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
    _allow_many_connections()
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

    class Impatient(_ImpatientProtocol):
        head_seconds = limits.head_seconds

    return uvicorn.Config(
        create_app(inbox, keys, count_answers, metrics, limits),
        http=Impatient,
        log_config=None,
        log_level="warning",
        # uvicorn's would show the token
        access_log=False,
        ws="none",
        lifespan="off",
        server_header=False,
        # One callback each. A second request would have no time limit for its head, and what was
        # not read of a refused body must not be taken for one.
        headers=[("connection", "close")],
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )


class _ImpatientProtocol(H11Protocol):
    """uvicorn's protocol, which does not wait for ever for the head of a request."""

    head_seconds: float

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self.loop.call_later(self.head_seconds, self._close_where_nothing_was_asked)

    def _close_where_nothing_was_asked(self) -> None:
        if self.cycle is None and not self.transport.is_closing():
            self.transport.close()


def _allow_many_connections() -> None:
    """As many open files as the system lets us have: slow clients must not keep others out."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
