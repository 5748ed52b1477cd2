"""Which value is shown for each field: write rules, changing employers, colleagues' answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from enrichment_pipeline.policy import Policy
from enrichment_pipeline_tests.support import START
from enrichment_pipeline_tests.warehouse import ADA, BOB, DAY, Row, World, candidate, person
from enrichment_pipeline_tests.warehouse.timeline import OnDay, Timeline

AT_ACME = {"position": "CTO", "company": "Acme Inc", "website": "acme.com", "current": True}
AT_BRIO = {"position": "VP", "company": "Brio", "website": "brio.com", "current": True}
IN_TOOLS = {"industry": "Tools", "staffCount": 12}
SOURCE = {"job_title": "Engineer"}

people = Timeline()


@pytest.fixture(scope="module")
def on_day() -> Iterator[OnDay]:
    with people.open() as worlds:
        yield worlds


def answer(contact_id: str, **changes: Any) -> Row:
    """What is found for a person, with everything that there is."""
    known: Row = {
        "uid": f"uid of {contact_id}",
        "jobs": [{**AT_ACME, **IN_TOOLS}],
        "social": [{"link": person(contact_id)["linkedin_url"]}],
        "locations": [{"name": "Berlin"}],
    }
    return candidate(
        "Ada M. Example",
        emails=[("ada@acme.com", 100, "work"), ("ada@home.net", 70, "personal")],
        phones=[("+4930901820", 70, "work_phone"), ("+4915123456789", 100, "mobile")],
        **known | changes,
    )


def enriched(world: World, contact_id: str) -> Row:
    return world.only("enrichment.enriched_contacts", f"contact_id = '{contact_id}'")


def status(world: World, contact_id: str) -> Row:
    return world.only("enrichment.contact_status", f"contact_id = '{contact_id}'")


def policy(**sections: dict[str, str]) -> Policy:
    return Policy.model_validate(sections)


# --- write rules -----------------------------------------------------------------------


ANSWERED = people.person(
    "answered", {0: {"candidate": answer("answered")}}, **SOURCE, phone="+4930901821"
)
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


def test_each_field_has_a_write_rule(on_day: OnDay) -> None:
    for pair in (("overwrite", "fill"), ("fill", "never"), ("never", "overwrite")):
        # neighbours have different rules: no field goes by another's
        rules = {field: pair[number % 2] for number, field in enumerate(BY_RULE)}
        row = enriched(on_day(0, policy(fields=rules)), ANSWERED)
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


for n, (ours, answers, _) in enumerate(SHORTER_AND_FULLER):
    for day, theirs in enumerate(answers):
        found = candidate(theirs, emails=[(f"a{n}@acme.com", 100, "work")], jobs=[AT_ACME])
        people.look_up(f"name {n}", day, candidate=found)
    people.person(f"name {n}", full_name=ours, email="")


def test_a_shorter_form_of_a_name_never_replaces_the_fuller_one(on_day: OnDay) -> None:
    for n, (ours, answers, name) in enumerate(SHORTER_AND_FULLER):
        assert enriched(on_day(1), f"name {n}")["full_name"] == name, (ours, answers)


FILLED = {
    "full_name": "Ada M. Example",
    "job_title": "CTO",
    "company_name": "Acme Inc",
    "work_email": "ada@acme.com",
}
WITHOUT_VALUES = ("bare", "n/a")
for each, nothing in zip(WITHOUT_VALUES, ("", "N/A"), strict=True):
    people.source(
        {
            **dict.fromkeys(("full_name", "job_title", "company_name"), nothing),
            "contact_id": each,
            "linkedin_url": person(each)["linkedin_url"],
        }
    )
    people.look_up(each, 0, candidate=answer(each))


def test_fill_fills_what_the_source_has_not(on_day: OnDay) -> None:
    """Nor what tools write for nothing."""
    world = on_day(0, policy(fields=dict.fromkeys(FILLED, "fill")))
    for each in WITHOUT_VALUES:
        row = enriched(world, each)
        assert {field: row[field] for field in FILLED} == FILLED, each
        assert not row["job_changed"], each


def test_a_status_goes_with_its_value(on_day: OnDay) -> None:
    world = on_day(0, policy(fields={"work_email": "never", "mobile_phone": "fill"}))
    row = enriched(world, ANSWERED)
    assert (row["work_email"], row["work_email_status"]) == (None, None)
    assert (row["mobile_phone"], row["mobile_phone_status"]) == (None, None)
    assert row["personal_email_status"] == "likely"


def test_what_is_never_written_does_not_count_as_found(on_day: OnDay) -> None:
    statuses = {"never": ("needs_review", "no_verified_email"), "fill": ("enriched", None)}
    for rule, ended in statuses.items():
        world = on_day(0, policy(fields={"work_email": rule}))
        assert world.status(ANSWERED) == ended, rule


def test_nothing_of_the_source_is_lost(on_day: OnDay) -> None:
    row = enriched(on_day(0), ANSWERED)
    assert {name: value for name, value in row.items() if name.startswith("source_")} == {
        "source_full_name": "Ada Example",
        "source_job_title": "Engineer",
        "source_company_name": "Acme",
        "source_company_domain": "acme.com",
        "source_email": "answered@acme.example.com",
        "source_phone": "+4930901821",
        "source_linkedin_url": "https://www.linkedin.com/in/ada-answered",
    }


# --- employers that change -------------------------------------------------------------

FROM_ACME_TO_BRIO = [AT_BRIO, {**AT_ACME, "current": False}]
MOVED = people.person(
    "moved", {0: {"candidate": answer("moved", jobs=FROM_ACME_TO_BRIO)}}, **SOURCE
)


def test_a_job_change_shows_old_and_new(on_day: OnDay) -> None:
    for choice, ended in (
        ("flag", ("enriched", None)),
        ("review", ("needs_review", "job_changed")),
    ):
        world = on_day(0, policy(acceptance={"job_changes": choice}))
        row = enriched(world, MOVED)
        assert row["job_changed"] is True, choice
        assert (row["company_name"], row["company_domain"], row["job_title"]) == (
            *("Brio", "brio.com"),
            "VP",
        ), choice
        assert row["previous_company_name"] == "Acme", choice
        assert row["previous_company_domain"] == "acme.com", choice
        assert row["previous_job_title"] == "Engineer", choice
        assert world.status(MOVED) == ended, choice


ONLY_BRIO = [{"company": "Brio", "current": True}]
NAME_ALONE = people.person(
    "employer without a domain",
    {0: {"candidate": answer("employer without a domain", jobs=ONLY_BRIO)}},
    **SOURCE,
)


def test_the_old_employers_domain_does_not_stand_beside_the_new_name(on_day: OnDay) -> None:
    row = enriched(on_day(0), NAME_ALONE)
    assert (row["company_name"], row["company_domain"], row["job_title"]) == ("Brio", None, None)


NAME_LATER = people.person(
    "later without a domain",
    {
        0: {"candidate": answer("later without a domain")},
        1: {"candidate": answer("later without a domain", jobs=ONLY_BRIO)},
    },
    **SOURCE,
)


def test_a_later_employer_takes_nothing_over_from_an_earlier_one(on_day: OnDay) -> None:
    row = enriched(on_day(1), NAME_LATER)
    assert (row["company_name"], row["company_domain"], row["company_industry"]) == (
        *("Brio", None),
        None,
    )
    # the history keeps both
    names = on_day(1).rows(
        "enrichment.person_facts", f"contact_id = '{NAME_LATER}' and field = 'company_name'"
    )
    assert {row["value"]: row["valid_to"] for row in names} == {
        "Acme Inc": START + DAY,
        "Brio": None,
    }


RATED_LAST = {
    "work_email": ("ada@acme.com", ("needs_review", "no_verified_email")),
    "direct_phone": ("+4930901820", ("enriched", None)),
}
for each, (address, _) in RATED_LAST.items():
    people.source(
        {
            "contact_id": each,
            "full_name": "Ada Example",
            "linkedin_url": person(each)["linkedin_url"],
        }
    )
    points = answer(each)["contacts"]
    first = [{**point, "rating": 100} for point in points]
    last = [{**point, "rating": 70} if point["value"] == address else point for point in points]
    people.look_up(each, 1, candidate={**answer(each), "contacts": first}, at=START)
    people.look_up(each, 1, candidate={**answer(each), "contacts": last})


def test_the_last_rating_of_a_value_counts_whatever_it_was_rated_before(on_day: OnDay) -> None:
    for each, (address, ended) in RATED_LAST.items():
        row = enriched(on_day(1), each)
        assert (row[each], row[f"{each}_status"]) == (address, "likely")
        assert on_day(1).status(each) == ended


MOVED_LATER = people.person("moved later", {0: {"candidate": answer("moved later")}}, **SOURCE)
people.look_up(
    MOVED_LATER,
    1,
    candidate=candidate(
        "Ada M. Example", jobs=FROM_ACME_TO_BRIO, social=answer(MOVED_LATER)["social"]
    ),
)


def test_who_moved_on_leaves_the_old_employers_address_and_telephone_behind(
    on_day: OnDay,
) -> None:
    row = enriched(on_day(1), MOVED_LATER)
    assert (row["company_domain"], row["work_email"], row["direct_phone"]) == (
        *("brio.com", None),
        None,
    )
    assert (row["personal_email"], row["mobile_phone"]) == ("ada@home.net", "+4915123456789")
    assert on_day(1).status(MOVED_LATER) == ("needs_review", "no_verified_email")


LONGER_NAME = people.person(
    "longer name of the employer",
    {0: {"candidate": answer("longer name of the employer")}},
    company_domain="acme.de",
)


def test_the_same_employer_under_a_longer_name_is_no_job_change(on_day: OnDay) -> None:
    assert enriched(on_day(0), LONGER_NAME)["job_changed"] is False


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


TITLED = {f"title {number}": title for number, title in enumerate(SENIORITY)}
for each, title in TITLED.items():
    people.source({"contact_id": each, "linkedin_url": person(each)["linkedin_url"]})
    people.look_up(each, 0, candidate=candidate("Ada", jobs=[{**AT_ACME, "position": title}]))


def test_seniority_is_read_off_the_title(on_day: OnDay) -> None:
    for contact_id, title in TITLED.items():
        seniority = SENIORITY[title]
        assert enriched(on_day(0), contact_id)["seniority"] == seniority, title
        expected = None if seniority is None else [seniority]
        assert on_day(0).facts(contact_id).get("seniority") == expected, title


# --- colleagues ------------------------------------------------------------------------

colleagues = Timeline()
"""Those at Acme: C1's answer is known on day 0, C2's on day 1, of the others there is none."""
colleagues.source({**ADA, **SOURCE})
colleagues.look_up("C1", 0, candidate={**answer("C1"), "social": []})
colleagues.source({"contact_id": "C2", "full_name": "Bob Other", "email": "bob@acme.com"})
colleagues.look_up(
    "C2",
    1,
    candidate=candidate("Bob Other", emails=[("bob@acme.com", 100, "work")], jobs=[AT_ACME]),
)
colleagues.source(
    {"contact_id": "C3", "full_name": "Nobody", "company_domain": "https://www.acme.com/x"}
)
colleagues.source({**BOB, "contact_id": "C4"})
colleagues.source(
    {"contact_id": "C5", "linkedin_url": "linkedin.com/in/no", "company_domain": "acme.com"}
)
colleagues.look_up("C5", 0, outcome="no_match")


@pytest.fixture(scope="module")
def colleagues_on_day() -> Iterator[OnDay]:
    with colleagues.open() as worlds:
        yield worlds


def test_an_answer_fills_the_company_fields_of_everybody_there(colleagues_on_day: OnDay) -> None:
    world = colleagues_on_day(0)
    assert world.company_cache_hits == 3
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


def test_a_found_colleague_gets_what_their_own_answer_lacks(colleagues_on_day: OnDay) -> None:
    world = colleagues_on_day(1)
    assert world.company_cache_hits == 3
    assert enriched(world, "C2")["company_industry"] == "Tools"


def test_company_facts_age(colleagues_on_day: OnDay) -> None:
    for day, industry in ((179, "Tools"), (180, None)):
        world = colleagues_on_day(day)
        assert status(world, "C3")["company_industry"] == industry, day
        assert status(world, "C1")["company_industry"] == "Tools", day


FREE_MAIL = [
    people.source({"contact_id": f"free mail {n}", "email": f"ada{n}@gmail.com"}) for n in (1, 2)
]
people.look_up(
    FREE_MAIL[0],
    0,
    candidate=answer(
        FREE_MAIL[0], jobs=[{**AT_ACME, "website": "https://gmail.com", "industry": "Mail"}]
    ),
)


def test_a_free_mail_domain_is_nobodys_company(on_day: OnDay) -> None:
    assert enriched(on_day(0), FREE_MAIL[0])["company_name"] == "Acme Inc"
    assert status(on_day(0), FREE_MAIL[1])["company_industry"] is None
    assert on_day(0).rows("enrichment.company_facts", "company_domain = 'gmail.com'") == []
    assert on_day(0).rows("enrichment.company_facts", "value = 'Mail'") == []


def test_the_history_of_a_company_is_kept(world: World) -> None:
    world.load([ADA])
    for days, count in enumerate([12, 12, 20, 12]):
        at, job = START + days * DAY, {**AT_ACME, "staffCount": count}
        world.look_up("C1", candidate=answer("C1", jobs=[job], social=[]), at=at)
        world.derive_facts(at=at)
    rows = world.rows("enrichment.company_facts", "field = 'employee_count'")
    spans = [(row["valid_from"], row["valid_to"], row["value"]) for row in rows]
    assert sorted(spans, key=lambda span: span[0]) == [
        (START, START + 2 * DAY, "12"),
        (START + 2 * DAY, START + 3 * DAY, "20"),
        (START + 3 * DAY, None, "12"),
    ]
