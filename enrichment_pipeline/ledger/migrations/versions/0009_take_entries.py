"""Keep contacts that applications enter, the answer to each, and where to send it.

The head tells at which revision the list of the suppressed last changed: what was known of an entry
before has to be judged anew. Released calls are found by their person, as the others are.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.create_table(
        "entries",
        sa.Column("contact_id", sa.Text(), nullable=False),
        sa.Column("contact", sa.Text(), nullable=False),
        sa.Column("content_sha256", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("entered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("person_key", sa.String(length=64)),
        sa.Column("notify_urls", sa.Text()),
        sa.Column("answer", sa.Text()),
        sa.Column("answer_revision", sa.BigInteger()),
        sa.Column("answered_at", sa.DateTime(timezone=True)),
        sa.Column("good_until", sa.DateTime(timezone=True)),
        sa.Column("is_decided", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True)),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("contact_id"),
        comment="Contacts as applications entered them, and the answer to each; see entries.py",
    )
    op.create_index("entries_by_person", "entries", ["person_key"])
    op.create_index(
        "entries_open",
        "entries",
        ["due_at"],
        sqlite_where=sa.text("is_decided IS NOT 1"),
        postgresql_where=sa.text("is_decided IS NOT true"),
    )
    op.create_index(
        "entries_withdrawn",
        "entries",
        ["contact_id"],
        sqlite_where=sa.text("withdrawn_at IS NOT NULL"),
        postgresql_where=sa.text("withdrawn_at IS NOT NULL"),
    )
    op.create_table(
        "entry_identifiers",
        sa.Column("identifier", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("contact_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["contact_id"], ["entries.contact_id"]),
        sa.PrimaryKeyConstraint("identifier", "contact_id"),
        sqlite_with_rowid=False,
        comment=(
            "What entered contacts are known by, each as 64 bits of a digest; see identifiers.py"
        ),
    )
    op.create_table(
        "entry_requests",
        sa.Column("token_sha256", sa.String(length=64), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("body_sha256", sa.String(length=64), nullable=False),
        sa.Column("contact_id", sa.Text(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answering_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answer", sa.Text()),
        sa.PrimaryKeyConstraint("token_sha256", "key"),
        comment="Requests with an Idempotency-Key, and what each was answered",
    )
    op.create_index("entry_requests_by_time", "entry_requests", ["received_at"])
    op.create_table(
        "entry_places",
        sa.Column("run_id", sa.String(length=64), nullable=False),
        sa.Column("provider", sa.String(length=32), nullable=False),
        sa.Column("priority", sa.String(length=16), nullable=False),
        sa.Column("units", sa.Integer(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "provider", "priority"),
        comment="Places in the rate windows that entries wait for, and that runs leave to them",
    )
    op.create_table(
        "notifications",
        sa.Column("notification_id", sa.String(length=64), nullable=False),
        sa.Column("contact_id", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("owed_since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_try_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("notification_id"),
        comment=(
            "Notifications that are still to be delivered; each goes once it is, or after a day"
        ),
    )
    op.create_index("notifications_by_time", "notifications", ["next_try_at"])
    op.add_column(
        "ledger_head",
        sa.Column("suppressions_revision", sa.BigInteger(), server_default="0", nullable=False),
    )
    if op.get_bind().dialect.name == "postgresql":  # SQLite keeps no comments
        op.create_table_comment(
            "ledger_head",
            "One row. A writing transaction takes it first: revisions are in commit order. "
            "suppressions_revision: at which the list of the suppressed last changed",
        )
        op.create_table_comment(
            "suppressions",
            "Hashed identifiers of people who may not be asked for; see suppressions.py",
        )
    op.create_index(
        "calls_released",
        "calls",
        ["person_key"],
        sqlite_where=sa.text("is_released IS 1"),
        postgresql_where=sa.text("is_released IS true"),
    )
