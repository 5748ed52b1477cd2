"""Who is who, as far as money needs it: which call tells about whoever bears an identifier.

Here: keeping the hashed identifiers of calls, and finding a call by them. Not here: how an
identifier is read and hashed (`identifiers.py` above this package), and which of them are nobody
else's: the asker says so. The warehouse knows more of who is who; this is what has not reached it
yet, and what those who ask without it go by.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from sqlalchemy import Connection, and_, bindparam, exists, insert, or_, select

from enrichment_pipeline.ledger.prepared import Prepared
from enrichment_pipeline.ledger.rows import ROWS, as_json, bound_rows, number_field, text_field
from enrichment_pipeline.ledger.schema import (
    MATCHED,
    RESERVED,
    SENT,
    UNCONFIRMED,
    UtcDateTime,
    call_identifiers,
    calls,
)

_NOTE = Prepared(
    insert(call_identifiers).from_select(
        ["identifier", "call_id"],
        select(text_field(0), text_field(1))
        .select_from(bound_rows)
        .where(
            ~exists()
            .where(
                call_identifiers.c.identifier == text_field(0),
                call_identifiers.c.call_id == text_field(1),
            )
            .correlate(bound_rows)
        ),
    )
)
_TELLING = (
    select(text_field(0).label("asked_about"), calls.c.call_id)
    .select_from(
        bound_rows.join(call_identifiers, call_identifiers.c.identifier == text_field(1)).join(
            calls, calls.c.call_id == call_identifiers.c.call_id
        )
    )
    .where(
        calls.c.provider == bindparam("of_provider"),
        calls.c.kind == bindparam("of_kind"),
        calls.c.person_key != text_field(0),
        calls.c.is_released.is_not(True),
        or_(
            calls.c.state.in_((RESERVED, SENT)),
            and_(
                calls.c.state == UNCONFIRMED,
                calls.c.requested_at > bindparam("held_since", type_=UtcDateTime),
            ),
            and_(calls.c.outcome == MATCHED, calls.c.revision > number_field(2)),
        ),
    )
    .order_by(calls.c.revision)
)
"""Of bound rows of person, identifier and revision: calls about others that bear it.

What is open tells, whoever knows of it, what may have been billed a while ago, and what was
found since that revision. A miss tells nothing: it was by another identifier.
"""


def note(connection: Connection, identifiers: Iterable[tuple[str, str]]) -> None:
    """Keep pairs of an identifier and the call that it belongs to; each is kept once."""
    rows = sorted(set(identifiers))
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
    """By person, the latest call about another key that shares one of its identifiers."""
    rows = [
        (person, identifier, seen_revision[person])
        for person, identifiers in known_by.items()
        for identifier in identifiers
    ]
    if not rows:
        return {}
    values = {
        "of_provider": provider,
        "of_kind": kind,
        "held_since": held_since,
        ROWS: as_json(rows),
    }
    return {row.asked_about: row.call_id for row in connection.execute(_TELLING, values)}
