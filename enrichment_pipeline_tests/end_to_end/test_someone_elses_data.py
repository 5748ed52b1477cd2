"""A public sample that nobody here made, as somebody new would try it: a policy of a few lines, and
a sandbox with people of one's own.

`us-500-excerpt.csv` is the beginning of a list of invented people that has been in use for testing
for decades: no ids, no accounts, national phone numbers, its own names for the columns.
"""

from __future__ import annotations

import csv
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from enrichment_pipeline_tests.end_to_end.leaks import leaks, secrets
from enrichment_pipeline_tests.end_to_end.world import (
    Row,
    enrichment,
    outcomes,
    rows,
    start_enrichment,
)
from enrichment_pipeline_tests.support import write_csv

EXCERPT = Path(__file__).with_name("us-500-excerpt.csv")
POLICY = """\
[source]
attach = "downloads"
contacts = '''
    select
        md5(lower(email)) as contact_id, first_name, last_name, company_name,
        web as company_domain, phone1 as phone, if(zip like '1%', null, email) as email
    from "us-500-excerpt"
'''

[identity]
phone_region = "US"
"""
FREE_MAIL = ("gmail.com", "yahoo.com", "hotmail.com", "aol.com", "cox.net")

pytestmark = pytest.mark.timeout(300)


def listed() -> list[dict[str, str]]:
    with EXCERPT.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def person(row: dict[str, str]) -> Row:
    """What a provider may know of somebody on the list."""
    kind = "personal" if row["email"].endswith(FREE_MAIL) else "work"
    return {
        "full_name": f"{row['first_name']} {row['last_name']}",
        "company": row["company_name"],
        "company_domain": row["web"].removeprefix("http://www."),
        "location": f"{row['city']}, {row['state']}",
        f"{kind}_email": row["email"],
        "work_phone": f"+1 {row['phone1']}",
    }


@contextmanager
def sandbox_with(people: Path) -> Iterator[dict[str, str]]:
    """`enrichment sandbox --people`; the variables that it tells its user to set."""
    process = start_enrichment(people.parent, "sandbox", "--port", "0", "--people", str(people))
    try:
        assert process.stdout is not None
        told = process.stdout.readline().removeprefix("sandbox: ").split()
        yield dict(pair.split("=", 1) for pair in told)
    finally:
        process.terminate()
        out, err = process.communicate(timeout=30)
        assert (process.returncode, err) == (0, ""), out


def run(folder: Path) -> subprocess.CompletedProcess[str]:
    known = [person(row) for number, row in enumerate(listed()) if number % 5]
    people = write_csv(folder / "people.csv", known)
    policy = folder / "enrichment.toml"
    policy.write_text(POLICY, encoding="utf-8")
    downloads = folder / "downloads"
    downloads.mkdir()
    (downloads / EXCERPT.name).write_bytes(EXCERPT.read_bytes())
    with sandbox_with(people) as told:
        return enrichment(folder, "run", ENRICHMENT_CONFIG=policy, **told)


@pytest.mark.long
def test_a_public_list_is_enriched_with_a_policy_of_a_few_lines(tmp_path: Path) -> None:
    ended = run(tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    home = tmp_path / "state"
    found = outcomes(home)
    people = listed()
    assert len(found) == len(people) == 30
    unknown = [row for number, row in enumerate(people) if number % 5 == 0]
    assert sorted(found.values(), key=str) == sorted(
        [("enriched", None)] * 24 + [("needs_review", "no_match")] * len(unknown), key=str
    )

    kinds = dict(rows(home, "select identity_kind, count(*) from enrichment.worklist group by 1"))
    without_email = sum(row["zip"].startswith("1") for row in people)
    # by a number without its country code, which the policy names
    assert kinds == {"email": 30 - without_email, "phone": without_email}
    assert without_email > 0

    enriched = rows(
        home,
        "select full_name, enriched_contacts.company_domain, "
        "coalesce(work_email, personal_email), direct_phone, "
        "job_changed, priority from enrichment.enriched_contacts "
        "join enrichment.contact_status using (contact_id) order by 1",
    )
    assert enriched == sorted(
        (
            f"{row['first_name']} {row['last_name']}",
            row["web"].removeprefix("http://www."),
            row["email"],
            "+1" + row["phone1"].replace("-", ""),
            False,
            # nobody's account: last in line, but in it
            "bulk",
        )
        for row in people
        if row not in unknown
    )
    personal: list[Row] = [
        {"full_name": f"{row['first_name']} {row['last_name']}", "email": row["email"]}
        for row in people
    ]
    assert leaks(secrets(personal), ended.stdout, ended.stderr, folder=home) == []
