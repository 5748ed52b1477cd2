"""What a callback may be: how large, and how long on its way.

Here: the numbers. Not here: holding a callback to them (`app.py`).
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class ReceiverLimits:
    """`body_seconds` and `keep_seconds` together stay below the 10 s that the provider waits.

    `linger_seconds`: for how long a refused body is still read, and thrown away.

    A hundred profiles are some 300 KB with 7,000 values. A body with more than `values` is
    kept, but its answers are not counted here: 8 MB of nothing but empty lists would take
    1.6 s and 240 MB to decode.
    """

    body_bytes: int = 8 * 1024 * 1024
    values: int = 500_000
    head_seconds: float = 5.0
    body_seconds: float = 4.0
    keep_seconds: float = 5.0
    linger_seconds: float = 3.0
