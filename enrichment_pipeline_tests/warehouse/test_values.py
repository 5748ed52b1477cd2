"""Which value is shown for each field: write rules, changing employers, colleagues' answers."""

from __future__ import annotations

from typing import Any

import pytest

from enrichment_pipeline.policy import Policy
from enrichment_pipeline_tests.support import START
from enrichment_pipeline_tests.warehouse import ADA, BOB, DAY, Row, World, candidate
from enrichment_pipeline_tests.warehouse.prepared import prepared

AT_ACME = {"position": "CTO", "company": "Acme Inc", "website": "acme.com", "current": True}
PROFILE = [{"link": "linkedin.com/in/ada-example"}]
ANSWER = candidate(
    "Ada M. Example",
    emails=[("ada@acme.com", 100, "work"), ("ada@home.net", 70, "personal")],
    phones=[("+4930901820", 70, "work_phone"), ("+4915123456789", 100, "mobile")],
    jobs=[{**AT_ACME, "industry": "Tools", "staffCount": 12}],
    social=PROFILE,
    locations=[{"name": "Berlin"}],
)
SOURCE = {**ADA, "job_title": "Engineer", "phone": "+4930901821"}


def enriched(world: World, contact_id: str = "C1") -> Row:
    return world.only("enrichment.enriched_contacts", f"contact_id = '{contact_id}'")


def status(world: World, contact_id: str) -> Row:
    return world.only("enrichment.contact_status", f"contact_id = '{contact_id}'")


def shown(world: World, policy: dict[str, Any], *, contact: Row = SOURCE) -> Row:
    world.load([contact])
    world.look_up("C1", candidate=ANSWER)
    world.derive(policy=Policy.model_validate(policy))
    return enriched(world)


@prepared
def answered(world: World) -> None:
    """Ada, with an answer that was not judged yet."""
    world.load([SOURCE])
    world.look_up("C1", candidate=ANSWER)


# --- write rules -----------------------------------------------------------------------


BY_RULE = {
    "full_name": ("Ada M. Example", "Ada Example", "Ada Example"),
    "job_title": ("CTO", "Engineer", "Engineer"),
    "company_name": ("Acme Inc", "Acme", "Acme"),
    "company_domain": ("acme.com", "acme.com", "acme.com"),
    "company_website": ("acme.com", "acme.com", None),
    "company_industry": ("Tools", "Tools", None),
    "company_employee_count": ("12", "12", None),
    "location": ("Berlin", "Berlin", None),
    "work_email": ("ada@acme.com", None, None),
    "personal_email": ("ada@home.net", None, None),
    "direct_phone": ("+4930901820", None, None),
    "mobile_phone": ("+4915123456789", None, None),
}
"""What is shown of each field where it is overwritten, filled, and never written."""


RULES = ("overwrite", "fill", "never")


@pytest.mark.parametrize(
    "pair", [("overwrite", "fill"), ("fill", "never"), ("never", "overwrite")], ids="-".join
)
def test_each_field_has_a_write_rule(answered: World, pair: tuple[str, str]) -> None:
    # neighbours have different rules: no field goes by another's
    rules = {field: pair[number % 2] for number, field in enumerate(BY_RULE)}
    answered.derive(policy=Policy.model_validate({"fields": rules}))
    row = enriched(answered)
    assert {field: row[field] for field in BY_RULE} == {
        field: by_rule[RULES.index(rules[field])] for field, by_rule in BY_RULE.items()
    }


SHORTER_AND_FULLER = [
    ("Adell Lipkin", ["A. Lipkin"], "Adell Lipkin"),
    ("A. Lipkin", ["Adell Lipkin"], "Adell Lipkin"),
    ("Adell Lipkin", ["Adell M. Lipkin"], "Adell M. Lipkin"),
    ("LIPKIN, Adell", ["Adell Lipkin"], "Adell Lipkin"),
    # of two answers too
    ("A. Lipkin", ["Adell M. Lipkin", "Adell Lipkin"], "Adell M. Lipkin"),
    ("A. Lipkin", ["Adell Lipkin", "Adell M. Lipkin"], "Adell M. Lipkin"),
    ("A. Lipkin", ["Yu-Sic A. Lipkin", "Yusic A. Lipkin"], "Yusic A. Lipkin"),
]


def test_a_shorter_form_of_a_name_never_replaces_the_fuller_one(world: World) -> None:
    world.load(
        {**SOURCE, "contact_id": f"C{n}", "full_name": ours, "email": "", "phone": ""}
        | {"linkedin_url": f"linkedin.com/in/lipkin-{n}"}
        for n, (ours, _, _) in enumerate(SHORTER_AND_FULLER)
    )
    for n, (_, answers, _) in enumerate(SHORTER_AND_FULLER):
        for days, theirs in enumerate(answers):
            answer = candidate(
                theirs, emails=[(f"a{n}@acme.com", 100, "work")], jobs=[AT_ACME], uid=f"{n:032x}"
            )
            world.look_up(f"C{n}", candidate=answer, at=START + days * DAY)
    world.derive()
    for n, (ours, answers, name) in enumerate(SHORTER_AND_FULLER):
        assert enriched(world, f"C{n}")["full_name"] == name, (ours, answers)


def test_fill_fills_what_the_source_has_not(world: World) -> None:
    bare = {"contact_id": "C1", "linkedin_url": SOURCE["linkedin_url"]}
    wanted = {
        "full_name": "Ada M. Example",
        "job_title": "CTO",
        "company_name": "Acme Inc",
        "work_email": "ada@acme.com",
    }
    row = shown(world, {"fields": dict.fromkeys(wanted, "fill")}, contact=bare)
    assert {field: row[field] for field in wanted} == wanted


def test_what_tools_write_for_nothing_is_filled(world: World) -> None:
    fields = ("full_name", "job_title", "company_name")
    nothing = {"contact_id": "C1", "linkedin_url": SOURCE["linkedin_url"]}
    nothing |= dict.fromkeys(fields, "N/A")
    row = shown(world, {"fields": dict.fromkeys(fields, "fill")}, contact=nothing)
    assert {row[field] for field in fields}.isdisjoint({None, "N/A"})
    assert not row["job_changed"]


def test_a_status_goes_with_its_value(world: World) -> None:
    row = shown(world, {"fields": {"work_email": "never", "mobile_phone": "fill"}})
    assert (row["work_email"], row["work_email_status"]) == (None, None)
    assert (row["mobile_phone"], row["mobile_phone_status"]) == (None, None)
    assert row["personal_email_status"] == "likely"


def test_what_is_never_written_does_not_count_as_found(world: World) -> None:
    shown(world, {"fields": {"work_email": "never"}})
    assert world.status("C1") == ("needs_review", "no_verified_email")
    world.derive(policy=Policy.model_validate({"fields": {"work_email": "fill"}}))
    assert world.status("C1") == ("enriched", None)


def test_nothing_of_the_source_is_lost(world: World) -> None:
    row = shown(world, {})
    assert {name: value for name, value in row.items() if name.startswith("source_")} == {
        "source_full_name": "Ada Example",
        "source_job_title": "Engineer",
        "source_company_name": "Acme",
        "source_company_domain": "acme.com",
        "source_email": ADA["email"],
        "source_phone": "+4930901821",
        "source_linkedin_url": ADA["linkedin_url"],
    }


# --- employers that change -------------------------------------------------------------

AT_BRIO = {"position": "VP", "company": "Brio", "website": "brio.com", "current": True}
MOVED = {**ANSWER, "experience": [AT_BRIO, {**AT_ACME, "current": False}]}


@pytest.mark.parametrize(
    ("choice", "ended"),
    [("flag", ("enriched", None)), ("review", ("needs_review", "job_changed"))],
)
def test_a_job_change_shows_old_and_new(
    world: World, choice: str, ended: tuple[str, str | None]
) -> None:
    world.load([SOURCE])
    world.look_up("C1", candidate=MOVED)
    world.derive(policy=Policy.model_validate({"acceptance": {"job_changes": choice}}))
    row = enriched(world)
    assert row["job_changed"] is True
    assert (row["company_name"], row["company_domain"], row["job_title"]) == (
        *("Brio", "brio.com"),
        "VP",
    )
    assert row["previous_company_name"] == "Acme"
    assert row["previous_company_domain"] == "acme.com"
    assert row["previous_job_title"] == "Engineer"
    assert world.status("C1") == ended


def test_the_old_employers_domain_does_not_stand_beside_the_new_name(world: World) -> None:
    world.load([SOURCE])
    job = {"company": "Brio", "current": True}
    world.look_up("C1", candidate={**ANSWER, "experience": [job]})
    world.derive()
    row = enriched(world)
    assert (row["company_name"], row["company_domain"], row["job_title"]) == ("Brio", None, None)


def test_a_later_employer_takes_nothing_over_from_an_earlier_one(world: World) -> None:
    world.load([SOURCE])
    world.look_up("C1", candidate=ANSWER)
    job = {"company": "Brio", "current": True}
    world.look_up("C1", candidate={**ANSWER, "experience": [job]}, at=START + DAY)
    world.derive(at=START + DAY)
    row = enriched(world)
    assert (row["company_name"], row["company_domain"], row["company_industry"]) == (
        *("Brio", None),
        None,
    )
    # the history keeps both
    names = world.rows("enrichment.person_facts", "field = 'company_name'")
    assert {row["value"]: row["valid_to"] for row in names} == {
        "Acme Inc": START + DAY,
        "Brio": None,
    }


@pytest.mark.parametrize("address", ["ada@acme.com", "+4930901820"])
def test_the_last_rating_of_a_value_counts_whatever_it_was_rated_before(
    world: World, address: str
) -> None:
    world.load([SOURCE])
    points = ANSWER["contacts"]
    first = [{**point, "rating": 100} for point in points]
    last = [{**point, "rating": 70} if point["value"] == address else point for point in points]
    world.look_up("C1", candidate={**ANSWER, "contacts": first})
    world.look_up("C1", candidate={**ANSWER, "contacts": last}, at=START + DAY)
    world.derive(at=START + DAY)
    field = "work_email" if "@" in address else "direct_phone"
    row = enriched(world)
    assert (row[field], row[f"{field}_status"]) == (address, "likely")
    assert world.status("C1") == (
        ("needs_review", "no_verified_email") if field == "work_email" else ("enriched", None)
    )


def test_who_moved_on_leaves_the_old_employers_address_and_telephone_behind(world: World) -> None:
    world.load([SOURCE])
    world.look_up("C1", candidate=ANSWER)
    job = {"company": "Brio", "website": "brio.com", "current": True}
    past = {**AT_ACME, "current": False}
    later = candidate("Ada M. Example", jobs=[job, past], social=PROFILE)
    world.look_up("C1", candidate=later, at=START + DAY)
    world.derive(at=START + DAY)
    row = enriched(world)
    assert (row["company_domain"], row["work_email"], row["direct_phone"]) == (
        *("brio.com", None),
        None,
    )
    assert (row["personal_email"], row["mobile_phone"]) == ("ada@home.net", "+4915123456789")
    assert world.status("C1") == ("needs_review", "no_verified_email")


def test_the_same_employer_under_a_longer_name_is_no_job_change(world: World) -> None:
    world.load([{**SOURCE, "company_domain": "acme.de"}])
    world.look_up("C1", candidate=ANSWER)
    world.derive()
    assert enriched(world)["job_changed"] is False


SENIORITY = {
    "Founder & CEO": "owner",
    "Geschäftsführerin": "c_suite",
    "President": "c_suite",
    "Vice President, Sales": "vp",
    "VP Sales": "vp",
    "Head of IT": "director",
    "Leiter Vertrieb (m/w/d)": "manager",
    "Senior Engineer": "senior",
    "Assistant to the CEO": "entry",
    "Engineer": None,
    None: None,
}


def test_seniority_is_read_off_the_title(world: World) -> None:
    ids = {f"C{number}": title for number, title in enumerate(SENIORITY)}
    world.load({"contact_id": each, "linkedin_url": f"linkedin.com/in/{each}"} for each in ids)
    for contact_id, title in ids.items():
        job = {**AT_ACME, "position": title}
        world.look_up(
            contact_id, candidate={**candidate("Ada", uid=contact_id), "experience": [job]}
        )
    world.derive()
    for contact_id, title in ids.items():
        seniority = SENIORITY[title]
        assert enriched(world, contact_id)["seniority"] == seniority, title
        expected = None if seniority is None else [seniority]
        assert world.facts(contact_id).get("seniority") == expected, title


# --- colleagues ------------------------------------------------------------------------

COLLEAGUE = {"contact_id": "C2", "full_name": "Bob Other", "email": "bob@acme.com"}


def test_an_answer_fills_the_company_fields_of_everybody_there(world: World) -> None:
    nobody = {"contact_id": "C3", "full_name": "Nobody", "company_domain": "https://www.acme.com/x"}
    elsewhere = {**BOB, "contact_id": "C4"}
    missed = {
        "contact_id": "C5",
        "linkedin_url": "linkedin.com/in/no",
        "company_domain": "acme.com",
    }
    world.load([SOURCE, COLLEAGUE, nobody, elsewhere, missed])
    world.look_up("C1", candidate=ANSWER)
    world.look_up("C5", outcome="no_match")
    assert world.derive() == 3
    for contact_id in ("C1", "C2", "C3", "C5"):
        row = status(world, contact_id)
        assert (
            row["company_domain"],
            row["company_website"],
            row["company_industry"],
            row["company_employee_count"],
        ) == ("acme.com", "acme.com", "Tools", "12")
    assert status(world, "C3")["company_name"] == "Acme Inc"
    assert status(world, "C4")["company_industry"] is None


def test_a_found_colleague_gets_what_their_own_answer_lacks(world: World) -> None:
    world.load([SOURCE, COLLEAGUE])
    world.look_up("C1", candidate=ANSWER)
    job = {**AT_ACME, "industry": None}
    bob = candidate("Bob Other", emails=[("bob@acme.com", 100, "work")], jobs=[job])
    world.look_up("C2", candidate=bob)
    assert world.derive() == 1
    assert enriched(world, "C2")["company_industry"] == "Tools"


@pytest.mark.parametrize(("days", "industry"), [(179, "Tools"), (180, None)])
def test_company_facts_age(world: World, days: int, industry: str | None) -> None:
    world.load([SOURCE, COLLEAGUE])
    world.look_up("C1", candidate=ANSWER)
    world.derive(at=START + days * DAY)
    assert status(world, "C2")["company_industry"] == industry
    assert status(world, "C1")["company_industry"] == "Tools"


def test_a_free_mail_domain_is_nobodys_company(world: World) -> None:
    world.load([{"contact_id": f"C{n}", "email": f"ada{n}@gmail.com"} for n in (1, 2)])
    job = {**AT_ACME, "website": "https://gmail.com", "industry": "Mail"}
    world.look_up("C1", candidate={**ANSWER, "experience": [job]})
    assert world.derive() == 0
    assert status(world, "C2")["company_industry"] is None
    assert world.rows("enrichment.company_facts") == []


def test_the_history_of_a_company_is_kept(world: World) -> None:
    world.load([SOURCE, COLLEAGUE])
    for days, count in enumerate([12, 12, 20, 12]):
        job = {**AT_ACME, "staffCount": count}
        world.look_up("C1", candidate={**ANSWER, "experience": [job]}, at=START + days * DAY)
        world.derive(at=START + days * DAY)
    rows = world.rows("enrichment.company_facts", "field = 'employee_count'")
    spans = [(row["valid_from"], row["valid_to"], row["value"]) for row in rows]
    assert sorted(spans, key=lambda span: span[0]) == [
        (START, START + 2 * DAY, "12"),
        (START + 2 * DAY, START + 3 * DAY, "20"),
        (START + 3 * DAY, None, "12"),
    ]
