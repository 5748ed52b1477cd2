"""Who is who: what makes two contacts one person, and what must never do so."""

from __future__ import annotations

import hashlib
import random
import re
import tempfile
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enrichment_pipeline.policy import Policy
from enrichment_pipeline.warehouse.connection import transaction
from enrichment_pipeline.warehouse.derived import derive_anew
from enrichment_pipeline.warehouse.suppressed_identifiers import replace_suppressions
from enrichment_pipeline_tests.properties import draws
from enrichment_pipeline_tests.support import START
from enrichment_pipeline_tests.warehouse import ADA, BOB, DAY, Row, World, candidate, contents
from enrichment_pipeline_tests.warehouse.prepared import opened, prepared
from enrichment_pipeline_tests.warehouse.timeline import OnDay, Timeline

LATER = START + timedelta(hours=1)
PROFILE = "https://www.linkedin.com/in/ada-example"

timeline = Timeline(derive=World.derive_facts)


@pytest.fixture(scope="module")
def on_day() -> Iterator[OnDay]:
    with timeline.open() as worlds:
        yield worlds


class Case:
    """Contacts of one test, whose ids and identifiers are made to be no other test's.

    Phones and names stay as they are. All tests' contacts are loaded into one world, and again on
    days 1 and 2.
    """

    def __init__(self, name: str, *rows: Mapping[str, str]) -> None:
        self.tag = re.sub("[^a-z0-9]+", "-", name)
        self.load(*rows)

    def load(self, *rows: Mapping[str, str], day: int = 0) -> None:
        """From this day on they are as in these rows."""
        for row in rows:
            timeline.source(self.apart(row), day=day)

    def leave(self, contact_id: str, *, day: int) -> None:
        timeline.leave(self.id_of(contact_id), day=day)

    def look_up(self, contact_id: str, day: int = 0, **profile: Any) -> None:
        found = candidate(uid=f"uid of {self.id_of(contact_id)}", **profile)
        timeline.look_up(self.id_of(contact_id), day, candidate=found)

    def persons(self, world: World) -> dict[str, str]:
        """The person key of every contact of the case that has one."""
        start = f"{self.tag} "
        return {
            each.removeprefix(start): key
            for each, key in world.persons().items()
            if each.startswith(start)
        }

    def people(self, world: World) -> set[frozenset[str]]:
        """The contacts of the case that are one person, as groups."""
        found: dict[str, set[str]] = {}
        for contact_id, person_key in self.persons(world).items():
            found.setdefault(person_key, set()).add(contact_id)
        return {frozenset(group) for group in found.values()}

    def owner(self, world: World, kind: str, identifier: str) -> str:
        """The person key that an identifier belongs to."""
        return world.only(
            "staging.person_aliases", f"alias = '{kind}:{self.identifier(identifier)}'"
        )["person_key"]

    def are_shared(self, world: World, kind: str, identifier: str) -> bool:
        alias = f"{kind}:{self.identifier(identifier)}"
        return bool(world.rows("staging.shared_identifiers", f"alias = '{alias}'"))

    def apart(self, row: Mapping[str, str]) -> Row:
        apart = {column: self.identifier(value) for column, value in row.items()}
        return {**apart, "contact_id": self.id_of(row["contact_id"])}

    def id_of(self, contact_id: str) -> str:
        return f"{self.tag} {contact_id}"

    def identifier(self, value: str) -> str:
        """An e-mail, profile or domain with the case's name in it; anything else as it is."""
        if "@" in value:
            free = re.search("@(gmail[.]com|gmx[.]de)", value)
            return value.replace("@", f".{self.tag}@" if free else f"@{self.tag}-")
        value = re.sub("(/in/)", rf"\1{self.tag}-", value)
        return re.sub(r"^(www\.)?(\w+\.(com|de))$", rf"\1{self.tag}-\2", value)


def contact(contact_id: str, name: str = "", **columns: str) -> dict[str, str]:
    return {"contact_id": contact_id, "full_name": name, **columns}


@prepared
def ada(world: World) -> None:
    world.load([ADA])


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
        {"phone": "+49 30 901870"},
        {"phone": "0049 (30) 90 18 70", "company_domain": "x.de"},
    ),
    "free mail": ({"email": "ada@gmail.com"}, {"email": "Ada Example <ada@gmail.com>"}),
    "profile, though the e-mails differ": (
        {"linkedin_url": PROFILE, "email": "ada@one.com"},
        {"linkedin_url": PROFILE, "email": "ada@elsewhere.com"},
    ),
}


SPELLED_TWICE = {
    name: Case(
        f"spelled {name}",
        *(contact(f"C{n}", "Ada Example", **columns) for n, columns in enumerate(spellings)),
    )
    for name, spellings in SPELLINGS.items()
}


def test_one_identifier_in_two_spellings_is_one_person(on_day: OnDay) -> None:
    for name, case in SPELLED_TWICE.items():
        assert case.people(on_day(0)) == groups("C0 C1"), name


OF_NOTHING = Case("of nothing")
for nothing in ("N/A", "n/a", "-", "unknown", "nan", "None"):
    half_named = {"first_name": "Ada", "last_name": nothing, "company_domain": "acme.com"}
    OF_NOTHING.load(
        *(contact(f"{nothing}{n}", nothing, company_domain="acme.com") for n in (1, 2)),
        *(contact(f"{nothing}{n}", "Ada Example", company_name=nothing) for n in (3, 4)),
        *(contact(f"{nothing}{n}", **half_named) for n in (5, 6)),
    )


def test_what_tools_write_for_nothing_makes_nobody_one(on_day: OnDay) -> None:
    assert {len(person) for person in OF_NOTHING.people(on_day(0))} <= {1}


BACK = Case("back")
BACK.load(contact("C1", "Ada Example", email="ada@acme.com", company_domain="acme.com"))
BACK.look_up(
    "C1",
    emails=[(BACK.identifier("ada@acme.com"), 100, "work")],
    social=[{"link": BACK.identifier(PROFILE)}],
)
BACK.leave("C1", day=1)
BACK.load(contact("C2", "Ada Example", linkedin_url=PROFILE, company_domain="acme.com"), day=2)


def test_who_comes_back_under_an_identifier_that_an_answer_gave_is_not_bought_again(
    on_day: OnDay,
) -> None:
    world, contact_id = on_day(2, Policy()), BACK.id_of("C2")
    state = world.states(at=START + 2 * DAY)[contact_id]
    assert state["freshness_reason"] == "answer_is_recent"
    assert world.status(contact_id) == ("enriched", None)


def test_an_identifier_of_an_answer_that_was_undone_is_nobodys(ada: World) -> None:
    other = "https://www.linkedin.com/in/ada-other"
    ada.look_up("C1", candidate=candidate(social=[{"link": other}]), run_id="run-2")
    ada.derive_facts()
    assert "linkedin:ada-other" in {row["alias"] for row in ada.rows("staging.person_aliases")}
    ada.undo("run-2")
    assert "linkedin:ada-other" not in {row["alias"] for row in ada.rows("staging.person_aliases")}


CHAIN = Case(
    "chain",
    contact("C1", "Ada Example", linkedin_url=PROFILE),
    contact("C2", "Ada Example", linkedin_url=PROFILE, email="ada@acme.com"),
    contact("C3", "A. Example", email="ada@acme.com", phone="+4930901871"),
    contact("C4", "", phone="+49 30 901871"),
    contact("C5", "Bob Other", email="bob@acme.com"),
)


def test_a_chain_over_several_identifiers_is_one_person(on_day: OnDay) -> None:
    assert CHAIN.people(on_day(0)) == groups("C1 C2 C3 C4", "C5")


LONG_CHAIN = Case(
    "long chain",
    *(
        contact(
            f"C{n}",
            "Ada Example",
            email=f"ada{n // 2}@x.com",
            linkedin_url=f"linkedin.com/in/ada{(n + 1) // 2}",
        )
        for n in range(30)
    ),
)


def test_a_long_chain_is_one_person(on_day: OnDay) -> None:
    (person,) = LONG_CHAIN.people(on_day(0))
    assert len(person) == 30


IN_TWO_SCRIPTS = {
    "tamar_friedman@acme.com": True,
    "tfriedman@acme.com": False,  # a Tal Friedman's as well
    "reception-desk@acme.com": False,
}
"""Whether it spells the name."""
TWO_SCRIPTS = {
    email: Case(
        email.partition("@")[0],
        contact("C1", "Tamar Friedman", email=email),
        contact("C2", "תמר פרידמן", email=email, linkedin_url=PROFILE),
    )
    for email in IN_TWO_SCRIPTS
}


@pytest.mark.parametrize(("email", "are_one"), IN_TWO_SCRIPTS.items())
def test_a_name_in_two_scripts_is_one_where_the_email_spells_it(
    on_day: OnDay, email: str, are_one: bool
) -> None:
    case = TWO_SCRIPTS[email]
    persons = case.persons(on_day(0))
    assert (persons["C1"] == persons["C2"]) is are_one
    assert case.are_shared(on_day(0), "email", email) is not are_one


THIRD_NAME = Case(
    "third name",
    *(
        contact(f"C{n}", name, email="tamar_friedman@acme.com")
        for n, name in enumerate(("Tamar Friedman", "תמר פרידמן", "Bob Other"))
    ),
)


def test_a_third_name_that_the_email_does_not_spell_makes_it_shared(on_day: OnDay) -> None:
    assert THIRD_NAME.are_shared(on_day(0), "email", "tamar_friedman@acme.com")


SHARED = {"mailbox": {"email": "team.berlin@acme.com"}, "switchboard": {"phone": "+4930901872"}}
SHARING = {
    kind: Case(
        kind,
        contact("C1", "Ada Example", linkedin_url=PROFILE, **shared),
        contact("C2", "Bob Other", linkedin_url="linkedin.com/in/bob", **shared),
        contact("C3", "Cy Third", **shared),
    )
    for kind, shared in SHARED.items()
}


@pytest.mark.parametrize("kind", SHARED)
def test_what_differently_named_contacts_share_is_nobodys(on_day: OnDay, kind: str) -> None:
    case = SHARING[kind]
    assert {"C1", "C2"} <= set(case.persons(on_day(0)))
    assert all(len(person) == 1 for person in case.people(on_day(0)))
    ((column, value),) = SHARED[kind].items()
    assert case.are_shared(on_day(0), column, value)


NAMES_SPELLED = {
    email: (
        names,
        Case(
            f"names at {email[0]}",
            *(contact(f"C{n}", name, email=email) for n, name in enumerate(names)),
        ),
    )
    for email, names in {
        "x@acme.com": ("Robert Smith", "Bob Smith", "SMITH, R."),
        "y@acme.com": ("José García", "Jose Garcia", ""),
        "z@acme.com": ("Hans Müller", "Hans Mueller", "Mueller Hans"),
    }.items()
}


def test_what_spellings_of_one_name_share_is_that_persons(on_day: OnDay) -> None:
    for names, case in NAMES_SPELLED.values():
        assert case.people(on_day(0)) == groups("C0 C1 C2"), names


# An initial passes for both: compared with it alone, Anna and Adam once were one person.
INITIAL = Case(
    "initial",
    contact("C1", "A Smith", email="smith@acme.com"),
    contact("C2", "Anna Smith", email="smith@acme.com", linkedin_url="linkedin.com/in/x1"),
    contact("C3", "Adam Smith", email="smith@acme.com", linkedin_url="linkedin.com/in/x2"),
)


def test_an_initial_does_not_make_two_names_one(on_day: OnDay) -> None:
    assert INITIAL.people(on_day(0)) == groups("C1", "C2", "C3")


COUPLE = Case(
    "couple",
    contact("C1", "Paul Weber", email="weber@gmx.de", company_domain="weber.de"),
    contact("C2", "Paula Weber", email="weber@gmx.de", company_domain="weber.de"),
)


def test_a_couple_that_shares_a_mailbox_is_two(on_day: OnDay) -> None:
    assert COUPLE.people(on_day(0)) == groups("C1", "C2")


MARRIED = Case(
    "married",
    contact("C1", "Ada Example", linkedin_url=PROFILE),
    contact("C2", "Ada Married", linkedin_url=PROFILE),
)


def test_a_profile_is_one_persons_whatever_the_names_say(on_day: OnDay) -> None:
    assert MARRIED.people(on_day(0)) == groups("C1 C2")


AT_A_ROLE = Case(
    "role",
    contact("C1", "Ada Example", email="info@acme.com"),
    contact("C2", "Ada Example", email="INFO@acme.com"),
)
AT_A_ROLE_ALONE = Case(
    "role alone", contact("C3", "", email="info@acme.com"), contact("C4", "", email="info@acme.com")
)


def test_a_role_address_is_nobodys(on_day: OnDay) -> None:
    # their name and company are one, but a role address alone tells nobody
    assert AT_A_ROLE.people(on_day(0)) == groups("C1 C2")
    assert AT_A_ROLE_ALONE.people(on_day(0)) == set()


UNUSABLE = Case(
    "unusable", contact("C1", "Ada"), contact("C2", "", phone="n/a"), contact("C3", "Ada Example")
)


def test_a_contact_without_anything_usable_is_nobody(on_day: OnDay) -> None:
    assert UNUSABLE.people(on_day(0)) == set()


# --- a name and a company --------------------------------------------------------------

NAMED = contact("C9", "EXAMPLE, Ada", company_domain="www.acme.com")
NAMESAKE = {**ADA, "contact_id": "C3", "email": "ada2@acme.com", "linkedin_url": ""}
JOINING_ONE = Case("joining one", ADA, BOB, NAMED)


def test_a_name_and_a_company_join_the_one_person_known_by_them(on_day: OnDay) -> None:
    assert JOINING_ONE.people(on_day(0)) == groups("C1 C9", "C2")


JOINING_LATER = Case("joining later", ADA, BOB)
JOINING_LATER.load(NAMED, day=1)


def test_a_name_and_a_company_join_a_person_loaded_before(on_day: OnDay) -> None:
    assert JOINING_LATER.people(on_day(1)) == groups("C1 C9", "C2")


JOINING_NOBODY = Case("joining nobody", ADA, NAMESAKE, NAMED)


def test_a_name_and_a_company_join_nobody_of_two_namesakes(on_day: OnDay) -> None:
    for day in (0, 1):
        assert JOINING_NOBODY.people(on_day(day)) == groups("C1", "C3", "C9"), day


NAMED_TWICE = Case(
    "named twice", NAMED, contact("C8", "Dr. Ada Example", email="", company_domain="acme.com")
)


def test_two_contacts_known_by_the_same_name_and_company_are_one(on_day: OnDay) -> None:
    assert NAMED_TWICE.people(on_day(0)) == groups("C8 C9")


ELSEWHERE = Case(
    "elsewhere",
    ADA,
    contact("C2", "Ada Example", company_domain="other.com"),
    contact("C4", "Ada", company_domain="acme.com"),
)
timeline.source(contact("at gmail", "Ada Example", company_domain="gmail.com"))


def test_a_name_at_another_company_or_a_mail_provider_joins_nobody(on_day: OnDay) -> None:
    assert ELSEWHERE.people(on_day(0)) == groups("C1", "C2")
    assert "at gmail" not in on_day(0).persons()


NAMESAKES = Case("namesakes", ADA, NAMESAKE)


def test_namesakes_with_identifiers_of_their_own_are_two(on_day: OnDay) -> None:
    assert NAMESAKES.people(on_day(0)) == groups("C1", "C3")


# --- keys last -------------------------------------------------------------------------


PHONED = Case("phoned", contact("C4", "", phone="+4930901873"))


def test_person_keys_hold_nothing_personal(on_day: OnDay) -> None:
    assert len(PHONED.persons(on_day(0))) == 1
    for key in on_day(0).persons().values():
        assert re.fullmatch(r"[0-9a-f]{32}", key)


def test_person_keys_do_not_depend_on_ids_order_or_instant(world: World, tmp_path: Path) -> None:
    world.load([ADA, BOB])
    with opened() as connection:
        elsewhere = World(connection, tmp_path / "elsewhere")
        elsewhere.load([{**BOB, "contact_id": "X2"}, {**ADA, "contact_id": "X1"}], at=LATER)
        assert elsewhere.persons()["X1"] == world.persons()["C1"]
        assert elsewhere.persons()["X2"] == world.persons()["C2"]


KEEPING = {
    "Ada": {"email": "ada.new@acme.com"},
    "Bea": {"linkedin_url": "linkedin.com/in/bea-renamed"},
    "Cleo": {"full_name": "Cleo Married"},
    "Dora": {"email": "dora.new@acme.com", "linkedin_url": ""},
    "Emma": {"email": "", "linkedin_url": ""},
    "Fay": {"email": "fay@other.com", "company_domain": "other.com"},
    "Gina": {"email": "broken"},
}
"""What changes of each person on day 1."""
KEEPERS = Case("keeping")
for name, change in KEEPING.items():
    known = {
        **ADA,
        "contact_id": name,
        "full_name": f"{name} Example",
        "email": f"{name}@acme.com",
        "linkedin_url": f"linkedin.com/in/{name}-example",
    }
    KEEPERS.load(known)
    KEEPERS.load({**known, **change}, day=1)


def test_whoever_keeps_one_identifier_stays_who_they_were(on_day: OnDay) -> None:
    before = KEEPERS.persons(on_day(0))
    assert len(set(before.values())) == len(KEEPING)
    assert KEEPERS.persons(on_day(1)) == before


CORRECTED = Case("corrected", ADA)
CORRECTED.load({**ADA, "email": "ada.new@acme.com"}, day=1)
CORRECTED.load({**ADA, "linkedin_url": "", "full_name": "A B", "email": "ada.new@acme.com"}, day=2)


def test_what_was_corrected_may_be_corrected_again(on_day: OnDay) -> None:
    assert CORRECTED.persons(on_day(2)) == CORRECTED.persons(on_day(0))


ANOTHER = Case("another", ADA)
ANOTHER.load({**BOB, "contact_id": "C1", "linkedin_url": ""}, day=1)


def test_an_identity_has_changed_where_nothing_of_the_old_is_left(on_day: OnDay) -> None:
    assert ANOTHER.persons(on_day(1))["C1"] != ANOTHER.persons(on_day(0))["C1"]
    row = on_day(1).only("staging.contact_persons", f"contact_id = '{ANOTHER.id_of('C1')}'")
    assert row["assigned_at"] == START + DAY


CHANGING = {
    "C1": Case("first namesake", ADA, NAMESAKE),
    "C3": Case("other namesake", ADA, NAMESAKE),
}
for contact_id, case in CHANGING.items():
    row = {"C1": ADA, "C3": NAMESAKE}[contact_id]
    case.load({**row, "email": "ada3@acme.com", "linkedin_url": ""}, day=1)


@pytest.mark.parametrize("contact_id", CHANGING)
def test_of_two_namesakes_neither_is_known_by_the_name(on_day: OnDay, contact_id: str) -> None:
    case = CHANGING[contact_id]
    before = case.persons(on_day(0))
    assert case.persons(on_day(1))[contact_id] not in before.values()


TAKING_OVER = Case("taking over", ADA, BOB)
TAKING_OVER.load({**ADA, "contact_id": "C2"}, day=1)


def test_a_contact_that_takes_over_a_known_identity_is_that_person(on_day: OnDay) -> None:
    assert TAKING_OVER.people(on_day(1)) == groups("C1 C2")


BOTH = Case("both", ADA, BOB)
# the name on it is nobody's at Brio, so that the mailbox is shared from here on
BOTH.load(contact("C3", "Ada Example", linkedin_url=PROFILE, email=BOB["email"]), day=1)


def test_an_identifier_belongs_to_its_first_owner(on_day: OnDay) -> None:
    persons = BOTH.persons(on_day(0))
    assert BOTH.persons(on_day(1)) == {**persons, "C3": persons["C1"]}
    assert BOTH.owner(on_day(1), "email", BOB["email"]) == persons["C2"]


NEW_ADDRESS = Case("new address", ADA)
NEW_ADDRESS.load(
    {**ADA, "email": "ada.new@home.com"},
    contact("C2", "Ada Example", email="ada.new@home.com"),
    day=1,
)


def test_a_new_identifier_of_a_known_person_is_theirs_at_once(on_day: OnDay) -> None:
    for day in (1, 2):
        assert NEW_ADDRESS.people(on_day(day)) == groups("C1 C2"), day


# Two known persons that a new contact ties together once swapped its neighbour at each load.
TIED: dict[bool, Case] = {}
for swap in (False, True):
    case = TIED[swap] = Case(f"tied {swap}".lower())
    profile, mail = ("three", "four@x.com") if swap else ("one", "two@x.com")
    case.load(
        contact("P1", "Ada Example", linkedin_url=f"linkedin.com/in/{profile}"),
        contact("P2", "Ada Example", email=mail),
    )
    case.load(
        contact("C1", "Ada Example", linkedin_url=f"linkedin.com/in/{profile}", email=mail),
        contact("C2", "Ada Example", email=mail),
        day=1,
    )


@pytest.mark.parametrize("swap", [False, True])
def test_known_persons_that_a_contact_ties_together_stay_who_they_are(
    on_day: OnDay, swap: bool
) -> None:
    known = TIED[swap].persons(on_day(0))
    for day in (1, 2):
        expected = {**known, "C1": known["P1"], "C2": known["P2"]}
        assert TIED[swap].persons(on_day(day)) == expected, day


LEFT = Case("left", ADA, BOB)
LEFT.leave("C1", day=1)
LEFT.load(ADA, day=2)


def test_who_left_and_came_back_is_who_they_were(on_day: OnDay) -> None:
    gone = f"contact_id = '{LEFT.id_of('C1')}'"
    assert on_day(1).rows("staging.source_contact_ids", gone) == []
    assert LEFT.persons(on_day(2)) == LEFT.persons(on_day(0))


WRITTEN_BACK: list[Case] = []
for number, columns in enumerate(
    [
        {"email": "ada.example@newjob.com"},
        {"email": "ada.private@home.com"},
        {"email": "", "phone": "+49309018800"},
        {"email": "", "linkedin_url": "https://www.linkedin.com/in/ada-found"},
        # and a second contact that only has what was found
        {"contact_id": "C3", "email": "ada.example@newjob.com"},
    ]
):
    case = Case(f"written back {number}", contact("C1", "Ada Example", email="ada@acme.com"))
    phone = f"+4930901880{number}"
    case.look_up(
        "C1",
        emails=[
            (case.identifier("ada.private@home.com"), 100, "personal"),
            (case.identifier("ada.example@newjob.com"), 100, "work"),
        ],
        phones=[(phone, 100, "mobile")],
        social=[{"type": "li", "link": case.identifier("https://www.linkedin.com/in/ada-found")}],
    )
    # no name: the identifier alone must do it
    written = {"contact_id": "C1", "email": "ada@acme.com", **columns}
    case.load({**written, **({"phone": phone} if "phone" in columns else {})}, day=1)
    WRITTEN_BACK.append(case)


def test_what_is_written_back_to_the_source_makes_nobody_new(on_day: OnDay) -> None:
    for case in WRITTEN_BACK:
        before, after = case.persons(on_day(0)), case.persons(on_day(1))
        assert set(after.values()) == set(before.values()), case.tag
        assert len(after) == 1 + ("C3" in after), case.tag


NOT_THEIRS = Case("not theirs", ADA, BOB)
NOT_THEIRS.look_up("C1", emails=[(NOT_THEIRS.identifier(BOB["email"]), 100, "work")])


def test_an_answer_does_not_take_an_identifier_from_its_owner(on_day: OnDay) -> None:
    persons = NOT_THEIRS.persons(on_day(0))
    assert NOT_THEIRS.people(on_day(0)) == groups("C1", "C2")
    assert NOT_THEIRS.owner(on_day(0), "email", BOB["email"]) == persons["C2"]
    assert NOT_THEIRS.persons(on_day(1)) == persons


SHOWN_TO_BE = {
    "alike": ("EXAMPLE, Ada", None, True),
    "nameless": ("", None, True),
    "of another name": ("Bob Other", None, False),
    "not found before": ("Ada Example", "no_match", True),
    "refused before": ("Ada Example", "refused", False),
}
"""The name of further contacts, how they were looked up, and whether an answer joins them."""
SHOWN: dict[str, Case] = {}
for name, (written, outcome, _) in SHOWN_TO_BE.items():
    case = SHOWN[name] = Case(
        f"shown {name}",
        contact("C1", "Ada Example", email="ada@acme.com"),
        contact("C2", written, linkedin_url="linkedin.com/in/ada"),
        contact("C3", written, email="ada@home.com", linkedin_url="linkedin.com/in/ada"),
    )
    if outcome is not None:
        timeline.look_up(case.id_of("C2"), 0, outcome=outcome)
    link = case.identifier("https://www.linkedin.com/in/ada")
    case.look_up(
        "C1",
        emails=[(case.identifier("ada@acme.com"), 100, "work")],
        social=[{"type": "li", "link": link}],
    )


def test_an_answer_joins_who_was_never_found_to_the_person_it_shows_them_to_be(
    on_day: OnDay,
) -> None:
    for name, (_, _, is_joined) in SHOWN_TO_BE.items():
        case, expected = SHOWN[name], groups("C1 C2 C3") if is_joined else groups("C1", "C2 C3")
        for day in (0, 1, 2):
            assert case.people(on_day(day)) == expected, (name, day)
        assert case.persons(on_day(2)) == case.persons(on_day(0)), name
        # what is in hand is theirs at once, and does not wait for the next load
        assert bool(on_day(0).facts(case.id_of("C2"))) == is_joined, name


def test_loading_and_deriving_again_changes_nothing(tmp_path: Path) -> None:
    with timeline.copies(tmp_path) as copy_of_day:
        world = copy_of_day(2)
        before = contents(world.connection)
        timeline.load(world, 2)
        world.derive_facts(at=START + 2 * DAY)
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
