"""Alembic's environment: runs the migrations on the connection that `store` hands over.

Here: nothing but that. Migrations are one file each in `versions/`.
"""

from alembic import context

from enrichment_pipeline.ledger.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
