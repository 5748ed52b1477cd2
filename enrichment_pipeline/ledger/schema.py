"""The ledger's tables and the states of a look-up.

Here: columns, keys and the table of allowed transitions. Not here: statements
that change rows (`admission.py`, `journal.py`) and the migrations that create
the tables on disk (`migrations/`).
"""

from datetime import UTC, datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
)

RESERVED = "reserved"
SENT = "sent"
REPLIED = "replied"
APPLIED = "applied"
RELEASED = "released"
UNCONFIRMED = "unconfirmed"

MATCHED = "matched"
"""The outcome of an answer that was charged."""
NO_MATCH = "no_match"
"""The outcome of an answer that nobody was found; the others are the dispatcher's to name."""

ALLOWED_FROM: dict[str, tuple[str, ...]] = {
    SENT: (RESERVED,),
    REPLIED: (SENT, UNCONFIRMED),
    APPLIED: (REPLIED,),
    RELEASED: (RESERVED, SENT, UNCONFIRMED),
    UNCONFIRMED: (SENT,),
}
"""For each state, the states from which it may be reached.

`released` from `sent` is a call that the provider refused unbilled. What leaves
`unconfirmed` is an answer that came after its deadline. A success that comes after a
failure changes no state: it is a look-up of its own, which supersedes the failed one.
"""


class UtcDateTime(TypeDecorator[datetime]):
    """An aware instant in UTC: `timestamptz` in Postgres, sortable ISO text in SQLite."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("the ledger takes aware datetimes only")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


metadata = MetaData()

head = Table(
    "ledger_head",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("revision", BigInteger, nullable=False),
    comment="One row. A writing transaction takes it first: revisions are in commit order",
)

stamp = Table(
    "ledger_stamp",
    metadata,
    Column("key", String(32), primary_key=True),
    Column("value", Text, nullable=False),
    comment="What this ledger belongs to: the source of the contacts, and who answers",
)

batches = Table(
    "batches",
    metadata,
    Column("batch_id", String(32), primary_key=True),
    Column("provider", String(32), nullable=False),
    Column("run_id", String(64), nullable=False),
    Column("item_count", Integer, nullable=False),
    Column("reserved_at", UtcDateTime, nullable=False),
    Column("sent_at", UtcDateTime),
    Column("deadline_at", UtcDateTime),
    Column("responded_at", UtcDateTime),
    Column("slot_free_at", UtcDateTime, nullable=False),
    Column("credits_left", Integer),
    Column("error", String(64)),
    Column("request_ref", String(64)),
    Column("awaits_callback", Boolean, nullable=False, server_default=false()),
    Index("batches_by_slot", "provider", "slot_free_at"),
    Index("batches_by_run", "run_id"),
    comment="One HTTP request each; slot_free_at is when its items leave the rate window",
)

replies = Table(
    "replies",
    metadata,
    Column("reply_id", String(32), primary_key=True),
    Column("batch_id", String(32), ForeignKey("batches.batch_id"), nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    Column("answered_at", UtcDateTime, nullable=False),
    Column("http_status", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("body_sha256", String(64), nullable=False),
    UniqueConstraint("batch_id", "body_sha256", name="replies_once"),
    comment="Raw bytes as they came, committed before anything parses them",
)

unread_replies = Table(
    "unread_replies",
    metadata,
    Column("reply_id", String(32), ForeignKey("replies.reply_id"), primary_key=True),
    Column("provider", String(32), nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    Index("unread_replies_by_time", "provider", "received_at"),
    comment="Replies that were kept, but not yet read into their look-ups",
)

lookups = Table(
    "lookups",
    metadata,
    Column("lookup_id", String(32), primary_key=True),
    Column("provider", String(32), nullable=False),
    Column("request", String(32), nullable=False),
    Column("person_key", String(64), nullable=False),
    Column("supersedes", String(32), nullable=False, server_default=""),
    Column("contact_id", Text, nullable=False),
    Column("item", Text, nullable=False),
    Column("item_kind", String(16), nullable=False),
    Column("freshness", String(16), nullable=False),
    Column("priority", String(16), nullable=False),
    Column("run_id", String(64), nullable=False),
    Column("batch_id", String(32), ForeignKey("batches.batch_id"), nullable=False),
    Column("state", String(16), nullable=False),
    Column("outcome", String(16)),
    Column("reason", String(64)),
    Column("reply_id", String(32), ForeignKey("replies.reply_id")),
    Column("answer_index", Integer),
    Column("credits_reserved", Integer, nullable=False),
    Column("credits_charged", Integer, nullable=False, server_default="0"),
    Column("budget_day", String(10), nullable=False),
    Column("reserved_at", UtcDateTime, nullable=False),
    Column("requested_at", UtcDateTime, nullable=False),
    Column("answered_at", UtcDateTime),
    Column("revision", BigInteger, nullable=False),
    Column("is_released", Boolean, CheckConstraint("is_released = (state = 'released')")),
    Index("lookups_by_batch", "batch_id"),
    Index("lookups_by_revision", "revision", "lookup_id"),
    comment="One item of one request each; see ARCHITECTURE for the promises",
)

single_flight = Index(
    "lookups_single_flight",
    lookups.c.provider,
    lookups.c.request,
    lookups.c.person_key,
    lookups.c.supersedes,
    unique=True,
    sqlite_where=lookups.c.is_released.is_not(True),
    postgresql_where=lookups.c.is_released.is_not(True),
)
"""At most one open look-up for what is asked of whom, superseding the same one.

Not by `state`, which says the same: each step would write the entry anew, and every person's
is on another page.
"""

open_lookups = Index(
    "lookups_open",
    lookups.c.provider,
    sqlite_where=lookups.c.answered_at.is_(None),
    postgresql_where=lookups.c.answered_at.is_(None),
)
"""Those that are reserved or sent. Not by `state`, or marking them as sent would write it anew."""

budgets = Table(
    "budgets",
    metadata,
    Column("provider", String(32), primary_key=True),
    Column("period", String(80), primary_key=True),
    Column("credits_reserved", Integer, nullable=False),
    Column("credits_charged", Integer, nullable=False),
    comment="Credits by period: run:<id>, day:YYYY-MM-DD, month:YYYY-MM",
)

suppressions = Table(
    "suppressions",
    metadata,
    Column("identifier", String(80), primary_key=True),
    Column("origin", String(16), primary_key=True),
    Column("added_at", UtcDateTime, nullable=False),
    comment="Hashed identifiers of whom nobody may be asked for; see suppressions.py",
)

gates = Table(
    "gates",
    metadata,
    Column("provider", String(32), primary_key=True),
    Column("pause_until", UtcDateTime),
    Column("rate_share", Float, nullable=False, server_default="1"),
    Column("rate_share_at", UtcDateTime),
    Column("failures_in_a_row", Integer, nullable=False, server_default="0"),
    Column("probe_until", UtcDateTime),
    comment="What holds all processes back at once: pauses, the reduced rate, the breaker",
)

OPEN = "open"
ANSWERED = "answered"
"""States of a search, beside `released`: still under way, and answered whole."""

searches = Table(
    "searches",
    metadata,
    Column("search_id", String(32), primary_key=True),
    Column("provider", String(32), nullable=False),
    Column("query_kind", String(16), nullable=False),
    Column("person_key", String(64), nullable=False),
    Column("supersedes", String(32), nullable=False, server_default=""),
    Column("contact_id", Text, nullable=False),
    Column("full_name", Text, nullable=False),
    Column("company", Text, nullable=False),
    Column("freshness", String(16), nullable=False),
    Column("priority", String(16), nullable=False),
    Column("run_id", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("outcome", String(16)),
    Column("reason", String(64)),
    Column("series", Integer, nullable=False, server_default="0"),
    Column("is_complete", Boolean),
    Column("reserved_at", UtcDateTime, nullable=False),
    Column("requested_at", UtcDateTime, nullable=False),
    Column("answered_at", UtcDateTime),
    Column("revision", BigInteger, nullable=False),
    Index("searches_by_revision", "revision", "search_id"),
    comment="One search for profiles by name and company each; series is which start of it counts",
)

one_search = Index(
    "searches_single_flight",
    searches.c.provider,
    searches.c.person_key,
    searches.c.query_kind,
    searches.c.supersedes,
    unique=True,
    sqlite_where=searches.c.state != RELEASED,
    postgresql_where=searches.c.state != RELEASED,
)
"""At most one search of a kind for whom, superseding the same one."""

open_searches = Index(
    "searches_open",
    searches.c.provider,
    searches.c.state,
    sqlite_where=searches.c.state == OPEN,
    postgresql_where=searches.c.state == OPEN,
)

search_calls = Table(
    "search_calls",
    metadata,
    Column("call_id", String(32), primary_key=True),
    Column("search_id", String(32), ForeignKey("searches.search_id"), nullable=False),
    Column("provider", String(32), nullable=False),
    Column("series", Integer, nullable=False),
    Column("page", Integer, nullable=False),
    Column("quota_day", String(10), nullable=False),
    Column("is_counted", Boolean, nullable=False),
    Column("sent_at", UtcDateTime, nullable=False),
    Column("deadline_at", UtcDateTime, nullable=False),
    Column("responded_at", UtcDateTime),
    Column("http_status", Integer),
    Column("body", LargeBinary),
    Column("error", String(64)),
    UniqueConstraint("search_id", "series", "page", name="search_calls_once"),
    Index("search_calls_by_day", "provider", "quota_day"),
    comment="One HTTP call of a search each, with its raw answer; counted ones draw on the quota",
)

unanswered_calls = Index(
    "search_calls_unanswered",
    search_calls.c.provider,
    search_calls.c.deadline_at,
    sqlite_where=search_calls.c.responded_at.is_(None),
    postgresql_where=search_calls.c.responded_at.is_(None),
)

balances = Table(
    "balances",
    metadata,
    Column("balance_id", String(32), primary_key=True),
    Column("provider", String(32), nullable=False),
    Column("run_id", String(64), nullable=False),
    Column("observed_at", UtcDateTime, nullable=False),
    Column("credits_left", Integer, nullable=False),
    Column("ledger_charged", Integer, nullable=False),
    Column("ledger_unconfirmed", Integer, nullable=False),
    Index("balances_by_time", "provider", "observed_at"),
    comment="The provider's balance beside the ledger's own sums at the same time",
)
