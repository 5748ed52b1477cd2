"""What People Data Labs tells of itself: what it is asked by, how much at once, and how fast.

Here: facts, without the HTTP client, which takes its time to import. Not here: keeping to the
limits, HTTP (`client.py`), and what its answers mean (`faults.py`).
"""

from typing import TYPE_CHECKING

from enrichment_pipeline.providers.base import CallFacts, ProviderFacts
from enrichment_pipeline.providers.joining import join_list
from enrichment_pipeline.providers.peopledatalabs.changes import next_release
from enrichment_pipeline.providers.time_limits import longest_seconds
from enrichment_pipeline.vocabulary import CHANGES, LOOKUP

if TYPE_CHECKING:
    from enrichment_pipeline.providers.peopledatalabs.client import PeopleDataLabsClient

MAX_BATCH = 50
"""Half of what its documentation allows: an answer of more than 1 MB fails."""
ANSWER_SECONDS = 60.0
"""How long an answer may take in all; People Data Labs documents no limit."""
MAX_CHANGES = 500
"""Half of what the changelog lists in a reply: no reply is cut off, whatever has changed."""
UNITS_OF_A_MATCH = 1
MIN_LIKELIHOOD = 8
"""Where the policy names none. The provider's own default is told as 0 and as 2."""
FREE_PLAN_RATES = ((100, 60.0),)
"""Requests in a minute on the free plan; others have ten times as many, for the policy. The
changelog has as many of its own."""


def _connect(
    base_url: str, api_key: str, *, min_likelihood: int = MIN_LIKELIHOOD
) -> "PeopleDataLabsClient":
    # only here: most commands make no call, and importing an HTTP client takes its time
    from enrichment_pipeline.providers.peopledatalabs.client import PeopleDataLabsClient

    return PeopleDataLabsClient(base_url, api_key, min_likelihood=min_likelihood)


PEOPLE_DATA_LABS = ProviderFacts(
    name="peopledatalabs",
    title="People Data Labs",
    api="https://api.peopledatalabs.com/v5",
    calls={
        LOOKUP: CallFacts(
            # not by its own id: what the warehouse knows as a uid may be another provider's
            identities=frozenset({"linkedin", "email", "phone", "name"}),
            max_batch=MAX_BATCH,
            worst_units=UNITS_OF_A_MATCH,
            counts_requests=True,
            rates=FREE_PLAN_RATES,
            # a moment more than the client itself takes to give up
            longest_seconds=longest_seconds(ANSWER_SECONDS) + 15,
        ),
        CHANGES: CallFacts(
            identities=frozenset({"uid"}),
            max_batch=MAX_CHANGES,
            unit="nothing",
            worst_units=0,
            counts_requests=True,
            rates=FREE_PLAN_RATES,
            is_repeat_free=True,
            longest_seconds=longest_seconds(ANSWER_SECONDS) + 15,
        ),
    },
    connect=_connect,
    join_answers=join_list,
    options=frozenset({"min_likelihood"}),
    next_release=next_release,
)
