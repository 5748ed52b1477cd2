"""Terms: how a policy file becomes the rates and budgets that the ledger holds every run to."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from enrichment_pipeline.clock import Clock
from enrichment_pipeline.dispatch.connecting import connect_provider
from enrichment_pipeline.errors import ConfigurationError
from enrichment_pipeline.ledger.budget import CREDITS
from enrichment_pipeline.ledger.limits import Limits, Rate
from enrichment_pipeline.policy import Policy, load_policy
from enrichment_pipeline.providers.registry import PROVIDERS
from enrichment_pipeline.settings import load_settings
from enrichment_pipeline.terms import calls_of
from enrichment_pipeline.vocabulary import LOOKUP, SEARCH
from enrichment_pipeline_tests.conformance.madeup.acme.facts import ACME
from enrichment_pipeline_tests.support import settings_for

PRICED = """
[signalhire]
price = 0.28
rates = [{ units = 15, seconds = 1 }, { units = 500, seconds = 60 }]
searches_per_day = 7

[budget]
per_run = 12.5
per_day = 99.999999
per_month = 1000
floors = { bulk = 0.9 }
"""


def limits_of(folder: Path, text: str, kind: str = LOOKUP) -> Limits:
    (folder / "enrichment.toml").write_text(text, encoding="utf-8")
    settings = settings_for(folder, load_policy(folder / "enrichment.toml"), None)
    return calls_of(settings, "signalhire", kind, Clock()).limits


def test_every_rate_of_the_policy_holds_for_look_ups(tmp_path: Path) -> None:
    second, minute = timedelta(seconds=1), timedelta(seconds=60)
    limits = limits_of(tmp_path, PRICED)
    assert limits.rates == (Rate(15, second), Rate(500, minute))
    assert limits.longest_window == minute
    assert limits.pause == second  # where a 429 does not say for how long


def test_a_repeat_of_a_paid_call_is_free_where_provider_and_policy_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = {LOOKUP: replace(ACME.calls[LOOKUP], is_repeat_free=True)}
    monkeypatch.setitem(PROVIDERS, "acme", replace(ACME, calls=calls))
    for given, is_free in (("", True), ("free_repeat = false", False)):
        path = tmp_path / "enrichment.toml"
        path.write_text(f"[providers.acme]\n{given}\n", encoding="utf-8")
        settings = settings_for(tmp_path, load_policy(path), None)
        assert calls_of(settings, "acme", LOOKUP, Clock()).limits.is_repeat_free is is_free
    not_paid = "[signalhire]\nfree_repeat = false\n"
    assert limits_of(tmp_path, not_paid, SEARCH).is_repeat_free


def test_the_short_form_is_one_rate(tmp_path: Path) -> None:
    short = "[signalhire]\nitems_per_window = 5\nwindow_seconds = 2.5\n"
    long = "[signalhire]\nrates = [{ units = 5, seconds = 2.5 }]\n"
    assert limits_of(tmp_path, short) == limits_of(tmp_path, long)
    assert limits_of(tmp_path, short).rates == (Rate(5, timedelta(seconds=2.5)),)
    assert limits_of(tmp_path, "").rates == (Rate(600, timedelta(seconds=60)),)


def test_a_credit_costs_its_price_and_budgets_are_exact_decimals(tmp_path: Path) -> None:
    budget = limits_of(tmp_path, PRICED).budget
    assert (budget.pool, budget.unit_cost) == (CREDITS, Decimal("0.28"))
    assert (budget.per_run, budget.per_day, budget.per_month) == (
        Decimal("12.5"),
        Decimal("99.999999"),
        Decimal(1000),
    )
    assert (budget.floors.bulk, budget.millionths_per_unit) == (0.9, 280_000)
    assert limits_of(tmp_path, "").budget.unit_cost == 1


def test_a_search_draws_on_its_own_quota_and_neither_on_rates_nor_on_money(tmp_path: Path) -> None:
    limits = limits_of(tmp_path, PRICED, SEARCH)
    assert (limits.rates, limits.at_once) == ((), 3)
    assert (limits.budget.pool, limits.budget.per_day) == ("signalhire.search", Decimal(7))
    assert (limits.budget.unit_cost, limits.budget.per_run) == (1, None)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "[providers.zoominfo]\nprice = 2",
            "unknown key providers.zoominfo; the tables of providers are [signalhire]",
        ),
        ("[providers.signalhire]\nprice = 2", "unknown key providers.signalhire"),
        ("[providers.zoominfo]\nprize = 2", "unknown key providers.zoominfo.prize"),
        ("[providers]\nzoominfo = 2", "providers.zoominfo: should be a table"),
    ],
)
def test_a_table_of_no_provider_of_ours_is_refused_in_a_line_that_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, words: str
) -> None:
    (tmp_path / "policy.toml").write_text(text, encoding="utf-8")
    monkeypatch.setenv("ENRICHMENT_CONFIG", str(tmp_path / "policy.toml"))
    with pytest.raises(ConfigurationError) as caught:
        load_settings(needs_key=False)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_searching_where_nobody_can_be_searched_for_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "policy.toml").write_text('[providers.acme]\nsearch = "on"', encoding="utf-8")
    monkeypatch.setenv("ENRICHMENT_CONFIG", str(tmp_path / "policy.toml"))
    monkeypatch.setitem(PROVIDERS, ACME.name, ACME)
    with pytest.raises(ConfigurationError, match=r"\[providers.acme\] search: cannot be on, since"):
        load_settings(needs_key=False)


def test_a_key_that_only_some_providers_have_is_refused_for_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENRICHMENT_CONFIG", str(tmp_path / "policy.toml"))
    for table, key in (
        ("[signalhire]", "SignalHire has no such setting"),
        ("[providers.prospeo]", "Prospeo has no such setting"),
    ):
        (tmp_path / "policy.toml").write_text(f"{table}\nmin_likelihood = 5", encoding="utf-8")
        with pytest.raises(ConfigurationError) as caught:
            load_settings()
        assert f"{table} min_likelihood: unknown key, since {key}" in str(caught.value)
    of_its_own = "[providers.peopledatalabs]\nmin_likelihood = 5"
    (tmp_path / "policy.toml").write_text(of_its_own, encoding="utf-8")
    assert load_settings().limits("peopledatalabs").min_likelihood == 5


def test_a_client_is_made_with_the_keys_that_its_provider_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[tuple[object, ...]] = []

    def connect(base_url: str, api_key: str, **options: object) -> object:
        made.append((base_url, options))
        return None

    first = PROVIDERS["signalhire"]
    for options, given in ((frozenset({"min_likelihood"}), {"min_likelihood": 5}), ((), {})):
        monkeypatch.setitem(
            PROVIDERS, "signalhire", replace(first, connect=connect, options=frozenset(options))
        )
        policy = Policy.model_validate({"signalhire": {"min_likelihood": 5}})
        connect_provider(settings_for(tmp_path, policy, "http://unused.invalid"), "signalhire")
        assert made.pop() == ("http://unused.invalid", given)
