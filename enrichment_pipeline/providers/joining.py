"""The way back from answers to a reply, for providers whose reply is a list of them.

Here: that list, also where some of its answers are missing. Not here: a reply of any other shape
(the provider's `answers.py`).
"""

from collections.abc import Mapping


def join_list(answers: Mapping[int, str]) -> bytes:
    """A reply with these answers in their places; see `ProviderFacts.join_answers`."""
    places = range(max(answers, default=-1) + 1)
    return f"[{','.join(answers.get(place, 'null') for place in places)}]".encode()
