"""What SignalHire tells of itself: its kinds of call, and how long each may take.

Here: facts, without the HTTP client, which takes its time to import. Not here: keeping to the
limits (`client.py`), and what its answers mean (`faults.py`, `search_faults.py`).
"""

from typing import TYPE_CHECKING

from enrichment_pipeline.providers.base import CallFacts, ProviderFacts
from enrichment_pipeline.providers.joining import join_list
from enrichment_pipeline.providers.time_limits import longest_seconds
from enrichment_pipeline.vocabulary import LOOKUP, SEARCH

if TYPE_CHECKING:
    from enrichment_pipeline.providers.signalhire.client import SignalHireClient

MAX_BATCH = 100
ANSWER_SECONDS = 60.0
"""How long a synchronous answer may take in all; SignalHire documents no limit."""
SEARCH_SECONDS = 15.0
"""How long a page of a search may take in all: as long as a scroll id lives."""
SEARCH_PAUSE_SECONDS = 5.0
"""After a 429 that does not say for how long: it was about searches at once, which are short."""


def _connect(base_url: str, api_key: str) -> "SignalHireClient":
    # only here: most commands make no call, and importing an HTTP client takes its time
    from enrichment_pipeline.providers.signalhire.client import SignalHireClient

    return SignalHireClient(base_url, api_key)


def _count_answers(body: bytes) -> int | None:
    from enrichment_pipeline.providers.signalhire.answers import count_answers

    return count_answers(body)


SIGNALHIRE = ProviderFacts(
    name="signalhire",
    title="SignalHire",
    api="https://www.signalhire.com/api/v1",
    calls={
        LOOKUP: CallFacts(
            identities=frozenset({"linkedin", "email", "phone", "uid"}),
            max_batch=MAX_BATCH,
            rates=((600, 60.0),),
            # a moment more than the client itself takes to give up
            longest_seconds=longest_seconds(ANSWER_SECONDS) + 15,
            is_called_back=True,
        ),
        SEARCH: CallFacts(
            identities=frozenset({"name"}),
            max_batch=1,
            longest_seconds=longest_seconds(SEARCH_SECONDS) + 5,
            unit="requests",
            is_repeat_free=True,
            is_paged=True,
            pause_seconds=SEARCH_PAUSE_SECONDS,
        ),
    },
    connect=_connect,
    join_answers=join_list,
    count_answers=_count_answers,
)
