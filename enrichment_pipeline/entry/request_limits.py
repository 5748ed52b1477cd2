"""What a request to the point of entry may be: how large, how long on its way.

Here: the numbers. Not here: holding a request to them (`contact_routes.py`, `entry_server.py`), and
how many a caller may send (`callers.py`).
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class EntryLimits:
    """`idle_seconds` between two requests of a connection is more than load balancers keep one.

    `linger_seconds`: for how long a refused body is still taken, and forgotten.
    `ping_seconds`: how long the database may take to say that it is there. On a stop, what is
    under way has `stop_seconds`: more than a client may ask to wait.
    """

    body_bytes: int = 64 * 1024
    head_seconds: float = 5.0
    body_seconds: float = 5.0
    idle_seconds: int = 75
    linger_seconds: float = 3.0
    ping_seconds: float = 5.0
    stop_seconds: int = 15
