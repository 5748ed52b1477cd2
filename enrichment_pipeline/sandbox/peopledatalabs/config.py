"""Every setting of People Data Labs' stand-in: the account, what it knows, what is unknown of it.

Belongs here: one frozen dataclass, its defaults and what each setting does. Whatever People Data
Labs' documentation leaves open is a setting, so that a client can be shown to survive either
answer. Likewise what may go wrong: a fault has a share, and a share is a setting. Does not belong
here: reading files, and anything that acts on a setting.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from enrichment_pipeline.sandbox.fates import check_shares
from enrichment_pipeline.sandbox.known_people import SHARES
from enrichment_pipeline.sandbox.meter import WindowKind
from enrichment_pipeline.sandbox.ranges import check_ranges, check_share_settings

ChargeWhen = Literal["before_response", "after_response"]
ShortOfCredits = Literal["refused", "elements"]
RecordOrder = Literal["kept", "shuffled"]
ResetForm = Literal["instant", "epoch"]
ErrorType = Literal["text", "list"]
MergedTo = Literal["list", "text"]
Fault = Literal["error_500", "torn", "slow_down", "missing"]
FAULTS: tuple[Fault, ...] = get_args(Fault)
"""What each of them does stands in docs/sandbox.md."""


_RELEASE = re.compile(r"[1-9]\d*\.[012]")


@dataclass(frozen=True, kw_only=True)
class PeopleDataLabsConfig:
    """What the stand-in plays. A value out of range raises `ValueError` with the setting's name."""

    api_key: str = "sandbox"
    """What the header `X-Api-Key` must say; anything else is answered with 401."""

    credits: int = 100_000
    """Credits before the first charge in the journal."""

    journal: Path | None = None
    """File to which each charge is appended as a line of JSON, and from which the balance is
    restored at the next start. None: it lives with the process."""

    charge_when: ChargeWhen = "before_response"
    """Whether the charge is made (journal and balance) before the answer is sent or after it."""

    per_minute: int = 100
    """Requests that may be made in a minute: those of the free plan. Each counts as one, however
    many people it asks for."""

    minute_seconds: float = 60.0
    """How long that minute is; a shorter one is for trials."""

    window_kind: WindowKind = "fixed"
    """`fixed`: the count starts anew with each minute, as documented. `sliding`: a request counts
    for a minute after it was made."""

    refused_counts: bool = True
    """Whether a request that is refused for more than its key counts towards the minute."""

    reset_form: ResetForm = "instant"
    """How `x-ratelimit-reset` is written: `instant` (2022-02-23T20:19:55Z), as documented, or
    `epoch`, in seconds since 1970, as it once was."""

    cost_headers: bool = True
    """Whether replies say in headers what they cost. What is left is always told."""

    short_of_credits: ShortOfCredits = "refused"
    """What becomes of a request for which credits do not suffice: 402 for all of it, or 402 in the
    elements beyond the credits."""

    bad_record_spoils_batch: bool = False
    """Whether one insufficient record has its whole request answered with 400, instead of an
    element with 400."""

    error_type: ErrorType = "text"
    """Whether the `type` of an error is a text or a list of them."""

    record_order: RecordOrder = "kept"
    """Whether the elements of an answer are in the order of the request or in a random one."""

    echoes_metadata: bool = True
    """Whether each element bears the metadata of its record, as documented."""

    default_min_likelihood: int = 2
    """The least likelihood of a match where a record names none: told as 0 and as 2."""

    obeys_required: bool = True
    """Whether a profile without what `required` names is a miss, or a match all the same."""

    obeys_titlecase: bool = True
    """Whether names are in title case where a record asks for it; else they are in lower case."""

    shows_contact_data: bool = True
    """Whether the plan has contact data; else `true` stands where there is a value, and `false`
    where there is none."""

    most_answer_bytes: int = 1_000_000
    """How long an answer may be; a longer one is answered with 502 in its place."""

    too_long_is_charged: bool = True
    """Whether what such an answer held is charged all the same."""

    latency_ms: int = 0
    """How long the answer to a request that was not refused is held back, in milliseconds."""

    known: float = 0.7
    """The share of the people in the directory that People Data Labs knows."""

    has_work_email: float = 0.6
    """The share of work e-mails that it has."""

    dead_email: float = 0.15
    """The share of work e-mails that do not exist: it verifies none."""

    stale_employer: float = 0.5
    """The share of those who changed their job within the last year of which it has not heard: it
    gives the former employer, and an e-mail there where one is known."""

    wrong_person: float = 0.01
    """The share of people in whose place it gives another."""

    doubtful: float = 0.2
    """The share of people that are matched with a low likelihood: by name and company from 2 to 7,
    by phone 6 or 7."""

    release: str = "33.0"
    """The release of the data that is served: 33.0, 33.1, 33.2, 34.0, one a month."""

    first_release: str = "33.0"
    """The one with which all are as the directory has them. Each later one changes some: the five
    shares below are of those that are known."""

    updated: float = 0.2
    """The share that gets another headline."""

    touched: float = 0.3
    """The share of which nothing has changed but how many sources it has."""

    merged: float = 0.01
    """The share that gets another id, since it is one with another profile."""

    deleted: float = 0.005
    """The share that is deleted."""

    opted_out: float = 0.005
    """The share that opts out."""

    tells_release: bool = True
    """Whether a profile says by `dataset_version` of which release it is."""

    changelog_allowed: bool = True
    """Whether the account may ask what has changed; else it is answered with 403."""

    changes_per_minute: int = 100
    """Questions about changes that may be asked in a minute, apart from the other requests."""

    most_changes: int = 1000
    """How many changes a reply lists; the rest is had by its `scroll_token`."""

    merged_to: MergedTo = "list"
    """Whether the id that a profile has become is told in a list, or as a text, as it once was."""

    faults: Mapping[str, float] = field(default_factory=dict)
    """The share of requests (of records, for `missing`) that each fault hits, from 0 to 1; 0 where
    it is not named."""

    seed: int = 0
    """Seed of everything random. What is known of a person depends on it and on who that is; the
    faults of a request on what is asked, and on how often just that was asked before."""

    def __post_init__(self) -> None:
        least = ("credits", "per_minute", "default_min_likelihood", "most_answer_bytes")
        least += ("changes_per_minute", "most_changes")
        check_ranges(
            self,
            at_least=dict.fromkeys((*least, "latency_ms"), 0),
            above_zero=("minute_seconds",),
            one_of={
                "charge_when": get_args(ChargeWhen),
                "window_kind": get_args(WindowKind),
                "reset_form": get_args(ResetForm),
                "short_of_credits": get_args(ShortOfCredits),
                "error_type": get_args(ErrorType),
                "record_order": get_args(RecordOrder),
                "merged_to": get_args(MergedTo),
            },
        )
        of_a_release = ("updated", "touched", "merged", "deleted", "opted_out")
        check_share_settings(self, ("has_work_email", "doubtful", *of_a_release, *SHARES))
        for name in ("release", "first_release"):
            if not _RELEASE.fullmatch(getattr(self, name)):
                raise ValueError(f"{name} must be a release such as 33.0, 33.1 or 33.2")
        if not self.api_key:
            raise ValueError("api_key must not be empty")
        check_shares(self.faults, FAULTS)
