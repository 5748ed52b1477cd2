"""Let answers come by callback, queue unread replies, and drop two indexes.

Finding what was unread took a walk over every look-up without an answer. `lookups_by_person`
is what `lookups_single_flight` begins with; a run's look-ups are found by its batches.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "unread_replies",
        sa.Column("reply_id", sa.String(length=32), nullable=False),
        sa.Column("provider", sa.String(length=32), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["reply_id"],
            ["replies.reply_id"],
        ),
        sa.PrimaryKeyConstraint("reply_id"),
        comment="Replies that were kept, but not yet read into their look-ups",
    )
    op.create_index(
        "unread_replies_by_time", "unread_replies", ["provider", "received_at"], unique=False
    )
    op.execute(
        "insert into unread_replies (reply_id, provider, received_at) "
        "select replies.reply_id, batches.provider, replies.received_at "
        "from replies join batches on batches.batch_id = replies.batch_id "
        "where exists (select 1 from lookups where lookups.batch_id = batches.batch_id "
        "and lookups.state in ('sent', 'unconfirmed') and lookups.reply_id is null)"
    )
    op.add_column("batches", sa.Column("request_ref", sa.String(length=64), nullable=True))
    op.add_column(
        "batches",
        sa.Column("awaits_callback", sa.Boolean(), server_default=sa.false(), nullable=False),
    )
    op.drop_index("lookups_by_person", "lookups")
    op.drop_index("lookups_by_run", "lookups")
