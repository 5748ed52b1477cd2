"""The options of `enrichment sandbox`, and of the stand-ins that it serves by name.

Each reaches its setting, and mistakes are refused with one line.
"""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from enrichment_pipeline.sandbox.directory import Person
from enrichment_pipeline.sandbox.prospeo.config import FAULTS as PROSPEO_FAULTS
from enrichment_pipeline.sandbox.prospeo.config import ProspeoConfig
from enrichment_pipeline.sandbox.signalhire.config import FAULTS, SandboxConfig
from enrichment_pipeline.sandbox.signalhire.people import People
from enrichment_pipeline_tests.cli.conftest import Command

NOT_ON_THE_COMMAND_LINE = {"account_disabled", "credits_without_contacts"}


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[SandboxConfig]:
    """The settings with which a sandbox would be served."""
    configs: list[SandboxConfig] = []

    def create_app(config: SandboxConfig, _people: People) -> None:
        configs.append(config)

    monkeypatch.setattr("enrichment_pipeline.sandbox.signalhire.stand_in.create_app", create_app)
    monkeypatch.setattr("enrichment_pipeline.sandbox.stand_in_server.serve", lambda *_, **__: None)
    return configs


def test_without_options_the_defaults_are_served(
    enrichment: Command, served: list[SandboxConfig]
) -> None:
    assert enrichment("sandbox").status == 0
    assert served == [SandboxConfig()]


def test_every_setting_has_its_option(enrichment: Command, served: list[SandboxConfig]) -> None:
    settings: dict[str, Any] = {
        "api_key": "secret",
        "credits": 7,
        "items_per_window": 5,
        "window_seconds": 2.5,
        "window_kind": "fixed",
        "latency_ms": 11,
        "charge_when": "after_response",
        "duplicate_query_seconds": 30.0,
        "item_order": "shuffled",
        "callback_delay_min_ms": 100,
        "callback_delay_max_ms": 200,
        "callback_timeout_seconds": 3.0,
        "callback_retry_seconds": 0.5,
        "callback_parts": 3,
        "callback_concurrency": 300,
        "late_seconds": 12.0,
        "seed": 42,
        "journal": Path("journal.jsonl"),
        "deliveries": Path("deliveries.jsonl"),
        "searches_per_day": 9,
        "searches_at_once": 2,
        "search_page_size": 25,
        "scroll_id_seconds": 1.5,
        "search_name_match": "any",
        "search_experience": "full",
        "searches": Path("searches.jsonl"),
    }
    switches = {
        "refused_counts_towards_minute": True,
        "charge_repeats": False,
        "bad_item_spoils_batch": True,
        "echo_normalised": True,
        "rating_as_string": True,
        "search_allowed": False,
        "search_reads_other_scripts": False,
    }
    arguments = [
        word
        for name, value in settings.items()
        for word in (f"--{name.replace('_', '-')}", str(value))
    ]
    for name, value in switches.items():
        arguments.append(f"--{'' if value else 'no-'}{name.replace('_', '-')}")
    said = enrichment("sandbox", *arguments, "--fault", "late=0.05", "--fault", "lost=1")
    assert (said.status, said.err) == (0, "")
    assert served == [SandboxConfig(**settings, **switches, faults={"late": 0.05, "lost": 1.0})]
    changed = {
        field.name
        for field in fields(SandboxConfig)
        if getattr(served[0], field.name) != getattr(SandboxConfig(), field.name)
    }
    assert {field.name for field in fields(SandboxConfig)} - changed == NOT_ON_THE_COMMAND_LINE


def test_all_faults_may_be_named_at_once_and_one_of_them_otherwise(
    enrichment: Command, served: list[SandboxConfig]
) -> None:
    enrichment("sandbox", "--fault", "all=0.05", "--fault", "torn=0")
    assert served[0].faults == dict.fromkeys(FAULTS, 0.05) | {"torn": 0.0}


def test_the_least_delay_alone_is_the_delay(
    enrichment: Command, served: list[SandboxConfig]
) -> None:
    enrichment("sandbox", "--callback-delay-min-ms", "500")
    assert (served[0].callback_delay_min_ms, served[0].callback_delay_max_ms) == (500, 500)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--fault", "lots=0.5"], ["--fault lots=0.5", "'lots'", "lost", "all"]),
        (["--fault", "=0.5"], ["--fault =0.5", "''", "all"]),
        (["--fault", "late"], ["--fault late", "0 to 1", "late=0.05"]),
        (["--fault", "late=often"], ["--fault late=often", "0 to 1"]),
        (["--fault", "late=1.5"], ["--fault late=1.5", "0 to 1"]),
        (["--fault", "late=-0.1"], ["--fault late=-0.1", "0 to 1"]),
        (["--fault", "late=nan"], ["--fault late=nan", "0 to 1"]),
        (["--fault", "all=2"], ["--fault all=2", "0 to 1"]),
        (["--item-order", "reversed"], ["--item-order", "kept", "shuffled"]),
        (["--callback-parts", "0"], ["--callback-parts"]),
        (
            ["--callback-delay-min-ms", "5", "--callback-delay-max-ms", "4"],
            ["callback_delay_max_ms", "at least 5"],
        ),
        (["--deliveries", "/proc"], ["/proc", "deliveries", "writable file"]),
    ],
)
def test_a_mistake_is_refused_with_2_and_one_clear_line(
    enrichment: Command, arguments: list[str], words: list[str]
) -> None:
    said = enrichment("sandbox", "--port", "0", *arguments)
    assert (said.status, said.out) == (2, "")
    assert said.err.count("\n") == 1
    for word in words:
        assert word in said.err


# --- Prospeo's -------------------------------------------------------------------------------


@pytest.fixture
def prospeo_served(
    monkeypatch: pytest.MonkeyPatch, served: list[SandboxConfig]
) -> list[tuple[ProspeoConfig, list[Person]]]:
    """The settings and the people with which Prospeo's stand-in would be served."""
    found: list[tuple[ProspeoConfig, list[Person]]] = []

    def create_app(config: ProspeoConfig, people: list[Person]) -> None:
        assert served == []  # the other one is not served beside it
        found.append((config, people))

    monkeypatch.setattr("enrichment_pipeline.sandbox.prospeo.stand_in.create_app", create_app)
    return found


def test_another_stand_in_is_served_by_its_name_over_more_people(
    enrichment: Command, prospeo_served: list[tuple[ProspeoConfig, list[Person]]]
) -> None:
    assert enrichment("sandbox", "prospeo").status == 0
    [(config, people)] = prospeo_served
    assert config == ProspeoConfig()
    assert len(people) == 4_166 + 1_066


def test_every_setting_of_another_stand_in_has_its_option(
    enrichment: Command, prospeo_served: list[tuple[ProspeoConfig, list[Person]]], tmp_path: Path
) -> None:
    settings: dict[str, Any] = {
        "api_key": "secret",
        "credits": 7,
        "journal": Path("journal.jsonl"),
        "charge_when": "after_response",
        "free_days": 90.0,
        "per_second": 30,
        "per_minute": 1_800,
        "per_day": 500_000,
        "second_seconds": 0.5,
        "minute_seconds": 5.0,
        "day_seconds": 60.0,
        "window_kind": "fixed",
        "second_counts": "requests",
        "no_match_as": "error",
        "short_of_credits": "missing",
        "record_order": "shuffled",
        "latency_ms": 11,
        "known": 0.5,
        "verified": 0.6,
        "dead_email": 0.9,
        "stale_employer": 0.7,
        "wrong_person": 0.8,
        "seed": 42,
    }
    switches = {
        "account_restricted": True,
        "charge_repeats": True,
        "refused_counts": True,
        "rate_headers": False,
        "bad_record_spoils_batch": True,
        "marks_free": False,
    }
    people = tmp_path / "people.csv"
    people.write_text("full_name\nAda Example\n", encoding="utf-8")
    options = [
        word
        for name, value in settings.items()
        for word in (f"--{name.replace('_', '-')}", str(value))
    ]
    options += [
        f"--{'' if value else 'no-'}{name.replace('_', '-')}" for name, value in switches.items()
    ]
    options += ["--people", str(people), "--fault", "all=0.5", "--fault", "torn=0"]
    said = enrichment("sandbox", "prospeo", *options)
    assert (said.status, said.err) == (0, "")
    faults = dict.fromkeys(PROSPEO_FAULTS, 0.5) | {"torn": 0.0}
    [(config, [ada])] = prospeo_served
    assert config == ProspeoConfig(**settings, **switches, faults=faults)
    assert ada.row == {"full_name": "Ada Example"}
    assert {*settings, *switches, "faults"} == {field.name for field in fields(ProspeoConfig)}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--fault", "late=0.5"], ["--fault late=0.5", "torn", "all"]),
        (["--known", "1.5"], ["known", "0 to 1"]),
        (["--people", "nowhere.jsonl"], ["nowhere.jsonl", ".csv"]),
        (["--no-match-as", "maybe"], ["--no-match-as", "answer", "error"]),
    ],
)
def test_a_mistake_with_another_stand_in_is_refused_with_2_and_one_clear_line(
    enrichment: Command, arguments: list[str], words: list[str]
) -> None:
    said = enrichment("sandbox", "prospeo", "--port", "0", *arguments)
    assert (said.status, said.out, said.err.count("\n")) == (2, "", 1)
    for word in words:
        assert word in said.err


def test_a_stand_in_that_there_is_not_is_refused_with_2(enrichment: Command) -> None:
    said = enrichment("sandbox", "apollo")
    assert (said.status, said.out) == (2, "")
    assert "apollo" in said.err
