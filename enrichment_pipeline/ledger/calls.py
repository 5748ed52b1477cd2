"""One kind of call to one provider, as this process makes it: each step of a call's life.

Here: one method a step, inside a transaction that it is given, so that several steps can be
one commit. Not here: how each step is done (`admission.py`, `journal.py`, `budget.py`), what
the provider's condition is (`gate.py`), and questions (`kept.py`, `questions.py`).
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import Enum, auto

from sqlalchemy import exists, select

from enrichment_pipeline.clock import Clock
from enrichment_pipeline.ledger import admission, budget, identifiers, journal
from enrichment_pipeline.ledger.admission import Candidate, Decision, Exhausted, Page, Terms, Wait
from enrichment_pipeline.ledger.budget import RunShare
from enrichment_pipeline.ledger.gate import Gate
from enrichment_pipeline.ledger.journal import Settlement
from enrichment_pipeline.ledger.limits import Limits
from enrichment_pipeline.ledger.rows import ROWS, as_json, is_bound
from enrichment_pipeline.ledger.schema import RELEASED, SENT, UNCONFIRMED, calls, requests
from enrichment_pipeline.ledger.store import Transaction


class Receipt(Enum):
    """What became of a callback: committed, or not, since it cannot be an answer to its batch."""

    KEPT = auto()
    NO_SUCH_BATCH = auto()
    BATCH_IS_FULL = auto()


class Calls:
    """Calls of one kind to one provider. Cheap to make; all state is in the database."""

    def __init__(self, provider: str, kind: str, limits: Limits, clock: Clock) -> None:
        self.provider = provider
        self.kind = kind
        self.limits = limits
        self.gate = Gate(provider, kind, limits.pause, clock)
        self.clock = clock

    def admit(
        self, transaction: Transaction, candidates: Sequence[Candidate], run: RunShare
    ) -> Decision:
        """Reserve what may be sent now; see `admission.admit`."""
        return admission.admit(
            transaction,
            candidates,
            terms=self._terms,
            run=run,
            now=self.clock.now(),
            business_now=self.clock.business_now(),
        )

    def admit_page(
        self,
        transaction: Transaction,
        call_id: str,
        run: RunShare,
        *,
        series: int,
        number: int,
        units_charged: int,
        reply_id: str,
    ) -> Page | Wait | Exhausted:
        """Commit a further request of a call as sent; the reply before it is read then."""
        page = admission.admit_page(
            transaction,
            call_id,
            series=series,
            number=number,
            terms=self._terms,
            run=run,
            units_charged=units_charged,
            now=self.clock.now(),
            business_now=self.clock.business_now(),
        )
        if isinstance(page, Page):
            journal.mark_read(transaction, reply_id)
        return page

    def mark_sent(
        self, transaction: Transaction, request_id: str, *, awaits_callback: bool = False
    ) -> None:
        """Commit that the request goes out; FenceError if it must not."""
        journal.mark_sent(
            transaction,
            request_id,
            self.limits,
            self.clock.now(),
            awaits_callback=awaits_callback,
        )

    def record_reply(
        self,
        transaction: Transaction,
        request_id: str,
        *,
        http_status: int,
        body: bytes,
        credits_left: int | None,
        units_told: int | None = None,
        received_at: datetime | None = None,
    ) -> str:
        """Commit the raw reply that came in response to the request, now or then; its id."""
        now = received_at or self.clock.now()
        journal.note_response(
            transaction, request_id, credits_left=credits_left, units_told=units_told, now=now
        )
        return journal.keep_reply(
            transaction,
            self.provider,
            self.kind,
            request_id,
            http_status=http_status,
            body=body,
            is_callback=False,
            now=now,
            business_now=self.clock.simulated_at or now,
        )

    def note_accepted(
        self,
        transaction: Transaction,
        request_id: str,
        *,
        request_ref: str | None,
        credits_left: int | None,
    ) -> None:
        """The provider took the request; its answer will come by callback."""
        journal.note_response(
            transaction,
            request_id,
            credits_left=credits_left,
            now=self.clock.now(),
            request_ref=request_ref,
        )

    def keep_callback(
        self, transaction: Transaction, request_id: str, body: bytes, *, http_status: int = 200
    ) -> Receipt:
        """Commit the raw body of a callback, if its request was sent and has room for it."""
        sent = select(requests.c.item_count).where(
            requests.c.request_id == request_id,
            requests.c.provider == self.provider,
            requests.c.kind == self.kind,
            requests.c.awaits_callback,
        )
        item_count = transaction.connection.execute(sent).scalar_one_or_none()
        if item_count is None:
            return Receipt.NO_SUCH_BATCH
        if not journal.has_room_for(transaction, request_id, item_count, body):
            return Receipt.BATCH_IS_FULL
        journal.keep_reply(
            transaction,
            self.provider,
            self.kind,
            request_id,
            http_status=http_status,
            body=body,
            is_callback=True,
            now=self.clock.now(),
            business_now=self.clock.business_now(),
        )
        return Receipt.KEPT

    def settle(
        self,
        transaction: Transaction,
        settlements: Mapping[str, Settlement],
        *,
        reply_id: str | None = None,
        answered_at: datetime | None = None,
        later_successes: Mapping[str, Settlement] | None = None,
        known_by: Iterable[tuple[str, str]] = (),
    ) -> None:
        """Write the results of the calls, all or none (FenceError); the reply is read then.

        `later_successes` are for calls that had failed by an earlier reply. `known_by` are
        hashed identifiers that the answers gave, each with its call.
        """
        answered_at = answered_at or self.clock.business_now()
        budget = self.limits.budget
        journal.settle(transaction, budget, settlements, reply_id=reply_id, answered_at=answered_at)
        identifiers.note(transaction.connection, known_by)
        if reply_id is None:
            return
        for call_id, success in (later_successes or {}).items():
            journal.supersede_failure(
                transaction,
                budget,
                call_id,
                success,
                reply_id=reply_id,
                answered_at=answered_at,
            )
        journal.mark_read(transaction, reply_id)

    def release_unsent(self, transaction: Transaction, request_ids: Sequence[str]) -> None:
        """Release what is marked as sent in these requests, which never went out.

        Only for who has admitted them, and knows. Requests that are not there are passed over.
        """
        if not request_ids:
            return
        found = select(calls.c.call_id).where(
            calls.c.request_id.in_(request_ids), calls.c.state == SENT
        )
        unsent = transaction.connection.execute(found).scalars()
        self.settle(
            transaction, dict.fromkeys(unsent, Settlement(RELEASED, "retriable", "never_sent"))
        )
        for request_id in request_ids:
            self.note_unsent(transaction, request_id, "never_sent")

    def note_unsent(self, transaction: Transaction, request_id: str, error: str) -> None:
        """The request never left."""
        journal.note_unsent(transaction, request_id, error, self.clock.now())

    def note_error(self, transaction: Transaction, request_id: str, error: str) -> None:
        journal.note_error(transaction, request_id, error)

    def note_used_up(self, transaction: Transaction) -> None:
        """The provider says that the day's quota is used up: no more is asked on that day."""
        day = self.clock.business_now().date().isoformat()
        budget.close_day(transaction.connection, budget.quota_name(self.provider, self.kind), day)

    def clear_abandoned(self, transaction: Transaction, dead_run_ids: Sequence[str] = ()) -> int:
        """Settle abandoned calls; how many there were."""
        settlements = journal.abandoned(
            transaction, self.provider, self.kind, dead_run_ids, self.limits, self.clock.now()
        )
        if settlements:
            self.settle(transaction, settlements)
            journal.free_unsent_slots(transaction, self.provider, self.kind)
        return len(settlements)

    def release_unconfirmed(self, transaction: Transaction, person_keys: Iterable[str]) -> int:
        """Free these persons to be asked for again, at a person's word; how many calls.

        Whatever was billed for them without an answer was paid for nothing. One that was asked for
        by a further request had been taken by then, and stays charged for.
        """
        was_taken = exists().where(requests.c.call_id == calls.c.call_id, requests.c.page > 1)
        found = transaction.connection.execute(
            select(calls.c.call_id, was_taken).where(
                calls.c.provider == self.provider,
                calls.c.kind == self.kind,
                is_bound(calls.c.person_key),
                calls.c.state == UNCONFIRMED,
            ),
            {ROWS: as_json((key,) for key in person_keys)},
        )
        worst = self.limits.budget.worst_units
        released = {
            call_id: Settlement(RELEASED, "retriable", "asked_again", worst if is_taken else 0)
            for call_id, is_taken in found
        }
        self.settle(transaction, released)
        return len(released)

    @property
    def _terms(self) -> Terms:
        return Terms(self.provider, self.kind, self.limits)
