"""The directory: what an item can be, the two file formats, and files that cannot be used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from enrichment_pipeline.sandbox.directory import CSV_COLUMNS, PeopleFileError, identify
from enrichment_pipeline.sandbox.signalhire.people import People, Person, load_people
from enrichment_pipeline_tests.sandbox.signalhire import (
    LINKEDIN_OF_ADA,
    UID_OF_ADA,
    UID_OF_BOB,
    some_people,
    start,
)

# Items


@pytest.mark.parametrize(
    "item",
    [
        "https://www.linkedin.com/in/zoe-münch",
        "http://www.linkedin.com/in/zoe-münch/",
        "https://de.linkedin.com/in/zoe-münch?trk=public_profile",
        "https://m.linkedin.com/in/zoe-münch",
        "https://www.linkedin.com/mwlite/in/zoe-münch",
        "linkedin.com/in/zoe-münch/details/skills/",
        "www.linkedin.com/in/zoe-münch#about",
        "HTTPS://WWW.LinkedIn.COM/in/Zoe-MÜNCH",
        "https://www.linkedin.com/in/zoe-m%C3%BCnch",
        "https://www.linkedin.com/in/zoe-m%c3%bcnch/en",
        "https%3A%2F%2Fwww.linkedin.com%2Fin%2Fzoe-m%C3%BCnch",
        "https://www.linkedin.com/in/zoe-mu\u0308nch",
        "  https://www.linkedin.com/in/zoe-münch\n",
    ],
)
def test_every_variant_of_a_linkedin_url_is_the_same_profile(item: str) -> None:
    assert identify(item) == "https://www.linkedin.com/in/zoe-münch"


@pytest.mark.parametrize(
    ("item", "identifier"),
    [
        (" Ada@ACME.example ", "ada@acme.example"),
        ("ada+tag@acme.example", "ada+tag@acme.example"),
        ("ada@linkedin.com", "ada@linkedin.com"),
        ("+49 (0)151 123-45.67", "+491511234567"),
        ("+4915\u00a01123/4567", "+491511234567"),
        ("ABCDEF0123456789ABCDEF0123456789", "abcdef0123456789abcdef0123456789"),
        ("abc123def456gh789ijk012lmn345op6", "abc123def456gh789ijk012lmn345op6"),
    ],
)
def test_items_are_compared_in_normalised_form(item: str, identifier: str) -> None:
    assert identify(item) == identifier
    assert identify(identifier) == identifier


@pytest.mark.parametrize(
    "item",
    [
        "",
        "  ",
        "Ada Example",
        "Ada Example, Acme",
        "0151 1234567",  # no country code
        "+49 151",
        "+1234567890123456",
        "+49 151 CALL",
        "ada@acme",
        "ada acme.example",
        "a@b.example, c@d.example",
        "https://www.linkedin.com/company/acme",
        "https://www.linkedin.com/in/",
        "https://www.notlinkedin.com/in/ada",
        "https://www.linkedin.com.evil.example/in/ada",
        "a" * 31,
        "a" * 33,
    ],
)
def test_what_is_of_no_known_kind_identifies_nobody(item: str) -> None:
    assert identify(item) is None


# CSV


def one(path: Path, csv: str) -> dict[str, Any]:
    (person,) = some_people(path, csv)
    return person.candidate


def test_every_column_has_its_place_in_the_candidate(tmp_path: Path) -> None:
    row = {
        "uid": UID_OF_ADA.upper(),
        "full_name": "Ada Example",
        "gender": "female",
        "headline": "CTO, at Acme",
        "location": "Köln, Germany",
        "linkedin_url": LINKEDIN_OF_ADA,
        "title": "CTO",
        "company": "Acme",
        "company_domain": "acme.example",
        "company_industry": "Software",
        "company_size": "51-200",
        "started": "2024-05",
        "previous_title": "Engineer",
        "previous_company": "Brio",
        "previous_company_domain": "brio.example",
        "work_email": "Ada@acme.example",
        "work_email_rating": "70",
        "personal_email": "ada@mail.example",
        "personal_email_rating": "100",
        "work_phone": "+49 221 123456",
        "work_phone_rating": "",
        "mobile_phone": "+49 151 1234567",
        "mobile_phone_rating": "70",
        "known_emails": " old@brio.example; older@acme.example ;",
    }
    assert list(row) == list(CSV_COLUMNS)
    values = ",".join(f'"{value}"' for value in row.values())
    candidate = one(tmp_path, f"{','.join(row)}\n{values}\n")
    position = {
        "location": None,
        "summary": None,
        "companyUrl": None,
        "companyId": None,
        "staffCount": None,
    }
    assert candidate == {
        "uid": UID_OF_ADA,
        "fullName": "Ada Example",
        "gender": "female",
        "photo": None,
        "headLine": "CTO, at Acme",
        "summary": None,
        "locations": [{"name": "Köln, Germany"}],
        "skills": [],
        "contacts": [
            {"type": "email", "value": "Ada@acme.example", "rating": 70, "subType": "work"},
            {"type": "email", "value": "ada@mail.example", "rating": 100, "subType": "personal"},
            {"type": "phone", "value": "+49 221 123456", "rating": 100, "subType": "work_phone"},
            {"type": "phone", "value": "+49 151 1234567", "rating": 70, "subType": "mobile"},
        ],
        "social": [{"type": "li", "link": LINKEDIN_OF_ADA, "rating": 100}],
        "experience": [
            {
                **position,
                "position": "CTO",
                "current": True,
                "started": "2024-05-01T00:00:00+00:00",
                "ended": None,
                "company": "Acme",
                "companySize": "51-200",
                "industry": "Software",
                "website": "https://www.acme.example",
            },
            {
                **position,
                "position": "Engineer",
                "current": False,
                "started": None,
                "ended": "2024-05-01T00:00:00+00:00",
                "company": "Brio",
                "companySize": None,
                "industry": None,
                "website": "https://www.brio.example",
            },
        ],
        "education": [],
        "language": [],
        "organization": [],
    }


def test_a_name_is_enough(tmp_path: Path) -> None:
    candidate = one(tmp_path, "full_name\nAda Example\n")
    assert candidate["fullName"] == "Ada Example"
    assert all(not candidate[name] for name in candidate if name not in ("uid", "fullName"))


def test_a_person_is_found_by_each_identifier_and_by_known_emails(tmp_path: Path) -> None:
    people = some_people(
        tmp_path,
        "full_name,linkedin_url,work_email,personal_email,work_phone,mobile_phone,known_emails\n"
        "Ada,linkedin.com/in/Ada,A@acme.example,a@mail.example,+49 221 123456,+49 151 1234567,"
        "old@brio.example;OLDER@brio.example\n",
    )
    (ada,) = people
    for identifier in (
        ada.uid,
        "https://www.linkedin.com/in/ada",
        "a@acme.example",
        "a@mail.example",
        "+49221123456",
        "+491511234567",
        "old@brio.example",
        "older@brio.example",
    ):
        assert people.find(identifier) is ada
    assert "brio" not in json.dumps(ada.candidate)


def test_a_derived_uid_is_stable_and_differs_between_people(tmp_path: Path) -> None:
    csv = "full_name,company,work_email\nAda,Acme,\nAda,Brio,\nAda,Acme,ada@acme.example\n"
    uids = [person.uid for person in some_people(tmp_path, csv)]
    assert len(set(uids)) == 3
    assert all(len(uid) == 32 and identify(uid) == uid for uid in uids)
    assert uids == [person.uid for person in some_people(tmp_path, csv)]


def test_a_new_job_keeps_the_derived_uid_of_a_linkedin_profile(tmp_path: Path) -> None:
    header = "full_name,linkedin_url,company,work_email\n"
    before = one(tmp_path, header + "Ada,linkedin.com/in/ada,Acme,ada@acme.example\n")
    after = one(tmp_path, header + "Ada,https://de.linkedin.com/in/Ada/,Brio,ada@brio.example\n")
    assert before["uid"] == after["uid"]


def test_of_two_people_with_one_identifier_the_first_has_it(tmp_path: Path) -> None:
    people = some_people(
        tmp_path,
        "uid,full_name,work_phone\n"
        f"{UID_OF_ADA},Ada,+49 221 123456\n{UID_OF_BOB},Bob,+49 221 123456\n",
    )
    found = people.find("+49221123456")
    assert found is not None
    assert found.uid == UID_OF_ADA
    assert people.find(UID_OF_BOB) is not None


def test_two_lines_with_one_uid_are_one_profile_found_by_the_identifiers_of_both() -> None:
    people = People([Person(UID_OF_ADA, {"n": 1}, ()), Person(UID_OF_ADA, {"n": 2}, ("b@x.y",))])
    assert len(people) == 1
    found = people.find("b@x.y")
    assert found is not None
    assert found.candidate == {"n": 1}


def test_files_as_spreadsheets_write_them_are_read(tmp_path: Path) -> None:
    path = tmp_path / "PEOPLE.CSV"
    path.write_bytes(
        b'\xef\xbb\xbffull_name, title\r\n"Ada\r\nExample",CTO\r\n,\r\n\r\nBob Example\r\n'
    )
    assert [person.candidate["fullName"] for person in load_people(path)] == [
        "Ada\r\nExample",
        "Bob Example",
    ]


SECRET = "Geheim"  # must not appear in any message


@pytest.mark.parametrize(
    ("content", "line", "reason"),
    [
        ("", 1, "no column full_name"),
        (f"{SECRET},ada@{SECRET}.example\n", 1, "no column full_name"),
        ("full_name;title\nA;B\n", 1, "no column full_name"),
        ("full_name,work_emial\n", 1, "unknown column 'work_emial'; remove it, or use one of: uid"),
        ("full_name,title,title\n", 1, "named twice"),
        (f"full_name,title\nAda,CTO\n,{SECRET}\n", 3, "full_name is blank"),
        (f"full_name\nAda,{SECRET}\n", 2, "more fields than the header"),
        (f'full_name\n"{SECRET}" x\n', 2, "not valid CSV"),
        (f'full_name\n"{SECRET}\n', 2, "not valid CSV"),
        (f"full_name,uid\n{SECRET},{SECRET}\n", 2, "uid must have 32"),
        (f"full_name,linkedin_url\n{SECRET},{SECRET}\n", 2, "linkedin_url is not a LinkedIn"),
        (f"full_name,linkedin_url\n{SECRET},a@b.example\n", 2, "linkedin_url is not a LinkedIn"),
        (f"full_name,work_email\n{SECRET},{SECRET}\n", 2, "work_email is not an e-mail"),
        (f"full_name,work_email\n{SECRET},+49 151 1234567\n", 2, "work_email is not an e-mail"),
        (f"full_name,personal_email\n{SECRET},{SECRET}@\n", 2, "personal_email is not an e-mail"),
        (f"full_name,known_emails\n{SECRET},a@b.example;{SECRET}\n", 2, "known_emails is not a"),
        (f"full_name,work_phone\n{SECRET},0221 123456\n", 2, "work_phone is not a phone number"),
        (f"full_name,mobile_phone\n{SECRET},a@b.example\n", 2, "mobile_phone is not a phone"),
        (f"full_name,work_email,work_email_rating\n{SECRET},a@b.example,85\n", 2, "70 or 100"),
        (f"full_name,started\n{SECRET},05/2024\n", 2, "started must read YYYY-MM"),
        (f"full_name,started\n{SECRET},2024-13\n", 2, "started must read YYYY-MM"),
    ],
)
def test_a_bad_csv_is_refused_by_line_without_quoting_anybody(
    tmp_path: Path, content: str, line: int, reason: str
) -> None:
    with pytest.raises(PeopleFileError, match=reason) as caught:
        some_people(tmp_path, content)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 'people.csv'}, line {line}: ")
    assert SECRET not in message
    assert "\n" not in message
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("name", ["people.csv", "people.jsonl"])
def test_a_file_that_is_not_there_or_not_text_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with pytest.raises(PeopleFileError, match="cannot be read") as caught:
        load_people(path)
    assert str(path) in str(caught.value)
    path.write_bytes(b"full_name\nZo\xeb\n")
    with pytest.raises(PeopleFileError, match="line 2: not UTF-8"):
        load_people(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(PeopleFileError, match="cannot be read"):
        load_people(path)


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PeopleFileError, match=r"ends in \.csv or \.jsonl"):
        load_people(tmp_path / "people.xlsx")


# JSON Lines


def json_lines(tmp_path: Path, *candidates: Any) -> People:
    path = tmp_path / "people.jsonl"
    text = "\n".join(json.dumps(candidate, ensure_ascii=False) for candidate in candidates)
    path.write_text(text, encoding="utf-8")
    return load_people(path)


def test_a_candidate_is_answered_as_it_stands(tmp_path: Path) -> None:
    candidate = {
        "uid": UID_OF_ADA,
        "fullName": "Ada\u2028Example",
        "contacts": [
            {"type": "email", "value": "Ada@acme.example", "rating": "85", "subType": None},
            {"type": "phone", "value": "+49 151 1234567", "rating": None, "info": "…"},
            {"type": "skype", "value": "ada.example"},
        ],
        "social": [
            {"type": "li", "link": "https://de.linkedin.com/in/Ada/"},
            {"type": "gh", "link": "https://github.example/ada"},
        ],
        "yearsOfExperience": 7,
    }
    people = json_lines(tmp_path, {**candidate, "knownEmails": ["Old@brio.example"]})
    items = [
        "ada@acme.example",
        "+491511234567",
        "linkedin.com/in/ada",
        UID_OF_ADA,
        "old@brio.example",
    ]
    answers = start(people).search(*items).json()
    assert [answer.get("candidate") for answer in answers] == [candidate] * 5
    assert start(people).search("ada.example").json()[0]["status"] == "failed"


def test_without_contacts_only_the_linkedin_link_is_left(tmp_path: Path) -> None:
    links = [{"type": "gh", "link": "https://github.example/ada"}, {"type": "li", "link": "x"}]
    people = json_lines(tmp_path, {"uid": UID_OF_ADA, "fullName": "Ada", "social": links})
    answer = start(people).search(UID_OF_ADA, withoutContacts=True).json()[0]
    assert (answer["candidate"]["contacts"], answer["candidate"]["social"]) == ([], links[1:])


def test_lists_of_a_candidate_may_be_null_or_missing(tmp_path: Path) -> None:
    nulls = {"contacts": None, "social": None, "knownEmails": None}
    people = json_lines(
        tmp_path,
        {"uid": UID_OF_ADA, "fullName": "Ada", **nulls},
        {"uid": UID_OF_BOB, "fullName": "Bob"},
    )
    api = start(people, rating_as_string=True)
    for without_contacts in (False, True):
        response = api.search(UID_OF_ADA, UID_OF_BOB, withoutContacts=without_contacts)
        assert [answer["status"] for answer in response.json()] == ["success"] * 2


def test_blank_lines_between_candidates_are_no_error(tmp_path: Path) -> None:
    path = tmp_path / "people.ndjson"
    line = json.dumps({"uid": UID_OF_ADA, "fullName": "Ada"})
    path.write_text(f"\ufeff\r\n{line}\r\n\r\n", encoding="utf-8")
    assert len(load_people(path)) == 1


@pytest.mark.parametrize(
    ("bad_line", "reason"),
    [
        (f"{{{SECRET}", "not JSON"),
        ("[" * 100_000, "not JSON"),
        (f'["{SECRET}"]', "not an object"),
        (f'{{"fullName": "{SECRET}"}}', "uid must be"),
        (f'{{"fullName": "{SECRET}", "uid": "{SECRET}"}}', "uid must be"),
        (f'{{"uid": "{UID_OF_BOB}"}}', "fullName must be"),
        (f'{{"uid": "{UID_OF_BOB}", "fullName": " "}}', "fullName must be"),
        (f'{{"uid": "{UID_OF_BOB}", "fullName": "B", "contacts": ["{SECRET}"]}}', "contacts must"),
        (f'{{"uid": "{UID_OF_BOB}", "fullName": "B", "social": {{"li": 1}}}}', "social must"),
        (f'{{"uid": "{UID_OF_BOB}", "fullName": "B", "knownEmails": "{SECRET}"}}', "knownEmails"),
    ],
)
def test_a_bad_candidate_is_refused_by_line_without_quoting_anybody(
    tmp_path: Path, bad_line: str, reason: str
) -> None:
    path = tmp_path / "people.jsonl"
    good = json.dumps({"uid": UID_OF_ADA, "fullName": "Ada"})
    path.write_text(f"{good}\n\n{bad_line}\n")
    with pytest.raises(PeopleFileError, match=reason) as caught:
        load_people(path)
    message = str(caught.value)
    assert message.startswith(f"{path}, line 3: ")
    assert SECRET not in message
    assert "\n" not in message
