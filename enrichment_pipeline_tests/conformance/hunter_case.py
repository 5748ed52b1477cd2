"""Hunter's case: what its stand-in can be told to do, and what must come of it.

Here: the description that the conformance tests take. Not here: any test of its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from enrichment_pipeline.providers.base import (
    NO_REPLY,
    Checked,
    Failing,
    Halt,
    LegalStop,
    Matched,
    NoMatch,
    OutOfCredits,
    Refused,
    Rejected,
    Retriable,
    SlowDown,
    Unconfirmed,
)
from enrichment_pipeline.providers.hunter.facts import HUNTER
from enrichment_pipeline.sandbox.directory import read_people
from enrichment_pipeline_tests.conformance import (
    Case,
    Checking,
    Rates,
    Situation,
    StandIn,
    VerifierCase,
)
from enrichment_pipeline_tests.conformance.crowd import Journalled, crowd, item
from enrichment_pipeline_tests.support import running_hunter, write_csv

DOMAIN = "crowd.example"
PROCESSED = 9
"""A seed with which a request about the first person, by name or address, fails after being
processed."""


def name(number: int) -> str:
    """The n-th person, as an item."""
    return f"Person {number} @ {DOMAIN}"


ADA, BOB, NOBODY = name(0), name(1), f"Nobody Known @ {DOMAIN}"
MAIL = item(0)


@contextmanager
def start(folder: Path, people: int, **config: Any) -> Iterator[StandIn]:
    """One that knows everybody, unless it is told otherwise."""
    journal = folder / "journal.jsonl"
    employed = [{**row, "company": "Crowd", "company_domain": DOMAIN} for row in crowd(people)]
    rows = read_people(write_csv(folder / "people.csv", employed))
    with running_hunter(rows, journal, **config) as base_url:
        yield Journalled(base_url, journal)


def limited(rates: Rates) -> Mapping[str, Any]:
    (per_second, second_seconds), (per_minute, minute_seconds) = rates
    return {
        "per_second": per_second,
        "second_seconds": second_seconds,
        "per_minute": per_minute,
        "minute_seconds": minute_seconds,
    }


def checked(status: str, score: int) -> bytes:
    data = {"status": status, "score": score, "email": MAIL}
    return json.dumps({"data": data, "meta": {"params": {"email": MAIL}}}).encode()


VERIFIER = VerifierCase(
    address=item,
    slow={"faults": {"in_progress": 0.5}, "in_progress_seconds": 0.0},
    checkings=(
        Checking("valid", MAIL, Checked(), units=1),
        Checking("invalid", "nobody@crowd.example", Checked(), units=1),
        Checking("at a host that takes all", MAIL, Checked(), config={"accept_all": 1.0}, units=1),
        Checking("webmail", "person.0@gmail.com", Checked(), units=1),
        Checking("disposable", "person.0@mailinator.com", Checked(), units=1),
        Checking("unknown", MAIL, Retriable("unknown"), config={"unknown": 1.0}),
        Checking(
            "202",
            MAIL,
            Retriable("in_progress"),
            config={"faults": {"in_progress": 1.0}},
            units=1,
            is_in_progress=True,
        ),
        Checking(
            "202, then 200: charged once",
            MAIL,
            Checked(),
            config={"faults": {"in_progress": 1.0}, "in_progress_seconds": 0.0},
            units=1,
            times=2,
        ),
        Checking(
            "222",
            MAIL,
            Retriable("mail_server_failed"),
            config={"faults": {"mail_server_failed": 1.0}},
        ),
        Checking("400", "what is this", Refused("wrong_parameters"), Failing),
        Checking("401", MAIL, Retriable("wrong_key"), Halt, config={"api_key": "another one"}),
        Checking(
            "403",
            MAIL,
            Retriable("rate_limited"),
            SlowDown,
            config={"verifications_per_minute": 0},
        ),
        Checking("429", MAIL, OutOfCredits(), Halt, config={"credits": 0}),
        Checking("451", MAIL, LegalStop(), config={"legal_stop": 1.0}),
        Checking(
            "500 after charging",
            MAIL,
            Unconfirmed("http_500"),
            Failing,
            config={"faults": {"error_500": 1.0}, "seed": PROCESSED},
            units=1,
        ),
        Checking(
            "torn after charging",
            MAIL,
            NO_REPLY,
            Failing,
            config={"faults": {"torn": 1.0}, "seed": PROCESSED},
            units=1,
        ),
    ),
    documented=frozenset({200, 202, 222, 301, 302, 307, 308, 400, 401, 403, 404, 422, 429, 451}),
    samples=(checked("valid", 99), checked("unknown", 40)),
)


HUNTER_CASE = Case(
    facts=HUNTER,
    key="sandbox",
    start=start,
    item=name,
    item_kind="name",
    unknown=NOBODY,
    goes_by=lambda number: {
        ("linkedin", f"https://www.linkedin.com/in/person-{number}"),
        ("email", item(number)),
    },
    limited=limited,
    rates=((2, 0.1), (5, 0.4)),
    situations=(
        Situation("found", (ADA,), (Matched(),), charged={ADA: 1}),
        Situation(
            "found by the company's name",
            ("Person 1 @ Crowd",),
            (Matched(),),
            charged={"Person 1 @ Crowd": 1},
        ),
        Situation("nothing found", (NOBODY,), (NoMatch(),)),
        Situation("400", ("what is this",), (Retriable("wrong_parameters"),), Rejected),
        Situation(
            "401", (ADA,), (Retriable("wrong_key"),), Halt, config={"api_key": "another one"}
        ),
        Situation("403", (ADA,), (Retriable("rate_limited"),), SlowDown, config={"per_minute": 0}),
        Situation("429", (ADA,), (OutOfCredits(),), Halt, config={"credits": 0}),
        Situation("451", (ADA,), (LegalStop(),), config={"legal_stop": 1.0}),
        Situation(
            "500 after charging",
            (ADA,),
            (Unconfirmed("http_500"),),
            Failing,
            config={"faults": {"error_500": 1.0}, "seed": PROCESSED},
            charged={ADA: 1},
        ),
        Situation(
            "torn after charging",
            (ADA,),
            (NO_REPLY,),
            Failing,
            config={"faults": {"torn": 1.0}, "seed": PROCESSED},
            charged={ADA: 1},
        ),
    ),
    documented=frozenset({200, 301, 302, 307, 308, 400, 401, 403, 404, 422, 429, 451}),
    samples=(
        json.dumps(
            {
                "data": {
                    "first_name": "Person",
                    "last_name": "0",
                    "email": MAIL,
                    "score": 97,
                    "domain": DOMAIN,
                    "verification": {"date": "2026-11-02", "status": "valid"},
                    "sources": [],
                },
                "meta": {"params": {"full_name": "Person 0", "domain": DOMAIN}},
            }
        ).encode(),
    ),
    price=0.1,
    verifier=VERIFIER,
)
