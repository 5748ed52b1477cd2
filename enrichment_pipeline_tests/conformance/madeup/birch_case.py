"""Birch Data's case: what its stand-in can be told to do, and what must come of it.

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
from enrichment_pipeline_tests.conformance.madeup.birch.facts import BIRCH
from enrichment_pipeline_tests.conformance.madeup.birch_stand_in import person_of, running_birch

ADA, BOB, NOBODY = email_of(0), email_of(1), "nobody@crowd.example"
BOTH = (ADA, BOB)


@contextmanager
def start(folder: Path, people: int, **config: Any) -> Iterator[StandIn]:
    with running_birch(AccountConfig(people=people, **config)) as birch:
        yield birch


def goes_by(number: int) -> set[tuple[str, str]]:
    person = person_of(number)
    given = {"uid": "id", "linkedin": "profile", "email": "work_email"}
    return {(kind, person[key]) for kind, key in given.items()}


BIRCH_CASE = Case(
    facts=BIRCH,
    key=AccountConfig.api_key,
    start=start,
    item=email_of,
    unknown=NOBODY,
    goes_by=goes_by,
    limited=lambda rates: {"rates": rates},
    rates=((2, 0.1),),
    situations=(
        Situation("found, in another order", BOTH, (Matched(),) * 2, charged={ADA: 1, BOB: 1}),
        Situation("one alone", (ADA,), (Matched(),), charged={ADA: 1}),
        Situation("nobody", (NOBODY,), (NoMatch(),)),
        Situation(
            "404 and 400 within a batch",
            (NOBODY, ADA, "what is this"),
            (NoMatch(), Matched(), Refused("wrong_parameters")),
            charged={ADA: 1},
        ),
        Situation(
            "with an answer that was sent for no item",
            BOTH,
            (Matched(),) * 2,
            config={"fault": "stranger"},
            charged={ADA: 1, BOB: 1},
        ),
        Situation(
            "401", BOTH, (Retriable("wrong_key"),) * 2, Halt, config={"api_key": "another one"}
        ),
        Situation("402", BOTH, (OutOfCredits(),) * 2, Halt, config={"credits": 1}),
        Situation(
            "429",
            BOTH,
            (Retriable("rate_limited"),) * 2,
            SlowDown,
            config={"rates": ((0, 60.0),)},
        ),
        Situation(
            "500 after charging",
            BOTH,
            (Unconfirmed("http_500"),) * 2,
            Failing,
            config={"fault": "error_500"},
            charged={ADA: 1, BOB: 1},
        ),
        Situation(
            "torn after charging",
            BOTH,
            (NO_REPLY,) * 2,
            Failing,
            config={"fault": "torn"},
            charged={ADA: 1, BOB: 1},
        ),
        Situation(
            "a body without its key",
            BOTH,
            (Unconfirmed("malformed_body"),) * 2,
            Failing,
            config={"fault": "no_responses"},
            charged={ADA: 1, BOB: 1},
        ),
    ),
    documented=frozenset({200, 401, 402, 429}),
    samples=(
        b'{"responses": [{"email": "%b", "status": 404},'
        b' {"email": "%b", "status": 200, "data": {"id": "birch-0"}}]}'
        % (BOB.encode(), ADA.encode()),
    ),
)
