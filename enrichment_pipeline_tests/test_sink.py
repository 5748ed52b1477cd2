"""Sinks in the policy file: what may stand there, and what is refused before anything runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from pydantic import SecretStr

from enrichment_pipeline.attachment import Database
from enrichment_pipeline.cli.run_command import sink_lines
from enrichment_pipeline.definitions import build_definitions
from enrichment_pipeline.errors import ConfigurationError
from enrichment_pipeline.policy import Policy, load_policy
from enrichment_pipeline.published_names import FOR_SINKS
from enrichment_pipeline.settings import Settings
from enrichment_pipeline_tests.support import settings_for


def settings_with(folder: Path, *sinks: Mapping[str, object]) -> Settings:
    return settings_for(folder / "state", Policy.model_validate({"sinks": list(sinks)}), None)


def test_a_sink_is_a_database_or_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRM_PASSWORD", "hunter2")
    crm = {"name": "crm", "attach": "postgres:host=db password=${CRM_PASSWORD}", "schema": "e"}
    lake = {"name": "lake", "attach": str(tmp_path / "lake"), "tables": ["accounts"]}
    one, other = settings_with(tmp_path, crm, lake).sinks
    assert isinstance(one.place, Database)
    assert one.place.address == SecretStr("host=db password=hunter2")
    assert "hunter2" not in repr(one)
    assert (one.schema, one.tables) == ("e", FOR_SINKS)
    assert (other.place, other.schema, other.tables) == (
        tmp_path / "lake",
        "enrichment",
        ("accounts",),
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[[sinks]]\nattach = "x"', "sinks.0.name"),
        ('[[sinks]]\nname = "a b"\nattach = "x"', "sinks.0.name: should be small letters"),
        ('[[sinks]]\nname = "a"\nattach = "x"\nschema = "a;b"', "sinks.0.schema: should be small"),
        ('[[sinks]]\nname = "a"\nattach = "x"\ntables = ["nope"]', "no table named nope is publis"),
        ('[[sinks]]\nname = "a"\nattach = "x"\ntables = []', "sinks.0.tables: should name one"),
        ('[[sinks]]\nname = "a"\nattach = "x"\n' * 2, "sinks: should each have a name of its own"),
        ('[[sinks]]\nname = "a"\nattach = "x"\nmode = "w"', "unknown key sinks.0.mode"),
    ],
)
def test_a_mistake_in_a_sink_is_told_by_its_key(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "enrichment.toml").write_text(text)
    with pytest.raises(ConfigurationError) as refused:
        load_policy(tmp_path / "enrichment.toml")
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("attach", "said"),
    [
        ("postgres:password=${NO_SUCH_VARIABLE}", "variable NO_SUCH_VARIABLE is not set"),
        ("{}/state/published", "lies in the state folder; name a folder of its own"),
        ("{}/file.duckdb", "is a file; a sink is postgres:…, ducklake:…, s3://… or a folder"),
    ],
)
def test_a_place_that_cannot_be_written_to_is_refused(
    tmp_path: Path, attach: str, said: str
) -> None:
    (tmp_path / "file.duckdb").touch()
    settings = settings_with(tmp_path, {"name": "a", "attach": attach.replace("{}", str(tmp_path))})
    with pytest.raises(ConfigurationError, match=r"\[\[sinks\]\] a attach: ") as refused:
        settings.check_sinks()
    assert said in str(refused.value)


def test_dagster_has_the_asset_where_there_are_sinks(tmp_path: Path) -> None:
    for settings, has_sinks in (
        (settings_with(tmp_path), False),
        (settings_with(tmp_path, {"name": "a", "attach": "x"}), True),
    ):
        keys = {
            spec.key.to_user_string()
            for spec in build_definitions(settings).resolve_all_asset_specs()
        }
        assert ("sinks" in keys) == has_sinks


def test_the_closing_lines_tell_what_went_to_which_sink(tmp_path: Path) -> None:
    settings = settings_with(
        tmp_path,
        {"name": "crm", "attach": "x"},
        {"name": "idle", "attach": "y"},
        {"name": "away", "attach": "z"},
    )
    figures = {
        "crm/merged": 1_002,
        "crm/deleted": 3,
        "crm/contact_status/merged": 1_002,
        "crm/contact_status/deleted": 0,
        "crm/needs_review/merged": 0,
        "crm/needs_review/deleted": 3,
        "idle/merged": 0,
        "idle/deleted": 0,
    }
    assert sink_lines(settings, figures) == [
        "sink crm: needs_review 3 deleted; contact_status 1,002 merged",
        "sink idle: nothing had changed",
    ]
