"""What each outcome becomes in the ledger, and reading replies that nobody has read yet.

Here: the table of states, outcome by outcome. Not here: which answer means which
outcome (`providers/`), and the states themselves (`ledger/`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from enrichment_pipeline.ledger.journal import FenceError, Settlement
from enrichment_pipeline.ledger.ledger import Asked, Ledger
from enrichment_pipeline.ledger.schema import MATCHED, RELEASED, REPLIED, SENT, UNCONFIRMED
from enrichment_pipeline.providers.base import (
    ItemReading,
    LegalStop,
    Matched,
    NoMatch,
    OutOfCredits,
    Provider,
    Refused,
    Retriable,
    Signal,
    Unconfirmed,
)


@dataclass
class ReadReplies:
    """What reading kept replies came to: look-ups settled, and what they say of the provider."""

    lookups: int = 0
    unasked: int = 0
    signals: list[Signal] = field(default_factory=list)


def settlement_for(reading: ItemReading) -> Settlement:
    """What an outcome becomes in the ledger: the table of states, outcome by outcome."""
    index = reading.answer_index
    match reading.outcome:
        case Matched(credits):
            return Settlement(REPLIED, MATCHED, None, credits, index)
        case NoMatch():
            return Settlement(REPLIED, "no_match", None, 0, index)
        case Refused(reason):
            return Settlement(REPLIED, "refused", reason, 0, index)
        case LegalStop():
            return Settlement(REPLIED, "legal_stop", None, 0, index)
        case OutOfCredits():
            return Settlement(RELEASED, "out_of_credits", "out_of_credits", 0, index)
        case Retriable(reason):
            return Settlement(RELEASED, "retriable", reason, 0, index)
        case Unconfirmed(reason):
            return Settlement(UNCONFIRMED, "unconfirmed", reason, 0, index)


def read_kept_replies(
    ledger: Ledger, provider: Provider, dead_run_ids: Sequence[str] = ()
) -> ReadReplies:
    """Read what was kept and not yet read: callbacks, and what a killed run had received."""
    came_to = ReadReplies()
    for kept in ledger.unread_replies():
        if ledger.is_left_to_its_run(kept, dead_run_ids):
            continue
        items = [asked.item for asked in kept.asked]
        if kept.is_callback:
            reading = provider.read_callback(kept.body, items)
        else:
            reading = provider.read(kept.http_status, kept.body, items)
        settlements, later_successes = _what_is_new(kept.asked, reading.items)
        try:
            ledger.settle(
                settlements,
                reply_id=kept.reply_id,
                answered_at=ledger.answered_at(kept),
                later_successes=later_successes,
            )
        except FenceError:
            continue  # its own run is alive, and has settled it meanwhile
        came_to.lookups += len(settlements) + len(later_successes)
        came_to.unasked += reading.unasked
        if reading.signal is not None:
            came_to.signals.append(reading.signal)
    return came_to


def _what_is_new(
    asked: Sequence[Asked], readings: Sequence[ItemReading | None]
) -> tuple[dict[str, Settlement], dict[str, Settlement]]:
    """Settlements for look-ups that are open, and successes for some that had failed.

    Whoever has been found already stays so, whatever else comes for the same item.
    """
    settlements: dict[str, Settlement] = {}
    later_successes: dict[str, Settlement] = {}
    found = {lookup.item for lookup in asked if lookup.outcome == MATCHED}
    for lookup, reading in zip(asked, readings, strict=True):
        if reading is None or lookup.item in found:
            continue
        settlement = settlement_for(reading)
        is_open = lookup.state in (SENT, UNCONFIRMED)
        # an unconfirmed look-up that stays so is no transition
        if is_open and settlement.state != lookup.state:
            settlements[lookup.lookup_id] = settlement
        elif not is_open and settlement.outcome == MATCHED:
            later_successes[lookup.lookup_id] = settlement
    return settlements, later_successes
