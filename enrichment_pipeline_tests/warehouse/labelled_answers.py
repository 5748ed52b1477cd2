"""Answers of every kind that the identity check meets, each with where it must end.

Here: what our contact says, what the answer says, and the truth; `#` stands for the number of
the contact, so that each is a person of its own. Not here: judging (`test_identity_check.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from enrichment_pipeline_tests.warehouse import candidate

OURS = {
    "full_name": "Ada Example",
    "email": "asked.#@acme.com",
    "company_name": "Acme",
    "company_domain": "acme.com",
    "linkedin_url": "https://www.linkedin.com/in/ada-example-#",
    "job_title": "Engineer",
}
"""The contact, where a label says nothing else."""
VERIFIED_EMAIL = [("found@acme.com", 100, "work")]
ELSEWHERE = [("found@brio.com", 100, "work")]
AT_ACME = {
    "position": "CTO",
    "company": "Acme Inc",
    "website": "https://www.acme.com",
    "current": True,
    "started": "2020-01",
}
ONCE_AT_ACME = {**AT_ACME, "current": False, "started": "2015-01"}
AT_BRIO = {**AT_ACME, "company": "Brio GmbH", "website": "https://brio.com", "started": "2024-01"}
PROFILE = [{"type": "li", "link": "https://linkedin.com/in/ada-example-#"}]


@dataclass(frozen=True)
class Labelled:
    """One contact, one answer. `is_same` is the truth; None: the answer names nobody."""

    kind: str
    answer: dict[str, Any]
    status: str
    reason: str | None = None
    is_same: bool | None = True
    contact: dict[str, str] = field(default_factory=dict)
    is_job_changed: bool = False


def named(name: str | None = "Ada Example", **more: Any) -> dict[str, Any]:
    parts: dict[str, Any] = {"emails": VERIFIED_EMAIL, "jobs": [AT_ACME], **more}
    return candidate(name, **parts)


def right(kind: str, answer: dict[str, Any], **more: Any) -> Labelled:
    return Labelled(kind, answer, "enriched", **more)


def wrong(kind: str, answer: dict[str, Any], **more: Any) -> Labelled:
    return Labelled(kind, answer, "needs_review", "identity_mismatch", is_same=False, **more)


def lacking(kind: str, answer: dict[str, Any], **more: Any) -> Labelled:
    return Labelled(kind, answer, "needs_review", "no_verified_email", **more)


LABELLED = [
    right("right person", named()),
    right("right person", named("EXAMPLE, Ada"), contact={"full_name": "Dr. Ada Example"}),
    right("right person", named("Ada M. Example")),
    right("right person", named("A. Example")),
    # what has no letters is no name, and contradicts nothing
    right("no name", named(), contact={"full_name": "12345"}),
    right("nickname", named("Bob Smith"), contact={"full_name": "Robert Smith"}),
    right("nickname", named("Elizabeth Clark"), contact={"full_name": "Liz Clark"}),
    right("reversed order", named("Meyer Anna"), contact={"full_name": "Anna Meyer"}),
    right("spelled otherwise", named("Juergen Schaefer"), contact={"full_name": "Jürgen Schäfer"}),
    wrong("namesake", named(jobs=[AT_BRIO], emails=ELSEWHERE)),
    wrong("namesake", named(jobs=[{**AT_BRIO, "website": None}], emails=ELSEWHERE)),
    wrong(
        "wrong company", named(jobs=[AT_BRIO, {**AT_BRIO, "company": "Corax"}], emails=ELSEWHERE)
    ),
    wrong("somebody else", named("Bob Stranger")),
    wrong("somebody else", named("Adam Example")),
    wrong("somebody else, same family name", named("Grace Example")),
    # colleagues whose initials once passed for our names
    wrong("initials alone", named("Tove C. Bolken"), contact={"full_name": "Chin Chang"}),
    wrong("initials alone", named("Anna B. Miller"), contact={"full_name": "Bob Brown"}),
    wrong(
        "family name without a counterpart",
        named("James Thomas"),
        contact={"full_name": "James Thomas Anderson", "last_name": "Anderson"},
    ),
    right(
        "name like a word for nothing",
        named("Nan Koppinger"),
        contact={"full_name": "", "first_name": "Nan", "last_name": "Koppinger"},
    ),
    right("written together", named("Yusic Kim"), contact={"full_name": "Yu-Sic Kim"}),
    # the address was passed on: it is in the answer, at the same company
    wrong(
        "recycled e-mail",
        named("Tom Carter", emails=[("ada.example.#@acme.com", 100, "work")]),
        contact={"email": "ada.example.#@acme.com", "linkedin_url": ""},
    ),
    wrong(
        "recycled e-mail, same given name",
        named("Ada Carter", emails=[("ada.#@acme.com", 100, "work")]),
        contact={"email": "ada.#@acme.com", "linkedin_url": ""},
    ),
    wrong(
        "recycled e-mail, other script",
        named("Ελένη Βασιλείου", emails=[("ada.example.#@acme.com", 100, "work")]),
        contact={"email": "ada.example.#@acme.com", "linkedin_url": ""},
    ),
    right("married name", named("Ada Newname", social=PROFILE)),
    right(
        "married name",
        named("Ada Newname", emails=[("ada.example.#@acme.com", 100, "work")]),
        contact={"email": "ada.example.#@acme.com", "linkedin_url": ""},
    ),
    wrong("given name only in common", named("Ada Newname")),
    wrong(
        "given name only in common",
        named("Ada Newname", social=PROFILE, jobs=[AT_BRIO], emails=ELSEWHERE),
    ),
    right(
        "transliterated name", named("Olena Shevchenko"), contact={"full_name": "Олена Шевченко"}
    ),
    right("transliterated name", named("Ελένη Γεωργίου"), contact={"full_name": "Eleni Georgiou"}),
    right("transliterated name", named("Min Huang"), contact={"full_name": "黄敏"}),
    right("other script, other order", named("杨伟"), contact={"full_name": "伟 杨"}),
    right(
        "transliterated name",
        named("Keiko Watanabe"),
        contact={"full_name": "渡辺 恵子", "linkedin_url": "linkedin.com/in/keiko-watanabe-#"},
    ),
    right(
        "transliterated name",
        named("조도윤", social=[{"link": "linkedin.com/in/doyun-cho-7"}]),
        contact={"full_name": "Doyun Cho"},
    ),
    wrong("another transliterated name", named("Min Huang"), contact={"full_name": "王伟"}),
    wrong(
        "another transliterated name", named("Ivan Petrov"), contact={"full_name": "Олена Коваль"}
    ),
    right("moved job", named(jobs=[AT_BRIO, ONCE_AT_ACME]), is_job_changed=True),
    right("moved job", named(jobs=[AT_BRIO], social=PROFILE), is_job_changed=True),
    right("several current jobs", named(jobs=[AT_BRIO, AT_ACME])),
    right("several current jobs", named(jobs=[{**AT_BRIO, "started": None}, AT_ACME])),
    right("dates missing", named(jobs=[{**AT_ACME, "started": None}])),
    lacking("empty candidate", {}, is_same=None),
    lacking("null everywhere", dict.fromkeys(candidate()), is_same=None),
    lacking("only likely", named(emails=[("ada@acme.com", 70, "work")])),
    lacking("only phone", named(emails=[], phones=[("+4930901820", 100, "mobile")])),
    lacking(
        "n/a strings",
        named(
            "N/A",
            emails=[("n/a", 100, "work")],
            phones=[("none", 100, "mobile")],
            jobs=[dict.fromkeys(AT_ACME, "n/a")],
            locations=[{"name": "unknown"}],
        ),
        is_same=None,
    ),
    right("2 MB profile", named(summary="x" * 2_000_000)),
    right("2 MB profile", named(skills=["skill"] * 200_000)),
    right("given twice", named(emails=VERIFIED_EMAIL * 500, jobs=[AT_ACME] * 500)),
    *(
        Labelled("wrong types", answer, "needs_review", "unreadable_answer", is_same=None)
        for answer in [
            named(contacts={}),
            named(contacts="ada@acme.com"),
            named(contacts=["ada@acme.com"]),
            named(contacts=[[]]),
            named(contacts=[{"type": "email", "value": {"a": 1}, "rating": 100}]),
            named(contacts=[{"type": "email", "value": "a@acme.com", "rating": [100]}]),
            named(contacts=[{"type": ["email"], "value": "a@acme.com", "rating": 100}]),
            named(experience=5),
            named(experience=[True]),
            named(experience=[{**AT_ACME, "company": {"name": "Acme"}}]),
            named(experience=[{**AT_ACME, "current": {}}]),
            named(social="linkedin.com/in/ada-example-#"),
            named(social=[{"link": ["a"]}]),
            named(locations=[{"name": {"city": "Berlin"}}]),
            named(fullName={"first": "Ada"}),
            named(fullName=["Ada Example"]),
            named(uid={}),
        ]
    ),
]
