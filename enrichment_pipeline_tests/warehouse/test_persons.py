"""Who is who: what makes two contacts one person, and what must never do so."""

from __future__ import annotations

import hashlib
import random
import re
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enrichment_pipeline.warehouse.connection import transaction
from enrichment_pipeline.warehouse.derived import derive_anew
from enrichment_pipeline.warehouse.suppressed_identifiers import replace_suppressions
from enrichment_pipeline_tests.properties import draws
from enrichment_pipeline_tests.support import START
from enrichment_pipeline_tests.warehouse import ADA, BOB, DAY, World, candidate, contents
from enrichment_pipeline_tests.warehouse.prepared import opened, prepared

LATER = START + timedelta(hours=1)
PROFILE = "https://www.linkedin.com/in/ada-example"


def contact(contact_id: str, name: str = "", **columns: str) -> dict[str, str]:
    return {"contact_id": contact_id, "full_name": name, **columns}


@prepared
def ada(world: World) -> None:
    world.load([ADA])


@prepared
def ada_and_bob(world: World) -> None:
    world.load([ADA, BOB])


def groups(*people: str) -> set[frozenset[str]]:
    """`"C1 C2", "C3"`: C1 and C2 are one person, C3 is another."""
    return {frozenset(person.split()) for person in people}


# --- what makes two contacts one -------------------------------------------------------


SPELLINGS: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "profile": (
        {"linkedin_url": "https://www.linkedin.com/in/ada-first"},
        {"linkedin_url": "m.linkedin.com/in/Ada-First/de?trk=1"},
    ),
    "e-mail": ({"email": "ada@acme.com"}, {"email": " MAILTO:ADA@acme.com "}),
    "phone": (
        {"phone": "+49 30 901820"},
        {"phone": "0049 (30) 90 18 20", "company_domain": "x.de"},
    ),
    "free mail": ({"email": "ada@gmail.com"}, {"email": "Ada Example <ada@gmail.com>"}),
    "profile, though the e-mails differ": (
        {"linkedin_url": PROFILE, "email": "ada@one.com"},
        {"linkedin_url": PROFILE, "email": "ada@elsewhere.com"},
    ),
}


def test_one_identifier_in_two_spellings_is_one_person(world: World) -> None:
    world.load(
        contact(f"{case} {n}", "Ada Example", **columns)
        for case, spellings in SPELLINGS.items()
        for n, columns in enumerate(spellings)
    )
    people = world.people()
    for case in SPELLINGS:
        assert frozenset({f"{case} 0", f"{case} 1"}) in people, case


def test_what_tools_write_for_nothing_makes_nobody_one(world: World) -> None:
    rows = []
    for nothing in ("N/A", "n/a", "-", "unknown", "nan", "None"):
        half_named = {"first_name": "Ada", "last_name": nothing, "company_domain": "acme.com"}
        rows += [
            *(contact(f"{nothing}{n}", nothing, company_domain="acme.com") for n in (1, 2)),
            *(contact(f"{nothing}{n}", "Ada Example", company_name=nothing) for n in (3, 4)),
            *(contact(f"{nothing}{n}", **half_named) for n in (5, 6)),
        ]
    world.load(rows)
    assert {len(person) for person in world.people()} <= {1}


def test_who_comes_back_under_an_identifier_that_an_answer_gave_is_not_bought_again(
    world: World,
) -> None:
    ada = contact("C1", "Ada Example", email="ada@acme.com", company_domain="acme.com")
    bob = contact("C0", "Bob Other", email="bob@brio.com")
    profile = candidate(emails=[("ada@acme.com", 100, "work")], social=[{"link": PROFILE}])
    world.load([bob, ada])
    world.look_up("C1", candidate=profile)
    world.derive()
    world.load([bob], at=START + DAY)
    back = contact("C2", "Ada Example", linkedin_url=PROFILE, company_domain="acme.com")
    world.load([bob, back], at=START + 2 * DAY)
    world.derive(at=START + 2 * DAY)
    assert world.states(at=START + 2 * DAY)["C2"]["freshness_reason"] == "answer_is_recent"
    assert world.status("C2") == ("enriched", None)


def test_an_identifier_of_an_answer_that_was_undone_is_nobodys(ada: World) -> None:
    other = "https://www.linkedin.com/in/ada-other"
    ada.look_up("C1", candidate=candidate(social=[{"link": other}]), run_id="run-2")
    ada.derive_facts()
    assert "linkedin:ada-other" in {row["alias"] for row in ada.rows("staging.person_aliases")}
    ada.undo("run-2")
    assert "linkedin:ada-other" not in {row["alias"] for row in ada.rows("staging.person_aliases")}


def test_a_chain_over_several_identifiers_is_one_person(world: World) -> None:
    world.load(
        [
            contact("C1", "Ada Example", linkedin_url=PROFILE),
            contact("C2", "Ada Example", linkedin_url=PROFILE, email="ada@acme.com"),
            contact("C3", "A. Example", email="ada@acme.com", phone="+4930901820"),
            contact("C4", "", phone="+49 30 901820"),
            contact("C5", "Bob Other", email="bob@acme.com"),
        ]
    )
    assert world.people() == groups("C1 C2 C3 C4", "C5")


def test_a_long_chain_is_one_person(world: World) -> None:
    world.load(
        contact(
            f"C{n}",
            "Ada Example",
            email=f"ada{n // 2}@x.com",
            linkedin_url=f"linkedin.com/in/ada{(n + 1) // 2}",
        )
        for n in range(30)
    )
    assert len(world.people()) == 1


@pytest.mark.parametrize(
    ("email", "are_one"),
    [
        ("tamar_friedman@acme.com", True),
        ("tfriedman@acme.com", False),  # a Tal Friedman's as well
        ("reception-desk@acme.com", False),
    ],
)
def test_a_name_in_two_scripts_is_one_where_the_email_spells_it(
    world: World, email: str, are_one: bool
) -> None:
    world.load(
        [
            contact("C1", "Tamar Friedman", email=email),
            contact("C2", "תמר פרידמן", email=email, linkedin_url=PROFILE),
        ]
    )
    persons = world.persons()
    assert (persons["C1"] == persons["C2"]) is are_one
    assert len(world.rows("staging.shared_identifiers")) == (not are_one)


def test_a_third_name_that_the_email_does_not_spell_makes_it_shared(world: World) -> None:
    email = "tamar_friedman@acme.com"
    names = ("Tamar Friedman", "תמר פרידמן", "Bob Other")
    world.load([contact(f"C{n}", name, email=email) for n, name in enumerate(names)])
    assert len(world.rows("staging.shared_identifiers")) == 1


@pytest.mark.parametrize(
    "shared",
    [{"email": "team.berlin@acme.com"}, {"phone": "+4930901820"}],
    ids=["mailbox", "switchboard"],
)
def test_what_differently_named_contacts_share_is_nobodys(
    world: World, shared: dict[str, str]
) -> None:
    world.load(
        [
            contact("C1", "Ada Example", linkedin_url=PROFILE, **shared),
            contact("C2", "Bob Other", linkedin_url="linkedin.com/in/bob", **shared),
            contact("C3", "Cy Third", **shared),
        ]
    )
    assert {"C1", "C2"} <= set(world.persons())
    assert all(len(person) == 1 for person in world.people())
    assert len(world.rows("staging.shared_identifiers")) == 1


def test_what_spellings_of_one_name_share_is_that_persons(world: World) -> None:
    cases = {
        "x@acme.com": ("Robert Smith", "Bob Smith", "SMITH, R."),
        "y@acme.com": ("José García", "Jose Garcia", ""),
        "z@acme.com": ("Hans Müller", "Hans Mueller", "Mueller Hans"),
    }
    world.load(
        contact(f"{email} {n}", name, email=email)
        for email, names in cases.items()
        for n, name in enumerate(names)
    )
    people = world.people()
    for email, names in cases.items():
        assert frozenset(f"{email} {n}" for n in range(3)) in people, names


# An initial passes for both: compared with it alone, Anna and Adam once were one person.
def test_an_initial_does_not_make_two_names_one(world: World) -> None:
    world.load(
        [
            contact("C1", "A Smith", email="smith@acme.com"),
            contact("C2", "Anna Smith", email="smith@acme.com", linkedin_url="linkedin.com/in/x1"),
            contact("C3", "Adam Smith", email="smith@acme.com", linkedin_url="linkedin.com/in/x2"),
        ]
    )
    assert world.people() == groups("C1", "C2", "C3")


def test_a_couple_that_shares_a_mailbox_is_two(world: World) -> None:
    world.load(
        [
            contact("C1", "Paul Weber", email="weber@gmx.de", company_domain="weber.de"),
            contact("C2", "Paula Weber", email="weber@gmx.de", company_domain="weber.de"),
        ]
    )
    assert world.people() == groups("C1", "C2")


def test_a_profile_is_one_persons_whatever_the_names_say(world: World) -> None:
    world.load(
        [
            contact("C1", "Ada Example", linkedin_url=PROFILE),
            contact("C2", "Ada Married", linkedin_url=PROFILE),
        ]
    )
    assert world.people() == groups("C1 C2")


def test_a_role_address_is_nobodys(world: World) -> None:
    world.load(
        [
            contact("C1", "Ada Example", email="info@acme.com"),
            contact("C2", "Ada Example", email="INFO@acme.com"),
        ]
    )
    # their name and company are one, but a role address alone tells nobody
    assert world.people() == groups("C1 C2")
    world.load([contact("C3", "", email="info@acme.com"), contact("C4", "", email="info@acme.com")])
    assert {"C3", "C4"}.isdisjoint(world.persons())


def test_a_contact_without_anything_usable_is_nobody(world: World) -> None:
    world.load([contact("C1", "Ada"), contact("C2", "", phone="n/a"), contact("C3", "Ada Example")])
    assert world.people() == set()


# --- a name and a company --------------------------------------------------------------

NAMED = contact("C9", "EXAMPLE, Ada", company_domain="www.acme.com")


def test_a_name_and_a_company_join_the_one_person_known_by_them(world: World) -> None:
    world.load([ADA, BOB, NAMED])
    assert world.people() == groups("C1 C9", "C2")


def test_a_name_and_a_company_join_a_person_loaded_before(ada_and_bob: World) -> None:
    ada_and_bob.load([ADA, BOB, NAMED], at=LATER)
    assert ada_and_bob.people() == groups("C1 C9", "C2")


def test_a_name_and_a_company_join_nobody_of_two_namesakes(world: World) -> None:
    namesake = {**ADA, "contact_id": "C3", "email": "ada2@acme.com", "linkedin_url": ""}
    rows = [ADA, namesake, NAMED]
    world.load(rows)
    assert world.people() == groups("C1", "C3", "C9")
    before = contents(world.connection)
    world.load(rows, at=LATER)
    assert contents(world.connection) == before


def test_two_contacts_known_by_the_same_name_and_company_are_one(world: World) -> None:
    world.load([NAMED, contact("C8", "Dr. Ada Example", email="", company_domain="acme.com")])
    assert world.people() == groups("C8 C9")


def test_a_name_at_another_company_or_a_mail_provider_joins_nobody(world: World) -> None:
    world.load(
        [
            ADA,
            contact("C2", "Ada Example", company_domain="other.com"),
            contact("C3", "Ada Example", company_domain="gmail.com"),
            contact("C4", "Ada", company_domain="acme.com"),
        ]
    )
    assert world.people() == groups("C1", "C2")


def test_namesakes_with_identifiers_of_their_own_are_two(world: World) -> None:
    world.load([ADA, {**ADA, "contact_id": "C2", "email": "a2@acme.com", "linkedin_url": ""}])
    assert world.people() == groups("C1", "C2")


# --- keys last -------------------------------------------------------------------------


def test_person_keys_hold_nothing_personal(world: World) -> None:
    world.load(
        [{**ADA, "phone": "+4930901820"}, BOB, NAMED, contact("C4", "", phone="+4930901821")]
    )
    assert len(world.persons()) == 4
    for key in world.persons().values():
        assert re.fullmatch(r"[0-9a-f]{32}", key)


def test_person_keys_do_not_depend_on_ids_order_or_instant(world: World, tmp_path: Path) -> None:
    world.load([ADA, BOB])
    with opened() as connection:
        elsewhere = World(connection, tmp_path / "elsewhere")
        elsewhere.load([{**BOB, "contact_id": "X2"}, {**ADA, "contact_id": "X1"}], at=LATER)
        assert elsewhere.persons()["X1"] == world.persons()["C1"]
        assert elsewhere.persons()["X2"] == world.persons()["C2"]


def test_whoever_keeps_one_identifier_stays_who_they_were(world: World) -> None:
    changes = {
        "Ada": {"email": "ada.new@acme.com"},
        "Bea": {"linkedin_url": "linkedin.com/in/bea-renamed"},
        "Cleo": {"full_name": "Cleo Married"},
        "Dora": {"email": "dora.new@acme.com", "linkedin_url": ""},
        "Emma": {"email": "", "linkedin_url": ""},
        "Fay": {"email": "fay@other.com", "company_domain": "other.com"},
        "Gina": {"email": "broken"},
    }
    people = {
        name: {
            **ADA,
            "contact_id": name,
            "full_name": f"{name} Example",
            "email": f"{name}@acme.com",
            "linkedin_url": f"linkedin.com/in/{name}-example",
        }
        for name in changes
    }
    world.load([*people.values(), BOB])
    before = world.persons()
    assert len(set(before.values())) == len(changes) + 1
    world.load([*({**people[name], **change} for name, change in changes.items()), BOB], at=LATER)
    assert world.persons() == before


def test_what_was_corrected_may_be_corrected_again(ada: World) -> None:
    before = ada.persons()
    ada.load([{**ADA, "email": "ada.new@acme.com"}], at=LATER)
    ada.load(
        [{**ADA, "linkedin_url": "", "full_name": "A B", "email": "ada.new@acme.com"}], at=LATER
    )
    assert ada.persons() == before


def test_an_identity_has_changed_where_nothing_of_the_old_is_left(ada: World) -> None:
    before = ada.persons()["C1"]
    ada.load([{**BOB, "contact_id": "C1"}], at=LATER)
    assert ada.persons()["C1"] != before
    assert ada.only("staging.contact_persons")["assigned_at"] == LATER


@pytest.mark.parametrize("contact_id", ["C1", "C3"])
def test_of_two_namesakes_neither_is_known_by_the_name(world: World, contact_id: str) -> None:
    rows = {
        "C1": ADA,
        "C3": {**ADA, "contact_id": "C3", "email": "ada2@acme.com", "linkedin_url": ""},
    }
    world.load(rows.values())
    before = world.persons()
    rows[contact_id] = {**rows[contact_id], "email": "ada3@acme.com", "linkedin_url": ""}
    world.load(rows.values(), at=LATER)
    assert world.persons()[contact_id] not in before.values()


def test_a_contact_that_takes_over_a_known_identity_is_that_person(ada_and_bob: World) -> None:
    ada_and_bob.load([ADA, {**ADA, "contact_id": "C2"}], at=LATER)
    assert ada_and_bob.people() == groups("C1 C2")


def test_an_identifier_belongs_to_its_first_owner(ada_and_bob: World) -> None:
    persons = ada_and_bob.persons()
    both = contact("C3", "Ada Example", linkedin_url=PROFILE, email=BOB["email"])
    # the name on it is nobody's at Brio, so that the mailbox is shared from here on
    ada_and_bob.load([ADA, BOB, both], at=LATER)
    assert ada_and_bob.persons() == {**persons, "C3": persons["C1"]}
    owners = {row["alias"]: row["person_key"] for row in ada_and_bob.rows("staging.person_aliases")}
    assert owners[f"email:{BOB['email']}"] == persons["C2"]


def test_a_new_identifier_of_a_known_person_is_theirs_at_once(ada: World) -> None:
    fresh = contact("C2", "Ada Example", email="ada.new@home.net")
    ada.load([{**ADA, "email": "ada.new@home.net"}, fresh], at=LATER)
    assert ada.people() == groups("C1 C2")
    before = contents(ada.connection)
    ada.load([{**ADA, "email": "ada.new@home.net"}, fresh], at=LATER + timedelta(days=1))
    assert contents(ada.connection) == before


# Two known persons that a new contact ties together once swapped its neighbour at each load.
@pytest.mark.parametrize("swap", [False, True])
def test_known_persons_that_a_contact_ties_together_stay_who_they_are(
    world: World, swap: bool
) -> None:
    one = contact("P1", "Ada Example", linkedin_url="linkedin.com/in/one")
    other = contact("P2", "Ada Example", email="two@x.com")
    if swap:
        one, other = (
            contact("P1", "Ada Example", linkedin_url="linkedin.com/in/three"),
            contact("P2", "Ada Example", email="four@x.com"),
        )
    tie = contact("C1", "Ada Example", linkedin_url=one["linkedin_url"], email=other["email"])
    neighbour = contact("C2", "Ada Example", email=other["email"])
    world.load([one, other])
    known = world.persons()
    world.load([one, other, tie, neighbour], at=LATER)
    assert world.persons() == {**known, "C1": known["P1"], "C2": known["P2"]}
    before = contents(world.connection)
    world.load([one, other, tie, neighbour], at=LATER)
    assert contents(world.connection) == before


def test_who_left_and_came_back_is_who_they_were(ada_and_bob: World) -> None:
    before = ada_and_bob.persons()
    ada_and_bob.load([BOB], at=LATER)
    ada_and_bob.load([ADA, BOB], at=LATER)
    assert ada_and_bob.persons() == before


def test_what_is_written_back_to_the_source_makes_nobody_new(world: World) -> None:
    sparse = contact("C1", "Ada Example", email="ada@acme.com")
    world.load([sparse, BOB])
    before = world.persons()
    answer = candidate(
        emails=[("ada.private@home.net", 100, "personal"), ("ada.example@newjob.com", 100, "work")],
        phones=[("+4930901820", 100, "mobile")],
        social=[{"type": "li", "link": "https://www.linkedin.com/in/ada-found"}],
    )
    world.look_up("C1", candidate=answer)
    world.derive_facts()
    facts = world.facts("C1")
    changes: list[dict[str, Any]] = [
        {"email": facts["work_email"][0]},
        {"email": facts["personal_email"][0]},
        {"email": "", "phone": facts["mobile_phone"][0]},
        {"email": "", "linkedin_url": facts["linkedin_url"][0]},
        # and a second contact that only has what was found
        {"contact_id": "C3", "email": facts["work_email"][0]},
    ]
    for written in changes:
        row = {**sparse, "full_name": "", **written}  # no name: the identifier alone must do it
        world.load([*([] if row["contact_id"] == "C1" else [sparse]), BOB, row], at=LATER)
        assert world.persons()[row["contact_id"]] == before["C1"]


def test_an_answer_does_not_take_an_identifier_from_its_owner(ada_and_bob: World) -> None:
    persons = ada_and_bob.persons()
    ada_and_bob.look_up("C1", candidate=candidate(emails=[(BOB["email"], 100, "work")]))
    ada_and_bob.derive_facts()
    owners = {row["alias"]: row["person_key"] for row in ada_and_bob.rows("staging.person_aliases")}
    assert owners[f"email:{BOB['email']}"] == persons["C2"]
    ada_and_bob.load([ADA, BOB], at=LATER)
    assert ada_and_bob.persons() == persons


def test_an_answer_joins_who_was_never_looked_up_to_the_person_it_shows_them_to_be(
    world: World,
) -> None:
    cases = {
        "alike": ("EXAMPLE, Ada", False, True),
        "nameless": ("", False, True),
        "of-another-name": ("Bob Other", False, False),
        "looked-up-before": ("Ada Example", True, False),
    }
    rows = []
    for case, (name, _, _) in cases.items():
        url = f"linkedin.com/in/{case}"
        rows += [
            contact(f"{case} 1", "Ada Example", email=f"{case}@acme.com"),
            contact(f"{case} 2", name, linkedin_url=url),
            contact(f"{case} 3", name, email=f"{case}@home.net", linkedin_url=url),
        ]
    world.load(rows)
    apart = world.persons()
    assert len(set(apart.values())) == 2 * len(cases)
    lookups: list[tuple[str, dict[str, Any]]] = []
    for case, (_, is_looked_up, _) in cases.items():
        if is_looked_up:
            lookups.append((f"{case} 2", {}))
        profile = {"type": "li", "link": f"https://www.linkedin.com/in/{case}"}
        emails = [(f"{case}@acme.com", 100, "work")]
        lookups.append((f"{case} 1", {"candidate": candidate(emails=emails, social=[profile])}))
    world.look_up_each(lookups)
    world.derive_facts()
    joined = {
        f"{case} {n}": apart[f"{case} 1"]
        for case, (_, _, is_joined) in cases.items()
        if is_joined
        for n in (1, 2, 3)
    }
    assert world.persons() == {**apart, **joined}
    # what is in hand is theirs at once, and does not wait for the next load
    for case, (_, _, is_joined) in cases.items():
        assert bool(world.facts(f"{case} 2")) == is_joined, case
    world.load(rows, at=LATER)
    assert world.persons() == {**apart, **joined}
    world.derive_facts()
    before = contents(world.connection)
    world.load(rows, at=LATER)
    assert contents(world.connection) == before


# --- properties ------------------------------------------------------------------------

FEW = st.sampled_from(["", "", "one", "two", "three", "four"])


@st.composite
def portions(draw: st.DrawFn, portion: str) -> list[dict[str, str]]:
    """Contacts whose identifiers only link within the portion, all of one name: no namesakes."""
    return [
        contact(
            f"{portion}{n}",
            "Ada Example",
            linkedin_url=f"linkedin.com/in/{portion}{slug}" if slug else "",
            email=f"{portion}{mail}@home.net" if mail else "",
            phone=f"+4930{phone}" if phone else "",
        )
        for n, (slug, mail, phone) in enumerate(
            draw(st.lists(st.tuples(FEW, FEW, phones(portion)), min_size=1, max_size=6))
        )
    ]


def phones(portion: str) -> st.SearchStrategy[str]:
    start = {"a": 901820, "b": 901830}[portion]
    return st.sampled_from(["", "", str(start), str(start + 1), str(start + 2)])


def expected(rows: list[dict[str, str]]) -> set[frozenset[str]]:
    """The same grouping, by uniting whatever shares an identifier."""
    people: list[tuple[set[str], set[str]]] = []
    for row in rows:
        mine = {row[column] for column in ("linkedin_url", "email", "phone") if row[column]}
        if not mine:
            continue
        ids = {row["contact_id"]}
        for person in [each for each in people if each[1] & mine]:
            people.remove(person)
            ids, mine = ids | person[0], mine | person[1]
        people.append((ids, mine))
    return {frozenset(ids) for ids, _ in people}


@draws(few=2, many=4)
@given(first=portions("a"), second=portions("b"), order=st.randoms(use_true_random=False))
def test_the_grouping_is_a_partition_whatever_the_order_and_the_portions(
    first: list[dict[str, str]],
    second: list[dict[str, str]],
    order: random.Random,
) -> None:
    everybody = [*first, *second]
    shuffled = [*everybody]
    order.shuffle(shuffled)
    with tempfile.TemporaryDirectory() as name, opened() as connection:
        at_once = World(connection, Path(name))
        at_once.load(everybody)
        persons = at_once.persons()
        assert at_once.people() == expected(everybody)
    with tempfile.TemporaryDirectory() as name, opened() as connection:
        in_portions = World(connection, Path(name))
        in_portions.load(first)
        in_portions.load(shuffled, at=LATER)
        assert in_portions.persons() == persons
        before = contents(connection)
        in_portions.load(everybody, at=LATER)
        assert contents(connection) == before


NEIGHBOURS = st.lists(st.tuples(FEW, FEW), min_size=1, max_size=5)


@draws(few=2, many=4)
@given(loads=st.lists(NEIGHBOURS, min_size=2, max_size=3))
def test_whatever_was_loaded_before_loading_again_changes_nothing(
    loads: list[list[tuple[str, str]]],
) -> None:
    with tempfile.TemporaryDirectory() as name, opened() as connection:
        world = World(connection, Path(name))
        for pairs in loads:
            rows = [
                contact(
                    f"C{n}",
                    "Ada Example",
                    linkedin_url=f"linkedin.com/in/{slug}" if slug else "",
                    email=f"{mail}@home.net" if mail else "",
                )
                for n, (slug, mail) in enumerate(pairs)
            ]
            world.load(rows)
            before = contents(connection)
            world.load(rows, at=LATER)
            assert contents(connection) == before


SUPPRESSED = f"email:{hashlib.sha256(b'two@acme.com').hexdigest()}"


@st.composite
def sources(draw: st.DrawFn) -> list[dict[str, str]]:
    """Some of six contacts: two names, and identifiers that they share in every way."""
    ids = draw(st.sets(st.integers(0, 5), min_size=1))
    return [
        contact(
            f"C{n}",
            draw(st.sampled_from(["Ada Example", "Bob Other", ""])),
            linkedin_url=draw(st.sampled_from(["", "", "linkedin.com/in/one", "li.com"])),
            email=draw(st.sampled_from(["", "one@acme.com", "two@acme.com", "info@acme.com"])),
            phone=draw(st.sampled_from(["", "", "+4930901820"])),
            company_domain=draw(st.sampled_from(["", "acme.com"])),
        )
        for n in sorted(ids)
    ]


@draws(few=2, many=4)
@given(loads=st.lists(sources(), min_size=2, max_size=4))
def test_a_load_that_reads_only_what_changed_comes_to_what_reading_everything_does(
    loads: list[list[dict[str, str]]],
) -> None:
    with (
        tempfile.TemporaryDirectory() as name,
        opened() as one,
        opened() as other,
    ):
        by_changes = World(one, Path(name))
        by_everything = World(other, Path(name))
        for world in (by_changes, by_everything):
            with transaction(world.connection):
                replace_suppressions(world.connection, {SUPPRESSED})
        for day, rows in enumerate(loads):
            other.execute("update staging.contact_parts set row_hash = 'read again'")
            by_changes.load(rows, at=START + day * DAY)
            by_everything.load(rows, at=START + day * DAY)
            found = contents(one)
            assert found == contents(other)
            with transaction(one):
                derive_anew(one)
            assert contents(one) == found
