"""What Hunter's stand-in knows of the sample: how many it finds, and how often it is wrong."""

from __future__ import annotations

from collections import Counter

import pytest

from enrichment_pipeline.sandbox.directory import Person, people_elsewhere
from enrichment_pipeline.sandbox.hunter.config import HunterConfig
from enrichment_pipeline.sandbox.hunter.finding import Finder, Wanted
from enrichment_pipeline.sandbox.hunter.mailboxes import Mailboxes
from enrichment_pipeline.sandbox.known_people import Draws


@pytest.fixture(scope="module")
def sample() -> list[Person]:
    return people_elsewhere(None)


def mailboxes_of(people: list[Person], config: HunterConfig) -> Mailboxes:
    return Mailboxes(people, config, Draws(f"hunter {config.seed}"))


def test_some_hosts_take_every_address_and_of_some_addresses_nothing_is_told(
    sample: list[Person],
) -> None:
    mailboxes = mailboxes_of(sample, HunterConfig())
    work = [each.row["work_email"] for each in sample if "work_email" in each.row]
    told = Counter(mailboxes.check(email).status for email in work)
    assert told.keys() == {"valid", "accept_all", "unknown"}
    assert 0.08 < told["accept_all"] / len(work) < 0.25
    assert 0.02 < told["unknown"] / len(work) < 0.04
    # a host either takes all or none
    hosts = sorted({email.rpartition("@")[2] for email in work})[:50]
    words = {
        frozenset(mailboxes.check(f"{n}.nobody@{host}").status for n in range(5)) - {"unknown"}
        for host in hosts
    }
    assert words == {frozenset({"invalid"}), frozenset({"accept_all"})}


def test_at_such_a_host_it_is_surer_of_addresses_that_exist(sample: list[Person]) -> None:
    mailboxes = mailboxes_of(sample, HunterConfig(accept_all=1.0, unknown=0.0))
    work = [each.row["work_email"] for each in sample if "work_email" in each.row][:400]
    living = [mailboxes.check(email).score >= 90 for email in work]
    dead = [mailboxes.check(f"x{email}").score >= 90 for email in work]
    assert 0.3 < sum(living) / len(living) < 0.6
    assert 0 < sum(dead) / len(dead) < 0.12


def test_of_the_sample_it_finds_some_and_few_of_what_it_calls_valid_are_dead(
    sample: list[Person],
) -> None:
    config = HunterConfig()
    draws = Draws(f"hunter {config.seed}")
    mailboxes = Mailboxes(sample, config, draws)
    finder = Finder(sample, config, draws, mailboxes)
    asked = [
        Wanted(each.row["full_name"], each.row["company_domain"], None)
        for each in sample[::3]
        if "company_domain" in each.row
    ]
    found = {wanted: one for wanted in asked if (one := finder.find(wanted)) is not None}
    assert 0.35 < len(found) / len(set(asked)) < 0.55
    valid = [one.data for one in found.values() if one.data["verification"]["status"] == "valid"]
    dead = [data for data in valid if not mailboxes.exists(data["email"])]
    assert 0 < len(dead) / len(valid) < 0.03
    # the same in every run, whatever else is asked for
    last = asked[-1]
    assert Finder(sample, config, draws, mailboxes).find(last) == found.get(last)
