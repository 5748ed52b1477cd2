"""What the receiver counts, for Prometheus.

Here: the metrics, and serving them. Not here: when they are counted (`app.py`).
They name no batch, no token and no person.
"""

from collections.abc import Callable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    start_http_server,
)


class ReceiverMetrics:
    """Metrics with a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.callbacks = Counter(
            "enrichment_callbacks",
            "Callbacks by the HTTP status that they were answered with",
            ["status"],
            registry=self.registry,
        )
        self.answers = Counter(
            "enrichment_callback_answers", "Answers in kept callbacks", registry=self.registry
        )
        self.unreadable = Counter(
            "enrichment_callbacks_unreadable",
            "Kept callbacks that are no list of answers as we know it",
            registry=self.registry,
        )
        self.bytes = Counter(
            "enrichment_callback_bytes", "Bytes of kept callbacks", registry=self.registry
        )
        self.seconds = Histogram(
            "enrichment_callback_seconds",
            "From the head of a callback to its acknowledgement; the provider waits 10 s",
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
            registry=self.registry,
        )

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
