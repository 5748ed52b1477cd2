"""What a callback may be: how large, how many answers, how long on its way.

Here: the numbers. Not here: holding a callback to them (`app.py`). How deep a body
may be nested is the JSON decoder's limit: some thousand levels, where a profile has six.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class ReceiverLimits:
    """`body_seconds` and `keep_seconds` together stay below the 10 s that the provider waits.

    A hundred profiles are some 300 KB.
    """

    body_bytes: int = 32 * 1024 * 1024
    answers: int = 1_000
    head_seconds: float = 5.0
    body_seconds: float = 4.0
    keep_seconds: float = 5.0
