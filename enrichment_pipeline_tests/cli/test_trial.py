"""A trial: which state folders are one, and the stand-ins that are started for it."""

from __future__ import annotations

import asyncio
import csv
import inspect
import io
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from enrichment_pipeline.cli.own_servers import journal_of, start_stand_ins
from enrichment_pipeline.cli.trial import begin_trial
from enrichment_pipeline.dispatch.connecting import connect_provider
from enrichment_pipeline.errors import ConfigurationError
from enrichment_pipeline.policy import Policy
from enrichment_pipeline.providers import registry
from enrichment_pipeline.providers.registry import FIRST, PROVIDERS
from enrichment_pipeline.sandbox.stand_ins import STAND_INS
from enrichment_pipeline.settings import Account, Settings
from enrichment_pipeline.state import check_stamp, ensure_state_folder
from enrichment_pipeline.steps.provider import ask_balance
from enrichment_pipeline.vocabulary import LOOKUP, VERIFICATION
from enrichment_pipeline_tests.conformance.madeup.acme.facts import ACME
from enrichment_pipeline_tests.support import settings_for

PEOPLE = Path(__file__).parents[2] / "data" / "sample" / "people.csv"


def trial(folder: Path, *order: str) -> Settings:
    """Settings as the environment gives them where it names nothing."""
    policy = Policy.model_validate({"waterfall": {"order": order}}) if order else Policy()
    accounts = {
        name: Account(settings_for(folder, policy, None).accounts[FIRST].api_key, None, True)
        for name in PROVIDERS
    }
    settings = settings_for(folder, policy, None, accounts=accounts)
    ensure_state_folder(settings)
    return settings


# --- its policy --------------------------------------------------------------------------


def test_a_trial_goes_over_every_provider_that_has_a_stand_in(tmp_path: Path) -> None:
    assert begin_trial(trial(tmp_path))
    written = tomllib.loads((tmp_path / "enrichment.toml").read_text())
    order = written["waterfall"]["order"]
    assert order == [name for name in PROVIDERS if name in STAND_INS]
    assert len(order) > 2
    policy = Policy.model_validate(written)
    assert VERIFICATION in PROVIDERS[policy.waterfall.verify].calls
    assert policy.model_fields_set == {"waterfall", "budget"}


def test_whatever_is_no_new_trial_keeps_its_policy(tmp_path: Path) -> None:
    settings = trial(tmp_path)
    named = settings.with_base_url(FIRST, "http://localhost/api")
    own_policy = replace(settings, policy_path=tmp_path / "mine.toml")
    for other in (named, own_policy, replace(settings, provider="live")):
        assert not begin_trial(other)
    check_stamp(settings)  # as a folder is left by a version that asked one provider
    assert not begin_trial(settings)
    assert not (tmp_path / "enrichment.toml").exists()


# --- its stand-ins -----------------------------------------------------------------------


def test_a_stand_in_allows_the_rates_that_it_is_told() -> None:
    prospeo, others = STAND_INS["prospeo"], STAND_INS["peopledatalabs"]
    assert STAND_INS["hunter"].rate_options([(600, 1.0)])[:4] == [
        *("--per-second", "600", "--verifications-per-second", "600")
    ]
    assert prospeo.rate_options([(500, 60.0), (15, 1.0)]) == [
        *("--per-second", "15", "--second-seconds", "1.0"),
        *("--per-minute", "500", "--minute-seconds", "60.0"),
        *("--per-day", "500", "--day-seconds", "60.0"),
    ]
    # of two it holds the longer one
    assert others.rate_options([(15, 1.0), (500, 60.0)]) == [
        *("--per-minute", "500", "--changes-per-minute", "500", "--minute-seconds", "60.0")
    ]
    for stand_in in STAND_INS.values():
        taken = inspect.signature(stand_in.serve).parameters
        assert {name for limit in stand_in.limits for name in limit} <= set(taken)


@contextmanager
def started(settings: Settings, console: Console) -> Iterator[Settings]:
    with ExitStack() as servers:
        yield start_stand_ins(settings, servers, console)


def test_each_provider_has_a_stand_in_whose_balance_survives_a_restart(tmp_path: Path) -> None:
    by_url = (n for n in PROVIDERS if "linkedin" in PROVIDERS[n].calls[LOOKUP].identities)
    order = [name for name in by_url if name != FIRST]
    shown = io.StringIO()
    settings, console = trial(tmp_path, *order), Console(file=shown, width=200)
    with PEOPLE.open(encoding="utf-8", newline="") as file:
        urls = [row["linkedin_url"] for row in csv.DictReader(file) if row["linkedin_url"]]

    async def buy(settings: Settings, name: str) -> None:
        provider = connect_provider(settings, name)
        try:
            assert (await provider.lookup(urls[:20])).http_status == 200
        finally:
            await provider.close()

    with started(settings, console) as running:
        assert running.stand_ins_to_start == ()
        for name in order:
            assert ask_balance(running, name).credits_left == 100_000
            asyncio.run(buy(running, name))
        left = {name: ask_balance(running, name).credits_left for name in order}
        assert all(99_980 <= credits < 100_000 for credits in left.values())
    first = order[0]
    with started(trial(tmp_path, first), console) as again:
        assert ask_balance(again, first).credits_left == left[first]
    for name in order:
        assert f"({PROVIDERS[name].title} allows " in shown.getvalue()
        assert journal_of(settings, name).exists()


def test_a_provider_that_none_stands_in_for_has_to_be_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(registry.PROVIDERS, ACME.name, ACME)
    settings = trial(tmp_path, "acme")
    with (
        pytest.raises(ConfigurationError, match=r"ACME_BASE_URL: not set, and there is no"),
        started(settings, Console(file=io.StringIO())),
    ):
        pass
