"""What SignalHire's replies mean, code by code.

Here: HTTP statuses and item statuses of `POST /candidate/search`, as outcomes
and signals. Not here: HTTP itself (`client.py`), and the contents of a profile
(they are mapped to facts in SQL).

Sources: docs.signalhire.com for the codes. What is not documented is read in
the way that cannot cost money twice: as unconfirmed.
"""

import json
import re
import unicodedata
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote

import msgspec

from enrichment_pipeline.providers.base import (
    Failing,
    Halt,
    ItemReading,
    LegalStop,
    Matched,
    NoMatch,
    Outcome,
    OutOfCredits,
    Reading,
    Retriable,
    Signal,
    SlowDown,
    Unconfirmed,
)

_ITEM_OUTCOMES: dict[str, Outcome] = {
    "success": Matched(),
    "failed": NoMatch(),
    "credits_are_over": OutOfCredits(),
    "duplicate_query": Retriable("duplicate_query"),
    "timeout_exceeded": Retriable("timeout_exceeded"),
}


class _Answer(msgspec.Struct, gc=False):
    """What is read of one answer here. Profiles are large, and stay undecoded."""

    item: Any = None
    status: Any = None
    candidate: msgspec.Raw = msgspec.Raw()

    @property
    def has_candidate(self) -> bool:
        return memoryview(self.candidate)[:1] == b"{"


_NO_ANSWER = _Answer()
_ANSWERS = msgspec.json.Decoder(list[_Answer])

_LINKEDIN_SLUG = re.compile(r"linkedin\.com/(?:[^?#]*/)?in/([^/?#\s]+)")

_REFUSALS: dict[int, tuple[Outcome, Signal]] = {
    401: (
        Retriable("wrong_key"),
        Halt("wrong_key", "SignalHire does not accept the key (401); check SIGNALHIRE_API_KEY"),
    ),
    402: (
        OutOfCredits(),
        Halt("out_of_credits", "SignalHire's account has no credits left (402); top it up"),
    ),
    403: (
        Retriable("not_allowed"),
        Halt("not_allowed", "SignalHire's account is disabled or may not do this (403)"),
    ),
    404: (
        Retriable("no_such_endpoint"),
        Halt("no_such_endpoint", "no such endpoint (404); check SIGNALHIRE_BASE_URL"),
    ),
    406: (
        Retriable("not_acceptable"),
        Halt("not_acceptable", "SignalHire took the request for a wrong one (406); report this"),
    ),
    422: (
        Retriable("wrong_parameters"),
        Halt("wrong_parameters", "SignalHire took its parameters for wrong (422); report this"),
    ),
    429: (Retriable("rate_limited"), SlowDown()),
    451: (LegalStop(), Halt("legal_stop", "SignalHire answers 451: stopped for legal reasons")),
}
"""Refusals of a whole request, all before anything is charged."""


def read_reply(http_status: int, body: bytes, items: Sequence[str]) -> Reading:
    """The outcome of each item; see `Provider.read`."""
    if http_status in _REFUSALS:
        outcome, signal = _REFUSALS[http_status]
        return Reading((ItemReading(outcome),) * len(items), signal)
    if http_status != 200:
        return _unreadable(f"http_{http_status}", items)
    answers = _decode(body)
    if answers is None:
        return _unreadable("malformed_body", items)
    return _read_answers(answers, items)


def _decode(body: bytes) -> list[_Answer] | None:
    """The answers in a body; None for a body that is no list.

    What the fast decoder refuses (another encoding, half of a surrogate pair, an
    element that is no object) the forgiving one may still take: it was paid for.
    """
    try:
        return _ANSWERS.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    try:
        answers = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return list(map(_forgiven, answers)) if isinstance(answers, list) else None


def _forgiven(answer: object) -> _Answer:
    if not isinstance(answer, dict):
        return _NO_ANSWER
    candidate = msgspec.Raw(b"{}" if isinstance(answer.get("candidate"), dict) else b"")
    return _Answer(answer.get("item"), answer.get("status"), candidate)


def _read_answers(answers: Sequence[_Answer], items: Sequence[str]) -> Reading:
    keys = [echo_key(item) for item in items]
    wanted = set(keys)
    position: dict[str, int] = {}
    unasked = 0
    for index, answer in enumerate(answers):
        key = _answered_key(answer)
        if key is None or key not in wanted:
            unasked += 1
        elif key not in position or _weight(answer) > _weight(answers[position[key]]):
            # where an item is answered twice, a success counts more than a failure
            position[key] = index
    readings = []
    for key in keys:
        index = position.get(key)
        if index is None:
            readings.append(ItemReading(Unconfirmed("missing_from_answer")))
        else:
            readings.append(ItemReading(_outcome(answers[index]), index))
    return Reading(tuple(readings), _signal(readings), unasked)


def _signal(readings: Sequence[ItemReading]) -> Signal | None:
    if any(isinstance(reading.outcome, OutOfCredits) for reading in readings):
        return Halt("out_of_credits", "SignalHire's account ran out of credits; top it up")
    if readings and all(isinstance(reading.outcome, Unconfirmed) for reading in readings):
        return Failing("nothing_answered")
    return None


def _outcome(answer: _Answer) -> Outcome:
    if answer.status == "success" and not answer.has_candidate:
        return Unconfirmed("success_without_candidate")
    if not isinstance(answer.status, str):
        return Unconfirmed("no_status")
    return _ITEM_OUTCOMES.get(answer.status, Unconfirmed("unknown_status"))


def _answered_key(answer: _Answer) -> str | None:
    return echo_key(answer.item) if isinstance(answer.item, str) else None


def _weight(answer: _Answer) -> int:
    return (answer.status == "success") * (1 + answer.has_candidate)


def _unreadable(reason: str, items: Sequence[str]) -> Reading:
    return Reading((ItemReading(Unconfirmed(reason)),) * len(items), Failing(reason))


def echo_key(item: str) -> str:
    """An item in the form in which what was sent and what is echoed are compared.

    Whether SignalHire echoes an item as it was sent is not documented.
    """
    text = item.strip().casefold()
    if "linkedin.com" in text and (profile := _LINKEDIN_SLUG.search(text)):
        return "linkedin:" + unicodedata.normalize("NFC", unquote(profile[1])).casefold()
    if "@" not in text and text.lstrip("+(")[:1].isdigit() and not text.isalnum():
        return "phone:" + "".join(filter(str.isdigit, text))
    if text.isdigit() and len(text) < 20:
        return "phone:" + text
    return text
