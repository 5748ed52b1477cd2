"""The ledger as the rest of the pipeline sees it: one provider's paid calls.

Here: one method per step of a look-up's life, each a transaction of its own,
and the questions that others ask. Not here: how each step is done
(`admission.py`, `journal.py`, `budget.py`, `gate.py`).
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from copy import copy
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from uuid import uuid4

from sqlalchemy import ColumnElement, Connection, Row, case, func, insert, or_, select

from enrichment_pipeline.clock import Clock
from enrichment_pipeline.ledger import admission, gate, journal, suppressions
from enrichment_pipeline.ledger.admission import Candidate, Decision
from enrichment_pipeline.ledger.journal import Settlement
from enrichment_pipeline.ledger.limits import CLOCK_TOLERANCE, Limits, furthest
from enrichment_pipeline.ledger.outage import outlasts_outages
from enrichment_pipeline.ledger.rows import ROWS, as_json, text_field
from enrichment_pipeline.ledger.schema import (
    APPLIED,
    MATCHED,
    NO_MATCH,
    RELEASED,
    REPLIED,
    RESERVED,
    SENT,
    UNCONFIRMED,
    balances,
    batches,
    budgets,
    lookups,
    replies,
    unread_replies,
)
from enrichment_pipeline.ledger.store import PAGE_ROWS, LedgerStore, Transaction

PERSON = "person"
"""What is asked of a provider: a person's profile with contacts."""
LEFT_TO_ITS_RUN_FOR = timedelta(minutes=1)
"""A run that is alive settles the response to its request in a moment."""
CALLBACK_STATUS = 200
"""What a callback is kept as: no response to our request has this status in callback mode."""


class Receipt(Enum):
    """What became of a callback: committed, or not, since it cannot be an answer to its batch."""

    KEPT = auto()
    NO_SUCH_BATCH = auto()
    BATCH_IS_FULL = auto()


@dataclass(frozen=True)
class Asked:
    """A look-up of a batch to which a reply came: what was asked, and how it stands."""

    lookup_id: str
    item: str
    state: str
    outcome: str | None


@dataclass(frozen=True)
class UnreadReply:
    """A reply that was kept, but not yet read into its look-ups.

    `asked` are all of its batch's, as they stand. By a callback others may come for them.
    """

    reply_id: str
    batch_id: str
    run_id: str
    http_status: int
    body: bytes
    received_at: datetime
    answered_at: datetime
    is_callback: bool
    asked: tuple[Asked, ...]


@dataclass(frozen=True)
class RunTotals:
    """What a run, or a lane of it, has come to so far, in look-ups and credits."""

    lookups: int = 0
    matched: int = 0
    no_match: int = 0
    refused: int = 0
    released: int = 0
    unconfirmed: int = 0
    credits_charged: int = 0
    credits_reserved: int = 0


def _count_where(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)


_TOTALS = (
    func.count(),
    _count_where(lookups.c.outcome == MATCHED),
    _count_where(lookups.c.outcome == NO_MATCH),
    _count_where(
        lookups.c.state.in_((REPLIED, APPLIED)) & lookups.c.outcome.not_in((MATCHED, NO_MATCH))
    ),
    _count_where(lookups.c.state == RELEASED),
    _count_where(lookups.c.state == UNCONFIRMED),
    func.coalesce(func.sum(lookups.c.credits_charged), 0),
    _count_where(lookups.c.state.in_((RESERVED, SENT, UNCONFIRMED))),
)
"""The fields of RunTotals, in their order."""


@dataclass(frozen=True)
class BalanceGap:
    """How far ledger and provider part since an earlier observation.

    `provider_spent` is the fall of the provider's balance, `ledger_charged`
    what the ledger knows of. `unconfirmed` is by how many look-ups without an
    answer there are more now (charged by the provider alone, perhaps) or, below
    zero, fewer (charged by the provider before, perhaps): they may explain as
    many credits of the difference.
    """

    provider_spent: int
    ledger_charged: int
    unconfirmed: int

    @property
    def unexplained(self) -> int:
        """Credits that the ledger cannot explain; negative where it booked more."""
        gap = self.provider_spent - self.ledger_charged
        return gap - min(max(gap, min(self.unconfirmed, 0)), max(self.unconfirmed, 0))


@outlasts_outages
class Ledger:
    """Paid calls to one provider. Cheap to make; all state is in the database.

    Each step that writes is a transaction of its own, unless `transaction` encloses it.
    """

    def __init__(self, store: LedgerStore, provider: str, limits: Limits, clock: Clock) -> None:
        self.provider = provider
        self.limits = limits
        self._store = store
        self._clock = clock
        self._write: Callable[[], AbstractContextManager[Transaction]] = store.write
        self.sleep = store.sleep
        self.is_enclosed = False

    @contextmanager
    def transaction(self) -> Iterator["Ledger"]:
        """This ledger with its writing steps in one transaction: all of them, or none."""
        with self._write() as transaction:
            enclosed = copy(self)
            enclosed._write = lambda: nullcontext(transaction)
            enclosed.is_enclosed = True
            yield enclosed

    # --- the life of a look-up ---------------------------------------------------------

    def admit(
        self, candidates: Sequence[Candidate], run_id: str, max_credits: int | None = None
    ) -> Decision:
        """Reserve what may be sent now; see `admission.admit`."""
        with self._write() as transaction:
            return admission.admit(
                transaction,
                candidates,
                provider=self.provider,
                request=PERSON,
                run_id=run_id,
                limits=self.limits,
                max_credits=max_credits,
                now=self._clock.now(),
                business_now=self._clock.business_now(),
            )

    def mark_sent(self, batch_id: str, *, awaits_callback: bool = False) -> None:
        """Commit that the request goes out; FenceError if it must not."""
        with self._write() as transaction:
            journal.mark_sent(
                transaction,
                batch_id,
                self.limits,
                self._clock.now(),
                awaits_callback=awaits_callback,
            )

    def record_reply(
        self,
        batch_id: str,
        *,
        http_status: int,
        body: bytes,
        credits_left: int | None,
        received_at: datetime | None = None,
    ) -> str:
        """Commit the raw reply that came in response to the request, now or then; its id."""
        with self._write() as transaction:
            now = received_at or self._clock.now()
            journal.note_response(
                transaction,
                batch_id,
                credits_left=credits_left,
                window=self.limits.window,
                now=now,
            )
            return journal.keep_reply(
                transaction,
                self.provider,
                batch_id,
                http_status=http_status,
                body=body,
                now=now,
                business_now=self._clock.simulated_at or now,
            )

    def note_accepted(
        self, batch_id: str, *, request_ref: str | None, credits_left: int | None
    ) -> None:
        """The provider took the request; its answer will come by callback."""
        with self._write() as transaction:
            journal.note_response(
                transaction,
                batch_id,
                credits_left=credits_left,
                window=self.limits.window,
                now=self._clock.now(),
                request_ref=request_ref,
            )

    def keep_callback(self, batch_id: str, body: bytes) -> Receipt:
        """Commit the raw body of a callback, if its batch was sent and has room for it."""
        with self._write() as transaction:
            sent = select(batches.c.item_count).where(
                batches.c.batch_id == batch_id,
                batches.c.provider == self.provider,
                batches.c.awaits_callback,
            )
            item_count = transaction.connection.execute(sent).scalar_one_or_none()
            if item_count is None:
                return Receipt.NO_SUCH_BATCH
            if not journal.has_room_for(transaction, batch_id, item_count, body):
                return Receipt.BATCH_IS_FULL
            journal.keep_reply(
                transaction,
                self.provider,
                batch_id,
                http_status=CALLBACK_STATUS,
                body=body,
                now=self._clock.now(),
                business_now=self._clock.business_now(),
            )
        return Receipt.KEPT

    def settle(
        self,
        settlements: Mapping[str, Settlement],
        *,
        reply_id: str | None = None,
        answered_at: datetime | None = None,
        later_successes: Mapping[str, Settlement] | None = None,
    ) -> None:
        """Write what the look-ups came to, all or none (FenceError); the reply is read then.

        `later_successes` are for look-ups that had failed by an earlier reply.
        """
        answered_at = answered_at or self._clock.business_now()
        with self._write() as transaction:
            journal.settle(
                transaction,
                self.provider,
                settlements,
                reply_id=reply_id,
                answered_at=answered_at,
            )
            if reply_id is None:
                return
            for lookup_id, success in (later_successes or {}).items():
                journal.supersede_failure(
                    transaction,
                    self.provider,
                    lookup_id,
                    success,
                    reply_id=reply_id,
                    answered_at=answered_at,
                )
            journal.mark_read(transaction, reply_id)

    def release_unsent(self, batch_ids: Sequence[str]) -> None:
        """Release what is marked as sent in these batches: their requests never went out.

        Only for who has admitted them, and knows. Batches that are not there are passed over.
        """
        if not batch_ids:
            return
        now = self._clock.now()
        with self._write() as transaction:
            found = select(lookups.c.lookup_id).where(
                lookups.c.batch_id.in_(batch_ids), lookups.c.state == SENT
            )
            unsent = transaction.connection.execute(found).scalars()
            never_sent = dict.fromkeys(unsent, Settlement(RELEASED, "retriable", "never_sent"))
            journal.settle(
                transaction,
                self.provider,
                never_sent,
                reply_id=None,
                answered_at=self._clock.business_now(),
            )
            for batch_id in batch_ids:
                journal.note_unsent(transaction, batch_id, "never_sent", now)

    def note_unsent(self, batch_id: str, error: str) -> None:
        with self._write() as transaction:
            journal.note_unsent(transaction, batch_id, error, self._clock.now())

    def note_error(self, batch_id: str, error: str) -> None:
        with self._write() as transaction:
            journal.note_error(transaction, batch_id, error)

    def mark_applied(self, lookup_ids: Sequence[str]) -> int:
        """The answers of these look-ups stand in the tables; how many were not yet marked."""
        applied = 0
        for start in range(0, len(lookup_ids), PAGE_ROWS):
            with self._write() as transaction:
                page = lookup_ids[start : start + PAGE_ROWS]
                applied += journal.mark_applied(transaction, page)
        return applied

    def finished_batches(self, batch_ids: Iterable[str]) -> dict[str, list[Settlement]]:
        """Those of the batches none of whose look-ups is open, and what these came to."""
        asked_for = set(batch_ids)
        rows = as_json((batch_id,) for batch_id in asked_for)
        of_these = lookups.c.batch_id.in_(select(text_field(0)))
        with self._store.read() as connection:
            is_open = select(lookups.c.batch_id).where(
                of_these, lookups.c.state.in_((RESERVED, SENT))
            )
            unfinished = set(connection.execute(is_open.distinct(), {ROWS: rows}).scalars())
            finished = asked_for - unfinished
            came_to = connection.execute(
                select(
                    lookups.c.batch_id,
                    lookups.c.state,
                    lookups.c.outcome,
                    lookups.c.reason,
                    lookups.c.credits_charged,
                    lookups.c.answer_index,
                ).where(of_these),
                {ROWS: as_json((batch_id,) for batch_id in finished)},
            ).all()
        by_batch: dict[str, list[Settlement]] = {batch_id: [] for batch_id in finished}
        for batch_id, *settlement in came_to:
            by_batch[batch_id].append(Settlement(*settlement))
        return by_batch

    def release_unconfirmed(self, person_keys: Iterable[str]) -> int:
        """Free these persons to be asked for again, at a person's word; how many look-ups.

        Whatever was billed for them without an answer was paid for nothing.
        """
        with self._write() as transaction:
            lookup_ids = transaction.connection.execute(
                select(lookups.c.lookup_id).where(
                    lookups.c.provider == self.provider,
                    lookups.c.person_key.in_(select(text_field(0))),
                    lookups.c.state == UNCONFIRMED,
                ),
                {ROWS: as_json((key,) for key in person_keys)},
            ).scalars()
            released = dict.fromkeys(lookup_ids, Settlement(RELEASED, "retriable", "asked_again"))
            journal.settle(
                transaction,
                self.provider,
                released,
                reply_id=None,
                answered_at=self._clock.business_now(),
            )
        return len(released)

    # --- whom nobody may be asked for --------------------------------------------------

    def suppress(self, identifiers: Collection[str]) -> int:
        """Have nobody with one of these asked for, until it is lifted; how many are new."""
        with self._write() as transaction:
            return suppressions.add(
                transaction.connection, identifiers, suppressions.BY_COMMAND, self._clock.now()
            )

    def lift_suppressions(self, identifiers: Collection[str]) -> int:
        """Take back `suppress`; how many there were. Other origins' lists go on to hold."""
        with self._write() as transaction:
            return suppressions.remove(transaction.connection, identifiers, suppressions.BY_COMMAND)

    def take_over_suppressions(self, identifiers: Collection[str], origin: str) -> None:
        """Make this origin's list what it is now. Whom it has dropped may be asked for."""
        wanted = set(identifiers)
        with self._store.read() as connection:
            known = suppressions.of_origin(connection, origin)
        if wanted == known:
            return
        with self._write() as transaction:
            suppressions.remove(transaction.connection, known - wanted, origin)
            suppressions.add(transaction.connection, wanted - known, origin, self._clock.now())

    def keep_suppressions_by_review(self) -> None:
        """Suppress whom reviewers have suppressed, whatever becomes of their decisions."""
        with self._write() as transaction:
            connection = transaction.connection
            suppressed = suppressions.of_origin(connection, suppressions.BY_REVIEW)
            suppressions.add(connection, suppressed, suppressions.BY_COMMAND, self._clock.now())

    def suppressed_identifiers(self) -> set[str]:
        """Every suppressed identifier, whoever said so."""
        with self._store.read() as connection:
            return suppressions.everything(connection)

    # --- the provider's condition ------------------------------------------------------

    def pause(self, retry_after: timedelta | None) -> None:
        """The provider asked everybody to slow down (429)."""
        with self._write() as transaction:
            gate.close_for(
                transaction.connection,
                self.provider,
                self._clock.now(),
                self.limits.window,
                retry_after,
            )

    def count_failure(self) -> None:
        with self._write() as transaction:
            gate.count_failure(transaction.connection, self.provider, self._clock.now())

    def count_success(self) -> None:
        with self._write() as transaction:
            gate.count_success(transaction.connection, self.provider)

    # --- after a kill ------------------------------------------------------------------

    def clear_abandoned(self, dead_run_ids: Sequence[str] = ()) -> int:
        """Bring to an end what nobody else will; how many look-ups that was."""
        now = self._clock.now()
        with self._write() as transaction:
            settlements = journal.abandoned(
                transaction, self.provider, dead_run_ids, self.limits, now
            )
            if settlements:
                journal.settle(
                    transaction,
                    self.provider,
                    settlements,
                    reply_id=None,
                    answered_at=self._clock.business_now(),
                )
                journal.free_unsent_slots(transaction, self.provider, now)
        return len(settlements)

    def unread_replies(self) -> Iterator[UnreadReply]:
        """Replies that came and that nobody has read yet, oldest first."""
        unread = self._store.read_all(
            select(unread_replies.c.reply_id)
            .where(unread_replies.c.provider == self.provider)
            .order_by(unread_replies.c.received_at)
        )
        for (reply_id,) in unread:
            [reply] = self._store.read_all(
                select(replies, batches.c.run_id, batches.c.awaits_callback)
                .join(batches, batches.c.batch_id == replies.c.batch_id)
                .where(replies.c.reply_id == reply_id)
            )
            asked = self._store.read_all(
                select(
                    lookups.c.lookup_id, lookups.c.item, lookups.c.state, lookups.c.outcome
                ).where(lookups.c.batch_id == reply.batch_id)
            )
            yield UnreadReply(
                reply_id,
                reply.batch_id,
                reply.run_id,
                reply.http_status,
                bytes(reply.body),
                reply.received_at,
                reply.answered_at,
                # a request that was refused has its refusal as a reply, and no callback
                is_callback=reply.awaits_callback and reply.http_status == CALLBACK_STATUS,
                asked=tuple(Asked(*row) for row in asked),
            )

    def is_left_to_its_run(self, kept: UnreadReply, dead_run_ids: Sequence[str]) -> bool:
        """Whether the run that asked will settle this reply itself, unless it is dead.

        Callbacks are anybody's. A reply from the future came when a clock was ahead: nobody
        knows how long ago.
        """
        if kept.is_callback or kept.run_id in dead_run_ids:
            return False
        age = self._clock.now() - kept.received_at
        return -CLOCK_TOLERANCE < age < LEFT_TO_ITS_RUN_FOR

    def answered_at(self, kept: UnreadReply) -> datetime:
        """When a kept reply counts as answered: for a callback of a simulated run, then.

        The receiver that kept it knows real time only.
        """
        simulated_at = self._clock.simulated_at if kept.is_callback else None
        return simulated_at or kept.answered_at

    def count_unread(self, received_before: datetime) -> int:
        """How many replies have waited for a reader since before that instant.

        One from the future came when a clock was ahead: since when is not known.
        """
        with self._store.read() as connection:
            return connection.execute(
                select(func.count())
                .select_from(unread_replies)
                .where(
                    unread_replies.c.provider == self.provider,
                    or_(
                        unread_replies.c.received_at < received_before,
                        unread_replies.c.received_at > furthest(self._clock.now()),
                    ),
                )
            ).scalar_one()

    # --- what the warehouse copies -----------------------------------------------------

    def changed_lookups(self, since_revision: int) -> Iterator[Sequence[Row]]:
        """Look-ups changed at or after a revision, in pages, oldest change first.

        `reserved` and `sent` are one state to a reader: `open`; so are `replied` and
        `applied`: `answered`.
        """
        columns = (
            lookups.c.lookup_id,
            lookups.c.provider,
            lookups.c.person_key,
            lookups.c.supersedes,
            lookups.c.contact_id,
            lookups.c.item,
            lookups.c.item_kind,
            lookups.c.freshness,
            lookups.c.priority,
            lookups.c.run_id,
            case(
                (lookups.c.state.in_((REPLIED, APPLIED)), "answered"),
                (lookups.c.state.in_((RESERVED, SENT)), "open"),
                else_=lookups.c.state,
            ).label("state"),
            lookups.c.outcome,
            lookups.c.reason,
            lookups.c.reply_id,
            lookups.c.answer_index,
            lookups.c.credits_charged,
            lookups.c.requested_at,
            lookups.c.answered_at,
            lookups.c.revision,
        )
        return self._store.changed_rows(
            lookups, columns, "lookup_id", provider=self.provider, since_revision=since_revision
        )

    def reply_bodies(self, reply_ids: Sequence[str]) -> list[tuple[str, bytes]]:
        """Raw bodies by reply id."""
        with self._store.read() as connection:
            query = select(replies.c.reply_id, replies.c.body).where(
                replies.c.reply_id.in_(reply_ids)
            )
            return [(row.reply_id, bytes(row.body)) for row in connection.execute(query)]

    def unapplied_lookup_ids(self, run_revision: int) -> list[str]:
        """Answered look-ups up to a revision that are not yet marked as applied."""
        with self._store.read() as connection:
            query = select(lookups.c.lookup_id).where(
                lookups.c.provider == self.provider,
                lookups.c.state == REPLIED,
                lookups.c.revision <= run_revision,
            )
            return list(connection.execute(query).scalars())

    # --- sums --------------------------------------------------------------------------

    def run_totals(self, run_id: str) -> RunTotals:
        """What a run has bought and reserved."""
        with self._store.read() as connection:
            row = connection.execute(select(*_TOTALS).where(self._of_run(run_id))).one()
        return RunTotals(*map(int, row))

    def lane_totals(self, run_id: str) -> dict[tuple[str, str], RunTotals]:
        """The same by freshness and priority, for lanes in which there is anything."""
        lane = (lookups.c.freshness, lookups.c.priority)
        query = select(*lane, *_TOTALS).where(self._of_run(run_id)).group_by(*lane)
        with self._store.read() as connection:
            rows = connection.execute(query).all()
        return {(row[0], row[1]): RunTotals(*map(int, row[2:])) for row in rows}

    def _of_run(self, run_id: str) -> ColumnElement[bool]:
        its_batches = select(batches.c.batch_id).where(
            batches.c.provider == self.provider, batches.c.run_id == run_id
        )
        return lookups.c.batch_id.in_(its_batches)

    def count_by_state(self) -> dict[str, int]:
        with self._store.read() as connection:
            query = (
                select(lookups.c.state, func.count().label("lookups"))
                .where(lookups.c.provider == self.provider)
                .group_by(lookups.c.state)
            )
            return {row.state: row.lookups for row in connection.execute(query)}

    def budget_used(self, period: str) -> tuple[int, int]:
        """Credits reserved and charged in a period such as `day:2026-11-23`."""
        with self._store.read() as connection:
            row = connection.execute(
                select(budgets.c.credits_reserved, budgets.c.credits_charged).where(
                    budgets.c.provider == self.provider, budgets.c.period == period
                )
            ).one_or_none()
        return (row.credits_reserved, row.credits_charged) if row else (0, 0)

    def observe_balance(self, run_id: str, credits_left: int) -> None:
        """Keep the provider's balance beside the ledger's own sums, as they are now."""
        with self._write() as transaction:
            charged, unconfirmed = self._sums(transaction.connection)
            transaction.connection.execute(
                insert(balances).values(
                    balance_id=uuid4().hex,
                    provider=self.provider,
                    run_id=run_id,
                    observed_at=self._clock.now(),
                    credits_left=credits_left,
                    ledger_charged=charged,
                    ledger_unconfirmed=unconfirmed,
                )
            )

    def last_balance(self) -> tuple[datetime, int] | None:
        """When the provider's balance was last seen, and what it was."""
        with self._store.read() as connection:
            row = connection.execute(
                select(balances)
                .where(balances.c.provider == self.provider)
                .order_by(balances.c.observed_at.desc())
                .limit(1)
            ).one_or_none()
        return (row.observed_at, row.credits_left) if row else None

    def balance_gap(self, credits_left: int | None = None) -> BalanceGap | None:
        """The latest observation against the one before it; None with fewer than two.

        With `credits_left`, the balance as it was seen just now, that and today's sums are the
        latest.
        """
        newest_first = (
            select(
                balances.c.credits_left, balances.c.ledger_charged, balances.c.ledger_unconfirmed
            )
            .where(balances.c.provider == self.provider)
            .order_by(balances.c.observed_at.desc())
        )
        with self._store.read() as connection:
            seen = connection.execute(newest_first.limit(2)).all()
            if credits_left is not None:
                seen = [(credits_left, *self._sums(connection)), *seen[:1]]
        if len(seen) < 2:
            return None
        new, old = seen
        return BalanceGap(
            provider_spent=old[0] - new[0],
            ledger_charged=new[1] - old[1],
            unconfirmed=new[2] - old[2],
        )

    def _sums(self, connection: Connection) -> tuple[int, int]:
        """Credits charged so far, and look-ups that may have been billed without an answer."""
        charged = func.coalesce(func.sum(lookups.c.credits_charged), 0)
        unconfirmed = _count_where(lookups.c.state.in_((SENT, UNCONFIRMED)))
        query = select(charged, unconfirmed).where(lookups.c.provider == self.provider)
        row = connection.execute(query).one()
        return int(row[0]), int(row[1])

    def rate_window(self) -> tuple[int, int]:
        """Items in the rate window now, and the limit."""
        with self._store.read() as connection:
            used, _ = admission.in_window(connection, self.provider, self.limits, self._clock.now())
        return used, self.limits.items_per_window
