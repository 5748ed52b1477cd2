"""Keep searches for profiles by name and company, and the calls that each of them took.

Searches are no look-ups: they cost calls of a daily quota, not credits.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "searches",
        sa.Column("search_id", sa.String(length=32), nullable=False),
        sa.Column("provider", sa.String(length=32), nullable=False),
        sa.Column("query_kind", sa.String(length=16), nullable=False),
        sa.Column("person_key", sa.String(length=64), nullable=False),
        sa.Column("supersedes", sa.String(length=32), server_default="", nullable=False),
        sa.Column("contact_id", sa.Text(), nullable=False),
        sa.Column("full_name", sa.Text(), nullable=False),
        sa.Column("company", sa.Text(), nullable=False),
        sa.Column("freshness", sa.String(length=16), nullable=False),
        sa.Column("priority", sa.String(length=16), nullable=False),
        sa.Column("run_id", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=True),
        sa.Column("reason", sa.String(length=64), nullable=True),
        sa.Column("series", sa.Integer(), server_default="0", nullable=False),
        sa.Column("is_complete", sa.Boolean(), nullable=True),
        sa.Column("reserved_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("search_id"),
        comment="One search for profiles by name and company each; series is which start of it "
        "counts",
    )
    op.create_index("searches_by_revision", "searches", ["revision", "search_id"], unique=False)
    op.create_index(
        "searches_open",
        "searches",
        ["provider", "state"],
        unique=False,
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_index(
        "searches_single_flight",
        "searches",
        ["provider", "person_key", "query_kind", "supersedes"],
        unique=True,
        sqlite_where=sa.text("state != 'released'"),
        postgresql_where=sa.text("state != 'released'"),
    )
    op.create_table(
        "search_calls",
        sa.Column("call_id", sa.String(length=32), nullable=False),
        sa.Column("search_id", sa.String(length=32), nullable=False),
        sa.Column("provider", sa.String(length=32), nullable=False),
        sa.Column("series", sa.Integer(), nullable=False),
        sa.Column("page", sa.Integer(), nullable=False),
        sa.Column("quota_day", sa.String(length=10), nullable=False),
        sa.Column("is_counted", sa.Boolean(), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deadline_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("responded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("http_status", sa.Integer(), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("error", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(
            ["search_id"],
            ["searches.search_id"],
        ),
        sa.PrimaryKeyConstraint("call_id"),
        sa.UniqueConstraint("search_id", "series", "page", name="search_calls_once"),
        comment="One HTTP call of a search each, with its raw answer; counted ones draw on the "
        "quota",
    )
    op.create_index("search_calls_by_day", "search_calls", ["provider", "quota_day"], unique=False)
    op.create_index(
        "search_calls_unanswered",
        "search_calls",
        ["provider", "deadline_at"],
        unique=False,
        sqlite_where=sa.text("responded_at IS NULL"),
        postgresql_where=sa.text("responded_at IS NULL"),
    )
