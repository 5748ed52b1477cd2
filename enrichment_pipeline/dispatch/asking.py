"""What the kinds of call differ by on the wire: how one is asked, and how its replies are read.

Here: a look-up of many items in one request, answered at once or by callback; a search of one
name and company, answered page by page; a verification of one address; what a release has done to
many profiles. Not here: when something is asked (`dispatcher.py`), and what a provider's codes mean
(`providers/`).
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from enrichment_pipeline.ledger.admission import Candidate
from enrichment_pipeline.providers.base import (
    NO_REPLY,
    NOT_SENT,
    Accepted,
    AnswersByCallback,
    CallbackReading,
    ChangeFeed,
    Checked,
    EmailVerifier,
    Found,
    Further,
    ItemReading,
    NoMatch,
    PageReading,
    ProfileQuery,
    ProfileSearch,
    Provider,
    Reading,
    Reply,
    Retriable,
)

CURRENT, CURRENT_OR_PAST = "current", "current_past"
"""The questions of a search: who works there, and, as the second try, who has ever done so."""

Kept = tuple[int, bytes]
"""A reply as it was kept: HTTP status and body."""


class Asking(Protocol):
    """One kind of call to one provider, as the dispatcher makes it.

    `who` and `what` name the two in messages. `no_reply`: the reading of a call that was sent and
    not answered. `is_called`: answers come by callback, which those of most kinds never do.
    """

    who: str
    what: str
    max_batch: int
    no_reply: ItemReading
    is_called: bool = False

    def used_up(self, period: str, priority: str) -> str:
        """What to say where a priority may not draw any more on what it costs."""
        ...

    async def send(
        self, request_id: str, asked: Sequence[Candidate], further: Further | None
    ) -> Reply:
        """One request. Raises NotSentError or NoReplyError."""
        ...

    def read_submission(self, reply: Reply) -> Accepted | None:
        """Where answers come by callback: whether it was taken; see `AnswersByCallback`."""
        return None

    def read_unsent(self, kept: Sequence[Kept]) -> ItemReading:
        """The reading of a call whose request never left, after these replies to earlier ones."""
        return ItemReading(NOT_SENT)

    def read(
        self,
        kept: Sequence[Kept],
        items: Sequence[str],
        series: int,
        units_told: int | None = None,
    ) -> Reading:
        """The reading of the kept replies to the pages of these calls, the last of them new.

        `units_told`: what the last one cost, where the provider said so outside its body.
        """
        ...

    def read_callback(self, body: bytes, items: Sequence[str]) -> CallbackReading:
        """See `AnswersByCallback`."""
        raise AssertionError(f"{self.what} is never answered by callback")


class AskLookups(Asking):
    """Asks for the profiles of several items at once.

    With `callback_url`, which gives the URL for a request's answer, requests to a provider that
    answers by callback are only submitted.
    """

    who = "the provider"
    what = "a request"
    no_reply = ItemReading(NO_REPLY)

    def __init__(
        self, provider: Provider, callback_url: Callable[[str], str] | None = None
    ) -> None:
        self._provider = provider
        self._by_callback = provider if isinstance(provider, AnswersByCallback) else None
        self._callback_url = None if self._by_callback is None else callback_url
        self.max_batch = provider.max_batch
        self.is_called = self._callback_url is not None

    def used_up(self, period: str, priority: str) -> str:
        return f"the {period}'s budget for {priority} is used up"

    async def send(
        self, request_id: str, asked: Sequence[Candidate], further: Further | None = None
    ) -> Reply:
        items = [each.item for each in asked]
        if self._by_callback is None or self._callback_url is None:
            return await self._provider.lookup(items)
        return await self._by_callback.submit(items, self._callback_url(request_id))

    def read_submission(self, reply: Reply) -> Accepted | None:
        if self._by_callback is None:
            return None
        return self._by_callback.read_submission(reply.http_status, reply.body)

    def read(
        self,
        kept: Sequence[Kept],
        items: Sequence[str],
        series: int = 0,
        units_told: int | None = None,
    ) -> Reading:
        http_status, body = kept[-1]
        return self._provider.read(http_status, body, items, units_told)

    def read_callback(self, body: bytes, items: Sequence[str]) -> CallbackReading:
        if self._by_callback is None:
            raise AssertionError("this provider never answers by callback")
        return self._by_callback.read_callback(body, items)


class AskSearches(Asking):
    """Asks for the profiles of one name and company, page by page.

    `pages` and `page_size` bound how many profiles of one search are read.
    """

    who = "the Search API"
    what = "a search"
    max_batch = 1
    # it costs no credits, so that it may be asked again; but the call may have counted
    no_reply = ItemReading(Retriable("no_reply"), units=1)

    def __init__(self, provider: ProfileSearch, *, pages: int, page_size: int) -> None:
        self._provider = provider
        self._pages = pages
        self._page_size = page_size

    def used_up(self, period: str, priority: str) -> str:
        return f"the {period}'s searches for {priority} are used up"

    async def send(
        self, request_id: str, asked: Sequence[Candidate], further: Further | None
    ) -> Reply:
        if further is not None and further.last is not None:
            last = further.last
            return await self._provider.scroll(last.request_ref or "", last.scroll_id or "")
        [of] = asked
        return await self._provider.search(
            ProfileQuery(
                of.item,
                of.company or "",
                is_current=of.question == CURRENT,
                page_size=self._page_size,
            )
        )

    def read(
        self,
        kept: Sequence[Kept],
        items: Sequence[str],
        series: int,
        units_told: int | None = None,
    ) -> Reading:
        """Page after page, until all are there, or as many as the policy allows.

        Where a further page is not to be had any more, the search starts over, once.
        """
        pages = [
            self._provider.read_page(http_status, body, is_further=number > 0)
            for number, (http_status, body) in enumerate(kept)
        ]
        last, units = pages[-1], int(pages[-1].is_counted)
        seen = sum(page.profiles for page in pages)

        def result(reading: ItemReading, further: Further | None = None) -> Reading:
            return Reading((reading._replace(units=units),), last.signal, further=further)

        interrupted = ItemReading(Retriable("interrupted"))
        if last.is_gone:
            if series:
                return result(ItemReading(Found("scroll_gone"), is_complete=False))
            return result(interrupted, Further(series + 1, 1, units))
        if isinstance(last.outcome, Found):
            is_last = _is_last(last, seen)
            if is_last or len(pages) >= self._pages:
                return result(ItemReading(Found(), is_complete=is_last))
            return result(interrupted, Further(series, len(pages) + 1, units, last))
        if isinstance(last.outcome, NoMatch):
            outcome = Found() if seen else NoMatch()
            return result(ItemReading(outcome, is_complete=True))
        return result(ItemReading(last.outcome))


class AskVerifications(Asking):
    """Asks of one address whether mail to it arrives.

    Where that takes longer than a response may, the same is asked again after a pause, and counted
    once; `MOST_TIMES` in all.
    """

    PAUSE_SECONDS = 5.0
    MOST_TIMES = 4
    who = "the verifier"
    what = "a verification"
    max_batch = 1
    no_reply = ItemReading(NO_REPLY)

    def __init__(
        self, verifier: EmailVerifier, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._verifier = verifier
        self._sleep = sleep

    def used_up(self, period: str, priority: str) -> str:
        return f"the {period}'s budget for {priority} is used up"

    async def send(
        self, request_id: str, asked: Sequence[Candidate], further: Further | None
    ) -> Reply:
        if further is not None:
            await self._sleep(self.PAUSE_SECONDS)
        [of] = asked
        return await self._verifier.verify(of.item)

    def read(
        self,
        kept: Sequence[Kept],
        items: Sequence[str],
        series: int,
        units_told: int | None = None,
    ) -> Reading:
        told = self._verifier.read_verification(*kept[-1])
        is_answer = isinstance(told.outcome, Checked)
        # what was taken in between stays charged where the last request failed for another reason
        units = told.units if told.signal is None else self._most_units(kept)
        item = ItemReading(told.outcome, 0 if is_answer else None, units=units)
        goes_on = told.is_in_progress and len(kept) < self.MOST_TIMES
        further = Further(series, len(kept) + 1, units=0) if goes_on else None
        return Reading((item,), told.signal, further=further)

    def read_unsent(self, kept: Sequence[Kept]) -> ItemReading:
        return ItemReading(NOT_SENT, units=self._most_units(kept))

    def _most_units(self, kept: Sequence[Kept]) -> int:
        """What the dearest of these replies says that the verification has cost."""
        readings = (self._verifier.read_verification(*each) for each in kept)
        return max((each.units for each in readings), default=0)


class AskChanges(Asking):
    """Asks what a release has done to several profiles at once; all of them of one release."""

    who = "the changelog"
    what = "a question about changes"
    # it costs nothing, so that it may be asked again
    no_reply = ItemReading(Retriable("no_reply"))

    def __init__(self, feed: ChangeFeed, max_batch: int) -> None:
        self._feed = feed
        self.max_batch = max_batch

    def used_up(self, period: str, priority: str) -> str:
        raise AssertionError("what costs nothing draws on no budget")

    async def send(
        self, request_id: str, asked: Sequence[Candidate], further: Further | None
    ) -> Reply:
        [release] = {each.question for each in asked}
        return await self._feed.changes([each.item for each in asked], release)

    def read(
        self,
        kept: Sequence[Kept],
        items: Sequence[str],
        series: int,
        units_told: int | None = None,
    ) -> Reading:
        return self._feed.read_changes(*kept[-1], items)


def _is_last(page: PageReading, seen: int) -> bool:
    """Whether there is nothing after this page, all pages so far holding so many profiles."""
    if page.scroll_id is None or page.request_ref is None:
        return True
    return page.total is not None and seen >= page.total
