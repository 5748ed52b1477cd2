"""Which value is shown for each field: write rules, changing employers, colleagues' answers."""

from __future__ import annotations

from typing import Any

from enrichment_pipeline.policy import Policy
from enrichment_pipeline_tests.support import START
from enrichment_pipeline_tests.warehouse import ADA, BOB, DAY, Row, World, candidate
from enrichment_pipeline_tests.warehouse.prepared import prepared, prepared_after

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


def shown(world: World, policy: dict[str, Any], contact_id: str = "C1") -> Row:
    """What is shown by this policy of a contact whose answer was judged."""
    world.derive_outcomes(policy=Policy.model_validate(policy))
    return enriched(world, contact_id)


@prepared
def source(world: World) -> None:
    world.load([SOURCE])


@prepared_after(source)
def answered(world: World) -> None:
    """Ada, with an answer that was judged."""
    world.look_up("C1", candidate=ANSWER)
    world.derive_facts()


@prepared
def colleagues(world: World) -> None:
    """Ada and her colleague Bob; her answer was judged."""
    world.load([SOURCE, COLLEAGUE])
    world.look_up("C1", candidate=ANSWER)
    world.derive_facts()


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


def test_each_field_has_a_write_rule(answered: World) -> None:
    for pair in (("overwrite", "fill"), ("fill", "never"), ("never", "overwrite")):
        # neighbours have different rules: no field goes by another's
        rules = {field: pair[number % 2] for number, field in enumerate(BY_RULE)}
        row = shown(answered, {"fields": rules})
        assert {field: row[field] for field in BY_RULE} == {
            field: by_rule[RULES.index(rules[field])] for field, by_rule in BY_RULE.items()
        }, pair


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
    answered = {
        (f"C{n}", START + days * DAY): candidate(
            theirs, emails=[(f"a{n}@acme.com", 100, "work")], jobs=[AT_ACME], uid=f"{n:032x}"
        )
        for n, (_, answers, _) in enumerate(SHORTER_AND_FULLER)
        for days, theirs in enumerate(answers)
    }
    world.look_up_each(
        (each, {"at": at, "candidate": answer}) for (each, at), answer in answered.items()
    )
    world.derive()
    for n, (ours, answers, name) in enumerate(SHORTER_AND_FULLER):
        assert enriched(world, f"C{n}")["full_name"] == name, (ours, answers)


def test_fill_fills_what_the_source_has_not(world: World) -> None:
    """Nor what tools write for nothing."""
    wanted = {
        "full_name": "Ada M. Example",
        "job_title": "CTO",
        "company_name": "Acme Inc",
        "work_email": "ada@acme.com",
    }
    nothing = dict.fromkeys(("full_name", "job_title", "company_name"), "N/A")
    bare = {"contact_id": "bare", "linkedin_url": SOURCE["linkedin_url"]}
    people = {
        "bare": bare,
        "N/A": {"contact_id": "N/A", "linkedin_url": "linkedin.com/in/ada-of-nothing", **nothing},
    }
    world.load(people.values())
    answers = {"bare": ANSWER, "N/A": {**ANSWER, "uid": "e" * 32, "social": []}}
    world.look_up_each((each, {"candidate": answer}) for each, answer in answers.items())
    world.derive_facts()
    for each in people:
        row = shown(world, {"fields": dict.fromkeys(wanted, "fill")}, each)
        assert {field: row[field] for field in wanted} == wanted, each
        assert not row["job_changed"], each


def test_a_status_goes_with_its_value(answered: World) -> None:
    row = shown(answered, {"fields": {"work_email": "never", "mobile_phone": "fill"}})
    assert (row["work_email"], row["work_email_status"]) == (None, None)
    assert (row["mobile_phone"], row["mobile_phone_status"]) == (None, None)
    assert row["personal_email_status"] == "likely"


def test_what_is_never_written_does_not_count_as_found(answered: World) -> None:
    shown(answered, {"fields": {"work_email": "never"}})
    assert answered.status("C1") == ("needs_review", "no_verified_email")
    shown(answered, {"fields": {"work_email": "fill"}})
    assert answered.status("C1") == ("enriched", None)


def test_nothing_of_the_source_is_lost(answered: World) -> None:
    row = shown(answered, {})
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


def test_a_job_change_shows_old_and_new(source: World) -> None:
    source.look_up("C1", candidate=MOVED)
    source.derive_facts()
    for choice, ended in (
        ("flag", ("enriched", None)),
        ("review", ("needs_review", "job_changed")),
    ):
        row = shown(source, {"acceptance": {"job_changes": choice}})
        assert row["job_changed"] is True, choice
        assert (row["company_name"], row["company_domain"], row["job_title"]) == (
            *("Brio", "brio.com"),
            "VP",
        ), choice
        assert row["previous_company_name"] == "Acme", choice
        assert row["previous_company_domain"] == "acme.com", choice
        assert row["previous_job_title"] == "Engineer", choice
        assert source.status("C1") == ended, choice


def test_the_old_employers_domain_does_not_stand_beside_the_new_name(source: World) -> None:
    job = {"company": "Brio", "current": True}
    source.look_up("C1", candidate={**ANSWER, "experience": [job]})
    source.derive()
    row = enriched(source)
    assert (row["company_name"], row["company_domain"], row["job_title"]) == ("Brio", None, None)


def test_a_later_employer_takes_nothing_over_from_an_earlier_one(answered: World) -> None:
    job = {"company": "Brio", "current": True}
    answered.look_up("C1", candidate={**ANSWER, "experience": [job]}, at=START + DAY)
    answered.derive(at=START + DAY)
    row = enriched(answered)
    assert (row["company_name"], row["company_domain"], row["company_industry"]) == (
        *("Brio", None),
        None,
    )
    # the history keeps both
    names = answered.rows("enrichment.person_facts", "field = 'company_name'")
    assert {row["value"]: row["valid_to"] for row in names} == {
        "Acme Inc": START + DAY,
        "Brio": None,
    }


def test_the_last_rating_of_a_value_counts_whatever_it_was_rated_before(world: World) -> None:
    cases = {
        "work_email": ("ada@acme.com", ("needs_review", "no_verified_email")),
        "direct_phone": ("+4930901820", ("enriched", None)),
    }
    world.load(
        {"contact_id": each, "full_name": "Ada Example", "linkedin_url": f"linkedin.com/in/{each}"}
        for each in cases
    )
    points = ANSWER["contacts"]
    first = [{**point, "rating": 100} for point in points]
    for each, (address, _) in cases.items():
        last = [{**point, "rating": 70} if point["value"] == address else point for point in points]
        own = {**ANSWER, "uid": each, "social": []}
        world.look_up(each, candidate={**own, "contacts": first})
        world.look_up(each, candidate={**own, "contacts": last}, at=START + DAY)
    world.derive(at=START + DAY)
    for each, (address, ended) in cases.items():
        row = enriched(world, each)
        assert (row[each], row[f"{each}_status"]) == (address, "likely")
        assert world.status(each) == ended


def test_who_moved_on_leaves_the_old_employers_address_and_telephone_behind(
    answered: World,
) -> None:
    job = {"company": "Brio", "website": "brio.com", "current": True}
    past = {**AT_ACME, "current": False}
    later = candidate("Ada M. Example", jobs=[job, past], social=PROFILE)
    answered.look_up("C1", candidate=later, at=START + DAY)
    answered.derive(at=START + DAY)
    row = enriched(answered)
    assert (row["company_domain"], row["work_email"], row["direct_phone"]) == (
        *("brio.com", None),
        None,
    )
    assert (row["personal_email"], row["mobile_phone"]) == ("ada@home.net", "+4915123456789")
    assert answered.status("C1") == ("needs_review", "no_verified_email")


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
    world.look_up_each(
        (each, {"candidate": candidate("Ada", uid=each, jobs=[{**AT_ACME, "position": title}])})
        for each, title in ids.items()
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


def test_a_found_colleague_gets_what_their_own_answer_lacks(colleagues: World) -> None:
    job = {**AT_ACME, "industry": None}
    bob = candidate("Bob Other", emails=[("bob@acme.com", 100, "work")], jobs=[job])
    colleagues.look_up("C2", candidate=bob)
    assert colleagues.derive() == 1
    assert enriched(colleagues, "C2")["company_industry"] == "Tools"


def test_company_facts_age(colleagues: World) -> None:
    for days, industry in ((179, "Tools"), (180, None)):
        colleagues.derive_outcomes(at=START + days * DAY)
        assert status(colleagues, "C2")["company_industry"] == industry, days
        assert status(colleagues, "C1")["company_industry"] == "Tools", days


def test_a_free_mail_domain_is_nobodys_company(world: World) -> None:
    world.load([{"contact_id": f"C{n}", "email": f"ada{n}@gmail.com"} for n in (1, 2)])
    job = {**AT_ACME, "website": "https://gmail.com", "industry": "Mail"}
    world.look_up("C1", candidate={**ANSWER, "experience": [job]})
    assert world.derive() == 0
    assert status(world, "C2")["company_industry"] is None
    assert world.rows("enrichment.company_facts") == []


def test_the_history_of_a_company_is_kept(source: World) -> None:
    for days, count in enumerate([12, 12, 20, 12]):
        job = {**AT_ACME, "staffCount": count}
        source.look_up("C1", candidate={**ANSWER, "experience": [job]}, at=START + days * DAY)
        source.derive_facts(at=START + days * DAY)
    rows = source.rows("enrichment.company_facts", "field = 'employee_count'")
    spans = [(row["valid_from"], row["valid_to"], row["value"]) for row in rows]
    assert sorted(spans, key=lambda span: span[0]) == [
        (START, START + 2 * DAY, "12"),
        (START + 2 * DAY, START + 3 * DAY, "20"),
        (START + 3 * DAY, None, "12"),
    ]
