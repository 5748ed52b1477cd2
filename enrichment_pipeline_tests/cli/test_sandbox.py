"""The options of `enrichment sandbox`, and of the stand-ins that it serves by name.

Each reaches its setting, and mistakes are refused with one line.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from enrichment_pipeline.sandbox.directory import Person
from enrichment_pipeline.sandbox.hunter import config as hunter
from enrichment_pipeline.sandbox.peopledatalabs import config as peopledatalabs
from enrichment_pipeline.sandbox.prospeo import config as prospeo
from enrichment_pipeline.sandbox.signalhire.config import FAULTS, SandboxConfig
from enrichment_pipeline.sandbox.signalhire.people import People
from enrichment_pipeline_tests.cli.conftest import Command

NOT_ON_THE_COMMAND_LINE = {"account_disabled", "credits_without_contacts"}


def options_of(settings: Mapping[str, Any]) -> list[str]:
    """Each setting as its option is written."""
    options: list[str] = []
    for setting, value in settings.items():
        name = setting.replace("_", "-")
        is_switch = isinstance(value, bool)
        options += [f"--{'' if value else 'no-'}{name}"] if is_switch else [f"--{name}", str(value)]
    return options


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
    arguments = options_of(settings | switches)
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
    assert served[0].callback_delays_ms == (500, 500)


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


# --- the stand-ins that have a name ----------------------------------------------------------

CONFIGS: dict[str, Any] = {
    "prospeo": prospeo.ProspeoConfig,
    "peopledatalabs": peopledatalabs.PeopleDataLabsConfig,
    "hunter": hunter.HunterConfig,
}
FAULTS_OF: dict[str, tuple[str, ...]] = {
    "prospeo": prospeo.FAULTS,
    "peopledatalabs": peopledatalabs.FAULTS,
    "hunter": hunter.FAULTS,
}
OF_ALL: dict[str, Any] = {
    "api_key": "secret",
    "credits": 7,
    "journal": Path("journal.jsonl"),
    "charge_when": "after_response",
    "latency_ms": 11,
    "known": 0.5,
    "dead_email": 0.9,
    "stale_employer": 0.1,
    "wrong_person": 0.8,
    "minute_seconds": 5.0,
    "seed": 42,
}
OF_BATCHES: dict[str, Any] = {"record_order": "shuffled", "bad_record_spoils_batch": True}
CHANGED: dict[str, dict[str, Any]] = {
    "prospeo": {
        **OF_ALL,
        **OF_BATCHES,
        "short_of_credits": "missing",
        "free_days": 90.0,
        "per_second": 30,
        "per_minute": 1_800,
        "per_day": 500_000,
        "second_seconds": 0.5,
        "day_seconds": 60.0,
        "window_kind": "fixed",
        "second_counts": "requests",
        "no_match_as": "error",
        "verified": 0.6,
        "account_restricted": True,
        "charge_repeats": True,
        "refused_counts": True,
        "rate_headers": False,
        "marks_free": False,
    },
    "peopledatalabs": {
        **OF_ALL,
        **OF_BATCHES,
        "short_of_credits": "elements",
        "per_minute": 1_000,
        "window_kind": "sliding",
        "refused_counts": False,
        "reset_form": "epoch",
        "cost_headers": False,
        "error_type": "list",
        "echoes_metadata": False,
        "default_min_likelihood": 0,
        "obeys_required": False,
        "obeys_titlecase": False,
        "shows_contact_data": False,
        "most_answer_bytes": 500,
        "too_long_is_charged": False,
        "has_work_email": 0.4,
        "doubtful": 0.3,
        "release": "34.0",
        "first_release": "33.1",
        "updated": 0.21,
        "touched": 0.22,
        "merged": 0.13,
        "deleted": 0.14,
        "opted_out": 0.15,
        "tells_release": False,
        "changelog_allowed": False,
        "changes_per_minute": 7,
        "most_changes": 9,
        "merged_to": "text",
    },
    "hunter": {
        **OF_ALL,
        "balance_of": "searches",
        "charge_repeats": False,
        "free_days": 7.0,
        "in_progress_charged": "answered",
        "per_second": 30,
        "per_minute": 1_000,
        "verifications_per_second": 20,
        "verifications_per_minute": 600,
        "second_seconds": 0.5,
        "window_kind": "fixed",
        "refused_counts": True,
        "in_progress_seconds": 3.0,
        "guessed": 0.4,
        "sourced": 0.7,
        "outdated": 0.2,
        "accept_all": 0.25,
        "unknown": 0.15,
        "legal_stop": 0.05,
    },
}
"""Of each stand-in every setting but its faults, each with another value than its own."""


@pytest.fixture(params=CONFIGS)
def named(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def named_served(
    named: str, monkeypatch: pytest.MonkeyPatch, served: list[SandboxConfig]
) -> list[tuple[Any, list[Person]]]:
    """The settings and the people with which the stand-in of that name would be served."""
    found: list[tuple[Any, list[Person]]] = []

    def create_app(config: Any, people: list[Person]) -> None:
        assert served == []  # the first one is not served beside it
        found.append((config, people))

    monkeypatch.setattr(f"enrichment_pipeline.sandbox.{named}.stand_in.create_app", create_app)
    return found


def test_another_stand_in_is_served_by_its_name_over_more_people(
    enrichment: Command, named: str, named_served: list[tuple[Any, list[Person]]]
) -> None:
    assert enrichment("sandbox", named).status == 0
    [(config, people)] = named_served
    assert config == CONFIGS[named]()
    assert len(people) == 4_166 + 1_066


def test_every_setting_of_another_stand_in_has_its_option(
    enrichment: Command, named: str, named_served: list[tuple[Any, list[Person]]], tmp_path: Path
) -> None:
    people = tmp_path / "people.csv"
    people.write_text("full_name\nAda Example\n", encoding="utf-8")
    options = [*options_of(CHANGED[named]), "--people", str(people)]
    said = enrichment("sandbox", named, *options, "--fault", "all=0.5", "--fault", "torn=0")
    assert (said.status, said.err) == (0, "")
    [(config, [ada])] = named_served
    faults = dict.fromkeys(FAULTS_OF[named], 0.5) | {"torn": 0.0}
    assert config == CONFIGS[named](**CHANGED[named], faults=faults)
    assert ada.row == {"full_name": "Ada Example"}
    unchanged = CONFIGS[named]()
    assert {
        field.name
        for field in fields(CONFIGS[named])
        if getattr(config, field.name) == getattr(unchanged, field.name)
    } == set()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--fault", "late=0.5"], ["--fault late=0.5", "torn", "all"]),
        (["--known", "1.5"], ["known", "0 to 1"]),
        (["--people", "nowhere.jsonl"], ["nowhere.jsonl", ".csv"]),
        (["--charge-when", "never"], ["--charge-when", "before_response", "after_response"]),
    ],
)
def test_a_mistake_with_another_stand_in_is_refused_with_2_and_one_clear_line(
    enrichment: Command, named: str, arguments: list[str], words: list[str]
) -> None:
    said = enrichment("sandbox", named, "--port", "0", *arguments)
    assert (said.status, said.out, said.err.count("\n")) == (2, "", 1)
    for word in words:
        assert word in said.err


def test_a_stand_in_that_there_is_not_is_refused_with_2(enrichment: Command) -> None:
    said = enrichment("sandbox", "apollo")
    assert (said.status, said.out) == (2, "")
    assert "apollo" in said.err
