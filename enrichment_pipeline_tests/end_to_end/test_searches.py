"""Contacts that are a name and a company: from the search to the enriched row, end to end."""

from __future__ import annotations

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
from enrichment_pipeline.dispatch.report import DispatchReport
from enrichment_pipeline.lanes import FRESHNESS, PRIORITIES, Lane
from enrichment_pipeline.pipeline import Pipeline
from enrichment_pipeline.policy import Policy
from enrichment_pipeline.run import Run
from enrichment_pipeline.sandbox.signalhire.people import load_people
from enrichment_pipeline.settings import Settings
from enrichment_pipeline.state import release_run_lock
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
    pipeline = Pipeline(settings)
    run = Run(run_id, as_of, is_simulated=True)
    pipeline.prepare(run)
    pipeline.select_worklist(run, LANES)
    pipeline.search_profiles(run, LANES, Told())


def run_steps(settings: Settings, run_id: str, as_of: datetime) -> DispatchReport | None:
    make_state(settings)
    pipeline = Pipeline(settings)
    run = Run(run_id, as_of, is_simulated=True)
    pipeline.prepare(run)
    try:
        if (settings.source_path / "accounts.csv").exists():
            pipeline.load_accounts(run)
        pipeline.load_contacts(run)
        pipeline.select_worklist(run, LANES)
        report = pipeline.search_profiles(run, LANES, Told())
        pipeline.buy(run, LANES, Told())
        pipeline.store_responses()
        pipeline.derive_facts(run)
        pipeline.derive_outcomes(run)
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


def test_a_clear_winner_is_looked_up_by_its_uid_and_stays_the_identity(tmp_path: Path) -> None:
    world = World(tmp_path, [ADA])
    with sandbox_of(world, [ADAS_PROFILE]) as sandbox:
        report = world.run(sandbox)
        assert (report.offered, report.found) == (1, 1)
        row = record(world.home, "enrichment.enriched_contacts", "ada")
        assert (row["work_email"], row["provider_uid"]) == ("ada@quillforge.com", "a" * 32)
        again = world.run(sandbox, DAY_ONE + timedelta(days=91))
        assert again.offered == 0
    assert len(world.asked) == 1
    assert world.charged == {"a" * 32: 2}
    assert ledger_rows(world.home, "select distinct item_kind from lookups") == [("uid",)]


def test_several_too_close_to_call_are_for_a_person_whose_pick_is_looked_up(
    tmp_path: Path,
) -> None:
    world = World(tmp_path, [ADA])
    with sandbox_of(world, [ADAS_PROFILE, ADAS_NAMESAKE]) as sandbox:
        world.run(sandbox)
        assert outcomes(world.home)["ada"] == ("needs_review", "ambiguous_match")
        review = record(world.home, "enrichment.needs_review", "ada")
        assert "2 profiles" in review["detail"]
        shown = json.loads(review["candidate"])
        assert {each["uid"] for each in shown} == {"a" * 32, "b" * 32}
        assert all(each["score"] > 0 for each in shown)
        assert world.charged == {}

        world.decide(sandbox, "accept", "b" * 32)
        later = world.run(sandbox, DAY_ONE + timedelta(days=2))
        assert later.offered == 0
        assert outcomes(world.home)["ada"] == ("enriched", None)
    row = record(world.home, "enrichment.enriched_contacts", "ada")
    assert row["provider_uid"] == "b" * 32
    assert world.charged == {"b" * 32: 1}
    assert len(world.asked) == 1


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
        plan = Pipeline(world.settings(sandbox)).plan(
            Run("plan", instant, is_simulated=True), LANES
        )
        assert plan.work.cache_hits == CacheHits(person=0, miss=1)
        late = world.run(sandbox, DAY_ONE + timedelta(days=31))
    assert (early.offered, late.offered) == (0, 2)
    assert len(world.asked) == 4


def test_a_title_tells_namesakes_apart_and_who_has_left_is_found_by_the_second_try(
    tmp_path: Path,
) -> None:
    moved = {
        **ADAS_PROFILE,
        "uid": "c" * 32,
        "full_name": "Bodo Quirrel",
        "company": "Saltmarsh",
        "company_domain": "saltmarsh.com",
        "previous_company": "Quillforge",
        "work_email": "bodo@saltmarsh.com",
    }
    bodo = {
        **ADA,
        "contact_id": "bodo",
        "full_name": "Bodo Quirrel",
        "company_domain": "quillforge.com",
    }
    world = World(tmp_path, [{**ADA, "job_title": "gardener"}, bodo])
    with sandbox_of(world, [ADAS_PROFILE, ADAS_NAMESAKE, moved]) as sandbox:
        report = world.run(sandbox)
    assert world.charged == {"b" * 32: 1, "c" * 32: 1}
    assert (report.no_match, report.found) == (1, 2)
    row = record(world.home, "enrichment.enriched_contacts", "bodo")
    assert (row["company_name"], row["job_changed"]) == ("Saltmarsh", True)


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


def test_a_changed_policy_is_applied_to_what_was_answered(tmp_path: Path) -> None:
    world = World(tmp_path, [{**ADA, "company_name": "Quillforge Nordic"}])
    with sandbox_of(world, [{**ADAS_PROFILE, "company": "Quillforge Nordic Holding"}]) as sandbox:
        world.run(sandbox)
        assert outcomes(world.home)["ada"] == ("needs_review", "ambiguous_match")
        world.run(sandbox, DAY_ONE + timedelta(days=1), search={"min_score": 0.7})
    assert outcomes(world.home)["ada"] == ("enriched", None)
    assert len(world.asked) == 1


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
    assert "403" in review["detail"]
    people = [{**ADAS_PROFILE, "uid": f"{n:032x}", "full_name": f"Ada N{n}x"} for n in range(12)]
    with sandbox_of(world, people) as sandbox:
        world.run(sandbox, DAY_ONE + timedelta(days=1))
    assert {status for status, _ in outcomes(world.home).values()} == {"enriched"}


def test_nobody_who_is_suppressed_is_searched_for(tmp_path: Path) -> None:
    world = World(tmp_path, [ADA])
    with sandbox_of(world, [ADAS_PROFILE]) as sandbox:
        settings = world.settings(sandbox)
        pipeline = Pipeline(settings)
        pipeline.open_state()
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
        pipeline = Pipeline(settings)
        pipeline.open_state()
        run = Run("labelled", DAY_ONE, is_simulated=True)
        pipeline.load_contacts(run)
        pipeline.select_worklist(run, LANES)
        pipeline.search_profiles(run, LANES, Told())
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


# --- show 3: thirty kills --------------------------------------------------------------

KILLS = 12
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
        pipeline = Pipeline(settings)
        pipeline.open_state()
        pipeline.load_contacts(Run("load", DAY_ONE, is_simulated=True))
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
        pipeline = Pipeline(world.settings(sandbox))
        plan = pipeline.plan(Run("plan", DAY_ONE, is_simulated=True), LANES)
    assert (plan.work.searches, plan.work.lookups, plan.searches_left_today) == (1, 1, 300)
    assert world.asked == []
