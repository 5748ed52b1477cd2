"""The committed sample is what its script makes, parses everywhere, and is as messy as promised.

The mess is looked for in the files themselves, with patterns of its own: the script's counts in
data/sample/README.md are not taken on trust.
"""

from __future__ import annotations

import csv
import importlib.util
import re
import sys
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from types import ModuleType
from urllib.parse import unquote

import duckdb
import faker
import pandas as pd
import phonenumbers
import pytest

SAMPLE = Path(__file__).parents[2] / "data" / "sample"
FILES = (
    "contacts.csv",
    "accounts.csv",
    "people.csv",
    "people_elsewhere.csv",
    "truth.csv",
    "README.md",
)

Record = dict[str, str]


def read(name: str) -> list[Record]:
    with (SAMPLE / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


@pytest.fixture(scope="module")
def contacts() -> list[Record]:
    return read("contacts.csv")


@pytest.fixture(scope="module")
def accounts() -> list[Record]:
    return read("accounts.csv")


@pytest.fixture(scope="module")
def people() -> list[Record]:
    return read("people.csv")


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_sample", SAMPLE / "make_sample.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up by name
    spec.loader.exec_module(module)
    return module


def slug(url: str) -> str:
    """The profile in a LinkedIn URL, in lower case and decoded; empty where there is none."""
    found = re.search(r"linkedin\.com/in/([^/?#\s]+)", url, re.IGNORECASE)
    return unquote(found[1]).lower() if found else ""


def address(email: str) -> str:
    found = re.search(r"[\w.+-]+@[\w-]+(\.[\w-]+)+", email)
    return found[0].lower() if found else ""


def has(column: str, pattern: str) -> Callable[[Record], bool]:
    return lambda row: re.search(pattern, row[column]) is not None


def count(rows: Iterable[Record], test: Callable[[Record], bool]) -> int:
    return sum(map(test, rows))


# Made by the script ------------------------------------------------------------------------------


def test_running_the_script_again_gives_the_committed_bytes(
    script: ModuleType, tmp_path: Path
) -> None:
    installed = {"faker": faker.VERSION, "phonenumbers": phonenumbers.__version__}
    if installed != script.MADE_WITH:
        pytest.skip(f"the sample was made with {script.MADE_WITH}, here is {installed}")
    script.make_sample(tmp_path)
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (SAMPLE / name).read_bytes(), name


def test_nothing_in_the_files_is_later_than_the_reference_date(
    script: ModuleType, contacts: list[Record], people: list[Record]
) -> None:
    for column in ("created_at", "updated_at"):
        times = [datetime.fromisoformat(row[column]) for row in contacts if row[column]]
        assert max(times) < script.REFERENCE
    assert max(person["started"] for person in people) <= script.REFERENCE.strftime("%Y-%m")


# Read by everybody -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["contacts", "accounts", "people"])
def test_duckdb_and_pandas_read_what_was_written(name: str) -> None:
    path = str(SAMPLE / f"{name}.csv")
    written = read(f"{name}.csv")
    with duckdb.connect() as connection:
        relation = connection.sql("from read_csv($path, all_varchar = true)", params={"path": path})
        by_duckdb = [
            dict(
                zip(
                    relation.columns, ("" if value is None else value for value in row), strict=True
                )
            )
            for row in relation.fetchall()
        ]
        guessed = connection.sql("select count(*) from read_csv($path)", params={"path": path})
        assert guessed.fetchall() == [(len(written),)]
    by_pandas = pd.read_csv(path, dtype=str, keep_default_na=False).to_dict("records")
    assert by_duckdb == written
    assert by_pandas == written


@pytest.mark.parametrize(
    ("name", "limit_bytes"), [("contacts.csv", 1_500_000), ("people.csv", 1_600_000)]
)
def test_files_stay_small(name: str, limit_bytes: int) -> None:
    assert (SAMPLE / name).stat().st_size < limit_bytes


# Accounts ----------------------------------------------------------------------------------------


def test_accounts_have_the_promised_mix_of_tiers(accounts: list[Record]) -> None:
    tiers = {"strategic": 15, "target": 45, "standard": 120, "bulk": 60, "": 60}
    assert Counter(account["tier"] for account in accounts) == tiers
    assert len({account["account_id"] for account in accounts}) == len(accounts) == 300


def test_accounts_without_a_tier_span_every_size(accounts: list[Record]) -> None:
    figures = [a for a in accounts if not a["tier"]]
    revenues = [int(a["annual_revenue"]) for a in figures if a["annual_revenue"]]
    pipelines = [int(a["open_pipeline"]) for a in figures if a["open_pipeline"]]
    assert min(revenues) < 1_000_000
    assert max(revenues) > 1_000_000_000
    assert min(pipelines) == 0
    assert max(pipelines) > 1_000_000
    assert sum(not a["annual_revenue"] for a in figures) > 0


def test_contacts_stand_on_accounts_on_none_and_on_missing_ones(
    contacts: list[Record], accounts: list[Record]
) -> None:
    known = {account["account_id"] for account in accounts}
    assert known <= {row["account_id"] for row in contacts}
    assert 240 <= sum(not row["account_id"] for row in contacts) <= 290
    assert sum(bool(row["account_id"]) and row["account_id"] not in known for row in contacts) == 14


# Contacts: the mess ------------------------------------------------------------------------------


def test_contact_ids_are_unique_but_for_eight_whose_later_row_wins(contacts: list[Record]) -> None:
    assert len(contacts) == 5000
    times: dict[str, list[str]] = defaultdict(list)
    for row in contacts:
        times[row["contact_id"]].append(row["updated_at"])
    repeated = [stamps for stamps in times.values() if len(stamps) > 1]
    assert len(repeated) == 8
    assert all(len(stamps) == 2 and all(stamps) and stamps[0] != stamps[1] for stamps in repeated)
    assert len({stamps[0] < stamps[1] for stamps in repeated}) == 2, (
        "the later row stands first, too"
    )


MESS = {
    "LinkedIn over http": (has("linkedin_url", r"^http://www\.linkedin\.com/in/"), 150),
    "LinkedIn without scheme": (has("linkedin_url", r"^(www\.)?linkedin\.com/in/"), 120),
    "LinkedIn by country": (has("linkedin_url", r"^https://(uk|de|fr|es|in|nl|it)\."), 140),
    "LinkedIn's mobile site": (has("linkedin_url", r"^https://m\."), 50),
    "LinkedIn with a slash behind": (has("linkedin_url", r"/in/[^/?]+/$"), 230),
    "LinkedIn with a query": (has("linkedin_url", r"/in/.*\?"), 120),
    "LinkedIn with a locale": (has("linkedin_url", r"/in/[^/]+/(en|de|fr|es)$"), 50),
    "LinkedIn in capitals": (has("linkedin_url", r"Linkedin\.Com/In/|LINKEDIN\.COM/IN/"), 50),
    "LinkedIn with encoded accents": (has("linkedin_url", r"(?i)%C3%"), 35),
    "LinkedIn with bare accents": (has("linkedin_url", r"/in/.*[à-ž]"), 20),
    "LinkedIn's old form": (has("linkedin_url", r"/pub/"), 35),
    "LinkedIn company page": (has("linkedin_url", r"/company/"), 40),
    "e-mail in capitals": (has("email", r"^[^a-z]+@[^a-z]+$"), 180),
    "e-mail with blanks around": (has("email", r"^\s|\s$"), 140),
    "mailto:": (has("email", r"(?i)^mailto:"), 70),
    "free mail": (has("email", r"(?i)@(gmail|yahoo|gmx|web|outlook|hotmail|aol)\."), 300),
    "disposable mail": (has("email", r"@(mailinator|guerrillamail|yopmail|10min\w+|temp-)"), 45),
    "role address": (has("email", r"(?i)^(info|sales|office|contact|support|hr|kontakt)@"), 90),
    "malformed e-mail": (lambda row: bool(row["email"].strip()) and not address(row["email"]), 50),
    "zero-width character": (has("email", "[\u200b\u200d\ufeff\u2060]"), 15),
    "phone with a plus": (has("phone", r"^\+\d"), 800),
    "phone in national format": (has("phone", r"^[(0]"), 450),
    "phone with 00": (has("phone", r"^00\d"), 100),
    "phone with (0)": (has("phone", r"\(0\)"), 70),
    "phone with an extension": (has("phone", r"ext| x\d"), 90),
    "junk phone": (has("phone", r"^(000-000|tbd|n/a|0|123456|\+|unknown|1234567890)$"), 70),
    "title before the name": (has("first_name", r"^(Dr|Prof|Mr|Mrs|Dipl|Sir)\b"), 70),
    "suffix behind the name": (has("last_name", r"Jr\.|III$|PhD|MBA|\(she"), 50),
    "apostrophe": (has("last_name", r"\w['’]\w"), 60),
    "hyphen": (has("last_name", r"\w-\w"), 80),
    "particle": (has("last_name", r"^(van|von|de|di|du|zu|dos) "), 80),
    "accents": (has("last_name", r"[À-ÿ]"), 150),
    "Hebrew": (has("full_name", "[\u05d0-\u05ea]"), 20),
    "Arabic": (has("full_name", "[\u0620-\u064a]"), 20),
    "Chinese and Japanese": (has("full_name", "[\u4e00-\u9fff]"), 50),
    "Korean": (has("full_name", "[\uac00-\ud7a3]"), 10),
    "Cyrillic": (has("full_name", "[\u0400-\u04ff]"), 10),
    "emoji": (has("first_name", "[\U0001f1e6-\U0001faff✨❤]"), 18),
    "non-breaking blank": (has("last_name", "[\u00a0\u2003]"), 40),
    "SQL": (has("first_name", r"DROP TABLE|UNION SELECT|DELETE FROM|OR '1'='1|ATTACH"), 8),
    "spreadsheet formula": (has("job_title", r"^[=+@-]"), 10),
    "HTML": (has("job_title", r"<\w|<!--|&amp;"), 20),
    "line break": (has("job_title", r"\n"), 30),
    "quote in a field": (has("job_title", r'"'), 10),
    "a title of 3,000 characters": (lambda row: len(row["job_title"]) == 3000, 1),
    "domain as a URL": (has("company_domain", r"^(https?://|www\.)"), 150),
    "no created_at": (has("created_at", r"^$"), 60),
    "no updated_at": (has("updated_at", r"^$"), 90),
}  # fmt: skip


@pytest.mark.parametrize("kind", MESS)
def test_every_kind_of_mess_is_there_often_enough(kind: str, contacts: list[Record]) -> None:
    shows, at_least = MESS[kind]
    assert count(contacts, shows) >= at_least


def test_some_contacts_have_a_name_and_a_company_and_nothing_else(contacts: list[Record]) -> None:
    def is_bare(row: Record) -> bool:
        identifiers = row["email"] + row["phone"] + row["linkedin_url"]
        return not identifiers and bool(row["full_name"].strip() and row["company_name"])

    assert count(contacts, is_bare) >= 350


def test_some_contacts_can_be_found_by_nothing(contacts: list[Record]) -> None:
    def is_useless(row: Record) -> bool:
        has_name = row["full_name"].strip() or row["last_name"].strip()
        return not has_name and not slug(row["linkedin_url"]) and not valid_phone(row["phone"])

    assert 75 <= count(contacts, is_useless) <= 85


def valid_phone(text: str) -> str:
    try:
        number = phonenumbers.parse(text)
    except phonenumbers.NumberParseException:
        return ""
    if not phonenumbers.is_valid_number(number):
        return ""
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def test_hundreds_stand_there_twice_under_different_spellings(contacts: list[Record]) -> None:
    by_key: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for row in contacts:
        for key in (slug(row["linkedin_url"]), address(row["email"])):
            if key:
                by_key[key].add((row["contact_id"], name_of(row)))
    twice = [rows for rows in by_key.values() if len({contact_id for contact_id, _ in rows}) == 2]
    assert len(twice) >= 300
    assert sum(len({name for _, name in rows}) == 2 for rows in twice) >= 250


def name_of(row: Record) -> str:
    return row["full_name"] or f"{row['first_name']} {row['last_name']}"


def test_the_same_person_stands_on_accounts_of_different_tiers(
    contacts: list[Record], accounts: list[Record]
) -> None:
    tier = {account["account_id"]: account["tier"] for account in accounts}
    tiers: dict[str, set[str]] = defaultdict(set)
    for row in contacts:
        for key in (slug(row["linkedin_url"]), address(row["email"])):
            if key and row["account_id"] in tier:
                tiers[key].add(tier[row["account_id"]])
    assert sum(len(found) > 1 for found in tiers.values()) >= 50


def test_mailboxes_and_switchboards_are_shared_by_many_names(contacts: list[Record]) -> None:
    by_email: dict[str, set[str]] = defaultdict(set)
    by_phone: dict[str, set[str]] = defaultdict(set)
    for row in contacts:
        by_email[address(row["email"])].add(name_of(row))
        by_phone[valid_phone(row["phone"])].add(name_of(row))
    roles = r"(info|sales|office|contact|hello|support|admin|billing|hr|kontakt)@"
    shared = [e for e, names in by_email.items() if len(names) > 3 and not re.match(roles, e)]
    assert len([email for email in shared if email]) == 7
    assert sum(len(names) > 5 for number, names in by_phone.items() if number) == 10


def test_national_phones_are_valid_in_the_country_of_the_domain(contacts: list[Record]) -> None:
    regions = {"uk": "GB"}
    checked = 0
    for row in contacts:
        ending = re.search(r"\.(uk|de|fr|es|in|nl|it|se|ie)$", row["company_domain"])
        if ending and re.match(r"0[1-9]", row["phone"]):
            region = regions.get(ending[1], ending[1].upper())
            number = phonenumbers.parse(row["phone"], region)
            assert phonenumbers.is_valid_number(number), row["contact_id"]
            checked += 1
    assert checked >= 350


def test_some_names_are_decomposed(contacts: list[Record]) -> None:
    is_decomposed = sum(
        unicodedata.normalize("NFC", row["last_name"]) != row["last_name"] for row in contacts
    )
    assert is_decomposed >= 20


# People: what the provider knows -----------------------------------------------------------------


PEOPLE_COLUMNS = [
    "uid", "full_name", "gender", "headline", "location", "linkedin_url", "title", "company",
    "company_domain", "company_industry", "company_size", "started", "previous_title",
    "previous_company", "previous_company_domain", "work_email", "work_email_rating",
    "personal_email", "personal_email_rating", "work_phone", "work_phone_rating", "mobile_phone",
    "mobile_phone_rating", "known_emails",
]  # fmt: skip


def test_people_have_the_agreed_columns(people: list[Record]) -> None:
    assert list(people[0]) == PEOPLE_COLUMNS


def test_no_identifier_belongs_to_two_people(people: list[Record]) -> None:
    every: list[str] = []
    for person in people:
        assert re.fullmatch(r"[0-9a-f]{32}", person["uid"])
        every += [person["uid"], slug(person["linkedin_url"]), *emails_of(person)]
        every += [person[kind] for kind in ("work_phone", "mobile_phone") if person[kind]]
    assert all(every)
    assert [value for value, times in Counter(every).items() if times > 1] == []


def emails_of(person: Record) -> list[str]:
    known = person["known_emails"].split(";")
    return [email for email in (person["work_email"], person["personal_email"], *known) if email]


def test_ratings_stand_beside_values_only_and_phones_are_valid(people: list[Record]) -> None:
    for person in people:
        for kind in ("work_email", "personal_email", "work_phone", "mobile_phone"):
            expected = {"70", "100"} if person[kind] else {""}
            assert person[f"{kind}_rating"] in expected
        for kind in ("work_phone", "mobile_phone"):
            assert person[kind] == valid_phone(person[kind])


def test_the_provider_knows_most_and_verifies_two_thirds(
    contacts: list[Record], people: list[Record]
) -> None:
    profiles = {slug(person["linkedin_url"]) for person in people}
    asked = {slug(row["linkedin_url"]) for row in contacts} - {""}
    assert 0.70 <= len(asked & profiles) / len(asked) <= 0.82
    verified = count(people, lambda person: person["work_email_rating"] == "100")
    assert 0.60 <= verified / len(people) <= 0.70


def test_an_email_finds_less_than_a_profile(contacts: list[Record], people: list[Record]) -> None:
    profiles = {slug(person["linkedin_url"]) for person in people}
    emails = {email for person in people for email in emails_of(person)}
    by_profile = {slug(row["linkedin_url"]) for row in contacts} - {""}
    by_email = {address(row["email"]) for row in contacts} - {""}
    found_by_profile = len(by_profile & profiles) / len(by_profile)
    found_by_email = len(by_email & emails) / len(by_email)
    assert found_by_profile - 0.2 < found_by_email < found_by_profile - 0.03


def test_some_changed_their_job(contacts: list[Record], people: list[Record]) -> None:
    domain = {slug(row["linkedin_url"]): row["company_domain"] for row in contacts}
    moved = [
        person
        for person in people
        if (ours := domain.get(slug(person["linkedin_url"])))
        and person["previous_company_domain"] == ours != person["company_domain"]
    ]
    assert 80 <= len(moved) <= 250


def test_some_emails_now_belong_to_somebody_else(
    contacts: list[Record], people: list[Record]
) -> None:
    owner = {email: person for person in people for email in emails_of(person)}
    strangers = 0
    for row in contacts:
        person = owner.get(row["email"]) if not row["linkedin_url"] else None
        if person is not None:
            theirs = words(person["full_name"])
            local = words(row["email"].split("@")[0])
            ours = words(name_of(row)) + local
            strangers += bool(theirs.strip()) and not shares_a_word(theirs, ours)
    assert strangers >= 50


def words(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z]+", " ", plain.lower())


def shares_a_word(one: str, other: str) -> bool:
    return any(len(word) > 2 and word in other for word in one.split())


def test_there_are_namesakes_at_the_same_company(people: list[Record]) -> None:
    seen = Counter((person["full_name"], person["company_domain"]) for person in people)
    assert sum(times > 1 for times in seen.values()) >= 25


def test_what_is_known_elsewhere_is_what_the_directory_lacks(people: list[Record]) -> None:
    listed = {person["uid"]: person for person in people}
    elsewhere = read("people_elsewhere.csv")
    assert len({row["uid"] for row in elsewhere}) == len(elsewhere)
    more = [row for row in elsewhere if row["uid"] in listed]
    others = [row for row in elsewhere if row["uid"] not in listed]
    assert (len(more), len(others)) == (1_056, 1_066)
    for row in more:
        assert {name for name, value in row.items() if value} == {"uid", "full_name", "work_email"}
        assert row["work_email"] != listed[row["uid"]]["work_email"]
        assert row["full_name"] == listed[row["uid"]]["full_name"]
    assert {row["work_email_rating"] for row in others} == {"100"}


def test_each_contact_that_is_a_person_has_a_profile_in_one_of_the_two_files(
    contacts: list[Record], people: list[Record]
) -> None:
    uids = {row["uid"] for row in (*people, *read("people_elsewhere.csv"))}
    truth = {row["contact_id"]: row["uid"] for row in read("truth.csv")}
    assert set(truth.values()) <= uids
    assert set(truth) <= {row["contact_id"] for row in contacts}
