"""What each release of People Data Labs' data has done to the people that it knows.

Belongs here: releases and their order, whom a release has changed, and under which id somebody is
known after it. Does not belong here: what a profile shows (`profiles.py`), and which requests are
let in (`stand_in.py`).

Up to the first release all are as the directory has them. What a later one does to a person is
drawn for that person and release alone, so that a stand-in that is started anew with the next
release goes on from there.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from functools import cache
from typing import Any, NamedTuple

from enrichment_pipeline.sandbox.known_people import Draws
from enrichment_pipeline.sandbox.peopledatalabs.config import PeopleDataLabsConfig

MONTHS_OF_A_QUARTER = 3
KEPT_MONTHS, KEPT_QUARTERS = 3, 2
"""How many releases back may be asked about."""
FATES = ("opted_out", "deleted", "merged", "updated", "touched")
"""What a release can do to a person: shares in the settings. Who was touched has another count of
sources, and nothing else that is new."""
GONE = frozenset({"opted_out", "deleted"})
LISTS = ("added", "updated", "deleted", "merged", "opted_out")
"""The types of change."""
_RELEASE = re.compile(r"(\d+)\.([012])")


def place_of(release: object) -> int | None:
    """Where a release stands among all monthly ones; None for what is none."""
    found = _RELEASE.fullmatch(str(release))
    return None if found is None else int(found[1]) * MONTHS_OF_A_QUARTER + int(found[2])


def release_at(place: int) -> str:
    return f"{place // MONTHS_OF_A_QUARTER}.{place % MONTHS_OF_A_QUARTER}"


class Lived(NamedTuple):
    """What some releases have done to a person: how often each, and whether they are gone."""

    merges: int
    updates: int
    gone: str | None


class Changelog:
    """The history of everybody, from the first release to the one that is served."""

    def __init__(self, config: PeopleDataLabsConfig, draws: Draws, uids: Iterable[str]) -> None:
        self._config = config
        self._draws = draws
        self._uids = tuple(uids)
        self._first = place_of(config.first_release) or 0
        self._current = place_of(config.release) or 0
        self._known_at = cache(self._ids_at)

    # --- today -------------------------------------------------------------------------

    def is_gone(self, uid: str) -> bool:
        return self._lived(uid, self._current).gone is not None

    def id_of(self, uid: str) -> str:
        """The id by which the person is known now."""
        return id_after(uid, self._lived(uid, self._current).merges)

    def updates_of(self, uid: str) -> int:
        """How often something that is shown of the person has changed."""
        return self._lived(uid, self._current).updates

    # --- between two releases ----------------------------------------------------------

    @property
    def valid_releases(self) -> list[str]:
        """Those that may be asked about, the newest first."""
        monthly = range(self._current, self._current - KEPT_MONTHS - 1, -1)
        last_quarter = self._current - self._current % MONTHS_OF_A_QUARTER
        quarterly = (last_quarter - n * MONTHS_OF_A_QUARTER for n in range(KEPT_QUARTERS + 1))
        places = sorted({*monthly, *quarterly}, reverse=True)
        return [release_at(place) for place in places if place >= 0]

    def may_be_asked(self, origin: object, current: object) -> bool:
        """Whether these are releases one after the other, monthly or quarterly, and not too old."""
        valid = self.valid_releases
        first, last = place_of(origin), place_of(current)
        if first is None or last is None or {str(origin), str(current)} - {*valid}:
            return False
        is_quarterly = first % MONTHS_OF_A_QUARTER == 0 and last - first == MONTHS_OF_A_QUARTER
        return last - first == 1 or is_quarterly

    def changes(
        self, origin: str, current: str, ids: Iterable[str] | None
    ) -> list[tuple[str, dict[str, Any]]]:
        """Each change with its type: of the profiles with these ids, or of all."""
        first, last = place_of(origin) or 0, place_of(current) or 0
        known = self._known_at(first)
        wanted = known.keys() if ids is None else dict.fromkeys(ids)
        told = (self._change(each, known[each], first, last) for each in wanted if each in known)
        return [change for change in told if change is not None]

    def _change(
        self, old_id: str, uid: str, first: int, last: int
    ) -> tuple[str, dict[str, Any]] | None:
        fates = {self._fate(uid, place) for place in range(first + 1, last + 1)}
        worst = next((fate for fate in FATES if fate in fates), None)
        if worst is None:
            return None
        if worst in GONE:
            return worst, {"id": old_id, "additional_metadata": None}
        if worst == "merged":
            new_id = id_after(uid, self._lived(uid, last).merges)
            into = [new_id] if self._config.merged_to == "list" else new_id
            return worst, {"id": old_id, "additional_metadata": {"to": into}}
        fields = ["headline", "num_sources"] if worst == "updated" else ["num_sources"]
        about = {"fields_updated": fields, "contains": []}
        return "updated", {"id": old_id, "additional_metadata": about}

    def _ids_at(self, place: int) -> dict[str, str]:
        """By the id that each had at a release, who it is; those that were gone left out."""
        lived = ((uid, self._lived(uid, place)) for uid in self._uids)
        return {id_after(uid, of.merges): uid for uid, of in lived if of.gone is None}

    def _lived(self, uid: str, until: int) -> Lived:
        merges = updates = 0
        for place in range(self._first + 1, until + 1):
            fate = self._fate(uid, place)
            if fate in GONE:
                return Lived(merges, updates, fate)
            merges += fate == "merged"
            updates += fate == "updated"
        return Lived(merges, updates, None)

    def _fate(self, uid: str, place: int) -> str | None:
        """What this release does to the person, if anything."""
        if place <= self._first:
            return None
        drawn = self._draws.of(uid, f"release {release_at(place)}").random()
        for fate in FATES:
            drawn -= getattr(self._config, fate)
            if drawn < 0:
                return fate
        return None


def id_after(uid: str, merges: int = 0) -> str:
    """The id of the person with that uid in the directory, after so many merges."""
    named = f"peopledatalabs {uid}" + (f" {merges}" if merges else "")
    return hashlib.sha256(named.encode()).hexdigest()[:22] + "_0000"
