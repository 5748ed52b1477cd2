"""The protocol that every provider fulfils, and the types of what comes back.

Here: outcomes of a single look-up or search, signals about the provider as a whole,
and the two ways in which a request can fail. Not here: any provider's codes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from enrichment_pipeline.errors import ConfigurationError, PipelineError

# --- what one look-up comes to ---------------------------------------------------------


@dataclass(frozen=True)
class Matched:
    """A profile was found, and charged."""

    credits: int = 1


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


@dataclass(frozen=True)
class Unconfirmed:
    """It may have been charged, but there is no answer to read."""

    reason: str


Outcome = Matched | NoMatch | OutOfCredits | Refused | Retriable | LegalStop | Unconfirmed


@dataclass(frozen=True)
class Found:
    """A search gave profiles; whether one of them is the person is still to be told."""


NOT_SENT = Retriable("not_sent")
"""The request never left."""
NO_REPLY = Unconfirmed("no_reply")
"""The request may have arrived; nobody knows what came of it."""


# --- what a reply says of the provider as a whole --------------------------------------


@dataclass(frozen=True)
class Halt:
    """No further request makes sense before a person has acted; `message` tells which act."""

    reason: str
    message: str


@dataclass(frozen=True)
class Rejected(Halt):
    """The request was refused for what it holds, unbilled: a Halt, unless an item is to blame.

    Which item that is, nobody can tell before it is asked for alone.
    """


@dataclass(frozen=True)
class SlowDown:
    """Too many requests for now (429); `Reply.retry_after` says for how long, if anything does."""


@dataclass(frozen=True)
class Failing:
    """The provider is in trouble; counts towards the breaker."""

    reason: str


Signal = Halt | SlowDown | Failing


# --- requests and replies --------------------------------------------------------------


@dataclass(frozen=True)
class Reply:
    """An HTTP reply as it came. `body` is kept before anything reads it."""

    http_status: int
    body: bytes
    credits_left: int | None = None
    retry_after: timedelta | None = None


@dataclass(frozen=True)
class Balance:
    """What is left of the account's credits, and when by the provider's own clock, if it says."""

    credits_left: int
    dated_at: datetime | None = None


class ItemReading(NamedTuple):
    """The outcome for one item, and the position of its answer in the reply, if it has one."""

    outcome: Outcome
    answer_index: int | None = None


@dataclass(frozen=True)
class Reading:
    """What a reply says: one reading per item, in the order in which they were asked.

    `unasked` counts answers to what was not asked for: kept raw, never applied.
    """

    items: tuple[ItemReading, ...]
    signal: Signal | None = None
    unasked: int = 0


@dataclass(frozen=True)
class CallbackReading:
    """What a callback says: like Reading, with None for items that it leaves to another one."""

    items: tuple[ItemReading | None, ...]
    signal: Signal | None = None
    unasked: int = 0


@dataclass(frozen=True)
class Accepted:
    """The request was taken, or may have been; its answer comes by callback, if at all.

    `request_ref` is the provider's own name for it.
    """

    request_ref: str | None
    signal: Signal | None = None


@dataclass(frozen=True)
class ProfileQuery:
    """Whom to search for: a name, and a company where the person works, or has worked."""

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


class NotSentError(Exception):
    """The request never reached the provider (no connection): not billed. Names no datum."""


class NoReplyError(Exception):
    """The request may have reached the provider, but no reply came: may be billed."""


class WrongKeyError(ConfigurationError):
    """The provider does not accept the key, or has disabled its account."""


class ProviderUnavailableError(PipelineError):
    """The provider cannot be reached, or does not answer a question that costs nothing."""


class Provider(Protocol):
    """A provider of contact data, asked synchronously or with answers by callback."""

    name: str
    max_batch: int

    async def balance(self) -> Balance:
        """The account's balance. Raises WrongKeyError or ProviderUnavailableError."""
        ...

    async def lookup(self, items: Sequence[str]) -> Reply:
        """Ask for up to `max_batch` items at once. Raises NotSentError or NoReplyError."""
        ...

    def read(self, http_status: int, body: bytes, items: Sequence[str]) -> Reading:
        """What a kept reply says of each item. Never raises for what came from outside."""
        ...

    async def submit(self, items: Sequence[str], callback_url: str) -> Reply:
        """Ask for up to `max_batch` items, to be answered at that URL. Raises as `lookup` does."""
        ...

    def read_submission(self, http_status: int, body: bytes) -> Accepted | None:
        """The request was taken, or may have been; None for a refusal, which `read` explains."""
        ...

    def read_callback(self, body: bytes, items: Sequence[str]) -> CallbackReading:
        """What a kept callback says of each item. Never raises for what came from outside."""
        ...

    async def close(self) -> None: ...


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
