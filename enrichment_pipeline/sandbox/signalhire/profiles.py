"""Finding people by name, company, title and place, as the Search API does.

Belongs here: the index over the directory, what matches, and what a found profile shows. Does not
belong here: how many may be asked for (`search_api.py`), and look-ups by identifier (`people.py`).

A text matches where its words stand in the other one, whatever their order, case and accents.
Nothing is known about nicknames, legal forms or parent companies: a search for `Acme GmbH` does
not find those who work at `Acme`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from enrichment_pipeline.sandbox.signalhire.config import ExperienceShown, NameMatch
from enrichment_pipeline.sandbox.signalhire.people import People, Person
from enrichment_pipeline.sandbox.words import words_in

_POSITION_FIELDS = {
    "currentCompany": ("company", True),
    "currentPastCompany": ("company", False),
    "currentTitle": ("position", True),
    "currentPastTitle": ("position", False),
}
"""Which text of a position each parameter is compared with, and whether the job must be held."""


class Profiles:
    """The directory, by what the Search API takes."""

    def __init__(
        self,
        people: People,
        *,
        name_match: NameMatch,
        experience_shown: ExperienceShown,
        reads_other_scripts: bool,
    ) -> None:
        self._people = list(people)
        self._name_match = name_match
        self._experience_shown = experience_shown
        self._reads_other_scripts = reads_other_scripts
        self._by_word: dict[str, set[int]] = defaultdict(set)
        for position, person in enumerate(self._people):
            for word in self._words(person.candidate.get("fullName")):
                self._by_word[word].add(position)

    def find(self, texts: Mapping[str, str]) -> list[Person]:
        """The people who match all that is asked, in an order that stays the same."""
        positions: Iterable[int] = range(len(self._people))
        if "fullName" in texts:
            positions = self._named(texts["fullName"])
        found = [self._people[position] for position in positions]
        return sorted(
            (person for person in found if self._matches(person, texts)),
            key=lambda person: person.uid,
        )

    def shown(self, person: Person) -> dict[str, Any]:
        """What a search shows of a person: no contacts, and of the jobs as much as is set."""
        candidate = person.candidate
        places = [place.get("name") for place in candidate.get("locations") or []]
        return {
            "uid": person.uid,
            "fullName": candidate.get("fullName"),
            "location": places[0] if places else None,
            "experience": [self._job(job) for job in candidate.get("experience") or []],
            "skills": candidate.get("skills") or [],
            "contactsFetched": None,
            "openToWork": False,
        }

    def _job(self, job: Mapping[str, Any]) -> dict[str, Any]:
        shown = {"company": job.get("company"), "title": job.get("position")}
        if self._experience_shown == "full":
            shown |= {name: job.get(name) for name in ("current", "started", "ended", "website")}
        return shown

    def _named(self, name: str) -> set[int]:
        sets = [self._by_word.get(word, set()) for word in self._words(name)]
        if not sets:
            return set()
        return set.union(*sets) if self._name_match == "any" else set.intersection(*sets)

    def _matches(self, person: Person, texts: Mapping[str, str]) -> bool:
        candidate = person.candidate
        jobs = candidate.get("experience") or []
        for name, text in texts.items():
            wanted = self._words(text)
            if name in _POSITION_FIELDS:
                field, is_held = _POSITION_FIELDS[name]
                if not any(
                    wanted <= self._words(job.get(field))
                    for job in jobs
                    if job.get("current") or not is_held
                ):
                    return False
            elif name == "location":
                places = candidate.get("locations") or []
                if not any(wanted <= self._words(place.get("name")) for place in places):
                    return False
        return True

    def _words(self, text: str | None) -> frozenset[str]:
        return words_in(text, reads_other_scripts=self._reads_other_scripts)
