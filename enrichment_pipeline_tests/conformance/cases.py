"""The providers that must conform: each with its stand-in, and what that can be told to do.

Here: SignalHire's case, and the list of all. Not here: the others'
(`prospeo_case.py`, `people_data_labs_case.py`, `hunter_case.py`, `madeup/`).
"""

from __future__ import annotations

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
    Rejected,
    Retriable,
    SlowDown,
    Unconfirmed,
)
from enrichment_pipeline.providers.signalhire.facts import SIGNALHIRE
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
from enrichment_pipeline_tests.conformance.hunter_case import HUNTER_CASE
from enrichment_pipeline_tests.conformance.madeup.acme_case import ACME_CASE
from enrichment_pipeline_tests.conformance.madeup.birch_case import BIRCH_CASE
from enrichment_pipeline_tests.conformance.people_data_labs_case import PEOPLE_DATA_LABS_CASE
from enrichment_pipeline_tests.conformance.prospeo_case import PROSPEO_CASE
from enrichment_pipeline_tests.support import (
    people_of,
    running_sandbox,
)


@contextmanager
def start(folder: Path, people: int, **config: Any) -> Iterator[StandIn]:
    rows = crowd(people)
    journal = folder / "journal.jsonl"
    with running_sandbox(people_of(folder / "people.csv", rows), journal, **config) as sandbox:
        yield Journalled(sandbox.base_url, journal)


def limited(rates: Rates) -> Mapping[str, Any]:
    [(units, seconds)] = rates
    return {"items_per_window": units, "window_seconds": seconds}


SIGNALHIRE_CASE = Case(
    facts=SIGNALHIRE,
    key="sandbox",
    start=start,
    item=item,
    unknown=NOBODY,
    goes_by=lambda number: {
        ("uid", uid(number)),
        ("linkedin", f"https://www.linkedin.com/in/person-{number}"),
        ("email", item(number)),
        ("phone", f"+491512345{number:04d}"),
    },
    limited=limited,
    rates=((4, 0.2),),
    situations=(
        Situation("found", BOTH, (Matched(),) * 2, charged={ADA: 1, BOB: 1}),
        Situation("nobody", (NOBODY,), (NoMatch(),)),
        Situation("a mixture", (NOBODY, ADA), (NoMatch(), Matched()), charged={ADA: 1}),
        Situation(
            "401", BOTH, (Retriable("wrong_key"),) * 2, Halt, config={"api_key": "another one"}
        ),
        Situation(
            "403", BOTH, (Retriable("not_allowed"),) * 2, Halt, config={"account_disabled": True}
        ),
        Situation("402", BOTH, (OutOfCredits(),) * 2, Halt, config={"credits": 0}),
        Situation(
            "credits_are_over",
            BOTH,
            (Matched(), OutOfCredits()),
            Halt,
            config={"credits": 1},
            charged={ADA: 1},
        ),
        Situation(
            "422",
            ("what is this", ADA),
            (Retriable("wrong_parameters"),) * 2,
            Rejected,
            config={"bad_item_spoils_batch": True},
        ),
        Situation(
            "429",
            BOTH,
            (Retriable("rate_limited"),) * 2,
            SlowDown,
            config={"faults": {"slow_down": 1.0}},
        ),
        Situation(
            "500 after charging",
            BOTH,
            (Unconfirmed("http_500"),) * 2,
            Failing,
            config={"faults": {"error_500": 1.0}, "seed": 0},
            charged={ADA: 1, BOB: 1},
        ),
        Situation(
            "torn after charging",
            BOTH,
            (NO_REPLY,) * 2,
            Failing,
            config={"faults": {"torn": 1.0}, "seed": 0},
            charged={ADA: 1, BOB: 1},
        ),
        Situation(
            "duplicate_query",
            BOTH,
            (Retriable("duplicate_query"),) * 2,
            config={"faults": {"duplicate_query": 1.0}},
        ),
        Situation(
            "timeout_exceeded",
            BOTH,
            (Retriable("timeout_exceeded"),) * 2,
            config={"faults": {"timeout_exceeded": 1.0}},
        ),
        Situation(
            "in another order",
            (NOBODY, ADA, BOB),
            (NoMatch(), Matched(), Matched()),
            config={"item_order": "shuffled", "seed": 1},
            charged={ADA: 1, BOB: 1},
        ),
    ),
    documented=frozenset({200, 301, 302, 307, 308, 401, 402, 403, 404, 406, 422, 429, 451}),
    samples=(
        b'[{"item":"%b","status":"success","candidate":{"uid":"1","contacts":[]}},'
        b'{"item":"%b","status":"failed"}]' % (ADA.encode(), BOB.encode()),
    ),
)


CASES: dict[str, Case] = {
    case.facts.name: case
    for case in (
        SIGNALHIRE_CASE,
        PROSPEO_CASE,
        PEOPLE_DATA_LABS_CASE,
        HUNTER_CASE,
        ACME_CASE,
        BIRCH_CASE,
    )
}
