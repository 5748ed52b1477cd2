"""The `Prefer` header (RFC 7240), as far as the point of entry honours it: `wait`.

Here: reading it. Not here: waiting (`service.py`).
"""

from collections.abc import Iterable
from datetime import timedelta

DEFAULT_WAIT = timedelta(seconds=2)
LONGEST_WAIT = timedelta(seconds=10)
_LONGEST_NUMBER = 9


def preferred_wait(headers: Iterable[str]) -> timedelta | None:
    """For how long the client would wait, at most LONGEST_WAIT; None where it does not say.

    As the RFC has it: the first `wait` counts, names are the same in either case, parameters and
    other preferences are ignored, and so is what cannot be read.
    """
    for preference in ",".join(headers).split(","):
        name, _, value = preference.partition(";")[0].partition("=")
        if name.strip().lower() != "wait":
            continue
        digits = value.strip().strip('"')
        if not digits.isdecimal() or len(digits) > _LONGEST_NUMBER:
            return None
        return min(timedelta(seconds=int(digits)), LONGEST_WAIT)
    return None
