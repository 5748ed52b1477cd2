"""What the point of entry counts, for Prometheus.

Here: the metrics. Not here: when they are counted (`access_log.py` for requests; `service.py` for
what is queued, bought and told), and serving them (`serving/`). They name no contact and no caller.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from enrichment_pipeline.entry.enrichment import Enrichment
from enrichment_pipeline.entry.notifying import Outcome
from enrichment_pipeline.serving.served_metrics import ServedMetrics

REFUSED = "refused"
"""The outcome of a contact that was not taken; the others are the statuses of contact_status."""
OTHER = "other"
"""The route of a request for which there is none."""


class EntryMetrics(ServedMetrics):
    """How long contacts take and what becomes of them, what waits, what it costs."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        super().__init__(registry)
        self.requests = Counter(
            "enrichment_entry_requests",
            "Requests by route and by the HTTP status that they were answered with",
            ["route", "status"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "enrichment_entry_seconds",
            "From the head of a posted contact to its answer, by the contact's status then",
            ["outcome"],
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 1.5, 2, 3, 5, 10),
            registry=self.registry,
        )
        self.hits = Counter(
            "enrichment_entry_hits",
            "Posted contacts that were decided in their answer at no charge",
            registry=self.registry,
        )
        self.credits = Counter(
            "enrichment_entry_credits", "Credits charged for entries", registry=self.registry
        )
        self.queue = Gauge(
            "enrichment_entry_queue", "Entries that wait to be judged", registry=self.registry
        )
        self.notifications_owed = Gauge(
            "enrichment_entry_notifications_owed",
            "Notifications that are still to be delivered",
            registry=self.registry,
        )
        self.notifications = Counter(
            "enrichment_entry_notifications",
            "Notifications by what became of them: delivered, given_up",
            ["outcome"],
            registry=self.registry,
        )

    def count_posted(self, enrichment: Enrichment | None, seconds: float) -> None:
        """Count one posted contact by its answer; None for one that was refused."""
        outcome = REFUSED if enrichment is None else enrichment.status
        self.seconds.labels(outcome).observe(seconds)
        if enrichment is not None and enrichment.is_decided and not enrichment.credits:
            self.hits.inc()

    def notified(self, outcome: Outcome, seconds: float) -> None:
        """Count one attempt to notify that was the last: delivered, or given up."""
        if outcome != "failed":
            self.notifications.labels(outcome).inc()
