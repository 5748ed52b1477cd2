"""The review queue and the log of decisions in the warehouse.

Here: what reviewers are shown, checking their decisions against what is known, and
recording them. Not here: how files and rows of decisions are read (`review/`), and
what decisions lead to (`sql/review/select_current_decisions.sql` and the outcomes' SQL).
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

import duckdb
import pyarrow as pa

from enrichment_pipeline.attachment import Attachment
from enrichment_pipeline.identity import read_domain, to_e164
from enrichment_pipeline.policy import Policy
from enrichment_pipeline.review.columns import (
    EMAIL_FIELDS,
    FIELDS,
    PHONE_FIELDS,
    TABLE_COLUMNS,
)
from enrichment_pipeline.review.decisions import (
    ABOUT_A_PROFILE,
    Evidence,
    Proposal,
    check,
    read_table,
)
from enrichment_pipeline.review.problems import Problem
from enrichment_pipeline.warehouse.attached_source import attached_source, read_decisions
from enrichment_pipeline.warehouse.statements import execute, registered
from enrichment_pipeline.warehouse.states import derive_contact_states
from enrichment_pipeline.waterfall import Waterfall

SHOWN_CHARACTERS = 4000
"""Of what was found, in one cell: a profile can be megabytes, which no reviewer reads."""
LINE_CHARACTERS = 380
"""Of one profile in it, so that all ten that a search shows have their line."""

_WRONG_VALUE = {
    **dict.fromkeys(EMAIL_FIELDS, "is no e-mail address"),
    **dict.fromkeys(PHONE_FIELDS, "is no valid phone number with its country code, such as +4930…"),
    "company_domain": "is no company's domain, such as example.com",
    "linkedin_url": "is no personal profile, such as https://www.linkedin.com/in/name",
}

_DECISION_SCHEMA = pa.schema(
    [
        ("decision_id", pa.string()),
        ("contact_id", pa.string()),
        ("person_key", pa.string()),
        ("decision", pa.string()),
        ("lookup_id", pa.string()),
        ("provider", pa.string()),
        ("provider_uid", pa.string()),
        ("field", pa.string()),
        ("value", pa.string()),
        ("decided_by", pa.string()),
        ("decided_at", pa.timestamp("us", tz="UTC")),
        ("note", pa.string()),
        ("source", pa.string()),
        ("recorded_at", pa.timestamp("us", tz="UTC")),
    ]
)


@dataclass(frozen=True)
class Decision:
    """A row of `raw.review_decisions`, whose columns are described there."""

    decision_id: str
    contact_id: str
    person_key: str | None
    decision: str
    lookup_id: str
    provider: str | None
    provider_uid: str | None
    field: str | None
    value: str | None
    decided_by: str
    decided_at: datetime
    note: str | None
    source: Literal["import", "table"]
    recorded_at: datetime


@dataclass(frozen=True)
class Recorded:
    """What became of a number of rows: decisions that are new, that stood already, and problems."""

    new: int
    standing: int
    problems: tuple[Problem, ...]


def queue_counts(connection: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    """Contacts for review by reason: the reason, how many of each priority, how many in all."""
    return execute(connection, "count_review_queue").fetchall()


def review_queue(
    connection: duckdb.DuckDBPyConnection,
    *,
    reasons: Sequence[str] | None,
    priorities: Sequence[str],
    limit: int | None,
    shows_rejected: bool = False,
) -> list[dict[str, str]]:
    """The queue as rows of a review file, highest priority first; what is unknown is left out.

    Contacts whose profile a reviewer has rejected are in it where `reasons` names them, and
    where `shows_rejected`.
    """
    result = execute(
        connection,
        "select_review_queue",
        reasons=None if reasons is None else list(reasons),
        priorities=list(priorities),
        limit=limit,
        shows_rejected=shows_rejected,
    )
    names = [column[0] for column in result.description]
    return [_as_file_row(dict(zip(names, row, strict=True))) for row in result.fetchall()]


def record_file(
    connection: duckdb.DuckDBPyConnection,
    policy: Policy,
    proposals: Sequence[Proposal],
    problems: Sequence[Problem],
    *,
    waterfall: Waterfall,
    recorded_at: datetime,
) -> Recorded:
    """Record a file's decisions, all of them or, where anything is wrong with one, none.

    `problems` are those that reading the file brought up. A decision that stands
    already is not recorded again, so that importing a file twice changes nothing.
    Call it in a transaction.
    """
    evidence = _find_evidence(connection, policy, proposals, waterfall, recorded_at)
    standing = _standing(connection, evidence)
    wrong_rows = {problem.row for problem in problems}
    decisions, found, stood = [], list(problems), 0
    for proposal in proposals:
        values, wrong_values = _normalised(connection, policy, proposal)
        found += wrong_values
        if proposal.row in wrong_rows or wrong_values:
            continue
        known = evidence.get(proposal.contact_id)
        drafted = [] if known is None else _draft(proposal, values, known)
        news = [draft for draft in drafted if _content(draft) not in standing]
        stood += len(drafted) - len(news)
        if news or known is None:
            found += check(proposal, known)
        decisions += [
            Decision(_digest(draft, recorded_at), **draft, source="import", recorded_at=recorded_at)
            for draft in news
        ]
    if found:
        return Recorded(0, stood, tuple(sorted(found)))
    _insert(connection, decisions)
    return Recorded(len(decisions), stood, ())


def record_table(
    connection: duckdb.DuckDBPyConnection,
    policy: Policy,
    attachment: Attachment,
    *,
    waterfall: Waterfall,
    recorded_at: datetime,
) -> Recorded:
    """Record what is new in the query `[review] decisions`; rows that are wrong are left out.

    Raises ConfigurationError for a query that fails. Call it in a transaction,
    after the source was loaded.
    """
    if policy.review.decisions is None:
        return Recorded(0, 0, ())
    with attached_source(attachment, key="[review] attach", warehouse=connection) as reading:
        read_decisions(reading, connection, policy.review.decisions)
    rows = [
        (row[0], row[1], dict(zip(TABLE_COLUMNS, row[2:], strict=True)))
        for row in execute(connection, "find_new_decisions").fetchall()
    ]
    proposals, problems = read_table(
        ((number, cells) for number, _, cells in rows), now=recorded_at
    )
    wrong_rows = {problem.row for problem in problems}
    evidence = _find_evidence(connection, policy, proposals, waterfall, recorded_at)
    decisions = []
    for proposal, (number, decision_id, _) in zip(proposals, rows, strict=True):
        if number in wrong_rows:
            continue
        known = evidence.get(proposal.contact_id)
        values, found = _normalised(connection, policy, proposal)
        found += check(proposal, known)
        problems += found
        if not found and known is not None:
            decisions += [
                Decision(decision_id, **draft, source="table", recorded_at=recorded_at)
                for draft in _draft(proposal, values, known)
            ]
    _insert(connection, decisions)
    stood = connection.execute("select count(*) from incoming_decisions").fetchall()[0][0]
    return Recorded(len(decisions), stood - len(rows), tuple(sorted(problems)))


def persons_to_free(connection: duckdb.DuckDBPyConnection, provider: str) -> list[str]:
    """Persons whose last look-up at this provider was never answered, to be asked again.

    A reviewer has said so.
    """
    execute(connection, "select_current_decisions")
    found = execute(connection, "find_persons_to_free", provider=provider)
    return [person for (person,) in found.fetchall()]


def addresses_to_free(connection: duckdb.DuckDBPyConnection, verifier: str) -> list[str]:
    """Addresses of which the verifier has never answered, likewise; keyed as verifications are."""
    execute(connection, "select_current_decisions")
    found = execute(connection, "find_addresses_to_free", provider=verifier)
    return [address for (address,) in found.fetchall()]


def never_identifiers(connection: duckdb.DuckDBPyConnection) -> set[str]:
    """Persons that reviewers want never asked for again, as hashed identifiers for the ledger."""
    return {row[0] for row in execute(connection, "find_never_identifiers").fetchall()}


def _find_evidence(
    connection: duckdb.DuckDBPyConnection,
    policy: Policy,
    proposals: Iterable[Proposal],
    waterfall: Waterfall,
    as_of: datetime,
) -> dict[str, Evidence]:
    """What is known of these proposals' contacts, by id; leaves `current_decisions` selected."""
    contact_ids = sorted({proposal.contact_id for proposal in proposals})
    if not contact_ids:
        return {}
    derive_contact_states(connection, policy, waterfall, as_of)
    rows = execute(connection, "find_review_evidence", contact_ids=contact_ids).fetchall()
    return {
        contact_id: Evidence(
            person_key=person_key,
            lookup_id=lookup_id,
            known_lookup_ids=frozenset(lookup_ids),
            provider_uid=last_uid,
            known_uids={each["uid"]: each["provider"] for each in profiles or ()},
            can_be_asked=can_be_asked,
            is_legally_blocked=is_legally_blocked,
        )
        for (
            contact_id,
            person_key,
            lookup_id,
            lookup_ids,
            last_uid,
            profiles,
            can_be_asked,
            is_legally_blocked,
        ) in rows
    }


def _standing(
    connection: duckdb.DuckDBPyConnection, evidence: Mapping[str, Evidence]
) -> set[tuple[Any, ...]]:
    if not evidence:
        return set()
    names = ("contact_id", "decision", "lookup_id", "provider", "provider_uid", "field", "value")
    rows = execute(connection, "find_standing_decisions", contact_ids=list(evidence)).fetchall()
    return {_content(dict(zip(names, row, strict=True))) for row in rows}


def _draft(
    proposal: Proposal, values: Mapping[str, str], evidence: Evidence
) -> list[dict[str, Any]]:
    """The rows of the log that a proposal comes down to, without what is the log's own."""
    common = {
        "contact_id": proposal.contact_id,
        "person_key": evidence.person_key,
        "lookup_id": evidence.lookup_id if proposal.lookup_id is None else proposal.lookup_id,
        "provider": None,
        "provider_uid": None,
        "field": None,
        "value": None,
        "decided_by": proposal.decided_by,
        "decided_at": proposal.decided_at,
        "note": proposal.note,
    }
    drafts = []
    if proposal.decision in ABOUT_A_PROFILE:
        profile = _profile(proposal.provider_uid, evidence)
        drafts.append({**common, **profile, "decision": proposal.decision})
    elif proposal.decision != "replace":
        drafts.append({**common, "decision": proposal.decision})
    # what was found after a file was exported has not been seen by who filled it in
    is_current = proposal.lookup_id in {None, evidence.lookup_id}
    seen_uid = evidence.provider_uid if is_current else proposal.provider_uid
    for name, value in values.items():
        drafts.append(
            {
                **common,
                **_profile(seen_uid, evidence),
                "decision": "replace",
                "field": name,
                "value": value,
            }
        )
    return drafts


def _profile(uid: str | None, evidence: Evidence) -> dict[str, str | None]:
    """A profile that was found, as the log names it: whose id it is, and the id."""
    return {"provider": evidence.known_uids.get(uid or ""), "provider_uid": uid}


def _content(decision: Mapping[str, Any]) -> tuple[Any, ...]:
    """What makes two decisions the same one, by different reviewers and at different times too."""
    word = decision["decision"]
    return (
        decision["contact_id"],
        word,
        decision["lookup_id"] if word == "retry" else None,
        decision["provider"] if word in ABOUT_A_PROFILE else None,
        decision["provider_uid"] if word in ABOUT_A_PROFILE else None,
        decision["field"],
        decision["value"],
    )


def _digest(draft: Mapping[str, Any], recorded_at: datetime) -> str:
    told = [*map(str, _content(draft)), draft["decided_by"], recorded_at.isoformat()]
    return hashlib.sha256("\x1f".join(told).encode()).hexdigest()[:32]


def _normalised(
    connection: duckdb.DuckDBPyConnection, policy: Policy, proposal: Proposal
) -> tuple[dict[str, str], list[Problem]]:
    """A proposal's values in the form in which facts have them, and those that are none."""
    known = {name: text for name, text in proposal.values.items() if name in FIELDS}
    if not known:
        return {}, []
    texts = list(known.values())
    forms = execute(connection, "normalise_values", texts=texts).fetchall()
    values, problems = {}, []
    for (name, text), (email, linkedin_url, plain) in zip(known.items(), forms, strict=True):
        if name in EMAIL_FIELDS:
            value = email
        elif name in PHONE_FIELDS:
            value = to_e164(text, policy.identity.phone_region or None)
        elif name == "company_domain":
            value = _company_domain(text)
        else:
            value = linkedin_url if name == "linkedin_url" else plain
        if value is None:
            problems.append(proposal.problem(name, _WRONG_VALUE.get(name, "is blank")))
        else:
            values[name] = value
    return values, problems


def _company_domain(text: str) -> str | None:
    domain = read_domain(text)
    return None if domain.is_free_mail or domain.is_disposable else domain.registrable


def _insert(connection: duckdb.DuckDBPyConnection, decisions: Sequence[Decision]) -> None:
    if not decisions:
        return
    page = pa.Table.from_pylist([asdict(each) for each in decisions], schema=_DECISION_SCHEMA)
    with registered(connection, "decision_page", page):
        execute(connection, "insert_review_decisions")


def _as_file_row(row: dict[str, Any]) -> dict[str, str]:
    profiles = row.pop("profiles") or []
    differs = row.pop("differs")
    shown = {name: _cut(text) for name, text in row.items() if text is not None}
    found = {
        "found_name": [each["name"] for each in profiles],
        "found_title": [each["title"] for each in profiles],
        "found_company": [_joined(each["companies"]) for each in profiles],
        "found_location": [each["location"] for each in profiles],
        "found_link": [each["link"] for each in profiles],
        "found_score": [
            "" if each["score"] is None else f"{each['score']:.2f}" for each in profiles
        ],
        "found_evidence": [_evidence(each["scores"], differs) for each in profiles],
        "found_emails": [_joined(each["emails"]) for each in profiles],
        "found_phones": [_joined(each["phones"]) for each in profiles],
    }
    # one line for each profile, so that the lines of all columns stand side by side
    shown |= {name: "\n".join(map(_line, lines)) for name, lines in found.items()}
    # what an import reads again stands whole
    exact = {name: row[name] for name in ("contact_id", "lookup_id") if row[name] is not None}
    return {**shown, **exact, "found_uid": "\n".join(each["uid"] or "" for each in profiles)}


def _evidence(scores: Mapping[str, float | None], differs: str | None) -> str:
    """How alike name, company and title are, from 0 to 1; or which of them is not."""
    told = [f"{name} {score:.2f}" for name, score in scores.items() if score is not None]
    return ", ".join(told) or (f"{differs} differs" if differs else "")


def _line(text: str | None) -> str:
    return _cut(" ".join((text or "").split()), LINE_CHARACTERS)


def _cut(text: str, longest: int = SHOWN_CHARACTERS) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _joined(texts: Sequence[str | None] | None) -> str:
    return "; ".join(text for text in texts or () if text)
