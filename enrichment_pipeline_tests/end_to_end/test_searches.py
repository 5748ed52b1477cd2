"""Contacts that are a name and a company: from the search to the enriched row, end to end."""

from __future__ import annotations

import copy
import csv
import json
import shutil
import signal
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from enrichment_pipeline.corrections import Corrections
from enrichment_pipeline.dispatch.progress import DispatchReport
from enrichment_pipeline.lanes import FRESHNESS, PRIORITIES, Lane
from enrichment_pipeline.policy import Policy
from enrichment_pipeline.run import Run
from enrichment_pipeline.sandbox.signalhire.people import load_people
from enrichment_pipeline.settings import Settings
from enrichment_pipeline.state import release_run_lock
from enrichment_pipeline.steps.buy_lookups import buy_lookups
from enrichment_pipeline.steps.context import RunContext
from enrichment_pipeline.steps.copy_answers import copy_answers
from enrichment_pipeline.steps.derive_facts import derive_facts
from enrichment_pipeline.steps.derive_outcomes import derive_outcomes
from enrichment_pipeline.steps.load_source import load_accounts, load_contacts
from enrichment_pipeline.steps.plan import plan
from enrichment_pipeline.steps.prepare import open_state, prepare
from enrichment_pipeline.steps.search_profiles import search_profiles
from enrichment_pipeline.steps.select_work import select_work
from enrichment_pipeline.stores import Stores
from enrichment_pipeline.warehouse.worklist import CacheHits
from enrichment_pipeline_tests.dispatch import Told
from enrichment_pipeline_tests.dying import exit_codes
from enrichment_pipeline_tests.end_to_end.world import (
    PROJECT,
    Row,
    ledger_rows,
    make_state,
    outcomes,
    record,
    rows,
)
from enrichment_pipeline_tests.sandbox import journal_lines
from enrichment_pipeline_tests.support import (
    RunningSandbox,
    once_for_all_workers,
    people_of,
    policy_for,
    running_sandbox,
    settings_for,
    write_csv,
)

LANES = [Lane(f, p) for f, p in product(FRESHNESS, PRIORITIES)]
DAY_ONE = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
LABELLED = PROJECT / "data" / "matching"

ADA: Row = {"contact_id": "ada", "full_name": "Ada Quentzel", "company_name": "Quillforge GmbH"}
QUILLFORGE: Row = {"company": "Quillforge", "company_domain": "quillforge.com"}
ADAS_PROFILE: Row = {
    "uid": "a" * 32,
    "full_name": "Ada Quentzel",
    "title": "Chief Archivist",
    "work_email": "ada@quillforge.com",
    **QUILLFORGE,
}
ADAS_NAMESAKE: Row = {
    "uid": "b" * 32,
    "full_name": "Ada Quentzel",
    "title": "Gardener",
    "work_email": "ada.q@quillforge.com",
    **QUILLFORGE,
}
pytestmark = pytest.mark.timeout(400)

FLOORLESS = {"floors": dict.fromkeys(PRIORITIES, 0.0)}


class World:
    """A source, a sandbox over its people, and runs over both."""

    def __init__(self, folder: Path, contacts: Sequence[Row], accounts: Sequence[Row] = ()) -> None:
        self.folder = folder
        self.home = folder / "state"
        self.source = folder / "source"
        self.contacts(contacts)
        if accounts:
            write_csv(self.source / "accounts.csv", accounts)
        self.runs = 0

    def copied(self, folder: Path) -> World:
        """The same in another folder; its source stays, since its path is in the state's stamp."""
        world = copy.copy(self)
        shutil.copytree(self.folder, folder, symlinks=True, dirs_exist_ok=True)
        world.folder, world.home = folder, folder / "state"
        return world

    def contacts(self, contacts: Sequence[Row]) -> None:
        write_csv(self.source / "contacts.csv", contacts)

    def settings(self, sandbox: RunningSandbox | None, **sections: Any) -> Settings:
        url = sandbox.base_url if sandbox else None
        return settings_for(self.home, self.policy(**sections), url)

    def policy(self, **sections: Any) -> Policy:
        signalhire = {"items_per_window": 100_000, "window_seconds": 1.0, "search": "on"}
        given = {"budget": FLOORLESS, **sections}
        given["signalhire"] = signalhire | sections.get("signalhire", {})
        return policy_for(self.source, **given)

    def run(
        self, sandbox: RunningSandbox, as_of: datetime = DAY_ONE, **sections: Any
    ) -> DispatchReport:
        """One run of all steps, dated with that instant; what its searches came to."""
        self.runs += 1
        settings = self.settings(sandbox, **sections)
        report = run_steps(settings, f"run-{self.runs}", as_of)
        return report or DispatchReport()

    def decide(self, sandbox: RunningSandbox, decision: str, uid: str) -> None:
        """A reviewer's decision on Ada and a profile, by an imported file."""
        row = {"contact_id": "ada", "decision": decision, "provider_uid": uid}
        file = write_csv(self.folder / "decisions.csv", [row])
        taken = Corrections(self.settings(sandbox)).import_review(file, decided_by="eve")
        assert taken.problems == ()

    @property
    def asked(self) -> list[dict[str, Any]]:
        """The calls of the Search API that the sandbox answered."""
        path = self.folder / "searches.jsonl"
        return journal_lines(path) if path.exists() else []

    @property
    def charged(self) -> Counter[str]:
        path = self.folder / "journal.jsonl"
        lines = journal_lines(path) if path.exists() else []
        return Counter(line["uid"] for line in lines)


def search(settings: Settings, run_id: str, as_of: datetime) -> None:
    """The steps of a run from the work list to the searches."""
    run = Run(run_id, as_of, is_simulated=True)
    context = RunContext(Stores(settings), run)
    prepare(context)
    select_work(context, LANES)
    search_profiles(context, LANES, Told())


def run_steps(settings: Settings, run_id: str, as_of: datetime) -> DispatchReport | None:
    make_state(settings)
    run = Run(run_id, as_of, is_simulated=True)
    context = RunContext(Stores(settings), run)
    prepare(context)
    try:
        if Path(str(settings.source), "accounts.csv").exists():
            load_accounts(context)
        load_contacts(context)
        select_work(context, LANES)
        report = search_profiles(context, LANES, Told()).report
        buy_lookups(context, LANES, Told())
        copy_answers(context)
        derive_facts(context)
        derive_outcomes(context)
    finally:
        release_run_lock(settings.home, run_id)
    return report


@contextmanager
def sandbox_of(world: World, people: Sequence[Row], **config: Any) -> Iterator[RunningSandbox]:
    directory = people_of(world.folder / "people.csv", people)
    searches = config.pop("searches", world.folder / "searches.jsonl")
    with running_sandbox(
        directory, world.folder / "journal.jsonl", searches=searches, **config
    ) as sandbox:
        yield sandbox


# --- what becomes of a search ----------------------------------------------------------


CARA: Row = {**ADA, "contact_id": "cara", "full_name": "Cara Quandt", "job_title": "gardener"}
BODO: Row = {
    **ADA,
    "contact_id": "bodo",
    "full_name": "Bodo Quirrel",
    "company_domain": "quillforge.com",
}
DORA: Row = {
    "contact_id": "dora",
    "full_name": "Dora Quist",
    "company_name": "Brambleworks Nordic",
}
EMIL: Row = {**ADA, "contact_id": "emil", "full_name": "Emil Quade"}
ALL_KINDS = [ADA, BODO, CARA, DORA, EMIL]
PEOPLE_OF_ALL_KINDS: list[Row] = [
    ADAS_PROFILE,
    ADAS_NAMESAKE,
    {
        **ADAS_PROFILE,
        "uid": "c" * 32,
        "full_name": "Bodo Quirrel",
        "company": "Saltmarsh",
        "company_domain": "saltmarsh.com",
        "previous_company": "Quillforge",
        "work_email": "bodo@saltmarsh.com",
    },
    {
        **ADAS_PROFILE,
        "uid": "d" * 32,
        "full_name": "Dora Quist",
        "company": "Brambleworks Nordic Holding",
        "company_domain": "brambleworks.com",
    },
    {**ADAS_PROFILE, "uid": "e" * 32, "full_name": "Emil Quade", "work_email": "emil@qf.com"},
    {**ADAS_PROFILE, "uid": "f" * 32, "full_name": "Cara Quandt", "work_email": "c1@qf.com"},
    {**ADAS_NAMESAKE, "uid": "0" * 32, "full_name": "Cara Quandt", "work_email": "c2@qf.com"},
]


@pytest.fixture(scope="module")
def searched_once(tmp_path_factory: pytest.TempPathFactory) -> tuple[World, DispatchReport]:
    """A world after one run, with a contact of each kind, and the results of its searches."""

    def make(folder: Path) -> tuple[World, DispatchReport]:
        world = World(folder, ALL_KINDS)
        with sandbox_of(world, PEOPLE_OF_ALL_KINDS) as sandbox:
            return world, world.run(sandbox)

    return once_for_all_workers(tmp_path_factory, "searched", make)


@pytest.fixture
def searched(searched_once: tuple[World, DispatchReport], tmp_path: Path) -> World:
    """That world, for a test of its own to go on with."""
    return searched_once[0].copied(tmp_path)


def test_what_a_search_found_is_looked_up_by_its_uid(
    searched_once: tuple[World, DispatchReport],
) -> None:
    world, report = searched_once
    assert (report.no_match, report.found) == (1, 5)
    # a clear winner
    row = record(world.home, "enrichment.enriched_contacts", "emil")
    assert (row["work_email"], row["provider_uid"]) == ("emil@qf.com", "e" * 32)
    # a title tells namesakes apart
    assert record(world.home, "enrichment.enriched_contacts", "cara")["provider_uid"] == "0" * 32
    # who has left is found by the second try
    row = record(world.home, "enrichment.enriched_contacts", "bodo")
    assert (row["company_name"], row["job_changed"]) == ("Saltmarsh", True)
    assert world.charged == {"e" * 32: 1, "0" * 32: 1, "c" * 32: 1}
    assert ledger_rows(world.home, "select distinct item_kind from lookups") == [("uid",)]


def test_several_too_close_to_call_are_for_a_person(
    searched_once: tuple[World, DispatchReport],
) -> None:
    world, _ = searched_once
    assert outcomes(world.home)["ada"] == ("needs_review", "ambiguous_match")
    review = record(world.home, "enrichment.needs_review", "ada")
    assert "2 profiles" in review["detail"]
    shown = json.loads(review["candidate"])
    assert {each["uid"] for each in shown} == {"a" * 32, "b" * 32}
    assert all(each["score"] > 0 for each in shown)


def test_what_was_found_stays_the_identity_when_its_answer_is_old(searched: World) -> None:
    calls = len(searched.asked)
    with sandbox_of(searched, PEOPLE_OF_ALL_KINDS) as sandbox:
        searched.run(sandbox, DAY_ONE + timedelta(days=91))
    asked_again = {call["query"]["fullName"] for call in searched.asked[calls:]}
    assert not asked_again & {"Emil Quade", "Cara Quandt", "Bodo Quirrel"}
    assert searched.charged == {"e" * 32: 2, "0" * 32: 2, "c" * 32: 2}


def test_a_pick_and_a_changed_policy_are_applied_to_what_was_answered(searched: World) -> None:
    calls = len(searched.asked)
    assert outcomes(searched.home)["dora"] == ("needs_review", "ambiguous_match")
    with sandbox_of(searched, PEOPLE_OF_ALL_KINDS) as sandbox:
        searched.decide(sandbox, "accept", "b" * 32)
        later = searched.run(sandbox, DAY_ONE + timedelta(days=2), search={"min_score": 0.7})
    assert later.offered == 0
    assert len(searched.asked) == calls
    assert outcomes(searched.home)["ada"] == ("enriched", None)
    assert record(searched.home, "enrichment.enriched_contacts", "ada")["provider_uid"] == "b" * 32
    assert outcomes(searched.home)["dora"] == ("enriched", None)
    assert searched.charged == dict.fromkeys(("e" * 32, "0" * 32, "c" * 32, "b" * 32, "d" * 32), 1)


@pytest.mark.long
def test_a_profile_that_a_reviewer_rejected_is_never_looked_up(tmp_path: Path) -> None:
    world = World(tmp_path, [ADA])
    with sandbox_of(world, [ADAS_PROFILE, ADAS_NAMESAKE]) as sandbox:
        world.run(sandbox)
        world.decide(sandbox, "reject", "a" * 32)
        world.run(sandbox, DAY_ONE + timedelta(days=1))
    assert world.charged == {}


@pytest.mark.long
def test_none_is_a_miss_that_is_remembered_like_any(tmp_path: Path) -> None:
    world = World(tmp_path, [ADA])
    with sandbox_of(world, [{**ADAS_PROFILE, "full_name": "Somebody Else"}]) as sandbox:
        world.run(sandbox)
        assert outcomes(world.home)["ada"] == ("needs_review", "no_match")
        assert [set(call["query"]) for call in world.asked] == [
            {"fullName", "currentCompany"},
            {"fullName", "currentPastCompany"},
        ]
        early = world.run(sandbox, DAY_ONE + timedelta(days=29))
        instant = DAY_ONE + timedelta(days=29)
        run = Run("plan", instant, is_simulated=True)
        planned = plan(RunContext(Stores(world.settings(sandbox)), run), LANES)
        assert planned.work.cache_hits == CacheHits(person=0, miss=1)
        late = world.run(sandbox, DAY_ONE + timedelta(days=31))
    assert (early.offered, late.offered) == (0, 2)
    assert len(world.asked) == 4


@pytest.mark.long
def test_contacts_that_turn_out_to_be_one_person_are_bought_once(tmp_path: Path) -> None:
    domain = {"company_domain": "quillforge.com"}
    world = World(
        tmp_path,
        [
            {"contact_id": "latin", "full_name": "Smirnova, Olga", "company_name": "Quillforge"},
            {"contact_id": "cyrillic", "full_name": "Ольга Смирнова", **domain},
        ],
    )
    with sandbox_of(world, [{**ADAS_PROFILE, "full_name": "Olga Smirnova"}]) as sandbox:
        world.run(sandbox)
        assert {status for status, _ in outcomes(world.home).values()} == {"enriched"}
        world.run(sandbox, DAY_ONE + timedelta(days=1))
    assert world.charged == {"a" * 32: 1}
    [(persons,)] = rows(
        world.home, "select count(distinct person_key) from staging.contact_persons"
    )
    assert persons == 1


@pytest.mark.long
def test_who_turns_out_to_be_known_already_costs_nothing(tmp_path: Path) -> None:
    known = {"contact_id": "known", "full_name": "Ada Quentzel", "email": "ada@quillforge.com"}
    world = World(tmp_path, [known])
    with sandbox_of(world, [ADAS_PROFILE]) as sandbox:
        world.run(sandbox)
        world.contacts([known, ADA])
        world.run(sandbox, DAY_ONE + timedelta(days=1))
    assert outcomes(world.home)["ada"] == ("enriched", None)
    assert world.charged == {"a" * 32: 1}


def test_more_profiles_than_are_read_are_never_a_winner(tmp_path: Path) -> None:
    world = World(tmp_path, [{**ADA, "job_title": "Chief Archivist"}])
    crowd = [
        {"uid": f"{number:032x}", "full_name": "Ada Quentzel", "title": "Clerk", **QUILLFORGE}
        for number in range(5)
    ]
    with sandbox_of(world, [ADAS_PROFILE, *crowd]) as sandbox:
        world.run(sandbox, search={"pages": 2, "page_size": 2})
    review = record(world.home, "enrichment.needs_review", "ada")
    assert (review["reason"], len(world.asked)) == ("ambiguous_match", 2)
    assert "more profiles" in review["detail"]


# --- without searching -----------------------------------------------------------------


def test_switched_off_nothing_is_asked_and_the_contact_says_so(tmp_path: Path) -> None:
    world = World(tmp_path, [ADA])
    with sandbox_of(world, [ADAS_PROFILE]) as sandbox:
        world.run(sandbox, signalhire={"search": "off"})
    assert world.asked == []
    review = record(world.home, "enrichment.needs_review", "ada")
    assert review["reason"] == "insufficient_identity"
    assert "switched off" in review["detail"]


@pytest.mark.long
def test_without_access_the_contacts_say_so_and_the_next_run_tries_again(tmp_path: Path) -> None:
    everybody = [{**ADA, "contact_id": f"c-{n}", "full_name": f"Ada N{n}x"} for n in range(12)]
    world = World(tmp_path, [*everybody, {"contact_id": "mail", "email": "ada@quillforge.com"}])
    with sandbox_of(world, [ADAS_PROFILE], search_allowed=False) as sandbox:
        report = world.run(sandbox)
        assert report.halted is not None
    assert report.halted.reason == "not_allowed"
    found = outcomes(world.home)
    assert found.pop("mail") == ("enriched", None)
    assert set(found.values()) == {("needs_review", "insufficient_identity")}
    review = record(world.home, "enrichment.needs_review", "c-7")
    assert "does not let this account search" in review["detail"]
    people = [{**ADAS_PROFILE, "uid": f"{n:032x}", "full_name": f"Ada N{n}x"} for n in range(12)]
    with sandbox_of(world, people) as sandbox:
        world.run(sandbox, DAY_ONE + timedelta(days=1))
    assert {status for status, _ in outcomes(world.home).values()} == {"enriched"}


def test_nobody_who_is_suppressed_is_searched_for(tmp_path: Path) -> None:
    world = World(tmp_path, [ADA])
    with sandbox_of(world, [ADAS_PROFILE]) as sandbox:
        settings = world.settings(sandbox)
        stores = Stores(settings)
        open_state(stores)
        Corrections(settings).suppress(["contact:ada"])
        world.run(sandbox)
    assert world.asked == []
    assert outcomes(world.home)["ada"][0] == "suppressed"


# --- show 1: precision and recall ------------------------------------------------------


@pytest.mark.long
def test_what_is_accepted_of_the_labelled_set_is_right_and_most_of_what_can_be_had(
    tmp_path: Path,
) -> None:
    with (LABELLED / "contacts.csv").open(encoding="utf-8", newline="") as file:
        right = {row["contact_id"]: row["uid"] for row in csv.DictReader(file)}
    world = World(tmp_path, [{"contact_id": "none"}])
    shutil.copy(LABELLED / "contacts.csv", world.source / "contacts.csv")
    people = load_people(LABELLED / "people.csv")
    with running_sandbox(people, tmp_path / "journal", searches_per_day=10_000) as sandbox:
        settings = world.settings(sandbox, signalhire={"searches_per_day": 10_000})
        stores = Stores(settings)
        open_state(stores)
        context = RunContext(stores, Run("labelled", DAY_ONE, is_simulated=True))
        load_contacts(context)
        select_work(context, LANES)
        search_profiles(context, LANES, Told())
    accepted = dict(
        rows(
            world.home,
            "select assigned.contact_id, result.uid from enrichment.search_results as result "
            "join staging.contact_persons as assigned on assigned.person_key = result.person_key "
            "where result.verdict = 'resolved'",
        )
    )
    rightly = sum(right[contact_id] == uid for contact_id, uid in accepted.items())
    precision, recall = rightly / len(accepted), rightly / sum(map(bool, right.values()))
    print(f"precision {precision:.4f}, recall {recall:.4f}, accepted {len(accepted)}")
    assert len(right) == 500
    assert precision >= 0.98
    assert recall >= 0.85


# --- show 2: a quota for a quarter of the work -----------------------------------------

TIERS = {"strategic": 40, "target": 120, "standard": 140, "bulk": 100}


@pytest.mark.long
def test_the_quota_goes_to_strategic_ones_first_and_the_rest_is_queued_for_the_next_days(
    tmp_path: Path,
) -> None:
    contacts: list[Row] = []
    people: list[Row] = []
    for tier, count in TIERS.items():
        for number in range(count):
            name = f"{tier.title()} Person{number:03}"
            contacts.append(
                {
                    "contact_id": f"{tier}-{number:03}",
                    "account_id": tier,
                    "full_name": name,
                    "company_name": "Quillforge",
                }
            )
            uid = f"{len(people):032x}"
            email = f"{tier}{number}@quillforge.com"
            people.append({"uid": uid, "full_name": name, "work_email": email, **QUILLFORGE})
    accounts = [{"account_id": tier, "name": f"{tier} account", "tier": tier} for tier in TIERS]
    world = World(tmp_path, list(reversed(contacts)), accounts)
    asked: list[list[str]] = []
    for day, quota in enumerate((100, 100, 1000)):
        searches = tmp_path / f"searches-{day}.jsonl"
        sections: dict[str, Any] = {"signalhire": {"searches_per_day": quota}, "budget": {}}
        with sandbox_of(world, people, searches=searches, searches_per_day=quota) as sandbox:
            report = world.run(sandbox, DAY_ONE + timedelta(days=day), **sections)
            assert report.halted is None  # no call was refused by the provider
            if day == 0:
                again = world.run(sandbox, DAY_ONE + timedelta(hours=1), **sections)
                assert again.answered == 0
        asked.append([call["query"]["fullName"] for call in journal_lines(searches)])
        statuses = Counter(status for status, _ in outcomes(world.home).values())
        by_tier = dict(Counter(name.split()[0] for name in asked[-1]))
        print(f"day {day + 1}, quota {quota}: searched for {by_tier}; {dict(statuses)}")
        assert statuses.total() == 400
        assert statuses["enriched"] == sum(map(len, asked))
        assert statuses["enriched"] + statuses["queued"] == 400
        assert len(asked[-1]) <= quota

    first, second, _ = (Counter(name.split()[0] for name in names) for names in asked)
    assert first == {"Strategic": 40, "Target": 50}  # ten are left for strategic ones
    assert second == {"Target": 70}
    assert all(name.startswith("Strategic") for name in asked[0][:38])
    everybody = Counter(name for names in asked for name in names)
    assert set(everybody.values()) == {1}
    assert len(everybody) == 400
    assert set(world.charged.values()) == {1}
    assert len(world.charged) == 400


# --- show 3: kills --------------------------------------------------------------------

KILLS = 8
"""A search passes eight instants: before and after each commit. `dispatch` has more of them."""

PROGRAM = """
import json, sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from enrichment_pipeline import terms
from enrichment_pipeline_tests.dying import die_around_commits, run_in_children
from enrichment_pipeline_tests.end_to_end.test_searches import DAY_ONE, World, search
from enrichment_pipeline_tests.support import RunningSandbox

given = json.loads(sys.argv[1])
folder = Path(given["folder"])
limits_of = terms._limits


def hasty(settings, provider, kind, facts):
    return replace(
        limits_of(settings, provider, kind, facts), answer_deadline=timedelta(milliseconds=1)
    )


terms._limits = hasty


def run(number):
    die_around_commits(number)
    world = World.__new__(World)
    world.folder, world.home, world.source = folder, folder / "state", folder / "source"
    settings = world.settings(RunningSandbox(given["base_url"], folder / "journal"))
    search(settings, f"run-{number}", DAY_ONE + timedelta(minutes=number))


run_in_children(run, given["kills"])
"""


@pytest.mark.long
def test_kills_while_searching_repeat_no_answer_and_charge_nobody_twice(
    tmp_path: Path,
) -> None:
    names = [f"Person N{number:03}" for number in range(60)]
    world = World(
        tmp_path,
        [{"contact_id": name, "full_name": name, "company_name": "Quillforge"} for name in names],
    )
    people = [
        {
            "uid": f"{number:032x}",
            "full_name": name,
            "work_email": f"n{number}@quillforge.com",
            **QUILLFORGE,
        }
        for number, name in enumerate(names)
    ]
    config = {"searches_per_day": 100_000, "searches_at_once": 100}
    with sandbox_of(world, people, **config) as sandbox:
        settings = world.settings(sandbox)
        stores = Stores(settings)
        open_state(stores)
        load_contacts(RunContext(stores, Run("load", DAY_ONE, is_simulated=True)))
        given = {"folder": str(tmp_path), "base_url": sandbox.base_url, "kills": KILLS}
        assert exit_codes(PROGRAM, given, timeout=350) == [-signal.SIGKILL] * KILLS
        kept = Counter(
            json.loads(body)["profiles"][0]["fullName"]
            for (body,) in ledger_rows(
                world.home,
                "select body from replies join requests using (request_id) "
                "where kind = 'search' and http_status = 200",
            )
        )
        asked_before = len(world.asked)
        world.run(sandbox, DAY_ONE + timedelta(hours=1))
    asked_after = [call["query"]["fullName"] for call in world.asked[asked_before:]]
    lost = Counter(call["query"]["fullName"] for call in world.asked)
    repeated = {name for name, times in lost.items() if times > 1}
    print(
        f"{KILLS} kills: {len(world.asked)} calls answered by the provider for {len(names)} "
        f"searches, {kept.total()} kept before the last run, repeated although kept: "
        f"{len(set(asked_after) & set(kept))}, charged {world.charged.total()}"
    )
    assert kept
    assert set(kept.values()) == {1}
    assert not set(asked_after) & set(kept)
    assert len(repeated) <= 3 * KILLS
    assert {status for status, _ in outcomes(world.home).values()} == {"enriched"}
    assert set(world.charged.values()) == {1}
    assert len(world.charged) == len(names)


def test_a_plan_tells_how_many_have_to_be_searched_for_and_asks_nothing(tmp_path: Path) -> None:
    world = World(tmp_path, [ADA])
    with sandbox_of(world, [ADAS_PROFILE]) as sandbox:
        run = Run("plan", DAY_ONE, is_simulated=True)
        planned = plan(RunContext(Stores(world.settings(sandbox)), run), LANES)
    work = planned.work
    assert (work.searches, work.lookups, planned.searches_left_today) == (1, 1, 300)
    assert world.asked == []
