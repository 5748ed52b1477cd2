"""What Prospeo tells of itself: what it is asked by, how much at once, and how fast.

Here: facts, without the HTTP client, which takes its time to import. Not here: keeping to the
limits, HTTP (`client.py`), and what its answers mean (`faults.py`).
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from enrichment_pipeline.providers.base import CallFacts, ProviderFacts
from enrichment_pipeline.providers.time_limits import longest_seconds
from enrichment_pipeline.vocabulary import LOOKUP

if TYPE_CHECKING:
    from enrichment_pipeline.providers.prospeo.client import ProspeoClient

MAX_BATCH = 50
ANSWER_SECONDS = 60.0
"""How long an answer may take in all; Prospeo documents no limit."""
UNITS_OF_A_MATCH = 1
"""Ten with a mobile phone, which we never ask for."""
STARTER_RATES = ((5, 1.0), (300, 60.0), (2_000, 86_400.0))
"""Records in a second, a minute and a day on the smallest plan; larger ones are for the policy."""


def _connect(base_url: str, api_key: str) -> "ProspeoClient":
    # only here: most commands make no call, and importing an HTTP client takes its time
    from enrichment_pipeline.providers.prospeo.client import ProspeoClient

    return ProspeoClient(base_url, api_key)


def _join_answers(answers: Mapping[int, str]) -> bytes:
    from enrichment_pipeline.providers.prospeo.answers import join_answers

    return join_answers(answers)


PROSPEO = ProviderFacts(
    name="prospeo",
    title="Prospeo",
    api="https://api.prospeo.io",
    calls={
        LOOKUP: CallFacts(
            # not by its own person_id: what the warehouse knows as a uid may be another provider's
            identities=frozenset({"linkedin", "email", "name"}),
            max_batch=MAX_BATCH,
            worst_units=UNITS_OF_A_MATCH,
            is_repeat_free=True,
            rates=STARTER_RATES,
            # a moment more than the client itself takes to give up
            longest_seconds=longest_seconds(ANSWER_SECONDS) + 15,
        ),
    },
    connect=_connect,
    join_answers=_join_answers,
)
