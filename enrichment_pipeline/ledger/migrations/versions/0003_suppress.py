"""Keep who may not be asked for, so that admission itself refuses them.

Hashes only: the list is about people who want to be left alone.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "suppressions",
        sa.Column("identifier", sa.String(length=80), nullable=False),
        sa.Column("origin", sa.String(length=16), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("identifier", "origin"),
        comment="Hashed identifiers of whom nobody may be asked for; see suppressions.py",
    )
