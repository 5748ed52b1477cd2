"""A process that takes entries and is killed with SIGKILL: at a step of one, or at any commit.

Here: the steps, and what such a process does until then. Not here: how children are started
(`enrichment_pipeline_tests/dying.py`), and what is asserted.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from enrichment_pipeline.dispatch.asking import AskLookups, AskSearches
from enrichment_pipeline.entry import service
from enrichment_pipeline.entry.buying import Buyer
from enrichment_pipeline.entry.contact import EnteredContact
from enrichment_pipeline.entry.judge import Judge
from enrichment_pipeline.entry.notifying import Notifier
from enrichment_pipeline.entry.service import EntryService, open_desk
from enrichment_pipeline.ledger import entries
from enrichment_pipeline.ledger.calls import Calls
from enrichment_pipeline.ledger.entries import RequestKey
from enrichment_pipeline.settings import Settings
from enrichment_pipeline_tests.dying import die_around_commits

FOREVER = timedelta(seconds=30)
AT_ONCE = timedelta(0)
KEY = RequestKey("token", "key", "body")


def _dies(*_given: object, **_named: object) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


def _before(owner: Any, name: str, nth: int = 1) -> Callable[[], None]:
    """Killed when this is called for the n-th time."""

    def arm() -> None:
        call, calls = getattr(owner, name), iter(range(1, nth + 1))

        def mortal(*given: Any, **named: Any) -> Any:
            if next(calls, nth) == nth:
                _dies()
            return call(*given, **named)

        setattr(owner, name, mortal)

    return arm


def _after(owner: Any, name: str) -> Callable[[], None]:
    """Killed once the first call of this coroutine has come back, and nobody knows yet."""

    def arm() -> None:
        call = getattr(owner, name)

        async def mortal(*given: Any, **named: Any) -> Any:
            await call(*given, **named)
            _dies()

        setattr(owner, name, mortal)

    return arm


STEPS: dict[str, Callable[[], None]] = {
    "before it is recorded": _before(service, "_record"),
    "recorded, before it is judged": _before(Judge, "judge"),
    "judged, before that is kept": _before(EntryService, "_take"),
    "identified, before a call is admitted": _before(Buyer, "buy"),
    "admitted, before it is sent": _before(AskLookups, "send"),
    "on the wire": _after(AskLookups, "send"),
    "the reply is kept, before the call is settled": _before(Calls, "settle"),
    "the call is settled, before the entry is judged": _before(Judge, "judge", nth=2),
    "settled, before its answer is kept for a repeat": _before(entries, "end_request"),
    "settled, before it is notified": _before(Notifier, "_post"),
    "notified, before that is known": _after(Notifier, "_post"),
}
"""Of an entry that is posted twice: first without waiting, then with a key until it is decided."""
STEPS_OF_A_SEARCH: dict[str, Callable[[], None]] = {
    "identified, before a search is admitted": _before(Buyer, "buy"),
    "admitted, before it is sent": _before(AskSearches, "send"),
    "on the wire": _after(AskSearches, "send"),
    "the reply is kept, before the search is settled": _before(Calls, "settle"),
    "the search is settled, before the entry is judged": _before(Judge, "judge", nth=2),
    "found, before a look-up is admitted": _before(Buyer, "buy", nth=2),
    "the look-up is settled, before the entry is judged": _before(Judge, "judge", nth=3),
}
"""Of an entry that is a name and a company, posted the same way."""
MAYBE_BILLED = frozenset({"admitted, before it is sent", "on the wire"})
"""At which nobody can tell whether the provider has charged for it."""


def settings_in(folder: Path) -> Settings:
    return pickle.loads((folder / "settings.pickle").read_bytes())


def enter_and_die(folder: Path, contact: EnteredContact, url: str, step: str) -> None:
    """Take this contact, and be killed; `answered` in the folder tells that it got its 2xx."""
    (STEPS if contact.email else STEPS_OF_A_SEARCH)[step]()

    async def scene() -> None:
        async with open_desk(settings_in(folder)) as desk:
            await desk.enter(contact, wait=AT_ONCE, notify_url=url)
            (folder / "answered").write_text(contact.id)
            await desk.enter(contact, wait=FOREVER, notify_url=url, request=KEY)
            await asyncio.sleep(FOREVER.total_seconds())

    asyncio.run(scene())


def enter_many_and_die(
    folder: Path, contacts: list[EnteredContact], url: str, dies_at: int
) -> None:
    """Take these contacts two at a time, and be killed around that commit; see `answered`."""
    die_around_commits(dies_at)

    async def scene() -> None:
        async with open_desk(settings_in(folder)) as desk:
            with (folder / "answered").open("a") as answered:

                async def enter(contact: EnteredContact) -> None:
                    await desk.enter(contact, wait=AT_ONCE, notify_url=url)
                    print(contact.id, file=answered, flush=True)

                for first in range(0, len(contacts), 2):
                    await asyncio.gather(*map(enter, contacts[first : first + 2]))
                    await asyncio.sleep(0.02)
                await asyncio.sleep(FOREVER.total_seconds())

    asyncio.run(scene())
