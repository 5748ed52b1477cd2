"""How long a call to SignalHire may take.

Here: the limits, without the HTTP client, which takes its time to import. Not here: keeping
them (`client.py`).
"""

CONNECT_SECONDS = 10.0
ANSWER_SECONDS = 60.0
"""How long a synchronous answer may take in all; SignalHire documents no limit."""
SEARCH_SECONDS = 15.0
"""How long a page of a search may take in all: as long as a scroll id lives."""
CONNECT_ATTEMPTS = 3
CONNECT_PAUSE_SECONDS = 3.0
"""The longest pause between two attempts to connect."""


def longest_seconds(answer_seconds: float) -> float:
    """How long a call can take that is answered in the end: all attempts but one connect in vain.

    One that connects may use up the time limit twice, for TCP and then for TLS.
    """
    in_vain = min(2 * CONNECT_SECONDS, answer_seconds) + CONNECT_PAUSE_SECONDS
    return (CONNECT_ATTEMPTS - 1) * in_vain + answer_seconds
