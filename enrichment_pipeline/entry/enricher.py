"""The point of entry from Python, for applications that need no HTTP in between.

Here: `Enricher` for asyncio, and `SyncEnricher`, the same without `await`. Not here: what they do
(`service.py`).
"""

import asyncio
import hashlib
import json
import threading
from collections.abc import Coroutine, Mapping
from contextlib import AsyncExitStack
from datetime import timedelta
from types import TracebackType
from typing import Any, Self, TypeVar

from pydantic import ValidationError

from enrichment_pipeline.entry.contact import EnteredContact
from enrichment_pipeline.entry.desk import Desk
from enrichment_pipeline.entry.enrichment import Enrichment
from enrichment_pipeline.entry.service import open_desk
from enrichment_pipeline.errors import ConfigurationError
from enrichment_pipeline.ledger.entries import RequestKey
from enrichment_pipeline.settings import Settings, load_settings

LONGEST_WAIT = 10.0
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

    async def __aenter__(self) -> Self:
        settings = self._settings or load_settings()
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
