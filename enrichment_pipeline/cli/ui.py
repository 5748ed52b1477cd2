"""`enrichment ui`: Dagster's pages behind a guard, its daemon, and the processes of both.

Here: what `dagster dev` does, but for a web server that answers any request: the pages are served
by a process of ours, in which the guard stands before them, so that behind it nothing listens.
Not here: what the guard refuses (`serving/guard.py`), and arguments (`main.py`).
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import uvicorn
from dagster import DagsterInstance
from dagster._cli.proxy_server_manager import ProxyServerManager
from dagster._core.errors import DagsterUserCodeProcessError
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import (
    ModuleTarget,
    WorkspaceFileTarget,
    WorkspaceLoadTarget,
)
from dagster_webserver.app import create_app_from_workspace_process_context
from dagster_webserver.version import __version__ as webserver_version

from enrichment_pipeline.cli.code_location import MODULE, WORKSPACE, location_name
from enrichment_pipeline.errors import PipelineError
from enrichment_pipeline.serving.foreground import serve_in_foreground
from enrichment_pipeline.serving.guard import SameOriginGuard

LOG_LEVEL = "warning"
STATEMENT_TIMEOUT_MS = 15_000
POOL_RECYCLE_SECONDS = 3_600
POOL_OVERFLOW = 20
"""Dagster's own defaults for the database connections of its web server."""
DAEMON_STOP_SECONDS = 5.0
PAGES_STOP_SECONDS = 2


def serve_ui(host: str, port: int, hosts: Collection[str], *, has_daemon: bool) -> None:
    """Serve the pages of the instance that DAGSTER_HOME names, until a signal to stop.

    The code is loaded by a server of its own, for the pages and the daemon together; it and
    whatever else runs here is reached by Unix sockets. Raises PipelineError where the daemon
    ends by itself.
    """
    with ExitStack() as stack:
        instance = stack.enter_context(DagsterInstance.get())
        instance.optimize_for_webserver(STATEMENT_TIMEOUT_MS, POOL_RECYCLE_SECONDS, POOL_OVERFLOW)
        workspace = stack.enter_context(_loaded_workspace(instance))
        daemon = stack.enter_context(_daemon(workspace)) if has_daemon else None
        context = stack.enter_context(
            WorkspaceProcessContext(
                instance,
                WorkspaceFileTarget([str(workspace)]),
                version=webserver_version,
                code_server_log_level=LOG_LEVEL,
            )
        )
        app = SameOriginGuard(create_app_from_workspace_process_context(context), hosts)
        serve_in_foreground(
            uvicorn.Config(app, log_level=LOG_LEVEL, timeout_graceful_shutdown=PAGES_STOP_SECONDS),
            host,
            port,
            announce=lambda _url: None,
        )
        if daemon is not None and daemon.poll() is not None:
            raise PipelineError(f"Dagster's daemon ended with status {daemon.returncode}")


@contextmanager
def _loaded_workspace(instance: DagsterInstance) -> Iterator[Path]:
    """A workspace file that leads each of its readers to one running server of the code."""
    target: WorkspaceLoadTarget = (
        WorkspaceFileTarget([str(WORKSPACE)])
        if WORKSPACE.is_file()
        else ModuleTarget(MODULE, None, str(Path.cwd()), location_name())
    )
    with (
        ProxyServerManager(instance, target, code_server_log_level=LOG_LEVEL) as servers,
        tempfile.TemporaryDirectory() as folder,
    ):
        try:
            specs = list(servers.get_code_server_specs())
        except DagsterUserCodeProcessError as error:
            reason = str(error).splitlines()[0]
            raise PipelineError(
                f"the server of the pipeline's code did not start: {reason}"
            ) from None
        workspace = Path(folder, "workspace.yaml")
        workspace.write_text(json.dumps({"load_from": specs}))
        yield workspace


@contextmanager
def _daemon(workspace: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Dagster's daemon; where it ends by itself, so does this process."""
    command = [
        *(sys.executable, "-m", "dagster._daemon", "run"),
        *("--workspace", str(workspace), "--log-level", LOG_LEVEL),
    ]
    with subprocess.Popen(command) as process:  # noqa: S603 - our own interpreter
        is_over = threading.Event()

        def watch() -> None:
            process.wait()
            if not is_over.is_set():
                os.kill(os.getpid(), signal.SIGTERM)

        threading.Thread(target=watch, daemon=True).start()
        try:
            yield process
        finally:
            is_over.set()
            process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                process.wait(DAEMON_STOP_SECONDS)
            process.kill()
