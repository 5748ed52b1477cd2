"""From answers to facts: what each part of a profile becomes, and for whom."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from enrichment_pipeline_tests.support import START
from enrichment_pipeline_tests.warehouse import (
    ADA,
    BOB,
    DAY,
    FIRST,
    VERIFIED,
    Row,
    World,
    candidate,
    contents,
    person,
)
from enrichment_pipeline_tests.warehouse.timeline import OnDay, Timeline

JOB = {"position": "CTO", "company": "Acme", "current": True, "started": "2020-01"}

people = Timeline(derive=World.derive_facts)


@pytest.fixture(scope="module")
def on_day() -> Iterator[OnDay]:
    with people.open() as worlds:
        yield worlds


@pytest.fixture
def profiles(on_day: OnDay) -> World:
    return on_day(0)


def profile(case: str, **found: Any) -> str:
    """Have a person be found with this profile on day 0; the id of their contact."""
    own: Row = {"uid": f"uid of {case}", **found}
    return people.person(case, {0: {"candidate": candidate(**own)}})


def rows_of(world: World, contact_id: str, field: str) -> list[Row]:
    return world.rows(
        "enrichment.person_facts", f"contact_id = '{contact_id}' and field = '{field}'"
    )


def outcomes(world: World) -> dict[str, list[str]]:
    """What each contact's answers came to, oldest first."""
    found: dict[str, list[str]] = {}
    rows = world.rows("enrichment.person_facts", "field = 'lookup_outcome'")
    for row in sorted(rows, key=lambda row: row["observed_at"]):
        found.setdefault(row["contact_id"], []).append(row["value"])
    return found


# --- what a profile becomes ------------------------------------------------------------


TOLD = people.person("told", {1: {"candidate": VERIFIED, "run_id": "run-9"}})


def test_a_fact_says_where_it_comes_from(on_day: OnDay) -> None:
    world = on_day(1)
    person_key = world.persons()[TOLD]
    (row,) = rows_of(world, TOLD, "work_email")
    assert row == {
        "contact_id": TOLD,
        "person_key": person_key,
        "field": "work_email",
        "value": "ada@acme.com",
        "position": 1,
        "given_type": "email",
        "given_sub_type": "work",
        "provider": "signalhire",
        "confidence": "100",
        "status": "verified",
        "observed_at": START + DAY,
        "lookup_id": world.only("raw.lookups", f"person_key = '{person_key}'")["lookup_id"],
        "run_id": "run-9",
        "valid_from": START + DAY,
        "valid_to": None,
    }


RATINGS = [
    (100, "verified"),
    ("100", "verified"),
    (100.0, "verified"),
    (70, "likely"),
    ("70", "likely"),
    (90, "unverified"),
    (0, "unverified"),
    ("high", "unverified"),
    (None, "unverified"),
]


RATED = profile(
    "rated",
    emails=[(f"rated{n}@acme.com", rating, "work") for n, (rating, _) in enumerate(RATINGS)],
    phones=[(f"+493090182{n}", rating, None) for n, (rating, _) in enumerate(RATINGS)],
)


def test_a_rating_is_mapped_and_kept_as_given(profiles: World) -> None:
    for field in ("work_email", "direct_phone"):
        rows = rows_of(profiles, RATED, field)
        found = [(row["confidence"], row["status"]) for row in rows]
        assert found == [(None if r is None else str(r), status) for r, status in RATINGS]


KINDS = [
    ("email", "work", "work_email"),
    ("email", "WORK", "work_email"),
    ("Email", "work", "work_email"),
    ("email", "personal", "personal_email"),
    ("email", None, "personal_email"),
    ("email", "something new", "personal_email"),
    ("phone", "mobile", "mobile_phone"),
    ("phone", "work_phone", "direct_phone"),
    ("phone", None, "direct_phone"),
    ("skype", None, None),
    ("link", "work", None),
    (None, "work", None),
]


KIND_VALUES = [
    f"+493090183{n}" if kind == "phone" else f"kind{n}@acme.com"
    for n, (kind, *_) in enumerate(KINDS)
]
OF_EACH_KIND = profile(
    "of each kind",
    contacts=[
        {"type": kind, "value": value, "rating": 100, "subType": sub_type}
        for value, (kind, sub_type, _) in zip(KIND_VALUES, KINDS, strict=True)
    ],
)


def test_the_kind_of_a_contact_point_decides_its_field(profiles: World) -> None:
    rows = profiles.rows("enrichment.person_facts", f"contact_id = '{OF_EACH_KIND}'")
    fields = {row["value"]: row["field"] for row in rows}
    assert [fields.get(value) for value in KIND_VALUES] == [field for *_, field in KINDS]


SEVERAL = profile(
    "several of one kind",
    emails=[
        ("c@acme.com", None, "work"),
        ("b@acme.com", 70, "work"),
        ("a2@acme.com", 100, "work"),
        ("a1@acme.com", "100", "work"),
    ],
)


def test_several_of_one_kind_are_kept_the_best_rated_first(profiles: World) -> None:
    found = profiles.facts(SEVERAL)["work_email"]
    assert found == ["a2@acme.com", "a1@acme.com", "b@acme.com", "c@acme.com"]


TWICE = profile("twice", emails=[("twice@acme.com", 70, "work"), (" TWICE@acme.com ", 100, "work")])


def test_a_value_given_twice_counts_with_its_better_rating(profiles: World) -> None:
    (row,) = rows_of(profiles, TWICE, "work_email")
    assert (row["value"], row["status"]) == ("twice@acme.com", "verified")


PHONES = profile("phones", phones=[("+49 30 / 90 18 50", 100, "mobile"), ("ext. 5", 70, "mobile")])


def test_phones_are_e164_where_they_are_valid_and_kept_where_not(profiles: World) -> None:
    assert profiles.facts(PHONES)["mobile_phone"] == ["+4930901850", "ext. 5"]


NO_VALUES = profile(
    "no values",
    emails=[("not an address", 100, "work"), ("", 100, "work"), (None, 100, "personal")],
    phones=[(" ", 100, "mobile")],
    locations=[{"name": " "}],
    uid=None,
)


def test_what_is_no_address_or_empty_is_no_fact(profiles: World) -> None:
    assert profiles.facts(NO_VALUES) == {"full_name": ["Ada Example"]}


PARTS: list[Row] = [
    {"contacts": None, "social": None, "experience": None, "locations": None},
    {"contacts": [], "social": [], "experience": [], "locations": []},
    {"contacts": [None, {}], "social": [None, {}], "experience": [None, {}]},
]
MISSING = {profile(f"missing {n}", **parts): parts for n, parts in enumerate(PARTS)}


def test_parts_that_are_missing_are_passed_over(profiles: World) -> None:
    ended = outcomes(profiles)
    for case, parts in MISSING.items():
        expected = {"provider_uid": [f"uid of {case}"], "full_name": ["Ada Example"]}
        assert profiles.facts(case) == expected, parts
        assert ended[case] == ["matched"], parts


LINKS = profile(
    "links",
    social=[
        {"type": "fb", "link": "https://facebook.com/in/ada"},
        {"type": "li", "link": None},
        {"type": "li", "link": "https://uk.linkedin.com/in/Ad%C3%A1/?x=1"},
        {"type": "li", "link": "https://linkedin.com/in/second"},
    ],
)


def test_the_profile_comes_from_whichever_social_link_is_one(profiles: World) -> None:
    assert profiles.facts(LINKS)["linkedin_url"] == ["https://www.linkedin.com/in/ad%C3%A1"]


PLACES = profile("places", locations=[{"name": " Berlin, Germany "}, {"name": "Paris"}])


def test_the_first_location_counts(profiles: World) -> None:
    assert profiles.facts(PLACES)["location"] == ["Berlin, Germany"]


POSITIONS = profile(
    "positions",
    jobs=[
        {"position": "Old", "company": "Past", "current": False, "started": "2024-01"},
        {"position": "Adviser", "company": "Side", "current": True, "started": None},
        {"position": " CTO ", "company": "Acme", "current": True, "started": "2023-05"},
        {"position": "Dev", "company": "Acme", "current": True, "started": "2019-01"},
        {"position": "None", "company": "None", "current": None, "started": "2025-01"},
    ],
)


def test_the_current_position_that_started_last_counts(profiles: World) -> None:
    found = profiles.facts(POSITIONS)
    assert (found["job_title"], found["company_name"]) == (["CTO"], ["Acme"])


PAST = profile("past position", jobs=[{**JOB, "current": False}])


def test_without_a_current_position_there_is_no_employer(profiles: World) -> None:
    assert profiles.facts(PAST)["full_name"] == ["Ada Example"]
    assert "company_name" not in profiles.facts(PAST)


WEBSITES = {
    "https://www.Acme.co.uk/about?x=1": "acme.co.uk",
    "brio.com": "brio.com",
    "https://gmail.com": None,
    "https://mail.mailinator.com": None,
    "not a site": None,
    "": None,
    None: None,
}
AT_WEBSITES = {
    profile(f"website {n}", jobs=[{**JOB, "website": website}]): website
    for n, website in enumerate(WEBSITES)
}


def test_the_employers_domain_is_its_websites(profiles: World) -> None:
    for case, website in AT_WEBSITES.items():
        found = profiles.facts(case).get("company_domain", [None])
        assert found == [WEBSITES[website]], website
    companies = {row["company_domain"] for row in profiles.rows("enrichment.company_facts")}
    assert {"acme.co.uk", "brio.com"} < companies
    assert companies.isdisjoint({"gmail.com", "mail.mailinator.com", "mailinator.com", "", None})


TITLE = "=cmd|' /C calc'!A0'); drop table staging.contacts;-- <script>"
HOSTILE = profile("hostile", jobs=[{**JOB, "position": TITLE}])


def test_text_that_looks_like_sql_or_a_formula_stays_text(profiles: World) -> None:
    assert profiles.facts(HOSTILE)["job_title"] == [TITLE]


ROLE = profile("role address", emails=[("info@acme.com", 100, "work")])


def test_a_role_address_in_an_answer_is_a_fact_but_nobodys_identifier(profiles: World) -> None:
    assert profiles.facts(ROLE)["work_email"] == ["info@acme.com"]
    key = profiles.persons()[ROLE]
    rows = profiles.rows("staging.person_aliases", f"origin = 'answer' and person_key = '{key}'")
    assert {row["alias"] for row in rows} == {f"uid:{FIRST}:uid of {ROLE}"}


# --- of companies ----------------------------------------------------------------------


def company(world: World, domain: str) -> dict[str, object]:
    rows = world.rows(
        "enrichment.company_facts", f"company_domain = '{domain}' and valid_to is null"
    )
    return {row["field"]: row["value"] for row in rows}


def job_at(domain: str, **more: object) -> Row:
    return candidate(jobs=[{**JOB, "website": f"https://www.{domain}", **more}])


def employed(case: str, domain: str, day: int, found: Row, **lookup: object) -> str:
    """Have a person be found on a day, who works there by our knowledge; the id of the contact."""
    people.look_up(case, day, candidate=found, **lookup)
    return people.person(case, company_domain=domain)


employed(
    "of a company",
    "cedar.com",
    0,
    job_at("cedar.com", industry="Tools", staffCount=12, companySize="11-50"),
)


def test_a_company_gets_the_facts_that_answers_give_of_it(on_day: OnDay) -> None:
    assert company(on_day(0), "cedar.com") == {
        "name": "Acme",
        "website": "https://www.cedar.com",
        "industry": "Tools",
        "employee_count": "12",
    }


for day, job in enumerate(
    [
        job_at("elm.com", industry="Tools", companySize="11-50"),
        job_at("elm.com", company="Acme SE"),
    ]
):
    employed("of a renamed company", "elm.com", day, job)


def test_a_newer_answer_replaces_what_it_gives_and_keeps_the_rest(on_day: OnDay) -> None:
    assert company(on_day(0), "elm.com")["name"] == "Acme"
    found = company(on_day(1), "elm.com")
    assert (found["name"], found["industry"], found["employee_count"]) == (
        *("Acme SE", "Tools"),
        "11-50",
    )


employed("newer answer first", "fir.com", 1, job_at("fir.com", company="New"))
employed("older answer later", "fir.com", 2, job_at("fir.com", company="Old"), at=START)


def test_an_older_answer_that_comes_in_later_replaces_nothing(on_day: OnDay) -> None:
    assert len(rows_of(on_day(2), "older answer later", "company_name")) == 1
    assert company(on_day(2), "fir.com")["name"] == "New"


employed("one of an instant", "oak.com", 0, job_at("oak.com", company="First"))
employed("other of an instant", "oak.com", 0, job_at("oak.com", company="Second"))
people.source(
    {
        **person("other of an instant", company_domain="oak.com"),
        "contact_id": "other of an instant, twice",
    },
    day=1,
)


def test_of_two_answers_from_one_instant_the_same_wins_in_any_order(on_day: OnDay) -> None:
    # another contact of one turns up and gets the old answer anew
    assert rows_of(on_day(1), "other of an instant, twice", "company_name")
    assert company(on_day(1), "oak.com") == company(on_day(0), "oak.com") != {}


employed("stranger", "yew.com", 0, {**job_at("yew.com"), "fullName": "Bob Stranger"})


def test_the_answer_on_a_stranger_says_nothing_of_companies(on_day: OnDay) -> None:
    assert company(on_day(0), "yew.com") == {}


# --- whose facts they are --------------------------------------------------------------


OUR_NAMES = ["Ada Example", "EXAMPLE, ADA", "Ada M. Example", "A. Example", None, ""]
OTHER_NAMES = ["Bob Stranger", "Adam Example", "Example", "アダ"]


def found_as(case: str, names: Sequence[str | None], **found: Any) -> dict[str, str | None]:
    """As many persons, each found under one of the names; by the ids of their contacts."""
    ids = {f"{case} {n}": name for n, name in enumerate(names)}
    for contact_id, name in ids.items():
        people.person(
            contact_id,
            {0: {"candidate": candidate(name, emails=[(X, 100, "work")], **found)}},
            linkedin_url="",
        )
    return ids


X = "x@acme.com"
OURS, OTHERS = found_as("ours", OUR_NAMES), found_as("others", OTHER_NAMES, jobs=[JOB])


def test_the_person_who_was_looked_for_is_known_by_name(profiles: World) -> None:
    ended = outcomes(profiles)
    for contact_id, name in OURS.items():
        assert ended[contact_id] == ["matched"], name
        assert profiles.facts(contact_id)["work_email"] == [X], name


def test_an_answer_with_another_name_gives_no_facts(profiles: World) -> None:
    ended, persons = outcomes(profiles), profiles.persons()
    for contact_id, name in OTHERS.items():
        assert ended[contact_id] == ["identity_mismatch"], name
        assert profiles.facts(contact_id) == {}, name
        aliases = profiles.rows("staging.person_aliases", f"person_key = '{persons[contact_id]}'")
        assert {row["origin"] for row in aliases} == {"source"}, name


OWN_NAME = people.person("own name", {0: {"candidate": VERIFIED}})
OTHER_NAME = people.source(
    {
        **person(OWN_NAME),
        "contact_id": "other name",
        "full_name": "Somebody Else",
        "email": "",
    }
)


def test_each_contact_judges_the_answer_by_its_own_name(on_day: OnDay) -> None:
    world = on_day(0)
    assert world.persons()[OWN_NAME] == world.persons()[OTHER_NAME]
    ended = outcomes(world)
    assert (ended[OWN_NAME], ended[OTHER_NAME]) == (["matched"], ["identity_mismatch"])
    assert world.facts(OWN_NAME)["full_name"] == ["Ada Example"]
    assert world.facts(OTHER_NAME) == {}


WITHOUT_PROFILE = ("no_match", "refused", "legal_stop")
for outcome in WITHOUT_PROFILE:
    people.person(outcome, {0: {"outcome": outcome}})


def test_an_answer_without_a_profile_gives_its_outcome_only(on_day: OnDay) -> None:
    for outcome in WITHOUT_PROFILE:
        assert outcomes(on_day(0))[outcome] == [outcome]
        assert on_day(0).facts(outcome) == {}, outcome


EARLIER = people.person("earlier contact", {0: {"candidate": VERIFIED}})
LATER = people.source({**person(EARLIER), "contact_id": "later contact", "linkedin_url": ""}, day=1)


def test_a_later_contact_of_the_person_gets_the_old_answers(on_day: OnDay) -> None:
    world = on_day(1)
    (lookup,) = world.rows("raw.lookups", f"person_key = '{world.persons()[LATER]}'")
    assert world.facts(LATER) == world.facts(EARLIER) != {}
    (row,) = rows_of(world, LATER, "work_email")
    assert (row["observed_at"], row["lookup_id"]) == (START, lookup["lookup_id"])
    assert world.states(at=START + DAY)[LATER]["freshness"] == "fresh"


def test_who_left_gets_no_facts_until_they_are_back(world: World) -> None:
    world.load([ADA, BOB])
    world.look_up("C1", candidate=VERIFIED)
    world.load([BOB])
    world.derive_facts()
    assert world.rows("enrichment.person_facts") == []
    world.load([ADA, BOB])
    world.derive_facts()
    assert world.facts()["work_email"] == ["ada@acme.com"]


OLD = candidate(emails=[("old@acme.com", 100, "work")], jobs=[JOB])
NEW = candidate(emails=[("new@acme.com", 70, "work")])
CLOSED = people.person("closed", {0: {"candidate": OLD}, 1: {"candidate": NEW}})


def history(world: World, contact_id: str) -> dict[str, tuple[object, object]]:
    """From when to when each e-mail holds."""
    return {
        row["value"]: (row["valid_from"], row["valid_to"])
        for row in rows_of(world, contact_id, "work_email")
    }


def test_a_newer_answer_closes_what_it_gives_anew(on_day: OnDay) -> None:
    found = on_day(1).facts(CLOSED)
    assert (found["work_email"], found["job_title"]) == (["new@acme.com"], ["CTO"])
    assert history(on_day(0), CLOSED) == {"old@acme.com": (START, None)}
    assert history(on_day(1), CLOSED) == {
        "old@acme.com": (START, START + DAY),
        "new@acme.com": (START + DAY, None),
    }


CLOSED_AT_ONCE = people.person("closed at once")
people.look_up(CLOSED_AT_ONCE, 1, candidate=OLD, at=START)
people.look_up(CLOSED_AT_ONCE, 1, candidate=NEW)


def test_an_older_answer_that_comes_in_later_is_closed_at_once(on_day: OnDay) -> None:
    assert history(on_day(1), CLOSED_AT_ONCE) == {
        "old@acme.com": (START, START + DAY),
        "new@acme.com": (START + DAY, None),
    }


def test_deriving_again_changes_nothing(tmp_path: Path) -> None:
    with people.copies(tmp_path) as copy_of_day:
        world = copy_of_day(2)
        before = contents(world.connection)
        world.derive_facts(at=START + 3 * DAY)
        assert contents(world.connection) == before
