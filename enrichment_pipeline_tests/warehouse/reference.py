"""What facts and tables must be, derived from the log in plain Python: slow, simple, obvious.

Here: a log of answers, decisions and undone runs over a few contacts, and what follows from
it by the rules as docs/ has them. Not here: SQL, and the full shape of a profile: the
log's answers say only what the reference can read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Any

HUMAN = "human"
COMPANY_FIELDS = ("company_name", "company_domain", "company_website", "company_employee_count")

STATUS_COLUMNS = ("contact_id", "status", "reason", *COMPANY_FIELDS)


@dataclass(frozen=True)
class Contact:
    """One row of the source; contacts of one person share their answers."""

    contact_id: str
    person: str
    name: str
    company: str
    domain: str


@dataclass(frozen=True)
class Job:
    title: str
    company: str
    domain: str
    employees: str


@dataclass(frozen=True)
class Answer:
    """One look-up's answer; without a name it is none, or one of another shape."""

    lookup_id: str
    person: str
    run_id: str
    at: datetime
    outcome: str = "matched"
    name: str = ""
    uid: str = ""
    emails: tuple[tuple[str, int], ...] = ()
    location: str | None = None
    job: Job | None = None
    past_domain: str | None = None
    is_unreadable: bool = False


@dataclass(frozen=True)
class Decision:
    """A reviewer's word on a contact: accept or reject a profile, or replace a field."""

    decision_id: str
    contact_id: str
    decision: str
    at: datetime
    uid: str | None = None
    field: str | None = None
    value: str | None = None


@dataclass
class Log:
    contacts: Sequence[Contact]
    answers: list[Answer] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    undone: set[str] = field(default_factory=set)


Row = dict[str, Any]


def latest(things: Iterable[Any], key: Callable[[Any], str]) -> Any:
    """The newest; of several from one instant the one with the lowest id."""
    return min(things, key=lambda each: (-each.at.timestamp(), key(each)), default=None)


# --- decisions -------------------------------------------------------------------------


def standing(log: Log, contact: Contact) -> list[Decision]:
    """Of the decisions on one profile or field the latest; of the accepted ones the latest."""
    mine = [each for each in log.decisions if each.contact_id == contact.contact_id]
    subjects: dict[tuple[str, str | None], list[Decision]] = {}
    for each in mine:
        about = ("field", each.field) if each.decision == "replace" else ("profile", each.uid)
        subjects.setdefault(about, []).append(each)
    held = [latest(group, lambda each: each.decision_id) for group in subjects.values()]
    accepted = latest(
        [each for each in held if each.decision == "accept"], lambda each: each.decision_id
    )
    return [each for each in held if each.decision != "accept" or each is accepted]


# --- facts -----------------------------------------------------------------------------


def judged(log: Log, contact: Contact, answer: Answer) -> tuple[str, str | None]:
    """What an answer comes to for a contact, and what is wrong with it."""
    if answer.outcome != "matched":
        return answer.outcome, None
    if answer.is_unreadable:
        return "unreadable_answer", "one of its lists"
    for each in standing(log, contact):
        if each.uid == answer.uid and each.decision in ("accept", "reject"):
            return ("matched" if each.decision == "accept" else "rejected"), None
    if answer.name != contact.name and not is_shorter_name(answer.name, contact.name):
        return "identity_mismatch", "name"
    if answer.job is not None and contact.domain not in (answer.job.domain, answer.past_domain):
        return "identity_mismatch", "company"
    return "matched", None


def is_shorter_name(one: str, other: str) -> bool:
    """Whether `one` is `other` with initials for some of its words."""
    words = list(zip(one.split(), other.split(), strict=False))
    return one != other and all(a in (b, f"{b[0]}.") for a, b in words)


def facts_of_answer(log: Log, contact: Contact, answer: Answer) -> list[Row]:
    outcome, detail = judged(log, contact, answer)
    given: list[tuple[str, str | None, str | None, int]] = [("lookup_outcome", outcome, None, 1)]
    if detail is not None:
        given.append(("outcome_detail", detail, None, 1))
    if outcome == "matched":
        given.append(("provider_uid", answer.uid, None, 1))
        given.append(("full_name", answer.name, None, 1))
        given.append(("location", answer.location, None, 1))
        if answer.job is not None:
            job = answer.job
            values = (job.company, job.domain, f"https://{job.domain}", job.employees)
            given += [
                (name, value, None, 1) for name, value in zip(COMPANY_FIELDS, values, strict=True)
            ]
            given.append(("job_title", job.title, None, 1))
        best: dict[str, int] = {}
        for email, rating in answer.emails:
            best[email] = max(rating, best.get(email, 0))
        ranked = sorted(best, key=lambda email: (-best[email], first_at(answer, email, best)))
        for position, email in enumerate(ranked, 1):
            status = "verified" if best[email] == 100 else "likely"
            given.append(("work_email", email, status, position))
    return [
        {
            "contact_id": contact.contact_id,
            "field": name,
            "value": value,
            "status": status,
            "position": position,
            "provider": "signalhire",
            "observed_at": answer.at,
            "lookup_id": answer.lookup_id,
        }
        for name, value, status, position in given
        if value is not None
    ]


def first_at(answer: Answer, email: str, best: Mapping[str, int]) -> int:
    """Where the better rated of the places of an e-mail stands."""
    return next(
        place
        for place, (other, rating) in enumerate(answer.emails)
        if other == email and rating == best[email]
    )


def person_facts(log: Log) -> list[Row]:
    facts: list[Row] = []
    for contact in log.contacts:
        for answer in log.answers:
            if answer.person == contact.person and answer.run_id not in log.undone:
                facts += facts_of_answer(log, contact, answer)
    for each in log.decisions:
        if each.decision == "replace":
            facts.append(
                {
                    "contact_id": each.contact_id,
                    "field": each.field,
                    "value": each.value,
                    "status": "verified" if each.field == "work_email" else None,
                    "position": 1,
                    "provider": HUMAN,
                    "observed_at": each.at,
                    "lookup_id": each.decision_id,
                }
            )
    for fact in facts:
        followers = [
            other["observed_at"]
            for other in facts
            if all(other[name] == fact[name] for name in ("contact_id", "field", "provider"))
            and comes_after(other, fact)
        ]
        fact["valid_to"] = min(followers, default=None)
    return facts


def comes_after(one: Row, other: Row) -> bool:
    """Of two from one instant, the one with the lower id is the later."""
    if one["observed_at"] != other["observed_at"]:
        return one["observed_at"] > other["observed_at"]
    return one["lookup_id"] < other["lookup_id"]


def company_facts(log: Log) -> list[Row]:
    """Each value of each field of each company, merged where answers in a row say the same."""
    seen: dict[tuple[str, str], dict[str, tuple[Answer, str]]] = {}
    for contact in log.contacts:
        for answer in log.answers:
            if answer.person != contact.person or answer.run_id in log.undone:
                continue
            if judged(log, contact, answer)[0] != "matched" or answer.job is None:
                continue
            job = answer.job
            values = {
                "name": job.company,
                "website": f"https://{job.domain}",
                "employee_count": job.employees,
            }
            for name, value in values.items():
                seen.setdefault((job.domain, name), {})[answer.lookup_id] = (answer, value)
    rows: list[Row] = []
    for (domain, name), observed in seen.items():
        # lowest ids last, within an instant
        by_id = sorted(observed.values(), key=lambda pair: pair[0].lookup_id, reverse=True)
        ordered = sorted(by_id, key=lambda pair: pair[0].at)
        spans = [list(group) for _, group in groupby(ordered, key=lambda pair: pair[1])]
        for number, span in enumerate(spans):
            last = span[-1][0]
            rows.append(
                {
                    "company_domain": domain,
                    "field": name,
                    "value": span[0][1],
                    "observed_at": last.at,
                    "lookup_id": last.lookup_id,
                    "valid_from": span[0][0].at,
                    "valid_to": spans[number + 1][0][0].at if number + 1 < len(spans) else None,
                }
            )
    return rows


# --- tables ----------------------------------------------------------------------------


def best(facts: list[Row], name: str) -> Row:
    """The fact that counts for a field of one contact; empty for none."""
    candidates = [
        fact
        for fact in facts
        if fact["field"] == name and not (fact["provider"] == HUMAN and fact["valid_to"])
    ]
    return min(
        candidates,
        key=lambda fact: (
            fact["provider"] != HUMAN,
            {"verified": 0, "likely": 1}.get(fact["status"], 2),
            -fact["observed_at"].timestamp(),
            fact["lookup_id"],
            fact["position"],
        ),
        default={"value": None, "status": None},
    )


def tables(log: Log) -> dict[str, list[Row]]:
    """The outcome tables: the columns that the property compares."""
    companies = {
        (row["company_domain"], row["field"]): row["value"]
        for row in company_facts(log)
        if row["valid_to"] is None
    }
    everything = person_facts(log)
    enriched, reviews, statuses = [], [], []
    for contact in log.contacts:
        facts = [fact for fact in everything if fact["contact_id"] == contact.contact_id]
        row = judged_contact(log, contact, facts, companies)
        statuses.append({name: row[name] for name in STATUS_COLUMNS})
        if row["reason"] is not None:
            reviews.append({"contact_id": contact.contact_id, "reason": row["reason"]})
        if row["enriched_at"] is not None:
            enriched.append(
                {name: value for name, value in row.items() if name not in ("status", "reason")}
            )
    return {
        "person_facts": everything,
        "company_facts": company_facts(log),
        "enriched_contacts": enriched,
        "needs_review": reviews,
        "contact_status": statuses,
    }


def judged_contact(
    log: Log, contact: Contact, facts: list[Row], companies: Mapping[tuple[str, str], str]
) -> Row:
    counting = without_past_jobs([rated_last(fact, facts) for fact in facts])
    shown = {
        name: best(counting, name)
        for name in ("full_name", "job_title", "location", "work_email", *COMPANY_FIELDS)
    }
    full_name = shown["full_name"]["value"] or contact.name
    if shown["full_name"].get("provider") != HUMAN and is_shorter_name(full_name, contact.name):
        full_name = contact.name
    job_changed = shown["company_domain"]["value"] not in (None, contact.domain)
    name = shown["company_name"]["value"] or (None if job_changed else contact.company)
    domain = shown["company_domain"]["value"] or contact.domain
    outcomes = [fact for fact in facts if fact["field"] == "lookup_outcome"]
    matched = [fact for fact in outcomes if fact["value"] == "matched"]
    last = newest(outcomes)
    accepted = newest(matched)
    decided = standing(log, contact)
    replaced_at = max((each.at for each in decided if each.decision == "replace"), default=None)
    enriched_at = accepted["observed_at"] if accepted else replaced_at
    has_values = any(fact["field"] not in ("lookup_outcome", "outcome_detail") for fact in facts)
    accepted_uid = next((each.uid for each in decided if each.decision == "accept"), None)
    reason = None
    if last is None and not has_values and was_undone(log, contact):
        reason = "undone"
    elif is_settled(log, contact, decided, last) and enriched_at is not None:
        pass
    elif is_settled(log, contact, decided, last) and accepted_uid is None:
        reason = "rejected_by_reviewer"
    elif is_settled(log, contact, decided, last) and not was_shown(log, contact, accepted_uid):
        pass  # that profile is about to be asked for
    elif last is not None:
        reason = {
            "matched": None if shown["work_email"]["status"] == "verified" else "no_verified_email",
            "no_match": "no_match" if not matched else "refresh_no_match",
            "refused": "rejected_by_provider",
            "rejected": "rejected_by_reviewer",
        }.get(last["value"], last["value"])
    if reason is not None:
        status = "needs_review"
    elif enriched_at is not None:
        status = "enriched"
    else:
        status = "queued"
    return {
        "contact_id": contact.contact_id,
        "status": status,
        "reason": reason,
        "full_name": full_name,
        "job_title": shown["job_title"]["value"],
        "location": shown["location"]["value"],
        "work_email": shown["work_email"]["value"],
        "work_email_status": shown["work_email"]["status"],
        "company_name": name or companies.get((domain, "name")),
        "company_domain": domain,
        "company_website": shown["company_website"]["value"] or companies.get((domain, "website")),
        "company_employee_count": shown["company_employee_count"]["value"]
        or companies.get((domain, "employee_count")),
        "job_changed": job_changed,
        "enriched_at": enriched_at,
        "lookup_id": accepted["lookup_id"] if accepted else None,
        "needs_manual_enrichment": reason is not None,
    }


def newest(facts: list[Row]) -> Row | None:
    return min(
        facts,
        key=lambda fact: (-fact["observed_at"].timestamp(), fact["lookup_id"]),
        default=None,
    )


def rated_last(fact: Row, facts: list[Row]) -> Row:
    """The fact with the rating that its value was given last by the same provider."""
    if fact["status"] is None:
        return fact
    same = [
        other
        for other in facts
        if other["status"] is not None
        and all(other[name] == fact[name] for name in ("contact_id", "provider", "value"))
    ]
    latest_rating = min(
        same,
        key=lambda other: (
            -other["observed_at"].timestamp(),
            other["lookup_id"],
            other["status"] != "verified",
        ),
    )
    return {**fact, "status": latest_rating["status"]}


def without_past_jobs(facts: list[Row]) -> list[Row]:
    """Facts without those of positions at another company than the newest position's."""
    domains = {
        fact["lookup_id"]: fact
        for fact in facts
        if fact["field"] == "company_domain" and fact["provider"] != HUMAN
    }
    current = newest(list(domains.values()))
    past = {
        lookup_id
        for lookup_id, fact in domains.items()
        if current is not None and fact["value"] != current["value"]
    }
    of_positions = {"job_title", "work_email", *COMPANY_FIELDS}
    return [f for f in facts if not (f["field"] in of_positions and f["lookup_id"] in past)]


def was_undone(log: Log, contact: Contact) -> bool:
    return any(a.person == contact.person and a.run_id in log.undone for a in log.answers)


def was_shown(log: Log, contact: Contact, uid: str | None) -> bool:
    """Whether an answer has shown this profile, whatever became of it."""
    return any(
        a.person == contact.person and a.outcome == "matched" and a.uid == uid for a in log.answers
    )


def is_settled(log: Log, contact: Contact, decided: list[Decision], last: Row | None) -> bool:
    """Whether a reviewer has decided, and no answer has shown another profile since."""
    if not decided:
        return False
    answers = [a for a in log.answers if last is not None and a.lookup_id == last["lookup_id"]]
    shown = next((a.uid for a in answers if a.outcome == "matched"), None)
    return shown is None or shown in {each.uid for each in decided}
