"""Entries that are a name and a company: searched for and looked up while their caller waits.

By the rules of a run, which are tested with it (`end_to_end/test_searches.py`). They share one
desk, each with people of its own, but for those that need another policy or another state.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from enrichment_pipeline.entry import service
from enrichment_pipeline.entry.contact import EnteredContact
from enrichment_pipeline.entry.desk import TakenBack
from enrichment_pipeline.entry.enrichment import Enrichment
from enrichment_pipeline.entry.service import EntryService, open_desk
from enrichment_pipeline.ledger import entries
from enrichment_pipeline.ledger.store import opened
from enrichment_pipeline.policy import Policy
from enrichment_pipeline.settings import Settings
from enrichment_pipeline_tests.bought import steps
from enrichment_pipeline_tests.end_to_end.world import Row, outcomes, steps_here
from enrichment_pipeline_tests.sandbox import journal_lines
from enrichment_pipeline_tests.support import (
    RunningSandbox,
    people_of,
    policy_for,
    running_sandbox,
    settings_for,
    write_csv,
)

PATIENCE = timedelta(seconds=90)
"""Longer than anything takes here: a caller who waits so long waits for a decision."""
QUILLFORGE: Row = {"company": "Quillforge", "company_domain": "quillforge.com"}


def person(uid: str, name: str, **columns: Any) -> Row:
    email = f"{name.replace(' ', '.')}@quillforge.com".lower()
    given = {"uid": uid * 32, "full_name": name, "title": "Archivist", "work_email": email}
    return {**given, **QUILLFORGE, **columns}


FOUND = "Emil Quade"
LEFT = "Bodo Quirrel"
NAMESAKES = "Ada Quentzel"
UNKNOWN = "Nils Quiescent"
BY_MAIL = "Dora Quist"
TWO_NAMES = "Cara Quandt"
LATER = "Frida Quell"
PEOPLE = [
    person("e", FOUND),
    person(
        "c",
        LEFT,
        company="Saltmarsh",
        company_domain="saltmarsh.com",
        previous_company="Quillforge",
    ),
    person("a", NAMESAKES),
    person("b", NAMESAKES, work_email="ada.q@quillforge.com"),
    person("d", BY_MAIL, known_emails="dora@saltmarsh.com"),
    person("f", TWO_NAMES),
    person("1", LATER),
]


def named(name: str, **columns: Any) -> EnteredContact:
    return EnteredContact(full_name=name, **{"company_name": "Quillforge GmbH", **columns})


@dataclass
class Provider:
    """The stand-in, and what it was asked and has charged for."""

    sandbox: RunningSandbox
    searches: Path

    @property
    def asked(self) -> Counter[str]:
        """Searches by name."""
        lines = journal_lines(self.searches) if self.searches.exists() else []
        return Counter(line["query"]["fullName"] for line in lines)

    @property
    def charged(self) -> Counter[str]:
        """Look-ups by the first digit of the profile's UID."""
        journal = self.sandbox.journal
        lines = journal_lines(journal) if journal.exists() else []
        return Counter(line["uid"][0] for line in lines)


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    folder = tmp_path_factory.mktemp("sandbox")
    people = people_of(folder / "people.csv", PEOPLE)
    searches = folder / "searches.jsonl"
    with running_sandbox(
        people, folder / "journal.jsonl", searches=searches, charge_repeats=True
    ) as running:
        yield Provider(running, searches)


def settings_in(folder: Path, provider: Provider, **sections: Any) -> Settings:
    contacts = [{"contact_id": "ada", "full_name": NAMESAKES, "company_name": "Quillforge GmbH"}]
    write_csv(folder / "source" / "contacts.csv", contacts)
    return settings_for(folder / "state", policy(folder, **sections), provider.sandbox.base_url)


def policy(folder: Path, **sections: Any) -> Policy:
    signalhire = {"items_per_window": 100_000, "window_seconds": 1.0, "search": "on"}
    given = {**sections, "signalhire": signalhire | sections.get("signalhire", {})}
    return policy_for(folder / "source", **given)


async def enter(desk: EntryService, contact: EnteredContact) -> Enrichment:
    return await desk.enter(contact, wait=PATIENCE)


@pytest.fixture(autouse=True)
def nothing_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is decided within its caller's patience was not tried in vain before."""
    monkeypatch.setattr(service, "RETRY_AFTER_SECONDS", 10 * PATIENCE.total_seconds())


def test_whom_only_a_search_can_find_is_decided_in_one_wait(tmp_path: Path, provider: Provider):
    settings = settings_in(tmp_path, provider)
    charged = provider.charged

    async def scene() -> None:
        async with open_desk(settings) as desk:
            posts = (named(name) for name in (FOUND, LEFT, NAMESAKES, UNKNOWN))
            found, left, ambiguous, unknown = await asyncio.gather(
                *(enter(desk, post) for post in posts)
            )
            assert (found.status, found.credits) == ("enriched", 1)
            assert found.fields["work_email"].value == "emil.quade@quillforge.com"
            assert left.fields["company_name"].value == "Saltmarsh"
            told = [(each.status, each.reason, each.credits) for each in (ambiguous, unknown)]
            assert told == [
                ("needs_review", "ambiguous_match", 0),
                ("needs_review", "no_match", 0),
            ]
            # a search costs no credits: nothing was bought yet
            assert await desk.take_back(unknown.contact_id) is TakenBack.TAKEN_BACK
            assert await desk.take_back(found.contact_id) is TakenBack.ALREADY_BOUGHT

    asyncio.run(scene())
    assert provider.asked == {FOUND: 1, LEFT: 2, NAMESAKES: 1, UNKNOWN: 2}
    # the next run goes by these searches, also where the entry retires in favour of the source
    steps_here(settings)
    of_run = outcomes(settings)
    assert of_run["ada"] == ("needs_review", "ambiguous_match")
    assert of_run[named(NAMESAKES).id] == ("needs_review", "entered_as")
    assert of_run[named(FOUND).id] == ("enriched", None)
    assert provider.asked == {FOUND: 1, LEFT: 2, NAMESAKES: 1, UNKNOWN: 2}
    assert provider.charged - charged == {"e": 1, "c": 1}


@pytest.mark.long
def test_who_is_found_several_times_is_bought_once(tmp_path: Path, provider: Provider):
    settings = settings_in(tmp_path, provider)
    charged = provider.charged
    elsewhere = named(TWO_NAMES, company_name=None, company_domain="quillforge.com")
    dora = EnteredContact(full_name=BY_MAIL, email="dora@saltmarsh.com")

    async def scene() -> None:
        async with open_desk(settings) as desk, open_desk(settings) as other:
            # at once, under names that are not known to be one person's, and by two processes
            posts = [(desk, named(TWO_NAMES)), (desk, elsewhere), (other, named(TWO_NAMES))]
            told = await asyncio.gather(*(enter(of, post) for of, post in posts))
            assert {each.status for each in told} == {"enriched"}
            # one who was bought by another identifier
            assert (await enter(desk, dora)).credits == 1
            found = await enter(desk, named(BY_MAIL))
            assert (found.status, found.credits) == ("enriched", 0)
            assert found.fields["work_email"].value == "dora.quist@quillforge.com"

    async def after_a_run() -> None:
        async with open_desk(settings) as desk:
            by_domain = named(BY_MAIL, company_name=None, company_domain="quillforge.com")
            found = await enter(desk, by_domain)
            assert (found.status, found.credits) == ("enriched", 0)
            assert found.fields["work_email"].value == "dora.quist@quillforge.com"

    asyncio.run(scene())
    # the domain is another key to the same person, whom the name at a company is not known to be
    assert (provider.asked[TWO_NAMES], provider.asked[BY_MAIL]) == (2, 1)
    steps(settings)
    of_run = outcomes(settings)
    posted = (named(TWO_NAMES), elsewhere, dora, named(BY_MAIL))
    assert {of_run[each.id] for each in posted} == {("enriched", None)}
    asyncio.run(after_a_run())
    assert provider.asked[BY_MAIL] == 2
    assert provider.charged - charged == {"f": 1, "d": 1}


def test_whom_no_search_is_left_for_waits_for_that(tmp_path: Path, provider: Provider):
    none_left = settings_in(tmp_path, provider, signalhire={"searches_per_day": 0})
    charged = provider.charged
    post = named(LATER)

    async def wait_in_vain() -> None:
        async with open_desk(none_left) as desk:
            waits = await enter(desk, post)
            assert (waits.status, waits.reason) == ("queued", "budget")

    async def go_on() -> None:
        async with open_desk(settings_in(tmp_path, provider)) as desk:
            assert (await enter(desk, post)).status == "enriched"

    asyncio.run(wait_in_vain())
    steps_here(none_left)
    assert outcomes(none_left)[post.id] == ("queued", None)
    with opened(none_left.ledger_url.get_secret_value()) as store:
        entry = entries.find(store, post.id)
    assert entry is not None
    assert json.loads(entry.answer or "{}")["reason"] == "budget"
    assert LATER not in provider.asked
    asyncio.run(go_on())
    assert provider.charged - charged == {"1": 1}
