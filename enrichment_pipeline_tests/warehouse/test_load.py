"""Loading: what is new, what changed, what left, and what is not touched."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import timedelta
from typing import Any

import duckdb
import pytest

from enrichment_pipeline.errors import PipelineError
from enrichment_pipeline.warehouse.load import LoadCounts, refuse_sudden_shrink
from enrichment_pipeline_tests.support import START
from enrichment_pipeline_tests.warehouse import ADA, BOB, DAY, World, contents

LATER = START + timedelta(hours=1)


def loaded_at(world: World) -> dict[str, Any]:
    return {row["contact_id"]: row["loaded_at"] for row in world.rows("staging.contacts")}


def test_the_first_load_takes_everybody(world: World) -> None:
    assert world.load([ADA, BOB]) == LoadCounts(present=2, changed=2, left=0)
    assert loaded_at(world) == {"C1": START, "C2": START}


def test_columns_that_nothing_reads_are_named(world: World) -> None:
    assert world.load([{**ADA, "e_mail": "ada@acme.com", "Owner": "eve"}]).unread == (
        "e_mail",
        "owner",
    )


@pytest.mark.parametrize("at", [START, LATER], ids=["at the same instant", "later"])
def test_loading_the_same_again_changes_nothing(world: World, at: Any) -> None:
    accounts = [{"account_id": "A1", "tier": "target", "annual_revenue": "5"}]
    people = [{**ADA, "phone": "+49 30 901820"}, BOB, {"contact_id": "C3", "full_name": "X Y"}]
    world.load(people, accounts)
    before = contents(world.connection)
    assert world.load(people, accounts, at=at) == LoadCounts(present=3, changed=0, left=0)
    assert contents(world.connection) == before


def test_the_order_of_the_rows_does_not_matter(world: World) -> None:
    world.load([ADA, BOB])
    before = contents(world.connection)
    world.load([BOB, ADA], at=LATER)
    assert contents(world.connection) == before


def test_only_what_is_new_or_changed_is_written(world: World) -> None:
    world.load([ADA, BOB])
    new = {"contact_id": "C3", "full_name": "Cy New"}
    counts = world.load([{**ADA, "job_title": "CTO"}, BOB, new], at=LATER)
    assert counts == LoadCounts(present=3, changed=2, left=0)
    assert loaded_at(world) == {"C1": LATER, "C2": START, "C3": LATER}


def test_a_change_in_any_column_counts(world: World) -> None:
    changes = {
        "updated_at": "2026-01-02",
        "job_title": "CTO",
        "email": "",
        "account_id": "A9",
        "phone": "+49 30 901820",
    }
    row = {**ADA, "updated_at": "2026-01-01"}
    rows = [{**row, "contact_id": name} for name in [*changes, "nothing"]]
    world.load(rows)
    changed = [
        {**row, name: changes[name]} if (name := row["contact_id"]) in changes else row
        for row in rows
    ]
    assert world.load(changed, at=LATER).changed == len(changes)
    loaded = world.rows("staging.contacts", f"loaded_at = '{LATER}'")
    assert {row["contact_id"] for row in loaded} == changes.keys()


def test_a_value_that_moves_to_the_next_column_counts(world: World) -> None:
    world.load([{"contact_id": "C1", "first_name": "Ada", "last_name": ""}])
    moved = {"contact_id": "C1", "first_name": "", "last_name": "Ada"}
    assert world.load([moved], at=LATER).changed == 1


def test_a_contact_that_left_is_marked_and_comes_back(world: World) -> None:
    world.load([ADA, BOB])
    persons = world.persons()
    assert world.load([BOB], at=LATER) == LoadCounts(present=1, changed=0, left=1)
    gone = world.only("staging.contacts", "left_at is not null")
    assert (gone["contact_id"], gone["left_at"]) == ("C1", LATER)
    assert world.rows("staging.source_contact_ids") == [{"contact_id": "C2", "source_rows": 1}]
    assert world.load([BOB], at=LATER + DAY).left == 0
    assert world.only("staging.contacts", "contact_id = 'C1'")["left_at"] == LATER

    counts = world.load([ADA, BOB], at=LATER + 2 * DAY)
    assert counts == LoadCounts(present=2, changed=1, left=0)
    assert world.rows("staging.contacts", "left_at is not null") == []
    assert world.persons() == persons


def test_an_account_changes_leaves_and_comes_back(world: World) -> None:
    one, two = {"account_id": "A1", "tier": "target"}, {"account_id": "A2", "tier": "bulk"}
    world.load([ADA], [one, two])
    world.load([ADA], [{**one, "tier": "strategic"}], at=LATER)
    found = {row["account_id"]: row for row in world.rows("staging.accounts")}
    assert (found["A1"]["tier"], found["A1"]["loaded_at"]) == ("strategic", LATER)
    assert (found["A2"]["left_at"], found["A2"]["loaded_at"]) == (LATER, START)
    world.load([ADA], [two, one], at=LATER + DAY)
    assert world.rows("staging.accounts", "left_at is not null") == []


def test_another_phone_region_reads_every_number_again(world: World) -> None:
    row = {"contact_id": "C1", "full_name": "Ada Example", "phone": "030 901820"}
    world.load([row])
    assert world.only("staging.contact_parts")["phone"] is None
    world.load([row], at=LATER, phone_region="DE")
    assert world.only("staging.contact_parts")["phone"] == "+4930901820"


def parts(world: World, *given: dict[str, str]) -> list[dict[str, Any]]:
    """The normalised parts of contacts with these columns, in order."""
    world.load({"contact_id": f"C{n}", **columns} for n, columns in enumerate(given))
    return world.rows("staging.contact_parts")


def test_a_national_number_is_read_by_the_country_of_the_company(world: World) -> None:
    number = {"phone": "030 901820"}
    found = parts(
        world,
        {**number, "company_domain": "acme.de"},
        {**number, "email": "ada@acme.de"},
        {**number, "company_domain": "acme.fr"},
        {**number, "company_domain": "acme.com"},
        {**number, "company_domain": "acme.io"},
    )
    assert [row["phone"] for row in found] == ["+4930901820"] * 2 + [None] * 3


def test_the_company_domain_is_registrable_and_no_mail_providers(world: World) -> None:
    found = parts(
        world,
        {"company_domain": "https://www.Acme.co.uk/about"},
        {"company_domain": "", "email": "a@mail.acme.de"},
        {"company_domain": "gmail.com", "email": "a@acme.de"},
        {"company_domain": "gmail.com", "email": "a@gmail.com"},
        {"company_domain": "", "email": "a@mailinator.com"},
        {"company_domain": "localhost"},
        {"company_domain": "not a domain"},
        {},
    )
    domains = [row["company_domain"] for row in found]
    assert domains == ["acme.co.uk", "acme.de", "acme.de", *[None] * 5]


def test_text_that_looks_like_sql_stays_text(world: World) -> None:
    name = "Robert'); drop table staging.contacts;-- $as_of"
    world.load([{"contact_id": name, "full_name": name, "email": "b@x.com"}])
    contact = world.only("staging.contacts")
    assert (contact["contact_id"], contact["full_name"]) == (name, name)


# --- a source that has lost contacts -----------------------------------------------------


def people(number: int) -> list[dict[str, str]]:
    return [{"contact_id": f"P{one}", "email": f"p{one}@acme.com"} for one in range(number)]


@pytest.mark.parametrize(
    ("known", "present", "max_shrink", "lack"),
    [
        (100, range(79), 0.2, "has lost 21 of the 100 contacts"),
        (100, range(80), 0.2, None),
        (21, range(2), 0.2, None),
        (20, range(0), 0.9, "gives no contacts at all, but gave 20 before"),
        # ids that are gone, also where as many new ones came
        (100, range(100, 200), 0.2, "has lost 100 of the 100 contacts"),
        (100, range(100, 200), 1, None),
    ],
)
def test_more_than_a_fifth_of_the_ids_and_at_least_twenty_must_not_be_gone_at_once(
    known: int, present: range, max_shrink: float, lack: str | None
) -> None:
    with duckdb.connect() as connection:
        connection.execute("create schema staging")
        connection.execute(
            "create table staging.contacts as "
            "select range as contact_id, null as left_at from range(?)",
            [known],
        )
        connection.execute(
            "create table staging.entered_contacts (contact_id bigint, is_in_source boolean)"
        )
        connection.execute(
            "create table incoming_contacts as select range as contact_id from range(?, ?)",
            [present.start, present.stop],
        )
        expected = pytest.raises(PipelineError, match=lack) if lack else nullcontext()
        with expected:
            refuse_sudden_shrink(connection, max_shrink)


def test_a_source_that_has_lost_many_contacts_changes_nothing_unless_the_policy_lets_it(
    world: World,
) -> None:
    world.load(people(21))
    tables = contents(world.connection)
    with pytest.raises(
        PipelineError, match=r"lost 20 of the 21 .* no contact was .* --accept-shrink"
    ):
        world.load(people(1), at=LATER)
    assert contents(world.connection) == tables
    assert world.load(people(1), at=LATER, max_shrink=1).left == 20
    assert world.load(people(1), at=LATER + DAY).present == 1
