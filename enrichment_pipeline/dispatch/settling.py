"""What each outcome becomes in the ledger, and reading replies that are still unread.

Here: the table of states, outcome by outcome. Not here: which answer means which
outcome (`providers/`), and the states themselves (`ledger/`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from enrichment_pipeline.dispatch.asking import Asking
from enrichment_pipeline.hashed_identifiers import hashed_all
from enrichment_pipeline.ledger import kept
from enrichment_pipeline.ledger.calls import Calls
from enrichment_pipeline.ledger.journal import FenceError, Settlement
from enrichment_pipeline.ledger.kept import Asked
from enrichment_pipeline.ledger.schema import RELEASED, REPLIED, SENT, UNCONFIRMED
from enrichment_pipeline.ledger.store import LedgerStore
from enrichment_pipeline.providers.base import (
    Changed,
    Checked,
    Found,
    ItemReading,
    LegalStop,
    Matched,
    NoMatch,
    OutOfCredits,
    Refused,
    Retriable,
    Signal,
    Unchanged,
    Unconfirmed,
)
from enrichment_pipeline.vocabulary import (
    CHANGED,
    CHECKED,
    FOUND,
    LEGAL_STOP,
    MATCHED,
    NO_MATCH,
    REFUSED,
    UNCHANGED,
)


@dataclass
class ReadReplies:
    """The result of reading kept replies: calls settled, and what they say of the provider."""

    calls: int = 0
    unsolicited_answers: int = 0
    signals: list[Signal] = field(default_factory=list)


_ANSWERS: dict[type, str] = {
    Matched: MATCHED,
    Checked: CHECKED,
    Unchanged: UNCHANGED,
    Changed: CHANGED,
    NoMatch: NO_MATCH,
}
"""Answers of which there is nothing more to tell."""


def settlement_for(reading: ItemReading) -> Settlement:
    """What an outcome becomes in the ledger: the table of states, outcome by outcome."""
    match reading.outcome:
        case Found(why):
            state, outcome, reason = REPLIED, FOUND, why
        case Refused(why):
            state, outcome, reason = REPLIED, REFUSED, why
        case LegalStop(why):
            state, outcome, reason = REPLIED, LEGAL_STOP, why
        case OutOfCredits():
            state, outcome, reason = RELEASED, "out_of_credits", "out_of_credits"
        case Retriable(why):
            state, outcome, reason = RELEASED, "retriable", why
        case Unconfirmed(why):
            state, outcome, reason = UNCONFIRMED, "unconfirmed", why
        case answer:
            state, outcome, reason = REPLIED, _ANSWERS[type(answer)], None
    return Settlement(
        state, outcome, reason, reading.units, reading.answer_index, reading.is_complete
    )


def identifiers_of(readings: Mapping[str, ItemReading]) -> list[tuple[str, str]]:
    """Hashed identifiers that answers gave, each with the call that was answered."""
    return [
        (identifier, call_id)
        for call_id, reading in readings.items()
        for identifier in hashed_all(reading.identifiers)
    ]


def read_kept_replies(
    store: LedgerStore, calls: Calls, asking: Asking, dead_run_ids: Sequence[str] = ()
) -> ReadReplies:
    """Read what was kept and not yet read: callbacks, and what a killed run had received."""
    read = ReadReplies()
    for each in kept.unread(store, calls.provider, calls.kind):
        if kept.is_left_to_its_run(calls, each, dead_run_ids):
            continue
        items = [asked.item for asked in each.asked]
        if each.is_callback:
            reading = asking.read_callback(each.bodies[-1][1], items)
        else:
            reading = asking.read(each.bodies, items, each.series, each.units_told)
        new, later_successes = _what_is_new(each.asked, reading.items)
        settle = partial(
            calls.settle,
            settlements=_settlements(new),
            reply_id=each.reply_id,
            answered_at=kept.answered_at(calls, each),
            later_successes=_settlements(later_successes),
            known_by=identifiers_of(new),
        )
        try:
            store.transact(settle)
        except FenceError:
            continue  # its own run is alive, and has settled it meanwhile
        read.calls += len(new) + len(later_successes)
        read.unsolicited_answers += reading.unsolicited_answers
        if reading.signal is not None:
            read.signals.append(reading.signal)
    return read


def _settlements(readings: Mapping[str, ItemReading]) -> dict[str, Settlement]:
    return {call_id: settlement_for(reading) for call_id, reading in readings.items()}


def _what_is_new(
    asked: Iterable[Asked], readings: Sequence[ItemReading | None]
) -> tuple[dict[str, ItemReading], dict[str, ItemReading]]:
    """Readings for calls that are open, and successes for some that had failed.

    An item that has been found already stays so, whatever else is answered for it.
    """
    new: dict[str, ItemReading] = {}
    later_successes: dict[str, ItemReading] = {}
    asked = list(asked)
    found = {call.item for call in asked if call.outcome == MATCHED}
    for call, reading in zip(asked, readings, strict=True):
        if reading is None or call.item in found:
            continue
        is_open = call.state in (SENT, UNCONFIRMED)
        # an unconfirmed call that stays so is no transition
        if is_open and settlement_for(reading).state != call.state:
            new[call.call_id] = reading
        elif not is_open and isinstance(reading.outcome, Matched):
            later_successes[call.call_id] = reading
    return new, later_successes
