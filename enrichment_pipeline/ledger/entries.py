"""Contacts as applications entered them: recorded first, and the answer to each.

Here: recording, settling and taking back an entry, requests that come again, and who else was
entered under the same identifiers. Not here: who an entry is and its answer (`entry/`, by the
warehouse's SQL), and telling its sender (`notifications.py`).

An entry has a version, which each change of its content raises: what was found out about an earlier
one is not written to a later one.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Connection,
    Row,
    and_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    union_all,
    update,
)
from sqlalchemy.dialects.postgresql import insert as insert_or_keep

from enrichment_pipeline.ledger.identifiers import as_number
from enrichment_pipeline.ledger.prepared import Prepared
from enrichment_pipeline.ledger.rows import ROWS, as_json, is_bound
from enrichment_pipeline.ledger.schema import (
    RELEASED_OR_NOT,
    UtcDateTime,
    call_identifiers,
    calls,
    entries,
    entry_identifiers,
    entry_places,
    entry_requests,
    head,
    notifications,
)
from enrichment_pipeline.ledger.store import PAGE_ROWS, LedgerStore, Transaction
from enrichment_pipeline.vocabulary import LOOKUP, SEARCH


@dataclass(frozen=True)
class Posted:
    """A contact that is to be recorded: its id, and everything else of it, as JSON.

    `notify_url`: where to send the answer once it is decided, where it is not yet.
    """

    contact_id: str
    content: str
    content_sha256: str
    notify_url: str | None = None


@dataclass(frozen=True)
class RequestKey:
    """An `Idempotency-Key`, the digest of the token that sent it, and that of the body with it."""

    token_sha256: str
    key: str
    body_sha256: str


@dataclass(frozen=True)
class Entry:
    """An entry as it stands. `answer` is JSON, without its id."""

    contact_id: str
    content: str
    version: int
    entered_at: datetime
    person_key: str | None
    answer: str | None
    is_decided: bool


@dataclass(frozen=True)
class Repeated:
    """The request was answered before, with this."""

    answer: str


@dataclass(frozen=True)
class KeyReused:
    """The request's key came with another body before."""


@dataclass(frozen=True)
class StillAnswering:
    """A request with this key is being answered."""


@dataclass(frozen=True)
class Settled:
    """The answer to one version of an entry, to be kept. `answer` as in Entry."""

    contact_id: str
    version: int
    answer: str
    is_decided: bool
    good_until: datetime | None


_ENTRY = (
    entries.c.contact_id,
    entries.c.content_sha256,
    entries.c.contact,
    entries.c.version,
    entries.c.entered_at,
    entries.c.person_key,
    entries.c.answer,
    entries.c.is_decided,
    entries.c.withdrawn_at,
    entries.c.notify_urls,
)
_BY_ID = select(*_ENTRY).where(entries.c.contact_id == bindparam("of_contact"))
_SUPPRESSIONS_REVISION = select(head.c.suppressions_revision).scalar_subquery()
_IS_GOOD = (
    entries.c.is_decided
    & entries.c.answer.is_not(None)
    & entries.c.withdrawn_at.is_(None)
    & or_(
        entries.c.good_until.is_(None),
        entries.c.good_until > bindparam("at_now", type_=UtcDateTime),
    )
    & and_(
        *(
            ~exists().where(
                calls.c.person_key == entries.c.person_key,
                calls.c.revision > entries.c.answer_revision,
                each,
            )
            for each in RELEASED_OR_NOT
        )
    )
    & (entries.c.answer_revision >= _SUPPRESSIONS_REVISION)
)
"""What was found out is still so: it is not too old, nothing has come about the person since, and
the list of the suppressed has not changed since. By revision: clocks differ."""
_BY_ID_IF_GOOD = _BY_ID.add_columns(_IS_GOOD.label("is_good"))

_WAITING = Prepared(
    select(entry_places.c.priority, entry_places.c.units).where(
        entry_places.c.provider == bindparam("of_gate"),
        entry_places.c.until > bindparam("at_now", type_=UtcDateTime),
    )
)
"""Asked by each admission of a run; there are few such rows, and mostly none."""


def record(
    transaction: Transaction,
    posted: Posted,
    *,
    request: RequestKey | None = None,
    now: datetime,
    due_at: datetime,
    answering_until: datetime,
) -> Entry | Repeated | KeyReused | StillAnswering:
    """Keep a contact that was posted; its answer stays while its content does.

    An answer that is not good any more is found out anew. Only the contact's own answer counts:
    with the same content under another id it may be another person, the source's by that id.
    """
    connection = transaction.connection
    if request is not None:
        refused = _begin_request(
            connection, request, posted.contact_id, now=now, answering_until=answering_until
        )
        if refused is not None:
            return refused
    found = connection.execute(
        _BY_ID_IF_GOOD, {"of_contact": posted.contact_id, "at_now": now}
    ).one_or_none()
    is_same = (
        found is not None
        and found.content_sha256 == posted.content_sha256
        and found.withdrawn_at is None
    )
    if is_same and found.is_good:
        return _as_entry(found)
    values: dict[str, Any] = {}
    if not is_same:
        values |= {
            "contact": posted.content,
            "content_sha256": posted.content_sha256,
            "version": 1 if found is None else found.version + 1,
            "entered_at": now,
            "due_at": due_at,
            "person_key": None,
            "answer": None,
            "answer_revision": None,
            "answered_at": None,
            "good_until": None,
            "is_decided": False,
            "withdrawn_at": None,
            "revision": transaction.revision,
        }
    elif found.is_decided:
        values |= {"is_decided": False, "due_at": due_at, "revision": transaction.revision}
    # those who wait to be told of an earlier content are told the answer to this one
    urls = set() if found is None else {*json.loads(found.notify_urls or "[]")}
    if posted.notify_url is not None and posted.notify_url not in urls:
        values["notify_urls"] = json.dumps(sorted({*urls, posted.notify_url}))
    if found is None:
        connection.execute(insert(entries).values(contact_id=posted.contact_id, **values))
    elif values:
        connection.execute(
            update(entries).where(entries.c.contact_id == posted.contact_id).values(**values)
        )
    return _as_entry(connection.execute(_BY_ID, {"of_contact": posted.contact_id}).one())


def _begin_request(
    connection: Connection,
    request: RequestKey,
    contact_id: str,
    *,
    now: datetime,
    answering_until: datetime,
) -> Repeated | KeyReused | StillAnswering | None:
    """Note that a request is being answered from now on; else why it is not."""
    of_request = (entry_requests.c.token_sha256 == request.token_sha256) & (
        entry_requests.c.key == request.key
    )
    seen = connection.execute(select(entry_requests).where(of_request)).one_or_none()
    if seen is None:
        connection.execute(
            insert(entry_requests).values(
                token_sha256=request.token_sha256,
                key=request.key,
                body_sha256=request.body_sha256,
                contact_id=contact_id,
                received_at=now,
                answering_until=answering_until,
            )
        )
        return None
    if seen.body_sha256 != request.body_sha256:
        return KeyReused()
    if seen.answer is not None:
        return Repeated(seen.answer)
    if seen.answering_until > now:
        return StillAnswering()
    # the process that was answering it has died
    connection.execute(
        update(entry_requests).where(of_request).values(answering_until=answering_until)
    )
    return None


def end_request(transaction: Transaction, request: RequestKey, answer: str) -> None:
    """Keep what a request was answered, for when it comes again."""
    transaction.connection.execute(
        update(entry_requests)
        .where(
            entry_requests.c.token_sha256 == request.token_sha256,
            entry_requests.c.key == request.key,
        )
        .values(answer=answer)
    )


def forget_requests(transaction: Transaction, received_before: datetime) -> None:
    """Requests that were received before that instant may come anew."""
    transaction.connection.execute(
        delete(entry_requests).where(entry_requests.c.received_at < received_before)
    )


def identify(
    transaction: Transaction,
    contact_id: str,
    version: int,
    person_key: str,
    known_by: Iterable[str],
) -> None:
    """Note the person that an entry is taken for, and the hashed identifiers it is known by."""
    connection = transaction.connection
    found = connection.execute(
        update(entries)
        .where(
            entries.c.contact_id == contact_id,
            entries.c.version == version,
            entries.c.withdrawn_at.is_(None),
        )
        .values(person_key=person_key)
    )
    if not found.rowcount:
        return
    connection.execute(
        delete(entry_identifiers).where(entry_identifiers.c.contact_id == contact_id)
    )
    rows = [
        {"identifier": number, "contact_id": contact_id}
        for number in sorted({as_number(identifier) for identifier in known_by})
    ]
    if rows:
        connection.execute(insert_or_keep(entry_identifiers).on_conflict_do_nothing(), rows)


def note_person(transaction: Transaction, contact_id: str, version: int, person_key: str) -> None:
    """Note the person that a run takes an entry for, where the point of entry has not said."""
    transaction.connection.execute(
        update(entries)
        .where(
            entries.c.contact_id == contact_id,
            entries.c.version == version,
            entries.c.person_key.is_(None),
        )
        .values(person_key=person_key)
    )


def settle(
    transaction: Transaction, settled: Settled, *, as_of_revision: int, now: datetime
) -> list[str]:
    """Keep the answer to an entry, as of a revision of the ledger; the URLs to tell it to.

    There are none where it is not decided, or was so already. What has changed since, or was taken
    back, is left alone.
    """
    connection = transaction.connection
    of_entry = (
        (entries.c.contact_id == settled.contact_id)
        & (entries.c.version == settled.version)
        & entries.c.withdrawn_at.is_(None)
    )
    found = connection.execute(select(entries.c.notify_urls).where(of_entry)).one_or_none()
    if found is None:
        return []
    values = {
        "answer": settled.answer,
        "answer_revision": as_of_revision,
        "answered_at": now,
        "good_until": settled.good_until,
        "is_decided": settled.is_decided,
    }
    if settled.is_decided:
        values["notify_urls"] = None
    connection.execute(update(entries).where(of_entry).values(**values))
    return json.loads(found.notify_urls or "[]") if settled.is_decided else []


def reopen(transaction: Transaction, contact_id: str, due_at: datetime) -> None:
    """An entry that was decided is under way again, until then."""
    transaction.connection.execute(
        update(entries)
        .where(entries.c.contact_id == contact_id)
        .values(is_decided=False, due_at=due_at, revision=transaction.revision)
    )


def credits_for(connection: Connection, contact_id: str) -> int:
    """What was charged for an entry since it was entered, or was last found out anew.

    Searches cost no credits.
    """
    spent = [
        select(calls.c.units_charged, calls.c.kind)
        .join(entries, calls.c.person_key == entries.c.person_key)
        .where(
            entries.c.contact_id == contact_id,
            calls.c.contact_id == contact_id,
            calls.c.revision > entries.c.revision,
            each,
        )
        for each in RELEASED_OR_NOT
    ]
    charged = connection.execute(union_all(*spent))
    return sum(units for units, kind in charged if kind == LOOKUP)


def withdraw(transaction: Transaction, contact_id: str, now: datetime) -> bool | None:
    """Take an entry back. False where it is being bought, or was; None where there is none.

    What was only searched for was not bought.
    """
    connection = transaction.connection
    found = connection.execute(_BY_ID, {"of_contact": contact_id}).one_or_none()
    if found is None or found.withdrawn_at is not None:
        return None
    asked_for = select(calls.c.kind).where(
        calls.c.person_key == bindparam("of_person"),
        calls.c.contact_id == contact_id,
        calls.c.is_released.is_not(True),
        calls.c.reserved_at >= found.entered_at,
    )
    if LOOKUP in connection.execute(asked_for, {"of_person": found.person_key}).scalars().all():
        return False
    connection.execute(
        delete(entry_identifiers).where(entry_identifiers.c.contact_id == contact_id)
    )
    connection.execute(delete(notifications).where(notifications.c.contact_id == contact_id))
    connection.execute(
        update(entries)
        .where(entries.c.contact_id == contact_id)
        .values(
            withdrawn_at=now,
            is_decided=True,
            contact="{}",
            answer=None,
            notify_urls=None,
            revision=transaction.revision,
        )
    )
    return True


def withdrawn_among(connection: Connection, contact_ids: Iterable[str]) -> frozenset[str]:
    """Those of these contacts that were entered and taken back: no call may be made for them."""
    rows = as_json((contact_id,) for contact_id in contact_ids)
    found = connection.execute(
        select(entries.c.contact_id).where(
            entries.c.withdrawn_at.is_not(None), is_bound(entries.c.contact_id)
        ),
        {ROWS: rows},
    )
    return frozenset(found.scalars())


def find(store: LedgerStore, contact_id: str) -> Entry | None:
    """An entry as it stands; None where there is none, or it was taken back."""
    rows = store.read_all(_BY_ID, {"of_contact": contact_id})
    return None if not rows or rows[0].withdrawn_at is not None else _as_entry(rows[0])


def undecided(store: LedgerStore) -> list[Entry]:
    """The entries that are still under way, the oldest first."""
    query = select(*_ENTRY).where(entries.c.is_decided.is_not(True)).order_by(entries.c.due_at)
    return [_as_entry(row) for row in store.read_all(query)]


def overdue(store: LedgerStore, now: datetime) -> list[str]:
    """The ids of entries that are still under way after their deadline, the oldest first."""
    query = (
        select(entries.c.contact_id)
        .where(entries.c.is_decided.is_not(True), entries.c.due_at <= now)
        .order_by(entries.c.due_at)
    )
    return [row.contact_id for row in store.read_all(query)]


def standing(store: LedgerStore) -> Iterator[Sequence[Entry]]:
    """Every entry that was not taken back, in pages by id."""
    after = ""
    while True:
        page = store.read_all(
            select(*_ENTRY)
            .where(entries.c.withdrawn_at.is_(None), entries.c.contact_id > after)
            .order_by(entries.c.contact_id)
            .limit(PAGE_ROWS)
        )
        if not page:
            return
        yield [_as_entry(row) for row in page]
        after = page[-1].contact_id


def standing_among(store: LedgerStore, contact_ids: Iterable[str]) -> list[Entry]:
    """Those of these contacts that were entered and not taken back."""
    rows = as_json((contact_id,) for contact_id in contact_ids)
    query = select(*_ENTRY).where(is_bound(entries.c.contact_id), entries.c.withdrawn_at.is_(None))
    return [_as_entry(row) for row in store.read_all(query, {ROWS: rows})]


def count_open(store: LedgerStore) -> int:
    """How many entries are still under way."""
    query = select(func.count()).select_from(entries).where(entries.c.is_decided.is_not(True))
    [row] = store.read_all(query)
    return row[0]


def sharing(store: LedgerStore, identifiers: Collection[str], *, limit: int) -> list[Entry]:
    """The entries that are known by one of these hashed identifiers, the latest first."""
    if not identifiers:
        return []
    rows = as_json((as_number(identifier),) for identifier in identifiers)
    query = (
        select(*_ENTRY)
        .distinct()
        .join(entry_identifiers, entry_identifiers.c.contact_id == entries.c.contact_id)
        .where(is_bound(entry_identifiers.c.identifier), entries.c.withdrawn_at.is_(None))
        .order_by(entries.c.entered_at.desc(), entries.c.contact_id)
        .limit(limit)
    )
    return [_as_entry(row) for row in store.read_all(query, {ROWS: rows})]


def persons_of(store: LedgerStore, identifiers: Collection[str]) -> dict[str, str]:
    """By hashed identifier, the person of the latest call that it stands with."""
    numbers = {as_number(identifier): identifier for identifier in identifiers}
    if not numbers:
        return {}
    query = (
        select(call_identifiers.c.identifier, calls.c.person_key)
        .join(calls, calls.c.call_id == call_identifiers.c.call_id)
        .where(is_bound(call_identifiers.c.identifier), calls.c.is_released.is_not(True))
        .order_by(calls.c.revision, calls.c.call_id)
    )
    rows = store.read_all(query, {ROWS: as_json((number,) for number in numbers)})
    return {numbers[row.identifier]: row.person_key for row in rows}


def persons_changed(
    connection: Connection, person_keys: Iterable[str], since_revision: int
) -> frozenset[str]:
    """Those of these persons with a call that was made or changed after a revision."""
    rows = as_json((key,) for key in person_keys)
    query = select(calls.c.person_key).where(
        calls.c.kind.in_((LOOKUP, SEARCH)),  # revisions are found by kind
        calls.c.revision > since_revision,
        is_bound(calls.c.person_key),
    )
    return frozenset(connection.execute(query, {ROWS: rows}).scalars())


def ask_for_place(
    transaction: Transaction,
    run_id: str,
    gate: str,
    priority: str,
    *,
    units: int,
    until: datetime,
) -> None:
    """Have runs leave so many units of the rates, or calls on the wire, to entries, until then.

    `gate` names the provider and the kind of call (`gate.gate_name`).
    """
    give_back_place(transaction, run_id, gate, priority)
    transaction.connection.execute(
        insert(entry_places).values(
            run_id=run_id, provider=gate, priority=priority, units=units, until=until
        )
    )


def give_back_place(transaction: Transaction, run_id: str, gate: str, priority: str) -> None:
    transaction.connection.execute(
        delete(entry_places).where(
            entry_places.c.run_id == run_id,
            entry_places.c.provider == gate,
            entry_places.c.priority == priority,
        )
    )


def units_waited_for(
    connection: Connection, gate: str, priorities: Sequence[str], now: datetime
) -> int:
    """How many units or places entries of these priorities wait for."""
    waiting = _WAITING.execute(connection, {"of_gate": gate, "at_now": now})
    return sum(units for priority, units in waiting if priority in priorities)


def _as_entry(row: Row) -> Entry:
    return Entry(
        row.contact_id,
        row.contact,
        row.version,
        row.entered_at,
        row.person_key,
        row.answer,
        row.is_decided,
    )
