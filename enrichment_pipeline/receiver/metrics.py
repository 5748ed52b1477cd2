"""What the receiver counts, for Prometheus.

Here: the metrics. Not here: when they are counted (`app.py`), and serving them (`serving/`).
They name no batch, no token and no person.
"""

from prometheus_client import CollectorRegistry, Counter, Histogram

from enrichment_pipeline.serving.served_metrics import ServedMetrics


class ReceiverMetrics(ServedMetrics):
    """What callbacks there were, how large they were, and how long they took."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        super().__init__(registry)
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
