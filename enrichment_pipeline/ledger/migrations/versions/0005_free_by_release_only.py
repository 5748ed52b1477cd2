"""Let the single-flight index hang on a column that only a release changes.

It covered what is not released by `state`, and so every step of a look-up wrote its entry anew,
at a place of its own for each person.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    # what is known of a row that is there already is written next; unknown holds no check back
    check = sa.CheckConstraint("is_released = (state = 'released')")
    op.add_column("lookups", sa.Column("is_released", sa.Boolean(), check, nullable=True))
    op.execute("update lookups set is_released = (state = 'released')")
    op.drop_index("lookups_single_flight", "lookups")
    op.create_index(
        "lookups_single_flight",
        "lookups",
        ["provider", "request", "person_key", "supersedes"],
        unique=True,
        sqlite_where=sa.text("is_released IS NOT 1"),
        postgresql_where=sa.text("is_released IS NOT true"),
    )
