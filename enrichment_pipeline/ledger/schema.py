"""The ledger's tables, and from which state of a call another may be reached.

Here: columns, keys and the table of allowed transitions. Not here: what the states mean
(`vocabulary.py`), statements that change rows (`admission.py`, `journal.py`) and the migrations
that create the tables on disk (`migrations/`).
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

from enrichment_pipeline.vocabulary import (
    APPLIED,
    RELEASED,
    REPLIED,
    RESERVED,
    SENT,
    UNCONFIRMED,
)

ALLOWED_FROM: dict[str, tuple[str, ...]] = {
    SENT: (RESERVED,),
    REPLIED: (SENT, UNCONFIRMED),
    APPLIED: (REPLIED,),
    RELEASED: (RESERVED, SENT, UNCONFIRMED),
    UNCONFIRMED: (SENT,),
}
"""For each state, the states from which it may be reached.

`released` from `sent` is a call that the provider refused unbilled, or one whose repeat is free.
What leaves `unconfirmed` is an answer that came after its deadline. A success that comes after a
failure changes no state: it is a call of its own, which supersedes the failed one.
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
    Column("suppressions_revision", BigInteger, nullable=False, server_default="0"),
    comment="One row. A writing transaction takes it first: revisions are in commit order. "
    "suppressions_revision: at which the list of the suppressed last changed",
)

stamp = Table(
    "ledger_stamp",
    metadata,
    Column("key", String(32), primary_key=True),
    Column("value", Text, nullable=False),
    comment="What this ledger belongs to: the source of the contacts, and who answers",
)

requests = Table(
    "requests",
    metadata,
    Column("request_id", String(32), primary_key=True),
    Column("provider", String(32), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("run_id", String(64), nullable=False),
    Column("item_count", Integer, nullable=False),
    Column("rate_units", Integer, nullable=False),
    Column("call_id", String(32)),
    Column("series", Integer, nullable=False, server_default="0"),
    Column("page", Integer, nullable=False, server_default="1"),
    Column("reserved_at", UtcDateTime, nullable=False),
    Column("sent_at", UtcDateTime),
    Column("deadline_at", UtcDateTime),
    Column("responded_at", UtcDateTime),
    Column("counts_from", UtcDateTime),
    Column("credits_left", Integer),
    Column("units_told", Integer),
    Column("error", String(64)),
    Column("request_ref", String(64)),
    Column("awaits_callback", Boolean, nullable=False, server_default=false()),
    Index("requests_by_rate", "provider", "kind", "counts_from"),
    Index("requests_by_run", "run_id"),
    comment="One HTTP request each: of many calls, or one page of a single call (call_id). From "
    "counts_from on it lies in the rate windows; null: it takes no place in any",
)

unanswered_requests = Index(
    "requests_unanswered",
    requests.c.provider,
    requests.c.kind,
    requests.c.deadline_at,
    sqlite_where=requests.c.responded_at.is_(None),
    postgresql_where=requests.c.responded_at.is_(None),
)
"""Those on the wire, where the number of them at once is limited."""

pages = Index(
    "requests_by_call",
    requests.c.call_id,
    sqlite_where=requests.c.call_id.is_not(None),
    postgresql_where=requests.c.call_id.is_not(None),
)

replies = Table(
    "replies",
    metadata,
    Column("reply_id", String(32), primary_key=True),
    Column("request_id", String(32), ForeignKey("requests.request_id"), nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    Column("answered_at", UtcDateTime, nullable=False),
    Column("is_callback", Boolean, nullable=False, server_default=false()),
    Column("http_status", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("body_sha256", String(64), nullable=False),
    UniqueConstraint("request_id", "body_sha256", name="replies_once"),
    comment="Raw bytes as they came, committed before anything parses them",
)

unread_replies = Table(
    "unread_replies",
    metadata,
    Column("reply_id", String(32), ForeignKey("replies.reply_id"), primary_key=True),
    Column("provider", String(32), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    Index("unread_replies_by_time", "provider", "received_at"),
    comment="Replies that were kept, but not yet read into their calls",
)

calls = Table(
    "calls",
    metadata,
    Column("call_id", String(32), primary_key=True),
    Column("provider", String(32), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("question", String(32), nullable=False),
    Column("person_key", String(64), nullable=False),
    Column("supersedes", String(32), nullable=False, server_default=""),
    Column("contact_id", Text, nullable=False),
    Column("item", Text, nullable=False),
    Column("item_kind", String(16), nullable=False),
    Column("company", Text),
    Column("freshness", String(16), nullable=False),
    Column("priority", String(16), nullable=False),
    Column("run_id", String(64), nullable=False),
    Column("request_id", String(32), ForeignKey("requests.request_id"), nullable=False),
    Column("state", String(16), nullable=False),
    Column("outcome", String(16)),
    Column("reason", String(64)),
    Column("reply_id", String(32), ForeignKey("replies.reply_id")),
    Column("answer_index", Integer),
    Column("is_complete", Boolean),
    Column("units_charged", Integer, nullable=False, server_default="0"),
    Column("unit_cost", BigInteger, nullable=False),
    Column("cost_reserved", BigInteger, nullable=False),
    Column("budget_day", String(10), nullable=False),
    Column("reserved_at", UtcDateTime, nullable=False),
    Column("requested_at", UtcDateTime, nullable=False),
    Column("answered_at", UtcDateTime),
    Column("revision", BigInteger, nullable=False),
    Column("is_released", Boolean, CheckConstraint("is_released = (state = 'released')")),
    Index("calls_by_request", "request_id"),
    Index("calls_by_revision", "kind", "revision", "call_id"),
    comment="One question about one person to one provider each; see ARCHITECTURE for the promises."
    " request_id is the last request of several; costs are in millionths",
)

single_flight = Index(
    "calls_single_flight",
    calls.c.person_key,
    calls.c.provider,
    calls.c.kind,
    calls.c.supersedes,
    unique=True,
    sqlite_where=calls.c.is_released.is_not(True),
    postgresql_where=calls.c.is_released.is_not(True),
)
"""At most one open call of a kind about a person, superseding the same one.

Not by `state`, which says the same: each step would write the entry anew, and every person's
is on another page.
"""

released_calls = Index(
    "calls_released",
    calls.c.person_key,
    sqlite_where=calls.c.is_released.is_(True),
    postgresql_where=calls.c.is_released.is_(True),
)
"""The few that `calls_single_flight` leaves out: with it, all calls about a person."""
RELEASED_OR_NOT = (calls.c.is_released.is_not(True), calls.c.is_released.is_(True))
"""Either finds a person's calls by an index of its own; without them all calls would be read."""

open_calls = Index(
    "calls_open",
    calls.c.provider,
    calls.c.kind,
    sqlite_where=calls.c.answered_at.is_(None),
    postgresql_where=calls.c.answered_at.is_(None),
)
"""Those that are reserved or sent. Not by `state`, or marking them as sent would write it anew."""

call_identifiers = Table(
    "call_identifiers",
    metadata,
    Column("identifier", BigInteger, primary_key=True, autoincrement=False),
    Column("call_id", String(32), ForeignKey("calls.call_id"), primary_key=True),
    # its rows are its index: they lie all over it, and each page that a commit changes is written
    sqlite_with_rowid=False,
    comment="Who is who, as far as money needs it: the identifiers that a call was reserved for and"
    " those that its answer gave, each as 64 bits of a digest; see identifiers.py",
)

budgets = Table(
    "budgets",
    metadata,
    Column("pool", String(64), primary_key=True),
    Column("period", String(80), primary_key=True),
    Column("reserved", BigInteger, nullable=False),
    Column("charged", BigInteger, nullable=False),
    comment="What is drawn on each pool, in millionths, by period: run:<id>, day:YYYY-MM-DD, "
    "month:YYYY-MM; used_up:<day> where the provider said so",
)

suppressions = Table(
    "suppressions",
    metadata,
    Column("identifier", String(80), primary_key=True),
    Column("origin", String(16), primary_key=True),
    Column("added_at", UtcDateTime, nullable=False),
    comment="Hashed identifiers of people who may not be asked for; see suppressions.py",
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

entries = Table(
    "entries",
    metadata,
    Column("contact_id", Text, primary_key=True),
    Column("contact", Text, nullable=False),
    Column("content_sha256", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("entered_at", UtcDateTime, nullable=False),
    Column("due_at", UtcDateTime, nullable=False),
    Column("person_key", String(64)),
    Column("notify_urls", Text),
    Column("answer", Text),
    Column("answer_revision", BigInteger),
    Column("answered_at", UtcDateTime),
    Column("good_until", UtcDateTime),
    Column("is_decided", Boolean, nullable=False, server_default=false()),
    Column("withdrawn_at", UtcDateTime),
    Column("revision", BigInteger, nullable=False),
    Index("entries_by_person", "person_key"),
    comment="Contacts as applications entered them, and the answer to each; see entries.py",
)

open_entries = Index(
    "entries_open",
    entries.c.due_at,
    sqlite_where=entries.c.is_decided.is_not(True),
    postgresql_where=entries.c.is_decided.is_not(True),
)
"""Those that are not decided yet; withdrawn ones are."""

withdrawn_entries = Index(
    "entries_withdrawn",
    entries.c.contact_id,
    sqlite_where=entries.c.withdrawn_at.is_not(None),
    postgresql_where=entries.c.withdrawn_at.is_not(None),
)
"""Which no call may be made for: each admission looks there."""

entry_identifiers = Table(
    "entry_identifiers",
    metadata,
    Column("identifier", BigInteger, primary_key=True, autoincrement=False),
    Column("contact_id", Text, ForeignKey("entries.contact_id"), primary_key=True),
    sqlite_with_rowid=False,
    comment="What entered contacts are known by, each as 64 bits of a digest; see identifiers.py",
)

entry_requests = Table(
    "entry_requests",
    metadata,
    Column("token_sha256", String(64), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("body_sha256", String(64), nullable=False),
    Column("contact_id", Text, nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    Column("answering_until", UtcDateTime, nullable=False),
    Column("answer", Text),
    Index("entry_requests_by_time", "received_at"),
    comment="Requests with an Idempotency-Key, and what each was answered",
)

entry_places = Table(
    "entry_places",
    metadata,
    Column("run_id", String(64), primary_key=True),
    Column("provider", String(32), primary_key=True),
    Column("priority", String(16), primary_key=True),
    Column("units", Integer, nullable=False),
    Column("until", UtcDateTime, nullable=False),
    comment="Places in the rate windows that entries wait for, and that runs leave to them",
)

notifications = Table(
    "notifications",
    metadata,
    Column("notification_id", String(64), primary_key=True),
    Column("contact_id", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("owed_since", UtcDateTime, nullable=False),
    Column("next_try_at", UtcDateTime, nullable=False),
    Column("tries", Integer, nullable=False, server_default="0"),
    Index("notifications_by_time", "next_try_at"),
    comment="Notifications that are still to be delivered; each goes once it is, or after a day",
)
