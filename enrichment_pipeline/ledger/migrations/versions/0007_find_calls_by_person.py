"""Let the index on single flight begin with the person.

It began with provider and kind, which most calls share: Postgres, which has no statistics of a
young table, read all of them to find a person's.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.drop_index("calls_single_flight", "calls")
    op.create_index(
        "calls_single_flight",
        "calls",
        ["person_key", "provider", "kind", "supersedes"],
        unique=True,
        sqlite_where=sa.text("is_released IS NOT 1"),
        postgresql_where=sa.text("is_released IS NOT true"),
    )
