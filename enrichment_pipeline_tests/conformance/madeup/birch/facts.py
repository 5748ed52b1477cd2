"""What Birch Data tells of itself.

Here: facts, without the HTTP client. Not here: its codes (`answers.py`) and HTTP (`client.py`).
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from enrichment_pipeline.providers.base import CallFacts, ProviderFacts
from enrichment_pipeline.vocabulary import LOOKUP

if TYPE_CHECKING:
    from enrichment_pipeline_tests.conformance.madeup.birch.client import BirchClient

ANSWER_SECONDS = 10.0
CONNECT_SECONDS = 5.0


def _connect(base_url: str, api_key: str) -> "BirchClient":
    from enrichment_pipeline_tests.conformance.madeup.birch.client import BirchClient

    return BirchClient(base_url, api_key)


def _join_answers(answers: Mapping[int, str]) -> bytes:
    from enrichment_pipeline_tests.conformance.madeup.birch.answers import join_answers

    return join_answers(answers)


BIRCH = ProviderFacts(
    name="birch",
    title="Birch Data",
    api="https://api.birch-data.example/v1",
    calls={
        LOOKUP: CallFacts(
            identities=frozenset({"email"}),
            max_batch=4,
            longest_seconds=ANSWER_SECONDS + 5,
            counts_requests=True,
            rates=((100, 60.0),),
        )
    },
    connect=_connect,
    join_answers=_join_answers,
)
