"""The protocol that every provider fulfils, and the types of what comes back.

Here: what a provider tells of itself, outcomes of a single call, signals about the provider as
a whole, and the two ways in which a request can fail. Not here: any provider's codes, and which
providers there are (`registry.py`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple, Protocol, runtime_checkable

from enrichment_pipeline.errors import ConfigurationError, PipelineError

# --- the outcome of one look-up --------------------------------------------------------


@dataclass(frozen=True)
class Matched:
    """A profile was found; `ItemReading.units` tells what it cost."""


@dataclass(frozen=True)
class NoMatch:
    """Nothing was found; nothing was charged."""


@dataclass(frozen=True)
class OutOfCredits:
    """The account is used up; not charged, to be tried again."""


@dataclass(frozen=True)
class Refused:
    """The provider will not take this item; not charged, not worth trying again."""

    reason: str


@dataclass(frozen=True)
class Retriable:
    """It failed for a passing reason; certainly not charged."""

    reason: str


@dataclass(frozen=True)
class LegalStop:
    """The person must not be looked up, for legal reasons."""

    reason: str | None = None


@dataclass(frozen=True)
class Unconfirmed:
    """It may have been charged, but there is no answer to read."""

    reason: str


@dataclass(frozen=True)
class Found:
    """A search gave profiles; whether one of them is the person is still to be told.

    `reason`: why not all of them could be had, if something hindered it.
    """

    reason: str | None = None


@dataclass(frozen=True)
class Checked:
    """A verification has told of the address what can be told; what, is read in SQL."""


@dataclass(frozen=True)
class Unchanged:
    """A release of the provider's data has left the profile as it was."""


@dataclass(frozen=True)
class Changed:
    """A release has changed the profile, or made it another one: it is to be looked up anew."""


Outcome = (
    Matched
    | NoMatch
    | Found
    | Checked
    | Unchanged
    | Changed
    | OutOfCredits
    | Refused
    | Retriable
    | LegalStop
    | Unconfirmed
)

NOT_SENT = Retriable("not_sent")
"""The request never left."""
NO_REPLY = Unconfirmed("no_reply")
"""The request may have arrived; whether it was answered is unknown."""
NO_SUCH_RELEASE = "no_such_release"
"""The reason of a question about changes by a release that is still to come, or too long ago."""


# --- what a reply says of the provider as a whole --------------------------------------


@dataclass(frozen=True)
class Halt:
    """No further request makes sense before a person has acted; `message` tells which act."""

    reason: str
    message: str


@dataclass(frozen=True)
class Rejected(Halt):
    """The request was refused for what it holds, unbilled: a Halt, unless one item is bad.

    Which item that is shows only once it is asked for alone.
    """


@dataclass(frozen=True)
class UsedUp(Halt):
    """The day's quota is used up, whatever we counted: no more is asked on that day."""


@dataclass(frozen=True)
class SlowDown:
    """Too many requests for now; `Reply.retry_after` says for how long, if anything does."""


@dataclass(frozen=True)
class Failing:
    """The provider is in trouble; counts towards the breaker."""

    reason: str


Signal = Halt | SlowDown | Failing


@dataclass(frozen=True)
class Fault:
    """A row of a provider's table of codes: what becomes of the look-ups that it hits.

    `signal`: what it says of the provider as a whole. `units`: what each of them cost.
    """

    outcome: Outcome
    signal: Signal | None = None
    units: int = 0


REDIRECTS = frozenset({301, 302, 307, 308})
"""Asked at the wrong address, and not followed: nothing was done, nothing charged. Not 303: by
that a server says that it has done what was asked, and where its result lies."""


def fault_of_status(faults: Mapping[str, Fault], http_status: int) -> Fault:
    """What an HTTP status means of which the body tells nothing, by a provider's table of codes.

    Its row is `http_<n>`, and `redirected` for every redirect. One that is not in the table may
    have been charged, and is called by its own name.
    """
    if http_status in REDIRECTS:
        return faults["redirected"]
    code = f"http_{http_status}"
    return faults.get(code) or Fault(Unconfirmed(code), Failing(code))


# --- requests and replies --------------------------------------------------------------


@dataclass(frozen=True)
class Reply:
    """An HTTP reply as it came. `body` is kept before anything reads it.

    `units_told`: what the request cost, where the provider says so outside the body.
    """

    http_status: int
    body: bytes
    credits_left: int | None = None
    retry_after: timedelta | None = None
    units_told: int | None = None


@dataclass(frozen=True)
class Balance:
    """What is left of the account's credits, and when by the provider's own clock, if it says."""

    credits_left: int
    dated_at: datetime | None = None


class ItemReading(NamedTuple):
    """What a reply says of one item.

    `answer_index`: which of the answers that the provider's `cut_answers.sql` cuts the reply into
    is its own, if it has one. `units`: what it
    cost, in credits or in requests of a quota. `identifiers`: by which the answer says that
    the person goes, as it writes them, each with its kind (email, linkedin, phone, uid); none
    that several people may share. `is_complete`: whether a search gave all that there is.
    """

    outcome: Outcome
    answer_index: int | None = None
    units: int = 0
    identifiers: tuple[tuple[str, str], ...] = ()
    is_complete: bool | None = None


@dataclass(frozen=True)
class Further:
    """The answer to a call goes on: which request of the same call comes next.

    `last` is the page that it follows; None: the first page is asked for anew, in the next
    `series`. `units`: what the answered request has cost.
    """

    series: int
    number: int
    units: int
    last: "PageReading | None" = None


@dataclass(frozen=True)
class Reading:
    """What a reply says: one reading per item, in the order in which they were asked.

    `unsolicited_answers` counts answers to what was not asked for: kept raw, never applied.
    `further`: a single item's answer goes on; the items' readings then hold where it may not.
    """

    items: tuple[ItemReading, ...]
    signal: Signal | None = None
    unsolicited_answers: int = 0
    further: Further | None = None


@dataclass(frozen=True)
class CallbackReading:
    """What a callback says: like Reading, with None for items that it leaves to another one."""

    items: tuple[ItemReading | None, ...]
    signal: Signal | None = None
    unsolicited_answers: int = 0


@dataclass(frozen=True)
class Accepted:
    """The request was taken, or may have been; its answer comes by callback, if at all.

    `request_ref` is the provider's own name for it.
    """

    request_ref: str | None
    signal: Signal | None = None


@dataclass(frozen=True)
class ProfileQuery:
    """The person to search for: a name, and a company where they work, or have worked."""

    full_name: str
    company: str
    is_current: bool
    page_size: int


@dataclass(frozen=True)
class PageReading:
    """What a kept page of a search says.

    `is_counted`: whether the call draws on the provider's daily quota, as far as we know.
    `profiles` are on this page, `total` on all of them, if it says so. The next page is
    asked for with `request_ref` and `scroll_id`; there is none where `scroll_id` is None.
    `is_gone`: this was a further page, and can only be had by starting over.
    """

    outcome: Found | NoMatch | Refused | Retriable
    is_counted: bool = True
    signal: Signal | None = None
    request_ref: str | None = None
    scroll_id: str | None = None
    total: int | None = None
    profiles: int = 0
    is_gone: bool = False


@dataclass(frozen=True)
class VerificationReading:
    """What a kept reply to a verification says.

    `is_in_progress`: it is not decided yet, and the same question, asked again in a moment, is
    counted once; `outcome` and `units` then hold where it is not asked again.
    """

    outcome: Checked | Refused | Retriable | OutOfCredits | LegalStop | Unconfirmed
    units: int = 0
    signal: Signal | None = None
    is_in_progress: bool = False


class NotSentError(Exception):
    """The request never reached the provider (no connection): not billed. Names no datum."""


class NoReplyError(Exception):
    """The request may have reached the provider, but no reply came: may be billed."""


class WrongKeyError(ConfigurationError):
    """The provider does not accept the key, or has disabled its account."""


class ProviderUnavailableError(PipelineError):
    """The provider cannot be reached, or does not answer a question that costs nothing."""


@dataclass(frozen=True)
class CallFacts:
    """What a provider tells of one kind of call.

    `identities`: by which kinds of identity it can be asked. `unit`: what a call draws on,
    "credits", "requests" of a day's quota, or "nothing"; `worst_units` so many at worst.
    `credits_per_unit`: how many credits a unit is. `counts_requests`:
    its rate limits count requests, not the items in them. `rates`: the documented ones, so many
    in so many seconds each; they hold where the policy names none. `is_repeat_free`: the same call
    may be made again at no charge, by its documentation; a look-up that was not answered is made
    once more, with its worst cost reserved anew. `is_paged`: an answer may go on over several
    requests.
    `is_called_back`: it can be answered by callback, and is where a receiver is set up.
    `longest_seconds`: how long a call can take that is answered in the end. `pause_seconds`: how
    long to wait after a `SlowDown` that does not say; None: a window of its rate.
    """

    identities: frozenset[str]
    max_batch: int
    longest_seconds: float
    unit: str = "credits"
    worst_units: int = 1
    credits_per_unit: Decimal = Decimal(1)
    counts_requests: bool = False
    rates: tuple[tuple[int, float], ...] = ()
    is_repeat_free: bool = False
    is_paged: bool = False
    is_called_back: bool = False
    pause_seconds: float | None = None


@dataclass(frozen=True)
class ProviderFacts:
    """What a provider tells of itself: its kinds of call, by name, and how to reach it.

    `connect` makes its client of a base URL and a key, and of its `options`: keys of its table in
    the policy file that not every provider has, each an argument of that name. It imports what
    that takes, and nothing else here does. `join_answers` puts answers to look-ups, by their
    `answer_index`, together into a reply of which its `cut_answers.sql` cuts the same.
    `count_answers` counts the answers in a callback; None for what holds none. `next_release`: of
    a provider that tells what has changed, the release of its data after that one; None for what
    is no release.
    """

    name: str
    title: str
    api: str
    calls: Mapping[str, CallFacts]
    connect: Callable[..., "Provider"]
    join_answers: Callable[[Mapping[int, str]], bytes]
    count_answers: Callable[[bytes], int | None] = lambda _body: None
    options: frozenset[str] = frozenset()
    next_release: Callable[[str], str | None] = lambda _release: None


class Provider(Protocol):
    """A provider of contact data that answers in its response."""

    name: str
    max_batch: int

    async def balance(self) -> Balance:
        """The account's balance. Raises WrongKeyError or ProviderUnavailableError."""
        ...

    async def lookup(self, items: Sequence[str]) -> Reply:
        """Ask for up to `max_batch` items at once. Raises NotSentError or NoReplyError."""
        ...

    def read(
        self, http_status: int, body: bytes, items: Sequence[str], units_told: int | None = None
    ) -> Reading:
        """What a kept reply says of each item. Never raises for what came from outside.

        `units_told`: as in the `Reply`.
        """
        ...

    async def close(self) -> None: ...


@runtime_checkable
class AnswersByCallback(Protocol):
    """A provider that can also be asked for an answer by callback."""

    async def submit(self, items: Sequence[str], callback_url: str) -> Reply:
        """Ask for up to `max_batch` items, to be answered at that URL. Raises as `lookup` does."""
        ...

    def read_submission(self, http_status: int, body: bytes) -> Accepted | None:
        """The request was taken, or may have been; None for a refusal, which `read` explains."""
        ...

    def read_callback(self, body: bytes, items: Sequence[str]) -> CallbackReading:
        """What a kept callback says of each item. Never raises for what came from outside."""
        ...


@runtime_checkable
class ProfileSearch(Protocol):
    """A provider that finds profiles by name and company, page by page, for no credits."""

    async def search(self, query: ProfileQuery) -> Reply:
        """Ask for the first page. Raises NotSentError or NoReplyError."""
        ...

    async def scroll(self, request_ref: str, scroll_id: str) -> Reply:
        """Ask for the next page. Raises as `search` does."""
        ...

    def read_page(self, http_status: int, body: bytes, *, is_further: bool) -> PageReading:
        """What a kept page says. Never raises for what came from outside."""
        ...

    async def close(self) -> None: ...


@runtime_checkable
class EmailVerifier(Protocol):
    """A provider that tells of an e-mail address whether mail to it arrives."""

    async def verify(self, email: str) -> Reply:
        """Ask about one address. Raises NotSentError or NoReplyError."""
        ...

    def read_verification(self, http_status: int, body: bytes) -> VerificationReading:
        """What a kept reply says. Never raises for what came from outside."""
        ...

    async def close(self) -> None: ...


@runtime_checkable
class ChangeFeed(Protocol):
    """A provider that tells, for nothing, whether a release of its data has changed a profile."""

    async def changes(self, uids: Sequence[str], release: str) -> Reply:
        """What this release has done to these profiles, by the provider's ids of them.

        Raises NotSentError or NoReplyError.
        """
        ...

    def read_changes(self, http_status: int, body: bytes, uids: Sequence[str]) -> Reading:
        """What a kept reply says of each profile. Never raises for what came from outside."""
        ...

    async def close(self) -> None: ...
