"""How what was found is written down: the items of a result, as the provider spells them.

Belongs here: the JSON of an item and of a candidate, rendered once and joined as bytes. Does not
belong here: what is found, and the response or callback that carries it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from enrichment_pipeline.sandbox.signalhire.people import People, Person
from enrichment_pipeline.sandbox.signalhire.search import Pool


@dataclass(frozen=True)
class Answer:
    """What is answered to one item."""

    item: str
    status: str
    person: Person | None = None


class Renderer:
    """Writes results over one directory of people."""

    def __init__(self, people: People, *, rating_as_string: bool) -> None:
        def render(candidate: dict[str, Any]) -> bytes:
            return to_json(_with_text_ratings(candidate) if rating_as_string else candidate)

        # Rendered once: a result of 100 candidates is then a matter of joining bytes.
        self._candidates: dict[Pool, dict[str, bytes]] = {
            "standard": {p.uid: render(p.candidate) for p in people},
            "without_contacts": {p.uid: render(_without_contacts(p.candidate)) for p in people},
        }

    def result(self, answers: Iterable[Answer], pool: Pool) -> bytes:
        """The array of these answers."""
        return b"[%b]" % b",".join(self._render(answer, pool) for answer in answers)

    def _render(self, answer: Answer, pool: Pool) -> bytes:
        item = to_json(answer.item)
        if answer.person is None:
            return b'{"item":%b,"status":%b}' % (item, to_json(answer.status))
        candidate = self._candidates[pool][answer.person.uid]
        return b'{"item":%b,"status":"success","candidate":%b}' % (item, candidate)


def to_json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _without_contacts(candidate: dict[str, Any]) -> dict[str, Any]:
    """As the documentation has it: no contacts, and of the links only the LinkedIn one."""
    linkedin = [link for link in candidate.get("social") or [] if link.get("type") == "li"]
    return {**candidate, "contacts": [], "social": linkedin}


def _with_text_ratings(candidate: dict[str, Any]) -> dict[str, Any]:
    rated = {
        name: [
            {**entry, "rating": str(entry["rating"])}
            if isinstance(entry.get("rating"), int)
            else entry
            for entry in candidate[name]
        ]
        for name in ("contacts", "social")
        if candidate.get(name)
    }
    return {**candidate, **rated}
