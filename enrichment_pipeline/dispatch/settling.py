"""What each outcome becomes in the ledger, and reading replies that nobody has read yet.

Here: the table of states, outcome by outcome. Not here: which answer means which
outcome (`providers/`), and the states themselves (`ledger/`).
"""

from enrichment_pipeline.ledger.journal import FenceError, Settlement
from enrichment_pipeline.ledger.ledger import Ledger
from enrichment_pipeline.ledger.schema import RELEASED, REPLIED, UNCONFIRMED
from enrichment_pipeline.providers.base import (
    ItemReading,
    LegalStop,
    Matched,
    NoMatch,
    OutOfCredits,
    Provider,
    Refused,
    Retriable,
    Unconfirmed,
)


def settlement_for(reading: ItemReading) -> Settlement:
    """What an outcome becomes in the ledger: the table of states, outcome by outcome."""
    index = reading.answer_index
    match reading.outcome:
        case Matched(credits):
            return Settlement(REPLIED, "matched", None, credits, index)
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


def settle_kept_replies(ledger: Ledger, provider: Provider) -> int:
    """Read replies that a killed run had kept but not yet settled; how many look-ups."""
    settled = 0
    for kept in ledger.unsettled_replies():
        reading = provider.read(kept.http_status, kept.body, list(kept.items.values()))
        settlements = dict(zip(kept.items, map(settlement_for, reading.items), strict=True))
        # an unconfirmed look-up that stays so is no transition
        settlements = {
            lookup_id: settlement
            for lookup_id, settlement in settlements.items()
            if settlement.state != UNCONFIRMED or lookup_id in kept.sent
        }
        if not settlements:
            continue
        try:
            ledger.settle(settlements, reply_id=kept.reply_id, answered_at=kept.answered_at)
        except FenceError:
            continue  # its own run is alive, and has settled it meanwhile
        settled += len(settlements)
    return settled
