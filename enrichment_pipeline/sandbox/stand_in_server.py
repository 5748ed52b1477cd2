"""A stand-in as a process in the foreground.

Belongs here: what its app needs of uvicorn. Does not belong here: what is answered (the stand-in's
own app), the socket and when it stops (`serving`), and what is printed: the caller announces.
"""

from __future__ import annotations

from collections.abc import Callable

import uvicorn
from starlette.applications import Starlette

from enrichment_pipeline.sandbox.tearing import TearableProtocol
from enrichment_pipeline.serving.foreground import SHUTDOWN_SECONDS, serve_in_foreground

# uvicorn's 5 s would close a connection of the client's pool at the moment in which the client uses
# it again, which looks like a look-up that was sent and never answered.
KEEP_ALIVE_SECONDS = 75


def serve(
    app: Starlette,
    host: str = "127.0.0.1",
    port: int = 8086,
    *,
    base_path: str,
    announce: Callable[[str], None],
    exit_on_stdin_eof: bool = False,
) -> None:
    """Serve until SIGINT or SIGTERM, then finish what is being answered and return.

    `announce` is called with the API's base URL, which ends in `base_path`, once it answers; for
    the rest see `serve_in_foreground`.

    Raises `OSError` if the address cannot be had, before announcing.
    """
    serve_in_foreground(
        server_config(app),
        host,
        port,
        announce=lambda url: announce(url + base_path),
        exit_on_stdin_eof=exit_on_stdin_eof,
    )


def server_config(app: Starlette) -> uvicorn.Config:
    """The settings of uvicorn, with all that the app needs of its server."""
    return uvicorn.Config(
        app,
        http=TearableProtocol,
        # the caller's logging stays as it is; only what goes wrong is of interest
        log_config=None,
        log_level="warning",
        access_log=False,
        ws="none",
        lifespan="on",
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )
