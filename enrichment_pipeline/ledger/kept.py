"""What the ledger keeps for others to read: replies that are still unread, and copies.

Here: replies after a kill and callbacks, whose turn it is to read them, the results of requests,
and what the warehouse copies. Not here: writing (`calls.py`), and sums (`questions.py`).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Row, case, func, or_, select, union_all

from enrichment_pipeline.ledger import journal
from enrichment_pipeline.ledger.calls import Calls
from enrichment_pipeline.ledger.journal import Settlement
from enrichment_pipeline.ledger.limits import CLOCK_TOLERANCE, clock_skew_horizon
from enrichment_pipeline.ledger.rows import ROWS, as_json, is_bound
from enrichment_pipeline.ledger.schema import (
    APPLIED,
    RELEASED_OR_NOT,
    REPLIED,
    RESERVED,
    SENT,
    calls,
    replies,
    requests,
    unread_replies,
)
from enrichment_pipeline.ledger.store import PAGE_ROWS, LedgerStore
from enrichment_pipeline.vocabulary import (
    ANSWERED,
    CHANGES,
    LOOKUP,
    NO_MATCH,
    OPEN,
    SEARCH,
    VERIFICATION,
)

_STATE_TO_A_READER = case(
    (calls.c.state.in_((REPLIED, APPLIED)), ANSWERED),
    (calls.c.state.in_((RESERVED, SENT)), OPEN),
    else_=calls.c.state,
).label("state")
"""`reserved` and `sent` are one state to a reader, `open`; so are `replied` and `applied`."""


@dataclass(frozen=True)
class Asked:
    """A call to which a reply came: what was asked, and how it stands."""

    call_id: str
    item: str
    state: str
    outcome: str | None


@dataclass(frozen=True)
class UnreadReply:
    """A reply that was kept, but not yet read into its calls.

    `asked` are all of its request's, as they stand. By a callback others may come for them.
    `bodies` are HTTP status and body of the reply itself, as the last, and before it of those
    to earlier pages of the same call; `series` is which start of the call they are of.
    `units_told` is what the request cost, where its response said so outside the body.
    """

    reply_id: str
    request_id: str
    run_id: str
    received_at: datetime
    answered_at: datetime
    is_callback: bool
    asked: tuple[Asked, ...]
    bodies: tuple[tuple[int, bytes], ...]
    series: int
    units_told: int | None


def unread(store: LedgerStore, provider: str, kind: str) -> Iterator[UnreadReply]:
    """Replies that were received and are still unread, oldest first."""
    waiting = store.read_all(
        select(unread_replies.c.reply_id)
        .where(unread_replies.c.provider == provider, unread_replies.c.kind == kind)
        .order_by(unread_replies.c.received_at)
    )
    for (reply_id,) in waiting:
        [reply] = store.read_all(
            select(
                replies,
                requests.c.run_id,
                requests.c.call_id,
                requests.c.series,
                requests.c.page,
                requests.c.units_told,
            )
            .join(requests, requests.c.request_id == replies.c.request_id)
            .where(replies.c.reply_id == reply_id)
        )
        asked = store.read_all(
            select(calls.c.call_id, calls.c.item, calls.c.state, calls.c.outcome).where(
                calls.c.request_id == reply.request_id
            )
        )
        before = _pages_before(store, reply)
        yield UnreadReply(
            reply_id,
            reply.request_id,
            reply.run_id,
            reply.received_at,
            reply.answered_at,
            is_callback=reply.is_callback,
            asked=tuple(Asked(*row) for row in asked),
            bodies=(*before, (reply.http_status, bytes(reply.body))),
            series=reply.series,
            units_told=reply.units_told,
        )


def _pages_before(store: LedgerStore, reply: Row) -> tuple[tuple[int, bytes], ...]:
    if reply.call_id is None or reply.page == 1:
        return ()
    rows = store.read_all(
        select(replies.c.http_status, replies.c.body)
        .join(requests, requests.c.request_id == replies.c.request_id)
        .where(
            requests.c.call_id == reply.call_id,
            requests.c.series == reply.series,
            requests.c.page < reply.page,
        )
        .order_by(requests.c.page)
    )
    return tuple((row.http_status, bytes(row.body)) for row in rows)


def asked_by(store: LedgerStore, request_id: str) -> tuple[str, str] | None:
    """Which provider and kind of call a request was of; None for one that is not known."""
    query = select(requests.c.provider, requests.c.kind).where(requests.c.request_id == request_id)
    return next((tuple(row) for row in store.read_all(query)), None)


def is_left_to_its_run(of: Calls, kept: UnreadReply, dead_run_ids: Sequence[str]) -> bool:
    """Whether the run that asked will settle this reply itself, unless it is dead.

    Callbacks may be settled by any process. A reply from the future was received when a clock
    was ahead: how long ago is unknown.
    """
    if kept.is_callback or kept.run_id in dead_run_ids:
        return False
    age = of.clock.now() - kept.received_at
    return -CLOCK_TOLERANCE < age < of.limits.settled_within


def answered_at(of: Calls, kept: UnreadReply) -> datetime:
    """When a kept reply counts as answered: for a callback of a simulated run, then.

    The receiver that kept it knows real time only.
    """
    simulated_at = of.clock.simulated_at if kept.is_callback else None
    return simulated_at or kept.answered_at


def count_unread(store: LedgerStore, now: datetime, received_before: datetime) -> int:
    """How many replies have waited for a reader since before that instant.

    One from the future came when a clock was ahead: since when is not known.
    """
    [(count,)] = store.read_all(
        select(func.count())
        .select_from(unread_replies)
        .where(
            or_(
                unread_replies.c.received_at < received_before,
                unread_replies.c.received_at > clock_skew_horizon(now),
            )
        )
    )
    return count


def finished_requests(
    store: LedgerStore, request_ids: Iterable[str]
) -> dict[str, list[Settlement]]:
    """Those of the requests none of whose calls is open, with the results of their calls."""
    asked_for = set(request_ids)
    rows = as_json((request_id,) for request_id in asked_for)
    of_these = is_bound(calls.c.request_id)
    is_open = select(calls.c.request_id).where(of_these, calls.c.state.in_((RESERVED, SENT)))
    unfinished = {row[0] for row in store.read_all(is_open.distinct(), {ROWS: rows})}
    finished = asked_for - unfinished
    settlements = store.read_all(
        select(
            calls.c.request_id,
            calls.c.state,
            calls.c.outcome,
            calls.c.reason,
            calls.c.units_charged,
            calls.c.answer_index,
        ).where(of_these),
        {ROWS: as_json((request_id,) for request_id in finished)},
    )
    by_request: dict[str, list[Settlement]] = {request_id: [] for request_id in finished}
    for request_id, *settlement in settlements:
        by_request[request_id].append(Settlement(*settlement))
    return by_request


# --- what the warehouse copies -------------------------------------------------------------


_OF_EVERY_KIND = (
    calls.c.provider,
    calls.c.supersedes,
    calls.c.contact_id,
    calls.c.freshness,
    calls.c.priority,
    calls.c.run_id,
    _STATE_TO_A_READER,
    calls.c.reason,
    calls.c.requested_at,
    calls.c.answered_at,
    calls.c.revision,
)
_LOOKUP = (
    calls.c.call_id.label("lookup_id"),
    calls.c.person_key,
    calls.c.item,
    calls.c.item_kind,
    calls.c.outcome,
    calls.c.reply_id,
    calls.c.answer_index,
    calls.c.units_charged.label("credits_charged"),
    *_OF_EVERY_KIND,
)


def changed_lookups(store: LedgerStore, since_revision: int) -> Iterator[Sequence[Row]]:
    """Look-ups changed at or after a revision, in pages, oldest change first."""
    return store.changed_rows(_LOOKUP, LOOKUP, since_revision)


def lookups_about(store: LedgerStore, person_keys: Iterable[str]) -> Sequence[Row]:
    """All look-ups about these persons, oldest change first."""
    return _calls_about(store, _LOOKUP, LOOKUP, person_keys)


def _calls_about(
    store: LedgerStore, columns: Sequence[Any], kind: str, person_keys: Iterable[str]
) -> Sequence[Row]:
    rows = as_json((key,) for key in person_keys)
    # by person alone: a condition on the kind, which most calls share, leads to another index
    about = [
        select(*columns, calls.c.kind).where(is_bound(calls.c.person_key), each)
        for each in RELEASED_OR_NOT
    ]
    found = store.read_all(union_all(*about), {ROWS: rows})
    of_kind = (row for row in found if row.kind == kind)
    return sorted(of_kind, key=lambda row: (row.revision, row[0]))


def persons_changed(store: LedgerStore, since_revision: int) -> dict[str, int]:
    """The persons with a look-up or a search that was made or changed after a revision.

    Each with the revision of the last change.
    """
    query = (
        select(calls.c.person_key, func.max(calls.c.revision))
        .where(calls.c.kind.in_((LOOKUP, SEARCH)), calls.c.revision > since_revision)
        .group_by(calls.c.person_key)
    )
    return {row[0]: row[1] for row in store.read_all(query)}


_SEARCH = (
    calls.c.call_id.label("search_id"),
    calls.c.question.label("query_kind"),
    calls.c.person_key,
    calls.c.item.label("full_name"),
    calls.c.company,
    case((calls.c.outcome == NO_MATCH, "nothing"), else_=calls.c.outcome).label("outcome"),
    calls.c.is_complete,
    *_OF_EVERY_KIND,
)


def changed_searches(store: LedgerStore, since_revision: int) -> Iterator[Sequence[Row]]:
    """Searches changed at or after a revision, in pages, oldest change first."""
    return store.changed_rows(_SEARCH, SEARCH, since_revision)


def searches_about(store: LedgerStore, person_keys: Iterable[str]) -> Sequence[Row]:
    """All searches for these persons, oldest change first."""
    return _calls_about(store, _SEARCH, SEARCH, person_keys)


_VERIFICATION = (
    calls.c.call_id.label("verification_id"),
    calls.c.person_key.label("address_key"),
    calls.c.item.label("email"),
    calls.c.outcome,
    calls.c.reply_id,
    calls.c.units_charged,
    *_OF_EVERY_KIND,
)


def changed_verifications(store: LedgerStore, since_revision: int) -> Iterator[Sequence[Row]]:
    """Verifications changed at or after a revision, in pages, oldest change first."""
    return store.changed_rows(_VERIFICATION, VERIFICATION, since_revision)


_CHANGE = (
    calls.c.call_id.label("change_id"),
    calls.c.question.label("release"),
    calls.c.person_key,
    calls.c.item.label("uid"),
    calls.c.outcome,
    calls.c.reply_id,
    *_OF_EVERY_KIND,
)


def changed_profiles(store: LedgerStore, since_revision: int) -> Iterator[Sequence[Row]]:
    """Questions about changes that have changed since a revision, in pages, the oldest first."""
    return store.changed_rows(_CHANGE, CHANGES, since_revision)


def changes_about(store: LedgerStore, person_keys: Iterable[str]) -> Sequence[Row]:
    """All questions about changes of these persons, oldest change first."""
    return _calls_about(store, _CHANGE, CHANGES, person_keys)


def reply_bodies(store: LedgerStore, reply_ids: Sequence[str]) -> list[tuple[str, bytes]]:
    """Raw bodies by reply id."""
    query = select(replies.c.reply_id, replies.c.body).where(replies.c.reply_id.in_(reply_ids))
    return [(row.reply_id, bytes(row.body)) for row in store.read_all(query)]


def page_bodies(store: LedgerStore, call_ids: Sequence[str]) -> list[tuple[str, int, bytes]]:
    """Call, page and raw body of the pages that answered these calls, of the last start of each."""
    last = requests.alias("last")
    query = (
        select(requests.c.call_id, requests.c.page, replies.c.body)
        .join(replies, replies.c.request_id == requests.c.request_id)
        .join(calls, calls.c.call_id == requests.c.call_id)
        .join(last, last.c.request_id == calls.c.request_id)
        .where(
            is_bound(requests.c.call_id),
            requests.c.series == last.c.series,
            replies.c.http_status == 200,
        )
        .order_by(requests.c.call_id, requests.c.page)
    )
    rows = store.read_all(query, {ROWS: as_json((each,) for each in call_ids)})
    return [(row.call_id, row.page, bytes(row.body)) for row in rows]


def mark_applied(store: LedgerStore, copied_up_to: int) -> int:
    """The answers to look-ups up to a revision stand in the tables; how many were not marked."""
    query = select(calls.c.call_id).where(
        calls.c.kind == LOOKUP, calls.c.state == REPLIED, calls.c.revision <= copied_up_to
    )
    call_ids = [row[0] for row in store.read_all(query)]
    applied = 0
    for start in range(0, len(call_ids), PAGE_ROWS):
        page = call_ids[start : start + PAGE_ROWS]
        applied += store.transact(partial(journal.mark_applied, call_ids=page))
    return applied
