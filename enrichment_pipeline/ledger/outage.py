"""A ledger's database that is away for a while: how long it is waited for, and what is said then.

Here: telling an outage from other errors, and waiting it out, call by call. Not here: what
becomes of an answer that cannot be kept meanwhile (`dispatch/keeping.py`). Only Postgres can be
away: it restarts, fails over, or its host is not reached.
"""

import logging
import time
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy.exc import DBAPIError, OperationalError
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    wait_exponential,
)

from enrichment_pipeline.errors import PipelineError

ATTEMPTS = 12
LONGEST_PAUSE_SECONDS = 30
"""Twelve attempts, with pauses from one second up to this, span about four minutes: a database
has been started again by then, and a process that holds a lock is done."""
_CLASSES_OF_OUTAGES = ("08", "57P", "53300")
"""Of SQLSTATE: connection exceptions, a server that stops or starts, too many connections."""


R = TypeVar("R")
_log = logging.getLogger(__name__)


class LedgerAwayError(PipelineError):
    """The database did not come back in time."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(
            f"the ledger's database cannot be reached ({type(error).__name__}), also after four "
            "minutes; what was answered until then is kept, and the next run goes on. See to the "
            "database, then run again"
        )


def is_outage(error: BaseException) -> bool:
    """Whether the database has hung up, or takes no connection now."""
    if not isinstance(error, DBAPIError):
        return False
    if error.connection_invalidated:
        return True
    if not isinstance(error, OperationalError):
        return False
    # in Postgres' driver a connection that does not come about has no code
    code = getattr(error.orig, "sqlstate", "")
    return code is None or code.startswith(_CLASSES_OF_OUTAGES)


def retry_outages(call: Callable[[], R], sleep: Callable[[float], None] = time.sleep) -> R:
    """What the call returns, however often it fails by an outage, within reason.

    The call may be made again after a commit whose success is unknown.
    Raises LedgerAwayError where the database does not come back.
    """
    retrying = Retrying(**outage_retries(), sleep=sleep)
    try:
        return retrying(call)
    except DBAPIError as error:
        if is_outage(error):
            raise LedgerAwayError(error) from None
        raise


def outage_retries() -> dict[str, Any]:
    """How tenacity waits them out, in a thread or in an event loop."""
    return {
        "retry": retry_if_exception(is_outage),
        "stop": stop_after_attempt(ATTEMPTS),
        "wait": wait_exponential(max=LONGEST_PAUSE_SECONDS),
        "before_sleep": _say_so_once,
        "reraise": True,
    }


def _say_so_once(state: RetryCallState) -> None:
    if state.attempt_number == 1:
        _log.warning("the ledger's database is away; waiting for it")
