"""Writing to the ledger while requests are under way, also where it cannot be written just now.

Here: a reply that may have been paid for, which is tried to keep whatever the reason, and what
happens to it after that; all else waits for a database that is away. Not here: for how long
(`ledger/outage.py`), how the ledger keeps a reply (`ledger/journal.py`), and where it is set
aside (`spill.py`).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeVar

from sqlalchemy.exc import DBAPIError, InterfaceError, InternalError, OperationalError
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_after_attempt,
    wait_exponential,
)

from enrichment_pipeline.errors import PipelineError
from enrichment_pipeline.ledger.calls import Calls
from enrichment_pipeline.ledger.group import GroupCommit
from enrichment_pipeline.ledger.outage import (
    ATTEMPTS,
    LONGEST_PAUSE_SECONDS,
    LedgerAwayError,
    is_outage,
    outage_retries,
)
from enrichment_pipeline.ledger.store import Transaction
from enrichment_pipeline.providers.base import Reply

SetAside = Callable[[str, Reply, datetime], None]
"""Keeps the reply to a request, which came at that time, elsewhere than in the ledger."""
Sleep = Callable[[float], Awaitable[None]]

R = TypeVar("R")

_OF_THE_DATABASE = (OperationalError, InterfaceError, InternalError)
"""It is away, locked, full, or has hung up; not what we asked of it is wrong."""
_log = logging.getLogger(__name__)


async def write_patiently(
    writer: GroupCommit, work: Callable[[Transaction], R], *, sleep: Sleep
) -> R:
    """What the work returns once it is committed, also where the database is away for a while.

    Raises LedgerAwayError where it does not come back.
    """
    try:
        return await AsyncRetrying(**outage_retries(), sleep=sleep)(writer.run, work)
    except DBAPIError as error:
        if is_outage(error):
            raise LedgerAwayError(error) from None
        raise


async def keep_reply(
    writer: GroupCommit,
    calls: Calls,
    request_id: str,
    reply: Reply,
    *,
    received_at: datetime,
    set_aside: SetAside | None,
    sleep: Sleep,
) -> str:
    """Commit the raw reply, however long that takes within reason; its id.

    The ledger keeps the same bytes once, so trying again is safe, also after a commit whose
    success is unknown. Raises PipelineError where the reply had to be
    set aside, and what the ledger raised where it cannot be.
    """

    def record(transaction: Transaction) -> str:
        return calls.record_reply(
            transaction,
            request_id,
            http_status=reply.http_status,
            body=reply.body,
            credits_left=reply.credits_left,
            units_told=reply.units_told,
        )

    def say_so(state: RetryCallState) -> None:
        if state.attempt_number == 1:
            _log.warning("request %s: the ledger cannot take its answer; trying again", request_id)

    # a fresh one per call: it keeps state, and is not safe across tasks
    retrying = AsyncRetrying(
        retry=retry_if_exception_type(_OF_THE_DATABASE),
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_exponential(max=LONGEST_PAUSE_SECONDS),
        sleep=sleep,
        before_sleep=say_so,
        reraise=True,
    )
    try:
        return await retrying(writer.run, record)
    except Exception as error:
        if set_aside is None:
            raise
        await asyncio.to_thread(set_aside, request_id, reply, received_at)
        # from None: a database's message may quote what was written
        raise PipelineError(
            f"the ledger could not be written ({type(error).__name__}); what was answered "
            "meanwhile is set aside in the state folder, and the next run reads it. See to the "
            "ledger's database (is it up, is its disk full?), then run again"
        ) from None
