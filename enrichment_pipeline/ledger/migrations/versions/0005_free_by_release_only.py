"""Let two indexes hang on columns that change only where their entries come and go.

They covered what is not released, and what is open, by `state`: every step of a look-up wrote
its entries anew, in single flight at a place of its own for each person.
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
    op.drop_index("lookups_open", "lookups")
    op.create_index(
        "lookups_open",
        "lookups",
        ["provider"],
        unique=False,
        sqlite_where=sa.text("answered_at IS NULL"),
        postgresql_where=sa.text("answered_at IS NULL"),
    )
