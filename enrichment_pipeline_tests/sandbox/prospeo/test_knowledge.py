"""What Prospeo's stand-in knows of people, and gets wrong: drawn for each, always the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from enrichment_pipeline.sandbox.directory import Person, known_elsewhere
from enrichment_pipeline.sandbox.prospeo.config import ProspeoConfig
from enrichment_pipeline.sandbox.prospeo.knowledge import Knowledge, as_company, as_person
from enrichment_pipeline_tests.sandbox import ADA, BOB, people_in
from enrichment_pipeline_tests.sandbox.prospeo import KNOWS_ALL

COUNT = 1_000


def email(number: int) -> str:
    return f"person-{number}@crowd.example"


def crowd(count: int = COUNT) -> list[Person]:
    return [
        Person(f"{n:032x}", {"full_name": f"P {n}", "work_email": email(n)}, (email(n),))
        for n in range(count)
    ]


def known(people: list[Person], **settings: Any) -> Knowledge:
    return Knowledge(people, ProspeoConfig(**{**KNOWS_ALL, **settings}))


def uids(knowledge: Knowledge) -> dict[int, str]:
    found = {n: knowledge.find({"email": email(n)}) for n in range(COUNT)}
    return {n: profile.uid for n, profile in found.items() if profile is not None}


def test_it_knows_a_share_of_the_people_whatever_others_there_are() -> None:
    some = uids(known(crowd(), known=0.65))
    assert 0.6 < len(some) / COUNT < 0.7
    fewer = uids(known(crowd(300), known=0.65))
    assert fewer == {n: uid for n, uid in some.items() if n < 300}
    assert uids(known(crowd(), known=0.65, seed=1)) != some
    assert all(uid == f"{n:032x}" for n, uid in some.items())


def test_some_are_taken_for_another_person() -> None:
    found = uids(known(crowd(), wrong_person=0.05))
    wrong = [n for n, uid in found.items() if uid != f"{n:032x}"]
    assert 20 < len(wrong) < 90


def test_some_emails_do_not_exist_and_pass_for_verified_all_the_same() -> None:
    knowledge = known(crowd(), dead_email=0.1)
    profiles = [knowledge.find({"email": email(n)}) for n in range(COUNT)]
    dead = [n for n, one in enumerate(profiles) if one is not None and one.email != email(n)]
    assert 70 < len(dead) < 130
    assert all(one is not None and one.is_verified for one in profiles)


def test_a_namesake_is_who_is_given_in_the_place_of_another() -> None:
    people = [
        Person(str(n) * 32, {"full_name": name, "work_email": email(n)}, (email(n),))
        for n, name in enumerate(("Ada Example", "Bob Example", "ada EXAMPLE"))
    ]
    found = known(people, wrong_person=1.0).find({"email": email(0)})
    assert found is not None
    assert found.uid == "2" * 32


def test_of_a_change_of_job_it_may_not_have_heard(tmp_path: Path) -> None:
    people = people_in(tmp_path, [ADA, BOB])
    by_email = {"email": "bob@brio.example"}
    heard = known(people).find(by_email)
    unheard = known(people, stale_employer=1.0).find(by_email)
    assert heard is not None
    assert unheard is not None
    assert (heard.email, unheard.email) == ("bob@brio.example", "bob@acme.example")
    for profile, name in ((heard, "Brio"), (unheard, "Acme GmbH")):
        company = as_company(profile)
        person = as_person(profile, shows_mobile=False, is_masked=False)
        current = [job["company_name"] for job in person["job_history"] if job["current"]]
        assert company is not None
        assert (company["name"], current) == (name, [name])
    # a change of long ago is known
    long_ago = people_in(tmp_path, [ADA, {**BOB, "started": "2024-01"}, {**ADA, **LATEST}])
    found = known(long_ago, stale_employer=1.0).find(by_email)
    assert found is not None
    assert found.email == "bob@brio.example"


LATEST = {"uid": "d" * 32, "linkedin_url": "", "work_email": "", "started": "2026-01"}


def test_another_file_adds_people_and_what_is_known_of_them(tmp_path: Path) -> None:
    ada = {"uid": ADA["uid"], "full_name": "Ada Example", "work_email": "a.example@acme.example"}
    merged = known_elsewhere(people_in(tmp_path, [ADA]), people_in(tmp_path, [ada, BOB]))
    assert [person.uid for person in merged] == [ADA["uid"], BOB["uid"]]
    assert merged[0].row["work_email"] == "a.example@acme.example"
    assert merged[0].row["linkedin_url"] == ADA["linkedin_url"]
    assert {"ada@acme.example", "a.example@acme.example"} <= set(merged[0].identifiers)
