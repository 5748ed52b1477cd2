"""People who may not be asked for, by hashed identifiers.

Here: keeping the list, and finding candidates who are on it. Not here: how an
identifier is read and hashed (`warehouse/suppressed_identifiers.py`), and the work list, which
leaves these people out before they come here.
"""

from collections.abc import Collection, Iterable
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from enrichment_pipeline.clock import Clock
from enrichment_pipeline.ledger.prepared import Prepared
from enrichment_pipeline.ledger.rows import ROWS, as_json, bound_rows, is_bound, text_field
from enrichment_pipeline.ledger.schema import UtcDateTime, head, suppressions
from enrichment_pipeline.ledger.store import LedgerStore, Transaction

BY_COMMAND = "command"
"""Suppressed by `enrichment suppress`, until it is lifted."""
BY_SOURCE = "source"
"""Suppressed by the source's own list, as long as it stands there."""
BY_REVIEW = "review"
"""Suppressed by a reviewer's decision `never`, until one says `retry`."""
BY_FEEDBACK = "feedback"
"""Suppressed since they complained about mail, for good."""

_SUPPRESSED = Prepared(select(suppressions.c.identifier).where(is_bound(suppressions.c.identifier)))
_ADD = insert(suppressions).from_select(
    ["identifier", "origin", "added_at"],
    select(text_field(0), bindparam("of_origin"), bindparam("at", type_=UtcDateTime)).select_from(
        bound_rows
    ),
)
_REMOVE = delete(suppressions).where(
    suppressions.c.origin == bindparam("of_origin"),
    is_bound(suppressions.c.identifier),
)


class Suppressions:
    """The list of one ledger; each change is a transaction of its own."""

    def __init__(self, store: LedgerStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def add(self, identifiers: Collection[str]) -> int:
        """Suppress all people with one of these, until it is lifted; how many are new."""
        return self._store.transact(lambda to: add(to, identifiers, BY_COMMAND, self._clock.now()))

    def add_complaints(self, identifiers: Collection[str]) -> None:
        """Suppress those who complained, whether or not that is told again."""
        if identifiers:
            self._store.transact(lambda to: add(to, identifiers, BY_FEEDBACK, self._clock.now()))

    def lift(self, identifiers: Collection[str]) -> int:
        """Take back `add`; how many there were. Other origins' lists go on to hold."""
        return self._store.transact(lambda to: remove(to, identifiers, BY_COMMAND))

    def take_over(self, identifiers: Collection[str], origin: str) -> None:
        """Make this origin's list what it is now. Identifiers that it dropped are free again."""
        wanted = set(identifiers)
        of_this = select(suppressions.c.identifier).where(suppressions.c.origin == origin)
        known = {row[0] for row in self._store.read_all(of_this)}
        if wanted == known:
            return

        def replace(transaction: Transaction) -> None:
            remove(transaction, known - wanted, origin)
            add(transaction, wanted - known, origin, self._clock.now())

        self._store.transact(replace)

    def keep_reviewers(self) -> None:
        """Keep reviewers' suppressions in the ledger, also where their decisions are lost."""

        def keep(transaction: Transaction) -> None:
            suppressed = of_origin(transaction.connection, BY_REVIEW)
            add(transaction, suppressed, BY_COMMAND, self._clock.now())

        self._store.transact(keep)

    def everything(self) -> set[str]:
        """Every suppressed identifier, of all origins."""
        return {row[0] for row in self._store.read_all(select(suppressions.c.identifier))}


def of_origin(connection: Connection, origin: str) -> set[str]:
    """The identifiers that this origin has suppressed."""
    query = select(suppressions.c.identifier).where(suppressions.c.origin == origin)
    return set(connection.execute(query).scalars())


def add(transaction: Transaction, identifiers: Collection[str], origin: str, at: datetime) -> int:
    """Suppress these; how many had not been."""
    new = set(identifiers) - of_origin(transaction.connection, origin)
    if new:
        values = {"of_origin": origin, "at": at, ROWS: _rows(new)}
        transaction.connection.execute(_ADD, values)
        _note_change(transaction)
    return len(new)


def remove(transaction: Transaction, identifiers: Collection[str], origin: str) -> int:
    """Suppress these no longer, as far as this origin goes; how many had been."""
    gone = set(identifiers) & of_origin(transaction.connection, origin)
    if gone:
        transaction.connection.execute(_REMOVE, {"of_origin": origin, ROWS: _rows(gone)})
        _note_change(transaction)
    return len(gone)


def _note_change(transaction: Transaction) -> None:
    """What was found out before this revision may not be so any more."""
    transaction.connection.execute(update(head).values(suppressions_revision=transaction.revision))


def suppressed_among(connection: Connection, identifiers: Collection[str]) -> frozenset[str]:
    """Those of the identifiers that are suppressed."""
    if not identifiers:
        return frozenset()
    return frozenset(_SUPPRESSED.execute(connection, {ROWS: _rows(identifiers)}).scalars())


def _rows(identifiers: Iterable[str]) -> str:
    return as_json((identifier,) for identifier in identifiers)
