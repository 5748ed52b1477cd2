"""What Acme Directory tells of itself.

Here: facts, without the HTTP client. Not here: its codes (`answers.py`) and HTTP (`client.py`).
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from enrichment_pipeline.providers.base import CallFacts, ProviderFacts
from enrichment_pipeline.vocabulary import LOOKUP

if TYPE_CHECKING:
    from enrichment_pipeline_tests.conformance.madeup.acme.client import AcmeClient

ANSWER_SECONDS = 10.0
CONNECT_SECONDS = 5.0
WORST_UNITS = 2
"""One for a profile, one more for a mobile phone."""


def _connect(base_url: str, api_key: str) -> "AcmeClient":
    from enrichment_pipeline_tests.conformance.madeup.acme.client import AcmeClient

    return AcmeClient(base_url, api_key)


def _join_answers(answers: Mapping[int, str]) -> bytes:
    """A reply is one answer; see `ProviderFacts.join_answers`."""
    return answers.get(0, "null").encode()


ACME = ProviderFacts(
    name="acme",
    title="Acme Directory",
    api="https://api.acme-directory.example/v2",
    calls={
        LOOKUP: CallFacts(
            identities=frozenset({"email"}),
            max_batch=1,
            longest_seconds=ANSWER_SECONDS + 5,
            worst_units=WORST_UNITS,
            counts_requests=True,
            rates=((15, 1.0), (500, 60.0)),
        )
    },
    connect=_connect,
    join_answers=_join_answers,
)
