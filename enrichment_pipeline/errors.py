"""Errors whose message is meant for the person at the terminal.

Here: exceptions that the command line turns into one clear line and an exit
status, and what becomes of those that nobody foresaw. Not here: errors that a
module raises and handles by itself.
"""

import errno
import re
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class PipelineError(Exception):
    """Something went wrong that the user must know of; the command line exits with 1.

    The message says what happened, to which thing, and what to do next. It
    never carries a key, and names contacts by id only.
    """


class ConfigurationError(PipelineError):
    """A mistake in arguments, environment, policy file or source; exit status 2.

    Raised before anything is written, or inside a transaction that is rolled back.
    """


DISK_FULL = (
    "the disk of ENRICHMENT_HOME (its quota, or the disk of the temporary folder) is full. Nothing "
    "that was paid for is lost: it is in the ledger, and the next run derives the tables from it "
    "again at no cost. Make room, then start it"
)
_NO_ROOM = re.compile("no space left|disk is full|disk full|quota exceeded", re.IGNORECASE)


def is_disk_full(error: BaseException) -> bool:
    """Whether the system, SQLite, Postgres or DuckDB found no room to write."""
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return True
    return _NO_ROOM.search(str(error)) is not None


def refuse_full_disk(error: OSError) -> None:
    """Raise PipelineError where the disk is full, which is no mistake in the configuration."""
    if is_disk_full(error):
        raise PipelineError(DISK_FULL) from None


def redact_unexpected_errors(step: Callable[P, R]) -> Callable[P, R]:
    """Keep the text of an unforeseen error to ourselves: it may quote a contact's data.

    What a step raises is shown in the terminal and stored in Dagster's event log. There
    stand the error's type and its traceback; of a file that the system does not let us
    have, or a disk that is full, also which and why.
    """
    name = getattr(step, "__name__", "a step")

    @wraps(step)
    def kept_quiet(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return step(*args, **kwargs)
        except PipelineError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it is raised again
            if is_disk_full(error):
                raise PipelineError(f"{name}: {DISK_FULL}") from None
            if isinstance(error, OSError) and error.filename is not None:
                raise PipelineError(f"{name}: {error.filename}: {error.strerror}") from None
            raise PipelineError(
                f"{name} failed unexpectedly ({type(error).__name__}); what else the "
                "error says is left out, since it may quote a contact. Please report this"
            ).with_traceback(error.__traceback__) from None

    return kept_quiet
