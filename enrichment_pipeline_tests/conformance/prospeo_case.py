"""Prospeo's case: what its stand-in can be told to do, and what must come of it.

Here: the description that the conformance tests take. Not here: any test of its own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
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
    Rejected,
    Retriable,
    SlowDown,
    Unconfirmed,
)
from enrichment_pipeline.providers.items import row_key
from enrichment_pipeline.providers.prospeo.facts import PROSPEO
from enrichment_pipeline.sandbox.directory import read_people
from enrichment_pipeline_tests.conformance import Case, Rates, Situation, StandIn
from enrichment_pipeline_tests.conformance.crowd import (
    ADA,
    BOB,
    BOTH,
    NOBODY,
    Journalled,
    crowd,
    item,
    uid,
)
from enrichment_pipeline_tests.support import running_prospeo, write_csv

PROCESSED = 0
"""A seed with which a request of both fails after it was processed."""


@contextmanager
def start(folder: Path, people: int, **config: Any) -> Iterator[StandIn]:
    """One that knows all of them, unless it is told otherwise."""
    journal = folder / "journal.jsonl"
    rows = read_people(write_csv(folder / "people.csv", crowd(people)))
    with running_prospeo(rows, journal, **config) as base_url:
        yield Journalled(base_url, journal)


def limited(rates: Rates) -> Mapping[str, Any]:
    """A second's limit of so many, and a minute's where there are two."""
    (per_second, second_seconds), *further = rates
    limits: dict[str, Any] = {"per_second": per_second, "second_seconds": second_seconds}
    for units, seconds in further:
        limits |= {"per_minute": units, "minute_seconds": seconds}
    return limits


def person_id(number: int) -> str:
    return hashlib.sha256(f"prospeo {uid(number)}".encode()).hexdigest()[:24]


PROSPEO_CASE = Case(
    facts=PROSPEO,
    key="sandbox",
    start=start,
    item=item,
    unknown=NOBODY,
    goes_by=lambda number: {
        ("uid", person_id(number)),
        ("linkedin", f"https://www.linkedin.com/in/person-{number}"),
        ("email", item(number)),
    },
    limited=limited,
    rates=((2, 0.1), (5, 0.4)),
    situations=(
        Situation("found", BOTH, (Matched(),) * 2, charged={ADA: 1, BOB: 1}),
        Situation("nobody", (NOBODY,), (NoMatch(),)),
        Situation("400 NO_MATCH", (NOBODY,), (NoMatch(),), config={"no_match_as": "error"}),
        Situation("a mixture", (NOBODY, ADA), (NoMatch(), Matched()), charged={ADA: 1}),
        Situation(
            "invalid_datapoints in an answer",
            ("what is this", ADA),
            (Refused("invalid_datapoints"), Matched()),
            charged={ADA: 1},
        ),
        Situation(
            "400 INVALID_DATAPOINTS",
            ("what is this", ADA),
            (Retriable("invalid_datapoints"),) * 2,
            Rejected,
            config={"bad_record_spoils_batch": True},
        ),
        Situation(
            "401", BOTH, (Retriable("wrong_key"),) * 2, Halt, config={"api_key": "another one"}
        ),
        Situation(
            "400 ACCOUNT_RESTRICTED",
            BOTH,
            (Retriable("account_restricted"),) * 2,
            Halt,
            config={"account_restricted": True},
        ),
        Situation(
            "400 INSUFFICIENT_CREDITS", BOTH, (OutOfCredits(),) * 2, Halt, config={"credits": 1}
        ),
        Situation(
            "credits that run out within a request",
            BOTH,
            (Matched(), Unconfirmed("missing_from_answer")),
            config={"credits": 1, "short_of_credits": "missing"},
            charged={ADA: 1},
        ),
        Situation(
            "429", BOTH, (Retriable("rate_limited"),) * 2, SlowDown, config={"per_minute": 1}
        ),
        Situation(
            "400 INTERNAL_ERROR after charging",
            BOTH,
            (Unconfirmed("internal_error"),) * 2,
            Failing,
            config={"faults": {"internal_error": 1.0}, "seed": PROCESSED},
            charged={ADA: 1, BOB: 1},
        ),
        Situation(
            "torn after charging",
            BOTH,
            (NO_REPLY,) * 2,
            Failing,
            config={"faults": {"torn": 1.0}, "seed": PROCESSED},
            charged={ADA: 1, BOB: 1},
        ),
        Situation(
            "charged, and in no list",
            BOTH,
            (Unconfirmed("missing_from_answer"),) * 2,
            Failing,
            config={"faults": {"missing": 1.0}},
            charged={ADA: 1, BOB: 1},
        ),
        Situation(
            "found for a cost that is not told",
            BOTH,
            (Matched(),) * 2,
            config={"faults": {"no_total_cost": 1.0}},
            charged={ADA: 1, BOB: 1},
        ),
        Situation(
            "in another order",
            (NOBODY, ADA, BOB),
            (NoMatch(), Matched(), Matched()),
            config={"record_order": "shuffled", "seed": 1},
            charged={ADA: 1, BOB: 1},
        ),
    ),
    documented=frozenset({200, 301, 302, 307, 308, 400, 401, 429}),
    samples=(
        json.dumps(
            {
                "error": False,
                "total_cost": 1,
                "matched": [
                    {
                        "identifier": row_key(ADA),
                        "person": {"person_id": "1"},
                        "company": None,
                    }
                ],
                "not_matched": [row_key(BOB)],
                "invalid_datapoints": [],
            }
        ).encode(),
        b'{"error": true, "error_code": "NO_MATCH"}',
    ),
)
