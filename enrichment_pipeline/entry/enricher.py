"""The point of entry from Python, for applications that need no HTTP in between.

Here: `Enricher` for asyncio, and `SyncEnricher`, the same without `await`. Not here: what they do
(`service.py`).
"""

import asyncio
import hashlib
import json
import threading
import time
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from itertools import islice
from types import TracebackType
from typing import Any, Self, TypeVar

from pydantic import ValidationError

from enrichment_pipeline.entry.contact import EnteredContact
from enrichment_pipeline.entry.desk import Desk
from enrichment_pipeline.entry.enrichment import Enrichment
from enrichment_pipeline.entry.frames import Frame, as_frame, contacts_in
from enrichment_pipeline.entry.judge import MOST_AT_ONCE
from enrichment_pipeline.entry.service import WAITING_FOR, open_desk
from enrichment_pipeline.errors import ConfigurationError
from enrichment_pipeline.ledger.entries import RequestKey
from enrichment_pipeline.settings import Settings, load_settings

LONGEST_WAIT = 10.0
POLL_SECONDS = 0.5
"""How often it is asked what the rows of a frame have come to that were put off."""
SHORT_LIVED_REASONS = frozenset({None, "not_judged", *WAITING_FOR.values()})
_CALLER = hashlib.sha256(b"python").hexdigest()
"""In the place of a token: the keys of all callers from Python are one caller's."""
R = TypeVar("R")


class Enricher:
    """Takes contacts, and gives what each has come to.

    ```python
    async with Enricher() as enricher:
        result = await enricher.enrich({"email": "ann@example.com"}, wait=2.0)
    ```

    Without `settings` they are read from the environment, as the commands do.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self._settings = settings
        self._exit = AsyncExitStack()
        self._desk: Desk | None = None
        self._at_once = 0

    async def __aenter__(self) -> Self:
        settings = self._settings or load_settings()
        self._at_once = min(MOST_AT_ONCE, settings.policy.entry.requests_at_once)
        self._desk = await self._exit.enter_async_context(open_desk(settings))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._desk = None
        await self._exit.aclose()

    async def enrich(
        self,
        contact: Mapping[str, str | None],
        *,
        wait: float = 2.0,
        idempotency_key: str | None = None,
    ) -> Enrichment:
        """Record a contact, with the source's columns, and give what it has come to.

        That is decided, or, once `wait` seconds (0 to 10) are over, how it stands: it goes on by
        itself, and `find` tells. Raises ValueError, without what was given, for a contact that
        cannot be taken, and the errors of `Desk.enter`.
        """
        entered = _read(contact)
        request = None
        if idempotency_key is not None:
            body = json.dumps(entered.model_dump(), sort_keys=True)
            digest = hashlib.sha256(body.encode()).hexdigest()
            request = RequestKey(_CALLER, idempotency_key, digest)
        seconds = min(max(wait, 0.0), LONGEST_WAIT)
        return await self._entered.enter(entered, wait=timedelta(seconds=seconds), request=request)

    async def enrich_frame(self, frame: Frame, *, wait: float = 60.0) -> Frame:
        """Record the contacts of a pandas frame or Arrow table, and give what they have come to.

        The columns are the source's; at most 1,000 rows, of which as many are under way at once as
        are judged in one pass (50), and as `[entry] requests_at_once` allows. The answer is a frame
        of the same kind, with a row for each in the same order (and the same index): `contact_id`,
        `status`, `reason`, `needs_manual_enrichment`, the fields, for e-mails and phones with their
        `…_status`, `credits` and `next_lookup_at`. Where rows are one contact, the last of them is
        what is recorded, and the first shows what it cost. What is not decided within `wait`
        seconds is shown as it stands, and goes on by itself.

        Raises ValueError before anything is recorded, for the whole frame, and NotRecordedError;
        what was recorded before that is not bought again by another try.
        """
        contacts = contacts_in(frame)
        latest = iter({contact.id: contact for contact in contacts}.values())
        found: dict[str, Enrichment] = {}
        until = time.monotonic() + wait
        while page := list(islice(latest, self._at_once)):
            seconds = timedelta(seconds=max(until - time.monotonic(), 0.0))
            entering = (self._entered.enter(contact, wait=seconds) for contact in page)
            found |= {each.contact_id: each for each in await asyncio.gather(*entering)}
        await self._wait_on(found, until)
        return as_frame(_each_row(contacts, found), like=frame)

    async def _wait_on(self, found: dict[str, Enrichment], until: float) -> None:
        """Bring up to date what was put off for a while only, as by a rate limit."""
        while time.monotonic() < until and (
            waiting := [each for each in found.values() if is_worth_waiting_for(each)]
        ):
            await asyncio.sleep(POLL_SECONDS)
            for each in waiting:
                found[each.contact_id] = await self.find(each.contact_id) or each

    async def find(self, contact_id: str) -> Enrichment | None:
        """What a contact has come to by now; None for an id that was never entered."""
        return await self._entered.find(contact_id)

    @property
    def _entered(self) -> Desk:
        if self._desk is None:
            raise ConfigurationError("an Enricher works inside of its `with` only")
        return self._desk


class SyncEnricher:
    """`Enricher` without `await`: its work is done in a thread of its own. Safe to share."""

    def __init__(self, settings: Settings | None = None) -> None:
        self._enricher = Enricher(settings)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="entry", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self._run(self._enricher.__aenter__())
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self._run(self._enricher.__aexit__(kind, error, traceback))
        finally:
            self._end()

    def enrich(
        self,
        contact: Mapping[str, str | None],
        *,
        wait: float = 2.0,
        idempotency_key: str | None = None,
    ) -> Enrichment:
        """See `Enricher.enrich`."""
        return self._run(self._enricher.enrich(contact, wait=wait, idempotency_key=idempotency_key))

    def enrich_frame(self, frame: Frame, *, wait: float = 60.0) -> Frame:
        """See `Enricher.enrich_frame`."""
        return self._run(self._enricher.enrich_frame(frame, wait=wait))

    def find(self, contact_id: str) -> Enrichment | None:
        """See `Enricher.find`."""
        return self._run(self._enricher.find(contact_id))

    def _run(self, work: Coroutine[Any, Any, R]) -> R:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def _read(contact: Mapping[str, str | None]) -> EnteredContact:
    try:
        return EnteredContact.model_validate(dict(contact))
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, problem["loc"]))
        raise ValueError(f"contact: {where}: {problem['msg']}") from None


def is_worth_waiting_for(enrichment: Enrichment) -> bool:
    """Whether it is under way and not put off until tomorrow, as by a budget."""
    return not enrichment.is_decided and enrichment.reason in SHORT_LIVED_REASONS


def _each_row(
    contacts: Sequence[EnteredContact], found: Mapping[str, Enrichment]
) -> Iterator[Enrichment]:
    """What each row has come to; of several with one contact, the first shows what it cost."""
    told: set[str] = set()
    for contact in contacts:
        enrichment = found[contact.id]
        yield enrichment.model_copy(update={"credits": 0}) if contact.id in told else enrichment
        told.add(contact.id)
