"""Metrics for Prometheus on a loopback port of their own.

Here: their registry, and serving it. Not here: what is counted (`receiver/metrics.py`,
`entry/entry_metrics.py`).
"""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server


class ServedMetrics:
    """Metrics with a registry of their own, or in that of others of the same process."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = CollectorRegistry() if registry is None else registry
        if registry is None:
            ProcessCollector(registry=self.registry)

    def serve(self, port: int) -> Callable[[], None]:
        """Serve `/metrics` on a loopback port, in a thread; call the result to end it.

        Raises OSError where the port cannot be had.
        """
        try:
            server, thread = start_http_server(port, addr="127.0.0.1", registry=self.registry)
        except OSError as error:  # says which of our two ports, as the other one's error does
            where = f"{error.strerror} (metrics, on 127.0.0.1:{port})"
            raise OSError(error.errno, where) from None

        def stop() -> None:
            server.shutdown()
            thread.join()
            server.server_close()

        return stop
