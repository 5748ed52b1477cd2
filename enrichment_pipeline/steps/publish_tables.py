"""The step `publish_tables`: the snapshot that BI tools read, and what the point of entry knows.

Here: when and where. Not here: writing them (`warehouse/publish.py`,
`warehouse/known_contacts.py`).
"""

from enrichment_pipeline.errors import redact_unexpected_errors
from enrichment_pipeline.steps.context import RunContext
from enrichment_pipeline.warehouse.connection import transaction
from enrichment_pipeline.warehouse.known_contacts import write_known
from enrichment_pipeline.warehouse.publish import publish, record_changes
from enrichment_pipeline.warehouse.sinks.filling import publications_of_sinks


@redact_unexpected_errors
def publish_tables(context: RunContext) -> dict[str, int]:
    """Write the snapshot and let readers find it; rows by table."""
    settings, now = context.settings, context.now
    with context.stores.open_warehouse() as connection:
        with transaction(connection):
            # a run's instant may lie ahead: nothing changes after it is published
            record_changes(
                connection,
                run_id=context.run.run_id,
                changed_at=min(context.run.as_of, now),
            )
        if settings.known_dir.is_dir():  # the point of entry is in use
            write_known(connection, settings.known_dir, made_at=now)
        return publish(
            connection,
            settings.published_dir,
            run_id=context.run.run_id,
            published_at=now,
            group=context.policy.publish.group,
            keep=publications_of_sinks(settings.sinks_dir, settings.sinks),
        )
