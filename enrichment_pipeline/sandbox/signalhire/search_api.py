"""The Search API: its two endpoints, the daily quota, and how many may ask at once.

Belongs here: what `searchByQuery` and `scrollSearch` answer, and when not. Does not belong here:
what may be asked (`queries.py`), who is found (`profiles.py`), and the account's door
(`stand_in.py`).

A search is counted and decided without awaiting anything; only latency comes after that, and
counts towards those who ask at once.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from enrichment_pipeline.sandbox.journal_file import Journal, JournalError
from enrichment_pipeline.sandbox.signalhire.config import SandboxConfig
from enrichment_pipeline.sandbox.signalhire.people import People, Person
from enrichment_pipeline.sandbox.signalhire.profiles import Profiles
from enrichment_pipeline.sandbox.signalhire.queries import read_query, read_scroll_id
from enrichment_pipeline.sandbox.signalhire.search import Refusal


@dataclass(frozen=True)
class _Scroll:
    """Where a search can be gone on with, and until when."""

    request: int
    found: list[Person]
    start: int
    size: int
    page: int
    texts: Mapping[str, str]
    until: float


class SearchApi:
    """The Search API over one directory. The event loop of the server is the only caller."""

    def __init__(
        self,
        config: SandboxConfig,
        people: People,
        *,
        next_request: Callable[[], int],
        clock: Callable[[], float],
        wall_clock: Callable[[], datetime],
    ) -> None:
        self._config = config
        self._profiles = Profiles(
            people,
            name_match=config.search_name_match,
            experience_shown=config.search_experience,
            reads_other_scripts=config.search_reads_other_scripts,
        )
        self._next_request = next_request
        self._clock = clock
        self._wall_clock = wall_clock
        self._scrolls: dict[str, _Scroll] = {}
        self._asking = 0
        self._asked_today = ("", 0)
        self._journal: Journal | None = None
        if config.searches is not None:
            self._asked_today = _count_newest_day(config.searches)
            self._journal = Journal(config.searches, "the file of searches")

    @contextmanager
    def asking(self) -> Iterator[None]:
        """One of those who ask at once. Raises `Refusal` for one too many, and without access."""
        if not self._config.search_allowed:
            raise Refusal(403, "The Search API is not enabled for this account")
        if self._asking >= self._config.searches_at_once:
            raise Refusal(429, f"Only {self._config.searches_at_once} concurrent requests")
        self._asking += 1
        try:
            yield
        finally:
            self._asking -= 1

    def search(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """POST /candidate/searchByQuery: the first page. Raises `Refusal`."""
        query = read_query(body, self._config.search_page_size)
        self._refuse_beyond_quota()
        found = self._profiles.find(query.texts)
        first = _Scroll(self._next_request(), found, 0, query.size, 1, query.texts, 0.0)
        return self._page(first)

    def scroll(self, request: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """POST /candidate/scrollSearch/{requestId}: the next page. Raises `Refusal`."""
        scroll = self._scrolls.get(read_scroll_id(body))
        if scroll is None or str(scroll.request) != request or scroll.until <= self._clock():
            raise Refusal(404, "There is no such scrollId, or it has expired")
        self._refuse_beyond_quota()
        return self._page(scroll)

    def _page(self, scroll: _Scroll) -> dict[str, Any]:
        now = self._clock()
        self._scrolls = {key: kept for key, kept in self._scrolls.items() if kept.until > now}
        self._count(scroll)
        end = scroll.start + scroll.size
        scroll_id = None
        if end < len(scroll.found):
            scroll_id = secrets.token_urlsafe(24)
            self._scrolls[scroll_id] = _Scroll(
                scroll.request,
                scroll.found,
                end,
                scroll.size,
                scroll.page + 1,
                scroll.texts,
                now + self._config.scroll_id_seconds,
            )
        return {
            "requestId": scroll.request,
            "total": len(scroll.found),
            "scrollId": scroll_id,
            "profiles": [
                self._profiles.shown(person) for person in scroll.found[scroll.start : end]
            ],
        }

    def _refuse_beyond_quota(self) -> None:
        today, asked = self._asked_today
        if today == self._today() and asked >= self._config.searches_per_day:
            raise Refusal(402, "The daily search quota is exceeded")

    def _count(self, scroll: _Scroll) -> None:
        """Count a call that is answered, found or not."""
        today, asked = self._asked_today
        self._asked_today = (self._today(), asked + 1 if today == self._today() else 1)
        if self._journal is not None:
            line = {
                "at": self._wall_clock().isoformat(),
                "request": scroll.request,
                "page": scroll.page,
                "query": dict(scroll.texts),
                "total": len(scroll.found),
            }
            self._journal.add([line])

    def _today(self) -> str:
        return self._wall_clock().date().isoformat()


def _count_newest_day(path: Path) -> tuple[str, int]:
    """The last day in the file, and how many were asked for on it; none where there is no file."""
    try:
        lines = path.read_bytes().split(b"\n") if path.exists() else []
    except OSError as error:
        raise JournalError(
            f"{path}: the file of searches cannot be read ({error.strerror}); name a readable file"
        ) from None
    days: list[str] = []
    for line in lines:
        try:
            days.append(str(json.loads(line)["at"])[:10])
        except (ValueError, KeyError, TypeError):
            continue  # blank, or cut off by a kill
    return (max(days), days.count(max(days))) if days else ("", 0)
