"""What People Data Labs' changelog says of profiles: releases, the question, and reading a reply.

Here: which release comes after which, the body that asks, and what a reply to `POST
person/changelog` says of each profile. Not here: what that means (`change_faults.py`), HTTP
(`client.py`), and which profile one was merged into (`read_changes.sql`).

A reply holds up to five lists of profiles: `{"data": {"updated": [{"id", "additional_metadata":
{"fields_updated": […]}}], "merged": [{"id", "additional_metadata": {"to": […]}}], "deleted": […],
"opted_out": […], "added": […]}}`. A profile in none of them was left as it was.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from enrichment_pipeline.providers.base import REDIRECTS, Failing, Fault, ItemReading, Reading
from enrichment_pipeline.providers.data_object import data_in
from enrichment_pipeline.providers.peopledatalabs.change_faults import CHANGE_FAULTS

RELEASES_OF_A_QUARTER = 3
MOST_LISTED = 1000
"""So many profiles a reply lists at most; it would go on in a further one."""
LISTS = ("added", "updated", "merged", "deleted", "opted_out")
"""From the least to the most that is said: of a profile in several lists the last one counts."""
READ_FIELDS = frozenset(
    {
        *("id", "full_name", "headline", "linkedin_url", "location_name"),
        *("work_email", "personal_emails", "emails", "mobile_phone", "phone_numbers"),
        *("job_title", "job_company_name", "job_company_website", "job_company_industry"),
        *("job_company_size", "job_start_date", "experience"),
    }
)
"""The parts of a profile that `read_profiles.sql` reads: a change of others is none to us."""
_RELEASE = re.compile(r"v?(\d{1,4})\.(\d)")


def next_release(release: str) -> str | None:
    """The monthly release after that one: 28.1, 28.2, 29.0. None for what is no release."""
    place = _place(release)
    return None if place is None else _named(place + 1)


def changes_question(uids: Sequence[str], release: str) -> dict[str, object]:
    """The body that asks what this release has done to these profiles."""
    place = _place(release)
    if place is None:
        raise ValueError("not a release")
    return {
        "origin_version": _named(place - 1),
        "current_version": _named(place),
        "ids": list(dict.fromkeys(uids)),
    }


def _place(release: str) -> int | None:
    """Where a release stands in the order of all."""
    found = _RELEASE.fullmatch(release.strip())
    if found is None or int(found[2]) >= RELEASES_OF_A_QUARTER:
        return None
    return int(found[1]) * RELEASES_OF_A_QUARTER + int(found[2])


def _named(place: int) -> str:
    return f"{place // RELEASES_OF_A_QUARTER}.{place % RELEASES_OF_A_QUARTER}"


def read_changes_reply(http_status: int, body: bytes, uids: Sequence[str]) -> Reading:
    """The outcome of each profile; see `ChangeFeed.read_changes`."""
    if http_status != 200:
        return _failed_by(_fault_of_status(http_status), uids)
    data = data_in(body)
    listed = None if data is None else _listed(data)
    if data is None or listed is None:
        return _failed_by(CHANGE_FAULTS["malformed_body"], uids)
    said: dict[str, tuple[str, Mapping[str, Any]]] = {uid: (name, of) for name, uid, of in listed}
    is_cut_off = len(listed) >= MOST_LISTED and bool(data.get("scroll_token"))
    rest = CHANGE_FAULTS["cut_off" if is_cut_off else "unchanged"]
    readings = tuple(
        _read(*said[uid]) if uid in said else ItemReading(rest.outcome) for uid in uids
    )
    return Reading(readings, unsolicited_answers=len(said.keys() - set(uids)))


def _fault_of_status(http_status: int) -> Fault:
    if http_status in REDIRECTS:
        return CHANGE_FAULTS["redirected"]
    other = Fault(CHANGE_FAULTS["http_other"].outcome, Failing(f"http_{http_status}"))
    return CHANGE_FAULTS.get(f"http_{http_status}", other)


def _failed_by(fault: Fault, uids: Sequence[str]) -> Reading:
    return Reading((ItemReading(fault.outcome),) * len(uids), fault.signal)


def _listed(data: Mapping[str, Any]) -> list[tuple[str, str, Mapping[str, Any]]] | None:
    """Each profile with the list that it stands in.

    None where it is not sure that all of them can be read: who opted out must not pass for
    unchanged.
    """
    if not any(name in data for name in (*LISTS, "current_version")):
        return None
    found: list[tuple[str, str, Mapping[str, Any]]] = []
    for name in LISTS:
        entries = data.get(name)
        if not isinstance(entries, list | None):
            return None
        for entry in entries or ():
            uid = entry.get("id") if isinstance(entry, dict) else None
            if not isinstance(uid, str):
                return None
            about = entry.get("additional_metadata")
            found.append((name, uid, about if isinstance(about, dict) else {}))
    return found


def _read(name: str, about: Mapping[str, Any]) -> ItemReading:
    if name == "updated" and not _concerns_us(about.get("fields_updated")):
        return ItemReading(CHANGE_FAULTS["unchanged"].outcome)
    known_by = tuple(("uid", uid) for uid in _merged_into(about)) if name == "merged" else ()
    return ItemReading(CHANGE_FAULTS[name].outcome, identifiers=known_by)


def _concerns_us(fields: object) -> bool:
    """Whether anything that is read has changed, as far as it is said which fields have."""
    if not isinstance(fields, list) or not all(isinstance(each, str) for each in fields):
        return True
    return not fields or any(each.partition(".")[0] in READ_FIELDS for each in fields)


def _merged_into(about: Mapping[str, Any]) -> Iterator[str]:
    """The id of the profile that it is now, where there is one: a text, or a list of them."""
    into = about.get("to")
    ids = into if isinstance(into, list) else [into]
    if len(ids) == 1 and isinstance(ids[0], str):
        yield ids[0]
