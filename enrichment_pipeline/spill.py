"""Replies that the ledger could not take, in files of the state folder until it can.

Here: writing such a file, reading them all back, and whether there is room for one. Not here:
when a reply is set aside (`dispatch/keeping.py`), and what becomes of it once the ledger has it
(`dispatch/settling.py`).
"""

import json
import logging
import os
import shutil
from datetime import datetime
from functools import partial
from pathlib import Path

from enrichment_pipeline.disk import flush
from enrichment_pipeline.ledger import kept
from enrichment_pipeline.ledger.calls import Calls
from enrichment_pipeline.ledger.store import LedgerStore
from enrichment_pipeline.providers.base import Halt, Reply

LEAST_FREE_BYTES = 256 * 2**20
"""What a run has on the wire comes to some 2 MB. But the ledger's log of up to 64 MB is still to be
moved into its file, and other things write to the same disk."""
_log = logging.getLogger(__name__)


def lack_of_space(folder: Path) -> Halt | None:
    """Why nothing may be bought: the state folder's disk has no room for what would be answered."""
    free = shutil.disk_usage(folder).free
    if free >= LEAST_FREE_BYTES:
        return None
    return Halt(
        "disk_full",
        f"{folder}: its disk has {free / 2**20:.0f} MB left, so that what is paid for might find "
        f"no room; nothing more is bought below {LEAST_FREE_BYTES / 2**20:.0f} MB",
    )


def spill(folder: Path, request_id: str, reply: Reply, received_at: datetime) -> None:
    """Write the reply to a request into a file of its own: whole and on the disk, or not at all.

    One line says what it is; after it comes the body, as it came. For its owner's eyes only.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    head = {
        "request_id": request_id,
        "http_status": reply.http_status,
        "credits_left": reply.credits_left,
        "units_told": reply.units_told,
        "received_at": received_at.isoformat(),
    }
    path = folder / f"{request_id}.reply"
    draft = path.with_suffix(".draft")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(json.dumps(head).encode() + b"\n" + reply.body)
    flush(draft)
    draft.replace(path)
    flush(folder)


def take_back(folder: Path, store: LedgerStore, *kinds: Calls) -> int:
    """Move what was spilled into the ledger, as replies that nobody has read; how many.

    `kinds` are all kinds of call, to whichever provider, that may have asked.
    """
    calls_of = {(calls.provider, calls.kind): calls for calls in kinds}
    taken = 0
    for path in sorted(folder.glob("*.reply")):
        try:
            head, _, body = path.read_bytes().partition(b"\n")
            of = json.loads(head)
            request_id = of["request_id"] if "request_id" in of else of["batch_id"]
            calls = calls_of.get(kept.asked_by(store, request_id))
            if calls is None:
                # a ledger that was restored from an older copy; it was paid for all the same
                _log.warning("%s: the ledger knows of no such request; left as it is", path.name)
                continue
            record = partial(
                calls.record_reply,
                request_id=request_id,
                http_status=of["http_status"],
                body=body,
                credits_left=of["credits_left"],
                units_told=of.get("units_told"),
                received_at=datetime.fromisoformat(of["received_at"]),
            )
            store.transact(record)
        except FileNotFoundError:
            continue  # another run was faster
        path.unlink(missing_ok=True)
        taken += 1
    return taken
