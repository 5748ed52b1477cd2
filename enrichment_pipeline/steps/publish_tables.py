"""The step `publish_tables`: the snapshot that BI tools read.

Here: when and where. Not here: writing it (`warehouse/publish.py`).
"""

from enrichment_pipeline.errors import redact_unexpected_errors
from enrichment_pipeline.steps.context import RunContext
from enrichment_pipeline.warehouse.publish import publish


@redact_unexpected_errors
def publish_tables(context: RunContext) -> dict[str, int]:
    """Write the snapshot and let readers find it; rows by table."""
    with context.stores.open_warehouse() as connection:
        return publish(
            connection,
            context.settings.published_dir,
            run_id=context.run.run_id,
            published_at=context.now,
            group=context.policy.publish.group,
        )
