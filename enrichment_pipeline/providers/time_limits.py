"""How long a request to a provider may take, and how often it is tried where it cannot have left.

Here: what holds for every provider, without an HTTP client, which takes its time to import. Not
here: how long a provider's answer may take (its `facts.py`), and asking (`transport.py`).
"""

CONNECT_SECONDS = 10.0
CONNECT_ATTEMPTS = 3
CONNECT_PAUSE_SECONDS = 3.0
"""The longest pause between two attempts to connect."""


def longest_seconds(answer_seconds: float) -> float:
    """How long a call can take that is answered in the end: all attempts but one connect in vain.

    One that connects may use up the time limit twice, for TCP and then for TLS.
    """
    in_vain = min(2 * CONNECT_SECONDS, answer_seconds) + CONNECT_PAUSE_SECONDS
    return (CONNECT_ATTEMPTS - 1) * in_vain + answer_seconds
