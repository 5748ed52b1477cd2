"""Every setting of Hunter's stand-in: the account, what it knows, and what is unknown of it.

Belongs here: one frozen dataclass, its defaults and what each setting does. Whatever Hunter's
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
InProgressCharged = Literal["taken", "answered"]
BalanceOf = Literal["credits", "searches"]
Fault = Literal["error_500", "torn", "slow_down", "in_progress", "mail_server_failed"]
FAULTS: tuple[Fault, ...] = get_args(Fault)
"""What each of them does stands in docs/sandbox.md."""

_LIMITS = (
    "per_second",
    "per_minute",
    "verifications_per_second",
    "verifications_per_minute",
)
_SHARES = ("guessed", "sourced", "outdated", "accept_all", "unknown", "legal_stop", *SHARES)


@dataclass(frozen=True, kw_only=True)
class HunterConfig:
    """What the stand-in plays. A value out of range raises `ValueError` with the setting's name."""

    api_key: str = "sandbox"
    """What the header `X-API-KEY` must say; anything else is answered with 401."""

    credits: int = 100_000
    """Credits before the first charge in the journal."""

    balance_of: BalanceOf = "credits"
    """What `GET /account` tells of: all credits, or, as on older plans, of searches and of
    verifications apart from each other."""

    journal: Path | None = None
    """File to which each charge is appended as a line of JSON, and from which the balance and what
    was charged already are restored at the next start. None: they live with the process."""

    charge_when: ChargeWhen = "before_response"
    """Whether the charge is made (journal and balance) before the answer is sent or after it."""

    charge_repeats: bool = True
    """Whether what was charged once is charged again. Hunter's help says that it is not within a
    billing period; its API reference does not."""

    free_days: float = 30.0
    """For how many days a repeat is free where it is not charged."""

    in_progress_charged: InProgressCharged = "taken"
    """Whether a verification that takes long is charged when it is first taken, as reported, or
    when it is answered."""

    per_second: int = 15
    per_minute: int = 500
    """Requests to the finder that may be made in a second and a minute."""

    verifications_per_second: int = 10
    verifications_per_minute: int = 300
    """Requests to the verifier likewise, apart from those."""

    second_seconds: float = 1.0
    minute_seconds: float = 60.0
    """How long these are; shorter ones are for trials."""

    window_kind: WindowKind = "sliding"
    """`sliding`: a request counts for a window's length after it was made. `fixed`: the count
    starts anew at each multiple of that length."""

    refused_counts: bool = False
    """Whether a request that is answered with 403 counts all the same."""

    latency_ms: int = 0
    """How long the answer to a request that was not refused is held back, in milliseconds."""

    in_progress_seconds: float = 1.0
    """How long a verification takes that the fault `in_progress` hits: until then it is answered
    with 202, as often as it is asked for."""

    known: float = 0.45
    """The share of the people in the directory that Hunter knows."""

    guessed: float = 0.3
    """The share of the others, at companies that it knows, for which it tries the address that is
    made of both names. One that turns out not to exist it does not give."""

    sourced: float = 0.6
    """The share of the known people whose address it has seen on a page, which it names."""

    dead_email: float = 0.02
    """The share of work e-mails that do not exist."""

    outdated: float = 0.3
    """The share of addresses that do not exist, or no longer, which the finder calls valid by a
    verification of long ago. The others it does not give."""

    stale_employer: float = 0.3
    """The share of those who changed their job within the last year of which it has not heard."""

    wrong_person: float = 0.005
    """The share of people in whose place it gives another."""

    accept_all: float = 0.15
    """The share of hosts that take every address, so that no check can tell whether it exists."""

    unknown: float = 0.03
    """The share of addresses of which the verifier can tell nothing, ever."""

    legal_stop: float = 0.002
    """The share of people who asked not to be processed: 451, by name and by each address."""

    faults: Mapping[str, float] = field(default_factory=dict)
    """The share of requests that each fault hits, from 0 to 1; 0 where it is not named."""

    seed: int = 0
    """Seed of everything random. What is known of a person or an address depends on it and on which
    that is; the faults of a request on what is asked, and on how often just that was asked
    before."""

    def __post_init__(self) -> None:
        check_ranges(
            self,
            at_least=dict.fromkeys(
                ("credits", "free_days", "latency_ms", "in_progress_seconds", *_LIMITS), 0
            ),
            above_zero=("second_seconds", "minute_seconds"),
            one_of={
                "balance_of": get_args(BalanceOf),
                "charge_when": get_args(ChargeWhen),
                "in_progress_charged": get_args(InProgressCharged),
                "window_kind": get_args(WindowKind),
            },
        )
        check_share_settings(self, _SHARES)
        if not self.api_key:
            raise ValueError("api_key must not be empty")
        check_shares(self.faults, FAULTS)
