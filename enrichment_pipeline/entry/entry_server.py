"""The point of entry as a process in the foreground: its desk, its metrics, and uvicorn.

Here: time limits of a connection, the port of the metrics, and opening the desk in the event loop
that serves. Not here: what is answered (`contact_routes.py`), and the socket (`serving/`). TLS is a
reverse proxy's.
"""

import asyncio
import gc
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, ExitStack

import uvicorn
from fastapi import FastAPI

from enrichment_pipeline.entry.desk import Desk
from enrichment_pipeline.entry.entry_metrics import EntryMetrics
from enrichment_pipeline.entry.request_limits import EntryLimits
from enrichment_pipeline.errors import ConfigurationError
from enrichment_pipeline.serving.connections import (
    allow_many_connections,
    protocol_with_head_limit,
)
from enrichment_pipeline.serving.foreground import listen, serve_on

OpenDesk = Callable[[], AbstractAsyncContextManager[Desk]]


def serve(
    open_desk: OpenDesk,
    create_app: Callable[[Desk], FastAPI],
    metrics: EntryMetrics,
    host: str,
    port: int,
    *,
    metrics_port: int | None,
    announce: Callable[[str], None],
    exit_on_stdin_eof: bool = False,
) -> None:
    """Serve until SIGINT or SIGTERM, then finish what was begun; see `serve_in_foreground`.

    Raises ConfigurationError if one of the two addresses cannot be had, and what opening the desk
    raises.
    """

    async def serve_over_desk() -> None:
        async with open_desk() as desk:
            config = server_config(create_app(desk))
            # else each full collection looks through all that was imported, for a tenth of a
            # second in which nothing is answered
            gc.collect()
            gc.freeze()
            await serve_on(
                listener,
                config,
                announce=announce,
                exit_on_stdin_eof=exit_on_stdin_eof,
            )

    allow_many_connections()
    with ExitStack() as servers:
        try:
            listener = servers.enter_context(listen(host, port))
            if metrics_port is not None:
                servers.callback(metrics.serve(metrics_port))
        except OSError as error:
            raise ConfigurationError(
                f"serve: {error.strerror or error}; choose another --port or --metrics-port"
            ) from None
        asyncio.run(serve_over_desk())


def server_config(app: FastAPI, limits: EntryLimits | None = None) -> uvicorn.Config:
    """The settings of uvicorn, with all that the app needs of its server."""
    limits = limits or EntryLimits()
    return uvicorn.Config(
        app,
        http=protocol_with_head_limit(limits.head_seconds),
        log_config=None,
        log_level="warning",
        # uvicorn's would show ids of URLs that name no contact, which may be anything
        access_log=False,
        ws="none",
        lifespan="off",
        server_header=False,
        timeout_keep_alive=limits.idle_seconds,
        timeout_graceful_shutdown=limits.stop_seconds,
    )
