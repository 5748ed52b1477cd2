"""What a run is started for besides the clock: late answers, and a source that has changed.

Here: what the sensors ask, between runs; it changes nothing. Not here: what they start
(`defs/sensors.py`).
"""

from datetime import UTC, datetime, timedelta

from enrichment_pipeline.errors import redact_unexpected_errors
from enrichment_pipeline.ledger import kept
from enrichment_pipeline.settings import Settings
from enrichment_pipeline.state import is_used
from enrichment_pipeline.stores import Stores
from enrichment_pipeline.warehouse.attached_source import attached_source, fingerprint_contacts

LATE_AFTER = timedelta(seconds=60)
"""A run that is alive reads a callback within a second; one that waits so long has no reader."""


@redact_unexpected_errors
def count_late_answers(stores: Stores) -> int:
    """How many callbacks no run has read, a while after they came."""
    if not is_used(stores.settings):
        return 0
    now = datetime.now(UTC)
    return kept.count_unread(stores.ledger, now, received_before=now - LATE_AFTER)


@redact_unexpected_errors
def source_fingerprint(settings: Settings) -> str:
    """A short value that changes with the source's contacts. Opens no store of ours.

    Raises ConfigurationError where the source cannot be read.
    """
    with attached_source(settings.source) as reading:
        return fingerprint_contacts(reading, settings.policy.source)
