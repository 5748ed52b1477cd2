"""People Data Labs' case: what its stand-in can be told to do, and what must come of it.

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
    NO_SUCH_RELEASE,
    Changed,
    Failing,
    Halt,
    LegalStop,
    Matched,
    NoMatch,
    Outcome,
    OutOfCredits,
    Refused,
    Rejected,
    Retriable,
    Signal,
    SlowDown,
    Unchanged,
    Unconfirmed,
)
from enrichment_pipeline.providers.items import row_key
from enrichment_pipeline.providers.peopledatalabs.facts import PEOPLE_DATA_LABS
from enrichment_pipeline.sandbox.directory import read_people
from enrichment_pipeline.sandbox.peopledatalabs.changelog import id_after
from enrichment_pipeline_tests.conformance import (
    Case,
    FeedCase,
    Rates,
    Situation,
    StandIn,
    Telling,
)
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
from enrichment_pipeline_tests.support import running_people_data_labs, write_csv

PROCESSED = 1
"""A seed with which a request of both, and one of the first alone, fail after being processed."""


@contextmanager
def start(folder: Path, people: int, **config: Any) -> Iterator[StandIn]:
    """One that knows everybody, unless it is told otherwise."""
    journal = folder / "journal.jsonl"
    rows = read_people(write_csv(folder / "people.csv", crowd(people)))
    with running_people_data_labs(rows, journal, **config) as base_url:
        yield Journalled(base_url, journal)


def limited(rates: Rates) -> Mapping[str, Any]:
    [(units, seconds)] = rates
    return {"per_minute": units, "minute_seconds": seconds}


def limited_changes(rates: Rates) -> Mapping[str, Any]:
    [(units, seconds)] = rates
    return {"changes_per_minute": units, "minute_seconds": seconds, "release": "33.1"}


def telling(name: str, outcome: Outcome, signal: type[Signal] | None = None, **config: Any) -> Any:
    """By the release 33.1, by which nothing happens but what is said."""
    nothing = dict.fromkeys(("updated", "touched", "merged", "deleted", "opted_out"), 0.0)
    return Telling(name, outcome, signal, {"release": "33.1", **nothing, **config})


FEED = FeedCase(
    uid=lambda number: id_after(uid(number)),
    known="33.0",
    release="33.1",
    limited=limited_changes,
    tellings=(
        telling("unchanged", Unchanged()),
        telling("changed in what is not read", Unchanged(), touched=1.0),
        telling("changed", Changed(), updated=1.0),
        telling("merged", Changed(), merged=1.0),
        telling("merged, told as a text", Changed(), merged=1.0, merged_to="text"),
        telling("deleted", LegalStop("deleted"), deleted=1.0),
        telling("opted out", LegalStop("opted_out"), opted_out=1.0),
        telling("a release to come", Retriable(NO_SUCH_RELEASE), Halt, release="33.0"),
        telling("a release of long ago", Retriable(NO_SUCH_RELEASE), Halt, release="35.1"),
        telling("401", Retriable("wrong_key"), Halt, api_key="another one"),
        telling("403", Retriable("no_access"), Halt, changelog_allowed=False),
        telling("429", Retriable("rate_limited"), SlowDown, changes_per_minute=0),
        telling("500", Retriable("http_other"), Failing, faults={"error_500": 1.0}),
        telling("torn", Retriable("no_reply"), Failing, faults={"torn": 1.0}),
    ),
    documented=frozenset({200, 301, 302, 307, 308, 400, 401, 403, 404, 405, 429}),
    samples=(
        json.dumps(
            {
                "status": 200,
                "data": {
                    "origin_version": "33.0",
                    "current_version": "33.1",
                    "updated": [{"id": id_after(uid(0)), "additional_metadata": None}],
                    "opted_out": [{"id": id_after(uid(1))}],
                },
            }
        ).encode(),
    ),
)


PEOPLE_DATA_LABS_CASE = Case(
    facts=PEOPLE_DATA_LABS,
    key="sandbox",
    start=start,
    item=item,
    unknown=NOBODY,
    goes_by=lambda number: {
        ("uid", id_after(uid(number))),
        ("linkedin", f"linkedin.com/in/person-{number}"),
        ("email", item(number)),
        ("phone", f"+491512345{number:04d}"),
    },
    limited=limited,
    rates=((2, 0.2),),
    situations=(
        Situation("found", BOTH, (Matched(),) * 2, charged={ADA: 1, BOB: 1}),
        Situation("a 404 alone", (NOBODY,), (NoMatch(),)),
        Situation("a 404 among matches", (NOBODY, ADA), (NoMatch(), Matched()), charged={ADA: 1}),
        Situation(
            "a match for a cost that is not told",
            BOTH,
            (Matched(),) * 2,
            config={"cost_headers": False},
            charged={ADA: 1, BOB: 1},
        ),
        Situation(
            "a match without contact data",
            (ADA,),
            (Matched(),),
            config={"shows_contact_data": False},
            charged={ADA: 1},
        ),
        Situation(
            "an element with 400",
            ("what is this", ADA),
            (Refused("wrong_parameters"), Matched()),
            config={"error_type": "list"},
            charged={ADA: 1},
        ),
        Situation(
            "400",
            ("what is this", ADA),
            (Retriable("wrong_parameters"),) * 2,
            Rejected,
            config={"bad_record_spoils_batch": True},
        ),
        Situation(
            "401", BOTH, (Retriable("wrong_key"),) * 2, Halt, config={"api_key": "another one"}
        ),
        Situation("402", BOTH, (OutOfCredits(),) * 2, Halt, config={"credits": 1}),
        Situation(
            "an element with 402",
            BOTH,
            (Matched(), OutOfCredits()),
            Halt,
            config={"credits": 1, "short_of_credits": "elements"},
            charged={ADA: 1},
        ),
        Situation(
            "429", BOTH, (Retriable("rate_limited"),) * 2, SlowDown, config={"per_minute": 0}
        ),
        Situation(
            "500 after charging",
            BOTH,
            (Unconfirmed("http_500"),) * 2,
            Failing,
            config={"faults": {"error_500": 1.0}, "seed": PROCESSED},
            charged={ADA: 1, BOB: 1},
        ),
        Situation(
            "502 for an answer that is too long",
            BOTH,
            (Unconfirmed("http_502"),) * 2,
            Failing,
            config={"most_answer_bytes": 500},
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
            "charged, and in no element",
            BOTH,
            (Unconfirmed("missing_from_answer"),) * 2,
            Failing,
            config={"faults": {"missing": 1.0}},
            charged={ADA: 1, BOB: 1},
        ),
        Situation(
            "elements that do not say whose they are",
            BOTH,
            (Unconfirmed("missing_from_answer"),) * 2,
            Failing,
            config={"echoes_metadata": False},
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
    documented=frozenset({200, 301, 302, 307, 308, 400, 401, 402, 404, 405, 429}),
    samples=(
        json.dumps(
            [
                {
                    "status": 200,
                    "likelihood": 9,
                    "data": {"id": "1"},
                    "metadata": {"row": row_key(ADA), "min_likelihood": 8},
                },
                {
                    "status": 404,
                    "error": {"type": ["not_found"], "message": "-"},
                    "metadata": {"row": row_key(BOB), "min_likelihood": 8},
                },
            ]
        ).encode(),
    ),
    price=0.28,
    feed=FEED,
)
