"""Every setting of the sandbox: the account that it plays, and what is unknown about SignalHire.

Belongs here: one frozen dataclass, its defaults and what each setting does. Whatever SignalHire's
documentation leaves open is a setting, so that the client can be shown to survive either answer.
Likewise what may go wrong: a fault has a share, and a share is a setting. Does not belong here:
reading the environment or files, and anything that acts on a setting.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from enrichment_pipeline.sandbox.fates import check_shares
from enrichment_pipeline.sandbox.meter import WindowKind
from enrichment_pipeline.sandbox.ranges import check_ranges

ChargeWhen = Literal["before_response", "after_response"]
ItemOrder = Literal["kept", "shuffled"]
NameMatch = Literal["all", "any"]
ExperienceShown = Literal["documented", "full"]
Fault = Literal[
    "late",
    "repeated",
    "split",
    "reordered",
    "lost",
    "error_500",
    "torn",
    "duplicate_query",
    "timeout_exceeded",
    "slow_down",
]
FAULTS: tuple[Fault, ...] = get_args(Fault)
"""What each of them does stands in docs/sandbox.md."""


@dataclass(frozen=True, kw_only=True)
class SandboxConfig:
    """What the sandbox plays. A value out of range raises `ValueError` with the setting's name."""

    api_key: str = "sandbox"
    """What the header `apikey` must say; anything else is answered with 401."""

    account_disabled: bool = False
    """Answer every request that carries the right key with 403."""

    credits: int = 100_000
    """Credits of the standard pool before the first charge in the journal."""

    credits_without_contacts: int = 100_000
    """Credits of the pool for `withoutContacts` look-ups before the first charge in the journal."""

    journal: Path | None = None
    """File to which each charge is appended as a line of JSON, and from which the balance and the
    profiles already charged are restored at the next start. None: they live with the process.
    For one sandbox at a time: the balance is read at the start only."""

    charge_when: ChargeWhen = "before_response"
    """Whether the charge is made (journal and balance) before the answer is sent or after it. In
    asynchronous mode: before the 201, or right before the callback is first posted."""

    charge_repeats: bool = True
    """Whether a profile that was charged once is charged again at the next look-up of it."""

    items_per_window: int = 600
    """Items that may be asked for within a window; trial accounts have 5."""

    window_seconds: float = 60.0
    """Length of that window in seconds."""

    window_kind: WindowKind = "sliding"
    """`sliding`: an item counts for `window_seconds` after it was asked for. `fixed`: the count
    starts anew at each multiple of `window_seconds`."""

    refused_counts_towards_minute: bool = False
    """Whether the items of a search that was refused (402, 406, 422, 429) count all the same."""

    duplicate_query_seconds: float = 0.0
    """For how long after an answer the same query is answered with `duplicate_query`; 0: never."""

    item_order: ItemOrder = "kept"
    """Whether the answers stand in the order of the items or in a random one (see `seed`)."""

    bad_item_spoils_batch: bool = False
    """Whether one item of no known kind (a name, say) has its whole request answered with 422,
    instead of being `failed` alone."""

    echo_normalised: bool = False
    """Whether `item` in the answer is the normalised item instead of what was sent."""

    rating_as_string: bool = False
    """Whether ratings are strings, as in the older documentation, instead of integers."""

    latency_ms: int = 0
    """How long the answer of a search that was not refused is held back, in milliseconds. A
    callback does not wait for its 201: with less delay than this it comes first."""

    callback_delay_min_ms: int = 0
    """Least time from the search to its callback, in milliseconds."""

    callback_delay_max_ms: int | None = None
    """Most time from the search to its callback, in milliseconds. None: the least is the most."""

    callback_timeout_seconds: float = 10.0
    """How long the receiver of a callback may take to answer 200, from the attempt to connect."""

    callback_retry_seconds: float = 5.0
    """How long after a callback that was not answered 200 it is posted again."""

    callback_parts: int = 1
    """In how many POSTs the result of one request comes, as far as it has as many items."""

    callback_concurrency: int = 32
    """How many callbacks are being posted at once; more have to wait."""

    deliveries: Path | None = None
    """File to which each attempt to deliver a callback is appended as a line of JSON."""

    search_allowed: bool = True
    """Whether the account may use the Search API; if not, it answers 403."""

    searches_per_day: int = 500
    """Calls of the Search API that are answered on one day (UTC), empty results and further pages
    included; then 402. 300 to 700 are reported."""

    searches_at_once: int = 3
    """Calls of the Search API that may be under way at once; one more is answered with 429."""

    search_page_size: int = 10
    """Profiles on a page of a search that names no `size`."""

    scroll_id_seconds: float = 15.0
    """How long the id lives with which the next page can be asked for; then 404."""

    search_name_match: NameMatch = "all"
    """Whether a profile's name must have all words of `fullName` or any of them."""

    search_reads_other_scripts: bool = True
    """Whether a name in another script is found by its Latin spelling, and the other way round."""

    search_experience: ExperienceShown = "documented"
    """Whether a position in a found profile is company and title only, as documented, or also says
    whether it is held, from when to when, and the company's website."""

    searches: Path | None = None
    """File to which each answered call of the Search API is appended as a line of JSON, and from
    which the day's count is restored at the next start."""

    faults: Mapping[str, float] = field(default_factory=dict)
    """The share of searches (of items, for `duplicate_query` and `timeout_exceeded`) that each
    fault hits, from 0 to 1; 0 where it is not named."""

    late_seconds: float = 30.0
    """By how much the fault `late` delays a callback."""

    seed: int = 0
    """Seed of everything random. The faults of a search depend on the seed, on what is asked, and
    on how often just that was asked before; not on what else is asked meanwhile."""

    def __post_init__(self) -> None:
        at_least = {
            "credits": 0,
            "credits_without_contacts": 0,
            "items_per_window": 1,
            "duplicate_query_seconds": 0,
            "latency_ms": 0,
            "callback_delay_min_ms": 0,
            "callback_retry_seconds": 0,
            "callback_parts": 1,
            "callback_concurrency": 1,
            "late_seconds": 0,
            "searches_per_day": 0,
            "searches_at_once": 1,
            "search_page_size": 1,
        }
        if self.callback_delay_max_ms is not None:
            at_least["callback_delay_max_ms"] = self.callback_delay_min_ms
        if not self.api_key:
            raise ValueError("api_key must not be empty")
        if self.search_page_size > 100:
            raise ValueError("search_page_size must be at most 100")
        choices = {
            "charge_when": ("before_response", "after_response"),
            "window_kind": ("sliding", "fixed"),
            "item_order": ("kept", "shuffled"),
            "search_name_match": ("all", "any"),
            "search_experience": ("documented", "full"),
        }
        check_ranges(
            self,
            at_least=at_least,
            above_zero=("window_seconds", "callback_timeout_seconds", "scroll_id_seconds"),
            one_of=choices,
        )
        check_shares(self.faults, FAULTS)

    @property
    def callback_delays_ms(self) -> tuple[int, int]:
        """The least and the most time from the search to its callback."""
        least, most = self.callback_delay_min_ms, self.callback_delay_max_ms
        return least, least if most is None else most
