"""For any order of answers, decisions, replays and undos the tables equal the reference's."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enrichment_pipeline_tests.properties import draws
from enrichment_pipeline_tests.support import START
from enrichment_pipeline_tests.warehouse import DAY, World, candidate
from enrichment_pipeline_tests.warehouse.prepared import opened
from enrichment_pipeline_tests.warehouse.reference import (
    Answer,
    Contact,
    Decision,
    Job,
    Log,
    tables,
)

AS_OF = START + 20 * DAY
"""After every answer, and before anything is too old: ages are tested elsewhere."""

CONTACTS = (
    Contact("C1", "ada", "Ada Example", "Acme", "acme.com"),
    # the same person under another name: what is hers for the one is a mismatch for the other
    Contact("C2", "ada", "Grace Other", "Acme", "acme.com"),
    Contact("C3", "bob", "Bob Builder", "Acme", "acme.com"),
    Contact("C4", "eve", "Eve Nobody", "Acme", "acme.com"),
)
SLUGS = {"ada": "ada-1", "bob": "bob-1", "eve": "eve-1"}
NAMES = {
    "ada": ("Ada Example", "A. Example", "Grace Other"),
    "bob": ("Bob Builder", "Tom Stranger"),
}
JOBS = (
    Job("CTO", "Acme", "acme.com", "12"),
    Job("CTO", "Acme", "acme.com", "20"),
    Job("VP", "Brio", "brio.com", "7"),
)

moments = st.integers(0, 4).map(lambda days: START + days * DAY)
emails = st.lists(
    st.tuples(st.sampled_from(["a@x.org", "b@x.org", "c@x.org"]), st.sampled_from([70, 100])),
    max_size=3,
).map(tuple)


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    person = draw(st.sampled_from(["ada", "ada", "bob"]))
    blank = Answer("", person, draw(st.sampled_from(["run-1", "run-2", "run-3"])), draw(moments))
    if draw(st.integers(0, 5)) == 0:
        return replace(blank, outcome=draw(st.sampled_from(["no_match", "refused"])))
    return replace(
        blank,
        name=draw(st.sampled_from(NAMES[person])),
        uid=draw(st.sampled_from(["u1", "u2"])),
        emails=draw(emails),
        location=draw(st.sampled_from([None, "Berlin", "Paris"])),
        job=draw(st.sampled_from([None, *JOBS])),
        past_domain=draw(st.sampled_from([None, "acme.com"])),
        is_unreadable=draw(st.integers(0, 9)) == 0,
    )


@st.composite
def decisions(draw: st.DrawFn) -> Decision:
    contact_id = draw(st.sampled_from([contact.contact_id for contact in CONTACTS]))
    if draw(st.booleans()):
        verb = draw(st.sampled_from(["accept", "reject"]))
        return Decision(
            "", contact_id, verb, draw(moments), uid=draw(st.sampled_from(["u1", "u2"]))
        )
    name, value = draw(
        st.sampled_from([("work_email", "h@x.org"), ("location", "Rome"), ("location", "Oslo")])
    )
    return Decision("", contact_id, "replace", draw(moments), field=name, value=value)


@dataclass(frozen=True)
class Undo:
    run_id: str


steps = st.lists(
    st.one_of(
        answers(),
        answers(),
        decisions(),
        st.sampled_from(["run-1", "run-2", "run-3"]).map(Undo),
        st.sampled_from(["derive", "replay"]),
    ),
    min_size=2,
    max_size=9,
)

COLUMNS = {
    "person_facts": "contact_id, field, value, status, position, provider, observed_at, "
    "lookup_id, valid_to",
    "company_facts": "company_domain, field, value, observed_at, lookup_id, valid_from, valid_to",
    "enriched_contacts": "contact_id, full_name, job_title, location, work_email, "
    "work_email_status, company_name, company_domain, company_website, company_employee_count, "
    "job_changed, enriched_at, lookup_id, needs_manual_enrichment",
    "needs_review": "contact_id, reason",
    "contact_status": "contact_id, status, reason, company_name, company_domain, "
    "company_website, company_employee_count",
}


def as_profile(answer: Answer) -> dict[str, Any]:
    jobs = []
    if answer.job is not None:
        jobs.append(
            {
                "position": answer.job.title,
                "company": answer.job.company,
                "website": f"https://{answer.job.domain}",
                "staffCount": answer.job.employees,
                "current": True,
            }
        )
        if answer.past_domain is not None:
            jobs.append({"company": "Acme", "website": answer.past_domain, "current": False})
    profile = candidate(
        answer.name,
        emails=[(email, rating, "work") for email, rating in answer.emails],
        jobs=jobs,
        uid=answer.uid,
        locations=[{"name": answer.location}] if answer.location else None,
    )
    return {**profile, "social": {}} if answer.is_unreadable else profile


def play(world: World, log: Log, step: object) -> None:
    """Do one step to the warehouse, and to the log that the reference reads."""
    if isinstance(step, Answer):
        contact = next(each for each in log.contacts if each.person == step.person)
        lookup_id = world.look_up(
            contact.contact_id,
            at=step.at,
            run_id=step.run_id,
            outcome=step.outcome,
            candidate=as_profile(step) if step.outcome == "matched" else None,
        )
        log.answers.append(replace(step, lookup_id=lookup_id))
    elif isinstance(step, Decision):
        decision_id = world.decide(
            step.contact_id,
            step.decision,
            at=step.at,
            uid=step.uid,
            field=step.field,
            value=step.value,
        )
        log.decisions.append(replace(step, decision_id=decision_id))
    elif isinstance(step, Undo):
        if any(answer.run_id == step.run_id for answer in log.answers):
            world.undo(step.run_id, at=AS_OF)
            log.undone.add(step.run_id)
    elif step == "replay":
        world.replay(at=AS_OF)
    else:
        world.derive(at=AS_OF)


def found(world: World) -> dict[str, list[dict[str, Any]]]:
    return {
        table: world.rows(f"(select {columns} from enrichment.{table})", PARTS.get(table, "true"))
        for table, columns in COLUMNS.items()
    }


PARTS = {"person_facts": "field <> 'seniority'"}


def in_order(rows: list[dict[str, Any]]) -> list[list[str]]:
    return sorted([f"{name}={row[name]}" for name in sorted(row)] for row in rows)


def compare(world: World, log: Log) -> None:
    wanted = tables(log)
    for table, rows in found(world).items():
        assert in_order(rows) == in_order(wanted[table]), table


@pytest.mark.timeout(1200)
@draws(few=3, many=6)
@given(steps=steps)
def test_the_tables_equal_the_references(steps: list[object]) -> None:
    with tempfile.TemporaryDirectory() as folder, opened() as connection:
        world, log = World(connection, Path(folder) / "source"), Log(CONTACTS)
        world.load(
            {
                "contact_id": contact.contact_id,
                "full_name": contact.name,
                "linkedin_url": f"linkedin.com/in/{SLUGS[contact.person]}",
                "company_name": contact.company,
                "company_domain": contact.domain,
            }
            for contact in CONTACTS
        )
        for step in steps:
            play(world, log, step)
        world.derive(at=AS_OF)
        compare(world, log)
        world.replay(at=AS_OF)
        compare(world, log)
