"""Keep the identifiers of calls as numbers of eight bytes, in a table that is its own index.

They were texts of 70 bytes, each written twice, to pages all over the file: a sixth of what a
look-up took. Each keeps its call: no person becomes due.
"""

import hashlib

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

ROWS = 1_000
COMMENT = (
    "Who is who, as far as money needs it: the identifiers that a call was reserved for and"
    " those that its answer gave, each as 64 bits of a digest; see identifiers.py"
)


def upgrade() -> None:
    op.rename_table("call_identifiers", "long_identifiers")
    if op.get_bind().dialect.name == "postgresql":
        for name in ("pkey", "call_id_fkey"):
            op.execute(
                f"alter table long_identifiers rename constraint call_identifiers_{name} "
                f"to long_identifiers_{name}"
            )
    op.create_table(
        "call_identifiers",
        sa.Column("identifier", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("call_id", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(["call_id"], ["calls.call_id"]),
        sa.PrimaryKeyConstraint("identifier", "call_id"),
        sqlite_with_rowid=False,
        comment=COMMENT,
    )
    _shorten()
    op.drop_table("long_identifiers")


def _shorten() -> None:
    connection = op.get_bind()
    page_after = sa.text(
        "select identifier, call_id from long_identifiers where identifier > :identifier "
        "or (identifier = :identifier and call_id > :call_id) "
        "order by identifier, call_id limit :rows"
    )
    keep = sa.text(
        "insert into call_identifiers (identifier, call_id) values (:number, :call_id) "
        "on conflict do nothing"
    )
    after = {"identifier": "", "call_id": "", "rows": ROWS}
    while page := connection.execute(page_after, after).all():
        connection.execute(
            keep,
            [{"number": _as_number(row.identifier), "call_id": row.call_id} for row in page],
        )
        after |= page[-1]._mapping


def _as_number(identifier: str) -> int:
    return int.from_bytes(hashlib.sha256(identifier.encode()).digest()[:8], "big", signed=True)
