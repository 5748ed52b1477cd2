"""Keep look-ups and searches as calls in one table, and their HTTP requests in another.

Budgets become pools in millionths, so that they can count money over several providers; a rate
window counts from an instant, so that several windows can hold at once. What was kept stays,
under the same ids: nothing is due, or asked, that was not before.
"""

import hashlib

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

ROWS = 500


def upgrade() -> None:
    for index, table in (
        ("batches_by_slot", "batches"),
        ("batches_by_run", "batches"),
        ("lookups_by_batch", "lookups"),
        ("lookups_by_revision", "lookups"),
        ("lookups_single_flight", "lookups"),
        ("lookups_open", "lookups"),
    ):
        op.drop_index(index, table)
    _rename_requests()
    _rename_replies()
    _rename_calls()
    _turn_budgets_into_pools()
    _take_over_searches()
    _count_quotas()
    op.drop_table("search_calls")
    op.drop_table("searches")
    _create_indexes()
    _drop_defaults()


def _rename_requests() -> None:
    op.rename_table("batches", "requests")
    op.execute("alter table requests rename column batch_id to request_id")
    for column in (
        sa.Column("kind", sa.String(length=16), nullable=False, server_default="lookup"),
        sa.Column("rate_units", sa.Integer(), nullable=False, server_default="1"),
        sa.Column("call_id", sa.String(length=32), nullable=True),
        sa.Column("series", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("page", sa.Integer(), nullable=False, server_default="1"),
        sa.Column("counts_from", sa.DateTime(timezone=True), nullable=True),
        sa.Column("units_told", sa.Integer(), nullable=True),
    ):
        op.add_column("requests", column)
    # later than it was by one window: for so long the rate is kept to with room to spare
    op.execute("update requests set rate_units = item_count, counts_from = slot_free_at")
    op.drop_column("requests", "slot_free_at")
    _comment(
        "requests",
        "One HTTP request each: of many calls, or one page of a single call (call_id). From "
        "counts_from on it lies in the rate windows; null: it takes no place in any",
    )


def _rename_replies() -> None:
    op.execute("alter table replies rename column batch_id to request_id")
    op.add_column(
        "replies",
        sa.Column("is_callback", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    op.execute(
        "update replies set is_callback = true where http_status = 200 and request_id in "
        "(select request_id from requests where awaits_callback)"
    )
    op.add_column(
        "unread_replies",
        sa.Column("kind", sa.String(length=16), nullable=False, server_default="lookup"),
    )
    _comment("unread_replies", "Replies that were kept, but not yet read into their calls")


def _rename_calls() -> None:
    op.rename_table("lookups", "calls")
    for old, new in (
        ("lookup_id", "call_id"),
        ("request", "question"),
        ("batch_id", "request_id"),
        ("credits_charged", "units_charged"),
    ):
        op.execute(f"alter table calls rename column {old} to {new}")
    for column in (
        sa.Column("kind", sa.String(length=16), nullable=False, server_default="lookup"),
        sa.Column("company", sa.Text(), nullable=True),
        sa.Column("is_complete", sa.Boolean(), nullable=True),
        sa.Column("unit_cost", sa.BigInteger(), nullable=False, server_default="1000000"),
        sa.Column("cost_reserved", sa.BigInteger(), nullable=False, server_default="0"),
    ):
        op.add_column("calls", column)
    op.execute("update calls set cost_reserved = credits_reserved * 1000000")
    op.drop_column("calls", "credits_reserved")
    _comment(
        "calls",
        "One question about one person to one provider each; see ARCHITECTURE for the promises. "
        "request_id is the last request of several; costs are in millionths",
    )
    op.create_table(
        "call_identifiers",
        sa.Column("identifier", sa.String(length=80), nullable=False),
        sa.Column("call_id", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(["call_id"], ["calls.call_id"]),
        sa.PrimaryKeyConstraint("identifier", "call_id"),
        comment="Who is who, as far as money needs it: the hashed identifiers that a call was "
        "reserved for, and those that its answer gave",
    )


def _turn_budgets_into_pools() -> None:
    op.rename_table("budgets", "old_budgets")
    op.create_table(
        "budgets",
        sa.Column("pool", sa.String(length=64), nullable=False),
        sa.Column("period", sa.String(length=80), nullable=False),
        sa.Column("reserved", sa.BigInteger(), nullable=False),
        sa.Column("charged", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("pool", "period", name="budget_pools_pkey"),
        comment="What is drawn on each pool, in millionths, by period: run:<id>, day:YYYY-MM-DD, "
        "month:YYYY-MM; used_up:<day> where the provider said so",
    )
    op.execute(
        "insert into budgets (pool, period, reserved, charged) "
        "select 'credits', period, sum(credits_reserved) * 1000000, "
        "sum(credits_charged) * 1000000 from old_budgets group by period"
    )
    op.drop_table("old_budgets")


def _take_over_searches() -> None:
    """Each HTTP call of a search is a request; its body is a reply, with the digest it lacked."""
    op.execute(
        "insert into requests (request_id, provider, kind, run_id, item_count, rate_units, "
        "call_id, series, page, reserved_at, sent_at, deadline_at, responded_at, error, "
        "awaits_callback) "
        "select each.call_id, each.provider, 'search', of.run_id, 1, 1, each.search_id, "
        "each.series, each.page, each.sent_at, each.sent_at, each.deadline_at, "
        "each.responded_at, each.error, false "
        "from search_calls as each join searches as of on of.search_id = each.search_id"
    )
    connection = op.get_bind()
    answered = sa.text(
        "select call_id, http_status, body, responded_at from search_calls "
        "where body is not null and call_id > :after order by call_id limit :rows"
    ).columns(body=sa.LargeBinary)
    keep = sa.text(
        "insert into replies (reply_id, request_id, received_at, answered_at, is_callback, "
        "http_status, body, body_sha256) values "
        "(:id, :id, :at, :at, false, :http_status, :body, :digest)"
    )
    after = ""
    while page := connection.execute(answered, {"after": after, "rows": ROWS}).all():
        connection.execute(
            keep,
            [
                {
                    "id": row.call_id,
                    "at": row.responded_at,
                    "http_status": row.http_status,
                    "body": bytes(row.body),
                    "digest": hashlib.sha256(bytes(row.body)).hexdigest(),
                }
                for row in page
            ],
        )
        after = page[-1].call_id
    # the last request of a search: the last page of its last start
    op.execute(
        "insert into calls (call_id, provider, kind, question, person_key, supersedes, "
        "contact_id, item, item_kind, company, freshness, priority, run_id, request_id, state, "
        "outcome, reason, is_complete, units_charged, unit_cost, cost_reserved, budget_day, "
        "reserved_at, requested_at, answered_at, revision, is_released) "
        "select of.search_id, of.provider, 'search', of.query_kind, of.person_key, "
        "of.supersedes, of.contact_id, of.full_name, 'name', of.company, of.freshness, "
        "of.priority, of.run_id, last.call_id, "
        "case of.state when 'open' then 'sent' when 'answered' then 'replied' else of.state end, "
        "case of.outcome when 'nothing' then 'no_match' else of.outcome end, "
        "of.reason, of.is_complete, "
        "(select count(*) from search_calls as counted where counted.search_id = of.search_id "
        "and counted.is_counted) - case of.state when 'open' then 1 else 0 end, "
        "1000000, 1000000, last.quota_day, "
        "of.reserved_at, of.requested_at, of.answered_at, of.revision, of.state = 'released' "
        "from searches as of join search_calls as last on last.search_id = of.search_id "
        "and last.series = of.series and not exists ("
        "select 1 from search_calls as later where later.search_id = last.search_id "
        "and later.series = last.series and later.page > last.page)"
    )
    op.execute(
        "insert into unread_replies (reply_id, provider, kind, received_at) "
        "select replies.reply_id, calls.provider, 'search', replies.received_at "
        "from calls join replies on replies.request_id = calls.request_id "
        "where calls.kind = 'search' and calls.state = 'sent'"
    )


def _count_quotas() -> None:
    """What was counted over the calls themselves; the last of an open search is reserved."""
    op.execute(
        "insert into budgets (pool, period, reserved, charged) "
        "select pool, period, sum(is_open), sum(1 - is_open) from ("
        "select each.provider || '.search' as pool, 'day:' || each.quota_day as period, "
        "case when exists (select 1 from calls where calls.request_id = each.call_id "
        "and calls.state = 'sent') then 1 else 0 end as is_open "
        "from search_calls as each where each.is_counted) as counted group by pool, period"
    )
    op.execute(
        "update budgets set reserved = reserved * 1000000, "
        "charged = charged * 1000000 where pool <> 'credits'"
    )
    op.execute(
        "insert into budgets (pool, period, reserved, charged) "
        "select distinct provider || '.search', 'used_up:' || quota_day, 0, 0 "
        "from search_calls where error = 'quota_used_up'"
    )


def _create_indexes() -> None:
    op.create_index("requests_by_rate", "requests", ["provider", "kind", "counts_from"])
    op.create_index("requests_by_run", "requests", ["run_id"])
    for name, table, columns, condition in (
        (
            "requests_unanswered",
            "requests",
            ["provider", "kind", "deadline_at"],
            "responded_at IS NULL",
        ),
        ("requests_by_call", "requests", ["call_id"], "call_id IS NOT NULL"),
        ("calls_open", "calls", ["provider", "kind"], "answered_at IS NULL"),
    ):
        where = sa.text(condition)
        op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)
    op.create_index("calls_by_request", "calls", ["request_id"])
    op.create_index("calls_by_revision", "calls", ["kind", "revision", "call_id"])
    op.create_index(
        "calls_single_flight",
        "calls",
        ["provider", "kind", "person_key", "supersedes"],
        unique=True,
        sqlite_where=sa.text("is_released IS NOT 1"),
        postgresql_where=sa.text("is_released IS NOT true"),
    )


def _drop_defaults() -> None:
    """What only the rows that were there needed; SQLite cannot take a default back."""
    if op.get_bind().dialect.name != "postgresql":
        return
    for table, column in (
        ("requests", "kind"),
        ("requests", "rate_units"),
        ("unread_replies", "kind"),
        ("calls", "kind"),
        ("calls", "unit_cost"),
        ("calls", "cost_reserved"),
    ):
        op.alter_column(table, column, server_default=None)


def _comment(table: str, comment: str) -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.create_table_comment(table, comment)
