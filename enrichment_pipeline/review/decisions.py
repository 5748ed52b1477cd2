"""Decisions of reviewers: reading them off rows, and checking them against what is known.

Here: which decisions there are, what each needs, and when one comes too late. Not
here: files (`files.py`), where the evidence comes from and where decisions are kept
(`warehouse/review_log.py`), and what they lead to (`warehouse/sql/`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from enrichment_pipeline.review.columns import DECISIONS, FIELDS, SheetRow
from enrichment_pipeline.review.problems import Problem
from enrichment_pipeline.vocabulary import REVIEW_DECISIONS

TAKES_VALUES = frozenset(each.word for each in REVIEW_DECISIONS if each.takes_values)
ABOUT_A_PROFILE = frozenset(each.word for each in REVIEW_DECISIONS if each.about_profile)


@dataclass(frozen=True)
class Proposal:
    """What a row says: a decision on a contact, before anybody knows whether it can be taken."""

    row: int
    contact_id: str
    decision: str
    lookup_id: str | None
    provider_uid: str | None
    decided_by: str
    decided_at: datetime
    note: str | None
    values: Mapping[str, str] = field(default_factory=dict)

    def problem(self, column: str, message: str) -> Problem:
        return Problem(self.row, column, message, self.contact_id)


@dataclass(frozen=True)
class Evidence:
    """What is known of a contact when a decision on it is recorded.

    `lookup_id` is its person's last look-up (empty for none), `provider_uid` the
    profile that the last answer showed, `known_uids` every profile that was found, each with the
    provider whose id it is.
    """

    person_key: str | None
    lookup_id: str
    known_lookup_ids: frozenset[str]
    provider_uid: str | None
    known_uids: Mapping[str, str | None]
    can_be_asked: bool
    is_legally_blocked: bool


def read_rows(
    rows: Iterable[SheetRow], *, decided_by: str, decided_at: datetime
) -> tuple[list[Proposal], list[Problem]]:
    """The proposals in a file's rows, and what is wrong with them. Undecided rows are skipped."""
    proposals: list[Proposal] = []
    problems: list[Problem] = []
    for row in rows:
        given = {name: text.strip() for name, text in row.cells.items()}
        values = {name: given[name] for name in FIELDS if given.get(name)}
        if not given["decision"] and not values:
            continue
        proposal = Proposal(
            row=row.number,
            contact_id=row.cells["contact_id"],
            decision=given["decision"].lower(),
            lookup_id=given.get("lookup_id"),
            provider_uid=given.get("provider_uid") or _single(given.get("found_uid", "")),
            decided_by=given.get("decided_by") or decided_by,
            decided_at=decided_at,
            note=row.cells.get("note") or None,
            values=values,
        )
        proposals.append(proposal)
        problems += _check_words(proposal)
    return proposals, problems + _repeated(proposals)


def read_table(
    rows: Iterable[tuple[int, Mapping[str, str | None]]], *, now: datetime
) -> tuple[list[Proposal], list[Problem]]:
    """The proposals in a table's rows, likewise; one for each row, with what is sound of it."""
    proposals: list[Proposal] = []
    problems: list[Problem] = []
    for number, cells in rows:
        given = {name: (text or "").strip() for name, text in cells.items()}
        decided_at = _instant(given["decided_at"])
        name = given["field"].lower()
        proposal = Proposal(
            row=number,
            contact_id=cells["contact_id"] or "",
            decision=given["decision"].lower(),
            lookup_id=given["lookup_id"] or None,
            provider_uid=given["provider_uid"] or None,
            decided_by=given["decided_by"],
            decided_at=decided_at or now,
            note=cells["note"] or None,
            values={name: given["value"]} if name or given["value"] else {},
        )
        found = _check_words(proposal)
        if not proposal.decided_by:
            found.append(proposal.problem("decided_by", "is empty; say who decided"))
        if decided_at is None:
            found.append(
                proposal.problem("decided_at", "is no instant such as 2026-01-31T12:00:00+00:00")
            )
        elif decided_at > now:
            found.append(
                proposal.problem("decided_at", "lies in the future; it is UTC without a zone")
            )
        if proposal.decision != "replace" and proposal.values:
            found.append(proposal.problem("field", "goes with replace only, in a row of its own"))
        problems += found
        proposals.append(proposal)
    return proposals, problems


def check(proposal: Proposal, evidence: Evidence | None) -> list[Problem]:
    """Why a decision cannot be taken, given what is known now; empty where it can."""
    if evidence is None:
        return [proposal.problem("contact_id", "is not among the source's contacts")]
    if proposal.decision == "never":
        return []
    if proposal.lookup_id and proposal.lookup_id not in evidence.known_lookup_ids:
        return [
            proposal.problem(
                "lookup_id", "is no look-up of this contact, which may be another person since then"
            )
        ]
    if proposal.decision == "retry":
        return _check_retry(proposal, evidence)
    if proposal.decision in ABOUT_A_PROFILE:
        return _check_profile(proposal, evidence)
    return []


def _check_words(proposal: Proposal) -> list[Problem]:
    problems = []
    if not proposal.contact_id.strip():
        problems.append(proposal.problem("contact_id", "is empty"))
    if not proposal.decision:
        problems.append(proposal.problem("decision", "is empty, but there are values: replace?"))
    elif proposal.decision not in DECISIONS:
        problems.append(proposal.problem("decision", f"is none of {', '.join(DECISIONS)}"))
    elif proposal.values and proposal.decision not in TAKES_VALUES:
        problems.append(proposal.problem("decision", "takes no values; use replace for these"))
    if proposal.decision == "replace" and not proposal.values:
        problems.append(proposal.problem("decision", "replace needs a value in some field"))
    for name, value in proposal.values.items():
        if name not in FIELDS:
            problems.append(proposal.problem("field", f"is none of {', '.join(FIELDS)}"))
        elif not value:
            problems.append(proposal.problem("value", "is empty"))
    return problems


def _check_profile(proposal: Proposal, evidence: Evidence) -> list[Problem]:
    uid = proposal.provider_uid
    if uid is None:
        known = "say which of the profiles found" if evidence.known_uids else "none was found"
        return [
            proposal.problem("provider_uid", f"{proposal.decision} is about a profile: {known}")
        ]
    if uid not in evidence.known_uids:
        return [proposal.problem("provider_uid", "is no profile that was found for this contact")]
    has_moved_on = proposal.lookup_id is not None and proposal.lookup_id != evidence.lookup_id
    if has_moved_on and evidence.provider_uid not in {None, uid}:
        return [
            proposal.problem(
                "lookup_id", "another profile was found since the export; export it anew"
            )
        ]
    return []


def _check_retry(proposal: Proposal, evidence: Evidence) -> list[Problem]:
    if evidence.is_legally_blocked:
        return [proposal.problem("decision", "the provider may not give data on this person")]
    if not evidence.can_be_asked:
        return [
            proposal.problem(
                "decision", "there is nothing to look this contact up by; mend it in the source"
            )
        ]
    if proposal.lookup_id is not None and proposal.lookup_id != evidence.lookup_id:
        return [proposal.problem("lookup_id", "has been looked up again since the export")]
    return []


def _repeated(proposals: Sequence[Proposal]) -> list[Problem]:
    first_rows: dict[str, int] = {}
    problems = []
    for proposal in proposals:
        first = first_rows.setdefault(proposal.contact_id, proposal.row)
        if first != proposal.row:
            problems.append(proposal.problem("contact_id", f"is decided in row {first} already"))
    return problems


def _single(uids: str) -> str | None:
    """The profile that was shown, where it was one only."""
    return uids if uids and "\n" not in uids else None


def _instant(text: str) -> datetime | None:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return None
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant
