"""The policy file: its defaults, and every way in which it can be wrong."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from enrichment_pipeline.errors import ConfigurationError
from enrichment_pipeline.policy import Policy, load_policy

CONTRACT = """
[source]
attach   = "path/to/any.duckdb"
contacts = "select * from crm.contacts"
accounts = "select * from crm.accounts"

[signalhire]
items_per_window = 600
window_seconds = 60
callback_deadline_minutes = 30
items_per_request = 100
search = "off"
searches_per_day = 300

[freshness]
max_age_days = 90
no_match_days = 30
unconfirmed_days = 30

[schedule]
time_zone = "UTC"
hour = 5

[priority]
bands   = { strategic = 2000, target = 1000, standard = 300 }
weights = { tier = 1000, open_pipeline = 1.0, annual_revenue = 1.0, employee_count = 1.0 }

[budget]
per_run = 5000
per_day = 20000
per_month = 300000
floors = { strategic = 0.0, target = 0.1, standard = 0.3, bulk = 0.5 }

[acceptance]
require = ["verified_email"]
"""
"""The block of CONTRACT.md, word for word but for its comments: what users rely on."""

NOT_AS_WRITTEN = {("source", "attach"), ("source", "accounts")}
"""Left out they mean the sample, and `crm.accounts` where the source has it."""


def write(folder: Path, text: str) -> Path:
    path = folder / "enrichment.toml"
    path.write_text(text, encoding="utf-8")
    return path


def leaves(document: dict[str, Any], *above: str) -> Iterator[tuple[tuple[str, ...], object]]:
    for key, value in document.items():
        if isinstance(value, dict):
            yield from leaves(value, *above, key)
        else:
            yield (*above, key), value


def dotted(problem: ConfigurationError) -> str:
    return str(problem).partition("enrichment.toml: ")[2]


def refuse(folder: Path, text: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load_policy(write(folder, text))
    message = str(caught.value)
    assert message.startswith(f"policy file {folder / 'enrichment.toml'}: ")
    assert "\n" not in message
    return dotted(caught.value)


def test_every_default_is_the_contracts() -> None:
    ours = dict(leaves(load_policy(None).model_dump()))
    for key, value in leaves(tomllib.loads(CONTRACT)):
        if key not in NOT_AS_WRITTEN:
            found = ours[key]
            assert (list(found) if isinstance(found, tuple) else found) == value, key
    assert (ours["source", "attach"], ours["source", "accounts"]) == (None, None)


def test_a_file_with_every_key_of_the_contract_is_taken(tmp_path: Path) -> None:
    policy = load_policy(write(tmp_path, CONTRACT))
    assert policy.source.attach == "path/to/any.duckdb"
    assert policy.model_copy(update={"source": Policy().source}) == Policy()


def test_an_empty_file_is_the_defaults(tmp_path: Path) -> None:
    assert load_policy(write(tmp_path, "")) == load_policy(None) == Policy()


def test_what_is_not_said_keeps_its_default(tmp_path: Path) -> None:
    policy = load_policy(write(tmp_path, "[budget]\nfloors = { bulk = 0.9 }\n"))
    assert (policy.budget.floors.bulk, policy.budget.floors.standard) == (0.9, 0.3)
    assert policy.budget.per_run == 5000


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("[budgets]", "budgets"),
        ("per_run = 5", "per_run"),
        ("[budget]\nper_week = 5", "budget.per_week"),
        ("[budget]\nfloors = { gold = 0.1 }", "budget.floors.gold"),
        ("[priority.weights]\nheadcount = 1", "priority.weights.headcount"),
        ("[Budget]\nper_run = 5", "Budget"),
    ],
)
def test_an_unknown_key_is_named(tmp_path: Path, text: str, key: str) -> None:
    assert refuse(tmp_path, text) == f"unknown key {key}"


OUT_OF_RANGE = {
    "signalhire.items_per_window": ["0", "-1", "100001", "1.5", '"600"', "true"],
    "signalhire.window_seconds": ["0", "-1", "86401", "nan", "inf"],
    "signalhire.price": ["0", "-1", "0.0000001", "true", '"1"'],
    "signalhire.rates": ["5", "[]", "{ units = 1, seconds = 1 }"],
    "signalhire.callback_deadline_minutes": ["0", "10081"],
    "signalhire.items_per_request": ["0", "101"],
    "signalhire.search": ['"maybe"', "true"],
    "signalhire.searches_per_day": ["-1"],
    "signalhire.min_likelihood": ["0", "11", "7.5", "true"],
    "signalhire.changelog": ['"maybe"', "true"],
    "signalhire.retain_days": ["-1", "3651", "1.5", "true"],
    "freshness.max_age_days": ["0", "-90", "3651", "90.5", "true", '"90"'],
    "freshness.no_match_days": ["0"],
    "freshness.unconfirmed_days": ["0"],
    "freshness.spread_days": ["-1", "0.5", "30", "90"],
    "retry.first_hours": ["0", "-1", "24.5", "nan", '"1"'],
    "retry.longest_days": ["0", "366", "1.5"],
    "retry.max_attempts": ["0", "51", "2.5"],
    "schedule.time_zone": ['"Mars/Olympus"', '""', "1", '"../UTC"'],
    "schedule.hour": ["-1", "24", "5.5"],
    "priority.bands.target": ["-1", '"high"'],
    "priority.weights.tier": ["-0.1", "nan", "inf"],
    "budget.per_run": ["-1", "0.0000001", "true", '"5"'],
    "budget.per_day": ["-1"],
    "budget.per_month": ["-1"],
    "budget.floors.bulk": ["-0.1", "1.1", "nan"],
    "acceptance.require": ["[]", '"verified_email"', "5"],
    "acceptance.require.0": ['["email"]', '["verified_name"]', "[5]"],
    "identity.phone_region": ['"ZZ"', '"Germany"', "49"],
    "publish.group": ["5"],
    "ui.hosts": ['"ui.example.com"', '["https://ui.example.com"]', '["a/b"]', '["*"]', '[""]'],
    "source.attach": ["5", "[]"],
    "source.contacts": ["5"],
    "budget": ["5", '"much"'],
}


@pytest.mark.parametrize(
    ("key", "value"), [(key, value) for key, values in OUT_OF_RANGE.items() for value in values]
)
def test_a_value_out_of_range_is_refused_with_its_key(tmp_path: Path, key: str, value: str) -> None:
    message = refuse(tmp_path, f"{key.removesuffix('.0')} = {value}\n")
    assert message.startswith(f"{key}: ")
    assert "given: " in message
    of_python = {"tuple", "dictionary", "instance", "string", "integer", "boolean", "pattern"}
    assert not of_python & set(message.split())


IN_RANGE = {
    "signalhire.items_per_window": ["1", "5", "100000"],
    "signalhire.window_seconds": ["0.001", "60", "86400"],
    "signalhire.items_per_request": ["1", "100"],
    "signalhire.min_likelihood": ["1", "10"],
    "signalhire.retain_days": ["0", "3650"],
    "freshness.max_age_days": ["1", "3650"],
    "freshness.spread_days": ["0", "29"],
    "retry.first_hours": ["0.25", "1", "24"],
    "retry.longest_days": ["1", "365"],
    "retry.max_attempts": ["1", "50"],
    "schedule.hour": ["0", "23"],
    "schedule.time_zone": ['"Europe/Berlin"'],
    "budget.per_run": ["0"],
    "budget.floors.bulk": ["0", "1", "1.0"],
    "acceptance.require": ['["verified_work_email", "verified_phone"]'],
    "priority.weights.tier": ["0", "0.5"],
    "identity.phone_region": ['"US"', '""'],
    "publish.group": ['"bi"', '""'],
    "ui.hosts": ["[]", '["ui.example.com", "10.0.0.1:8443", "[::1]:3000"]'],
}


@pytest.mark.parametrize(
    ("key", "value"), [(key, value) for key, values in IN_RANGE.items() for value in values]
)
def test_the_ends_of_a_range_are_taken(tmp_path: Path, key: str, value: str) -> None:
    document = load_policy(write(tmp_path, f"{key} = {value}\n")).model_dump()
    found = dict(leaves(document))[tuple(key.split("."))]
    expected = tomllib.loads(f"x = {value}")["x"]
    assert (list(found) if isinstance(found, tuple) else found) == expected


@pytest.mark.parametrize("short", ["items_per_window = 600", "window_seconds = 60"])
def test_rates_in_both_forms_at_once_are_refused(tmp_path: Path, short: str) -> None:
    both = f"[signalhire]\nrates = [{{ units = 15, seconds = 1 }}]\n{short}\n"
    assert refuse(tmp_path, both).startswith(
        "signalhire: give rates, or items_per_window and window_seconds, not both"
    )


@pytest.mark.parametrize(
    ("rate", "key"),
    [
        ("{ units = 15 }", "seconds: "),
        ("{ units = 0, seconds = 1 }", "units: "),
        ("{ units = 15, seconds = 0 }", "seconds: "),
        ("{ units = 15, seconds = 1, each = 2 }", "each"),
    ],
)
def test_a_rate_that_is_none_is_refused_with_its_place(tmp_path: Path, rate: str, key: str) -> None:
    message = refuse(tmp_path, f"[signalhire]\nrates = [{{ units = 1, seconds = 1 }}, {rate}]")
    assert f"signalhire.rates.1.{key}" in message


def test_bands_must_not_rise(tmp_path: Path) -> None:
    message = refuse(tmp_path, "[priority]\nbands = { strategic = 10, target = 20, standard = 5 }")
    assert message.startswith("priority.bands: must not rise: strategic >= target >= standard")
    message = refuse(tmp_path, "priority.bands.standard = 1500")
    assert message.startswith("priority.bands: must not rise")
    equal = "priority.bands = { strategic = 5, target = 5, standard = 5 }"
    assert load_policy(write(tmp_path, equal)).priority.bands.target == 5


@pytest.mark.parametrize("age", ["max_age_days", "no_match_days"])
def test_a_spread_is_less_than_every_age(tmp_path: Path, age: str) -> None:
    text = f"[freshness]\nspread_days = 7\n{age} = "
    assert refuse(tmp_path, text + "7").startswith(
        f"freshness.spread_days: must be less than {age}"
    )
    assert load_policy(write(tmp_path, text + "8")).freshness.spread_days == 7


def test_a_country_code_is_taken_in_either_case(tmp_path: Path) -> None:
    assert (
        load_policy(write(tmp_path, 'identity.phone_region = "us"')).identity.phone_region == "US"
    )


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("[budget\nper_run = 5", "line 1"),
        ("[budget]\nper_run = five", "line 2"),
        ("[budget]\nper_run = 5\nper_run = 6\n\n", "line 3"),
    ],
)
def test_what_is_no_toml_is_refused_with_its_position(
    tmp_path: Path, text: str, position: str
) -> None:
    message = refuse(tmp_path, text)
    assert message.startswith("not valid TOML: ")
    assert position in message


def test_a_file_in_another_encoding_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "enrichment.toml"
    path.write_bytes('[source]\nattach = "Küche"'.encode("latin-1"))
    with pytest.raises(ConfigurationError, match="not valid TOML"):
        load_policy(path)


def test_a_byte_order_mark_is_no_part_of_the_file(tmp_path: Path) -> None:
    assert load_policy(write(tmp_path, "\ufeff[budget]\nper_run = 7")).budget.per_run == 7


@pytest.mark.parametrize("name", ["nowhere.toml", "."])
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"cannot be read .*set ENRICHMENT_CONFIG"):
        load_policy(tmp_path / name)


def test_a_policy_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        setattr(Policy().budget, "per_run", 1)  # noqa: B010 - as an assignment it would not type
