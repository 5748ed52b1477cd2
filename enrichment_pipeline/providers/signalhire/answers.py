"""Reading SignalHire's replies to `POST /candidate/search`: which answer is whose, and what it is.

Here: the response itself, or the callback that comes later; decoding a body, joining
its answers to the items that were sent, and recognising what each is. Not here: what
it means (`faults.py`), HTTP itself (`client.py`), and the contents of a profile (they
are mapped to facts in SQL).
"""

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Container, Sequence
from typing import Any
from urllib.parse import unquote

import msgspec

from enrichment_pipeline.providers.base import (
    Accepted,
    CallbackReading,
    Fault,
    ItemReading,
    Matched,
    Reading,
    Signal,
    Unconfirmed,
    fault_of_status,
)
from enrichment_pipeline.providers.signalhire.faults import FAULTS

_STATUSES = frozenset(
    {"success", "failed", "credits_are_over", "duplicate_query", "timeout_exceeded"}
)


class _Answer(msgspec.Struct, gc=False):
    """What is read of one answer here. Profiles are large, and stay undecoded."""

    item: Any = None
    status: Any = None
    candidate: msgspec.Raw = msgspec.Raw()

    @property
    def has_candidate(self) -> bool:
        return memoryview(self.candidate)[:1] == b"{"


class _Contact(msgspec.Struct, gc=False, rename={"sub_type": "subType"}):
    type: Any = None
    sub_type: Any = None
    value: Any = None


class _Social(msgspec.Struct, gc=False):
    link: Any = None


class _Profile(msgspec.Struct, gc=False):
    """What tells whose a profile is."""

    uid: Any = None
    contacts: list[_Contact] | None = None
    social: list[_Social] | None = None


_PROFILE = msgspec.json.Decoder(_Profile)
_NO_ANSWER = _Answer()
_ANSWERS = msgspec.json.Decoder(list[_Answer])

_LINKEDIN_SLUG = re.compile(r"linkedin\.com/(?:[^?#]*/)?in/([^/?#\s]+)")


def read_reply(http_status: int, body: bytes, items: Sequence[str]) -> Reading:
    """The outcome of each item; see `Provider.read`."""
    if http_status != 200:
        return _failed_by(fault_of_status(FAULTS, http_status), items)
    answers = _decode(body)
    if answers is None:
        return _failed_by(FAULTS["malformed_body"], items)
    indexes, unsolicited_answers = _join(answers, items)
    faults = [FAULTS[_fault_of(None if i is None else answers[i])] for i in indexes]
    readings = tuple(
        _read(fault, answers, index) for fault, index in zip(faults, indexes, strict=True)
    )
    return Reading(readings, _signal(faults), unsolicited_answers)


def read_submission(http_status: int, body: bytes) -> Accepted | None:
    """Whether a request in asynchronous mode was taken; see `AnswersByCallback.read_submission`."""
    if http_status == 201:
        return Accepted(_request_ref(body))
    fault = fault_of_status(FAULTS, http_status)
    # a status that is not documented for this mode, a 200 too: what it took it will answer
    return Accepted(None, fault.signal) if isinstance(fault.outcome, Unconfirmed) else None


def read_callback(body: bytes, items: Sequence[str]) -> CallbackReading:
    """The outcome of each item that it answers; see `AnswersByCallback.read_callback`."""
    answers = _decode(body)
    if answers is None:
        # another one may still answer them: until their deadline they are open
        return CallbackReading((None,) * len(items), FAULTS["malformed_body"].signal)
    indexes, unsolicited_answers = _join(answers, items)
    faults = [None if i is None else FAULTS[_fault_of(answers[i])] for i in indexes]
    readings = tuple(
        None if fault is None else _read(fault, answers, index)
        for fault, index in zip(faults, indexes, strict=True)
    )
    stops = [fault.signal for fault in faults if fault is not None and fault.signal is not None]
    return CallbackReading(readings, stops[0] if stops else None, unsolicited_answers)


def _read(fault: Fault, answers: Sequence["_Answer"], index: int | None) -> ItemReading:
    """One item's outcome, with the identifiers that its answer gives where a person was found."""
    is_found = index is not None and isinstance(fault.outcome, Matched)
    identifiers = _identifiers(answers[index].candidate) if is_found else ()
    return ItemReading(fault.outcome, index, fault.units, identifiers)


def _identifiers(candidate: msgspec.Raw) -> tuple[tuple[str, str], ...]:
    """By what the person found goes: its id, profile, e-mails and mobile phones.

    A phone at work may be a switchboard, which is several people's.
    """
    try:
        profile = _PROFILE.decode(candidate)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ()  # it has an undocumented shape; SQL reads what it can
    given = [("uid", profile.uid)]
    given += [("linkedin", social.link) for social in profile.social or ()]
    for contact in profile.contacts or ():
        if contact.type == "email":
            given.append(("email", contact.value))
        elif contact.type == "phone" and str(contact.sub_type).lower() == "mobile":
            given.append(("phone", contact.value))
    return tuple((kind, text) for kind, text in given if isinstance(text, str) and text)


def count_answers(body: bytes) -> int | None:
    """How many answers a body holds; None for a body that is no list of answers."""
    answers = _decode(body)
    return None if answers is None else len(answers)


def _request_ref(body: bytes) -> str | None:
    """The provider's number of a request; the callback names it too, in a header."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    number = document.get("requestId") if isinstance(document, dict) else None
    return str(number)[:64] if isinstance(number, int | str) else None


def _failed_by(fault: Fault, items: Sequence[str]) -> Reading:
    """A fault of the whole request is every item's."""
    return Reading((ItemReading(fault.outcome),) * len(items), fault.signal)


def _decode(body: bytes) -> list[_Answer] | None:
    """The answers in a body; None for a body that is no list.

    What the fast decoder refuses (another encoding, half of a surrogate pair, an
    element that is no object) the forgiving one may still take: it was paid for.
    """
    try:
        return _ANSWERS.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        answers = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return list(map(_read_loosely, answers)) if isinstance(answers, list) else None


def _read_loosely(answer: object) -> _Answer:
    if not isinstance(answer, dict):
        return _NO_ANSWER
    candidate = msgspec.Raw(b"{}" if isinstance(answer.get("candidate"), dict) else b"")
    return _Answer(answer.get("item"), answer.get("status"), candidate)


def _join(answers: Sequence[_Answer], items: Sequence[str]) -> tuple[list[int | None], int]:
    """The position of each item's answer, and how many answers are unsolicited.

    Items that are one in the normalised form (`straße`, `strasse`) are told apart by how
    they were sent, if the answer echoes that.
    """
    keys = {item: echo_key(item) for item in items}
    items_of = Counter(keys.values())
    alike = {item for item, key in keys.items() if items_of[key] > 1}
    wanted = alike.union(keys.values())
    position: dict[str, int] = {}
    unsolicited_answers = 0
    for index, answer in enumerate(answers):
        key = _answered_key(answer, alike)
        if key is None or key not in wanted:
            unsolicited_answers += 1
        elif key not in position or _weight(answer) > _weight(answers[position[key]]):
            # where an item is answered twice, a success counts more than a failure
            position[key] = index
    return [position.get(item, position.get(keys[item])) for item in items], unsolicited_answers


def _signal(faults: Sequence[Fault]) -> Signal | None:
    """What the items say of the provider: one that must stop the run speaks for all."""
    if faults and all(isinstance(fault.outcome, Unconfirmed) for fault in faults):
        return FAULTS["nothing_answered"].signal
    return next((fault.signal for fault in faults if fault.signal is not None), None)


def _fault_of(answer: _Answer | None) -> str:
    """The row of the table of faults in which an item's answer, or its lack, stands."""
    if answer is None:
        return "missing_from_answer"
    if not isinstance(answer.status, str):
        return "no_status"
    if answer.status == "success" and not answer.has_candidate:
        return "success_without_candidate"
    return answer.status if answer.status in _STATUSES else "unknown_status"


def _answered_key(answer: _Answer, as_sent: Container[str]) -> str | None:
    if not isinstance(answer.item, str):
        return None
    return answer.item if answer.item in as_sent else echo_key(answer.item)


def _weight(answer: _Answer) -> int:
    return (answer.status == "success") * (1 + answer.has_candidate)


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
