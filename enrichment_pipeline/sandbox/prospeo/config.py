"""Every setting of Prospeo's stand-in: the account, what it knows, and what is unknown of it.

Belongs here: one frozen dataclass, its defaults and what each setting does. Whatever Prospeo's
documentation leaves open is a setting, so that a client can be shown to survive either answer.
Likewise what may go wrong: a fault has a share, and a share is a setting. Does not belong here:
reading files, and anything that acts on a setting.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from enrichment_pipeline.sandbox.fates import check_shares
from enrichment_pipeline.sandbox.known_people import SHARES
from enrichment_pipeline.sandbox.meter import WindowKind
from enrichment_pipeline.sandbox.ranges import check_ranges, check_share_settings

ChargeWhen = Literal["before_response", "after_response"]
SecondCounts = Literal["records", "requests"]
NoMatchAs = Literal["answer", "error"]
ShortOfCredits = Literal["refused", "missing"]
RecordOrder = Literal["kept", "shuffled"]
Fault = Literal["internal_error", "torn", "slow_down", "missing", "masked", "no_total_cost"]
FAULTS: tuple[Fault, ...] = get_args(Fault)
"""What each of them does stands in docs/sandbox.md."""


@dataclass(frozen=True, kw_only=True)
class ProspeoConfig:
    """What the stand-in plays. A value out of range raises `ValueError` with the setting's name."""

    api_key: str = "sandbox"
    """What the header `X-KEY` must say; anything else is answered with 401."""

    account_restricted: bool = False
    """Answer every request that carries the right key with ACCOUNT_RESTRICTED."""

    credits: int = 100_000
    """Credits before the first charge in the journal."""

    journal: Path | None = None
    """File to which each charge is appended as a line of JSON, and from which the balance and the
    profiles already charged are restored at the next start. None: they live with the process."""

    charge_when: ChargeWhen = "before_response"
    """Whether the charge is made (journal and balance) before the answer is sent or after it."""

    charge_repeats: bool = False
    """Whether a profile that was charged once is charged again all the same."""

    free_days: float = 0.0
    """For how many days a repeat is free: 0 for the account's lifetime, as documented; clients
    report 90."""

    per_second: int = 5
    per_minute: int = 300
    per_day: int = 2_000
    """Records that may be asked for in a second, a minute and a day: those of the smallest plan."""

    second_seconds: float = 1.0
    minute_seconds: float = 60.0
    day_seconds: float = 86_400.0
    """How long these are; shorter ones are for trials."""

    window_kind: WindowKind = "sliding"
    """`sliding`: a record counts for a window's length after it was asked for, as documented for
    the day. `fixed`: the count starts anew at each multiple of that length."""

    second_counts: SecondCounts = "records"
    """Whether the limit of a second counts records, as the other two do, or requests."""

    refused_counts: bool = False
    """Whether the records of a request that is answered with an error count all the same."""

    rate_headers: bool = True
    """Whether replies say in headers what is left of each limit."""

    no_match_as: NoMatchAs = "answer"
    """What a request without any match is answered: 200 with an empty list of matches, or 400
    NO_MATCH."""

    bad_record_spoils_batch: bool = False
    """Whether one insufficient record has its whole request answered with 400
    INVALID_DATAPOINTS, instead of standing in `invalid_datapoints`."""

    short_of_credits: ShortOfCredits = "refused"
    """What becomes of a request for which credits do not suffice: 400 INSUFFICIENT_CREDITS for all
    of it, or an answer in which those beyond the credits stand in no list."""

    marks_free: bool = True
    """Whether each match says by `free_enrichment` that it cost nothing; `total_cost` always
    does."""

    record_order: RecordOrder = "kept"
    """Whether the lists of an answer are in the order of the request or in a random one."""

    latency_ms: int = 0
    """How long the answer to a request that was not refused is held back, in milliseconds."""

    known: float = 0.65
    """The share of the people in the directory that Prospeo knows."""

    verified: float = 0.85
    """The share of work e-mails that it has verified."""

    dead_email: float = 0.05
    """The share of work e-mails that do not exist, verified or not: at a host that takes
    every address, a wrong spelling passes for verified."""

    stale_employer: float = 0.3
    """The share of those who changed their job within the last year of which it has not heard: it
    gives the former employer, and an e-mail there where one is known."""

    wrong_person: float = 0.007
    """The share of people in whose place it gives another."""

    faults: Mapping[str, float] = field(default_factory=dict)
    """The share of requests (of records, for `missing` and `masked`) that each fault hits, from 0
    to 1; 0 where it is not named."""

    seed: int = 0
    """Seed of everything random. What is known of a person depends on it and on who that is; the
    faults of a request on what is asked, and on how often just that was asked before."""

    def __post_init__(self) -> None:
        check_ranges(
            self,
            at_least={
                **dict.fromkeys(("credits", "free_days", "latency_ms"), 0),
                **dict.fromkeys(("per_second", "per_minute", "per_day"), 0),
            },
            above_zero=("second_seconds", "minute_seconds", "day_seconds"),
            one_of={
                "charge_when": get_args(ChargeWhen),
                "window_kind": get_args(WindowKind),
                "second_counts": get_args(SecondCounts),
                "no_match_as": get_args(NoMatchAs),
                "short_of_credits": get_args(ShortOfCredits),
                "record_order": get_args(RecordOrder),
            },
        )
        check_share_settings(self, ("verified", *SHARES))
        if not self.api_key:
            raise ValueError("api_key must not be empty")
        check_shares(self.faults, FAULTS)
