"""Create the ledger.

The first form of all tables; `schema.py` describes today's.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "balances",
        sa.Column("balance_id", sa.String(length=32), nullable=False),
        sa.Column("provider", sa.String(length=32), nullable=False),
        sa.Column("run_id", sa.String(length=64), nullable=False),
        sa.Column("observed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("credits_left", sa.Integer(), nullable=False),
        sa.Column("ledger_charged", sa.Integer(), nullable=False),
        sa.Column("ledger_unconfirmed", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("balance_id"),
        comment="The provider's balance beside the ledger's own sums at the same time",
    )
    op.create_index("balances_by_time", "balances", ["provider", "observed_at"], unique=False)
    op.create_table(
        "batches",
        sa.Column("batch_id", sa.String(length=32), nullable=False),
        sa.Column("provider", sa.String(length=32), nullable=False),
        sa.Column("run_id", sa.String(length=64), nullable=False),
        sa.Column("item_count", sa.Integer(), nullable=False),
        sa.Column("reserved_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deadline_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("responded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("slot_free_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("credits_left", sa.Integer(), nullable=True),
        sa.Column("error", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("batch_id"),
        comment="One HTTP request each; slot_free_at is when its items leave the rate window",
    )
    op.create_index("batches_by_run", "batches", ["run_id"], unique=False)
    op.create_index("batches_by_slot", "batches", ["provider", "slot_free_at"], unique=False)
    op.create_table(
        "budgets",
        sa.Column("provider", sa.String(length=32), nullable=False),
        sa.Column("period", sa.String(length=80), nullable=False),
        sa.Column("credits_reserved", sa.Integer(), nullable=False),
        sa.Column("credits_charged", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("provider", "period"),
        comment="Credits by period: run:<id>, day:YYYY-MM-DD, month:YYYY-MM",
    )
    op.create_table(
        "gates",
        sa.Column("provider", sa.String(length=32), nullable=False),
        sa.Column("pause_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("rate_share", sa.Float(), server_default="1", nullable=False),
        sa.Column("rate_share_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failures_in_a_row", sa.Integer(), server_default="0", nullable=False),
        sa.Column("probe_until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("provider"),
        comment="What holds all processes back at once: pauses, the reduced rate, the breaker",
    )
    op.create_table(
        "ledger_head",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        comment="One row. A writing transaction takes it first: revisions are in commit order",
    )
    op.create_table(
        "ledger_stamp",
        sa.Column("key", sa.String(length=32), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
        comment="What this ledger belongs to: the source of the contacts, and who answers",
    )
    op.create_table(
        "replies",
        sa.Column("reply_id", sa.String(length=32), nullable=False),
        sa.Column("batch_id", sa.String(length=32), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("http_status", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("body_sha256", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["batch_id"],
            ["batches.batch_id"],
        ),
        sa.PrimaryKeyConstraint("reply_id"),
        sa.UniqueConstraint("batch_id", "body_sha256", name="replies_once"),
        comment="Raw bytes as they came, committed before anything parses them",
    )
    op.create_table(
        "lookups",
        sa.Column("lookup_id", sa.String(length=32), nullable=False),
        sa.Column("provider", sa.String(length=32), nullable=False),
        sa.Column("request", sa.String(length=32), nullable=False),
        sa.Column("person_key", sa.String(length=64), nullable=False),
        sa.Column("supersedes", sa.String(length=32), server_default="", nullable=False),
        sa.Column("contact_id", sa.Text(), nullable=False),
        sa.Column("item", sa.Text(), nullable=False),
        sa.Column("item_kind", sa.String(length=16), nullable=False),
        sa.Column("freshness", sa.String(length=16), nullable=False),
        sa.Column("priority", sa.String(length=16), nullable=False),
        sa.Column("run_id", sa.String(length=64), nullable=False),
        sa.Column("batch_id", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=True),
        sa.Column("reason", sa.String(length=64), nullable=True),
        sa.Column("reply_id", sa.String(length=32), nullable=True),
        sa.Column("answer_index", sa.Integer(), nullable=True),
        sa.Column("credits_reserved", sa.Integer(), nullable=False),
        sa.Column("credits_charged", sa.Integer(), server_default="0", nullable=False),
        sa.Column("budget_day", sa.String(length=10), nullable=False),
        sa.Column("reserved_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["batch_id"],
            ["batches.batch_id"],
        ),
        sa.ForeignKeyConstraint(
            ["reply_id"],
            ["replies.reply_id"],
        ),
        sa.PrimaryKeyConstraint("lookup_id"),
        comment="One item of one request each; see ARCHITECTURE for the promises",
    )
    op.create_index("lookups_by_batch", "lookups", ["batch_id"], unique=False)
    op.create_index(
        "lookups_by_person", "lookups", ["provider", "request", "person_key"], unique=False
    )
    op.create_index("lookups_by_revision", "lookups", ["revision", "lookup_id"], unique=False)
    op.create_index("lookups_by_run", "lookups", ["run_id"], unique=False)
    op.create_index(
        "lookups_open",
        "lookups",
        ["provider", "state"],
        unique=False,
        sqlite_where=sa.text("state IN ('reserved', 'sent')"),
        postgresql_where=sa.text("state IN ('reserved', 'sent')"),
    )
    op.create_index(
        "lookups_single_flight",
        "lookups",
        ["provider", "request", "person_key", "supersedes"],
        unique=True,
        sqlite_where=sa.text("state != 'released'"),
        postgresql_where=sa.text("state != 'released'"),
    )
    op.execute("insert into ledger_head (id, revision) values (1, 0)")
