"""Acme Directory's case: what its stand-in can be told to do, and what must come of it.

Here: the description that the conformance tests take. Not here: any test of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from enrichment_pipeline.providers.base import (
    NO_REPLY,
    Failing,
    Halt,
    LegalStop,
    Matched,
    NoMatch,
    OutOfCredits,
    Refused,
    Retriable,
    SlowDown,
    Unconfirmed,
)
from enrichment_pipeline_tests.conformance import Case, Situation, StandIn
from enrichment_pipeline_tests.conformance.madeup.account import AccountConfig, email_of
from enrichment_pipeline_tests.conformance.madeup.acme.facts import ACME
from enrichment_pipeline_tests.conformance.madeup.acme_stand_in import person_of, running_acme

ADA, BOB = email_of(0), email_of(1)
"""With a mobile phone, and so for two credits; and without."""
NOBODY = "nobody@crowd.example"


@contextmanager
def start(folder: Path, people: int, **config: Any) -> Iterator[StandIn]:
    with running_acme(AccountConfig(people=people, **config)) as acme:
        yield acme


def goes_by(number: int) -> set[tuple[str, str]]:
    person = person_of(number)
    given = {"uid": "id", "linkedin": "linkedin", "email": "email", "phone": "mobile"}
    return {(kind, person[key]) for kind, key in given.items() if person[key]}


ACME_CASE = Case(
    facts=ACME,
    key=AccountConfig.api_key,
    start=start,
    item=email_of,
    unknown=NOBODY,
    goes_by=goes_by,
    limited=lambda rates: {"rates": rates},
    rates=((2, 0.1), (5, 0.4)),
    situations=(
        Situation("found with a mobile phone", (ADA,), (Matched(),), charged={ADA: 2}),
        Situation("found without", (BOB,), (Matched(),), charged={BOB: 1}),
        Situation("404", (NOBODY,), (NoMatch(),)),
        Situation("400", ("what is this",), (Refused("wrong_parameters"),)),
        Situation(
            "401", (ADA,), (Retriable("wrong_key"),), Halt, config={"api_key": "another one"}
        ),
        Situation(
            "403", (ADA,), (Retriable("rate_limited"),), SlowDown, config={"rates": ((0, 60.0),)}
        ),
        Situation("429", (ADA,), (OutOfCredits(),), Halt, config={"credits": 1}),
        Situation("451", (ADA,), (LegalStop(),), config={"suppressed": frozenset({ADA})}),
        Situation(
            "500 after charging",
            (ADA,),
            (Unconfirmed("http_500"),),
            Failing,
            config={"fault": "error_500"},
            charged={ADA: 2},
        ),
        Situation(
            "torn after charging",
            (ADA,),
            (NO_REPLY,),
            Failing,
            config={"fault": "torn"},
            charged={ADA: 2},
        ),
        Situation(
            "half a body",
            (BOB,),
            (Unconfirmed("malformed_body"),),
            Failing,
            config={"fault": "garbled"},
            charged={BOB: 1},
        ),
        Situation(
            "a body without its key",
            (BOB,),
            (Unconfirmed("malformed_body"),),
            Failing,
            config={"fault": "no_person"},
            charged={BOB: 1},
        ),
        Situation(
            "found for a cost that is not told, and so is the worst",
            (ADA,),
            (Matched(),),
            config={"fault": "no_cost"},
            charged={ADA: 2},
        ),
        Situation(
            "found for a cost that no ledger could hold",
            (ADA,),
            (Matched(),),
            config={"fault": "odd_cost"},
            charged={ADA: 2},
        ),
    ),
    documented=frozenset({200, 400, 401, 403, 404, 429, 451}),
    samples=(b'{"person": {"id": "acme-1", "email": "person-1@crowd.example"}}',),
    price=0.28,
)
