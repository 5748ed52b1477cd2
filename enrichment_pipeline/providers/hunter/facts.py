"""What Hunter tells of itself: what it is asked by, what a call costs, and how fast it may be.

Here: facts, without the HTTP client, which takes its time to import. Not here: keeping to the
limits, HTTP (`client.py`), and what its answers mean (`faults.py`).
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING

from enrichment_pipeline.providers.base import CallFacts, ProviderFacts
from enrichment_pipeline.providers.time_limits import longest_seconds
from enrichment_pipeline.vocabulary import LOOKUP, VERIFICATION

if TYPE_CHECKING:
    from enrichment_pipeline.providers.hunter.client import HunterClient

MAX_BATCH = 1
MAX_DURATION_SECONDS = 20
"""How long Hunter may look for an address: the longest that it takes. A verification that is not
done by then is answered with 202."""
ANSWER_SECONDS = 40.0
"""How long an answer may take in all; Hunter documents no limit beyond those 20 s."""
UNITS_OF_AN_ADDRESS = 1
UNITS_OF_A_VERIFICATION = 1
CREDITS_OF_A_VERIFICATION = Decimal("0.5")
FINDER_RATES = ((15, 1.0), (500, 60.0))
VERIFIER_RATES = ((10, 1.0), (300, 60.0))
"""Requests in a second and a minute, for the two endpoints apart from each other."""


def _connect(base_url: str, api_key: str) -> "HunterClient":
    # only here: most commands make no call, and importing an HTTP client takes its time
    from enrichment_pipeline.providers.hunter.client import HunterClient

    return HunterClient(base_url, api_key)


def _join_answers(answers: Mapping[int, str]) -> bytes:
    """A reply is one answer; see `ProviderFacts.join_answers`."""
    return answers.get(0, "null").encode()


HUNTER = ProviderFacts(
    name="hunter",
    title="Hunter",
    api="https://api.hunter.io/v2",
    calls={
        LOOKUP: CallFacts(
            identities=frozenset({"name"}),
            max_batch=MAX_BATCH,
            worst_units=UNITS_OF_AN_ADDRESS,
            counts_requests=True,
            rates=FINDER_RATES,
            # a moment more than the client itself takes to give up
            longest_seconds=longest_seconds(ANSWER_SECONDS) + 15,
        ),
        VERIFICATION: CallFacts(
            identities=frozenset({"email"}),
            max_batch=MAX_BATCH,
            worst_units=UNITS_OF_A_VERIFICATION,
            credits_per_unit=CREDITS_OF_A_VERIFICATION,
            counts_requests=True,
            rates=VERIFIER_RATES,
            # one that is in progress is asked about again
            is_paged=True,
            longest_seconds=longest_seconds(ANSWER_SECONDS) + 15,
        ),
    },
    connect=_connect,
    join_answers=_join_answers,
)
