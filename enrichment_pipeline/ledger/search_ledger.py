"""The ledger's searches as the rest of the pipeline sees them.

Here: one method per step of a search's life, each a transaction of its own, and the
questions that others ask. Not here: how each step is done (`search_journal.py`), and
paid calls (`ledger.py`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, Row, case, func, select

from enrichment_pipeline.clock import Clock
from enrichment_pipeline.ledger import gate, search_journal
from enrichment_pipeline.ledger.admission import NotDue
from enrichment_pipeline.ledger.outage import outlasts_outages
from enrichment_pipeline.ledger.rows import ROWS, as_json, text_field
from enrichment_pipeline.ledger.schema import RELEASED, search_calls, searches
from enrichment_pipeline.ledger.search_journal import (
    CallDecision,
    SearchCandidate,
    SearchLimits,
    SearchSettlement,
)
from enrichment_pipeline.ledger.store import LedgerStore


@dataclass(frozen=True)
class AbandonedSearch:
    """A search that nobody will bring to an end, and the answers that were kept for it.

    `answers` are HTTP status and body of the calls of its last start, page by page.
    `is_unanswered`: its last call has no answer.
    """

    search_id: str
    answers: tuple[tuple[int, bytes], ...]
    is_unanswered: bool


@dataclass(frozen=True)
class SearchTotals:
    """What a run's searches in a lane have come to so far."""

    searches: int = 0
    found: int = 0
    nothing: int = 0
    refused: int = 0
    released: int = 0


@outlasts_outages
class SearchLedger:
    """Searches at one provider. Cheap to make; all state is in the database."""

    def __init__(
        self, store: LedgerStore, provider: str, limits: SearchLimits, clock: Clock
    ) -> None:
        self.provider = provider
        self.limits = limits
        self._store = store
        self._clock = clock
        self.sleep = store.sleep
        self.is_enclosed = False

    # --- the life of a search ----------------------------------------------------------

    def admit(self, candidate: SearchCandidate, run_id: str) -> CallDecision | NotDue:
        """Commit the first call of a search as sent, if it may be; see `admit_search`."""
        with self._store.write() as transaction:
            return search_journal.admit_search(
                transaction,
                candidate,
                provider=self.provider,
                run_id=run_id,
                limits=self.limits,
                now=self._clock.now(),
                business_now=self._clock.business_now(),
            )

    def admit_page(self, search_id: str, series: int, page: int) -> CallDecision:
        """Commit a further call of an open search as sent; see `search_journal.admit_page`."""
        with self._store.write() as transaction:
            return search_journal.admit_page(
                transaction,
                search_id,
                (series, page),
                provider=self.provider,
                limits=self.limits,
                now=self._clock.now(),
                business_now=self._clock.business_now(),
            )

    def keep_answer(self, call_id: str, *, http_status: int, body: bytes) -> None:
        """Commit the raw answer to a call, before it is read."""
        with self._store.write() as transaction:
            search_journal.keep_answer(
                transaction, call_id, http_status=http_status, body=body, now=self._clock.now()
            )

    def note_refusal(self, call_id: str, error: str, *, is_counted: bool) -> None:
        """The kept answer was no page."""
        with self._store.write() as transaction:
            search_journal.note_refusal(transaction, call_id, error=error, is_counted=is_counted)

    def note_unanswered(self, call_id: str, error: str, *, has_left: bool) -> None:
        """No answer came to a call."""
        with self._store.write() as transaction:
            search_journal.note_unanswered(
                transaction, call_id, error=error, has_left=has_left, now=self._clock.now()
            )

    def settle(self, search_id: str, settlement: SearchSettlement) -> None:
        """Write what a search came to; FenceError where somebody has done so already."""
        with self._store.write() as transaction:
            search_journal.settle_search(
                transaction, search_id, settlement, self._clock.business_now()
            )

    # --- the provider's condition ------------------------------------------------------

    def pause(self, retry_after: timedelta | None) -> None:
        """The provider asked everybody to slow down (429)."""
        with self._store.write() as transaction:
            gate.close_for(
                transaction.connection,
                search_journal.gate_of(self.provider),
                self._clock.now(),
                self.limits.pause,
                retry_after,
            )

    def count_failure(self) -> None:
        with self._store.write() as transaction:
            gate.count_failure(
                transaction.connection, search_journal.gate_of(self.provider), self._clock.now()
            )

    def count_success(self) -> None:
        with self._store.write() as transaction:
            gate.count_success(transaction.connection, search_journal.gate_of(self.provider))

    # --- after a kill ------------------------------------------------------------------

    def abandoned(self, dead_run_ids: Sequence[str] = ()) -> list[AbandonedSearch]:
        """Open searches that nobody else will bring to an end, with the answers kept for them."""
        with self._store.read() as connection:
            search_ids = search_journal.abandoned_searches(
                connection, self.provider, dead_run_ids, self._clock.now()
            )
            return [
                AbandonedSearch(
                    search_id,
                    tuple((call.http_status, bytes(call.body)) for call in calls if _is_kept(call)),
                    is_unanswered=not all(map(_is_kept, calls)),
                )
                for search_id in search_ids
                for calls in [connection.execute(_calls_of(search_id)).all()]
            ]

    # --- what the warehouse copies -----------------------------------------------------

    def changed_searches(self, since_revision: int) -> Iterator[Sequence[Row]]:
        """Searches changed at or after a revision, in pages, oldest change first."""
        columns = [column for column in searches.c if column.name not in {"series", "reserved_at"}]
        return self._store.changed_rows(
            searches, columns, "search_id", provider=self.provider, since_revision=since_revision
        )

    def answer_bodies(self, search_ids: Sequence[str]) -> list[tuple[str, int, bytes]]:
        """Search, page and raw body of the answers to these searches, of the start that counts."""
        query = (
            select(search_calls.c.search_id, search_calls.c.page, search_calls.c.body)
            .join(searches, searches.c.search_id == search_calls.c.search_id)
            .where(
                searches.c.search_id.in_(select(text_field(0))),
                search_calls.c.series == searches.c.series,
                search_calls.c.http_status == 200,
            )
            .order_by(search_calls.c.search_id, search_calls.c.page)
        )
        with self._store.read() as connection:
            rows = connection.execute(query, {ROWS: as_json((each,) for each in search_ids)})
            return [(row.search_id, row.page, bytes(row.body)) for row in rows]

    # --- sums --------------------------------------------------------------------------

    def used_today(self) -> int:
        """Calls of today that draw on the quota."""
        today = self._clock.business_now().date().isoformat()
        with self._store.read() as connection:
            return search_journal.calls_on(connection, self.provider, today)

    def lane_totals(self, run_id: str) -> dict[tuple[str, str], SearchTotals]:
        """What a run's searches came to, by freshness and priority, where there were any."""
        lane = (searches.c.freshness, searches.c.priority)
        counts = (
            func.count(),
            *(_count_where(searches.c.outcome == name) for name in ("found", "nothing", "refused")),
            _count_where(searches.c.state == RELEASED),
        )
        query = (
            select(*lane, *counts)
            .where(searches.c.provider == self.provider, searches.c.run_id == run_id)
            .group_by(*lane)
        )
        with self._store.read() as connection:
            rows = connection.execute(query).all()
        return {(row[0], row[1]): SearchTotals(*map(int, row[2:])) for row in rows}

    def count_by_state(self) -> dict[str, int]:
        """Searches by state."""
        with self._store.read() as connection:
            query = (
                select(searches.c.state, func.count().label("searches"))
                .where(searches.c.provider == self.provider)
                .group_by(searches.c.state)
            )
            return {row.state: row.searches for row in connection.execute(query)}


def _calls_of(search_id: str):  # noqa: ANN202 - SQLAlchemy's own
    return (
        select(search_calls.c.http_status, search_calls.c.body)
        .join(searches, searches.c.search_id == search_calls.c.search_id)
        .where(search_calls.c.search_id == search_id, search_calls.c.series == searches.c.series)
        .order_by(search_calls.c.page)
    )


def _count_where(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)


def _is_kept(call: Row) -> bool:
    return call.body is not None
