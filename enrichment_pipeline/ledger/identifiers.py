"""Who is who, as far as money needs it: which call tells about the person with an identifier.

Here: keeping the hashed identifiers of calls, and finding a call by them. Not here: how an
identifier is read and hashed (`hashed_identifiers.py`), and which of them are that person's
alone: the asker says so. The warehouse knows more of who is who; this is what has not reached it
yet, and what those who ask without it go by.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from sqlalchemy import Connection, and_, bindparam, or_, select, text
from sqlalchemy.dialects.postgresql import insert  # SQLite's own words for conflicts are the same

from enrichment_pipeline.ledger.prepared import Prepared
from enrichment_pipeline.ledger.rows import (
    ROWS,
    as_json,
    bound_rows,
    is_bound,
    number_field,
    text_field,
)
from enrichment_pipeline.ledger.schema import (
    RESERVED,
    SENT,
    UNCONFIRMED,
    UtcDateTime,
    call_identifiers,
    calls,
)
from enrichment_pipeline.vocabulary import MATCHED

_UNSETTLED = frozenset({RESERVED, SENT, UNCONFIRMED})
_NOTE = Prepared(
    insert(call_identifiers)
    .from_select(
        ["identifier", "call_id"],
        # the condition tells SQLite that what follows is not the condition of a join
        select(number_field(0), text_field(1)).select_from(bound_rows).where(text("true")),
    )
    .on_conflict_do_nothing()
)
_BEARING = Prepared(
    select(call_identifiers.c.identifier, call_identifiers.c.call_id).where(
        is_bound(call_identifiers.c.identifier)
    )
)
"""Of bound identifiers: those that a call has, each with the call."""
_TELLING = select(
    calls.c.call_id,
    calls.c.provider,
    calls.c.kind,
    calls.c.person_key,
    calls.c.state,
    calls.c.revision,
).where(
    is_bound(calls.c.call_id),
    calls.c.is_released.is_not(True),
    or_(
        calls.c.state.in_((RESERVED, SENT)),
        and_(
            calls.c.state == UNCONFIRMED,
            calls.c.requested_at > bindparam("held_since", type_=UtcDateTime),
        ),
        calls.c.outcome == MATCHED,
    ),
)
"""Of bound ids: the calls that tell. What is open does, what may have been billed a while ago,
and what was found. A miss tells nothing: it was by another identifier.
"""


def as_number(identifier: str) -> int:
    """An identifier as it is kept here: 64 bits of its digest, since short rows are quick to write.

    Among 100 million identifiers the chance that any two share a number is 1 in 3,700. One of those
    two persons waits until the asker has taken the other's answer into account; neither is bought
    twice, and no answer is given to a person by this number alone.
    """
    return int.from_bytes(hashlib.sha256(identifier.encode()).digest()[:8], "big", signed=True)


def note(connection: Connection, identifiers: Iterable[tuple[str, str]]) -> None:
    """Keep pairs of an identifier and the call that it belongs to; each is kept once."""
    rows = sorted({(as_number(identifier), call_id) for identifier, call_id in identifiers})
    if rows:
        _NOTE.execute(connection, {ROWS: as_json(rows)})


def telling_calls(
    connection: Connection,
    provider: str,
    kind: str,
    known_by: Mapping[str, Collection[str]],
    seen_revision: Mapping[str, int],
    *,
    held_since: datetime,
) -> dict[str, str]:
    """By person, the latest call about another key that shares one of its identifiers.

    What was found tells only who asks without knowing of it: since their revision. First by
    identifier alone, then by id alone: else SQLite reads all calls of the provider each time.
    """
    persons: dict[int, list[str]] = {}
    for person, identifiers in known_by.items():
        for identifier in identifiers:
            persons.setdefault(as_number(identifier), []).append(person)
    if not persons:
        return {}
    bearers: dict[str, list[str]] = {}
    rows = as_json((identifier,) for identifier in persons)
    for identifier, call_id in _BEARING.execute(connection, {ROWS: rows}):
        bearers.setdefault(call_id, []).extend(persons[identifier])
    if not bearers:
        return {}
    values = {
        "held_since": held_since,
        ROWS: as_json((call_id,) for call_id in bearers),
    }
    told: dict[str, str] = {}
    telling = connection.execute(_TELLING, values).all()
    for call in sorted(telling, key=lambda call: (call.revision, call.call_id)):
        if (call.provider, call.kind) != (provider, kind):
            continue
        for person in bearers[call.call_id]:
            is_new = call.revision > seen_revision[person] or call.state in _UNSETTLED
            if is_new and person != call.person_key:
                told[person] = call.call_id
    return told
