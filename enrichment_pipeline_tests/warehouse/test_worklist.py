"""The work list: one row per person, in its lane, read in buying order page by page."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import duckdb

from enrichment_pipeline.lanes import FRESHNESS, PRIORITIES, Lane, LaneBlock
from enrichment_pipeline.warehouse.connection import transaction
from enrichment_pipeline.warehouse.suppressed_identifiers import hash_identifiers
from enrichment_pipeline.warehouse.worklist import (
    WIDE,
    CacheHits,
    DueWork,
    LaneWork,
    Narrowing,
    WorkItem,
    select_worklist,
    worklist_pages,
)
from enrichment_pipeline_tests.support import START
from enrichment_pipeline_tests.warehouse import ADA, BOB, DAY, FIRST, VERIFIED, World, alone

ALL_LANES = LaneBlock(FRESHNESS, PRIORITIES).lanes
ACCOUNTS = [{"account_id": tier, "tier": tier} for tier in PRIORITIES]


def select(
    world: World,
    *lanes: str,
    at: datetime = START,
    run_id: str = "run-1",
    provider: str = FIRST,
) -> dict[str, LaneWork]:
    """Select these lanes' work (all lanes' for none); what each lane that has any came to."""
    chosen = [Lane.from_key(key) for key in lanes] or ALL_LANES
    work = select_all(world, chosen, at=at, run_id=run_id, provider=provider)
    assert [each.lane for each in work.lanes] == chosen
    return {each.lane.key: each for each in work.lanes if each.lookups}


def select_all(
    world: World,
    lanes: list[Lane] = ALL_LANES,
    *,
    at: datetime = START,
    run_id: str = "run-1",
    provider: str = FIRST,
    narrowing: Narrowing = WIDE,
) -> DueWork:
    with transaction(world.connection):
        return select_worklist(
            world.connection,
            world.policy,
            lanes,
            waterfall=alone(provider),
            as_of=at,
            run_id=run_id,
            narrowing=narrowing,
        )


def pages(
    world: World, *lanes: str, page_rows: int = 10_000, provider: str = FIRST
) -> list[list[WorkItem]]:
    chosen = [Lane.from_key(key) for key in lanes] or ALL_LANES

    @contextmanager
    def lend() -> Iterator[duckdb.DuckDBPyConnection]:
        yield world.connection

    return list(worklist_pages(lend, chosen, provider, page_rows))


def on_accounts(**accounts: str) -> list[dict[str, str]]:
    """Contacts by id, each a person of its own, on these accounts."""
    return [
        {"contact_id": contact_id, "account_id": account, "email": f"{contact_id}@home.net"}
        for contact_id, account in accounts.items()
    ]


def test_a_row_says_whom_to_ask_for_and_by_what(world: World) -> None:
    world.load([{**ADA, "account_id": "target"}], ACCOUNTS)
    select(world, run_id="run-7")
    row = world.only("enrichment.worklist")
    assert row == {
        "contact_id": "C1",
        "person_key": world.persons()["C1"],
        "freshness": "new",
        "freshness_reason": "never_looked_up",
        "priority": "target",
        "priority_score": 2000.0,
        "lookup_identity": "https://www.linkedin.com/in/ada-example",
        "identity_kind": "linkedin",
        "provider": FIRST,
        "supersedes": "",
        "search_kind": None,
        "last_search_id": "",
        "contact_count": 1,
        "waiting_since": START,
        "run_id": "run-7",
        "ledger_revision": 0,
    }


def test_what_is_due_again_supersedes_the_last_lookup(world: World) -> None:
    world.load([ADA])
    lookup_id = world.look_up("C1", candidate=VERIFIED)
    select(world, at=START + 90 * DAY)
    row = world.only("enrichment.worklist")
    assert (row["freshness"], row["supersedes"]) == ("stale", lookup_id)
    assert row["waiting_since"] == START + 90 * DAY


def test_whoever_is_not_due_is_not_in_the_list(world: World) -> None:
    rows = on_accounts(fresh="", sent="", stopped="", refused="", new="")
    world.load([*rows, {"contact_id": "unusable", "full_name": "Ada"}])
    world.look_up_each(
        [
            ("fresh", {"candidate": VERIFIED}),
            ("sent", {"state": "open"}),
            ("stopped", {"outcome": "legal_stop"}),
            ("refused", {"outcome": "refused"}),
        ]
    )
    assert select(world) == {"new|bulk": LaneWork(Lane("new", "bulk"), contacts=1, lookups=1)}
    assert world.only("enrichment.worklist")["contact_id"] == "new"


def test_a_person_stands_once_under_the_contact_of_highest_priority(world: World) -> None:
    copies = [
        {**ADA, "contact_id": f"C-{account or 'none'}", "account_id": account}
        for account in ("bulk", "", "strategic", "standard")
    ]
    world.load([*copies, {**BOB, "account_id": "bulk"}], ACCOUNTS)
    work = select(world)
    assert work == {
        "new|strategic": LaneWork(Lane("new", "strategic"), contacts=4, lookups=1),
        "new|bulk": LaneWork(Lane("new", "bulk"), contacts=1, lookups=1),
    }
    row = world.only("enrichment.worklist", "contact_count > 1")
    assert (row["contact_id"], row["contact_count"]) == ("C-strategic", 4)


def test_within_a_priority_the_contact_of_the_highest_score_carries_the_person(
    world: World,
) -> None:
    accounts = [{"account_id": "small"}, {"account_id": "big", "employee_count": "5"}]
    world.load(
        [
            {**ADA, "contact_id": "C1", "account_id": "small"},
            {**ADA, "contact_id": "C2", "account_id": "big"},
            {**ADA, "contact_id": "C3", "account_id": "nowhere"},
        ],
        accounts,
    )
    select(world)
    assert world.only("enrichment.worklist")["contact_id"] == "C2"


def test_only_the_chosen_lanes_are_replaced(world: World) -> None:
    world.load(on_accounts(S="strategic", B="bulk"), ACCOUNTS)
    select(world, run_id="first")
    world.load(on_accounts(S="strategic", S2="strategic", B2="bulk"), ACCOUNTS)
    select(world, "new|strategic", "stale|strategic", run_id="second")
    found = {(row["contact_id"], row["run_id"]) for row in world.rows("enrichment.worklist")}
    assert found == {("S", "second"), ("S2", "second"), ("B", "first")}


def test_selecting_again_gives_the_same_rows(world: World) -> None:
    world.load(on_accounts(S="strategic", B="bulk"), ACCOUNTS)
    select(world)
    before = world.rows("enrichment.worklist")
    select(world)
    assert world.rows("enrichment.worklist") == before


def test_who_left_the_source_leaves_the_list(world: World) -> None:
    world.load([ADA, BOB])
    select(world)
    world.load([BOB])
    select(world)
    assert world.only("enrichment.worklist")["contact_id"] == "C2"


def test_a_lane_with_nothing_due_keeps_what_was_looked_up_last(world: World) -> None:
    world.load(on_accounts(S="strategic", B="bulk"), ACCOUNTS)
    select(world, run_id="first")
    before = world.rows("enrichment.worklist")
    world.look_up("S", candidate=VERIFIED, run_id="first")
    world.look_up("B", candidate=VERIFIED, run_id="first")
    assert select(world, run_id="second") == {}
    assert world.rows("enrichment.worklist") == before
    world.load(on_accounts(S="strategic", B="bulk", S2="strategic"), ACCOUNTS)
    select(world, run_id="third")
    assert {row["contact_id"] for row in world.rows("enrichment.worklist")} == {"B", "S2"}


def test_a_lane_with_nothing_due_keeps_nobody_who_was_not_looked_up(world: World) -> None:
    world.load(on_accounts(A="", B=""))
    select(world)
    world.load([{"contact_id": "A", "full_name": "Ada"}, *on_accounts(B="")])
    world.look_up("B", candidate=VERIFIED)
    assert select(world) == {}
    assert world.only("enrichment.worklist")["contact_id"] == "B"


def test_who_was_looked_up_and_left_the_source_leaves_the_list(world: World) -> None:
    world.load([ADA, BOB])
    select(world)
    world.look_up("C1", candidate=VERIFIED)
    world.look_up("C2", candidate=VERIFIED)
    world.load([BOB])
    select(world)
    assert world.only("enrichment.worklist")["contact_id"] == "C2"


def test_nobody_stands_in_two_lanes(world: World) -> None:
    world.load([ADA])
    select(world)
    world.look_up("C1", candidate=VERIFIED)
    select(world, at=START + 90 * DAY)
    assert world.only("enrichment.worklist")["freshness"] == "stale"


def test_who_one_provider_did_not_find_is_listed_for_another(world: World) -> None:
    world.load([ADA])
    world.look_up("C1", outcome="no_match")
    assert select(world) == {}
    assert set(select(world, provider="acme")) == {"new|bulk"}
    row = world.only("enrichment.worklist")
    assert (row["provider"], row["supersedes"]) == ("acme", "")
    assert pages(world) == []
    ((item,),) = pages(world, provider="acme")
    assert item.supersedes == ""
    missed = world.look_up("C1", provider="acme", outcome="no_match")
    assert pages(world, provider="acme") == []
    assert set(select(world, provider="acme", at=START + 30 * DAY)) == {"stale|bulk"}
    assert world.only("enrichment.worklist")["supersedes"] == missed


def test_a_lane_with_nothing_due_keeps_what_was_looked_up_at_the_listed_provider(
    world: World,
) -> None:
    world.load([ADA, BOB])
    select(world, run_id="first", provider="acme")
    world.look_up("C1", candidate=VERIFIED, run_id="first", provider="acme")
    world.look_up("C2", candidate=VERIFIED, run_id="first")
    world.look_up("C2", state="open", run_id="second", provider="acme")
    select(world, run_id="second", provider="acme")
    assert world.only("enrichment.worklist")["contact_id"] == "C1"


# --- reading it ------------------------------------------------------------------------


def test_the_list_is_read_in_buying_order(world: World) -> None:
    accounts = [*ACCOUNTS, {"account_id": "big", "tier": "target", "employee_count": "5"}]
    world.load(on_accounts(old="target", none=""), accounts, at=START - DAY)
    world.load(
        on_accounts(
            old="target", none="", bulk="bulk", big="big", young="target", first="strategic"
        ),
        accounts,
    )
    select(world)
    (page,) = pages(world)
    # of those who came at once the bigger account goes first; without any, last of all
    assert [item.contact_id for item in page] == ["first", "old", "big", "young", "bulk", "none"]
    first = page[0]
    assert first == WorkItem(
        identifiers=first.identifiers,
        known_by=first.known_by,
        ledger_revision=0,
        contact_id="first",
        person_key=world.persons()["first"],
        freshness="new",
        priority="strategic",
        lookup_identity="first@home.net",
        identity_kind="email",
        supersedes="",
        is_entered=False,
    )


def test_an_item_carries_all_that_its_person_is_known_by(world: World) -> None:
    other = {"contact_id": "C3", "linkedin_url": ADA["linkedin_url"], "email": "ada@home.net"}
    world.load([ADA, other])
    select(world)
    ((item,),) = pages(world)
    known_by = hash_identifiers(
        world.connection,
        [
            *(str(ADA["email"]), "ada@home.net", str(ADA["linkedin_url"])),
            *("acme.com", "example.com", "home.net", "contact:C1", "contact:C3"),
        ],
        "rows",
        phone_region="",
    )
    assert sorted(item.identifiers) == sorted(known_by)


def test_who_waits_since_nobody_knows_when_goes_first(world: World) -> None:
    world.load(on_accounts(A="", B="", C=""))
    select(world)
    world.connection.execute(
        "update enrichment.worklist set waiting_since = null where contact_id = 'B'"
    )
    (page,) = pages(world)
    assert page[0].contact_id == "B"


def test_paging_leaves_nobody_out_and_takes_nobody_twice(world: World) -> None:
    # ties in everything but the person, scores that are no round binary numbers, and nulls
    accounts = [{"account_id": f"A{n}", "employee_count": str(n)} for n in range(4)]
    world.load(on_accounts(**{f"C{n}": f"A{n % 5}" for n in range(20)}), accounts, at=START)
    select(world)
    world.connection.execute(
        "update enrichment.worklist set waiting_since = null where contact_id like 'C1%'"
    )
    (whole,) = pages(world)
    assert len({item.person_key for item in whole}) == 20
    for page_rows in (1, 2, 3, 7, 20, 21):
        cut = pages(world, page_rows=page_rows)
        assert [item for page in cut for item in page] == whole, page_rows
        assert [len(page) for page in cut[:-1]] == [page_rows] * (len(cut) - 1)


def test_only_the_chosen_lanes_are_read(world: World) -> None:
    world.load(on_accounts(S="strategic", B="bulk"), ACCOUNTS)
    select(world)
    (page,) = pages(world, "new|bulk", "stale|strategic")
    assert [item.contact_id for item in page] == ["B"]
    assert pages(world, "retry|bulk") == []


def test_who_was_looked_up_since_is_passed_over(world: World) -> None:
    world.load(on_accounts(A="", B="", C=""))
    select(world)
    world.look_up("A", candidate=VERIFIED)
    world.look_up("B", state="released")
    (page,) = pages(world)
    assert {item.contact_id for item in page} == {"B", "C"}


def test_the_warehouse_is_closed_while_a_page_is_worked_on(world: World) -> None:
    world.load(on_accounts(A="", B="", C=""))
    select(world)
    is_open = False

    @contextmanager
    def lend() -> Iterator[duckdb.DuckDBPyConnection]:
        nonlocal is_open
        is_open = True
        yield world.connection
        is_open = False

    seen = [is_open for _page in worklist_pages(lend, ALL_LANES, FIRST, page_rows=1)]
    assert seen == [False] * 3


# --- what need not be bought -------------------------------------------------------------

ADA_AGAIN = {"contact_id": "C3", "linkedin_url": ADA["linkedin_url"]}


def test_a_second_contact_of_one_person_is_a_hit_whenever_it_comes(world: World) -> None:
    world.load([ADA, ADA_AGAIN, BOB])
    assert select_all(world).cache_hits == CacheHits(person=1, miss=0)
    world.look_up("C1", candidate=VERIFIED)
    assert select_all(world).cache_hits == CacheHits(person=1, miss=0)
    world.load([ADA, ADA_AGAIN, BOB, {**ADA_AGAIN, "contact_id": "C4"}], at=START + DAY)
    work = select_all(world, at=START + DAY)
    assert (work.contacts, work.lookups) == (1, 1)  # Bob, who was never looked up
    assert work.cache_hits == CacheHits(person=2, miss=0)


def test_a_person_not_found_lately_is_a_hit_until_it_is_asked_again(world: World) -> None:
    world.load([ADA, ADA_AGAIN, BOB])
    world.look_up("C1", outcome="no_match")
    assert select_all(world, at=START + 29 * DAY).cache_hits == CacheHits(person=0, miss=1)
    assert select_all(world, at=START + 30 * DAY).cache_hits == CacheHits(person=1, miss=0)


def test_hits_are_counted_for_the_priorities_of_the_lanes(world: World) -> None:
    rows = [{**ADA, "account_id": "strategic"}, {**ADA_AGAIN, "account_id": "strategic"}]
    world.load(rows, ACCOUNTS)
    strategic, bulk = Lane("new", "strategic"), Lane("new", "bulk")
    assert select_all(world, [strategic]).cache_hits.person == 1
    assert select_all(world, [bulk]).cache_hits.person == 0


def test_a_careful_run_lists_chosen_persons_and_the_most_important_of_them(world: World) -> None:
    people = [
        {"contact_id": f"C{index}", "email": f"p{index}@acme.com", "account_id": tier}
        for index, tier in enumerate(reversed(PRIORITIES))
    ]
    # whose person is carried by the row of the more important account
    people.append({**people[0], "contact_id": "C0 again", "account_id": "strategic"})
    world.load(people, ACCOUNTS)

    def listed(narrowing: Narrowing) -> list[str]:
        work = select_all(world, narrowing=narrowing)
        [items] = pages(world)
        assert work.lookups == len(items)
        return [item.contact_id for item in items]

    assert listed(WIDE) == ["C0 again", "C3", "C2", "C1"]
    assert listed(Narrowing(lookups=2)) == ["C0 again", "C3"]
    assert listed(Narrowing(contacts=("C0", "C2"))) == ["C0 again", "C2"]
    assert listed(Narrowing(contacts=("C0", "C2"), lookups=1)) == ["C0 again"]
    assert select_all(world, narrowing=Narrowing(lookups=0)).lookups == 0
    assert select_all(world, narrowing=Narrowing(contacts=())).lookups == 0
