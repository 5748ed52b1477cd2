"""From answers to facts: what each part of a profile becomes, and for whom."""

from __future__ import annotations

from typing import Any

from enrichment_pipeline_tests.support import START
from enrichment_pipeline_tests.warehouse import (
    ADA,
    BOB,
    DAY,
    VERIFIED,
    Row,
    World,
    candidate,
    contents,
)
from enrichment_pipeline_tests.warehouse.prepared import prepared

JOB = {"position": "CTO", "company": "Acme", "current": True, "started": "2020-01"}


PROFILES: dict[str, Row] = {}
"""What was found, by contact: one for each case, named after it."""


def profile(case: str, **found: Any) -> str:
    """Have a person be found with this profile, and no other; the id of their contact."""
    own: dict[str, Any] = {"uid": f"uid of {case}", **found}
    PROFILES[case] = candidate(**own)
    return case


@prepared
def ada(world: World) -> None:
    world.load([ADA])


@prepared
def profiles(world: World) -> None:
    """All the profiles, with the facts that are in them."""
    world.load(
        {
            **ADA,
            "contact_id": case,
            "email": f"ada@c{number}.example.com",
            "linkedin_url": f"linkedin.com/in/ada-example-{number}",
        }
        for number, case in enumerate(PROFILES)
    )
    world.look_up_each((case, {"candidate": found}) for case, found in PROFILES.items())
    world.derive_facts()


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


def test_a_fact_says_where_it_comes_from(ada: World) -> None:
    lookup_id = ada.look_up("C1", candidate=VERIFIED, at=START + DAY, run_id="run-9")
    ada.derive_facts()
    assert ada.only("enrichment.person_facts", "field = 'work_email'") == {
        "contact_id": "C1",
        "person_key": ada.persons()["C1"],
        "field": "work_email",
        "value": "ada@acme.com",
        "position": 1,
        "given_type": "email",
        "given_sub_type": "work",
        "provider": "signalhire",
        "confidence": "100",
        "status": "verified",
        "observed_at": START + DAY,
        "lookup_id": lookup_id,
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
    assert companies == {"acme.co.uk", "brio.com"}


TITLE = "=cmd|' /C calc'!A0'); drop table staging.contacts;-- <script>"
HOSTILE = profile("hostile", jobs=[{**JOB, "position": TITLE}])


def test_text_that_looks_like_sql_or_a_formula_stays_text(profiles: World) -> None:
    assert profiles.facts(HOSTILE)["job_title"] == [TITLE]


ROLE = profile("role address", emails=[("info@acme.com", 100, "work")])


def test_a_role_address_in_an_answer_is_a_fact_but_nobodys_identifier(profiles: World) -> None:
    assert profiles.facts(ROLE)["work_email"] == ["info@acme.com"]
    key = profiles.persons()[ROLE]
    rows = profiles.rows("staging.person_aliases", f"origin = 'answer' and person_key = '{key}'")
    assert {row["alias"] for row in rows} == {f"uid:uid of {ROLE}"}


# --- of companies ----------------------------------------------------------------------


BOBS_EMAIL = candidate(emails=[("bob@brio.com", 70, "work")])["contacts"]
"""By which he is known though he works elsewhere now."""


def company(world: World) -> dict[str, object]:
    rows = world.rows(
        "enrichment.company_facts", "company_domain = 'acme.com' and valid_to is null"
    )
    return {row["field"]: row["value"] for row in rows}


def job_at(domain: str = "acme.com", **more: object) -> Row:
    return candidate(jobs=[{**JOB, "website": f"https://www.{domain}", **more}])


def test_a_company_gets_the_facts_that_answers_give_of_it(ada: World) -> None:
    ada.look_up("C1", candidate=job_at(industry="Tools", staffCount=12, companySize="11-50"))
    ada.derive_facts()
    assert company(ada) == {
        "name": "Acme",
        "website": "https://www.acme.com",
        "industry": "Tools",
        "employee_count": "12",
    }


def test_a_newer_answer_replaces_what_it_gives_and_keeps_the_rest(ada: World) -> None:
    ada.look_up("C1", candidate=job_at(industry="Tools", companySize="11-50"))
    ada.derive_facts()
    ada.look_up("C1", candidate=job_at(company="Acme SE"), at=START + DAY)
    ada.derive_facts()
    found = company(ada)
    assert (found["name"], found["industry"], found["employee_count"]) == (
        *("Acme SE", "Tools"),
        "11-50",
    )


def test_an_older_answer_that_comes_in_later_replaces_nothing(world: World) -> None:
    world.load([ADA, BOB])
    bob = job_at(company="New") | {"fullName": "Bob Other", "contacts": BOBS_EMAIL}
    world.look_up("C2", candidate=bob, at=START + DAY)
    world.derive_facts()
    world.look_up("C1", candidate=job_at(company="Old"))
    world.derive_facts()
    assert company(world)["name"] == "New"


def test_of_two_answers_from_one_instant_the_same_wins_in_any_order(world: World) -> None:
    world.load([ADA, BOB])
    world.look_up("C1", candidate=job_at(company="First"))
    bob = job_at(company="Second") | {"fullName": "Bob Other", "contacts": BOBS_EMAIL}
    world.look_up("C2", candidate=bob)
    world.derive_facts()
    together = company(world)
    # another contact of Bob turns up and gets his old answer anew
    world.load([ADA, BOB, {**BOB, "contact_id": "C3"}])
    world.derive_facts()
    assert company(world) == together


def test_the_answer_on_a_stranger_says_nothing_of_companies(ada: World) -> None:
    ada.look_up("C1", candidate={**job_at(), "fullName": "Bob Stranger"})
    ada.derive_facts()
    assert company(ada) == {}


# --- whose facts they are --------------------------------------------------------------


def test_the_person_who_was_looked_for_is_known_by_name(world: World) -> None:
    names = ["Ada Example", "EXAMPLE, ADA", "Ada M. Example", "A. Example", None, ""]
    for_each(world, [{**VERIFIED, "fullName": name} for name in names])
    for contact_id, found in outcomes(world).items():
        assert found == ["matched"]
        assert world.facts(contact_id)["work_email"] == ["ada@acme.com"]
    assert len(outcomes(world)) == len(names)


def test_an_answer_with_another_name_gives_no_facts(world: World) -> None:
    names = ["Bob Stranger", "Adam Example", "Example", "アダ"]
    emails = [("x@acme.com", 100, "work")]
    for_each(world, [candidate(name, emails=emails, jobs=[JOB]) for name in names])
    for contact_id, found in outcomes(world).items():
        assert found == ["identity_mismatch"]
        assert world.facts(contact_id) == {}
    assert len(outcomes(world)) == len(names)
    assert {row["origin"] for row in world.rows("staging.person_aliases")} == {"source"}


def for_each(world: World, answers: list[Row]) -> None:
    """As many contacts called Ada Example, each with one of the answers."""
    rows = [{**ADA, "contact_id": f"C{n}", "email": f"{n}@acme.com"} for n in range(len(answers))]
    world.load([{**row, "linkedin_url": ""} for row in rows])
    world.look_up_each((f"C{n}", {"candidate": answer}) for n, answer in enumerate(answers))
    world.derive_facts()


def test_each_contact_judges_the_answer_by_its_own_name(world: World) -> None:
    world.load([ADA, {**ADA, "contact_id": "C2", "full_name": "Somebody Else", "email": ""}])
    world.look_up("C1", candidate=VERIFIED)
    world.derive_facts()
    assert outcomes(world) == {"C1": ["matched"], "C2": ["identity_mismatch"]}
    assert (world.facts("C1")["full_name"], world.facts("C2")) == (["Ada Example"], {})


def test_an_answer_without_a_profile_gives_its_outcome_only(world: World) -> None:
    names = ("no_match", "refused", "legal_stop")
    world.load({"contact_id": name, "email": f"{name}@home.net"} for name in names)
    world.look_up_each((name, {"outcome": name}) for name in names)
    world.derive_facts()
    assert outcomes(world) == {name: [name] for name in names}
    for name in names:
        assert world.facts(name) == {}, name


def test_a_later_contact_of_the_person_gets_the_old_answers(world: World) -> None:
    world.load([ADA])
    lookup_id = world.look_up("C1", candidate=VERIFIED)
    world.derive_facts()
    world.load([ADA, {**ADA, "contact_id": "C2", "linkedin_url": ""}], at=START + 5 * DAY)
    world.derive_facts(at=START + 5 * DAY)
    assert world.facts("C2") == world.facts("C1")
    later = world.only("enrichment.person_facts", "contact_id = 'C2' and field = 'work_email'")
    assert (later["observed_at"], later["lookup_id"]) == (START, lookup_id)
    assert world.states(at=START + 5 * DAY)["C2"]["freshness"] == "fresh"
    assert len(world.rows("raw.lookups")) == 1


def test_who_left_gets_no_facts_until_they_are_back(world: World) -> None:
    world.load([ADA, BOB])
    world.look_up("C1", candidate=VERIFIED)
    world.load([BOB])
    world.derive_facts()
    assert world.rows("enrichment.person_facts") == []
    world.load([ADA, BOB])
    world.derive_facts()
    assert world.facts()["work_email"] == ["ada@acme.com"]


def test_a_newer_answer_closes_what_it_gives_anew(ada: World) -> None:
    ada.look_up("C1", candidate=candidate(emails=[("old@acme.com", 100, "work")], jobs=[JOB]))
    ada.derive_facts()
    ada.look_up("C1", candidate=candidate(emails=[("new@acme.com", 70, "work")]), at=START + DAY)
    ada.derive_facts()
    found = ada.facts()
    assert (found["work_email"], found["job_title"]) == (["new@acme.com"], ["CTO"])
    old = ada.only("enrichment.person_facts", "value = 'old@acme.com'")
    assert (old["valid_from"], old["valid_to"]) == (START, START + DAY)


def test_an_older_answer_that_comes_in_later_is_closed_at_once(world: World) -> None:
    world.load([ADA])
    world.look_up("C1", candidate=candidate(emails=[("old@acme.com", 100, "work")]))
    world.look_up("C1", candidate=candidate(emails=[("new@acme.com", 100, "work")]), at=START + DAY)
    world.derive_facts()
    history = {
        row["value"]: (row["valid_from"], row["valid_to"])
        for row in world.rows("enrichment.person_facts", "field = 'work_email'")
    }
    assert history == {"old@acme.com": (START, START + DAY), "new@acme.com": (START + DAY, None)}


def test_deriving_again_changes_nothing(world: World) -> None:
    world.load([ADA, BOB])
    world.look_up("C1", candidate=VERIFIED)
    world.look_up("C2", candidate=candidate("Other Name"))
    world.derive()
    before = contents(world.connection)
    world.derive(at=START + DAY)
    assert contents(world.connection) == before
